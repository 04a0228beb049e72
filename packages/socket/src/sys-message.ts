/*
 * send, sendto, sendmsg and recv, recvfrom, recvmsg (net/socket.c). sysSend -> sysSendto -> sockSendmsg; sysSendmsg ->
 * sockSendmsg; the receiving ones alike. Each returns bytes, or -errno, at once if it need not sleep; otherwise a promise
 * of that. Until it settles, buffers and message belong to the call.
 */
import { EAGAIN, EFAULT, EMSGSIZE, worldLeave } from '@stack/kernel';
import type { File } from './file.ts';
import { iocbGet, iocbInitBuf, iocbPut } from './iocb.ts';
import { msgInit, msgRoom, UIO_MAXIOV } from './msghdr.ts';
import type { MsgHdr, SockAddr } from './msghdr.ts';
import type { SysOptions } from './sleep.ts';
import { sockFaultsLater, sockfdError, sockfdLookup, sockNonblock, sockRecvmsg, sockSendmsg } from './socket.ts';
import { sysEnter, sysFault } from './sys-enter.ts';
import { recvSleep, sendSleep } from './sys-io.ts';
import type { Task } from './task.ts';
import { MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB } from './uapi-socket.ts';

/** send(2). */
export function sysSend(task: Task, fd: number, buf: Uint8Array, flags: number, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_send');
  try {
    return sysSendto(task, fd, buf, flags, null, options);
  } finally {
    worldLeave(world);
  }
}

/** sendto(2); `addr` null: the peer that the socket is connected to. */
export function sysSendto(
  task: Task, fd: number, buf: Uint8Array, flags: number, addr: SockAddr | null, options?: SysOptions,
): number | Promise<number> {
  const world = sysEnter(task, 'sys_sendto');
  try {
    return doSendto(task, fd, buf, flags, addr, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doSendto(
  task: Task, fd: number, buf: Uint8Array, flags: number, addr: SockAddr | null, options: SysOptions | undefined,
): number | Promise<number> {
  const sock = sockfdLookup(task, fd);
  if (sock === null) return sockfdError(task, fd);
  if (!ArrayBuffer.isView(buf) && !sockFaultsLater(sock)) return -EFAULT;
  const file = sock.file as File;
  const iocb = iocbGet(task, file);
  iocbInitBuf(iocb, buf, msgRoom(buf), sockNonblock(file, flags) ? flags | MSG_DONTWAIT : flags);
  const msg = iocb.kiMsg;
  msg.msgName = addr;
  const n = sockSendmsg(sock, msg, msg.msgIterCount);
  if (n === -EAGAIN && (msg.msgFlags & MSG_DONTWAIT) === 0) return sendSleep(task, fd, file, iocb, msg, msgRoom(buf), options);
  iocbPut(task, iocb);
  return n;
}

/** sendmsg(2): gathers msgIov, to msgName, with msgControl. `flags` replace msg.msgFlags. */
export function sysSendmsg(task: Task, fd: number, msg: MsgHdr, flags: number, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_sendmsg');
  try {
    return doSendmsg(task, fd, msg, flags, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doSendmsg(task: Task, fd: number, msg: MsgHdr, flags: number, options: SysOptions | undefined): number | Promise<number> {
  const sock = sockfdLookup(task, fd);
  if (sock === null) return sockfdError(task, fd);
  if (msg.msgIovlen > UIO_MAXIOV) return -EMSGSIZE;
  const size = msgInit(msg);
  if (size < 0) return size;
  const file = sock.file as File;
  msg.msgFlags = sockNonblock(file, flags) ? flags | MSG_DONTWAIT : flags;
  const n = sockSendmsg(sock, msg, size);
  if (n === -EAGAIN && (msg.msgFlags & MSG_DONTWAIT) === 0) return sendSleep(task, fd, file, null, msg, size, options);
  return n;
}

/** Urgent data and the error queue are there or not: nobody sleeps for them. */
function recvNonblock(file: File, flags: number): boolean {
  return (flags & (MSG_OOB | MSG_ERRQUEUE)) !== 0 || sockNonblock(file, flags);
}

/** recv(2). */
export function sysRecv(task: Task, fd: number, buf: Uint8Array, flags: number, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_recv');
  try {
    return sysRecvfrom(task, fd, buf, flags, null, options);
  } finally {
    worldLeave(world);
  }
}

/** recvfrom(2); `addr`, if not null, is filled with the sender. */
export function sysRecvfrom(
  task: Task, fd: number, buf: Uint8Array, flags: number, addr: SockAddr | null, options?: SysOptions,
): number | Promise<number> {
  const world = sysEnter(task, 'sys_recvfrom');
  try {
    return doRecvfrom(task, fd, buf, flags, addr, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doRecvfrom(
  task: Task, fd: number, buf: Uint8Array, flags: number, addr: SockAddr | null, options: SysOptions | undefined,
): number | Promise<number> {
  const sock = sockfdLookup(task, fd);
  if (sock === null) return sockfdError(task, fd);
  if (!ArrayBuffer.isView(buf)) return -EFAULT;
  const file = sock.file as File;
  const iocb = iocbGet(task, file);
  iocbInitBuf(iocb, buf, buf.length, 0);
  const msg = iocb.kiMsg;
  msg.msgName = addr;
  const noblock = recvNonblock(file, flags);
  const n = sockRecvmsg(sock, msg, buf.length, noblock ? flags | MSG_DONTWAIT : flags);
  if (n === -EAGAIN && !noblock) return recvSleep(task, fd, file, iocb, msg, buf.length, flags, options);
  iocbPut(task, iocb);
  return n;
}

/**
 * recvmsg(2): scatters to msgIov; fills msgName and msgNamelen (0: no address), makes msgControl the control messages that
 * came (at most msgControllen), and sets msgFlags (MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_ERRQUEUE).
 */
export function sysRecvmsg(task: Task, fd: number, msg: MsgHdr, flags: number, options?: SysOptions): number | Promise<number> {
  const world = sysEnter(task, 'sys_recvmsg');
  try {
    return doRecvmsg(task, fd, msg, flags, options);
  } catch (error) {
    return sysFault(task, error);
  } finally {
    worldLeave(world);
  }
}

function doRecvmsg(task: Task, fd: number, msg: MsgHdr, flags: number, options: SysOptions | undefined): number | Promise<number> {
  const sock = sockfdLookup(task, fd);
  if (sock === null) return sockfdError(task, fd);
  if (msg.msgIovlen > UIO_MAXIOV) return -EMSGSIZE;
  const size = msgInit(msg);
  if (size < 0) return size;
  const file = sock.file as File;
  msg.msgFlags = 0;
  if (msg.msgControl !== null) msg.msgControl.length = 0;
  const noblock = recvNonblock(file, flags);
  const n = sockRecvmsg(sock, msg, size, noblock ? flags | MSG_DONTWAIT : flags);
  if (n === -EAGAIN && !noblock) return recvSleep(task, fd, file, null, msg, size, flags, options);
  return n;
}
