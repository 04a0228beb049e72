// How long frames wait for their turn on a cable of limited bandwidth: counted while it runs, asked for afterwards.

import type { Channel } from './port.ts';

/** Steps from no wait to the longest that the queue allows. */
const STEPS = 1000;
/** Octets that a frame at the usual MTU of 1500 takes on Ethernet. */
const FRAME = 1538;

/** The waits of the frames that found a place in the queue, in equal steps. */
export class QueueDelay {
  /** Width of a step. */
  stepNs: number;
  /** Frames that waited so many steps, begun ones counted; longer waits are in the last. */
  counts: Float64Array;
  frames: number;
  /** The longest wait. */
  maxNs: number;

  constructor(stepNs: number) {
    this.stepNs = stepNs;
    this.counts = new Float64Array(STEPS + 1);
    this.frames = 0;
    this.maxNs = 0;
  }
}

/** Counts from now on, anew. For a cable with a bandwidth, whose `queueLen` frames are no longer than those of MTU 1500. */
export function channelMeasureQueue(channel: Channel): QueueDelay {
  const impair = channel.impair;
  const longest = impair === null ? 0 : impair.departs.length * FRAME * impair.nsPerByte;
  const delay = new QueueDelay(Math.max(1, longest / STEPS));
  if (impair !== null) impair.waits = delay;
  return delay;
}

/** A frame waited. */
export function queueDelayAdd(delay: QueueDelay, ns: number): void {
  const step = Math.ceil(ns / delay.stepNs);
  const at = step > STEPS ? STEPS : step;
  delay.counts[at] = delay.counts[at]! + 1;
  delay.frames++;
  if (ns > delay.maxNs) delay.maxNs = ns;
}

/** The wait, in ns, that the share `quantile` of the frames did not exceed, a step at most too long; 0 if there were none. */
export function queueDelayQuantile(delay: QueueDelay, quantile: number): number {
  let left = quantile * delay.frames;
  for (let step = 0; step < STEPS; step++) {
    left -= delay.counts[step]!;
    if (left <= 0) return Math.min(step * delay.stepNs, delay.maxNs);
  }
  return delay.maxNs;
}
