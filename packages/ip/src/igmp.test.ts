import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, sleep, sysctlWrite } from '@stack/kernel';
import { InetSock, inAton, inNtoa } from '@stack/inet-sock';
import { devClose, devOpen } from '@stack/netdev';
import { AF_INET, SOCK_DGRAM, SOL_IP } from '@stack/socket';
import { consumeSkb } from '@stack/skbuff';
import { MCAST_EXCLUDE, MCAST_INCLUDE, McFilter, mcMerge } from './igmp-group.ts';
import { ipMcDropSocket, ipMcSfAllow } from './ip-mc-sock.ts';
import { ipSetsockopt } from './ip-sockglue.ts';
import * as uapi from './ip-uapi.ts';
import { IpMreqSource, IpMreqn, IpMsfilter } from './ip-uapi.ts';
import { inetAddProtocol } from './protocol.ts';
import { checksum, finish, inside, ipFrame, makePair, receive, wireOf } from './test-host.ts';
import type { Pair } from './test-host.ts';
import { noProto } from './test-sock.ts';

const G = inAton('239.1.2.3');
const A = inAton('10.0.0.2');
const B = inAton('10.0.0.3');
const ME = inAton('10.0.0.1');

let pair: Pair;
let socks: InetSock[];

beforeEach(() => {
  pair = makePair();
  socks = [];
});
afterEach(async () => {
  inside(pair.a, () => socks.forEach(ipMcDropSocket));
  await finish(pair.world);
});

function sock(): InetSock {
  const sk = new InetSock(pair.a, AF_INET, noProto);
  sk.skType = SOCK_DGRAM;
  socks.push(sk);
  return sk;
}

const set = (sk: InetSock, name: number, value: object): number => inside(pair.a, () => ipSetsockopt(sk, SOL_IP, name, value));
const join = (sk: InetSock, group = G): number => set(sk, uapi.IP_ADD_MEMBERSHIP, new IpMreqn(group, ME));
const leave = (sk: InetSock, group = G): number => set(sk, uapi.IP_DROP_MEMBERSHIP, new IpMreqn(group, ME));
const source = (sk: InetSock, name: number, addr: number): number => set(sk, name, new IpMreqSource(G, ME, addr));

const RECORD = ['', 'IS_IN', 'IS_EX', 'TO_IN', 'TO_EX', 'ALLOW', 'BLOCK'];

/** An IGMP message as text, its IP header checked: `v3 TO_EX 239.1.2.3 {}`. */
function shown(frame: Uint8Array): string {
  const view = new DataView(frame.buffer, frame.byteOffset);
  expect([frame[14], frame[15], frame[22], ...frame.subarray(34, 38)]).toEqual([0x46, 0xc0, 1, 0x94, 4, 0, 0]);
  expect([checksum(frame.subarray(14, 38)), checksum(frame.subarray(38))]).toEqual([0, 0]);
  const to = inNtoa(view.getInt32(30));
  if (frame[38] !== 0x22) return `${frame[38].toString(16)} ${inNtoa(view.getInt32(42))} -> ${to}`;
  expect(to).toBe('224.0.0.22');
  const records: string[] = [];
  for (let i = 0, p = 46; i < view.getUint16(44); i++) {
    const sources = Array.from({ length: view.getUint16(p + 2) }, (_, s) => inNtoa(view.getInt32(p + 8 + 4 * s)));
    records.push(`${RECORD[frame[p]]} ${inNtoa(view.getInt32(p + 4))} {${sources.join(' ')}}`);
    p += 8 + 4 * sources.length;
  }
  return `v3 ${records.join(', ')}`;
}

/** What the host has said by IGMP since the last call. */
function said(): string[] {
  const { sent } = wireOf(pair.ethA);
  return sent.splice(0).filter((f) => f[12] === 8 && f[13] === 0 && f[23] === 2).map(shown);
}

