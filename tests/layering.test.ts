// The table of the house (scripts/layers.mjs) against what the sources import, types included, and against each package.json.
import { describe, expect, test } from 'vitest';
import { layers, type Layer } from '../scripts/layers.mjs';
import { importsOf, importsOfText, packageOf, reachableFrom } from './support/imports.ts';
import { entriesOf, filesBelow, packages, shown, type Package } from './support/workspace.ts';

const PREFIX = '@stack/';

/** Packages of the house that a list of imports names, without prefix. */
function houseImports(names: readonly string[]): string[] {
  return names.map(packageOf).filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));
}

/** What an entry may import: the row, and what its own entry has besides. */
function allowedFor(layer: Layer, entry: string): Set<string> {
  return new Set([...layer.imports, ...(layer.entries?.[entry.replace('./', '')] ?? [])]);
}

/** Complaints about the files that `entry` reaches: `file imports package`. */
function upwardImports(pkg: Package, entry: string, file: string, layer: Layer): string[] {
  const allowed = allowedFor(layer, entry);
  return [...reachableFrom(file)].flatMap((reached) => (
    houseImports(importsOf(reached)).filter((name) => name !== pkg.short && !allowed.has(name)).map((name) => `${shown(reached)} imports ${name}`)
  ));
}

function sourcesOf(pkg: Package): string[] {
  return filesBelow(`${pkg.directory}/src`, '.ts').filter((file) => !isTest(file));
}

/** Tests, and what only they use (`test-….ts`, `testing/`). */
function testsOf(pkg: Package): string[] {
  return filesBelow(`${pkg.directory}/src`, '.ts').filter(isTest);
}

function isTest(file: string): boolean {
  return /\.test\.ts$|\/test-[^/]*\.ts$|\/testing\//.test(file);
}

describe('the table of layers', () => {
  test('has a row for each package, and no other', () => {
    expect(packages().map((pkg) => pkg.short)).toEqual(Object.keys(layers).sort());
  });

  test('has no cycle: each row names only rows that can be built before it', () => {
    const built = new Set<string>();
    const rows = Object.entries(layers).map(([name, layer]) => ({ name, below: [...layer.imports, ...Object.values(layer.entries ?? {}).flat()] }));
    for (let round = 0; round < rows.length; round++) {
      for (const { name, below } of rows) if (below.every((other) => built.has(other))) built.add(name);
    }
    expect([...built].sort()).toEqual(rows.map(({ name }) => name).sort());
  });

  test('sees an import upwards, of a type too, and a module augmentation', () => {
    expect(houseImports(importsOfText("import type { NetDevice } from '@stack/netdev';"))).toEqual(['netdev']);
    expect(houseImports(importsOfText("export { f } from '@stack/kernel/real-clock';"))).toEqual(['kernel']);
    expect(houseImports(importsOfText("type T = import('@stack/ip').Rtable;"))).toEqual(['ip']);
    expect(houseImports(importsOfText("export {};\ndeclare module '@stack/skbuff' { interface SkbLinks { dev: 1 } }"))).toEqual(['skbuff']);
  });
});

describe.each(packages().map((pkg) => [pkg.short, pkg] as const))('%s', (short, pkg) => {
  const layer = layers[short] ?? { imports: [] };
  const entries = entriesOf(pkg);

  test('imports only packages below it', () => {
    expect(entries.flatMap(({ entry, file }) => upwardImports(pkg, entry, file, layer))).toEqual([]);
  });

  test('imports only packages below it in its tests', () => {
    const allowed = new Set([...layer.imports, ...Object.values(layer.entries ?? {}).flat(), short]);
    const wrong = testsOf(pkg).flatMap((file) => houseImports(importsOf(file)).filter((name) => !allowed.has(name)).map((name) => `${shown(file)} imports ${name}`));
    expect(wrong).toEqual([]);
  });

  test('depends on what its sources import, and on nothing else', () => {
    const bare = sourcesOf(pkg).flatMap(importsOf).filter((name) => !name.startsWith('.') && !name.startsWith('node:')).map(packageOf);
    const imported = [...new Set(bare)].filter((name) => name !== pkg.manifest.name).sort();
    const declared = Object.keys({ ...pkg.manifest.dependencies, ...pkg.manifest.peerDependencies }).sort();
    expect(declared).toEqual(imported);
  });

  test('has no source file that no entry reaches', () => {
    const reached = new Set(entries.flatMap(({ file }) => [...reachableFrom(file)]));
    expect(sourcesOf(pkg).filter((file) => !reached.has(file)).map(shown)).toEqual([]);
  });
});
