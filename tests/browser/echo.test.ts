// The echo through every layer in a page: its trace has the hash that it has on Node.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { missingForBrowser } from '../../scripts/needs.mjs';
import { echo } from '../portable/echo.ts';
import { ECHO, bundle, echoEntry } from '../support/bundle.ts';
import { root } from '../support/workspace.ts';
import { runInPage } from './page.ts';

test.skipIf(missingForBrowser() !== '')('the trace is the same in Chromium', async () => {
  const folder = join(root, '.cache', 'browser', 'echo');
  await bundle(echoEntry(), folder);
  expect(await runInPage(folder)).toEqual(await echo(...ECHO));
});
