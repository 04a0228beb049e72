/*
 * Who gets a datagram (udp4_lib_lookup of net/ipv4/udp.c): the sock that is connected to exactly this four-tuple, else
 * the one on the port that fits best. Of several with SO_REUSEPORT that fit equally well one is chosen by the four-tuple,
 * so that a flow stays with its sock.
 */
import { nextPseudoRandom32, reciprocalScale } from '@stack/inet-sock';
import { TCP_ESTABLISHED } from '@stack/socket';
import type { UdpSock, UdpTable } from './udp-sock.ts';
import { inetRcvSaddrEqual, udpEhashfn, udpPortChain } from './udp-table.ts';

/** How well a sock on the port fits; -1: not at all. Each thing that it insists on, and that is so, counts. */
function computeScore(sk: UdpSock, saddr: number, sport: number, daddr: number, hnum: number, dif: number): number {
  if (sk.inetNum !== hnum) return -1;
  let score = 1;
  if (sk.inetRcvSaddr !== 0) {
    if (sk.inetRcvSaddr !== daddr) return -1;
    score += 4;
  }
  if (sk.inetDaddr !== 0) {
    if (sk.inetDaddr !== saddr) return -1;
    score += 4;
  }
  if (sk.inetDport !== 0) {
    if (sk.inetDport !== sport) return -1;
    score += 4;
  }
  if (sk.skBoundDevIf !== 0) {
    if (sk.skBoundDevIf !== dif) return -1;
    score += 4;
  }
  return score;
}

/** The sock connected to this four-tuple, seen on interface `dif`, or null. */
function udpLookupConnected(
  table: UdpTable, saddr: number, sport: number, daddr: number, hnum: number, dif: number,
): UdpSock | null {
  const hash = udpEhashfn(table, daddr, hnum, saddr, sport);
  for (let sk = table.hash4[hash & (table.hash4.length - 1)] ?? null; sk !== null; sk = sk.udpHash4Next) {
    if (
      sk.skHash === hash && sk.inetNum === hnum && sk.inetDport === sport && sk.inetDaddr === saddr && sk.inetRcvSaddr === daddr &&
      (sk.skBoundDevIf === 0 || sk.skBoundDevIf === dif)
    ) return sk;
  }
  return null;
}

/**
 * The sock for a datagram from saddr:sport to daddr:hnum that came in on interface `dif` (0: unknown), or null. No
 * reference is taken.
 */
export function udp4LibLookup(
  table: UdpTable, saddr: number, sport: number, daddr: number, hnum: number, dif: number,
): UdpSock | null {
  if (table.count4 !== 0) {
    const connected = udpLookupConnected(table, saddr, sport, daddr, hnum, dif);
    if (connected !== null) return connected;
  }
  let result: UdpSock | null = null;
  let best = 0;
  let matches = 0;
  let hash = 0;
  for (let sk = udpPortChain(table, hnum); sk !== null; sk = sk.skNext as UdpSock | null) {
    const score = computeScore(sk, saddr, sport, daddr, hnum, dif);
    if (score > best) {
      best = score;
      result = sk;
      matches = 1;
      if (sk.skReuseport) hash = udpEhashfn(table, daddr, hnum, saddr, sport);
    } else if (score === best && score > 0 && sk.skReuseport) {
      matches++;
      // Each of n equals is taken with probability 1/n, the same one for the same flow.
      if (reciprocalScale(hash, matches) === 0) result = sk;
      hash = nextPseudoRandom32(hash);
    }
  }
  return result;
}

/**
 * Whether a sock takes part in a broadcast or multicast datagram (__udp_is_mcast_sock), but for its memberships: all that
 * fit get a copy.
 */
export function udpIsMcastSock(
  sk: UdpSock, saddr: number, sport: number, daddr: number, hnum: number, dif: number,
): boolean {
  if (sk.inetNum !== hnum || !inetRcvSaddrEqual(sk.inetRcvSaddr, daddr)) return false;
  if (sk.skState === TCP_ESTABLISHED && (sk.inetDaddr !== saddr || sk.inetDport !== sport)) return false;
  return sk.skBoundDevIf === 0 || sk.skBoundDevIf === dif;
}
