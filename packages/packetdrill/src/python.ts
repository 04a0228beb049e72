/*
 * The Python of `%{ … }%`, as far as scripts go: assertions over numbers, assignments of them, several to a line; print(); if, elif
 * and else. Comparisons chain as Python's do; the message of an assertion is evaluated only when it fails.
 *
 * runPython() -> logicalLines() -> runBlock(): each statement of a block, of an `if` the block whose condition holds.
 */

/** An assertion that does not hold, or a line that is no Python of ours. */
export class PythonError extends Error {
  override readonly name = 'PythonError';
}

type Value = number | string | readonly Value[];
type Names = Map<string, number>;

const TOKEN = /\s*(?:(0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?)|([A-Za-z_]\w*)|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(\/\/|<<|>>|<=|>=|==|!=|[-+*/%&|^~<>()=,]))/y;

interface Token {
  readonly kind: 'number' | 'name' | 'string' | 'op' | 'end';
  readonly text: string;
}

function tokens(line: string): Token[] {
  const out: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < line.length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(line);
    if (found === null) {
      if (line.slice(at).trim() === '') break;
      throw new PythonError(`not understood: ${line.slice(at)}`);
    }
    const [, number, name, string, op] = found;
    out.push(number !== undefined ? { kind: 'number', text: number } : name !== undefined ? { kind: 'name', text: name }
      : string !== undefined ? { kind: 'string', text: string.slice(1, -1) } : { kind: 'op', text: op ?? '' });
  }
  return [...out, { kind: 'end', text: 'the end' }];
}

/** Binary operators of numbers, from the loosest to the tightest. */
const LEVELS: readonly Readonly<Record<string, (a: number, b: number) => number>>[] = [
  { '|': (a, b) => Number(BigInt(a) | BigInt(b)) },
  { '^': (a, b) => Number(BigInt(a) ^ BigInt(b)) },
  { '&': (a, b) => Number(BigInt(a) & BigInt(b)) },
  { '<<': (a, b) => Number(BigInt(a) << BigInt(b)), '>>': (a, b) => Number(BigInt(a) >> BigInt(b)) },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  { '*': (a, b) => a * b, '/': (a, b) => a / b, '//': (a, b) => Math.floor(a / b), '%': (a, b) => a - b * Math.floor(a / b) },
];

const COMPARISONS: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  '==': (a, b) => a === b, '!=': (a, b) => a !== b, '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b,
};

class Parser {
  readonly tokens: readonly Token[];
  readonly names: Names;
  at: number;

  constructor(line: string, names: Names) {
    this.tokens = tokens(line);
    this.names = names;
    this.at = 0;
  }
}

function peek(p: Parser): Token {
  return p.tokens[p.at] ?? { kind: 'end', text: 'the end' };
}

function take(p: Parser, text: string): boolean {
  const token = peek(p);
  if (token.text !== text || token.kind === 'string' || token.kind === 'end') return false;
  p.at++;
  return true;
}

function truth(value: Value): boolean {
  return typeof value === 'number' ? value !== 0 : value.length > 0;
}

function numeric(value: Value): number {
  if (typeof value !== 'number') throw new PythonError('an operator wants numbers');
  return value;
}

/** `'%d of %s' % (a, b)`. */
function format(text: string, args: Value): string {
  const list = Array.isArray(args) ? [...(args as readonly Value[])] : [args];
  return text.replace(/%(?:\.(\d+))?([dsfxi%])/g, (_all, digits: string | undefined, how: string) => {
    if (how === '%') return '%';
    const value = list.shift() ?? '';
    if (how === 'x') return numeric(value).toString(16);
    return how === 'f' ? numeric(value).toFixed(Number(digits ?? 6)) : String(value);
  });
}

function primary(p: Parser): Value {
  const token = peek(p);
  p.at++;
  if (token.kind === 'number') return Number(token.text);
  if (token.kind === 'string') return token.text;
  if (token.kind === 'name') {
    const value = p.names.get(token.text);
    if (value === undefined) throw new PythonError(`nothing is named ${token.text}`);
    return value;
  }
  if (token.text === '-') return -numeric(primary(p));
  if (token.text === '+') return numeric(primary(p));
  if (token.text === '~') return -numeric(primary(p)) - 1;
  if (token.text !== '(') throw new PythonError(`not expected here: ${token.text}`);
  const value = tuple(p);
  if (!take(p, ')')) throw new PythonError(`')' expected before ${peek(p).text}`);
  return value;
}

function binary(p: Parser, level: number): Value {
  const operators = LEVELS[level];
  if (operators === undefined) return primary(p);
  let left = binary(p, level + 1);
  for (let fn = operators[peek(p).text]; fn !== undefined && peek(p).kind === 'op'; fn = operators[peek(p).text]) {
    const { text } = peek(p);
    p.at++;
    const right = binary(p, level + 1);
    left = text === '%' && typeof left === 'string' ? format(left, right) : fn(numeric(left), numeric(right));
  }
  return left;
}

function comparison(p: Parser): Value {
  let left = binary(p, 0);
  let result: boolean | null = null;
  for (let fn = COMPARISONS[peek(p).text]; fn !== undefined && peek(p).kind === 'op'; fn = COMPARISONS[peek(p).text]) {
    p.at++;
    const right = binary(p, 0);
    result = (result ?? true) && fn(left, right);
    left = right;
  }
  return result === null ? left : Number(result);
}

function not(p: Parser): Value {
  return take(p, 'not') ? Number(!truth(not(p))) : comparison(p);
}

function and(p: Parser): Value {
  let left = not(p);
  while (take(p, 'and')) {
    const right = not(p);
    left = truth(left) ? right : left;
  }
  return left;
}

