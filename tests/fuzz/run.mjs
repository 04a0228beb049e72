// Bundles main.ts from the sources, and runs it.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const outfile = join(here, '../../.cache/fuzz/main.mjs');
await build({
  entryPoints: [join(here, 'main.ts')],
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
