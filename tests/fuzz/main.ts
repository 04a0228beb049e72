// `npm run fuzz -- --frames 10000000 --seed 1`: episodes until so many frames have been received; progress on stderr, a table at the
// end. A failure is shrunk by fast-check and printed with what repeats it.
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { Random, randomU32 } from '@stack/kernel';
import { runEpisode } from './episode.ts';
import { Account, addAccount } from './target.ts';

/** Decisions of an episode; with handshakes and answers it has some more frames. */
const DECISIONS = 5000;

interface Options {
  readonly frames: number;
  readonly seed: number;
  /** The one episode to run. */
  readonly episode: number | null;
  readonly seconds: number;
  readonly debug: boolean;
}

/** Reads the command line. Throws an Error whose message is for the user. */
function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      frames: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      episode: { type: 'string' },
      seconds: { type: 'string' },
      debug: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'frames' | 'seed' | 'episode' | 'seconds'): number => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a whole number, not '${values[name]}'`);
    return value;
  };
  return {
    frames: number('frames'),
    seed: number('seed'),
    episode: values.episode === undefined ? null : number('episode'),
    seconds: values.seconds === undefined ? Infinity : number('seconds'),
    debug: values.debug,
  };
}

function decisionsOf(seed: number, episode: number): number[] {
  const random = new Random(seed * 0x1_0000_0000 + episode);
  return Array.from({ length: DECISIONS }, () => randomU32(random) >>> 1);
}

function table(account: Account, seed: number, episodes: number, seconds: number): string {
  const row = (name: string, count: number): string => `| ${name} | ${count.toLocaleString('en')} |`;
  const reasons = [...account.reasons].sort((a, b) => b[1] - a[1]);
  return [
    `| seed ${seed}, ${episodes} hosts, ${Math.round(seconds)} s | frames |`, '|---|---:|', row('received', account.frames), row('delivered', account.delivered),
    row('dropped', account.dropped), ...reasons.map(([name, count]) => row(`- ${name}`, count)), row('sent in answer', account.answers),
    row('most sk_buffs at once', account.peakSkbs),
  ].join('\n');
}

/** Makes a failing episode as short as it gets, and says how to see it again. */
async function explain(error: unknown, seed: number, episode: number): Promise<void> {
  console.error(error);
  console.error(`\nseed ${seed}, episode ${episode}: npm run fuzz -- --seed ${seed} --episode ${episode} --debug\nshrinking …`);
  const property = fc.asyncProperty(fc.array(fc.nat(0x7fffffff), { maxLength: DECISIONS }), async (decisions) => {
    await runEpisode(episode, decisions, true);
  });
  const found = await fc.check(property, { numRuns: 1, examples: [[decisionsOf(seed, episode)]], interruptAfterTimeLimit: 120_000, markInterruptAsFailure: false });
  console.error(found.counterexample === null ? 'it does not fail with --debug' : `decisions: ${JSON.stringify(found.counterexample[0])}\n${String(found.errorInstance)}`);
}

/** Runs it. Resolves with the exit status. */
export async function fuzz(): Promise<number> {
  try {
    return await fuzzAll(readOptions());
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
}

async function fuzzAll({ frames, seed, episode: only, seconds: limit, debug }: Options): Promise<number> {
  const total = new Account();
  const begin = performance.now();
  const seconds = (): number => (performance.now() - begin) / 1000;
  let shown = 0;
  let episodes = 0;
  for (let episode = only ?? 0; total.frames < frames && seconds() < limit; episode++) {
    try {
      addAccount(total, await runEpisode(episode, decisionsOf(seed, episode), debug));
    } catch (error) {
      await explain(error, seed, episode);
      return 1;
    }
    episodes++;
    if (seconds() - shown > 5) {
      shown = seconds();
      const rate = Math.round(total.frames / shown);
      console.error(`${total.frames.toLocaleString('en')} of ${frames.toLocaleString('en')} frames, ${rate.toLocaleString('en')} a second`);
    }
    if (only !== null) break;
  }
  console.log(table(total, seed, episodes, seconds()));
  return 0;
}
