/*
 * tcp_ack: what an acknowledgment means to the sender.
 *
 * Order of calls: tcpAck → tcpAckUpdateWindow, tcpSacktagWriteQueue → tcpCleanRtxQueue → tcpFastretransAlert (when it is
 * not plain progress) → tcpSetXmitTimer → tcpCongControl → tcpXmitRecovery.
 * Read first: RFC 9293 §3.10.7.4 (fifth: ACK); RFC 5961 §5; RFC 6298; RFC 6675.
 */
import {
  SKB_DROP_REASON_TCP_ACK_UNSENT_DATA, SKB_DROP_REASON_TCP_TOO_OLD_ACK,
} from '@stack/kernel';
import { ICSK_TIME_PROBE0, inetCskClearXmitTimer } from '@stack/inet-sock';
import type { SkBuff } from '@stack/skbuff';
import { TCP_SYN_SENT } from '@stack/socket';
import { tcpSacktagInit } from './tcp-ack-state.ts';
import type { TcpSacktagState } from './tcp-ack-state.ts';
import { CA_ACK_ECE, CA_ACK_SLOWPATH, CA_ACK_WIN_UPDATE } from './tcp-cong.ts';
import {
  FLAG_ACK_MAYBE_DELAYED, FLAG_CA_ALERT, FLAG_DATA, FLAG_DATA_ACKED, FLAG_DSACKING_ACK, FLAG_ECE, FLAG_FORWARD_PROGRESS,
  FLAG_NOT_DUP, FLAG_NO_CHALLENGE_ACK, FLAG_SET_XMIT_TIMER, FLAG_SLOWPATH, FLAG_SND_UNA_ADVANCED,
  FLAG_UPDATE_TS_RECENT, FLAG_WIN_UPDATE, REXMIT_NEW, REXMIT_NONE,
} from './tcp-consts.ts';
import { tcpEcnAcceptCwr, tcpEcnRcvEcnEcho } from './tcp-ecn.ts';
import { thFlags, thWindow } from './tcp-hdr.ts';
import { tcpSendChallengeAck } from './tcp-input-challenge.ts';
import { tcpCleanRtxQueue } from './tcp-input-clean.ts';
import { tcpCwndReduction, tcpInCwndReduction } from './tcp-input-cwnd.ts';
import { tcpFastPathCheck } from './tcp-input-fast.ts';
import { tcpCountDelivered } from './tcp-input-loss.ts';
import { tcpMayUpdateWindow, tcpReplaceTsRecent } from './tcp-input-opt.ts';
import { tcpFastretransAlert } from './tcp-input-recovery.ts';
import { tcpRtoMax, tcpUpdatePacingRate } from './tcp-input-rtt.ts';
import { tcpSacktagWriteQueue } from './tcp-input-sack.ts';
import { LINUX_MIB_TCPDELIVERED, LINUX_MIB_TCPDELIVEREDCE, LINUX_MIB_TCPHPACKS, LINUX_MIB_TCPPUREACKS } from './tcp-mib.ts';
import { netAddStats, netIncStats } from './netns-tcp.ts';
import { tcpSlowStartAfterIdleCheck } from './tcp-output-cwnd.ts';
import { tcpCurrentMss, tcpSyncMss } from './tcp-output-mss.ts';
import { tcpXmitRetransmitQueue } from './tcp-output-retransmit.ts';
import { tcpPacingDelay } from './tcp-output-pacing.ts';
import { tcpClampProbe0ToUserTimeout, tcpProbe0When, tcpRearmRto, tcpResetXmitTimer } from './tcp-output-timer.ts';
import { tcpProcessTlpAck, tcpScheduleLossProbe } from './tcp-output-tlp.ts';
import { __tcpPushPendingFrames } from './tcp-output-xmit.ts';
import { tcpRateGen } from './tcp-rate.ts';
import { tcpRackUpdateReoWnd } from './tcp-recovery.ts';
import { tcpHighestSackSeq, tcpIsSack, tcpPacketsInFlight, tcpSendHead, tcpWndEnd, tcpWriteQueueEmpty } from './tcp-rtx-queue.ts';
import {
  TCPHDR_SYN, after, before, tcbAckSeq, tcbEndSeq, tcbSacked, tcbSeq,
} from './tcp-skb-cb.ts';
import { TCP_CA_Open, TCP_NAGLE_OFF } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** sndUna moves to ack. */
function tcpSndUnaUpdate(sk: TcpSock, ack: number): void {
  sk.bytesAcked += (ack - sk.sndUna) | 0;
  sk.sndUna = ack;
}

