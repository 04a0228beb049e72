// `npm run packetdrill -- ARGS`: installs and builds what the runner of packetdrill scripts needs, then runs it with ARGS.
import { build, install, run } from './bootstrap.mjs';

await install(['@stack/root', '@stack/packetdrill-cli...']);
await build('js', ['@stack/packetdrill-cli...']);
process.exitCode = await run(['apps/packetdrill/dist/main.js', ...process.argv.slice(2)]);
