/*
 * The commands in backticks, run for what they are by the shell, in the script's network namespace. The suite's own helpers
 * (defaults.sh, set_sysctls.py) and sysctl are done here; a parameter of a module, which the whole machine has in common, is put back.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { commandLines, sysctlWords, type CommandLine } from '../command-lines.ts';
import { FREEBSD_COMMANDS, linuxSettings } from '../freebsd.ts';
import { invoke, Memory, must, type Libc } from './libc.ts';
import { DEVICE } from './device.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCETHTOOL = 0x8946;
/** ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO. */
const FEATURES: Readonly<Record<string, number>> = { tso: 0x1f, gso: 0x24, gro: 0x2c };

const CONGESTION = 'net.ipv4.tcp_congestion_control';

/** What commands work on. */
export interface LinuxMachine {
  readonly libc: Libc;
  /** The sysctls that `defaults.sh` sets. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** The congestion control that each new socket must be given; null: it gets the right one itself. */
  congestion: string | null;
  /** What puts back settings that all namespaces share. */
  readonly undo: (() => void)[];
  /** A file for nstat, which need not be there. */
  readonly nstatHistory: string;
}

function writeSysctl(name: string, value: string, ifThere: boolean): void {
  const path = `/proc/sys/${name.replaceAll('.', '/')}`;
  if (ifThere && !existsSync(path)) return;
  try {
    writeFileSync(path, value);
  } catch (error) {
    throw new Error(`sysctl ${name}=${value}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/**
 * The congestion control that new sockets get. One that the machine does not allow to everybody cannot be set in a namespace: then
 * it is returned, and each socket is given it.
 */
export function setCongestion(value: string): string | null {
  try {
    writeSysctl(CONGESTION, value, false);
    return null;
  } catch (error) {
    if (error instanceof Error && error.message.includes('EPERM')) return value;
    throw error;
  }
}

function setSysctl(machine: LinuxMachine, name: string, value: string, ifThere: boolean): void {
  if (name === CONGESTION) machine.congestion = setCongestion(value);
  else writeSysctl(name, value, ifThere);
}

function assignments(machine: LinuxMachine, words: readonly string[], notes: string[]): void {
  for (const [name, value] of sysctlWords(words)) {
    for (const [of, set] of linuxSettings(name, value, notes)) setSysctl(machine, of, set, words.includes('-e'));
  }
}

function shell({ nstatHistory }: LinuxMachine, command: string): void {
  // nstat remembers what it has seen, for all namespaces, in a file: this script's is its own.
  const env = { ...process.env, NSTAT_HISTORY: nstatHistory };
  const { status, stderr, signal, error } = spawnSync('/bin/sh', ['-ec', command], { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], timeout: 20_000, env });
  if (status === 0) return;
  throw new Error(`${command}: ${error?.message ?? (signal === null ? `status ${status}` : signal)}${stderr === '' ? '' : `: ${stderr.trim()}`}`);
}

/** What `defaults.sh` does: the sysctls that are there, and no memory of earlier peers. */
function setDefaults(machine: LinuxMachine): void {
  for (const [name, value] of Object.entries(machine.defaults)) setSysctl(machine, name, Array.isArray(value) ? value.join(' ') : String(value), true);
}

/** `ethtool -K DEVICE FEATURE on|off …`, which need not be installed. */
function ethtool(libc: Libc, words: readonly string[]): void {
  const socket = must(libc, 'socket', AF_INET, SOCK_DGRAM, 0);
  for (let i = 2; i + 1 < words.length; i += 2) {
    const value = new Memory(libc, 8);
    const ifreq = new Memory(libc, 40);
    value.view.setUint32(0, FEATURES[words[i] ?? ''] ?? 0, true);
    value.view.setUint32(4, words[i + 1] === 'off' ? 0 : 1, true);
    ifreq.bytes.set(new TextEncoder().encode(DEVICE));
    ifreq.view.setBigUint64(16, BigInt(value.address), true);
    must(libc, 'ioctl', socket, SIOCETHTOOL, ifreq.address);
  }
  invoke(libc, 'close', socket);
}

type Done = (machine: LinuxMachine, command: CommandLine, notes: string[]) => void;
const setSysctls: Done = (machine, { words }, notes) => assignments(machine, words, notes);

/** Done here, if they want nothing of a shell. */
const here: Readonly<Record<string, Done>> = {
  'defaults.sh': setDefaults,
  'set_sysctls.py': setSysctls,
  sysctl: setSysctls,
  ethtool: (machine, { words }) => ethtool(machine.libc, words),
};

const passOver: Done = (_machine, { line }, notes) => notes.push(`# ${line}: passed over`);

function doneHere({ name, line }: CommandLine): Done | undefined {
  if (FREEBSD_COMMANDS.has(name)) return passOver;
  return /[|&;$`<>]/.test(line) ? undefined : here[name];
}

/** What the commands behind it depend on. */
const STATE = /^(?:cd|export|set|umask|[A-Za-z_]\w*=\S*$)(?:\s|$)/;

/** What a line changes for all namespaces is put back in the end; a route that is not there is no error. */
function forShell(machine: LinuxMachine, line: string): string {
  const shared = /^echo\s+\S+\s*>\s*(\/sys\/\S+)$/.exec(line)?.[1];
  if (shared !== undefined && existsSync(shared)) {
    const before = readFileSync(shared, 'utf8');
    machine.undo.push(() => writeFileSync(shared, before));
  }
  return line.replace(/^ip route change\b/, 'ip route replace');
}

/**
 * Runs a block of commands; throws at the first that fails. Returns notes for the log: what it passed over. Commands that follow one
 * another share a shell: its variables, its directory.
 */
export function runLinuxCommands(machine: LinuxMachine, text: string): string[] {
  const notes: string[] = [];
  let script: string[] = [];
  const flush = (): void => {
    if (script.length > 0) shell(machine, script.join('\n'));
    script = [];
  };
  let shellOnly = false;
  for (const command of commandLines(text)) {
    const done = shellOnly ? undefined : doneHere(command);
    if (done === undefined) {
      script.push(forShell(machine, command.line));
      shellOnly ||= STATE.test(command.line);
      continue;
    }
    flush();
    done(machine, command, notes);
  }
  flush();
  return notes;
}
