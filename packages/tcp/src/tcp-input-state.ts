/*
 * tcp_rcv_state_process: segments in every state but ESTABLISHED and TIME-WAIT.
 *
 * Order of calls: tcpRcvStateProcess → LISTEN: afSpecific.connRequest; SYN-SENT: tcpRcvSynsentStateProcess; else
 * tcpValidateIncoming → tcpAck → tcpRcvStateAck (what the ACK means here) → tcpUrg → tcpRcvStateData.
 * Read first: RFC 9293 §3.10.7.2–3.10.7.4, figure 5.
 */
import {
  TCPF_CLOSE_WAIT, TCPF_CLOSING, TCPF_ESTABLISHED, TCPF_FIN_WAIT1, TCPF_FIN_WAIT2, TCPF_LAST_ACK,
  inetCskResetKeepaliveTimer,
} from '@stack/inet-sock';
import {
  SKB_DROP_REASON_TCP_ABORT_ON_DATA, SKB_DROP_REASON_TCP_AFTER_FIN, SKB_DROP_REASON_TCP_CLOSE, SKB_DROP_REASON_TCP_FASTOPEN,
  SKB_DROP_REASON_TCP_FLAGS, SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE, SKB_DROP_REASON_TCP_OLD_ACK, SKB_DROP_REASON_TCP_RESET,
} from '@stack/kernel';
import { consumeSkb } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  RCV_SHUTDOWN, SEND_SHUTDOWN, SOCK_DEAD, TCP_CLOSE, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2,
  TCP_LAST_ACK, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT, TCP_TIME_WAIT, sockFlag, sockOwnedByUser,
} from '@stack/socket';
import { tcpShutdown } from './tcp-close.ts';
import { tcpMstampRefresh } from './tcp-clock.ts';
import { FLAG_NO_CHALLENGE_ACK, FLAG_SLOWPATH, FLAG_UPDATE_TS_RECENT, TCP_TIMEWAIT_LEN } from './tcp-consts.ts';
import { tcpFastopenRsk, tcpRcvSynrecvStateFastopen } from './tcp-fastopen.ts';
import { TCPOLEN_TSTAMP_ALIGNED, thWindow } from './tcp-hdr.ts';
import { tcpFastopenCheckReq } from './tcp-minisocks.ts';
import { tcpAck } from './tcp-input-ack.ts';
import { tcpSendChallengeAck } from './tcp-input-challenge.ts';
import { tcpDataQueue, tcpDrop } from './tcp-input-data.ts';
import { tcpFastPathOn } from './tcp-input-fast.ts';
import { tcpAckSndCheck } from './tcp-input-quickack.ts';
import { tcpInitializeRcvMss } from './tcp-input-rcvbuf.ts';
import { tcpSynackRttMeas, tcpUpdatePacingRate } from './tcp-input-rtt.ts';
import { tcpRcvSynsentStateProcess } from './tcp-input-synsent.ts';
import { tcpInitTransfer, tcpTryUndoSpuriousSyn } from './tcp-input-transfer.ts';
import { tcpUrg } from './tcp-input-urg.ts';
import { tcpDataSndCheck, tcpReset, tcpValidateIncoming } from './tcp-input.ts';
import { tcpUpdateMetrics } from './tcp-metrics.ts';
import { LINUX_MIB_TCPABORTONDATA } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import {
  TCPHDR_ACK, TCPHDR_FIN, TCPHDR_RST, TCPHDR_SYN, after, before, tcbAckSeq, tcbEndSeq, tcbSeq, tcbTcpFlags,
} from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpFinTime } from './tcp-space.ts';
import { tcpTimeWait } from './tcp-timewait.ts';
import { tcpDone, tcpSetState } from './tcp.ts';

/** What tcpRcvStateAck left to be done: go on; skb is consumed; or it is to be reset (a drop reason, > 0). */
const STATE_ACK_GO_ON = 0;
const STATE_ACK_CONSUME = -1;

/** RFC 9293 §3.10.7.2. @returns 0, or a drop reason: a reset is due, and skb is the caller's */
function tcpRcvListen(sk: TcpSock, skb: SkBuff): number {
  const flags = tcbTcpFlags(skb);
  if ((flags & TCPHDR_ACK) !== 0) return SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE;
  if ((flags & TCPHDR_RST) !== 0) {
    tcpDrop(sk, skb, SKB_DROP_REASON_TCP_RESET);
  } else if ((flags & TCPHDR_SYN) !== 0 && (flags & TCPHDR_FIN) === 0) {
    sk.afSpecific.connRequest(sk, skb);
    consumeSkb(skb);
  } else {
    tcpDrop(sk, skb, SKB_DROP_REASON_TCP_FLAGS);
  }
  return 0;
}

