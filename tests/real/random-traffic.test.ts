// Random traffic (tests/support/tcp-traffic.ts) on established connections, against this machine's Linux, segment by segment: all that is sent,
// what calls return, TCP_INFO, the receive buffer's memory, the counters of TcpExt. Cases of even numbers send, those of odd ones receive.
// STACK_TRAFFIC_CASES says how many, STACK_TRAFFIC_SEED from which on.
import { afterAll, expect, test } from 'vitest';
import { describeReal, missing } from '../support/netns.ts';
import { loadLinux, pool } from '../support/packetdrill-linux.ts';
import { scriptOf, trafficOf } from '../support/tcp-traffic.ts';
import { compareTraffic, shrinkTraffic } from '../support/traffic-compare.ts';

const AT_ONCE = 16;
/** A difference is there each time; what a busy machine does is not. */
const TRIES = 3;
const COUNT = Number(process.env['STACK_TRAFFIC_CASES'] ?? 10);
const SEED = Number(process.env['STACK_TRAFFIC_SEED'] ?? 5000);

const { closeLinuxRunner, LinuxRunner, missingForLinux, runScriptOnLinux } = await loadLinux();
const why = missing === '' ? missingForLinux() : '';

describeReal(`random traffic goes as on Linux${why === '' ? '' : `: SKIPPED, ${why}`}`, () => {
  const runners = Array.from({ length: AT_ONCE }, () => new LinuxRunner());

  afterAll(() => runners.forEach(closeLinuxRunner));

  test(`${COUNT} cases from ${SEED} on`, { timeout: 300_000 + COUNT * 5000, skip: why !== '' }, async () => {
    const turn = pool([...runners]);
    const differenceOf = (number: number): Promise<string> => turn(async (runner) => {
      const traffic = await trafficOf(number);
      let first = '';
      for (let i = 0; i < TRIES; i++) {
        first = await compareTraffic(runScriptOnLinux, traffic, runner);
        if (first === '') return '';
      }
      const smallest = await shrinkTraffic(traffic, async (smaller) => await compareTraffic(runScriptOnLinux, smaller, runner) !== '');
      const difference = await compareTraffic(runScriptOnLinux, smallest, runner);
      return `STACK_TRAFFIC_CASES=1 STACK_TRAFFIC_SEED=${number} (${traffic.name}):\n${difference === '' ? first : difference}\n\n${scriptOf(smallest)}`;
    });
    const differences = await Promise.all(Array.from({ length: COUNT }, (_, i) => differenceOf(SEED + i)));
    expect(differences.filter((text) => text !== '').join('\n\n')).toBe('');
  });
});
