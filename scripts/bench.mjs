// `npm run bench -- ARGS`: installs and builds what the benchmark needs, then runs it with ARGS (`--json`: one line of JSON).
import { build, install, run } from './bootstrap.mjs';

await install(['@stack/root', '@stack/bench...']);
await build('js', ['@stack/bench...']);
process.exitCode = await run(['apps/bench/dist/main.js', ...process.argv.slice(2)]);
