// `npm run fuzz -- --frames N --seed N`: installs what it needs, then throws N random and mutated frames at hosts (docs/fuzz.md).
import { install, run } from './bootstrap.mjs';

await install();
process.exitCode = await run(['tests/fuzz/run.mjs', ...process.argv.slice(2)]);
