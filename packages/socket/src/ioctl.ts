/*
 * ioctl(2) on sockets (net/socket.c): what the family does not know goes to the protocol, what that does not know
 * is -ENOTTY. Values are results, not written through a pointer: ioctl(fd, FIONREAD) returns the count; what is no number
 * fills the struct that is given (SIOCGSTAMP: a Timeval).
 */
import { EINVAL, ENOIOCTLCMD, ENOTTY } from '@stack/kernel';
import type { ProtoOps, Socket } from './net-struct.ts';
import { sockGettstamp } from './scm.ts';
import type { SockOptValue } from './sock-struct.ts';
import { SIOCGSTAMP } from './uapi-socket.ts';

/** socket_file_ops.ioctl: FIONREAD, SIOCOUTQ, SIOCATMARK …; the value, or -errno. */
export function sockIoctl(sock: Socket, cmd: number, arg: SockOptValue): number {
  if (cmd === SIOCGSTAMP && sock.sk !== null) return sockGettstamp(sock.sk, arg);
  const err = (sock.ops as ProtoOps).ioctl(sock, cmd, arg);
  return err === -ENOIOCTLCMD ? -ENOTTY : err;
}

/** Hands an ioctl to the protocol (sk_ioctl): the value, or -ENOIOCTLCMD. */
export function skIoctl(sock: Socket, cmd: number): number {
  const { sk } = sock;
  if (sk === null) return -EINVAL;
  return sk.skProt.ioctl === null ? -ENOIOCTLCMD : sk.skProt.ioctl(sk, cmd);
}
