/**
 * Sockets on a channel: the address family, its operations, and its Proto. What @stack/inet is for IPv4, as small as can be.
 *
 * Order of calls: createChannelHost → channelOps, channelProt, by the system calls. Read first: tcp-channel.ts.
 */
import { inetCsk, inetCskAccept, inetCskGetPort, inetCskListenStart, inetHash, inetPutPort, inetUnhash, TCPF_SYN_RECV, TCPF_SYN_SENT } from '@stack/inet-sock';
import { EAGAIN, EADDRINUSE, EALREADY, ECONNABORTED, EINPROGRESS, EINVAL, EISCONN, ENOTCONN, createNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import {
  AF_UNSPEC, IPPROTO_TCP, O_NONBLOCK, RCV_SHUTDOWN, SOCK_BINDPORT_LOCK, SOCK_LINGER, SS_CONNECTED, SS_CONNECTING, SS_DISCONNECTING, SS_UNCONNECTED, TCP_CLOSE, TCP_LISTEN,
  TCP_SYN_SENT, createTask, installSocket, lockSock, releaseSock, skAlloc, skIoctl, sockCommonGetsockopt, sockCommonRecvmsg,
  sockCommonSetsockopt, sockError, sockFlag, sockGraft, sockInitData, sockNoSocketpair, sockRegister,
} from '@stack/socket';
import type { NetProtoFamily, Proto, ProtoOps, Sock, SockAddr, Socket, Task } from '@stack/socket';
import { installTcp } from './install.ts';
import { tcpClose, tcpShutdown } from './tcp-close.ts';
import { tcpSetKeepalive } from './tcp-keepalive.ts';
import { tcpReleaseCb } from './tcp-output-tsq.ts';
import { tcpIoctl, tcpPoll, tcpSetRcvlowat } from './tcp-poll.ts';
import { tcpDoRcv } from './tcp-rcv.ts';
import { tcpRecvmsg } from './tcp-recvmsg.ts';
import { tcpSendmsg } from './tcp-sendmsg.ts';
import { tcpGetsockopt, tcpSetsockopt } from './tcp-sockopt.ts';
import { TcpSock, tcpSk } from './tcp-sock.ts';
import { tcpStreamMemoryFree } from './tcp-space.ts';
import { tcpDestroySock, tcpDisconnect, tcpEnterMemoryPressure, tcpInitSock, tcpLeaveMemoryPressure } from './tcp.ts';
import { AF_CHANNEL, channelAttach, channelNet, channelSpecific } from './tcp-channel.ts';
import type { Channel, SockAddrChannel } from './tcp-channel.ts';

export const channelProt: Proto = {
  name: 'TCP',
  objCreate: (net, family, prot) => new TcpSock(net, family, prot, channelSpecific),
  mem: (sk) => sk.skNet.tcp.mem,
  init: tcpInitSock,
  destroy: tcpDestroySock,
  close: tcpClose,
  connect: (sk, addr) => channelSpecific.connect(inetCsk(sk), addr),
  disconnect: tcpDisconnect,
  accept: inetCskAccept,
  ioctl: tcpIoctl,
  shutdown: tcpShutdown,
  setsockopt: tcpSetsockopt,
  getsockopt: tcpGetsockopt,
  sendmsg: tcpSendmsg,
  recvmsg: tcpRecvmsg,
  bind: null,
  backlogRcv: tcpDoRcv,
  releaseCb: tcpReleaseCb,
  hash: inetHash,
  unhash: inetUnhash,
  getPort: inetCskGetPort,
  putPort: inetPutPort,
  streamMemoryFree: (sk, wake) => tcpStreamMemoryFree(tcpSk(sk), wake),
  enterMemoryPressure: tcpEnterMemoryPressure,
  leaveMemoryPressure: tcpLeaveMemoryPressure,
  poll: tcpPoll,
  setRcvlowat: tcpSetRcvlowat,
  keepalive: (sk, on) => tcpSetKeepalive(tcpSk(sk), on),
  rehash: null,
};

function sockOf(sock: Socket): TcpSock {
  return tcpSk(sock.sk as Sock);
}

function channelBind(sock: Socket, uaddr: SockAddr): number {
  const sk = sockOf(sock);
  const { port } = uaddr as SockAddrChannel;
  lockSock(sk);
  sk.inetRcvSaddr = (uaddr as SockAddrChannel).key;
  sk.inetSaddr = sk.inetRcvSaddr;
  const err = sk.inetNum !== 0 ? -EINVAL : inetCskGetPort(sk, port) === 0 ? 0 : -EADDRINUSE;
  if (err === 0) {
    sk.inetSport = sk.inetNum;
    if (port !== 0) sk.skUserlocks |= SOCK_BINDPORT_LOCK;
  }
  releaseSock(sk);
  return err;
}

function connectState(sock: Socket, sk: Sock, addr: SockAddr, flags: number): number {
  let pending = -EALREADY;
  if (sock.state === SS_CONNECTED) return -EISCONN;
  if (sock.state === SS_UNCONNECTED) {
    if (sk.skState !== TCP_CLOSE) return -EISCONN;
    const err = channelProt.connect === null ? -EINVAL : channelProt.connect(sk, addr);
    if (err < 0) return err;
    sock.state = SS_CONNECTING;
    pending = -EINPROGRESS;
  }
  if (((1 << sk.skState) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0) return pending;
  if (sk.skState !== TCP_CLOSE) {
    sock.state = SS_CONNECTED;
    return 0;
  }
  const err = sockError(sk);
  sock.state = SS_UNCONNECTED;
  tcpDisconnect(sk, flags);
  return err !== 0 ? err : -ECONNABORTED;
}

function channelConnectOp(sock: Socket, addr: SockAddr, flags: number): number {
  const sk = sockOf(sock);
  lockSock(sk);
  let err: number;
  if (addr.saFamily === AF_UNSPEC) {
    err = tcpDisconnect(sk, flags);
    sock.state = SS_UNCONNECTED;
  } else {
    err = connectState(sock, sk, addr, flags);
  }
  releaseSock(sk);
  return err;
}

function channelListen(sock: Socket, backlog: number): number {
  const sk = sockOf(sock);
  lockSock(sk);
  sk.skMaxAckBacklog = backlog;
  const err = sk.skState === TCP_LISTEN ? 0 : inetCskListenStart(sk);
  releaseSock(sk);
  return err;
}

function channelShutdown(sock: Socket, how: number): number {
  const sk = sockOf(sock);
  const bits = how + 1;
  let err = 0;
  lockSock(sk);
  if (sk.skState === TCP_CLOSE) err = -ENOTCONN;
  if (sk.skState === TCP_SYN_SENT || sk.skState === TCP_LISTEN) {
    if (sk.skState === TCP_SYN_SENT || (bits & RCV_SHUTDOWN) !== 0) {
      tcpDisconnect(sk, O_NONBLOCK);
      sock.state = SS_DISCONNECTING;
    }
  } else {
    sk.skShutdown |= bits;
    tcpShutdown(sk, bits);
  }
  sk.skStateChange(sk);
  releaseSock(sk);
  return err;
}

export const channelOps: ProtoOps = {
  family: AF_CHANNEL,
  release: (sock) => {
    if (sock.sk === null) return 0;
    if (tcpClose(sock.sk, sockFlag(sock.sk, SOCK_LINGER) ? sock.sk.skLingertime : 0) === -EAGAIN) return -EAGAIN;
    sock.sk = null;
    return 0;
  },
  bind: channelBind,
  connect: channelConnectOp,
  socketpair: sockNoSocketpair,
  accept: (sock, newsock, arg) => {
    const sk = sockOf(sock);
    lockSock(sk);
    const child = inetCskAccept(sk, arg);
    releaseSock(sk);
    if (child === null) return arg.err;
    sockGraft(child, newsock);
    newsock.state = SS_CONNECTED;
    return 0;
  },
  getname: (sock, uaddr, peer) => {
    const sk = sockOf(sock);
    const addr = uaddr as SockAddrChannel;
    if (peer && (sk.inetDport === 0 || sk.skState === TCP_CLOSE || sk.skState === TCP_SYN_SENT)) return -ENOTCONN;
    addr.key = peer ? sk.inetDaddr : sk.inetRcvSaddr;
    addr.port = peer ? sk.inetDport : sk.inetSport;
    return 0;
  },
  poll: tcpPoll,
  ioctl: (sock, cmd) => skIoctl(sock, cmd),
  listen: channelListen,
  shutdown: channelShutdown,
  setsockopt: sockCommonSetsockopt,
  getsockopt: sockCommonGetsockopt,
  sendmsg: (sock, msg, size) => tcpSendmsg(sockOf(sock), msg, size),
  recvmsg: sockCommonRecvmsg,
};

const channelFamily: NetProtoFamily = {
  family: AF_CHANNEL,
  create: (net, sock) => {
    sock.ops = channelOps;
    const sk = skAlloc(net, AF_CHANNEL, channelProt);
    sockInitData(sock, sk);
    sk.skProtocol = IPPROTO_TCP;
    return tcpInitSock(sk);
  },
};

/** A host with sockets and TCP on a channel, and a task of it. */
export class ChannelHost {
  net: Net;
  task: Task;
  key: number;

  constructor(net: Net, task: Task, key: number) {
    this.net = net;
    this.task = task;
    this.key = key;
  }
}

/** Makes a host and puts it on the channel. */
export function createChannelHost(channel: Channel, key: number): ChannelHost {
  const net = createNet(channel.world, { name: `host${key}` });
  installSocket(net);
  installTcp(net);
  channelAttach(channel, net, key);
  sockRegister(net, channelFamily);
  return new ChannelHost(net, createTask(net, `task${key}`), channelNet(net).key);
}
