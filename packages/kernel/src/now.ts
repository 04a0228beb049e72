/** The World's time: set here alone, so that now, ticks and jiffies always say the same. */
import { INITIAL_JIFFIES, NSEC_PER_JIFFY } from './jiffies.ts';
import type { World } from './world.ts';

/** Sets the time to `ns` since the World began. */
export function setTime(world: World, ns: number): void {
  const ticks = Math.floor(ns / NSEC_PER_JIFFY);
  world.now = ns;
  world.ticks = ticks;
  world.jiffies = (INITIAL_JIFFIES + ticks) | 0;
}

/** Reads the clock, if it is one that runs by itself. */
export function readClock(world: World): void {
  if (world.clock.virtual === null) setTime(world, world.clock.now());
}