/** The window of an ACK, if it is not an old one (RFC 9293 §3.10.7.4). Also moves sndUna. @returns FLAG_WIN_UPDATE or 0 */
function tcpAckUpdateWindow(sk: TcpSock, skb: SkBuff, ack: number, ackSeq: number): number {
  let flag = 0;
  let nwin = thWindow(skb);
  if ((thFlags(skb) & TCPHDR_SYN) === 0) nwin <<= sk.rxOpt.sndWscale;
  if (tcpMayUpdateWindow(sk, ack, ackSeq, nwin)) {
    flag = FLAG_WIN_UPDATE;
    sk.sndWl1 = ackSeq;
    if (sk.sndWnd !== nwin) {
      sk.sndWnd = nwin;
      sk.predFlags = 0;
      tcpFastPathCheck(sk);
      if (!tcpWriteQueueEmpty(sk)) tcpSlowStartAfterIdleCheck(sk);
      if (nwin > sk.maxWindow) {
        sk.maxWindow = nwin;
        tcpSyncMss(sk, sk.icskPmtuCookie);
      }
    }
  }
  tcpSndUnaUpdate(sk, ack);
  return flag;
}

/** Nothing is in flight, but something waits: the window has opened, or is still to be probed. */
function tcpAckProbe(sk: TcpSock): void {
  const head = tcpSendHead(sk);
  if (head === null) return;
  if (!after(tcbEndSeq(head), tcpWndEnd(sk))) {
    sk.icskBackoff = 0;
    sk.icskProbesTstamp = 0;
    inetCskClearXmitTimer(sk, ICSK_TIME_PROBE0);
  } else {
    const when = tcpProbe0When(sk, tcpRtoMax(sk));
    tcpResetXmitTimer(sk, ICSK_TIME_PROBE0, tcpClampProbe0ToUserTimeout(sk, when) + tcpPacingDelay(sk));
  }
}

/** The ACK is not plain progress in Open. */
function tcpAckIsDubious(sk: TcpSock, flag: number): boolean {
  return (flag & FLAG_NOT_DUP) === 0 || (flag & FLAG_CA_ALERT) !== 0 || sk.icskCaState !== TCP_CA_Open;
}

/** RFC 6298 §5.3: something was acknowledged: the timer starts anew, as a loss probe if one is in order. */
function tcpSetXmitTimer(sk: TcpSock): void {
  if (!tcpScheduleLossProbe(sk, true)) tcpRearmRto(sk);
}

/** The window: reduced, or grown, or whatever the congestion control makes of it. */
function tcpCongControl(sk: TcpSock, st: TcpSacktagState, ack: number, ackedSacked: number): void {
  const ca = sk.icskCaOps;
  const flag = st.flag;
  if (ca.congControl !== null) {
    ca.congControl(sk, ack, flag, st.rate);
    return;
  }
  if (tcpInCwndReduction(sk)) {
    tcpCwndReduction(sk, ackedSacked, st.rate.losses, flag);
  } else if (ca.congAvoid !== null) {
    // With reordering, SACKed data is progress too.
    const progress = sk.reordering > sk.skNet.tcp.sysctlTcpReordering ? FLAG_FORWARD_PROGRESS : FLAG_DATA_ACKED;
    if ((flag & progress) !== 0) {
      ca.congAvoid(sk, ack, ackedSacked);
      sk.sndCwndStamp = sk.skNet.world.jiffies;
    }
  }
  tcpUpdatePacingRate(sk);
}

