import { beforeEach, describe, expect, test } from 'vitest';
import {
  SKB_DROP_REASON_IP_CSUM, SKB_DROP_REASON_IP_INHDR, SKB_DROP_REASON_IP_INVALID_SOURCE, SKB_DROP_REASON_IP_NOPROTO,
  SKB_DROP_REASON_IP_RPFILTER, SKB_DROP_REASON_OTHERHOST, SKB_DROP_REASON_PKT_TOO_SMALL, SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST, sleep,
  snmpSnapshot,
} from '@stack/kernel';
import { NFPROTO_IPV4, NF_ACCEPT, NF_INET_PRE_ROUTING, nfRegisterNetHook } from '@stack/netfilter';
import { consumeSkb } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { EINVAL, EEXIST, ENOENT } from '@stack/kernel';
import { ipRouteAdd } from './ip-route.ts';
import { inetAddProtocol, inetAddRawOps, inetDelProtocol, inetDelRawOps } from './protocol.ts';
import type { InetProtocol, RawOps } from './protocol.ts';
import { bytesOf, finish, fixChecksum, icmpOf, ipFrame, makePair, receive, tracer, wireOf } from './test-host.ts';
import type { Pair } from './test-host.ts';

let pair: Pair;
let got: { bytes: number[]; network: number; transport: number; mac: number; data: number }[];

/** Protocol 253 (RFC 3692) keeps what it gets. */
const probe: InetProtocol = {
  handler: (skb: SkBuff) => {
    got.push({
      bytes: [...bytesOf(skb)], network: skb.networkHeader - skb.head, transport: skb.transportHeader - skb.head, mac: skb.macHeader - skb.head,
      data: skb.data - skb.head,
    });
    consumeSkb(skb);
    return 0;
  },
  errHandler: null,
  flags: 0,
};

beforeEach(() => {
  pair = makePair();
  got = [];
  expect(inetAddProtocol(pair.b, probe, 253)).toBe(0);
});

const PAYLOAD = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const frame = (change: Partial<Parameters<typeof ipFrame>[1]> = {}): Uint8Array =>
  ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', payload: PAYLOAD, ...change });
const drops = (reason: number): number => pair.b.dropReasons[reason];
const counter = (name: string): number => snmpSnapshot(pair.b)[name];

test('a packet for us goes from ip_rcv to its transport, its headers where the chapter has them', async () => {
  const trace = tracer(pair.b);
  receive(pair.ethB, frame());
  trace.stop();
  expect(trace.hits.slice(trace.hits.indexOf('ip_rcv'))).toEqual([
    'ip_rcv', 'NF_INET_PRE_ROUTING', 'ip_rcv_finish', 'ip_route_input', 'dst_input', 'ip_local_deliver', 'NF_INET_LOCAL_IN',
    'ip_local_deliver_finish',
  ]);
  expect(got.length).toBe(1);
  expect(got[0].bytes).toEqual([...PAYLOAD]);
  expect([got[0].network - got[0].mac, got[0].data - got[0].network, got[0].transport - got[0].data]).toEqual([14, 20, 0]);
  expect([counter('IpInReceives'), counter('IpInDelivers'), counter('IpExtInOctets'), counter('IpExtInNoECTPkts')]).toEqual([1, 1, 28, 1]);
  await finish(pair.world);
});

