// The words of a filter: where one ends and the next begins, and what kind it is.
//
// lex() cuts the text as tcpdump does: at each place the longest word that fits, so that `ftp-data` and `6000-6008` are one word, and
// `10-5` is one, too, and no subtraction. Read first: pcap-filter(7).

import { parseIp6 } from './address.ts';
import { FilterError } from './error.ts';
import { NUMBER_WORDS } from './names.ts';
import { PROTOCOL_WORDS } from './qualifiers.ts';

/** Kinds of words. */
export const T_END = 0;
/** A name, or one behind a backslash that would be a keyword otherwise. */
export const T_ID = 1;
export const T_NUM = 2;
/** One to four decimal numbers with dots between: an IPv4 address, or the front of one. */
export const T_HID = 3;
export const T_HID6 = 4;
/** A link-layer address. */
export const T_EID = 5;
/** A protocol: `value` is its Q_. */
export const T_PROTO = 6;
/** Any other keyword, and operators: `text` tells which; `and`, `or`, `not` and `=` stand for their other spellings. */
export const T_WORD = 7;

export class Token {
  type: number;
  text: string;
  value: number;
  at: number;
  length: number;

  constructor(type: number, text: string, value: number, at: number, length: number) {
    this.type = type;
    this.text = text;
    this.value = value;
    this.at = at;
    this.length = length;
  }
}

/** Keywords that are no protocols, with their other spellings. */
const KEYWORDS: ReadonlyMap<string, string> = new Map([
  ...['dst', 'src', 'host', 'net', 'mask', 'port', 'portrange', 'proto', 'protochain', 'gateway', 'less', 'greater', 'byte', 'broadcast',
    'multicast', 'and', 'or', 'not', 'len', 'inbound', 'outbound', 'vlan', 'mpls', 'pppoed', 'pppoes', 'geneve', 'llc',
    'addr1', 'addr2', 'addr3', 'addr4', 'ra', 'ta', 'type', 'subtype', 'dir', 'ifindex',
  ].map((word) => [word, word] as const),
  ['length', 'len'], ['direction', 'dir'], ['address1', 'addr1'], ['address2', 'addr2'], ['address3', 'addr3'], ['address4', 'addr4'],
]);

/** Keywords of what is not read here, and of what they are. */
const FOREIGN: ReadonlyMap<string, string> = new Map([
  ...['lane', 'metac', 'bcc', 'oam', 'oamf4', 'oamf4ec', 'oamf4sc', 'oamf4e', 'oamf4s', 'sc', 'ilmic', 'vpi', 'vci', 'connectmsg', 'metaconnect']
    .map((word) => [word, 'SunATM'] as const),
  ...['on', 'ifname', 'rset', 'ruleset', 'rulenum', 'srnr', 'subrulenum', 'reason', 'action'].map((word) => [word, "BSD's pf log"] as const),
  ...['fisu', 'lssu', 'lsu', 'msu', 'hfisu', 'hlssu', 'hmsu', 'sio', 'opc', 'dpc', 'sls', 'hsio', 'hopc', 'hdpc', 'hsls'].map((word) => [word, 'SS7'] as const),
]);

/** Operators, longest first. */
const OPERATORS: ReadonlyArray<readonly [spelling: string, text: string]> = [
  ['&&', 'and'], ['||', 'or'], ['<<', '<<'], ['>>', '>>'], ['<=', '<='], ['>=', '>='], ['!=', '!='], ['==', '='],
  ...[...'+-*/%&|^:[]()<>='].map((one) => [one, one] as const), ['!', 'not'],
];

