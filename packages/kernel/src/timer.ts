/**
 * Timers in jiffies: a named function and the object that it works on. They fire in the first moment of their tick, in the order of
 * (tick, arming), together with hrtimers; never in the stack of whoever arms them. The wheel is timer-wheel.ts.
 *
 * Deviation: Linux rounds an expiry up by a tick, so that d jiffies are never less than d ms; here `jiffies + d` fires when jiffies
 * reaches it, which is exact for whoever acts on the tick (as timers in virtual time do) and up to 1 ms early for others.
 */
import { NSEC_PER_JIFFY } from './jiffies.ts';
import { NET_UP } from './net-state.ts';
import type { Net } from './net.ts';
import type { Owner } from './owner.ts';
import { netOf, worldOf } from './owner.ts';
import { NO_SLOT, wheelAdd, wheelBound, wheelForward, wheelRemove } from './timer-wheel.ts';
import { eventArmed } from './settle.ts';
import type { World } from './world.ts';

/**
 * The timer fires when its time has come, but time does not move for its sake: virtual time does not jump to it while nothing else
 * is pending, and `idle` does not wait for it. For housekeeping: neighbour garbage, TIME_WAIT, keepalive.
 */
export const TIMER_DEFERRABLE = 1;

export type TimerFunction = (timer: TimerList) => void;

/** A timer. `function` and `data` may be changed while it is not pending. */
export class TimerList {
  next: TimerList | null;
  prev: TimerList | null;
  /** The tick at which it fires, an int32; keeps its value when the timer has fired. */
  expires: number;
  /** Its place in the wheel. */
  slot: number;
  /** Number of the arming, for the order among equals. */
  seq: number;
  flags: number;
  world: World;
  /** The Net that panics if `function` throws; null for a timer of the World. */
  net: Net | null;
  function: TimerFunction;
  /** The object that `function` works on. */
  data: unknown;

  constructor(owner: Owner, fn: TimerFunction, data: unknown, flags: number) {
    this.next = null;
    this.prev = null;
    this.expires = 0;
    this.slot = NO_SLOT;
    this.seq = 0;
    this.flags = flags;
    this.world = worldOf(owner);
    this.net = netOf(owner);
    this.function = fn;
    this.data = data;
  }
}

/**
 * A timer that calls `fn(timer)`; what it works on is `timer.data`. Not pending.
 *
 * @param owner the Net whose fault it is if fn throws, or the World (wires, switches)
 * @param flags 0 or TIMER_DEFERRABLE
 */
export function timerSetup(owner: Owner, fn: TimerFunction, data: unknown, flags = 0): TimerList {
  return new TimerList(owner, fn, data, flags);
}

/**
 * Arms a timer, pending or not, for tick `expires`: `world.jiffies + delay`, delay at most MAX_JIFFY_OFFSET. One for now or for the
 * past is armed for the next tick, so that a timer which arms itself anew lets time pass. A pending timer that is armed for the
 * tick it has keeps its place in the order.
 *
 * @returns whether it was pending
 */
export function modTimer(timer: TimerList, expires: number): boolean {
  const world = timer.world;
  const jiffies = world.jiffies;
  const base = (timer.flags & TIMER_DEFERRABLE) === 0 ? world.timers : world.deferrableTimers;
  const pending = timer.slot !== NO_SLOT;
  const tick = ((expires - jiffies) | 0) > 0 ? expires | 0 : (jiffies + 1) | 0;
  if (pending) {
    if (timer.expires === tick) return true;
    wheelRemove(base, timer);
  } else if (timer.net !== null && timer.net.state !== NET_UP) return false;
  if (base.clk !== ((jiffies + 1) | 0)) wheelForward(base, world.ticks);
  timer.expires = tick;
  timer.seq = ++world.armings;
  wheelAdd(base, timer);
  const bound = wheelBound(base) * NSEC_PER_JIFFY;
  if (bound < world.nextEvent || base.count === 1) eventArmed(world, bound);
  return pending;
}

/** Arms a timer that is not pending for timer.expires. */
export function addTimer(timer: TimerList): void {
  if (timer.slot !== NO_SLOT) throw new Error('addTimer: the timer is pending');
  modTimer(timer, timer.expires);
}

/** Disarms. Returns whether it was pending. */
export function delTimer(timer: TimerList): boolean {
  if (timer.slot === NO_SLOT) return false;
  const world = timer.world;
  wheelRemove((timer.flags & TIMER_DEFERRABLE) === 0 ? world.timers : world.deferrableTimers, timer);
  return true;
}

/** Whether it is armed and has not fired. Inside its own function it is not. */
export function timerPending(timer: TimerList): boolean {
  return timer.slot !== NO_SLOT;
}

