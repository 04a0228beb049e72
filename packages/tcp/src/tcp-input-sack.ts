/*
 * SACK as a sender reads it: the scoreboard.
 *
 * Order of calls: tcpAck → tcpSacktagWriteQueue → tcpCheckDsack, then for each block tcpSacktagSkip and tcpSacktagWalk →
 * tcpMatchSkbToSack (splits large sk_buffs) → tcpSacktagOne; at the end tcpCheckSackReordering.
 * Marks of a segment (TCP_SKB_CB's sacked): S SACKed, R retransmitted, L lost. S excludes R and L; L and R together: the
 * retransmission is in flight.
 * Read first: RFC 2018 §5; RFC 2883 (DSACK); RFC 6675 §3.
 */
import type { SkBuff } from '@stack/skbuff';
import type { TcpSacktagState } from './tcp-ack-state.ts';
import { FLAG_DATA_SACKED, FLAG_DSACKING_ACK, FLAG_DSACK_TLP, FLAG_ORIG_SACK_ACKED, TCP_NUM_SACKS } from './tcp-consts.ts';
import {
  LINUX_MIB_TCPDSACKIGNOREDDUBIOUS, LINUX_MIB_TCPDSACKIGNOREDNOUNDO, LINUX_MIB_TCPDSACKIGNOREDOLD,
  LINUX_MIB_TCPDSACKOFORECV, LINUX_MIB_TCPDSACKRECV, LINUX_MIB_TCPDSACKRECVSEGS, LINUX_MIB_TCPSACKDISCARD,
  LINUX_MIB_TCPSACKREORDER, LINUX_MIB_TCPTSREORDER,
} from './tcp-mib.ts';
import { netAddStats, netIncStats } from './netns-tcp.ts';
import { tcpShiftSkbData } from './tcp-output-collapse.ts';
import { tcpFragment } from './tcp-output-frag.ts';
import { tcpCurrentMss } from './tcp-output-mss.ts';
import { tcpRateSkbDelivered } from './tcp-rate.ts';
import { tcpRack, tcpRackAdvance } from './tcp-recovery.ts';
import {
  tcpAdvanceHighestSack, tcpHighestSackReset, tcpHighestSackSeq, tcpRtxQueueHead, tcpTsortedDel,
} from './tcp-rtx-queue.ts';
import {
  TCPCB_LOST, TCPCB_RETRANS, TCPCB_SACKED_ACKED, TCPCB_SACKED_RETRANS, after, before, tcbAckSeq, tcbEndSeq, tcbSacked,
  tcbSeq, tcbSetSacked, tcpSkbMss, tcpSkbPcount, tcpSkbTimestampUs,
} from './tcp-skb-cb.ts';
import { TCP_CA_Loss, TCP_DSACK_SEEN } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/**
 * Takes the SACK option of an ACK (its offset is in TCP_SKB_CB's sacked) into the scoreboard.
 * @param priorSndUna sndUna before this ACK
 * @param st gathers FLAG_DATA_SACKED and the like in st.flag
 */
export function tcpSacktagWriteQueue(sk: TcpSock, ackSkb: SkBuff, priorSndUna: number, st: TcpSacktagState): void {
  const at = ackSkb.transportHeader + tcbSacked(ackSkb);
  const numSacks = Math.min(TCP_NUM_SACKS, (ackSkb.buf[at + 1]! - 2) >> 3);
  st.reord = sk.sndNxt;
  if (sk.sackedOut === 0) tcpHighestSackReset(sk);
  const foundDup = tcpCheckDsack(sk, ackSkb, at + 2, numSacks, priorSndUna, st);

  // Too old to say anything.
  if (before(tcbAckSeq(ackSkb), (priorSndUna - sk.maxWindow) | 0)) return;
  if (sk.packetsOut === 0) return;

  st.mssNow = tcpCurrentMss(sk);
  const view = ackSkb.view;
  let used = 0;
  for (let i = 0; i < numSacks; i++) {
    const start = view.getInt32(at + 2 + i * 8);
    const end = view.getInt32(at + 6 + i * 8);
    const dup = i === 0 && foundDup;
    if (!tcpSackBlockUsable(sk, ackSkb, dup, start, end, priorSndUna)) continue;
    if (dup) tcpSacktagWalk(sk, st, tcpSacktagSkip(sk, start), start, end, true);
    else used = sackBlockInsert(st.sp, used, start, end);
  }
  const cache = recvSackCache(sk);
  for (let i = 0; i < used; i++) tcpSacktagBlock(sk, st, cache, st.sp[2 * i]!, st.sp[2 * i + 1]!);
  cache.fill(0);
  for (let i = 0; i < 2 * used; i++) cache[i] = st.sp[i]!;

  if (sk.icskCaState !== TCP_CA_Loss || sk.undoMarker !== 0) tcpCheckSackReordering(sk, st.reord, false);
}

