/*
 * How large a segment may be: path MTU, the peer's MSS, our options, and half of the peer's window.
 *
 * Order of calls: tcpSyncMss when the MTU is (re)learnt; tcpCurrentMss before each round of sending.
 * Read first: RFC 9293 §3.7.1–3.7.2; RFC 6691; RFC 1191.
 */
import { dstMetricAdvmss, dstMtu } from '@stack/skbuff';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import { TCP_MSS_DEFAULT } from './tcp-consts.ts';
import { TCP_HDR_LEN } from './tcp-hdr.ts';
import { tcpEstablishedOptionsSize } from './tcp-output-options.ts';
import { tcpSkbMss, tcpSkbPcount } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/** MTU of a carrier that has no dst: room for the default MSS and the timestamp option. */
const NO_DST_MTU = 1500;

/** MTU of the socket's path. */
export function tcpPathMtu(sk: TcpSock): number {
  const dst = sk.skDstCache;
  if (dst !== null) return dstMtu(dst);
  return sk.icskPmtuCookie !== 0 ? sk.icskPmtuCookie : NO_DST_MTU;
}

/** MSS that fits into a packet of `pmtu` bytes, without options that every segment carries. */
export function tcpMtuToMssNoOptions(sk: TcpSock, pmtu: number): number {
  let mss = pmtu - sk.afSpecific.netHeaderLen - TCP_HDR_LEN;
  if (mss > sk.rxOpt.mssClamp) mss = sk.rxOpt.mssClamp;
  return Math.max(mss - sk.icskExtHdrLen, sk.skNet.tcp.sysctlTcpMinSndMss);
}

/** Payload that fits into a packet of `pmtu` bytes. */
export function tcpMtuToMss(sk: TcpSock, pmtu: number): number {
  return tcpMtuToMssNoOptions(sk, pmtu) - (sk.tcpHeaderLen - TCP_HDR_LEN);
}

/** No segment larger than half of the largest window that the peer ever offered (RFC 9293 §3.8.6.2.1). */
export function tcpBoundToHalfWnd(sk: TcpSock, pktsize: number): number {
  const cutoff = sk.maxWindow > TCP_MSS_DEFAULT ? sk.maxWindow >> 1 : sk.maxWindow;
  if (cutoff !== 0 && pktsize > cutoff) return Math.max(cutoff, 68 - sk.tcpHeaderLen);
  return pktsize;
}

/** The path MTU of which mss is the MSS. */
export function tcpMssToMtu(sk: TcpSock, mss: number): number {
  return mss + sk.tcpHeaderLen + sk.icskExtHdrLen + sk.afSpecific.netHeaderLen;
}

/** Takes over a path MTU. @returns the MSS, which is kept in sk.mssCache */
export function tcpSyncMss(sk: TcpSock, pmtu: number): number {
  const mtup = sk.icskMtup;
  if (mtup !== null && mtup.searchHigh > pmtu) mtup.searchHigh = pmtu;
  let mss = tcpBoundToHalfWnd(sk, tcpMtuToMss(sk, pmtu));
  sk.icskPmtuCookie = pmtu;
  if (mtup !== null && mtup.enabled) mss = Math.min(mss, tcpMtuToMss(sk, mtup.searchLow));
  sk.mssCache = mss;
  return mss;
}

/** The MSS of now: notices a new route's MTU, and the SACK blocks that an ACK would carry. */
export function tcpCurrentMss(sk: TcpSock): number {
  let mss = sk.mssCache;
  const dst = sk.skDstCache;
  if (dst !== null) {
    const mtu = dstMtu(dst);
    if (mtu !== sk.icskPmtuCookie) mss = tcpSyncMss(sk, mtu);
  }
  const headerLen = TCP_HDR_LEN + tcpEstablishedOptionsSize(sk);
  // mssCache already allows for the options in tcpHeaderLen.
  return headerLen === sk.tcpHeaderLen ? mss : mss - (headerLen - sk.tcpHeaderLen);
}

/** mss, or what TCP_MAXSEG asks for if that is less. */
export function tcpMssClamp(sk: TcpSock, mss: number): number {
  const user = sk.rxOpt.userMss;
  return user !== 0 && user < mss ? user : mss;
}

/** The MSS to announce on this route; for a carrier without routes, what fits its packets. */
export function tcpDstAdvmss(sk: TcpSock, dst: DstEntry | null): number {
  if (dst !== null) return dstMetricAdvmss(dst);
  return tcpPathMtu(sk) - sk.afSpecific.netHeaderLen - TCP_HDR_LEN;
}

/** The MSS to put into our SYN: the route's, if that has become less. */
export function tcpAdvertiseMss(sk: TcpSock): number {
  const dst = sk.skDstCache;
  if (dst !== null) {
    const metric = dstMetricAdvmss(dst);
    if (metric < sk.advmss) sk.advmss = metric;
  }
  return sk.advmss;
}

/** Payload of the segments that skb is cut into. */
export function tcpSkbSeglen(skb: SkBuff): number {
  return tcpSkbPcount(skb) === 1 ? skb.len : tcpSkbMss(skb);
}
