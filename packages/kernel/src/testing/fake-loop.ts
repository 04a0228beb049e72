/** An event loop that a test turns by hand: time is a number, a turn is a call. */
import type { Clock, HostLoop } from '../clock.ts';

export interface FakeLoop extends HostLoop {
  /** Host time in ns; the test moves it. */
  time: number;
  /** Moved this far by every look at it. */
  step: number;
  wanted: boolean;
  /** The turn that is wanted keeps the process alive. */
  kept: boolean;
  /** When the alarm is due; Infinity if it is not set. */
  alarm: number;
  alarmsSet: number;
  ref: boolean;
  closed: boolean;
  /** Runs the turn that was asked for. Returns whether one was. */
  turn(): boolean;
  /** Turns until nobody asks for more; gives up after `max`. Returns how many. */
  turns(max?: number): number;
  /** Moves time to the alarm and rings it. */
  ring(): void;
}

export function fakeLoop(): FakeLoop {
  let onTurn = (): void => undefined;
  let onAlarm = (): void => undefined;
  const loop: FakeLoop = {
    time: 0,
    step: 0,
    wanted: false,
    kept: false,
    alarm: Infinity,
    alarmsSet: 0,
    ref: false,
    closed: false,
    attach(turn, alarm) {
      onTurn = turn;
      onAlarm = alarm;
    },
    now: () => (loop.time += loop.step),
    requestTurn(keep) {
      loop.wanted = true;
      loop.kept ||= keep;
    },
    setAlarm(delay) {
      loop.alarm = loop.time + delay;
      loop.alarmsSet++;
    },
    clearAlarm() {
      loop.alarm = Infinity;
    },
    setRef(ref) {
      loop.ref = ref;
    },
    close() {
      loop.closed = true;
    },
    turn() {
      if (!loop.wanted) return false;
      loop.wanted = false;
      loop.kept = false;
      onTurn();
      return true;
    },
    turns(max = 10_000) {
      let count = 0;
      while (count < max && loop.turn()) count++;
      return count;
    },
    ring() {
      loop.time = Math.max(loop.time, loop.alarm);
      loop.alarm = Infinity;
      onAlarm();
    },
  };
  return loop;
}

/** A real clock on a fake loop: its time is the loop's. */
export function fakeRealClock(loop: FakeLoop): Clock {
  return {
    virtual: null,
    resolution: 1,
    loop,
    now: () => loop.now(),
    wallTime: () => loop.time / 1e6,
    entropy: () => false,
  };
}
