/*
 * tcp_write_xmit: what of the write queue may leave now: congestion window, receiver's window, Nagle, TSO deferral,
 * small queues.
 *
 * Order of calls: tcpSendmsg, tcpDataSndCheck … → __tcpPushPendingFrames → tcpWriteXmit → tcpTransmitSkb →
 * tcpEventNewDataSent.
 * Read first: RFC 9293 §3.7.4, §3.8.6.2.1; RFC 896; draft-minshall-nagle; RFC 5681 §3.1.
 */
import { ICSK_TIME_LOSS_PROBE, ICSK_TIME_PROBE0 } from '@stack/inet-sock';
import { TCP_CLOSE } from '@stack/socket';
import type { SkBuff } from '@stack/skbuff';
import { TCP_CHRONO_RWND_LIMITED, tcpChronoStart, tcpChronoStop } from './tcp-chrono.ts';
import { tcpMstampRefresh } from './tcp-clock.ts';
import { tcpInCwndReduction } from './tcp-input-cwnd.ts';
import { tcpCheckSpace } from './tcp-input-sndbuf.ts';
import { LINUX_MIB_TCPORIGDATASENT } from './tcp-mib.ts';
import { MTU_PROBE_SENT, MTU_PROBE_WAIT, tcpMtuProbe } from './tcp-mtu-probe.ts';
import { netAddStats } from './netns-tcp.ts';
import { tcpGrowSkb } from './tcp-output-collapse.ts';
import { tcpCwndValidate } from './tcp-output-cwnd.ts';
import { tcpFragment, tcpSetSkbTsoSegs } from './tcp-output-frag.ts';
import { tcpCurrentMss } from './tcp-output-mss.ts';
import { tcpPacingCheck, tcpPacingDelay } from './tcp-output-pacing.ts';
import { tcpProbe0Base, tcpRearmRto, tcpResetXmitTimer } from './tcp-output-timer.ts';
import { tcpScheduleLossProbe } from './tcp-output-tlp.ts';
import {
  TSO_DEFER_CWND_LIMITED, TSO_DEFER_RWND_LIMITED, TSO_SEND_NOW, tcpMssSplitPoint, tcpNagleTest, tcpTsoSegs, tcpTsoShouldDefer,
} from './tcp-output-tso.ts';
import { tcpSmallQueueCheck } from './tcp-output-tsq.ts';
import { tcpTransmitSkb } from './tcp-output.ts';
import {
  tcpPacketsInFlight, tcpRtxQueueAddSent, tcpSendHead, tcpSkbIsLast, tcpWndEnd, tcpWriteQueueEmpty,
} from './tcp-rtx-queue.ts';
import { after, tcbEndSeq, tcbSeq, tcpSkbPcount } from './tcp-skb-cb.ts';
import { TCP_NAGLE_PUSH } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Segments that the congestion window lets out; in large windows half of it at once, so that two packets overlap. */
function tcpCwndTest(sk: TcpSock): number {
  const inFlight = tcpPacketsInFlight(sk);
  const cwnd = sk.sndCwnd;
  if (inFlight >= cwnd) return 0;
  return Math.min(Math.max(cwnd >> 1, 1), cwnd - inFlight);
}

/** The first segment of skb fits into the receiver's window. */
export function tcpSndWndTest(sk: TcpSock, skb: SkBuff, mssNow: number): boolean {
  const end = skb.len > mssNow ? (tcbSeq(skb) + mssNow) | 0 : tcbEndSeq(skb);
  return !after(end, tcpWndEnd(sk));
}

/** skb was sent for the first time: it moves to the retransmission queue, and the timer runs. */
export function tcpEventNewDataSent(sk: TcpSock, skb: SkBuff): void {
  const prior = sk.packetsOut;
  const pcount = tcpSkbPcount(skb);
  sk.sndNxt = tcbEndSeq(skb);
  tcpRtxQueueAddSent(sk, skb);
  if (sk.highestSack === null) sk.highestSack = skb;
  sk.packetsOut = prior + pcount;
  if (prior === 0 || sk.icskPending === ICSK_TIME_LOSS_PROBE) tcpRearmRto(sk);
  netAddStats(sk.skNet, LINUX_MIB_TCPORIGDATASENT, pcount);
  tcpCheckSpace(sk);
}

/** Nagle as Minshall refined it looks at the last small segment only. */
function tcpMinshallUpdate(sk: TcpSock, mssNow: number, skb: SkBuff): void {
  if (skb.len < tcpSkbPcount(skb) * mssNow) sk.sndSml = tcbEndSeq(skb);
}

/** A probe of the MTU goes ahead of all else. @returns MTU_PROBE_… */
function tcpMtuProbeXmit(sk: TcpSock): number {
  const result = tcpMtuProbe(sk);
  const probe = tcpSendHead(sk);
  if (result === MTU_PROBE_SENT && probe !== null) tcpEventNewDataSent(sk, probe);
  return result;
}

/**
 * Sends what may be sent.
 * @param nonagle TCP_NAGLE_* @param pushOne 0 all, 1 one sk_buff, 2 one segment even against the window: a loss probe
 * @returns true if nothing is in flight though something waits: then the window must be probed
 */
