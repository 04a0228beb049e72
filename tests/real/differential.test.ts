// The rig of `npm run differential`, for a few seconds: whether the goodputs are equal is that command's to say (docs/differential.md).
import { expect, test } from 'vitest';
import { missingToRun } from '../differential/main.ts';
import { measure, PAIRS } from '../differential/measure.ts';

const SECONDS = 4;
const FLOWS = 10;
/** So few flows for so short a time are noise: within this factor of one another. */
const FACTOR = 2;

const missing = missingToRun();

test.skipIf(missing !== '')(`our TCP and Linux's are about as fast through 50 ms and 3 % loss${missing === '' ? '' : `: SKIPPED, ${missing}`}`, async () => {
  const path = { delay: 50, loss: 0.03, seed: 1 };
  const medians: Record<string, number> = {};
  for (const [from, to] of PAIRS) medians[`${from} → ${to}`] = (await measure({ from, to, path, flows: FLOWS, seconds: SECONDS })).median;
  const [least = 0, ...rest] = Object.values(medians).sort((a, b) => a - b);
  expect(least, `bits per second: ${JSON.stringify(medians)}`).toBeGreaterThan((rest.at(-1) ?? NaN) / FACTOR);
});
