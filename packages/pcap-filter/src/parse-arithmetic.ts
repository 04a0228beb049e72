// The arithmetic of a filter: constants, `len`, bytes of the packet, operators between.
//
// `*` and `/` bind closest, then `+ -`, `<< >>`, `&`, `|`. `%` and `^` have no precedence of their own in libpcap's grammar: they take what
// stands next to them on the left, and all that follows on the right. So `1 * 2 % 3 + 4` is `1 * (2 % (3 + 4))`.

import type { Arithmetic } from './ast.ts';
import { T_NUM, T_PROTO, T_WORD, type Token } from './lexer.ts';
import { nested, unexpected, type Parser } from './parse-state.ts';

const PRECEDENCE: ReadonlyMap<string, number> = new Map([
  ['|', 1], ['&', 2], ['<<', 3], ['>>', 3], ['+', 4], ['-', 4], ['*', 5], ['/', 5], ['%', 7], ['^', 7],
]);
const LOWEST = 1;
const OF_UNARY_MINUS = 6;
const GREEDY = 7;

const RELATIONS: readonly string[] = ['=', '!=', '<', '<=', '>', '>='];

/** Whether the word stands between two numbers, as an operator or a relation. */
export function isArithmeticOperator(token: Token): boolean {
  return token.type === T_WORD && (PRECEDENCE.has(token.text) || RELATIONS.includes(token.text));
}

/** The relation that comes; null if none does. */
export function relationOperator(parser: Parser): string | null {
  const token = parser.tokens[parser.at]!;
  return token.type === T_WORD && RELATIONS.includes(token.text) ? token.text : null;
}

/** The arithmetic that comes; null if none does, or if it ends where it cannot within parentheses. */
export function arithmetic(parser: Parser, least: number = LOWEST): Arithmetic | null {
  let left = operand(parser);
  while (left !== null) {
    const word = parser.tokens[parser.at]!;
    const precedence = word.type === T_WORD ? PRECEDENCE.get(word.text) ?? 0 : 0;
    if (precedence < least) return left;
    parser.at++;
    const above = precedence === GREEDY ? LOWEST : precedence + 1;
    const right: Arithmetic | null = nested(parser, (inner) => arithmetic(inner, above));
    if (right === null) throw unexpected(parser, 'a number, len, or a protocol with an offset such as tcp[13]');
    left = { kind: 'operation', operator: word.text, left, right, word };
  }
  return null;
}

function operand(parser: Parser): Arithmetic | null {
  const word = parser.tokens[parser.at]!;
  if (word.type === T_NUM) {
    parser.at++;
    return { kind: 'constant', value: word.value, word };
  }
  if (word.type === T_PROTO && parser.tokens[parser.at + 1]!.text === '[') return load(parser, word);
  if (word.type !== T_WORD) return null;
  switch (word.text) {
    case 'len':
      parser.at++;
      return { kind: 'length', word };
    case '-': {
      parser.at++;
      const negated = nested(parser, (inner) => arithmetic(inner, OF_UNARY_MINUS));
      if (negated === null) throw unexpected(parser, 'a number, len, or a protocol with an offset such as tcp[13]');
      return { kind: 'negative', operand: negated, word };
    }
    case '(': return parenthesized(parser);
    default: return null;
  }
}

/** null if what is in the parentheses is no arithmetic, but an expression. */
function parenthesized(parser: Parser): Arithmetic | null {
  parser.at++;
  const inside = nested(parser, arithmetic);
  if (inside === null || parser.tokens[parser.at]!.text !== ')') return null;
  parser.at++;
  return inside;
}

/** `proto [ offset ]` or `proto [ offset : size ]`. */
function load(parser: Parser, word: Token): Arithmetic {
  parser.at += 2;
  const offset = nested(parser, arithmetic);
  if (offset === null) throw unexpected(parser, 'an offset');
  let size: Token | null = null;
  if (parser.tokens[parser.at]!.text === ':') {
    size = parser.tokens[parser.at + 1]!;
    parser.at++;
    if (size.type !== T_NUM) throw unexpected(parser, 'a size: 1, 2 or 4');
    parser.at++;
  }
  if (parser.tokens[parser.at]!.text !== ']') throw unexpected(parser, size === null ? "':' and a size, or ']'" : "']'");
  parser.at++;
  return { kind: 'load', proto: word.value, offset, size, word };
}
