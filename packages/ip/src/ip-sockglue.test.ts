import { afterEach, beforeEach, expect, test } from 'vitest';
import { EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENODEV, ENOPROTOOPT, ENOTCONN } from '@stack/kernel';
import { IP_PMTUDISC_DO, InetSock, inAton } from '@stack/inet-sock';
import { consumeSkb } from '@stack/skbuff';
import { AF_INET, SOCK_DGRAM, SOCK_STREAM, SOL_IP, SOL_TCP } from '@stack/socket';
import { ipMcDropSocket, ipMcSfAllow } from './ip-mc-sock.ts';
import { ipGetsockopt, ipSetsockopt } from './ip-sockglue.ts';
import * as uapi from './ip-uapi.ts';
import { inetAddProtocol } from './protocol.ts';
import { finish, ipFrame, makePair, receive } from './test-host.ts';
import type { Pair } from './test-host.ts';
import { noProto } from './test-sock.ts';

let pair: Pair;
let sk: InetSock;

beforeEach(() => {
  pair = makePair();
  sk = new InetSock(pair.a, AF_INET, noProto);
  sk.skType = SOCK_DGRAM;
});
afterEach(() => finish(pair.world));

const set = (name: number, value: number | object): number => ipSetsockopt(sk, SOL_IP, name, value);
const get = (name: number): number | object => ipGetsockopt(sk, SOL_IP, name);

test('numbers and flags are read as they were written (ip(7))', () => {
  const cases: readonly (readonly [number, number])[] = [
    [uapi.IP_TOS, 0x10], [uapi.IP_TTL, 5], [uapi.IP_MINTTL, 3], [uapi.IP_MTU_DISCOVER, IP_PMTUDISC_DO], [uapi.IP_MULTICAST_TTL, 4],
    [uapi.IP_MULTICAST_LOOP, 0], [uapi.IP_MULTICAST_ALL, 0], [uapi.IP_RECVERR, 1], [uapi.IP_FREEBIND, 1], [uapi.IP_TRANSPARENT, 1],
    [uapi.IP_PKTINFO, 1], [uapi.IP_RECVTTL, 1], [uapi.IP_RECVTOS, 1], [uapi.IP_RECVOPTS, 1], [uapi.IP_RETOPTS, 1], [uapi.IP_BIND_ADDRESS_NO_PORT, 1],
  ];
  for (const [name, value] of cases) {
    expect([name, set(name, value)]).toEqual([name, 0]);
    expect([name, get(name)]).toEqual([name, value]);
  }
  expect(sk.skPriority).toBe(6);
  expect(set(uapi.IP_TTL, -1)).toBe(0);
  expect(get(uapi.IP_TTL)).toBe(64);
});

test('what is out of range, unknown, or not for this socket is refused', () => {
  expect(set(uapi.IP_TTL, 0)).toBe(-EINVAL);
  expect(set(uapi.IP_TTL, 256)).toBe(-EINVAL);
  expect(set(uapi.IP_TOS, 256)).toBe(-EINVAL);
  expect(set(uapi.IP_MTU_DISCOVER, 6)).toBe(-EINVAL);
  expect(set(uapi.IP_TOS, { a: 1 })).toBe(-EINVAL);
  expect(set(uapi.IP_HDRINCL, 1)).toBe(-ENOPROTOOPT);
  expect(set(999, 1)).toBe(-ENOPROTOOPT);
  expect(get(999)).toBe(-ENOPROTOOPT);
  expect(ipSetsockopt(sk, SOL_TCP, 1, 1)).toBe(-ENOPROTOOPT);
  expect(get(uapi.IP_MTU)).toBe(-ENOTCONN);
});

test('a stream keeps its ECN bits when the TOS is set (RFC 3168 §6.1)', () => {
  sk.skType = SOCK_STREAM;
  sk.tos = 2;
  expect(set(uapi.IP_TOS, 0x13)).toBe(0);
  expect(get(uapi.IP_TOS)).toBe(0x12);
});

