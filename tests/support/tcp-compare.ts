// What a case of tcp-cases.ts made of our host and of Linux: recordHouse() and recordLinux() -> differenceOf().
// shrink() leaves out of a case whatever its difference does not need.
import { parseScript, runScript } from '@stack/packetdrill';
import type * as Linux from '@stack/packetdrill/linux';
import { infoFields, scriptOf, type Case } from './tcp-cases.ts';

const none = new Map<string, string>();
/** µs that a timer of the kernel's may be off: its HZ may be 100, and its wheel is coarser the longer it runs. */
const TIMER = 25_000;

/** Not multiples of one another: a timer near an event in one is not in the next. */
const STRETCHES = [1, 1.37, 1.13, 1.8];

export async function recordHouse(one: Case, stretch = 1): Promise<readonly string[]> {
  const { failure, log } = await runScript(parseScript(scriptOf(one, stretch), one.name), { record: true });
  return failure === null ? log : [...log, failure.message];
}

export async function recordLinux(runScriptOnLinux: typeof Linux.runScriptOnLinux, one: Case, runner: Linux.LinuxRunner, stretch = 1): Promise<readonly string[]> {
  const { failure, log } = await runScriptOnLinux(scriptOf(one, stretch), one.name, none, { record: true }, runner);
  return failure === null ? log : [...log, failure.message];
}

const TIMED = /^(\d+\.\d+) ([<>=]) (.*)$/;
const STAMP = /TS val (\d+)/;

function sameStamp(a: string, b: string): boolean {
  return Math.abs(Number(STAMP.exec(a)?.[1] ?? 0) - Number(STAMP.exec(b)?.[1] ?? 0)) * 1000 <= TIMER;
}

function sameLine(ours: string, linux: string): boolean {
  if (ours === linux) return true;
  const [, ourTime = 0, ourKind, our = ''] = TIMED.exec(ours) ?? [];
  const [, theirTime = 0, theirKind, their = ''] = TIMED.exec(linux) ?? [];
  if (ourKind === undefined || ourKind !== theirKind) return false;
  const late = Math.abs(Number(ourTime) - Number(theirTime)) * 1e6;
  return our.replace(STAMP, '') === their.replace(STAMP, '') && sameStamp(our, their) && late <= TIMER + Number(ourTime) * 0.125 * 1e6;
}

/** The fields of TCP_INFO that differ; the lines themselves if they are none. */
function tell(ours: string, linux: string): string {
  const our = ours.split(' ');
  const their = linux.split(' ');
  if (our.length !== infoFields.length || their.length !== infoFields.length) return `ours:  ${ours}\nLinux: ${linux}`;
  return infoFields.map((name, i) => (our[i] === their[i] ? '' : `tcpi_${name}: ours ${our[i]}, Linux ${their[i]}`)).filter((text) => text !== '').join('\n');
}

/** The first difference, with what went before; empty if there is none. */
export function differenceOf(ours: readonly string[], linux: readonly string[]): string {
  const at = Array.from({ length: Math.max(ours.length, linux.length) }, (_, i) => i).find((i) => !sameLine(ours[i] ?? '', linux[i] ?? ''));
  if (at === undefined) return '';
  const before = ours.slice(0, at).filter((line) => TIMED.test(line));
  const next = (lines: readonly string[]): string => lines.slice(at, at + 3).filter((line) => TIMED.test(line)).join(' | ');
  return [...before, tell(ours[at] ?? 'nothing', linux[at] ?? 'nothing'), `(then ours ${next(ours)}; Linux ${next(linux)})`].join('\n');
}

/** How a case goes otherwise here than on Linux, at each of some speeds; empty if at one it does not. */
export async function compare(runScriptOnLinux: typeof Linux.runScriptOnLinux, one: Case, runner: Linux.LinuxRunner): Promise<string> {
  let difference = '';
  for (const stretch of STRETCHES) {
    difference = differenceOf(await recordHouse(one, stretch), await recordLinux(runScriptOnLinux, one, runner, stretch));
    if (difference === '') return '';
  }
  return difference;
}

/** The case without the events that `differs` does not need. */
export async function shrink(one: Case, differs: (smaller: Case) => Promise<boolean>): Promise<Case> {
  let smallest = one;
  for (let i = one.events.length - 1; i >= 0; i--) {
    const smaller = { ...smallest, events: smallest.events.filter((_event, at) => at !== i) };
    if (await differs(smaller)) smallest = smaller;
  }
  return smallest;
}
