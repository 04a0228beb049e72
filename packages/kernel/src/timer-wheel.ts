/**
 * The jiffies wheel: 256 slots of one tick, then four levels of 64 slots of 2⁸, 2¹⁴, 2²⁰ and 2²⁶ ticks, which covers an int32.
 * A timer is put where its distance says and moves down a level when its block begins. Call order: wheelAdd, wheelRemove;
 * wheelNext (when is the earliest), wheelCollect (take what a tick has come for), wheelFirst (the one to run).
 *
 * Each slot keeps the order of arming: within one tick, what sits on a higher level was armed earlier than anything armed straight
 * into a lower one (distance only shrinks), so a cascade goes through its list backwards and puts each timer in front.
 */
import type { TimerList } from './timer.ts';
import { INITIAL_JIFFIES } from './jiffies.ts';

const ROOT_BITS = 8;
const ROOT_SIZE = 256;
const LEVEL_BITS = 6;
const LEVEL_SIZE = 64;
const LEVELS = 4;
/** The slot of timers whose tick has come, until they run. */
const EXPIRED_SLOT = ROOT_SIZE + LEVELS * LEVEL_SIZE;
/** TimerList.slot of one that is not pending. */
export const NO_SLOT = -1;

/** A wheel. A World has two: timers that make time pass, and deferrable ones. */
export class TimerBase {
  /** The next tick to collect: jiffies + 1 once all that was due has been collected. */
  clk: number;
  /** The same tick counted from the World's beginning, where it does not wrap. */
  ticks: number;
  /** Timers pending, those collected but not yet run included. */
  count: number;
  /** Of them, in the wheel itself. */
  waiting: number;
  /** No timer in the wheel expires before this tick (meaningful while waiting > 0). */
  next: number;
  /** One does expire at `next`. */
  exact: boolean;
  /** Tick, from the World's beginning, at which the collected ones were due. */
  expiredTicks: number;
  first: (TimerList | null)[];
  last: (TimerList | null)[];
  /** One bit a slot: not empty. */
  bits: Int32Array;

  constructor() {
    this.clk = (INITIAL_JIFFIES + 1) | 0;
    this.ticks = 1;
    this.count = 0;
    this.waiting = 0;
    this.next = this.clk;
    this.exact = false;
    this.expiredTicks = 0;
    this.first = new Array<TimerList | null>(EXPIRED_SLOT + 1).fill(null);
    this.last = new Array<TimerList | null>(EXPIRED_SLOT + 1).fill(null);
    this.bits = new Int32Array(EXPIRED_SLOT / 32);
  }
}

/** The bits of a tick that are the index within upper level `level` (1 to 4), shifted down. */
function levelShift(level: number): number {
  return ROOT_BITS + (level - 1) * LEVEL_BITS;
}

/** The slot for tick `expires`, no earlier than base.clk. */
function slotOf(base: TimerBase, expires: number): number {
  const delta = (expires - base.clk) | 0;
  if (delta < ROOT_SIZE) return expires & (ROOT_SIZE - 1);
  let level = 1;
  while (level < LEVELS && delta >>> (levelShift(level) + LEVEL_BITS) !== 0) level++;
  return ROOT_SIZE + (level - 1) * LEVEL_SIZE + ((expires >>> levelShift(level)) & (LEVEL_SIZE - 1));
}

function linkLast(base: TimerBase, timer: TimerList, slot: number): void {
  const last = base.last[slot];
  timer.slot = slot;
  timer.prev = last;
  timer.next = null;
  if (last !== null) last.next = timer;
  else {
    base.first[slot] = timer;
    base.bits[slot >> 5] |= 1 << (slot & 31);
  }
  base.last[slot] = timer;
}

function linkFirst(base: TimerBase, timer: TimerList, slot: number): void {
  const first = base.first[slot];
  timer.slot = slot;
  timer.next = first;
  timer.prev = null;
  if (first !== null) first.prev = timer;
  else {
    base.last[slot] = timer;
    base.bits[slot >> 5] |= 1 << (slot & 31);
  }
  base.first[slot] = timer;
}

/** Puts a timer that is not pending behind those of its tick, which must not have been collected yet. */
export function wheelAdd(base: TimerBase, timer: TimerList): void {
  const expires = timer.expires;
  linkLast(base, timer, slotOf(base, expires));
  if (base.waiting === 0 || ((expires - base.next) | 0) < 0) {
    base.next = expires;
    base.exact = true;
  }
  base.count++;
  base.waiting++;
}

/** Takes a pending timer out. */
export function wheelRemove(base: TimerBase, timer: TimerList): void {
  const { slot, prev, next } = timer;
  if (prev !== null) prev.next = next;
  else base.first[slot] = next;
  if (next !== null) next.prev = prev;
  else base.last[slot] = prev;
  timer.prev = null;
  timer.next = null;
  timer.slot = NO_SLOT;
  base.count--;
  if (slot === EXPIRED_SLOT) return;
  base.waiting--;
  if (prev === null && next === null) base.bits[slot >> 5] &= ~(1 << (slot & 31));
  if (((timer.expires - base.next) | 0) <= 0) base.exact = false;
}

/** The first slot in [from, to) that is not empty, or -1. */
function findSlot(base: TimerBase, from: number, to: number): number {
  for (let slot = from; slot < to; ) {
    const word = base.bits[slot >> 5] >>> (slot & 31);
    if (word !== 0) {
      const found = slot + 31 - Math.clz32(word & -word);
      return found < to ? found : -1;
    }
    slot = (slot | 31) + 1;
  }
  return -1;
}

