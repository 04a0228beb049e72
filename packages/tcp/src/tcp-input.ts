/*
 * tcp_rcv_established: segments of a connection in the state where it spends its life; and the checks that all states
 * from SYN-RECEIVED on share.
 *
 * Order of calls: tcpV4DoRcv → tcpRcvEstablished → predicted: tcpRcvFast; else tcpValidateIncoming → tcpAck → tcpUrg →
 * tcpDataQueue → tcpDataSndCheck → tcpAckSndCheck. All that takes an sk_buff here owns it.
 * Read first: RFC 9293 §3.10.7.4; RFC 5961 §3–5; RFC 7323 §5.
 */
import { inetCskAckScheduled } from '@stack/inet-sock';
import {
  ECONNREFUSED, ECONNRESET, EPIPE, SKB_DROP_REASON_PKT_TOO_SMALL, SKB_DROP_REASON_TCP_FLAGS,
  SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE, SKB_DROP_REASON_TCP_INVALID_SEQUENCE, SKB_DROP_REASON_TCP_INVALID_SYN, SKB_DROP_REASON_TCP_OLD_SEQUENCE,
  SKB_DROP_REASON_TCP_RESET, SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK,
} from '@stack/kernel';
import { TCPF_CLOSE_WAIT, TCPF_CLOSING, TCPF_LAST_ACK } from '@stack/inet-sock';
import { __skbPull, consumeSkb, skbDstDrop } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { TCP_CLOSE, TCP_CLOSE_WAIT, TCP_SYN_RECV, TCP_SYN_SENT } from '@stack/socket';
import { tcpMstampRefresh } from './tcp-clock.ts';
import { FLAG_DATA, FLAG_SLOWPATH, FLAG_UPDATE_TS_RECENT } from './tcp-consts.ts';
import { TCPOLEN_TSTAMP_ALIGNED, TCP_HDR_LEN, TH_OFF_FLAGS } from './tcp-hdr.ts';
import { tcpAck } from './tcp-input-ack.ts';
import { tcpSendChallengeAck } from './tcp-input-challenge.ts';
import { tcpEcnReceivedCounters } from './tcp-ecn.ts';
import { tcpDataQueue, tcpDataReady, tcpDrop, tcpQueueRcv } from './tcp-input-data.ts';
import { tcpSendDupack } from './tcp-input-dsack.ts';
import { TCP_HP_BITS } from './tcp-input-fast.ts';
import { tcpFastParseOptions, tcpParseAlignedTimestamp, tcpPawsDiscard, tcpStoreTsRecent } from './tcp-input-opt.ts';
import { __tcpAckSndCheck, tcpAckSndCheck, tcpEventDataRecv } from './tcp-input-quickack.ts';
import { tcpRcvRttMeasureTs } from './tcp-input-rcvbuf.ts';
import { tcpCheckSpace } from './tcp-input-sndbuf.ts';
import { tcpUrg } from './tcp-input-urg.ts';
import {
  LINUX_MIB_BEYOND_WINDOW, LINUX_MIB_PAWSESTABREJECTED, LINUX_MIB_PAWS_OLD_ACK, LINUX_MIB_TCPACKSKIPPEDPAWS, LINUX_MIB_TCPACKSKIPPEDSEQ, LINUX_MIB_TCPHPHITS,
  LINUX_MIB_TCPSYNCHALLENGE, TCP_MIB_INERRS,
} from './tcp-mib.ts';
import { netIncStats, tcpIncStats } from './netns-tcp.ts';
import { tcpOowRateLimited, tcpOowStamp } from './tcp-oow.ts';
import { tcpPushPendingFrames } from './tcp-output-xmit.ts';
import { tcpIsSack } from './tcp-rtx-queue.ts';
import {
  TCPHDR_ACK, TCPHDR_FIN, TCPHDR_RST, TCPHDR_SYN, after, before, tcbAckSeq, tcbEndSeq, tcbSeq, tcbTcpFlags,
} from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpReceiveWindow } from './tcp-space.ts';
import { tcpDoneWithError } from './tcp.ts';

