// What is in the workspace, for the tests of the house: packages, their manifests, their source files.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What of a package.json is read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A package of `packages/`. */
export interface Package {
  /** The name without `@stack/`. */
  readonly short: string;
  readonly directory: string;
  readonly manifest: Manifest;
}

/** Every publishable package, by name. */
export function packages(): Package[] {
  const folder = join(root, 'packages');
  return readdirSync(folder).sort().filter((name) => existsSync(join(folder, name, 'package.json'))).map((short) => {
    const directory = join(folder, short);
    return { short, directory, manifest: JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest };
  });
}

/** The package's entries: `.` and its likes, with the source file of each. */
export function entriesOf(pkg: Package): { entry: string; file: string }[] {
  return Object.entries(pkg.manifest.exports).flatMap(([entry, target]) => {
    const source = typeof target === 'string' ? undefined : target['@stack/source'];
    return source === undefined ? [] : [{ entry, file: join(pkg.directory, source) }];
  });
}

/** All files below `folder` whose name ends in `suffix`, without those of node_modules, dist and hidden folders. */
export function filesBelow(folder: string, suffix: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name.startsWith('.')) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path, suffix);
    return entry.name.endsWith(suffix) ? [path] : [];
  });
}

/** The path as a reader of a failure wants it: from the repository's root. */
export function shown(path: string): string {
  return relative(root, path);
}
