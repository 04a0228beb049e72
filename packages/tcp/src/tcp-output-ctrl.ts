/*
 * Segments without data: ACKs (at once or delayed), FIN, RST, probes of a closed window and of a silent peer.
 *
 * Order of calls: __tcpAckSndCheck → tcpSendAck or tcpSendDelayedAck; tcpClose → tcpSendFin; the timers →
 * tcpSendProbe0, tcpWriteWakeup.
 * Read first: RFC 9293 §3.8.6.1–3.8.6.3, §3.10.4–3.10.5; RFC 5681 §4.2.
 */
import {
  ICSK_ACK_PUSHED, ICSK_ACK_SCHED, ICSK_ACK_TIMER, ICSK_TIME_DACK, ICSK_TIME_PROBE0, inetCskArmDelack,
  inetCskInPingpongMode, inetCskScheduleAck,
} from '@stack/inet-sock';
import { HZ, timeBefore, timeBeforeEq, usecsToJiffies } from '@stack/kernel';
import { CHECKSUM_PARTIAL, __skbHeaderRelease, __skbQueueTail, __skbReserve, allocSkb } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { TCP_CLOSE, skForcedMemSchedule, skMemCharge, skUnderMemoryPressure } from '@stack/socket';
import { TCP_CHRONO_BUSY, tcpChronoStart } from './tcp-chrono.ts';
import { tcpMstampRefresh } from './tcp-clock.ts';
import {
  MAX_TCP_HEADER, TCP_ATO_MIN, TCP_DELACK_MAX, TCP_DELACK_MIN, TCP_RESOURCE_PROBE_INTERVAL, TCP_SKB_HEAD_TRUESIZE,
} from './tcp-consts.ts';
import { tcpRtoMax, tcpRtoMin } from './tcp-input-rtt.ts';
import { LINUX_MIB_TCPABORTFAILED, LINUX_MIB_TCPWINPROBE, TCP_MIB_OUTRSTS } from './tcp-mib.ts';
import { netIncStats, tcpIncStats } from './netns-tcp.ts';
import { tcpFragment, tcpSetSkbTsoSegs } from './tcp-output-frag.ts';
import { tcpCurrentMss } from './tcp-output-mss.ts';
import { tcpPacingDelay } from './tcp-output-pacing.ts';
import { tcpClampProbe0ToUserTimeout, tcpProbe0When, tcpResetXmitTimer } from './tcp-output-timer.ts';
import { skbSetTcpPureAck } from './tcp-output-tsq.ts';
import { __tcpPushPendingFrames, tcpEventNewDataSent } from './tcp-output-xmit.ts';
import { tcpTransmitSkb } from './tcp-output.ts';
import { tcpRtxQueueTail, tcpSendHead, tcpWndEnd, tcpWriteQueueEmpty, tcpWriteQueueTail } from './tcp-rtx-queue.ts';
import {
  TCPHDR_ACK, TCPHDR_FIN, TCPHDR_PSH, TCPHDR_RST, TCPHDR_SYN, before, between, tcbEndSeq, tcbSeq, tcbSetEndSeq, tcbSetSeq,
  tcbSetTcpFlags, tcbTcpFlags, tcpSkbPcount, tcpSkbPcountSet,
} from './tcp-skb-cb.ts';
import { TCP_NAGLE_OFF } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Fills the control block of a segment without data; SYN and FIN count one each. */
export function tcpInitNondataSkb(skb: SkBuff, seq: number, flags: number): void {
  skb.ipSummed = CHECKSUM_PARTIAL;
  tcbSetTcpFlags(skb, flags);
  tcpSkbPcountSet(skb, 1);
  tcbSetSeq(skb, seq);
  tcbSetEndSeq(skb, (flags & (TCPHDR_SYN | TCPHDR_FIN)) !== 0 ? seq + 1 : seq);
}

/** An sk_buff for a segment without data; null without memory. */
function tcpAllocNondata(sk: TcpSock): SkBuff | null {
  const skb = allocSkb(sk.skNet, MAX_TCP_HEADER);
  if (skb !== null) __skbReserve(skb, MAX_TCP_HEADER);
  return skb;
}

/** The sequence number of a segment without data: the next one, or the window's edge if that has moved left of it. */
function tcpAcceptableSeq(sk: TcpSock): number {
  const wndEnd = tcpWndEnd(sk);
  if (!before(wndEnd, sk.sndNxt)) return sk.sndNxt;
  // Less than the granularity of the window field is not a shrunken window.
  if (sk.rxOpt.wscaleOk && ((sk.sndNxt - wndEnd) | 0) < 1 << sk.rxOpt.rcvWscale) return sk.sndNxt;
  return wndEnd;
}