const NAME = /[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/y;
const NUMBER = /0[xX][0-9A-Fa-f]+|[0-9]+/y;
const DOTTED = /[0-9]+(?:\.[0-9]+){1,3}/y;
const MAC = /[0-9A-Fa-f]{1,2}(?:([:.-])[0-9A-Fa-f]{1,2})(?:\1[0-9A-Fa-f]{1,2}){4}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}|[0-9A-Fa-f]{12}/y;
const COLONS = /[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/y;
const ESCAPED = /\\[^ !()\n\t]+/y;
const SPACE = /[ \r\n\t]+/y;

/** The words of `text`, a T_END behind the last. Throws a FilterError where no word can begin. */
export function lex(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    const space = matchAt(SPACE, text, at).length;
    at += space;
    if (space > 0) continue;
    const token = nextToken(text, at);
    tokens.push(token);
    at += token.length;
  }
  tokens.push(new Token(T_END, '', 0, text.length, 0));
  return tokens;
}

/** The longest word at `at`; of two equally long ones, the first of this order. */
function nextToken(text: string, at: number): Token {
  const number = matchAt(NUMBER, text, at);
  const mac = matchAt(MAC, text, at);
  const dotted = matchAt(DOTTED, text, at);
  const ip6 = ip6At(text, at);
  const name = matchAt(NAME, text, at);
  const longest = Math.max(number.length, mac.length, dotted.length, ip6.length, name.length);
  if (longest === 0) return operatorOrEscaped(text, at);
  if (KEYWORDS.has(name) || PROTOCOL_WORDS.has(name) || NUMBER_WORDS.has(name) || FOREIGN.has(name)) {
    if (name.length === longest) return keyword(text, name, at);
  }
  if (mac.length === longest) return new Token(T_EID, mac, 0, at, longest);
  if (number.length === longest) return new Token(T_NUM, number, numberValue(text, number, at), at, longest);
  if (dotted.length === longest) return new Token(T_HID, dotted, 0, at, longest);
  if (ip6.length === longest) return new Token(T_HID6, ip6, 0, at, longest);
  return new Token(T_ID, name, 0, at, longest);
}

function keyword(text: string, name: string, at: number): Token {
  const foreign = FOREIGN.get(name);
  if (foreign !== undefined) throw new FilterError(`'${name}' is for captures of ${foreign}, which are not read here`, text, at, name.length);
  const proto = PROTOCOL_WORDS.get(name);
  if (proto !== undefined) return new Token(T_PROTO, name, proto, at, name.length);
  const value = NUMBER_WORDS.get(name);
  if (value !== undefined) return new Token(T_NUM, name, value, at, name.length);
  return new Token(T_WORD, KEYWORDS.get(name) ?? name, 0, at, name.length);
}

function operatorOrEscaped(text: string, at: number): Token {
  const escaped = matchAt(ESCAPED, text, at);
  if (escaped !== '') return new Token(T_ID, escaped.slice(1), 0, at, escaped.length);
  const operator = OPERATORS.find(([spelling]) => text.startsWith(spelling, at));
  if (operator === undefined) throw new FilterError(`illegal character '${String.fromCodePoint(text.codePointAt(at) ?? 0)}'`, text, at, 1);
  return new Token(T_WORD, operator[1], 0, at, operator[0].length);
}

/** An IPv6 address in full at `at`: what only looks like one, such as `0:2` in `ip[0:2]`, is none. */
function ip6At(text: string, at: number): string {
  const run = matchAt(COLONS, text, at);
  for (let length = run.length; length >= 2; length--) {
    const candidate = run.slice(0, length);
    if (parseIp6(candidate) !== null) return candidate;
  }
  return '';
}

/** The value of a number as C writes it: decimal, 0x… or 0…, of 32 bits. */
function numberValue(text: string, number: string, at: number): number {
  if (/^0[0-9]*[89]/.test(number)) throw new FilterError(`number ${number} contains a digit that is not octal`, text, at, number.length);
  const octal = /^0[0-7]+$/.test(number);
  const value = octal ? Number.parseInt(number, 8) : Number(number);
  if (value > 0xffffffff) throw new FilterError(`number ${number} overflows 32 bits`, text, at, number.length);
  return value;
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}
