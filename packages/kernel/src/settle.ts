/**
 * What the World asks of the host's event loop when nobody is inside it: a turn, or the alarm for the next event. Called when the
 * outermost call returns, and by whoever arms, raises or schedules something from outside.
 */
import type { World } from './world.ts';

/** User code that was let run has surely had its say after this many turns: one to reach the end of ours, and one whole. */
export const QUIET_TURNS = 2;

/** World.turnRequested. */
export const TURN_NONE = 0;
const TURN_ASKED = 1;
const TURN_KEPT = 2;

/** Anything that must run now. */
export function hasWork(world: World): boolean {
  return world.softirqFirst !== null || world.workFirst !== null;
}

/** An event for whose sake time moves. */
export function hasForeground(world: World): boolean {
  return world.timers.count !== 0 || world.hrtimers.heap.length !== 0;
}

/**
 * Asks for a turn. One in which something must run keeps the process alive; one that only lets virtual time pass does so while the
 * World has references.
 */
export function requestTurn(world: World, keep: boolean): void {
  const asked = keep ? TURN_KEPT : TURN_ASKED;
  if (world.turnRequested >= asked) return;
  world.turnRequested = asked;
  world.clock.loop.requestTurn(keep);
}

/** Asks the host for a turn or an alarm, as needed. Call at depth 0. */
export function settle(world: World): void {
  world.kick = world.idleWaiters.length !== 0;
  if (world.closed) return;
  const loop = world.clock.loop;
  const virtual = world.clock.virtual;
  if (hasWork(world) || world.spent || world.faults.length !== 0) requestTurn(world, true);
  else if (virtual !== null) {
    if (virtual.held === 0 && (hasForeground(world) || world.idleWaiters.length !== 0)) requestTurn(world, false);
  } else if (world.idleWaiters.length !== 0 && !hasForeground(world)) requestTurn(world, false);
  if (virtual === null && world.nextEvent < world.alarmAt) {
    world.alarmAt = world.nextEvent;
    loop.setAlarm(Math.max(0, world.nextEvent - world.clock.now()));
  }
}

/** An event was armed for `at` that is earlier than all others, or the first for whose sake time moves. */
export function eventArmed(world: World, at: number): void {
  if (at < world.nextEvent) world.nextEvent = at;
  world.kick = true;
  if (world.depth === 0) settle(world);
}

/** Something was raised or scheduled from outside any call into the stack: a turn of its own sees to it. */
export function kickOutside(world: World): void {
  world.quietTurns = 0;
  settle(world);
}

/** An error that no Net can be blamed for: thrown in a turn of the event loop, where the host reports it as uncaught. */
export function worldFault(world: World, error: Error): void {
  world.faults.push(error);
  world.kick = true;
  if (world.depth === 0) settle(world);
}
