/*
 * epoll_create, epoll_ctl, epoll_wait (fs/eventpoll.c, epoll(7)): level-triggered, edge-triggered (EPOLLET), one-shot,
 * exclusive; epoll files nest. An item comes to the ready list by a wake-up; epoll_wait asks each ready file what is
 * true, reports it, and leaves level-triggered ones on the list to be asked again.
 */
import { EAGAIN, EBADF, EEXIST, EINTR, EINVAL, ELOOP, EMFILE, ENOENT, ENOTTY, worldLeave } from '@stack/kernel';
import { fget, getUnusedFdInstall } from './fdtable.ts';
import { epFind, epInsert, epItemPoll, epModify, epReadyAdd, epReadyDel, epRemove, EP_PRIVATE_BITS } from './eventpoll-item.ts';
import { Eventpoll } from './eventpoll-struct.ts';
import type { EpollEvent, Epitem } from './eventpoll-struct.ts';
import { File, pollWait } from './file.ts';
import type { FileOperations, PollTable } from './file.ts';
import { pollTimeout } from './select.ts';
import { signalPending, sleeperGet, sleeperStart } from './sleep.ts';
import type { Sleeper, SleepOps, SysOptions } from './sleep.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import type { Task } from './task.ts';
import {
  EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLRDNORM, EPOLLWAKEUP, EPOLL_CTL_ADD,
  EPOLL_CTL_DEL, EPOLL_CTL_MOD, O_CLOEXEC, O_RDWR,
} from './uapi-fs.ts';

/** How deep epoll files may nest. */
const EP_MAX_NESTS = 4;

/** What may go together with EPOLLEXCLUSIVE. */
const EPOLLEXCLUSIVE_OK_BITS = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

/** epoll_create1(2): a descriptor; `flags`: O_CLOEXEC. */
export function sysEpollCreate(task: Task, flags = 0): number {
  const world = sysEnter(task, 'sys_epoll_create');
  const file = new File(eventpollFops, O_RDWR, new Eventpoll(world), null);
  const fd = (flags & ~O_CLOEXEC) !== 0 ? -EINVAL : task.exiting ? -EMFILE : getUnusedFdInstall(task, file, flags);
  worldLeave(world);
  return fd;
}

function epollOf(file: File | null): Eventpoll | null {
  return file !== null && file.fOp === eventpollFops ? (file.privateData as Eventpoll) : null;
}