/** An IGMP message from the router 10.0.0.254. */
function hear(to: string, ...bytes: number[]): void {
  const payload = Uint8Array.from(bytes);
  const sum = checksum(payload);
  payload[2] = sum >> 8;
  payload[3] = sum;
  const group = inAton(to);
  const mac = Uint8Array.of(1, 0, 0x5e, (group >>> 16) & 0x7f, group >>> 8, group);
  receive(pair.ethA, ipFrame(pair.ethA, { saddr: '10.0.0.254', daddr: to, protocol: 2, ttl: 1, payload, options: Uint8Array.of(0x94, 4, 0, 0) }, mac));
}

const octets = (addr: number): number[] => [addr >>> 24, (addr >>> 16) & 255, (addr >>> 8) & 255, addr & 255];
/** A query of v3; code is tenths of a second. */
function query(group: number, sources: readonly number[] = [], code = 10, qrv = 2, qqic = 125): void {
  hear(group === 0 ? '224.0.0.1' : inNtoa(group), 0x11, code, 0, 0, ...octets(group), qrv, qqic, 0, sources.length, ...sources.flatMap(octets));
}

describe('RFC 3376 §3.2: what sockets want becomes what the device listens to', () => {
  const ex = (...sources: number[]): McFilter => new McFilter(MCAST_EXCLUDE, sources);
  const inc = (...sources: number[]): McFilter => new McFilter(MCAST_INCLUDE, sources);
  const cases: readonly (readonly [string, McFilter[], McFilter])[] = [
    ['nobody', [], inc()],
    ['inclusions are joined', [inc(1, 2), inc(3, 2)], inc(1, 2, 3)],
    ['exclusions are cut', [ex(1, 2, 3), ex(2, 3, 4)], ex(2, 3)],
    ['what one includes is not excluded', [ex(1, 2, 3), ex(2, 3, 4), inc(3, 9)], ex(2)],
    ['one who wants all decides', [inc(1), ex()], ex()],
  ];
  test.each(cases)('%s', (_name, members, whole) => {
    expect(mcMerge(members)).toEqual(whole);
  });
});