/** The earliest tick in a list of one upper slot, or `best` if that is earlier. */
function earliestIn(timer: TimerList | null, best: number): number {
  for (let t = timer; t !== null; t = t.next) {
    if (((t.expires - best) | 0) < 0) best = t.expires;
  }
  return best;
}

/** The earliest tick at which a timer of level `level` expires, or `best` if that is earlier. */
function earliestOfLevel(base: TimerBase, level: number, best: number): number {
  const from = ROOT_SIZE + (level - 1) * LEVEL_SIZE;
  const shift = levelShift(level);
  const here = (base.clk >>> shift) & (LEVEL_SIZE - 1);
  let slot = findSlot(base, from + here + 1, from + LEVEL_SIZE);
  if (slot < 0) slot = findSlot(base, from, from + here + 1);
  if (slot < 0) return best;
  // Blocks after this one begin later; this one at:
  const distance = ((slot - from - here - 1) & (LEVEL_SIZE - 1)) + 1;
  const begins = ((((base.clk >>> shift) + distance) << shift) >>> 0) | 0;
  return ((best - begins) | 0) <= 0 ? best : earliestIn(base.first[slot], best);
}

/** Makes base.next the tick of the earliest timer in the wheel. Call while base.waiting > 0. */
function findNext(base: TimerBase): void {
  const here = base.clk & (ROOT_SIZE - 1);
  let slot = findSlot(base, here, ROOT_SIZE);
  let best = (base.clk + 0x7fffffff) | 0;
  // Level 0 has every timer of the current block of 256 ticks; of the next block only those armed since.
  if (slot >= 0) best = (base.clk + slot - here) | 0;
  else {
    slot = findSlot(base, 0, here);
    if (slot >= 0) best = (base.clk + ROOT_SIZE + slot - here) | 0;
    for (let level = 1; level <= LEVELS; level++) best = earliestOfLevel(base, level, best);
  }
  base.next = best;
  base.exact = true;
}

/** Tick, from the World's beginning, of the earliest timer in the wheel; Infinity if there is none. */
export function wheelNext(base: TimerBase): number {
  if (base.waiting === 0) return Infinity;
  if (!base.exact) findNext(base);
  return base.ticks + ((base.next - base.clk) | 0);
}

/** As wheelNext, but may be too early, and never searches. */
export function wheelBound(base: TimerBase): number {
  return base.waiting === 0 ? Infinity : base.ticks + ((base.next - base.clk) | 0);
}

/** Moves the timers of one upper slot down, keeping their order. */
function cascade(base: TimerBase, slot: number): void {
  let timer: TimerList | null = base.last[slot];
  if (timer === null) return;
  base.first[slot] = null;
  base.last[slot] = null;
  base.bits[slot >> 5] &= ~(1 << (slot & 31));
  while (timer !== null) {
    const prev: TimerList | null = timer.prev;
    linkFirst(base, timer, slotOf(base, timer.expires));
    timer = prev;
  }
}

/** Moves the wheel `distance` ticks on. Nothing may expire before that. */
function wheelAdvance(base: TimerBase, distance: number): void {
  const from = base.clk;
  const to = (from + distance) | 0;
  base.ticks += distance;
  base.clk = to;
  if (base.waiting === 0 || (from ^ to) >>> ROOT_BITS === 0) return;
  // Upwards: what comes down from a higher level was armed earlier, and goes in front.
  for (let level = 1; level <= LEVELS; level++) {
    const shift = levelShift(level);
    if (from >>> shift === to >>> shift) continue;
    cascade(base, ROOT_SIZE + (level - 1) * LEVEL_SIZE + ((to >>> shift) & (LEVEL_SIZE - 1)));
  }
}

/**
 * Brings the wheel to the tick behind `ticks`, which is now, or to the first one that is due, so that distances are measured from
 * there.
 */
export function wheelForward(base: TimerBase, ticks: number): void {
  const to = ticks + 1;
  const distance = Math.min(to, wheelBound(base) < to ? wheelNext(base) : to) - base.ticks;
  if (distance > 0) wheelAdvance(base, distance);
}

/**
 * Takes the timers of the earliest tick that is no later than `ticks`, which is now, out of the wheel, unless those of an earlier
 * one still wait to be run.
 */
export function wheelCollect(base: TimerBase, ticks: number): void {
  if (base.first[EXPIRED_SLOT] !== null || wheelBound(base) > ticks || wheelNext(base) > ticks) return;
  wheelAdvance(base, (base.next - base.clk) | 0);
  base.expiredTicks = base.ticks;
  const slot = base.clk & (ROOT_SIZE - 1);
  const first = base.first[slot];
  base.first[EXPIRED_SLOT] = first;
  base.last[EXPIRED_SLOT] = base.last[slot];
  base.first[slot] = null;
  base.last[slot] = null;
  base.bits[slot >> 5] &= ~(1 << (slot & 31));
  for (let t = first; t !== null; t = t.next) {
    t.slot = EXPIRED_SLOT;
    base.waiting--;
  }
  wheelAdvance(base, 1);
  base.next = base.clk;
  base.exact = false;
}

/** The first of the collected timers, in order of arming; null if all have run. */
export function wheelFirst(base: TimerBase): TimerList | null {
  return base.first[EXPIRED_SLOT];
}

/** Calls `fn` for every pending timer. For reports and for tearing a Net down; fn may remove the one it is given. */
export function wheelEach(base: TimerBase, fn: (timer: TimerList) => void): void {
  for (const list of base.first) {
    for (let timer: TimerList | null = list; timer !== null; ) {
      const next: TimerList | null = timer.next;
      fn(timer);
      timer = next;
    }
  }
}
