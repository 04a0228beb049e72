// A slice of the simulation grid (apps/grid): its figures are a table in git, compared exactly, since virtual time is; and rules that hold
// whatever the table says. Who changes TCP on purpose renews the table: `npx vitest run --project house tests/grid.test.ts -u`, and reads its diff.
// The cells run in processes of their own, from a bundle, as in loss.test.ts.
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { FRAME, queueFrames, type Cell } from '../apps/grid/src/cell.ts';
import { CONTROLS, SLICES, cellsOf, spanOf } from '../apps/grid/src/grid.ts';
import type { Job } from '../apps/grid/src/pool.ts';
import { nameOf, reportLines, type Result } from '../apps/grid/src/report.ts';
import { theoryOf } from '../apps/grid/src/theory.ts';
import { bundle } from './support/bundle.ts';
import { runOn } from './support/spawn.ts';
import { root } from './support/workspace.ts';

const SEED = 1;
const slice = SLICES['ci']!;

const source = `
import { runCell } from ${JSON.stringify(join(root, 'apps/grid/src/cell.ts'))};
export default async (jobs) => {
  const results = [];
  for (const { cell, span } of jobs) results.push({ cell, span, cpu: 0, figures: await runCell(cell, span) });
  return results;
};
`;

/** Cells that one process runs, and processes at a time. */
const SHARE = 4;
const LANES = 2;
/** On a machine that has other things to do; a core of its own needs a minute and a half. */
const LIMIT = 900_000;
let results: Result[] = [];

beforeAll(async () => {
  const entry = await bundle(source, join(root, '.cache', 'grid'));
  const jobs: Job[] = cellsOf(slice, CONTROLS, SEED).map((cell) => ({ cell, span: spanOf(cell, slice.effort) }));
  const shares = Array.from({ length: Math.ceil(jobs.length / SHARE) }, (_, i) => jobs.slice(i * SHARE, (i + 1) * SHARE));
  const done: Result[][] = [];
  const lane = async (first: number): Promise<void> => {
    for (let i = first; i < shares.length; i += LANES) done[i] = await runOn('node', entry, shares[i], LIMIT) as Result[];
  };
  await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)));
  results = done.flat();
}, LIMIT);

test('the table of the slice', async () => {
  await expect(`${reportLines(results).join('\n')}\n`).toMatchFileSnapshot('__snapshots__/grid.md');
});

/** Calls `check` with each result whose cell is as `wanted` says; there is one at least. */
function forAll(wanted: Partial<Cell>, check: (result: Required<Result>, name: string) => void): void {
  const found = results.filter(({ cell }) => Object.entries(wanted).every(([key, value]) => cell[key as keyof Cell] === value));
  expect(found, JSON.stringify(wanted)).not.toEqual([]);
  for (const result of found) check(result as Required<Result>, nameOf(result.cell));
}

function goodputOf(cell: Partial<Cell>): number {
  let goodput = 0;
  forAll(cell, ({ figures }) => (goodput += figures.goodput));
  return goodput;
}

describe('whatever the table says', () => {
  test('no more arrives than the link carries, and what was on its way when the measurement began', () => {
    forAll({}, ({ cell, span, figures }, name) => {
      expect(figures.goodput, name).toBeLessThanOrEqual(1 + (((1 + cell.buffer) * cell.rtt) / 1000 + 0.01) / span.measured);
    });
  });

  test('no frame waits longer than the buffer is', () => {
    forAll({}, ({ cell, figures }, name) => {
      expect(figures.delay.max, name).toBeLessThanOrEqual((queueFrames(cell) * FRAME * 8 * 1000) / cell.bandwidth + 1.3);
    });
  });

  test('what is sent again is what was lost, and little more', () => {
    forAll({}, ({ cell, figures }, name) => {
      const lost = cell.loss + figures.overflowed / figures.segments;
      expect(figures.retransmitted, name).toBeLessThan(1.5 * lost + 0.005);
    });
  });

  test('Mathis et al.: Reno under random loss is within a factor of two of √(3/2p) segments in flight', () => {
    for (const loss of [0.0001, 0.001, 0.01, 0.05]) {
      forAll({ cc: 'reno', loss, buffer: 1 }, ({ cell, figures }, name) => {
        const theory = theoryOf(cell)!.share;
        expect(figures.goodput, name).toBeGreaterThan(theory / 2);
        expect(figures.goodput, name).toBeLessThan(theory * 2);
      });
    }
  });

  test('a buffer of one BDP keeps the link full where nothing else is lost', () => {
    forAll({ loss: 0, buffer: 1, flows: 1 }, ({ figures }, name) => expect(figures.goodput, name).toBeGreaterThan(0.9));
  });

  test('RFC 9438 §5.1: where bandwidth × delay is large, CUBIC is ahead of Reno under light loss, and no further behind under heavy', () => {
    const light = { bandwidth: 1e9, rtt: 100, loss: 0.0001 };
    expect(goodputOf({ cc: 'cubic', ...light })).toBeGreaterThan(1.3 * goodputOf({ cc: 'reno', ...light }));
    const heavy = { bandwidth: 1e9, rtt: 100, loss: 0.01 };
    expect(goodputOf({ cc: 'cubic', ...heavy })).toBeGreaterThan(0.75 * goodputOf({ cc: 'reno', ...heavy }));
  });

  test('BBR takes no loss for a sign of congestion: more than 85 % of the link at 1 % loss, where Reno has less than 20', () => {
    for (const link of [{ bandwidth: 1e8, rtt: 10 }, { bandwidth: 1e8, rtt: 100 }, { bandwidth: 1e9, rtt: 100 }]) {
      forAll({ cc: 'bbr', loss: 0.01, ...link }, ({ figures }, name) => expect(figures.goodput, name).toBeGreaterThan(0.85));
      forAll({ cc: 'reno', loss: 0.01, ...link }, ({ figures }, name) => expect(figures.goodput, name).toBeLessThan(0.2));
    }
  });

  test('BBR leaves most of a buffer of one BDP empty, which CUBIC fills', () => {
    for (const link of [{ bandwidth: 1e8, rtt: 10 }, { bandwidth: 1e8, rtt: 100 }, { bandwidth: 1e9, rtt: 100 }]) {
      const waits = { bbr: 0, cubic: 0 };
      for (const cc of ['bbr', 'cubic'] as const) forAll({ cc, loss: 0, buffer: 1, flows: 1, ...link }, ({ figures }) => (waits[cc] = figures.delay.p50));
      expect(waits.bbr, JSON.stringify(link)).toBeLessThan(waits.cubic);
    }
  });

  test('flows of one kind share fairly', () => {
    for (const cc of ['reno', 'cubic']) {
      forAll({ cc, flows: 2 }, ({ figures }, name) => expect(figures.jain, name).toBeGreaterThan(0.9));
      forAll({ cc, flows: 10 }, ({ figures }, name) => expect(figures.jain, name).toBeGreaterThan(0.85));
    }
  });
});
