/*
 * Loss recovery: the states Open, Disorder, CWR, Recovery, Loss, and the ways between them.
 *
 * Order of calls: tcpAck → tcpFastretransAlert (when an ACK is dubious) → tcpProcessLoss or tcpTryUndo… →
 * tcpIdentifyPacketLoss → tcpEnterRecovery; tcpEnterLoss from the retransmission timer.
 * Read first: RFC 6675 §5; RFC 6582 §3.2; RFC 5682 (F-RTO); RFC 3042 (limited transmit is what Disorder allows).
 */
import { msecsToJiffies, usecsToJiffies } from '@stack/kernel';
import { ICSK_TIME_RETRANS } from '@stack/inet-sock';
import type { IcskMtup } from '@stack/inet-sock';
import { TCP_SYN_SENT } from '@stack/socket';
import type { TcpSacktagState } from './tcp-ack-state.ts';
import { tcpClockMs } from './tcp-clock.ts';
import { CA_EVENT_LOSS, tcpCaEvent, tcpSetCaState } from './tcp-cong.ts';
import {
  FLAG_DATA_SACKED, FLAG_ECE, FLAG_LOST_RETRANS, FLAG_ORIG_SACK_ACKED, FLAG_SACK_RENEGING, FLAG_SET_XMIT_TIMER,
  FLAG_SND_UNA_ADVANCED, REXMIT_LOST, REXMIT_NEW,
} from './tcp-consts.ts';
import { tcpEcnQueueCwr } from './tcp-ecn.ts';
import { tcpFastopenRsk } from './tcp-fastopen.ts';
import {
  tcpCurrentSsthresh, tcpEndCwndReduction, tcpEnterCwr, tcpInCwndReduction, tcpInitCwndReduction, tcpInitUndo,
} from './tcp-input-cwnd.ts';
import {
  tcpAddRenoSack, tcpIdentifyPacketLoss, tcpLimitRenoSacked, tcpMarkSkbLost, tcpResetRenoSack,
  tcpTimeToRecover, tcpTimeoutMarkLost,
} from './tcp-input-loss.ts';
import {
  tcpTryUndoDsack, tcpTryUndoLoss, tcpTryUndoPartial, tcpTryUndoRecovery,
} from './tcp-input-undo.ts';
import { LINUX_MIB_TCPRENORECOVERY, LINUX_MIB_TCPSACKRECOVERY } from './tcp-mib.ts';
import { tcpMtupProbeFailed } from './tcp-mtu-probe.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpCurrentMss, tcpSkbSeglen } from './tcp-output-mss.ts';
import { tcpXmitRetransmitQueue } from './tcp-output-retransmit.ts';
import { tcpResetXmitTimer } from './tcp-output-timer.ts';
import {
  tcpAnyRetransDone, tcpIsReno, tcpLeftOut, tcpPacketsInFlight, tcpWndEnd, tcpWriteQueueEmpty,
} from './tcp-rtx-queue.ts';
import { after, before } from './tcp-skb-cb.ts';
import { TCP_CA_CWR, TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** RFC 6298 §5: the retransmission timer expired. Everything in flight is taken for lost, the window is one segment. */
export function tcpEnterLoss(sk: TcpSock): void {
  const newRecovery = sk.icskCaState < TCP_CA_Recovery;
  tcpTimeoutMarkLost(sk);
  // RFC 5681 §4.3: one reduction per window of data.
  if (
    sk.icskCaState <= TCP_CA_Disorder || !after(sk.highSeq, sk.sndUna) ||
    (sk.icskCaState === TCP_CA_Loss && sk.icskRetransmits === 0)
  ) {
    sk.priorSsthresh = tcpCurrentSsthresh(sk);
    sk.priorCwnd = sk.sndCwnd;
    sk.sndSsthresh = sk.icskCaOps.ssthresh(sk);
    tcpCaEvent(sk, CA_EVENT_LOSS);
    tcpInitUndo(sk);
  }
  sk.sndCwnd = tcpPacketsInFlight(sk) + 1;
  sk.sndCwndCnt = 0;
  sk.sndCwndStamp = sk.skNet.world.jiffies;
  // Duplicate ACKs came but were taken for reordering: it was overestimated.
  const reordering = sk.skNet.tcp.sysctlTcpReordering;
  if (sk.icskCaState <= TCP_CA_Disorder && sk.sackedOut >= reordering) {
    sk.reordering = Math.min(sk.reordering, reordering);
  }
  tcpSetCaState(sk, TCP_CA_Loss);
  sk.highSeq = sk.sndNxt;
  sk.tlpHighSeq = 0;
  tcpEcnQueueCwr(sk);
  // RFC 5682 §2.1 step 1.
  const probing = sk.icskMtup !== null && sk.icskMtup.probeSize !== 0;
  sk.frto = sk.skNet.tcp.sysctlTcpFrto !== 0 && (newRecovery || sk.icskRetransmits !== 0) && !probing ? 1 : 0;
}

/** The peer acknowledges beyond what it said it had, but the head was SACKed: it dropped it, or will acknowledge soon. */
function tcpCheckSackReneging(sk: TcpSock, st: TcpSacktagState): boolean {
  if ((st.flag & FLAG_SACK_RENEGING) === 0 || (st.flag & FLAG_SND_UNA_ADVANCED) === 0) return false;
  const delay = Math.max(usecsToJiffies(sk.srttUs >> 4), msecsToJiffies(10));
  tcpResetXmitTimer(sk, ICSK_TIME_RETRANS, delay);
  st.flag &= ~FLAG_SET_XMIT_TIMER;
  return true;
}

/** Back to Open if nothing is missing, else Disorder. */
export function tcpTryKeepOpen(sk: TcpSock): void {
  const state = tcpLeftOut(sk) !== 0 || tcpAnyRetransDone(sk) ? TCP_CA_Disorder : TCP_CA_Open;
  if (sk.icskCaState === state) return;
  tcpSetCaState(sk, state);
  sk.highSeq = sk.sndNxt;
}

/** Nothing that was retransmitted is out: the clock of retransmissions is for the next to start. */
export function tcpRetransStampCleanup(sk: TcpSock): void {
  if (!tcpAnyRetransDone(sk)) sk.retransStamp = 0;
}

function tcpTryToOpen(sk: TcpSock, flag: number): void {
  tcpRetransStampCleanup(sk);
  if ((flag & FLAG_ECE) !== 0) tcpEnterCwr(sk);
  if (sk.icskCaState !== TCP_CA_CWR) tcpTryKeepOpen(sk);
}

/** RFC 6675 §5 (4), RFC 6582 §3.2 (2): fast recovery begins. */
export function tcpEnterRecovery(sk: TcpSock, eceAck: boolean): void {
  tcpRetransStampCleanup(sk);
  netIncStats(sk.skNet, tcpIsReno(sk) ? LINUX_MIB_TCPRENORECOVERY : LINUX_MIB_TCPSACKRECOVERY);
  sk.priorSsthresh = 0;
  tcpInitUndo(sk);
  if (!tcpInCwndReduction(sk)) {
    if (!eceAck) sk.priorSsthresh = tcpCurrentSsthresh(sk);
    tcpInitCwndReduction(sk);
  }
  tcpSetCaState(sk, TCP_CA_Recovery);
}

/** F-RTO (RFC 5682 §3.1, with SACK). @returns true if the ACK is dealt with */
function tcpProcessFrto(sk: TcpSock, st: TcpSacktagState, numDupack: number, recovered: boolean): boolean {
  const flag = st.flag;
  // Step 3.b: something that was sent once was delivered: the timeout was spurious.
  if ((flag & FLAG_ORIG_SACK_ACKED) !== 0 && tcpTryUndoLoss(sk, true)) return true;
  if (after(sk.sndNxt, sk.highSeq)) {
    // Step 3.a: the loss was real.
    if ((flag & FLAG_DATA_SACKED) !== 0 || numDupack !== 0) sk.frto = 0;
  } else if ((flag & FLAG_SND_UNA_ADVANCED) !== 0 && !recovered) {
    sk.highSeq = sk.sndNxt;
    // Step 2.b: new data instead of retransmissions, if there is any.
    if (!tcpWriteQueueEmpty(sk) && after(tcpWndEnd(sk), sk.sndNxt)) {
      st.rexmit = REXMIT_NEW;
      return true;
    }
    sk.frto = 0;
  }
  return false;
}

/** An ACK in Loss. Sets st.rexmit. */
function tcpProcessLoss(sk: TcpSock, st: TcpSacktagState, numDupack: number): void {
  const flag = st.flag;
  const recovered = !before(sk.sndUna, sk.highSeq);
  const progress = (flag & FLAG_SND_UNA_ADVANCED) !== 0 || tcpFastopenRsk(sk) !== null;
  if (progress && tcpTryUndoLoss(sk, false)) return;
  if (sk.frto !== 0 && tcpProcessFrto(sk, st, numDupack, recovered)) return;
  if (recovered) {
    tcpTryUndoRecovery(sk);
    return;
  }
  if (tcpIsReno(sk)) {
    if (after(sk.sndNxt, sk.highSeq) && numDupack !== 0) tcpAddRenoSack(sk, numDupack, (flag & FLAG_ECE) !== 0);
    else if ((flag & FLAG_SND_UNA_ADVANCED) !== 0) tcpResetRenoSack(sk);
  }
  st.rexmit = REXMIT_LOST;
}

/** What timeouts began is over: how long it took, for TCP_INFO. */
function tcpUpdateRtoTime(sk: TcpSock): void {
  const stats = sk.rare === null ? null : sk.rare.rtoStats;
  if (stats === null || stats.rtoStamp === 0) return;
  stats.totalRtoTime += (tcpClockMs(sk.skNet) - stats.rtoStamp) | 0;
  stats.rtoStamp = 0;
}

/** An ACK in Loss. @returns true if the timeout was undone, or a retransmission is lost: then a recovery may begin */
function tcpLeaveLoss(sk: TcpSock, st: TcpSacktagState, numDupack: number): boolean {
  tcpProcessLoss(sk, st, numDupack);
  if (sk.icskCaState !== TCP_CA_Loss) tcpUpdateRtoTime(sk);
  tcpIdentifyPacketLoss(sk, st);
  return sk.icskCaState === TCP_CA_Open || (st.flag & FLAG_LOST_RETRANS) !== 0;
}

/** A recovery or reduction ends where highSeq is acknowledged. @returns true if the ACK is dealt with */
function tcpLeaveState(sk: TcpSock): boolean {
  if (sk.icskCaState === TCP_CA_Open) {
    sk.retransStamp = 0;
    return false;
  }
  if (before(sk.sndUna, sk.highSeq)) return false;
  if (sk.icskCaState === TCP_CA_CWR) {
    // Something above highSeq must be acknowledged, so that CWR has reached the receiver.
    if (sk.sndUna !== sk.highSeq) {
      tcpEndCwndReduction(sk);
      tcpSetCaState(sk, TCP_CA_Open);
    }
  } else if (sk.icskCaState === TCP_CA_Recovery) {
    if (tcpIsReno(sk)) tcpResetRenoSack(sk);
    if (tcpTryUndoRecovery(sk)) return true;
    tcpEndCwndReduction(sk);
  }
  return false;
}

/** An ACK in Recovery. @returns true if nothing more is to be done */
function tcpProcessRecovery(sk: TcpSock, st: TcpSacktagState, priorSndUna: number, numDupack: number): boolean {
  const flag = st.flag;
  if ((flag & FLAG_SND_UNA_ADVANCED) === 0) {
    if (tcpIsReno(sk)) tcpAddRenoSack(sk, numDupack, (flag & FLAG_ECE) !== 0);
  } else if (tcpTryUndoPartial(sk, priorSndUna)) {
    return true;
  }
  if (tcpTryUndoDsack(sk)) tcpTryToOpen(sk, flag);
  tcpIdentifyPacketLoss(sk, st);
  if (sk.icskCaState !== TCP_CA_Recovery) {
    if (!tcpTimeToRecover(sk)) return true;
    // The undo ended the recovery, but something is lost: another one begins.
    tcpEnterRecovery(sk, (flag & FLAG_ECE) !== 0);
  }
  return false;
}

/** Is it a probe of the MTU that is missing? Then it goes again in smaller pieces, and the window stays as it is (RFC 4821 §7.5). */
function tcpMtuProbeWasLost(sk: TcpSock, mtup: IcskMtup): boolean {
  if (sk.icskCaState >= TCP_CA_CWR || mtup.probeSize === 0 || sk.sndUna !== mtup.probeSeqStart) return false;
  tcpMtupProbeFailed(sk, mtup);
  tcpSimpleRetransmit(sk);
  return true;
}

/**
 * An ACK that is not plain progress: duplicate, SACK, ECE, or outside Open. Decides what is lost, in which state we
 * are, and (st.rexmit) what is to be sent; sends nothing itself.
 * @param numDupack duplicate ACKs that it counts for
 */
export function tcpFastretransAlert(sk: TcpSock, st: TcpSacktagState, priorSndUna: number, numDupack: number): void {
  const flag = st.flag;
  const eceAck = (flag & FLAG_ECE) !== 0;
  if (sk.packetsOut === 0) sk.sackedOut = 0;
  if (eceAck) sk.priorSsthresh = 0;
  if (tcpCheckSackReneging(sk, st)) return;
  if (tcpLeaveState(sk)) return;

  if (sk.icskCaState === TCP_CA_Recovery) {
    if (tcpProcessRecovery(sk, st, priorSndUna, numDupack)) return;
  } else {
    if (sk.icskCaState === TCP_CA_Loss && !tcpLeaveLoss(sk, st, numDupack)) return;
    if (tcpIsReno(sk)) {
      if ((flag & FLAG_SND_UNA_ADVANCED) !== 0) tcpResetRenoSack(sk);
      tcpAddRenoSack(sk, numDupack, eceAck);
    }
    if (sk.icskCaState <= TCP_CA_Disorder) tcpTryUndoDsack(sk);
    tcpIdentifyPacketLoss(sk, st);
    if (!tcpTimeToRecover(sk)) {
      tcpTryToOpen(sk, flag);
      return;
    }
    if (sk.icskMtup !== null && tcpMtuProbeWasLost(sk, sk.icskMtup)) return;
    tcpEnterRecovery(sk, eceAck);
  }
  st.rexmit = REXMIT_LOST;
}

/** The path MTU shrank: what is too large is lost, and sent again at once in smaller pieces. RFC 1191 §6.4. */
export function tcpSimpleRetransmit(sk: TcpSock): void {
  // A SYN with data is two segments in the queue, neither of them too large.
  const mss = sk.skState === TCP_SYN_SENT && sk.rare?.tfo?.synData === true ? -1 : tcpCurrentMss(sk);
  for (let skb = sk.tcpRtxQueue.next; skb !== null; skb = skb.next) {
    if (tcpSkbSeglen(skb) > mss) tcpMarkSkbLost(sk, skb);
  }
  if (sk.lostOut === 0) return;
  if (tcpIsReno(sk)) tcpLimitRenoSacked(sk);
  tcpNonCongestionLossRetransmit(sk);
}

/** What is lost was not lost to congestion: it goes out again, and the window stays as it is. */
export function tcpNonCongestionLossRetransmit(sk: TcpSock): void {
  if (sk.icskCaState !== TCP_CA_Loss) {
    sk.highSeq = sk.sndNxt;
    sk.sndSsthresh = tcpCurrentSsthresh(sk);
    sk.priorSsthresh = 0;
    sk.undoMarker = 0;
    tcpSetCaState(sk, TCP_CA_Loss);
  }
  tcpXmitRetransmitQueue(sk);
}
