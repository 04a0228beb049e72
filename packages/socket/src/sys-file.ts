/*
 * close, dup, fcntl, ioctl (fs/open.c, fs/fcntl.c, fs/ioctl.c): descriptors of any kind of file.
 */
import { EAGAIN, EBADF, EINVAL, worldLeave } from '@stack/kernel';
import { fdDup, fdInstall, fdRemove, fget, filpClose } from './fdtable.ts';
import type { File } from './file.ts';
import type { Socket } from './net-struct.ts';
import { sleeperGet, sleeperStart } from './sleep.ts';
import type { Sleeper, SleepOps, SysOptions } from './sleep.ts';
import { socketNoLinger } from './socket.ts';
import type { Sock, SockOptValue } from './sock-struct.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import type { Task } from './task.ts';
import {
  FD_CLOEXEC, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, F_SETFL, O_APPEND, O_CLOEXEC, O_NONBLOCK,
} from './uapi-fs.ts';
import { FIONBIO } from './uapi-socket.ts';

/**
 * close(2). The descriptor is free at once; the result is 0, or -EBADF, or a promise of 0 while a socket with SO_LINGER
 * waits for its data to be acknowledged. Calls that sleep on the descriptor return -EBADF.
 */
export function sysClose(task: Task, fd: number, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_close');
  try {
    return doClose(task, fd, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doClose(task: Task, fd: number, options: SysOptions | undefined): number | Promise<number> {
  const file = fdRemove(task, fd);
  if (file === null) return -EBADF;
  const err = filpClose(file);
  if (err !== -EAGAIN) return 0;
  const sock = file.privateData as Socket;
  const sleeper = sleeperGet(task, closeAgain, -1, file);
  return sleeperStart(sleeper, sock.wq, 0, (sock.sk as Sock).skLingertime, options);
}

const closeAgain: SleepOps = {
  name: 'close',
  restart: (s: Sleeper): number => (s.file as File).fOp.release(s.file as File),
  giveUp(s: Sleeper, why: number): number {
    const file = s.file as File;
    socketNoLinger(file);
    file.fOp.release(file);
    return why === -EAGAIN ? 0 : why;
  },
};

/** dup(2): the lowest free descriptor, for the same File. */
export function sysDup(task: Task, fd: number): number {
  const world = sysEnter(task, 'sys_dup');
  const newfd = fdDup(task, fd, 0, 0);
  worldLeave(world);
  return newfd;
}

/** dup2(2): makes `newfd`, closed first if it is open, refer to the File of `oldfd`. */
export function sysDup2(task: Task, oldfd: number, newfd: number): number {
  const world = sysEnter(task, 'sys_dup2');
  try {
    const file = fget(task, oldfd);
    if (file === null || newfd < 0 || newfd >= task.rlimitNofile) return -EBADF;
    if (oldfd === newfd) return newfd;
    const before = fdRemove(task, newfd);
    file.fCount++;
    fdInstall(task, newfd, file, 0);
    if (before !== null) {
      socketNoLinger(before);
      filpClose(before);
    }
    return newfd;
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

/** fcntl(2): F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL (O_NONBLOCK and O_APPEND can be changed). */
export function sysFcntl(task: Task, fd: number, cmd: number, arg = 0): number {
  const world = sysEnter(task, 'sys_fcntl');
  const result = doFcntl(task, fd, cmd, arg);
  worldLeave(world);
  return result;
}

const SETFL_MASK = O_NONBLOCK | O_APPEND;

function doFcntl(task: Task, fd: number, cmd: number, arg: number): number {
  const file = fget(task, fd);
  if (file === null) return -EBADF;
  switch (cmd) {
    case F_DUPFD:
      return fdDup(task, fd, arg, 0);
    case F_DUPFD_CLOEXEC:
      return fdDup(task, fd, arg, O_CLOEXEC);
    case F_GETFD:
      return task.fdFlags[fd] ?? 0;
    case F_SETFD:
      task.fdFlags[fd] = arg & FD_CLOEXEC;
      return 0;
    case F_GETFL:
      return file.fFlags;
    case F_SETFL:
      file.fFlags = (file.fFlags & ~SETFL_MASK) | (arg & SETFL_MASK);
      return 0;
    default:
      return -EINVAL;
  }
}

/** ioctl(2): FIONBIO for all files; the rest is the file's: FIONREAD, SIOCOUTQ … return their value. */
export function sysIoctl(task: Task, fd: number, cmd: number, arg: SockOptValue = 0): number {
  const world = sysEnter(task, 'sys_ioctl');
  try {
    const file = fget(task, fd);
    if (file === null) return -EBADF;
    if (cmd !== FIONBIO) return file.fOp.ioctl(file, cmd, arg);
    file.fFlags = arg === 0 ? file.fFlags & ~O_NONBLOCK : file.fFlags | O_NONBLOCK;
    return 0;
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}
