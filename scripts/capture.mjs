// `npm run capture -- ARGS`: installs and builds what packet-capture needs, then runs it with ARGS.
import { build, install, run } from './bootstrap.mjs';

install(['@stack/root', '@stack/packet-capture...']);
build('js', ['@stack/packet-capture...']);
process.exitCode = await run(['apps/packet-capture/dist/main.js', ...process.argv.slice(2)]);
