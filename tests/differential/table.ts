// The figures as a person reads them.
import type { Outcome } from './measure.ts';

/** The medians of two pairs may be so far apart, as a share of the lesser. */
export const BOUND = 0.1;

/** How far apart the medians of the pairs with a TCP of ours are at this loss, as a share of the least. */
export function apart(outcomes: readonly Outcome[], loss: number): number {
  const medians = outcomes.filter((row) => row.loss === loss && (row.from === 'ours' || row.to === 'ours')).map((row) => row.median);
  return Math.max(...medians) / Math.min(...medians) - 1;
}

const WIDTHS = [16, 8, 12, 13, 9, 9, 9, 12];
const HEADS = ['Mbit/s', 'low–high', 'to ours→ours', 'again', 'timeouts', 'RTT', 'timers late'];

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(WIDTHS[0] ?? 0) : cell.padStart(WIDTHS[i] ?? 0))).join(' ').trimEnd();
}

const mbit = (rate: number): string => (rate / 1e6).toFixed(2);

function row(outcome: Outcome, reference: number): string {
  const { from, to, goodputs, median, again, timeouts, rtt, lateness } = outcome;
  return line([
    `${from} → ${to}`, mbit(median), `${mbit(goodputs[0] ?? 0)}–${mbit(goodputs.at(-1) ?? 0)}`, (median / reference).toFixed(2),
    `${(again * 100).toFixed(2)} %`, String(timeouts), `${rtt.toFixed(1)} ms`, `${lateness.toFixed(1)} ms`,
  ]);
}

/** One block for each loss: a row for each pair, and how far apart they are. "timers late": 99 of 100 were less late. */
export function tableLines(outcomes: readonly Outcome[]): string[] {
  const lines: string[] = [];
  for (const loss of new Set(outcomes.map((outcome) => outcome.loss))) {
    const rows = outcomes.filter((outcome) => outcome.loss === loss);
    const reference = rows.find(({ from, to }) => from === 'ours' && to === 'ours')?.median ?? NaN;
    const distance = apart(outcomes, loss);
    lines.push('', line([`loss ${loss * 100} %`, ...HEADS]), ...rows.map((outcome) => row(outcome, reference)));
    lines.push(`ours are within ${(distance * 100).toFixed(1)} % of one another${distance > BOUND ? ': too far apart' : ''}`);
  }
  return lines;
}
