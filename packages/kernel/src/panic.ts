/**
 * Faults. A function of a Net that throws has broken an invariant: that Net panics, all others go on. It stops at once (no timer,
 * softirq or interrupt of it runs any more); its exit functions, which close what is open, run as soon as the stack has returned.
 * Linux's panic() stops the machine; this one stops one of many.
 */
import { EIO } from './errno.ts';
import { NET_GONE, NET_STOPPING, NET_UP } from './net-state.ts';
import type { Net } from './net.ts';
import type { OpenItem } from './report.ts';
import { openReport } from './report.ts';
import { snmpSnapshot } from './snmp.ts';
import { dropSoftirqs } from './softirq.ts';
import { sweepNet } from './sweep.ts';
import type { TraceRecord } from './trace.ts';
import { formatTrace } from './trace.ts';
import type { Work } from './work.ts';
import { initWork, scheduleWork } from './work.ts';
import { worldFault } from './settle.ts';
import type { World } from './world.ts';

/** What is known about a Net that panicked. */
export interface PanicReport {
  net: Net;
  error: Error;
  /** The softirq, timer function, work or call in which it happened. */
  context: string;
  /** World time in ns. */
  time: number;
  /** The last tracepoints, if the Net was traced. */
  trace: readonly TraceRecord[];
  /** What was open. */
  open: OpenItem[];
  /** The counters that were not 0. */
  counters: Record<string, number>;
  /** What went wrong while it was taken down. */
  errors: unknown[];
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function makeReport(net: Net, error: Error, context: string): PanicReport {
  const world = net.world;
  const counters = Object.fromEntries(Object.entries(snmpSnapshot(net)).filter(([, value]) => value !== 0));
  const trace = [...(net.trace?.recent?.() ?? [])];
  return { net, error, context, time: world.now, trace, open: openReport(world, net), counters, errors: [] };
}

/** Says it on the host's console, where there is one. */
function printk(text: string): void {
  (globalThis as { console?: { error(text: string): void } }).console?.error(text);
}

/** Takes a Net that panicked down, in process context. */
function panicWork(work: Work): void {
  const report = work.data as PanicReport;
  const { net } = report;
  const world = net.world;
  sweepNet(net, report.errors);
  if (world.onPanic !== null) world.onPanic(report);
  else if (world.debug) worldFault(world, report.error);
  else printk(formatPanic(report));
}

/**
 * Stops a Net because of `error`. A second panic of the same Net is ignored.
 *
 * @param context where it happened, for the report
 */
export function netPanic(net: Net, error: unknown, context = 'netPanic'): void {
  if (net.state !== NET_UP) return;
  const world = net.world;
  const report = makeReport(net, toError(error), context);
  net.panicked = report.error;
  net.state = NET_STOPPING;
  dropSoftirqs(net);
  world.panics.push(report);
  scheduleWork(initWork(world, panicWork, report));
}

/** Something was thrown while a function of `net` ran, or of the World if net is null: then nobody but the host can be told. */
export function fault(world: World, net: Net | null, error: unknown, context: string): void {
  if (net === null || net.state === NET_GONE) worldFault(world, toError(error));
  else netPanic(net, error, context);
}

/**
 * For the catch block of a system call: panics the Net and sets the nesting of calls back to what it was inside the bracket, so that
 * the `worldLeave` that follows fits. `depth` is `world.depth` as read after `worldEnter`. Returns -EIO.
 */
export function netFault(net: Net, depth: number, error: unknown, context: string): number {
  net.world.depth = depth;
  fault(net.world, net, error, context);
  return -EIO;
}

/** A panic as text: what, where, when; the last tracepoints; what was open; the counters. */
export function formatPanic(report: PanicReport): string {
  const { net, error, context, time, trace, open, counters, errors } = report;
  const lines = [`panic: ${net.name}: ${error.message} (in ${context}, at ${(time / 1e9).toFixed(9)} s)`];
  if (error.stack !== undefined) lines.push(error.stack);
  if (trace.length > 0) lines.push('trace:', ...trace.map((record) => `  ${formatTrace(record)}`));
  if (open.length > 0) lines.push('open:', ...open.map((item) => `  ${item.kind} ${item.owner} ${item.detail}`));
  const counts = Object.entries(counters).map(([name, value]) => `${name}=${value}`);
  if (counts.length > 0) lines.push(`counters: ${counts.join(' ')}`);
  for (const e of errors) lines.push(`while taking it down: ${String(e)}`);
  return lines.join('\n');
}