export function tcpWriteXmit(sk: TcpSock, mssNow: number, nonagle: number, pushOne: number): boolean {
  tcpMstampRefresh(sk);
  let sentPkts = 0;
  if (sk.icskMtup !== null && pushOne === 0) {
    const probe = tcpMtuProbeXmit(sk);
    if (probe === MTU_PROBE_WAIT) return false;
    if (probe === MTU_PROBE_SENT) sentPkts = 1;
  }
  const maxSegs = tcpTsoSegs(sk, mssNow);
  let isCwndLimited = false;
  let isRwndLimited = false;
  for (let skb = tcpSendHead(sk); skb !== null; skb = tcpSendHead(sk)) {
    if (tcpPacingCheck(sk)) break;
    let quota = tcpCwndTest(sk);
    if (quota === 0) {
      if (pushOne !== 2) break;
      quota = 1;
    }
    quota = Math.min(quota, maxSegs);
    if (skb.len < quota * mssNow) tcpGrowSkb(sk, skb, quota * mssNow - skb.len, mssNow);
    const tsoSegs = tcpSetSkbTsoSegs(skb, mssNow);
    if (!tcpSndWndTest(sk, skb, mssNow)) {
      isRwndLimited = true;
      break;
    }
    if (tsoSegs === 1) {
      if (!tcpNagleTest(sk, skb, mssNow, tcpSkbIsLast(sk, skb) ? nonagle : TCP_NAGLE_PUSH)) break;
    } else if (pushOne === 0) {
      const defer = tcpTsoShouldDefer(sk, skb, maxSegs);
      if (defer !== TSO_SEND_NOW) {
        if (defer === TSO_DEFER_CWND_LIMITED) isCwndLimited = true;
        else if (defer === TSO_DEFER_RWND_LIMITED) isRwndLimited = true;
        break;
      }
    }
    let limit = mssNow;
    if (tsoSegs > 1 && sk.sndUna === sk.sndUp) {
      limit = tcpMssSplitPoint(sk, skb, mssNow, quota, nonagle);
    }
    if (skb.len > limit && tcpFragment(sk, sk.skWriteQueue, skb, limit, mssNow) !== 0) break;
    if (tcpSmallQueueCheck(sk, skb, 0)) break;
    // A writer is about to fill it.
    if (tcbEndSeq(skb) === tcbSeq(skb)) break;
    if (tcpTransmitSkb(sk, skb, true) !== 0) break;
    tcpEventNewDataSent(sk, skb);
    tcpMinshallUpdate(sk, mssNow, skb);
    sentPkts += tcpSkbPcount(skb);
    if (pushOne !== 0) break;
  }
  if (isRwndLimited) tcpChronoStart(sk, TCP_CHRONO_RWND_LIMITED);
  else tcpChronoStop(sk, TCP_CHRONO_RWND_LIMITED);
  return tcpWriteXmitDone(sk, sentPkts, isCwndLimited, pushOne);
}

/** The end of tcpWriteXmit: was the window full; and the loss probe. */
function tcpWriteXmitDone(sk: TcpSock, sentPkts: number, cwndLimited: boolean, pushOne: number): boolean {
  const isCwndLimited = cwndLimited || tcpPacketsInFlight(sk) >= sk.sndCwnd;
  if (sentPkts !== 0 || isCwndLimited) tcpCwndValidate(sk, isCwndLimited);
  if (sentPkts !== 0) {
    if (tcpInCwndReduction(sk)) sk.prrOut += sentPkts;
    if (pushOne !== 2) tcpScheduleLossProbe(sk, false);
    return false;
  }
  return sk.packetsOut === 0 && !tcpWriteQueueEmpty(sk);
}

/** Something waits, and no timer runs that would move it: the window is probed (RFC 9293 §3.8.6.1). */
function tcpCheckProbeTimer(sk: TcpSock): void {
  if (sk.packetsOut === 0 && sk.icskPending === 0) tcpResetXmitTimer(sk, ICSK_TIME_PROBE0, tcpProbe0Base(sk) + tcpPacingDelay(sk));
}

/** Sends what may be sent of a queue that is not empty. @param nonagle TCP_NAGLE_* for its last segment */
export function __tcpPushPendingFrames(sk: TcpSock, mssNow: number, nonagle: number): void {
  if (sk.skState === TCP_CLOSE) return;
  if (tcpWriteXmit(sk, mssNow, nonagle, 0)) tcpCheckProbeTimer(sk);
}

/** Sends what may be sent. */
export function tcpPushPendingFrames(sk: TcpSock): void {
  if (tcpSendHead(sk) !== null) __tcpPushPendingFrames(sk, tcpCurrentMss(sk), sk.nonagle);
}

/** Sends the first sk_buff of the queue, which is at least a full segment. */
export function tcpPushOne(sk: TcpSock, mssNow: number): void {
  tcpWriteXmit(sk, mssNow, TCP_NAGLE_PUSH, 1);
}

