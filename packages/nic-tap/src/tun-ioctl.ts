// /dev/net/tun and the ioctls around it: making the interface, and setting up Linux's end of it.
//
// tunOpen() opens the clone device and attaches the interface; tunConfigure() does what `ip addr add`, `ip link set up` would.
// Both throw the Error that a user reads: with Node's fields (code, errno, syscall) and what to do about it.
// Read first: Documentation/networking/tuntap.rst of Linux; netdevice(7).

import { EACCES, EBUSY, EINVAL, ENOENT, ENXIO, ENODEV, EPERM, errnoException } from '@stack/kernel';
import type { Libc } from './libc.ts';

export const IFF_TUN = 0x0001;
export const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;

// TUNSETOFFLOAD: what the kernel may leave undone in the packets that it gives us.
const TUN_F_CSUM = 0x01;
const TUN_F_TSO4 = 0x02;
const TUN_F_TSO_ECN = 0x08;

const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFADDR = 0x8916;
const SIOCSIFNETMASK = 0x891c;
const SIOCSIFMTU = 0x8922;
const SIOCSIFTXQLEN = 0x8943;

const O_RDWR = 0o2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const IFF_UP = 1;

/** struct ifreq: 16 octets of name, then a union. */
const IFREQ_SIZE = 40;
const IFREQ_UNION = 16;
/** A union's sockaddr_in: family in host order, port, address. */
const IFREQ_ADDRESS = IFREQ_UNION + 4;

const NAME_MAX = 15;

/** An attached interface. */
export interface TunFile {
  readonly fd: number;
  /** The interface's name as the kernel has it. */
  readonly name: string;
}

/**
 * Opens /dev/net/tun and attaches the interface `name` (`tap%d`: the first that is free), made now unless it persists.
 * `kind`: IFF_TAP or IFF_TUN. `offload`: packets carry a virtio_net_hdr and may be large or lack their checksum, both ways.
 */
export function tunOpen(libc: Libc, name: string, kind: number, offload: boolean): TunFile {
  if (name.length === 0 || name.length > NAME_MAX) throw new Error(`'${name}' cannot name an interface: 1 to ${NAME_MAX} characters`);
  const fd = libc.open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw tunError(libc.errno(), 'open', name);
  const ifreq = makeIfreq(name);
  ifreq.setUint16(IFREQ_UNION, kind | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0), true);
  const offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN;
  const failed = libc.ioctl(fd, TUNSETIFF, libc.addressOf(ifreq.buffer)) < 0 || (offload && libc.ioctl(fd, TUNSETOFFLOAD, offloads) < 0);
  if (failed) {
    const errno = libc.errno();
    libc.close(fd);
    throw tunError(errno, 'TUNSETIFF', name);
  }
  return { fd, name: ifreqName(ifreq) };
}

/** Linux's end of the interface. */
export interface TunPeer {
  /** Address and prefix length: `10.9.0.1/24`. */
  readonly address?: string;
  readonly mtu?: number;
  /** Packets that Linux queues for us before it drops; default 4096. */
  readonly txQueueLen?: number;
}

/** Sets Linux's end up and brings it up. IPv4's `address` is replaced if it has one. */
export function tunConfigure(libc: Libc, name: string, peer: TunPeer): void {
  const fd = libc.socket(AF_INET, SOCK_DGRAM | O_CLOEXEC, 0);
  if (fd < 0) throw tunError(libc.errno(), 'socket', name);
  try {
    setInt(libc, fd, name, SIOCSIFTXQLEN, peer.txQueueLen ?? 4096, 'SIOCSIFTXQLEN');
    if (peer.mtu !== undefined) setInt(libc, fd, name, SIOCSIFMTU, peer.mtu, 'SIOCSIFMTU');
    if (peer.address !== undefined) setAddress(libc, fd, name, peer.address);
    bringUp(libc, fd, name);
  } finally {
    libc.close(fd);
  }
}

function setInt(libc: Libc, fd: number, name: string, request: number, value: number, what: string): void {
  const ifreq = makeIfreq(name);
  ifreq.setInt32(IFREQ_UNION, value, true);
  ifreqIoctl(libc, fd, request, ifreq, what, name);
}

function setAddress(libc: Libc, fd: number, name: string, text: string): void {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const octets = (match ?? []).slice(1, 5).map(Number);
  const length = Number(match?.[5] ?? -1);
  if (match === null || length > 32 || octets.some((octet) => octet > 255)) {
    throw new Error(`'${text}' is not an address: write it A.B.C.D/LEN`);
  }
  const address = octets.reduce((value, octet) => (value << 8) | octet, 0);
  setSockaddr(libc, fd, name, SIOCSIFADDR, address, 'SIOCSIFADDR');
  setSockaddr(libc, fd, name, SIOCSIFNETMASK, length === 0 ? 0 : -1 << (32 - length), 'SIOCSIFNETMASK');
}

function setSockaddr(libc: Libc, fd: number, name: string, request: number, address: number, what: string): void {
  const ifreq = makeIfreq(name);
  ifreq.setUint16(IFREQ_UNION, AF_INET, true);
  ifreq.setInt32(IFREQ_ADDRESS, address);
  ifreqIoctl(libc, fd, request, ifreq, what, name);
}

function bringUp(libc: Libc, fd: number, name: string): void {
  const ifreq = makeIfreq(name);
  ifreqIoctl(libc, fd, SIOCGIFFLAGS, ifreq, 'SIOCGIFFLAGS', name);
  ifreq.setInt16(IFREQ_UNION, ifreq.getInt16(IFREQ_UNION, true) | IFF_UP, true);
  ifreqIoctl(libc, fd, SIOCSIFFLAGS, ifreq, 'SIOCSIFFLAGS', name);
}

function ifreqIoctl(libc: Libc, fd: number, request: number, ifreq: DataView<ArrayBuffer>, what: string, name: string): void {
  if (libc.ioctl(fd, request, libc.addressOf(ifreq.buffer)) < 0) throw tunError(libc.errno(), what, name);
}

function makeIfreq(name: string): DataView<ArrayBuffer> {
  const ifreq = new DataView(new ArrayBuffer(IFREQ_SIZE));
  for (let i = 0; i < name.length; i++) ifreq.setUint8(i, name.charCodeAt(i));
  return ifreq;
}

function ifreqName(ifreq: DataView<ArrayBuffer>): string {
  let name = '';
  for (let i = 0; i < NAME_MAX && ifreq.getUint8(i) !== 0; i++) name += String.fromCharCode(ifreq.getUint8(i));
  return name;
}

/** The Error for a user: Node's fields, and the remedy in its message. */
function tunError(errno: number, syscall: string, name: string): Error {
  const error = errnoException(errno, syscall, name);
  error.message += `: ${remedy(errno, name)}`;
  return error;
}

function remedy(errno: number, name: string): string {
  switch (errno) {
    case EPERM:
    case EACCES:
      return `run as root, or let root make it for you first: ip tuntap add dev ${name} mode tap user "$USER"`;
    case EBUSY:
      return 'another process has this interface; end it, or take another name';
    case ENOENT:
    case ENXIO:
    case ENODEV:
      return 'no /dev/net/tun here: load the module (modprobe tun), or give the container the device (--device /dev/net/tun)';
    case EINVAL:
      return `the name is taken by an interface of another kind (ip -d link show ${name}), or is none`;
    default:
      return `the kernel refused (ip -d link show ${name} says what is there)`;
  }
}
