/*
 * Packets as octets: a script's packet made into IPv4, and what the host sends read back.
 */
import { FLAG_LETTERS, ICMP_CODES, ICMP_TYPES } from './parse-packet.ts';
import type { IcmpSpec, IpSpec, PacketSpec, TcpOption, TcpSpec, UdpSpec } from './script.ts';
import { decodeOptions, encodeOptions, formatOptions } from './tcp-options.ts';

const IP_HDR = 20;
const TCP_HDR = 20;
const UDP_HDR = 8;
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

/** What the IPv4 header of a packet of the host's says. */
export interface IpHeader {
  readonly tos: number;
  readonly ttl: number;
  readonly saddr: number;
  readonly daddr: number;
}

/** A segment as it stands on the wire. */
export interface Segment extends IpHeader {
  readonly kind: 'tcp';
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

export interface Datagram extends IpHeader {
  readonly kind: 'udp';
  readonly sport: number;
  readonly dport: number;
  readonly length: number;
  readonly zeros: boolean;
}

/** An ICMP message; ports, sequence number and length (of the payload) are those of the packet that it quotes. */
export interface IcmpMessage extends IpHeader {
  readonly kind: 'icmp';
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
  readonly quoted: { readonly protocol: number; readonly sport: number; readonly dport: number; readonly seq: number; readonly length: number } | null;
}

export type Packet = Segment | Datagram | IcmpMessage;

function sum16(view: DataView, from: number, to: number, start: number): number {
  let sum = start;
  for (let at = from; at + 1 < to; at += 2) sum += view.getUint16(at);
  if (((to - from) & 1) !== 0) sum += view.getUint8(to - 1) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** The ECN codepoint's bits of the TOS octet. */
export const ECN_BITS: Readonly<Record<TcpSpec['ecn'], number>> = { any: 0, noecn: 0, ect1: 1, ect0: 2, ce: 3 };

/** A script's packets have TOS 0 and TTL 255 if it does not say. */
function ipHeader(view: DataView, protocol: number, from: number, to: number, ip: IpSpec | null): void {
  view.setUint8(0, 0x45);
  view.setUint8(1, ip === null ? 0 : (ip.tos ?? 0) | ECN_BITS[ip.ecn]);
  view.setUint16(2, view.byteLength);
  view.setUint8(8, ip?.ttl ?? 255);
  view.setUint8(9, protocol);
  view.setInt32(12, from);
  view.setInt32(16, to);
  view.setUint16(10, ~sum16(view, 0, IP_HDR, 0) & 0xffff);
}

function pseudo(view: DataView, protocol: number): number {
  return sum16(view, 12, IP_HDR, protocol + view.byteLength - IP_HDR);
}

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
  ipHeader(view, IPPROTO_TCP, ends.remoteIp, ends.localIp, spec);
  view.setUint16(at + 16, ~sum16(view, at, bytes.length, pseudo(view, IPPROTO_TCP)) & 0xffff);
  return bytes;
}

/** A datagram of zeros. */
export function udpPacket(ends: Ends, spec: UdpSpec): Uint8Array {
  const view = new DataView(new ArrayBuffer(IP_HDR + UDP_HDR + spec.length));
  view.setUint16(IP_HDR, ends.remotePort);
  view.setUint16(IP_HDR + 2, ends.localPort);
  view.setUint16(IP_HDR + 4, UDP_HDR + spec.length);
  ipHeader(view, IPPROTO_UDP, ends.remoteIp, ends.localIp, spec);
  view.setUint16(IP_HDR + 6, ~sum16(view, IP_HDR, view.byteLength, pseudo(view, IPPROTO_UDP)) & 0xffff);
  return new Uint8Array(view.buffer);
}

/** An ICMP error about a packet of the host's with so much payload, of which it quotes 8 octets: a segment at `seq`, a datagram if that is null. */
export function icmpPacket(ends: Ends, spec: IcmpSpec, seq: number | null, length: number): Uint8Array {
  const quoted = new DataView(new ArrayBuffer(IP_HDR + (seq === null ? UDP_HDR : TCP_HDR) + length));
  quoted.setUint16(IP_HDR, ends.localPort);
  quoted.setUint16(IP_HDR + 2, ends.remotePort);
  if (seq === null) quoted.setUint16(IP_HDR + 4, UDP_HDR + length);
  else quoted.setUint32(IP_HDR + 4, seq >>> 0);
  ipHeader(quoted, seq === null ? IPPROTO_UDP : IPPROTO_TCP, ends.localIp, ends.remoteIp, null);
  const bytes = new Uint8Array(IP_HDR + 8 + IP_HDR + 8);
  const view = new DataView(bytes.buffer);
  view.setUint8(IP_HDR, spec.type);
  view.setUint8(IP_HDR + 1, spec.code);
  view.setUint16(IP_HDR + 6, spec.mtu);
  bytes.set(new Uint8Array(quoted.buffer, 0, IP_HDR + 8), IP_HDR + 8);
  ipHeader(view, IPPROTO_ICMP, ends.remoteIp, ends.localIp, spec);
  view.setUint16(IP_HDR + 2, ~sum16(view, IP_HDR, bytes.length, 0) & 0xffff);
  return bytes;
}

const zeros = (bytes: Uint8Array): boolean => bytes.every((octet) => octet === 0);

function readIp(view: DataView): IpHeader {
  return { tos: view.getUint8(1), ttl: view.getUint8(8), saddr: view.getInt32(12), daddr: view.getInt32(16) };
}

function readSegment(bytes: Uint8Array, view: DataView, at: number): Segment {
  const data = at + (view.getUint8(at + 12) >> 4) * 4;
  return {
    kind: 'tcp', ...readIp(view), sport: view.getUint16(at), dport: view.getUint16(at + 2),
    seq: view.getUint32(at + 4), ack: view.getUint32(at + 8), flags: view.getUint16(at + 12) & 0x1ff, win: view.getUint16(at + 14),
    urg: view.getUint16(at + 18), options: decodeOptions(bytes.subarray(at + TCP_HDR, data)), length: bytes.length - data, zeros: zeros(bytes.subarray(data)),
  };
}

function readQuoted(view: DataView, at: number): IcmpMessage['quoted'] {
  if (at + IP_HDR + 8 > view.byteLength) return null;
  const to = at + (view.getUint8(at) & 15) * 4;
  const protocol = view.getUint8(at + 9);
  const header = protocol === IPPROTO_UDP ? UDP_HDR : to + TCP_HDR <= view.byteLength ? (view.getUint8(to + 12) >> 4) * 4 : TCP_HDR;
  return { protocol, sport: view.getUint16(to), dport: view.getUint16(to + 2), seq: view.getUint32(to + 4), length: view.getUint16(at + 2) - (to - at) - header };
}

/** Octets of the headers of a TCP segment; 0 if the packet is none. */
export function tcpHeaders(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < IP_HDR + TCP_HDR || view.getUint8(9) !== IPPROTO_TCP) return 0;
  const at = (view.getUint8(0) & 15) * 4;
  return at + (view.getUint8(at + 12) >> 4) * 4;
}

