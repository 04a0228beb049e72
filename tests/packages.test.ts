// Each package as a user gets it: packed, looked at by publint and attw, installed alone in an empty folder, imported, required,
// used in ten lines (support/singles.ts), type-checked strictly, bundled for a browser. Needs the packages built (`npm run build`;
// `npm test` does it).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';
import { layers } from '../scripts/layers.mjs';
import { bundleAlone } from './support/bundle.ts';
import { command, installAlone, packAll } from './support/pack.ts';
import { singles } from './support/singles.ts';
import { packages, root, type Package } from './support/workspace.ts';

const all = packages();
const scratch = join(root, '.cache', 'packed');
let tarballs = new Map<string, string>();

beforeAll(async () => {
  tarballs = await packAll(join(scratch, 'tarballs'));
  const left = [...all];
  const worker = async (): Promise<void> => {
    for (let pkg = left.pop(); pkg !== undefined; pkg = left.pop()) await installAlone(join(scratch, pkg.short), pkg, tarballs);
  };
  await Promise.all([worker(), worker()]);
}, 300_000);

/** The names under which a user imports the package's entries. */
function specifiers({ manifest }: Package): string[] {
  return Object.keys(manifest.exports).filter((entry) => entry !== './package.json').map((entry) => `${manifest.name}${entry.slice(1)}`);
}

function tarball(pkg: Package): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(tarballs.get(pkg.short) ?? ''));
}

/** What `file` of `folder` exports as `result`, as JSON has it, in a process that lacks the globals `without`. */
async function resultOf(folder: string, file: string, ...without: string[]): Promise<unknown> {
  const text = `${without.map((name) => `delete globalThis.${name};`).join(' ')} console.log(JSON.stringify((await import('${file}')).result));`;
  return JSON.parse(await command(folder, process.execPath, '--no-warnings', '--input-type=module', '--eval', text));
}

describe.concurrent.each(all.map((pkg) => [pkg.short, pkg] as const))('%s', (short, pkg) => {
  test('publint finds nothing', async () => {
    const { messages } = await publint({ pack: { tarball: tarball(pkg).buffer }, strict: true });
    expect(messages.map(({ code, args, path }) => ({ code, args, path }))).toEqual([]);
  });

  test('are the types wrong? Not for ES modules (profile esm-only)', async () => {
    const result = await checkPackage(createPackageFromTarballData(tarball(pkg)));
    if (result.types === false) throw new Error('no types');
    const ignored = ['node10', 'node16-cjs'];
    expect(result.problems.filter((problem) => !('resolutionKind' in problem) || !ignored.includes(problem.resolutionKind))).toEqual([]);
  });

  test('alone, it can be imported and required', async () => {
    const names = JSON.stringify(specifiers(pkg));
    const text = `for (const name of ${names}) {
      const imported = await import(name);
      const required = (await import('node:module')).createRequire(import.meta.url)(name);
      if (Object.keys(imported).join() !== Object.keys(required).join()) throw new Error(name);
      console.log(name, Object.keys(imported).length);
    }`;
    const printed = await command(join(scratch, short), process.execPath, '--no-warnings', '--input-type=module', '--eval', text);
    expect(printed.trim().split('\n')).toHaveLength(specifiers(pkg).length);
  });

  test('alone, it does what ten lines ask of it', async () => {
    const single = singles[short];
    if (single === undefined) throw new Error('tests/support/singles.ts has no program for it');
    writeFileSync(join(scratch, short, 'use.mjs'), single.text);
    expect(await resultOf(join(scratch, short), './use.mjs')).toEqual(single.result);
  });

  if (layers[short]?.node !== true) test('alone, it is bundled for a browser, where it does the same', async () => {
    const file = await bundleAlone(join(scratch, short), singles[short]?.text ?? '');
    expect(readFileSync(file, 'utf8')).not.toMatch(/["']node:|\brequire\(/);
    expect(await resultOf(join(scratch, short), './bundled.mjs', 'process', 'Buffer')).toEqual(singles[short]?.result);
  });

  test('carries its licence, README, declarations, and no test', async () => {
    const listed = (await command(root, 'tar', '--list', '--gzip', '--file', tarballs.get(short) ?? '')).trim().split('\n');
    expect(listed.filter((name) => /\.test\.|\/test-|\/testing\/|node_modules|\.turbo/.test(name))).toEqual([]);
    expect(listed).toEqual(expect.arrayContaining(['package/LICENSE', 'package/README.md', 'package/dist/index.js', 'package/dist/index.d.ts']));
  });
});

test('alone, each type-checks in a strict project, its declarations too', () => {
  const checks = all.flatMap((pkg) => {
    const files = ['check.ts', 'use.ts'].map((name) => join(scratch, pkg.short, name));
    writeFileSync(files[0]!, specifiers(pkg).map((name, i) => `export * as entry${i} from '${name}';\n`).join(''));
    writeFileSync(files[1]!, singles[pkg.short]?.text ?? '');
    return files;
  });
  const program = ts.createProgram(checks, {
    strict: true, noEmit: true, skipLibCheck: false, target: ts.ScriptTarget.ES2022, lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts'],
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [], exactOptionalPropertyTypes: true,
  });
  expect(ts.getPreEmitDiagnostics(program).map((diagnostic) => (
    `${diagnostic.file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`))).toEqual([]);
});

/** The errors of `text` as a file in the folder where `short` is installed alone. */
function errorsOf(short: string, text: string): string[] {
  const file = join(scratch, short, 'links.ts');
  writeFileSync(file, text);
  const program = ts.createProgram([file], {
    strict: true, noEmit: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext, types: [],
  });
  return program.getSemanticDiagnostics(program.getSourceFile(file)).map((diagnostic) => ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
}

test('a link that points up is unknown alone, and typed where its owner is installed', () => {
  const alone = "import type { SkBuff } from '@stack/skbuff';\nexport const name = (skb: SkBuff): { name: string } | null => skb.dev;\n";
  expect(errorsOf('skbuff', alone)).toEqual([expect.stringContaining("Type 'unknown' is not assignable")]);
  expect(errorsOf('netdev', `import '@stack/netdev';\n${alone}`)).toEqual([]);
});

test.skipIf(process.platform !== 'linux')('nic-tap without koffi says what to install', async () => {
  const text = "import { openTap } from '@stack/nic-tap'; try { openTap({}); } catch (error) { console.log(error.message); }";
  const printed = await command(join(scratch, 'nic-tap'), process.execPath, '--no-warnings', '--input-type=module', '--eval', text);
  expect(printed).toContain('npm install koffi');
});
