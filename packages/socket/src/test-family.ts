/*
 * A family for the tests of this package: pairs of connected sockets without a network, as small as a Proto can be.
 * SOCK_STREAM sends bytes, SOCK_DGRAM whole messages. Not exported.
 */
import { EAGAIN, EINVAL, ENOIOCTLCMD, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPIPE } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { allocSkb, consumeSkb, skbPeek, skbPull, skbPut, skbUnlink } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { datagramPoll } from './datagram.ts';
import { skIoctl } from './ioctl.ts';
import { copyFromIter, skbCopyDatagramMsg } from './iov-iter.ts';
import type { MsgHdr, SockAddr } from './msghdr.ts';
import { SS_CONNECTED } from './net-struct.ts';
import type { NetProtoFamily, ProtoOps, Socket } from './net-struct.ts';
import { skAlloc, skCommonRelease, sockInitData } from './sock-alloc.ts';
import { OptInt, RCV_SHUTDOWN, SEND_SHUTDOWN, Sock } from './sock-struct.ts';
import type { Proto } from './sock-struct.ts';
import {
  sockError, sockNoAccept, sockNoBind, sockNoConnect, sockNoListen, sockQueueRcvSkb, sockRcvlowat,
} from './sock.ts';
import { sockCommonGetsockopt, sockCommonRecvmsg, sockCommonSetsockopt } from './socket.ts';
import { AF_UNIX, FIONREAD, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, SOCK_STREAM } from './uapi-socket.ts';

export class PairSock extends Sock {
  peer: PairSock | null;
  closes: number;

  constructor(net: Net, family: number, prot: Proto) {
    super(net, family, prot);
    this.peer = null;
    this.closes = 0;
  }
}

function pairSendmsg(sock: Sock, msg: MsgHdr, len: number): number {
  const sk = sock as PairSock;
  const net = sk.skNet;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'pair_sendmsg', null);
  if (sk.skErr !== 0) return sockError(sk);
  const { peer } = sk;
  if (peer === null || (sk.skShutdown & SEND_SHUTDOWN) !== 0) return -EPIPE;
  while (msg.msgCopied < len) {
    const skb = peer.skRmemAlloc < peer.skRcvbuf ? allocSkb(net, Math.min(len - msg.msgCopied, 1024)) : null;
    if (skb === null) return (msg.msgFlags & MSG_DONTWAIT) !== 0 && msg.msgCopied > 0 ? msg.msgCopied : -EAGAIN;
    const n = Math.min(len - msg.msgCopied, 1024);
    copyFromIter(skb.buf, skbPut(skb, n), n, msg);
    msg.msgCopied += n;
    sockQueueRcvSkb(peer, skb);
  }
  return len;
}

function take(sk: Sock, skb: SkBuff): void {
  skbUnlink(skb, sk.skReceiveQueue);
  consumeSkb(skb);
  const { peer } = sk as PairSock;
  if (peer !== null) peer.skWriteSpace(peer);
}

function pairRecvmsg(sk: Sock, msg: MsgHdr, len: number, flags: number): number {
  const net = sk.skNet;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'pair_recvmsg', null);
  if (sk.skErr !== 0) return sockError(sk);
  return sk.skType === SOCK_STREAM ? recvStream(sk, msg, len, flags) : recvMessage(sk, msg, len, flags);
}

function recvMessage(sk: Sock, msg: MsgHdr, len: number, flags: number): number {
  const skb = skbPeek(sk.skReceiveQueue);
  if (skb === null) return (sk.skShutdown & RCV_SHUTDOWN) !== 0 ? 0 : -EAGAIN;
  const n = Math.min(len, skb.len);
  skbCopyDatagramMsg(skb, 0, msg, n);
  if (n < skb.len) msg.msgFlags |= MSG_TRUNC;
  if ((flags & MSG_PEEK) === 0) take(sk, skb);
  return n;
}

