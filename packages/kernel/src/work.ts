/**
 * Work: functions that run in process context, after the softirqs of the outermost call into the stack. A system call that slept is
 * restarted as one. First scheduled, first run.
 */
import { NET_GONE } from './net-state.ts';
import type { Net } from './net.ts';
import type { Owner } from './owner.ts';
import { netOf, worldOf } from './owner.ts';
import { kickOutside } from './settle.ts';
import type { World } from './world.ts';

export type WorkFunction = (work: Work) => void;

/** A function to be run in process context. */
export class Work {
  next: Work | null;
  pending: boolean;
  world: World;
  /** The Net that panics if `function` throws; null for a work of the World. */
  net: Net | null;
  function: WorkFunction;
  /** The object that `function` works on. */
  data: unknown;

  constructor(owner: Owner, fn: WorkFunction, data: unknown) {
    this.next = null;
    this.pending = false;
    this.world = worldOf(owner);
    this.net = netOf(owner);
    this.function = fn;
    this.data = data;
  }
}

/**
 * A work that calls `fn(work)`; what it works on is `work.data`. Not scheduled.
 *
 * @param owner the Net whose fault it is if fn throws, or the World
 */
export function initWork(owner: Owner, fn: WorkFunction, data: unknown): Work {
  return new Work(owner, fn, data);
}

/** Has the work run soon, never in the caller's stack. Returns false if it was scheduled already. */
export function scheduleWork(work: Work): boolean {
  if (work.pending) return false;
  if (work.net !== null && work.net.state === NET_GONE) return false;
  const world = work.world;
  work.pending = true;
  if (world.workLast === null) world.workFirst = work;
  else world.workLast.next = work;
  world.workLast = work;
  if (world.depth === 0) kickOutside(world);
  return true;
}

/** Takes a scheduled work back. Returns whether it was scheduled. */
export function cancelWork(work: Work): boolean {
  if (!work.pending) return false;
  const world = work.world;
  let before: Work | null = null;
  for (let at = world.workFirst; at !== null; before = at, at = at.next) {
    if (at !== work) continue;
    if (before === null) world.workFirst = at.next;
    else before.next = at.next;
    if (world.workLast === at) world.workLast = before;
    break;
  }
  work.next = null;
  work.pending = false;
  return true;
}

/** Takes the first work off the list. For run.ts. */
export function takeWork(world: World): Work {
  const work = world.workFirst!;
  world.workFirst = work.next;
  if (world.workFirst === null) world.workLast = null;
  work.next = null;
  work.pending = false;
  return work;
}
