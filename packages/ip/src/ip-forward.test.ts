import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SKB_DROP_REASON_IP_INADDRERRORS, SKB_DROP_REASON_PKT_TOO_BIG, sleep, snmpSnapshot, sysctlRead, sysctlWrite } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import { consumeSkb, dstRelease } from '@stack/skbuff';
import { inAton, inNtoa } from '@stack/inet-sock';
import { devSetMtu } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { NFPROTO_IPV4, NF_DROP, NF_INET_FORWARD, nfRegisterNetHook } from '@stack/netfilter';
import { ipRouteAdd } from './ip-route.ts';
import { Flowi4, flowi4InitOutput } from './flow.ts';
import { inetAddProtocol } from './protocol.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { IP_DF, ipDecreaseTtl } from './ip-header.ts';
import { bytesOf, cable, checksum, finish, icmpOf, inside, ipFrame, makeCard, makeHost, makePacket, makeWorld, receive, sendIp, tracer, wireOf } from './test-host.ts';

let world: World;
let left: Net;
let router: Net;
let right: Net;
let leftEth: NetDevice;
let r0: NetDevice;
let r1: NetDevice;
let rightEth: NetDevice;
let got: number[][];

/** 10.0.0.1 -- 10.0.0.254 router 10.1.0.254 -- 10.1.0.1 */
beforeEach(() => {
  world = makeWorld();
  left = makeHost(world, 'left');
  router = makeHost(world, 'router');
  right = makeHost(world, 'right');
  leftEth = makeCard(left, '10.0.0.1/24');
  r0 = makeCard(router, '10.0.0.254/24');
  r1 = makeCard(router, '10.1.0.254/24');
  rightEth = makeCard(right, '10.1.0.1/24');
  cable(leftEth, r0);
  cable(r1, rightEth);
  ipRouteAdd(left, { dst: 'default', gateway: '10.0.0.254' });
  ipRouteAdd(right, { dst: 'default', gateway: '10.1.0.254' });
  expect(sysctlWrite(router, 'net.ipv4.ip_forward', 1)).toBe(0);
  got = [];
  inetAddProtocol(right, { handler: (skb) => { got.push([...bytesOf(skb)]); consumeSkb(skb); return 0; }, errHandler: null, flags: 0 }, 253);
});
afterEach(() => finish(world));

test('the chapter\'s path of a packet for others', () => {
  sendIp(left, '10.1.0.1', 253, Uint8Array.of(1, 2, 3));
  const trace = tracer(router);
  sendIp(left, '10.1.0.1', 253, Uint8Array.of(4, 5, 6));
  trace.stop();
  expect(got).toEqual([[1, 2, 3], [4, 5, 6]]);
  expect(trace.hits.slice(trace.hits.indexOf('ip_rcv'))).toEqual([
    'ip_rcv', 'NF_INET_PRE_ROUTING', 'ip_rcv_finish', 'ip_route_input', 'dst_input', 'ip_forward', 'NF_INET_FORWARD', 'ip_forward_finish',
    'dst_output', 'ip_output', 'ip_finish_output', 'NF_INET_POST_ROUTING', 'ip_finish_output2', 'hh_output', 'dev_queue_xmit',
  ]);
  expect(snmpSnapshot(router)['IpForwDatagrams']).toBe(2);
});

test('RFC 1812 §5.3.1: the TTL is one less and the header checksum right', () => {
  sendIp(left, '10.1.0.1', 253, Uint8Array.of(1));
  const frame = wireOf(r1).sent.at(-1) ?? new Uint8Array(0);
  expect(frame[22]).toBe(63);
  expect(checksum(frame.subarray(14, 34))).toBe(0);
});

