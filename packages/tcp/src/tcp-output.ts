/*
 * tcp_transmit_skb: the TCP header is put in front of a segment and it goes to the carrier.
 *
 * What is queued stays; a clone goes down and the header is pushed into its headroom. If an earlier clone is still below
 * (in a device's queue), the headers are not ours to write: then a copy with a linear part of its own goes.
 * Order of calls: tcpWriteXmit, tcpRetransmitSkb, tcpSendAck … → tcpTransmitSkb → afSpecific.queueXmit.
 * Read first: RFC 9293 §3.1, §3.10.2.
 */
import { inetCskClearXmitTimer, inetCskIncPingpongCnt, ICSK_TIME_DACK } from '@stack/inet-sock';
import { ENOBUFS } from '@stack/kernel';
import {
  NET_XMIT_CN, __skbPush, pskbCopy, skbClone, skbCloned, skbResetTransportHeader,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SK_PACING_NONE } from '@stack/socket';
import { CA_EVENT_TX_START, tcpCaEvent } from './tcp-cong.ts';
import { tcpClockMs, tcpClockUsAt } from './tcp-clock.ts';
import { tcpEcnSend } from './tcp-ecn.ts';
import { tcpFastopenCookieCopy } from './tcp-fastopen-cookie.ts';
import { TCP_HDR_LEN, TH_OFF_FLAGS } from './tcp-hdr.ts';
import { tcpEnterCwr } from './tcp-input-cwnd.ts';
import { tcpSackCompressSent } from './tcp-input-sackcomp.ts';
import { tcpDecQuickackMode } from './tcp-input-quickack.ts';
import { TCP_MIB_OUTSEGS } from './tcp-mib.ts';
import { tcpAddStats } from './netns-tcp.ts';
import { tcpAdvertiseMss } from './tcp-output-mss.ts';
import {
  tcpEstablishedOptionsSize, tcpEstablishedOptionsWrite, tcpOutOptionsSize, tcpOutOptionsWrite,
} from './tcp-output-options.ts';
import type { TcpOutOptions } from './tcp-output-options.ts';
import { tcpPacingSent, tcpPacingStamp } from './tcp-output-pacing.ts';
import { tcpSkbSetOwnerW } from './tcp-output-tsq.ts';
import { tcpSelectWindow } from './tcp-output-window.ts';
import { tcpRateSkbSent } from './tcp-rate.ts';
import { tcpPacketsInFlight, tcpTsortedAddTail, tcpTsortedDel } from './tcp-rtx-queue.ts';
import {
  TCPHDR_ACK, TCPHDR_CWR, TCPHDR_PSH, TCPHDR_SYN, TCPHDR_URG, after, before, tcbEndSeq, tcbSeq, tcbTcpFlags, tcpSkbMss,
  tcpSkbPcount, tcpSkbSetSerial, tcpSkbSetTimestampUs,
} from './tcp-skb-cb.ts';
import { tcpIsMd5, tcpMd5SignSkb } from './tcp-md5.ts';
import type { TcpSock } from './tcp-sock.ts';

/** gsoType: only the first segment may carry CWR. */
const SKB_GSO_TCP_ECN = 1 << 2;

/** Options of our SYN: what we announce, and in a simultaneous open what we echo (tcp_syn_options). */
function tcpSynOptions(sk: TcpSock): TcpOutOptions {
  const tcp = sk.skNet.tcp;
  const opts = tcp.outOptions;
  opts.mss = tcpAdvertiseMss(sk);
  opts.md5 = tcpIsMd5(sk);
  // A signature and timestamps leave no room for the rest of a SYN.
  opts.tstampOk = tcp.sysctlTcpTimestamps !== 0 && !opts.md5;
  opts.tsval = (tcpClockMs(sk.skNet) + sk.tsoffset) | 0;
  opts.tsecr = sk.rxOpt.tsRecent;
  opts.ws = tcp.sysctlTcpWindowScaling !== 0 ? sk.rxOpt.rcvWscale : -1;
  opts.sackOk = tcp.sysctlTcpSack !== 0;
  const req = sk.rare?.tfo?.fastopenReq ?? null;
  if (req === null) opts.fastopen.val = null;
  else tcpFastopenCookieCopy(opts.fastopen, req.cookie);
  return opts;
}

