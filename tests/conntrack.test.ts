// Connection tracking and rules on whole hosts: a router that is a firewall, its limits, and what floods do to it.
import {
  conntrackShow, conntrackStat, installConntrack, installIpTables, installNat, iptAppend, iptDelete, iptDeleteChain, iptFlush, iptInsert, iptNewChain,
  iptPolicy, iptShow, iptZero, type IptRule,
} from '@stack/conntrack';
import { assertNothingOpen, createHost, plainOn, virtioOn, type Connection } from '@stack/host';
import { inAton } from '@stack/inet-sock';
import { ipRouteAdd } from '@stack/ip';
import { createWorld, idle, sleep, worldEnter, worldLeave, type Net } from '@stack/kernel';
import { devGetByName, ethTypeTrans, netdevAllocSkbIpAlign, netifRx, type NetDevice } from '@stack/netdev';
import { createSwitch } from '@stack/nic-virtio-sim';
import { csumFold, csumPartial, csumTcpudpMagic, skbPut } from '@stack/skbuff';
import { afterEach, describe, expect, test } from 'vitest';
import {
  CLIENT, masquerade, natHouse, SERVER, tcpAsk, tcpEcho, udpEcho, udpOpen, udpSend, udpTake, WAN, type NatHouse, type NatHouseOptions,
} from './support/nat-house.ts';

let house: NatHouse;
afterEach(() => house.close());

/** Without NAT: the server knows the way back. */
function build(options: NatHouseOptions = {}): NatHouse {
  house = natHouse({ rules: [], ...options });
  ipRouteAdd(house.server.net, { dst: '10.0.0.0/24', gateway: WAN });
  return house;
}

const established: IptRule = { chain: 'forward', ctState: ['established', 'related'], verdict: 'accept' };

