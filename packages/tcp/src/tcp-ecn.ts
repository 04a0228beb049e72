/*
 * Explicit congestion notification: what TCP puts into ECE and CWR, and what it takes from them.
 *
 * Order of calls: the handshake (tcpEcnSendSyn, tcpEcnRcvSynack, tcpEcnRcvSyn, tcpEcnMakeSynack), then per segment sent
 * tcpEcnSend, per segment received tcpEcnCheckCe and tcpEcnAcceptCwr, per ACK tcpEcnRcvEcnEcho.
 * Read first: RFC 3168 §6.1.
 */
import type { SkBuff } from '@stack/skbuff';
import { ICSK_ACK_NOW } from '@stack/inet-sock';
import type { RequestSock } from '@stack/inet-sock';
import { CA_EVENT_ECN_IS_CE, CA_EVENT_ECN_NO_CE, tcpCaEvent, tcpCaNeedsEcn } from './tcp-cong.ts';
import { thFlags } from './tcp-hdr.ts';
import { tcpEnterQuickackMode } from './tcp-input-quickack.ts';
import {
  TCPHDR_CWR, TCPHDR_ECE, TCPHDR_SYN, before, tcbEndSeq, tcbIpDsfield, tcbSeq, tcbSetTcpFlags, tcbTcpFlags,
} from './tcp-skb-cb.ts';
import { TCP_ECN_DEMAND_CWR, TCP_ECN_OK, TCP_ECN_QUEUE_CWR, TCP_ECN_SEEN } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** ECT, CE of the carrier's header. */
export const INET_ECN_NOT_ECT = 0;
export const INET_ECN_ECT_1 = 1;
export const INET_ECN_ECT_0 = 2;
export const INET_ECN_CE = 3;

/** The window was reduced: the next data segment says so. */
export function tcpEcnQueueCwr(sk: TcpSock): void {
  if ((sk.ecnFlags & TCP_ECN_OK) !== 0) sk.ecnFlags |= TCP_ECN_QUEUE_CWR;
}

/** It was not, after all. */
export function tcpEcnWithdrawCwr(sk: TcpSock): void {
  sk.ecnFlags &= ~TCP_ECN_QUEUE_CWR;
}

/** The peer has reduced its window: stop echoing. */
export function tcpEcnAcceptCwr(sk: TcpSock, skb: SkBuff): void {
  if ((tcbTcpFlags(skb) & TCPHDR_CWR) === 0) return;
  sk.ecnFlags &= ~TCP_ECN_DEMAND_CWR;
  // Its window may be a single segment: that must not wait for a delayed ACK.
  if (tcbSeq(skb) !== tcbEndSeq(skb)) sk.icskAckPending |= ICSK_ACK_NOW;
}

/** Our SYN offers ECN (net.ipv4.tcp_ecn = 1, or the congestion control wants it). */
export function tcpEcnSendSyn(sk: TcpSock, skb: SkBuff): void {
  sk.ecnFlags = 0;
  if (sk.skNet.tcp.sysctlTcpEcn !== 1 && !tcpCaNeedsEcn(sk)) return;
  tcbSetTcpFlags(skb, tcbTcpFlags(skb) | TCPHDR_ECE | TCPHDR_CWR);
  sk.ecnFlags = TCP_ECN_OK;
}

/** Our SYN-ACK in a simultaneous open: ECE without CWR accepts, nothing refuses. */
export function tcpEcnSendSynack(sk: TcpSock, skb: SkBuff): void {
  let flags = tcbTcpFlags(skb) & ~TCPHDR_CWR;
  if ((sk.ecnFlags & TCP_ECN_OK) === 0) flags &= ~TCPHDR_ECE;
  tcbSetTcpFlags(skb, flags);
}

/** RFC 3168 §6.1.1.1: a SYN that was lost with ECN is sent again without. */
export function tcpEcnClearSyn(sk: TcpSock, skb: SkBuff): void {
  if (sk.skNet.tcp.sysctlTcpEcnFallback !== 0) tcbSetTcpFlags(skb, tcbTcpFlags(skb) & ~(TCPHDR_ECE | TCPHDR_CWR));
}

/** The SYN-ACK accepts ECN by ECE without CWR. */
export function tcpEcnRcvSynack(sk: TcpSock, skb: SkBuff): void {
  const flags = tcbTcpFlags(skb);
  if ((sk.ecnFlags & TCP_ECN_OK) !== 0 && ((flags & TCPHDR_ECE) === 0 || (flags & TCPHDR_CWR) !== 0)) {
    sk.ecnFlags &= ~TCP_ECN_OK;
  }
}

