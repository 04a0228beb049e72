/*
 * Packets as a script writes them: `[ect0] P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>`, `icmp unreachable
 * frag_needed mtu 840 [0:1000(1000)]`, `udp (1000)`.
 */
import type { Defines } from './parse-expr.ts';
import { accept, expect, fail, match, number, rawUntil, type Scanner, word } from './scanner.ts';
import type { IcmpSpec, PacketSpec, TcpOption, TcpSpec } from './script.ts';
import {
  bytesOption, option, TCPOPT_EOL, TCPOPT_EXP, TCPOPT_FASTOPEN, TCPOPT_MD5SIG, TCPOPT_MSS, TCPOPT_NOP, TCPOPT_SACK, TCPOPT_SACK_PERM,
  TCPOPT_TIMESTAMP, TCPOPT_WINDOW,
} from './tcp-options.ts';

/** The letters of the flags, by bit (RFC 9293 §3.1, RFC 3168 §6.1, RFC 7560). */
export const FLAG_LETTERS = 'FSRP.UEWA';

/** ICMP errors by what follows `icmp unreachable`, and those with a name of their own. */
const ICMP_UNREACHABLE_CODES = new Map(Object.entries({
  net_unreachable: 0, host_unreachable: 1, protocol_unreachable: 2, port_unreachable: 3, frag_needed: 4, source_route_failed: 5,
  net_unknown: 6, host_unknown: 7, source_host_isolated: 8, net_prohibited: 9, host_prohibited: 10, net_unreachable_for_tos: 11,
  host_unreachable_for_tos: 12, communication_prohibited: 13, pkt_filtered: 13, prec_violation: 14, prec_cutoff: 15,
}));
const ICMP_TYPES = new Map(Object.entries({ unreachable: 3, source_quench: 4, redirect: 5, time_exceeded: 11, parameter_problem: 12 }));

const ECN: readonly TcpSpec['ecn'][] = ['noecn', 'ect0', 'ect1', 'ce'];

function parseFlags(s: Scanner): number {
  const letters = match(s, /[FSRP.UEWA]+|-/y) ?? fail(s, 'TCP flags of "FSRP.UEWA", or -');
  return letters[0] === '-' ? 0 : [...letters[0]].reduce((flags, letter) => flags | (1 << FLAG_LETTERS.indexOf(letter)), 0);
}

/** `seq:end(length)`. */
function parseRange(s: Scanner): { seq: number; length: number } {
  const seq = number(s, 'a sequence number');
  expect(s, ':');
  const end = number(s, 'the sequence number behind it');
  expect(s, '(');
  const length = number(s, 'a length');
  expect(s, ')');
  if (((seq + length) >>> 0) !== end >>> 0) fail(s, `${seq}:${(seq + length) >>> 0}(${length}): the end is not the start plus the length`);
  return { seq, length };
}

