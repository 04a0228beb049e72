// The echo through every layer on other runtimes: the same octets at the same virtual times by the same functions, as the hash says.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { echo } from '../portable/echo.ts';
import { ECHO, bundle, echoEntry } from '../support/bundle.ts';
import { root } from '../support/workspace.ts';
import { runOn, type Runtime } from './spawn.ts';

const entry = await bundle(echoEntry(), join(root, '.cache', 'runtimes', 'echo'));
const here = await echo(...ECHO);

test('the same seed gives the same trace, another seed another', async () => {
  expect(here.octets).toBe(ECHO[1]);
  expect(await echo(...ECHO)).toEqual(here);
  expect((await echo(ECHO[0] + 1, ECHO[1])).hash).not.toBe(here.hash);
});

test.each<Runtime>(['node24', 'deno', 'bun'])('the trace is the same on %s', async (runtime) => {
  expect(await runOn(runtime, entry)).toEqual(here);
});
