/**
 * The budget of a turn: how long the stack works on before the host's event loop may turn. Under a real clock it is time; under a
 * virtual one it is units of work while user code may be running, and host time while it cannot be, so that it never changes the
 * order of events.
 */
import { readClock } from './now.ts';
import { QUIET_TURNS, requestTurn } from './settle.ts';
import type { World } from './world.ts';

/** How long the stack keeps the host's event loop from turning, in ns. */
const SLICE = 1_000_000;
/** Units of work between two looks at the budget, at most: reading a clock costs nothing beside them. */
export const LOOK_EVERY = 16;
/** Units that last longer than this between two looks, in ns, are looked at one by one: code that is not compiled yet is slow. */
const SLOW = SLICE / 8;
/** Virtual time, user code running: units of work until the rest waits for a turn. */
const TURN_CHARGE = 512;

/** Whether enough was done since the last look to be worth another. */
export function budgetDue(world: World): boolean {
  return world.charge >= world.lookEvery;
}

/** Real clock: is it time to stop? Whoever starts to be busy asks for a turn; while turns come, the event loop is not starving. */
export function lookAtClock(world: World): void {
  const since = world.now;
  world.charge = 0;
  readClock(world);
  world.lookEvery = world.now - since > SLOW ? 1 : Math.min(LOOK_EVERY, world.lookEvery * 2);
  if (!world.watching) {
    world.watching = true;
    world.watchSince = since;
    requestTurn(world, false);
  }
  if (world.now - world.watchSince > SLICE) world.spent = true;
}

/** Virtual clock: is it time to stop? */
function lookAtUnits(world: World): void {
  const units = world.charge;
  world.charge = 0;
  if (world.quietTurns >= QUIET_TURNS) {
    if (world.clock.loop.now() - world.watchSince > SLICE) world.spent = true;
    return;
  }
  world.turnCharge += units;
  if (world.turnCharge < TURN_CHARGE) return;
  world.turnCharge = 0;
  world.spent = true;
}

/** Is it time to stop? Sets world.spent. */
export function lookAtBudget(world: World): void {
  if (world.clock.virtual === null) lookAtClock(world);
  else lookAtUnits(world);
}
