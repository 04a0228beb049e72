/*
 * Medians and spread of interleaved rounds.
 */
import { performance } from 'node:perf_hooks';
import type { Peer } from './peer.ts';

export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface Comparison {
  readonly stack: number;
  readonly node: number;
  readonly ratio: number;
  readonly unit: string;
  readonly rounds: { readonly stack: Figure; readonly node: Figure };
}

export function figure(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
  return { median: at(0.5), low: sorted[0] ?? NaN, high: sorted[sorted.length - 1] ?? NaN };
}

/** Amount per second. */
async function rate(amount: number, run: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await run();
  return amount / ((performance.now() - started) / 1000);
}

/**
 * Measures both peers `rounds` times in turn, after one round each that does not count, and compares the medians.
 * `amount` is what one run moves, in `unit`s of a second.
 */
export async function compare(
  stack: Peer, node: Peer, rounds: number, amount: number, unit: string, run: (peer: Peer) => Promise<void>, progress: () => void,
): Promise<Comparison> {
  const values: { stack: number[]; node: number[] } = { stack: [], node: [] };
  for (let round = -1; round < rounds; round++) {
    const ours = await rate(amount, () => run(stack));
    const theirs = await rate(amount, () => run(node));
    if (round >= 0) {
      values.stack.push(ours);
      values.node.push(theirs);
    }
    progress();
  }
  const s = figure(values.stack);
  const n = figure(values.node);
  return { stack: s.median, node: n.median, ratio: s.median / n.median, unit, rounds: { stack: s, node: n } };
}
