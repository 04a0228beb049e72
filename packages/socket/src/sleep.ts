/*
 * The sleeping of system calls. Nothing below this file sleeps: an operation that cannot finish returns -EAGAIN (or
 * -EINPROGRESS) having done what it could, and the system call, if its file is blocking, puts a Sleeper on the file's
 * wait queue and returns a promise. A wake-up (softirq) schedules work; the work (process context) does the operation
 * again, until it has a result, its time is up, its AbortSignal fires, or its descriptor is closed. Only then is the
 * promise resolved: the one place where a wake-up crosses into user code.
 * Deviation: Linux sleeps inside the protocol, with the call's state on the kernel stack; there is no stack to keep here,
 * so the state is in the MsgHdr and the Sleeper, and the operation starts anew.
 */
import {
  addWaitQueueExclusive, delTimer, EAGAIN, EINTR, initWork, MAX_SCHEDULE_TIMEOUT, modTimer, removeWaitQueue, scheduleWork, timerSetup,
  WaitQueueEntry, wakeUp, worldCrossing, worldEnter, worldLeave, WQ_FLAG_EXCLUSIVE,
} from '@stack/kernel';
import type { Signal, TimerList, WaitQueueHead, Work } from '@stack/kernel';
import type { File, Kiocb } from './file.ts';
import { iocbPut } from './iocb.ts';
import type { MsgHdr } from './msghdr.ts';
import { netRef, netUnref } from './net-ref.ts';
import type { Task } from './task.ts';

/** Last argument of system calls that may sleep. */
export interface SysOptions {
  /** Ends the sleep: the call returns -EINTR, or its partial count. */
  readonly signal?: Signal | undefined;
}

/** The operation that a Sleeper does again; one constant object for each. */
export interface SleepOps {
  readonly name: string;
  /** Does it again; -EAGAIN: sleep on. */
  readonly restart: (sleeper: Sleeper) => number;
  /** The sleep ends without a result, by `why`: -EAGAIN (time), -EINTR, -EBADF. Returns the call's result: a partial count, or an errno. */
  readonly giveUp: (sleeper: Sleeper, why: number) => number;
}

/** A system call that sleeps. Tasks keep those that are not in use. */
export class Sleeper {
  task: Task;
  ops: SleepOps | null;
  fd: number;
  file: File | null;
  wq: WaitQueueHead | null;
  /** Events that may let the operation go on; 0 = any. */
  mask: number;
  /* Arguments of the operation. */
  iocb: Kiocb | null;
  msg: MsgHdr | null;
  len: number;
  flags: number;
  arg: object | null;
  /* Machinery. */
  wait: WaitQueueEntry;
  timer: TimerList;
  work: Work;
  timed: boolean;
  timeIsUp: boolean;
  signal: Signal | null;
  resolve: ((result: number) => void) | null;
  /** Made once, so that a sleep costs no closure. */
  executor: (resolve: (result: number) => void) => void;
  onAbort: () => void;
  /** Links of the task's list; next also links free Sleepers. */
  next: Sleeper | null;
  prev: Sleeper | null;

  constructor(task: Task) {
    this.task = task;
    this.ops = null;
    this.fd = -1;
    this.file = null;
    this.wq = null;
    this.mask = 0;
    this.iocb = null;
    this.msg = null;
    this.len = 0;
    this.flags = 0;
    this.arg = null;
    this.wait = new WaitQueueEntry(task.net.world, sleeperWake, this);
    this.timer = timerSetup(task.net, sleeperTimeout, this);
    this.work = initWork(task.net, sleeperWork, this);
    this.timed = false;
    this.timeIsUp = false;
    this.signal = null;
    this.resolve = null;
    this.executor = (resolve) => {
      this.resolve = resolve;
    };
    this.onAbort = () => sleeperAbort(this);
    this.next = null;
    this.prev = null;
  }
}

/** A Sleeper for an operation of this task on `file`; its arguments are then filled in and sleeperStart called. */
export function sleeperGet(task: Task, ops: SleepOps, fd: number, file: File | null): Sleeper {
  let sleeper = task.sleeperFree;
  if (sleeper === null) sleeper = new Sleeper(task);
  else task.sleeperFree = sleeper.next;
  sleeper.ops = ops;
  sleeper.fd = fd;
  sleeper.file = file;
  sleeper.next = null;
  sleeper.prev = task.sleeperLast;
  if (task.sleeperLast === null) task.sleeperFirst = sleeper;
  else task.sleeperLast.next = sleeper;
  task.sleeperLast = sleeper;
  return sleeper;
}

/** Has the caller given up before it began? The result is then -EINTR. */
export function signalPending(options: SysOptions | undefined): boolean {
  return options !== undefined && options.signal !== undefined && options.signal.aborted;
}

/**
 * Goes to sleep on `wq` (null: the operation has queued itself elsewhere) until an event in `mask`, at most `timeout`
 * jiffies. Returns the promise of the call's result. Sleepers wait in line: an event wakes the first whom it concerns, and
 * whoever is served wakes the next.
 */
