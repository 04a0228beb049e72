// Each file of TCP opens with the order in which its functions are called, and with what to read before it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './support/workspace.ts';

const directory = join(root, 'packages', 'tcp', 'src');
/** Lists of exports alone. */
const entries = new Set(['index.ts', 'channel.ts', 'ipv4.ts']);
const files = readdirSync(directory).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !entries.has(name));

test.each(files)('%s', (name) => {
  const head = /^\/\*\*?\n[^]*?\*\//.exec(readFileSync(join(directory, name), 'utf8'))?.[0] ?? '';
  expect(head, 'the order of calls').toMatch(/Order of calls|→|->|Called/);
  expect(head, 'what to read').toMatch(/Read first|RFC \d+/);
});
