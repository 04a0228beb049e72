/*
 * Runs a script against a target (target.ts).
 *
 * runScriptOn() -> runEvent() for each event: waits for its time, then sends the packet, makes the call, runs the commands or the
 * assertions; or takes what the target has sent and compares it (expect.ts). A call with an end time blocks beside what follows.
 */
import { inAton } from '@stack/inet-sock';
import type { CtlValue } from '@stack/kernel';
import { checkResult, int } from './call-args.ts';
import { Connection, compareSegment, inboundNumbers, noteInbound } from './expect.ts';
import { FREEBSD_OPTIONS } from './freebsd.ts';
import { pythonNames } from './python-names.ts';
import { runPython } from './python.ts';
import type { CallAction, Event, IcmpSpec, PacketSpec, Script, TcpSpec, When } from './script.ts';
import type { CallContext, Outcome, TargetOps } from './target.ts';
import { formatSegment, icmpPacket, readSegment, tcpPacket, udpPacket, type Segment } from './wire.ts';

export interface RunOptions {
  /** µs that an event may be off; a script's `--tolerance_usecs` goes before it. Default 4000. */
  readonly tolerance?: number;
  /** The sysctls that `defaults.sh` sets. Default none. */
  readonly defaults?: Readonly<Record<string, CtlValue>>;
  readonly localIp?: string;
  readonly remoteIp?: string;
  /** The prefix length of the host's address. Default 16. */
  readonly prefixLength?: number;
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
class Mismatch extends Error {
  override readonly name = 'Mismatch';
}

const LOCAL_PORT = 8080;
const FIRST_REMOTE_PORT = 34567;
/** How long `*` waits, in µs. */
const ANY_LIMIT = 600e6;

/** µs that a packet may be late by itself; one that is later was late in being sent. */
const SHIFT = 4000;

interface Blocked {
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
}

/** A script's own options go before the runner's. */
export function settingsOf(script: Script, options: RunOptions): Settings {
  return {
    localIp: script.options.get('local_ip') ?? options.localIp ?? '192.168.0.1',
    remoteIp: script.options.get('remote_ip') ?? options.remoteIp ?? '192.0.2.1',
    tolerance: Number(script.options.get('tolerance_usecs') ?? options.tolerance ?? 4000),
    mtu: Number(script.options.get('mtu') ?? 1500),
  };
}

class Run<T = unknown> {
  readonly ops: TargetOps<T>;
  readonly target: T;
  readonly calls: CallContext;
  readonly tolerance: number;
  readonly tick: number;
  readonly log: string[];
  conn: Connection;
  nextPort: number;
  /** Connections that are no longer under test, by their ports. */
  readonly oldFlows: Set<number>;
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
    this.tick = Number(script.options.get('tcp_ts_tick_usecs') ?? 0);
    this.log = [];
    this.conn = new Connection(this.calls.localIp, this.calls.remoteIp, LOCAL_PORT, LOCAL_PORT);
    this.nextPort = FIRST_REMOTE_PORT;
    this.oldFlows = new Set();
    this.blocked = null;
    this.last = 0;
    this.late = 0;
    this.shift = 0;
  }
}

function flowOf(localPort: number, remotePort: number): number {
  return localPort * 65536 + remotePort;
}

/** µs since the script began. */
function now(run: Run): number {
  return run.ops.now(run.target);
}

/** When an event is due, in µs since the script began. */
function due(run: Run, when: When): { at: number; end: number } {
  const base = when.kind === 'relative' ? run.last : 0;
  return { at: base + when.at, end: base + (when.until ?? when.at) };
}

/** Waits until `at`, and notes how late it became. */
async function reach(run: Run, at: number): Promise<void> {
  await run.ops.until(run.target, at);
  run.late = Math.max(run.late, now(run) - at);
}

/** Resolves with the next packet that belongs to the connection; null if none is sent by `limit`. */
async function nextSegment(run: Run, limit: number): Promise<{ segment: Segment; time: number } | null> {
  for (;;) {
    const sent = await run.ops.nextSent(run.target, limit);
    if (sent === null) return null;
    const segment = readSegment(sent.bytes);
    if (segment !== null && !run.oldFlows.has(flowOf(segment.sport, segment.dport)) && run.conn.owns(segment)) return { segment, time: sent.time };
  }
}

/**
 * Takes the segments behind `first` that were sent at the same time and go on where it ends, up to `length` octets: how many
 * sk_buffs a flight was cut into is nothing that a script knows.
 */