function recvSackCache(sk: TcpSock): Int32Array {
  sk.recvSackCache ??= new Int32Array(2 * TCP_NUM_SACKS);
  return sk.recvSackCache;
}

/** Blocks are walked in order of sequence: inserts one among the n that are there. */
function sackBlockInsert(sp: Int32Array, n: number, start: number, end: number): number {
  let i = n;
  for (; i > 0 && after(sp[2 * i - 2]!, start); i--) {
    sp[2 * i] = sp[2 * i - 2]!;
    sp[2 * i + 1] = sp[2 * i - 1]!;
  }
  sp[2 * i] = start;
  sp[2 * i + 1] = end;
  return n + 1;
}

/** Is the block worth a walk? Counts those that are not. */
function tcpSackBlockUsable(
  sk: TcpSock, ackSkb: SkBuff, dup: boolean, start: number, end: number, priorSndUna: number,
): boolean {
  if (!tcpIsSackblockValid(sk, dup, start, end)) {
    if (dup) {
      netIncStats(sk.skNet, sk.undoMarker === 0 ? LINUX_MIB_TCPDSACKIGNOREDNOUNDO : LINUX_MIB_TCPDSACKIGNOREDOLD);
    } else if (tcbAckSeq(ackSkb) === sk.sndUna || after(end, sk.sndUna)) {
      // (Otherwise the ACK was merely overtaken by a later one.)
      netIncStats(sk.skNet, LINUX_MIB_TCPSACKDISCARD);
    }
    return false;
  }
  return after(end, priorSndUna);
}

/** A block, less what the blocks of the last ACK covered: that is marked already. */
function tcpSacktagBlock(sk: TcpSock, st: TcpSacktagState, cache: Int32Array, start: number, end: number): void {
  let from = start;
  if (sk.sackedOut !== 0) {
    for (let i = 0; i < cache.length; i += 2) {
      const cacheStart = cache[i]!;
      const cacheEnd = cache[i + 1]!;
      if (cacheStart === cacheEnd || !after(cacheEnd, from) || !before(cacheStart, end)) continue;
      if (before(from, cacheStart)) tcpSacktagWalk(sk, st, tcpSacktagSkip(sk, from), start, cacheStart, false);
      from = cacheEnd;
      if (!before(from, end)) return;
    }
  }
  tcpSacktagWalk(sk, st, tcpSacktagSkip(sk, from), start, end, false);
}

/** The segment that `seq` is in, entering the queue as near as the highest SACK lets; null if it is beyond the end. */
function tcpSacktagSkip(sk: TcpSock, seq: number): SkBuff | null {
  let skb: SkBuff | null;
  if (sk.sackedOut !== 0 && !before(seq, tcpHighestSackSeq(sk))) skb = sk.highestSack;
  else skb = tcpRtxQueueHead(sk);
  while (skb !== null && !after(tcbEndSeq(skb), seq)) skb = skb.next;
  return skb;
}

/** From skb on marks what lies in the block [start, end). */
function tcpSacktagWalk(
  sk: TcpSock, st: TcpSacktagState, from: SkBuff | null, start: number, end: number, dup: boolean,
): void {
  for (let skb = from; skb !== null && before(tcbSeq(skb), end); skb = skb.next) {
    const { len } = skb;
    const inSack = tcpMatchSkbToSack(sk, skb, start, end);
    if (inSack < 0) return;
    if (inSack === 0) continue;
    const was = tcbSacked(skb);
    const sacked = tcpSacktagOne(sk, st, skb, dup);
    tcbSetSacked(skb, sacked);
    if ((sacked & TCPCB_SACKED_ACKED) !== 0) {
      if ((was & TCPCB_SACKED_ACKED) === 0) tcpRateSkbDelivered(sk, skb, st.rate);
      tcpTsortedDel(sk, skb);
    }
    if (!before(tcbSeq(skb), tcpHighestSackSeq(sk))) tcpAdvanceHighestSack(sk, skb);
    if (sacked !== was && (sacked & TCPCB_SACKED_ACKED) !== 0) skb = tcpShiftSkbData(sk, skb, skb.len !== len);
  }
}

