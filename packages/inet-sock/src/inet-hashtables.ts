/*
 * The tables of a connection-oriented engine, family-free part: hashing and unhashing full socks,
 * listeners and requests in ehash and lhash, and bind buckets. What a four-tuple is, af_specific
 * says; the lookups by packet, which know the addresses, are the family's (inet-lookup.ts).
 *
 * Order of calls: inetCskGetPort or inetHashConnect bind a port → inetHash (a listener) or
 * inetEhashNolisten (a connection) → … → inetUnhash → inetPutPort.
 */
import type { Net } from '@stack/kernel';
import { randomU32 } from '@stack/kernel';
import { TCP_CLOSE, TCP_LISTEN } from '@stack/socket';
import type { Sock } from '@stack/socket';
import { InetBindBucket } from './inet-bind-bucket.ts';
import { inetCsk } from './inet-connection-sock.ts';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import { INET_BHASH_SIZE, INET_LHTABLE_SIZE } from './inet-hashinfo.ts';
import type { InetHashinfo } from './inet-hashinfo.ts';
import { SK_IN_EHASH, SK_IN_LHASH, SK_UNHASHED } from './inet-sock.ts';
import type { SockCommon } from './inet-sock.ts';

/** Draws the key of an engine's hash functions; called once when the engine is installed. */
export function inetHashinfoInit(hashinfo: InetHashinfo, net: Net): void {
  hashinfo.hashSecret = randomU32(net.world.random);
}

/** Whether sk is in a table. */
export function skHashed(sk: SockCommon): boolean {
  return sk.hashedIn !== SK_UNHASHED;
}

/** Whether sk is in none. */
export function skUnhashed(sk: SockCommon): boolean {
  return sk.hashedIn === SK_UNHASHED;
}

function chainAdd(chains: (SockCommon | null)[], slot: number, sk: SockCommon): void {
  const first = chains[slot] ?? null;
  sk.nullsNext = first;
  sk.nullsPrev = null;
  if (first !== null) first.nullsPrev = sk;
  chains[slot] = sk;
}

function chainDel(chains: (SockCommon | null)[], slot: number, sk: SockCommon): void {
  if (sk.nullsPrev !== null) sk.nullsPrev.nullsNext = sk.nullsNext;
  else chains[slot] = sk.nullsNext;
  if (sk.nullsNext !== null) sk.nullsNext.nullsPrev = sk.nullsPrev;
  sk.nullsNext = null;
  sk.nullsPrev = null;
}

/** Doubles ehash. */
function ehashGrow(hashinfo: InetHashinfo): void {
  const old = hashinfo.ehash;
  const size = old.length * 2;
  const chains = new Array<SockCommon | null>(size).fill(null);
  for (const first of old) {
    let sk = first;
    while (sk !== null) {
      const next: SockCommon | null = sk.nullsNext;
      chainAdd(chains, sk.skHash & (size - 1), sk);
      sk = next;
    }
  }
  hashinfo.ehash = chains;
  hashinfo.ehashMask = size - 1;
}

/** Puts a member into ehash; its skHash must be set. */
export function inetEhashAdd(hashinfo: InetHashinfo, sk: SockCommon): void {
  if (hashinfo.ehashCount > hashinfo.ehashMask) ehashGrow(hashinfo);
  chainAdd(hashinfo.ehash, sk.skHash & hashinfo.ehashMask, sk);
  sk.hashedIn = SK_IN_EHASH;
  hashinfo.ehashCount++;
}

/** Takes a member out of ehash. Nothing when it is not in. */
export function inetEhashDel(hashinfo: InetHashinfo, sk: SockCommon): void {
  if (sk.hashedIn !== SK_IN_EHASH) return;
  chainDel(hashinfo.ehash, sk.skHash & hashinfo.ehashMask, sk);
  sk.hashedIn = SK_UNHASHED;
  hashinfo.ehashCount--;
}

/**
 * Puts sk into ehash, in the place of osk (a request or a time-wait sock of the same four-tuple) when that is given.
 * False, and nothing done, when osk was given and is no longer there.
 */
export function inetEhashInsert(sk: InetConnectionSock, osk: SockCommon | null): boolean {
  const hashinfo = sk.afSpecific.hashinfo(sk.skNet);
  sk.skHash = sk.afSpecific.ehashfn(sk);
  if (osk !== null) {
    if (skUnhashed(osk)) return false;
    inetEhashDel(hashinfo, osk);
  }
  inetEhashAdd(hashinfo, sk);
  return true;
}

