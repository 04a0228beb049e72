/*
 * When to acknowledge: at once (quick-ACK mode: the start of a connection, after loss or idleness), with the second
 * full segment, or after a delay that follows the peer's rhythm.
 *
 * Order of calls: tcpEventDataRecv (each data segment) → __tcpAckSndCheck → tcpSendAck or tcpSendDelayedAck.
 * Read first: RFC 9293 §3.8.6.3; RFC 5681 §4.2; RFC 1122 §4.2.3.2.
 */
import {
  ICSK_ACK_NOW, ICSK_ACK_PUSHED, ICSK_ACK_PUSHED2, inetCskAckScheduled, inetCskExitPingpongMode,
  inetCskInPingpongMode, inetCskScheduleAck,
} from '@stack/inet-sock';
import { RB_EMPTY_ROOT, RTAX_QUICKACK, dstMetric } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { sockOwnedByUser } from '@stack/socket';
import { TCP_ATO_MIN, TCP_MAX_QUICKACKS, TCP_MIN_MSS, TCP_MSS_DEFAULT } from './tcp-consts.ts';
import { tcpEcnCheckCe } from './tcp-ecn.ts';
import { TCP_HDR_LEN } from './tcp-hdr.ts';
import { tcpSackCompress } from './tcp-input-sackcomp.ts';
import { tcpGrowWindow, tcpRcvRttMeasure, tcpRescale } from './tcp-input-rcvbuf.ts';
import { tcpSendAck, tcpSendDelayedAck } from './tcp-output-ctrl.ts';
import { __tcpSelectWindow } from './tcp-output-window.ts';
import { TCPHDR_FIN, TCPHDR_PSH, TCPHDR_SYN, TCPHDR_URG, tcbTcpFlags } from './tcp-skb-cb.ts';
import { TCPF_ACK_DEFERRED } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Flags of a segment that may be shorter than the peer's MSS. */
const TCP_REMNANT = TCPHDR_FIN | TCPHDR_URG | TCPHDR_SYN | TCPHDR_PSH;

/** As many ACKs at once as half the window has segments, `max` at most. */
function tcpIncrQuickack(sk: TcpSock, max: number): void {
  let quickacks = (sk.rcvWnd / (2 * sk.icskAckRcvMss)) | 0;
  if (quickacks === 0) quickacks = 2;
  quickacks = Math.min(quickacks, max);
  if (quickacks > sk.icskAckQuick) sk.icskAckQuick = quickacks;
}

/** The next `max` ACKs go at once. */
export function tcpEnterQuickackMode(sk: TcpSock, max: number): void {
  tcpIncrQuickack(sk, max);
  inetCskExitPingpongMode(sk);
  sk.icskAckAto = TCP_ATO_MIN;
}

/** Each segment is acknowledged at once now. */
function tcpInQuickackMode(sk: TcpSock): boolean {
  if (sk.icskAckQuick !== 0 && !inetCskInPingpongMode(sk)) return true;
  const dst = sk.skDstCache;
  return dst !== null && dstMetric(dst, RTAX_QUICKACK) !== 0;
}

/** An ACK went out: one quick ACK less, if one was owed. */
export function tcpDecQuickackMode(sk: TcpSock): void {
  if (sk.icskAckQuick === 0) return;
  const pkts = inetCskAckScheduled(sk) ? 1 : 0;
  if (pkts >= sk.icskAckQuick) {
    sk.icskAckQuick = 0;
    sk.icskAckAto = TCP_ATO_MIN;
  } else {
    sk.icskAckQuick -= pkts;
  }
}

