// Bundles test files, and programs, for a runtime that is not Node: sources by the source condition, vitest by its stand-in.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { importsOf } from './imports.ts';
import { layers } from '../../scripts/layers.mjs';
import { filesBelow, root, shown } from './workspace.ts';

/** The unit tests that need nothing of Node: those of packages that run everywhere, and import no `node:` module. */
export function portableTests(): { run: string[]; nodeOnly: string[] } {
  const files = filesBelow(join(root, 'packages'), '.test.ts').filter((file) => layers[shown(file).split('/')[1] ?? '']?.node !== true);
  const needsNode = (file: string): boolean => importsOf(file).some((name) => name.startsWith('node:')) || /\b(process|Buffer)\./.test(readFileSync(file, 'utf8'));
  return { run: files.filter((file) => !needsNode(file)), nodeOnly: files.filter(needsNode) };
}

/** An entry that runs the test files: its default export is a function that resolves to their outcomes. */
export function testEntry(files: readonly string[]): string {
  const lines = files.map((file) => `  ${JSON.stringify(shown(file))}: () => import(${JSON.stringify(file)}),`);
  return `import { runFiles } from ${JSON.stringify(join(root, 'tests/portable/run.ts'))};\nexport default () => runFiles({\n${lines.join('\n')}\n});\n`;
}

/** An entry whose default export is function `fn` of tests/portable/`file`. */
export function portableEntry(file: string, fn: string): string {
  return `export { ${fn} as default } from ${JSON.stringify(join(root, 'tests/portable', file))};\n`;
}

/** Bundles `source`, an ES module, into `folder`/entry.js and its chunks; `plugins` may change what is read. */
export async function bundle(source: string, folder: string, plugins: Plugin[] = []): Promise<string> {
  await build({
    stdin: { contents: source, resolveDir: join(root, 'tests'), loader: 'ts', sourcefile: 'entry.ts' },
    outdir: folder,
    entryNames: 'entry',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@stack/source'],
    alias: { vitest: join(root, 'tests/portable/vitest.ts') },
    nodePaths: [join(root, 'node_modules'), join(root, 'tests/node_modules')],
    plugins,
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return join(folder, 'entry.js');
}

/** Bundles `source` for a browser with what is installed in `folder`, as its user does. Returns the file. */
export async function bundleAlone(folder: string, source: string): Promise<string> {
  const outfile = join(folder, 'bundled.mjs');
  await build({
    stdin: { contents: source, resolveDir: folder, loader: 'js', sourcefile: 'use.mjs' },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'silent',
  });
  return outfile;
}
