/*
 * socket, socketpair, bind, listen, getsockname, getpeername, setsockopt, getsockopt, shutdown (net/socket.c): the calls
 * that never sleep. Each returns ≥ 0 or -errno. connect and accept are in sys-connect.ts, close in sys-file.ts.
 */
import { EINVAL, ENETDOWN, worldLeave } from '@stack/kernel';
import type { SockAddr } from './msghdr.ts';
import type { ProtoOps, Socket } from './net-struct.ts';
import { sockGetsockopt, sockSetsockopt } from './sock-opt.ts';
import { sockAlloc, sockCreate, sockfdError, sockfdLookup, sockMapFd, sockRelease } from './socket.ts';
import type { SockOptValue } from './sock-struct.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import { fdRemove, filpClose } from './fdtable.ts';
import type { Task } from './task.ts';
import { SHUT_RD, SHUT_RDWR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_TYPE_MASK, SOL_SOCKET } from './uapi-socket.ts';

/** The table of a live socket. */
export function opsOf(sock: Socket): ProtoOps {
  return sock.ops as ProtoOps;
}

/** socket(2): a descriptor. `type` may carry SOCK_NONBLOCK and SOCK_CLOEXEC. */
export function sysSocket(task: Task, family: number, type: number, protocol: number): number {
  const world = sysEnter(task, 'sys_socket');
  try {
    return doSocket(task, family, type, protocol);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doSocket(task: Task, family: number, type: number, protocol: number): number {
  if (task.exiting) return -ENETDOWN;
  const flags = type & ~SOCK_TYPE_MASK;
  if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) !== 0) return -EINVAL;
  const sock = sockAlloc(task.net);
  const err = sockCreate(task.net, sock, family, type & SOCK_TYPE_MASK, protocol);
  if (err < 0) {
    sockRelease(sock);
    return err;
  }
  const fd = sockMapFd(task, sock, flags);
  if (fd < 0) sockRelease(sock);
  return fd;
}

/** socketpair(2): writes two descriptors to `sv`, for families that can. */
export function sysSocketpair(task: Task, family: number, type: number, protocol: number, sv: number[]): number {
  const world = sysEnter(task, 'sys_socketpair');
  try {
    return doSocketpair(task, family, type, protocol, sv);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doSocketpair(task: Task, family: number, type: number, protocol: number, sv: number[]): number {
  const fd1 = doSocket(task, family, type, protocol);
  if (fd1 < 0) return fd1;
  const fd2 = doSocket(task, family, type, protocol);
  const sock1 = sockfdLookup(task, fd1);
  const sock2 = fd2 < 0 ? null : sockfdLookup(task, fd2);
  const err = sock1 === null || sock2 === null ? fd2 : opsOf(sock1).socketpair(sock1, sock2);
  if (err < 0) {
    for (const fd of [fd1, fd2]) {
      const file = fdRemove(task, fd);
      if (file !== null) filpClose(file);
    }
    return err;
  }
  sv[0] = fd1;
  sv[1] = fd2;
  return 0;
}

/** bind(2). */
export function sysBind(task: Task, fd: number, addr: SockAddr): number {
  const world = sysEnter(task, 'sys_bind');
  try {
    const sock = sockfdLookup(task, fd);
    return sock === null ? sockfdError(task, fd) : opsOf(sock).bind(sock, addr);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

/** listen(2); `backlog` is cut at net.core.somaxconn. */
export function sysListen(task: Task, fd: number, backlog: number): number {
  const world = sysEnter(task, 'sys_listen');
  try {
    const sock = sockfdLookup(task, fd);
    if (sock === null) return sockfdError(task, fd);
    const most = task.net.socket.sysctlSomaxconn;
    return opsOf(sock).listen(sock, backlog < 0 || backlog > most ? most : backlog);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

/** getsockname(2): fills `addr`. */
export function sysGetsockname(task: Task, fd: number, addr: SockAddr): number {
  const world = sysEnter(task, 'sys_getsockname');
  try {
    const sock = sockfdLookup(task, fd);
    return sock === null ? sockfdError(task, fd) : opsOf(sock).getname(sock, addr, false);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

/** getpeername(2): fills `addr`; -ENOTCONN. */
export function sysGetpeername(task: Task, fd: number, addr: SockAddr): number {
  const world = sysEnter(task, 'sys_getpeername');
  try {
    const sock = sockfdLookup(task, fd);
    return sock === null ? sockfdError(task, fd) : opsOf(sock).getname(sock, addr, true);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

/** setsockopt(2). Values: numbers, or the struct that the option names (Linger, Timeval), a string for SO_BINDTODEVICE. */
export function sysSetsockopt(task: Task, fd: number, level: number, name: number, value: SockOptValue): number {
  const world = sysEnter(task, 'sys_setsockopt');
  try {
    const sock = sockfdLookup(task, fd);
    if (sock === null) return sockfdError(task, fd);
    return level === SOL_SOCKET ? sockSetsockopt(sock, name, value) : opsOf(sock).setsockopt(sock, level, name, value);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

/** getsockopt(2): the value (OptInt for a negative number), or -errno. */
export function sysGetsockopt(task: Task, fd: number, level: number, name: number): number | object {
  const world = sysEnter(task, 'sys_getsockopt');
  try {
    const sock = sockfdLookup(task, fd);
    if (sock === null) return sockfdError(task, fd);
    return level === SOL_SOCKET ? sockGetsockopt(sock, name) : opsOf(sock).getsockopt(sock, level, name);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

/** shutdown(2): SHUT_RD, SHUT_WR, SHUT_RDWR. */
export function sysShutdown(task: Task, fd: number, how: number): number {
  const world = sysEnter(task, 'sys_shutdown');
  try {
    const sock = sockfdLookup(task, fd);
    if (sock === null) return sockfdError(task, fd);
    return how < SHUT_RD || how > SHUT_RDWR ? -EINVAL : opsOf(sock).shutdown(sock, how);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}
