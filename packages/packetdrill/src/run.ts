/*
 * Runs a script against a target (target.ts).
 *
 * runScriptOn() -> runEvent() for each event: waits for its time, then sends the packet, makes the call, runs the commands or the
 * assertions; or takes what the target has sent and compares it (expect.ts). A call with an end time blocks beside what follows.
 */
import { inAton } from '@stack/inet-sock';
import { checkResult, field, int } from './call-args.ts';
import { FREEBSD_OPTIONS } from './freebsd.ts';
import { pythonNames } from './python-names.ts';
import { runPython } from './python.ts';
import { recordCall, recordSent } from './record.ts';
import { due, lateness, log, Mismatch, now, reach, Run, seconds, type Failure, type Result, type RunOptions } from './run-state.ts';
import type { CallAction, Event, Expr, Script } from './script.ts';
import type { Outcome, TargetOps } from './target.ts';
import { newConnection, runInbound, runOutbound } from './traffic.ts';

/** What a call changes in what is under test. */
function noteCall(run: Run, { name, args }: CallAction): void {
  if (name === 'socket') newConnection(run);
  const { conn } = run;
  if (name === 'listen') conn.listening = true;
  if (name === 'bind') conn.localPort = portOf(args[1]) ?? conn.localPort;
  if (name !== 'connect') return;
  if (args[1]?.kind === 'int') {
    run.dissolved = true;
    return;
  }
  if (run.dissolved) newConnection(run);
  run.conn.remotePort = portOf(args[1]) ?? run.conn.remotePort;
  const address = field(args[1], 'sin_addr');
  if (address?.kind === 'string') run.conn.remoteIp = inAton(address.value);
}

/** The port of an address that the script spells out; 0 is none. */
function portOf(address: Expr | undefined): number | null {
  const port = field(address, 'sin_port');
  return port?.kind === 'int' && port.value !== 0 ? port.value : null;
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
  if (/^[gs]etsockopt$/.test(call.name) && int(call.args, 2) >= FREEBSD_OPTIONS) {
    log(run, now(run), '#', `${event.text}: passed over`);
    return;
  }
  noteCall(run, call);
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
  if (run.record) {
    recordCall(run, call, outcome, result);
    return;
  }
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
  if (run.record) await recordSent(run, at);
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
    await runOutbound(run, event, action.packet);
    return;
  }
  if (action.kind === 'call') {
    await runCall(run, event, action);
    return;
  }
  await reach(run, due(run, event.when).at);
  if (action.kind === 'packet') runInbound(run, action.packet);
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