// --- FIN and RST ----------------------------------------------------------------------------------------------

/** Closes our side: FIN on the last segment that waits, or a segment of its own. Then sends what may be sent. */
export function tcpSendFin(sk: TcpSock): void {
  let tail = tcpWriteQueueTail(sk);
  let sent = false;
  if (tail === null && skUnderMemoryPressure(sk)) {
    tail = tcpRtxQueueTail(sk);
    sent = tail !== null;
  }
  if (tail !== null) {
    tcbSetTcpFlags(tail, tcbTcpFlags(tail) | TCPHDR_FIN);
    tcbSetEndSeq(tail, tcbEndSeq(tail) + 1);
    sk.writeSeq = (sk.writeSeq + 1) | 0;
    if (sent) {
      // As if the FIN had gone with it: the retransmission brings it.
      sk.sndNxt = (sk.sndNxt + 1) | 0;
      return;
    }
  } else {
    const skb = tcpAllocNondata(sk);
    if (skb === null) return;
    skb.truesize = TCP_SKB_HEAD_TRUESIZE;
    skForcedMemSchedule(sk, skb.truesize);
    tcpInitNondataSkb(skb, sk.writeSeq, TCPHDR_ACK | TCPHDR_FIN);
    tcpQueueSkb(sk, skb);
  }
  __tcpPushPendingFrames(sk, tcpCurrentMss(sk), TCP_NAGLE_OFF);
}

/** Appends a segment to the write queue, which takes it. */
function tcpQueueSkb(sk: TcpSock, skb: SkBuff): void {
  sk.writeSeq = tcbEndSeq(skb);
  __skbHeaderRelease(skb);
  __skbQueueTail(sk.skWriteQueue, skb);
  sk.skWmemQueued += skb.truesize;
  skMemCharge(sk, skb.truesize);
  tcpChronoStart(sk, TCP_CHRONO_BUSY);
}

/** RFC 9293 §3.10.5: the connection is aborted, the peer hears of it. */
export function tcpSendActiveReset(sk: TcpSock): void {
  tcpIncStats(sk.skNet, TCP_MIB_OUTRSTS);
  const skb = tcpAllocNondata(sk);
  if (skb === null) {
    netIncStats(sk.skNet, LINUX_MIB_TCPABORTFAILED);
    return;
  }
  tcpInitNondataSkb(skb, tcpAcceptableSeq(sk), TCPHDR_ACK | TCPHDR_RST);
  tcpMstampRefresh(sk);
  if (tcpTransmitSkb(sk, skb, false) !== 0) netIncStats(sk.skNet, LINUX_MIB_TCPABORTFAILED);
}

// --- ACK ------------------------------------------------------------------------------------------------------

/** Sends an ACK now. Without memory it is tried again later. */
export function tcpSendAck(sk: TcpSock): void {
  if (sk.skState === TCP_CLOSE) return;
  const skb = tcpAllocNondata(sk);
  if (skb === null) {
    const delay = TCP_DELACK_MAX * 2 ** sk.icskAckRetry;
    if (delay < tcpRtoMax(sk)) sk.icskAckRetry++;
    inetCskScheduleAck(sk);
    sk.icskAckAto = TCP_ATO_MIN;
    tcpResetXmitTimer(sk, ICSK_TIME_DACK, delay);
    return;
  }
  tcpInitNondataSkb(skb, tcpAcceptableSeq(sk), TCPHDR_ACK);
  skbSetTcpPureAck(skb);
  tcpTransmitSkb(sk, skb, false);
}

/** Longest delay of an ACK: the socket's limit, and less than the least RTO. */
function tcpDelackMax(sk: TcpSock): number {
  return Math.min(sk.opts.delackMax !== 0 ? sk.opts.delackMax : TCP_DELACK_MAX, Math.max(tcpRtoMin(sk), 2) - 1);
}

