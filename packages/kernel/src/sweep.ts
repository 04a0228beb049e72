/** Taking a Net down: its exit functions, its last works, and what its layers left armed. Used by destroyNet and by panics. */
import { hrtimerCancel } from './hrtimer.ts';
import { NET_GONE } from './net-state.ts';
import type { Net } from './net.ts';
import type { OpenItem } from './report.ts';
import { timerReport } from './report.ts';
import { dropSoftirqs } from './softirq.ts';
import { wheelEach } from './timer-wheel.ts';
import { delTimer } from './timer.ts';
import { cancelWork } from './work.ts';
import type { World } from './world.ts';

/** Runs the works of a Net that are scheduled: what its exit functions woke. */
function runWorks(net: Net, errors: unknown[]): void {
  const world = net.world;
  for (let work = world.workFirst; work !== null; work = world.workFirst) {
    while (work !== null && work.net !== net) work = work.next;
    if (work === null) return;
    cancelWork(work);
    try {
      work.function(work);
    } catch (error) {
      errors.push(error);
    }
  }
}

function cancelTimers(world: World, net: Net): void {
  for (const base of [world.timers, world.deferrableTimers]) {
    wheelEach(base, (timer) => {
      if (timer.net === net) delTimer(timer);
    });
  }
  for (const base of [world.hrtimers, world.deferrableHrtimers]) {
    for (const timer of base.heap.filter((t) => t.net === net)) hrtimerCancel(timer);
  }
}

/**
 * Runs the exit functions of a Net, last registered first, and drops what is left of it. What they throw goes to `errors`.
 *
 * @returns the timers that were still armed
 */
export function sweepNet(net: Net, errors: unknown[]): OpenItem[] {
  const world = net.world;
  const depth = world.depth;
  for (let exit = net.exits.pop(); exit !== undefined; exit = net.exits.pop()) {
    try {
      exit(net);
    } catch (error) {
      world.depth = depth;
      errors.push(error);
    }
  }
  runWorks(net, errors);
  net.state = NET_GONE;
  dropSoftirqs(net);
  const left: OpenItem[] = [];
  timerReport(world, net, true, left);
  cancelTimers(world, net);
  return left;
}
