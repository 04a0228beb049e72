/*
 * TCP over IPv4, the way up: tcp_v4_rcv checks a segment, finds its sock by the four-tuple, and hands it to the part that
 * all carriers share (tcp-rcv.ts).
 *
 * Order of calls: ip_local_deliver_finish → tcpV4Rcv → tcpRcvDemux. Read first: RFC 9293 §3.1 (checksum), §3.10.7.
 */
import { __inetLookup, __inetLookupListener } from '@stack/inet-sock';
import type { InetConnectionSock, SockCommon } from '@stack/inet-sock';
import { IPH_TTL, ipHdrDaddr, ipHdrSaddr, ipHdrTos } from '@stack/ip';
import {
  SKB_DROP_REASON_PKT_TOO_SMALL, SKB_DROP_REASON_TCP_CSUM, SKB_DROP_REASON_TCP_MINTTL, SKB_DROP_REASON_TCP_NOT_UNICAST,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import {
  CHECKSUM_COMPLETE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, csumTcpudpMagic, kfreeSkbReason, pskbMayPull, skbChecksum,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { IPPROTO_TCP, TCP_NEW_SYN_RECV, TCP_TIME_WAIT } from '@stack/socket';
import { TCP_HDR_LEN, thDest, thHdrLen, thSource } from './tcp-hdr.ts';
import { ipv4Specific } from './tcp-ipv4-ops.ts';
import { LINUX_MIB_TCPMINTTLDROP, TCP_MIB_CSUMERRORS, TCP_MIB_INERRS, TCP_MIB_INSEGS } from './tcp-mib.ts';
import { netIncStats, tcpIncStats } from './netns-tcp.ts';
import { tcpFillCb, tcpRcvDemux } from './tcp-rcv.ts';
import type { TcpSock } from './tcp-sock.ts';

/** skb.pktType of what was sent to this host (the link layer's PACKET_HOST). */
const PACKET_HOST = 0;

function tcpV4Drop(skb: SkBuff, reason: number): number {
  kfreeSkbReason(skb, reason);
  return 0;
}

function tcpV4CsumError(net: Net, skb: SkBuff): number {
  tcpIncStats(net, TCP_MIB_CSUMERRORS);
  tcpIncStats(net, TCP_MIB_INERRS);
  return tcpV4Drop(skb, SKB_DROP_REASON_TCP_CSUM);
}

/** Pseudo header and `sum` come out right. */
function tcpV4Check(skb: SkBuff, sum: number): boolean {
  return csumTcpudpMagic(ipHdrSaddr(skb), ipHdrDaddr(skb), skb.len, IPPROTO_TCP, sum) === 0;
}

/**
 * Whether the checksum is right, or known to be: by the device (UNNECESSARY, COMPLETE), or because the segment never
 * left this machine and has none yet (PARTIAL).
 */
function tcpV4ChecksumOk(skb: SkBuff): boolean {
  const summed = skb.ipSummed;
  if (summed === CHECKSUM_UNNECESSARY || summed === CHECKSUM_PARTIAL) return true;
  // A device may sum wrongly, or padding too: what it says is not enough to drop.
  const ok = (summed === CHECKSUM_COMPLETE && tcpV4Check(skb, skb.csum)) || tcpV4Check(skb, skbChecksum(skb, 0, skb.len, 0));
  if (ok) skb.ipSummed = CHECKSUM_UNNECESSARY;
  return ok;
}

/** Pulls the header into the linear part; false when there is none. */
function tcpV4PullHeader(net: Net, skb: SkBuff): boolean {
  if (!pskbMayPull(skb, TCP_HDR_LEN)) return false;
  skb.transportHeader = skb.data;
  const hdrLen = thHdrLen(skb);
  if (hdrLen < TCP_HDR_LEN) {
    tcpIncStats(net, TCP_MIB_INERRS);
    return false;
  }
  if (!pskbMayPull(skb, hdrLen)) return false;
  skb.transportHeader = skb.data;
  return true;
}

/** IP_MINTTL (RFC 5082): what came from further away than a sock allows. */
function tcpV4TtlTooLow(net: Net, skb: SkBuff, found: SockCommon): boolean {
  if (found.skState === TCP_TIME_WAIT || found.skState === TCP_NEW_SYN_RECV) return false;
  const { minTtl } = found as TcpSock;
  if (minTtl === 0 || skb.view.getUint8(skb.networkHeader + IPH_TTL) >= minTtl) return false;
  netIncStats(net, LINUX_MIB_TCPMINTTLDROP);
  return true;
}

/** InetProtocol.handler: takes skb, data at the TCP header. Always 0. */
export function tcpV4Rcv(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'tcp_v4_rcv', skb);
  if (skb.pktType !== PACKET_HOST) return tcpV4Drop(skb, SKB_DROP_REASON_TCP_NOT_UNICAST);
  tcpIncStats(net, TCP_MIB_INSEGS);
  if (!tcpV4PullHeader(net, skb)) return tcpV4Drop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
  if (!tcpV4ChecksumOk(skb)) return tcpV4CsumError(net, skb);
  const sk = __inetLookup(net.tcp.hashinfo, ipHdrSaddr(skb), thSource(skb), ipHdrDaddr(skb), thDest(skb), skb.skbIif);
  if (sk !== null && tcpV4TtlTooLow(net, skb, sk)) return tcpV4Drop(skb, SKB_DROP_REASON_TCP_MINTTL);
  tcpFillCb(skb, ipHdrTos(skb));
  tcpRcvDemux(net, ipv4Specific, skb, sk);
  return 0;
}

/** af_specific.lookupListener. */
export function tcpV4LookupListener(skb: SkBuff): InetConnectionSock | null {
  return __inetLookupListener(skb.net.tcp.hashinfo, ipHdrSaddr(skb), thSource(skb), ipHdrDaddr(skb), thDest(skb), skb.skbIif);
}
