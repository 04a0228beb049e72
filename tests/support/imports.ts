// What a source file imports, types included; and what a set of files reaches.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** Every module that a text names in import, export from, import() or `declare module`. */
export function importsOfText(text: string): string[] {
  const info = ts.preProcessFile(text, true, true);
  const named = info.importedFiles.map((file) => file.fileName);
  return [...new Set([...named, ...(info.ambientExternalModules ?? []), ...augmentedModules(text)])];
}

/** preProcessFile takes `declare module 'x'` in a module for an import; older and newer compilers differ, so read it here too. */
function augmentedModules(text: string): string[] {
  return [...text.matchAll(/^\s*declare module ['"]([^'"]+)['"]/gm)].map((match) => match[1] ?? '');
}

/** importsOfText() of a file. */
export function importsOf(file: string): string[] {
  return importsOfText(readFileSync(file, 'utf8'));
}

/** The files that `entry` reaches by relative imports, itself included. */
export function reachableFrom(entry: string): Set<string> {
  const reached = new Set<string>();
  const left = [entry];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const name of importsOf(file)) if (name.startsWith('.')) left.push(join(dirname(file), name));
  }
  return reached;
}

/** The package of a bare import: `@stack/kernel/real-clock` is of `@stack/kernel`. */
export function packageOf(name: string): string {
  return name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/');
}
