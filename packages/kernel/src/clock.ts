/**
 * What a World needs of time and of the host's event loop. Two clocks implement it: `virtualClock` (virtual-clock.ts) and
 * `realClock` (entry `@stack/kernel/real-clock`, the only file that touches the host's timers).
 */

/** The host's event loop. One for each clock; `attach` is called once, by `createWorld`. */
export interface HostLoop {
  /** Names the two functions that the loop calls. */
  attach(onTurn: () => void, onAlarm: () => void): void;
  /** Host time in ns since some fixed moment: for yielding, never for protocol time. */
  now(): number;
  /**
   * Calls onTurn once, in a macrotask of its own (setImmediate, or a MessageChannel), however often it is asked before that. With
   * `keep` the process stays alive until then, whatever setRef says.
   */
  requestTurn(keep: boolean): void;
  /** Calls onAlarm once, `delay` ns from now or a little later; replaces the alarm that was set. */
  setAlarm(delay: number): void;
  clearAlarm(): void;
  /** Whether what is outstanding keeps the process alive. */
  setRef(ref: boolean): void;
  /** Gives everything back; nothing is called after it. */
  close(): void;
}

/** A source of time. Made for one World. */
export interface Clock {
  /** True: time is the World's to move. */
  readonly virtual: VirtualTime | null;
  /** The smallest step of `now`, in ns: what RTT samples, RACK and pacing must live with. */
  readonly resolution: number;
  readonly loop: HostLoop;
  /** Nanoseconds since the clock was made: an integer, never running back. */
  now(): number;
  /** Milliseconds since 1970, for time stamps that users see. */
  wallTime(): number;
  /** Fills `out` from the host's secure generator; false if there is none, and the World's seeded one is to be taken. */
  entropy(out: Uint8Array): boolean;
}

/** The side of a virtual clock that the World drives. */
export interface VirtualTime {
  /** How many `hold()`s have no `release()` yet. */
  held: number;
  /** The last hold was released: whoever did so is user code that may be running. The World sets it back. */
  released: boolean;
  /** Moves `now` forward. */
  jump(ns: number): void;
}

/** A clock that stands still until the World moves it. */
export interface VirtualClock extends Clock {
  readonly virtual: VirtualTime;
  /** Something outside the World is under way (a file, a real connection): time stands until `release` is called as often. */
  hold(): void;
  /** Undoes one `hold`. */
  release(): void;
}