test('IP_OPTIONS: checked, padded, given back; a source route is refused', () => {
  expect(set(uapi.IP_OPTIONS, Uint8Array.of(7, 7, 4, 0, 0, 0, 0))).toBe(0);
  expect(get(uapi.IP_OPTIONS)).toEqual(Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0));
  expect(set(uapi.IP_OPTIONS, Uint8Array.of(7, 9, 4, 0))).toBe(-EINVAL);
  expect(set(uapi.IP_OPTIONS, Uint8Array.of(0x83, 7, 4, 10, 0, 0, 1))).toBe(-EINVAL);
  expect(set(uapi.IP_OPTIONS, new Uint8Array(0))).toBe(0);
  expect(get(uapi.IP_OPTIONS)).toEqual(new Uint8Array(0));
});

test('groups: joined once per device, heard then, left, and all left with the socket', () => {
  const group = inAton('224.1.2.3');
  const mreq = new uapi.IpMreqn(group, 0, pair.ethA.ifindex);
  let heard = 0;
  inetAddProtocol(pair.a, { handler: (skb) => { heard++; consumeSkb(skb); return 0; }, errHandler: null, flags: 0 }, 253);
  const hear = (): number => {
    heard = 0;
    receive(pair.ethA, ipFrame(pair.ethA, { saddr: '10.0.0.2', daddr: '224.1.2.3' }, Uint8Array.of(1, 0, 0x5e, 1, 2, 3)));
    return heard;
  };
  expect(hear()).toBe(0);
  expect(set(uapi.IP_ADD_MEMBERSHIP, mreq)).toBe(0);
  expect(set(uapi.IP_ADD_MEMBERSHIP, mreq)).toBe(-EADDRINUSE);
  expect(hear()).toBe(1);
  expect(ipMcSfAllow(sk, group, 1, pair.ethA.ifindex)).toBe(true);
  set(uapi.IP_MULTICAST_ALL, 0);
  expect(ipMcSfAllow(sk, group, 1, 99)).toBe(false);
  expect(set(uapi.IP_DROP_MEMBERSHIP, mreq)).toBe(0);
  expect(set(uapi.IP_DROP_MEMBERSHIP, mreq)).toBe(-EADDRNOTAVAIL);
  expect(hear()).toBe(0);
  expect(set(uapi.IP_ADD_MEMBERSHIP, new uapi.IpMreqn(group, inAton('10.0.0.1')))).toBe(0);
  expect(hear()).toBe(1);
  ipMcDropSocket(sk);
  expect(hear()).toBe(0);
  expect(set(uapi.IP_ADD_MEMBERSHIP, new uapi.IpMreqn(inAton('10.0.0.9'), 0, pair.ethA.ifindex))).toBe(-EINVAL);
  expect(set(uapi.IP_ADD_MEMBERSHIP, new uapi.IpMreqn(group, 0, 99))).toBe(-ENODEV);
  expect(set(uapi.IP_ADD_MEMBERSHIP, 5)).toBe(-EINVAL);
});

test('IP_MULTICAST_IF: by index or by address', () => {
  expect(set(uapi.IP_MULTICAST_IF, new uapi.IpMreqn(0, inAton('10.0.0.1')))).toBe(0);
  expect([sk.mcIndex, sk.mcAddr]).toEqual([pair.ethA.ifindex, inAton('10.0.0.1')]);
  expect(get(uapi.IP_MULTICAST_IF)).toEqual({ value: inAton('10.0.0.1') });
  expect(set(uapi.IP_MULTICAST_IF, new uapi.IpMreqn(0, inAton('9.9.9.9')))).toBe(-EADDRNOTAVAIL);
  expect(set(uapi.IP_MULTICAST_IF, new uapi.IpMreqn(0, 0, 99))).toBe(-ENODEV);
  expect(set(uapi.IP_MULTICAST_IF, new uapi.IpMreqn(0))).toBe(0);
  expect(sk.mcIndex).toBe(0);
});
