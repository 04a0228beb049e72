/**
 * How virtual time passes. It jumps to the next event only when nothing can still happen now: no softirq and no work is pending,
 * nobody holds the clock, and user code that was let run has had a whole turn of the event loop (QUIET_TURNS). While no user code
 * is involved it jumps on in one turn, until the slice is over.
 */
import { nextEventTime } from './event.ts';
import { setTime } from './now.ts';
import { hasForeground, hasWork, QUIET_TURNS } from './settle.ts';
import type { World } from './world.ts';

/** Runs what is pending, then event after event, as far as it goes. Call at depth 1, under a virtual clock. */
export function advance(world: World, runPending: (world: World) => void): void {
  const virtual = world.clock.virtual!;
  runPending(world);
  while (!hasWork(world) && virtual.held === 0 && world.quietTurns === QUIET_TURNS && !world.spent && hasForeground(world)) {
    world.turnCharge = 0;
    const { resolution } = world.clock;
    const event = nextEventTime(world);
    const next = resolution === 1 ? event : Math.ceil(event / resolution) * resolution;
    if (next > world.now) {
      virtual.jump(next);
      setTime(world, next);
    }
    world.nextEvent = next;
    runPending(world);
  }
}