test('RFC 1624 §3: the checksum is right after the TTL changes, whatever it was', () => {
  const skb = makePacket(left, new Uint8Array(20));
  skb.networkHeader = skb.data;
  const ip = skb.buf.subarray(skb.data, skb.data + 20);
  for (let id = 0; id < 0x10000; id++) {
    ip.set([0x45, 0, 0, 20, id >> 8, id & 255, 0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    const sum = checksum(ip);
    ip.set([sum >> 8, sum & 255], 10);
    ipDecreaseTtl(skb);
    if (ip[8] !== 63 || checksum(ip) !== 0) throw new Error(`wrong for identification ${id}`);
  }
  consumeSkb(skb);
});

test('RFC 1812 §5.3.1: a TTL of 1 ends here, and the sender is told', async () => {
  receive(r0, ipFrame(r0, { saddr: '10.0.0.1', daddr: '10.1.0.1', ttl: 1, payload: new Uint8Array(20) }));
  await sleep(world, 1);
  expect(got).toEqual([]);
  expect(wireOf(r0).sent.map(icmpOf)).toContainEqual({ type: 11, code: 0, info: 0 });
});

test('a host (ip_forward 0) drops what is not for it, counts it, and says nothing', async () => {
  sysctlWrite(router, 'net.ipv4.ip_forward', 0);
  expect(sysctlRead(router, 'net.ipv4.conf.eth0.forwarding')).toBe(0);
  receive(r0, ipFrame(r0, { saddr: '10.0.0.1', daddr: '10.1.0.1' }));
  await sleep(world, 1);
  expect(router.dropReasons[SKB_DROP_REASON_IP_INADDRERRORS]).toBe(1);
  expect(snmpSnapshot(router)['IpInAddrErrors']).toBe(1);
  expect(snmpSnapshot(router)['IpForwarding']).toBe(2);
  expect(wireOf(r0).sent).toEqual([]);
});

describe('RFC 1812 §5.2.7.1: a router says that it knows no way', () => {
  test.each([['no route', null, 0], ['unreachable', 'unreachable', 1], ['prohibit', 'prohibit', 13]])('%s', async (_name, type, code) => {
    if (type !== null) ipRouteAdd(router, { dst: '9.0.0.0/8', type });
    receive(r0, ipFrame(r0, { saddr: '10.0.0.1', daddr: '9.9.9.9' }));
    await sleep(world, 1);
    expect(wireOf(r0).sent.map(icmpOf)).toContainEqual({ type: 3, code, info: 0 });
  });

  test('a blackhole says nothing', async () => {
    ipRouteAdd(router, { dst: '9.0.0.0/8', type: 'blackhole' });
    receive(r0, ipFrame(r0, { saddr: '10.0.0.1', daddr: '9.9.9.9' }));
    await sleep(world, 1);
    expect(wireOf(r0).sent).toEqual([]);
  });
});

test('a next hop that does not answer: host unreachable to the sender', async () => {
  receive(r0, ipFrame(r0, { saddr: '10.0.0.1', daddr: '10.1.0.99' }));
  await sleep(world, 4000);
  expect(wireOf(r0).sent.map(icmpOf)).toContainEqual({ type: 3, code: 1, info: 0 });
});

test('RFC 1191 §4: what may not be cut and does not fit is answered with the MTU; the sender takes it over', async () => {
  inside(router, () => devSetMtu(r1, 1000));
  const errors: number[][] = [];
  inetAddProtocol(left, { handler: () => 0, errHandler: (skb, info) => { errors.push([skb.view.getUint8(skb.data + 9), info]); return 0; }, flags: 0 }, 253);
  sendIp(left, '10.1.0.1', 253, new Uint8Array(1200), IP_DF);
  await sleep(world, 1);
  expect(router.dropReasons[SKB_DROP_REASON_PKT_TOO_BIG]).toBe(1);
  expect(wireOf(r0).sent.map(icmpOf)).toContainEqual({ type: 3, code: 4, info: 1000 });
  expect(errors).toEqual([[253, 1000]]);
  expect(got).toEqual([]);
});

test('RFC 791 §3.2: what may be cut is, and is put together by its receiver', () => {
  inside(router, () => devSetMtu(r1, 1000));
  const payload = Uint8Array.from({ length: 1400 }, (_v, i) => i);
  sendIp(left, '10.1.0.1', 253, payload);
  expect(got).toEqual([[...payload]]);
  expect(wireOf(r1).sent.filter((f) => f[12] === 8 && f[13] === 0).map((f) => f.length - 14)).toEqual([996, 444]);
});

test('FORWARD may drop it', () => {
  nfRegisterNetHook(router, { pf: NFPROTO_IPV4, hooknum: NF_INET_FORWARD, priority: 0, hook: () => NF_DROP });
  sendIp(left, '10.1.0.1', 253, Uint8Array.of(1));
  expect(got).toEqual([]);
});

describe('redirects', () => {
  const gatewayTo = (daddr: string): string => {
    const fl = new Flowi4();
    flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, inAton(daddr), 0, 0, 0);
    const rt = inside(left, () => ipRouteOutputFlow(left, fl, null));
    if (typeof rt === 'number') return String(rt);
    dstRelease(rt);
    return inNtoa(rt.rtGateway);
  };

  test('RFC 1812 §5.2.7.2: a packet that goes back to its link is forwarded, and its sender told of the better gateway', async () => {
    ipRouteAdd(router, { dst: '172.16.0.0/12', gateway: '10.0.0.9' });
    sendIp(left, '172.16.0.1', 253, new Uint8Array(8));
    await sleep(world, 1);
    expect(wireOf(r0).sent.map(icmpOf)).toContainEqual({ type: 5, code: 1, info: inAton('10.0.0.9') });
    expect(snmpSnapshot(left)['IcmpInRedirects']).toBe(1);
  });

  test('RFC 1122 §3.3.1.2: a host believes its own gateway, once the better one is known to be there', async () => {
    inetAddProtocol(left, {
      handler: () => 0, flags: 0,
      errHandler: (skb) => {
        const fl = left.ipv4.flow;
        flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, inAton('172.16.0.1'), 0, 0, 0);
        const rt = ipRouteOutputFlow(left, fl, null);
        if (typeof rt === 'number') return 0;
        rt.ops.redirect(rt, null, skb);
        dstRelease(rt);
        return 0;
      },
    }, 253);
    const redirect = (from: string, to: string): void => {
      const quoted = ipFrame(leftEth, { saddr: '10.0.0.1', daddr: '172.16.0.1', payload: new Uint8Array(8) }).slice(14);
      const icmp = new Uint8Array(8 + quoted.length);
      icmp.set([5, 1, 0, 0]);
      new DataView(icmp.buffer).setInt32(4, inAton(to));
      icmp.set(quoted, 8);
      const sum = checksum(icmp);
      icmp[2] = sum >> 8;
      icmp[3] = sum;
      receive(leftEth, ipFrame(leftEth, { saddr: from, daddr: '10.0.0.1', protocol: 1, payload: icmp }));
    };
    redirect('10.0.0.254', '10.0.0.9');
    expect(gatewayTo('172.16.0.1')).toBe('10.0.0.254');
    // The first made us ask for the new gateway; the answer makes the next one count.
    const arp = new Uint8Array(42);
    arp.set([...leftEth.devAddr, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9, ...leftEth.devAddr, 10, 0, 0, 1]);
    receive(leftEth, arp);
    redirect('10.0.0.77', '10.0.0.9');
    expect(gatewayTo('172.16.0.1')).toBe('10.0.0.254');
    redirect('10.0.0.254', '10.0.0.9');
    expect(gatewayTo('172.16.0.1')).toBe('10.0.0.9');
    expect(gatewayTo('172.16.0.2')).toBe('10.0.0.254');
    await sleep(world, 301_000);
    left.ipv4.rtGenid++;
    expect(gatewayTo('172.16.0.1')).toBe('10.0.0.254');
  });
});

