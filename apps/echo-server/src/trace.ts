/*
 * --trace: each function that a packet passes, a line each: time, host, function, sk_buff, its offsets.
 */
import { traceNet, type TraceRecord } from '@stack/kernel';
import { hostsOf, type Segment } from './segment.ts';

const COLUMNS = ['data', 'tail', 'len', 'mac', 'network', 'transport'] as const;

/** The head of the table that traceTo() prints. */
export const TRACE_HEAD = `${'seconds'.padStart(14)}  ${'host'.padEnd(8)} ${'function'.padEnd(26)} ${'skb'.padStart(7)} `
  + COLUMNS.map((column) => column.padStart(9)).join(' ');

/** One line of the trace; `-` where an offset is not meaningful yet. Offsets count from the sk_buff's head. */
export function traceLine(record: TraceRecord): string {
  const start = `${(record.time / 1e9).toFixed(9).padStart(14)}  ${record.host.padEnd(8)} ${record.function.padEnd(26)}`;
  if (record.id < 0) return start.trimEnd();
  const offsets = COLUMNS.map((column) => String(record[column] < 0 ? '-' : record[column]).padStart(9));
  return `${start} ${`#${record.id}`.padStart(7)} ${offsets.join(' ')}`;
}

/** Prints the trace of every host of the segment from now on. */
export function traceTo(segment: Segment, print: (line: string) => void): void {
  print(TRACE_HEAD);
  for (const host of hostsOf(segment)) traceNet(host.net, (record) => print(traceLine(record)));
}