describe('a stateful firewall', () => {
  const outward: readonly IptRule[] = [established, { chain: 'forward', iif: 'eth0', ctState: ['new'], verdict: 'accept' }];

  test('what began inside may be answered, nothing may begin outside', async () => {
    const { client, server, router } = build({ rules: outward });
    iptPolicy(router.net, 'forward', 'drop');
    void tcpEcho(server, 7);
    void udpEcho(client, 7);
    expect(await tcpAsk(client, SERVER, 7, new Uint8Array(100_000))).toHaveLength(100_000);
    const fd = udpOpen(server, 4000);
    udpSend(server, fd, CLIENT, 7, 'let me in');
    expect(await udpTake(server, fd)).toBeNull();
    const forward = iptShow(router.net).find(({ table, chain }) => table === 'filter' && chain === 'forward');
    expect(forward).toMatchObject({ policy: 'drop', packets: 1, bytes: 37, rules: [{ ctState: ['established', 'related'] }, { packets: 1, bytes: 60 }] });
  });

  test('an error about a connection that may be is related: it gets in', async () => {
    const { client, router } = build({ rules: outward });
    iptPolicy(router.net, 'forward', 'drop');
    await expect(tcpAsk(client, SERVER, 99, new Uint8Array(1))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const fd = udpOpen(client, 4000);
    udpSend(client, fd, SERVER, 9, 'nobody there');
    await idle(house.world);
    expect(client.show.counters()['IcmpInDestUnreachs']).toBe(1);
  });

  test('reject: ICMP for UDP, a reset for TCP, at once', async () => {
    const { client, router } = build({
      rules: [
        { chain: 'forward', protocol: 'tcp', dport: 25, verdict: 'reject', rejectWith: 'tcp-reset' },
        { chain: 'forward', protocol: 'tcp', dport: 26, verdict: 'reject' },
        { chain: 'forward', protocol: 'udp', verdict: 'reject', rejectWith: 'admin-prohibited' },
      ],
    });
    const before = house.world.now;
    await expect(tcpAsk(client, SERVER, 25, new Uint8Array(1))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(tcpAsk(client, SERVER, 26, new Uint8Array(1))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    udpSend(client, udpOpen(client), SERVER, 9, 'x');
    await idle(house.world);
    expect(house.world.now - before).toBeLessThan(1e9);
    expect(client.show.counters()).toMatchObject({ IcmpInDestUnreachs: 2, TcpInCsumErrors: 0 });
    // What was refused is no connection.
    expect(conntrackShow(router.net)).toEqual([]);
  });

  test('jump, return and mark: a rule\'s mark is another\'s match', async () => {
    const { client, server, router } = build();
    iptNewChain(router.net, 'udp-in');
    iptAppend(router.net, { table: 'mangle', chain: 'prerouting', protocol: 'udp', dport: '7-9', verdict: 'mark', setMark: '0x10/0xf0' });
    iptAppend(router.net, { chain: 'udp-in', dst: SERVER, mark: '0x10/0xf0', verdict: 'return' });
    iptAppend(router.net, { chain: 'udp-in', verdict: 'drop' });
    iptAppend(router.net, { chain: 'forward', iif: 'eth0', protocol: 'udp', verdict: 'jump', to: 'udp-in' });
    void udpEcho(server, 8);
    void udpEcho(server, 10);
    const fd = udpOpen(client);
    udpSend(client, fd, SERVER, 8, 'marked');
    expect(await udpTake(client, fd)).toMatchObject({ port: 8 });
    udpSend(client, fd, SERVER, 10, 'not marked');
    expect(await udpTake(client, fd)).toBeNull();
  });

  test('input and output: the router itself', async () => {
    const { client, router } = build({
      rules: [
        { chain: 'input', iif: 'lo', verdict: 'accept' },
        { chain: 'input', ctState: ['established', 'related'], verdict: 'accept' },
        { chain: 'input', iif: 'eth+', protocol: 'icmp', icmpType: 8, verdict: 'accept' },
        { chain: 'input', verdict: 'drop' },
        { chain: 'output', protocol: 'tcp', dport: 25, verdict: 'reject' },
      ],
    });
    void tcpEcho(client, 7);
    void tcpEcho(router, 7);
    expect(await tcpAsk(router, CLIENT, 7, new Uint8Array(10))).toHaveLength(10);
    expect(await tcpAsk(router, '127.0.0.1', 7, new Uint8Array(10))).toHaveLength(10);
    await expect(tcpAsk(router, CLIENT, 25, new Uint8Array(10))).rejects.toThrow();
    const fd = udpOpen(client);
    udpSend(client, fd, '10.0.0.1', 9, 'x');
    await idle(house.world);
    expect(client.show.counters()['IcmpInDestUnreachs']).toBe(0);
  });

  test('no conntrack, no NAT: rules without states work, and what is missing is named', async () => {
    build();
    const lone = createHost({ world: house.world, name: 'lone' });
    house.more.push(lone);
    expect(() => iptShow(lone.net)).toThrow('this host has no rule tables: installIpTables() first');
    expect(() => conntrackShow(lone.net)).toThrow('this host does not track connections: installConntrack() first');
    expect(() => installNat(lone.net)).toThrow('installNat: install ct first');
    installIpTables(lone.net, [{ chain: 'input', protocol: 'tcp', dport: 7, verdict: 'drop' }]);
    expect(() => iptAppend(lone.net, masquerade)).toThrow('table nat: this host has no NAT: installNat() first');
    void tcpEcho(lone, 8);
    expect(await tcpAsk(lone, '127.0.0.1', 8, new Uint8Array(10))).toHaveLength(10);
  });
});

describe('tables that are wrong say so, and stay as they are', () => {
  test.each([
    [{ chain: 'forwards', verdict: 'accept' }, /table filter: no chain "forwards": there are input, forward, output/],
    [{ table: 'nat', chain: 'forward', verdict: 'accept' }, /table nat: no chain "forward"/],
    [{ table: 'raw', chain: 'prerouting', verdict: 'accept' }, /no table "raw": there are mangle, nat, filter/],
    [{ chain: 'input', oif: 'eth0', verdict: 'accept' }, /oif in input/],
    [{ chain: 'output', iif: 'eth0', verdict: 'accept' }, /iif in output/],
    [{ chain: 'forward', verdict: 'masquerade' }, /verdict masquerade belongs in table nat, not filter/],
    [{ table: 'nat', chain: 'prerouting', verdict: 'snat', to: '10.0.0.9' }, /verdict snat belongs in postrouting and input, not prerouting/],
    [{ table: 'mangle', chain: 'forward', verdict: 'reject' }, /verdict reject belongs in table filter/],
    [{ chain: 'forward', verdict: 'jump', to: 'nowhere' }, /no chain "nowhere"/],
    [{ chain: 'forward', verdict: 'jump', to: 'input' }, /nothing can jump to the chain of a hook/],
    [{ chain: 'b', verdict: 'jump', to: 'a' }, /chain b would jump in a circle by a/],
    [{ chain: 'a', oif: 'eth0', verdict: 'accept' }, /oif in input/],
  ] as [IptRule, RegExp][])('%j', (rule, message) => {
    const { router } = build({ rules: [] });
    iptNewChain(router.net, 'a');
    iptNewChain(router.net, 'b');
    iptAppend(router.net, { chain: 'a', verdict: 'jump', to: 'b' });
    iptAppend(router.net, { chain: 'input', verdict: 'jump', to: 'a' });
    const before = iptShow(router.net);
    expect(() => iptAppend(router.net, rule)).toThrow(message);
    expect(iptShow(router.net)).toEqual(before);
  });

  test('chains and rules: made, inserted, taken out, emptied, removed', () => {
    const { net } = build({ rules: [] }).router;
    iptNewChain(net, 'a');
    const rules = (chain: string): string[] => iptShow(net).find((each) => each.table === 'filter' && each.chain === chain)!.rules.map(({ src = 'all' }) => src);
    for (const src of ['10.0.0.1', '10.0.0.2']) iptAppend(net, { chain: 'a', src, verdict: 'drop' });
    iptInsert(net, { chain: 'a', src: '10.0.0.3', verdict: 'drop' }, 1);
    expect(rules('a')).toEqual(['10.0.0.1', '10.0.0.3', '10.0.0.2']);
    iptDelete(net, 'a', 0);
    expect(rules('a')).toEqual(['10.0.0.3', '10.0.0.2']);
    expect(() => iptDelete(net, 'a', 2)).toThrow('chain a has 2 rules: none at 2');
    expect(() => iptNewChain(net, 'a')).toThrow('table filter: chain a is there already');
    expect(() => iptNewChain(net, 'a b')).toThrow('chain "a b"');
    expect(() => iptPolicy(net, 'a', 'drop')).toThrow('chain a has no policy');
    expect(() => iptDeleteChain(net, 'input')).toThrow('chain input belongs to a hook');
    expect(() => iptDeleteChain(net, 'a')).toThrow('chain a has rules');
    iptFlush(net, 'filter', 'a');
    iptAppend(net, { chain: 'forward', verdict: 'jump', to: 'a' });
    expect(() => iptDeleteChain(net, 'a')).toThrow('chain a is still jumped to');
    iptFlush(net);
    iptDeleteChain(net, 'a');
    expect(iptShow(net).map(({ chain }) => chain)).not.toContain('a');
  });

  test('counters: packets and octets of rules and policies, until they are set to 0', async () => {
    const { client, router } = build({ rules: [{ chain: 'forward', protocol: 'udp', dport: 9, verdict: 'accept' }] });
    const fd = udpOpen(client);
    for (const port of [9, 10]) udpSend(client, fd, SERVER, port, 'four');
    await idle(house.world);
    const forward = (): object => iptShow(router.net).find(({ table, chain }) => table === 'filter' && chain === 'forward')!;
    // Both are answered by an error of 60 octets, which the policy lets pass.
    expect(forward()).toMatchObject({ packets: 3, bytes: 32 + 2 * 60, rules: [{ packets: 1, bytes: 32 }] });
    iptZero(router.net);
    expect(forward()).toMatchObject({ packets: 0, bytes: 0, rules: [{ packets: 0, bytes: 0 }] });
  });
});

describe('a TCP connection in the table', () => {
  test('is SYN_SENT, ESTABLISHED and assured, TIME_WAIT; and it ends', async () => {
    const { world, client, server, router } = build();
    void tcpEcho(server, 7);
    const connection = await client.connect({ host: SERVER, port: 7 });
    expect(conntrackShow(router.net)).toMatchObject([{ state: 'ESTABLISHED', assured: true, unreplied: false, timeout: 432000 }]);
    await connection.writable.close();
    for await (const _ of connection.readable) { /* to its end */ }
    await idle(world);
    expect(conntrackShow(router.net)).toMatchObject([{ state: 'TIME_WAIT', timeout: 120 }]);
    await sleep(world, 121_000);
    expect(conntrackShow(router.net)).toEqual([]);
    // Its memory is collected within a round of the table.
    await sleep(world, 8_000);
    expect(router.net.ct.count).toBe(0);
  });

  test('nobody answers: SYN_SENT, not answered, for 120 s', async () => {
    const { client, router } = build({ rules: [{ chain: 'forward', verdict: 'accept' }] });
    await house.server.close();
    const connecting = client.connect({ host: SERVER, port: 7 }).catch((error: unknown) => error);
    await sleep(house.world, 100);
    // The first packet has left, and waits for ARP.
    expect(conntrackShow(router.net)).toMatchObject([{ state: 'SYN_SENT', unreplied: true, assured: false }]);
    await connecting;
  });

  test('a reset ends it soon', async () => {
    const { client, server, router } = build();
    void tcpEcho(server, 7);
    const connection = await client.connect({ host: SERVER, port: 7 });
    await connection.writable.abort();
    await idle(house.world);
    expect(conntrackShow(router.net)).toMatchObject([{ state: 'CLOSE', timeout: 10 }]);
  });

  test('tracking that comes in the middle: a connection that stands is taken up (loose), or not', async () => {
    const world = createWorld({ seed: 1, debug: true });
    const lan = createSwitch(world);
    const a = createHost({ world, name: 'a', nics: [{ device: virtioOn(lan), address: '10.0.0.1/24' }] });
    const b = createHost({ world, name: 'b', nics: [{ device: virtioOn(lan), address: '10.0.0.2/24' }] });
    build();
    void tcpEcho(b, 7);
    const connection = await a.connect({ host: '10.0.0.2', port: 7 });
    installConntrack(a.net);
    const writer = connection.writable.getWriter();
    await writer.write(new Uint8Array(1000));
    await idle(world);
    expect(conntrackShow(a.net)).toMatchObject([{ state: 'ESTABLISHED' }]);
    await writer.close();
    for await (const _ of connection.readable) { /* to its end */ }
    await a.close();
    await b.close();
    assertNothingOpen(world);
  });
});

/** A packet from outside that nobody there sent: TCP SYN or UDP, from anywhere to any port of `to`, or to anywhere inside (null). */
function randomPacket(dev: NetDevice, udp: boolean, n: number, to: string | null): void {
  const len = udp ? 8 : 20;
  const skb = netdevAllocSkbIpAlign(dev, 14 + 20 + len);
  if (skb === null) return;
  const at = skbPut(skb, 14 + 20 + len);
  const { view } = skb;
  skb.buf.set(dev.devAddr, at);
  skb.buf.set([2, 0, 0, 0, 0, 0xee, 8, 0], at + 6);
  const [iph, th] = [at + 14, at + 34];
  const hash = Math.imul(n + 1, 0x9e3779b1);
  const [saddr, daddr] = [(0xc6330000 | 0) + (hash >>> 16), to === null ? inAton('10.0.0.0') + 16 + (hash & 0x7f) : inAton(to)];
  view.setInt32(iph, 0x45000000 | (20 + len));
  view.setInt32(iph + 4, 0);
  view.setInt32(iph + 8, (64 << 24) | ((udp ? 17 : 6) << 16));
  view.setInt32(iph + 12, saddr);
  view.setInt32(iph + 16, daddr);
  view.setUint16(iph + 10, csumFold(csumPartial(skb.buf, view, iph, 20, 0)));
  skb.buf.fill(0, th, th + len);
  view.setUint16(th, 1024 + (n % 60_000));
  view.setUint16(th + 2, 1 + (hash >>> 20));
  if (udp) view.setUint16(th + 4, 8);
  else {
    view.setInt32(th + 4, hash);
    view.setInt32(th + 12, 0x50021000);
  }
  view.setUint16(th + (udp ? 6 : 16), csumTcpudpMagic(saddr, daddr, len, udp ? 17 : 6, csumPartial(skb.buf, view, th, len, 0)));
  skb.protocol = ethTypeTrans(skb, dev);
  netifRx(skb);
}

/** `count` of them, in one go. */
function burst(net: Net, dev: NetDevice, from: number, count: number, to: string | null): void {
  worldEnter(net.world);
  for (let i = 0; i < count; i++) randomPacket(dev, (from + i) % 2 === 0, from + i, to);
  worldLeave(net.world);
}

describe('floods', () => {
  const MAX = 256;

  const PER_MS = 20;

  /** Virtual milliseconds that 1 MiB takes to the client and back, over 100 Mbit/s and 10 ms, while the router is flooded (to: whom; undefined: it is not). */
  async function transfer(to?: string | null): Promise<number> {
    house = natHouse({ rules: [], sysctl: { 'net.netfilter.nf_conntrack_max': MAX, 'net.netfilter.nf_conntrack_buckets': 64 }, debug: false });
    const { world, router, client, outside } = house;
    const slow = { bandwidth: 100e6, delay: 5 };
    const far = createHost({ world, name: 'far', nics: [{ device: plainOn(outside, { impairments: slow, back: slow }), address: '192.0.2.3/24', gateway: WAN }] });
    house.more.push(far);
    const dev = devGetByName(router.net, 'eth1')!;
    let done = false;
    let worst = 0;
    const flood = async (whom: string | null): Promise<void> => {
      for (let n = 0; !done; n += PER_MS) {
        burst(router.net, dev, n, PER_MS, whom);
        worst = Math.max(worst, router.net.ct.count);
        await sleep(world, 1);
      }
    };
    void tcpEcho(client, 7);
    const connection = await far.connect({ host: CLIENT, port: 7 });
    const flooding = to === undefined ? Promise.resolve() : flood(to);
    await sleep(world, 50);
    const before = world.now;
    expect(await talk(connection, 1 << 20)).toBe(1 << 20);
    const took = (world.now - before) / 1e6;
    done = true;
    await flooding;
    expect(worst).toBeLessThanOrEqual(MAX);
    if (to !== undefined) expect(worst).toBeGreaterThan(0.9 * MAX); // it was full
    floodStat = conntrackStat(router.net);
    await house.close();
    house = natHouse();
    return took;
  }

  let floodStat: Record<string, number> = {};

  async function talk({ readable, writable }: Connection, length: number): Promise<number> {
    const writer = writable.getWriter();
    const sent = writer.write(new Uint8Array(length)).then(() => writer.close());
    let got = 0;
    for await (const part of readable) got += part.length;
    await sent;
    return got;
  }

  test('SYNs and UDP of random tuples to one host, 20,000 a second: the table keeps its bound, an honest connection at least half its rate', async () => {
    const [alone, flooded] = [await transfer(), await transfer(CLIENT)];
    expect(flooded, `alone ${alone} ms`).toBeLessThan(2 * alone);
    expect(floodStat['early_drop']).toBeGreaterThan(1000);
  });

  test('the same to hosts that are not there, so that packets wait for ARP: it holds too', async () => {
    const [alone, flooded] = [await transfer(), await transfer(null)];
    expect(flooded, `alone ${alone} ms`).toBeLessThan(2 * alone);
    expect(floodStat['drop']).toBeGreaterThan(1000);
  });

  test('a table full of assured connections: a new one is refused and counted, those that stand go on', async () => {
    const { client, server, router } = build({ sysctl: { 'net.netfilter.nf_conntrack_max': 4, 'net.netfilter.nf_conntrack_buckets': 1 } });
    void tcpEcho(server, 7);
    const open = [];
    for (let i = 0; i < 4; i++) open.push(await client.connect({ host: SERVER, port: 7 }));
    const fd = udpOpen(client);
    udpSend(client, fd, SERVER, 9, 'no room');
    await idle(house.world);
    expect(conntrackShow(router.net)).toHaveLength(4);
    expect(conntrackStat(router.net)).toMatchObject({ entries: 4, drop: 1, early_drop: 0 });
    for (const connection of open) {
      const writer = connection.writable.getWriter();
      await writer.write(new Uint8Array([1, 2, 3]));
      const reader = connection.readable.getReader();
      expect((await reader.read()).value).toHaveLength(3);
      await reader.cancel();
    }
  });

  test('a table full of connections that nobody answered: a new one takes the place of one of them', async () => {
    const { client, server, router } = build({ sysctl: { 'net.netfilter.nf_conntrack_max': 4, 'net.netfilter.nf_conntrack_buckets': 1 } });
    await idle(house.world);
    for (let port = 1; port <= 8; port++) udpSend(client, udpOpen(client), SERVER, port, 'x');
    await idle(house.world);
    expect(conntrackStat(router.net)).toMatchObject({ entries: 4, drop: 0, early_drop: 4 });
    expect(server.show.counters()['UdpNoPorts']).toBe(8);
  });
});

test('on a host of its own: both ends of loopback are one connection', async () => {
  build();
  const lone = createHost({ world: house.world, name: 'lone' });
  house.more.push(lone);
  installConntrack(lone.net);
  void udpEcho(lone, 7);
  const fd = udpOpen(lone, 4000);
  udpSend(lone, fd, '127.0.0.1', 7, 'me');
  expect(await udpTake(lone, fd)).toMatchObject({ from: '127.0.0.1', port: 7 });
  expect(conntrackShow(lone.net)).toMatchObject([{ protocol: 'udp', orig: { sport: 4000 }, unreplied: false }]);
});
