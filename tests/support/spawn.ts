// Running a bundle in a process of its own, on this Node or on another runtime: the npm packages deno, bun and node bring theirs.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './workspace.ts';

const run = promisify(execFile);
const MARK = '@@result ';
const LIMIT_MS = 240_000;

/** The newer Node that the stack is tested on; `.ci/run` runs the unit level on it too. */
const NODE = 'node@24.21.0';

const installed = join(root, 'tests/node_modules/.bin');

/** How each runtime runs a file. */
const commands = {
  deno: [join(installed, 'deno'), 'run', '--quiet', '--no-config', '--allow-all'],
  bun: [join(installed, 'bun'), 'run'],
  node: [process.execPath],
  node24: ['npx', '--yes', `--package=${NODE}`, '--', 'node'],
} as const;

/** What can run a bundle; `node` is the Node that runs the tests. */
export type Runtime = keyof typeof commands;

let programs = 0;

/** Calls a bundle's default export, with `argument`, on `runtime` and gives what it resolves to within `limit` ms. Both are plain data. */
export async function runOn(runtime: Runtime, entry: string, argument?: unknown, limit = LIMIT_MS): Promise<unknown> {
  const [file, ...args] = commands[runtime];
  const main = join(dirname(entry), `main${programs++}.js`);
  mkdirSync(dirname(main), { recursive: true });
  writeFileSync(main, `import run from './entry.js';\nconsole.log(${JSON.stringify(MARK)} + JSON.stringify(await run(${JSON.stringify(argument) ?? ''})));\n`);
  const stdout = await output(file, [...args, main], dirname(entry), limit);
  const line = stdout.split('\n').find((text) => text.startsWith(MARK));
  if (line === undefined) throw new Error(`${runtime} printed no result:\n${stdout}`);
  return JSON.parse(line.slice(MARK.length));
}

/** What the program prints; an error says the last that it did print. */
async function output(file: string, args: readonly string[], cwd: string, limit: number): Promise<string> {
  try {
    return (await run(file, args, { maxBuffer: 256 << 20, cwd, timeout: limit, killSignal: 'SIGKILL' })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${file} failed or took longer than ${limit / 1000} s\n${stdout.slice(-1000)}\n${stderr.slice(-4000)}`, { cause: error });
  }
}
