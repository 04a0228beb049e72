/*
 * The send side's bookkeeping (inline functions of include/net/tcp.h): what is in flight, the queue of what was sent and
 * is not acknowledged (tcpRtxQueue, by sequence), the same in order of sending (tsorted, RFC 8985), and the unsent
 * (skWriteQueue).
 *
 * Deviation: the retransmission queue is a list, not a red-black tree: it is walked from a hint, in order.
 * Order of calls: tcpSkbEntail → tcpRtxQueueAddSent (sent) → tcpRtxQueueUnlinkAndFree (acknowledged).
 */
import { __skbQueueTail, __skbUnlink } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skWmemFreeSkb } from '@stack/socket';
import { TCPCB_EVER_RETRANS, tcbEndSeq, tcbSacked, tcbSeq } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Segments that are SACKed or lost. */
export function tcpLeftOut(sk: TcpSock): number {
  return sk.sackedOut + sk.lostOut;
}

/** "pipe" of RFC 6675 in segments: sent, minus those that have left the network, plus retransmissions. */
export function tcpPacketsInFlight(sk: TcpSock): number {
  return sk.packetsOut - (sk.sackedOut + sk.lostOut) + sk.retransOut;
}

/** Right edge of the peer's window. */
export function tcpWndEnd(sk: TcpSock): number {
  return (sk.sndUna + sk.sndWnd) | 0;
}

/** The peer sends SACK. */
export function tcpIsSack(sk: TcpSock): boolean {
  return sk.rxOpt.sackOk !== 0;
}

/** The peer does not: sackedOut counts duplicate ACKs. */
export function tcpIsReno(sk: TcpSock): boolean {
  return sk.rxOpt.sackOk === 0;
}

/** First segment not yet sent. */
export function tcpSendHead(sk: TcpSock): SkBuff | null {
  return sk.skWriteQueue.next;
}

export function tcpWriteQueueEmpty(sk: TcpSock): boolean {
  return sk.skWriteQueue.next === null;
}

export function tcpWriteQueueTail(sk: TcpSock): SkBuff | null {
  return sk.skWriteQueue.prev;
}

/** skb is the last one not yet sent. */
export function tcpSkbIsLast(sk: TcpSock, skb: SkBuff): boolean {
  return sk.skWriteQueue.prev === skb;
}

export function tcpRtxQueueEmpty(sk: TcpSock): boolean {
  return sk.tcpRtxQueue.next === null;
}

/** Oldest segment that is not acknowledged. */
export function tcpRtxQueueHead(sk: TcpSock): SkBuff | null {
  return sk.tcpRtxQueue.next;
}

export function tcpRtxQueueTail(sk: TcpSock): SkBuff | null {
  return sk.tcpRtxQueue.prev;
}

/** Neither unsent nor unacknowledged segments. */
export function tcpRtxAndWriteQueuesEmpty(sk: TcpSock): boolean {
  return sk.tcpRtxQueue.next === null && sk.skWriteQueue.next === null;
}

// --- In order of sending --------------------------------------------------------------------------------------

/** skb was sent just now: it becomes the last of the order of sending. */
export function tcpTsortedAddTail(sk: TcpSock, skb: SkBuff): void {
  const last = sk.tsortedLast;
  skb.left = last;
  skb.right = null;
  if (last === null) sk.tsortedFirst = skb;
  else last.right = skb;
  sk.tsortedLast = skb;
}

/** skb is neither in flight nor unaccounted for any more. Nothing happens if it is not in the order. */
export function tcpTsortedDel(sk: TcpSock, skb: SkBuff): void {
  const left = skb.left;
  const right = skb.right;
  if (left === null) {
    if (sk.tsortedFirst !== skb) return;
    sk.tsortedFirst = right;
  } else {
    left.right = right;
  }
  if (right === null) sk.tsortedLast = left;
  else right.left = left;
  skb.left = null;
  skb.right = null;
}

/** buff was cut off skb and was sent with it: it follows in the order of sending, if skb is in it. */
export function tcpTsortedAddAfter(sk: TcpSock, skb: SkBuff, buff: SkBuff): void {
  if (skb.left === null && sk.tsortedFirst !== skb) return;
  const right = skb.right;
  buff.left = skb;
  buff.right = right;
  skb.right = buff;
  if (right === null) sk.tsortedLast = buff;
  else right.left = buff;
}

// --- The queue ------------------------------------------------------------------------------------------------

/** skb, just sent for the first time, moves from the write queue to the end of the retransmission queue. */
export function tcpRtxQueueAddSent(sk: TcpSock, skb: SkBuff): void {
  __skbUnlink(skb, sk.skWriteQueue);
  __skbQueueTail(sk.tcpRtxQueue, skb);
}

/** Takes skb out of the retransmission queue and of the order of sending. It is the caller's then. */
function tcpRtxQueueUnlink(sk: TcpSock, skb: SkBuff): void {
  tcpTsortedDel(sk, skb);
  __skbUnlink(skb, sk.tcpRtxQueue);
}

/** skb is acknowledged: takes it out and frees it, giving its room in the send buffer back. */
export function tcpRtxQueueUnlinkAndFree(sk: TcpSock, skb: SkBuff): void {
  tcpRtxQueueUnlink(sk, skb);
  skWmemFreeSkb(sk, skb);
}

// --- Highest SACK ---------------------------------------------------------------------------------------------

/** First sequence number above all that was SACKed; sndUna if nothing was. */
export function tcpHighestSackSeq(sk: TcpSock): number {
  if (sk.sackedOut === 0) return sk.sndUna;
  return sk.highestSack === null ? sk.sndNxt : tcbSeq(sk.highestSack);
}

/** skb has been SACKed: what follows it is the first above the highest SACK. */
export function tcpAdvanceHighestSack(sk: TcpSock, skb: SkBuff): void {
  sk.highestSack = skb.next;
}

export function tcpHighestSackReset(sk: TcpSock): void {
  sk.highestSack = sk.tcpRtxQueue.next;
}

/** old goes: if it was the one, another takes its place. */
export function tcpHighestSackReplace(sk: TcpSock, old: SkBuff, next: SkBuff | null): void {
  if (sk.highestSack === old) sk.highestSack = next;
}

/** Something was retransmitted and is not yet acknowledged (or just now left the network). */
export function tcpAnyRetransDone(sk: TcpSock): boolean {
  if (sk.retransOut !== 0) return true;
  const skb = sk.tcpRtxQueue.next;
  return skb !== null && (tcbSacked(skb) & TCPCB_EVER_RETRANS) !== 0;
}

/** Bytes of sequence space that skb covers. */
export function tcbLen(skb: SkBuff): number {
  return (tcbEndSeq(skb) - tcbSeq(skb)) | 0;
}
