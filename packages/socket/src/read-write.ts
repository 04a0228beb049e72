/*
 * read, write, readv, writev (fs/read_write.c). Each returns bytes, or -errno, at once if it need not sleep; otherwise a
 * promise of that. sysWrite -> file.fOp.write = doSyncWrite -> file.fOp.aioWrite = sockAioWrite -> __sockSendmsg; sysRead alike.
 */
import { EAGAIN, EBADF, EFAULT, worldLeave } from '@stack/kernel';
import { fget } from './fdtable.ts';
import type { File } from './file.ts';
import { iocbGet, iocbInitVec, iocbPut } from './iocb.ts';
import { msgRoom } from './msghdr.ts';
import type { Iovec } from './msghdr.ts';
import type { SysOptions } from './sleep.ts';
import { sockFaultsLater, sockfdLookup } from './socket.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import { readSleep, writeSleep } from './sys-io.ts';
import type { Task } from './task.ts';
import { FMODE_READ, FMODE_WRITE, O_NONBLOCK } from './uapi-fs.ts';
import { MSG_DONTWAIT } from './uapi-socket.ts';

/** write(2): all of `buf`. On a blocking stream it returns when all is queued. */
export function sysWrite(task: Task, fd: number, buf: Uint8Array, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_write');
  try {
    return doWrite(task, fd, buf, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doWrite(task: Task, fd: number, buf: Uint8Array, options: SysOptions | undefined): number | Promise<number> {
  const file = fget(task, fd);
  if (file === null || (file.fMode & FMODE_WRITE) === 0) return -EBADF;
  if (!ArrayBuffer.isView(buf) && !sockFaultsLater(sockfdLookup(task, fd))) return -EFAULT;
  const iocb = iocbGet(task, file);
  const n = file.fOp.write(file, buf, msgRoom(buf), iocb);
  if (n === -EAGAIN && mayWriteSleep(file, iocb.kiMsg.msgFlags)) return writeSleep(task, fd, iocb, options);
  iocbPut(task, iocb);
  return n;
}

/** A protocol that has nothing to wait for sets MSG_DONTWAIT itself. */
function mayWriteSleep(file: File, msgFlags: number): boolean {
  return (file.fFlags & O_NONBLOCK) === 0 && (msgFlags & MSG_DONTWAIT) === 0;
}

/** read(2): at most `buf.length` bytes; 0 at the end of a stream. */
export function sysRead(task: Task, fd: number, buf: Uint8Array, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_read');
  try {
    return doRead(task, fd, buf, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doRead(task: Task, fd: number, buf: Uint8Array, options: SysOptions | undefined): number | Promise<number> {
  const file = fget(task, fd);
  if (file === null || (file.fMode & FMODE_READ) === 0) return -EBADF;
  if (!ArrayBuffer.isView(buf)) return -EFAULT;
  const iocb = iocbGet(task, file);
  const n = file.fOp.read(file, buf, buf.length, iocb);
  if (n === -EAGAIN && (file.fFlags & O_NONBLOCK) === 0) return readSleep(task, fd, iocb, options);
  iocbPut(task, iocb);
  return n;
}

/** writev(2): gathers. */
export function sysWritev(task: Task, fd: number, iov: Iovec[], options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_writev');
  try {
    return doWritev(task, fd, iov, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doWritev(task: Task, fd: number, iov: Iovec[], options: SysOptions | undefined): number | Promise<number> {
  const file = fget(task, fd);
  if (file === null || (file.fMode & FMODE_WRITE) === 0) return -EBADF;
  const iocb = iocbGet(task, file);
  const error = iocbInitVec(iocb, iov);
  const n = error === 0 ? file.fOp.aioWrite(iocb) : error;
  if (n === -EAGAIN && mayWriteSleep(file, iocb.kiMsg.msgFlags)) return writeSleep(task, fd, iocb, options);
  iocbPut(task, iocb);
  return n;
}

/** readv(2): scatters. */
export function sysReadv(task: Task, fd: number, iov: Iovec[], options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_readv');
  try {
    return doReadv(task, fd, iov, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doReadv(task: Task, fd: number, iov: Iovec[], options: SysOptions | undefined): number | Promise<number> {
  const file = fget(task, fd);
  if (file === null || (file.fMode & FMODE_READ) === 0) return -EBADF;
  const iocb = iocbGet(task, file);
  const error = iocbInitVec(iocb, iov);
  const n = error === 0 ? file.fOp.aioRead(iocb) : error;
  if (n === -EAGAIN && (file.fFlags & O_NONBLOCK) === 0) return readSleep(task, fd, iocb, options);
  iocbPut(task, iocb);
  return n;
}