/** Estimates the peer's MSS from what comes: it decides how much data is worth an ACK. skb begins at its payload. */
export function tcpMeasureRcvMss(sk: TcpSock, skb: SkBuff): void {
  const lss = sk.icskAckLastSegSize;
  const gsoSize = skb.shinfo.gsoSize;
  let len = gsoSize !== 0 ? gsoSize : skb.len;
  sk.icskAckLastSegSize = 0;
  if (len >= sk.icskAckRcvMss) {
    if (len !== sk.icskAckRcvMss) tcpRescale(sk, skb);
    sk.icskAckRcvMss = Math.min(len, sk.advmss);
    // The end of a write: whoever reads it all should acknowledge it soon.
    if ((tcbTcpFlags(skb) & TCPHDR_PSH) !== 0) sk.icskAckPending |= ICSK_ACK_PUSHED;
    return;
  }
  // Options come and go: compare lengths with the header.
  len += skb.data - skb.transportHeader;
  if (
    len >= TCP_MSS_DEFAULT + TCP_HDR_LEN ||
    (len >= TCP_MIN_MSS + TCP_HDR_LEN && (tcbTcpFlags(skb) & TCP_REMNANT) === 0)
  ) {
    len -= sk.tcpHeaderLen;
    sk.icskAckLastSegSize = len;
    if (len === lss) {
      sk.icskAckRcvMss = len;
      return;
    }
  }
  if ((sk.icskAckPending & ICSK_ACK_PUSHED) !== 0) sk.icskAckPending |= ICSK_ACK_PUSHED2;
  sk.icskAckPending |= ICSK_ACK_PUSHED;
}

/** A data segment came in order: an ACK is owed, and everything adapts to the rhythm of the sender. */
export function tcpEventDataRecv(sk: TcpSock, skb: SkBuff): void {
  inetCskScheduleAck(sk);
  tcpMeasureRcvMss(sk, skb);
  tcpRcvRttMeasure(sk);
  const now = sk.skNet.world.jiffies;
  const ato = sk.icskAckAto;
  if (ato === 0) {
    tcpIncrQuickack(sk, TCP_MAX_QUICKACKS);
    sk.icskAckAto = TCP_ATO_MIN;
  } else {
    const m = (now - sk.icskAckLrcvtime) | 0;
    if (m <= TCP_ATO_MIN / 2) {
      sk.icskAckAto = (ato >> 1) + TCP_ATO_MIN / 2;
    } else if (m < ato) {
      sk.icskAckAto = Math.min((ato >> 1) + m, sk.icskRto);
    } else if (m > sk.icskRto) {
      // A long gap: the sender is in slow start again, and wants ACKs.
      tcpIncrQuickack(sk, TCP_MAX_QUICKACKS);
    }
  }
  sk.icskAckLrcvtime = now;
  tcpEcnCheckCe(sk, skb);
  if (skb.len >= 128) tcpGrowWindow(sk, skb);
}

/**
 * An ACK is owed: now, or later?
 * @param ofoPossible look at the out-of-order queue too
 */
export function __tcpAckSndCheck(sk: TcpSock, ofoPossible: boolean): void {
  const unacked = (sk.rcvNxt - sk.rcvWup) | 0;
  if (
    (unacked > sk.icskAckRcvMss &&
      (((sk.rcvNxt - sk.copiedSeq) | 0) < sk.skRcvlowat || __tcpSelectWindow(sk) >= sk.rcvWnd)) ||
    (sk.icskAckPending & ICSK_ACK_NOW) !== 0 || tcpInQuickackMode(sk)
  ) {
    // A system call works off its backlog: one ACK at its end will do.
    if (sockOwnedByUser(sk) && sk.skNet.tcp.sysctlTcpBacklogAckDefer !== 0) sk.tsqFlags |= TCPF_ACK_DEFERRED;
    else tcpSendAck(sk);
    return;
  }
  // RFC 5681 §4.2: a segment out of order is answered at once; the fourth for one hole soon.
  if (!ofoPossible || RB_EMPTY_ROOT(sk.outOfOrderQueue)) tcpSendDelayedAck(sk);
  else if (!tcpSackCompress(sk)) tcpSendAck(sk);
}

/** If an ACK is still owed after sending data, sees to it. */
export function tcpAckSndCheck(sk: TcpSock): void {
  if (inetCskAckScheduled(sk)) __tcpAckSndCheck(sk, true);
}
