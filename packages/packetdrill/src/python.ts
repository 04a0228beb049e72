/*
 * The Python of `%{ … }%`, as far as scripts go: assertions over numbers, assignments of them, several to a line. Comparisons
 * chain as Python's do; the message of an assertion is evaluated only when it fails.
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

function statement(text: string, names: Names): void {
  const p = new Parser(text, names);
  if (take(p, 'assert')) {
    const held = truth(or(p));
    const said = take(p, ',') ? `: ${String(or(p))}` : '';
    if (peek(p).kind !== 'end') throw new PythonError(`not expected behind the assertion: ${peek(p).text}`);
    if (!held) throw new PythonError(`${text.trim()} does not hold${said}`);
    return;
  }
  const [name, equals] = p.tokens;
  if (name?.kind !== 'name' || equals?.text !== '=') throw new PythonError(`an assertion or an assignment expected: ${text.trim()}`);
  p.at = 2;
  names.set(name.text, numeric(or(p)));
}

/** Line ends count only outside parentheses, as in Python; `\` at the end of a line joins it to the next. */
function statements(code: string): string[] {
  const bare = code.replace(/('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|#[^\n]*/g, (_all, string: string | undefined) => string ?? '').replace(/\\\n/g, ' ');
  const out: string[] = [''];
  let depth = 0;
  for (const [part] of bare.matchAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|[\s\S]/g)) {
    if (part === '(') depth++;
    if (part === ')') depth--;
    if (depth === 0 && (part === '\n' || part === ';')) out.push('');
    else out[out.length - 1] += part;
  }
  return out.filter((text) => text.trim() !== '');
}

/** Runs the code with these names; throws a PythonError on the first assertion that does not hold. */
export function runPython(code: string, names: ReadonlyMap<string, number>): void {
  const scope: Names = new Map(names);
  for (const text of statements(code)) statement(text, scope);
}