/**
 * Does [start, end) cover skb? A large sk_buff is split where the block begins or ends, at whole segments.
 * @returns 1 covered, 0 not (its rest may be), negative: no memory to split
 */
function tcpMatchSkbToSack(sk: TcpSock, skb: SkBuff, start: number, end: number): number {
  const seq = tcbSeq(skb);
  const startsBefore = !after(start, seq);
  if (startsBefore && !before(end, tcbEndSeq(skb))) return 1;
  if (tcpSkbPcount(skb) <= 1 || !after(tcbEndSeq(skb), start)) return 0;

  const mss = tcpSkbMss(skb);
  let pktLen = startsBefore ? (end - seq) | 0 : (start - seq) | 0;
  if (pktLen < mss) {
    if (startsBefore) return -1;
    pktLen = mss;
  }
  if (pktLen > mss) {
    // The marked part is whole segments: the first part is rounded up, the last down.
    let whole = pktLen - (pktLen % mss);
    if (!startsBefore && whole < pktLen) whole += mss;
    pktLen = whole;
  }
  if (pktLen >= skb.len) return startsBefore ? 1 : 0;
  if (tcpFragment(sk, sk.tcpRtxQueue, skb, pktLen, mss) < 0) return -1;
  return startsBefore ? 1 : 0;
}

/** Marks one segment that a SACK block covers. @returns its new marks */
function tcpSacktagOne(sk: TcpSock, st: TcpSacktagState, skb: SkBuff, dup: boolean): number {
  const start = tcbSeq(skb);
  const end = tcbEndSeq(skb);
  const pcount = tcpSkbPcount(skb);
  let sacked = tcbSacked(skb);
  if (dup && (sacked & TCPCB_RETRANS) !== 0) {
    if (sk.undoMarker !== 0 && sk.undoRetrans > 0 && after(end, sk.undoMarker)) {
      sk.undoRetrans = Math.max(0, sk.undoRetrans - pcount);
    }
    if ((sacked & TCPCB_SACKED_ACKED) !== 0 && before(start, st.reord)) st.reord = start;
  }
  if (!after(end, sk.sndUna)) return sacked;

  if ((sacked & TCPCB_SACKED_ACKED) === 0) {
    const sent = tcpSkbTimestampUs(skb);
    tcpRackAdvance(sk, skb);
    if ((sacked & TCPCB_SACKED_RETRANS) !== 0) {
      // Not marked lost: then the retransmission is believed to be in flight still.
      if ((sacked & TCPCB_LOST) !== 0) {
        sacked &= ~(TCPCB_LOST | TCPCB_SACKED_RETRANS);
        sk.lostOut -= pcount;
        sk.retransOut -= pcount;
      }
    } else {
      if ((sacked & TCPCB_RETRANS) === 0) sacktagOriginal(sk, st, start, end, sent);
      if ((sacked & TCPCB_LOST) !== 0) {
        sacked &= ~TCPCB_LOST;
        sk.lostOut -= pcount;
      }
    }
    sacked |= TCPCB_SACKED_ACKED;
    st.flag |= FLAG_DATA_SACKED;
    sk.sackedOut += pcount;
    st.sackDelivered += pcount;
  }
  // A DSACK tells that the retransmission was one too many.
  if (dup && (sacked & TCPCB_SACKED_RETRANS) !== 0) {
    sacked &= ~TCPCB_SACKED_RETRANS;
    sk.retransOut -= pcount;
  }
  return sacked;
}

/** A segment that was sent once is SACKed: below the highest SACK that is reordering; and its RTT counts. */
function sacktagOriginal(sk: TcpSock, st: TcpSacktagState, start: number, end: number, sent: number): void {
  if (before(start, tcpHighestSackSeq(sk)) && before(start, st.reord)) st.reord = start;
  if (!after(end, sk.highSeq)) st.flag |= FLAG_ORIG_SACK_ACKED;
  if (!st.sacktValid) {
    st.sacktValid = true;
    st.firstSackt = sent;
  }
  st.lastSackt = sent;
}

