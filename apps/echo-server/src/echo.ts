/*
 * The echo service (RFC 862) over the system calls: TCP and UDP, port 7. Each connection is a loop of read and write,
 * as the chapter's client on the other side.
 */
import { errnoException } from '@stack/kernel';
import {
  Iovec, MsgHdr, PF_INET, SOCK_DGRAM, SOCK_STREAM, sysAccept, sysBind, sysClose, sysListen, sysRead, sysRecvmsg, sysSendmsg,
  sysSocket, sysWrite, type Task,
} from '@stack/socket';
import { INADDR_ANY, SockAddrIn } from '@stack/inet-sock';

export const ECHO_PORT = 7;

/** A socket of `type` bound to `port`; throws what the system calls say. */
function boundSocket(task: Task, type: number, port: number): number {
  const fd = sysSocket(task, PF_INET, type, 0);
  if (fd < 0) throw errnoException(fd, 'socket');
  const error = sysBind(task, fd, new SockAddrIn(INADDR_ANY, port));
  if (error < 0) throw errnoException(error, 'bind', '0.0.0.0', port);
  return fd;
}

/** Starts the TCP service; `onError` hears of what no connection is to blame for. Ends when its task does. */
export function serveTcp(task: Task, port: number, onError: (error: Error) => void): void {
  const fd = boundSocket(task, SOCK_STREAM, port);
  const error = sysListen(task, fd, 4096);
  if (error < 0) throw errnoException(error, 'listen', '0.0.0.0', port);
  void acceptLoop(task, fd, onError);
}

async function acceptLoop(task: Task, listener: number, onError: (error: Error) => void): Promise<void> {
  for (;;) {
    const fd = await sysAccept(task, listener, null, 0);
    if (fd >= 0) void echoConnection(task, fd);
    else if (task.exiting) return;
    else onError(errnoException(fd, 'accept'));
  }
}

async function echoConnection(task: Task, fd: number): Promise<void> {
  const buffer = new Uint8Array(65536);
  for (;;) {
    const count = await sysRead(task, fd, buffer);
    if (count <= 0) break;
    if ((await sysWrite(task, fd, buffer.subarray(0, count))) < 0) break;
  }
  sysClose(task, fd);
}

/** Starts the UDP service: every datagram goes back to its sender. Ends when its task does. */
export function serveUdp(task: Task, port: number): void {
  void datagramLoop(task, boundSocket(task, SOCK_DGRAM, port));
}

async function datagramLoop(task: Task, fd: number): Promise<void> {
  const buffer = new Uint8Array(65536);
  const msg = new MsgHdr();
  const iov = new Iovec(buffer);
  msg.msgName = new SockAddrIn();
  msg.msgIov = [iov];
  msg.msgIovlen = 1;
  while (!task.exiting) {
    iov.iovLen = buffer.length;
    const count = await sysRecvmsg(task, fd, msg, 0);
    if (count < 0) continue;
    iov.iovLen = count;
    await sysSendmsg(task, fd, msg, 0);
  }
}
