/*
 * ICMP errors about a connection over IPv4. Only those whose quoted sequence number is in flight are believed; once
 * established, a connection takes them as hints, but for a path that has become narrower.
 *
 * Order of calls: icmp_unreach and others of @stack/ip → tcpV4Err → tcpV4ErrSock → tcpDoneWithError, or a note in skErrSoft.
 * Read first: RFC 9293 §3.9.2.2; RFC 5461 (soft errors); RFC 5927 §4 (checks); RFC 1191 (path MTU); RFC 6069.
 */
import {
  ICSK_TIME_RETRANS, INET_FLAGS_RECVERR, IP_PMTUDISC_DONT, IP_PMTUDISC_INTERFACE, IP_PMTUDISC_OMIT, TCPF_CLOSE, TCPF_LISTEN,
  __inetLookupEstablished, inetCskReqskQueueDrop, inetCskResetXmitTimer, inetCskRtoBackoff, inetTestBit,
} from '@stack/inet-sock';
import type { InetConnectionSock, RequestSock } from '@stack/inet-sock';
import {
  ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_HOST_UNREACH, ICMP_MIB_INERRORS, ICMP_NET_UNREACH, ICMP_PARAMETERPROB, ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH, ICMP_TIME_EXCEEDED, NR_ICMP_UNREACH, IPH_DADDR, IPH_SADDR, icmpErrCode, icmpErrConvert, icmpErrType,
  ipDontFragment, ipIcmpError, skDstCheck,
} from '@stack/ip';
import type { Rtable } from '@stack/ip';
import { EHOSTUNREACH, EMSGSIZE, ENOENT, EPROTO, snmpInc, usecsToJiffies } from '@stack/kernel';
import type { SkBuff } from '@stack/skbuff';
import {
  TCP_CLOSE, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_SYN_RECV, TCP_SYN_SENT, TCP_TIME_WAIT, sockHold, sockOwnedByUser, sockPut,
} from '@stack/socket';
import { tcpMstampRefresh, tcpStampUsDelta } from './tcp-clock.ts';
import { TCP_TIMEOUT_INIT } from './tcp-consts.ts';
import { tcpFastopenRsk } from './tcp-fastopen.ts';
import { tcpRtoMax, tcpSetRto } from './tcp-input-rtt.ts';
import { tcpSimpleRetransmit } from './tcp-input-recovery.ts';
import { inetSkRebuildHeader } from './tcp-ipv4-route.ts';
import { LINUX_MIB_LISTENDROPS, LINUX_MIB_LOCKDROPPEDICMPS, LINUX_MIB_OUTOFWINDOWICMPS } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpSyncMss } from './tcp-output-mss.ts';
import { tcpRsk } from './tcp-request-sock.ts';
import { tcpRtxQueueHead } from './tcp-rtx-queue.ts';
import { between, tcpSkbTimestampUs } from './tcp-skb-cb.ts';
import { TCPF_MTU_REDUCED_DEFERRED, tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpRetransmitTimer } from './tcp-timer.ts';
import { tcpDoneWithError } from './tcp.ts';

/** InetProtocol.errHandler: skb (lent) is at the IP header that came back. 0, or -ENOENT without a sock. */
export function tcpV4Err(skb: SkBuff, info: number): number {
  const net = skb.net;
  const type = icmpErrType(skb);
  const code = icmpErrCode(skb);
  const view = skb.view;
  const iph = skb.data;
  const th = iph + ((view.getUint8(iph) & 0x0f) << 2);
  const seq = view.getInt32(th + 4);
  // The quoted packet is ours: its destination is the peer.
  const found = __inetLookupEstablished(
    net.tcp.hashinfo, view.getInt32(iph + IPH_DADDR), view.getUint16(th + 2), view.getInt32(iph + IPH_SADDR), view.getUint16(th), skb.skbIif,
  );
  if (found === null) {
    snmpInc(net.ipv4.icmpMib, ICMP_MIB_INERRORS);
    return -ENOENT;
  }
  if (found.skState === TCP_TIME_WAIT) return 0;
  if (found.skState === TCP_NEW_SYN_RECV) {
    tcpReqErr(found as unknown as RequestSock, seq, tcpErrEndsRequest(type, code));
    return 0;
  }
  const sk = found as TcpSock;
  sockHold(sk);
  tcpV4ErrSock(sk, skb, type, code, seq, info);
  sockPut(sk);
  return 0;
}

/** Errors that say the peer of a request cannot be reached. */
function tcpErrEndsRequest(type: number, code: number): boolean {
  if (type === ICMP_PARAMETERPROB || type === ICMP_TIME_EXCEEDED) return true;
  return type === ICMP_DEST_UNREACH && (code === ICMP_NET_UNREACH || code === ICMP_HOST_UNREACH);
}

/** An error about the SYN-ACK of a request. */
function tcpReqErr(sock: RequestSock, seq: number, abort: boolean): void {
  const req = tcpRsk(sock);
  const net = req.skNet;
  if (seq !== req.sntIsn) {
    netIncStats(net, LINUX_MIB_OUTOFWINDOWICMPS);
    return;
  }
  const listener = req.rskListener;
  if (!abort || listener === null) return;
  inetCskReqskQueueDrop(listener, req);
  listener.skDrops++;
  netIncStats(net, LINUX_MIB_LISTENDROPS);
}

