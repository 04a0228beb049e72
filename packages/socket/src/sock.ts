/*
 * What every protocol does with a Sock (include/net/sock.h, net/core/sock.c): who owns it for the moment, the backlog,
 * errors, the receive queue of datagrams, and the operations that a protocol does not have (sockNo…).
 */
import { EAGAIN, ENOBUFS, ENOMEM, EOPNOTSUPP, EPIPE, SKB_DROP_REASON_SOCKET_CLOSE } from '@stack/kernel';
import { allocSkb, skbDequeue, skbQueueTail, kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skRmemSchedule, skbSetOwnerR, skbSetOwnerW } from './sock-mem.ts';
import { SEND_SHUTDOWN, sockFlag, SOCK_DEAD } from './sock-struct.ts';
import type { ProtoAcceptArg, Sock } from './sock-struct.ts';
import type { File, PollTable } from './file.ts';
import type { MsgHdr, SockAddr } from './msghdr.ts';
import type { Socket } from './net-struct.ts';

/**
 * A system call takes the sock: segments that arrive meanwhile go to the backlog. Calls never meet here, for none of
 * them sleeps with the sock: taking it twice is a broken invariant.
 */
export function lockSock(sk: Sock): void {
  if (sk.skLockOwned) throw new Error(`lock_sock: ${sk.skProt.name} sock is owned already`);
  sk.skLockOwned = true;
}

/** Ends the ownership: first the backlog, in order of arrival, then what timers left to do (releaseCb). */
export function releaseSock(sk: Sock): void {
  while (sk.skBacklog.qlen !== 0) __releaseSock(sk);
  if (sk.skProt.releaseCb !== null) sk.skProt.releaseCb(sk);
  sk.skLockOwned = false;
}

function __releaseSock(sk: Sock): void {
  for (let skb = skbDequeue(sk.skBacklog); skb !== null; skb = skbDequeue(sk.skBacklog)) {
    sk.skBacklogLen -= skb.truesize;
    skBacklogRcv(sk, skb);
  }
}

/** Processes the backlog while the sock stays owned: long loops of recvmsg call it (sk_flush_backlog). */
export function skFlushBacklog(sk: Sock): boolean {
  if (sk.skBacklog.qlen === 0) return false;
  __releaseSock(sk);
  return true;
}

/** Does a system call own the sock now? */
export function sockOwnedByUser(sk: Sock): boolean {
  return sk.skLockOwned;
}

/** Hands one packet to the protocol. Takes the sk_buff. */
export function skBacklogRcv(sk: Sock, skb: SkBuff): number {
  if (sk.skBacklogRcv === null) {
    kfreeSkbReason(skb, SKB_DROP_REASON_SOCKET_CLOSE);
    return 0;
  }
  return sk.skBacklogRcv(sk, skb);
}

/** Queues a packet for releaseSock. Takes the sk_buff if it returns 0; -ENOBUFS when more than `limit` bytes wait. */
export function skAddBacklog(sk: Sock, skb: SkBuff, limit: number): number {
  if (sk.skBacklogLen + sk.skRmemAlloc > limit) return -ENOBUFS;
  sk.skBacklogLen += skb.truesize;
  skbQueueTail(sk.skBacklog, skb);
  return 0;
}

/** Takes the pending error: 0 or -errno. A second call returns 0. */
export function sockError(sk: Sock): number {
  const err = sk.skErr;
  if (err === 0) return 0;
  sk.skErr = 0;
  return -err;
}

/** Bytes with which a receive may return: SO_RCVLOWAT, or all of them with MSG_WAITALL; never 0. */
export function sockRcvlowat(sk: Sock, waitall: boolean, len: number): number {
  const v = waitall ? len : Math.min(sk.skRcvlowat, len);
  return v === 0 ? 1 : v;
}

/** Queues a datagram for the reader and tells him. Takes the sk_buff if it returns 0; else -ENOMEM or -ENOBUFS, counted in skDrops. */
export function sockQueueRcvSkb(sk: Sock, skb: SkBuff): number {
  if (sk.skRmemAlloc >= sk.skRcvbuf) {
    sk.skDrops++;
    return -ENOMEM;
  }
  if (!skRmemSchedule(sk, skb, skb.truesize)) {
    sk.skDrops++;
    return -ENOBUFS;
  }
  const { skNet: net } = sk;
  if (net.trace !== null) net.trace.hit(net, 'sk_receive_queue', skb);
  skb.dev = null;
  skbSetOwnerR(skb, sk);
  skbQueueTail(sk.skReceiveQueue, skb);
  if (!sockFlag(sk, SOCK_DEAD)) sk.skDataReady(sk);
  return 0;
}

/** An sk_buff to send with, or -errno: a pending error, -EPIPE after shutdown, -EAGAIN while the send buffer is full, -ENOBUFS. */
export function sockAllocSendSkb(sk: Sock, size: number): SkBuff | number {
  const err = sockError(sk);
  if (err !== 0) return err;
  if ((sk.skShutdown & SEND_SHUTDOWN) !== 0) return -EPIPE;
  if (sk.skWmemAlloc >= sk.skSndbuf) return -EAGAIN;
  const skb = allocSkb(sk.skNet, size);
  if (skb === null) return -ENOBUFS;
  skbSetOwnerW(skb, sk);
  return skb;
}

/* What a protocol or family does not have. */

export function sockNoBind(_sock: Socket, _addr: SockAddr): number {
  return -EOPNOTSUPP;
}

export function sockNoConnect(_sock: Socket, _addr: SockAddr, _flags: number): number {
  return -EOPNOTSUPP;
}

export function sockNoSocketpair(_sock1: Socket, _sock2: Socket): number {
  return -EOPNOTSUPP;
}

export function sockNoAccept(_sock: Socket, _newsock: Socket, _arg: ProtoAcceptArg): number {
  return -EOPNOTSUPP;
}

export function sockNoListen(_sock: Socket, _backlog: number): number {
  return -EOPNOTSUPP;
}

export function sockNoShutdown(_sock: Socket, _how: number): number {
  return -EOPNOTSUPP;
}

export function sockNoPoll(_file: File, _sock: Socket, _wait: PollTable | null): number {
  return 0;
}

export function sockNoSendmsg(_sock: Socket, _msg: MsgHdr, _len: number): number {
  return -EOPNOTSUPP;
}

export function sockNoRecvmsg(_sock: Socket, _msg: MsgHdr, _len: number, _flags: number): number {
  return -EOPNOTSUPP;
}
