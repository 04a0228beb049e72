// Turns what happened elsewhere into tests here: each unit test that a page or another runtime ran counts as one.
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../portable/run.ts';

/** Defines one test per outcome, by file. */
export function defineOutcomes(where: string, outcomes: readonly Outcome[]): void {
  const files = new Set(outcomes.map((outcome) => outcome.file));
  for (const file of files) {
    describe(`${where}: ${file}`, () => {
      for (const outcome of outcomes.filter((one) => one.file === file)) {
        test.skipIf(outcome.state === 'skip')(outcome.name, () => {
          if (outcome.state === 'fail') throw new Error(outcome.error);
          expect(outcome.state).toBe('pass');
        });
      }
    });
  }
}
