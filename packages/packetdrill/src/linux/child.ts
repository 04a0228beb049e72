/*
 * A process for each script, in a network namespace that ends with it.
 *
 * runScriptOnLinux() -> unshare --net node … -> runLinuxChild(): reads its Job from standard input, runs it, writes the line that it
 * is at and in the end the Result to standard output. One that does not come to its end is killed and says where it was.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { parseScript } from '../parse.ts';
import { runScriptOn, settingsOf, type Failure, type Result, type RunOptions } from '../run.ts';
import type { Script } from '../script.ts';
import { requireKoffi } from './libc.ts';
import { rehearse } from './rehearsal.ts';
import { linuxOps, LinuxTarget } from './target.ts';

/** Why no script can be run against Linux here; empty if one can. */
export function missingForLinux(): string {
  if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
  if (process.getuid?.() !== 0) return 'not root: a network namespace and a device must be made';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return 'no /dev/net/tun here (modprobe tun, or --device /dev/net/tun for a container)';
  }
  return requireKoffi() === null ? 'the package koffi is not installed here (npm install koffi)' : '';
}

/** What a child is to run. */
interface Job {
  readonly text: string;
  readonly file: string;
  readonly defines: readonly (readonly [string, string])[];
  readonly options: RunOptions;
}

/** How long a script may take besides what it waits itself, in ms; and before its first event, on a machine that is busy. */
const PATIENCE = 20_000;
const START = 120_000;

/** ms that a script waits by its own account, at most. */
function lengthOf(script: Script): number {
  return script.events.reduce((sum, { when }) => sum + (when.kind === 'any' ? 0 : (when.until ?? when.at)), 0) / 1000;
}

/** The child's side. */
export async function runLinuxChild(): Promise<void> {
  const job = JSON.parse(await text(process.stdin)) as Job;
  const script = parseScript(job.text, job.file, new Map(job.defines));
  const { localIp } = settingsOf(script, job.options);
  const mtu = Number(script.options.get('mtu') ?? 1500);
  const target = new LinuxTarget(localIp, job.options.prefixLength ?? 16, mtu, job.options.defaults ?? {});
  await rehearse(target, localIp);
  const result = await runScriptOn(linuxOps, target, script, { ...job.options, progress: (line) => writeSync(1, `${line}\n`) });
  writeSync(1, `${JSON.stringify(result)}\n`);
  process.exit(0);
}

function failed(script: Script, line: number, message: string): Result {
  const event = script.events.find((one) => one.line === line);
  const failure: Failure = { line, text: event?.text ?? '', message, time: 0 };
  return { failure, log: [], late: 0 };
}

/** The script's result from what the child wrote. */
function resultOf(script: Script, output: string, errors: string, killed: boolean): Result {
  const lines = output.trimEnd().split('\n');
  const last = lines.at(-1) ?? '';
  if (last.startsWith('{')) return JSON.parse(last) as Result;
  const line = Number(last);
  if (killed) return failed(script, line, 'has not ended');
  return failed(script, line, errors.trim() === '' ? 'the process that ran it has ended without a result' : errors.trim());
}

/**
 * Runs a script against this machine's Linux, in a network namespace of its own. Throws a ScriptError if it cannot be read; what is
 * missing here (missingForLinux) is thrown too.
 */
export async function runScriptOnLinux(source: string, file: string, defines: ReadonlyMap<string, string>, options: RunOptions = {}): Promise<Result> {
  const missing = missingForLinux();
  if (missing !== '') throw new Error(missing);
  const script = parseScript(source, file, defines);
  const main = `import { runLinuxChild } from ${JSON.stringify(import.meta.url)};\nawait runLinuxChild();`;
  const child = spawn('unshare', ['--net', process.execPath, '--max-semi-space-size=64', '--input-type=module', '--eval', main], { stdio: ['pipe', 'pipe', 'pipe'] });
  let killed = false;
  const kill = (): void => {
    killed = true;
    child.kill('SIGKILL');
  };
  let timer = setTimeout(kill, START);
  child.stdout.once('data', () => {
    clearTimeout(timer);
    timer = setTimeout(kill, lengthOf(script) + PATIENCE);
  });
  const job: Job = { text: source, file, defines: [...defines], options };
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(job));
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), ended]).finally(() => clearTimeout(timer));
  return resultOf(script, output, errors, killed);
}
