// The documents: every link leads somewhere, to a line that is there; README's package table names every package.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { anchorsOf, linksOf } from './support/markdown.ts';
import { filesBelow, packages, root, shown } from './support/workspace.ts';

/** What is wrong with a link; empty if nothing is. Links out of the repository are not followed. */
function complaint(document: string, link: string): string {
  if (/^[a-z]+:/.test(link)) return '';
  const [path = '', anchor = ''] = link.split('#');
  const target = path === '' ? document : resolve(dirname(document), path);
  if (!existsSync(target)) return `${link}: no such file`;
  if (anchor === '') return '';
  const line = /^L(\d+)(?:-L(\d+))?$/.exec(anchor);
  if (line === null) return anchorsOf(target).has(anchor) ? '' : `${link}: no such heading`;
  const lines = readFileSync(target, 'utf8').split('\n').length;
  return Number(line[2] ?? line[1]) <= lines ? '' : `${link}: the file has ${lines} lines`;
}

const documents = filesBelow(root, '.md').filter((file) => !shown(file).startsWith('.'));

describe.each(documents.map((file) => [shown(file), file]))('%s', (_shown, file) => {
  test('links to what is there', () => {
    expect(linksOf(readFileSync(file, 'utf8')).map((link) => complaint(file, link)).filter((text) => text !== '')).toEqual([]);
  });
});

test.each([
  'README.md', 'CONTRIBUTING.md', 'LICENSE', 'docs/architecture.md', 'docs/client.md', 'docs/fuzz.md', 'docs/kernel-map.md', 'docs/packet-walk.md',
  'docs/swapping.md',
])('%s is there', (file) => {
  expect(statSync(join(root, file)).size).toBeGreaterThan(0);
});

test.each(['README.md', 'docs/architecture.md'])('%s names every package', (file) => {
  const text = readFileSync(join(root, file), 'utf8');
  expect(packages().filter((pkg) => !text.includes(pkg.short)).map((pkg) => pkg.short)).toEqual([]);
});