describe('RFC 3376 §5.1: changes are reported at once, and again within a second', () => {
  test('a group joined, and left', async () => {
    const sk = sock();
    expect(join(sk)).toBe(0);
    await sleep(pair.world, 5);
    expect(said()).toEqual(['v3 TO_EX 239.1.2.3 {}']);
    await sleep(pair.world, 1005);
    expect(said()).toEqual(['v3 TO_EX 239.1.2.3 {}']);
    await sleep(pair.world, 60_000);
    expect(said()).toEqual([]);
    expect(leave(sk)).toBe(0);
    await sleep(pair.world, 2000);
    expect(said()).toEqual(['v3 TO_IN 239.1.2.3 {}', 'v3 TO_IN 239.1.2.3 {}']);
    expect(pair.ethA.ipPtr?.igmp.tomb).toBeNull();
  });

  test('a second socket in the same group changes nothing, and neither does the first that leaves', async () => {
    const [one, two] = [sock(), sock()];
    join(one);
    join(two);
    await sleep(pair.world, 2000);
    expect(said()).toHaveLength(2);
    leave(one);
    await sleep(pair.world, 2000);
    expect(said()).toEqual([]);
  });

  test('a group left and joined again before that was told: what is true now is told', async () => {
    const sk = sock();
    join(sk);
    await sleep(pair.world, 2000);
    said();
    leave(sk);
    join(sk);
    await sleep(pair.world, 2000);
    expect(said()).toEqual(['v3 TO_EX 239.1.2.3 {}', 'v3 TO_EX 239.1.2.3 {}']);
  });

  test('sources that are included: ALLOW, BLOCK; the last one gone is a leave', async () => {
    const sk = sock();
    source(sk, uapi.IP_ADD_SOURCE_MEMBERSHIP, A);
    await sleep(pair.world, 2000);
    expect(said()).toEqual(['v3 ALLOW 239.1.2.3 {10.0.0.2}', 'v3 ALLOW 239.1.2.3 {10.0.0.2}']);
    source(sk, uapi.IP_ADD_SOURCE_MEMBERSHIP, B);
    source(sk, uapi.IP_DROP_SOURCE_MEMBERSHIP, A);
    await sleep(pair.world, 5);
    expect(said()).toEqual(['v3 ALLOW 239.1.2.3 {10.0.0.3}, BLOCK 239.1.2.3 {10.0.0.2}']);
    await sleep(pair.world, 2000);
    said();
    source(sk, uapi.IP_DROP_SOURCE_MEMBERSHIP, B);
    await sleep(pair.world, 2000);
    expect(said()).toEqual(['v3 BLOCK 239.1.2.3 {10.0.0.3}', 'v3 BLOCK 239.1.2.3 {10.0.0.3}']);
  });

  test('sources that are excluded: BLOCK, ALLOW; from all to some: TO_IN', async () => {
    const sk = sock();
    join(sk);
    await sleep(pair.world, 2000);
    said();
    source(sk, uapi.IP_BLOCK_SOURCE, A);
    await sleep(pair.world, 2000);
    expect(said()).toEqual(['v3 BLOCK 239.1.2.3 {10.0.0.2}', 'v3 BLOCK 239.1.2.3 {10.0.0.2}']);
    source(sk, uapi.IP_UNBLOCK_SOURCE, A);
    await sleep(pair.world, 2000);
    expect(said()[0]).toBe('v3 ALLOW 239.1.2.3 {10.0.0.2}');
    set(sk, uapi.IP_MSFILTER, new IpMsfilter(G, ME, MCAST_INCLUDE, [A, B]));
    await sleep(pair.world, 2000);
    expect(said()).toEqual(['v3 TO_IN 239.1.2.3 {10.0.0.2 10.0.0.3}', 'v3 TO_IN 239.1.2.3 {10.0.0.2 10.0.0.3}']);
  });

  test('igmp_qrv says how often; groups of a device that comes up are told again', async () => {
    sysctlWrite(pair.a, 'net.ipv4.igmp_qrv', 4);
    const sk = sock();
    join(sk);
    await sleep(pair.world, 5000);
    expect(said()).toHaveLength(4);
    inside(pair.a, () => devClose(pair.ethA));
    inside(pair.a, () => devOpen(pair.ethA));
    await sleep(pair.world, 5000);
    expect(said()).toEqual(Array.from({ length: 4 }, () => 'v3 TO_EX 239.1.2.3 {}'));
  });

  test('224.0.0.1 is never reported, the rest of 224.0.0.0/24 only with igmp_link_local_mcast_reports', async () => {
    const sk = sock();
    sysctlWrite(pair.a, 'net.ipv4.igmp_link_local_mcast_reports', 0);
    join(sk, inAton('224.0.0.251'));
    await sleep(pair.world, 2000);
    query(0);
    await sleep(pair.world, 2000);
    expect(said()).toEqual([]);
    sysctlWrite(pair.a, 'net.ipv4.igmp_link_local_mcast_reports', 1);
    query(0);
    await sleep(pair.world, 2000);
    expect(said()).toEqual(['v3 IS_EX 224.0.0.251 {}']);
  });
});