function or(p: Parser): Value {
  let left = and(p);
  while (take(p, 'or')) {
    const right = and(p);
    left = truth(left) ? left : right;
  }
  return left;
}

function tuple(p: Parser): Value {
  const first = or(p);
  if (!take(p, ',')) return first;
  const all: Value[] = [first];
  while (peek(p).text !== ')') {
    all.push(or(p));
    if (!take(p, ',')) break;
  }
  return all;
}

/** What a script has: its names, and where it prints to. */
interface Scope {
  readonly names: Names;
  readonly print: (text: string) => void;
}

function end(p: Parser, what: string): void {
  if (peek(p).kind !== 'end') throw new PythonError(`not expected behind ${what}: ${peek(p).text}`);
}

function statement(text: string, { names, print }: Scope): void {
  const p = new Parser(text, names);
  if (take(p, 'pass')) return;
  if (take(p, 'assert')) {
    const held = truth(or(p));
    const said = take(p, ',') ? `: ${String(or(p))}` : '';
    end(p, 'the assertion');
    if (!held) throw new PythonError(`${text.trim()} does not hold${said}`);
    return;
  }
  const [name, next] = p.tokens;
  if (name?.text === 'print' && next?.text === '(') {
    p.at = 2;
    const values = peek(p).text === ')' ? [] : [tuple(p)].flat();
    if (!take(p, ')')) throw new PythonError(`')' expected before ${peek(p).text}`);
    end(p, 'print()');
    print(values.join(' '));
    return;
  }
  if (name?.kind !== 'name' || next?.text !== '=') throw new PythonError(`an assertion or an assignment expected: ${text.trim()}`);
  p.at = 2;
  names.set(name.text, numeric(or(p)));
}

/** A line of the code, and how far it is indented. */
interface Line {
  readonly indent: number;
  readonly text: string;
}

/** Strings whole, all else by the character. */
const STRINGS = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|[\s\S]/g;

/** Line ends count only outside parentheses, as in Python; `\` at the end of a line joins it to the next. */
function logicalLines(code: string): Line[] {
  const bare = code.replace(/('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|#[^\n]*/g, (_all, string: string | undefined) => string ?? '').replace(/\\\n/g, ' ');
  const out: string[] = [''];
  let depth = 0;
  for (const [part] of bare.matchAll(STRINGS)) {
    if (part === '(') depth++;
    if (part === ')') depth--;
    if (depth === 0 && part === '\n') out.push('');
    else out[out.length - 1] += part;
  }
  return out.filter((text) => text.trim() !== '').map((text) => ({ indent: /^\s*/.exec(text)?.[0].length ?? 0, text }));
}

/** What stands before and behind the first `separator` outside strings; null if there is none. */
function splitAt(text: string, separator: string): [string, string] | null {
  for (const found of text.matchAll(STRINGS)) if (found[0] === separator) return [text.slice(0, found.index), text.slice(found.index + 1)];
  return null;
}

function simple(text: string, scope: Scope, run: boolean): void {
  const parts = splitAt(text, ';');
  const [first, rest] = parts ?? [text, ''];
  if (run && first.trim() !== '') statement(first, scope);
  if (rest.trim() !== '') simple(rest, scope, run);
}

const CLAUSE = /^\s*(if|elif|else)\b(.*)$/s;

/** `if …:`, and all its `elif …:` and `else:`: returns the index of the line behind. */
function runIf(lines: readonly Line[], start: number, scope: Scope, run: boolean): number {
  let at = start;
  let open = run;
  for (let clause = CLAUSE.exec(lines[at]?.text ?? ''); clause !== null && (at === start || clause[1] !== 'if'); clause = CLAUSE.exec(lines[at]?.text ?? '')) {
    const [, word = '', rest = ''] = clause;
    const [condition, body] = splitAt(rest, ':') ?? [];
    if (condition === undefined || body === undefined) throw new PythonError(`':' expected: ${clause[0].trim()}`);
    const p = new Parser(condition, scope.names);
    const held = open && (word === 'else' || truth(or(p)));
    if (open && word !== 'else') end(p, 'the condition');
    if (held) open = false;
    at++;
    if (body.trim() === '') at = runBlock(lines, at, lines[at - 1]?.indent ?? 0, scope, held);
    else simple(body, scope, held);
  }
  return at;
}

/** The lines that are indented as the first is, which is more than `outer`: returns the index of the line behind. */
function runBlock(lines: readonly Line[], start: number, outer: number, scope: Scope, run: boolean): number {
  const indent = lines[start]?.indent ?? -1;
  // The very first line stands behind `%{`: how far it is indented says nothing.
  if (indent <= outer && start !== 1) throw new PythonError('an indented block expected');
  let at = start;
  for (let line = lines[at]; line !== undefined && (at === start || line.indent >= indent); line = lines[at]) {
    const word = CLAUSE.exec(line.text)?.[1];
    if (word === 'if') {
      at = runIf(lines, at, scope, run);
    } else if (word === undefined) {
      simple(line.text, scope, run);
      at++;
    } else {
      throw new PythonError(`${word} without an if`);
    }
  }
  return at;
}

const nowhere = (): void => undefined;

/**
 * Runs the code with these names; throws a PythonError on the first assertion that does not hold.
 *
 * @param print is given the lines that the code prints
 */
export function runPython(code: string, names: ReadonlyMap<string, number>, print: (text: string) => void = nowhere): void {
  const scope: Scope = { names: new Map([['True', 1], ['False', 0], ...names]), print };
  const lines = logicalLines(code);
  for (let at = 0; at < lines.length;) at = runBlock(lines, at, -1, scope, true);
}
