/*
 * The hash of a connection's flow, by which what lies below spreads packets (skb.hash): an fq over its buckets, a device over its
 * queues. A timeout thinks of another: what was lost may have been lost on one of several paths.
 *
 * Order of calls: tcpConnect, tcpCreateOpenreqChild → skSetTxhash; tcpWriteTimeout → skRethinkTxhash; tcpTransmitSkb reads it.
 * Read first: RFC 6438 §3 (what spreads flows over paths); RFC 2992 (by a hash).
 */
import type { TcpSock } from './tcp-sock.ts';

/** Begins with the initial sequence number: nobody can foretell that either. Never 0, which is none. */
export function skSetTxhash(sk: TcpSock, isn: number): void {
  sk.skTxhash = isn === 0 ? 1 : isn;
}

/** Another hash. @returns false if there was none to change */
export function skRethinkTxhash(sk: TcpSock): boolean {
  let hash = sk.skTxhash;
  if (hash === 0) return false;
  // Marsaglia's xorshift: each value but 0 once.
  hash ^= hash << 13;
  hash ^= hash >>> 17;
  hash ^= hash << 5;
  sk.skTxhash = hash;
  return true;
}
