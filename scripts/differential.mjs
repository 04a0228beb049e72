// `npm run differential -- ARGS`: installs what it needs, then measures our TCP beside Linux's (docs/differential.md).
import { install, run } from './bootstrap.mjs';

await install();
process.exitCode = await run(['tests/differential/run.mjs', ...process.argv.slice(2)]);
