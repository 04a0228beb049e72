/*
 * The options in an OPT record (RFC 6891 §6.1.2): names, and the values of those that are no mere octets.
 */
import { say, u16, u32, u8, type Dissection } from './dissect.ts';
import { hexBytes, ip4Text, ip6Text, nameOf } from './text.ts';

const names: Readonly<Record<number, string>> = {
  1: 'LLQ', 2: 'UL', 3: 'NSID', 5: 'DAU', 6: 'DHU', 7: 'N3U', 8: 'ECS', 9: 'EXPIRE', 10: 'COOKIE', 11: 'KEEPALIVE', 12: 'PADDING', 13: 'CHAIN',
  14: 'KEY-TAG', 16: 'CLIENT-TAG', 17: 'SERVER-TAG',
};

const INVALID = ' (invalid)';

/** RFC 7871: the subnet of the client. */
function clientSubnet(nd: Dissection, offset: number, length: number): string {
  if (length < 4) return INVALID;
  const family = u16(nd, offset);
  const size = family === 1 ? 4 : 16;
  if ((family !== 1 && family !== 2) || length - 4 > size) return INVALID;
  const octets = Array.from({ length: size }, (_, i) => (i < length - 4 ? u8(nd, offset + 4 + i) : 0));
  const word = (at: number, count: number): number => octets.slice(at, at + count).reduce((sum, octet) => sum * 256 + octet, 0);
  const address = family === 1 ? ip4Text(word(0, 4)) : ip6Text([0, 2, 4, 6, 8, 10, 12, 14].map((at) => word(at, 2)));
  return `${address}/${u8(nd, offset + 2)}/${u8(nd, offset + 3)}`;
}

type ValueText = (nd: Dissection, offset: number, length: number) => string;

const octetsText: ValueText = (nd, offset, length) => hexBytes(nd, offset, length);

const values: ReadonlyMap<number, ValueText> = new Map<number, ValueText>([
  [8, clientSubnet],
  [9, (nd, offset, length) => (length === 4 ? `${u32(nd, offset)} sec` : INVALID)],
  [10, (nd, offset, length) => (length < 8 ? INVALID : [hexBytes(nd, offset, 8), hexBytes(nd, offset + 8, length - 8)].join(' ').trimEnd())],
  [11, (nd, offset, length) => (length === 2 ? `${(u16(nd, offset) / 10).toFixed(1)} sec` : INVALID)],
  [12, (_nd, _offset, length) => `(${length})`],
  [14, (nd, offset, length) => {
    if (length < 2 || length % 2 !== 0) return INVALID;
    return Array.from({ length: length / 2 }, (_, i) => u16(nd, offset + 2 * i)).join(' ');
  }],
]);

/** ` [NAME value,NAME value]` of the options between the two offsets. Throws Truncated where they were not captured. */
export function ednsOptionsPrint(nd: Dissection, offset: number, end: number): void {
  say(nd, ' [');
  for (let at = offset; at < end;) {
    const code = u16(nd, at);
    say(nd, nameOf(names, code, 'Opt%d'));
    const length = u16(nd, at + 2);
    if (length > 0) say(nd, ` ${(values.get(code) ?? octetsText)(nd, at + 4, length)}`);
    at += 4 + length;
    if (at < end) say(nd, ',');
  }
  say(nd, ']');
}
