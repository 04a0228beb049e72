import { createNet, createWorld, sysctlWrite } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { inAton } from '@stack/inet-sock';
import { installSkbuff } from '@stack/skbuff';
import { installSocket, SK_CAN_REUSE, skAlloc, skCommonRelease, sockInitData, TCP_ESTABLISHED } from '@stack/socket';
import type { Proto } from '@stack/socket';
import { expect, test } from 'vitest';
import { installUdp } from './install.ts';
import { udp4LibLookup, udpIsMcastSock } from './udp-lookup.ts';
import { udpSk, UdpSock } from './udp-sock.ts';
import { udpLibGetPort, udpLibRehash, udpLibUnhash } from './udp-table.ts';

const A = inAton('10.0.0.1');
const B = inAton('10.0.0.2');
const C = inAton('10.0.0.3');

/** Enough of a protocol for a sock that is never sent to. */
const prot = {
  name: 'UDP',
  objCreate: (net: Net, family: number, p: Proto) => new UdpSock(net, family, p),
  mem: null,
  destroy: null,
  unhash: udpLibUnhash,
} as unknown as Proto;

function makeNet(): Net {
  const world = createWorld({ seed: 7 });
  installSkbuff(world);
  const net = createNet(world);
  installSocket(net);
  installUdp(net);
  return net;
}

function makeSock(net: Net, local: number, port: number): UdpSock {
  const sk = udpSk(skAlloc(net, 2, prot));
  sockInitData(null, sk);
  sk.inetRcvSaddr = local;
  if (port >= 0) expect(udpLibGetPort(sk, port)).toBe(0);
  return sk;
}

function connect(sk: UdpSock, local: number, peer: number, port: number): UdpSock {
  sk.inetRcvSaddr = local;
  sk.inetDaddr = peer;
  sk.inetDport = port;
  sk.skState = TCP_ESTABLISHED;
  udpLibRehash(sk);
  return sk;
}

test('a port of the range is chosen at random, none of the reserved ones, until there is none', () => {
  const net = makeNet();
  sysctlWrite(net, 'net.ipv4.ip_local_port_range', '40000 40009');
  sysctlWrite(net, 'net.ipv4.ip_local_reserved_ports', '40003,40005-40006');
  const ports = Array.from({ length: 7 }, () => makeSock(net, 0, 0).inetNum);
  expect([...ports].sort()).toEqual([40000, 40001, 40002, 40004, 40007, 40008, 40009]);
  expect(ports).not.toEqual([...ports].sort());
  expect(udpLibGetPort(makeSock(net, 0, -1), 0)).toBe(1);
  // By number a reserved one can be had.
  expect(udpLibGetPort(makeSock(net, 0, -1), 40003)).toBe(0);
});

test('who may share a port: other addresses, other devices, SO_REUSEADDR on both, SO_REUSEPORT on both', () => {
  const net = makeNet();
  makeSock(net, A, 7);
  expect(udpLibGetPort(makeSock(net, A, -1), 7)).toBe(1);
  expect(udpLibGetPort(makeSock(net, 0, -1), 7)).toBe(1);
  expect(udpLibGetPort(makeSock(net, B, -1), 7)).toBe(0);
  const first = makeSock(net, 0, -1);
  first.skBoundDevIf = 2;
  expect(udpLibGetPort(first, 8)).toBe(0);
  const second = makeSock(net, 0, -1);
  second.skBoundDevIf = 2;
  expect(udpLibGetPort(second, 8)).toBe(1);
  second.skBoundDevIf = 3;
  expect(udpLibGetPort(second, 8)).toBe(0);
  const third = makeSock(net, 0, -1);
  third.skReuse = SK_CAN_REUSE;
  expect(udpLibGetPort(third, 8)).toBe(1);
  first.skReuse = SK_CAN_REUSE;
  second.skReuseport = true;
  third.skReuseport = true;
  expect(udpLibGetPort(third, 8)).toBe(0);
});

test('the best fit: address, peer and device count; what does not fit is not taken', () => {
  const net = makeNet();
  const { table } = net.udp;
  const any = makeSock(net, 0, 7);
  any.skReuse = SK_CAN_REUSE;
  const bound = makeSock(net, A, -1);
  bound.skReuse = SK_CAN_REUSE;
  udpLibGetPort(bound, 7);
  expect(udp4LibLookup(table, B, 99, A, 7, 1)).toBe(bound);
  expect(udp4LibLookup(table, B, 99, C, 7, 1)).toBe(any);
  expect(udp4LibLookup(table, B, 99, A, 8, 1)).toBeNull();
  bound.skBoundDevIf = 2;
  expect(udp4LibLookup(table, B, 99, A, 7, 1)).toBe(any);
  expect(udp4LibLookup(table, B, 99, A, 7, 2)).toBe(bound);
  any.inetDaddr = C;
  expect(udp4LibLookup(table, B, 99, C, 7, 1)).toBeNull();
});

