import { afterEach, beforeEach, expect, test } from 'vitest';
import { EADDRINUSE, EINVAL, ENOENT, sysctlWrite } from '@stack/kernel';
import { InetSock } from '@stack/inet-sock';
import { consumeSkb } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { AF_INET, SOCK_DGRAM, SOCK_RAW, SOL_IP } from '@stack/socket';
import { inetAddRawOps } from './protocol.ts';
import { ipGetsockopt, ipSetsockopt } from './ip-sockglue.ts';
import { IP_ROUTER_ALERT } from './ip-uapi.ts';
import { IP_MF, ipHdrTotLen } from './ip-header.ts';
import { bytesOf, finish, ipFrame, makeCard, makePair, receive, wireOf } from './test-host.ts';
import type { Pair } from './test-host.ts';
import { noProto } from './test-sock.ts';

const ALERT = Uint8Array.of(0x94, 4, 0, 0);

let pair: Pair;
let got: { protocol: number; len: number }[];
let socks: InetSock[];

/** b routes between 10.0.0.0/24 and 10.1.0.0/24, and has raw sockets that only note what they get. */
beforeEach(() => {
  pair = makePair();
  makeCard(pair.b, '10.1.0.254/24');
  sysctlWrite(pair.b, 'net.ipv4.ip_forward', 1);
  got = [];
  socks = [];
  inetAddRawOps(pair.b, {
    localDeliver: () => false,
    icmpError: () => undefined,
    rcv: (sk: InetSock, skb: SkBuff) => {
      expect(ipHdrTotLen(skb)).toBe(bytesOf(skb).length);
      got.push({ protocol: sk.inetNum, len: skb.len });
      consumeSkb(skb);
    },
  });
});
afterEach(async () => {
  for (const sk of socks) ipSetsockopt(sk, SOL_IP, IP_ROUTER_ALERT, 0);
  await finish(pair.world);
});

function sock(protocol: number, type = SOCK_RAW): InetSock {
  const sk = new InetSock(pair.b, AF_INET, noProto);
  sk.skType = type;
  sk.inetNum = protocol;
  socks.push(sk);
  return sk;
}

function pass(options: Uint8Array, fragOff = 0): void {
  const payload = new Uint8Array(16);
  receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.1.0.1', protocol: 46, options, payload, fragOff, id: 7 }));
}

const forwarded = (): number => wireOf(pair.b.netdev.devList[2]).sent.length;

test('RFC 2113: a packet with router alert that passes through goes to every raw socket of its protocol that asked, and no further', () => {
  expect(ipSetsockopt(sock(46), SOL_IP, IP_ROUTER_ALERT, 1)).toBe(0);
  expect(ipSetsockopt(sock(46), SOL_IP, IP_ROUTER_ALERT, 1)).toBe(0);
  expect(ipSetsockopt(sock(47), SOL_IP, IP_ROUTER_ALERT, 1)).toBe(0);
  pass(ALERT);
  expect(got).toEqual([{ protocol: 46, len: 40 }, { protocol: 46, len: 40 }]);
  expect(forwarded()).toBe(0);
  pass(new Uint8Array(4).fill(1));
  expect(got).toHaveLength(2);
  expect(forwarded()).toBe(1);
});

test('fragments go to them as the datagram that they make', () => {
  ipSetsockopt(sock(46), SOL_IP, IP_ROUTER_ALERT, 1);
  pass(ALERT, IP_MF);
  expect(got).toEqual([]);
  pass(ALERT, 2);
  expect(got).toEqual([{ protocol: 46, len: 56 }]);
});

test('without a socket that asked for its protocol the packet is forwarded', () => {
  ipSetsockopt(sock(47), SOL_IP, IP_ROUTER_ALERT, 1);
  pass(ALERT);
  expect(got).toEqual([]);
  expect(forwarded()).toBe(1);
});

test('ip(7): IP_ROUTER_ALERT is for raw sockets with a protocol, once each, and can be read and taken back', () => {
  expect(ipSetsockopt(sock(46, SOCK_DGRAM), SOL_IP, IP_ROUTER_ALERT, 1)).toBe(-EINVAL);
  expect(ipSetsockopt(sock(255), SOL_IP, IP_ROUTER_ALERT, 1)).toBe(-EINVAL);
  const sk = sock(46);
  expect(ipSetsockopt(sk, SOL_IP, IP_ROUTER_ALERT, 0)).toBe(-ENOENT);
  expect(ipSetsockopt(sk, SOL_IP, IP_ROUTER_ALERT, 1)).toBe(0);
  expect(ipSetsockopt(sk, SOL_IP, IP_ROUTER_ALERT, 1)).toBe(-EADDRINUSE);
  expect(ipGetsockopt(sk, SOL_IP, IP_ROUTER_ALERT)).toBe(1);
  expect(ipSetsockopt(sk, SOL_IP, IP_ROUTER_ALERT, 0)).toBe(0);
  expect(ipGetsockopt(sk, SOL_IP, IP_ROUTER_ALERT)).toBe(0);
});
