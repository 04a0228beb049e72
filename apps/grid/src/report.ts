/*
 * The figures as a person reads them: tables in Markdown, padded so that they stand in columns on a terminal too.
 */
import type { Cell, Figures, Span } from './cell.ts';
import { theoryOf } from './theory.ts';

/** A cell that was run, or why it could not be. */
export interface Result {
  readonly cell: Cell;
  readonly span: Span;
  /** Seconds of a processor. */
  readonly cpu: number;
  readonly figures?: Figures;
  readonly reason?: string;
}

type Row = readonly string[];

const percent = (share: number): string => (share * 100).toPrecision(share >= 0.9995 ? 4 : 3);

/** Milliseconds, three digits. */
function ms(value: number): string {
  return value === 0 ? '0' : value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function bits(bandwidth: number): string {
  return bandwidth >= 1e9 ? `${bandwidth / 1e9} Gbit/s` : `${bandwidth / 1e6} Mbit/s`;
}

/** A name for the cell as a person would say it. */
export function nameOf({ cc, bandwidth, rtt, loss, buffer, flows }: Cell): string {
  const many = flows === 1 ? '' : `, ${flows} flows`;
  return `${cc} ${bits(bandwidth)}, ${rtt} ms, ${loss * 100} % loss, buffer ${buffer} BDP${many}`;
}

/** Columns of equal width; the first row is the head. */
function table(rows: readonly Row[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)));
  const line = (row: Row): string => `| ${row.map((text, i) => text.padStart(widths[i]!)).join(' | ')} |`;
  return [line(rows[0]!), `|${widths.map((width) => `${'-'.repeat(width + 1)}:`).join('|')}|`, ...rows.slice(1).map(line)];
}

/** Results in groups, in the order of each group's first. */
function groups(results: readonly Result[], keyOf: (cell: Cell) => string): [string, Result[]][] {
  const found = new Map<string, Result[]>();
  for (const result of results) {
    const key = keyOf(result.cell);
    found.set(key, [...(found.get(key) ?? []), result]);
  }
  return [...found];
}

/** Whether less than one sawtooth of the window was measured. */
function isPart({ cell, span }: Result): boolean {
  return span.measured < (theoryOf(cell)?.cycle ?? 0);
}

/** Whether it is off by more than a fifth of what theory says. */
export function isOff({ cell, figures }: Result): boolean {
  const theory = theoryOf(cell);
  return figures !== undefined && theory !== null && Math.abs(figures.goodput - theory.share) > 0.2 * theory.share;
}

function goodputText(result: Result): string {
  const { cell, figures } = result;
  if (figures === undefined) return 'not run';
  const mark = `${isPart(result) ? '*' : ''}${isOff(result) ? '!' : ''}`;
  const theory = theoryOf(cell);
  return `${percent(figures.goodput)}${theory === null ? '' : ` / ${percent(theory.share)}`}${mark}`;
}

function waitText({ figures }: Result): string {
  return figures === undefined ? '' : `${ms(figures.delay.p50)} / ${ms(figures.delay.p95)}`;
}

/** One flow: a row for each round trip and loss, columns for each size of the buffer. */
function singleTable(results: readonly Result[]): string[] {
  const buffers = [...new Set(results.map(({ cell }) => cell.buffer))];
  const head = ['RTT, ms', 'loss, %', ...buffers.flatMap((buffer) => [`${buffer} BDP: goodput`, 'again', 'waits, ms'])];
  const rows = groups(results, ({ rtt, loss }) => `${rtt} ${loss}`).map(([, row]) => {
    const { rtt, loss } = row[0]!.cell;
    const cells = buffers.flatMap((buffer) => {
      const result = row.find(({ cell }) => cell.buffer === buffer);
      if (result === undefined) return ['', '', ''];
      return [goodputText(result), result.figures === undefined ? '' : percent(result.figures.retransmitted), waitText(result)];
    });
    return [String(rtt), String(loss * 100), ...cells];
  });
  return table([head, ...rows]);
}

/** Several flows: a row for each link and number of flows. */
function fairTable(results: readonly Result[]): string[] {
  const head = ['link', 'RTT, ms', 'buffer, BDP', 'flows', 'Jain', 'goodput', 'again', 'waits, ms', 'measured, s'];
  const rows = results.map((result) => {
    const { cell: { bandwidth, rtt, buffer, flows }, figures, span } = result;
    const found = figures === undefined ? ['not run', '', '', ''] : [
      figures.jain.toFixed(3), percent(figures.goodput), percent(figures.retransmitted), waitText(result),
    ];
    return [bits(bandwidth), String(rtt), String(buffer), String(flows), ...found, span.measured.toPrecision(3)];
  });
  return table([head, ...rows]);
}

/** What was not run, a line for each link; the reason is that of its first cell. */
function failedLines(results: readonly Result[]): string[] {
  const linkOf = ({ cc, bandwidth, rtt, flows }: Cell): string => `${cc} ${bits(bandwidth)}, ${rtt} ms${flows === 1 ? '' : `, ${flows} flows`}`;
  return groups(results, linkOf).map(([link, [first, ...others]]) => (
    `* ${link}${others.length === 0 ? '' : ` (${others.length + 1} cells)`}: ${first!.reason}`));
}

/** All tables, with what their columns mean. */
export function reportLines(results: readonly Result[]): string[] {
  const lines = [
    'Goodput is in % of what the link carries, then what theory says; again: octets sent that were sent before, in %; waits: queueing delay of',
    'the median frame and of the 95th percentile. `*`: less than one sawtooth of the window was measured. `!`: off by more than a fifth.',
  ];
  for (const [cc, ofControl] of groups(results, (cell) => cell.cc)) {
    for (const [bandwidth, rows] of groups(ofControl.filter(({ cell }) => cell.flows === 1), (cell) => bits(cell.bandwidth))) {
      lines.push('', `### ${cc}, ${bandwidth}`, '', ...singleTable(rows));
    }
    const fair = ofControl.filter(({ cell }) => cell.flows > 1);
    if (fair.length > 0) lines.push('', `### ${cc}, fairness`, '', ...fairTable(fair));
  }
  const failed = results.filter(({ reason }) => reason !== undefined);
  if (failed.length > 0) lines.push('', 'Not run:', '', ...failedLines(failed));
  return lines;
}