describe('RFC 3376 §5.2: queries are answered within the time that they give', () => {
  let sk: InetSock;
  beforeEach(async () => {
    sk = sock();
    join(sk);
    await sleep(pair.world, 2000);
    said();
  });

  test('a general query: the state of every group', async () => {
    join(sock(), inAton('239.9.9.9'));
    await sleep(pair.world, 2000);
    said();
    query(0, [], 100);
    await sleep(pair.world, 10_005);
    expect(said()).toEqual(['v3 IS_EX 239.9.9.9 {}, IS_EX 239.1.2.3 {}']);
  });

  test('a query for a group: that one; for another: nothing', async () => {
    query(G);
    query(inAton('239.9.9.9'));
    await sleep(pair.world, 1005);
    expect(said()).toEqual(['v3 IS_EX 239.1.2.3 {}']);
  });

  test('a query for sources of a group: those that are heard', async () => {
    source(sk, uapi.IP_BLOCK_SOURCE, A);
    await sleep(pair.world, 2000);
    said();
    query(G, [A, B]);
    await sleep(pair.world, 1005);
    expect(said()).toEqual(['v3 IS_IN 239.1.2.3 {10.0.0.3}']);
    query(G, [A]);
    await sleep(pair.world, 1005);
    expect(said()).toEqual([]);
  });

  test('queries for sources that come together are answered together, one for the group for all', async () => {
    query(G, [A], 20);
    query(G, [B], 20);
    await sleep(pair.world, 2005);
    expect(said()).toEqual(['v3 IS_IN 239.1.2.3 {10.0.0.2 10.0.0.3}']);
    query(G, [A], 20);
    query(G, [], 20);
    await sleep(pair.world, 2005);
    expect(said()).toEqual(['v3 IS_EX 239.1.2.3 {}']);
  });

  test('§4.1.6: the querier says how often changes are told', async () => {
    query(0, [], 10, 3);
    await sleep(pair.world, 2000);
    said();
    leave(sk);
    await sleep(pair.world, 5000);
    expect(said()).toHaveLength(3);
  });

  test('queries that are broken are dropped', async () => {
    hear('224.0.0.1', 0x11, 10, 0, 0, 0, 0, 0, 0, 2, 125);
    hear('224.0.0.1', 0x11, 10, 0, 0, 0, 0, 0, 0, 2, 125, 0, 1, 10, 0, 0, 2);
    hear('239.1.2.3', 0x11, 10, 0, 0, ...octets(G), 2, 125, 0, 9);
    await sleep(pair.world, 2000);
    expect(said()).toEqual([]);
  });
});

describe('RFC 3376 §7.2: a querier of an older version is answered in its own', () => {
  const v2query = (group = 0, code = 10): void => hear(group === 0 ? '224.0.0.1' : inNtoa(group), 0x11, code, 0, 0, ...octets(group));

  test('v2: reports to the group, a leave to all routers', async () => {
    v2query();
    const sk = sock();
    join(sk);
    await sleep(pair.world, 5);
    expect(said()).toEqual(['16 239.1.2.3 -> 239.1.2.3']);
    await sleep(pair.world, 10_005);
    expect(said()).toEqual(['16 239.1.2.3 -> 239.1.2.3']);
    v2query(G);
    await sleep(pair.world, 1005);
    expect(said()).toEqual(['16 239.1.2.3 -> 239.1.2.3']);
    leave(sk);
    await sleep(pair.world, 2000);
    expect(said()).toEqual(['17 239.1.2.3 -> 224.0.0.2']);
  });

  test('RFC 2236 §3: what another host has reported is not said again, and the leave is not ours', async () => {
    v2query();
    const sk = sock();
    join(sk);
    await sleep(pair.world, 20_000);
    said();
    v2query(0, 100);
    hear('239.1.2.3', 0x16, 0, 0, 0, ...octets(G));
    await sleep(pair.world, 11_000);
    leave(sk);
    await sleep(pair.world, 2000);
    expect(said()).toEqual([]);
  });

  test('v1: reports of version 1, and no leave', async () => {
    v2query(0, 0);
    const sk = sock();
    join(sk);
    await sleep(pair.world, 5);
    expect(said()).toEqual(['12 239.1.2.3 -> 239.1.2.3']);
    await sleep(pair.world, 20_000);
    said();
    query(0);
    await sleep(pair.world, 10_005);
    expect(said()).toEqual(['12 239.1.2.3 -> 239.1.2.3']);
    leave(sk);
    await sleep(pair.world, 2000);
    expect(said()).toEqual([]);
  });

  test('§8.12: when it has been silent for long enough, version 3 is spoken again', async () => {
    v2query();
    await sleep(pair.world, (2 * 125 + 10) * 1000 + 100);
    join(sock());
    await sleep(pair.world, 5);
    expect(said()).toEqual(['v3 TO_EX 239.1.2.3 {}']);
  });

  test('force_igmp_version', async () => {
    sysctlWrite(pair.a, 'net.ipv4.conf.eth0.force_igmp_version', 2);
    join(sock());
    await sleep(pair.world, 5);
    expect(said()).toEqual(['16 239.1.2.3 -> 239.1.2.3']);
    sysctlWrite(pair.a, 'net.ipv4.conf.all.force_igmp_version', 3);
    v2query();
    await sleep(pair.world, 1005);
    expect(said()).toEqual(['v3 IS_EX 239.1.2.3 {}']);
  });
});

