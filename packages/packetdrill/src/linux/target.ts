/*
 * This machine's Linux under a script, in real time: the process is in a network namespace of its own (child.ts).
 *
 * Times are the kernel's: a packet's is when it left, whenever this process comes to read it. Waiting is done in a thread of
 * libuv's pool, so that a call that blocks can return meanwhile; the last part of a millisecond in this one, to be punctual.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runLinuxCommands, setCongestion } from './commands.ts';
import { makeLinuxCall } from './calls.ts';
import { closeWire, drainWire, injectPacket, openWire, type Wire } from './device.ts';
import { invoke, invokeAsync, Memory, must, type Libc } from './libc.ts';
import { parseTcpInfo, TCP_INFO_MAX } from './tcp-info.ts';
import { int, listOf, number, type Args } from '../call-args.ts';
import type { CallContext, Outcome, Sent, TargetOps } from '../target.ts';

const CLOCK_REALTIME = 0;
const PR_SET_TIMERSLACK = 29;
const SCHED_OTHER = 0;
const SCHED_FIFO = 1;
const POLLIN = 1;
const SOL_SOCKET = 1;
const SO_MEMINFO = 55;
/** SK_MEMINFO_… in their order. */
const MEMINFO = ['rmem_alloc', 'rcvbuf', 'wmem_alloc', 'sndbuf', 'fwd_alloc', 'wmem_queued', 'optmem', 'backlog', 'drops'];
const SOL_TCP = 6;
const TCP_INFO = 11;
const TCP_CONGESTION = 13;
/** ms in which a call that has returned in its thread is seen to have. */
const GRACE = 20;
/** µs before its time at which a wait goes on in this thread. */
const PUNCTUAL = 700;

export class LinuxTarget {
  readonly libc: Libc;
  readonly wire: Wire;
  readonly defaults: Readonly<Record<string, unknown>>;
  congestion: string | null;
  readonly time: Memory;
  readonly timeout: Memory;
  readonly pollfd: Memory;
  readonly info: Memory;
  readonly infoLength: Memory;
  /** Descriptors that the script has opened. */
  readonly opened: Set<number>;
  /** What puts back settings that the whole machine shares. */
  readonly undo: (() => void)[];
  readonly nstatHistory: string;
  /** µs of the real-time clock when the script began. */
  start: number;

  constructor(libc: Libc, localIp: string, prefixLength: number, mtu: number, defaults: Readonly<Record<string, unknown>>) {
    this.libc = libc;
    this.wire = openWire(this.libc, localIp, prefixLength, mtu);
    this.defaults = defaults;
    this.congestion = setCongestion('cubic');
    this.time = new Memory(this.libc, 16);
    this.timeout = new Memory(this.libc, 16);
    this.pollfd = new Memory(this.libc, 8);
    this.info = new Memory(this.libc, TCP_INFO_MAX);
    this.infoLength = new Memory(this.libc, 4);
    this.opened = new Set();
    this.undo = [];
    this.nstatHistory = join(tmpdir(), `nstat.${process.pid}.${performance.now()}`);
    this.start = 0;
    this.pollfd.view.setInt32(0, this.wire.tap, true);
    this.pollfd.view.setInt16(4, POLLIN, true);
  }
}

/** µs of the real-time clock. */
function clock(t: LinuxTarget): number {
  must(t.libc, 'clock_gettime', CLOCK_REALTIME, t.time.address);
  return Number(t.time.view.getBigInt64(0, true)) * 1e6 + Number(t.time.view.getBigInt64(8, true)) / 1000;
}

const now = (t: LinuxTarget): number => clock(t) - t.start;

/** Waits `wait` µs at most, or until a packet is there if `fds` is 1. */
async function pause(t: LinuxTarget, fds: 0 | 1, wait: number): Promise<void> {
  const beside = wait > PUNCTUAL + 100;
  const micros = Math.max(1, Math.floor(beside ? wait - PUNCTUAL : wait));
  t.timeout.view.setBigInt64(0, BigInt(Math.floor(micros / 1e6)), true);
  t.timeout.view.setBigInt64(8, BigInt(micros % 1e6) * 1000n, true);
  const args = [t.pollfd.address, fds, t.timeout.address, 0];
  if (beside) await invokeAsync(t.libc, 'ppoll', ...args);
  else invoke(t.libc, 'ppoll', ...args);
}

async function until(t: LinuxTarget, at: number): Promise<void> {
  for (let left = at - now(t); left > 0; left = at - now(t)) await pause(t, 0, left);
}

async function settled(t: LinuxTarget, done: Promise<void>, at: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, at - now(t)) / 1000 + GRACE, false);
  });
  const first = await Promise.race([done.then(() => true), late]);
  clearTimeout(timer);
  return first;
}