export function sleeperStart(
  sleeper: Sleeper, wq: WaitQueueHead | null, mask: number, timeout: number, options: SysOptions | undefined,
): Promise<number> {
  sleeper.wq = wq;
  sleeper.mask = mask;
  if (wq !== null) addWaitQueueExclusive(wq, sleeper.wait);
  if (timeout !== MAX_SCHEDULE_TIMEOUT) {
    sleeper.timed = true;
    modTimer(sleeper.timer, (sleeper.task.net.world.jiffies + timeout) | 0);
  }
  if (options !== undefined && options.signal !== undefined) {
    sleeper.signal = options.signal;
    options.signal.addEventListener('abort', sleeper.onAbort);
  }
  netRef(sleeper.task.net);
  return new Promise<number>(sleeper.executor);
}

/** Something happened to what the Sleeper waits for (softirq). */
export function sleeperWakeUp(sleeper: Sleeper): void {
  scheduleWork(sleeper.work);
}

/** Wait-queue callback. 1: this entry was woken (counts against exclusive wake-ups). */
function sleeperWake(entry: WaitQueueEntry, key: number): number {
  const sleeper = entry.data as Sleeper;
  if (key !== 0 && sleeper.mask !== 0 && (key & sleeper.mask) === 0) return 0;
  scheduleWork(sleeper.work);
  return 1;
}

function sleeperTimeout(timer: TimerList): void {
  const sleeper = timer.data as Sleeper;
  sleeper.timeIsUp = true;
  scheduleWork(sleeper.work);
}

/** The work: process context, inside worldEnter. */
function sleeperWork(work: Work): void {
  const sleeper = work.data as Sleeper;
  // The call may have ended between the wake-up and now.
  if (sleeper.resolve === null || sleeper.ops === null) return;
  // Also when the time is up: what came at the last moment counts.
  const result = sleeper.ops.restart(sleeper);
  if (result !== -EAGAIN) sleeperFinish(sleeper, result);
  else if (sleeper.timeIsUp) sleeperFinish(sleeper, sleeper.ops.giveUp(sleeper, -EAGAIN));
}

/** The user's AbortSignal: comes from the host, at any time. */
function sleeperAbort(sleeper: Sleeper): void {
  const { world } = sleeper.task.net;
  worldEnter(world);
  sleeperEnd(sleeper, -EINTR);
  worldLeave(world);
}

/** The restarted operation (its ops.restart calls it) lacks something else now: it sleeps on another wait queue from here on. */
export function sleeperMove(sleeper: Sleeper, wq: WaitQueueHead, mask: number): void {
  if (sleeper.wq === wq) return;
  if (sleeper.wq !== null) removeWaitQueue(sleeper.wait);
  sleeper.wq = wq;
  sleeper.mask = mask;
  addWaitQueueExclusive(wq, sleeper.wait);
}

/** Ends the sleep now, for the reason `why`. */
function sleeperEnd(sleeper: Sleeper, why: number): void {
  if (sleeper.resolve === null || sleeper.ops === null) return;
  sleeperFinish(sleeper, sleeper.ops.giveUp(sleeper, why));
}

function sleeperFinish(sleeper: Sleeper, result: number): void {
  const { task, resolve, wq } = sleeper;
  const pass = result >= 0 || sleeper.work.pending;
  if (wq !== null) {
    removeWaitQueue(sleeper.wait);
    if (pass && wq.last !== null && (wq.last.flags & WQ_FLAG_EXCLUSIVE) !== 0) wakeUp(wq, sleeper.mask);
  }
  if (sleeper.timed) delTimer(sleeper.timer);
  if (sleeper.signal !== null) sleeper.signal.removeEventListener('abort', sleeper.onAbort);
  sleeperUnlink(sleeper);
  if (sleeper.iocb !== null) iocbPut(task, sleeper.iocb);
  sleeperReset(sleeper);
  sleeper.next = task.sleeperFree;
  task.sleeperFree = sleeper;
  netUnref(task.net);
  worldCrossing(task.net.world);
  if (resolve !== null) resolve(result);
}

function sleeperUnlink(sleeper: Sleeper): void {
  const { task, next, prev } = sleeper;
  if (prev === null) task.sleeperFirst = next;
  else prev.next = next;
  if (next === null) task.sleeperLast = prev;
  else next.prev = prev;
}

function sleeperReset(sleeper: Sleeper): void {
  sleeper.ops = null;
  sleeper.fd = -1;
  sleeper.file = null;
  sleeper.wq = null;
  sleeper.iocb = null;
  sleeper.msg = null;
  sleeper.arg = null;
  sleeper.timed = false;
  sleeper.timeIsUp = false;
  sleeper.signal = null;
  sleeper.resolve = null;
  sleeper.prev = null;
}

/** Ends every call of the task that sleeps on descriptor `fd`. */
export function endSleepersOfFd(task: Task, fd: number, why: number): void {
  for (let sleeper = task.sleeperFirst; sleeper !== null; ) {
    const next: Sleeper | null = sleeper.next;
    if (sleeper.fd === fd) sleeperEnd(sleeper, why);
    sleeper = next;
  }
}

/** Ends every call of the task that sleeps. */
export function endSleepers(task: Task, why: number): void {
  while (task.sleeperFirst !== null) sleeperEnd(task.sleeperFirst, why);
}
