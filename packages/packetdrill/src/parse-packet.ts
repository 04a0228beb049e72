/*
 * Packets as a script writes them: `[ect0] P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>`, `icmp unreachable
 * frag_needed mtu 840 [0:1000(1000)]`, `udp (1000)`.
 */
import type { Defines } from './parse-expr.ts';
import { accept, expect, fail, looking, match, number, rawUntil, type Scanner, word } from './scanner.ts';
import type { IcmpSpec, PacketSpec, TcpOption, TcpSpec } from './script.ts';
import {
  bytesOption, option, TCPOPT_ACCECN0, TCPOPT_ACCECN1, TCPOPT_EOL, TCPOPT_EXP, TCPOPT_FASTOPEN, TCPOPT_MD5SIG, TCPOPT_MSS, TCPOPT_NOP, TCPOPT_SACK, TCPOPT_SACK_PERM,
  TCPOPT_TIMESTAMP, TCPOPT_WINDOW,
} from './tcp-options.ts';

/** The letters of the flags, by bit (RFC 9293 §3.1, RFC 3168 §6.1, RFC 7560). */
export const FLAG_LETTERS = 'FSRP.UEWA';

const names = (codes: Readonly<Record<string, number>>): ReadonlyMap<string, number> => new Map(Object.entries(codes));

/** The codes of ICMP errors, by the name of their type (RFC 792, RFC 1812 §5.2.7.1). */
export const ICMP_CODES: Readonly<Record<string, ReadonlyMap<string, number>>> = {
  unreachable: names({
    net_unreachable: 0, host_unreachable: 1, protocol_unreachable: 2, port_unreachable: 3, frag_needed: 4, source_route_failed: 5,
    net_unknown: 6, host_unknown: 7, source_host_isolated: 8, net_prohibited: 9, host_prohibited: 10, net_unreachable_for_tos: 11,
    host_unreachable_for_tos: 12, communication_prohibited: 13, pkt_filtered: 13, prec_violation: 14, prec_cutoff: 15,
  }),
  redirect: names({ net: 0, host: 1, tos_net: 2, tos_host: 3 }),
  time_exceeded: names({ ttl_exceeded: 0, exc_ttl: 0, reassembly: 1, exc_fragtime: 1 }),
};
export const ICMP_TYPES = names({ unreachable: 3, source_quench: 4, redirect: 5, time_exceeded: 11, parameter_problem: 12 });

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
  ECN: (rest, s) => accEcn(rest, s),
  md5: octets(TCPOPT_MD5SIG),
  FO: octets(TCPOPT_FASTOPEN),
  FOEXP: octets(TCPOPT_EXP),
}));

/** `ECN e0b 1 ceb 0 e1b 1`: counters of octets in the order of either kind of option (AccECN). */
function accEcn(rest: string, s: Scanner): TcpOption {
  const words = rest.split(/\s+/);
  const order = words.filter((_word, i) => i % 2 === 0).join(' ');
  const kind = words[0] === 'e0b' ? TCPOPT_ACCECN0 : TCPOPT_ACCECN1;
  if (!(kind === TCPOPT_ACCECN0 ? 'e0b ceb e1b' : 'e1b ceb e0b').startsWith(order) || rest === '') fail(s, `e0b N ceb N e1b N, or e1b N ceb N e0b N, not '${rest}'`);
  return option(kind, ...words.filter((_word, i) => i % 2 === 1).map(Number));
}

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

interface IpInfo {
  ecn: TcpSpec['ecn'];
  tos: number | null;
  ttl: number | null;
}

const BRACKETS: Readonly<Record<string, string>> = { '[': ']', '(': ')' };

