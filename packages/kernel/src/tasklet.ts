/**
 * Tasklets: softirq work of one object rather than of a whole layer (TCP small queues use one). Scheduled twice before it has run,
 * a tasklet runs once.
 */
import { NET_UP } from './net-state.ts';
import type { Net } from './net.ts';
import { openSoftirq, raiseSoftirq, TASKLET_SOFTIRQ } from './softirq.ts';

export type TaskletFunction = (tasklet: Tasklet) => void;

/** One object's softirq work. */
export class Tasklet {
  next: Tasklet | null;
  pending: boolean;
  net: Net;
  function: TaskletFunction;
  /** The object that `function` works on. */
  data: unknown;

  constructor(net: Net, fn: TaskletFunction, data: unknown) {
    this.next = null;
    this.pending = false;
    this.net = net;
    this.function = fn;
    this.data = data;
  }
}

/** A tasklet that calls `fn(tasklet)` in softirq; what it works on is `tasklet.data`. Not scheduled. */
export function taskletSetup(net: Net, fn: TaskletFunction, data: unknown): Tasklet {
  return new Tasklet(net, fn, data);
}

/** Runs what is scheduled now; what these schedule waits for the next round. */
function taskletAction(net: Net): void {
  let tasklet = net.taskletFirst;
  net.taskletFirst = null;
  net.taskletLast = null;
  while (tasklet !== null) {
    const next: Tasklet | null = tasklet.next;
    tasklet.next = null;
    if (tasklet.pending) {
      tasklet.pending = false;
      tasklet.function(tasklet);
    }
    tasklet = next;
  }
}

/** Has the tasklet run in softirq. Returns false if it was scheduled already. */
export function taskletSchedule(tasklet: Tasklet): boolean {
  if (tasklet.pending) return false;
  const net = tasklet.net;
  if (net.state !== NET_UP) return false;
  if (net.softirqVec[TASKLET_SOFTIRQ] === null) openSoftirq(net, TASKLET_SOFTIRQ, taskletAction);
  tasklet.pending = true;
  if (net.taskletLast === null) net.taskletFirst = tasklet;
  else net.taskletLast.next = tasklet;
  net.taskletLast = tasklet;
  raiseSoftirq(net, TASKLET_SOFTIRQ);
  return true;
}

/** Takes a scheduled tasklet back. Returns whether it was scheduled. */
export function taskletKill(tasklet: Tasklet): boolean {
  if (!tasklet.pending) return false;
  tasklet.pending = false;
  const net = tasklet.net;
  let before: Tasklet | null = null;
  for (let at = net.taskletFirst; at !== null; before = at, at = at.next) {
    if (at !== tasklet) continue;
    if (before === null) net.taskletFirst = at.next;
    else before.next = at.next;
    if (net.taskletLast === at) net.taskletLast = before;
    at.next = null;
    break;
  }
  return true;
}
