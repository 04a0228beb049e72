// The examples that a newcomer copies: each package's README has one, the root's README one for each kind of user.
// Every one is type-checked as a user's strict project would, and run.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { codeBlocks } from './support/markdown.ts';
import { filesBelow, packages, root, shown } from './support/workspace.ts';

const MAX_LINES = 60;
const scratch = join(root, 'tests', '.cache', 'readme');

interface Example {
  readonly readme: string;
  readonly title: string;
  readonly file: string;
}

/** Writes the example to a file that can be run. */
function makeExample(readme: string, body: string, index: number): Example {
  const title = `${shown(readme)} example ${index + 1}`;
  const file = join(scratch, `${shown(readme).replace(/[^a-z]+/gi, '-')}-${index + 1}.ts`);
  writeFileSync(file, body.includes('export ') ? body : `${body}\nexport {};\n`);
  return { readme, title, file };
}

function examplesOf(readme: string): Example[] {
  return codeBlocks(readFileSync(readme, 'utf8'), 'ts').map((body, index) => makeExample(readme, body, index));
}

rmSync(scratch, { recursive: true, force: true });
mkdirSync(scratch, { recursive: true });
const readmes = packages().map((pkg) => join(pkg.directory, 'README.md'));
const existing = new Set([...filesBelow(root, 'README.md')]);
const examples = [join(root, 'README.md'), ...readmes].filter((readme) => existing.has(readme)).flatMap(examplesOf);

describe.each(readmes.map((readme) => [shown(readme), readme]))('%s', (_shown, readme) => {
  test('is there, fits a screen, and has an example that asserts something', () => {
    expect(existing.has(readme)).toBe(true);
    const text = readFileSync(readme, 'utf8');
    expect(text.split('\n').length).toBeLessThanOrEqual(MAX_LINES);
    expect(codeBlocks(text, 'ts')[0] ?? '').toContain('assert');
  });
});

test('every example type-checks in a strict project', () => {
  const parsed = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.json'), {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined });
  const options = { ...parsed?.options, noEmit: true, noUnusedLocals: false };
  const program = ts.createProgram(examples.map((example) => example.file), options);
  const diagnostics = examples.flatMap(({ title, file }) => {
    const source = program.getSourceFile(file);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map((diagnostic) => `${title}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`);
  });
  expect(diagnostics).toEqual([]);
});

test.each(examples.map((example) => [example.title, example.file]))('%s runs', async (_title, file) => {
  await import(/* @vite-ignore */ pathToFileURL(file).href);
});
