/*
 * Opening: the SYN of an active open, and the SYN-ACK of a simultaneous one.
 *
 * Order of calls: afSpecific.connect → tcpConnect → tcpConnectInit, tcpTransmitSkb; tcpRcvSynsentStateProcess →
 * tcpSendSynack. Read first: RFC 9293 §3.5, §3.10.1.
 */
import { ICSK_TIME_RETRANS } from '@stack/inet-sock';
import { ECONNREFUSED, EFAULT, ENOBUFS, ENOMEM } from '@stack/kernel';
import {
  CHECKSUM_PARTIAL, RTAX_INITRWND, RTAX_WINDOW, __skbHeaderRelease, __skbQueueTail, __skbReserve, allocSkb, dstMetric,
  skbUncloneKeeptruesize,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SOCK_DONE, SOCK_RCVBUF_LOCK, skForcedMemSchedule, skMemCharge, sockResetFlag } from '@stack/socket';
import { tcpClockMs, tcpMstampRefresh } from './tcp-clock.ts';
import { MAX_TCP_HEADER, TCP_SKB_HEAD_TRUESIZE, TCP_TIMEOUT_INIT } from './tcp-consts.ts';
import { tcpEcnSendSyn, tcpEcnSendSynack } from './tcp-ecn.ts';
import { tcpSendSynData } from './tcp-fastopen-client.ts';
import { TCPOLEN_MD5SIG_ALIGNED, TCPOLEN_TSTAMP_ALIGNED, TCP_HDR_LEN } from './tcp-hdr.ts';
import { tcpClearRetrans } from './tcp-input-loss.ts';
import { tcpInitializeRcvMss } from './tcp-input-rcvbuf.ts';
import { TCP_MIB_ACTIVEOPENS } from './tcp-mib.ts';
import { tcpMtupInit } from './tcp-mtu-probe.ts';
import { tcpIncStats } from './netns-tcp.ts';
import { tcpInitNondataSkb } from './tcp-output-ctrl.ts';
import { tcpDstAdvmss, tcpMssClamp, tcpPathMtu, tcpSyncMss } from './tcp-output-mss.ts';
import { tcpResetXmitTimer } from './tcp-output-timer.ts';
import { tcpSelectInitialWindow } from './tcp-output-window.ts';
import { tcpTransmitSkb } from './tcp-output.ts';
import { tcpRtxQueueHead, tcpSendHead } from './tcp-rtx-queue.ts';
import {
  TCPHDR_ACK, TCPHDR_SYN, tcbEndSeq, tcbSeq, tcbSetTcpFlags, tcbTcpFlags, tcpSkbPcount,
} from './tcp-skb-cb.ts';
import { tcpIsMd5 } from './tcp-md5.ts';
import type { TcpSock } from './tcp-sock.ts';
import { skSetTxhash } from './tcp-txhash.ts';
import { tcpFullSpace } from './tcp-space.ts';
import { tcpWriteQueuePurge } from './tcp.ts';

/** MSS, windows and options that our SYN announces. */
function tcpConnectWindow(sk: TcpSock): void {
  const dst = sk.skDstCache;
  const tcp = sk.skNet.tcp;
  const fullSpace = tcpFullSpace(sk);
  if (sk.windowClamp === 0 && dst !== null) sk.windowClamp = dstMetric(dst, RTAX_WINDOW);
  sk.advmss = tcpMssClamp(sk, tcpDstAdvmss(sk, dst));
  tcpInitializeRcvMss(sk);
  // A receive buffer that the user has made small is the limit.
  if ((sk.skUserlocks & SOCK_RCVBUF_LOCK) !== 0 && (sk.windowClamp > fullSpace || sk.windowClamp === 0)) {
    sk.windowClamp = fullSpace;
  }
  const payload = sk.advmss - (sk.rxOpt.tsRecentStamp !== 0 ? sk.tcpHeaderLen - TCP_HDR_LEN : 0);
  const initRcvWnd = dst !== null ? dstMetric(dst, RTAX_INITRWND) : 0;
  const wscale = tcp.sysctlTcpWindowScaling !== 0;
  const chosen = tcpSelectInitialWindow(sk, fullSpace, payload, sk.windowClamp, wscale, initRcvWnd);
  sk.rcvWnd = chosen.rcvWnd;
  sk.windowClamp = chosen.windowClamp;
  sk.rxOpt.rcvWscale = chosen.rcvWscale;
  sk.rcvSsthresh = chosen.rcvWnd;
}