/** Segments delivered since `prior`, counted. */
function tcpNewlyDelivered(sk: TcpSock, prior: number, flag: number): number {
  const delivered = (sk.delivered - prior) | 0;
  netAddStats(sk.skNet, LINUX_MIB_TCPDELIVERED, delivered);
  if ((flag & FLAG_ECE) !== 0) netAddStats(sk.skNet, LINUX_MIB_TCPDELIVEREDCE, delivered);
  return delivered;
}

/** Sends what recovery wants sent. */
function tcpXmitRecovery(sk: TcpSock, rexmit: number): void {
  if (rexmit === REXMIT_NONE || sk.skState === TCP_SYN_SENT) return;
  if (rexmit === REXMIT_NEW) {
    __tcpPushPendingFrames(sk, tcpCurrentMss(sk), TCP_NAGLE_OFF);
    // New data went out: F-RTO waits for its ACK.
    if (after(sk.sndNxt, sk.highSeq)) return;
    sk.frto = 0;
  }
  tcpXmitRetransmitQueue(sk);
}

function tcpInAckEvent(sk: TcpSock, flags: number): void {
  const event = sk.icskCaOps.inAckEvent;
  if (event !== null) event(sk, flags);
}

/** An ACK that is more than progress with the window unchanged: window, SACK, ECE. */
function tcpAckSlow(sk: TcpSock, skb: SkBuff, st: TcpSacktagState, ack: number, priorSndUna: number): void {
  const ackSeq = tcbSeq(skb);
  if (ackSeq !== tcbEndSeq(skb)) st.flag |= FLAG_DATA;
  else netIncStats(sk.skNet, LINUX_MIB_TCPPUREACKS);
  st.flag |= tcpAckUpdateWindow(sk, skb, ack, ackSeq);
  if (tcbSacked(skb) !== 0) tcpSacktagWriteQueue(sk, skb, priorSndUna, st);
  let event = CA_ACK_SLOWPATH;
  if (tcpEcnRcvEcnEcho(sk, skb)) {
    st.flag |= FLAG_ECE;
    event |= CA_ACK_ECE;
  }
  if (st.sackDelivered !== 0) tcpCountDelivered(sk, st.sackDelivered, (st.flag & FLAG_ECE) !== 0);
  if ((st.flag & FLAG_WIN_UPDATE) !== 0) event |= CA_ACK_WIN_UPDATE;
  tcpInAckEvent(sk, event);
}

/** An ACK of what was not sent: answered by an ACK (RFC 9293 §3.10.7.4, RFC 5961 §5.2). @returns why the segment is dropped, < 0 */
function tcpAckUnsent(sk: TcpSock, flag: number): number {
  if ((flag & FLAG_NO_CHALLENGE_ACK) === 0) tcpSendChallengeAck(sk);
  return -SKB_DROP_REASON_TCP_ACK_UNSENT_DATA;
}

/** An ACK below sndUna: of use only for what its SACK says. @returns 0, or a negative drop reason */
function tcpAckOld(sk: TcpSock, skb: SkBuff, st: TcpSacktagState, ack: number): number {
  const priorSndUna = sk.sndUna;
  // RFC 5961 §5.2: older than any window we ever had is an attack, or madness.
  const maxWindow = Math.min(sk.maxWindow, sk.bytesAcked);
  if (before(ack, (priorSndUna - maxWindow) | 0)) {
    if ((st.flag & FLAG_NO_CHALLENGE_ACK) === 0) tcpSendChallengeAck(sk);
    return -SKB_DROP_REASON_TCP_TOO_OLD_ACK;
  }
  if (tcbSacked(skb) !== 0) {
    const delivered = sk.delivered;
    tcpSacktagWriteQueue(sk, skb, priorSndUna, st);
    tcpFastretransAlert(sk, st, priorSndUna, 0);
    tcpNewlyDelivered(sk, delivered, st.flag);
    tcpXmitRecovery(sk, st.rexmit);
  }
  return 0;
}

/** The ACK found nothing in flight. */
function tcpAckNoQueue(sk: TcpSock, st: TcpSacktagState, ack: number, priorSndUna: number, delivered: number): void {
  if ((st.flag & FLAG_DSACKING_ACK) !== 0) {
    tcpFastretransAlert(sk, st, priorSndUna, 0);
    tcpNewlyDelivered(sk, delivered, st.flag);
  }
  tcpAckProbe(sk);
  if (sk.tlpHighSeq !== 0) tcpProcessTlpAck(sk, ack, st.flag);
}

