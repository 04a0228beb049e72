/*
 * What a run of a script knows: who is under test, its connections, the time that the next event counts from.
 */
import { inAton } from '@stack/inet-sock';
import type { CtlValue } from '@stack/kernel';
import { Connection } from './expect.ts';
import type { Event, Script, When } from './script.ts';
import type { CallContext, TargetOps } from './target.ts';

export interface RunOptions {
  /** µs that an event may be off; a script's `--tolerance_usecs` goes before it. Default 4000. */
  readonly tolerance?: number;
  /** The sysctls that `defaults.sh` sets. Default none. */
  readonly defaults?: Readonly<Record<string, CtlValue>>;
  readonly localIp?: string;
  readonly remoteIp?: string;
  /** The prefix length of the host's address. Default 16. */
  readonly prefixLength?: number;
  /** Expects nothing: what the target sends, what calls return and what they give back is noted in the log. Default false. */
  readonly record?: boolean;
  /** Is told the line of each event before it happens. */
  readonly progress?: (line: number) => void;
}

/** Why a script failed. */
export interface Failure {
  readonly line: number;
  /** The event as the script has it. */
  readonly text: string;
  readonly message: string;
  /** µs since the script began. */
  readonly time: number;
}

export interface Result {
  readonly failure: Failure | null;
  /** Every packet that passed, as a script writes it, with its time. */
  readonly log: readonly string[];
  /** How late the run was at most in doing what the script says, in µs; 0 in virtual time. */
  readonly late: number;
}

/** What an event did not do as the script says. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch';
}

export const LOCAL_PORT = 8080;
const FIRST_REMOTE_PORT = 34567;
/** How long `*` waits, in µs. */
export const ANY_LIMIT = 600e6;

/** µs that a packet may be late by itself; one that is later was late in being sent. */
export const SHIFT = 4000;

export interface Blocked {
  readonly event: Event;
  readonly due: number;
  readonly done: Promise<void>;
}

/** What a script and whoever runs it have settled. */
export interface Settings {
  readonly localIp: string;
  readonly remoteIp: string;
  readonly tolerance: number;
  readonly mtu: number;
  /** Segments that are handed over together say that they are of so many octets, as GRO has them; 0: they do not. */
  readonly mss: number;
}

/** A script's own options go before the runner's. */
export function settingsOf(script: Script, options: RunOptions): Settings {
  return {
    localIp: script.options.get('local_ip') ?? options.localIp ?? '192.168.0.1',
    remoteIp: script.options.get('remote_ip') ?? options.remoteIp ?? '192.0.2.1',
    tolerance: Number(script.options.get('tolerance_usecs') ?? options.tolerance ?? 4000),
    mtu: Number(script.options.get('mtu') ?? 1500),
    mss: Number(script.options.get('mss') ?? 0),
  };
}

export class Run<T = unknown> {
  readonly ops: TargetOps<T>;
  readonly target: T;
  readonly calls: CallContext;
  readonly tolerance: number;
  readonly tick: number;
  readonly mss: number;
  readonly log: string[];
  readonly record: boolean;
  /** How many segments are in the log, if it is a record. */
  recorded: number;
  conn: Connection;
  nextPort: number;
  /** connect() to AF_UNSPEC has been called: the next connect() begins a connection of its own. */
  dissolved: boolean;
  /** Connections that are no longer under test, by their ports. */
  readonly oldFlows: Set<number>;
  /** Those that the script has named by their ports: each may send at any time. */
  readonly named: Connection[];
  blocked: Blocked | null;
  /** When the last event was due; when it was done, if it had no time of its own. What `+` counts from. */
  last: number;
  /** How late the run itself was at most, in µs: never in virtual time. What it caused may be as late. */
  late: number;
  /** How late the packet was that has just come, if a timer was to blame: what follows is as late. */
  shift: number;

  constructor(ops: TargetOps<T>, target: T, script: Script, options: RunOptions) {
    const settings = settingsOf(script, options);
    this.ops = ops;
    this.target = target;
    this.calls = { localIp: inAton(settings.localIp), remoteIp: inAton(settings.remoteIp), fds: new Map() };
    this.tolerance = settings.tolerance;
    this.mss = settings.mss;
    this.tick = Number(script.options.get('tcp_ts_tick_usecs') ?? 0);
    this.log = [];
    this.record = options.record ?? false;
    this.recorded = 0;
    this.conn = new Connection(this.calls.localIp, this.calls.remoteIp, LOCAL_PORT, LOCAL_PORT);
    this.nextPort = FIRST_REMOTE_PORT;
    this.dissolved = false;
    this.oldFlows = new Set();
    this.named = [];
    this.blocked = null;
    this.last = 0;
    this.late = 0;
    this.shift = 0;
  }
}

export function flowOf(localPort: number, remotePort: number): number {
  return localPort * 65536 + remotePort;
}

/** µs since the script began. */
export function now(run: Run): number {
  return run.ops.now(run.target);
}

/** When an event is due, in µs since the script began. */
export function due(run: Run, when: When): { at: number; end: number } {
  const base = when.kind === 'relative' ? run.last : 0;
  return { at: base + when.at, end: base + (when.until ?? when.at) };
}

/** Waits until `at`, and notes how late it became. */
export async function reach(run: Run, at: number): Promise<void> {
  await run.ops.until(run.target, at);
  run.late = Math.max(run.late, now(run) - at);
}

/** In a message: what is allowed for the run's own lateness. */
export function lateness(run: Run): string {
  return run.late < 1 ? '' : `; the run itself was ${Math.round(run.late)} µs late`;
}

export function seconds(microseconds: number): string {
  return (microseconds / 1e6).toFixed(6);
}

export function log(run: Run, time: number, direction: string, text: string): void {
  run.log.push(`${seconds(time)} ${direction} ${text}`);
}
