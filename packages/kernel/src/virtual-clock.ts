/**
 * The virtual clock: time is a number that the World moves to its next event (advance.ts says when). It borrows the host's event
 * loop for turns alone, never for time, so a run depends on nothing but its seed and its inputs.
 */
import type { HostLoop, VirtualClock, VirtualTime } from './clock.ts';
import { hostLoop } from './real-clock.ts';

export interface VirtualClockOptions {
  /** Wall time at the World's beginning, in ms since 1970 (2000-01-01T00:00Z if not given). */
  epoch?: number;
  /** Its resolution in ns, 1 if not given: time moves to multiples of it, and events fire at the first that is not too early. */
  resolution?: number;
  /** Another event loop than the host's own, for tests of the kernel itself. */
  loop?: HostLoop;
}

/** A clock at 0 ns. It serves one World. */
export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  const epoch = options.epoch ?? 946_684_800_000;
  const loop = options.loop ?? hostLoop();
  let now = 0;
  const virtual: VirtualTime = {
    held: 0,
    released: false,
    jump(ns) {
      now = ns;
    },
  };
  return {
    virtual,
    resolution: options.resolution ?? 1,
    loop,
    now: () => now,
    wallTime: () => epoch + now / 1e6,
    entropy: () => false,
    hold() {
      virtual.held++;
    },
    release() {
      if (virtual.held === 0) throw new Error('virtual clock: release without hold');
      if (--virtual.held !== 0) return;
      virtual.released = true;
      loop.requestTurn(true);
    },
  };
}
