/*
 * Arguments and results of calls: numbers, names and their sums, strings, [arrays], {structs}, `...` for whatever it is.
 */
import { accept, expect, fail, looking, match, skipBlanks, word, type Scanner } from './scanner.ts';
import type { Expr } from './script.ts';
import { symbols } from './symbols.ts';

export type Defines = ReadonlyMap<string, string>;

const ANY: Expr = { kind: 'any' };
const NUMBER = /0[xX][0-9a-fA-F]+|-?\d+(?:\.\d+)?/y;
const STRING = /"((?:[^"\\]|\\.)*)"/y;

/** The number of a name: a -D of the command line, or one of Linux's. */
function nameValue(s: Scanner, defines: Defines): number {
  const pos = s.pos;
  let name = word(s, 'a number, a name, a string, [, { or ...');
  for (let i = 0; i < 8 && defines.has(name); i++) name = defines.get(name) ?? name;
  const value = symbols.get(name);
  if (value !== undefined) return value;
  if (/^(0x[0-9a-f]+|\d+)$/i.test(name)) return Number(name);
  s.pos = pos;
  return fail(s, `a name that has a number (${name} has none)`);
}

/** C's escapes: an octet as \xHH, a line end, or the character itself. */
function unescape(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{1,2})|(.))/g, (_all, hex: string | undefined, char: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
    return char === 'n' ? '\n' : char === '0' ? '\0' : char ?? '';
  });
}

/** `htons(8080)`, `inet_addr("1.2.3.4")`: what it is of, as it is; a name alone is its number. */
function term(s: Scanner, defines: Defines): Expr {
  const text = match(s, STRING);
  if (text !== null) return { kind: 'string', value: unescape(text[1] ?? '') };
  const digits = match(s, NUMBER);
  if (digits !== null) return { kind: 'int', value: Number(digits[0]) };
  if (match(s, /(?:htons|htonl|inet_addr|inet_pton)\s*\(/y) !== null) {
    const inner = parseExpr(s, defines);
    expect(s, ')');
    return inner;
  }
  return { kind: 'int', value: nameValue(s, defines) };
}

function list(s: Scanner, close: string, item: () => void): void {
  while (!accept(s, close)) {
    item();
    if (!accept(s, ',') && !looking(s, close)) fail(s, `',' or '${close}'`);
  }
}

const FIELD = /([A-Za-z_]\w*)\s*(?:\([^)]*\))?\s*=(?!=)/y;

/** `{name=value, …}`, `{value, …}`; the number in `msg_iov(2)=` says nothing that the list does not. */
function struct(s: Scanner, defines: Defines): Expr {
  const fields = new Map<string, Expr>();
  const items: Expr[] = [];
  list(s, '}', () => {
    const field = match(s, FIELD);
    const value = parseExpr(s, defines);
    if (field === null) items.push(value);
    else fields.set(field[1] ?? '', value);
  });
  return { kind: 'struct', fields, items };
}

export function parseExpr(s: Scanner, defines: Defines): Expr {
  skipBlanks(s);
  if (accept(s, '...')) return ANY;
  if (accept(s, '[')) {
    const items: Expr[] = [];
    list(s, ']', () => items.push(parseExpr(s, defines)));
    return { kind: 'array', items };
  }
  if (accept(s, '{')) return struct(s, defines);
  let left = term(s, defines);
  while (left.kind === 'int' && accept(s, '|')) {
    const right: Expr = term(s, defines);
    left = { kind: 'int', value: left.value | (right.kind === 'int' ? right.value : 0) };
  }
  return left;
}
