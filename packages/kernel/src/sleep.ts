/**
 * For users outside the stack: `sleep` waits in the World's time, `idle` until the World has nothing left to do. Both keep the
 * process alive while they wait.
 */
import { worldCrossing, worldEnter, worldLeave } from './enter.ts';
import type { Hrtimer } from './hrtimer.ts';
import { hrtimerCancel, hrtimerSetup, hrtimerStart } from './hrtimer.ts';
import type { World } from './world.ts';
import { worldRef, worldUnref } from './world.ts';

/** As much of an AbortSignal as is used. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

function sleepTimer(timer: Hrtimer): void {
  worldCrossing(timer.world);
  (timer.data as () => void)();
}

/**
 * A promise that is resolved `ms` milliseconds (fractions allowed) of the World's time from now. Rejected with the signal's reason
 * when that aborts.
 */
export function sleep(world: World, ms: number, signal?: Signal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const finish = (): void => {
      signal?.removeEventListener('abort', abort);
      worldUnref(world);
    };
    const wake = (): void => {
      finish();
      resolve();
    };
    const timer = hrtimerSetup(world, sleepTimer, wake);
    const abort = (): void => {
      worldEnter(world);
      hrtimerCancel(timer);
      finish();
      reject(signal?.reason as Error);
      worldLeave(world);
    };
    signal?.addEventListener('abort', abort);
    worldRef(world);
    worldEnter(world);
    hrtimerStart(timer, world.now + Math.round(ms * 1e6));
    worldLeave(world);
  });
}

/**
 * A promise that is resolved when no softirq, no work and no event is pending but deferrable ones, user code that was let run has
 * had its turn, and nobody holds the clock. It says nothing about sockets that wait for their peer.
 */
export function idle(world: World): Promise<void> {
  return new Promise((resolve) => {
    worldRef(world);
    worldEnter(world);
    world.idleWaiters.push(() => {
      worldUnref(world);
      resolve();
    });
    world.kick = true;
    worldLeave(world);
  });
}
