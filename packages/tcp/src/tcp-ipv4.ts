/*
 * TCP over IPv4, the way up: tcp_v4_rcv finds the sock by the four-tuple, checks the segment, and gives it to the engine,
 * to the backlog of a sock that a system call owns, to a request or to a time-wait sock.
 *
 * Order of calls: ip_local_deliver_finish → tcpV4Rcv → tcpV4DoRcv → tcpRcvEstablished or tcpRcvStateProcess.
 * Read first: RFC 9293 §3.10.7, §3.1 (checksum), §3.5.2 (resets).
 */
import { __inetLookup, __inetLookupListener, inetCskReqskQueueDrop, inetTwskDeschedulePut } from '@stack/inet-sock';
import type { RequestSock, SockCommon } from '@stack/inet-sock';
import { ipHdrDaddr, ipHdrSaddr, ipHdrTos } from '@stack/ip';
import {
  SKB_DROP_REASON_NOT_SPECIFIED, SKB_DROP_REASON_NO_SOCKET, SKB_DROP_REASON_PKT_TOO_SMALL, SKB_DROP_REASON_SOCKET_BACKLOG,
  SKB_DROP_REASON_TCP_CSUM, SKB_DROP_REASON_TCP_MINTTL,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import {
  CHECKSUM_COMPLETE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, csumTcpudpMagic, dstRelease, kfreeSkbReason, nfReset, pskbMayPull,
  skbChecksum,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  IPPROTO_TCP, TCP_ESTABLISHED, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_TIME_WAIT, skAddBacklog, sockHold, sockOwnedByUser, sockPut,
} from '@stack/socket';
import type { Sock } from '@stack/socket';
import { TCP_HDR_LEN, thAckSeq, thDest, thFlags, thHdrLen, thSeq, thSource } from './tcp-hdr.ts';
import { tcpRcvEstablished } from './tcp-input.ts';
import { tcpSegsIn } from './tcp-input-fast.ts';
import { tcpRcvStateProcess } from './tcp-input-state.ts';
import { cookieV4Check } from './tcp-ipv4-conn.ts';
import { tcpV4SendReset, tcpV4TimewaitAck } from './tcp-ipv4-reply.ts';
import {
  LINUX_MIB_TCPBACKLOGDROP, LINUX_MIB_TCPMINTTLDROP, TCP_MIB_CSUMERRORS, TCP_MIB_INERRS, TCP_MIB_INSEGS,
} from './tcp-mib.ts';
import { tcpCheckReq, tcpChildProcess } from './tcp-minisocks.ts';
import { netIncStats, tcpIncStats } from './netns-tcp.ts';
import { tcpRsk, tcpTwsk } from './tcp-request-sock.ts';
import type { TcpTimewaitSock } from './tcp-request-sock.ts';
import {
  TCPHDR_FIN, TCPHDR_SYN, tcbSetAckSeq, tcbSetEndSeq, tcbSetIpDsfield, tcbSetSacked, tcbSetSeq, tcbSetTcpFlags, tcbSetTcpTwIsn,
} from './tcp-skb-cb.ts';
import { tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { TCP_TW_ACK, TCP_TW_RST, TCP_TW_SUCCESS, TCP_TW_SYN, tcpTimewaitIsn, tcpTimewaitStateProcess } from './tcp-timewait.ts';

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

/**
 * Whether the checksum is right, or known to be: by the device (UNNECESSARY, COMPLETE), or because the segment never
 * left this machine and has none yet (PARTIAL).
 */
function tcpV4ChecksumOk(skb: SkBuff): boolean {
  const summed = skb.ipSummed;
  if (summed === CHECKSUM_UNNECESSARY || summed === CHECKSUM_PARTIAL) return true;
  const sum = summed === CHECKSUM_COMPLETE ? skb.csum : skbChecksum(skb, 0, skb.len, 0);
  if (csumTcpudpMagic(ipHdrSaddr(skb), ipHdrDaddr(skb), skb.len, IPPROTO_TCP, sum) === 0) {
    skb.ipSummed = CHECKSUM_UNNECESSARY;
    return true;
  }
  if (summed !== CHECKSUM_COMPLETE) return false;
  // The device may have summed padding, or wrongly: what it says is not enough to drop.
  return csumTcpudpMagic(ipHdrSaddr(skb), ipHdrDaddr(skb), skb.len, IPPROTO_TCP, skbChecksum(skb, 0, skb.len, 0)) === 0;
}

/** Fills TCP_SKB_CB from the headers: transportHeader and networkHeader are set, data is at the TCP header. */
export function tcpV4FillCb(skb: SkBuff): void {
  const flags = thFlags(skb);
  const seq = thSeq(skb);
  const counted = ((flags & TCPHDR_SYN) !== 0 ? 1 : 0) + ((flags & TCPHDR_FIN) !== 0 ? 1 : 0);
  tcbSetSeq(skb, seq);
  tcbSetEndSeq(skb, seq + counted + skb.len - thHdrLen(skb));
  tcbSetAckSeq(skb, thAckSeq(skb));
  tcbSetTcpFlags(skb, flags);
  tcbSetSacked(skb, 0);
  tcbSetTcpTwIsn(skb, 0);
  tcbSetIpDsfield(skb, ipHdrTos(skb));
  skb.cb7 = 0;
}

/** InetProtocol.handler: takes skb, data at the TCP header. Always 0. */
export function tcpV4Rcv(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'tcp_v4_rcv', skb);
  if (skb.pktType !== PACKET_HOST) return tcpV4Drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
  tcpIncStats(net, TCP_MIB_INSEGS);
  if (!pskbMayPull(skb, TCP_HDR_LEN)) return tcpV4Drop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
  skb.transportHeader = skb.data;
  const hdrLen = thHdrLen(skb);
  if (hdrLen < TCP_HDR_LEN) {
    tcpIncStats(net, TCP_MIB_INERRS);
    return tcpV4Drop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
  }
  if (!pskbMayPull(skb, hdrLen)) return tcpV4Drop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
  skb.transportHeader = skb.data;
  if (!tcpV4ChecksumOk(skb)) return tcpV4CsumError(net, skb);
  const sk = __inetLookup(net.tcp.hashinfo, ipHdrSaddr(skb), thSource(skb), ipHdrDaddr(skb), thDest(skb), skb.skbIif);
  tcpV4FillCb(skb);
  return tcpV4RcvFor(net, skb, sk);
}

/** Gives skb to whatever the lookup has found. */
function tcpV4RcvFor(net: Net, skb: SkBuff, sk: SockCommon | null): number {
  if (sk === null) {
    tcpV4SendReset(null, skb);
    return tcpV4Drop(skb, SKB_DROP_REASON_NO_SOCKET);
  }
  if (sk.skState === TCP_TIME_WAIT) return tcpV4RcvTimewait(net, skb, tcpTwsk(sk as TcpTimewaitSock));
  if (sk.skState === TCP_NEW_SYN_RECV) return tcpV4RcvRequest(net, skb, sk as unknown as RequestSock);
  return tcpV4RcvSock(net, skb, sk as TcpSock);
}

/** A full sock: now, or by its backlog when a system call owns it. */
function tcpV4RcvSock(net: Net, skb: SkBuff, sk: TcpSock): number {
  if (sk.minTtl !== 0 && skb.view.getUint8(skb.networkHeader + 8) < sk.minTtl) {
    netIncStats(net, LINUX_MIB_TCPMINTTLDROP);
    return tcpV4Drop(skb, SKB_DROP_REASON_TCP_MINTTL);
  }
  if (skb.nfct !== null) nfReset(skb);
  skb.dev = null;
  if (sk.skState === TCP_LISTEN) return tcpV4DoRcv(sk, skb);
  sockHold(sk);
  tcpSegsIn(sk, skb);
  if (!sockOwnedByUser(sk)) tcpV4DoRcv(sk, skb);
  else tcpAddBacklog(net, sk, skb);
  sockPut(sk);
  return 0;
}

/** Queues a segment for releaseSock; takes skb. Some room above the receive buffer is left for ACKs, which are small. */
function tcpAddBacklog(net: Net, sk: TcpSock, skb: SkBuff): void {
  const limit = Math.min(sk.skRcvbuf * 2 + (sk.skSndbuf >> 1) + 64 * 1024, 0x7fffffff);
  if (skAddBacklog(sk, skb, limit) === 0) return;
  netIncStats(net, LINUX_MIB_TCPBACKLOGDROP);
  tcpV4Drop(skb, SKB_DROP_REASON_SOCKET_BACKLOG);
}

/** A request: its listener decides, and a child may come of it, which then takes the segment. */
function tcpV4RcvRequest(net: Net, skb: SkBuff, sock: RequestSock): number {
  const req = tcpRsk(sock);
  const listener = req.rskListener;
  if (listener === null || listener.skState !== TCP_LISTEN) {
    if (listener !== null) inetCskReqskQueueDrop(listener, req);
    return tcpV4RcvFor(net, skb, tcpV4LookupListener(net, skb));
  }
  const sk = tcpSk(listener);
  sockHold(sk);
  const nsk = tcpCheckReq(sk, skb, req);
  if (nsk === null) tcpV4Drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
  else if (nsk === sk) tcpV4RcvSock(net, skb, sk);
  else tcpV4ChildRcv(sk, nsk, skb);
  sockPut(sk);
  return 0;
}

/** The first segment of a child. */
function tcpV4ChildRcv(sk: TcpSock, child: TcpSock, skb: SkBuff): void {
  if (skb.nfct !== null) nfReset(skb);
  skb.dev = null;
  const reason = tcpChildProcess(sk, child, skb);
  if (reason === 0) return;
  tcpV4SendReset(child, skb);
  tcpV4Drop(skb, reason);
}

function tcpV4LookupListener(net: Net, skb: SkBuff): SockCommon | null {
  return __inetLookupListener(net.tcp.hashinfo, ipHdrSaddr(skb), thSource(skb), ipHdrDaddr(skb), thDest(skb), skb.skbIif);
}

function tcpV4RcvTimewait(net: Net, skb: SkBuff, tw: TcpTimewaitSock): number {
  let status = tcpTimewaitStateProcess(tw, skb);
  if (status === TCP_TW_SYN) {
    const listener = tcpV4LookupListener(net, skb);
    if (listener !== null) {
      const isn = tcpTimewaitIsn(tw);
      inetTwskDeschedulePut(tw);
      tcbSetTcpTwIsn(skb, isn);
      return tcpV4RcvSock(net, skb, listener as TcpSock);
    }
    status = TCP_TW_ACK;
  }
  if (status === TCP_TW_ACK) tcpV4TimewaitAck(tw, skb);
  if (status === TCP_TW_RST) {
    tcpV4SendReset(tw, skb);
    inetTwskDeschedulePut(tw);
  }
  return tcpV4Drop(skb, status === TCP_TW_SUCCESS ? SKB_DROP_REASON_NOT_SPECIFIED : SKB_DROP_REASON_NO_SOCKET);
}

/** A cached input route that is no longer this packet's is forgotten. */
function tcpV4CheckRxDst(sk: TcpSock, skb: SkBuff): void {
  const dst = sk.skRxDst;
  if (dst === null) return;
  if (sk.skRxDstIfindex === skb.skbIif && dst.ops.check(dst, 0) !== null) return;
  sk.skRxDst = null;
  dstRelease(dst);
}

/** Proto.backlogRcv: gives a segment to the engine; takes skb. Always 0. */
export function tcpV4DoRcv(sock: Sock, skb: SkBuff): number {
  const sk = tcpSk(sock);
  if (sk.skState === TCP_ESTABLISHED) {
    tcpV4CheckRxDst(sk, skb);
    tcpRcvEstablished(sk, skb);
    return 0;
  }
  if (sk.skState === TCP_LISTEN) {
    const nsk = cookieV4Check(sk, skb);
    if (nsk === null) return tcpV4Drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
    if (nsk !== sk) {
      tcpV4ChildRcv(sk, nsk, skb);
      return 0;
    }
  }
  const reason = tcpRcvStateProcess(sk, skb);
  if (reason === 0) return 0;
  tcpV4SendReset(sk, skb);
  return tcpV4Drop(skb, reason);
}
