/*
 * SACK as a sender reads it: the scoreboard.
 *
 * Order of calls: tcpAck → tcpSacktagWriteQueue → tcpCheckDsack, tcpSacktagBlocks (tcp-input-sackwalk.ts); at the end
 * tcpCheckSackReordering.
 * Read first: RFC 2018 §5; RFC 2883 (DSACK); RFC 6675 §3.
 */
import type { SkBuff } from '@stack/skbuff';
import type { TcpSacktagState } from './tcp-ack-state.ts';
import { FLAG_DSACKING_ACK, FLAG_DSACK_TLP, TCP_NUM_SACKS } from './tcp-consts.ts';
import {
  LINUX_MIB_TCPDSACKIGNOREDDUBIOUS, LINUX_MIB_TCPDSACKIGNOREDNOUNDO, LINUX_MIB_TCPDSACKIGNOREDOLD,
  LINUX_MIB_TCPDSACKOFORECV, LINUX_MIB_TCPDSACKRECV, LINUX_MIB_TCPDSACKRECVSEGS, LINUX_MIB_TCPSACKDISCARD,
  LINUX_MIB_TCPSACKREORDER, LINUX_MIB_TCPTSREORDER,
} from './tcp-mib.ts';
import { netAddStats, netIncStats } from './netns-tcp.ts';
import { tcpSacktagBlocks } from './tcp-input-sackwalk.ts';
import { tcpCurrentMss } from './tcp-output-mss.ts';
import { tcpRack } from './tcp-recovery.ts';
import { tcpHighestSackReset, tcpHighestSackSeq } from './tcp-rtx-queue.ts';
import { after, before, tcbAckSeq, tcbSacked } from './tcp-skb-cb.ts';
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
  const { sp } = st;
  const view = ackSkb.view;
  let used = 0;
  // Where the first block, which may be the DSACK, comes to be in order of sequence.
  let first = -1;
  for (let i = 0; i < numSacks; i++) {
    const start = view.getInt32(at + 2 + i * 8);
    const end = view.getInt32(at + 6 + i * 8);
    if (!tcpSackBlockUsable(sk, ackSkb, i === 0 && foundDup, start, end, priorSndUna)) continue;
    const place = sackBlockInsert(sp, used++, start, end);
    if (i === 0) first = 0;
    else if (first >= place) first++;
  }
  tcpSacktagBlocks(sk, st, used, foundDup ? first : -1);

  if (sk.icskCaState !== TCP_CA_Loss || sk.undoMarker !== 0) tcpCheckSackReordering(sk, st.reord, false);
}

/** Inserts a block among the n that are there, in order of sequence. @returns its place */
function sackBlockInsert(sp: Int32Array, n: number, start: number, end: number): number {
  let i = n;
  for (; i > 0 && after(sp[2 * i - 2]!, start); i--) {
    sp[2 * i] = sp[2 * i - 2]!;
    sp[2 * i + 1] = sp[2 * i - 1]!;
  }
  sp[2 * i] = start;
  sp[2 * i + 1] = end;
  return i;
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
