/**
 * Timers in nanoseconds: a binary heap ordered by (expires, arming). For pacing, serialisation on a wire, and sleeps. They fire in
 * one order with the jiffies timers, never in the stack of whoever arms them.
 */
import { NET_UP } from './net-state.ts';
import type { Net } from './net.ts';
import type { Owner } from './owner.ts';
import { netOf, worldOf } from './owner.ts';
import { eventArmed } from './settle.ts';
import type { World } from './world.ts';

/** As TIMER_DEFERRABLE (timer.ts). */
export const HRTIMER_DEFERRABLE = 1;

export type HrtimerFunction = (timer: Hrtimer) => void;

/** A timer in nanoseconds. `function` and `data` may be changed while it is not active. */
export class Hrtimer {
  /** ns since the World began; keeps its value when the timer has fired. */
  expires: number;
  /** Number of the arming. */
  seq: number;
  /** Its place in the heap, -1 when not active. */
  index: number;
  flags: number;
  world: World;
  /** The Net that panics if `function` throws; null for a timer of the World. */
  net: Net | null;
  function: HrtimerFunction;
  /** The object that `function` works on. */
  data: unknown;

  constructor(owner: Owner, fn: HrtimerFunction, data: unknown, flags: number) {
    this.expires = 0;
    this.seq = 0;
    this.index = -1;
    this.flags = flags;
    this.world = worldOf(owner);
    this.net = netOf(owner);
    this.function = fn;
    this.data = data;
  }
}

/** A heap of hrtimers; heap[0] is the next to fire. */
export class HrtimerBase {
  heap: Hrtimer[];

  constructor() {
    this.heap = [];
  }
}

/** a fires before b. */
export function hrtimerEarlier(a: Hrtimer, b: Hrtimer): boolean {
  return a.expires < b.expires || (a.expires === b.expires && a.seq < b.seq);
}

function siftUp(heap: Hrtimer[], timer: Hrtimer, index: number): void {
  while (index > 0) {
    const up = (index - 1) >> 1;
    const parent = heap[up];
    if (!hrtimerEarlier(timer, parent)) break;
    heap[index] = parent;
    parent.index = index;
    index = up;
  }
  heap[index] = timer;
  timer.index = index;
}

function siftDown(heap: Hrtimer[], timer: Hrtimer, index: number): void {
  const length = heap.length;
  for (;;) {
    let down = 2 * index + 1;
    if (down >= length) break;
    if (down + 1 < length && hrtimerEarlier(heap[down + 1], heap[down])) down++;
    const child = heap[down];
    if (!hrtimerEarlier(child, timer)) break;
    heap[index] = child;
    child.index = index;
    index = down;
  }
  heap[index] = timer;
  timer.index = index;
}

/** Takes an active timer out of its heap. */
export function hrtimerRemove(base: HrtimerBase, timer: Hrtimer): void {
  const heap = base.heap;
  const index = timer.index;
  const moved = heap.pop()!;
  timer.index = -1;
  if (moved === timer) return;
  if (index > 0 && hrtimerEarlier(moved, heap[(index - 1) >> 1])) siftUp(heap, moved, index);
  else siftDown(heap, moved, index);
}

function baseOf(timer: Hrtimer): HrtimerBase {
  return (timer.flags & HRTIMER_DEFERRABLE) === 0 ? timer.world.hrtimers : timer.world.deferrableHrtimers;
}

/**
 * A timer that calls `fn(timer)`; what it works on is `timer.data`. Not active.
 *
 * @param owner the Net whose fault it is if fn throws, or the World (wires, switches)
 * @param flags 0 or HRTIMER_DEFERRABLE
 */
export function hrtimerSetup(owner: Owner, fn: HrtimerFunction, data: unknown, flags = 0): Hrtimer {
  return new Hrtimer(owner, fn, data, flags);
}

/** Arms, or arms anew, for `expires` ns since the World began. A time that is past fires as soon as the stack returns. */
export function hrtimerStart(timer: Hrtimer, expires: number): void {
  const world = timer.world;
  if (timer.net !== null && timer.net.state !== NET_UP) return;
  const base = baseOf(timer);
  timer.seq = ++world.armings;
  if (timer.index >= 0) hrtimerRemove(base, timer);
  timer.expires = expires;
  base.heap.push(timer);
  siftUp(base.heap, timer, base.heap.length - 1);
  if (expires < world.nextEvent || base.heap.length === 1) eventArmed(world, expires);
}

/** Moves a timer that has fired a whole number of `interval` ns past `now`. Returns how many; does not arm it. */
export function hrtimerForward(timer: Hrtimer, now: number, interval: number): number {
  const overrun = Math.floor((now - timer.expires) / interval) + 1;
  if (overrun <= 0) return 0;
  timer.expires += overrun * interval;
  return overrun;
}

/** Disarms. Returns whether it was active. */
export function hrtimerCancel(timer: Hrtimer): boolean {
  if (timer.index < 0) return false;
  hrtimerRemove(baseOf(timer), timer);
  return true;
}

/** Whether it is armed and has not fired. */
export function hrtimerActive(timer: Hrtimer): boolean {
  return timer.index >= 0;
}
