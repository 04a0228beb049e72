// Each of our packetdrill scripts holds on this machine's Linux too, in a network namespace of its own and in real time: so that what
// they ask of our stack is what Linux does. A script of which Linux does something else says so: `// Deviation: …`.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeReal, missing } from '../support/netns.ts';
import { describeFailure, loadLinux, ownScripts, pool } from '../support/packetdrill-linux.ts';

/** µs: for a kernel of another HZ, and a machine with other work. */
const TOLERANCE = 20_000;
const AT_ONCE = 8;
const TRIES = 3;
/** ms: what waits longer is not run. */
const LONG = 10_000;

/** Scripts that hold to the millisecond in virtual time and that a real kernel need not keep, with the reason. */
const unsteady = new Map<string, string>();

const { closeLinuxRunner, LinuxRunner, missingForLinux, parseScript, runScriptOnLinux } = await loadLinux();
const scripts = ownScripts(parseScript);
const long = scripts.filter(({ length }) => length > LONG);
const deviating = scripts.filter(({ deviation }) => deviation !== '');
/** The longest first: none is left to be waited for alone at the end. */
const run = scripts.filter(({ name, length, deviation }) => length <= LONG && deviation === '' && !unsteady.has(name)).sort((a, b) => b.length - a.length);

const why = missing === '' ? missingForLinux() : '';
const none = new Map<string, string>();

describeReal(`our packetdrill scripts hold on Linux${why === '' ? '' : `: SKIPPED, ${why}`}`, () => {
  const outcomes = new Map<string, Promise<string>>();

  const runners = Array.from({ length: AT_ONCE }, () => new LinuxRunner());

  beforeAll(() => {
    if (why !== '') return;
    const turn = pool([...runners]);
    const outcomeOf = async (name: string, text: string): Promise<string> => {
      const tried: string[] = [];
      for (let i = 0; i < TRIES; i++) {
        const failure = await turn(async (runner) => describeFailure(name, await runScriptOnLinux(text, name, none, { tolerance: TOLERANCE }, runner)));
        if (failure === '') return '';
        tried.push(failure);
      }
      return tried.join('\n\nand again:\n');
    };
    for (const { name, text } of run) outcomes.set(name, outcomeOf(name, text));
  });

  afterAll(() => runners.forEach(closeLinuxRunner));

  test.each(run)('$name', { timeout: 600_000, skip: why !== '' }, async ({ name }) => {
    expect(await outcomes.get(name)).toBe('');
  });

  test.skip(`${long.length} scripts that wait more than ${LONG / 1000} s: ${long.map(({ name }) => name).join(' ')}`, () => undefined);
  test.skip(`${deviating.length} scripts of which Linux does something else: ${deviating.map(({ name }) => name).join(' ')}`, () => undefined);
  test.skip.each([...unsteady])('%s: %s', () => undefined);

  test('what is said not to hold is there', () => {
    const names = new Set(scripts.map(({ name }) => name));
    expect([...unsteady.keys()].filter((name) => !names.has(name))).toEqual([]);
  });
});