/** After an ACK: sends what it allows, and tells writers of room. */
export function tcpDataSndCheck(sk: TcpSock): void {
  tcpPushPendingFrames(sk);
  tcpCheckSpace(sk);
}

/** A valid reset: the connection is over (RFC 9293 §3.10.7.4, second). skb stays the caller's. */
export function tcpReset(sk: TcpSock): void {
  switch (sk.skState) {
    case TCP_SYN_SENT:
      tcpDoneWithError(sk, ECONNREFUSED);
      break;
    case TCP_CLOSE_WAIT:
      tcpDoneWithError(sk, EPIPE);
      break;
    case TCP_CLOSE:
      break;
    default:
      tcpDoneWithError(sk, ECONNRESET);
      break;
  }
}

// --- Is the segment acceptable? -------------------------------------------------------------------------------

/** RFC 9293 §3.4: does some of the segment lie in the window? @returns 0 or a drop reason */
function tcpSequence(sk: TcpSock, seq: number, endSeq: number, fin: boolean): number {
  if (before(endSeq, sk.rcvWup)) return SKB_DROP_REASON_TCP_OLD_SEQUENCE;
  const edge = (sk.rcvNxt + tcpReceiveWindow(sk)) | 0;
  // A closed window is for octets: a FIN behind them may come.
  if (!after(fin ? (endSeq - 1) | 0 : endSeq, edge)) return 0;
  if (after(seq, edge)) return SKB_DROP_REASON_TCP_INVALID_SEQUENCE;
  // More than the window holds, as of a peer with windows of its own mind: only while nothing waits.
  return sk.skReceiveQueue.next !== null ? SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE : 0;
}

/** A reset just below rcvNxt, after the peer's FIN: a peer that does not count its FIN. */
function tcpResetCheck(sk: TcpSock, seq: number): boolean {
  return seq === ((sk.rcvNxt - 1) | 0) && ((1 << sk.skState) & (TCPF_CLOSE_WAIT | TCPF_LAST_ACK | TCPF_CLOSING)) !== 0;
}

/** The end of what the peer has sent, as far as SACK tells: a reset there is exact too. */
function tcpResetAtMaxSack(sk: TcpSock, seq: number): boolean {
  const n = sk.rxOpt.numSacks;
  const sp = sk.selectiveAcks;
  if (!tcpIsSack(sk) || n === 0 || sp === null) return false;
  let maxSack = sp[1]!;
  for (let i = 1; i < n; i++) if (after(sp[2 * i + 1]!, maxSack)) maxSack = sp[2 * i + 1]!;
  return seq === maxSack;
}

/** Drops skb; answers with an ACK if the limit allows. @returns false */
function tcpInvalid(sk: TcpSock, skb: SkBuff, reason: number, skippedMib: number): boolean {
  const net = sk.skNet;
  if ((tcbTcpFlags(skb) & TCPHDR_RST) === 0 && !tcpOowRateLimited(net, skb, skippedMib, sk.lastOowAckTime)) {
    sk.lastOowAckTime = tcpOowStamp(net, skb, sk.lastOowAckTime);
    tcpSendDupack(sk, skb);
  }
  tcpDrop(sk, skb, reason);
  return false;
}

/** RFC 5961 §4.2: a SYN in a synchronized state gets a challenge ACK. @returns false */
function tcpSynChallenge(sk: TcpSock, skb: SkBuff, synInerr: boolean): boolean {
  if (synInerr) tcpIncStats(sk.skNet, TCP_MIB_INERRS);
  netIncStats(sk.skNet, LINUX_MIB_TCPSYNCHALLENGE);
  tcpSendChallengeAck(sk);
  tcpDrop(sk, skb, SKB_DROP_REASON_TCP_INVALID_SYN);
  return false;
}

/** Ends the connection. @returns false */
function tcpValidReset(sk: TcpSock, skb: SkBuff): boolean {
  tcpReset(sk);
  consumeSkb(skb);
  return false;
}

