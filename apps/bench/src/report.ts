/*
 * The figures as a person reads them.
 */
import type { Comparison } from './stats.ts';
import type { Gaps } from './gap.ts';

export interface Report {
  readonly bulk?: Comparison;
  readonly pingpong?: Comparison;
  readonly connect?: Comparison;
  readonly tap?: Comparison;
  readonly memory?: { readonly stack: number; readonly node: number; readonly unit: 'B/connection' };
  readonly gaps?: { readonly hosts2: Gaps; readonly hosts100: Gaps };
}

const SCALE: Readonly<Record<string, { by: number; unit: string }>> = {
  'B/s': { by: 1e6, unit: 'MB/s' },
  '1/s': { by: 1e3, unit: 'k/s' },
};

function amount(value: number, unit: string): string {
  const scale = SCALE[unit] ?? { by: 1, unit };
  return `${(value / scale.by).toFixed(1)} ${scale.unit}`;
}

function comparisonLine(name: string, c: Comparison): string {
  const spread = (f: { low: number; high: number }): string => `${amount(f.low, c.unit).split(' ')[0]}–${amount(f.high, c.unit).split(' ')[0]}`;
  return [
    name.padEnd(16), amount(c.stack, c.unit).padStart(13), `(${spread(c.rounds.stack)})`.padStart(18),
    amount(c.node, c.unit).padStart(13), `(${spread(c.rounds.node)})`.padStart(18), `${c.ratio.toFixed(2)} ×`.padStart(9),
  ].join(' ');
}

function gapLine(name: string, gaps: Gaps): string {
  return `${name.padEnd(16)} p50 ${gaps.p50.toFixed(2)} ms   p99 ${gaps.p99.toFixed(2)} ms   max ${gaps.max.toFixed(2)} ms   (${gaps.ticks} ticks)`;
}

/** The report as aligned lines. */
export function reportLines(report: Report): string[] {
  const lines = [['', '@stack', 'low–high', 'node:net', 'low–high', 'ratio'].map((h, i) => (i === 0 ? h.padEnd(16) : h.padStart([0, 13, 18, 13, 18, 9][i] ?? 0))).join(' ')];
  const rows: [string, Comparison | undefined][] = [
    ['bulk', report.bulk], ['64-byte pings', report.pingpong], ['connect + close', report.connect], ['bulk over TAP', report.tap],
  ];
  for (const [name, comparison] of rows) if (comparison !== undefined) lines.push(comparisonLine(name, comparison));
  if (report.memory !== undefined) {
    lines.push('', `an idle connection, both ends: ${report.memory.stack} B; node:net ${report.memory.node} B on its side of the kernel`);
  }
  if (report.gaps !== undefined) {
    lines.push('', 'gaps of a 1 ms interval during a bulk transfer', gapLine('  2 hosts', report.gaps.hosts2), gapLine('  100 hosts', report.gaps.hosts100));
  }
  return lines;
}
