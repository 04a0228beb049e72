// A filter that is being read, and the steps that the parts of the parser share.

import { FilterError } from './error.ts';
import { lex, T_END, T_ID, T_PROTO, T_WORD, type Token } from './lexer.ts';
import { nearestWord } from './suggest.ts';

/** A filter that is being read. */
export class Parser {
  text: string;
  tokens: readonly Token[];
  at: number;
  /** Parentheses and negations around what is read now. */
  depth: number;

  constructor(text: string) {
    this.text = text;
    this.tokens = lex(text);
    this.at = 0;
    this.depth = 0;
  }
}

/** Deeper, nobody can read it, and the stack of who reads it has an end. */
const MAX_DEPTH = 250;

/** Reads what is within a parenthesis, or behind a `not`. */
export function nested<T>(parser: Parser, read: (parser: Parser) => T): T {
  const word = next(parser);
  if (++parser.depth > MAX_DEPTH) throw new FilterError(`nested deeper than ${MAX_DEPTH}`, parser.text, word.at, word.length);
  const inside = read(parser);
  parser.depth--;
  return inside;
}

/** The word that comes. */
export function next(parser: Parser): Token {
  return parser.tokens[parser.at]!;
}

/** Whether the word that comes is this keyword or operator. */
export function isWord(parser: Parser, text: string): boolean {
  const token = next(parser);
  return token.type === T_WORD && token.text === text;
}

/** Passes over the word that comes if it is this keyword or operator. */
export function accept(parser: Parser, text: string): boolean {
  if (!isWord(parser, text)) return false;
  parser.at++;
  return true;
}

/** Passes over this keyword or operator; throws what was `expected` if another word comes. */
export function expect(parser: Parser, text: string, expected: string): void {
  if (!accept(parser, text)) throw unexpected(parser, expected);
}

/** The error of a word that cannot stand where it does. */
export function unexpected(parser: Parser, expected: string): FilterError {
  const token = next(parser);
  if (token.type === T_END) return new FilterError(`the filter ends too early: expected ${expected}`, parser.text, token.at, 1);
  const written = parser.text.slice(token.at, token.at + token.length);
  const near = token.type === T_ID ? nearestWord(written) : null;
  const escape = token.type === T_PROTO ? ` (a name that is also a keyword is written \\${written})` : '';
  const hint = near === null ? escape : ` (did you mean '${near}'?)`;
  return new FilterError(`unexpected '${written}': expected ${expected}${hint}`, parser.text, token.at, token.length);
}