describe('source routes (RFC 791 §3.1)', () => {
  const lsrr = (ptr: number, ...addrs: string[]): Uint8Array => {
    const opt = new Uint8Array((3 + addrs.length * 4 + 3) & ~3);
    opt.set([0x83, 3 + addrs.length * 4, ptr]);
    addrs.forEach((addr, i) => new DataView(opt.buffer).setInt32(3 + i * 4, inAton(addr)));
    return opt;
  };

  test('are refused by default (accept_source_route)', () => {
    receive(r0, ipFrame(r0, { saddr: '10.0.0.1', daddr: '10.0.0.254', options: lsrr(4, '10.1.0.1') }));
    expect(got).toEqual([]);
  });

  test('are followed where the administrator lets them, our address taking the place of the hop', () => {
    router.ipv4.devconfAll.acceptSourceRoute = 1;
    right.ipv4.devconfAll.acceptSourceRoute = 1;
    receive(r0, ipFrame(r0, { saddr: '10.0.0.1', daddr: '10.0.0.254', options: lsrr(4, '10.1.0.1'), payload: Uint8Array.of(7) }));
    expect(got).toEqual([[7]]);
    const frame = wireOf(r1).sent.at(-1) ?? new Uint8Array(0);
    expect([...frame.slice(30, 42)]).toEqual([10, 1, 0, 1, 0x83, 7, 8, 10, 1, 0, 254, 0]);
    expect(checksum(frame.subarray(14, 42))).toBe(0);
  });
});
