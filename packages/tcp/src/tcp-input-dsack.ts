/*
 * SACK as a receiver makes it: which blocks the next ACK reports.
 *
 * Order of calls: tcpSackNewOfoSkb for each segment out of order, tcpSackRemove when a hole closed, tcpDsackSet and
 * tcpDsackExtend for what came twice; tcp-output-options.ts writes them.
 * Read first: RFC 2018 §4; RFC 2883 §4.
 */
import { RB_EMPTY_ROOT } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { TCP_MAX_QUICKACKS, TCP_NUM_SACKS } from './tcp-consts.ts';
import { tcpSackCompressSendAck } from './tcp-input-sackcomp.ts';
import { tcpEnterQuickackMode } from './tcp-input-quickack.ts';
import { LINUX_MIB_DELAYEDACKLOST, LINUX_MIB_TCPDSACKOFOSENT, LINUX_MIB_TCPDSACKOLDSENT } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpSendAck } from './tcp-output-ctrl.ts';
import { tcpIsSack } from './tcp-rtx-queue.ts';
import { after, before, tcbEndSeq, tcbSeq } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Holes of a receive queue that is merely reordered. */
const TCP_SACK_BLOCKS_EXPECTED = 2;

/** Nothing is to be reported any more. */
export function tcpSackReset(sk: TcpSock): void {
  sk.rxOpt.dsack = false;
  sk.rxOpt.numSacks = 0;
}

/** [seq, endSeq) was received twice: the next ACK says so. */
export function tcpDsackSet(sk: TcpSock, seq: number, endSeq: number): void {
  if (!tcpIsSack(sk) || sk.skNet.tcp.sysctlTcpDsack === 0) return;
  netIncStats(sk.skNet, before(seq, sk.rcvNxt) ? LINUX_MIB_TCPDSACKOLDSENT : LINUX_MIB_TCPDSACKOFOSENT);
  sk.rxOpt.dsack = true;
  sk.duplicateSackStart = seq;
  sk.duplicateSackEnd = endSeq;
}

/** tcpDsackSet, or if there is a DSACK already and it touches, a longer one. */
export function tcpDsackExtend(sk: TcpSock, seq: number, endSeq: number): void {
  if (!sk.rxOpt.dsack) {
    tcpDsackSet(sk, seq, endSeq);
    return;
  }
  if (after(seq, sk.duplicateSackEnd) || after(sk.duplicateSackStart, endSeq)) return;
  if (before(seq, sk.duplicateSackStart)) sk.duplicateSackStart = seq;
  if (after(endSeq, sk.duplicateSackEnd)) sk.duplicateSackEnd = endSeq;
}

/** Block i takes in [seq, endSeq) if it touches. @returns whether it does */
function tcpSackExtend(sp: Int32Array, i: number, seq: number, endSeq: number): boolean {
  const start = sp[2 * i]!;
  const end = sp[2 * i + 1]!;
  if (after(seq, end) || after(start, endSeq)) return false;
  if (before(seq, start)) sp[2 * i] = seq;
  if (after(endSeq, end)) sp[2 * i + 1] = endSeq;
  return true;
}

/** Removes block i of n; those behind move up. */
function sackZap(sp: Int32Array, i: number, n: number): void {
  sp.copyWithin(2 * i, 2 * i + 2, 2 * n);
}

/** The first block grew: others that it touches now become part of it. */
function tcpSackMaybeCoalesce(sk: TcpSock, sp: Int32Array): void {
  const rx = sk.rxOpt;
  for (let i = 1; i < rx.numSacks; ) {
    if (tcpSackExtend(sp, 0, sp[2 * i]!, sp[2 * i + 1]!)) {
      sackZap(sp, i, rx.numSacks);
      rx.numSacks--;
    } else {
      i++;
    }
  }
}

/** Puts [start, end) at the front, moving the n blocks before down by one. */
function sackToFront(sp: Int32Array, n: number, start: number, end: number): void {
  sp.copyWithin(2, 0, 2 * n);
  sp[0] = start;
  sp[1] = end;
}

/** RFC 2018 §4: the first block is the one that the latest segment is in. */
export function tcpSackNewOfoSkb(sk: TcpSock, seq: number, endSeq: number): void {
  const rx = sk.rxOpt;
  const sp = (sk.selectiveAcks ??= new Int32Array(2 * TCP_NUM_SACKS));
  for (let i = 0; i < rx.numSacks; i++) {
    if (!tcpSackExtend(sp, i, seq, endSeq)) continue;
    // Many holes: the sender should hear of them.
    if (i >= TCP_SACK_BLOCKS_EXPECTED) tcpSackCompressSendAck(sk);
    if (i !== 0) sackToFront(sp, i, sp[2 * i]!, sp[2 * i + 1]!);
    if (rx.numSacks > 1) tcpSackMaybeCoalesce(sk, sp);
    return;
  }
  // The oldest block is forgotten when there are too many; but not before it was told.
  if (rx.numSacks >= TCP_NUM_SACKS) tcpSackCompressSendAck(sk);
  const kept = Math.min(rx.numSacks, TCP_NUM_SACKS - 1);
  sackToFront(sp, kept, seq, endSeq);
  rx.numSacks = kept + 1;
}

/** rcvNxt moved: blocks that it has reached go. */
export function tcpSackRemove(sk: TcpSock): void {
  const rx = sk.rxOpt;
  const sp = sk.selectiveAcks;
  if (RB_EMPTY_ROOT(sk.outOfOrderQueue) || sp === null) {
    rx.numSacks = 0;
    return;
  }
  for (let i = 0; i < rx.numSacks; ) {
    if (!before(sk.rcvNxt, sp[2 * i]!)) {
      sackZap(sp, i, rx.numSacks);
      rx.numSacks--;
    } else {
      i++;
    }
  }
}

/** Answers a segment that is not acceptable with an ACK, and a DSACK if it was received before. */
export function tcpSendDupack(sk: TcpSock, skb: SkBuff): void {
  const seq = tcbSeq(skb);
  const endSeq = tcbEndSeq(skb);
  if (endSeq !== seq && before(seq, sk.rcvNxt)) {
    netIncStats(sk.skNet, LINUX_MIB_DELAYEDACKLOST);
    tcpEnterQuickackMode(sk, TCP_MAX_QUICKACKS);
    tcpDsackSet(sk, seq, after(endSeq, sk.rcvNxt) ? sk.rcvNxt : endSeq);
  }
  tcpSendAck(sk);
}
