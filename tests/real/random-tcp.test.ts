// Random cases (tests/support/tcp-cases.ts), from every state, against this machine's Linux: all that is sent, what calls return, the fields of
// TCP_INFO after each event. STACK_TCP_CASES says how many, STACK_TCP_SEED from which on: each has a number, and is the same for the same number.
import { afterAll, expect, test } from 'vitest';
import { describeReal, missing } from '../support/netns.ts';
import { loadLinux, pool } from '../support/packetdrill-linux.ts';
import { caseOf, scriptOf } from '../support/tcp-cases.ts';
import { compare, shrink } from '../support/tcp-compare.ts';

const AT_ONCE = 12;
/** A minute's worth on a busy machine of two cores. */
const COUNT = Number(process.env['STACK_TCP_CASES'] ?? 120);
const SEED = Number(process.env['STACK_TCP_SEED'] ?? 20_000);

const { closeLinuxRunner, LinuxRunner, missingForLinux, runScriptOnLinux } = await loadLinux();
const why = missing === '' ? missingForLinux() : '';

describeReal(`random cases go as on Linux${why === '' ? '' : `: SKIPPED, ${why}`}`, () => {
  const runners = Array.from({ length: AT_ONCE }, () => new LinuxRunner());

  afterAll(() => runners.forEach(closeLinuxRunner));

  test(`${COUNT} from ${SEED} on`, { timeout: 60_000 + COUNT * 1000, skip: why !== '' }, async () => {
    const turn = pool([...runners]);
    const differenceOf = (number: number): Promise<string> => turn(async (runner) => {
      const one = caseOf(number);
      if (await compare(runScriptOnLinux, one, runner) === '') return '';
      const smallest = await shrink(one, async (smaller) => await compare(runScriptOnLinux, smaller, runner) !== '');
      const difference = await compare(runScriptOnLinux, smallest, runner);
      return difference === '' ? '' : `STACK_TCP_CASES=1 STACK_TCP_SEED=${number} (${one.name}):\n${difference}\n\n${scriptOf(smallest)}`;
    });
    const differences = await Promise.all(Array.from({ length: COUNT }, (_, i) => differenceOf(SEED + i)));
    expect(differences.filter((text) => text !== '').join('\n\n')).toBe('');
  });
});
