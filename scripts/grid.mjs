// `npm run grid -- ARGS`: installs and builds what the simulation grid needs, then runs it with ARGS (`--help` says which).
import { build, install, run } from './bootstrap.mjs';

await install(['@stack/root', '@stack/grid...']);
await build('js', ['@stack/grid...']);
process.exitCode = await run(['apps/grid/dist/main.js', ...process.argv.slice(2)]);
