// An echo and a transfer through every layer in a page: their traces have the hashes that they have on Node.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { missingForBrowser } from '../../scripts/needs.mjs';
import { runs } from '../portable/runs.ts';
import { bundle, portableEntry } from '../support/bundle.ts';
import { root } from '../support/workspace.ts';
import { runInPage } from './page.ts';

test.skipIf(missingForBrowser() !== '')('the traces are the same in Chromium', async () => {
  const folder = join(root, '.cache', 'browser', 'runs');
  await bundle(portableEntry('runs.ts', 'runs'), folder);
  expect(await runInPage(folder)).toEqual(await runs());
});