/** A SYN-ACK that repeats itself in a simultaneous open (RFC 9293 §3.5, figure 8). */
function tcpIsCrossedSynack(sk: TcpSock, skb: SkBuff): boolean {
  const seq = (tcbSeq(skb) + 1) | 0;
  return sk.skState === TCP_SYN_RECV && sk.skSocket !== null && (tcbTcpFlags(skb) & TCPHDR_ACK) !== 0 &&
    seq === tcbEndSeq(skb) && seq === sk.rcvNxt && tcbAckSeq(skb) === sk.sndNxt;
}

/**
 * PAWS, sequence number, RST, SYN: the first four steps of RFC 9293 §3.10.7.4.
 * @param synInerr count an unexpected SYN as an error
 * @returns true: go on; false: skb was taken
 */
export function tcpValidateIncoming(sk: TcpSock, skb: SkBuff, synInerr: boolean): boolean {
  const flags = tcbTcpFlags(skb);
  const seq = tcbSeq(skb);
  const rst = (flags & TCPHDR_RST) !== 0;
  const syn = (flags & TCPHDR_SYN) !== 0;
  const old = tcpFastParseOptions(sk, skb) && sk.rxOpt.sawTstamp ? tcpPawsDiscard(sk, skb) : 0;
  if (old !== 0) {
    if (syn && !rst) return tcpSynChallenge(sk, skb, synInerr);
    if (old === SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK) {
      netIncStats(sk.skNet, LINUX_MIB_PAWS_OLD_ACK);
      tcpDrop(sk, skb, old);
      return false;
    }
    netIncStats(sk.skNet, LINUX_MIB_PAWSESTABREJECTED);
    // RFC 7323 §5.2: a reset counts whatever its timestamp.
    if (!rst) return tcpInvalid(sk, skb, old, LINUX_MIB_TCPACKSKIPPEDPAWS);
  }
  const reason = tcpSequence(sk, seq, tcbEndSeq(skb), (flags & TCPHDR_FIN) !== 0);
  if (reason !== 0) {
    if (rst && tcpResetCheck(sk, seq)) return tcpValidReset(sk, skb);
    if (syn && !rst) return tcpSynChallenge(sk, skb, synInerr);
    if (!rst && reason !== SKB_DROP_REASON_TCP_OLD_SEQUENCE) netIncStats(sk.skNet, LINUX_MIB_BEYOND_WINDOW);
    return tcpInvalid(sk, skb, reason, LINUX_MIB_TCPACKSKIPPEDSEQ);
  }
  if (rst) {
    // RFC 5961 §3.2: only a reset at exactly the next number is believed.
    if (seq === sk.rcvNxt || tcpResetCheck(sk, seq) || tcpResetAtMaxSack(sk, seq)) return tcpValidReset(sk, skb);
    tcpSendChallengeAck(sk);
    tcpDrop(sk, skb, SKB_DROP_REASON_TCP_RESET);
    return false;
  }
  if (syn && !tcpIsCrossedSynack(sk, skb)) return tcpSynChallenge(sk, skb, synInerr);
  return true;
}

// --- Established ----------------------------------------------------------------------------------------------

/** A predicted pure ACK: we are the sender of a one-way flow. */
function tcpRcvFastAck(sk: TcpSock, skb: SkBuff, tstamp: boolean): void {
  if (tstamp && sk.rcvNxt === sk.rcvWup) tcpStoreTsRecent(sk);
  tcpEcnReceivedCounters(sk, skb);
  tcpAck(sk, skb, 0);
  consumeSkb(skb);
  tcpDataSndCheck(sk);
  sk.rcvRttLastTsecr = sk.rxOpt.rcvTsecr;
}

