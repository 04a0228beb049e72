/*
 * Connections of PF_INET (net/ipv4/af_inet.c): connect, listen and accept of SOCK_STREAM.
 */
import { EAFNOSUPPORT, EALREADY, ECONNABORTED, EINPROGRESS, EINVAL, EISCONN } from '@stack/kernel';
import { INET_FLAGS_DEFER_CONNECT, inetCskListenStart, TCPF_SYN_RECV, TCPF_SYN_SENT } from '@stack/inet-sock';
import type { InetConnectionSock, InetSock } from '@stack/inet-sock';
import {
  AF_UNSPEC, lockSock, releaseSock, SOCK_STREAM, sockError, sockGraft, SS_CONNECTED, SS_CONNECTING, SS_DISCONNECTING, SS_UNCONNECTED,
  TCP_CLOSE, TCP_LISTEN,
} from '@stack/socket';
import type { ProtoAcceptArg, Sock, SockAddr, Socket } from '@stack/socket';
import { inetSk } from './af-inet.ts';

/**
 * connect of stream sockets: -EINPROGRESS when it has begun, -EALREADY while it goes on, then 0 or the error, once;
 * -EISCONN afterwards. AF_UNSPEC disconnects.
 */
export function inetStreamConnect(sock: Socket, addr: SockAddr, flags: number): number {
  const sk = inetSk(sock);
  lockSock(sk);
  const err = addr.saFamily === AF_UNSPEC ? inetDisconnect(sock, sk, flags) : inetConnectState(sock, sk, addr, flags);
  releaseSock(sk);
  return err;
}

function inetDisconnect(sock: Socket, sk: Sock, flags: number): number {
  const err = sk.skProt.disconnect === null ? -EINVAL : sk.skProt.disconnect(sk, flags);
  sock.state = err !== 0 ? SS_DISCONNECTING : SS_UNCONNECTED;
  return err;
}

function inetConnectState(sock: Socket, sk: InetSock, addr: SockAddr, flags: number): number {
  let pending = -EALREADY;
  switch (sock.state) {
    case SS_CONNECTED:
      return -EISCONN;
    case SS_CONNECTING:
      // TCP_FASTOPEN_CONNECT has said that it is connected.
      if ((sk.inetFlags & INET_FLAGS_DEFER_CONNECT) !== 0) pending = -EISCONN;
      break;
    case SS_UNCONNECTED: {
      if (sk.skState !== TCP_CLOSE) return -EISCONN;
      const err = sk.skProt.connect === null ? -EAFNOSUPPORT : sk.skProt.connect(sk, addr);
      if (err < 0) return err;
      sock.state = SS_CONNECTING;
      // TCP_FASTOPEN_CONNECT: the first write connects.
      if ((sk.inetFlags & INET_FLAGS_DEFER_CONNECT) !== 0) return 0;
      pending = -EINPROGRESS;
      break;
    }
    default:
      return -EINVAL;
  }
  if (((1 << sk.skState) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0) return pending;
  return sk.skState === TCP_CLOSE ? inetConnectFailed(sock, sk, flags) : inetConnected(sock);
}

function inetConnected(sock: Socket): number {
  sock.state = SS_CONNECTED;
  return 0;
}

/** The connection was refused, reset, or timed out: the error, and the socket may try again. */
function inetConnectFailed(sock: Socket, sk: Sock, flags: number): number {
  const err = sockError(sk);
  sock.state = SS_UNCONNECTED;
  if (sk.skProt.disconnect !== null && sk.skProt.disconnect(sk, flags) !== 0) sock.state = SS_DISCONNECTING;
  return err !== 0 ? err : -ECONNABORTED;
}

/** listen: `backlog` connections may wait to be accepted; may be changed while listening. */
export function inetListen(sock: Socket, backlog: number): number {
  const sk = inetSk(sock) as InetConnectionSock;
  if (sock.state !== SS_UNCONNECTED || sock.type !== SOCK_STREAM) return -EINVAL;
  if (sk.skState !== TCP_CLOSE && sk.skState !== TCP_LISTEN) return -EINVAL;
  lockSock(sk);
  sk.skMaxAckBacklog = backlog;
  const err = sk.skState === TCP_LISTEN ? 0 : inetCskListenStart(sk);
  releaseSock(sk);
  return err;
}

/** accept: ties the next connection to `newsock`; -EAGAIN if none waits. */
export function inetAccept(sock: Socket, newsock: Socket, arg: ProtoAcceptArg): number {
  const sk = inetSk(sock);
  if (sk.skProt.accept === null) return -EINVAL;
  lockSock(sk);
  arg.err = -EINVAL;
  const child = sk.skProt.accept(sk, arg);
  releaseSock(sk);
  if (child === null) return arg.err;
  lockSock(child);
  sockGraft(child, newsock);
  newsock.state = SS_CONNECTED;
  releaseSock(child);
  return 0;
}
