/*
 * TCP options between a script's words and the wire's octets (RFC 9293 §3.2, RFC 7323, RFC 2018, RFC 7413, RFC 2385).
 */
import type { TcpOption } from './script.ts';

export const TCPOPT_EOL = 0;
export const TCPOPT_NOP = 1;
export const TCPOPT_MSS = 2;
export const TCPOPT_WINDOW = 3;
export const TCPOPT_SACK_PERM = 4;
export const TCPOPT_SACK = 5;
export const TCPOPT_TIMESTAMP = 8;
export const TCPOPT_MD5SIG = 19;
export const TCPOPT_FASTOPEN = 34;
/** AccECN counters of 24 bits, ECT(0)'s first or ECT(1)'s (draft-ietf-tcpm-accurate-ecn §3.2.3). */
export const TCPOPT_ACCECN0 = 172;
export const TCPOPT_ACCECN1 = 174;
export const TCPOPT_EXP = 254;
/** The magic in front of a Fast Open cookie in the experimental option. */
const FASTOPEN_MAGIC = 0xf989;

const NONE = new Uint8Array(0);

/** An option with numbers. */
export function option(kind: number, ...values: number[]): TcpOption {
  return { kind, values, bytes: NONE };
}

/** An option with octets. */
export function bytesOption(kind: number, bytes: Uint8Array): TcpOption {
  return { kind, values: [], bytes };
}

function u32(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function u24(value: number): number[] {
  return [(value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

type Encoder = (o: TcpOption) => number[];
const value = (o: TcpOption, i: number): number => o.values[i] ?? 0;
const encoders: Readonly<Record<number, Encoder>> = {
  [TCPOPT_EOL]: () => [0],
  [TCPOPT_NOP]: () => [1],
  [TCPOPT_MSS]: (o) => [2, 4, (value(o, 0) >> 8) & 255, value(o, 0) & 255],
  [TCPOPT_WINDOW]: (o) => [3, 3, value(o, 0)],
  [TCPOPT_SACK_PERM]: () => [4, 2],
  [TCPOPT_SACK]: (o) => [5, 2 + o.values.length * 4, ...o.values.flatMap(u32)],
  [TCPOPT_TIMESTAMP]: (o) => [8, 10, ...u32(value(o, 0)), ...u32(value(o, 1))],
  [TCPOPT_MD5SIG]: (o) => [19, 2 + o.bytes.length, ...o.bytes],
  [TCPOPT_FASTOPEN]: (o) => [34, 2 + o.bytes.length, ...o.bytes],
  [TCPOPT_ACCECN0]: (o) => [TCPOPT_ACCECN0, 2 + o.values.length * 3, ...o.values.flatMap(u24)],
  [TCPOPT_ACCECN1]: (o) => [TCPOPT_ACCECN1, 2 + o.values.length * 3, ...o.values.flatMap(u24)],
  [TCPOPT_EXP]: (o) => [254, 4 + o.bytes.length, FASTOPEN_MAGIC >> 8, FASTOPEN_MAGIC & 255, ...o.bytes],
};

/** The options as they stand in a header, filled up with EOL to whole words. */
export function encodeOptions(options: readonly TcpOption[]): Uint8Array {
  const out = options.flatMap((o) => encoders[o.kind]?.(o) ?? []);
  while ((out.length & 3) !== 0) out.push(TCPOPT_EOL);
  return Uint8Array.from(out);
}

function decodeOne(kind: number, body: DataView): TcpOption {
  switch (kind) {
    case TCPOPT_MSS: return option(kind, body.getUint16(0));
    case TCPOPT_WINDOW: return option(kind, body.getUint8(0));
    case TCPOPT_TIMESTAMP: return option(kind, body.getUint32(0), body.getUint32(4));
    case TCPOPT_SACK: return option(kind, ...Array.from({ length: body.byteLength >> 2 }, (_, i) => body.getUint32(i * 4)));
    case TCPOPT_ACCECN0:
    case TCPOPT_ACCECN1:
      return option(kind, ...Array.from({ length: Math.floor(body.byteLength / 3) }, (_, i) => (body.getUint8(i * 3) << 16) | body.getUint16(i * 3 + 1)));
    default: {
      const skip = kind === TCPOPT_EXP ? 2 : 0;
      return bytesOption(kind, new Uint8Array(body.buffer, body.byteOffset + skip, body.byteLength - skip).slice());
    }
  }
}

/** The options of a header's octets; what follows an EOL is no option, and counts as EOL too. */
export function decodeOptions(bytes: Uint8Array): TcpOption[] {
  const out: TcpOption[] = [];
  for (let at = 0; at < bytes.length;) {
    const kind = bytes[at] ?? 0;
    if (kind === TCPOPT_EOL) {
      for (; at < bytes.length; at++) out.push(option(TCPOPT_EOL));
      break;
    }
    if (kind === TCPOPT_NOP) {
      out.push(option(kind));
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length) break;
    out.push(decodeOne(kind, new DataView(bytes.buffer, bytes.byteOffset + at + 2, length - 2)));
    at += length;
  }
  return out;
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

function edges(values: readonly number[]): string {
  const pairs: string[] = [];
  for (let i = 0; i + 1 < values.length; i += 2) pairs.push(`${values[i]}:${values[i + 1]}`);
  return pairs.join(' ');
}

function counters(o: TcpOption, names: readonly string[]): string {
  return ['ECN', ...o.values.map((count, i) => `${names[i]} ${count}`)].join(' ');
}

const formats: Readonly<Record<number, (o: TcpOption) => string>> = {
  [TCPOPT_EOL]: () => 'eol',
  [TCPOPT_NOP]: () => 'nop',
  [TCPOPT_MSS]: (o) => `mss ${o.values[0]}`,
  [TCPOPT_WINDOW]: (o) => `wscale ${o.values[0]}`,
  [TCPOPT_SACK_PERM]: () => 'sackOK',
  [TCPOPT_SACK]: (o) => `sack ${edges(o.values)}`,
  [TCPOPT_TIMESTAMP]: (o) => `TS val ${o.values[0]} ecr ${o.values[1]}`,
  [TCPOPT_ACCECN0]: (o) => counters(o, ['e0b', 'ceb', 'e1b']),
  [TCPOPT_ACCECN1]: (o) => counters(o, ['e1b', 'ceb', 'e0b']),
  [TCPOPT_MD5SIG]: (o) => `md5 ${hex(o.bytes)}`,
  [TCPOPT_FASTOPEN]: (o) => (o.bytes.length === 0 ? 'FO' : `FO ${hex(o.bytes)}`),
  [TCPOPT_EXP]: (o) => (o.bytes.length === 0 ? 'FOEXP' : `FOEXP ${hex(o.bytes)}`),
};

/** The options as a script writes them, without the angle brackets. */
export function formatOptions(options: readonly TcpOption[]): string {
  return options.map((o) => formats[o.kind]?.(o) ?? `option ${o.kind} ${hex(o.bytes)}`).join(',');
}
