import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sleep } from '@stack/kernel';
import { inAton } from '@stack/inet-sock';
import { neighContract } from '@stack/neigh/contract';
import type { NeighRig } from '@stack/neigh/contract';
import { devAddrSet, devSetMacAddress } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { ARPOP_REPLY, ARPOP_REQUEST } from './arp-header.ts';
import { ipAddrAdd } from './ip-addr.ts';
import { ipNeighAdd } from './ip-neigh.ts';
import { inetLookupIfaddr } from './ifaddr.ts';
import { neighShow } from './show.ts';
import { finish, inside, makeCard, makeHost, makePair, makeWorld, receive, sendIp, wireOf } from './test-host.ts';
import type { Pair } from './test-host.ts';

const ALL = [255, 255, 255, 255, 255, 255];
const HIM = [2, 0, 0, 0, 0, 0x99];

/** An ARP frame. */
function arp(op: number, sha: number[], sip: string, tha: number[], tip: string, to: readonly number[] = ALL): Uint8Array {
  const frame = new Uint8Array(42);
  const view = new DataView(frame.buffer);
  frame.set([...to, ...sha, 8, 6, 0, 1, 8, 0, 6, 4, 0, op, ...sha]);
  view.setInt32(28, inAton(sip));
  frame.set(tha, 32);
  view.setInt32(38, inAton(tip));
  return frame;
}

function setMac(dev: NetDevice, addr: Uint8Array): number {
  devAddrSet(dev, addr);
  return 0;
}

const isArp = (frame: Uint8Array): boolean => frame[12] === 8 && frame[13] === 6;
const text = (addr: Uint8Array): string => [...addr].join('.');
/** `op sip tip` of ARP frames that dev sent. */
function said(dev: NetDevice): string[] {
  return wireOf(dev).sent.filter(isArp).map((f) => `${f[21] === 1 ? 'request' : 'reply'} ${text(f.slice(28, 32))} ${text(f.slice(38, 42))}`);
}