function recvStream(sk: Sock, msg: MsgHdr, len: number, flags: number): number {
  const target = sockRcvlowat(sk, (flags & MSG_WAITALL) !== 0, len);
  for (let skb = skbPeek(sk.skReceiveQueue); skb !== null && msg.msgCopied < len; ) {
    const n = Math.min(len - msg.msgCopied, skb.len);
    skbCopyDatagramMsg(skb, 0, msg, n);
    msg.msgCopied += n;
    if ((flags & MSG_PEEK) !== 0) {
      skb = skb.next;
      continue;
    }
    if (n === skb.len) take(sk, skb);
    else skbPull(skb, n);
    skb = skbPeek(sk.skReceiveQueue);
  }
  if (msg.msgCopied >= target || (sk.skShutdown & RCV_SHUTDOWN) !== 0) return msg.msgCopied;
  return (flags & MSG_DONTWAIT) !== 0 && msg.msgCopied > 0 ? msg.msgCopied : -EAGAIN;
}

/** Lingers, if told to, until the peer has read everything. */
function pairClose(sock: Sock, timeout: number): number {
  const sk = sock as PairSock;
  const { peer } = sk;
  sk.closes++;
  if (timeout > 0 && peer !== null && peer.skReceiveQueue.qlen !== 0) return -EAGAIN;
  if (peer !== null) {
    peer.peer = null;
    peer.skShutdown |= RCV_SHUTDOWN;
    peer.skStateChange(peer);
    sk.peer = null;
  }
  skCommonRelease(sk);
  return 0;
}

export const pairProt: Proto = {
  name: 'PAIR',
  objCreate: (net, family, prot) => new PairSock(net, family, prot),
  mem: null,
  init: null,
  destroy: null,
  close: pairClose,
  connect: null,
  disconnect: null,
  accept: null,
  ioctl: (sk, cmd) => (cmd === FIONREAD ? (skbPeek(sk.skReceiveQueue)?.len ?? 0) : -ENOIOCTLCMD),
  shutdown: null,
  setsockopt: () => -ENOPROTOOPT,
  getsockopt: (_sk, _level, name) => (name === -1 ? new OptInt(-7) : -ENOPROTOOPT),
  sendmsg: pairSendmsg,
  recvmsg: pairRecvmsg,
  bind: null,
  backlogRcv: null,
  releaseCb: null,
  hash: null,
  unhash: null,
  getPort: null,
  putPort: null,
  streamMemoryFree: null,
  enterMemoryPressure: null, leaveMemoryPressure: null,
  poll: null,
  setRcvlowat: null,
  keepalive: null,
  rehash: null,
};

function pairRelease(sock: Socket): number {
  if (sock.sk === null) return 0;
  const linger = (sock.sk.skFlags & (1 << 4)) !== 0 ? sock.sk.skLingertime : 0;
  if (sock.sk.skProt.close(sock.sk, linger) === -EAGAIN) return -EAGAIN;
  sock.sk = null;
  return 0;
}

function pairShutdown(sock: Socket, how: number): number {
  const sk = sock.sk as PairSock;
  if (sk.peer === null) return -ENOTCONN;
  sk.skShutdown |= how + 1;
  if ((sk.skShutdown & SEND_SHUTDOWN) !== 0) sk.peer.skShutdown |= RCV_SHUTDOWN;
  sk.peer.skStateChange(sk.peer);
  sk.skStateChange(sk);
  return 0;
}

function pairSocketpair(sock1: Socket, sock2: Socket): number {
  const a = sock1.sk as PairSock;
  const b = sock2.sk as PairSock;
  a.peer = b;
  b.peer = a;
  sock1.state = SS_CONNECTED;
  sock2.state = SS_CONNECTED;
  return 0;
}

export const pairOps: ProtoOps = {
  family: AF_UNIX,
  release: pairRelease,
  bind: sockNoBind,
  connect: sockNoConnect,
  socketpair: pairSocketpair,
  accept: sockNoAccept,
  getname: (_sock: Socket, _addr: SockAddr, _peer: boolean) => -EOPNOTSUPP,
  poll: datagramPoll,
  ioctl: skIoctl,
  listen: sockNoListen,
  shutdown: pairShutdown,
  setsockopt: sockCommonSetsockopt,
  getsockopt: sockCommonGetsockopt,
  sendmsg: (sock, msg, len) => (sock.sk === null ? -EINVAL : sock.sk.skProt.sendmsg(sock.sk, msg, len)),
  recvmsg: sockCommonRecvmsg,
};

export const pairFamily: NetProtoFamily = {
  family: AF_UNIX,
  create(net, sock) {
    sock.ops = pairOps;
    sockInitData(sock, skAlloc(net, AF_UNIX, pairProt));
    return 0;
  },
};