/** All that a connection starts with; its writeSeq is the initial sequence number. */
function tcpConnectInit(sk: TcpSock): void {
  sk.tcpHeaderLen = TCP_HDR_LEN;
  if (sk.skNet.tcp.sysctlTcpTimestamps !== 0) sk.tcpHeaderLen += TCPOLEN_TSTAMP_ALIGNED;
  if (tcpIsMd5(sk)) sk.tcpHeaderLen += TCPOLEN_MD5SIG_ALIGNED;
  if (sk.rxOpt.userMss !== 0) sk.rxOpt.mssClamp = sk.rxOpt.userMss;
  sk.maxWindow = 0;
  tcpMtupInit(sk);
  tcpSyncMss(sk, tcpPathMtu(sk));
  tcpConnectWindow(sk);
  sk.skErr = 0;
  sockResetFlag(sk, SOCK_DONE);
  sk.sndWnd = 0;
  sk.sndWl1 = 0;
  tcpWriteQueuePurge(sk);
  skSetTxhash(sk, sk.writeSeq);
  sk.sndUna = sk.writeSeq;
  sk.sndSml = sk.writeSeq;
  sk.sndUp = sk.writeSeq;
  sk.sndNxt = sk.writeSeq;
  sk.rcvNxt = 0;
  sk.rcvWup = 0;
  sk.copiedSeq = 0;
  sk.icskRto = TCP_TIMEOUT_INIT;
  sk.icskRetransmits = 0;
  tcpClearRetrans(sk);
}

/** The sk_buff of our SYN, in the retransmission queue and in the accounts; null without memory. */
function tcpConnectQueueSkb(sk: TcpSock): SkBuff | null {
  const skb = allocSkb(sk.skNet, MAX_TCP_HEADER);
  if (skb === null) return null;
  skb.truesize = TCP_SKB_HEAD_TRUESIZE;
  skForcedMemSchedule(sk, skb.truesize);
  __skbReserve(skb, MAX_TCP_HEADER);
  skb.ipSummed = CHECKSUM_PARTIAL;
  tcpInitNondataSkb(skb, sk.writeSeq, TCPHDR_SYN);
  __skbHeaderRelease(skb);
  sk.skWmemQueued += skb.truesize;
  skMemCharge(sk, skb.truesize);
  sk.writeSeq = tcbEndSeq(skb);
  sk.packetsOut += tcpSkbPcount(skb);
  tcpEcnSendSyn(sk, skb);
  __skbQueueTail(sk.tcpRtxQueue, skb);
  return skb;
}

/**
 * Sends the SYN of an active open; the carrier has set route, addresses, ports and writeSeq.
 * @returns 0 (also if the SYN could not be sent now: the timer sends it again), -ENOBUFS, -ECONNREFUSED
 */
export function tcpConnect(sk: TcpSock): number {
  tcpConnectInit(sk);
  const skb = tcpConnectQueueSkb(sk);
  if (skb === null) return -ENOBUFS;
  tcpMstampRefresh(sk);
  sk.retransStamp = tcpClockMs(sk.skNet);
  const err = (sk.rare?.tfo?.fastopenReq ?? null) === null ? tcpTransmitSkb(sk, skb, true) : tcpSendSynData(sk, skb);
  if (err === -ECONNREFUSED) return err;
  // After the sending, so that it counts as a first transmission.
  const head = tcpSendHead(sk);
  sk.sndNxt = head !== null ? tcbSeq(head) : sk.writeSeq;
  sk.pushedSeq = sk.sndNxt;
  tcpIncStats(sk.skNet, TCP_MIB_ACTIVEOPENS);
  tcpResetXmitTimer(sk, ICSK_TIME_RETRANS, sk.icskRto);
  return 0;
}

/** RFC 9293 §3.5, figure 8: a SYN crossed ours; ours is sent again, with an ACK. @returns 0 or -errno */
export function tcpSendSynack(sk: TcpSock): number {
  const skb = tcpRtxQueueHead(sk);
  if (skb === null || (tcbTcpFlags(skb) & TCPHDR_SYN) === 0) return -EFAULT;
  if ((tcbTcpFlags(skb) & TCPHDR_ACK) === 0) {
    if (skbUncloneKeeptruesize(skb) !== 0) return -ENOMEM;
    __skbHeaderRelease(skb);
    tcbSetTcpFlags(skb, tcbTcpFlags(skb) | TCPHDR_ACK);
    tcpEcnSendSynack(sk, skb);
  }
  return tcpTransmitSkb(sk, skb, true);
}
