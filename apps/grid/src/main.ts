#!/usr/bin/env node
/*
 * npm run grid: TCP over links of every kind, in virtual time, beside what theory says.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Cell } from './cell.ts';
import { CONTROLS, SLICES, cellsOf, segmentsOf, spanOf } from './grid.ts';
import { runAll, type Job } from './pool.ts';
import { nameOf, reportLines, type Result } from './report.ts';

interface Options {
  readonly slice: string;
  readonly cc: readonly string[];
  readonly jobs: number;
  readonly seed: number;
  readonly effort: number;
  readonly limit: number;
  readonly json: boolean;
  readonly resume?: string;
  readonly write?: string;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('A number above 0 is wanted.');
  return value;
}

function whole(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('A whole number is wanted.');
  return value;
}

const program = new Command('npm run grid --')
  .description(`Sends TCP over simulated links, in virtual time: bandwidth × round trip × loss × buffer × congestion control. For each it says goodput,
what was sent again, queueing delay and, of several flows, fairness; beside that what theory says. The same seed gives the same figures
on every machine. The whole grid takes about half an hour on two cores, the slice "ci" about a minute.`)
  .addOption(new Option('--slice <name>', 'which cells').choices(Object.keys(SLICES)).default('all'))
  .option('--cc <name...>', 'which congestion controls', [...CONTROLS])
  .option('--jobs <n>', 'processes at a time', whole, availableParallelism())
  .option('--seed <n>', 'of every cell\'s World', whole, 1)
  .option('--effort <n>', 'multiplies the time that each cell is simulated for', positive, 1)
  .option('--limit <n>', 'run no cell that is to send more than so many million segments; it is named instead', positive, 50)
  .option('--json', 'print one line of JSON for each cell, and no tables', false)
  .option('--resume <file>', 'keep each cell\'s result in the file, and do not run again what is there')
  .option('--write <file>', 'put tables and date into a Markdown file, between its lines <!-- grid --> and <!-- /grid -->')
  .addHelpText('after', `
Examples:
  npm run grid -- --slice ci                        the slice that is checked with every change
  npm run grid -- --cc cubic --jobs 1               CUBIC alone, on one core
  npm run grid -- --resume .cache/grid.jsonl        what can be interrupted
  npm run grid -- --write docs/grid.md              all of it, for the record`)
  .showHelpAfterError()
  .parse();
const options = program.opts<Options>();

const keyOf = ({ cell, span }: Job): string => JSON.stringify([cell, span]);

/** What an earlier run has left. */
function earlier(file: string | undefined): Map<string, Result> {
  if (file === undefined || !existsSync(file)) return new Map();
  const results = readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Result);
  return new Map(results.filter(({ figures }) => figures !== undefined).map((result) => [keyOf(result), result]));
}

/** Keeps one line of a terminal up to date. */
function progress(done: number, total: number, since: number, last: Cell): void {
  if (!process.stderr.isTTY) return;
  const minutes = (((performance.now() - since) / done) * (total - done)) / 60_000;
  process.stderr.write(`\r\x1b[K${done} of ${total}, about ${Math.ceil(minutes)} min left: ${nameOf(last)}`);
}

/** Runs what is not known yet, the shortest first. A cell above the limit is a result too: why it was not run. */
async function measure(): Promise<Result[]> {
  const slice = SLICES[options.slice]!;
  const jobs: Job[] = cellsOf(slice, options.cc, options.seed).map((cell) => ({ cell, span: spanOf(cell, slice.effort * options.effort) }));
  const results = earlier(options.resume);
  for (const job of jobs) {
    const millions = segmentsOf(job) / 1e6;
    if (millions <= options.limit || results.has(keyOf(job))) continue;
    results.set(keyOf(job), { ...job, cpu: 0, reason: `${millions.toPrecision(2)} million segments, above --limit ${options.limit}` });
  }
  const missing = jobs.filter((job) => !results.has(keyOf(job))).sort((a, b) => segmentsOf(a) - segmentsOf(b));
  const since = performance.now();
  let count = 0;
  await runAll(missing, options.jobs, (result) => {
    results.set(keyOf(result), result);
    if (options.resume !== undefined) appendFileSync(options.resume, `${JSON.stringify(result)}\n`);
    progress(++count, missing.length, since, result.cell);
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return jobs.map((job) => results.get(keyOf(job))!);
}

/** Puts the tables into a document. */
function write(file: string, results: readonly Result[]): void {
  const [begin, end] = ['<!-- grid -->', '<!-- /grid -->'];
  const text = existsSync(file) ? readFileSync(file, 'utf8') : `# The grid\n\n${begin}\n${end}\n`;
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) program.error(`${file} has no lines ${begin} and ${end}`);
  const cpu = results.reduce((sum, result) => sum + result.cpu, 0);
  const what = `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, seed ${options.seed}: ${results.length} cells in ${Math.round(cpu / 60)} minutes of a core.`;
  writeFileSync(file, `${text.slice(0, from)}${begin}\n\n${[what, '', ...reportLines(results)].join('\n')}\n\n${text.slice(to)}`);
}

const results = await measure();
if (options.write !== undefined) write(options.write, results);
const lines = options.json ? results.map((result) => JSON.stringify(result)) : reportLines(results);
process.stdout.write(`${lines.join('\n')}\n`);
process.exitCode = results.some(({ figures }) => figures === undefined) ? 1 : 0;
