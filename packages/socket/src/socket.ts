/*
 * Sockets as files (net/socket.c): making and releasing them, and the way from a file operation or a system call to the
 * family's table. Down: doSyncWrite -> sockAioWrite -> __sockSendmsg, or sockSendmsg -> __sockSendmsg -> sock.ops.sendmsg.
 * Up: doSyncRead -> sockAioRead -> __sockRecvmsg, or sockRecvmsg -> __sockRecvmsg -> sock.ops.recvmsg.
 */
import {
  EAFNOSUPPORT, EBADF, EINVAL, EEXIST, ENOTSOCK, ESPIPE, waitqueueActive, wakeUpAll,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { fget, getUnusedFdInstall } from './fdtable.ts';
import { File } from './file.ts';
import type { FileOperations, Kiocb, PollTable } from './file.ts';
import { iocbInitBuf } from './iocb.ts';
import type { MsgHdr } from './msghdr.ts';
import { netRef, netUnref } from './net-ref.ts';
import { Socket, SS_FREE } from './net-struct.ts';
import type { NetProtoFamily, ProtoOps } from './net-struct.ts';
import { sockFlag, SOCK_LINGER, sockResetFlag, TCP_CLOSE, TCP_SYN_SENT } from './sock-struct.ts';
import type { SockOptValue } from './sock-struct.ts';
import { sockIoctl } from './ioctl.ts';
import type { Task } from './task.ts';
import { O_NONBLOCK, O_RDWR } from './uapi-fs.ts';
import { AF_MAX, IPPROTO_TCP, MSG_DONTWAIT, SOCK_MAX, SOCK_NONBLOCK, SOCK_STREAM } from './uapi-socket.ts';

/** Installs a family for socket(2). 0, -EEXIST, or -EINVAL for a number that is no family. */
export function sockRegister(net: Net, family: NetProtoFamily): number {
  if (family.family < 0 || family.family >= AF_MAX) return -EINVAL;
  if (net.socket.families[family.family] !== null) return -EEXIST;
  net.socket.families[family.family] = family;
  return 0;
}

/** Takes a family out; its open sockets live on. */
export function sockUnregister(net: Net, family: number): void {
  if (family >= 0 && family < AF_MAX) net.socket.families[family] = null;
}

/** A Socket without protocol. It keeps the process alive until sockRelease. */
export function sockAlloc(net: Net): Socket {
  netRef(net);
  return new Socket(net);
}

/** Makes a socket of `family`: 0 and the new one's ops and sk set, or -errno. */
export function sockCreate(net: Net, sock: Socket, family: number, type: number, protocol: number): number {
  if (family < 0 || family >= AF_MAX) return -EAFNOSUPPORT;
  if (type < 0 || type >= SOCK_MAX) return -EINVAL;
  const pf = net.socket.families[family];
  if (pf === null || pf === undefined) return -EAFNOSUPPORT;
  sock.type = type;
  return pf.create(net, sock, protocol);
}

/** Releases the family's side, and lets the World go. 0, or -EAGAIN while it lingers (to be called again). */
export function sockRelease(sock: Socket): number {
  if (sock.ops !== null) {
    const err = sock.ops.release(sock);
    if (err < 0) return err;
    sock.ops = null;
  }
  if (sock.state !== SS_FREE) {
    sock.state = SS_FREE;
    netUnref(sock.net);
  }
  // Whoever polls it still finds the descriptor gone.
  if (waitqueueActive(sock.wq)) wakeUpAll(sock.wq);
  return 0;
}

/** Gives the socket a File and a descriptor of the task; -EMFILE leaves the socket the caller's. */
export function sockMapFd(task: Task, sock: Socket, flags: number): number {
  const file = new File(socketFileOps, O_RDWR | ((flags & SOCK_NONBLOCK) !== 0 ? O_NONBLOCK : 0), sock, sock.wq);
  const fd = getUnusedFdInstall(task, file, flags);
  if (fd >= 0) sock.file = file;
  return fd;
}

/** The Socket behind a File, or null if it is not one (-ENOTSOCK). */
export function sockFromFile(file: File): Socket | null {
  return file.fOp === socketFileOps ? (file.privateData as Socket) : null;
}

/** The errno of a descriptor that sockfdLookup finds no socket for: -EBADF or -ENOTSOCK. */
export function sockfdError(task: Task, fd: number): number {
  return fget(task, fd) === null ? -EBADF : -ENOTSOCK;
}

/** The Socket of a descriptor, or null: then sockfdError tells why. */
export function sockfdLookup(task: Task, fd: number): Socket | null {
  const file = fget(task, fd);
  return file === null ? null : sockFromFile(file);
}

/** A socket that is closed with SO_LINGER does not wait: its task ends, or its time is up. lLinger 0 still resets. */
export function socketNoLinger(file: File): void {
  const sock = sockFromFile(file);
  if (sock === null || sock.sk === null) return;
  if (sockFlag(sock.sk, SOCK_LINGER) && sock.sk.skLingertime > 0) sockResetFlag(sock.sk, SOCK_LINGER);
}

/** Is this call not to sleep? */
export function sockNonblock(file: File, flags: number): boolean {
  return (flags & MSG_DONTWAIT) !== 0 || (file.fFlags & O_NONBLOCK) !== 0;
}

/* Down. */

/** Sends a message: what all send calls come to. Bytes sent, or -errno; -EAGAIN: see ProtoOps. */
export function __sockSendmsg(sock: Socket, msg: MsgHdr, size: number): number {
  const { net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, '__sock_sendmsg', null);
  return (sock.ops as ProtoOps).sendmsg(sock, msg, size);
}

/** The entry of the calls that name a socket: sendto, sendmsg. */
export function sockSendmsg(sock: Socket, msg: MsgHdr, size: number): number {
  const { net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'sock_sendmsg', null);
  return __sockSendmsg(sock, msg, size);
}

/** A buffer that is none, sent on a TCP socket without a connection: the protocol looks at that first, and at its state. */
export function sockFaultsLater(sock: Socket | null): boolean {
  const sk = sock === null ? null : sock.sk;
  return sk !== null && sk.skType === SOCK_STREAM && sk.skProtocol === IPPROTO_TCP && (sk.skState === TCP_CLOSE || sk.skState === TCP_SYN_SENT);
}

/** file.fOp.write of files that work on vectors: one buffer becomes a message of one. */
export function doSyncWrite(file: File, buf: Uint8Array, count: number, iocb: Kiocb): number {
  iocbInitBuf(iocb, buf, count, 0);
  return file.fOp.aioWrite(iocb);
}

/** write and writev on a socket. */
export function sockAioWrite(iocb: Kiocb): number {
  const file = iocb.kiFilp as File;
  const sock = file.privateData as Socket;
  const msg = iocb.kiMsg;
  const { net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'sock_aio_write', null);
  if (file.fPos !== 0) return -ESPIPE;
  msg.msgFlags = (file.fFlags & O_NONBLOCK) !== 0 ? MSG_DONTWAIT : 0;
  return __sockSendmsg(sock, msg, iocb.kiNbytes);
}

/* Up. */

/** Receives a message: what all receive calls come to. Bytes received, or -errno; -EAGAIN: see ProtoOps. */
export function __sockRecvmsg(sock: Socket, msg: MsgHdr, size: number, flags: number): number {
  const { net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, '__sock_recvmsg', null);
  return (sock.ops as ProtoOps).recvmsg(sock, msg, size, flags);
}

/** The entry of the calls that name a socket: recvfrom, recvmsg. */
export function sockRecvmsg(sock: Socket, msg: MsgHdr, size: number, flags: number): number {
  const { net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'sock_recvmsg', null);
  return __sockRecvmsg(sock, msg, size, flags);
}

/** file.fOp.read of files that work on vectors. */
export function doSyncRead(file: File, buf: Uint8Array, count: number, iocb: Kiocb): number {
  iocbInitBuf(iocb, buf, count, 0);
  return file.fOp.aioRead(iocb);
}

/** read and readv on a socket. */
export function sockAioRead(iocb: Kiocb): number {
  const file = iocb.kiFilp as File;
  const sock = file.privateData as Socket;
  const msg = iocb.kiMsg;
  const { net } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'sock_aio_read', null);
  if (file.fPos !== 0) return -ESPIPE;
  if (iocb.kiNbytes === 0) return 0;
  return __sockRecvmsg(sock, msg, iocb.kiNbytes, (file.fFlags & O_NONBLOCK) !== 0 ? MSG_DONTWAIT : 0);
}

