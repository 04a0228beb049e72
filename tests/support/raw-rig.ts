// Two whole hosts on one simulated Ethernet, with raw, ping and packet sockets: what their tests begin with.
import { createWorld, idle, type World } from '@stack/kernel';
import { assertNothingOpen, createHost, plainOn, virtioOn, type Host } from '@stack/host';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { devGetByName, type NetDevice } from '@stack/netdev';
import { createSwitch, type Switch } from '@stack/nic-virtio-sim';
import { Iovec, MSG_DONTWAIT, MsgHdr, PF_INET, PF_PACKET, sysRecvmsg, sysSocket, type Cmsg, type SockAddr } from '@stack/socket';
import { csumFold, csumPartial } from '@stack/skbuff';

export const A = '10.0.0.1';
export const B = '10.0.0.2';

export interface RawRig {
  readonly world: World;
  readonly lan: Switch;
  readonly a: Host;
  readonly b: Host;
}

/** Hosts `a` (10.0.0.1/24) and `b` (10.0.0.2/24), everybody allowed to ping; plain ones have cards that offload nothing. */
export function rawRig(plain = false): RawRig {
  const world = createWorld({ seed: 1, debug: true });
  const lan = createSwitch(world);
  const sysctl = { 'net.ipv4.ping_group_range': [0, 0] };
  const host = (name: string, address: string): Host => (
    createHost({ world, name, sysctl, nics: [{ device: plain ? plainOn(lan) : virtioOn(lan), address: `${address}/24` }] })
  );
  return { world, lan, a: host('a', A), b: host('b', B) };
}

/** Takes the hosts down, and throws if they leave anything open. */
export async function endRig({ world, a, b }: RawRig): Promise<void> {
  await idle(world);
  await a.close();
  await b.close();
  assertNothingOpen(world);
}

export const addr = (text: string, port = 0): SockAddrIn => new SockAddrIn(inAton(text), port);
export const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

export function eth0(host: Host): NetDevice {
  const dev = devGetByName(host.net, 'eth0');
  if (dev === null) throw new Error(`${host.name} has no eth0`);
  return dev;
}

function open(host: Host, family: number, type: number, protocol: number): number {
  const fd = sysSocket(host.task, family, type, protocol);
  if (fd < 0) throw new Error(`socket: ${fd}`);
  return fd;
}

export const inetSocket = (host: Host, type: number, protocol: number): number => open(host, PF_INET, type, protocol);
export const packetSocket = (host: Host, type: number, protocol: number): number => open(host, PF_PACKET, type, protocol);

/** What recvmsg gave: octets or -errno, the sender, the control messages, the flags. */
export interface Got {
  readonly n: number;
  readonly data: Uint8Array;
  readonly control: readonly Cmsg[];
  readonly flags: number;
}

/** recvmsg of what is there now, with room for `room` octets and eight control messages; `from` is filled in. */
export function take(host: Host, fd: number, from: SockAddr, flags = 0, room = 65536): Got {
  const buffer = new Uint8Array(room);
  const msg = new MsgHdr();
  msg.msgIov = [new Iovec(buffer)];
  msg.msgIovlen = 1;
  msg.msgName = from;
  msg.msgControl = [];
  msg.msgControllen = 8;
  const n = sysRecvmsg(host.task, fd, msg, flags | MSG_DONTWAIT) as number;
  return { n, data: buffer.slice(0, Math.max(0, Math.min(n, room))), control: msg.msgControl, flags: msg.msgFlags };
}

/** The Internet checksum of octets. */
export function checksum(data: Uint8Array): number {
  return csumFold(csumPartial(data, new DataView(data.buffer, data.byteOffset, data.byteLength), 0, data.length, 0));
}

/** An ICMP message, its checksum right. */
export function icmp(type: number, code: number, id: number, sequence: number, data: Uint8Array): Uint8Array {
  const message = new Uint8Array(8 + data.length);
  const view = new DataView(message.buffer);
  view.setUint8(0, type);
  view.setUint8(1, code);
  view.setUint16(4, id);
  view.setUint16(6, sequence);
  message.set(data, 8);
  view.setUint16(2, checksum(message));
  return message;
}

/** An IPv4 packet; checksum and total length right unless they are given, no fragment. */
export function ipv4(protocol: number, from: string, to: string, payload: Uint8Array, id = 0x1234, ttl = 64): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, packet.length);
  view.setUint16(4, id);
  view.setUint8(8, ttl);
  view.setUint8(9, protocol);
  view.setInt32(12, inAton(from));
  view.setInt32(16, inAton(to));
  view.setUint16(10, checksum(packet.subarray(0, 20)));
  packet.set(payload, 20);
  return packet;
}

/** An Ethernet frame. */
export function ethernet(to: Uint8Array, from: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(14 + payload.length);
  frame.set(to);
  frame.set(from, 6);
  frame.set([type >> 8, type & 0xff], 12);
  frame.set(payload, 14);
  return frame;
}
