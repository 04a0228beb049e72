/*
 * Packets as octets: a script's packet made into IPv4, and what the host sends read back.
 */
import { FLAG_LETTERS } from './parse-packet.ts';
import type { TcpOption, TcpSpec } from './script.ts';
import { decodeOptions, encodeOptions, formatOptions } from './tcp-options.ts';

const IP_HDR = 20;
const TCP_HDR = 20;
const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;

/** The two ends of a connection, as the script's side sees them. */
export interface Ends {
  readonly localIp: number;
  readonly localPort: number;
  readonly remoteIp: number;
  readonly remotePort: number;
}

/** A segment as it stands on the wire. */
export interface Segment {
  readonly tos: number;
  readonly saddr: number;
  readonly daddr: number;
  readonly sport: number;
  readonly dport: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly win: number;
  readonly urg: number;
  readonly options: readonly TcpOption[];
  readonly length: number;
  /** Whether each octet of the payload is 0. */
  readonly zeros: boolean;
}

function sum16(view: DataView, from: number, to: number, start: number): number {
  let sum = start;
  for (let at = from; at + 1 < to; at += 2) sum += view.getUint16(at);
  if (((to - from) & 1) !== 0) sum += view.getUint8(to - 1) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

function ipHeader(view: DataView, protocol: number, tos: number, from: number, to: number, id: number): void {
  const length = view.byteLength;
  view.setUint8(0, 0x45);
  view.setUint8(1, tos);
  view.setUint16(2, length);
  view.setUint16(4, id);
  view.setUint8(8, 255);
  view.setUint8(9, protocol);
  view.setInt32(12, from);
  view.setInt32(16, to);
  view.setUint16(10, ~sum16(view, 0, IP_HDR, 0) & 0xffff);
}

function pseudo(view: DataView, protocol: number): number {
  return sum16(view, 12, IP_HDR, protocol + view.byteLength - IP_HDR);
}

const TOS: Readonly<Record<TcpSpec['ecn'], number>> = { any: 0, noecn: 0, ect1: 1, ect0: 2, ce: 3 };

/** Sequence and acknowledgment numbers, window and options as the wire has them. */
export interface WireNumbers {
  readonly seq: number;
  readonly ack: number;
  readonly options: readonly TcpOption[];
}

/** The segment of `spec` from the remote end to the host; its payload is zeros. */
export function tcpPacket(ends: Ends, spec: TcpSpec, live: WireNumbers): Uint8Array {
  const options = encodeOptions(live.options);
  const at = IP_HDR;
  const bytes = new Uint8Array(IP_HDR + TCP_HDR + options.length + spec.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(at, ends.remotePort);
  view.setUint16(at + 2, ends.localPort);
  view.setUint32(at + 4, live.seq >>> 0);
  view.setUint32(at + 8, live.ack >>> 0);
  // The AccECN bit lies below the four of the header's length (RFC 7560).
  view.setUint8(at + 12, (((TCP_HDR + options.length) >> 2) << 4) | ((spec.flags >> 8) & 1));
  view.setUint8(at + 13, spec.flags & 0xff);
  view.setUint16(at + 14, spec.win ?? 0);
  view.setUint16(at + 18, spec.urg ?? 0);
  bytes.set(options, at + TCP_HDR);
  ipHeader(view, IPPROTO_TCP, TOS[spec.ecn], ends.remoteIp, ends.localIp, 0);
  view.setUint16(at + 16, ~sum16(view, at, bytes.length, pseudo(view, IPPROTO_TCP)) & 0xffff);
  return bytes;
}

/** A datagram of zeros. */
export function udpPacket(ends: Ends, length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(IP_HDR + 8 + length));
  view.setUint16(IP_HDR, ends.remotePort);
  view.setUint16(IP_HDR + 2, ends.localPort);
  view.setUint16(IP_HDR + 4, 8 + length);
  ipHeader(view, IPPROTO_UDP, 0, ends.remoteIp, ends.localIp, 0);
  view.setUint16(IP_HDR + 6, ~sum16(view, IP_HDR, view.byteLength, pseudo(view, IPPROTO_UDP)) & 0xffff);
  return new Uint8Array(view.buffer);
}

/** An ICMP error about the host's segment at `seq`, of which it quotes 8 octets. */
export function icmpPacket(ends: Ends, type: number, code: number, mtu: number, seq: number, length: number): Uint8Array {
  const quoted = new DataView(new ArrayBuffer(IP_HDR + TCP_HDR + length));
  quoted.setUint16(IP_HDR, ends.localPort);
  quoted.setUint16(IP_HDR + 2, ends.remotePort);
  quoted.setUint32(IP_HDR + 4, seq >>> 0);
  ipHeader(quoted, IPPROTO_TCP, 0, ends.localIp, ends.remoteIp, 0);
  const bytes = new Uint8Array(IP_HDR + 8 + IP_HDR + 8);
  const view = new DataView(bytes.buffer);
  view.setUint8(IP_HDR, type);
  view.setUint8(IP_HDR + 1, code);
  view.setUint16(IP_HDR + 6, mtu);
  bytes.set(new Uint8Array(quoted.buffer, 0, IP_HDR + 8), IP_HDR + 8);
  ipHeader(view, IPPROTO_ICMP, 0, ends.remoteIp, ends.localIp, 0);
  view.setUint16(IP_HDR + 2, ~sum16(view, IP_HDR, bytes.length, 0) & 0xffff);
  return bytes;
}

/** Reads a TCP segment; null if the packet is none. */
export function readSegment(bytes: Uint8Array): Segment | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < IP_HDR + TCP_HDR || view.getUint8(9) !== IPPROTO_TCP) return null;
  const at = (view.getUint8(0) & 15) * 4;
  const data = at + (view.getUint8(at + 12) >> 4) * 4;
  return {
    tos: view.getUint8(1), saddr: view.getInt32(12), daddr: view.getInt32(16), sport: view.getUint16(at), dport: view.getUint16(at + 2),
    seq: view.getUint32(at + 4), ack: view.getUint32(at + 8), flags: view.getUint16(at + 12) & 0x1ff, win: view.getUint16(at + 14),
    urg: view.getUint16(at + 18), options: decodeOptions(bytes.subarray(at + TCP_HDR, data)), length: bytes.length - data,
    zeros: bytes.subarray(data).every((octet) => octet === 0),
  };
}

function flagLetters(flags: number): string {
  const letters = [...FLAG_LETTERS].filter((_letter, bit) => (flags & (1 << bit)) !== 0).join('');
  return letters === '' ? '-' : letters;
}

/** A packet as a script writes it. */
export function formatSegment(segment: {
  readonly flags: number; readonly seq: number; readonly length: number; readonly ack: number | null; readonly win: number | null;
  readonly urg?: number | null; readonly options: readonly TcpOption[] | null; readonly ecn?: string;
}): string {
  const { flags, seq, length, ack, win, urg, options, ecn = 'any' } = segment;
  const parts = [flagLetters(flags), `${seq}:${(seq + length) >>> 0}(${length})`];
  if (ecn !== 'any' && ecn !== 'noecn') parts.unshift(`[${ecn}]`);
  if (ack !== null) parts.push(`ack ${ack}`);
  if (win !== null) parts.push(`win ${win}`);
  if (urg !== undefined && urg !== null && urg !== 0) parts.push(`urg ${urg}`);
  if (options === null) parts.push('<...>');
  else if (options.length > 0) parts.push(`<${formatOptions(options)}>`);
  return parts.join(' ');
}