/** ops.recvmsg of families whose protocols do it all: hands on to sk.skProt.recvmsg. */
export function sockCommonRecvmsg(sock: Socket, msg: MsgHdr, size: number, flags: number): number {
  const { net, sk } = sock;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'sock_common_recvmsg', null);
  if (sk === null) return -EINVAL;
  return sk.skProt.recvmsg(sk, msg, size, flags);
}

/** ops.setsockopt likewise. */
export function sockCommonSetsockopt(sock: Socket, level: number, name: number, value: SockOptValue): number {
  const { sk } = sock;
  if (sk === null || sk.skProt.setsockopt === null) return -EINVAL;
  return sk.skProt.setsockopt(sk, level, name, value);
}

/** ops.getsockopt likewise. */
export function sockCommonGetsockopt(sock: Socket, level: number, name: number): number | object {
  const { sk } = sock;
  if (sk === null || sk.skProt.getsockopt === null) return -EINVAL;
  return sk.skProt.getsockopt(sk, level, name);
}

/* The file's other operations. */

function sockPoll(file: File, wait: PollTable | null): number {
  const sock = file.privateData as Socket;
  return (sock.ops as ProtoOps).poll(file, sock, wait);
}

/** Registers a poll on the socket's queue (sock_poll_wait). */
export function sockPollWait(file: File, sock: Socket, wait: PollTable | null): void {
  if (wait !== null) wait.qproc(wait, file, sock.wq);
}

function sockClose(file: File): number {
  return sockRelease(file.privateData as Socket);
}

function sockFileIoctl(file: File, cmd: number, arg: SockOptValue): number {
  return sockIoctl(file.privateData as Socket, cmd, arg);
}

/** socket_file_ops. */
export const socketFileOps: FileOperations = {
  name: 'socket',
  read: doSyncRead,
  write: doSyncWrite,
  aioRead: sockAioRead,
  aioWrite: sockAioWrite,
  poll: sockPoll,
  ioctl: sockFileIoctl,
  release: sockClose,
};
