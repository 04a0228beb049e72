/*
 * The socket of server and client: UDP, bound to a port and to one device (SO_BINDTODEVICE), allowed to broadcast. On a device
 * without an address a broadcast leaves from 0.0.0.0, as on Linux.
 */
import { EAGAIN, EBADF, ENODEV, NSEC_PER_MSEC, sleep, worldNow } from '@stack/kernel';
import { INADDR_ANY, SockAddrIn } from '@stack/inet-sock';
import { devGetByName, type NetDevice } from '@stack/netdev';
import {
  PF_INET, SIOCOUTQ, SO_BINDTODEVICE, SO_BROADCAST, SO_RCVTIMEO, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET, sysBind, sysCall, sysClose,
  sysIoctl, sysRecvfrom, sysSendto, sysSetsockopt, sysSocket, Timeval, type Task,
} from '@stack/socket';
import { dhcpBuild, dhcpParse, type DhcpMessage } from './dhcp-message.ts';

/** Octets of a message at most. */
const MAX_MESSAGE = 4096;

export class DhcpSocket {
  task: Task;
  dev: NetDevice;
  fd: number;
  buf: Uint8Array;

  constructor(task: Task, dev: NetDevice, fd: number) {
    this.task = task;
    this.dev = dev;
    this.fd = fd;
    this.buf = new Uint8Array(MAX_MESSAGE);
  }
}

/** The device of this name. Throws ENODEV. */
export function requireDevice(task: Task, name: string): NetDevice {
  const dev = devGetByName(task.net, name);
  if (dev === null) sysCall(-ENODEV, 'dhcp', name);
  return dev as NetDevice;
}

/** Opens it. Throws Errors with Node's fields: EADDRINUSE … */
export function openDhcpSocket(task: Task, dev: NetDevice, port: number): DhcpSocket {
  const fd = sysCall(sysSocket(task, PF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket');
  try {
    sysCall(sysSetsockopt(task, fd, SOL_SOCKET, SO_BINDTODEVICE, dev.name), 'setsockopt', dev.name);
    sysCall(sysSetsockopt(task, fd, SOL_SOCKET, SO_BROADCAST, 1), 'setsockopt');
    sysCall(sysBind(task, fd, new SockAddrIn(INADDR_ANY, port)), 'bind', '0.0.0.0', port);
  } catch (error) {
    void sysClose(task, fd);
    throw error;
  }
  return new DhcpSocket(task, dev, fd);
}

/** Waits until what was sent has left the host: until its next hop is known. At most a second. */
export async function drainSocket(socket: DhcpSocket): Promise<void> {
  for (let i = 0; i < 20 && socket.fd >= 0; i++) {
    if (sysIoctl(socket.task, socket.fd, SIOCOUTQ) <= 0) return;
    await sleep(socket.task.net.world, 50);
  }
}

export function closeDhcpSocket(socket: DhcpSocket): void {
  if (socket.fd < 0) return;
  void sysClose(socket.task, socket.fd);
  socket.fd = -1;
}

/** Sends a message; what goes wrong is lost, as a datagram may be. */
export async function sendMessage(socket: DhcpSocket, msg: DhcpMessage, addr: number, port: number): Promise<void> {
  if (socket.fd >= 0) await sysSendto(socket.task, socket.fd, dhcpBuild(msg), 0, new SockAddrIn(addr, port));
}

/**
 * The next message, before `deadline` (ns; Infinity: whenever); null: one that is none. Returns -EAGAIN when the time is up, another
 * errno when the socket is closed or its task has ended.
 */
export async function receiveMessage(socket: DhcpSocket, deadline: number): Promise<DhcpMessage | null | number> {
  const { task } = socket;
  const left = deadline === Infinity ? 0 : Math.ceil((deadline - worldNow(task.net.world)) / NSEC_PER_MSEC);
  if (left <= 0 && deadline !== Infinity) return -EAGAIN;
  if (socket.fd < 0) return -EBADF;
  sysSetsockopt(task, socket.fd, SOL_SOCKET, SO_RCVTIMEO, new Timeval(Math.floor(left / 1000), (left % 1000) * 1000));
  const n = await sysRecvfrom(task, socket.fd, socket.buf, 0, null);
  return n < 0 ? n : dhcpParse(socket.buf.subarray(0, n));
}
