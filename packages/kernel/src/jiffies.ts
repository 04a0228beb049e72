/**
 * jiffies: a tick of 1 ms, an int32 that starts five minutes before it wraps, so that whoever compares two of them with `<`
 * learns so soon. Compare with `timeAfter` and its kin, subtract with `(a - b) | 0`.
 */

/** Ticks a second. */
export const HZ = 1000;
/** Nanoseconds a tick. */
export const NSEC_PER_JIFFY = 1_000_000;
export const NSEC_PER_USEC = 1_000;
export const NSEC_PER_MSEC = 1_000_000;
export const NSEC_PER_SEC = 1_000_000_000;
/** The value of jiffies when a World begins: 300 s before the int32 wraps from -1 to 0 (as Linux's unsigned one does). */
export const INITIAL_JIFFIES = (-300 * HZ) | 0;
/** A timeout that never comes. */
export const MAX_SCHEDULE_TIMEOUT = 0x7fffffff;
/** The longest delay that a jiffies timer takes. */
export const MAX_JIFFY_OFFSET = 0x3ffffffe;

/** a is later than b. */
export function timeAfter(a: number, b: number): boolean {
  return ((b - a) | 0) < 0;
}

/** a is earlier than b. */
export function timeBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** a is later than b, or equal. */
export function timeAfterEq(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}

/** a is earlier than b, or equal. */
export function timeBeforeEq(a: number, b: number): boolean {
  return ((b - a) | 0) >= 0;
}

/** a lies in [b, c]. */
export function timeInRange(a: number, b: number, c: number): boolean {
  return timeAfterEq(a, b) && timeBeforeEq(a, c);
}

/** jiffies at `ns` nanoseconds after the World began, rounded down. */
export function jiffiesAt(ns: number): number {
  return (INITIAL_JIFFIES + Math.floor(ns / NSEC_PER_JIFFY)) | 0;
}

/** Milliseconds to jiffies, rounded up; negative or too large means "never" (MAX_JIFFY_OFFSET). */
export function msecsToJiffies(ms: number): number {
  if (ms < 0 || ms > MAX_JIFFY_OFFSET) return MAX_JIFFY_OFFSET;
  return Math.ceil(ms) | 0;
}

/** Microseconds to jiffies, rounded up. */
export function usecsToJiffies(us: number): number {
  return Math.min(Math.ceil(us / 1000), MAX_JIFFY_OFFSET) | 0;
}

/** Nanoseconds to jiffies, rounded up. */
export function nsecsToJiffies(ns: number): number {
  return Math.min(Math.ceil(ns / NSEC_PER_JIFFY), MAX_JIFFY_OFFSET) | 0;
}

/** Jiffies to milliseconds. */
export function jiffiesToMsecs(j: number): number {
  return j;
}

/** Jiffies to microseconds. */
export function jiffiesToUsecs(j: number): number {
  return j * 1000;
}

/** Jiffies to nanoseconds. */
export function jiffiesToNsecs(j: number): number {
  return j * NSEC_PER_JIFFY;
}