describe('RFC 1122 §3.2.1: what is not right is dropped, counted and not answered', () => {
  const cases: readonly (readonly [string, () => Uint8Array, number, string])[] = [
    ['§3.2.1.1: another version than 4', () => { const f = frame(); f[14] = 0x65; fixChecksum(f); return f; }, SKB_DROP_REASON_IP_INHDR, 'IpInHdrErrors'],
    ['RFC 791 §3.1: a header shorter than 20 octets', () => { const f = frame(); f[14] = 0x44; fixChecksum(f); return f; }, SKB_DROP_REASON_IP_INHDR, 'IpInHdrErrors'],
    ['§3.2.1.2: a wrong checksum', () => { const f = frame(); f[24] ^= 1; return f; }, SKB_DROP_REASON_IP_CSUM, 'IpExtInCsumErrors'],
    ['a frame shorter than a header', () => frame().slice(0, 30), SKB_DROP_REASON_PKT_TOO_SMALL, 'IpInHdrErrors'],
    ['a total length beyond the frame', () => frame().slice(0, -1), SKB_DROP_REASON_PKT_TOO_SMALL, 'IpExtInTruncatedPkts'],
    ['a total length short of the header', () => { const f = frame(); f[17] = 19; fixChecksum(f); return f; }, SKB_DROP_REASON_IP_INHDR, 'IpInHdrErrors'],
    ['a frame for another station', () => { const f = frame(); f[5] ^= 0x55; return f; }, SKB_DROP_REASON_OTHERHOST, ''],
  ];
  test.each(cases)('%s', async (_name, make, reason, name) => {
    receive(pair.ethB, make());
    await sleep(pair.world, 1);
    expect(got).toEqual([]);
    expect(drops(reason)).toBe(1);
    if (name !== '') expect(counter(name)).toBe(1);
    expect(wireOf(pair.ethB).sent).toEqual([]);
    await finish(pair.world);
  });

  test.each([
    ['a source that is a broadcast', '255.255.255.255', '10.0.0.2'], ['a source that is a group', '224.0.0.9', '10.0.0.2'],
    ['a source of 0.0.0.0/8', '0.1.2.3', '10.0.0.2'], ['a source of 127.0.0.0/8', '127.0.0.1', '10.0.0.2'],
    ['a destination of 127.0.0.0/8', '10.0.0.1', '127.0.0.1'], ['a destination of 0.0.0.0/8', '10.0.0.1', '0.0.0.5'],
    ['our own address as source', '10.0.0.2', '10.0.0.2'], ['a group that nobody here listens to', '10.0.0.1', '224.1.2.3'],
  ])('§3.2.1.3: %s', async (_name, saddr, daddr) => {
    receive(pair.ethB, frame({ saddr, daddr }));
    await sleep(pair.world, 1);
    expect(got).toEqual([]);
    expect(drops(SKB_DROP_REASON_IP_INVALID_SOURCE)).toBe(1);
    expect(wireOf(pair.ethB).sent).toEqual([]);
    await finish(pair.world);
  });
});

test('RFC 1122 §3.3.6: a broadcast and 224.0.0.1 are for us, and counted', async () => {
  for (const daddr of ['255.255.255.255', '10.0.0.255', '224.0.0.1']) receive(pair.ethB, frame({ daddr }));
  expect(got.length).toBe(3);
  expect([counter('IpExtInBcastPkts'), counter('IpExtInMcastPkts')]).toEqual([2, 1]);
  await finish(pair.world);
});

test('drop_unicast_in_l2_multicast: a unicast packet in a broadcast frame is suspect', async () => {
  const all = Uint8Array.of(255, 255, 255, 255, 255, 255);
  receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', payload: PAYLOAD }, all));
  expect(got.length).toBe(1);
  pair.b.ipv4.devconfAll.dropUnicastInL2Multicast = 1;
  receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', payload: PAYLOAD }, all));
  expect(got.length).toBe(1);
  expect(drops(SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST)).toBe(1);
  await finish(pair.world);
});

test('padding of the link is cut off', async () => {
  const padded = new Uint8Array(60);
  padded.set(frame());
  receive(pair.ethB, padded);
  expect(got[0].bytes).toEqual([...PAYLOAD]);
  await finish(pair.world);
});

test('ECN fields are counted by value (RFC 3168 §5)', async () => {
  for (const tos of [0, 1, 2, 3, 3]) receive(pair.ethB, frame({ tos }));
  const names = ['NoECT', 'ECT1', 'ECT0', 'CE'].map((name) => counter(`IpExtIn${name}Pkts`));
  expect(names).toEqual([1, 1, 1, 2]);
  await finish(pair.world);
});

