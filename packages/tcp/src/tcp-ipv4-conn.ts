/*
 * Passive opens over IPv4: what a SYN becomes, the route of its SYN-ACK, the child of its ACK, and the same by cookie.
 *
 * Order of calls: tcpV4ConnRequest → tcpConnRequest → tcpRequestSockIpv4Ops.… ; then tcpCheckReq → tcpV4SynRecvSock, or
 * cookieV4Check → tcpGetCookieSock → tcpV4SynRecvSock. Read first: RFC 9293 §3.10.7.2; RFC 4987 §3.6.
 */
import { skAcceptqIsFull } from '@stack/inet-sock';
import type { InetConnectionSock, RequestSock, RequestSockOps } from '@stack/inet-sock';
import {
  INET_ECN_MASK, RTCF_BROADCAST, RTCF_MULTICAST, ipBuildAndSendPkt, ipHdrDaddr, ipHdrSaddr, ipHdrTtl, skSetupCaps,
} from '@stack/ip';
import type { Rtable } from '@stack/ip';
import { EHOSTUNREACH, randomU32, siphash2u32, siphash2u32High } from '@stack/kernel';
import type { Net, SiphashKey } from '@stack/kernel';
import { SKB_GSO_TCPV4, dstMtu, dstRelease } from '@stack/skbuff';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import { AF_INET } from '@stack/socket';
import { secureTcpSeq, secureTcpTsOff } from './secure-seq.ts';
import { cookieInitSequence, tcpCookieCheck } from './syncookies.ts';
import { TCP_MSS_DEFAULT } from './tcp-consts.ts';
import { thDest, thSource } from './tcp-hdr.ts';
import { tcpConnRequest } from './tcp-input-conn.ts';
import { tcpInitializeRcvMss } from './tcp-input-rcvbuf.ts';
import { tcpV4ReqskSendAck, tcpV4SendReset, __tcpV4SendCheck } from './tcp-ipv4-reply.ts';
import { tcpV4RouteOutput } from './tcp-ipv4-route.ts';
import { LINUX_MIB_LISTENDROPS, LINUX_MIB_LISTENOVERFLOWS, LINUX_MIB_TCPTIMEOUTS } from './tcp-mib.ts';
import { tcpCreateOpenreqChild, tcpForgetChild, tcpHashChild } from './tcp-minisocks.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpDstAdvmss, tcpMssClamp, tcpSyncMss } from './tcp-output-mss.ts';
import { tcpMakeSynack, tcpRtxSynack } from './tcp-output-synack.ts';
import { tcpRsk } from './tcp-request-sock.ts';
import type { TcpRequestSock, TcpRequestSockOps } from './tcp-request-sock.ts';
import { tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** A listener could not take a connection: counted. */
function tcpListendrop(sk: InetConnectionSock): void {
  sk.skDrops++;
  netIncStats(sk.skNet, LINUX_MIB_LISTENDROPS);
}

/** af_specific.connRequest: a SYN for a listener. A broadcast or group gets no answer. */
export function tcpV4ConnRequest(sk: InetConnectionSock, skb: SkBuff): number {
  const rt = skb.dst as Rtable | null;
  if (rt !== null && (rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) {
    tcpListendrop(sk);
    return 0;
  }
  return tcpConnRequest(tcpRequestSockOps, tcpRequestSockIpv4Ops, tcpSk(sk), skb);
}

/** The route from a request's local end to the peer, with a reference; or null. */
function inetCskRouteReq(sk: TcpSock, req: TcpRequestSock): DstEntry | null {
  const rt = tcpV4RouteOutput(
    sk, req.skBoundDevIf, req.irMark, sk.tos, req.inetDaddr, req.inetRcvSaddr, req.inetDport, req.inetNum,
  );
  return typeof rt === 'number' ? null : rt;
}

/** TcpRequestSockOps.routeReq. */
function tcpV4RouteReq(sk: TcpSock, skb: SkBuff, req: TcpRequestSock): DstEntry | null {
  req.inetRcvSaddr = ipHdrDaddr(skb);
  req.inetDaddr = ipHdrSaddr(skb);
  req.skBoundDevIf = req.irIif;
  return inetCskRouteReq(sk, req);
}

function tcpV4InitSeq(skb: SkBuff): number {
  return secureTcpSeq(skb.net, ipHdrDaddr(skb), ipHdrSaddr(skb), thDest(skb), thSource(skb));
}

function tcpV4InitTsOff(net: Net, skb: SkBuff): number {
  return secureTcpTsOff(net, ipHdrDaddr(skb), ipHdrSaddr(skb));
}

/** RFC 7413 §4.1.2: a cookie is a keyed hash of the addresses. */
function tcpV4FastopenCookie(skb: SkBuff, key: SiphashKey): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  // The hash reads octets in the order of the packet, and so is the cookie's.
  view.setInt32(0, ipHdrSaddr(skb));
  view.setInt32(4, ipHdrDaddr(skb));
  const low = siphash2u32(view.getInt32(0, true), view.getInt32(4, true), key);
  const high = siphash2u32High(view.getInt32(0, true), view.getInt32(4, true), key);
  view.setInt32(0, low, true);
  view.setInt32(4, high, true);
  return new Uint8Array(view.buffer);
}

function cookieV4InitSequence(skb: SkBuff, req: TcpRequestSock): number {
  return cookieInitSequence(skb, ipHdrSaddr(skb), ipHdrDaddr(skb), req);
}

/** TcpRequestSockOps.sendSynack. */
function tcpV4SendSynack(sk: TcpSock, dst: DstEntry | null, req: TcpRequestSock, type: number, _synSkb: SkBuff | null): number {
  if (dst !== null) return tcpV4SendSynackBy(sk, dst, req, type);
  const route = inetCskRouteReq(sk, req);
  if (route === null) return -EHOSTUNREACH;
  const err = tcpV4SendSynackBy(sk, route, req, type);
  dstRelease(route);
  return err;
}

function tcpV4SendSynackBy(sk: TcpSock, dst: DstEntry, req: TcpRequestSock, type: number): number {
  const skb = tcpMakeSynack(sk, dst, req, type);
  if (skb === null) return 0;
  __tcpV4SendCheck(skb, req.inetRcvSaddr, req.inetDaddr);
  const reflect = sk.skNet.tcp.sysctlTcpReflectTos !== 0;
  const tos = reflect ? (req.synTos & ~INET_ECN_MASK) | (sk.tos & INET_ECN_MASK) : sk.tos;
  const err = ipBuildAndSendPkt(skb, sk, req.inetRcvSaddr, req.inetDaddr, req.ireqOpt, tos);
  // Congestion of our own device: the SYN-ACK's timer sends it again.
  return err > 0 ? 0 : err;
}

/** What IPv4 does for TCP's connection requests. */
export const tcpRequestSockIpv4Ops: TcpRequestSockOps = {
  mssClamp: TCP_MSS_DEFAULT,
  hasRoutes: true,
  routeReq: tcpV4RouteReq,
  initSeq: tcpV4InitSeq,
  initTsOff: tcpV4InitTsOff,
  cookieInitSeq: cookieV4InitSequence,
  fastopenCookie: tcpV4FastopenCookie,
  sendSynack: tcpV4SendSynack,
};

function tcpV4RtxSynAck(sk: InetConnectionSock, req: RequestSock): number {
  return tcpRtxSynack(tcpSk(sk), tcpRsk(req));
}

function tcpV4ReqskDestructor(req: RequestSock): void {
  req.ireqOpt = null;
  req.savedSyn = null;
}

/** Counts one more timeout of a SYN-ACK. */
function tcpSynAckTimeout(req: RequestSock): void {
  netIncStats(req.skNet, LINUX_MIB_TCPTIMEOUTS);
}

function tcpSynAckRetries(sk: InetConnectionSock): number {
  const own = tcpSk(sk).opts.synRetries;
  return own !== 0 ? own : sk.skNet.tcp.sysctlTcpSynackRetries;
}

/** The requests of TCP over IPv4. */
export const tcpRequestSockOps: RequestSockOps = {
  family: AF_INET,
  rtxSynAck: tcpV4RtxSynAck,
  sendAck: tcpV4ReqskSendAck,
  sendReset: tcpV4SendReset,
  destructor: tcpV4ReqskDestructor,
  synAckTimeout: tcpSynAckTimeout,
  synAckRetries: tcpSynAckRetries,
};

/** What a child takes over from the packet that completed the handshake. */
function tcpV4ChildFromSkb(child: TcpSock, req: TcpRequestSock, skb: SkBuff): void {
  child.inetSaddr = req.inetRcvSaddr;
  child.inetOpt = req.ireqOpt;
  req.ireqOpt = null;
  child.icskExtHdrLen = child.inetOpt === null ? 0 : child.inetOpt.length;
  child.mcIndex = skb.skbIif;
  child.mcTtl = ipHdrTtl(skb);
  child.inetId = randomU32(child.skNet.world.random) & 0xffff;
  child.skTxHash = req.txhash;
  child.skGsoType = SKB_GSO_TCPV4;
  if (child.skNet.tcp.sysctlTcpReflectTos !== 0) child.tos = req.synTos & ~INET_ECN_MASK;
}

/** af_specific.synRecvSock: the handshake of req is complete. The child, in ehash and with the listener's port; or null. */
export function tcpV4SynRecvSock(
  sock: InetConnectionSock, skb: SkBuff, request: RequestSock, route: DstEntry | null, reqUnhash: RequestSock | null,
): InetConnectionSock | null {
  const sk = tcpSk(sock);
  const req = tcpRsk(request);
  if (skAcceptqIsFull(sk)) {
    netIncStats(sk.skNet, LINUX_MIB_LISTENOVERFLOWS);
    if (route !== null) dstRelease(route);
    tcpListendrop(sk);
    return null;
  }
  const child = tcpCreateOpenreqChild(sk, req, skb);
  tcpV4ChildFromSkb(child, req, skb);
  const dst = route ?? inetCskRouteReq(sk, req);
  if (dst === null) {
    tcpForgetChild(child);
    tcpListendrop(sk);
    return null;
  }
  skSetupCaps(child, dst);
  tcpSyncMss(child, dstMtu(dst));
  child.advmss = tcpMssClamp(sk, tcpDstAdvmss(child, dst));
  tcpInitializeRcvMss(child);
  if (!tcpHashChild(sk, child, reqUnhash)) {
    tcpListendrop(sk);
    return null;
  }
  return child;
}

/** af_specific.cookieCheck. */
export function cookieV4Check(sk: InetConnectionSock, skb: SkBuff): InetConnectionSock | null {
  return tcpCookieCheck(tcpSk(sk), skb, ipHdrSaddr(skb), ipHdrDaddr(skb), tcpRequestSockOps, tcpRequestSockIpv4Ops);
}
