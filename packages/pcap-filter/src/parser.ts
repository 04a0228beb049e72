// Words to a tree, by the grammar of pcap-filter(7).
//
// parse() → expression(): terms and ids with `and` and `or` between, of equal precedence, from the left; term(): what begins with a
// qualifier, a protocol, a keyword or a number; ids(): what inherits the qualifiers of what stands before it. A primitive
// without an id leaves Q_UNDEF, so that none can follow. Arithmetic is in parse-arithmetic.ts.

import type { Encapsulation, Expression, Identified } from './ast.ts';
import { FilterError } from './error.ts';
import { T_EID, T_END, T_HID, T_HID6, T_ID, T_NUM, T_PROTO, T_WORD, type Token } from './lexer.ts';
import { arithmetic, isArithmeticOperator, relationOperator } from './parse-arithmetic.ts';
import { accept, expect, isWord, nested, next, Parser, unexpected } from './parse-state.ts';
import {
  Q_ADDR1, Q_ADDR2, Q_ADDR3, Q_ADDR4, Q_AND, Q_DEFAULT, Q_DST, Q_GATEWAY, Q_HOST, Q_NET, Q_OR, Q_PORT, Q_PORTRANGE, Q_PROTO,
  Q_PROTOCHAIN, Q_RA, Q_SRC, Q_TA, Q_UNDEF, type Qualifiers,
} from './qualifiers.ts';

/** A part that has been read, and the qualifiers that an id behind it inherits. */
interface Read {
  readonly expression: Expression;
  readonly qualifiers: Qualifiers;
}

const NO_ID: Qualifiers = { addr: Q_UNDEF, proto: Q_UNDEF, dir: Q_UNDEF };
const PRIMITIVE = 'host, net, port, a protocol or another primitive';

const TYPES: ReadonlyMap<string, number> = new Map([
  ['host', Q_HOST], ['net', Q_NET], ['port', Q_PORT], ['portrange', Q_PORTRANGE], ['gateway', Q_GATEWAY], ['proto', Q_PROTO], ['protochain', Q_PROTOCHAIN],
]);
const DIRECTIONS: ReadonlyMap<string, number> = new Map([
  ['src', Q_SRC], ['dst', Q_DST], ['addr1', Q_ADDR1], ['addr2', Q_ADDR2], ['addr3', Q_ADDR3], ['addr4', Q_ADDR4], ['ra', Q_RA], ['ta', Q_TA],
]);
const BYTE_OPERATORS: readonly string[] = ['=', '<', '>'];
const WLAN_WORDS: readonly string[] = ['type', 'subtype', 'dir'];

/** The tree of `text`; null if it says nothing, which is true of every packet. Throws a FilterError that points at the wrong word. */
export function parse(text: string): Expression | null {
  const parser = new Parser(text);
  if (next(parser).type === T_END) return null;
  const read = expression(parser);
  if (next(parser).type !== T_END) throw unexpected(parser, "'and', 'or' or the end");
  return read.expression;
}

function expression(parser: Parser): Read {
  let left = term(parser);
  for (let kind = combination(parser); kind !== null; kind = combination(parser)) {
    parser.at++;
    const right = beginsId(parser) ? id(parser, left.qualifiers) : term(parser);
    left = { expression: { kind, left: left.expression, right: right.expression }, qualifiers: right.qualifiers };
  }
  return left;
}

function combination(parser: Parser): 'and' | 'or' | null {
  return isWord(parser, 'and') ? 'and' : isWord(parser, 'or') ? 'or' : null;
}

function term(parser: Parser): Read {
  if (accept(parser, 'not')) {
    const read = nested(parser, term);
    return { expression: { kind: 'not', operand: read.expression }, qualifiers: read.qualifiers };
  }
  const compared = relation(parser);
  if (compared !== null) return { expression: compared, qualifiers: NO_ID };
  if (accept(parser, '(')) {
    const read = nested(parser, expression);
    expect(parser, ')', "'and', 'or' or ')'");
    return { expression: read.expression, qualifiers: NO_ID };
  }
  return primitive(parser);
}

