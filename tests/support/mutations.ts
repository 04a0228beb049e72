// Running a test file on sources of which one is changed as it is read: a test that passes then proves nothing.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import type { Outcome } from '../portable/run.ts';
import { bundle, testEntry } from './bundle.ts';
import { runOn } from './spawn.ts';
import { root } from './workspace.ts';

/** One change. */
export interface Mutation {
  readonly layer: string;
  readonly what: string;
  /** Below packages/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Changes one file as it is read. Throws when the text to change is not there: then the mutation must be written anew. */
function mutate({ file, from, to }: Mutation): Plugin {
  const path = join(root, 'packages', file);
  const source = readFileSync(path, 'utf8');
  if (!source.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)}`);
  return {
    name: 'mutate',
    setup: ({ onLoad }) => onLoad({ filter: /\.ts$/ }, (args) => (args.path === path ? { contents: source.replace(from, to), loader: 'ts' } : null)),
  };
}

/** Runs test file `file` (from the root) in a process of its own, bundled with `plugins` under `name`. */
export async function runMutated(file: string, name: string, plugins: Plugin[]): Promise<Outcome[]> {
  const entry = await bundle(testEntry([join(root, file)]), join(root, '.cache', 'mutations', name), plugins);
  return await runOn('node', entry) as Outcome[];
}

export const failed = (outcomes: readonly Outcome[]): string[] => outcomes.filter(({ state }) => state === 'fail').map(({ name }) => name);

/** The tests of `file` that fail on the mutated sources; a run that does not even end is a failure too. */
export async function failedWith(file: string, name: string, mutation: Mutation): Promise<string[]> {
  const plugin = mutate(mutation);
  try {
    return failed(await runMutated(file, name, [plugin]));
  } catch {
    return ['the run did not end'];
  }
}
