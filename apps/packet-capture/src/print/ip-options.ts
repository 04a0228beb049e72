/*
 * The options of IPv4 (RFC 791 §3.1), of -v alone.
 */
import { has, say, u16, u32, u8, type Dissection } from './dissect.ts';
import { ip4, nameOf } from './text.ts';

const EOL = 0;
const NOP = 1;
const RR = 7;
const TIMESTAMP = 0x44;
const SECURITY = 0x82;
const LSRR = 0x83;
const SSRR = 0x89;
const RA = 0x94;

const names: Readonly<Record<number, string>> = {
  [EOL]: 'EOL', [NOP]: 'NOP', [TIMESTAMP]: 'timestamp', [SECURITY]: 'security', [RR]: 'RR', [SSRR]: 'SSRR', [LSRR]: 'LSRR', [RA]: 'RA',
};

/** A list of addresses and the pointer into it. False where it was not captured. */
function routePrint(nd: Dissection, offset: number, length: number): boolean {
  if (length < 3) {
    say(nd, ` [bad length ${length}]`);
    return true;
  }
  if (((length + 1) & 3) !== 0) say(nd, ` [bad length ${length}]`);
  if (!has(nd, offset + 2, 1)) return false;
  const pointer = u8(nd, offset + 2) - 1;
  if (pointer < 3 || ((pointer + 1) & 3) !== 0) say(nd, ` [bad ptr ${pointer + 1}]`);
  let separator = ' ';
  for (let at = 3; at < length; at += 4) {
    if (!has(nd, offset + at, 4)) return false;
    say(nd, `${separator}${ip4(nd, offset + at)}`);
    separator = at < pointer ? ', ' : ' ';
    if (at < pointer && at + 4 >= length) say(nd, pointer > length ? ',' : '');
  }
  return true;
}

const timestampTypes: Readonly<Record<number, string>> = { 0: 'TSONLY', 1: 'TS+ADDR', 3: 'PRESPEC' };

/** What lies between the braces; the entry that is next to be filled has a `^` before it. */
function stampsPrint(nd: Dissection, offset: number, length: number, hop: number): boolean {
  const pointer = u8(nd, offset + 2) - 1;
  let separator = ' ';
  let done = false;
  for (let at = 4; at < length; at += hop) {
    if (!has(nd, offset + at, hop)) return false;
    if (at === pointer) {
      say(nd, ' ^');
      done = true;
    }
    const address = hop === 8 ? ip4(nd, offset + at) : '';
    say(nd, `${separator}${u32(nd, offset + at + hop - 4)}@${address}`);
    separator = ' ';
  }
  if (!done) say(nd, ' ^ ');
  return true;
}

function timestampPrint(nd: Dissection, offset: number, length: number): boolean {
  if (length < 4) {
    say(nd, `[bad length ${length}]`);
    return true;
  }
  if (!has(nd, offset, 4)) return false;
  const type = u8(nd, offset + 3) & 0xf;
  const hop = type === 0 ? 4 : 8;
  say(nd, ' TS{');
  if ((length - 4) % hop !== 0) say(nd, `[bad length ${length}]`);
  if ((u8(nd, offset + 2) - 1 - 4) % hop !== 0) say(nd, `[bad ptr ${u8(nd, offset + 2)}]`);
  const name = timestampTypes[type];
  say(nd, name ?? `[bad ts type ${type}]`);
  if (name !== undefined && !stampsPrint(nd, offset, length, hop)) return false;
  const missed = u8(nd, offset + 3) >> 4;
  say(nd, missed === 0 ? '}' : ` [${missed} hops not recorded]} `);
  return true;
}

/** One option behind its name. */
function optionPrint(nd: Dissection, type: number, offset: number, length: number): boolean {
  switch (type) {
    case TIMESTAMP: return timestampPrint(nd, offset, length);
    case RR: case SSRR: case LSRR: return routePrint(nd, offset, length);
    case RA:
      if (length < 4) {
        say(nd, ` [bad length ${length}]`);
      } else {
        if (!has(nd, offset + 3, 1)) return false;
        if (u16(nd, offset + 2) !== 0) say(nd, ` value ${u16(nd, offset + 2)}`);
      }
      return true;
    default: return true;
  }
}

/** The options in `length` octets. False where they were not all captured. */
export function ipOptionsPrint(nd: Dissection, offset: number, length: number): boolean {
  let separator = '';
  let left = length;
  for (let at = offset; left > 0;) {
    say(nd, separator);
    separator = ',';
    if (!has(nd, at, 1)) return false;
    const type = u8(nd, at);
    say(nd, nameOf(names, type, 'unknown %d'));
    if (type === EOL) return true;
    let size = 1;
    if (type !== NOP) {
      if (!has(nd, at + 1, 1)) return false;
      size = u8(nd, at + 1);
      if (size < 2 || size > left) {
        say(nd, ` [bad length ${size}]`);
        return true;
      }
      if (!has(nd, at, size)) return false;
      if (!optionPrint(nd, type, at, size)) return false;
    }
    at += size;
    left -= size;
  }
  return true;
}
