/*
 * splice(2) from a stream socket to a pipe (fs/splice.c, tcp_splice_read). Deviation: bytes are copied once, where Linux passes pages on;
 * and from a pipe to a socket it is read(2) and write(2) that move them.
 */
import { EAGAIN, EBADF, EINVAL, ESPIPE, worldLeave } from '@stack/kernel';
import { fget } from './fdtable.ts';
import type { File } from './file.ts';
import { makeMsgHdr, msgInit } from './msghdr.ts';
import { pipeOf, pipePut, pipeRoom, pipeTail } from './pipe.ts';
import type { PipeInodeInfo } from './pipe.ts';
import { sleeperGet, sleeperStart } from './sleep.ts';
import type { Sleeper, SleepOps, SysOptions } from './sleep.ts';
import { sockFromFile, sockRecvmsg } from './socket.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import { EVENTS_IN } from './sys-io.ts';
import type { Task } from './task.ts';
import { FMODE_READ, FMODE_WRITE, O_NONBLOCK } from './uapi-fs.ts';
import { MSG_DONTWAIT, MSG_SPLICE_READ } from './uapi-socket.ts';

/** Flag of splice(2): do not sleep. */
export const SPLICE_F_NONBLOCK = 2;

/**
 * splice(2): at most `len` bytes from socket `fdIn` to pipe `fdOut`; the number, as soon as there are any. 0 at the end of the stream, and
 * in front of urgent data; -EINVAL for other kinds of files; -EAGAIN when the pipe is full.
 */
export function sysSplice(task: Task, fdIn: number, fdOut: number, len: number, flags = 0, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_splice');
  try {
    return doSplice(task, fdIn, fdOut, len, flags, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doSplice(task: Task, fdIn: number, fdOut: number, len: number, flags: number, options: SysOptions | undefined): number | Promise<number> {
  const from = fget(task, fdIn);
  const to = fget(task, fdOut);
  if (from === null || to === null) return -EBADF;
  if ((from.fMode & FMODE_READ) === 0 || (to.fMode & FMODE_WRITE) === 0) return -EBADF;
  const sock = sockFromFile(from);
  const pipe = pipeOf(to);
  if (sock === null || sock.sk === null || pipe === null) return -EINVAL;
  if (len === 0) return 0;
  const n = tcpSpliceRead(from, pipe, len);
  const nonblock = (flags & SPLICE_F_NONBLOCK) !== 0 || (from.fFlags & O_NONBLOCK) !== 0;
  if (n !== -EAGAIN || nonblock || pipeRoom(pipe) === 0 || from.fWq === null) return n;
  const sleeper = sleeperGet(task, spliceAgain, fdIn, from);
  sleeper.arg = pipe;
  sleeper.len = len;
  return sleeperStart(sleeper, from.fWq, EVENTS_IN, sock.sk.skRcvtimeo, options);
}

const spliceAgain: SleepOps = {
  name: 'splice',
  restart: (s: Sleeper) => tcpSpliceRead(s.file as File, s.arg as PipeInodeInfo, s.len),
  giveUp: (_s: Sleeper, why: number) => why,
};

/** Receives into the pipe what it has room for: bytes, or -errno. */
function tcpSpliceRead(from: File, pipe: PipeInodeInfo, len: number): number {
  const sock = sockFromFile(from);
  if (sock === null) return -ESPIPE;
  const room = Math.min(len, pipeRoom(pipe));
  if (room === 0) return -EAGAIN;
  const tail = pipeTail(pipe);
  const msg = makeMsgHdr([pipe.buf.subarray(tail, tail + room)]);
  msgInit(msg);
  const n = sockRecvmsg(sock, msg, room, MSG_DONTWAIT | MSG_SPLICE_READ);
  if (n > 0) pipePut(pipe, n);
  return n;
}
