/*
 * Is the event loop starved? The gaps between the ticks of a 1 ms interval while something else runs.
 */
import { performance } from 'node:perf_hooks';

export interface Gaps {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly ticks: number;
}

/** Runs `work` beside an interval of 1 ms and resolves with the gaps between its ticks. */
export async function gapsDuring(work: () => Promise<void>): Promise<Gaps> {
  const gaps: number[] = [];
  let last = performance.now();
  const interval = setInterval(() => {
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }, 1);
  await work();
  clearInterval(interval);
  gaps.push(performance.now() - last);
  gaps.sort((a, b) => a - b);
  const at = (q: number): number => gaps[Math.min(gaps.length - 1, Math.floor(q * gaps.length))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), max: gaps[gaps.length - 1] ?? NaN, ticks: gaps.length };
}
