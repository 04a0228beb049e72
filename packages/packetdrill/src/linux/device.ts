/*
 * The wire: a TUN device that takes whole TSO packets, into which a script's packets are written; and a packet socket that sees
 * what the kernel sends, with the kernel's own time of sending.
 * Read first: Documentation/networking/tuntap.rst of Linux; packet(7).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { tcpHeaders } from '../wire.ts';
import type { Sent } from '../target.ts';
import { invoke, Memory, must, type Libc } from './libc.ts';

const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const IFF_TUN = 1;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUN_F_CSUM = 1;
const TUN_F_TSO4 = 2;
const TUN_F_TSO_ECN = 8;
const VNET_HDR = 10;
const VIRTIO_NET_HDR_GSO_TCPV4 = 1;

const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const ETH_P_ALL = 3;
const ETH_P_IP = 0x0800;
const PACKET_OUTGOING = 4;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_ATTACH_FILTER = 26;
const SO_TIMESTAMPNS = 35;
const MSG_DONTWAIT = 0x40;
const MSGHDR = 56;
const PACKET_MAX = 1 << 17;

export const DEVICE = 'tun0';

/** The device, and what was seen on it. */
export class Wire {
  readonly tun: number;
  readonly tap: number;
  /** Packets that the kernel has sent; their times are still µs of the real-time clock. */
  readonly sent: Sent[];
  readonly packet: Memory;
  readonly control: Memory;
  readonly address: Memory;
  readonly iov: Memory;
  readonly msg: Memory;
  readonly out: Memory;

  constructor(libc: Libc, tun: number, tap: number) {
    this.tun = tun;
    this.tap = tap;
    this.sent = [];
    this.packet = new Memory(libc, PACKET_MAX);
    this.control = new Memory(libc, 256);
    this.address = new Memory(libc, 32);
    this.iov = new Memory(libc, 16);
    this.msg = new Memory(libc, MSGHDR);
    this.out = new Memory(libc, PACKET_MAX);
  }
}

function openTun(libc: Libc): number {
  const tun = must(libc, 'open', '/dev/net/tun', O_RDWR | O_NONBLOCK, 0);
  const ifreq = new Memory(libc, 40);
  ifreq.bytes.set(new TextEncoder().encode(DEVICE));
  ifreq.view.setUint16(16, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, true);
  must(libc, 'ioctl', tun, TUNSETIFF, ifreq.address);
  must(libc, 'ioctl', tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN);
  return tun;
}

/** A filter of classic BPF (Linux's filter.txt): outgoing packets alone. An incoming one would be cloned for the socket, and be queued otherwise than one without. */
const OUTGOING_ONLY: readonly (readonly [code: number, jt: number, jf: number, k: number])[] = [
  [0x28, 0, 0, 0xfffff004], [0x15, 0, 1, PACKET_OUTGOING], [0x06, 0, 0, 0xffffffff], [0x06, 0, 0, 0],
];

function filterOutgoing(libc: Libc, tap: number): void {
  const program = new Memory(libc, OUTGOING_ONLY.length * 8);
  OUTGOING_ONLY.forEach(([code, jt, jf, k], i) => {
    program.view.setUint16(i * 8, code, true);
    program.view.setUint8(i * 8 + 2, jt);
    program.view.setUint8(i * 8 + 3, jf);
    program.view.setUint32(i * 8 + 4, k, true);
  });
  const value = new Memory(libc, 16);
  value.view.setUint16(0, OUTGOING_ONLY.length, true);
  value.view.setBigUint64(8, BigInt(program.address), true);
  must(libc, 'setsockopt', tap, SOL_SOCKET, SO_ATTACH_FILTER, value.address, 16);
}

function openTap(libc: Libc): number {
  const tap = must(libc, 'socket', AF_PACKET, SOCK_DGRAM, ((ETH_P_ALL & 255) << 8) | (ETH_P_ALL >> 8));
  filterOutgoing(libc, tap);
  const value = new Memory(libc, 4);
  value.view.setInt32(0, 1, true);
  must(libc, 'setsockopt', tap, SOL_SOCKET, SO_TIMESTAMPNS, value.address, 4);
  value.view.setInt32(0, 1 << 26, true);
  invoke(libc, 'setsockopt', tap, SOL_SOCKET, SO_RCVBUFFORCE, value.address, 4);
  return tap;
}

/** Makes the device in this process's network namespace, addressed and up. */
export function openWire(libc: Libc, localIp: string, prefixLength: number, mtu: number): Wire {
  const ipv6 = '/proc/sys/net/ipv6/conf/default/disable_ipv6';
  if (existsSync(ipv6)) writeFileSync(ipv6, '1');
  const tun = openTun(libc);
  const tap = openTap(libc);
  const batch = [
    'link set lo up', `link set ${DEVICE} mtu ${mtu} up`, `addr add ${localIp}/${prefixLength} dev ${DEVICE}`, `route add default dev ${DEVICE}`,
  ].join('\n');
  execFileSync('ip', ['-batch', '-'], { input: `${batch}\n`, stdio: ['pipe', 'ignore', 'pipe'] });
  return new Wire(libc, tun, tap);
}

/** µs of the real-time clock at which the message was sent: its SCM_TIMESTAMPNS. */
function stampOf(wire: Wire): number {
  const { view } = wire.control;
  return Number(view.getBigInt64(16, true)) * 1e6 + Number(view.getBigInt64(24, true)) / 1000;
}

/** Takes everything that the kernel has sent by now. */
export function drainWire(libc: Libc, wire: Wire): void {
  while (invoke(libc, 'read', wire.tun, wire.packet.address, PACKET_MAX) > 0);
  const { msg, iov, address, control, packet } = wire;
  for (;;) {
    iov.view.setBigUint64(0, BigInt(packet.address), true);
    iov.view.setBigUint64(8, BigInt(PACKET_MAX), true);
    msg.view.setBigUint64(0, BigInt(address.address), true);
    msg.view.setUint32(8, 32, true);
    msg.view.setBigUint64(16, BigInt(iov.address), true);
    msg.view.setBigUint64(24, 1n, true);
    msg.view.setBigUint64(32, BigInt(control.address), true);
    msg.view.setBigUint64(40, 256n, true);
    const length = invoke(libc, 'recvmsg', wire.tap, msg.address, MSG_DONTWAIT);
    if (length < 0) return;
    // struct sockaddr_ll: the protocol at 2, the packet's type at 10.
    if (address.view.getUint8(10) !== PACKET_OUTGOING || address.view.getUint16(2) !== ETH_P_IP) continue;
    wire.sent.push({ time: stampOf(wire), bytes: packet.bytes.slice(0, length) });
  }
}

/** Hands the kernel a packet; one with more text than `mss`, if that is not 0, as several segments in one. */
export function injectPacket(libc: Libc, wire: Wire, bytes: Uint8Array, mss: number): void {
  wire.out.bytes.fill(0, 0, VNET_HDR);
  const headers = tcpHeaders(bytes);
  if (mss > 0 && headers > 0 && bytes.length - headers > mss) {
    // struct virtio_net_hdr; it does not say where the headers end, so that the head holds what it can.
    wire.out.view.setUint8(1, VIRTIO_NET_HDR_GSO_TCPV4);
    wire.out.view.setUint16(4, mss, true);
  }
  wire.out.bytes.set(bytes, VNET_HDR);
  must(libc, 'write', wire.tun, wire.out.address, VNET_HDR + bytes.length);
}

/** The device goes with its descriptor. */
export function closeWire(libc: Libc, wire: Wire): void {
  invoke(libc, 'close', wire.tap);
  invoke(libc, 'close', wire.tun);
}
