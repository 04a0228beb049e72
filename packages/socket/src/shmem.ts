/*
 * Files in memory (mm/shmem.c as far as sockets want them), by path in each host: open(2) of them, and sendfile(2), which sends a piece of
 * one down a socket. Deviation: no directories, no permissions; a path is a name.
 */
import { EAGAIN, EBADF, EINVAL, EMFILE, ENOENT, ENOTTY, worldLeave } from '@stack/kernel';
import { fget, getUnusedFdInstall } from './fdtable.ts';
import { File } from './file.ts';
import type { FileOperations, Kiocb } from './file.ts';
import { iocbGet, iocbInitBuf, iocbPut } from './iocb.ts';
import { copyFromIter, copyToIter } from './iov-iter.ts';
import type { SysOptions } from './sleep.ts';
import { doSyncRead, doSyncWrite, sockFromFile, sockNonblock, sockSendmsg } from './socket.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import { sendSleep } from './sys-io.ts';
import type { Task } from './task.ts';
import { EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRNORM, FMODE_READ, FMODE_WRITE, O_APPEND, O_CREAT, O_TRUNC } from './uapi-fs.ts';
import { MSG_DONTWAIT } from './uapi-socket.ts';

/** The bytes of a file: the first `size` of `bytes`. */
export class ShmemInode {
  bytes: Uint8Array;
  size: number;

  constructor() {
    this.bytes = new Uint8Array(0);
    this.size = 0;
  }
}

/** open(2) of a file in memory: a descriptor, -ENOENT, -EMFILE. `flags`: O_RDONLY …, O_CREAT, O_TRUNC, O_APPEND, O_CLOEXEC. */
export function sysOpen(task: Task, path: string, flags = 0): number {
  const world = sysEnter(task, 'sys_open');
  const { files } = task.net.socket;
  let inode = files.get(path) ?? null;
  if (inode === null && (flags & O_CREAT) !== 0) {
    inode = new ShmemInode();
    files.set(path, inode);
  }
  if (inode !== null && (flags & O_TRUNC) !== 0) inode.size = 0;
  const fd = inode === null ? -ENOENT : task.exiting ? -EMFILE : getUnusedFdInstall(task, new File(shmemFops, flags, inode, null), flags);
  worldLeave(world);
  return fd;
}

/** unlink(2): 0 or -ENOENT. Who has the file open keeps it. */
export function sysUnlink(task: Task, path: string): number {
  const world = sysEnter(task, 'sys_unlink');
  const gone = task.net.socket.files.delete(path);
  worldLeave(world);
  return gone ? 0 : -ENOENT;
}

function shmemRead(iocb: Kiocb): number {
  const file = iocb.kiFilp as File;
  const inode = file.privateData as ShmemInode;
  const n = copyToIter(inode.bytes, file.fPos, Math.max(inode.size - file.fPos, 0), iocb.kiMsg);
  file.fPos += n;
  return n;
}

function shmemWrite(iocb: Kiocb): number {
  const file = iocb.kiFilp as File;
  const inode = file.privateData as ShmemInode;
  if ((file.fFlags & O_APPEND) !== 0) file.fPos = inode.size;
  const end = file.fPos + iocb.kiMsg.msgIterCount;
  if (end > inode.bytes.length) {
    const bytes = new Uint8Array(Math.max(end, inode.bytes.length * 2));
    bytes.set(inode.bytes.subarray(0, inode.size));
    inode.bytes = bytes;
  }
  const n = copyFromIter(inode.bytes, file.fPos, iocb.kiMsg.msgIterCount, iocb.kiMsg);
  file.fPos = end;
  inode.size = Math.max(inode.size, end);
  return n;
}

/** shmem_file_operations. */
const shmemFops: FileOperations = {
  name: 'shmem',
  read: doSyncRead,
  write: doSyncWrite,
  aioRead: shmemRead,
  aioWrite: shmemWrite,
  poll: () => EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM,
  ioctl: () => -ENOTTY,
  release: () => 0,
};

/**
 * sendfile(2): sends at most `count` bytes of file `fdIn`, from `offset` on, down socket `fdOut`; the bytes sent. `offset` null: from the file's
 * position, which moves on. On a blocking socket it returns when all are queued.
 */
export function sysSendfile(
  task: Task, fdOut: number, fdIn: number, offset: number | null, count: number, options?: SysOptions,
): number | Promise<number> {
  const world = sysEnter(task, 'sys_sendfile');
  try {
    return doSendfile(task, fdOut, fdIn, offset, count, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doSendfile(
  task: Task, fdOut: number, fdIn: number, offset: number | null, count: number, options: SysOptions | undefined,
): number | Promise<number> {
  const to = fget(task, fdOut);
  const from = fget(task, fdIn);
  if (to === null || from === null || (from.fMode & FMODE_READ) === 0 || (to.fMode & FMODE_WRITE) === 0) return -EBADF;
  const sock = sockFromFile(to);
  if (sock === null || from.fOp !== shmemFops || count < 0 || (offset ?? 0) < 0) return -EINVAL;
  const inode = from.privateData as ShmemInode;
  const at = Math.min(offset ?? from.fPos, inode.size);
  const bytes = inode.bytes.subarray(at, Math.min(at + count, inode.size));
  if (bytes.length === 0) return 0;
  const moved = (n: number): number => {
    if (offset === null && n > 0) from.fPos = at + n;
    return n;
  };
  const iocb = iocbGet(task, to);
  iocbInitBuf(iocb, bytes, bytes.length, sockNonblock(to, 0) ? MSG_DONTWAIT : 0);
  const n = sockSendmsg(sock, iocb.kiMsg, bytes.length);
  if (n === -EAGAIN && (iocb.kiMsg.msgFlags & MSG_DONTWAIT) === 0) {
    const later = sendSleep(task, fdOut, to, iocb, iocb.kiMsg, bytes.length, options);
    return typeof later === 'number' ? moved(later) : later.then(moved);
  }
  iocbPut(task, iocb);
  return moved(n);
}