/** A predicted data segment: we are the receiver of a one-way flow. */
function tcpRcvFastData(sk: TcpSock, skb: SkBuff, tstamp: boolean): void {
  if (tstamp && sk.rcvNxt === sk.rcvWup) tcpStoreTsRecent(sk);
  tcpRcvRttMeasureTs(sk, skb);
  netIncStats(sk.skNet, LINUX_MIB_TCPHPHITS);
  tcpEcnReceivedCounters(sk, skb);
  skbDstDrop(skb);
  __skbPull(skb, sk.tcpHeaderLen);
  const eaten = tcpQueueRcv(sk, skb);
  tcpEventDataRecv(sk, skb);
  if (tcbAckSeq(skb) !== sk.sndUna) {
    tcpAck(sk, skb, FLAG_DATA);
    tcpDataSndCheck(sk);
    if (inetCskAckScheduled(sk)) __tcpAckSndCheck(sk, false);
  } else {
    sk.sndWl1 = tcbSeq(skb);
    __tcpAckSndCheck(sk, false);
  }
  if (eaten) consumeSkb(skb);
  tcpDataReady(sk);
}

/** Steps 5 to 8 of RFC 9293 §3.10.7.4 for an acceptable segment. */
function tcpRcvStep5(sk: TcpSock, skb: SkBuff): void {
  tcpEcnReceivedCounters(sk, skb);
  const reason = tcpAck(sk, skb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT);
  if (reason < 0) {
    tcpDrop(sk, skb, -reason);
    return;
  }
  tcpRcvRttMeasureTs(sk, skb);
  tcpUrg(sk, skb);
  tcpDataQueue(sk, skb);
  tcpDataSndCheck(sk);
  tcpAckSndCheck(sk);
}

/** The segment is what predFlags said, next in order, and acknowledges nothing unsent. @returns false: take the slow path */
function tcpRcvFast(sk: TcpSock, skb: SkBuff): boolean {
  const headerLen = sk.tcpHeaderLen;
  const tstamp = headerLen === TCP_HDR_LEN + TCPOLEN_TSTAMP_ALIGNED;
  if (tstamp) {
    if (!tcpParseAlignedTimestamp(sk, skb)) return false;
    if (((sk.rxOpt.rcvTsval - sk.rxOpt.tsRecent) | 0) < 0) return false;
  }
  if (skb.len === headerLen) {
    tcpRcvFastAck(sk, skb, tstamp);
    return true;
  }
  if (skb.len < headerLen) {
    tcpIncStats(sk.skNet, TCP_MIB_INERRS);
    tcpDrop(sk, skb, SKB_DROP_REASON_PKT_TOO_SMALL);
    return true;
  }
  if (after(tcbEndSeq(skb), (sk.rcvNxt + tcpReceiveWindow(sk)) | 0)) return false;
  // Memory is not at hand: the slow path gets some, or drops.
  if (skb.truesize > sk.skForwardAlloc) {
    tcpRcvStep5(sk, skb);
    return true;
  }
  tcpRcvFastData(sk, skb, tstamp);
  return true;
}

/**
 * A segment for a connection in ESTABLISHED; skb begins at its header, verified by the carrier, and is taken.
 * Deviation: Linux predicts segments with ACKs of any age, and queues their data before it looks at the ACK (RFC 5961 §5.2).
 */
export function tcpRcvEstablished(sk: TcpSock, skb: SkBuff): void {
  tcpMstampRefresh(sk);
  sk.rxOpt.sawTstamp = false;
  const word = skb.view.getInt32(skb.transportHeader + TH_OFF_FLAGS);
  const ack = tcbAckSeq(skb);
  if (
    (word & TCP_HP_BITS) === sk.predFlags && tcbSeq(skb) === sk.rcvNxt && !after(ack, sk.sndNxt) && !before(ack, (sk.sndUna - sk.maxWindow) | 0) &&
    tcpRcvFast(sk, skb)
  ) {
    return;
  }
  const flags = tcbTcpFlags(skb);
  if ((flags & (TCPHDR_ACK | TCPHDR_RST | TCPHDR_SYN)) === 0) {
    tcpDrop(sk, skb, SKB_DROP_REASON_TCP_FLAGS);
    return;
  }
  if (tcpValidateIncoming(sk, skb, true)) tcpRcvStep5(sk, skb);
}