async function coalesce(run: Run, first: Segment, time: number, length: number): Promise<Segment> {
  const { burst } = run.ops;
  let whole = first;
  while (whole.length > 0 && whole.length < length) {
    const next = await run.ops.peekSent(run.target, time + burst);
    const segment = next === null ? null : readSegment(next.bytes);
    if (next === null || segment === null || next.time > time + burst || !run.conn.owns(segment)) break;
    if (segment.seq !== (whole.seq + whole.length) >>> 0 || segment.length > length - whole.length || segment.ack !== whole.ack) break;
    await run.ops.nextSent(run.target, time);
    whole = { ...whole, flags: segment.flags, length: whole.length + segment.length, zeros: whole.zeros && segment.zeros };
  }
  return whole;
}

async function runOutbound(run: Run, event: Event, spec: TcpSpec): Promise<void> {
  const { at, end } = due(run, event.when);
  const any = event.when.kind === 'any';
  const allowed = run.tolerance + run.late + run.ops.timerSlack(event.when.at);
  const limit = any ? now(run) + ANY_LIMIT : end + allowed;
  // A microsecond more: of two timers of one instant the one that sends may be the later.
  const got = await nextSegment(run, Math.max(limit, now(run)) + 1);
  if (got === null) throw new Mismatch(`expected ${formatSegment(spec)}\nbut nothing was sent by ${(limit / 1e6).toFixed(6)}`);
  const { time } = got;
  const segment = await coalesce(run, got.segment, time, spec.length);
  const shown = run.conn.relative(segment);
  log(run, time, '>', formatSegment(shown));
  const wrong = compareSegment(run.conn, spec, segment, shown, run.tick, run.tolerance);
  if (wrong !== '') throw new Mismatch(`${wrong}\nexpected ${formatSegment(spec)}\ngot      ${formatSegment(shown)}`);
  if (time > end + SHIFT) run.shift = time - end;
  if (any || (time >= at - run.tolerance && time <= end + allowed)) return;
  const range = at === end ? seconds(at) : `${seconds(at)} to ${seconds(end)}`;
  throw new Mismatch(`sent at ${seconds(time)}, expected at ${range} (- ${run.tolerance}, + ${Math.round(allowed)} µs${lateness(run)}): ${formatSegment(shown)}`);
}

/** In a message: what is allowed for the run's own lateness. */
function lateness(run: Run): string {
  return run.late < 1 ? '' : `; the run itself was ${Math.round(run.late)} µs late`;
}

function seconds(microseconds: number): string {
  return (microseconds / 1e6).toFixed(6);
}

function log(run: Run, time: number, direction: string, packet: string): void {
  run.log.push(`${seconds(time)} ${direction} ${packet}`);
}

/** A SYN to a listening socket begins a connection of its own, from a new port. */
function connectionOf(run: Run, spec: TcpSpec): Connection {
  if (!run.conn.listening || (spec.flags & 0x12) !== 0x02) return run.conn;
  run.conn = new Connection(run.conn.localIp, run.conn.remoteIp, LOCAL_PORT, run.nextPort++);
  return run.conn;
}

function inboundIcmp(run: Run, spec: IcmpSpec): Uint8Array {
  const { conn } = run;
  const seq = spec.quoted === null ? conn.lastSeq : (conn.localIsn + spec.quoted.seq) >>> 0;
  return icmpPacket(conn, spec.type, spec.code, spec.mtu, seq, spec.quoted?.length ?? conn.lastLength);
}

function inboundBytes(run: Run, spec: PacketSpec): Uint8Array {
  if (spec.kind === 'icmp') return inboundIcmp(run, spec);
  if (spec.kind === 'udp') return udpPacket(run.conn, spec.length);
  const conn = connectionOf(run, spec);
  noteInbound(conn, spec);
  log(run, now(run), '<', formatSegment(spec));
  return tcpPacket(conn, spec, inboundNumbers(conn, spec));
}

/** What a call changes in what is under test. */
function noteCall(run: Run, name: string): void {
  if (name === 'socket') {
    if (run.conn.started) run.oldFlows.add(flowOf(run.conn.localPort, run.conn.remotePort));
    run.conn = new Connection(run.calls.localIp, run.calls.remoteIp, LOCAL_PORT, LOCAL_PORT);
  }
  if (name === 'listen') run.conn.listening = true;
}

function checkCall(run: Run, call: CallAction, outcome: Outcome, result: number): void {
  const { name, result: want, errno } = call;
  checkResult(name, outcome.opens === true && result >= 0 && want.kind === 'int' && want.value >= 0 ? { kind: 'any' } : want, errno, result);
  if (outcome.opens === true && want.kind === 'int' && result >= 0) run.calls.fds.set(want.value, result);
  outcome.check?.(result);
}

