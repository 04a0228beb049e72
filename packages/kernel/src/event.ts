/**
 * The order of events: (time, arming), over both wheels and both heaps. `runEvent` runs one that is due; `nextEventTime` says when
 * the next one is.
 */
import type { Hrtimer, HrtimerBase } from './hrtimer.ts';
import { hrtimerEarlier, hrtimerRemove } from './hrtimer.ts';
import { NSEC_PER_JIFFY } from './jiffies.ts';
import { NET_UP } from './net-state.ts';
import type { Net } from './net.ts';
import { fault } from './panic.ts';
import type { TimerBase } from './timer-wheel.ts';
import { wheelBound, wheelCollect, wheelFirst, wheelNext, wheelRemove } from './timer-wheel.ts';
import type { World } from './world.ts';

function wheelTime(base: TimerBase): number {
  return wheelFirst(base) !== null ? base.expiredTicks * NSEC_PER_JIFFY : wheelNext(base) * NSEC_PER_JIFFY;
}

function heapTime(base: HrtimerBase): number {
  return base.heap.length === 0 ? Infinity : base.heap[0].expires;
}

/** When the next event is, in ns; Infinity if none is armed. */
export function nextEventTime(world: World): number {
  return Math.min(
    heapTime(world.hrtimers),
    heapTime(world.deferrableHrtimers),
    wheelTime(world.timers),
    wheelTime(world.deferrableTimers),
  );
}

function wheelTimeBound(base: TimerBase): number {
  return wheelFirst(base) !== null ? base.expiredTicks * NSEC_PER_JIFFY : wheelBound(base) * NSEC_PER_JIFFY;
}

/** As nextEventTime, without a search: may be too early. */
export function nextEventBound(world: World): number {
  return Math.min(
    heapTime(world.hrtimers),
    heapTime(world.deferrableHrtimers),
    wheelTimeBound(world.timers),
    wheelTimeBound(world.deferrableTimers),
  );
}

/** The sooner of two heads of one kind of timer that are due. */
function firstTimer(world: World): TimerBase | null {
  const { timers, deferrableTimers, ticks } = world;
  wheelCollect(timers, ticks);
  wheelCollect(deferrableTimers, ticks);
  const a = wheelFirst(timers);
  const b = wheelFirst(deferrableTimers);
  if (a === null) return b === null ? null : deferrableTimers;
  if (b === null) return timers;
  const ahead = timers.expiredTicks - deferrableTimers.expiredTicks;
  return ahead < 0 || (ahead === 0 && a.seq < b.seq) ? timers : deferrableTimers;
}

/** The head of a heap, if it is due. */
function dueHead(base: HrtimerBase, now: number): Hrtimer | null {
  if (base.heap.length === 0) return null;
  const head = base.heap[0];
  return head.expires <= now ? head : null;
}

function firstHrtimer(world: World): HrtimerBase | null {
  const { hrtimers, deferrableHrtimers, now } = world;
  const a = dueHead(hrtimers, now);
  const b = dueHead(deferrableHrtimers, now);
  if (a === null) return b === null ? null : deferrableHrtimers;
  return b === null || hrtimerEarlier(a, b) ? hrtimers : deferrableHrtimers;
}

/** A timer of either kind, as far as running it goes. */
interface Firing {
  net: Net | null;
  function: (timer: never) => void;
}

function failed(world: World, timer: Firing, error: unknown): void {
  world.depth = 1;
  fault(world, timer.net, error, timer.function.name);
}

function fireTimer(world: World, base: TimerBase): void {
  const timer = wheelFirst(base)!;
  wheelRemove(base, timer);
  if (timer.net !== null && timer.net.state !== NET_UP) return;
  try {
    timer.function(timer);
  } catch (error) {
    failed(world, timer, error);
  }
}

function fireHrtimer(world: World, base: HrtimerBase): void {
  const timer = base.heap[0];
  hrtimerRemove(base, timer);
  if (timer.net !== null && timer.net.state !== NET_UP) return;
  try {
    timer.function(timer);
  } catch (error) {
    failed(world, timer, error);
  }
}

/** Runs the first event that is due, if one is, and finds out when the next one may be. */
export function runEvent(world: World): void {
  const wheel = firstTimer(world);
  const heap = firstHrtimer(world);
  if (wheel === null && heap === null) {
    world.nextEvent = nextEventTime(world);
    return;
  }
  world.charge++;
  if (heap === null) fireTimer(world, wheel!);
  else if (wheel === null) fireHrtimer(world, heap);
  else {
    const ahead = wheel.expiredTicks * NSEC_PER_JIFFY - heap.heap[0].expires;
    if (ahead < 0 || (ahead === 0 && wheelFirst(wheel)!.seq < heap.heap[0].seq)) fireTimer(world, wheel);
    else fireHrtimer(world, heap);
  }
  world.nextEvent = nextEventBound(world);
}