test('thousands of connected socks on one port are told apart, and leave no trace', () => {
  const net = makeNet();
  const { table } = net.udp;
  const listener = makeSock(net, 0, 7);
  listener.skReuse = SK_CAN_REUSE;
  const socks = Array.from({ length: 2000 }, (_, i) => {
    const sk = makeSock(net, A, -1);
    sk.skReuse = SK_CAN_REUSE;
    expect(udpLibGetPort(sk, 7)).toBe(0);
    return connect(sk, A, B + (i >> 8), 1000 + (i & 0xff));
  });
  expect(table.hash4.length).toBeGreaterThanOrEqual(2000);
  socks.forEach((sk, i) => expect(udp4LibLookup(table, B + (i >> 8), 1000 + (i & 0xff), A, 7, 1)).toBe(sk));
  expect(udp4LibLookup(table, B, 5, A, 7, 1)).toBe(listener);
  for (const sk of socks) skCommonRelease(sk);
  expect([table.count, table.count4, table.hash4.every((head) => head === null)]).toEqual([1, 0, true]);
  expect(udp4LibLookup(table, B, 1000, A, 7, 1)).toBe(listener);
});

test('the port table grows with its socks', () => {
  const net = makeNet();
  const { table } = net.udp;
  const socks = Array.from({ length: 1000 }, (_, i) => makeSock(net, 0, 2000 + i));
  expect(table.hash.length).toBe(1024);
  socks.forEach((sk, i) => expect(udp4LibLookup(table, B, 1, A, 2000 + i, 1)).toBe(sk));
});

test('a sock that is disconnected hears everybody again', () => {
  const net = makeNet();
  const { table } = net.udp;
  const sk = connect(makeSock(net, 0, 7), A, B, 99);
  expect(udp4LibLookup(table, B, 99, A, 7, 1)).toBe(sk);
  expect(udp4LibLookup(table, C, 99, A, 7, 1)).toBeNull();
  sk.inetDaddr = 0;
  sk.inetDport = 0;
  sk.inetRcvSaddr = 0;
  udpLibRehash(sk);
  expect(table.count4).toBe(0);
  expect(udp4LibLookup(table, C, 99, A, 7, 1)).toBe(sk);
});

test('SO_REUSEPORT: a flow always meets the same sock, many flows all of them', () => {
  const net = makeNet();
  const { table } = net.udp;
  const socks = [0, 1, 2, 3].map(() => {
    const sk = makeSock(net, 0, -1);
    sk.skReuseport = true;
    expect(udpLibGetPort(sk, 7)).toBe(0);
    return sk;
  });
  const hits = new Map(socks.map((sk) => [sk, 0]));
  for (let port = 1; port <= 4000; port++) {
    const sk = udp4LibLookup(table, B, port, A, 7, 1)!;
    expect(udp4LibLookup(table, B, port, A, 7, 1)).toBe(sk);
    hits.set(sk, hits.get(sk)! + 1);
  }
  for (const n of hits.values()) expect(Math.abs(n - 1000)).toBeLessThan(150);
});

test('a broadcast is for all on the port but those connected to another, or bound elsewhere', () => {
  const net = makeNet();
  const any = makeSock(net, 0, 7);
  const all = inAton('10.0.0.255');
  expect(udpIsMcastSock(any, B, 99, all, 7, 1)).toBe(true);
  expect(udpIsMcastSock(any, B, 99, all, 8, 1)).toBe(false);
  any.skBoundDevIf = 2;
  expect(udpIsMcastSock(any, B, 99, all, 7, 1)).toBe(false);
  any.skBoundDevIf = 0;
  any.inetRcvSaddr = A;
  expect(udpIsMcastSock(any, B, 99, all, 7, 1)).toBe(false);
  connect(any, 0, B, 99);
  expect(udpIsMcastSock(any, B, 99, all, 7, 1)).toBe(true);
  expect(udpIsMcastSock(any, C, 99, all, 7, 1)).toBe(false);
});
