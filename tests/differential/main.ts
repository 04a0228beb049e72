// `npm run differential`: the same transfer by our TCP and by Linux's, through the same cable. Progress on a terminal's stderr, then a table;
// status 1 if the goodputs are further apart than BOUND, 2 if it cannot run.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { missingCommands, missingForTun } from '../../scripts/needs.mjs';
import { measure, PAIRS, type Outcome } from './measure.ts';
import { apart, BOUND, tableLines } from './table.ts';

interface Options {
  readonly seconds: number;
  readonly flows: number;
  /** Percent. */
  readonly loss: readonly number[];
  readonly rtt: number;
  /** Mbit/s; 0: no limit. */
  readonly bandwidth: number;
  readonly congestion: string;
  readonly seed: number;
  readonly both: boolean;
  readonly json: boolean;
  readonly write: boolean;
}

const CONGESTION = ['cubic', 'reno', 'bbr'];

const HELP = `npm run differential -- [options]
Our TCP beside Linux's: goodput of each pair of sender and receiver through the same cable, in real time. Needs root.

The transfer:
  --seconds N         how long each flow is measured (60)
  --flows N           how many at once (20)
  --congestion NAME   of both TCPs: cubic, reno or bbr (cubic)
The cable:
  --rtt MS            milliseconds there and back (50)
  --bandwidth MBIT    Mbit/s each way, before a queue of one bandwidth-delay product (0: no limit)
  --loss A,B          percent of the frames from the sender that are lost, a table for each (1,3)
  --both              so many of the receiver's too
  --seed N            of the losses (1)
What comes out:
  --json              one line of JSON
  --write             puts the tables into docs/differential.md
  -h, --help          this

Status 0: the goodputs are within 10 % of one another; 1: they are not; 2: it cannot run.`;

/** Reads the command line; null if it asks for help. Throws an Error whose message is for the user. */
function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      flows: { type: 'string', default: '20' },
      loss: { type: 'string', default: '1,3' },
      rtt: { type: 'string', default: '50' },
      bandwidth: { type: 'string', default: '0' },
      congestion: { type: 'string', default: 'cubic' },
      seed: { type: 'string', default: '1' },
      both: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const number = (name: string, text: string, least: number, most: number): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most)) throw new Error(`--${name} takes a number from ${least} to ${most}, not '${text}'`);
    return value;
  };
  const whole = (name: 'flows' | 'seed', least: number, most: number): number => {
    const value = number(name, values[name], least, most);
    if (!Number.isInteger(value)) throw new Error(`--${name} takes a whole number, not '${values[name]}'`);
    return value;
  };
  if (!CONGESTION.includes(values.congestion)) throw new Error(`--congestion takes ${CONGESTION.join(', ')}, not '${values.congestion}'`);
  return {
    seconds: number('seconds', values.seconds, 0.1, 86_400),
    flows: whole('flows', 1, 1000),
    loss: values.loss.split(',').map((text) => number('loss', text, 0, 50)),
    rtt: number('rtt', values.rtt, 0, 10_000),
    bandwidth: number('bandwidth', values.bandwidth, 0, 10_000),
    congestion: values.congestion,
    seed: whole('seed', 0, 0xffff_ffff),
    both: values.both,
    json: values.json,
    write: values.write,
  };
}

/** Why it cannot run here; empty if it can. */
export function missingToRun(): string {
  return missingForTun() || missingCommands(['ip', 'nstat', 'ss', 'sysctl']);
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** Runs it. `doc` is the document that --write renews. Resolves with the exit status. */
export async function differential(doc: string): Promise<number> {
  let options: Options | null;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`${(error as Error).message}\n\`npm run differential -- --help\` says what there is`);
    return 2;
  }
  if (options === null) {
    console.log(HELP);
    return 0;
  }
  const missing = missingToRun();
  if (missing !== '') {
    console.error(`cannot run: ${missing}`);
    return 2;
  }
  if (!takePriority()) console.error('no chrt: other processes of this machine will make the cable late');
  const outcomes = await measureAll(options);
  const title = titleOf(options);
  if (options.json) console.log(JSON.stringify({ title, outcomes }));
  else console.log([title, ...tableLines(outcomes)].join('\n'));
  if (options.write) write(doc, title, outcomes);
  return options.loss.some((loss) => apart(outcomes, loss / 100) > BOUND) ? 1 : 0;
}

/** This process, and those of Linux's side, run before all others of the machine: a cable must be punctual. */
function takePriority(): boolean {
  try {
    execFileSync('chrt', ['--all-tasks', '--fifo', '--pid', '50', String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function measureAll({ seconds, flows, loss, rtt, bandwidth, congestion, seed, both }: Options): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const total = loss.length * PAIRS.length;
  for (const percent of loss) {
    for (const [from, to] of PAIRS) {
      progress(`${outcomes.length + 1} of ${total}: ${from} → ${to} at ${percent} % loss, ${seconds} s`);
      const share = percent / 100;
      const path = { delay: rtt, loss: share, lossBack: both ? share : 0, congestion, seed, ...(bandwidth > 0 ? { bandwidth: bandwidth * 1e6 } : {}) };
      outcomes.push(await measure({ from, to, path, flows, seconds }));
    }
  }
  progress('');
  return outcomes;
}

function titleOf({ seconds, flows, rtt, bandwidth, congestion, seed, both }: Options): string {
  const rate = bandwidth > 0 ? `, ${bandwidth} Mbit/s` : '';
  return `${flows} flows of ${seconds} s at once, ${congestion.toUpperCase()}, ${rtt} ms there and back${rate}, loss ${both ? 'both ways' : 'from the sender'}, seed ${seed}`;
}

/** Renews all of the document that comes after its heading "Result". */
function write(doc: string, title: string, outcomes: readonly Outcome[]): void {
  const [head = ''] = readFileSync(doc, 'utf8').split(/(?<=^## Result\n)/m);
  const date = new Date().toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
  const where = `${date}, Linux ${release().replace(/-.*/, '')}, Node ${process.versions.node}, ${cpus().length} processors.`;
  writeFileSync(doc, `${head}\n${where} ${title}.\n\n\`\`\`\n${tableLines(outcomes).join('\n')}\n\`\`\`\n`);
}
