/*
 * The walk of an ACK's SACK blocks over the retransmission queue: what they cover is marked, and joined to SACKed neighbours.
 *
 * Order of calls: tcpSacktagBlocks → for each block, less what the last ACK's blocks covered, tcpSacktagSkip and tcpSacktagWalk →
 * tcpShiftSkbData (tcpSacktagOne, tcpShiftedSkb), or tcpMatchSkbToSack (splits large sk_buffs) and tcpSacktagOne.
 * The walk only goes forward: of blocks that overlap, the second begins where the first ended.
 * Marks of a segment (TCP_SKB_CB's sacked): S SACKed, R retransmitted, L lost. S excludes R and L; L and R together: the
 * retransmission is in flight.
 * Deviation: where Linux shifts the SACKed front of an sk_buff, here it is cut off first and joined then: the same marks, counts
 * and boundaries.
 * Read first: RFC 2018 §5; RFC 2883 (DSACK); RFC 6675 §3.
 */
import type { SkBuff } from '@stack/skbuff';
import type { TcpSacktagState } from './tcp-ack-state.ts';
import { FLAG_DATA_SACKED, FLAG_ORIG_SACK_ACKED, TCP_NUM_SACKS } from './tcp-consts.ts';
import { LINUX_MIB_SACKMERGED, LINUX_MIB_SACKSHIFTED, LINUX_MIB_SACKSHIFTFALLBACK } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpIsPlainSacked, tcpShiftedSkb, tcpSkbShift } from './tcp-output-collapse.ts';
import { tcpFragment } from './tcp-output-frag.ts';
import { tcpSkbSeglen } from './tcp-output-mss.ts';
import { tcpRateSkbDelivered } from './tcp-rate.ts';
import { tcpRackAdvance } from './tcp-recovery.ts';
import { tcpAdvanceHighestSack, tcpHighestSackSeq, tcpRtxQueueHead, tcpTsortedDel } from './tcp-rtx-queue.ts';
import {
  TCPCB_LOST, TCPCB_RETRANS, TCPCB_SACKED_ACKED, TCPCB_SACKED_RETRANS, after, before, tcbEndSeq, tcbEor, tcbSacked, tcbSeq,
  tcbSetSacked, tcpSkbMss, tcpSkbPcount, tcpSkbTimestampUs,
} from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

// --- Blocks ---------------------------------------------------------------------------------------------------

/**
 * Marks what the first `used` blocks of st.sp cover.
 * @param first the block among them that is the ACK's DSACK; -1: none is
 */
export function tcpSacktagBlocks(sk: TcpSock, st: TcpSacktagState, used: number, first: number): void {
  const { sp } = st;
  sk.recvSackCache ??= new Int32Array(2 * TCP_NUM_SACKS);
  const cache = sk.recvSackCache;
  // (Places in the cache count in numbers, two to a block; at its end lie the blocks, in front nothing.)
  let c = sk.sackedOut === 0 ? cache.length : 0;
  while (c < cache.length && cache[c] === 0 && cache[c + 1] === 0) c += 2;
  let skb: SkBuff | null = null;
  for (let i = 0; i < used;) {
    const start = sp[2 * i]!;
    const end = sp[2 * i + 1]!;
    const dup = i === first;
    const next = first >= 0 && i + 1 === first ? first : -1;
    while (c < cache.length && !before(start, cache[c + 1]!)) c += 2;
    if (c < cache.length && !dup && after(end, cache[c]!)) {
      const cacheEnd = cache[c + 1]!;
      if (before(start, cache[c]!)) skb = tcpSacktagWalk(sk, st, tcpSacktagSkip(sk, skb, start), next, start, cache[c]!, false);
      if (!after(end, cacheEnd)) {
        i++;
        continue;
      }
      skb = tcpMaybeSkippingDsack(sk, st, skb, next, cacheEnd);
      c += 2;
      if (tcpHighestSackSeq(sk) !== cacheEnd) {
        // There may be more of the cache in this block.
        skb = tcpSacktagSkip(sk, skb, cacheEnd);
        continue;
      }
      if (sk.highestSack === null) break;
      skb = sk.highestSack;
    } else {
      if (!before(start, tcpHighestSackSeq(sk))) {
        if (sk.highestSack === null) break;
        skb = sk.highestSack;
      }
      skb = tcpSacktagSkip(sk, skb, start);
    }
    skb = tcpSacktagWalk(sk, st, skb, next, start, end, dup);
    i++;
  }
  cache.fill(0);
  cache.set(sp.subarray(0, 2 * used), cache.length - 2 * used);
}

/** What the last ACK covered is passed over, but for a DSACK in it. */
function tcpMaybeSkippingDsack(sk: TcpSock, st: TcpSacktagState, skb: SkBuff | null, next: number, to: number): SkBuff | null {
  if (next < 0) return skb;
  const start = st.sp[2 * next]!;
  if (!before(start, to)) return skb;
  return tcpSacktagWalk(sk, st, tcpSacktagSkip(sk, skb, start), -1, start, st.sp[2 * next + 1]!, true);
}

/** The segment that `seq` is in; `from` itself if that is beyond it already; null if there is none. */
function tcpSacktagSkip(sk: TcpSock, from: SkBuff | null, seq: number): SkBuff | null {
  if (from !== null && after(tcbSeq(from), seq)) return from;
  let skb = from;
  if (sk.sackedOut !== 0 && sk.highestSack !== null && !before(seq, tcbSeq(sk.highestSack))) skb = sk.highestSack;
  skb ??= tcpRtxQueueHead(sk);
  if (skb !== null && after(tcbSeq(skb), seq)) return null;
  while (skb !== null && !after(tcbEndSeq(skb), seq)) skb = skb.next;
  return skb;
}