test('RFC 1122 §3.2.2.1: a protocol that nobody has is answered with protocol unreachable', async () => {
  receive(pair.ethB, frame({ protocol: 200 }));
  await sleep(pair.world, 1);
  expect(drops(SKB_DROP_REASON_IP_NOPROTO)).toBe(1);
  expect(counter('IpInUnknownProtos')).toBe(1);
  expect(wireOf(pair.ethB).sent.map(icmpOf)).toContainEqual({ type: 3, code: 2, info: 0 });
  await finish(pair.world);
});

test('a raw socket is asked before the transport, and keeps an unknown protocol from being refused', async () => {
  const seen: number[] = [];
  const raw: RawOps = {
    localDeliver: (skb, protocol) => {
      seen.push(protocol, skb.data - skb.networkHeader);
      return protocol === 200;
    },
    icmpError: () => undefined,
    rcv: () => undefined,
  };
  expect(inetAddRawOps(pair.b, raw)).toBe(0);
  expect(inetAddRawOps(pair.b, { ...raw })).toBe(-EEXIST);
  receive(pair.ethB, frame());
  receive(pair.ethB, frame({ protocol: 200 }));
  await sleep(pair.world, 1);
  expect(seen).toEqual([253, 20, 200, 20]);
  expect(got.length).toBe(1);
  expect(wireOf(pair.ethB).sent).toEqual([]);
  expect(inetDelRawOps(pair.b, raw)).toBe(0);
  expect(inetDelRawOps(pair.b, raw)).toBe(-ENOENT);
  await finish(pair.world);
});

test('a protocol number is taken once, and given back only by its owner', async () => {
  expect(inetAddProtocol(pair.b, { ...probe }, 253)).toBe(-EEXIST);
  expect(inetAddProtocol(pair.b, probe, 256)).toBe(-EINVAL);
  expect(inetDelProtocol(pair.b, { ...probe }, 253)).toBe(-ENOENT);
  expect(inetDelProtocol(pair.b, probe, 253)).toBe(0);
  await finish(pair.world);
});

test('a handler may hand the packet on to another protocol', async () => {
  const outer: InetProtocol = { handler: () => -253, errHandler: null, flags: 0 };
  inetAddProtocol(pair.b, outer, 252);
  receive(pair.ethB, frame({ protocol: 252 }));
  expect(got[0].bytes).toEqual([...PAYLOAD]);
  await finish(pair.world);
});

test('RFC 3704: rp_filter drops what would not be answered the way it came', async () => {
  pair.b.ipv4.devconfAll.rpFilter = 1;
  receive(pair.ethB, frame({ saddr: '172.16.0.1' }));
  expect(drops(SKB_DROP_REASON_IP_RPFILTER)).toBe(1);
  expect(ipRouteAdd(pair.b, { dst: '172.16.0.0/12', gateway: '10.0.0.1' })).toBe(0);
  receive(pair.ethB, frame({ saddr: '172.16.0.1' }));
  expect(got.length).toBe(1);
  await finish(pair.world);
});

test('the route of the next packet of a flow comes from the cache', async () => {
  for (let i = 0; i < 3; i++) receive(pair.ethB, frame());
  const { rtCache } = pair.b.ipv4;
  expect([rtCache.inSlowTot, rtCache.inHit]).toEqual([1, 2]);
  await finish(pair.world);
});

test('a mark or a TOS that differs is another flow', async () => {
  const { rtCache } = pair.b.ipv4;
  receive(pair.ethB, frame());
  receive(pair.ethB, frame({ tos: 0x10 }));
  nfRegisterNetHook(pair.b, {
    pf: NFPROTO_IPV4, hooknum: NF_INET_PRE_ROUTING, priority: 0,
    hook: (_priv, skb) => {
      skb.mark = 7;
      return NF_ACCEPT;
    },
  });
  receive(pair.ethB, frame());
  expect([rtCache.inSlowTot, rtCache.inHit]).toEqual([3, 0]);
  await finish(pair.world);
});
