// The unit level on Bun: the same test files, bundled as for a page.
import { join } from 'node:path';
import type { Outcome } from '../portable/run.ts';
import { bundle, portableTests, testEntry } from '../support/bundle.ts';
import { defineOutcomes } from '../support/outcomes.ts';
import { root } from '../support/workspace.ts';
import { runOn } from '../support/spawn.ts';

const entry = await bundle(testEntry(portableTests().run), join(root, '.cache', 'bun', 'unit'));
defineOutcomes('Bun', await runOn('bun', entry) as Outcome[]);
