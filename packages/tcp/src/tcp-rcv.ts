/*
 * The part of tcp_v4_rcv and tcp_v4_do_rcv that every carrier shares: a segment whose sock is found goes to the engine, to
 * the backlog of a sock that a system call owns, to a connection request or to a time-wait sock.
 *
 * Order of calls: the carrier (tcpV4Rcv) checks and looks up → tcpFillCb → tcpRcvDemux → tcpDoRcv → tcpRcvEstablished or
 * tcpRcvStateProcess. Read first: RFC 9293 §3.10.7, §3.5.2 (resets).
 */
import { inetCskReqskQueueDrop, inetTwskDeschedulePut } from '@stack/inet-sock';
import type { InetConnectionSockAfOps, RequestSock, SockCommon } from '@stack/inet-sock';
import {
  SKB_DROP_REASON_NO_SOCKET, SKB_DROP_REASON_SOCKET_BACKLOG, SKB_DROP_REASON_TCP_SYNCOOKIE, SKB_DROP_REASON_TCP_TIME_WAIT,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { dstRelease, kfreeSkbReason, nfReset } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  TCP_ESTABLISHED, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_TIME_WAIT, skAddBacklog, sockHold, sockOwnedByUser, sockPut, sockStampSkb,
} from '@stack/socket';
import type { Sock } from '@stack/socket';
import { thAckSeq, thFlags, thHdrLen, thSeq } from './tcp-hdr.ts';
import { tcpRcvStateProcess } from './tcp-input-state.ts';
import { tcpRcvEstablished } from './tcp-input.ts';
import { LINUX_MIB_TCPBACKLOGDROP } from './tcp-mib.ts';
import { tcpCheckReq, tcpChildProcess } from './tcp-minisocks.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpRsk, tcpTwsk } from './tcp-request-sock.ts';
import type { TcpTimewaitSock } from './tcp-request-sock.ts';
import { tcpSegsIn } from './tcp-segs-in.ts';
import {
  TCPHDR_FIN, TCPHDR_SYN, tcbSetAckSeq, tcbSetEndSeq, tcbSetIpDsfield, tcbSetSacked, tcbSetSeq, tcbSetTcpFlags, tcbSetTcpTwIsn,
} from './tcp-skb-cb.ts';
import { tcpInboundHash } from './tcp-md5.ts';
import { tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { TCP_TW_ACK, TCP_TW_RST, TCP_TW_SUCCESS, TCP_TW_SYN, tcpTimewaitIsn, tcpTimewaitStateProcess } from './tcp-timewait.ts';

/** Room above the buffers for ACKs that wait in a backlog. */
const BACKLOG_RESERVE = 64 * 1024;

function tcpRcvDrop(skb: SkBuff, reason: number): void {
  kfreeSkbReason(skb, reason);
}

/** Fills TCP_SKB_CB from the header; transportHeader is set and data there. `dsfield`: the carrier's, for ECN. */
export function tcpFillCb(skb: SkBuff, dsfield: number): void {
  const flags = thFlags(skb);
  const seq = thSeq(skb);
  const counted = ((flags & TCPHDR_SYN) !== 0 ? 1 : 0) + ((flags & TCPHDR_FIN) !== 0 ? 1 : 0);
  tcbSetSeq(skb, seq);
  tcbSetEndSeq(skb, seq + counted + skb.len - thHdrLen(skb));
  tcbSetAckSeq(skb, thAckSeq(skb));
  tcbSetTcpFlags(skb, flags);
  tcbSetSacked(skb, 0);
  tcbSetTcpTwIsn(skb, 0);
  tcbSetIpDsfield(skb, dsfield);
  skb.cb7 = 0;
}

/** Gives skb (consumed, control block filled, data at the header) to what the lookup found; null: nothing, so a reset. */
export function tcpRcvDemux(net: Net, af: InetConnectionSockAfOps, skb: SkBuff, sk: SockCommon | null): void {
  if (sk === null) {
    af.sendReset(null, skb);
    tcpRcvDrop(skb, SKB_DROP_REASON_NO_SOCKET);
  } else if (sk.skState === TCP_TIME_WAIT) {
    tcpRcvTimewait(net, af, skb, tcpTwsk(sk as TcpTimewaitSock));
  } else if (sk.skState === TCP_NEW_SYN_RECV) {
    tcpRcvRequest(net, af, skb, sk as unknown as RequestSock);
  } else {
    tcpRcvSock(net, skb, sk as TcpSock);
  }
}

/** A full sock: now, or by its backlog when a system call owns it. */
function tcpRcvSock(net: Net, skb: SkBuff, sk: TcpSock): void {
  const reason = tcpInboundHash(sk, skb);
  if (reason !== 0) {
    sk.skDrops++;
    tcpRcvDrop(skb, reason);
    return;
  }
  if (skb.nfct !== null) nfReset(skb);
  skb.dev = null;
  sockStampSkb(sk, skb);
  if (sk.skState === TCP_LISTEN) {
    tcpDoRcv(sk, skb);
    return;
  }
  sockHold(sk);
  tcpSegsIn(sk, skb);
  if (!sockOwnedByUser(sk)) tcpDoRcv(sk, skb);
  else tcpAddBacklog(net, sk, skb);
  sockPut(sk);
}

/** Queues a segment for releaseSock; takes skb. */
function tcpAddBacklog(net: Net, sk: TcpSock, skb: SkBuff): void {
  const limit = Math.min(sk.skRcvbuf * 2 + (sk.skSndbuf >> 1) + BACKLOG_RESERVE, 0x7fffffff);
  if (skAddBacklog(sk, skb, limit) === 0) return;
  netIncStats(net, LINUX_MIB_TCPBACKLOGDROP);
  tcpRcvDrop(skb, SKB_DROP_REASON_SOCKET_BACKLOG);
}

/** A request: its listener decides, and a child may come of it, which then takes the segment. */
function tcpRcvRequest(net: Net, af: InetConnectionSockAfOps, skb: SkBuff, sock: RequestSock): void {
  const req = tcpRsk(sock);
  const listener = req.rskListener;
  const reason = listener === null ? 0 : tcpInboundHash(tcpSk(listener), skb);
  if (reason !== 0) {
    if (listener !== null) listener.skDrops++;
    tcpRcvDrop(skb, reason);
    return;
  }
  if (listener === null || listener.skState !== TCP_LISTEN) {
    if (listener !== null) inetCskReqskQueueDrop(listener, req);
    tcpRcvDemux(net, af, skb, af.lookupListener(skb));
    return;
  }
  const sk = tcpSk(listener);
  sockHold(sk);
  const nsk = tcpCheckReq(sk, skb, req);
  if (typeof nsk === 'number') tcpRcvDrop(skb, nsk);
  else if (nsk === sk) tcpRcvSock(net, skb, sk);
  else tcpRcvChild(sk, nsk, skb);
  sockPut(sk);
}

/** The first segment of a child. */
function tcpRcvChild(sk: TcpSock, child: TcpSock, skb: SkBuff): void {
  if (skb.nfct !== null) nfReset(skb);
  skb.dev = null;
  sockStampSkb(child, skb);
  const reason = tcpChildProcess(sk, child, skb);
  if (reason === 0) return;
  child.afSpecific.sendReset(child, skb);
  tcpRcvDrop(skb, reason);
}

function tcpRcvTimewait(net: Net, af: InetConnectionSockAfOps, skb: SkBuff, tw: TcpTimewaitSock): void {
  let status = tcpTimewaitStateProcess(tw, skb);
  if (status === TCP_TW_SYN) {
    const listener = af.lookupListener(skb);
    if (listener !== null) {
      tcbSetTcpTwIsn(skb, tcpTimewaitIsn(tw));
      inetTwskDeschedulePut(tw);
      tcpRcvSock(net, skb, tcpSk(listener));
      return;
    }
    status = TCP_TW_ACK;
  }
  if (status === TCP_TW_ACK) af.sendTimewaitAck(tw, skb);
  if (status === TCP_TW_RST) {
    af.sendReset(tw, skb);
    inetTwskDeschedulePut(tw);
  }
  tcpRcvDrop(skb, status === TCP_TW_SUCCESS ? SKB_DROP_REASON_TCP_TIME_WAIT : SKB_DROP_REASON_NO_SOCKET);
}

/** A cached input route that is no longer this packet's is forgotten. */
function tcpCheckRxDst(sk: TcpSock, skb: SkBuff): void {
  const dst = sk.skRxDst;
  if (dst === null) return;
  if (sk.skRxDstIfindex === skb.skbIif && dst.ops.check(dst, 0) !== null) return;
  sk.skRxDst = null;
  dstRelease(dst);
}

/** Proto.backlogRcv (tcp_v4_do_rcv): gives a segment to the engine; takes skb. Always 0. */
export function tcpDoRcv(sock: Sock, skb: SkBuff): number {
  const sk = tcpSk(sock);
  if (sk.skState === TCP_ESTABLISHED) {
    tcpCheckRxDst(sk, skb);
    tcpRcvEstablished(sk, skb);
    return 0;
  }
  if (sk.skState === TCP_LISTEN) {
    const nsk = sk.afSpecific.cookieCheck(sk, skb);
    if (nsk === null) {
      tcpRcvDrop(skb, SKB_DROP_REASON_TCP_SYNCOOKIE);
      return 0;
    }
    if (nsk !== sk) {
      tcpRcvChild(sk, tcpSk(nsk), skb);
      return 0;
    }
  }
  const reason = tcpRcvStateProcess(sk, skb);
  if (reason === 0) return 0;
  sk.afSpecific.sendReset(sk, skb);
  tcpRcvDrop(skb, reason);
  return 0;
}