/**
 * Takes an acknowledgment. Sends retransmissions, not new data; skb stays the caller's.
 * @param flag FLAG_* that the caller knows
 * @returns 1 it was good; 0 it was old; negative: minus a drop reason, the segment is not to be processed further
 */
export function tcpAck(sk: TcpSock, skb: SkBuff, flag: number): number {
  const st = sk.skNet.tcp.sacktagState;
  tcpSacktagInit(st, flag);
  const priorSndUna = sk.sndUna;
  const ack = tcbAckSeq(skb);
  if (before(ack, priorSndUna)) return tcpAckOld(sk, skb, st, ack);
  if (after(ack, sk.sndNxt)) return tcpAckUnsent(sk, flag);

  const priorPackets = sk.packetsOut;
  const isSackReneg = sk.isSackReneg;
  const delivered = sk.delivered;
  const lost = sk.lost;
  const rs = st.rate;
  if (after(ack, priorSndUna)) {
    st.flag |= FLAG_SND_UNA_ADVANCED;
    sk.icskRetransmits = 0;
  }
  const priorFack = tcpIsSack(sk) ? tcpHighestSackSeq(sk) : priorSndUna;
  rs.priorInFlight = tcpPacketsInFlight(sk);
  if ((st.flag & FLAG_UPDATE_TS_RECENT) !== 0) tcpReplaceTsRecent(sk, tcbSeq(skb));

  if ((st.flag & (FLAG_SLOWPATH | FLAG_SND_UNA_ADVANCED)) === FLAG_SND_UNA_ADVANCED) {
    // The window is what it was: plain progress.
    sk.sndWl1 = tcbSeq(skb);
    tcpSndUnaUpdate(sk, ack);
    st.flag |= FLAG_WIN_UPDATE;
    tcpInAckEvent(sk, CA_ACK_WIN_UPDATE);
    netIncStats(sk.skNet, LINUX_MIB_TCPHPACKS);
  } else {
    tcpAckSlow(sk, skb, st, ack, priorSndUna);
  }
  // Linux takes CWR on pure ACKs too (RFC 3168 §6.1.3 has it on data).
  tcpEcnAcceptCwr(sk, skb);
  // Something got through: soft errors are forgotten.
  sk.skErrSoft = 0;
  sk.icskProbesOut = 0;
  sk.rcvTstamp = sk.skNet.world.jiffies;
  if (priorPackets === 0) {
    tcpAckNoQueue(sk, st, ack, priorSndUna, delivered);
    return 1;
  }

  tcpCleanRtxQueue(sk, st, priorFack, priorSndUna);
  tcpRackUpdateReoWnd(sk, rs);
  if (sk.tlpHighSeq !== 0) tcpProcessTlpAck(sk, ack, st.flag);
  if (tcpAckIsDubious(sk, st.flag)) {
    const dup = (st.flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DSACKING_ACK)) === 0;
    // ACKs that were merged on their way up count for each of them.
    tcpFastretransAlert(sk, st, priorSndUna, dup ? Math.max(1, skb.shinfo.gsoSegs) : 0);
  }
  if ((st.flag & FLAG_SET_XMIT_TIMER) !== 0) tcpSetXmitTimer(sk);
  if ((st.flag & FLAG_FORWARD_PROGRESS) !== 0 || (st.flag & FLAG_NOT_DUP) === 0) sk.skDstPendingConfirm = true;

  const newlyDelivered = tcpNewlyDelivered(sk, delivered, st.flag);
  rs.isAckDelayed = (st.flag & FLAG_ACK_MAYBE_DELAYED) !== 0;
  tcpRateGen(sk, newlyDelivered, (sk.lost - lost) | 0, isSackReneg, rs);
  tcpCongControl(sk, st, ack, newlyDelivered);
  tcpXmitRecovery(sk, st.rexmit);
  return 1;
}
