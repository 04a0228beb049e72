// Packets made by hand for the tests of the printers, and what a printer says of one.
import { PLAIN, type PrintOptions } from './dissect.ts';
import { createPrinter, printPacket } from './line.ts';

const IP = 0x0800;

/** Octets from pieces: numbers are octets, text is hex. */
export function octets(...pieces: readonly (string | readonly number[] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => (typeof piece === 'string' ? fromHex(piece) : [...piece])));
}

function fromHex(text: string): number[] {
  return (text.replace(/\s/g, '').match(/../g) ?? []).map((pair) => parseInt(pair, 16));
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

const u16 = (value: number): number[] => [value >> 8, value & 0xff];

/** An Ethernet frame from 02:00:00:00:00:01 to 02:00:00:00:00:02. */
export function frame(type: number, payload: Uint8Array): Uint8Array {
  return octets('020000000002 020000000001', u16(type), payload);
}

export interface Ip4 {
  readonly tos?: number;
  readonly fragment?: number;
  readonly ttl?: number;
  /** What the length field says, if not the truth. */
  readonly total?: number;
  readonly options?: string;
}

/** An IPv4 packet from 1.2.3.4 to 5.6.7.8, in a frame. */
export function ip4Frame(protocol: number, payload: Uint8Array, { tos = 0, fragment = 0, ttl = 64, total, options = '' }: Ip4 = {}): Uint8Array {
  const extra = octets(options);
  const length = 20 + extra.length;
  return frame(IP, octets([0x40 + length / 4, tos], u16(total ?? length + payload.length), '0001', u16(fragment), [ttl, protocol], '0000 01020304 05060708', extra, payload));
}

export function udpFrame(from: number, to: number, payload: Uint8Array): Uint8Array {
  return ip4Frame(17, octets(u16(from), u16(to), u16(8 + payload.length), '0000', payload));
}

export interface Tcp {
  readonly seq?: number;
  readonly ack?: number;
  readonly options?: string;
  readonly payload?: string;
  readonly from?: number;
  readonly to?: number;
}

/** A segment from port 1000 to 2000, with a window of 100. */
export function tcpFrame(flags: number, { seq = 5, ack = 6, options = '', payload = '', from = 1000, to = 2000 }: Tcp = {}): Uint8Array {
  const extra = octets(options);
  const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];
  return ip4Frame(6, octets(u16(from), u16(to), u32(seq), u32(ack), [(20 + extra.length) << 2, flags], '0064 0000 0000', extra, ascii(payload)));
}

/** The lines of packets of one capture, without times. */
export function linesOf(packets: readonly Uint8Array[], options: Partial<PrintOptions> = {}, linkType = 1): string[] {
  const printer = createPrinter({ ...PLAIN, ...options }, 1);
  return packets.map((data) => printPacket(printer, { linkType, time: 0n, caplen: data.length, wirelen: data.length, data, offset: 0 }));
}

/** The line of one packet. */
export function lineOf(packet: Uint8Array, options: Partial<PrintOptions> = {}, linkType = 1): string {
  return linesOf([packet], options, linkType)[0] ?? '';
}