/** epoll_ctl(2): 0, -EBADF, -EEXIST, -ENOENT, -EINVAL, -ELOOP. `event` is copied; EPOLL_CTL_DEL needs none. */
export function sysEpollCtl(task: Task, epfd: number, op: number, fd: number, event: EpollEvent | null = null): number {
  const world = sysEnter(task, 'sys_epoll_ctl');
  try {
    return doEpollCtl(task, epfd, op, fd, event);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doEpollCtl(task: Task, epfd: number, op: number, fd: number, event: EpollEvent | null): number {
  const epFile = fget(task, epfd);
  const file = fget(task, fd);
  if (epFile === null || file === null) return -EBADF;
  const ep = epollOf(epFile);
  if (ep === null || file === epFile) return -EINVAL;
  const epi = epFind(ep, file, fd);
  if (op === EPOLL_CTL_DEL) {
    if (epi === null) return -ENOENT;
    epRemove(epi);
    return 0;
  }
  if (event === null) return -EINVAL;
  const events = event.events | EPOLLERR | EPOLLHUP;
  if (op === EPOLL_CTL_ADD) return epAdd(ep, epi, file, fd, events, event.data);
  if (op !== EPOLL_CTL_MOD || (event.events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
  if (epi === null) return -ENOENT;
  if ((epi.events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
  epModify(epi, events, event.data);
  return 0;
}

function epAdd(ep: Eventpoll, epi: Epitem | null, file: File, fd: number, events: number, data: unknown): number {
  if (epi !== null) return -EEXIST;
  const nested = epollOf(file);
  if ((events & EPOLLEXCLUSIVE) !== 0 && ((events & ~EPOLLEXCLUSIVE_OK_BITS) !== 0 || nested !== null)) return -EINVAL;
  if (nested !== null && epLoops(nested, ep, EP_MAX_NESTS)) return -ELOOP;
  epInsert(ep, file, fd, events, data);
  return 0;
}

/** Would watching `at` from `ep` close a circle, or nest too deep? */
function epLoops(at: Eventpoll, ep: Eventpoll, depth: number): boolean {
  if (at === ep || depth === 0) return true;
  for (let epi = at.items; epi !== null; epi = epi.epNext) {
    const next = epollOf(epi.file);
    if (next !== null && epLoops(next, ep, depth - 1)) return true;
  }
  return false;
}

/**
 * epoll_wait(2): fills at most `events.length` of the events given, and returns how many. `timeout` in ms: 0 returns at once,
 * -1 waits for ever. The number at once if there are events (or timeout is 0), else a promise of it (0: time is up).
 */
export function sysEpollWait(
  task: Task, epfd: number, events: EpollEvent[], timeout: number, options?: SysOptions,
): number | Promise<number> {
  const world = sysEnter(task, 'sys_epoll_wait');
  try {
    return doEpollWait(task, epfd, events, timeout, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doEpollWait(
  task: Task, epfd: number, events: EpollEvent[], timeout: number, options: SysOptions | undefined,
): number | Promise<number> {
  const file = fget(task, epfd);
  if (file === null) return -EBADF;
  const ep = epollOf(file);
  if (ep === null || events.length === 0) return -EINVAL;
  const n = epSendEvents(ep, events);
  if (n > 0 || timeout === 0) return n;
  if (signalPending(options)) return -EINTR;
  const sleeper = sleeperGet(task, epollAgain, epfd, file);
  sleeper.arg = events;
  return sleeperStart(sleeper, ep.wq, 0, pollTimeout(timeout), options);
}

const epollAgain: SleepOps = {
  name: 'epoll_wait',
  restart(s: Sleeper): number {
    const n = epSendEvents((s.file as File).privateData as Eventpoll, s.arg as EpollEvent[]);
    return n === 0 ? -EAGAIN : n;
  },
  giveUp: (_s: Sleeper, why: number): number => (why === -EAGAIN ? 0 : why),
};

/** Asks the ready files and reports; returns the number of events. */
function epSendEvents(ep: Eventpoll, events: EpollEvent[]): number {
  let n = 0;
  // Items that go back on the list are behind `last`: each is asked once.
  const last = ep.rdlLast;
  for (let epi = ep.rdlFirst; epi !== null && n < events.length; ) {
    const next: Epitem | null = epi === last ? null : epi.rdlNext;
    epReadyDel(epi);
    const revents = epItemPoll(epi);
    if (revents !== 0) {
      const out = events[n++] as EpollEvent;
      out.events = revents;
      out.data = epi.data;
      if ((epi.events & EPOLLONESHOT) !== 0) epi.events &= EP_PRIVATE_BITS;
      else if ((epi.events & EPOLLET) === 0) epReadyAdd(epi);
    }
    epi = next;
  }
  return n;
}

/** An epoll file is readable while a file that it watches has events. */
function epEventpollPoll(file: File, wait: PollTable | null): number {
  const ep = file.privateData as Eventpoll;
  pollWait(file, ep.pollWait, wait);
  for (let epi = ep.rdlFirst; epi !== null; ) {
    const next: Epitem | null = epi.rdlNext;
    if (epItemPoll(epi) !== 0) return EPOLLIN | EPOLLRDNORM;
    epReadyDel(epi);
    epi = next;
  }
  return 0;
}

function epRelease(file: File): number {
  const ep = file.privateData as Eventpoll;
  while (ep.items !== null) epRemove(ep.items);
  return 0;
}

/** eventpoll_fops. */
export const eventpollFops: FileOperations = {
  name: 'eventpoll',
  read: () => -EINVAL,
  write: () => -EINVAL,
  aioRead: () => -EINVAL,
  aioWrite: () => -EINVAL,
  poll: epEventpollPoll,
  ioctl: () => -ENOTTY,
  release: epRelease,
};
