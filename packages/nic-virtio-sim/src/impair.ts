// What a bad cable does: bandwidth, delay, jitter, loss, reordering, duplication, corruption, a queue that overflows.
//
// Each frame meets, in this order: the queue's limit and its serialisation, loss, duplication, corruption, delay. All
// chances are drawn from the cable's own generator, seeded from the World's, so that a run is repeated by its seed.

import { Random, hrtimerSetup, randomBelow, randomChance, randomU32, randomUnit, type Hrtimer, type World } from '@stack/kernel';
import { heldAlloc, heldInsert, heldRelease, type HeldFrame } from './held-frame.ts';
import { heldDeliver } from './deliver.ts';
import { queueDelayAdd, type QueueDelay } from './queue-delay.ts';
import type { Channel } from './port.ts';

/** How a cable treats frames, each direction by itself. Chances are from 0 to 1. All absent: it does nothing. */
export interface Impairments {
  /** Bits per second; frames wait for their turn. Each counts 24 octets more, as on Ethernet (preamble, FCS, gap). */
  readonly bandwidth?: number;
  /** Milliseconds that each frame is under way. */
  readonly delay?: number;
  /** Up to so many milliseconds more or less, evenly distributed; the order of frames stays. */
  readonly jitter?: number;
  /** Chance that a frame is lost. */
  readonly loss?: number;
  /** Chance that a frame is held back by `reorderDelay`, so that others overtake it. */
  readonly reorder?: number;
  /** Milliseconds that a reordered frame comes later; 1 ms or half the delay, whichever is more, if absent. */
  readonly reorderDelay?: number;
  /** Chance that a frame arrives twice. */
  readonly duplicate?: number;
  /** Chance that one bit of a frame is flipped. */
  readonly corrupt?: number;
  /** Most frames that wait for their turn when `bandwidth` is limited; 1000 if absent. */
  readonly queueLen?: number;
  /**
   * Most segments of one sent frame that arrive as one, uncut, when the last of them does; 1 if absent. Each still has its own place in
   * the queue and its own chance to be lost; what is lost parts those before it from those after it. Not together with `corrupt`.
   */
  readonly burst?: number;
}

const NS_PER_MS = 1e6;
/** Octets that a frame takes on Ethernet besides its own: preamble 8, frame check sequence 4, gap 12. */
const WIRE_OVERHEAD = 24;
/** Shortest frame on Ethernet, without the frame check sequence. */
const WIRE_MIN = 60;

/** The impairments of one direction of a cable. */
export class Impair {
  /** Nanoseconds per octet; 0: no limit. */
  nsPerByte: number;
  delayNs: number;
  jitterNs: number;
  reorderNs: number;
  // Chances.
  loss: number;
  reorder: number;
  duplicate: number;
  corrupt: number;
  /** Most segments that stay one frame. */
  burst: number;
  /** How long frames waited for their turn; null unless it is measured. */
  waits: QueueDelay | null;
  random: Random;
  timer: Hrtimer;
  /** When the frame sent last will have left. */
  busyUntil: number;
  /** When the frame that arrives last of those in order does. */
  lastDeliver: number;
  /** When each waiting frame leaves: a ring. */
  departs: Float64Array;
  departFirst: number;
  departCount: number;

  constructor(world: World, channel: Channel) {
    this.nsPerByte = 0;
    this.delayNs = 0;
    this.jitterNs = 0;
    this.reorderNs = 0;
    this.loss = 0;
    this.reorder = 0;
    this.duplicate = 0;
    this.corrupt = 0;
    this.burst = 1;
    this.waits = null;
    this.random = new Random(randomU32(world.random));
    this.timer = hrtimerSetup(world, impairTimer, channel);
    this.busyUntil = 0;
    this.lastDeliver = 0;
    this.departs = new Float64Array(0);
    this.departFirst = 0;
    this.departCount = 0;
  }
}

/**
 * Makes one direction of a cable do what `options` say from now on; what is under way arrives as planned. Throws a
 * RangeError for a value that makes no sense.
 */
export function channelSetImpairments(channel: Channel, options: Impairments): void {
  if (!checkImpairments(options) && channel.impair === null) return;
  channel.impair ??= new Impair(channel.world, channel);
  const impair = channel.impair;
  const delay = options.delay ?? 0;
  impair.nsPerByte = options.bandwidth === undefined ? 0 : 8e9 / options.bandwidth;
  impair.delayNs = Math.round(delay * NS_PER_MS);
  impair.jitterNs = Math.round((options.jitter ?? 0) * NS_PER_MS);
  impair.reorderNs = Math.round((options.reorderDelay ?? Math.max(1, delay / 2)) * NS_PER_MS);
  impair.loss = options.loss ?? 0;
  impair.reorder = options.reorder ?? 0;
  impair.duplicate = options.duplicate ?? 0;
  impair.corrupt = options.corrupt ?? 0;
  impair.burst = options.burst ?? 1;
  impair.departs = new Float64Array(options.queueLen ?? 1000);
  impair.departFirst = 0;
  impair.departCount = 0;
}