function hexBytes(s: Scanner, text: string, defines: Defines): Uint8Array {
  let digits = text;
  for (let i = 0; i < 8 && defines.has(digits); i++) digits = defines.get(digits) ?? digits;
  if (!/^([0-9a-f]{2})*$/i.test(digits)) fail(s, `hexadecimal octets or a name that stands for some, not '${digits}'`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const isDigits = /^\d+$/;

type OptionParser = (rest: string, s: Scanner, defines: Defines) => TcpOption;
const numeric = (kind: number): OptionParser => (rest, s) => (isDigits.test(rest) ? option(kind, Number(rest)) : fail(s, `a number, not '${rest}'`));
const octets = (kind: number): OptionParser => (rest, s, defines) => bytesOption(kind, hexBytes(s, rest, defines));
const optionParsers: ReadonlyMap<string, OptionParser> = new Map(Object.entries<OptionParser>({
  eol: () => option(TCPOPT_EOL),
  nop: () => option(TCPOPT_NOP),
  sackOK: () => option(TCPOPT_SACK_PERM),
  mss: numeric(TCPOPT_MSS),
  wscale: numeric(TCPOPT_WINDOW),
  sack: (rest, s) => {
    if (!/^\d+:\d+( +\d+:\d+)*$/.test(rest)) fail(s, `SACK blocks, not '${rest}'`);
    return option(TCPOPT_SACK, ...(rest.match(/\d+/g) ?? []).map(Number));
  },
  TS: (rest, s) => {
    const found = /^val +(\d+) +ecr +(\d+)$/.exec(rest.replace(/\s+/g, ' ')) ?? fail(s, `'val N ecr N', not '${rest}'`);
    return option(TCPOPT_TIMESTAMP, Number(found[1]), Number(found[2]));
  },
  md5: octets(TCPOPT_MD5SIG),
  FO: octets(TCPOPT_FASTOPEN),
  FOEXP: octets(TCPOPT_EXP),
}));

/** What stands between < and >; null for `...`. */
function parseOptions(s: Scanner, defines: Defines): readonly TcpOption[] | null {
  const text = rawUntil(s, '>').trim();
  if (text === '...') return null;
  if (text === '') return [];
  return text.replace(/,\s*$/, '').split(',').map((part) => {
    const [, name = '', rest = ''] = /^(\w+)\s*(.*)$/.exec(part.trim()) ?? [];
    const parse = optionParsers.get(name) ?? fail(s, `a TCP option (${[...optionParsers.keys()].join(', ')}), not '${part.trim()}'`);
    return parse(rest.trim(), s, defines);
  });
}

function parseEcn(s: Scanner): TcpSpec['ecn'] {
  if (!accept(s, '[')) return 'any';
  const start = s.pos;
  const name = word(s, ECN.join(', ')).replace(/^(?:ip_)?(?=ect|ce|noecn)/, '');
  const ecn = ECN.find((one) => one === name);
  if (ecn === undefined) {
    s.pos = start;
    return fail(s, ECN.join(', '));
  }
  expect(s, ']');
  return ecn;
}

/** A field of a packet: absent null; `*` is any. */
function parseField(s: Scanner, name: RegExp, what: string): number | 'any' | null {
  if (match(s, name) === null) return null;
  return accept(s, '*') ? 'any' : number(s, what);
}

function parseTcp(s: Scanner, defines: Defines): TcpSpec {
  const ecn = parseEcn(s);
  // Ports: a script has one connection at a time, which has its own.
  match(s, /\d+\s*>\s*\d+/y);
  const flags = parseFlags(s);
  const { seq, length } = parseRange(s);
  const ack = parseField(s, /ack\b/y, 'an acknowledgment number, or *');
  const win = parseField(s, /win\b/y, 'a window, or *');
  const urg = match(s, /urg\b/y) === null ? null : number(s, 'an urgent pointer');
  const options = accept(s, '<') ? parseOptions(s, defines) : [];
  const anyAck = ack === 'any';
  return { kind: 'tcp', ecn, flags, seq, length, ack: anyAck ? null : ack, anyAck, win: win === 'any' ? null : win, urg, options };
}

function parseIcmp(s: Scanner, defines: Defines): IcmpSpec {
  const name = word(s, 'an ICMP type');
  const type = ICMP_TYPES.get(name) ?? fail(s, [...ICMP_TYPES.keys()].join(', '));
  let code = match(s, /[A-Za-z_]\w*/y)?.[0] ?? '';
  for (let i = 0; i < 8 && defines.has(code); i++) code = defines.get(code) ?? code;
  const number_ = code === '' ? 0 : (ICMP_UNREACHABLE_CODES.get(code) ?? fail(s, [...ICMP_UNREACHABLE_CODES.keys()].join(', ')));
  const mtu = match(s, /mtu\b/y) === null ? 0 : number(s, 'an MTU');
  let quoted: IcmpSpec['quoted'] = null;
  if (accept(s, '[')) {
    quoted = parseRange(s);
    expect(s, ']');
  }
  return { kind: 'icmp', type, code: number_, mtu, quoted };
}

/** What follows < or >. */
export function parsePacket(s: Scanner, defines: Defines): PacketSpec {
  if (match(s, /icmp\b/y) !== null) return parseIcmp(s, defines);
  if (match(s, /udp\b/y) === null) return parseTcp(s, defines);
  expect(s, '(');
  const length = number(s, 'a length');
  expect(s, ')');
  return { kind: 'udp', length };
}
