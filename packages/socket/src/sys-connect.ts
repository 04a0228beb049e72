/*
 * connect and accept (net/socket.c), which may sleep: the result at once, or a promise of it.
 */
import { EAGAIN, EALREADY, ECONNABORTED, EINPROGRESS, EINTR, EINVAL, worldLeave } from '@stack/kernel';
import { allocFd } from './fdtable.ts';
import type { File } from './file.ts';
import type { SockAddr } from './msghdr.ts';
import type { Socket } from './net-struct.ts';
import { signalPending, sleeperGet, sleeperStart } from './sleep.ts';
import type { Sleeper, SleepOps, SysOptions } from './sleep.ts';
import { sockAlloc, sockfdError, sockfdLookup, sockMapFd, sockRelease } from './socket.ts';
import { ProtoAcceptArg } from './sock-struct.ts';
import type { Sock } from './sock-struct.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import { EVENTS_IN } from './sys-io.ts';
import { opsOf } from './sys-socket.ts';
import type { Task } from './task.ts';
import { O_NONBLOCK } from './uapi-fs.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from './uapi-socket.ts';

/** connect(2): 0; -EINPROGRESS if it is non-blocking, or its time (SO_SNDTIMEO) is up; -EINTR: it goes on in the background. */
export function sysConnect(task: Task, fd: number, addr: SockAddr, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_connect');
  try {
    return doConnect(task, fd, addr, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doConnect(task: Task, fd: number, addr: SockAddr, options: SysOptions | undefined): number | Promise<number> {
  const sock = sockfdLookup(task, fd);
  if (sock === null) return sockfdError(task, fd);
  const file = sock.file as File;
  const err = opsOf(sock).connect(sock, addr, file.fFlags);
  if ((err !== -EINPROGRESS && err !== -EALREADY) || (file.fFlags & O_NONBLOCK) !== 0) return err;
  if (signalPending(options)) return -EINTR;
  const sleeper = sleeperGet(task, connectAgain, fd, file);
  sleeper.arg = addr;
  return sleeperStart(sleeper, sock.wq, 0, (sock.sk as Sock).skSndtimeo, options);
}

const connectAgain: SleepOps = {
  name: 'connect',
  restart(s: Sleeper): number {
    const file = s.file as File;
    const sock = file.privateData as Socket;
    const err = opsOf(sock).connect(sock, s.arg as SockAddr, file.fFlags);
    return err === -EALREADY || err === -EINPROGRESS ? -EAGAIN : err;
  },
  giveUp: (_s: Sleeper, why: number): number => (why === -EAGAIN ? -EINPROGRESS : why),
};

/**
 * accept4(2): a descriptor of the next connection. `addr`, if not null, is filled with the peer's address; `flags`:
 * SOCK_NONBLOCK, SOCK_CLOEXEC.
 */
export function sysAccept(
  task: Task, fd: number, addr: SockAddr | null = null, flags = 0, options?: SysOptions,
): number | Promise<number> {
  const world = sysEnter(task, 'sys_accept');
  try {
    return doAccept(task, fd, addr, flags, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doAccept(
  task: Task, fd: number, addr: SockAddr | null, flags: number, options: SysOptions | undefined,
): number | Promise<number> {
  const sock = sockfdLookup(task, fd);
  if (sock === null) return sockfdError(task, fd);
  if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) !== 0) return -EINVAL;
  const file = sock.file as File;
  const newfd = acceptOnce(task, sock, file.fFlags, addr, flags);
  if (newfd !== -EAGAIN || (file.fFlags & O_NONBLOCK) !== 0) return newfd;
  if (signalPending(options)) return -EINTR;
  const sleeper = sleeperGet(task, acceptAgain, fd, file);
  sleeper.arg = addr;
  sleeper.flags = flags;
  return sleeperStart(sleeper, sock.wq, EVENTS_IN, (sock.sk as Sock).skRcvtimeo, options);
}

const acceptAgain: SleepOps = {
  name: 'accept',
  restart(s: Sleeper): number {
    const file = s.file as File;
    return acceptOnce(s.task, file.privateData as Socket, file.fFlags, s.arg as SockAddr | null, s.flags);
  },
  giveUp: (_s: Sleeper, why: number): number => why,
};

/** One try: a descriptor, -EAGAIN if no connection waits, or another errno. */
function acceptOnce(task: Task, sock: Socket, fFlags: number, addr: SockAddr | null, flags: number): number {
  const free = allocFd(task, 0);
  if (free < 0) return free;
  const newsock = sockAlloc(task.net);
  newsock.type = sock.type;
  newsock.ops = sock.ops;
  const arg = new ProtoAcceptArg();
  arg.flags = fFlags;
  let err = opsOf(sock).accept(sock, newsock, arg);
  // A peer that is gone already has no address to give.
  if (err >= 0 && addr !== null && opsOf(newsock).getname(newsock, addr, true) < 0) err = -ECONNABORTED;
  if (err < 0) {
    sockRelease(newsock);
    return err;
  }
  return sockMapFd(task, newsock, flags);
}
