/*
 * What poll, epoll and ioctl are told of a connection or listener.
 *
 * Order of calls: sys_poll, sys_epoll_wait → tcpPoll → tcpPollEvents; sys_ioctl → tcpIoctl → tcpInq. Read first: RFC 9293 §3.10.6 (STATUS); poll(2), tcp(7).
 */
import { reqskQueueEmpty } from '@stack/inet-sock';
import { EINVAL, ENOIOCTLCMD } from '@stack/kernel';
import {
  EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, EPOLLRDNORM, EPOLLWRNORM, RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK,
  SIOCATMARK, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SOCK_DONE, SOCK_RCVBUF_LOCK, SOCK_URGINLINE, TCP_CLOSE, TCP_LISTEN, TCP_SYN_RECV,
  TCP_SYN_SENT, __skStreamIsWriteable, sockFlag, sockPollWait, sockRcvlowat,
} from '@stack/socket';
import type { File, PollTable, Sock, Socket } from '@stack/socket';
import { tcpFastopenRsk } from './tcp-fastopen.ts';
import { before } from './tcp-skb-cb.ts';
import { TCP_URG_VALID, tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpConnectDeferred, tcpEpollinReady, tcpSpaceFromWin } from './tcp-space.ts';
import { tcpDataReady } from './tcp-input-data.ts';

/** ProtoOps.poll of a TCP socket: registers with `wait`, returns the events (EPOLL*) that are true now. */
export function tcpPoll(file: File, sock: Socket, wait: PollTable | null): number {
  sockPollWait(file, sock, wait);
  return sock.sk === null ? 0 : tcpPollEvents(tcpSk(sock.sk));
}

/** The events that are true now. */
export function tcpPollEvents(sk: TcpSock): number {
  const state = sk.skState;
  if (state === TCP_LISTEN) return inetCskListenPoll(sk);
  const shutdown = sk.skShutdown;
  let mask = 0;
  if (shutdown === SHUTDOWN_MASK || state === TCP_CLOSE) mask |= EPOLLHUP;
  if ((shutdown & RCV_SHUTDOWN) !== 0) mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
  if (state !== TCP_SYN_SENT && (state !== TCP_SYN_RECV || tcpFastopenRsk(sk) !== null)) mask |= tcpPollConnected(sk, shutdown);
  else if (state === TCP_SYN_SENT && tcpConnectDeferred(sk)) mask |= EPOLLOUT | EPOLLWRNORM;
  if (sk.skErr !== 0 || (sk.skErrorQueue !== null && sk.skErrorQueue.qlen > 0)) mask |= EPOLLERR;
  return mask;
}

function tcpPollConnected(sk: TcpSock, shutdown: number): number {
  let mask = 0;
  let target = sockRcvlowat(sk, false, 0x7fffffff);
  // The urgent byte is in the sequence space, but not for ordinary reads.
  if (sk.urgData !== 0 && sk.urgSeq === sk.copiedSeq && !sockFlag(sk, SOCK_URGINLINE)) target++;
  if (tcpEpollinReady(sk, target)) mask |= EPOLLIN | EPOLLRDNORM;
  if ((shutdown & SEND_SHUTDOWN) !== 0 || __skStreamIsWriteable(sk, 1)) mask |= EPOLLOUT | EPOLLWRNORM;
  // Who asks may wait for room: then room is news.
  else sk.noSpace = true;
  if ((sk.urgData & TCP_URG_VALID) !== 0) mask |= EPOLLPRI;
  return mask;
}

/** A listener is readable when a connection waits. */
function inetCskListenPoll(sk: TcpSock): number {
  const queue = sk.icskAcceptQueue;
  return queue !== null && !reqskQueueEmpty(queue) ? EPOLLIN | EPOLLRDNORM : 0;
}

/** Bytes that can be read up to the urgent mark or the end. */
export function tcpInq(sk: TcpSock): number {
  if (sk.skState === TCP_SYN_SENT || sk.skState === TCP_SYN_RECV) return 0;
  const toMark = sk.urgData !== 0 && !sockFlag(sk, SOCK_URGINLINE) && !before(sk.urgSeq, sk.copiedSeq) && before(sk.urgSeq, sk.rcvNxt);
  if (toMark) return (sk.urgSeq - sk.copiedSeq) | 0;
  const answ = (sk.rcvNxt - sk.copiedSeq) | 0;
  // The FIN has a number, but is no byte.
  return answ > 0 && sockFlag(sk, SOCK_DONE) ? answ - 1 : answ;
}

/** Proto.ioctl: SIOCINQ, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD. */
export function tcpIoctl(sock: Sock, cmd: number): number {
  const sk = tcpSk(sock);
  const inHandshake = sk.skState === TCP_SYN_SENT || sk.skState === TCP_SYN_RECV;
  switch (cmd) {
    case SIOCINQ:
      return sk.skState === TCP_LISTEN ? -EINVAL : tcpInq(sk);
    case SIOCATMARK:
      return sk.urgData !== 0 && sk.urgSeq === sk.copiedSeq ? 1 : 0;
    case SIOCOUTQ:
      if (sk.skState === TCP_LISTEN) return -EINVAL;
      return inHandshake ? 0 : (sk.writeSeq - sk.sndUna) | 0;
    case SIOCOUTQNSD:
      if (sk.skState === TCP_LISTEN) return -EINVAL;
      return inHandshake ? 0 : (sk.writeSeq - sk.sndNxt) | 0;
    default:
      return -ENOIOCTLCMD;
  }
}

/** ProtoOps.setRcvlowat: SO_RCVLOWAT, growing the receive buffer so that so much can arrive. Always 0. */
export function tcpSetRcvlowat(sock: Sock, val: number): number {
  const sk = tcpSk(sock);
  const locked = (sk.skUserlocks & SOCK_RCVBUF_LOCK) !== 0;
  const cap = locked ? sk.skRcvbuf >> 1 : (sk.skNet.tcp.mem.sysctlRmem[2] ?? 0) >> 1;
  sk.skRcvlowat = Math.max(Math.min(val < 0 ? 0x7fffffff : val, cap), 1);
  // Those who sleep may have enough now.
  tcpDataReady(sk);
  if (locked) return 0;
  const space = tcpSpaceFromWin(sk, sk.skRcvlowat);
  if (space > sk.skRcvbuf) {
    sk.skRcvbuf = space;
    if (sk.windowClamp !== 0 && sk.skRcvlowat > sk.windowClamp) sk.windowClamp = sk.skRcvlowat;
  }
  return 0;
}
