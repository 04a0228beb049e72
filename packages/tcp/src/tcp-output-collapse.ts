/*
 * Joining neighbours of a queue: an sk_buff that is to be sent takes from the next what may leave with it; small segments that are sent
 * again go as one, and what was SACKed becomes few large sk_buffs, so that a peer cannot make the scoreboard long.
 *
 * Order of calls: tcpWriteXmit → tcpGrowSkb; __tcpRetransmitSkb → tcpRetransTryCollapse; tcpSacktagWalk → tcpShiftSkbData → tcpSkbShift,
 * tcpShiftedSkb.
 * Read first: RFC 9293 §3.8.1 (repacketization).
 * Deviation: where Linux shifts the front of an unsent sk_buff, tcpGrowSkb cuts it off first: the same counts and boundaries.
 */
import { __skbUnlink, skbCloned, skbShift, skbTryCoalesce } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skWmemFreeSkb } from '@stack/socket';
import { tcpAdjustPcount, tcpFragment } from './tcp-output-frag.ts';
import { tcpHighestSackReplace, tcpRtxQueueUnlinkAndFree, tcpSkbIsLast, tcpWndEnd } from './tcp-rtx-queue.ts';
import {
  TCPCB_EVER_RETRANS, TCPCB_SACKED_ACKED, TCPCB_TAGBITS, TCPHDR_SYN, after, tcbEndSeq, tcbEor, tcbSacked, tcbSetEndSeq,
  tcbSetEor, tcbSetSacked, tcbSetTcpFlags, tcbTcpFlags, tcpSkbMss, tcpSkbMssSet, tcpSkbPcount, tcpSkbPcountSet,
} from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpSkbCollapseTstamp } from './tcp-tx-timestamp.ts';

/** The payload of `from` goes to the end of `to`, and what it is accounted for. @returns false with nothing changed */
export function tcpSkbShift(to: SkBuff, from: SkBuff): boolean {
  if (to.shinfo.uarg !== null || from.shinfo.uarg !== null || skbCloned(to)) return false;
  const { len } = from;
  const { truesize } = to;
  if (len === 0) return true;
  if (from.dataLen === len) {
    if (skbShift(to, from, len) !== len) return false;
  } else if (skbTryCoalesce(to, from) < 0) {
    return false;
  }
  to.truesize = truesize + len;
  from.truesize -= len;
  return true;
}

/** Sequence numbers and flags of what was joined; `from`, now without data, goes. */
function tcpSkbJoined(sk: TcpSock, to: SkBuff, from: SkBuff): void {
  tcbSetEndSeq(to, tcbEndSeq(from));
  tcbSetTcpFlags(to, tcbTcpFlags(to) | tcbTcpFlags(from));
  tcbSetSacked(to, tcbSacked(to) | (tcbSacked(from) & TCPCB_EVER_RETRANS));
  tcbSetEor(to, tcbEor(from));
  tcpSkbCollapseTstamp(to, from);
  if (sk.retransmitSkbHint === from) sk.retransmitSkbHint = to;
  tcpRtxQueueUnlinkAndFree(sk, from);
}

// --- What is sent for the first time ---------------------------------------------------------------------------

/** skb, at the head of the write queue, takes up to `amount` bytes from the next sk_buff, unless the user has set an end (MSG_EOR) between. */
export function tcpGrowSkb(sk: TcpSock, skb: SkBuff, amount: number, mssNow: number): void {
  const { next } = skb;
  if (next === null || next.len === 0 || tcpSkbIsLast(sk, skb) || tcbEor(skb)) return;
  if (skbCloned(skb) || skb.shinfo.uarg !== null || next.shinfo.uarg !== null) return;
  if (next.len > amount && tcpFragment(sk, sk.skWriteQueue, next, amount, mssNow) !== 0) return;
  if (!tcpSkbShift(skb, next)) return;
  tcbSetEndSeq(skb, tcbEndSeq(next));
  tcbSetTcpFlags(skb, tcbTcpFlags(skb) | tcbTcpFlags(next));
  tcbSetEor(skb, tcbEor(next));
  tcpSkbCollapseTstamp(skb, next);
  __skbUnlink(next, sk.skWriteQueue);
  skWmemFreeSkb(sk, next);
}

// --- What is sent again ---------------------------------------------------------------------------------------

/** One segment, not SACKed, and no device has it any more. */
function tcpCanCollapse(skb: SkBuff): boolean {
  return tcpSkbPcount(skb) <= 1 && (tcbSacked(skb) & TCPCB_SACKED_ACKED) === 0 && !skbCloned(skb);
}

/** What follows `to` joins it, while all of it fits into `space` bytes (net.ipv4.tcp_retrans_collapse). */
export function tcpRetransTryCollapse(sk: TcpSock, to: SkBuff, space: number): void {
  if (sk.skNet.tcp.sysctlTcpRetransCollapse === 0 || (tcbTcpFlags(to) & TCPHDR_SYN) !== 0 || !tcpCanCollapse(to)) return;
  let left = space - to.len;
  for (let skb = to.next; skb !== null && tcpCanCollapse(skb) && !tcbEor(to); skb = to.next) {
    left -= skb.len;
    if (left < 0 || after(tcbEndSeq(skb), tcpWndEnd(sk))) return;
    if (!tcpSkbShift(to, skb)) return;
    tcpHighestSackReplace(sk, skb, to);
    tcpAdjustPcount(sk, skb, tcpSkbPcount(skb));
    tcpSkbJoined(sk, to, skb);
  }
}

// --- What was SACKed ------------------------------------------------------------------------------------------

/** skb is SACKed, whole, and neither lost nor in flight. */
export function tcpIsPlainSacked(skb: SkBuff): boolean {
  return (tcbSacked(skb) & TCPCB_TAGBITS) === TCPCB_SACKED_ACKED;
}

/**
 * The payload of skb is in prev already, SACKed: now its segments and sequence numbers are too.
 * @param mss a segment's length @param whole it was no part of a larger one: then prev has been retransmitted if skb had been
 */
export function tcpShiftedSkb(sk: TcpSock, prev: SkBuff, skb: SkBuff, mss: number, whole: boolean): void {
  tcpSkbPcountSet(prev, tcpSkbPcount(prev) + tcpSkbPcount(skb));
  if (tcpSkbMss(prev) === 0) tcpSkbMssSet(prev, mss);
  if (sk.highestSack === skb) sk.highestSack = skb.next;
  if (!whole) tcbSetSacked(skb, tcbSacked(skb) & ~TCPCB_EVER_RETRANS);
  tcpSkbJoined(sk, prev, skb);
}
