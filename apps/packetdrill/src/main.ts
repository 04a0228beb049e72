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

/** On a terminal, unless NO_COLOR is set. */
function colour(style: 'green' | 'red' | 'dim', text: string): string {
  return process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '' ? styleText(style, text) : text;
}

/** A path from here, if the file is not somewhere else altogether. */
function shown(file: string): string {
  const path = relative('.', file);
  return path.startsWith('..') ? file : path;
}

function report(name: string, { failure, log }: Result, verbose: boolean): string {
  const lines = verbose ? log.map((line) => colour('dim', `    ${line}`)) : [];
  // A script that cannot be read says itself where.
  if (failure !== null && failure.line === 0) lines.push(indent(failure.message));
  else if (failure !== null) {
    lines.push(`    ${name}:${failure.line}: at ${(failure.time / 1e6).toFixed(6)} s`, indent(failure.text.trim()), indent(failure.message));
  }
  return lines.map((line) => `${line}\n`).join('');
}

function summary(held: number, all: number, verbose: boolean): string {
  const hint = held === all || verbose ? '' : '; -v shows the packets';
  return `\n${colour(held === all ? 'green' : 'red', `${held} of ${all} hold`)}${hint}\n`;
}

/** Runs one script and prints its line; false if it does not hold. */
async function runAndReport(file: string, number: number, options: Options, defaults: Defaults | null): Promise<boolean> {
  const name = shown(file);
  const result = await runFile(file, options, defaults).catch((error: unknown): Result => (
    { failure: { line: 0, text: '', time: 0, message: error instanceof Error ? error.message : String(error) }, log: [], late: 0 }
  ));
  const held = result.failure === null;
  const status = options.tap === true ? `${held ? 'ok' : 'not ok'} ${number} - ${name}` : `${held ? colour('green', 'ok    ') : colour('red', 'FAILED')} ${name}`;
  const detail = report(name, result, options.verbose === true);
  process.stdout.write(`${status}\n${options.tap === true ? detail.replace(/^/gm, '# ').replace(/# $/, '') : detail}`);
  return held;
}

const program = new Command('packetdrill')
  .description('Runs packetdrill scripts against a host of the house, in virtual time: exact to the microsecond, without waiting, the same on every run. With --linux, against this machine\'s kernel.')
  .usage('[options] PATH...')
  .argument('<path...>', 'scripts, or directories of *.pkt')
  .optionsGroup('What scripts are run with, if they do not say:')
  .option('--tolerance_usecs <N>', 'microseconds that an event may be early or late', microseconds, 4000)
  .option('--local_ip <ADDRESS>', 'address of the host', '192.168.0.1')
  .option('--remote_ip <ADDRESS>', 'address of the script\'s side', '192.0.2.1')
  .option('--ip_version <VERSION>', 'there is ipv4', version, 'ipv4')
  .addOption(new Option('-D, --define <NAME=VALUE>', 'what a name in the scripts stands for; may be repeated').argParser(define).default(new Map(suiteDefines), "what Google's suite needs"))
  .option('--defaults <FILE>', 'JSON of the sysctls that defaults.sh sets (default: the sysctl-defaults.json nearest above a script)')
  .optionsGroup('Where:')
  .option('--linux', 'in real time on Linux, each in a network namespace; needs root, /dev/net/tun and koffi')
  .optionsGroup('What is shown:')
  .option('-v, --verbose', 'the packets of each script, with their times')
  .option('--tap', 'a report in the Test Anything Protocol')
  .helpOption('-h, --help', 'this')
  .addHelpText('after', `
Examples:
  packetdrill tests/packetdrill                     all scripts below a directory
  packetdrill -v --tolerance_usecs 0 one.pkt        one, to the microsecond, with its packets
  packetdrill --linux --tolerance_usecs 20000 one.pkt

Status: 0 if all hold, 1 if one does not, 2 if it could not run them.`)
  .showHelpAfterError('packetdrill --help says what there is.');

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
if (options.tap !== true) process.stdout.write(summary(held, files.length, options.verbose === true));
process.exit(held === files.length ? 0 : 1);
