// Bundles a bench written in TypeScript from source, and runs it with the arguments given.
//
//   node packages/nic-virtio-sim/bench/run.mjs [--json] [--profile]

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(mkdtempSync(join(tmpdir(), 'nic-bench-')), 'nic.mjs');
const esbuild = join(here, '../../../node_modules/.bin/esbuild');
execFileSync(esbuild, [join(here, 'nic.ts'), '--bundle', '--platform=node', '--format=esm', '--conditions=@stack/source', `--outfile=${out}`, '--log-level=warning'], { stdio: 'inherit' });
const args = process.argv.slice(2);
const profile = args.includes('--profile') ? ['--cpu-prof', '--cpu-prof-dir=/tmp/nic-prof'] : [];
process.exitCode = spawnSync(process.execPath, [...profile, out, ...args], { stdio: 'inherit' }).status ?? 1;
