/*
 * poll(2) (fs/select.c): asks each file, and if none has an event hangs one entry on each of their wait queues until one
 * has. For many descriptors use epoll.
 */
import { addWaitQueue, EAGAIN, EINTR, EINVAL, MAX_SCHEDULE_TIMEOUT, msecsToJiffies, removeWaitQueue, WaitQueueEntry, worldLeave } from '@stack/kernel';
import type { WaitQueueHead } from '@stack/kernel';
import { fget } from './fdtable.ts';
import type { File, PollTable } from './file.ts';
import { signalPending, sleeperGet, sleeperStart, sleeperWakeUp } from './sleep.ts';
import type { Sleeper, SleepOps, SysOptions } from './sleep.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import type { Task } from './task.ts';
import { EPOLLERR, EPOLLHUP, EPOLLNVAL } from './uapi-fs.ts';

/** struct pollfd: `fd` < 0 is skipped. */
export class PollFd {
  fd: number;
  events: number;
  revents: number;

  constructor(fd: number, events: number) {
    this.fd = fd;
    this.events = events;
    this.revents = 0;
  }
}

/** A timeout of poll or epoll_wait (ms, negative: none) in jiffies. */
export function pollTimeout(timeout: number): number {
  return timeout < 0 ? MAX_SCHEDULE_TIMEOUT : Math.min(msecsToJiffies(Math.ceil(timeout)), MAX_SCHEDULE_TIMEOUT - 1);
}

/** The wait-queue entries of one poll call (struct poll_wqueues): the poll table of all its files. */
class PollWqueues implements PollTable {
  qproc: (pt: PollTable, file: File, wq: WaitQueueHead) => void;
  key: number;
  sleeper: Sleeper;
  fds: PollFd[];
  waits: WaitQueueEntry[];

  constructor(sleeper: Sleeper, fds: PollFd[]) {
    this.qproc = pollQueueProc;
    this.key = 0;
    this.sleeper = sleeper;
    this.fds = fds;
    this.waits = [];
  }
}

function pollQueueProc(pt: PollTable, _file: File, wq: WaitQueueHead): void {
  const pwq = pt as PollWqueues;
  const entry = new WaitQueueEntry(pwq.sleeper.task.net.world, pollWake, pwq);
  pwq.waits.push(entry);
  addWaitQueue(wq, entry);
}

function pollWake(entry: WaitQueueEntry, _key: number): number {
  sleeperWakeUp((entry.data as PollWqueues).sleeper);
  return 1;
}

/**
 * poll(2): sets `revents` of each and returns how many are not 0. `timeout` in ms: 0 returns at once, -1 waits for ever.
 * The number at once if there are events (or timeout is 0), else a promise of it (0: time is up).
 */
export function sysPoll(task: Task, fds: PollFd[], timeout: number, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_poll');
  try {
    return doSysPoll(task, fds, timeout, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doSysPoll(task: Task, fds: PollFd[], timeout: number, options: SysOptions | undefined): number | Promise<number> {
  if (fds.length > task.rlimitNofile) return -EINVAL;
  const n = pollAll(task, fds, null);
  if (n > 0 || timeout === 0) return n;
  if (signalPending(options)) return -EINTR;
  const sleeper = sleeperGet(task, pollAgain, -1, null);
  const pwq = new PollWqueues(sleeper, fds);
  sleeper.arg = pwq;
  pollAll(task, fds, pwq);
  return sleeperStart(sleeper, null, 0, pollTimeout(timeout), options);
}

const pollAgain: SleepOps = {
  name: 'poll',
  restart(s: Sleeper): number {
    const pwq = s.arg as PollWqueues;
    const n = pollAll(s.task, pwq.fds, null);
    if (n === 0) return -EAGAIN;
    pollFreewait(pwq);
    return n;
  },
  giveUp(s: Sleeper, why: number): number {
    pollFreewait(s.arg as PollWqueues);
    return why === -EAGAIN ? 0 : why;
  },
};

function pollFreewait(pwq: PollWqueues): void {
  for (const entry of pwq.waits) removeWaitQueue(entry);
  pwq.waits.length = 0;
}

/** Asks every file; returns how many have events. */
function pollAll(task: Task, fds: PollFd[], pt: PollTable | null): number {
  let n = 0;
  for (const pfd of fds) {
    pfd.revents = pfd.fd < 0 ? 0 : pollOne(task, pfd, pt);
    if (pfd.revents !== 0) n++;
  }
  return n;
}

function pollOne(task: Task, pfd: PollFd, pt: PollTable | null): number {
  const file = fget(task, pfd.fd);
  if (file === null) return EPOLLNVAL;
  const filter = pfd.events | EPOLLERR | EPOLLHUP;
  if (pt !== null) pt.key = filter;
  return file.fOp.poll(file, pt) & filter;
}
