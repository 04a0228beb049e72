// `npm run capture -- ARGS`: installs and builds what packet-capture needs, then runs it with ARGS.
import { build, install, run } from './bootstrap.mjs';

await install(['@stack/root', '@stack/packet-capture...']);
await build('js', ['@stack/packet-capture...']);
process.exitCode = await run(['apps/packet-capture/dist/main.js', ...process.argv.slice(2)]);
