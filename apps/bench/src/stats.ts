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

/** Seconds of the processor that each peer has before its rounds count: the engine compiles what runs hot in them. */
const WARM_UP = 3;

/** Runs until the peer has had its warm-up. Processor time, not the clock's, so that it suffices on a busy machine too. */
async function warmUp(run: () => Promise<void>): Promise<void> {
  const started = process.cpuUsage();
  for (let used = 0; used < WARM_UP * 1e6;) {
    await run();
    const { user, system } = process.cpuUsage(started);
    used = user + system;
  }
}

/**
 * Measures both peers `rounds` times in turn, each warmed up before, and compares the medians. `amount` is what one run
 * moves, in `unit`s of a second.
 */
export async function compare(
  stack: Peer, node: Peer, rounds: number, amount: number, unit: string, run: (peer: Peer) => Promise<void>, progress: () => void,
): Promise<Comparison> {
  const values: { stack: number[]; node: number[] } = { stack: [], node: [] };
  progress();
  await warmUp(() => run(node));
  await warmUp(() => run(stack));
  for (let round = 0; round < rounds; round++) {
    values.stack.push(await rate(amount, () => run(stack)));
    values.node.push(await rate(amount, () => run(node)));
    progress();
  }
  const s = figure(values.stack);
  const n = figure(values.node);
  return { stack: s.median, node: n.median, ratio: s.median / n.median, unit, rounds: { stack: s, node: n } };
}
