/*
 * Counting what arrives for a connection (tcp_segs_in).
 *
 * Order of calls: tcpRcvSock, tcpChildProcess → tcpSegsIn. Read first: RFC 4898 (tcpEStatsPerfSegsIn, tcpEStatsPerfDataSegsIn).
 */
import type { SkBuff } from '@stack/skbuff';
import { thHdrLen } from './tcp-hdr.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Counts the segments of skb, data at the header: one that the device has joined counts as what it was. */
export function tcpSegsIn(sk: TcpSock, skb: SkBuff): void {
  const segs = skb.shinfo.gsoSegs > 1 ? skb.shinfo.gsoSegs : 1;
  sk.segsIn = (sk.segsIn + segs) | 0;
  if (skb.len > thHdrLen(skb)) sk.dataSegsIn = (sk.dataSegsIn + segs) | 0;
}