/** Whether there is anything to do. Throws a RangeError that names the option if a value makes no sense. */
export function checkImpairments(options: Impairments): boolean {
  for (const name of ['loss', 'reorder', 'duplicate', 'corrupt'] as const) {
    const value = options[name];
    if (value !== undefined && !(value >= 0 && value <= 1)) throw new RangeError(`impairments: ${name} must be from 0 to 1, not ${value}`);
  }
  for (const name of ['delay', 'jitter', 'reorderDelay'] as const) {
    const value = options[name];
    if (value !== undefined && !(value >= 0 && value < 1e9)) throw new RangeError(`impairments: ${name} must be milliseconds, not ${value}`);
  }
  const { bandwidth, queueLen, burst } = options;
  if (bandwidth !== undefined && !(bandwidth > 0)) throw new RangeError(`impairments: bandwidth must be bits per second, not ${bandwidth}`);
  if (queueLen !== undefined && !(Number.isInteger(queueLen) && queueLen > 0 && queueLen <= 1e6)) {
    throw new RangeError(`impairments: queueLen must be a number of frames, not ${queueLen}`);
  }
  if (burst !== undefined && !(Number.isInteger(burst) && burst > 0)) throw new RangeError(`impairments: burst must be a number of segments, not ${burst}`);
  if (burst !== undefined && burst > 1 && options.corrupt !== undefined) throw new RangeError('impairments: burst cannot be had together with corrupt');
  return Object.values(options).some((value) => value !== undefined);
}

/** Puts a finished frame on the cable, or loses it. Takes it over; heldDeliver() afterwards. */
export function impairFrame(channel: Channel, impair: Impair, held: HeldFrame): void {
  const leaves = impairAdmit(channel, impair, held.len);
  if (leaves < 0) heldRelease(channel, held);
  else impairHeld(channel, impair, held, leaves);
}

/** When a frame of `len` octets that comes now will have left; -1 if it finds no place in the queue or is lost (counted). */
export function impairAdmit(channel: Channel, impair: Impair, len: number): number {
  const leaves = impairSerialise(channel, impair, len);
  if (leaves < 0) channel.overflowed++;
  else if (randomChance(impair.random, impair.loss)) {
    channel.lost++;
    return -1;
  }
  return leaves;
}

/** Puts a frame on the cable that impairAdmit() let pass. Takes it over. */
export function impairHeld(channel: Channel, impair: Impair, held: HeldFrame, leaves: number): void {
  const twin = randomChance(impair.random, impair.duplicate) ? duplicate(channel, held) : null;
  if (randomChance(impair.random, impair.corrupt)) corrupt(channel, impair, held);
  impairSchedule(channel, impair, held, leaves);
  if (twin !== null) impairSchedule(channel, impair, twin, leaves);
}

/** When a frame of `len` octets will have left, the line being busy with those before it; -1 if too many wait. */
function impairSerialise(channel: Channel, impair: Impair, len: number): number {
  const now = channel.world.now;
  if (impair.nsPerByte === 0) return now;
  const departs = impair.departs;
  while (impair.departCount > 0 && departs[impair.departFirst]! <= now) {
    impair.departFirst = (impair.departFirst + 1) % departs.length;
    impair.departCount--;
  }
  if (impair.departCount >= departs.length) return -1;
  const starts = Math.max(now, impair.busyUntil);
  if (impair.waits !== null) queueDelayAdd(impair.waits, starts - now);
  const leaves = starts + Math.ceil((Math.max(len, WIRE_MIN) + WIRE_OVERHEAD) * impair.nsPerByte);
  impair.busyUntil = leaves;
  departs[(impair.departFirst + impair.departCount) % departs.length] = leaves;
  impair.departCount++;
  return leaves;
}

/** Decides when a frame that leaves at `leaves` arrives. */
function impairSchedule(channel: Channel, impair: Impair, held: HeldFrame, leaves: number): void {
  let at = leaves + impair.delayNs;
  if (impair.jitterNs !== 0) at += Math.floor(randomUnit(impair.random) * (2 * impair.jitterNs + 1)) - impair.jitterNs;
  at = Math.max(at, leaves, impair.lastDeliver);
  if (randomChance(impair.random, impair.reorder)) {
    channel.reordered++;
    at += impair.reorderNs;
  } else {
    impair.lastDeliver = at;
  }
  held.deliverAt = at;
  heldInsert(channel, held);
}

function duplicate(channel: Channel, held: HeldFrame): HeldFrame | null {
  const twin = heldAlloc(channel, held.len);
  if (twin === null) return null;
  channel.duplicated++;
  const from = held.page!;
  const to = twin.page!;
  to.buf.set(from.buf.subarray(from.base, from.base + held.len), to.base);
  twin.needsCsum = held.needsCsum;
  twin.csumStart = held.csumStart;
  twin.csumOffset = held.csumOffset;
  twin.gsoSize = held.gsoSize;
  twin.gsoType = held.gsoType;
  return twin;
}

function corrupt(channel: Channel, impair: Impair, held: HeldFrame): void {
  const bit = randomBelow(impair.random, held.len * 8);
  const page = held.page!;
  const at = page.base + (bit >> 3);
  page.buf[at] = page.buf[at]! ^ (1 << (bit & 7));
  channel.corrupted++;
}

/** The first frame on the cable has arrived. */
function impairTimer(timer: Hrtimer): void {
  heldDeliver(timer.data as Channel);
}
