// `npm test [-- LEVEL …]`: installs, builds, runs the levels of the test suite (all of them, or those named), says loudly
// what is skipped and why. Exit status 1 if anything failed; the last line sums over all levels.
// `--as-is` leaves installing and building out: for a second runtime over the same tree.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, install, root, run } from './bootstrap.mjs';
import { missingForBrowser, missingForReal } from './needs.mjs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Count */

/** What each level is, and why it cannot run here (empty: it can). */
const levels = [
  { name: 'unit', what: 'each layer alone', missing: '' },
  { name: 'house', what: 'whole hosts, the layering, the packages, the documents', missing: '' },
  { name: 'runtimes', what: 'the unit level and the echo on Deno and Bun', missing: '' },
  { name: 'browser', what: 'the unit level and the echo in headless Chromium', missing: missingForBrowser() },
  { name: 'real', what: 'against real Linux over TAP, in a network namespace', missing: missingForReal() },
];

/**
 * Runs one level; its tests that cannot run here skip themselves.
 * @param {string} name
 * @returns {Promise<Count>}
 */
async function runLevel(name) {
  const report = join(root, '.cache', 'tests', `${name}-${process.version}.json`);
  mkdirSync(join(root, '.cache', 'tests'), { recursive: true });
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`, '--silent=passed-only'];
  const status = await run(['node_modules/vitest/vitest.mjs', 'run', '--project', name, '--passWithNoTests', ...reporters]);
  return countOf(report, status);
}

/**
 * @param {string} report path of vitest's JSON report
 * @param {number} status vitest's exit status
 * @returns {Count}
 */
function countOf(report, status) {
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    const failed = Math.max(result.numFailedTests, status === 0 ? 0 : 1); // a file that does not even load has no tests
    return { passed: result.numPassedTests, failed, skipped: result.numPendingTests + result.numTodoTests };
  } catch {
    return { passed: 0, failed: status === 0 ? 0 : 1, skipped: 0 };
  }
}

const args = process.argv.slice(2);
const named = args.filter((arg) => !arg.startsWith('--'));
const unknown = named.filter((name) => !levels.some((level) => level.name === name));
if (unknown.length > 0) {
  console.error(`npm test: no level '${unknown[0]}'; there are ${levels.map((level) => level.name).join(', ')}`);
  process.exit(2);
}

if (!args.includes('--as-is')) {
  await install();
  await build('all');
}
const total = { passed: 0, failed: 0, skipped: 0 };
const lines = [];
for (const { name, what, missing } of levels.filter((level) => named.length === 0 || named.includes(level.name))) {
  console.log(`\n=== ${name}: ${what}`);
  const count = await runLevel(name);
  lines.push(`${name.padEnd(9)} ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  if (missing !== '') lines.push(`${''.padEnd(9)} !!! SKIPPED, the level cannot run here: ${missing}`);
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
}
console.log(`\n${lines.join('\n')}\n\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;