/**
 * From `from` on marks what lies in the block [start, end), or in the DSACK that is the block behind it.
 * @param next that DSACK's place in st.sp; -1: none @returns the segment behind
 */
function tcpSacktagWalk(
  sk: TcpSock, st: TcpSacktagState, from: SkBuff | null, next: number, start: number, end: number, dupIn: boolean,
): SkBuff | null {
  let skb = from;
  for (; skb !== null && before(tcbSeq(skb), end); skb = skb.next) {
    let inSack = 0;
    let dup = dupIn;
    if (next >= 0 && before(tcbSeq(skb), st.sp[2 * next + 1]!)) {
      inSack = tcpMatchSkbToSack(sk, skb, st.sp[2 * next]!, st.sp[2 * next + 1]!);
      if (inSack > 0) dup = true;
    }
    if (inSack <= 0) {
      const shifted = tcpShiftSkbData(sk, st, skb, start, end, dup);
      if (shifted !== null && shifted !== skb) {
        skb = shifted;
        continue;
      }
      inSack = shifted === skb ? 0 : tcpMatchSkbToSack(sk, skb, start, end);
    }
    if (inSack < 0) break;
    if (inSack > 0) tcpSacktagWhole(sk, st, skb, dup);
  }
  return skb;
}

/** Marks skb, all of which a block covers. */
function tcpSacktagWhole(sk: TcpSock, st: TcpSacktagState, skb: SkBuff, dup: boolean): void {
  const was = tcbSacked(skb);
  const sacked = tcpSacktagOne(sk, st, skb, dup);
  tcbSetSacked(skb, sacked);
  if ((sacked & TCPCB_SACKED_ACKED) !== 0) {
    if ((was & TCPCB_SACKED_ACKED) === 0) tcpRateSkbDelivered(sk, skb, st.rate);
    tcpTsortedDel(sk, skb);
  }
  if (!before(tcbSeq(skb), tcpHighestSackSeq(sk))) tcpAdvanceHighestSack(sk, skb);
}

// --- Joining --------------------------------------------------------------------------------------------------

/** How much of skb, from its front, a block covers in whole segments: bytes; 0: nothing; -1: what cannot be joined to prev. */
function shiftLength(prev: SkBuff, skb: SkBuff, start: number, end: number): number {
  const seq = tcbSeq(skb);
  const fromFront = !after(start, seq);
  if (fromFront && !before(end, tcbEndSeq(skb))) return skb.len;
  if (!after(tcbEndSeq(skb), start) || tcpSkbPcount(skb) <= 1) return 0;
  const mss = tcpSkbMss(skb);
  if (!fromFront || mss !== tcpSkbSeglen(prev)) return -1;
  const len = (end - seq) | 0;
  return len - (len % mss);
}

/** What of skb the block covers joins the SACKed sk_buff in front of it. @returns whether it did; skb may have been cut */
function shiftToPrev(sk: TcpSock, st: TcpSacktagState, prev: SkBuff, skb: SkBuff, len: number, dup: boolean): boolean {
  const cut = len < skb.len;
  const mss = cut ? tcpSkbMss(skb) : tcpSkbSeglen(skb);
  if (mss !== tcpSkbSeglen(prev) || !after((tcbSeq(skb) + len) | 0, sk.sndUna)) return false;
  if (cut && tcpFragment(sk, sk.tcpRtxQueue, skb, len, mss) < 0) return false;
  if (!tcpSkbShift(prev, skb)) return false;
  const was = tcbSacked(skb);
  tcpSacktagOne(sk, st, skb, dup);
  if ((was & TCPCB_SACKED_ACKED) === 0) tcpRateSkbDelivered(sk, skb, st.rate);
  tcpShiftedSkb(sk, prev, skb, mss, !cut);
  netIncStats(sk.skNet, cut ? LINUX_MIB_SACKSHIFTED : LINUX_MIB_SACKMERGED);
  return true;
}

/**
 * Joins what the block [start, end) covers of skb to a SACKed neighbour, marked: the scoreboard stays short.
 * @returns the sk_buff that its data is in now; skb itself if there is nothing to mark; null if it must be marked where it is
 */
function tcpShiftSkbData(sk: TcpSock, st: TcpSacktagState, skb: SkBuff, start: number, end: number, dup: boolean): SkBuff | null {
  const { prev } = skb;
  const flights = tcbSacked(skb) & (TCPCB_LOST | TCPCB_SACKED_RETRANS);
  let joined = false;
  // (Retransmitted, and not lost: that does not become plainly SACKed.)
  if ((dup || flights !== TCPCB_SACKED_RETRANS) && after(end, sk.sndUna) && prev !== null && tcpIsPlainSacked(prev) && !tcbEor(prev)) {
    const len = shiftLength(prev, skb, start, end);
    if (len === 0) return skb;
    const whole = len === skb.len;
    joined = len > 0 && shiftToPrev(sk, st, prev, skb, len, dup);
    if (joined && !whole) return prev;
  }
  if (!joined || prev === null) {
    netIncStats(sk.skNet, LINUX_MIB_SACKSHIFTFALLBACK);
    return null;
  }
  // The hole between two is filled.
  const { next } = prev;
  if (next !== null && tcpIsPlainSacked(next) && !tcbEor(prev) && tcpSkbSeglen(next) === tcpSkbSeglen(prev) && tcpSkbShift(prev, next)) {
    tcpShiftedSkb(sk, prev, next, tcpSkbSeglen(prev), true);
    netIncStats(sk.skNet, LINUX_MIB_SACKMERGED);
  }
  return prev;
}

// --- Marks ----------------------------------------------------------------------------------------------------

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