test('more groups than fit one packet are reported in several', async () => {
  sysctlWrite(pair.a, 'net.ipv4.igmp_max_memberships', 300);
  const sk = sock();
  for (let i = 0; i < 200; i++) join(sk, (inAton('239.2.0.0') + i) | 0);
  await sleep(pair.world, 5000);
  said();
  query(0);
  await sleep(pair.world, 1005);
  const reports = said();
  expect(reports).toHaveLength(2);
  expect(reports.join().match(/IS_EX/g)).toHaveLength(200);
});

test('the device hears only sources that some socket wants; each socket those that it wants', () => {
  const got: string[] = [];
  inetAddProtocol(pair.a, { handler: (skb) => { got.push(inNtoa(skb.view.getInt32(skb.networkHeader + 12))); consumeSkb(skb); return 0; }, errHandler: null, flags: 0 }, 253);
  const [one, two] = [sock(), sock()];
  source(one, uapi.IP_ADD_SOURCE_MEMBERSHIP, A);
  const from = (saddr: string): void => receive(pair.ethA, ipFrame(pair.ethA, { saddr, daddr: '239.1.2.3' }, Uint8Array.of(1, 0, 0x5e, 1, 2, 3)));
  from('10.0.0.2');
  from('10.0.0.3');
  expect(got).toEqual(['10.0.0.2']);
  join(two);
  source(two, uapi.IP_BLOCK_SOURCE, A);
  from('10.0.0.2');
  from('10.0.0.3');
  expect(got).toEqual(['10.0.0.2', '10.0.0.2', '10.0.0.3']);
  const index = pair.ethA.ifindex;
  expect([one, two].map((sk) => [A, B].map((saddr) => ipMcSfAllow(sk, G, saddr, index)))).toEqual([[true, false], [false, true]]);
});

test('ip(7): what IP_ADD_SOURCE_MEMBERSHIP and its like refuse', () => {
  const sk = sock();
  expect(source(sk, uapi.IP_BLOCK_SOURCE, A)).toBe(-EINVAL);
  expect(source(sk, uapi.IP_DROP_SOURCE_MEMBERSHIP, A)).toBe(-EINVAL);
  expect(set(sk, uapi.IP_ADD_SOURCE_MEMBERSHIP, new IpMreqSource(A, ME, B))).toBe(-EINVAL);
  expect(source(sk, uapi.IP_ADD_SOURCE_MEMBERSHIP, A)).toBe(0);
  expect(source(sk, uapi.IP_ADD_SOURCE_MEMBERSHIP, A)).toBe(-EADDRNOTAVAIL);
  expect(source(sk, uapi.IP_DROP_SOURCE_MEMBERSHIP, B)).toBe(-EADDRNOTAVAIL);
  expect(source(sk, uapi.IP_BLOCK_SOURCE, B)).toBe(-EINVAL);
  expect(join(sk)).toBe(-EADDRINUSE);
  sysctlWrite(pair.a, 'net.ipv4.igmp_max_msf', 1);
  expect(source(sk, uapi.IP_ADD_SOURCE_MEMBERSHIP, B)).toBe(-ENOBUFS);
  expect(set(sk, uapi.IP_MSFILTER, new IpMsfilter(G, ME, MCAST_EXCLUDE, [A, B]))).toBe(-ENOBUFS);
  expect(set(sk, uapi.IP_MSFILTER, new IpMsfilter(G, ME, MCAST_INCLUDE, []))).toBe(0);
  expect(leave(sk)).toBe(-EADDRNOTAVAIL);
});
