// `npm run fuzz -- --frames N --seed N`: bundles tests/fuzz/main.ts from the sources, and runs it. More: --episode N repeats one host,
// --debug knows who made each sk_buff, --seconds N ends it by the clock.
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { install, root } from './bootstrap.mjs';

if (process.env['STACK_FUZZ_INSTALLED'] === undefined) install();
/** @type {typeof import('esbuild')} */
const { build } = createRequire(join(root, 'tests/package.json'))('esbuild');
const outfile = join(root, '.cache/fuzz/main.mjs');
await build({
  entryPoints: [join(root, 'tests/fuzz/main.ts')],
  outfile,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['@stack/source'],
  external: ['fast-check'],
  logLevel: 'warning',
});
const { fuzz } = await import(pathToFileURL(outfile).href);
process.exitCode = await fuzz();
