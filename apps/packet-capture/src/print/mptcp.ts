/*
 * The option of Multipath TCP (RFC 8684).
 */
import { say, u16, u32, u8, type Dissection } from './dissect.ts';
import { hexBytes, ip4, ip6 } from './text.ts';
import { fits, type TcpOption } from './tcp-options.ts';

const SYN = 2;

/** Hex of eight octets without leading zeroes. */
function key(nd: Dissection, offset: number): string {
  return `0x${u64(nd, offset).toString(16)}`;
}

function u64(nd: Dissection, offset: number): bigint {
  return (BigInt(u32(nd, offset)) << 32n) | BigInt(u32(nd, offset + 4));
}

/** A subtype's text, or null where its length is none that it may have. `at` is the option's first octet, `size` all of it. */
type Subtype = (nd: Dissection, at: number, size: number, flags: number) => string | null;

function capable(nd: Dissection, at: number, size: number): string | null {
  const version = u8(nd, at + 2) & 0xf;
  if (size !== 12 && size !== 20 && size !== 22 && size !== 24 && !(size === 4 && version === 1)) return null;
  if (size === 12 && version !== 0 && version !== 1) return null;
  let text = ` capable v${version}${(u8(nd, at + 3) & 0x80) === 0 ? '' : ' csum'}`;
  if (size >= 12) text += ` {${key(nd, at + 4)}${size >= 20 ? `,${key(nd, at + 12)}` : ''}}`;
  return text;
}

function join(nd: Dissection, at: number, size: number, flags: number): string | null {
  if (!((size === 12 || size === 16) && (flags & SYN) !== 0) && size !== 24) return null;
  const backup = size !== 24 && (u8(nd, at + 2) & 1) !== 0 ? ' backup' : '';
  if (size === 24) return ` join hmac 0x${hexBytes(nd, at + 4, 20)}`;
  const id = ` join${backup} id ${u8(nd, at + 3)}`;
  if (size === 12) return `${id} token 0x${u32(nd, at + 4).toString(16)} nonce 0x${u32(nd, at + 8).toString(16)}`;
  return `${id} hmac ${key(nd, at + 4)} nonce 0x${u32(nd, at + 12).toString(16)}`;
}

function dataSequenceSignal(nd: Dissection, at: number, size: number): string | null {
  const flags = u8(nd, at + 3);
  const wide = (bit: number): number => ((flags & bit) === 0 ? 4 : 8);
  const number = (offset: number, octets: number): string => String(octets === 8 ? u64(nd, offset) : u32(nd, offset));
  let text = ` dss${(flags & 16) === 0 ? '' : ' fin'}`;
  let used = 4;
  if ((flags & 1) !== 0) {
    if (used + wide(2) > size) return null;
    text += ` ack ${number(at + used, wide(2))}`;
    used += wide(2);
  }
  if ((flags & 4) !== 0) {
    if (used + wide(8) + 6 > size) return null;
    text += ` seq ${number(at + used, wide(8))}`;
    used += wide(8);
    text += ` subseq ${u32(nd, at + used)} len ${u16(nd, at + used + 4)}`;
    used += 6;
    if (size >= used + 2) {
      text += ` csum 0x${u16(nd, at + used).toString(16)}`;
      used += 2;
    }
  }
  return used === size ? text : null;
}

function addAddress(nd: Dissection, at: number, size: number): string | null {
  const low = u8(nd, at + 2) & 0xf;
  const version0 = low === 4 || low === 6;
  const is4 = version0 ? low === 4 : size === 8 || size === 10 || size === 16 || size === 18;
  const head = version0 ? `v0-ip${low}` : `v1${(low & 1) === 0 ? '' : '-echo'}`;
  const address = is4 ? 4 : 16;
  const extra = size - 4 - address;
  if (extra !== 0 && extra !== 2 && (version0 || (extra !== 8 && extra !== 10))) return null;
  let text = ` add-addr ${head} id ${u8(nd, at + 3)} ${is4 ? ip4(nd, at + 4) : ip6(nd, at + 4)}`;
  if ((extra & 2) !== 0) text += `:${u16(nd, at + 4 + address)}`;
  if (extra >= 8) text += ` hmac ${key(nd, at + size - 8)}`;
  return text;
}

function removeAddress(nd: Dissection, at: number, size: number): string | null {
  if (size < 4) return null;
  const ids = Array.from({ length: size - 3 }, (_, i) => ` ${u8(nd, at + 3 + i)}`);
  return ` rem-addr id${ids.join('')}`;
}

function priority(nd: Dissection, at: number, size: number): string | null {
  if (size !== 3 && size !== 4) return null;
  return ` prio ${(u8(nd, at + 2) & 1) === 0 ? 'non-backup' : 'backup'}${size === 4 ? ` id ${u8(nd, at + 3)}` : ''}`;
}

const fail: Subtype = (nd, at, size) => (size === 12 ? ` fail seq ${u64(nd, at + 4)}` : null);
const fastClose: Subtype = (nd, at, size) => (size === 12 ? ` fast-close key ${key(nd, at + 4)}` : null);

const subtypes: readonly (readonly [Subtype, string])[] = [
  [capable, ' capable'], [join, ' join'], [dataSequenceSignal, ' dss'], [addAddress, ' add-addr'], [removeAddress, ' rem-addr'],
  [priority, ' prio'], [fail, ' fail'], [fastClose, ' fast-close'],
];

/** As the other printers of options: the length of the data, or -1. */
export function mptcpPrint(nd: Dissection, option: TcpOption): number {
  const size = option.length - 2;
  if (!fits(nd, option, size)) return -1;
  if (size < 1) return -1;
  say(nd, ` ${option.length}`);
  const subtype = subtypes[u8(nd, option.at) >> 4];
  if (subtype === undefined) {
    say(nd, ' unknown');
    return size;
  }
  const text = subtype[0](nd, option.at - 2, option.length, option.flags);
  say(nd, text ?? subtype[1]);
  return text === null ? -1 : size;
}
