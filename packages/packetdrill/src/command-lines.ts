/*
 * A block of commands into its lines: comments are gone, `\` joins lines, and a line that only goes on with assignments belongs to
 * the command above. `&&` and `;` stand between commands as a line end does: each must succeed.
 */

export interface CommandLine {
  /** The last part of the command's path. */
  readonly name: string;
  readonly words: readonly string[];
  readonly line: string;
}

/** The commands of a line; what stands in quotes or parentheses is one. */
function commandsOf(line: string): string[] {
  const out: string[] = [''];
  for (const [part] of line.matchAll(/"(?:[^"\\]|\\.)*"|'[^']*'|\([^()]*\)|&&|./g)) {
    if (part === '&&' || part === ';') out.push('');
    else out[out.length - 1] += part;
  }
  return out.map((one) => one.trim()).filter((one) => one !== '');
}

/** The commands of a block, but for those that put sysctls back: nothing lives longer than its script. */
export function commandLines(text: string): CommandLine[] {
  const lines = arithmetic(text.replace(/\\\n/g, ' ')).split('\n').flatMap((line) => commandsOf(line.replace(/(^|\s)#.*/, '')));
  const joined: string[] = [];
  for (const line of lines) {
    if (joined.length > 0 && /^(\/proc\/sys\/|net\.)\S+=/.test(line)) joined[joined.length - 1] += ` ${line}`;
    else joined.push(line);
  }
  const commands = joined.map(commandOf);
  return commands.filter(({ name }) => !name.startsWith('sysctl_restore_'));
}

/** `$((32*1024))`: the shell's sums of numbers. */
function arithmetic(text: string): string {
  return text.replace(/\$\(\(([\d\s*+()/-]+)\)\)/g, (_all, sum: string) => String(evaluate(sum.replace(/\s+/g, ''))));
}

const OPERATORS: readonly (readonly [string, (a: number, b: number) => number])[] = [
  ['+', (a, b) => a + b], ['-', (a, b) => a - b], ['*', (a, b) => a * b], ['/', (a, b) => Math.trunc(a / b)],
];

function evaluate(sum: string): number {
  const inner = /^(.*)\(([^()]*)\)(.*)$/.exec(sum);
  if (inner !== null) return evaluate(`${inner[1]}${evaluate(inner[2] ?? '')}${inner[3]}`);
  for (const [sign, of] of OPERATORS) {
    const at = sum.lastIndexOf(sign);
    if (at > 0) return of(evaluate(sum.slice(0, at)), evaluate(sum.slice(at + 1)));
  }
  return Number(sum);
}

/** A line cut at each `||`: what is run until one succeeds. */
export function alternatives(line: string): string[] {
  const out: string[] = [''];
  for (const [part] of line.matchAll(/"(?:[^"\\]|\\.)*"|'[^']*'|\([^()]*\)|\|\||[\s\S]/g)) {
    if (part === '||') out.push('');
    else out[out.length - 1] += part;
  }
  return out.map((one) => one.trim());
}

/** A command's name, the last part of its path, and its words. */
export function commandOf(line: string): CommandLine {
  const [path = '', ...words] = line.match(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'])+/g) ?? [];
  return { name: path.slice(path.lastIndexOf('/') + 1), words, line };
}

/** The assignments among a command's words: `NAME=VALUE`, or a path under /proc/sys. */
export function sysctlWords(words: readonly string[]): [name: string, value: string][] {
  const bare = words.map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
  return bare.filter((word) => !word.startsWith('-') && word.indexOf('=') > 0).map((word) => {
    const equals = word.indexOf('=');
    return [word.slice(0, equals).replace(/^\/proc\/sys\//, '').replaceAll('/', '.'), word.slice(equals + 1).replace(/^(["'])(.*)\1$/, '$2')];
  });
}
