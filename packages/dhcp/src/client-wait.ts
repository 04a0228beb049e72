/*
 * How a client waits for the times of its lease: on a deferrable timer, so that a World with nothing else to do is idle and stays where
 * it is. The wait is over when the timer fires, or when clientWake() says so.
 */
import {
  HRTIMER_DEFERRABLE, hrtimerCancel, hrtimerSetup, hrtimerStart, NSEC_PER_SEC, worldCrossing, worldEnter, worldLeave, type Hrtimer, type Net,
} from '@stack/kernel';
import type { Task } from '@stack/socket';

export class ClientWait {
  net: Net;
  timer: Hrtimer;
  resolve: (() => void) | null;
  ended: boolean;

  constructor(net: Net) {
    this.net = net;
    this.timer = hrtimerSetup(net, waitTimer, this, HRTIMER_DEFERRABLE);
    this.resolve = null;
    this.ended = false;
  }
}

export function makeWait(task: Task): ClientWait {
  return new ClientWait(task.net);
}

function waitTimer(timer: Hrtimer): void {
  finish(timer.data as ClientWait);
}

function finish(wait: ClientWait): void {
  const { resolve } = wait;
  wait.resolve = null;
  worldCrossing(wait.net.world);
  if (resolve !== null) resolve();
}

/** Resolves after `seconds` of the World's time (Infinity: never by itself), or when the client is woken. */
export function clientWait(wait: ClientWait, seconds: number): Promise<void> {
  if (wait.ended || seconds <= 0) return Promise.resolve();
  const { world } = wait.net;
  return new Promise((resolve) => {
    wait.resolve = resolve;
    if (seconds === Infinity) return;
    worldEnter(world);
    hrtimerStart(wait.timer, world.now + Math.ceil(seconds * NSEC_PER_SEC));
    worldLeave(world);
  });
}

/** Ends the wait, and every later one. */
export function clientWake(wait: ClientWait): void {
  const { world } = wait.net;
  wait.ended = true;
  worldEnter(world);
  hrtimerCancel(wait.timer);
  finish(wait);
  worldLeave(world);
}
