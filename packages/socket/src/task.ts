/*
 * Tasks (include/linux/sched.h): who makes system calls, and the first argument of each. A Task owns its descriptor
 * table; fdtable.ts works on it, and createTask and exitTask (exit.ts) begin and end it.
 */
import type { Net } from '@stack/kernel';
import type { File, Kiocb } from './file.ts';
import type { Sleeper } from './sleep.ts';

/** RLIMIT_NOFILE of a new task. */
export const NR_OPEN_DEFAULT = 1048576;

/** struct task_struct, and in it the files_struct. */
export class Task {
  net: Net;
  pid: number;
  comm: string;
  exiting: boolean;
  /** The descriptor table; null = free. */
  fdArray: (File | null)[];
  /** FD_CLOEXEC by descriptor. */
  fdFlags: number[];
  /** No free descriptor is below this one. */
  nextFd: number;
  rlimitNofile: number;
  /** Kiocbs and Sleepers for reuse. */
  iocbFree: Kiocb | null;
  sleeperFree: Sleeper | null;
  /** The calls of this task that sleep, oldest first. */
  sleeperFirst: Sleeper | null;
  sleeperLast: Sleeper | null;

  constructor(net: Net, pid: number, comm: string) {
    this.net = net;
    this.pid = pid;
    this.comm = comm;
    this.exiting = false;
    this.fdArray = [];
    this.fdFlags = [];
    this.nextFd = 0;
    this.rlimitNofile = NR_OPEN_DEFAULT;
    this.iocbFree = null;
    this.sleeperFree = null;
    this.sleeperFirst = null;
    this.sleeperLast = null;
  }
}
