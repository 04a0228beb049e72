// The unit level on Deno: the same test files, bundled as for a page.
import { join } from 'node:path';
import type { Outcome } from '../portable/run.ts';
import { bundle, portableTests, testEntry } from '../support/bundle.ts';
import { defineOutcomes } from '../support/outcomes.ts';
import { root } from '../support/workspace.ts';
import { runOn } from '../support/spawn.ts';

const entry = await bundle(testEntry(portableTests().run), join(root, '.cache', 'deno', 'unit'));
defineOutcomes('Deno', await runOn('deno', entry) as Outcome[]);
