/*
 * inet_stream_ops, inet_dgram_ops and inet_sockraw_ops (net/ipv4/af_inet.c): what sock.ops is. Everything that is a protocol's
 * own matter is handed on to sk.skProt.
 */
import {
  datagramPoll, PF_INET, sockCommonGetsockopt, sockCommonRecvmsg, sockCommonSetsockopt, sockNoAccept, sockNoListen, sockNoSocketpair,
} from '@stack/socket';
import type { File, PollTable, ProtoOps, Sock, Socket } from '@stack/socket';
import { inetBind, inetDgramConnect, inetGetname, inetIoctl, inetRelease, inetSendmsg, inetShutdown } from './af-inet.ts';
import { inetAccept, inetListen, inetStreamConnect } from './inet-stream.ts';

/** poll: the protocol's, or that of all datagram sockets. */
function inetPoll(file: File, sock: Socket, wait: PollTable | null): number {
  const { poll } = (sock.sk as Sock).skProt;
  return poll === null ? datagramPoll(file, sock, wait) : poll(file, sock, wait);
}

/** SOCK_STREAM. */
export const inetStreamOps: ProtoOps = {
  family: PF_INET,
  release: inetRelease,
  bind: inetBind,
  connect: inetStreamConnect,
  socketpair: sockNoSocketpair,
  accept: inetAccept,
  getname: inetGetname,
  poll: inetPoll,
  ioctl: inetIoctl,
  listen: inetListen,
  shutdown: inetShutdown,
  setsockopt: sockCommonSetsockopt,
  getsockopt: sockCommonGetsockopt,
  sendmsg: inetSendmsg,
  recvmsg: sockCommonRecvmsg,
};

/** SOCK_DGRAM. */
export const inetDgramOps: ProtoOps = {
  family: PF_INET,
  release: inetRelease,
  bind: inetBind,
  connect: inetDgramConnect,
  socketpair: sockNoSocketpair,
  accept: sockNoAccept,
  getname: inetGetname,
  poll: inetPoll,
  ioctl: inetIoctl,
  listen: sockNoListen,
  shutdown: inetShutdown,
  setsockopt: sockCommonSetsockopt,
  getsockopt: sockCommonGetsockopt,
  sendmsg: inetSendmsg,
  recvmsg: sockCommonRecvmsg,
};

/** SOCK_RAW, and the ping sockets among SOCK_DGRAM: as SOCK_DGRAM, but for poll, which is never the protocol's. */
export const inetSockrawOps: ProtoOps = {
  family: PF_INET,
  release: inetRelease,
  bind: inetBind,
  connect: inetDgramConnect,
  socketpair: sockNoSocketpair,
  accept: sockNoAccept,
  getname: inetGetname,
  poll: datagramPoll,
  ioctl: inetIoctl,
  listen: sockNoListen,
  shutdown: inetShutdown,
  setsockopt: sockCommonSetsockopt,
  getsockopt: sockCommonGetsockopt,
  sendmsg: inetSendmsg,
  recvmsg: sockCommonRecvmsg,
};