/** Reads a packet of the host's; null if it is of a protocol that scripts do not speak of. */
export function readPacket(bytes: Uint8Array): Packet | null {
  if (bytes.length < IP_HDR) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = (view.getUint8(0) & 15) * 4;
  const protocol = view.getUint8(9);
  if (protocol === IPPROTO_TCP && bytes.length >= at + TCP_HDR) return readSegment(bytes, view, at);
  if (bytes.length < at + 8) return null;
  if (protocol === IPPROTO_UDP) {
    const data = bytes.subarray(at + UDP_HDR);
    return { kind: 'udp', ...readIp(view), sport: view.getUint16(at), dport: view.getUint16(at + 2), length: data.length, zeros: zeros(data) };
  }
  if (protocol !== IPPROTO_ICMP) return null;
  return { kind: 'icmp', ...readIp(view), type: view.getUint8(at), code: view.getUint8(at + 1), mtu: view.getUint16(at + 6), quoted: readQuoted(view, at + 8) };
}

function flagLetters(flags: number): string {
  const letters = [...FLAG_LETTERS].filter((_letter, bit) => (flags & (1 << bit)) !== 0).join('');
  return letters === '' ? '-' : letters;
}

/** What a script says of the IPv4 header, as it says it. */
function formatIp({ ecn, tos, ttl }: IpSpec): string {
  const parts = [ecn === 'any' || ecn === 'noecn' ? [] : [ecn], tos === null ? [] : [`tos 0x${tos.toString(16)}`], ttl === null ? [] : [`ttl ${ttl}`]].flat();
  return parts.length === 0 ? '' : `[${parts.join(', ')}] `;
}

function formatTcp({ ports, flags, seq, length, ack, anyAck, win, urg, options }: TcpSpec): string {
  const parts = [flagLetters(flags), `${seq}:${(seq + length) >>> 0}(${length})`];
  if (ports !== null) parts.unshift(`${ports.source} > ${ports.destination}`);
  if (ack !== null || anyAck) parts.push(`ack ${ack ?? '*'}`);
  if (win !== null) parts.push(`win ${win}`);
  if (urg !== null && urg !== 0) parts.push(`urg ${urg}`);
  if (options === null) parts.push('<...>');
  else if (options.length > 0) parts.push(`<${formatOptions(options)}>`);
  return parts.join(' ');
}

const nameOf = (names: ReadonlyMap<string, number> | undefined, value: number): string | undefined => [...names ?? []].find(([, one]) => one === value)?.[0];

function formatIcmp({ type, code, mtu, quoted }: IcmpSpec): string {
  const name = nameOf(ICMP_TYPES, type);
  const parts = ['icmp', name ?? `type ${type}`, nameOf(ICMP_CODES[name ?? ''], code) ?? (code === 0 ? '' : String(code))].filter((part) => part !== '');
  if (mtu !== 0) parts.push(`mtu ${mtu}`);
  if (quoted !== null) parts.push(quoted.seq === null ? `[udp (${quoted.length})]` : `[${quoted.seq}:${(quoted.seq + quoted.length) >>> 0}(${quoted.length})]`);
  return parts.join(' ');
}

/** A packet as a script writes it. */
export function formatPacket(spec: PacketSpec): string {
  if (spec.kind === 'tcp') return formatIp(spec) + formatTcp(spec);
  if (spec.kind === 'icmp') return formatIp(spec) + formatIcmp(spec);
  return `${formatIp(spec)}udp ${spec.ports === null ? '' : `${spec.ports.source} > ${spec.ports.destination} `}(${spec.length})`;
}