describe('on one device', () => {
  let pair: Pair;
  const alone = (): void => {
    wireOf(pair.ethA).peer = null;
  };
  beforeEach(() => {
    pair = makePair();
  });
  afterEach(() => finish(pair.world));

  test('RFC 826: a packet for a host on the link asks everybody, once; the answer lets it go', () => {
    wireOf(pair.ethA).filter = isArp;
    sendIp(pair.a, '10.0.0.2', 253, Uint8Array.of(1));
    expect(said(pair.ethA)).toEqual(['request 10.0.0.1 10.0.0.2']);
    expect(said(pair.ethB)).toEqual(['reply 10.0.0.2 10.0.0.1']);
    const ask = wireOf(pair.ethA).sent[0];
    expect([...ask.slice(0, 6)]).toEqual(ALL);
    expect([...ask.slice(14, 32)]).toEqual([0, 1, 8, 0, 6, 4, 0, 1, ...pair.ethA.devAddr, 10, 0, 0, 1]);
    expect([...ask.slice(32, 38)]).toEqual([0, 0, 0, 0, 0, 0]);
    const reply = wireOf(pair.ethB).sent[0];
    expect([...reply.slice(0, 12)]).toEqual([...pair.ethA.devAddr, ...pair.ethB.devAddr]);
    expect(wireOf(pair.ethA).sent[1][13]).toBe(0);
    expect(neighShow(pair.a)).toEqual([{ dst: '10.0.0.2', dev: 'eth0', lladdr: '02:00:00:00:00:02', state: ['REACHABLE'] }]);
    expect(neighShow(pair.b)).toEqual([{ dst: '10.0.0.1', dev: 'eth0', lladdr: '02:00:00:00:00:01', state: ['STALE'] }]);
  });

  test('RFC 1122 §2.3.2.1: nobody answers: asked again every second, given up after three', async () => {
    alone();
    sendIp(pair.a, '10.0.0.9', 253, Uint8Array.of(1));
    await sleep(pair.world, 1500);
    expect(said(pair.ethA).length).toBe(2);
    await sleep(pair.world, 5000);
    expect(said(pair.ethA).length).toBe(3);
    expect(neighShow(pair.a)[0].state).toEqual(['FAILED']);
  });

  test('a packet that was waiting when resolution failed comes back to its sender as host unreachable', async () => {
    alone();
    sendIp(pair.a, '10.0.0.9', 253, Uint8Array.of(1));
    await sleep(pair.world, 4000);
    expect(pair.a.ipv4.icmpMib.values[3]).toBe(1);
  });

  test('a request that is not for us teaches nothing new, but refreshes what is known', () => {
    alone();
    receive(pair.ethA, arp(ARPOP_REQUEST, HIM, '10.0.0.9', [0, 0, 0, 0, 0, 0], '10.0.0.77'));
    expect(neighShow(pair.a)).toEqual([]);
    expect(said(pair.ethA)).toEqual([]);
    ipNeighAdd(pair.a, { dst: '10.0.0.9', dev: 'eth0', lladdr: '02:00:00:00:00:01', nud: 'stale' });
    pair.a.ipv4.arpTbl.parmsList.forEach((parms) => { parms.locktime = -1; });
    receive(pair.ethA, arp(ARPOP_REQUEST, HIM, '10.0.0.9', [0, 0, 0, 0, 0, 0], '10.0.0.77'));
    expect(neighShow(pair.a)[0]).toMatchObject({ lladdr: '02:00:00:00:00:99', state: ['STALE'] });
  });

  test('locktime: of several answers within a second the first counts', async () => {
    alone();
    sendIp(pair.a, '10.0.0.9', 253, Uint8Array.of(1));
    receive(pair.ethA, arp(ARPOP_REPLY, HIM, '10.0.0.9', [...pair.ethA.devAddr], '10.0.0.1', [...pair.ethA.devAddr]));
    receive(pair.ethA, arp(ARPOP_REPLY, [2, 0, 0, 0, 0, 0x98], '10.0.0.9', [...pair.ethA.devAddr], '10.0.0.1', [...pair.ethA.devAddr]));
    expect(neighShow(pair.a)[0]).toMatchObject({ lladdr: '02:00:00:00:00:99', state: ['REACHABLE'] });
    await sleep(pair.world, 1100);
    receive(pair.ethA, arp(ARPOP_REPLY, [2, 0, 0, 0, 0, 0x98], '10.0.0.9', [...pair.ethA.devAddr], '10.0.0.1', [...pair.ethA.devAddr]));
    expect(neighShow(pair.a)[0]).toMatchObject({ lladdr: '02:00:00:00:00:98' });
  });

  test('a gratuitous ARP changes at once what is known, and with arp_accept makes an entry', () => {
    alone();
    const garp = arp(ARPOP_REQUEST, HIM, '10.0.0.9', [0, 0, 0, 0, 0, 0], '10.0.0.9');
    receive(pair.ethA, garp);
    expect(neighShow(pair.a)).toEqual([]);
    pair.a.ipv4.devconfAll.arpAccept = 1;
    receive(pair.ethA, garp);
    expect(neighShow(pair.a)).toEqual([{ dst: '10.0.0.9', dev: 'eth0', lladdr: '02:00:00:00:00:99', state: ['STALE'] }]);
    receive(pair.ethA, arp(ARPOP_REQUEST, [2, 0, 0, 0, 0, 0x98], '10.0.0.9', [0, 0, 0, 0, 0, 0], '10.0.0.9'));
    expect(neighShow(pair.a)[0].lladdr).toBe('02:00:00:00:00:98');
    pair.a.ipv4.devconfAll.dropGratuitousArp = 1;
    receive(pair.ethA, garp);
    expect(neighShow(pair.a)[0].lladdr).toBe('02:00:00:00:00:98');
  });

  test('RFC 5227 §2.1.1: a probe (sender 0) for our address is answered, and nothing learned', () => {
    alone();
    receive(pair.ethA, arp(ARPOP_REQUEST, HIM, '0.0.0.0', [0, 0, 0, 0, 0, 0], '10.0.0.1'));
    expect(said(pair.ethA)).toEqual(['reply 10.0.0.1 0.0.0.0']);
    expect(neighShow(pair.a)).toEqual([]);
  });

  test('RFC 5227 §2.4: an address that somebody else claims is defended, once in ten seconds', async () => {
    alone();
    const claim = arp(ARPOP_REQUEST, HIM, '10.0.0.1', [0, 0, 0, 0, 0, 0], '10.0.0.1');
    receive(pair.ethA, claim);
    expect(said(pair.ethA)).toEqual(['request 10.0.0.1 10.0.0.1']);
    await sleep(pair.world, 5000);
    receive(pair.ethA, claim);
    expect(said(pair.ethA).length).toBe(1);
    await sleep(pair.world, 10_001);
    receive(pair.ethA, claim);
    expect(said(pair.ethA).length).toBe(2);
    expect(inetLookupIfaddr(pair.a, inAton('10.0.0.1'))?.conflicts).toBe(3);
    expect(neighShow(pair.a)).toEqual([]);
  });

  test('arp_ignore', () => {
    alone();
    const ask = (): number => {
      const before = said(pair.ethA).length;
      receive(pair.ethA, arp(ARPOP_REQUEST, HIM, '172.16.0.9', [0, 0, 0, 0, 0, 0], '10.0.0.1'));
      return said(pair.ethA).length - before;
    };
    expect(ask()).toBe(1);
    pair.a.ipv4.devconfAll.arpIgnore = 1;
    expect(ask()).toBe(1);
    pair.a.ipv4.devconfAll.arpIgnore = 2;
    expect(ask()).toBe(0);
    pair.a.ipv4.devconfAll.arpIgnore = 8;
    expect(ask()).toBe(0);
  });

  test('arp_announce: which of our addresses asks', () => {
    ipAddrAdd(pair.ethA, '172.16.0.1/16');
    alone();
    sendIp(pair.a, '10.0.0.7', 253, Uint8Array.of(1), 0, '172.16.0.1');
    pair.a.ipv4.devconfAll.arpAnnounce = 1;
    sendIp(pair.a, '10.0.0.8', 253, Uint8Array.of(1), 0, '172.16.0.1');
    expect(said(pair.ethA)).toEqual(['request 172.16.0.1 10.0.0.7', 'request 10.0.0.1 10.0.0.8']);
  });

  test('arp_notify announces an address that comes, and a device whose own address changes forgets its neighbours', () => {
    pair.a.ipv4.devconfAll.arpNotify = 1;
    ipAddrAdd(pair.ethA, '172.16.0.1/16');
    expect(said(pair.ethA)).toEqual(['request 172.16.0.1 172.16.0.1']);
    sendIp(pair.a, '10.0.0.2', 253, Uint8Array.of(1));
    expect(neighShow(pair.a).length).toBe(1);
    pair.ethA.netdevOps = { ...pair.ethA.netdevOps, ndoSetMacAddress: setMac };
    expect(inside(pair.a, () => devSetMacAddress(pair.ethA, Uint8Array.of(2, 0, 0, 0, 0, 0x55)))).toBe(0);
    expect(neighShow(pair.a)).toEqual([]);
    expect(said(pair.ethA).at(-1)).toBe('request 172.16.0.1 172.16.0.1');
  });

  test.each([
    ['other hardware', (f: Uint8Array): void => { f[15] = 6 + 1; }], ['another protocol', (f: Uint8Array): void => { f[16] = 0x86; }],
    ['a wrong address length', (f: Uint8Array): void => { f[18] = 8; }], ['an unknown operation', (f: Uint8Array): void => { f[21] = 3; }],
    ['a group as target', (f: Uint8Array): void => { f[38] = 224; }], ['127.0.0.0/8 as target', (f: Uint8Array): void => { f[38] = 127; }],
  ])('%s is dropped', (_name, bend) => {
    alone();
    const frame = arp(ARPOP_REQUEST, HIM, '10.0.0.9', [0, 0, 0, 0, 0, 0], '10.0.0.1');
    bend(frame);
    receive(pair.ethA, frame);
    expect(said(pair.ethA)).toEqual([]);
    expect(neighShow(pair.a)).toEqual([]);
  });

  test('the weak host model: an address of another card is answered for (RFC 1122 §3.3.4.2)', () => {
    makeCard(pair.a, '172.30.0.1/16');
    alone();
    receive(pair.ethA, arp(ARPOP_REQUEST, HIM, '10.0.0.9', [0, 0, 0, 0, 0, 0], '172.30.0.1'));
    expect(said(pair.ethA)).toEqual(['reply 172.30.0.1 10.0.0.9']);
  });
});

describe.each([['with header cache', true], ['without header cache', false]])('contract of NeighOps on ARP, %s', (_name, cache) => {
  const make = (): NeighRig => {
    const world = makeWorld();
    const net = makeHost(world, 'h');
    const dev = makeCard(net, '10.0.0.1/24', cache);
    const lladdr = Uint8Array.from(HIM);
    return {
      net, dev, lladdr,
      table: net.ipv4.arpTbl,
      frames: wireOf(dev).sent,
      key: [inAton('10.0.0.9'), 0, 0, 0],
      answer: () => receive(dev, arp(ARPOP_REPLY, HIM, '10.0.0.9', [...dev.devAddr], '10.0.0.1', [...dev.devAddr])),
      isSolicit: (frame) => isArp(frame) && frame[21] === ARPOP_REQUEST,
      fill: (skb) => {
        skb.buf[skb.data] = 0x45;
        skb.view.setInt32(skb.data + 12, inAton('10.0.0.1'));
        skb.view.setInt32(skb.data + 16, inAton('10.0.0.9'));
      },
    };
  };
  for (const { name, run } of neighContract) test(name, () => run(make));
});