/** SYN-RECEIVED, and our SYN is acknowledged: established. */
function tcpRcvSynRecvAck(sk: TcpSock, skb: SkBuff): void {
  // tcp_ack did not see the SYN-ACK of a listener's child.
  sk.delivered = (sk.delivered + 1) | 0;
  const req = tcpFastopenRsk(sk);
  if (sk.srttUs === 0) tcpSynackRttMeas(sk, req);
  // Before the buffers are measured out: they count in segments of payload.
  if (sk.rxOpt.tstampOk) sk.advmss -= TCPOLEN_TSTAMP_ALIGNED;
  if (req !== null) {
    tcpRcvSynrecvStateFastopen(sk, req);
  } else {
    tcpTryUndoSpuriousSyn(sk);
    sk.retransStamp = 0;
    tcpInitTransfer(sk);
    sk.copiedSeq = sk.rcvNxt;
  }
  tcpSetState(sk, TCP_ESTABLISHED);
  sk.skStateChange(sk);
  sk.sndUna = tcbAckSeq(skb);
  sk.sndWnd = thWindow(skb) << sk.rxOpt.sndWscale;
  sk.sndWl1 = tcbSeq(skb);
  if (sk.icskCaOps.congControl === null) tcpUpdatePacingRate(sk);
  // Before the first data the window must not look as if it had been idle.
  sk.lsndtime = sk.skNet.world.jiffies;
  tcpInitializeRcvMss(sk);
  tcpFastPathOn(sk);
  if ((sk.skShutdown & SEND_SHUTDOWN) !== 0) tcpShutdown(sk, SEND_SHUTDOWN);
}

/** FIN-WAIT-1, and our FIN is acknowledged: FIN-WAIT-2; an orphan waits there for a limited time. */
function tcpRcvFinWait1Ack(sk: TcpSock, skb: SkBuff): number {
  tcpSetState(sk, TCP_FIN_WAIT2);
  sk.skShutdown |= SEND_SHUTDOWN;
  sk.skDstPendingConfirm = true;
  if (!sockFlag(sk, SOCK_DEAD)) {
    // A lingering close() waits for this.
    sk.skStateChange(sk);
    return STATE_ACK_GO_ON;
  }
  const fin = (tcbTcpFlags(skb) & TCPHDR_FIN) !== 0;
  const newData = tcbEndSeq(skb) !== tcbSeq(skb) && after((tcbEndSeq(skb) - (fin ? 1 : 0)) | 0, sk.rcvNxt);
  if (sk.opts.linger2 < 0 || newData) {
    // Nobody is there to read it.
    tcpDone(sk);
    netIncStats(sk.skNet, LINUX_MIB_TCPABORTONDATA);
    return SKB_DROP_REASON_TCP_ABORT_ON_DATA;
  }
  const timeo = tcpFinTime(sk);
  if (timeo > TCP_TIMEWAIT_LEN) {
    inetCskResetKeepaliveTimer(sk, timeo - TCP_TIMEWAIT_LEN);
  } else if (fin || sockOwnedByUser(sk)) {
    inetCskResetKeepaliveTimer(sk, timeo);
  } else {
    tcpTimeWait(sk, TCP_FIN_WAIT2, timeo);
    return STATE_ACK_CONSUME;
  }
  return STATE_ACK_GO_ON;
}

/** What a good ACK means in this state (RFC 9293 §3.10.7.4, fifth). @returns STATE_ACK_*, or a drop reason */
function tcpRcvStateAck(sk: TcpSock, skb: SkBuff): number {
  const allAcked = sk.sndUna === sk.writeSeq;
  switch (sk.skState) {
    case TCP_SYN_RECV:
      tcpRcvSynRecvAck(sk, skb);
      return STATE_ACK_GO_ON;
    case TCP_FIN_WAIT1: {
      const req = tcpFastopenRsk(sk);
      if (req !== null) tcpRcvSynrecvStateFastopen(sk, req);
      return allAcked ? tcpRcvFinWait1Ack(sk, skb) : STATE_ACK_GO_ON;
    }
    case TCP_CLOSING:
      if (!allAcked) return STATE_ACK_GO_ON;
      tcpTimeWait(sk, TCP_TIME_WAIT, 0);
      return STATE_ACK_CONSUME;
    case TCP_LAST_ACK:
      if (!allAcked) return STATE_ACK_GO_ON;
      tcpUpdateMetrics(sk);
      tcpDone(sk);
      return STATE_ACK_CONSUME;
    default:
      return STATE_ACK_GO_ON;
  }
}

