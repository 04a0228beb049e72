/**
 * The door. `worldEnter` and `worldLeave` bracket every system call, interrupt and callback of the host; the outermost leave runs
 * what was raised meanwhile (run.ts). `interrupt` is the bracket that also keeps a fault inside one Net.
 */
import { NET_UP } from './net-state.ts';
import type { Net } from './net.ts';
import { readClock } from './now.ts';
import { fault } from './panic.ts';
import { runPending } from './run.ts';
import { settle } from './settle.ts';
import type { World } from './world.ts';

/** Enters the stack. The outermost call reads the clock: `world.now` and `world.jiffies` then hold until it leaves. */
export function worldEnter(world: World): void {
  if (world.depth++ !== 0) return;
  world.quietTurns = 0;
  readClock(world);
}

/** Leaves the stack. The outermost call runs softirqs, events that are due and works, until quiet or out of budget. */
export function worldLeave(world: World): void {
  if (world.depth !== 1) {
    world.depth--;
    return;
  }
  if (world.softirqFirst !== null || world.workFirst !== null || world.nextEvent <= world.now) runPending(world);
  world.depth = 0;
  if (world.kick || world.spent) settle(world);
}

/**
 * A wake-up is about to reach user code: a promise is resolved, or a listener called. Virtual time then stands for a whole turn of
 * the event loop. Whoever resolves a user's promise calls this first.
 */
export function worldCrossing(world: World): void {
  world.quietTurns = 0;
}

/**
 * Runs `fn(arg)` as an interrupt of `net`: inside enter and leave, and if it throws, the Net panics and the caller goes on. Does
 * nothing when the Net is not up. `fn` should be a named function of its module.
 */
export function interrupt<T>(net: Net, fn: (arg: T) => void, arg: T): void {
  if (net.state !== NET_UP) return;
  const world = net.world;
  worldEnter(world);
  const depth = world.depth;
  try {
    fn(arg);
  } catch (error) {
    world.depth = depth;
    fault(world, net, error, fn.name);
  }
  worldLeave(world);
}
