/*
 * Goes through the text of a script: blanks and comments are nowhere, an error says where it is.
 */

/** A script that cannot be read: `message` says the line, the line itself, and what was expected there. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

export class Scanner {
  readonly text: string;
  readonly file: string;
  pos: number;

  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
    this.pos = 0;
  }
}

const BLANK = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|#[^\n]*)*/y;

/** Goes to the next character that says something. */
export function skipBlanks(s: Scanner): void {
  BLANK.lastIndex = s.pos;
  BLANK.test(s.text);
  s.pos = BLANK.lastIndex;
}

export function atEnd(s: Scanner): boolean {
  skipBlanks(s);
  return s.pos >= s.text.length;
}

export function lineOf(s: Scanner, pos: number): number {
  let line = 1;
  for (let at = s.text.indexOf('\n'); at >= 0 && at < pos; at = s.text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Whether `token` comes next. */
export function looking(s: Scanner, token: string): boolean {
  skipBlanks(s);
  return s.text.startsWith(token, s.pos);
}

/** Takes `token` if it comes next. */
export function accept(s: Scanner, token: string): boolean {
  if (!looking(s, token)) return false;
  s.pos += token.length;
  return true;
}

/** Takes what a sticky expression matches, if it does. */
export function match(s: Scanner, pattern: RegExp): RegExpExecArray | null {
  skipBlanks(s);
  pattern.lastIndex = s.pos;
  const found = pattern.exec(s.text);
  if (found !== null) s.pos += found[0].length;
  return found;
}

export function fail(s: Scanner, expected: string): never {
  skipBlanks(s);
  const line = lineOf(s, s.pos);
  const start = s.text.lastIndexOf('\n', s.pos - 1) + 1;
  const end = s.text.indexOf('\n', s.pos);
  const text = s.text.slice(start, end < 0 ? undefined : end);
  const caret = text.slice(0, s.pos - start).replace(/[^\t]/g, ' ');
  throw new ScriptError(`${s.file}:${line}: expected ${expected}\n${text}\n${caret}^`, line);
}

export function expect(s: Scanner, token: string): void {
  if (!accept(s, token)) fail(s, `'${token}'`);
}

const WORD = /[A-Za-z_]\w*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|\d+/y;

export function word(s: Scanner, what: string): string {
  return match(s, WORD)?.[0] ?? fail(s, what);
}

export function number(s: Scanner, what: string): number {
  const found = match(s, NUMBER);
  return found === null ? fail(s, what) : Number(found[0]);
}

/** Everything up to `end`, which is taken too. */
export function rawUntil(s: Scanner, end: string): string {
  const at = s.text.indexOf(end, s.pos);
  if (at < 0) fail(s, `'${end}'`);
  const text = s.text.slice(s.pos, at);
  s.pos = at + end.length;
  return text;
}
