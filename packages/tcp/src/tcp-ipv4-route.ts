/*
 * A connection's way over IPv4: connect(2), and a route anew when the old one no longer holds.
 *
 * Order of calls: sys_connect → tcpV4Connect → tcpV4RouteOutput → tcpConnect; a retransmission → inetSkRebuildHeader.
 * Read first: RFC 9293 §3.10.1 (OPEN), RFC 6528 (initial sequence number), RFC 1122 §4.2.3.7.
 */
import { inetHashConnect } from '@stack/inet-sock';
import type { InetConnectionSock, InetSock, SockAddrIn } from '@stack/inet-sock';
import {
  IPSTATS_MIB_OUTNOROUTES, IPTOS_RT_MASK, RTCF_BROADCAST, RTCF_MULTICAST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, flowi4InitOutput,
  ipRouteOutputFlow, skDstCheck, skSetupCaps,
} from '@stack/ip';
import type { Rtable } from '@stack/ip';
import { EAFNOSUPPORT, EINVAL, ENETUNREACH, randomU32, snmpInc } from '@stack/kernel';
import { SKB_GSO_TCPV4, dstRelease } from '@stack/skbuff';
import {
  AF_INET, IPPROTO_TCP, SOCK_BINDADDR_LOCK, SOCK_LOCALROUTE, TCP_CLOSE, TCP_SYN_SENT, skDstReset, sockFlag,
} from '@stack/socket';
import type { SockAddr } from '@stack/socket';
import { secureTcpSeq, secureTcpTsOff } from './secure-seq.ts';
import { TCP_MSS_DEFAULT } from './tcp-consts.ts';
import { tcpFastopenDeferConnect, tcpFreeFastopenReq } from './tcp-fastopen-client.ts';
import { tcpConnect } from './tcp-output-connect.ts';
import { tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpSetState } from './tcp.ts';

/** The route of a flow between these ends as sk wants it, with a reference for the caller; or -errno. */
export function tcpV4RouteOutput(
  sk: InetSock, oif: number, mark: number, tos: number, daddr: number, saddr: number, dport: number, sport: number,
): Rtable | number {
  const net = sk.skNet;
  const scope = sockFlag(sk, SOCK_LOCALROUTE) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  flowi4InitOutput(net.ipv4.flow, oif, mark, tos & IPTOS_RT_MASK, scope, IPPROTO_TCP, 0, daddr, saddr, dport, sport);
  const rt = ipRouteOutputFlow(net, net.ipv4.flow, sk);
  if (rt === -ENETUNREACH) snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTNOROUTES);
  return rt;
}

/** af_specific.rebuildHeader: sees to it that sk has a route. 0 or -errno. */
export function inetSkRebuildHeader(sk: InetConnectionSock): number {
  if (skDstCheck(sk) !== null) return 0;
  const rt = tcpV4RouteOutput(sk, sk.skBoundDevIf, sk.skMark, sk.tos, sk.inetDaddr, sk.inetSaddr, sk.inetDport, sk.inetSport);
  if (typeof rt === 'number') {
    sk.skRouteCaps = 0;
    sk.skErrSoft = -rt;
    return rt;
  }
  skSetupCaps(sk, rt);
  return 0;
}

/** Numbers of a connection that took over a time-wait sock's four-tuple are for that peer only. */
function tcpForgetTimewait(sk: TcpSock, daddr: number): void {
  if (sk.rxOpt.tsRecentStamp === 0 || sk.inetDaddr === daddr) return;
  sk.rxOpt.tsRecent = 0;
  sk.rxOpt.tsRecentStamp = 0;
  sk.writeSeq = 0;
}

/** The connection attempt came to nothing before the SYN. */
function tcpV4ConnectFailed(sk: TcpSock, err: number): number {
  tcpSetState(sk, TCP_CLOSE);
  if ((sk.skUserlocks & SOCK_BINDADDR_LOCK) === 0) inetResetSaddr(sk);
  skDstReset(sk);
  sk.skRouteCaps = 0;
  sk.inetDport = 0;
  return err;
}

/** af_specific.resetSaddr: forgets a local address that routing chose. */
export function inetResetSaddr(sk: InetSock): void {
  sk.inetSaddr = 0;
  sk.inetRcvSaddr = 0;
}

/** Proto.connect: route, local address and port, initial sequence number, then the SYN. 0 or -errno. */
export function tcpV4Connect(sock: InetConnectionSock, uaddr: SockAddr): number {
  const sk = tcpSk(sock);
  const usin = uaddr as SockAddrIn;
  if (usin.saFamily !== AF_INET) return -EAFNOSUPPORT;
  if (!(usin.sinPort >= 0 && usin.sinPort <= 0xffff)) return -EINVAL;
  const net = sk.skNet;
  const rt = tcpV4RouteOutput(sk, sk.skBoundDevIf, sk.skMark, sk.tos, usin.sinAddr, sk.inetSaddr, usin.sinPort, sk.inetSport);
  if (typeof rt === 'number') return rt;
  if ((rt.rtFlags & (RTCF_MULTICAST | RTCF_BROADCAST)) !== 0) {
    dstRelease(rt);
    return -ENETUNREACH;
  }
  const daddr = net.ipv4.flow.daddr;
  if (sk.inetSaddr === 0) sk.inetSaddr = net.ipv4.flow.saddr;
  sk.inetRcvSaddr = sk.inetSaddr;
  tcpForgetTimewait(sk, daddr);
  sk.inetDport = usin.sinPort;
  sk.inetDaddr = daddr;
  sk.icskExtHdrLen = sk.inetOpt === null ? 0 : sk.inetOpt.length;
  sk.rxOpt.mssClamp = TCP_MSS_DEFAULT;
  sk.skGsoType = SKB_GSO_TCPV4;
  skSetupCaps(sk, rt);
  // In ehash before the SYN: the answer must find it.
  tcpSetState(sk, TCP_SYN_SENT);
  const err = inetHashConnect(sk);
  if (err !== 0) return tcpV4ConnectFailed(sk, err);
  sk.skTxHash = randomU32(net.world.random) | 1;
  if (sk.writeSeq === 0) sk.writeSeq = secureTcpSeq(net, sk.inetSaddr, daddr, sk.inetSport, usin.sinPort);
  sk.tsoffset = secureTcpTsOff(net, sk.inetSaddr, daddr);
  sk.inetId = randomU32(net.world.random) & 0xffff;
  if (sk.opts.fastopenConnect && tcpFastopenDeferConnect(sk)) return 0;
  const sent = tcpConnect(sk);
  if (sk.opts.fastopenConnect) tcpFreeFastopenReq(sk);
  return sent === 0 ? 0 : tcpV4ConnectFailed(sk, sent);
}