/** Urgent data lies ahead of seq: the distance, at most 65535; 0 if there is none in reach (RFC 9293 §3.8.5). */
function tcpUrgPtr(sk: TcpSock, seq: number): number {
  if (sk.sndUna === sk.sndUp || !before(seq, sk.sndUp)) return 0;
  if (before(sk.sndUp, (seq + 0x10000) | 0)) return (sk.sndUp - seq) & 0xffff;
  return after((seq + 0xffff) | 0, sk.sndNxt) ? 0xffff : 0;
}

/** Pushes and fills the header of skb, which carries sequence number, flags and marks in its control block. */
function tcpWriteHeader(sk: TcpSock, skb: SkBuff): void {
  const syn = (tcbTcpFlags(skb) & TCPHDR_SYN) !== 0;
  const opts = syn ? tcpSynOptions(sk) : null;
  const optionsSize = opts === null ? tcpEstablishedOptionsSize(sk) : tcpOutOptionsSize(opts);
  const headerSize = TCP_HDR_LEN + optionsSize;
  const data = skb.len !== 0;
  const at = __skbPush(skb, headerSize);
  skbResetTransportHeader(skb);
  const view = skb.view;
  const seq = tcbSeq(skb);
  let flags = tcbTcpFlags(skb);
  let window: number;
  // A large sk_buff is pushed at the receiver's end of any aggregation.
  if (tcpSkbPcount(skb) > 1) flags |= TCPHDR_PSH;
  skb.shinfo.gsoType = sk.skGsoType;
  if (opts === null) {
    window = tcpSelectWindow(sk);
    const ecn = tcpEcnSend(sk, skb, data);
    flags |= ecn;
    if ((ecn & TCPHDR_CWR) !== 0) skb.shinfo.gsoType |= SKB_GSO_TCP_ECN;
  } else {
    window = Math.min(sk.rcvWnd, 0xffff);
  }
  const urgPtr = tcpUrgPtr(sk, seq);
  if (urgPtr !== 0) flags |= TCPHDR_URG;
  view.setInt32(at, (sk.inetSport << 16) | sk.inetDport);
  view.setInt32(at + 4, seq);
  view.setInt32(at + 8, (flags & TCPHDR_ACK) !== 0 ? sk.rcvNxt : 0);
  view.setInt32(at + TH_OFF_FLAGS, (headerSize << 26) | (flags << 16) | window);
  view.setInt32(at + 16, urgPtr);
  if (opts === null) {
    if (optionsSize !== 0) tcpEstablishedOptionsWrite(sk, view, at + TCP_HDR_LEN);
  } else {
    tcpOutOptionsWrite(opts, view, at + TCP_HDR_LEN);
  }
}

/** An ACK went out: what was owed is paid. */
function tcpEventAckSent(sk: TcpSock): void {
  const { rare } = sk;
  if (rare !== null && rare.sackCompression !== null) tcpSackCompressSent(sk, rare.sackCompression);
  tcpDecQuickackMode(sk);
  if (sk.icskAckPending !== 0) inetCskClearXmitTimer(sk, ICSK_TIME_DACK);
}

/** Data went out: the session is interactive if it answers something that came just now. */
function tcpEventDataSent(sk: TcpSock): void {
  const now = sk.skNet.world.jiffies;
  if (tcpPacketsInFlight(sk) === 0) tcpCaEvent(sk, CA_EVENT_TX_START);
  sk.lsndtime = now;
  if (((now - sk.icskAckLrcvtime) >>> 0) < sk.icskAckAto) inetCskIncPingpongCnt(sk);
}

