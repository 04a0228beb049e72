/*
 * Segments in SYN-SENT: the answer to our SYN, or a SYN that crossed it.
 *
 * Order of calls: tcpRcvStateProcess → tcpRcvSynsentStateProcess → tcpSynsentAck → tcpFinishConnect; or
 * tcpSynsentCrossed → tcpSendSynack. Read first: RFC 9293 §3.10.7.3, §3.5 figure 8.
 */
import {
  ICSK_TIME_DACK, ICSK_TIME_RETRANS, inetCskInPingpongMode, inetCskScheduleAck,
} from '@stack/inet-sock';
import {
  SKB_DROP_REASON_TCP_FLAGS, SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE, SKB_DROP_REASON_TCP_RESET,
  SKB_DROP_REASON_TCP_RFC7323_PAWS,
} from '@stack/kernel';
import { consumeSkb } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SOCK_DEAD, TCP_SYN_RECV, sockFlag } from '@stack/socket';
import { tcpClockMs } from './tcp-clock.ts';
import { FLAG_SLOWPATH, TCP_DELACK_MAX, TCP_MAX_QUICKACKS } from './tcp-consts.ts';
import { tcpEcnRcvSyn, tcpEcnRcvSynack } from './tcp-ecn.ts';
import { tcpRcvFastopenSynack } from './tcp-fastopen-client.ts';
import { TCPOLEN_TSTAMP_ALIGNED, TCP_HDR_LEN, thWindow } from './tcp-hdr.ts';
import { tcpAck } from './tcp-input-ack.ts';
import { tcpDrop } from './tcp-input-data.ts';
import { tcpParseOptions, tcpPawsReject, tcpStoreTsRecent } from './tcp-input-opt.ts';
import { tcpEnterQuickackMode } from './tcp-input-quickack.ts';
import { tcpInitializeRcvMss } from './tcp-input-rcvbuf.ts';
import { tcpFinishConnect, tcpTryUndoSpuriousSyn } from './tcp-input-transfer.ts';
import { tcpUrg } from './tcp-input-urg.ts';
import { tcpDataSndCheck, tcpReset } from './tcp-input.ts';
import { LINUX_MIB_PAWSACTIVEREJECTED } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpSendSynack } from './tcp-output-connect.ts';
import { tcpSendAck } from './tcp-output-ctrl.ts';
import { tcpSyncMss } from './tcp-output-mss.ts';
import { tcpResetXmitTimer } from './tcp-output-timer.ts';
import { TCPHDR_ACK, TCPHDR_RST, TCPHDR_SYN, after, between, tcbAckSeq, tcbSeq, tcbTcpFlags } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpSetState } from './tcp.ts';

/** The segment is not what we wait for: what its options said is forgotten. */
function tcpSynsentUndo(sk: TcpSock, savedClamp: number): void {
  const rx = sk.rxOpt;
  rx.tstampOk = false;
  rx.sackOk = 0;
  rx.wscaleOk = false;
  rx.sndWscale = 0;
  rx.mssClamp = savedClamp;
}

function tcpSynsentDiscard(sk: TcpSock, skb: SkBuff, savedClamp: number, reason: number): number {
  tcpSynsentUndo(sk, savedClamp);
  tcpDrop(sk, skb, reason);
  return 0;
}

/** First: the ACK bit. @returns 0 if the ACK is acceptable, else a drop reason */
function tcpSynsentCheckAck(sk: TcpSock, skb: SkBuff): number {
  const ack = tcbAckSeq(skb);
  if (!after(ack, sk.sndUna) || after(ack, sk.sndNxt)) {
    // Perhaps of an earlier connection: after our reset, another SYN soon.
    if (sk.icskRetransmits === 0) tcpResetXmitTimer(sk, ICSK_TIME_RETRANS, 2);
    return SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE;
  }
  const rx = sk.rxOpt;
  if (rx.sawTstamp && rx.rcvTsecr !== 0 && !between(rx.rcvTsecr, sk.retransStamp, tcpClockMs(sk.skNet))) {
    netIncStats(sk.skNet, LINUX_MIB_PAWSACTIVEREJECTED);
    return SKB_DROP_REASON_TCP_RFC7323_PAWS;
  }
  return 0;
}

/** Timestamps, if the SYN had them: they cost twelve bytes of every segment. */
function tcpSynsentTstamp(sk: TcpSock): void {
  const rx = sk.rxOpt;
  sk.tcpHeaderLen = TCP_HDR_LEN;
  if (!rx.sawTstamp) return;
  rx.tstampOk = true;
  sk.tcpHeaderLen += TCPOLEN_TSTAMP_ALIGNED;
  sk.advmss -= TCPOLEN_TSTAMP_ALIGNED;
  tcpStoreTsRecent(sk);
}

/** RFC 7323 §2.2: windows are scaled only if both SYNs offered it. */
function tcpSynsentWscale(sk: TcpSock): void {
  const rx = sk.rxOpt;
  if (rx.wscaleOk) return;
  rx.sndWscale = 0;
  rx.rcvWscale = 0;
  sk.windowClamp = Math.min(sk.windowClamp, 0xffff);
}