/** `arith relop arith`, if that is what comes: it may begin with parentheses, as an expression may, so it is tried first. */
function relation(parser: Parser): Expression | null {
  const from = parser.at;
  if (!mayBeArithmetic(parser)) return null;
  const left = arithmetic(parser);
  const operator = left === null ? null : relationOperator(parser);
  if (left === null || operator === null) {
    parser.at = from;
    return null;
  }
  parser.at++;
  const right = arithmetic(parser);
  if (right === null) throw unexpected(parser, 'a number, len, or a protocol with an offset such as tcp[13]');
  return { kind: 'relation', operator, left, right };
}

function mayBeArithmetic(parser: Parser): boolean {
  let at = parser.at;
  while (parser.tokens[at]!.text === '(' && parser.tokens[at]!.type === T_WORD) at++;
  const token = parser.tokens[at]!;
  if (token.type === T_PROTO) return parser.tokens[at + 1]!.text === '[';
  return token.type === T_NUM || (token.type === T_WORD && (token.text === 'len' || token.text === '-'));
}

/** What begins with a qualifier, a protocol or a keyword. */
function primitive(parser: Parser): Read {
  const word = next(parser);
  const single = keywordPrimitive(parser, word);
  if (single !== null) return { expression: single, qualifiers: NO_ID };
  const proto = word.type === T_PROTO ? word.value : Q_DEFAULT;
  if (word.type === T_PROTO) parser.at++;
  for (const kind of ['broadcast', 'multicast'] as const) {
    const found = next(parser);
    if (accept(parser, kind)) return { expression: { kind, proto, word: found }, qualifiers: NO_ID };
  }
  const dir = direction(parser);
  const typeWord = next(parser);
  const addr = typeWord.type === T_WORD ? TYPES.get(typeWord.text) : undefined;
  if (addr !== undefined) parser.at++;
  if (dir !== Q_DEFAULT && (addr === Q_PROTO || addr === Q_PROTOCHAIN || addr === Q_GATEWAY)) {
    throw new FilterError(`'${typeWord.text}' has no direction`, parser.text, word.at, typeWord.at + typeWord.length - word.at);
  }
  if (dir === Q_DEFAULT && addr === undefined) {
    if (word.type !== T_PROTO) throw unexpected(parser, PRIMITIVE);
    return { expression: { kind: 'protocol', proto, word }, qualifiers: NO_ID };
  }
  return id(parser, { addr: addr ?? Q_DEFAULT, proto, dir });
}

/** A primitive that is a keyword and perhaps a number; null if another comes. */
function keywordPrimitive(parser: Parser, word: Token): Expression | null {
  if (word.type !== T_WORD) return null;
  switch (word.text) {
    case 'less':
    case 'greater':
      parser.at++;
      return { kind: word.text, length: number(parser, 'a length').value };
    case 'byte': {
      parser.at++;
      const offset = number(parser, 'an offset').value;
      const operator = next(parser).text;
      if (!BYTE_OPERATORS.includes(operator)) throw unexpected(parser, BYTE_OPERATORS.join(', '));
      parser.at++;
      return { kind: 'byte', offset, operator, value: number(parser, 'a number').value, word };
    }
    case 'vlan':
    case 'mpls':
    case 'pppoed':
    case 'pppoes':
    case 'geneve': return encapsulation(parser, word, word.text);
    case 'inbound':
    case 'outbound':
      parser.at++;
      return { kind: word.text, word };
    case 'llc': {
      parser.at++;
      const type = next(parser).type === T_ID ? parser.tokens[parser.at++]! : null;
      return { kind: 'llc', type, word };
    }
    default:
      if (WLAN_WORDS.includes(word.text)) throw new FilterError(`'${word.text}' is not supported: of 802.11 the type is in 'link[0] & 0xfc'`, parser.text, word.at, word.length);
      return null;
  }
}

function encapsulation(parser: Parser, word: Token, kind: Encapsulation['kind']): Expression {
  parser.at++;
  const tagged = kind !== 'pppoed' && beginsNumber(parser);
  return { kind, id: tagged ? number(parser, 'a number') : null, word };
}