/** Segment text in this state (seventh). Takes skb unless it returns a drop reason: then a reset is due. */
function tcpRcvStateData(sk: TcpSock, skb: SkBuff): number {
  const bit = 1 << sk.skState;
  const seq = tcbSeq(skb);
  const endSeq = tcbEndSeq(skb);
  const closing = (bit & (TCPF_CLOSE_WAIT | TCPF_CLOSING | TCPF_LAST_ACK)) !== 0;
  // After the peer's FIN only what it had sent before may come again.
  const queue = closing ? before(seq, sk.rcvNxt) : (bit & (TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2)) !== 0;
  if (queue && (bit & TCPF_ESTABLISHED) === 0 && (sk.skShutdown & RCV_SHUTDOWN) !== 0 && endSeq !== seq) {
    // RFC 1122 §4.2.2.13: data for which there is no reader any more.
    const fin = (tcbTcpFlags(skb) & TCPHDR_FIN) !== 0 ? 1 : 0;
    if (after((endSeq - fin) | 0, sk.rcvNxt)) {
      netIncStats(sk.skNet, LINUX_MIB_TCPABORTONDATA);
      tcpReset(sk);
      return SKB_DROP_REASON_TCP_ABORT_ON_DATA;
    }
  }
  if (queue) tcpDataQueue(sk, skb);
  // (The segment may have taken the sock to TIME-WAIT.)
  if (sk.skState !== TCP_CLOSE) {
    tcpDataSndCheck(sk);
    tcpAckSndCheck(sk);
  }
  // An ACK without text has been of use.
  if (!queue && endSeq === seq) consumeSkb(skb);
  else if (!queue) tcpDrop(sk, skb, SKB_DROP_REASON_TCP_AFTER_FIN);
  return 0;
}

/** The ACK of a segment is not good: a reset in SYN-RECEIVED, else a challenge ACK. @returns as tcpRcvStateProcess */
function tcpRcvBadAck(sk: TcpSock, skb: SkBuff, reason: number): number {
  if (sk.skState === TCP_SYN_RECV) return reason === 0 ? SKB_DROP_REASON_TCP_OLD_ACK : -reason;
  tcpSendChallengeAck(sk);
  tcpDrop(sk, skb, -reason);
  return 0;
}

/**
 * A segment in any state but ESTABLISHED; skb begins at its header.
 * @returns 0: skb was taken; else a drop reason: the caller answers with a reset, and frees skb
 */
export function tcpRcvStateProcess(sk: TcpSock, skb: SkBuff): number {
  if (sk.skState === TCP_CLOSE) {
    tcpDrop(sk, skb, SKB_DROP_REASON_TCP_CLOSE);
    return 0;
  }
  if (sk.skState === TCP_LISTEN) return tcpRcvListen(sk, skb);
  sk.rxOpt.sawTstamp = false;
  tcpMstampRefresh(sk);
  if (sk.skState === TCP_SYN_SENT) return tcpRcvSynsentStateProcess(sk, skb);

  const req = tcpFastopenRsk(sk);
  if (req !== null && !tcpFastopenCheckReq(sk, skb, req)) {
    tcpDrop(sk, skb, SKB_DROP_REASON_TCP_FASTOPEN);
    return 0;
  }
  if ((tcbTcpFlags(skb) & (TCPHDR_ACK | TCPHDR_RST | TCPHDR_SYN)) === 0) {
    tcpDrop(sk, skb, SKB_DROP_REASON_TCP_FLAGS);
    return 0;
  }
  if (!tcpValidateIncoming(sk, skb, false)) return 0;
  const reason = tcpAck(sk, skb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT | FLAG_NO_CHALLENGE_ACK);
  // An old ACK is accepted while closing.
  if (reason < 0 || (reason === 0 && sk.skState === TCP_SYN_RECV)) return tcpRcvBadAck(sk, skb, reason);
  const next = tcpRcvStateAck(sk, skb);
  if (next > 0) return next;
  if (next === STATE_ACK_CONSUME) {
    consumeSkb(skb);
    return 0;
  }
  tcpUrg(sk, skb);
  return tcpRcvStateData(sk, skb);
}

