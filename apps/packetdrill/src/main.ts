#!/usr/bin/env node
/*
 * The command: runs each script, says which hold, and shows where one does not. Status 0: all hold; 1: one does not; 2: usage.
 */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { styleText } from 'node:util';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { CtlValue } from '@stack/kernel';
import { parseScript, runScript, suiteDefines, type Result } from '@stack/packetdrill';
import { missingForLinux, runScriptOnLinux } from '@stack/packetdrill/linux';

interface Options {
  readonly define: Map<string, string>;
  readonly defaults?: string;
  readonly local_ip: string;
  readonly remote_ip: string;
  readonly tolerance_usecs: number;
  readonly ip_version: string;
  readonly linux?: true;
  readonly tap?: true;
  readonly verbose?: true;
}

function define(text: string, all: Map<string, string>): Map<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('NAME=VALUE is wanted.');
  return all.set(text.slice(0, equals), text.slice(equals + 1));
}

function version(text: string): string {
  if (text !== 'ipv4') throw new InvalidArgumentError('ipv4 is all there is.');
  return text;
}

function microseconds(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('whole microseconds are wanted.');
  return Number(text);
}

/** The scripts that a path names: itself, or every *.pkt below it. */
function scriptsOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.pkt')).sort().map((name) => join(path, name));
}

type Defaults = Record<string, CtlValue>;

function readDefaults(file: string): Defaults {
  return JSON.parse(readFileSync(file, 'utf8')) as Defaults;
}

/** The `sysctl-defaults.json` of the suite that a script belongs to: the nearest in a directory above it. */
function defaultsAbove(file: string): Defaults {
  for (let directory = dirname(resolve(file)); ; directory = dirname(directory)) {
    const found = join(directory, 'sysctl-defaults.json');
    if (existsSync(found)) return readDefaults(found);
    if (directory === dirname(directory)) return {};
  }
}

async function runFile(file: string, options: Options, given: Defaults | null): Promise<Result> {
  const text = readFileSync(file, 'utf8');
  const run = { defaults: given ?? defaultsAbove(file), localIp: options.local_ip, remoteIp: options.remote_ip, tolerance: options.tolerance_usecs };
  return options.linux === true ? runScriptOnLinux(text, file, options.define, run) : runScript(parseScript(text, file, options.define), run);
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}

function report(file: string, result: Result, verbose: boolean): string {
  const { failure, log } = result;
  const lines = verbose ? log.map((line) => `    ${line}`) : [];
  if (failure !== null) {
    lines.push(`    ${file}:${failure.line}: at ${(failure.time / 1e6).toFixed(6)} s`, indent(failure.text.trim()), indent(failure.message));
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** Runs one script and prints its line; false if it does not hold. */
async function runAndReport(file: string, number: number, options: Options, defaults: Defaults | null): Promise<boolean> {
  const name = relative('.', file);
  const result = await runFile(file, options, defaults).catch((error: unknown): Result => (
    { failure: { line: 0, text: '', time: 0, message: error instanceof Error ? error.message : String(error) }, log: [], late: 0 }
  ));
  const held = result.failure === null;
  const colour = (text: string): string => (process.stdout.isTTY ? styleText(held ? 'green' : 'red', text) : text);
  const status = options.tap === true ? `${held ? 'ok' : 'not ok'} ${number} - ${name}` : `${colour(held ? 'ok    ' : 'FAILED')} ${name}`;
  const detail = report(name, result, options.verbose === true);
  process.stdout.write(`${status}\n${options.tap === true ? detail.replace(/^/gm, '# ').replace(/# $/, '') : detail}`);
  return held;
}

const program = new Command('packetdrill')
  .description('Runs packetdrill scripts against a host of the house in virtual time: exact, without waiting, the same on every run.')
  .argument('<path...>', 'scripts, or directories of *.pkt')
  .addOption(new Option('-D, --define <NAME=VALUE>', 'what a name in the scripts stands for').argParser(define).default(new Map(suiteDefines), "what Google's suite needs"))
  .option('--defaults <FILE>', 'JSON of the sysctls that defaults.sh sets (default: the sysctl-defaults.json nearest above a script)')
  .option('--local_ip <ADDRESS>', 'address of the host', '192.168.0.1')
  .option('--remote_ip <ADDRESS>', 'address of the script\'s side', '192.0.2.1')
  .option('--ip_version <VERSION>', 'ipv4', version, 'ipv4')
  .option('--tolerance_usecs <N>', 'how far off an event may be, if the script does not say', microseconds, 4000)
  .option('--linux', 'run them against this machine\'s Linux, in real time; needs root and koffi')
  .option('--tap', 'report in the Test Anything Protocol')
  .option('-v, --verbose', 'show the packets of each script')
  .showHelpAfterError();

program.parse();
const options = program.opts<Options>();
const missing = options.linux === true ? missingForLinux() : '';
if (missing !== '') program.error(`packetdrill: --linux: ${missing}`, { exitCode: 2 });
let files: string[] = [];
let defaults: Defaults | null = null;
try {
  files = program.args.flatMap(scriptsOf);
  if (options.defaults !== undefined) defaults = readDefaults(options.defaults);
} catch (error) {
  program.error(`packetdrill: ${error instanceof Error ? error.message : String(error)}`, { exitCode: 2 });
}
if (options.tap === true) process.stdout.write(`TAP version 13\n1..${files.length}\n`);
let held = 0;
for (const [i, file] of files.entries()) if (await runAndReport(file, i + 1, options, defaults)) held++;
if (options.tap !== true) process.stdout.write(`\n${held} of ${files.length} hold\n`);
process.exit(held === files.length ? 0 : 1);
