// `npm start -- ARGS`: installs and builds what the echo server needs, then runs it with ARGS.
import { build, install, run } from './bootstrap.mjs';

await install(['@stack/root', '@stack/echo-server...']);
await build('js', ['@stack/echo-server...']);
process.exitCode = await run(['apps/echo-server/dist/main.js', ...process.argv.slice(2)]);