/** Can such a block be? RFC 2018 §4, RFC 2883 §4; a DSACK may lie below sndUna, but not below what can be undone. */
function tcpIsSackblockValid(sk: TcpSock, isDsack: boolean, start: number, end: number): boolean {
  if (after(end, sk.sndNxt) || !before(start, end)) return false;
  if (!before(start, sk.sndNxt)) return false;
  if (after(start, sk.sndUna)) return true;
  if (!isDsack || sk.undoMarker === 0) return false;
  if (after(end, sk.sndUna)) return false;
  if (!before(start, sk.undoMarker)) return true;
  if (!after(end, sk.undoMarker)) return false;
  return !before(start, (end - sk.maxWindow) | 0);
}

/** Is the first block a DSACK (RFC 2883 §4): below the ACK, or within the second block? */
function tcpCheckDsack(
  sk: TcpSock, ackSkb: SkBuff, at: number, numSacks: number, priorSndUna: number, st: TcpSacktagState,
): boolean {
  const net = sk.skNet;
  const view = ackSkb.view;
  const start = view.getInt32(at);
  const end = view.getInt32(at + 4);
  if (before(start, tcbAckSeq(ackSkb))) {
    netIncStats(net, LINUX_MIB_TCPDSACKRECV);
  } else {
    if (numSacks < 2) return false;
    if (after(end, view.getInt32(at + 12)) || before(start, view.getInt32(at + 8))) return false;
    netIncStats(net, LINUX_MIB_TCPDSACKOFORECV);
  }
  const dupSegs = tcpDsackSeen(sk, start, end, st);
  if (dupSegs === 0) {
    netIncStats(net, LINUX_MIB_TCPDSACKIGNOREDDUBIOUS);
    return false;
  }
  netAddStats(net, LINUX_MIB_TCPDSACKRECVSEGS, dupSegs);
  // Data that is forgotten already: all that can be done is to count it.
  if (sk.undoMarker !== 0 && sk.undoRetrans > 0 && !after(end, priorSndUna) && after(end, sk.undoMarker)) {
    sk.undoRetrans = Math.max(0, sk.undoRetrans - dupSegs);
  }
  return true;
}

/** Takes note of a DSACK. @returns the number of segments that it reports, 0 if it is not to be believed */
function tcpDsackSeen(sk: TcpSock, start: number, end: number, st: TcpSacktagState): number {
  if (!before(start, end)) return 0;
  const len = (end - start) | 0;
  if (len > sk.maxWindow) return 0;
  let dupSegs = 1;
  if (len > sk.mssCache) dupSegs = Math.ceil(len / sk.mssCache);
  else if (sk.tlpHighSeq !== 0 && sk.tlpHighSeq === end) st.flag |= FLAG_DSACK_TLP;

  sk.dsackDups += dupSegs;
  // More duplicates than retransmissions: the network copies segments, or somebody lies.
  if (sk.dsackDups > sk.totalRetrans) return 0;
  sk.rxOpt.sackOk |= TCP_DSACK_SEEN;
  if (sk.reordSeen !== 0 && (st.flag & FLAG_DSACK_TLP) === 0) tcpRack(sk).dsackSeen = true;
  st.flag |= FLAG_DSACKING_ACK;
  st.sackDelivered += dupSegs;
  return dupSegs;
}

/**
 * Something at lowSeq was delivered after something higher: the degree of reordering is their distance.
 * @param ts found by timestamps, not by SACK
 */
export function tcpCheckSackReordering(sk: TcpSock, lowSeq: number, ts: boolean): void {
  const fack = tcpHighestSackSeq(sk);
  if (!before(lowSeq, fack)) return;
  const mss = sk.mssCache;
  const metric = (fack - lowSeq) | 0;
  if (mss !== 0 && metric > sk.reordering * mss) {
    sk.reordering = Math.min(Math.ceil(metric / mss), sk.skNet.tcp.sysctlTcpMaxReordering);
  }
  sk.reordSeen++;
  netIncStats(sk.skNet, ts ? LINUX_MIB_TCPTSREORDER : LINUX_MIB_TCPSACKREORDER);
}
