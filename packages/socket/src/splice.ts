/*
 * splice(2) from a stream socket to a pipe, and from a pipe to one (fs/splice.c, tcp_splice_read, splice_to_socket). Deviation: bytes are
 * copied once, where Linux passes pages on.
 */
import { EAGAIN, EBADF, EINVAL, worldLeave } from '@stack/kernel';
import type { WaitQueueHead } from '@stack/kernel';
import { fget } from './fdtable.ts';
import type { File } from './file.ts';
import { makeMsgHdr, msgInit } from './msghdr.ts';
import type { Socket } from './net-struct.ts';
import { pipeGot, pipeOf, pipePut, pipeRoom, pipeTail } from './pipe.ts';
import type { PipeInodeInfo } from './pipe.ts';
import { sleeperGet, sleeperMove, sleeperStart } from './sleep.ts';
import type { Sleeper, SleepOps, SysOptions } from './sleep.ts';
import type { Sock } from './sock-struct.ts';
import { sockFromFile, sockRecvmsg, sockSendmsg } from './socket.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import { EVENTS_IN, EVENTS_OUT } from './sys-io.ts';
import type { Task } from './task.ts';
import { FMODE_READ, FMODE_WRITE, O_NONBLOCK } from './uapi-fs.ts';
import { MSG_DONTWAIT, MSG_MORE, MSG_SPLICE_READ } from './uapi-socket.ts';

/** Flag of splice(2): do not sleep. */
export const SPLICE_F_NONBLOCK = 2;
/** Flag of splice(2): more will follow. */
export const SPLICE_F_MORE = 4;

/**
 * splice(2): at most `len` bytes from socket `fdIn` to pipe `fdOut`, or from pipe `fdIn` to socket `fdOut`; the number, as soon as there are
 * any. 0 at the end of the stream (of a pipe: without a writer), and in front of urgent data; -EINVAL for other kinds of files; -EAGAIN if it
 * must not wait.
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

/** Which way it goes. */
interface Splice {
  readonly pipe: PipeInodeInfo;
  readonly sock: Socket;
  readonly toSocket: boolean;
  /** MSG_MORE: SPLICE_F_MORE says that more is to come. */
  readonly more: number;
}

function spliceOf(from: File, to: File, flags: number): Splice | null {
  const sockIn = sockFromFile(from);
  const sock = sockIn ?? sockFromFile(to);
  const pipe = pipeOf(sockIn === null ? from : to);
  if (sock === null || sock.sk === null || pipe === null) return null;
  return { pipe, sock, toSocket: sockIn === null, more: (flags & SPLICE_F_MORE) !== 0 ? MSG_MORE : 0 };
}

function doSplice(task: Task, fdIn: number, fdOut: number, len: number, flags: number, options: SysOptions | undefined): number | Promise<number> {
  const from = fget(task, fdIn);
  const to = fget(task, fdOut);
  if (from === null || to === null) return -EBADF;
  if ((from.fMode & FMODE_READ) === 0 || (to.fMode & FMODE_WRITE) === 0) return -EBADF;
  const splice = spliceOf(from, to, flags);
  if (splice === null) return -EINVAL;
  if (len === 0) return 0;
  const n = spliceOnce(splice, len);
  const nonblock = (flags & SPLICE_F_NONBLOCK) !== 0 || (from.fFlags & O_NONBLOCK) !== 0;
  const full = !splice.toSocket && pipeRoom(splice.pipe) === 0;
  if (n !== -EAGAIN || nonblock || full || spliceMustNotWait(splice, to)) return n;
  const sleeper = sleeperGet(task, spliceAgain, fdIn, from);
  sleeper.arg = splice;
  sleeper.len = len;
  const sk = splice.sock.sk as Sock;
  return sleeperStart(sleeper, spliceWq(splice), spliceMask(splice), splice.toSocket ? sk.skSndtimeo : sk.skRcvtimeo, options);
}

/** The pipe has data, but a socket that must not wait has no room. */
function spliceMustNotWait(splice: Splice, to: File): boolean {
  return splice.toSocket && splice.pipe.len > 0 && (to.fFlags & O_NONBLOCK) !== 0;
}

/** What it waits for: the socket's data or room, or the pipe's data. */
function spliceWq(splice: Splice): WaitQueueHead {
  return splice.toSocket && splice.pipe.len === 0 ? splice.pipe.rdWait : (splice.sock.file as File).fWq as WaitQueueHead;
}

function spliceMask(splice: Splice): number {
  return splice.toSocket && splice.pipe.len > 0 ? EVENTS_OUT : EVENTS_IN;
}

const spliceAgain: SleepOps = {
  name: 'splice',
  restart: spliceRestart,
  giveUp: (_s: Sleeper, why: number) => why,
};

function spliceRestart(s: Sleeper): number {
  const splice = s.arg as Splice;
  const n = spliceOnce(splice, s.len);
  if (n === -EAGAIN) sleeperMove(s, spliceWq(splice), spliceMask(splice));
  return n;
}

function spliceOnce(splice: Splice, len: number): number {
  return splice.toSocket ? spliceToSocket(splice, len) : tcpSpliceRead(splice.sock, splice.pipe, len);
}

/** Receives into the pipe what it has room for: bytes, or -errno. */
function tcpSpliceRead(sock: Socket, pipe: PipeInodeInfo, len: number): number {
  const room = Math.min(len, pipeRoom(pipe));
  if (room === 0) return -EAGAIN;
  const tail = pipeTail(pipe);
  const msg = makeMsgHdr([pipe.buf.subarray(tail, tail + room)]);
  msgInit(msg);
  const n = sockRecvmsg(sock, msg, room, MSG_DONTWAIT | MSG_SPLICE_READ);
  if (n > 0) pipePut(pipe, n);
  return n;
}

/** Sends what the pipe holds: bytes, 0 if nobody will write to it any more, or -errno. */
function spliceToSocket(splice: Splice, len: number): number {
  const { pipe, sock } = splice;
  const size = Math.min(len, pipe.len);
  if (size === 0) return pipe.writers === 0 ? 0 : -EAGAIN;
  const msg = makeMsgHdr([pipe.buf.subarray(pipe.off, pipe.off + size)]);
  msgInit(msg);
  msg.msgFlags = MSG_DONTWAIT | splice.more;
  const n = sockSendmsg(sock, msg, size);
  if (n > 0) pipeGot(pipe, n);
  return n;
}