/** `[ect0]`, `(tos 0x28, ttl 64)`; both kinds of brackets, several things between commas. What IPv6 alone has is none. */
function parseIp(s: Scanner): IpInfo {
  const info: IpInfo = { ecn: 'any', tos: null, ttl: null };
  const open = match(s, /[[(]/y)?.[0];
  if (open === undefined) return info;
  const close = BRACKETS[open] ?? '';
  do {
    const start = s.pos;
    const name = word(s, [...ECN, 'tos N', 'ttl N'].join(', ')).replace(/^(?:ip_)?(?=ect|ce|noecn)/, '');
    const ecn = ECN.find((one) => one === name);
    if (ecn !== undefined) info.ecn = ecn;
    else if (name === 'tos') info.tos = number(s, 'the octet of the TOS field');
    else if (name === 'ttl') info.ttl = number(s, 'a time to live');
    else {
      s.pos = start;
      fail(s, `${[...ECN, 'tos N', 'ttl N'].join(', ')}${name === 'flowlabel' ? ' (there is no IPv6, which has flow labels)' : ''}`);
    }
  } while (accept(s, ','));
  expect(s, close);
  return info;
}

/** A field of a packet: absent null; `*` is any. */
function parseField(s: Scanner, name: RegExp, what: string): number | 'any' | null {
  if (match(s, name) === null) return null;
  return accept(s, '*') ? 'any' : number(s, what);
}

/** `8080 > 34567`. */
function parsePorts(s: Scanner): TcpSpec['ports'] {
  const found = match(s, /(\d+)\s*>\s*(\d+)(?![\d:])/y);
  return found === null ? null : { source: Number(found[1]), destination: Number(found[2]) };
}

function parseTcp(s: Scanner, ip: IpInfo, defines: Defines): TcpSpec {
  const ports = parsePorts(s);
  const flags = parseFlags(s);
  const { seq, length } = parseRange(s);
  const ack = parseField(s, /ack\b/y, 'an acknowledgment number, or *');
  const win = parseField(s, /win\b/y, 'a window, or *');
  const urg = match(s, /urg\b/y) === null ? null : number(s, 'an urgent pointer');
  const options = accept(s, '<') ? parseOptions(s, defines) : [];
  if (match(s, /(?=[A-Za-z])/y) !== null) fail(s, "'ack N', 'win N', 'urg N', <options>, in this order, or the time of the next event");
  if (looking(s, '/')) fail(s, 'the next event: Linux has no TCP in UDP (FreeBSD\'s udp_encaps)');
  const anyAck = ack === 'any';
  return { kind: 'tcp', ...ip, ports, flags, seq, length, ack: anyAck ? null : ack, anyAck, win: win === 'any' ? null : win, urg, options };
}

function parseLength(s: Scanner): number {
  expect(s, '(');
  const length = number(s, 'a length');
  expect(s, ')');
  return length;
}

/** `[1:1001(1000)]`, `[udp (1000)]`: what an ICMP error quotes. */
function parseQuoted(s: Scanner): IcmpSpec['quoted'] {
  if (!accept(s, '[')) return null;
  const quoted = match(s, /udp\b/y) === null ? parseRange(s) : { seq: null, length: parseLength(s) };
  expect(s, ']');
  return quoted;
}

function parseIcmp(s: Scanner, ip: IpInfo, defines: Defines): IcmpSpec {
  const start = s.pos;
  const name = word(s, 'an ICMP type');
  const type = ICMP_TYPES.get(name);
  if (type === undefined) {
    s.pos = start;
    return fail(s, [...ICMP_TYPES.keys()].join(', '));
  }
  let code = match(s, /(?!mtu\b)[A-Za-z_]\w*/y)?.[0] ?? '';
  for (let i = 0; i < 8 && defines.has(code); i++) code = defines.get(code) ?? code;
  const codes = ICMP_CODES[name] ?? new Map<string, number>();
  const found = code === '' ? 0 : codes.get(code) ?? (/^\d+$/.test(code) ? Number(code) : undefined);
  if (found === undefined) fail(s, `behind icmp ${name}: ${[...codes.keys()].join(', ')}, not ${code}`);
  const mtu = match(s, /mtu\b/y) === null ? 0 : number(s, 'an MTU');
  return { kind: 'icmp', ...ip, type, code: found, mtu, quoted: parseQuoted(s) };
}

/** What follows < or >. */
export function parsePacket(s: Scanner, defines: Defines): PacketSpec {
  const ip = parseIp(s);
  if (match(s, /icmp\b/y) !== null) return parseIcmp(s, ip, defines);
  if (match(s, /udp\b/y) === null) return parseTcp(s, ip, defines);
  const ports = parsePorts(s);
  return { kind: 'udp', ...ip, ports, length: parseLength(s) };
}
