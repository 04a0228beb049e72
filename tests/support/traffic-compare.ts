// What traffic of tcp-traffic.ts made of our host and of Linux: isSteady() -> compareTraffic() -> shrinkTraffic().
// Linux's clock ticks otherwise and its timers are coarse: a case whose outcome a few ms could change is no case.
import { Random, randomBelow } from '@stack/kernel';
import { parseScript, runScript, type Result } from '@stack/packetdrill';
import type * as Linux from '@stack/packetdrill/linux';
import { counterNames, infoFields, memFields, scriptOf, type Step, type Traffic } from './tcp-traffic.ts';

const none = new Map<string, string>();
const TIMED = /^(\d+\.\d+) ([<>=] .*)$/;
const STAMP = /TS val (\d+)/;
/** µs that times in TCP_INFO may be off: a round trip is measured, and a timer's tick is Linux's. */
const loose = new Map<string, number>([['rto', 45_000], ['ato', 8000]]);
const JITTERS = 7;
/** ms by which an event is moved at most. */
const JITTER = 3;
/** µs: a run that was later itself tells nothing. */
const LATE = 4000;
const TRIES = 3;
const RUNS = 8;

type Log = readonly string[];

const logOf = ({ failure, log }: Result): Log => (failure === null ? log : [...log, failure.message]);

async function recordHouse(traffic: Traffic): Promise<Log> {
  return logOf(await runScript(parseScript(scriptOf(traffic), traffic.name), { record: true }));
}

/** Which of the lists of names the line's numbers are of; null if it is no line of numbers. */
function namesOf(line: string): readonly string[] | null {
  const { length } = line.split(' ');
  return TIMED.test(line) ? null : [infoFields, memFields, counterNames].find((names) => names.length === length) ?? null;
}

/** What differs between two lines; empty if nothing that matters. */
function tell(ours: string, linux: string): string {
  if (ours === linux) return '';
  const whole = `ours:  ${ours}\nLinux: ${linux}`;
  const names = namesOf(ours);
  if (names !== null && names === namesOf(linux)) {
    const [our, their] = [ours.split(' '), linux.split(' ')];
    const wrong = names.filter((name, i) => our[i] !== their[i] && Math.abs(Number(our[i]) - Number(their[i])) > (loose.get(name) ?? 0) * (name === 'rto' ? 1 + Number(our[i]) / 250_000 : 1));
    return wrong.map((name) => `${name}: ours ${our[names.indexOf(name)]}, Linux ${their[names.indexOf(name)]}`).join('\n');
  }
  const [, ourTime, our = ''] = TIMED.exec(ours) ?? [];
  const [, theirTime, their = ''] = TIMED.exec(linux) ?? [];
  if (ourTime === undefined || our.replace(STAMP, '') !== their.replace(STAMP, '')) return whole;
  const allowed = 0.05 + Number(ourTime) / 8;
  const stamps = Math.abs(Number(STAMP.exec(our)?.[1] ?? 0) - Number(STAMP.exec(their)?.[1] ?? 0)) / 1000;
  return Math.abs(Number(ourTime) - Number(theirTime)) <= allowed && stamps <= allowed ? '' : whole;
}

/** The first difference, with what went before; empty if there is none. */
function differenceOf(ours: Log, linux: Log): string {
  for (let i = 0; i < Math.max(ours.length, linux.length); i++) {
    const wrong = tell(ours[i] ?? 'nothing', linux[i] ?? 'nothing');
    if (wrong !== '') return [...ours.slice(0, i).filter((line) => TIMED.test(line)), wrong].join('\n');
  }
  return '';
}

function jittered(traffic: Traffic, seed: number): Traffic {
  const random = new Random(seed);
  let last = 0;
  let plus = 0;
  const move = ({ at, text }: Step): Step => {
    if (at !== last) plus = randomBelow(random, JITTER * 10) / 10;
    last = at;
    return { at: at + plus, text };
  };
  return { ...traffic, prepare: traffic.prepare.map(move), events: traffic.events.map(move), end: traffic.end.map(move) };
}

/** Without times. */
function bare(log: Log): string {
  return log.map((line) => {
    const names = namesOf(line);
    if (names !== null) return line.split(' ').filter((_value, i) => !loose.has(names[i] ?? '')).join(' ');
    return (TIMED.exec(line)?.[2] ?? line).replace(STAMP, '');
  }).join('\n');
}

/** Does the host do the same if each event is a little later? */
async function isSteady(traffic: Traffic, log: Log): Promise<boolean> {
  const want = bare(log);
  for (let seed = 1; seed <= JITTERS; seed++) if (bare(await recordHouse(jittered(traffic, seed))) !== want) return false;
  return true;
}

/** How it goes otherwise here than on Linux, each time; empty if it does not once, or is not steady. */
export async function compareTraffic(runScriptOnLinux: typeof Linux.runScriptOnLinux, traffic: Traffic, runner: Linux.LinuxRunner): Promise<string> {
  const ours = await recordHouse(traffic);
  if (!await isSteady(traffic, ours)) return '';
  let difference = '';
  for (let i = 0, tries = 0; i < RUNS && tries < TRIES; i++) {
    const result = await runScriptOnLinux(scriptOf(traffic), traffic.name, none, { record: true }, runner);
    const found = differenceOf(ours, logOf(result));
    if (found === '') return '';
    if (result.late > LATE) continue;
    difference = found;
    tries++;
  }
  return difference;
}

/** The traffic without the events that its difference does not need. */
export async function shrinkTraffic(traffic: Traffic, differs: (smaller: Traffic) => Promise<boolean>): Promise<Traffic> {
  let smallest = traffic;
  for (let size = traffic.events.length >> 1; size > 0; size >>= 1) {
    for (let at = smallest.events.length - size; at >= 0; at -= size) {
      const smaller = { ...smallest, events: smallest.events.filter((_event, i) => i < at || i >= at + size) };
      if (await differs(smaller)) smallest = smaller;
    }
  }
  return smallest;
}
