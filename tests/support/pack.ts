// Packing the packages and installing each alone, as a user would: the tarballs of `pnpm pack`, npm, an empty folder.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packages, root, type Package } from './workspace.ts';

const run = promisify(execFile);
/** Without NODE_PATH, by which pnpm's shims lead to every package that there is. */
const env = { ...process.env, NODE_PATH: '', npm_config_loglevel: 'error', npm_config_update_notifier: 'false' };

/** Runs a command in `cwd`; an error has all that it printed. */
export async function command(cwd: string, file: string, ...args: string[]): Promise<string> {
  try {
    return (await run(file, args, { cwd, env, maxBuffer: 64 << 20 })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${file} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
  }
}

/** Packs every package into `folder`. Returns the tarball of each, by short name. */
export async function packAll(folder: string): Promise<Map<string, string>> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const pnpm = (await import(join(root, 'package.json'), { with: { type: 'json' } }) as { default: { packageManager: string } }).default.packageManager;
  await command(root, 'npx', '--yes', pnpm, '--recursive', '--filter', './packages/*', 'pack', '--pack-destination', folder);
  const files = readdirSync(folder);
  return new Map(packages().map(({ short, manifest }) => {
    const name = `stack-${short}-${manifest.version}.tgz`;
    if (!files.includes(name)) throw new Error(`${name} was not packed`);
    return [short, join(folder, name)];
  }));
}

/** The package and all below it that it depends on. */
export function closure(pkg: Package, all: readonly Package[]): Package[] {
  const found = new Set<Package>([pkg]);
  for (const one of found) {
    for (const name of Object.keys(one.manifest.dependencies ?? {})) {
      const other = all.find(({ manifest }) => manifest.name === name);
      if (other !== undefined) found.add(other);
    }
  }
  return [...found];
}

/** Makes an empty project in `folder` and has npm install `pkg` with what it depends on, from tarballs and nothing else. */
export async function installAlone(folder: string, pkg: Package, tarballs: ReadonlyMap<string, string>): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files = closure(pkg, packages()).map(({ short, manifest }) => [manifest.name, `file:${tarballs.get(short) ?? ''}`] as const);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'alone', private: true, type: 'module', dependencies: Object.fromEntries(files) }));
  await command(folder, 'npm', 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--omit=optional', '--omit=peer');
}
