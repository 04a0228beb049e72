/*
 * Kiocbs of a task: taken for each call that moves data, put back when it has its result. In steady state nothing is
 * allocated.
 */
import { EINVAL } from '@stack/kernel';
import { Kiocb, NO_BYTES } from './file.ts';
import type { File } from './file.ts';
import { msgInit, UIO_MAXIOV } from './msghdr.ts';
import type { Iovec } from './msghdr.ts';
import type { Task } from './task.ts';

/** A Kiocb for a call on `file`. */
export function iocbGet(task: Task, file: File): Kiocb {
  let iocb = task.iocbFree;
  if (iocb === null) {
    iocb = new Kiocb();
  } else {
    task.iocbFree = iocb.kiNext;
    iocb.kiNext = null;
  }
  iocb.kiFilp = file;
  return iocb;
}

/** Gives it back; lets go of the user's buffers and addresses. */
export function iocbPut(task: Task, iocb: Kiocb): void {
  iocb.kiFilp = null;
  iocb.kiIovec.iovBase = NO_BYTES;
  iocb.kiMsg.msgName = null;
  iocb.kiMsg.msgIov = iocb.kiInlineVec;
  iocb.kiMsg.msgControl = null;
  iocb.kiNext = task.iocbFree;
  task.iocbFree = iocb;
}

/** Makes the message one buffer: the first `count` bytes of `buf`. */
export function iocbInitBuf(iocb: Kiocb, buf: Uint8Array, count: number, flags: number): void {
  const msg = iocb.kiMsg;
  iocb.kiNbytes = count;
  iocb.kiIovec.iovBase = buf;
  iocb.kiIovec.iovLen = count;
  msg.msgName = null;
  msg.msgNamelen = 0;
  msg.msgIov = iocb.kiInlineVec;
  msg.msgIovlen = 1;
  msg.msgControl = null;
  msg.msgControllen = 0;
  msg.msgFlags = flags;
  msg.msgIterSeg = 0;
  msg.msgIterOffset = 0;
  msg.msgIterCount = count;
  msg.msgCopied = 0;
  msg.msgRestarted = false;
  msg.msgUbuf = null;
}

/** Makes the message these vectors. 0, or -errno of msgInit(). */
export function iocbInitVec(iocb: Kiocb, iov: Iovec[]): number {
  iocbInitBuf(iocb, NO_BYTES, 0, 0);
  if (iov.length > UIO_MAXIOV) return -EINVAL;
  const msg = iocb.kiMsg;
  msg.msgIov = iov;
  msg.msgIovlen = iov.length;
  iocb.kiNbytes = msgInit(msg);
  return Math.min(iocb.kiNbytes, 0);
}