/** A writer waits for the handshake, or the user has said that it will write first (TCP_DEFER_ACCEPT, TCP_QUICKACK 0). */
function tcpSynsentAckWaits(sk: TcpSock): boolean {
  const { rare, icskAcceptQueue: queue } = sk;
  if (rare?.writePending === true) {
    rare.writePending = false;
    return true;
  }
  return (queue !== null && queue.rskqDeferAccept !== 0) || inetCskInPingpongMode(sk);
}

/** The SYN-ACK: established. Takes skb. */
function tcpSynsentAck(sk: TcpSock, skb: SkBuff): void {
  tcpEcnRcvSynack(sk, skb);
  sk.sndWl1 = tcbSeq(skb);
  tcpTryUndoSpuriousSyn(sk);
  tcpAck(sk, skb, FLAG_SLOWPATH);
  sk.rcvNxt = (tcbSeq(skb) + 1) | 0;
  sk.rcvWup = sk.rcvNxt;
  // RFC 7323 §2.2: the window of a SYN is never scaled.
  sk.sndWnd = thWindow(skb);
  tcpSynsentWscale(sk);
  tcpSynsentTstamp(sk);
  tcpSyncMss(sk, sk.icskPmtuCookie);
  tcpInitializeRcvMss(sk);
  sk.copiedSeq = sk.rcvNxt;
  tcpFinishConnect(sk);
  const resent = sk.rare !== null && tcpRcvFastopenSynack(sk, sk.skNet.tcp.fastopenCookie);
  if (!sockFlag(sk, SOCK_DEAD)) sk.skStateChange(sk);
  if (resent) {
    consumeSkb(skb);
    return;
  }
  if (tcpSynsentAckWaits(sk)) {
    // The ACK will go with data.
    inetCskScheduleAck(sk);
    tcpEnterQuickackMode(sk, TCP_MAX_QUICKACKS);
    tcpResetXmitTimer(sk, ICSK_TIME_DACK, TCP_DELACK_MAX);
    consumeSkb(skb);
    return;
  }
  tcpSendAck(sk);
  tcpUrg(sk, skb);
  consumeSkb(skb);
  tcpDataSndCheck(sk);
}

/** A SYN without ACK: both sides open at once. Takes skb. */
function tcpSynsentCrossed(sk: TcpSock, skb: SkBuff): void {
  tcpSetState(sk, TCP_SYN_RECV);
  tcpSynsentTstamp(sk);
  // advmss is corrected when the ACK comes, as for a listener's child.
  if (sk.rxOpt.tstampOk) sk.advmss += TCPOLEN_TSTAMP_ALIGNED;
  sk.rcvNxt = (tcbSeq(skb) + 1) | 0;
  sk.copiedSeq = sk.rcvNxt;
  sk.rcvWup = sk.rcvNxt;
  sk.sndWnd = thWindow(skb);
  sk.sndWl1 = tcbSeq(skb);
  sk.maxWindow = sk.sndWnd;
  // Deviation: Linux goes on scaling its window here; a peer that offered no scale reads 63 for 64240 (RFC 7323 §2.2).
  tcpSynsentWscale(sk);
  tcpEcnRcvSyn(sk, skb);
  tcpSyncMss(sk, sk.icskPmtuCookie);
  tcpInitializeRcvMss(sk);
  tcpSendSynack(sk);
  consumeSkb(skb);
}

/** RFC 9293 §3.10.7.3. @returns as tcpRcvStateProcess */
export function tcpRcvSynsentStateProcess(sk: TcpSock, skb: SkBuff): number {
  const rx = sk.rxOpt;
  const savedClamp = rx.mssClamp;
  const flags = tcbTcpFlags(skb);
  tcpParseOptions(sk.skNet, skb, rx, false);
  if (rx.sawTstamp && rx.rcvTsecr !== 0) rx.rcvTsecr = (rx.rcvTsecr - sk.tsoffset) | 0;

  if ((flags & TCPHDR_ACK) !== 0) {
    const reason = tcpSynsentCheckAck(sk, skb);
    if (reason !== 0) {
      tcpSynsentUndo(sk, savedClamp);
      if ((flags & TCPHDR_RST) === 0) return reason;
      tcpDrop(sk, skb, reason);
      return 0;
    }
    if ((flags & TCPHDR_RST) !== 0) {
      tcpReset(sk);
      consumeSkb(skb);
      return 0;
    }
    if ((flags & TCPHDR_SYN) === 0) return tcpSynsentDiscard(sk, skb, savedClamp, SKB_DROP_REASON_TCP_FLAGS);
    tcpSynsentAck(sk, skb);
    return 0;
  }
  if ((flags & TCPHDR_RST) !== 0) return tcpSynsentDiscard(sk, skb, savedClamp, SKB_DROP_REASON_TCP_RESET);
  if (rx.tsRecentStamp !== 0 && rx.sawTstamp && tcpPawsReject(sk.skNet, rx, false)) {
    return tcpSynsentDiscard(sk, skb, savedClamp, SKB_DROP_REASON_TCP_RFC7323_PAWS);
  }
  if ((flags & TCPHDR_SYN) === 0) return tcpSynsentDiscard(sk, skb, savedClamp, SKB_DROP_REASON_TCP_FLAGS);
  tcpSynsentCrossed(sk, skb);
  return 0;
}
