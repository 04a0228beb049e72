/*
 * Commands that look at counters and tables, as the shell has them: `nstat | grep TcpExtTCPTimeouts | grep -q " 2 "`.
 *
 * runPipeline() -> stages(): the line cut at `|` -> the first reads what the host shows, each further one the lines before it.
 * Read first: nstat(8), grep(1).
 */

/** What the host shows: its counters by their full names, and files below /proc. */
export interface Sources {
  readonly counters: ReadonlyMap<string, number>;
  /** The counters as nstat has last seen them. */
  readonly history: Map<string, number>;
  /** The lines of a file; null if there is none. */
  readonly read: (path: string) => readonly string[] | null;
}

/** A stage: its lines, and its exit status. */
interface Output {
  readonly lines: readonly string[];
  readonly status: number;
}

type Stage = (sources: Sources, words: readonly string[], input: readonly string[]) => Output;

/** The words of a command, quotes taken off; what leads output elsewhere is none of them. */
export function shellWords(text: string): string[] {
  const bare = text.replace(/\s\d?>>?\s*(?:&\d|\/dev\/\w+)/g, ' ');
  const words = [...bare.matchAll(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+/g)].map(([word]) => word);
  return words.map((word) => word.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g, (_all, double?: string, single?: string, one?: string) => (
    double !== undefined ? double.replace(/\\(["\\$`])/g, '$1') : single ?? one ?? ''
  )));
}

function stages(line: string): string[] {
  const out: string[] = [''];
  for (const [part] of line.matchAll(/"(?:[^"\\]|\\.)*"|'[^']*'|[\s\S]/g)) {
    if (part === '|') out.push('');
    else out[out.length - 1] += part;
  }
  return out;
}

/** What nstat never lists: no counters. */
const USELESS = new Set(['IpForwarding', 'IpDefaultTTL', 'TcpRtoAlgorithm', 'TcpRtoMin', 'TcpRtoMax', 'TcpMaxConn', 'TcpCurrEstab']);

/** `Tcp*` as nstat takes it. */
function glob(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`);
}

/** What has come since nstat was last here (`-a`: ever; `-z`: zeros too); `-n` shows nothing, `-s` does not count as having been here. */
const nstat: Stage = ({ counters, history }, words) => {
  const flags = words.filter((word) => word.startsWith('-')).join('');
  const patterns = words.filter((word) => !word.startsWith('-')).map(glob);
  if (flags.includes('r')) history.clear();
  const lines = ['#kernel'];
  for (const [name, value] of counters) {
    const shown = flags.includes('a') ? value : value - (history.get(name) ?? 0);
    if (USELESS.has(name) || (shown === 0 && !flags.includes('z')) || (patterns.length > 0 && !patterns.some((one) => one.test(name)))) continue;
    lines.push(`${name.padEnd(32)}${String(shown).padEnd(16)}${'0.0'.padStart(6)}`);
  }
  if (!flags.includes('s')) for (const [name, value] of counters) history.set(name, value);
  return { lines: flags.includes('n') ? [] : lines, status: 0 };
};

/** A basic expression of grep's as one of ours: there `\(`, `\|`, `\+` mean what they mean here without the backslash. */
function basic(pattern: string): string {
  return pattern.replace(/\\?[(){}|+?]/g, (one) => (one.length === 2 ? one.slice(1) : `\\${one}`));
}

function grepPattern(pattern: string, flags: string): RegExp {
  const source = flags.includes('F') ? pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : /[EP]/.test(flags) ? pattern : basic(pattern);
  return new RegExp(flags.includes('w') ? `\\b(?:${source})\\b` : source, flags.includes('i') ? 'i' : '');
}

const grep: Stage = ({ read }, words, input) => {
  const flags = words.filter((word) => /^-\w+$/.test(word)).join('');
  const [pattern = '', ...files] = words.filter((word) => !word.startsWith('-'));
  const from = files.length === 0 ? input : files.flatMap((path) => read(path) ?? []);
  const expression = grepPattern(pattern, flags);
  const lines = from.filter((line) => expression.test(line) !== flags.includes('v'));
  const shown = flags.includes('q') ? [] : flags.includes('c') ? [String(lines.length)] : lines;
  return { lines: shown, status: lines.length === 0 ? 1 : 0 };
};

const cat: Stage = ({ read }, words, input) => {
  const parts = words.map(read);
  return { lines: words.length === 0 ? input : parts.flatMap((part) => part ?? []), status: parts.includes(null) ? 1 : 0 };
};

const wc: Stage = (_sources, _words, input) => ({ lines: [String(input.length)], status: 0 });

/** By name: what may stand in a pipeline. */
export const pipelineStages: Readonly<Record<string, Stage>> = { nstat, grep, cat, wc };

/** Runs a pipeline: the exit status of its last stage, and which stage is not known, if one is not. */
export function runPipeline(sources: Sources, line: string): { readonly status: number; readonly unknown: string | null } {
  let output: Output = { lines: [], status: 0 };
  for (const text of stages(line)) {
    const [path = '', ...words] = shellWords(text);
    const name = path.slice(path.lastIndexOf('/') + 1);
    const stage = pipelineStages[name];
    if (stage === undefined) return { status: 127, unknown: name };
    output = stage(sources, words, output.lines);
  }
  return { status: output.status, unknown: null };
}