async function peekSent(t: LinuxTarget, limit: number): Promise<Sent | null> {
  for (;;) {
    const left = limit - now(t);
    if (t.wire.sent.length === 0) drainWire(t.libc, t.wire);
    const [sent] = t.wire.sent;
    if (sent !== undefined) return { time: Math.round(sent.time - t.start), bytes: sent.bytes };
    if (left <= 0) return null;
    await pause(t, 1, left);
  }
}

async function nextSent(t: LinuxTarget, limit: number): Promise<Sent | null> {
  const sent = await peekSent(t, limit);
  t.wire.sent.shift();
  return sent;
}

function tcpInfo(t: LinuxTarget, fd: number): Map<string, number> | null {
  t.infoLength.view.setUint32(0, TCP_INFO_MAX, true);
  if (invoke(t.libc, 'getsockopt', fd, SOL_TCP, TCP_INFO, t.info.address, t.infoLength.address) < 0) return null;
  return parseTcpInfo(t.info.view, t.infoLength.view.getUint32(0, true));
}

function meminfo(t: LinuxTarget, fd: number): Map<string, number> | null {
  t.infoLength.view.setUint32(0, TCP_INFO_MAX, true);
  if (invoke(t.libc, 'getsockopt', fd, SOL_SOCKET, SO_MEMINFO, t.info.address, t.infoLength.address) < 0) return null;
  return new Map(MEMINFO.map((name, i) => [`sk_${name}`, t.info.view.getUint32(i * 4, true)]));
}

/** /proc/net/snmp and /proc/net/netstat: for each group a line of names and one of values. The namespace is this thread's. */
function counters(): Map<string, number> {
  const out = new Map<string, number>();
  for (const file of ['snmp', 'netstat']) {
    const lines = readFileSync(`/proc/self/net/${file}`, 'utf8').trim().split('\n').map((line) => line.split(' '));
    for (let i = 0; i + 1 < lines.length; i += 2) {
      const [group = '', ...names] = lines[i] ?? [];
      names.forEach((name, at) => out.set(group.slice(0, -1) + name, Number(lines[i + 1]?.[at + 1])));
    }
  }
  return out;
}

/** Fails for what is no TCP socket. */
function giveCongestion(t: LinuxTarget, fd: number, name: string): void {
  t.info.bytes.set(new TextEncoder().encode(name));
  invoke(t.libc, 'setsockopt', fd, SOL_TCP, TCP_CONGESTION, t.info.address, name.length);
}

function schedule(t: LinuxTarget, policy: number): void {
  const priority = new Memory(t.libc, 4);
  priority.view.setInt32(0, policy === SCHED_FIFO ? 1 : 0, true);
  for (const thread of readdirSync('/proc/self/task')) invoke(t.libc, 'sched_setscheduler', Number(thread), policy, priority.address);
}

/** From here on lateness counts: the threads of this process go before others, and wake when they asked to. */
function begin(t: LinuxTarget): void {
  schedule(t, SCHED_FIFO);
  invoke(t.libc, 'prctl', PR_SET_TIMERSLACK, 1, 0, 0, 0);
  drainWire(t.libc, t.wire);
  t.wire.sent.length = 0;
  t.start = clock(t);
}

/** Closes what the script left open. */
export function closeOpened(t: LinuxTarget): void {
  for (const fd of t.opened) invoke(t.libc, 'close', fd);
  t.opened.clear();
}

async function close(t: LinuxTarget): Promise<string> {
  schedule(t, SCHED_OTHER);
  for (const undo of t.undo) undo();
  closeOpened(t);
  closeWire(t.libc, t.wire);
  rmSync(t.nstatHistory, { force: true });
  return Promise.resolve('');
}

/** Notes what the script has to close, or has closed. */
function noteOpened(t: LinuxTarget, context: CallContext, name: string, args: Args, outcome: Outcome): Outcome {
  if (name === 'close') t.opened.delete(context.fds.get(int(args, 0)) ?? -1);
  const note = (result: number): void => {
    if (outcome.opens === true && result >= 0) t.opened.add(result);
    outcome.check?.(result);
    if (name === 'pipe') for (const end of listOf(args[0])) t.opened.add(context.fds.get(number(end, 'a descriptor')) ?? -1);
  };
  return { ...outcome, check: note };
}

export const linuxOps: TargetOps<LinuxTarget> = {
  commands: (t, text) => runLinuxCommands(t, text),
  begin,
  now,
  until,
  settled,
  nextSent,
  peekSent,
  burst: 1000,
  // The timer wheel's levels are an eighth of their time apart.
  timerSlack: (wait) => wait / 8,
  receive: (t, bytes, mss) => injectPacket(t.libc, t.wire, bytes, mss),
  call: (t, context, name, args, blocking) => {
    const outcome = makeLinuxCall({ ...context, libc: t.libc, epoch: t.start * 1000 }, name, args, blocking);
    if (name === 'socket' && t.congestion !== null && typeof outcome.result === 'number') giveCongestion(t, outcome.result, t.congestion);
    return noteOpened(t, context, name, args, outcome);
  },
  tcpInfo,
  meminfo,
  counters,
  close,
};
