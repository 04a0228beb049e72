/*
 * RawSock (struct raw_sock, include/net/raw.h) and the table of them (struct raw_hashinfo): chains by protocol number, linked
 * by skNext and skPrev. A raw sock is in it from its creation on; its key, inetNum, is its protocol.
 */
import type { Net } from '@stack/kernel';
import { InetSock } from '@stack/inet-sock';
import { sockHold, sockPut } from '@stack/socket';
import type { Proto, Sock } from '@stack/socket';

/** Chains of the table, a power of two. */
const RAW_HTABLE_SIZE = 256;

/** Option at SOL_RAW: which ICMP messages are not wanted, bit n for type n. raw(7). */
export const ICMP_FILTER = 1;

/** struct icmp_filter: what ICMP_FILTER takes and gives. */
export class IcmpFilter {
  /** Bit n: messages of type n are not wanted. */
  data: number;

  constructor(data: number) {
    this.data = data | 0;
  }
}

/** A raw socket. */
export class RawSock extends InetSock {
  /** Bits of ICMP_FILTER. */
  icmpFilter: number;
  hashed: boolean;

  constructor(net: Net, family: number, prot: Proto) {
    super(net, family, prot);
    this.icmpFilter = 0;
    this.hashed = false;
  }
}

/** A Sock whose protocol is raw, as what it is. */
export function rawSk(sk: Sock): RawSock {
  return sk as RawSock;
}

/** struct raw_hashinfo: the raw socks of one Net. */
export class RawHashinfo {
  ht: (RawSock | null)[];

  constructor() {
    this.ht = new Array<RawSock | null>(RAW_HTABLE_SIZE).fill(null);
  }
}

/** The chain that has the socks of protocol `num`, among others. */
export function rawHashChain(net: Net, num: number): RawSock | null {
  return net.inet.raw.ht[num & (RAW_HTABLE_SIZE - 1)] ?? null;
}

/** Proto.hash. 0. */
export function rawHashSk(sock: Sock): number {
  const sk = rawSk(sock);
  const { ht } = sk.skNet.inet.raw;
  const slot = sk.inetNum & (RAW_HTABLE_SIZE - 1);
  const head = ht[slot] ?? null;
  sk.skPrev = null;
  sk.skNext = head;
  if (head !== null) head.skPrev = sk;
  ht[slot] = sk;
  sk.hashed = true;
  sockHold(sk);
  return 0;
}

/** Proto.unhash. */
export function rawUnhashSk(sock: Sock): void {
  const sk = rawSk(sock);
  if (!sk.hashed) return;
  const next = sk.skNext as RawSock | null;
  if (sk.skPrev === null) sk.skNet.inet.raw.ht[sk.inetNum & (RAW_HTABLE_SIZE - 1)] = next;
  else sk.skPrev.skNext = next;
  if (next !== null) next.skPrev = sk.skPrev;
  sk.skNext = null;
  sk.skPrev = null;
  sk.hashed = false;
  sockPut(sk);
}

/** Does sk want packets of protocol `num` from `raddr` to `laddr` that came by the device `dif`? */
export function rawV4Match(sk: RawSock, num: number, raddr: number, laddr: number, dif: number): boolean {
  if (sk.inetNum !== num) return false;
  if (sk.inetDaddr !== 0 && sk.inetDaddr !== raddr) return false;
  if (sk.inetRcvSaddr !== 0 && sk.inetRcvSaddr !== laddr) return false;
  return sk.skBoundDevIf === 0 || sk.skBoundDevIf === dif;
}
