/*
 * What happens to a sock, told to those who wait on its socket (net/core/sock.c): the defaults of skStateChange,
 * skDataReady, skWriteSpace and skErrorReport. They run in softirq context and wake sleeping calls, poll and epoll by
 * the wait queue; no user code runs here.
 */
import { waitqueueActive, wakeUp, wakeUpAll } from '@stack/kernel';
import { RCV_SHUTDOWN, SHUTDOWN_MASK } from './sock-struct.ts';
import type { Sock } from './sock-struct.ts';
import {
  EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDBAND, EPOLLRDHUP, EPOLLRDNORM, EPOLLWRBAND, EPOLLWRNORM,
} from './uapi-fs.ts';

/** The state has changed: everybody looks. */
export function sockDefWakeup(sk: Sock): void {
  if (sk.skWq !== null && waitqueueActive(sk.skWq)) wakeUpAll(sk.skWq, EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM | EPOLLHUP | EPOLLRDHUP | EPOLLERR);
}

/** There is data, or a connection to accept. */
export function sockDefReadable(sk: Sock): void {
  if (sk.skWq !== null && waitqueueActive(sk.skWq)) wakeUp(sk.skWq, EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND);
}

/** A packet has left: datagram socks wake writers when half of the buffer is free. */
export function sockDefWriteSpace(sk: Sock): void {
  if (sk.skWmemAlloc << 1 > sk.skSndbuf) return;
  if (sk.skWq !== null && waitqueueActive(sk.skWq)) wakeUp(sk.skWq, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
}

/** skErr was set. */
export function sockDefErrorReport(sk: Sock): void {
  if (sk.skWq !== null && waitqueueActive(sk.skWq)) wakeUpAll(sk.skWq, EPOLLERR);
}

/** The hang-up bits of poll that follow from skShutdown alone. */
export function sockShutdownEvents(sk: Sock): number {
  let mask = 0;
  if (sk.skShutdown === SHUTDOWN_MASK) mask |= EPOLLHUP;
  if ((sk.skShutdown & RCV_SHUTDOWN) !== 0) mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
  return mask;
}
