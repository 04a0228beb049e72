/*
 * Streams in general (net/core/stream.c, sk_stream_* of sock.h): room to send, wake-ups of writers, the page that
 * sendmsg copies into. A stream counts skWmemQueued: all that is queued, sent or not, until it is acknowledged.
 */
import { EPIPE, waitqueueActive, wakeUp } from '@stack/kernel';
import { allocPage, PAGE_SIZE, putPage, skbQueuePurge } from '@stack/skbuff';
import type { PageFrag } from './net-struct.ts';
import { skMemReclaim } from './sock-mem.ts';
import { sockError } from './sock.ts';
import type { Sock } from './sock-struct.ts';
import { EPOLLOUT, EPOLLWRNORM } from './uapi-fs.ts';

/** The free room that makes a stream writeable again: a third of what is in use … */
export function skStreamMinWspace(sk: Sock): number {
  return sk.skWmemQueued >> 1;
}

/** … and the free room there is (negative beyond the limit). */
export function skStreamWspace(sk: Sock): number {
  return sk.skSndbuf - sk.skWmemQueued;
}

/** May sendmsg queue more? `wake`: 1 when asked in order to wake a writer. */
export function __skStreamMemoryFree(sk: Sock, wake: number): boolean {
  if (sk.skWmemQueued >= sk.skSndbuf) return false;
  return sk.skProt.streamMemoryFree === null || sk.skProt.streamMemoryFree(sk, wake);
}

/** May sendmsg queue more? */
export function skStreamMemoryFree(sk: Sock): boolean {
  return __skStreamMemoryFree(sk, 0);
}

/** Is a third of the buffer free? `wake` 1: and so much of what may wait unsent that it is worth waking a writer. */
export function __skStreamIsWriteable(sk: Sock, wake: number): boolean {
  return skStreamWspace(sk) >= skStreamMinWspace(sk) && __skStreamMemoryFree(sk, wake);
}

export function skStreamIsWriteable(sk: Sock): boolean {
  return __skStreamIsWriteable(sk, 0);
}

/** The skWriteSpace of streams: wakes writers once a third of the buffer is free. */
export function skStreamWriteSpace(sk: Sock): void {
  const wq = sk.skWq;
  if (wq === null || !waitqueueActive(wq)) return;
  if (!__skStreamIsWriteable(sk, 1)) return;
  wakeUp(wq, EPOLLOUT | EPOLLWRNORM);
}

/** What sendmsg returns for `err` (-errno) on a stream: -EPIPE takes the pending error's place, if there is one. */
export function skStreamError(sk: Sock, err: number): number {
  if (err !== -EPIPE) return err;
  const pending = sockError(sk);
  return pending !== 0 ? pending : -EPIPE;
}

/** Empties the queues of a stream that dies, and returns its memory. */
export function skStreamKillQueues(sk: Sock): void {
  skbQueuePurge(sk.skReceiveQueue);
  if (sk.skErrorQueue !== null) skbQueuePurge(sk.skErrorQueue);
  skMemReclaim(sk);
}

/** The page that sendmsg copies into; one for all socks of the Net, since calls do not meet. */
export function skPageFrag(sk: Sock): PageFrag {
  return sk.skNet.socket.taskFrag;
}

/** Sees to it that `frag` has at least `size` (≤ PAGE_SIZE) free bytes in one page. False if there is no memory. */
export function skbPageFragRefill(sk: Sock, frag: PageFrag, size: number): boolean {
  if (frag.page !== null) {
    if (frag.page.refs === 1) frag.offset = frag.page.base;
    if (frag.offset + size <= frag.size) return true;
    putPage(frag.page);
    frag.page = null;
  }
  const page = allocPage(sk.skNet, PAGE_SIZE);
  if (page === null) return false;
  frag.page = page;
  frag.offset = page.base;
  frag.size = page.base + page.size;
  return true;
}

/** skbPageFragRefill with the least that is worth a fragment. */
export function skPageFragRefill(sk: Sock, frag: PageFrag): boolean {
  return skbPageFragRefill(sk, frag, 32);
}
