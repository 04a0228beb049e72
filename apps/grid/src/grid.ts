/*
 * The grid: its axes, which cells it has, how long each runs. All of it is data; a new congestion control is a word in `CONTROLS`.
 */
import { FRAME, bdpFrames, type Cell, type Span } from './cell.ts';
import { theoryOf } from './theory.ts';

export const CONTROLS: readonly string[] = ['reno', 'cubic', 'bbr'];

/** What is crossed with what. */
interface Axes {
  readonly bandwidth: readonly number[];
  readonly rtt: readonly number[];
  readonly loss: readonly number[];
  readonly buffer: readonly number[];
  readonly flows: readonly number[];
}

/** A set of cells by name. */
export interface Slice {
  readonly axes: readonly Axes[];
  /** Of each cell's time, so much is run. */
  readonly effort: number;
}

export const SLICES: Readonly<Record<string, Slice>> = {
  all: {
    effort: 1,
    axes: [
      { bandwidth: [1e7, 1e8, 1e9, 1e10], rtt: [1, 10, 100, 300], loss: [0, 0.0001, 0.001, 0.01, 0.05], buffer: [0.1, 1, 2], flows: [1] },
      { bandwidth: [1e7, 1e8, 1e9], rtt: [10, 100], loss: [0], buffer: [0.1, 1], flows: [2, 10] },
    ],
  },
  ci: {
    effort: 0.6,
    axes: [
      { bandwidth: [1e7], rtt: [10, 300], loss: [0, 0.01], buffer: [1], flows: [1] },
      { bandwidth: [1e8], rtt: [10, 100], loss: [0, 0.001, 0.01, 0.05], buffer: [0.1, 1], flows: [1] },
      { bandwidth: [1e9], rtt: [100], loss: [0, 0.0001, 0.01], buffer: [1], flows: [1] },
      { bandwidth: [1e10], rtt: [10], loss: [0], buffer: [1], flows: [1] },
      { bandwidth: [1e8], rtt: [10], loss: [0], buffer: [1], flows: [2, 10] },
    ],
  },
};

/** Segments that the measured part of a cell is to carry: some dozens of losses, or some sawteeth of an ordinary link. */
const SEGMENTS: readonly (readonly [loss: number, segments: number])[] = [[0.05, 10_000], [0.01, 20_000], [0.001, 50_000], [0.0001, 150_000], [0, 100_000]];
/** Of a round trip, the longest that a burst may take: what a simulation of whole bursts is wrong by. */
const BURST = 0.02;
/** Several flows take so many times longer to come to what they share. */
const FAIRNESS = 4;
/** Segments of the largest sk_buff. */
const BURST_MAX = 44;
/** The least that is run: round trips and seconds; and the most, in round trips. */
const LEAST_RTTS = 20;
const LEAST_SECONDS = 1;
const MOST_RTTS = 20_000;

/** All cells of a slice, those of one congestion control after those of another. */
export function cellsOf(slice: Slice, controls: readonly string[], seed: number): Cell[] {
  const cells: Cell[] = [];
  for (const cc of controls) {
    for (const axes of slice.axes) {
      for (const flows of axes.flows) for (const bandwidth of axes.bandwidth) for (const rtt of axes.rtt) for (const loss of axes.loss) {
        for (const buffer of axes.buffer) cells.push({ cc, bandwidth, rtt, loss, buffer, flows, seed });
      }
    }
  }
  return cells;
}

/**
 * How long a cell runs. The warm-up is for slow start, its overshoot and the recovery from that: 20 round trips and 1 s at least, more
 * where the grid measures longer. Measured is what SEGMENTS says, at the rate that theory expects; bursts are cheaper, so there are more.
 */
export function spanOf(cell: Cell, effort: number): Span {
  const frame = (FRAME * 8) / cell.bandwidth;
  const rtt = cell.rtt / 1000;
  const burst = Math.max(1, Math.min(BURST_MAX, Math.floor((BURST * rtt) / frame)));
  const [, segments] = SEGMENTS.find(([loss]) => cell.loss >= loss)!;
  const rate = Math.max((theoryOf(cell)?.share ?? 1) / frame, 2 / rtt);
  const fair = cell.flows > 1 ? FAIRNESS : 1;
  const wanted = (segments * fair * effort * Math.max(1, Math.min(burst, bdpFrames(cell) / 100) / 8)) / rate;
  const least = Math.max(LEAST_RTTS * rtt, LEAST_SECONDS) * Math.min(1, 2 * effort);
  const measured = Math.max(least, Math.min(wanted, MOST_RTTS * rtt));
  return { warmup: round(least + 0.2 * measured), measured: round(measured), burst };
}

/** Segments that a cell sends, by theory. */
export function segmentsOf({ cell, span }: { readonly cell: Cell; readonly span: Span }): number {
  return ((span.warmup + span.measured) * (theoryOf(cell)?.share ?? 1) * cell.bandwidth) / (FRAME * 8);
}

/** To milliseconds: the same on every engine. */
function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
