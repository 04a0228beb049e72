/*
 * A process beside this one that runs scripts, one after another, each in a network namespace of its own.
 *
 * runScriptOnLinux() -> runOn() writes a Job to the process, a line of JSON -> runLinuxChild(): unshare(2), runs it, writes the line
 * that it is at and in the end the Result. A script that does not hold may have left threads in calls: its process is not used again.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { accessSync, constants, writeSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { parseScript } from '../parse.ts';
import { settingsOf, type Failure, type Result, type RunOptions } from '../run-state.ts';
import { runScriptOn } from '../run.ts';
import type { Script } from '../script.ts';
import { loadLibc, must, requireKoffi } from './libc.ts';
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

const CLONE_NEWNET = 0x40000000;

/** The child's side. */
export async function runLinuxChild(): Promise<void> {
  const libc = loadLibc();
  let rehearsed = false;
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line) as Job;
    const script = parseScript(job.text, job.file, new Map(job.defines));
    const { localIp, mtu } = settingsOf(script, job.options);
    const prefixLength = job.options.prefixLength ?? 16;
    if (!rehearsed) {
      must(libc, 'unshare', CLONE_NEWNET);
      await rehearse(new LinuxTarget(libc, localIp, prefixLength, mtu, {}), localIp, mtu);
      rehearsed = true;
    }
    // A namespace of the script's own: its counters are 0.
    must(libc, 'unshare', CLONE_NEWNET);
    const target = new LinuxTarget(libc, localIp, prefixLength, mtu, job.options.defaults ?? {});
    const result = await runScriptOn(linuxOps, target, script, { ...job.options, progress: (at) => writeSync(1, `${at}\n`) });
    writeSync(1, `${JSON.stringify(result)}\n`);
  }
  process.exit(0);
}

function failed(script: Script, line: number, message: string): Result {
  const event = script.events.find((one) => one.line === line);
  const failure: Failure = { line, text: event?.text ?? '', message, time: 0 };
  return { failure, log: [], late: 0 };
}

/** A process that runs scripts; none before the first, and after one that failed. */
export class LinuxRunner {
  /** A LinuxChild; whoever uses this package need not have Node's types. */
  child: object | null;

  constructor() {
    this.child = null;
  }
}

interface LinuxChild {
  readonly process: ChildProcessWithoutNullStreams;
  readonly lines: Interface;
}

function childOf(runner: LinuxRunner): LinuxChild | null {
  return runner.child as LinuxChild | null;
}

function startChild(runner: LinuxRunner): LinuxChild {
  const main = `import { runLinuxChild } from ${JSON.stringify(import.meta.url)};\nawait runLinuxChild();`;
  const child = spawn(process.execPath, ['--max-semi-space-size=64', '--input-type=module', '--eval', main]);
  child.stdin.on('error', () => undefined);
  const started: LinuxChild = { process: child, lines: createInterface({ input: child.stdout }) };
  runner.child = started;
  return started;
}

/** Lets the process of a runner end. */
export function closeLinuxRunner(runner: LinuxRunner): void {
  childOf(runner)?.process.stdin.end();
  runner.child = null;
}

function killChild(runner: LinuxRunner): void {
  childOf(runner)?.process.kill('SIGKILL');
  runner.child = null;
}

/** Has the runner's process do a job: its result, or what it was at when it ended without one. */
async function runOn(runner: LinuxRunner, script: Script, job: Job): Promise<Result> {
  const { process: child, lines } = childOf(runner) ?? startChild(runner);
  let at = 0;
  let errors = '';
  let killed = false;
  const kill = (): void => {
    killed = true;
    child.kill('SIGKILL');
  };
  let timer = setTimeout(kill, START);
  const onError = (chunk: Buffer): void => {
    errors += chunk.toString();
  };
  child.stderr.on('data', onError);
  const result = await new Promise<Result>((resolve, reject) => {
    const onLine = (line: string): void => {
      if (line.startsWith('{')) {
        lines.off('line', onLine);
        child.off('error', reject);
        child.off('close', onClose);
        resolve(JSON.parse(line) as Result);
        return;
      }
      if (at === 0) {
        clearTimeout(timer);
        timer = setTimeout(kill, lengthOf(script) + PATIENCE);
      }
      at = Number(line);
    };
    const onClose = (): void => {
      const why = errors.trim() === '' ? 'the process that ran it has ended without a result' : errors.trim();
      resolve(failed(script, at, killed ? 'has not ended' : why));
    };
    lines.on('line', onLine);
    child.on('error', reject);
    child.on('close', onClose);
    child.stdin.write(`${JSON.stringify(job)}\n`);
  }).finally(() => clearTimeout(timer));
  child.stderr.off('data', onError);
  if (result.failure !== null) killChild(runner);
  return result;
}

/**
 * Runs a script against this machine's Linux, in a network namespace of its own. Throws a ScriptError if it cannot be read; what is
 * missing here (missingForLinux) is thrown too.
 *
 * @param runner does it, and may be kept for the next script: to start one takes longer than most scripts
 */
export async function runScriptOnLinux(
  source: string, file: string, defines: ReadonlyMap<string, string>, options: RunOptions = {}, runner: LinuxRunner | null = null,
): Promise<Result> {
  const missing = missingForLinux();
  if (missing !== '') throw new Error(missing);
  const script = parseScript(source, file, defines);
  const own = runner ?? new LinuxRunner();
  const result = await runOn(own, script, { text: source, file, defines: [...defines], options });
  if (runner === null) closeLinuxRunner(own);
  return result;
}
