/*
 * The options of TCP (RFC 9293 §3.2, RFC 7323, RFC 2018, RFC 5482, RFC 5925, RFC 7413, RFC 6994).
 */
import { Truncated, has, say, sayTruncated, u16, u32, u8, type Dissection } from './dissect.ts';
import { mptcpPrint } from './mptcp.ts';
import { hex, hexBytes, nameOf } from './text.ts';

const EOL = 0;
const NOP = 1;

const names: Readonly<Record<number, string>> = {
  0: 'eol', 1: 'nop', 2: 'mss', 3: 'wscale', 4: 'sackOK', 5: 'sack', 6: 'echo', 7: 'echoreply', 8: 'TS', 11: 'cc', 12: 'ccnew', 13: '',
  19: 'md5', 20: 'scps', 28: 'uto', 29: 'tcp-ao', 30: 'mptcp', 34: 'tfo', 254: 'exp',
};

/** One option: where its data lie, how long they should be by its length field, and how many octets of header are left for them. */
export interface TcpOption {
  readonly at: number;
  readonly length: number;
  readonly left: number;
  readonly flags: number;
  readonly sackBase: number;
}

/** Says an option's data and returns their length, or -1 where they do not fit: a bad option. */
type OptionPrinter = (nd: Dissection, option: TcpOption) => number;

/** The data of an option were not captured. */
class OptionCut extends Truncated {}

/** Whether data of `size` octets fit; throws OptionCut where they were not captured. */
export function fits(nd: Dissection, option: TcpOption, size: number): boolean {
  if (size > option.left) return false;
  if (!has(nd, option.at, size)) throw new OptionCut();
  return true;
}

function number32(nd: Dissection, option: TcpOption): number {
  if (!fits(nd, option, 4)) return -1;
  say(nd, ` ${u32(nd, option.at)}`);
  return 4;
}

function mss(nd: Dissection, option: TcpOption): number {
  if (!fits(nd, option, 2)) return -1;
  say(nd, ` ${u16(nd, option.at)}`);
  return 2;
}

function windowScale(nd: Dissection, option: TcpOption): number {
  if (!fits(nd, option, 1)) return -1;
  say(nd, ` ${u8(nd, option.at)}`);
  return 1;
}

function sack(nd: Dissection, option: TcpOption): number {
  const size = option.length - 2;
  if (size % 8 !== 0) {
    say(nd, ' invalid sack');
    return size;
  }
  if (!fits(nd, option, size)) return -1;
  say(nd, ` ${size / 8} `);
  for (let i = 0; i < size; i += 8) {
    say(nd, `{${(u32(nd, option.at + i) - option.sackBase) >>> 0}:${(u32(nd, option.at + i + 4) - option.sackBase) >>> 0}}`);
  }
  return size;
}

function timestamps(nd: Dissection, option: TcpOption): number {
  if (!fits(nd, option, 8)) return -1;
  say(nd, ` val ${u32(nd, option.at)} ecr ${u32(nd, option.at + 4)}`);
  return 8;
}

function md5(nd: Dissection, option: TcpOption): number {
  if (!fits(nd, option, 16)) return -1;
  say(nd, ` shared secret not supplied with -M, can't check - ${hexBytes(nd, option.at, 16)}`);
  return 16;
}

function scps(nd: Dissection, option: TcpOption): number {
  if (!fits(nd, option, 2)) return -1;
  say(nd, ` cap ${hex(u8(nd, option.at), 2)} id ${u8(nd, option.at + 1)}`);
  return 2;
}

function userTimeout(nd: Dissection, option: TcpOption): number {
  if (!fits(nd, option, 2)) return -1;
  const value = u16(nd, option.at);
  say(nd, ` 0x${value.toString(16)} ${(value & 1) === 0 ? value >> 1 : (value >> 1) * 60}`);
  return 2;
}

function authentication(nd: Dissection, option: TcpOption): number {
  const size = option.length - 2;
  if (size < 2) {
    say(nd, ' (invalid)');
    return size;
  }
  if (size > option.left) return -1;
  say(nd, ` keyid ${u8(nd, option.at)} rnextkeyid ${u8(nd, option.at + 1)}`);
  if (size > 2) say(nd, ' mac 0x');
  for (let i = 2; i < size; i++) say(nd, hex(u8(nd, option.at + i), 2));
  return size;
}

function cookieText(nd: Dissection, offset: number, size: number): string {
  if (size === 0) return ' cookiereq';
  if (size % 2 !== 0 || size < 4 || size > 16) return ' (invalid)';
  return ` cookie ${hexBytes(nd, offset, size)}`;
}

function fastOpen(nd: Dissection, option: TcpOption): number {
  const size = option.length - 2;
  if (!fits(nd, option, size)) return -1;
  say(nd, ` ${cookieText(nd, option.at, size)}`);
  return size;
}

/** RFC 6994: experiments; 0xf989 is TCP Fast Open's. */
function experiment(nd: Dissection, option: TcpOption): number {
  const size = option.length - 2;
  if (size < 2 || !fits(nd, option, size)) return -1;
  const magic = u16(nd, option.at);
  if (magic === 0xf989) say(nd, `-tfo${cookieText(nd, option.at + 2, size - 2)}`);
  else say(nd, `-${hex(magic, 4)}`);
  return size;
}

function unknown(nd: Dissection, option: TcpOption): number {
  const size = option.length - 2;
  if (size > option.left) return -1;
  if (size > 0) say(nd, ' 0x');
  for (let i = 0; i < size; i++) say(nd, hex(u8(nd, option.at + i), 2));
  return size;
}

const printers: Readonly<Record<number, OptionPrinter>> = {
  2: mss, 3: windowScale, 4: () => 0, 5: sack, 6: number32, 7: number32, 8: timestamps, 11: number32, 12: number32, 13: number32, 19: md5,
  20: scps, 28: userTimeout, 29: authentication, 30: mptcpPrint, 34: fastOpen, 254: experiment,
};

/** Says one option after the other; false at one that is wrong. */
function options(nd: Dissection, offset: number, length: number, flags: number, sackBase: number): boolean {
  let left = length;
  let at = offset;
  for (let separator = ''; left > 0; separator = ',') {
    say(nd, separator);
    const type = u8(nd, at++);
    left--;
    if (type === EOL || type === NOP) {
      say(nd, nameOf(names, type, ''));
      if (type === EOL) return true;
      continue;
    }
    const size = u8(nd, at++);
    if (size < 2 || size > left + 1) return false;
    left--;
    say(nd, nameOf(names, type, 'unknown-%d'));
    const data = (printers[type] ?? unknown)(nd, { at, length: size, left, flags, sackBase });
    if (data < 0) return false;
    if (data + 2 !== size) say(nd, `[len ${size}]`);
    at += data;
    left -= data;
  }
  return true;
}

/** `, options [...]`; false where they are wrong or cut, and the line ends. */
export function tcpOptionsPrint(nd: Dissection, offset: number, length: number, flags: number, sackBase: number): boolean {
  say(nd, ', options [');
  const start = nd.text.length;
  try {
    if (options(nd, offset, length, flags, sackBase)) {
      say(nd, ']');
      return true;
    }
    say(nd, '[bad opt]');
    if (nd.text.includes(',', start)) say(nd, ']');
  } catch (error) {
    if (!(error instanceof Truncated)) throw error;
    sayTruncated(nd);
    if (error instanceof OptionCut && nd.text.includes(',', start)) say(nd, '>');
  }
  return false;
}
