/*
 * Lookups in an engine's tables by the addresses of a packet: the IPv4 instance of what
 * inet-hashtables.ts leaves to a family (int32 addresses, host-order ports), and the members of
 * af_specific that go with it.
 *
 * tcp_v4_rcv calls __inetLookup: ehash by the full four-tuple first, then the best listener.
 */
import { TCP_LISTEN } from '@stack/socket';
import type { InetHashinfo } from './inet-hashinfo.ts';
import { inetLhashfn } from './inet-hashtables.ts';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import type { SockCommon } from './inet-sock.ts';

/** Mixes three words under a key (the final mix of Bob Jenkins' lookup3). */
export function jhash3words(a0: number, b0: number, c0: number, key: number): number {
  let a = (a0 + key) | 0;
  let b = (b0 + key) | 0;
  let c = (c0 + key) | 0;
  c = ((c ^ b) - ((b << 14) | (b >>> 18))) | 0;
  a = ((a ^ c) - ((c << 11) | (c >>> 21))) | 0;
  b = ((b ^ a) - ((a << 25) | (a >>> 7))) | 0;
  c = ((c ^ b) - ((b << 16) | (b >>> 16))) | 0;
  a = ((a ^ c) - ((c << 4) | (c >>> 28))) | 0;
  b = ((b ^ a) - ((a << 14) | (a >>> 18))) | 0;
  c = ((c ^ b) - ((b << 24) | (b >>> 8))) | 0;
  return c;
}

/** Hash of a four-tuple: local address and port, foreign address and port. The local port is added, so that a search for one is cheap. */
export function inetEhashfn(hashinfo: InetHashinfo, laddr: number, lport: number, faddr: number, fport: number): number {
  return (jhash3words(laddr, faddr, fport, hashinfo.hashSecret) + lport) | 0;
}

/** Whether a member of ehash is the four-tuple, as seen through interface dif. */
function inetMatch(sk: SockCommon, hash: number, saddr: number, sport: number, daddr: number, hnum: number, dif: number): boolean {
  return sk.skHash === hash && sk.inetDaddr === saddr && sk.inetDport === sport && sk.inetRcvSaddr === daddr &&
    sk.inetNum === hnum && (sk.skBoundDevIf === 0 || sk.skBoundDevIf === dif);
}

/**
 * The member of ehash (full sock, request or time-wait sock) that a packet from saddr:sport to daddr:hnum through
 * interface dif belongs to, or null. No reference is taken.
 */
export function __inetLookupEstablished(
  hashinfo: InetHashinfo, saddr: number, sport: number, daddr: number, hnum: number, dif: number,
): SockCommon | null {
  const hash = inetEhashfn(hashinfo, daddr, hnum, saddr, sport);
  let sk = hashinfo.ehash[hash & hashinfo.ehashMask] ?? null;
  while (sk !== null && !inetMatch(sk, hash, saddr, sport, daddr, hnum, dif)) sk = sk.nullsNext;
  return sk;
}

/** How well a listener fits: -1 not at all; a bound address and a bound device count. */
function computeScore(sk: SockCommon, daddr: number, hnum: number, dif: number): number {
  if (sk.inetNum !== hnum || sk.skState !== TCP_LISTEN) return -1;
  let score = 1;
  if (sk.inetRcvSaddr !== 0) {
    if (sk.inetRcvSaddr !== daddr) return -1;
    score += 2;
  }
  if (sk.skBoundDevIf !== 0) {
    if (sk.skBoundDevIf !== dif) return -1;
    score += 4;
  }
  return score;
}

/** The best listener; among equals that share by SO_REUSEPORT, the one the four-tuple's hash picks. */
export function __inetLookupListener(
  hashinfo: InetHashinfo, saddr: number, sport: number, daddr: number, hnum: number, dif: number,
): InetConnectionSock | null {
  let best: SockCommon | null = null;
  let bestScore = 0;
  let matches = 0;
  let phash = 0;
  for (let sk = hashinfo.lhash[inetLhashfn(hnum)] ?? null; sk !== null; sk = sk.nullsNext) {
    const score = computeScore(sk, daddr, hnum, dif);
    if (score > bestScore) {
      best = sk;
      bestScore = score;
      matches = 1;
      phash = inetEhashfn(hashinfo, daddr, hnum, saddr, sport);
    } else if (score === bestScore && (sk as InetConnectionSock).skReuseport) {
      matches++;
      if (reciprocalScale(phash, matches) === 0) best = sk;
      phash = nextPseudoRandom32(phash);
    }
  }
  return best as InetConnectionSock | null;
}

/** Where packets from saddr:sport to daddr:hnum go: a member of ehash, else the best listener, else null. */
export function __inetLookup(
  hashinfo: InetHashinfo, saddr: number, sport: number, daddr: number, hnum: number, dif: number,
): SockCommon | null {
  return __inetLookupEstablished(hashinfo, saddr, sport, daddr, hnum, dif) ??
    __inetLookupListener(hashinfo, saddr, sport, daddr, hnum, dif);
}

/** Scales a 32-bit hash to [0, range). */
export function reciprocalScale(hash: number, range: number): number {
  return Math.floor(((hash >>> 0) / 0x100000000) * range);
}

/** The next value of a cheap sequence that spreads hashes (Numerical Recipes' constants). */
export function nextPseudoRandom32(seed: number): number {
  return (Math.imul(seed, 1664525) + 1013904223) | 0;
}

/** af_specific.match of IPv4. */
export function inetSkMatch(a: SockCommon, b: SockCommon): boolean {
  return a.inetDaddr === b.inetDaddr && a.inetRcvSaddr === b.inetRcvSaddr && a.inetDport === b.inetDport &&
    a.inetNum === b.inetNum && (a.skBoundDevIf === 0 || b.skBoundDevIf === 0 || a.skBoundDevIf === b.skBoundDevIf);
}

/** af_specific.copyKey of IPv4. */
export function inetCopyKey(from: SockCommon, to: SockCommon): void {
  to.skHash = from.skHash;
  to.skBoundDevIf = from.skBoundDevIf;
  to.inetDaddr = from.inetDaddr;
  to.inetRcvSaddr = from.inetRcvSaddr;
  to.inetDport = from.inetDport;
  to.inetNum = from.inetNum;
}

/** af_specific.rcvSaddrConflict of IPv4. */
export function inetRcvSaddrConflict(a: SockCommon, b: SockCommon): boolean {
  return a.inetRcvSaddr === b.inetRcvSaddr || a.inetRcvSaddr === 0 || b.inetRcvSaddr === 0;
}
