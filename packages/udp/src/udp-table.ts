/*
 * The tables of UDP (net/ipv4/udp.c): udpLibGetPort binds a sock to a port and hashes it, udpLibUnhash takes it out,
 * udpLibRehash follows a change of its addresses (connect, disconnect). Ports are chosen at random (RFC 6056 §3.3.1).
 */
import { inetIsLocalReservedPort, inetSkGetLocalPortRange, jhash3words } from '@stack/inet-sock';
import { randomBelow } from '@stack/kernel';
import { SK_NO_REUSE, sockHold, sockPut } from '@stack/socket';
import { udpSk } from './udp-sock.ts';
import type { UdpSock, UdpTable } from './udp-sock.ts';
import type { Sock } from '@stack/socket';

/** Are two local addresses in each other's way? The wildcard 0 is, with all. */
export function inetRcvSaddrEqual(a: number, b: number): boolean {
  return a === b || a === 0 || b === 0;
}

/** Do two socks stand in each other's way on one port? Never if both may reuse it. */
function udpConflict(sk: UdpSock, other: UdpSock): boolean {
  if (other === sk) return false;
  if (sk.skReuse !== SK_NO_REUSE && other.skReuse !== SK_NO_REUSE) return false;
  if (sk.skBoundDevIf !== 0 && other.skBoundDevIf !== 0 && sk.skBoundDevIf !== other.skBoundDevIf) return false;
  if (!inetRcvSaddrEqual(sk.inetRcvSaddr, other.inetRcvSaddr)) return false;
  return !(sk.skReuseport && other.skReuseport);
}

/** Is `port` taken, for this sock? */
function udpLibLportInuse(table: UdpTable, sk: UdpSock, port: number): boolean {
  for (let at = udpPortChain(table, port); at !== null; at = at.skNext as UdpSock | null) {
    if (at.inetNum === port && udpConflict(sk, at)) return true;
  }
  return false;
}

/** The chain of the socks on `port` (among others). */
export function udpPortChain(table: UdpTable, port: number): UdpSock | null {
  return table.hash[port & (table.hash.length - 1)] ?? null;
}

/** Proto.getPort: binds to `snum`, or to a free port if that is 0, and hashes the sock. 0, or 1 if there is none. */
export function udpLibGetPort(sock: Sock, snum: number): number {
  const sk = udpSk(sock);
  const { table } = sk.skNet.udp;
  const port = snum === 0 ? udpChoosePort(table, sk) : snum;
  if (port === 0 || (snum !== 0 && udpLibLportInuse(table, sk, snum))) return 1;
  sk.inetNum = port;
  if (sk.udpPortSlot < 0) udpPortInsert(table, sk);
  return 0;
}

/** A random free port of the range, or 0. */
function udpChoosePort(table: UdpTable, sk: UdpSock): number {
  const range = inetSkGetLocalPortRange(sk);
  const low = range & 0xffff;
  const count = (range >>> 16) - low + 1;
  const first = randomBelow(sk.skNet.world.random, count);
  for (let i = 0; i < count; i++) {
    const port = low + ((first + i) % count);
    if (!inetIsLocalReservedPort(sk.skNet, port) && !udpLibLportInuse(table, sk, port)) return port;
  }
  return 0;
}

function udpPortInsert(table: UdpTable, sk: UdpSock): void {
  if (++table.count > table.hash.length) udpPortGrow(table);
  udpPortLink(table, sk);
  sockHold(sk);
}

function udpPortLink(table: UdpTable, sk: UdpSock): void {
  const slot = sk.inetNum & (table.hash.length - 1);
  const head = table.hash[slot] ?? null;
  sk.udpPortSlot = slot;
  sk.skPrev = null;
  sk.skNext = head;
  if (head !== null) head.skPrev = sk;
  table.hash[slot] = sk;
}

function udpPortGrow(table: UdpTable): void {
  const old = table.hash;
  if (old.length >= 65536) return;
  table.hash = new Array<UdpSock | null>(old.length * 2).fill(null);
  for (const head of old) {
    for (let sk = head; sk !== null; ) {
      const next = sk.skNext as UdpSock | null;
      udpPortLink(table, sk);
      sk = next;
    }
  }
}

/** Proto.unhash: out of both tables. */
export function udpLibUnhash(sock: Sock): void {
  const sk = udpSk(sock);
  const { table } = sk.skNet.udp;
  udpHash4Remove(table, sk);
  if (sk.udpPortSlot < 0) return;
  const next = sk.skNext as UdpSock | null;
  if (sk.skPrev === null) table.hash[sk.udpPortSlot] = next;
  else sk.skPrev.skNext = next;
  if (next !== null) next.skPrev = sk.skPrev;
  sk.skNext = null;
  sk.skPrev = null;
  sk.udpPortSlot = -1;
  sk.inetNum = 0;
  table.count--;
  sockPut(sk);
}

/** Hash of a four-tuple: local address and port, foreign address and port. */
export function udpEhashfn(table: UdpTable, laddr: number, lport: number, faddr: number, fport: number): number {
  return jhash3words(laddr, faddr, (lport << 16) | fport, table.secret);
}

/** The sock was connected or disconnected, or its address changed: in or out of the four-tuple table. */
export function udpLibRehash(sock: Sock): void {
  const sk = udpSk(sock);
  const { table } = sk.skNet.udp;
  udpHash4Remove(table, sk);
  if (sk.udpPortSlot < 0 || sk.inetDport === 0 || sk.inetDaddr === 0 || sk.inetRcvSaddr === 0) return;
  if (++table.count4 > table.hash4.length) udpHash4Grow(table);
  sk.skHash = udpEhashfn(table, sk.inetRcvSaddr, sk.inetNum, sk.inetDaddr, sk.inetDport);
  udpHash4Link(table, sk);
}

function udpHash4Link(table: UdpTable, sk: UdpSock): void {
  const slot = sk.skHash & (table.hash4.length - 1);
  const head = table.hash4[slot] ?? null;
  sk.udpHash4Slot = slot;
  sk.udpHash4Prev = null;
  sk.udpHash4Next = head;
  if (head !== null) head.udpHash4Prev = sk;
  table.hash4[slot] = sk;
}

function udpHash4Remove(table: UdpTable, sk: UdpSock): void {
  if (sk.udpHash4Slot < 0) return;
  const { udpHash4Next: next, udpHash4Prev: prev } = sk;
  if (prev === null) table.hash4[sk.udpHash4Slot] = next;
  else prev.udpHash4Next = next;
  if (next !== null) next.udpHash4Prev = prev;
  sk.udpHash4Next = null;
  sk.udpHash4Prev = null;
  sk.udpHash4Slot = -1;
  table.count4--;
}

function udpHash4Grow(table: UdpTable): void {
  const old = table.hash4;
  table.hash4 = new Array<UdpSock | null>(old.length * 2).fill(null);
  for (const head of old) {
    for (let sk = head; sk !== null; ) {
      const next: UdpSock | null = sk.udpHash4Next;
      udpHash4Link(table, sk);
      sk = next;
    }
  }
}