function tcpV4ErrSock(sk: TcpSock, skb: SkBuff, type: number, code: number, seq: number, info: number): void {
  const owned = sockOwnedByUser(sk);
  const fragNeeded = type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED;
  if (owned && !fragNeeded) netIncStats(sk.skNet, LINUX_MIB_LOCKDROPPEDICMPS);
  if (sk.skState === TCP_CLOSE) return;
  if (sk.skState !== TCP_LISTEN && !between(seq, tcpErrSndUna(sk), sk.sndNxt)) {
    netIncStats(sk.skNet, LINUX_MIB_OUTOFWINDOWICMPS);
    return;
  }
  if (fragNeeded) return tcpV4FragNeeded(sk, owned, info);
  const err = tcpV4ErrErrno(sk, skb, type, code, seq, owned);
  if (err !== 0) tcpV4ErrReport(sk, skb, err, info, owned);
}

/** The errno (positive) that an ICMP message stands for; 0: it changes nothing further. */
function tcpV4ErrErrno(sk: TcpSock, skb: SkBuff, type: number, code: number, seq: number, owned: boolean): number {
  switch (type) {
    case ICMP_REDIRECT:
      if (!owned) tcpV4Redirect(sk, skb);
      return 0;
    case ICMP_SOURCE_QUENCH:
      return 0;
    case ICMP_PARAMETERPROB:
      return EPROTO;
    case ICMP_DEST_UNREACH:
      if (code > NR_ICMP_UNREACH) return 0;
      if (code === ICMP_NET_UNREACH || code === ICMP_HOST_UNREACH) tcpLdRtoRevert(sk, seq);
      return icmpErrConvert(code);
    case ICMP_TIME_EXCEEDED:
      return EHOSTUNREACH;
    default:
      return 0;
  }
}

/** A router knows a better way. */
function tcpV4Redirect(sk: TcpSock, skb: SkBuff): void {
  const dst = skDstCheck(sk);
  if (dst !== null) dst.ops.redirect(dst, sk, skb);
}

/** The oldest octet that an error may be about: a SYN-ACK of Fast Open is not in sndUna's space. */
function tcpErrSndUna(sk: TcpSock): number {
  const req = tcpFastopenRsk(sk);
  return req === null ? sk.sndUna : req.sntIsn;
}

/** A handshake ends by it; a connection only takes note (RFC 5461), unless IP_RECVERR asks to hear of it. */
function tcpV4ErrReport(sk: TcpSock, skb: SkBuff, err: number, info: number, owned: boolean): void {
  // A child of Fast Open that was accepted counts as connected.
  const req = tcpFastopenRsk(sk);
  if ((sk.skState === TCP_SYN_SENT || sk.skState === TCP_SYN_RECV) && (req === null || req.sk !== null)) {
    ipIcmpError(sk, skb, err, sk.inetDport, info, (skb.view.getUint8(skb.data) & 0x0f) << 2);
    if (owned) sk.skErrSoft = err;
    else tcpDoneWithError(sk, err);
    return;
  }
  if (!owned && inetTestBit(sk, INET_FLAGS_RECVERR)) {
    sk.skErr = err;
    sk.skErrorReport(sk);
  } else {
    sk.skErrSoft = err;
  }
}

function tcpV4FragNeeded(sk: TcpSock, owned: boolean, info: number): void {
  if (sk.skState === TCP_LISTEN) return;
  sk.mtuInfo = info;
  if (owned) sk.tsqFlags |= TCPF_MTU_REDUCED_DEFERRED;
  else tcpV4MtuReduced(sk);
}

/** af_specific.mtuReduced: takes the path MTU in sk.mtuInfo over and sends what no longer fits again. */
export function tcpV4MtuReduced(sock: InetConnectionSock): void {
  const sk = tcpSk(sock);
  if (((1 << sk.skState) & (TCPF_LISTEN | TCPF_CLOSE)) !== 0) return;
  if (inetSkRebuildHeader(sk) !== 0 || sk.skDstCache === null) return;
  const reported = sk.mtuInfo;
  sk.skDstCache.ops.updatePmtu(sk.skDstCache, sk, null, reported);
  // The old route is no longer valid once it is known to be narrower.
  if (inetSkRebuildHeader(sk) !== 0) return;
  const dst = sk.skDstCache;
  if (dst === null) return;
  const mtu = dst.ops.mtu(dst);
  if (reported < mtu && ipDontFragment(sk, dst as Rtable)) sk.skErrSoft = EMSGSIZE;
  const pmtudisc = sk.pmtudisc;
  const accepts = pmtudisc !== IP_PMTUDISC_DONT && pmtudisc !== IP_PMTUDISC_INTERFACE && pmtudisc !== IP_PMTUDISC_OMIT;
  if (accepts && sk.icskPmtuCookie > mtu) {
    tcpSyncMss(sk, mtu);
    tcpSimpleRetransmit(sk);
  }
}

/** RFC 6069: the path was down, not congested: the last backoff of the retransmission timer is undone. */
export function tcpLdRtoRevert(sk: TcpSock, seq: number): void {
  if (sk.icskRetransmits === 0 || sk.icskBackoff === 0 || tcpFastopenRsk(sk) !== null || seq !== sk.sndUna || sockOwnedByUser(sk)) return;
  const skb = tcpRtxQueueHead(sk);
  if (skb === null) return;
  sk.icskBackoff--;
  if (sk.srttUs !== 0) tcpSetRto(sk);
  else sk.icskRto = TCP_TIMEOUT_INIT;
  sk.icskRto = inetCskRtoBackoff(sk, tcpRtoMax(sk));
  tcpMstampRefresh(sk);
  const elapsed = usecsToJiffies(tcpStampUsDelta(sk.tcpMstamp, tcpSkbTimestampUs(skb)));
  const remaining = sk.icskRto - elapsed;
  if (remaining > 0) inetCskResetXmitTimer(sk, ICSK_TIME_RETRANS, remaining, tcpRtoMax(sk));
  else tcpRetransmitTimer(sk);
}