function direction(parser: Parser): number {
  const first = next(parser);
  const dir = first.type === T_WORD ? DIRECTIONS.get(first.text) : undefined;
  if (dir === undefined) return Q_DEFAULT;
  parser.at++;
  if (dir !== Q_SRC && dir !== Q_DST) return dir;
  const other = dir === Q_SRC ? 'dst' : 'src';
  const behind = parser.tokens[parser.at + 1] ?? next(parser);
  const kind = combination(parser);
  if (kind === null || behind.type !== T_WORD || behind.text !== other) return dir;
  parser.at += 2;
  return kind === 'or' ? Q_OR : Q_AND;
}

/** An id, or a list of ids in parentheses, of these qualifiers. */
function id(parser: Parser, qualifiers: Qualifiers): Read {
  const word = next(parser);
  if (accept(parser, 'not')) return { expression: { kind: 'not', operand: nested(parser, (inner) => id(inner, qualifiers)).expression }, qualifiers };
  if (accept(parser, '(')) {
    const list = nested(parser, (inner) => ids(inner, qualifiers));
    expect(parser, ')', "'and', 'or' or ')'");
    return { expression: list, qualifiers };
  }
  if (!isId(word)) throw unexpected(parser, idOf(qualifiers));
  if (qualifiers.addr === Q_UNDEF) throw new FilterError(`'${word.text}' has nothing to inherit: expected ${PRIMITIVE} before it`, parser.text, word.at, word.length);
  parser.at++;
  return { expression: identified(parser, qualifiers, word), qualifiers };
}

function ids(parser: Parser, qualifiers: Qualifiers): Expression {
  let left = id(parser, qualifiers).expression;
  for (let kind = combination(parser); kind !== null; kind = combination(parser)) {
    parser.at++;
    left = { kind, left, right: id(parser, qualifiers).expression };
  }
  return left;
}

function identified(parser: Parser, qualifiers: Qualifiers, word: Token): Identified {
  const dotted = word.type === T_HID;
  if ((dotted || word.type === T_HID6) && accept(parser, '/')) return { kind: 'id', qualifiers, word, prefix: number(parser, 'the length of a prefix'), mask: null };
  if (!dotted || !accept(parser, 'mask')) return { kind: 'id', qualifiers, word, prefix: null, mask: null };
  const mask = next(parser);
  if (mask.type !== T_HID) throw unexpected(parser, 'a mask such as 255.255.0.0');
  parser.at++;
  return { kind: 'id', qualifiers, word, prefix: null, mask };
}

/** What an id of these qualifiers looks like, for an error. */
function idOf(qualifiers: Qualifiers): string {
  switch (qualifiers.addr) {
    case Q_PORT: return 'the number or name of a port';
    case Q_PORTRANGE: return 'two ports such as 6000-6008';
    case Q_NET: return 'a network such as 10.0.0.0/8';
    case Q_PROTO:
    case Q_PROTOCHAIN: return 'the number or name of a protocol';
    default: return "an address or a host's name";
  }
}

/** Whether behind `and` or `or` an id comes, which inherits, and no term: a number may begin either, and so may a parenthesis. */
function beginsId(parser: Parser): boolean {
  let at = parser.at;
  let open = 0;
  for (; parser.tokens[at]!.type === T_WORD && (parser.tokens[at]!.text === '(' || parser.tokens[at]!.text === 'not'); at++) {
    if (parser.tokens[at]!.text === '(') open++;
  }
  if (!isId(parser.tokens[at]!)) return false;
  if (parser.tokens[at]!.type !== T_NUM) return true;
  for (at++; open > 0 && parser.tokens[at]!.text === ')'; at++) open--;
  return !isArithmeticOperator(parser.tokens[at]!);
}

function beginsNumber(parser: Parser): boolean {
  let at = parser.at;
  while (parser.tokens[at]!.type === T_WORD && parser.tokens[at]!.text === '(') at++;
  return parser.tokens[at]!.type === T_NUM;
}

/** A number, perhaps in parentheses. */
function number(parser: Parser, what: string): Token {
  if (accept(parser, '(')) {
    const inside = number(parser, what);
    expect(parser, ')', "')'");
    return inside;
  }
  const token = next(parser);
  if (token.type !== T_NUM) throw unexpected(parser, what);
  parser.at++;
  return token;
}

function isId(token: Token): boolean {
  return token.type === T_ID || token.type === T_NUM || token.type === T_HID || token.type === T_HID6 || token.type === T_EID;
}
