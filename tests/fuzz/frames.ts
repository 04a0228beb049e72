// Frames as octets: what the fuzzer and the tests of bad input build, take apart and put right again. Independent of the stack
// on purpose: a fault there must not hide behind the same fault here.

export const OUR_MAC = [2, 0, 0, 0, 0, 2];
export const PEER_MAC = [2, 0, 0, 0, 0, 1];
/** The host under test, and the peer that sends to it. */
export const OUR_IP = 0x0a000002;
export const PEER_IP = 0x0a000001;

export const ETH = 14;
export const TCP = 6;
export const UDP = 17;
export const ICMP = 1;
export const IGMP = 2;

const viewOf = (octets: Uint8Array): DataView => new DataView(octets.buffer, octets.byteOffset, octets.byteLength);

/** The Internet checksum of `octets` from `from` to `to`, on top of `sum`. */
export function checksum(octets: Uint8Array, from: number, to: number, sum = 0): number {
  let total = sum;
  for (let i = from; i < to; i += 2) total += (octets[i]! << 8) | (i + 1 < to ? octets[i + 1]! : 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

/** An Ethernet frame from the peer to us. */
export function ethernet(type: number, payload: Uint8Array, to: readonly number[] = OUR_MAC): Uint8Array {
  const frame = new Uint8Array(ETH + payload.length);
  frame.set(to);
  frame.set(PEER_MAC, 6);
  frame[12] = type >> 8;
  frame[13] = type;
  frame.set(payload, ETH);
  return frame;
}

export interface IpFields {
  readonly protocol: number;
  readonly source?: number;
  readonly destination?: number;
  readonly id?: number;
  /** Flags and offset, as the header has them. */
  readonly fragment?: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly options?: Uint8Array;
}

/** An IPv4 packet with a right header. */
export function ipv4(fields: IpFields, payload: Uint8Array): Uint8Array {
  const { protocol, source = PEER_IP, destination = OUR_IP, id = 1, fragment = 0, ttl = 64, tos = 0, options = new Uint8Array(0) } = fields;
  const hlen = 20 + ((options.length + 3) & ~3);
  const packet = new Uint8Array(hlen + payload.length);
  const view = viewOf(packet);
  packet[0] = 0x40 | (hlen >> 2);
  packet[1] = tos;
  view.setUint16(2, packet.length);
  view.setUint16(4, id);
  view.setUint16(6, fragment);
  packet[8] = ttl;
  packet[9] = protocol;
  view.setUint32(12, source);
  view.setUint32(16, destination);
  packet.set(options, 20);
  packet.set(payload, hlen);
  view.setUint16(10, checksum(packet, 0, hlen));
  return packet;
}

export interface TcpFields {
  readonly sport: number;
  readonly dport: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window?: number;
  readonly urgent?: number;
  readonly options?: Uint8Array;
}

/** A TCP segment; its checksum is put in by fixChecksums(). */
export function tcp(fields: TcpFields, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const { sport, dport, seq, ack, flags, window = 65535, urgent = 0, options = new Uint8Array(0) } = fields;
  const hlen = 20 + ((options.length + 3) & ~3);
  const segment = new Uint8Array(hlen + payload.length);
  const view = viewOf(segment);
  view.setUint16(0, sport);
  view.setUint16(2, dport);
  view.setInt32(4, seq | 0);
  view.setInt32(8, ack | 0);
  segment[12] = (hlen >> 2) << 4;
  segment[13] = flags;
  view.setUint16(14, window);
  view.setUint16(18, urgent);
  segment.set(options, 20);
  segment.set(payload, hlen);
  return segment;
}

/** A UDP datagram without checksum. */
export function udp(sport: number, dport: number, payload: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(8 + payload.length);
  const view = viewOf(datagram);
  view.setUint16(0, sport);
  view.setUint16(2, dport);
  view.setUint16(4, datagram.length);
  datagram.set(payload, 8);
  return datagram;
}

/** An ICMP or IGMP message with its checksum. */
export function message(type: number, code: number, rest: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const octets = new Uint8Array(8 + payload.length);
  octets[0] = type;
  octets[1] = code;
  viewOf(octets).setInt32(4, rest | 0);
  octets.set(payload, 8);
  viewOf(octets).setUint16(2, checksum(octets, 0, octets.length));
  return octets;
}

/** An ARP packet of IPv4 over Ethernet from the peer. */
export function arp(operation: number, target = OUR_IP, sender = PEER_IP): Uint8Array {
  const packet = new Uint8Array(28);
  const view = viewOf(packet);
  view.setUint16(0, 1);
  view.setUint16(2, 0x0800);
  packet[4] = 6;
  packet[5] = 4;
  view.setUint16(6, operation);
  packet.set(PEER_MAC, 8);
  view.setUint32(14, sender);
  packet.set(operation === 2 ? OUR_MAC : [0, 0, 0, 0, 0, 0], 18);
  view.setUint32(24, target);
  return packet;
}

/** The whole way down: an Ethernet frame with an IPv4 packet, all checksums right. */
export function frameOf(fields: IpFields, payload: Uint8Array): Uint8Array {
  const frame = ethernet(0x0800, ipv4(fields, payload));
  fixChecksums(frame);
  return frame;
}

/** Makes the checksums of an Ethernet frame with IPv4 right in place, as far as its lengths make sense. */
export function fixChecksums(frame: Uint8Array): void {
  if (frame.length < ETH + 20 || frame[12] !== 8 || frame[13] !== 0) return;
  const ip = frame.subarray(ETH);
  const view = viewOf(ip);
  const hlen = (ip[0]! & 15) << 2;
  if (hlen < 20 || hlen > ip.length) return;
  view.setUint16(10, 0);
  view.setUint16(10, checksum(ip, 0, hlen));
  const end = Math.min(view.getUint16(2), ip.length);
  if (end <= hlen || (view.getUint16(6) & 0x3fff) !== 0) return;
  fixTransport(ip, view, hlen, end);
}

function fixTransport(ip: Uint8Array, view: DataView, hlen: number, end: number): void {
  const protocol = ip[9]!;
  const at = protocol === TCP ? 16 : protocol === UDP ? 6 : protocol === ICMP || protocol === IGMP ? 2 : -1;
  if (at < 0 || hlen + at + 2 > end) return;
  view.setUint16(hlen + at, 0);
  let sum = 0;
  if (protocol === TCP || protocol === UDP) {
    for (let i = 12; i < 20; i += 2) sum += view.getUint16(i);
    sum += protocol + (end - hlen);
  }
  view.setUint16(hlen + at, checksum(ip, hlen, end, sum) || 0xffff);
}
