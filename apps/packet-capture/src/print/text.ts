/*
 * Addresses, names and octets as text. Nothing is looked up: every address and port is a number (tcpdump's -n).
 */
import { need, u32, type Dissection } from './dissect.ts';

/** The name of `value`, else `unknown` with `%d`, `%x` or `%04x` replaced by it. */
export function nameOf(names: Readonly<Record<number, string>>, value: number, unknown: string): string {
  return names[value] ?? unknown
    .replace('%d', () => String(value))
    .replace('%x', () => value.toString(16))
    .replace('%02x', () => hex(value, 2))
    .replace('%04x', () => hex(value, 4));
}

/** The names of the bits that are set in `value`, lowest bit of the table first. */
export function bitNames(names: readonly (readonly [number, string])[], value: number, separator: string, none: string): string {
  return names.filter(([bit]) => (value & bit) !== 0).map(([, name]) => name).join(separator) || none;
}

export function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** Octets as hex digits with `separator` between them. */
export function hexBytes(nd: Dissection, offset: number, length: number, separator = ''): string {
  need(nd, offset, length);
  return Array.from(nd.buf.subarray(offset, offset + length), (octet) => hex(octet, 2)).join(separator);
}

/** A hardware address of any length. */
export function linkAddress(nd: Dissection, offset: number, length = 6): string {
  return length === 0 ? '<empty>' : hexBytes(nd, offset, length, ':');
}

export function ip4Text(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

/** The IPv4 address at `offset`. */
export function ip4(nd: Dissection, offset: number): string {
  return ip4Text(u32(nd, offset));
}

/** The longest run of two or more zeroes, as [first, end]; RFC 5952 §4.2. */
function longestZeroes(words: readonly number[]): [number, number] {
  let best: [number, number] = [-1, -1];
  for (let first = 0; first < 8; first++) {
    let end = first;
    while (end < 8 && words[end] === 0) end++;
    if (end - first > 1 && end - first > best[1] - best[0]) best = [first, end];
  }
  return best;
}

/** Eight words as an IPv6 address of RFC 5952; with IPv4's form in mapped and compatible ones. */
export function ip6Text(words: readonly number[]): string {
  const [first, end] = longestZeroes(words);
  const [high = 0, low = 0] = words.slice(6);
  if (first === 0 && (end === 6 || (end === 5 && words[5] === 0xffff))) {
    return `::${end === 5 ? 'ffff:' : ''}${ip4Text(((high << 16) | low) >>> 0)}`;
  }
  const text = (part: readonly number[]): string => part.map((word) => word.toString(16)).join(':');
  return first < 0 ? text(words) : `${text(words.slice(0, first))}::${text(words.slice(end))}`;
}

/** The IPv6 address at `offset`. */
export function ip6(nd: Dissection, offset: number): string {
  need(nd, offset, 16);
  return ip6Text(Array.from({ length: 8 }, (_, i) => nd.view.getUint16(offset + 2 * i)));
}

/** One octet as tcpdump shows text: `^X` for a control character, `M-` before the upper half. */
export function safeChar(octet: number): string {
  const meta = octet >= 0x80 ? 'M-' : '';
  const low = octet & 0x7f;
  if (low >= 0x20 && low < 0x7f) return meta + String.fromCharCode(low);
  return `${meta}^${String.fromCharCode(low ^ 0x40)}`;
}

/** `length` octets as text. */
export function safeText(nd: Dissection, offset: number, length: number): string {
  need(nd, offset, length);
  return Array.from(nd.buf.subarray(offset, offset + length), safeChar).join('');
}

/** Seconds as the largest units: `1d2h3m4s`; 0 is `0s`. */
export function relativeTime(seconds: number): string {
  const units: [string, number][] = [['w', 604800], ['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];
  let rest = seconds;
  let text = '';
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text || '0s';
}