/** The clone that goes down for a queued segment; null without memory. */
function tcpTransmitClone(skb: SkBuff): SkBuff | null {
  if (!skbCloned(skb)) return skbClone(skb);
  const copy = pskbCopy(skb);
  if (copy !== null) copy.truesize = skb.truesize;
  return copy;
}

/**
 * Sends a segment: its header is built from its control block and the state of the connection.
 * @param cloneIt skb is queued and stays the caller's; else it is taken
 * @returns 0; NET_XMIT_DROP (> 0) if our own device's queue dropped it; -errno (-ENOBUFS: no memory)
 */
export function tcpTransmitSkb(sk: TcpSock, oskb: SkBuff, cloneIt: boolean): number {
  const net = sk.skNet;
  let skb = oskb;
  let departure = 0;
  if (sk.skPacingStatus === SK_PACING_NONE) {
    tcpSkbSetTimestampUs(oskb, sk.tcpMstamp);
  } else {
    departure = tcpPacingStamp(sk);
    tcpSkbSetTimestampUs(oskb, tcpClockUsAt(departure));
  }
  if (cloneIt) {
    const clone = tcpTransmitClone(oskb);
    if (clone === null) return -ENOBUFS;
    skb = clone;
  }
  skb.tstamp = departure;
  skb.hash = sk.skTxhash;
  if (net.trace !== null) net.trace.hit(net, 'tcp_transmit_skb', skb);
  const pcount = tcpSkbPcount(skb);
  const payload = skb.len;
  const endSeq = tcbEndSeq(skb);
  tcpWriteHeader(sk, skb);
  if (tcpIsMd5(sk)) tcpMd5SignSkb(sk, sk, skb);
  tcpSkbSetOwnerW(skb, sk);
  sk.afSpecific.sendCheck(sk, skb);

  if ((tcbTcpFlags(skb) & TCPHDR_ACK) !== 0) tcpEventAckSent(sk);
  if (payload !== 0) {
    tcpEventDataSent(sk);
    sk.dataSegsOut = (sk.dataSegsOut + pcount) | 0;
    sk.bytesSent += payload;
  }
  if (after(endSeq, sk.sndNxt) || tcbSeq(skb) === endSeq) tcpAddStats(net, TCP_MIB_OUTSEGS, pcount);
  sk.segsOut = (sk.segsOut + pcount) | 0;
  skb.shinfo.gsoSegs = pcount;
  skb.shinfo.gsoSize = tcpSkbMss(skb);
  tcpClearCb(skb);

  let err = sk.afSpecific.queueXmit(sk, skb);
  if (err > 0) {
    // Our own device is congested: that counts as congestion of the path; CN means that the packet got through.
    tcpEnterCwr(sk);
    if (err === NET_XMIT_CN) err = 0;
  }
  if (err === 0 && cloneIt) tcpUpdateSkbAfterSend(sk, oskb);
  return err;
}

/** The carrier finds its own control block clean. */
function tcpClearCb(skb: SkBuff): void {
  skb.cb0 = 0;
  skb.cb1 = 0;
  skb.cb2 = 0;
  skb.cb3 = 0;
  skb.cb4 = 0;
  skb.cb5 = 0;
  skb.cb6 = 0;
  skb.cb7 = 0;
  skb.cb8 = 0;
  skb.cb9 = 0;
  skb.cb10 = 0;
  skb.cb11 = 0;
}

/** skb was sent: it is the last in the order of sending, and takes note of the rate. */
function tcpUpdateSkbAfterSend(sk: TcpSock, skb: SkBuff): void {
  if (sk.skPacingStatus !== SK_PACING_NONE) tcpPacingSent(sk, skb);
  sk.xmitSerial = (sk.xmitSerial + 1) | 0;
  tcpSkbSetSerial(skb, sk.xmitSerial);
  tcpTsortedDel(sk, skb);
  tcpTsortedAddTail(sk, skb);
  tcpRateSkbSent(sk, skb);
}
