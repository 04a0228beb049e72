/*
 * Pipes (fs/pipe.c, pipe(7)): bytes that one File takes and another gives. A pipe holds PIPE_SIZE bytes; a write of at most PIPE_BUF
 * goes in whole. What splice(2) moves to and from sockets passes through one (splice.ts).
 */
import { EAGAIN, EINVAL, EMFILE, ENOTTY, EPIPE, WaitQueueHead, wakeUp, waitqueueActive, worldLeave } from '@stack/kernel';
import { allocFd, fdInstall } from './fdtable.ts';
import { File, pollWait } from './file.ts';
import type { FileOperations, Kiocb, PollTable } from './file.ts';
import { copyFromIter, copyToIter } from './iov-iter.ts';
import { doSyncRead, doSyncWrite } from './socket.ts';
import { sysEnter } from './sys-enter.ts';
import type { Task } from './task.ts';
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRNORM, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY } from './uapi-fs.ts';

const PIPE_SIZE = 65536;
const PIPE_BUF = 4096;

/** struct pipe_inode_info: `len` bytes from `off` on are to be read. */
export class PipeInodeInfo {
  buf: Uint8Array;
  off: number;
  len: number;
  readers: number;
  writers: number;
  rdWait: WaitQueueHead;
  wrWait: WaitQueueHead;

  constructor() {
    this.buf = new Uint8Array(PIPE_SIZE);
    this.off = 0;
    this.len = 0;
    this.readers = 1;
    this.writers = 1;
    this.rdWait = new WaitQueueHead();
    this.wrWait = new WaitQueueHead();
  }
}

/** pipe(2): [the end to read from, the end to write to], or -EMFILE. `flags`: O_CLOEXEC, O_NONBLOCK. */
export function sysPipe(task: Task, flags = 0): [number, number] | number {
  const world = sysEnter(task, 'sys_pipe');
  const pipe = new PipeInodeInfo();
  const mode = flags & O_NONBLOCK;
  const rd = (flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0 ? -EINVAL : task.exiting ? -EMFILE : allocFd(task, 0);
  const wr = rd < 0 ? rd : allocFd(task, rd + 1);
  if (wr >= 0) {
    fdInstall(task, rd, new File(pipeFops, O_RDONLY | mode, pipe, pipe.rdWait), flags);
    fdInstall(task, wr, new File(pipeFops, O_WRONLY | mode, pipe, pipe.wrWait), flags);
  }
  worldLeave(world);
  return wr < 0 ? wr : [rd, wr];
}

/** The pipe that this File is an end of; null for other files. */
export function pipeOf(file: File): PipeInodeInfo | null {
  return file.fOp === pipeFops ? (file.privateData as PipeInodeInfo) : null;
}

/** Bytes that the pipe can take now. */
export function pipeRoom(pipe: PipeInodeInfo): number {
  return PIPE_SIZE - pipe.len;
}

/** Moves what the pipe holds to its front; returns where the next byte goes. */
export function pipeTail(pipe: PipeInodeInfo): number {
  if (pipe.off !== 0) pipe.buf.copyWithin(0, pipe.off, pipe.off + pipe.len);
  pipe.off = 0;
  return pipe.len;
}

/** `n` bytes were put behind pipeTail. */
export function pipePut(pipe: PipeInodeInfo, n: number): void {
  pipe.len += n;
  if (n > 0 && waitqueueActive(pipe.rdWait)) wakeUp(pipe.rdWait, EPOLLIN | EPOLLRDNORM);
}

/** `n` bytes were taken from `off` on. */
export function pipeGot(pipe: PipeInodeInfo, n: number): void {
  pipe.off += n;
  pipe.len -= n;
  if (n > 0 && waitqueueActive(pipe.wrWait)) wakeUp(pipe.wrWait, EPOLLOUT | EPOLLWRNORM);
}

function pipeRead(iocb: Kiocb): number {
  const pipe = (iocb.kiFilp as File).privateData as PipeInodeInfo;
  if (pipe.len === 0) return pipe.writers === 0 || iocb.kiMsg.msgIterCount === 0 ? 0 : -EAGAIN;
  const n = copyToIter(pipe.buf, pipe.off, pipe.len, iocb.kiMsg);
  pipeGot(pipe, n);
  return n;
}

function pipeWrite(iocb: Kiocb): number {
  const file = iocb.kiFilp as File;
  const pipe = file.privateData as PipeInodeInfo;
  const msg = iocb.kiMsg;
  if (pipe.readers === 0) return msg.msgCopied > 0 ? msg.msgCopied : -EPIPE;
  const room = pipeRoom(pipe);
  if (room > 0 && (room >= msg.msgIterCount || iocb.kiNbytes > PIPE_BUF)) {
    const n = copyFromIter(pipe.buf, pipeTail(pipe), room, msg);
    msg.msgCopied += n;
    pipePut(pipe, n);
  }
  if (msg.msgIterCount === 0) return msg.msgCopied;
  return (file.fFlags & O_NONBLOCK) !== 0 && msg.msgCopied > 0 ? msg.msgCopied : -EAGAIN;
}

function pipePoll(file: File, wait: PollTable | null): number {
  const pipe = file.privateData as PipeInodeInfo;
  if (file.fWq === pipe.rdWait) {
    pollWait(file, pipe.rdWait, wait);
    return (pipe.len > 0 ? EPOLLIN | EPOLLRDNORM : 0) | (pipe.writers === 0 ? EPOLLHUP : 0);
  }
  pollWait(file, pipe.wrWait, wait);
  return (pipeRoom(pipe) >= PIPE_BUF ? EPOLLOUT | EPOLLWRNORM : 0) | (pipe.readers === 0 ? EPOLLERR : 0);
}

function pipeRelease(file: File): number {
  const pipe = file.privateData as PipeInodeInfo;
  if (file.fWq === pipe.rdWait) pipe.readers--;
  else pipe.writers--;
  wakeUp(pipe.rdWait, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
  wakeUp(pipe.wrWait, EPOLLOUT | EPOLLWRNORM | EPOLLERR);
  return 0;
}

/** pipefifo_fops. */
const pipeFops: FileOperations = {
  name: 'pipe',
  read: doSyncRead,
  write: doSyncWrite,
  aioRead: pipeRead,
  aioWrite: pipeWrite,
  poll: pipePoll,
  ioctl: () => -ENOTTY,
  release: pipeRelease,
};
