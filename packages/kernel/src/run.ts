/**
 * What runs when nobody else does, in this order: softirqs; events (timers) that are due, one at a time, each followed by the
 * softirqs it raised; works. `runPending` is called by the outermost `worldLeave`, by `worldTurn` (a turn of the host's event loop)
 * and by `worldAlarm` (the host's timer). advance.ts moves virtual time.
 *
 * A turn has a budget (budget.ts), past which the rest waits for a turn of its own: else user code that loops over promises that
 * resolve at once would keep the event loop from ever turning.
 */
import { advance } from './advance.ts';
import { budgetDue, lookAtBudget } from './budget.ts';
import { runEvent } from './event.ts';
import { NET_GONE, NET_UP } from './net-state.ts';
import { readClock } from './now.ts';
import { fault } from './panic.ts';
import { hasForeground, hasWork, QUIET_TURNS, settle, TURN_NONE } from './settle.ts';
import { softirqNames, takeSoftirqNet } from './softirq.ts';
import { takeWork } from './work.ts';
import type { World } from './world.ts';

/** Runs the softirqs that one Net has raised. What they raise anew waits for the Net's next turn. */
function runSoftirqs(world: World): void {
  const net = takeSoftirqNet(world);
  let pending = net.softirqPending;
  net.softirqPending = 0;
  while (pending !== 0 && net.state === NET_UP) {
    const nr = 31 - Math.clz32(pending & -pending);
    pending &= pending - 1;
    const action = net.softirqVec[nr];
    if (action === null) continue;
    world.charge++;
    world.actionCharge = 0;
    try {
      action(net);
    } catch (error) {
      world.depth = 1;
      fault(world, net, error, `softirq ${softirqNames[nr]}`);
    }
  }
}

/** Runs the first work. */
function runWork(world: World): void {
  const work = takeWork(world);
  const net = work.net;
  if (net !== null && net.state === NET_GONE) return;
  world.charge++;
  try {
    work.function(work);
  } catch (error) {
    world.depth = 1;
    fault(world, net, error, work.function.name);
  }
}

/** Runs all that can run now, or until the budget is spent. Call at depth 1. */
export function runPending(world: World): void {
  while (!world.spent) {
    if (world.softirqFirst !== null) runSoftirqs(world);
    else if (world.nextEvent <= world.now) runEvent(world);
    else if (world.workFirst !== null) runWork(world);
    else return;
    if (budgetDue(world)) lookAtBudget(world);
  }
}

/** Wakes whoever awaits `idle`, if the World is. */
function wakeIdle(world: World): void {
  if (world.idleWaiters.length === 0 || hasWork(world) || hasForeground(world)) return;
  if (world.quietTurns < QUIET_TURNS || (world.clock.virtual !== null && world.clock.virtual.held !== 0)) return;
  const waiters = world.idleWaiters;
  world.idleWaiters = [];
  world.quietTurns = 0;
  for (const wake of waiters) wake();
}

/** Throws what went wrong outside any Net, one a turn. */
function throwFaults(world: World): void {
  const error = world.faults.shift();
  if (error !== undefined) throw error;
}

/** A turn of the host's event loop, asked for by `settle`. */
export function worldTurn(world: World): void {
  world.turnRequested = TURN_NONE;
  world.watching = false;
  world.spent = false;
  if (world.closed) return;
  const virtual = world.clock.virtual;
  if (virtual !== null && virtual.released) {
    virtual.released = false;
    world.quietTurns = 0;
  }
  if (world.quietTurns < QUIET_TURNS) world.quietTurns++;
  world.depth = 1;
  readClock(world);
  if (virtual !== null) {
    world.watchSince = world.clock.loop.now();
    advance(world, runPending);
  } else runPending(world);
  world.depth = 0;
  wakeIdle(world);
  settle(world);
  throwFaults(world);
}

/** The host's timer has rung: real clock only. */
export function worldAlarm(world: World): void {
  world.alarmAt = Infinity;
  if (world.closed) return;
  world.depth = 1;
  readClock(world);
  runPending(world);
  world.depth = 0;
  settle(world);
}