async function runCall(run: Run, event: Event, call: CallAction): Promise<void> {
  await finishBlocked(run);
  const { at, end } = due(run, event.when);
  await reach(run, at);
  if (call.name === 'setsockopt' && int(call.args, 2) >= FREEBSD_OPTIONS) {
    log(run, now(run), '#', `${event.text}: passed over`);
    return;
  }
  noteCall(run, call.name);
  const outcome = run.ops.call(run.target, run.calls, call.name, call.args, event.when.until !== undefined);
  const slack = run.ops.timerSlack(end - at);
  const done = typeof outcome.result === 'number' ? null : outcome.result.then((result) => returned(run, end, slack, call, outcome, result));
  if (done === null) {
    returned(run, end, slack, call, outcome, outcome.result as number);
    return;
  }
  done.catch(() => undefined);
  run.blocked = { event, due: end + slack, done };
  if (event.when.until === undefined) await finishBlocked(run);
}

/** A call has returned: was it time, and is the result right? */
function returned(run: Run, end: number, slack: number, call: CallAction, outcome: Outcome, result: number): void {
  checkCall(run, call, outcome, result);
  const time = now(run);
  if (time < end - run.tolerance || time > end + run.tolerance + run.late + slack) throw new Mismatch(`${call.name} returned at ${seconds(time)}, expected at ${seconds(end)}${lateness(run)}`);
}

/** Waits for the call that blocks, if one does. */
async function finishBlocked(run: Run): Promise<void> {
  const { blocked } = run;
  if (blocked === null) return;
  run.blocked = null;
  const returned = await run.ops.settled(run.target, blocked.done, Math.max(now(run), blocked.due + run.tolerance + run.late) + 1);
  if (!returned) throw new Mismatch(`line ${blocked.event.line}: ${blocked.event.text}\nhas not returned at ${seconds(blocked.due)}`);
}

async function runEvent(run: Run, event: Event): Promise<void> {
  const { at } = due(run, event.when);
  await act(run, event);
  const timed = event.when.kind !== 'any' && (event.when.until === undefined || event.action.kind === 'call');
  run.last = timed ? at + run.shift : now(run);
  run.shift = 0;
}

function runCommandBlock(run: Run, text: string): void {
  run.log.push(...run.ops.commands(run.target, text));
}

async function act(run: Run, event: Event): Promise<void> {
  const { action } = event;
  if (action.kind === 'packet' && !action.inbound) {
    if (action.packet.kind !== 'tcp') throw new Mismatch('only TCP segments are expected from the host');
    await runOutbound(run, event, action.packet);
    return;
  }
  if (action.kind === 'call') {
    await runCall(run, event, action);
    return;
  }
  await reach(run, due(run, event.when).at);
  if (action.kind === 'packet') run.ops.receive(run.target, inboundBytes(run, action.packet));
  else if (action.kind === 'command') runCommandBlock(run, action.text);
  else runPython(action.text, pythonNames(run.ops, run.target, [...run.calls.fds.values()], action.text), (line) => run.log.push(line));
}

function failureOf(run: Run, event: Event | null, error: unknown): Failure {
  return { line: event?.line ?? 0, text: event?.text ?? '', message: error instanceof Error ? error.message : String(error), time: now(run) };
}

async function runEvents(run: Run, script: Script, progress: RunOptions['progress']): Promise<Failure | null> {
  let current: Event | null = null;
  try {
    if (script.init !== null) runCommandBlock(run, script.init);
    run.ops.begin(run.target);
    for (const event of script.events) {
      current = event;
      progress?.(event.line);
      await runEvent(run, event);
    }
    await finishBlocked(run);
    if (script.cleanup !== null) runCommandBlock(run, script.cleanup);
    return null;
  } catch (error) {
    return failureOf(run, current, error);
  }
}

/** Runs a script against `target`, which ends with it. The result says where it failed, if it did. */
export async function runScriptOn<T>(ops: TargetOps<T>, target: T, script: Script, options: RunOptions): Promise<Result> {
  const run = new Run(ops, target, script, options) as Run;
  const failure = await runEvents(run, script, options.progress);
  const broken = await ops.close(target);
  if (broken === '') return { failure, log: run.log, late: run.late };
  return { failure: { line: 0, text: '', time: now(run), ...failure, message: broken }, log: run.log, late: run.late };
}
