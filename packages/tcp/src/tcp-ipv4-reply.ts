/*
 * Segments over IPv4 that no connection sends: resets, and the ACKs of time-wait socks and requests. And the checksum of
 * those that one does.
 *
 * Order of calls: tcpRcvDemux, tcpDoRcv → tcpV4SendReset; tcpRcvTimewait → tcpV4TimewaitAck; tcpCheckReq → tcpV4ReqskSendAck.
 * Read first: RFC 9293 §3.5.2 (reset generation), §3.5.3, §3.1 (checksum, pseudo-header).
 */
import { __inetLookupListener } from '@stack/inet-sock';
import type { InetConnectionSock, InetTimewaitSock, RequestSock, SockCommon } from '@stack/inet-sock';
import { INET_ECN_MASK, RTN_LOCAL, ipHdrDaddr, ipHdrSaddr, ipHdrTos, ipSendUnicastReply } from '@stack/ip';
import type { Rtable } from '@stack/ip';
import type { Net } from '@stack/kernel';
import {
  CHECKSUM_NONE, CHECKSUM_PARTIAL, allocSkb, csumPartial, csumTcpudpMagic, skbPut, skbReserve, skbResetTransportHeader,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { IPPROTO_TCP, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_TIME_WAIT } from '@stack/socket';
import { tcpClockMs } from './tcp-clock.ts';
import { MAX_TCP_HEADER } from './tcp-consts.ts';
import {
  TCPOLEN_MD5SIG_ALIGNED, TCPOLEN_TIMESTAMP, TCPOLEN_TSTAMP_ALIGNED, TCPOPT_NOP, TCPOPT_TIMESTAMP, TCP_HDR_LEN, TH_CHECK, TH_OFF_FLAGS, thAckSeq, thDest, thFlags,
  thHdrLen, thSeq, thSource,
} from './tcp-hdr.ts';
import { tcpV4Md5HashHdr } from './tcp-ipv4-md5.ts';
import { tcpMd5KeyCopy, tcpMd5OptionWrite, tcpMd5Verify, tcpParseAuthOptions } from './tcp-md5.ts';
import type { TcpMd5sigInfo } from './tcp-md5.ts';
import { TCP_MIB_OUTRSTS, TCP_MIB_OUTSEGS } from './tcp-mib.ts';
import { tcpIncStats } from './netns-tcp.ts';
import { tcpRsk, tcpTwsk } from './tcp-request-sock.ts';
import { TCPHDR_ACK, TCPHDR_FIN, TCPHDR_RST, TCPHDR_SYN } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

const TSTAMP_WORD = (TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) | (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP;

/** Leaves the checksum of skb, transportHeader set, to whoever sends it out: the field holds the pseudo-header's sum. */
export function __tcpV4SendCheck(skb: SkBuff, saddr: number, daddr: number): void {
  const at = skb.transportHeader;
  skb.view.setUint16(at + TH_CHECK, ~csumTcpudpMagic(saddr, daddr, skb.len, IPPROTO_TCP, 0));
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = at - skb.head;
  skb.csumOffset = TH_CHECK;
}

/** af_specific.sendCheck. */
export function tcpV4SendCheck(sk: InetConnectionSock, skb: SkBuff): void {
  __tcpV4SendCheck(skb, sk.inetSaddr, sk.inetDaddr);
}

/** An answer to skb with an empty TCP header of `len` bytes, ports turned round; null without memory. */
function tcpV4ReplyAlloc(net: Net, skb: SkBuff, len: number): SkBuff | null {
  const reply = allocSkb(net, MAX_TCP_HEADER + len);
  if (reply === null) return null;
  skbReserve(reply, MAX_TCP_HEADER);
  const at = skbPut(reply, len);
  skbResetTransportHeader(reply);
  const view = reply.view;
  view.setUint16(at, thDest(skb));
  view.setUint16(at + 2, thSource(skb));
  view.setInt32(at + 16, 0);
  return reply;
}

/** Sums the reply and sends it back to where skb came from. Takes reply. */
function tcpV4ReplySend(net: Net, reply: SkBuff, skb: SkBuff, tos: number, mark: number, oif: number): void {
  const saddr = ipHdrDaddr(skb);
  const daddr = ipHdrSaddr(skb);
  const at = reply.transportHeader;
  const sum = csumPartial(reply.buf, reply.view, at, reply.len, 0);
  reply.view.setUint16(at + TH_CHECK, csumTcpudpMagic(saddr, daddr, reply.len, IPPROTO_TCP, sum));
  reply.ipSummed = CHECKSUM_NONE;
  tcpIncStats(net, TCP_MIB_OUTSEGS);
  ipSendUnicastReply(net, reply, daddr, saddr, IPPROTO_TCP, tos, mark, oif);
}

/** Signs an answer to skb whose header is complete but for the signature, which goes to `at` of its buffer. */
function tcpV4ReplySign(reply: SkBuff, skb: SkBuff, at: number, info: TcpMd5sigInfo | null): void {
  if (info === null) return;
  tcpMd5OptionWrite(reply.view, at);
  tcpV4Md5HashHdr(info.ctx, info.keys[0]!, ipHdrDaddr(skb), ipHdrSaddr(skb), reply, at + 4);
}

/**
 * The key to sign the reset for skb with, null for none. A connection that is lost is looked for at a listener with its
 * port: what skb shows must be signed with its key. False: no reset is due.
 */
function tcpV4ResetKey(sk: SockCommon | null, skb: SkBuff): TcpMd5sigInfo | null | false {
  const at = tcpParseAuthOptions(skb);
  if (at < 0) return false;
  if (sk !== null && sk.skState !== TCP_TIME_WAIT && sk.skState !== TCP_NEW_SYN_RECV) return tcpMd5KeyFor(sk as TcpSock, skb);
  if (at === 0) return null;
  const listener = __inetLookupListener(skb.net.tcp.hashinfo, ipHdrSaddr(skb), thSource(skb), ipHdrDaddr(skb), thSource(skb), skb.skbIif);
  const info = listener === null ? null : tcpMd5KeyFor(listener as TcpSock, skb);
  return info !== null && tcpMd5Verify(info, info.keys[0]!, skb, at) ? info : false;
}

/** sk's key for the sender of skb, or null. */
function tcpMd5KeyFor(sk: TcpSock, skb: SkBuff): TcpMd5sigInfo | null {
  return tcpMd5KeyCopy(sk, null, skb, ipHdrSaddr(skb));
}

/** Whether skb came for an address of this host (and not, say, for a broadcast). */
function tcpV4ForUs(skb: SkBuff): boolean {
  const rt = skb.dst as Rtable | null;
  return rt !== null && rt.rtType === RTN_LOCAL;
}

/** af_specific.sendReset: answers skb (lent, data at the TCP header) with a reset; never a reset with one (RFC 9293 §3.5.2). */
export function tcpV4SendReset(sk: SockCommon | null, skb: SkBuff): void {
  const net = skb.net;
  const flags = thFlags(skb);
  if ((flags & TCPHDR_RST) !== 0) return;
  if (sk === null && !tcpV4ForUs(skb)) return;
  const md5 = tcpV4ResetKey(sk, skb);
  if (md5 === false) return;
  const headerLen = TCP_HDR_LEN + (md5 === null ? 0 : TCPOLEN_MD5SIG_ALIGNED);
  const reply = tcpV4ReplyAlloc(net, skb, headerLen);
  if (reply === null) return;
  const at = reply.data;
  const view = reply.view;
  if ((flags & TCPHDR_ACK) !== 0) {
    view.setInt32(at + 4, thAckSeq(skb));
    view.setInt32(at + 8, 0);
    view.setInt32(at + TH_OFF_FLAGS, (headerLen << 26) | (TCPHDR_RST << 16));
  } else {
    const len = ((flags & TCPHDR_SYN) !== 0 ? 1 : 0) + ((flags & TCPHDR_FIN) !== 0 ? 1 : 0) + tcpPayloadLen(skb);
    view.setInt32(at + 4, 0);
    view.setInt32(at + 8, thSeq(skb) + len);
    view.setInt32(at + TH_OFF_FLAGS, (headerLen << 26) | ((TCPHDR_RST | TCPHDR_ACK) << 16));
  }
  tcpV4ReplySign(reply, skb, at + TCP_HDR_LEN, md5);
  const oif = sk === null ? 0 : sk.skBoundDevIf;
  const mark = sk !== null && sk.skState !== TCP_TIME_WAIT && 'skMark' in sk ? (sk as TcpSock).skMark : 0;
  tcpV4ReplySend(net, reply, skb, ipHdrTos(skb) & ~INET_ECN_MASK, mark, oif);
  tcpIncStats(net, TCP_MIB_OUTRSTS);
}

/** Bytes of payload of a segment that may have had its TCP header pulled already. */
function tcpPayloadLen(skb: SkBuff): number {
  return skb.data > skb.transportHeader ? skb.len : skb.len - thHdrLen(skb);
}

/** Answers skb (lent) with an ACK that no full sock stands behind; `tsecr` 0: without timestamps; `md5`: signed with its first key. */
function tcpV4SendAck(
  net: Net, skb: SkBuff, seq: number, ack: number, win: number, tsval: number, tsecr: number, oif: number, tos: number, mark: number,
  md5: TcpMd5sigInfo | null,
): void {
  const md5At = TCP_HDR_LEN + (tsecr !== 0 ? TCPOLEN_TSTAMP_ALIGNED : 0);
  const len = md5At + (md5 === null ? 0 : TCPOLEN_MD5SIG_ALIGNED);
  const reply = tcpV4ReplyAlloc(net, skb, len);
  if (reply === null) return;
  const at = reply.data;
  const view = reply.view;
  view.setInt32(at + 4, seq);
  view.setInt32(at + 8, ack);
  view.setInt32(at + TH_OFF_FLAGS, (len << 26) | (TCPHDR_ACK << 16) | Math.min(win, 0xffff));
  if (tsecr !== 0) {
    view.setInt32(at + TCP_HDR_LEN, TSTAMP_WORD);
    view.setInt32(at + TCP_HDR_LEN + 4, tsval);
    view.setInt32(at + TCP_HDR_LEN + 8, tsecr);
  }
  tcpV4ReplySign(reply, skb, at + md5At, md5);
  tcpV4ReplySend(net, reply, skb, tos, mark, oif);
}

/** af_specific.sendTimewaitAck. */
export function tcpV4TimewaitAck(rest: InetTimewaitSock, skb: SkBuff): void {
  const tw = tcpTwsk(rest);
  const tsval = (tcpClockMs(tw.skNet) + tw.twTsOffset) | 0;
  const tsecr = tw.twTsRecentStamp !== 0 ? tw.twTsRecent : 0;
  tcpV4SendAck(
    tw.skNet, skb, tw.twSndNxt, tw.twRcvNxt, tw.twRcvWnd >> tw.twRcvWscale, tsval, tsecr, tw.skBoundDevIf, tw.twTos, tw.twMark,
    tw.twMd5,
  );
}

/** RequestSockOps.sendAck: the ACK of a connection request. */
export function tcpV4ReqskSendAck(sk: InetConnectionSock, skb: SkBuff, sock: RequestSock): void {
  const req = tcpRsk(sock);
  const seq = sk.skState === TCP_LISTEN ? (req.sntIsn + 1) | 0 : (sk as TcpSock).sndNxt;
  const tsval = (tcpClockMs(req.skNet) + req.tsOff) | 0;
  // The window of a SYN-ACK is not scaled, that of its ACK would be.
  const win = Math.min(req.rskRcvWnd, 65535) >> req.rcvWscale;
  tcpV4SendAck(
    req.skNet, skb, seq, req.rcvNxt, win, tsval, req.tsRecent, req.skBoundDevIf, ipHdrTos(skb) & ~INET_ECN_MASK, req.irMark,
    tcpMd5KeyFor(sk as TcpSock, skb),
  );
}
