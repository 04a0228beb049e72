/*
 * Receiving datagrams in general (net/core/datagram.c): the next packet of a receive queue, and poll.
 */
import { EAGAIN } from '@stack/kernel';
import { consumeSkb, skbPeek, skbUnlink } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { File, PollTable } from './file.ts';
import type { Socket } from './net-struct.ts';
import { sockShutdownEvents } from './sock-callbacks.ts';
import { sockWriteable } from './sock-mem.ts';
import { RCV_SHUTDOWN } from './sock-struct.ts';
import type { Sock } from './sock-struct.ts';
import { sockError } from './sock.ts';
import { sockPollWait } from './socket.ts';
import { EPOLLERR, EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRBAND, EPOLLWRNORM } from './uapi-fs.ts';
import { MSG_DONTWAIT, MSG_PEEK } from './uapi-socket.ts';

/**
 * The next packet, to be given back by skbFreeDatagram. With MSG_PEEK it stays on the queue. A number instead: the
 * pending error, -EAGAIN if the queue is empty, or 0 when it will stay so (shutdown; a blocking call only).
 */
export function skbRecvDatagram(sk: Sock, flags: number): SkBuff | number {
  const err = sockError(sk);
  if (err !== 0) return err;
  const skb = skbPeek(sk.skReceiveQueue);
  if (skb === null) return (sk.skShutdown & RCV_SHUTDOWN) !== 0 && (flags & MSG_DONTWAIT) === 0 ? 0 : -EAGAIN;
  if ((flags & MSG_PEEK) !== 0) {
    skb.peeked = true;
    skb.users++;
  } else {
    skbUnlink(skb, sk.skReceiveQueue);
  }
  return skb;
}

/** Done with a packet from skbRecvDatagram. */
export function skbFreeDatagram(_sk: Sock, skb: SkBuff): void {
  consumeSkb(skb);
}

/** poll of datagram sockets. */
export function datagramPoll(file: File, sock: Socket, wait: PollTable | null): number {
  const sk = sock.sk as Sock;
  sockPollWait(file, sock, wait);
  let mask = sockShutdownEvents(sk);
  if (sk.skErr !== 0 || (sk.skErrorQueue !== null && sk.skErrorQueue.qlen !== 0)) mask |= EPOLLERR;
  if (sk.skReceiveQueue.qlen !== 0) mask |= EPOLLIN | EPOLLRDNORM;
  if (sockWriteable(sk)) mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
  return mask;
}
