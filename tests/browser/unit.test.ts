// The unit level in a page: the same test files, bundled, in headless Chromium.
import { join } from 'node:path';
import { test } from 'vitest';
import { missingForBrowser } from '../../scripts/needs.mjs';
import type { Outcome } from '../portable/run.ts';
import { bundle, portableTests, testEntry } from '../support/bundle.ts';
import { defineOutcomes } from '../support/outcomes.ts';
import { root, shown } from '../support/workspace.ts';
import { runInPage } from './page.ts';

const folder = join(root, '.cache', 'browser', 'unit');
const { run, nodeOnly } = portableTests();

if (missingForBrowser() === '') {
  await bundle(testEntry(run), folder);
  defineOutcomes('Chromium', await runInPage(folder) as Outcome[]);
} else {
  test.skip(`${run.length} files: ${missingForBrowser()}`, () => undefined);
}

test.skip.each(nodeOnly.map(shown))('%s: its tests use Node', () => undefined);
