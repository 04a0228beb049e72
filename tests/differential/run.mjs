// Bundles main.ts from the sources, with Linux's programs beside it, and runs it. It lies where koffi is found.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const outdir = join(here, '../node_modules/.cache/differential');
await build({
  entryPoints: { main: join(here, 'main.ts'), 'linux-peer': join(here, '../support/linux-peer.mjs') },
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['@stack/source'],
  external: ['koffi'],
  logLevel: 'warning',
});
const { differential } = await import(pathToFileURL(join(outdir, 'main.mjs')).href);
process.exitCode = await differential(fileURLToPath(new URL('../../docs/differential.md', import.meta.url)));