/** A crossing SYN must offer ECN too. */
export function tcpEcnRcvSyn(sk: TcpSock, skb: SkBuff): void {
  const flags = tcbTcpFlags(skb);
  if ((sk.ecnFlags & TCP_ECN_OK) !== 0 && ((flags & TCPHDR_ECE) === 0 || (flags & TCPHDR_CWR) === 0)) {
    sk.ecnFlags &= ~TCP_ECN_OK;
  }
}

/** A listener takes a SYN's offer unless net.ipv4.tcp_ecn is 0. @param ect the SYN itself was ECN-capable: suspicious */
export function tcpEcnCreateRequest(req: RequestSock, skb: SkBuff, sk: TcpSock, ect: boolean): void {
  const flags = thFlags(skb);
  if ((flags & TCPHDR_ECE) === 0 || (flags & TCPHDR_CWR) === 0 || sk.skNet.tcp.sysctlTcpEcn === 0) return;
  if (!ect || tcpCaNeedsEcn(sk)) req.ecnOk = true;
}

/** The child of a request inherits what was agreed. */
export function tcpEcnOpenreqChild(child: TcpSock, req: RequestSock): void {
  child.ecnFlags = req.ecnOk ? TCP_ECN_OK : 0;
}

/** ECE on data: the sender must reduce its window (RFC 3168 §6.1.2). */
export function tcpEcnRcvEcnEcho(sk: TcpSock, skb: SkBuff): boolean {
  const flags = tcbTcpFlags(skb);
  return (flags & TCPHDR_ECE) !== 0 && (flags & TCPHDR_SYN) === 0 && (sk.ecnFlags & TCP_ECN_OK) !== 0;
}

/** Without ECN of RFC 3168 too, it is remembered that a packet said ECT or CE: TCP_INFO tells. */
export function tcpEcnReceivedCounters(sk: TcpSock, skb: SkBuff): void {
  if ((tcbIpDsfield(skb) & INET_ECN_CE) !== 0 && (sk.ecnFlags & TCP_ECN_OK) === 0) sk.ecnFlags |= TCP_ECN_SEEN;
}

/** A data segment came, with CE or not: CE is echoed until the peer's CWR (RFC 3168 §6.1.3). */
export function tcpEcnCheckCe(sk: TcpSock, skb: SkBuff): void {
  if ((sk.ecnFlags & TCP_ECN_OK) === 0) return;
  const ecn = tcbIpDsfield(skb) & INET_ECN_CE;
  if (ecn === INET_ECN_NOT_ECT) {
    // A peer that once sent ECT does so always, but for retransmissions: they hide CE, so answer quickly.
    if ((sk.ecnFlags & TCP_ECN_SEEN) !== 0) tcpEnterQuickackMode(sk, 2);
    return;
  }
  if (ecn === INET_ECN_CE) {
    if (tcpCaNeedsEcn(sk)) tcpCaEvent(sk, CA_EVENT_ECN_IS_CE);
    if ((sk.ecnFlags & TCP_ECN_DEMAND_CWR) === 0) {
      tcpEnterQuickackMode(sk, 2);
      sk.ecnFlags |= TCP_ECN_DEMAND_CWR;
    }
  } else if (tcpCaNeedsEcn(sk)) {
    tcpCaEvent(sk, CA_EVENT_ECN_NO_CE);
  }
  sk.ecnFlags |= TCP_ECN_SEEN;
}

/**
 * ECN of a segment to be sent, whose header is not written yet: ECT on new data, CWR once after a reduction, ECE while
 * the peer's CWR is awaited (RFC 3168 §6.1.2–6.1.5).
 * @param data the segment carries data @returns TCPHDR_ECE and TCPHDR_CWR to be added
 */
export function tcpEcnSend(sk: TcpSock, skb: SkBuff, data: boolean): number {
  if ((sk.ecnFlags & TCP_ECN_OK) === 0) return 0;
  let flags = 0;
  if (data && !before(tcbSeq(skb), sk.sndNxt)) {
    sk.tos = (sk.tos & ~INET_ECN_CE) | INET_ECN_ECT_0;
    if ((sk.ecnFlags & TCP_ECN_QUEUE_CWR) !== 0) {
      sk.ecnFlags &= ~TCP_ECN_QUEUE_CWR;
      flags |= TCPHDR_CWR;
    }
  } else if (!tcpCaNeedsEcn(sk)) {
    sk.tos &= ~INET_ECN_CE;
  }
  if ((sk.ecnFlags & TCP_ECN_DEMAND_CWR) !== 0) flags |= TCPHDR_ECE;
  return flags;
}