/** RFC 1122 §4.2.3.2: the ACK may wait for data or for a second segment; adapts to how fast the peer sends. */
export function tcpSendDelayedAck(sk: TcpSock): void {
  let ato = sk.icskAckAto;
  if (ato > TCP_DELACK_MIN) {
    let maxAto = HZ / 2;
    if (inetCskInPingpongMode(sk) || (sk.icskAckPending & ICSK_ACK_PUSHED) !== 0) maxAto = TCP_DELACK_MAX;
    if (sk.srttUs !== 0) {
      const rtt = Math.max(usecsToJiffies(sk.srttUs >> 3), TCP_DELACK_MIN);
      if (rtt < maxAto) maxAto = rtt;
    }
    ato = Math.min(ato, maxAto);
  }
  ato = Math.min(ato, tcpDelackMax(sk));
  const now = sk.skNet.world.jiffies;
  let timeout = (now + ato) | 0;
  if ((sk.icskAckPending & ICSK_ACK_TIMER) !== 0) {
    // A timer that is about to fire: save it.
    if (timeBeforeEq(sk.icskAckTimeout, (now + (ato >> 2)) | 0)) {
      tcpSendAck(sk);
      return;
    }
    if (!timeBefore(timeout, sk.icskAckTimeout)) timeout = sk.icskAckTimeout;
  }
  sk.icskAckPending |= ICSK_ACK_SCHED | ICSK_ACK_TIMER;
  sk.icskAckTimeout = timeout;
  inetCskArmDelack(sk, timeout);
}

// --- Probes ---------------------------------------------------------------------------------------------------

/** A segment below the window, so that the peer must answer. @param urgent sndUna itself, with the urgent pointer */
function tcpXmitProbeSkb(sk: TcpSock, urgent: boolean, mib: number): number {
  const skb = tcpAllocNondata(sk);
  if (skb === null) return -1;
  tcpInitNondataSkb(skb, (sk.sndUna - (urgent ? 0 : 1)) | 0, TCPHDR_ACK);
  netIncStats(sk.skNet, mib);
  return tcpTransmitSkb(sk, skb, false);
}

/**
 * Makes the peer say something: with data that fits the window, or with a probe.
 * @param mib counter of the probe @returns 0, or not 0 if nothing was sent
 */
export function tcpWriteWakeup(sk: TcpSock, mib: number): number {
  if (sk.skState === TCP_CLOSE) return -1;
  const skb = tcpSendHead(sk);
  if (skb === null || !before(tcbSeq(skb), tcpWndEnd(sk))) {
    if (between(sk.sndUp, (sk.sndUna + 1) | 0, (sk.sndUna + 0xffff) | 0)) tcpXmitProbeSkb(sk, true, mib);
    return tcpXmitProbeSkb(sk, false, mib);
  }
  const mss = tcpCurrentMss(sk);
  const window = (tcpWndEnd(sk) - tcbSeq(skb)) | 0;
  if (before(sk.pushedSeq, tcbEndSeq(skb))) sk.pushedSeq = tcbEndSeq(skb);
  // The window is open, but was too small to be worth a segment.
  if (window < ((tcbEndSeq(skb) - tcbSeq(skb)) | 0) || skb.len > mss) {
    if (tcpFragment(sk, sk.skWriteQueue, skb, Math.min(window, mss), mss) !== 0) return -1;
  } else if (tcpSkbPcount(skb) === 0) {
    tcpSetSkbTsoSegs(skb, mss);
  }
  tcbSetTcpFlags(skb, tcbTcpFlags(skb) | TCPHDR_PSH);
  const err = tcpTransmitSkb(sk, skb, true);
  if (err === 0) tcpEventNewDataSent(sk, skb);
  return err;
}

/** A zero-window probe is due (RFC 9293 §3.8.6.1); the next one later, by backoff. */
export function tcpSendProbe0(sk: TcpSock): void {
  const err = tcpWriteWakeup(sk, LINUX_MIB_TCPWINPROBE);
  if (sk.packetsOut !== 0 || tcpWriteQueueEmpty(sk)) {
    sk.icskProbesOut = 0;
    sk.icskBackoff = 0;
    sk.icskProbesTstamp = 0;
    return;
  }
  sk.icskProbesOut++;
  let timeout = TCP_RESOURCE_PROBE_INTERVAL;
  if (err <= 0) {
    if (sk.icskBackoff < sk.skNet.tcp.sysctlTcpRetries2) sk.icskBackoff++;
    timeout = tcpProbe0When(sk, tcpRtoMax(sk));
  }
  tcpResetXmitTimer(sk, ICSK_TIME_PROBE0, tcpClampProbe0ToUserTimeout(sk, timeout) + tcpPacingDelay(sk));
}