/** inetEhashInsert for a connection; a sock that lost the race is closed. */
export function inetEhashNolisten(sk: InetConnectionSock, osk: SockCommon | null): boolean {
  const ok = inetEhashInsert(sk, osk);
  if (!ok) sk.skState = TCP_CLOSE;
  return ok;
}

/** The listener chain of a port. */
export function inetLhashfn(port: number): number {
  return port & (INET_LHTABLE_SIZE - 1);
}

/** Proto.hash: puts a bound sock into the table of its state. Always 0. */
export function inetHash(sock: Sock): number {
  const sk = inetCsk(sock);
  if (sk.skState === TCP_CLOSE) return 0;
  if (sk.skState !== TCP_LISTEN) {
    inetEhashNolisten(sk, null);
    return 0;
  }
  chainAdd(sk.afSpecific.hashinfo(sk.skNet).lhash, inetLhashfn(sk.inetNum), sk);
  sk.hashedIn = SK_IN_LHASH;
  return 0;
}

/** Proto.unhash: takes sk out of the table it is in. */
export function inetUnhash(sock: Sock): void {
  const sk = inetCsk(sock);
  if (sk.hashedIn === SK_UNHASHED) return;
  const hashinfo = sk.afSpecific.hashinfo(sk.skNet);
  if (sk.hashedIn === SK_IN_EHASH) {
    inetEhashDel(hashinfo, sk);
    return;
  }
  chainDel(hashinfo.lhash, inetLhashfn(sk.inetNum), sk);
  sk.hashedIn = SK_UNHASHED;
}

/** The bhash chain of a port. */
export function inetBhashfn(port: number): number {
  return port & (INET_BHASH_SIZE - 1);
}

/** The bucket of a port, or null. */
export function inetBindBucketFind(hashinfo: InetHashinfo, port: number): InetBindBucket | null {
  let tb = hashinfo.bhash[inetBhashfn(port)] ?? null;
  while (tb !== null && tb.port !== port) tb = tb.next;
  return tb;
}

/** A new bucket for a port that has none. */
export function inetBindBucketCreate(hashinfo: InetHashinfo, port: number): InetBindBucket {
  const tb = new InetBindBucket(port);
  const slot = inetBhashfn(port);
  const first = hashinfo.bhash[slot] ?? null;
  tb.next = first;
  if (first !== null) first.prev = tb;
  hashinfo.bhash[slot] = tb;
  return tb;
}

/** Forgets a bucket that nobody owns any more. */
export function inetBindBucketDestroy(hashinfo: InetHashinfo, tb: InetBindBucket): void {
  if (tb.owners !== null || tb.deathrow !== null) return;
  if (tb.prev !== null) tb.prev.next = tb.next;
  else hashinfo.bhash[inetBhashfn(tb.port)] = tb.next;
  if (tb.next !== null) tb.next.prev = tb.prev;
  tb.next = null;
  tb.prev = null;
}

/** Makes sk an owner of a bucket. */
export function inetBindHash(sk: InetConnectionSock, tb: InetBindBucket, port: number): void {
  sk.inetNum = port;
  sk.bindNext = tb.owners;
  sk.bindPrev = null;
  if (tb.owners !== null) tb.owners.bindPrev = sk;
  tb.owners = sk;
  sk.icskBindHash = tb;
}

/** Proto.putPort: sk gives up its local port. */
export function inetPutPort(sock: Sock): void {
  const sk = inetCsk(sock);
  const tb = sk.icskBindHash;
  if (tb === null) return;
  if (sk.bindPrev !== null) sk.bindPrev.bindNext = sk.bindNext;
  else tb.owners = sk.bindNext;
  if (sk.bindNext !== null) sk.bindNext.bindPrev = sk.bindPrev;
  sk.bindNext = null;
  sk.bindPrev = null;
  sk.icskBindHash = null;
  sk.inetNum = 0;
  inetBindBucketDestroy(sk.afSpecific.hashinfo(sk.skNet), tb);
}

/**
 * A child takes the port of its listener: the same bucket, or the bucket of its own port where that differs
 * (transparent proxies).
 */
export function __inetInheritPort(sk: InetConnectionSock, child: InetConnectionSock): void {
  const hashinfo = child.afSpecific.hashinfo(child.skNet);
  const port = child.inetNum;
  let tb = sk.icskBindHash;
  if (tb === null || tb.port !== port) tb = inetBindBucketFind(hashinfo, port) ?? inetBindBucketCreate(hashinfo, port);
  inetBindHash(child, tb, port);
}
