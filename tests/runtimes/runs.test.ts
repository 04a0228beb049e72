// An echo and a transfer through every layer on other runtimes: the same octets at the same virtual times by the same functions,
// as the hashes say. Those of one seed are kept in git: what changes them changes what the stack does on the wire, or when.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runs } from '../portable/runs.ts';
import { bundle, portableEntry } from '../support/bundle.ts';
import { root } from '../support/workspace.ts';
import { runOn, type Runtime } from '../support/spawn.ts';

const entry = await bundle(portableEntry('runs.ts', 'runs'), join(root, '.cache', 'runtimes', 'runs'));
const here = await runs();

test('the traces are those kept in git', () => {
  const { echo, transfer } = here;
  expect({ echo: echo.hash, transfer: transfer.hash }).toMatchSnapshot();
});

test('the same seed gives the same traces, another seed others', async () => {
  expect(await runs()).toEqual(here);
  const other = await runs(2);
  expect(other.echo.hash).not.toBe(here.echo.hash);
  expect(other.transfer.hash).not.toBe(here.transfer.hash);
});

test.each<Runtime>(['node24', 'deno', 'bun'])('the traces are the same on %s', async (runtime) => {
  expect(await runOn(runtime, entry)).toEqual(here);
});
