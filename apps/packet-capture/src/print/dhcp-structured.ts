/*
 * The options of DHCP that have a structure of their own (RFC 2132 §9.8, §9.14, RFC 3004, RFC 3046, RFC 3442, RFC 4702).
 */
import { say, u8, type Dissection } from './dissect.ts';
import { optionNames } from './dhcp-options.ts';
import { hexDump } from './hexdump.ts';
import { ip4Text, linkAddress, nameOf, safeText } from './text.ts';

const PER_LINE = 4;
const INDENT = '\n\t      ';

/** 55: the options that the client asks for. */
export function parameterRequest(nd: Dissection, offset: number, length: number): number {
  for (let i = 0; i < length; i++) {
    const tag = u8(nd, offset + i);
    say(nd, `${i % PER_LINE === 0 ? INDENT : ', '}${nameOf(optionNames, tag, 'Unknown')} (${tag})`);
  }
  return 0;
}

const hardwareTypes: Readonly<Record<number, string>> = { 1: 'ether', 6: 'ieee802', 7: 'arcnet' };

/** 61: the type octet says what follows: 0 text, else a hardware address. */
export function clientId(nd: Dissection, offset: number, length: number): number {
  if (length < 1) {
    say(nd, '[ERROR: length < 1 bytes]');
    return 0;
  }
  const type = u8(nd, offset);
  if (type === 0) {
    say(nd, `"${safeText(nd, offset + 1, length - 1)}"`);
    return 0;
  }
  const name = hardwareTypes[type] ?? `hardware-type ${type},`;
  say(nd, `${name} ${length > 1 ? linkAddress(nd, offset + 1, length - 1) : ''}`);
  return 0;
}

/** 77: RFC 3004, a list of classes. */
export function userClass(nd: Dissection, offset: number, length: number): number {
  if (length < 2) {
    say(nd, '[ERROR: length < 2 bytes]');
    return 0;
  }
  let instance = 1;
  for (let at = offset, left = length; left > 0; instance++) {
    const size = u8(nd, at);
    at++;
    left--;
    say(nd, `${INDENT}instance#${instance}: `);
    if (size === 0) {
      say(nd, '[ERROR: suboption length must be non-zero]');
      return left;
    }
    if (size > left) {
      say(nd, '[ERROR: invalid option]');
      return left;
    }
    say(nd, `"${safeText(nd, at, size)}", length ${size}`);
    at += size;
    left -= size;
  }
  return 0;
}

/** 81: RFC 4702. */
export function fqdn(nd: Dissection, offset: number, length: number): number {
  if (length < 3) {
    say(nd, '[ERROR: length < 3 bytes]');
    return 0;
  }
  const flags = u8(nd, offset);
  if ((flags & 0xf0) !== 0) say(nd, `[ERROR: MBZ nibble 0x${(flags >> 4).toString(16)} != 0] `);
  const letters = [...'SOEN'].filter((_, bit) => (flags & (1 << bit)) !== 0).join('');
  if (letters !== '') say(nd, `[${letters}] `);
  const [forward, reverse] = [u8(nd, offset + 1), u8(nd, offset + 2)];
  if (forward !== 0 || reverse !== 0) say(nd, `${forward}/${reverse} `);
  say(nd, `"${safeText(nd, offset + 3, length - 3)}"`);
  return 0;
}

const agentOptions: Readonly<Record<number, string>> = { 1: 'Circuit-ID', 2: 'Remote-ID', 6: 'Subscriber-ID' };

/** 82: RFC 3046, what a relay adds. */
export function relayAgent(nd: Dissection, offset: number, length: number): number {
  let at = offset;
  let left = length;
  while (left >= 2) {
    const [tag, size] = [u8(nd, at), u8(nd, at + 1)];
    at += 2;
    left -= 2;
    const name = agentOptions[tag];
    say(nd, `${INDENT}${name ?? 'Unknown'} SubOption ${tag}, length ${size}: `);
    if (size > left) {
      say(nd, 'length goes past end of option');
      return 0;
    }
    say(nd, name === undefined ? hexDump(nd, at, size, false, '\n\t\t') : safeText(nd, at, size));
    at += size;
    left -= size;
  }
  return left;
}

/** 121: RFC 3442, destinations without their zeroes, and routers. */
export function classlessRoutes(nd: Dissection, offset: number, length: number): number {
  if (length < 5) {
    say(nd, '[ERROR: length < 5 bytes]');
    return 0;
  }
  for (let at = offset, left = length, first = true; left > 0; first = false) {
    if (!first) say(nd, ',');
    const bits = u8(nd, at);
    const significant = (bits + 7) >> 3;
    if (bits > 32) {
      say(nd, `[ERROR: Mask width (${bits}) > 32]`);
      return 0;
    }
    const size = 1 + significant + 4;
    if (size > left) {
      say(nd, `[ERROR: Remaining length (${left}) < ${size} bytes]`);
      return 0;
    }
    const octet = (i: number, from: number, count: number): number => (i < count ? u8(nd, from + i) : 0);
    const word = (from: number, count: number): number => [0, 1, 2, 3].reduce((sum, i) => (sum << 8) | octet(i, from, count), 0);
    const router = ip4Text(word(at + 1 + significant, 4));
    say(nd, bits === 0 ? `(default:${router})` : `(${ip4Text(word(at + 1, significant))}/${bits}:${router})`);
    at += size;
    left -= size;
  }
  return 0;
}
