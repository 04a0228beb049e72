// A hundred hosts on one switch, in one process and in virtual time. Each asks the others for an echo over TCP; at the end nothing
// is open. A host that panics in the midst of it takes nobody along. As bundles in processes of their own: see loss.test.ts.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AllPairsOptions, AllPairsResult } from './portable/all-pairs.ts';
import { bundle, portableEntry } from './support/bundle.ts';
import { runOn } from './support/spawn.ts';
import { root } from './support/workspace.ts';

const SEED = 1;
const HOSTS = 100;
/** On a busy machine; on an idle one about twenty seconds. */
const LIMIT = { timeout: 240_000 };

const entry = await bundle(portableEntry('all-pairs.ts', 'allPairs'), join(root, '.cache', 'hundred-hosts'));

async function run(options: Omit<AllPairsOptions, 'seed' | 'hosts'>): Promise<AllPairsResult> {
  return await runOn('node', entry, { seed: SEED, hosts: HOSTS, ...options }) as AllPairsResult;
}

test.concurrent('all pairs of a hundred hosts echo, and leave nothing open', LIMIT, async () => {
  const { echoed, failed, panics, forwarded } = await run({});
  expect(failed, `seed ${SEED}`).toEqual([]);
  expect(panics).toEqual([]);
  expect(echoed).toBe(HOSTS * (HOSTS - 1));
  // SYN, SYN-ACK, ACK; question, answer and their ACKs; two FINs and their ACKs: few are saved, none come twice.
  expect(forwarded / echoed).toBeGreaterThan(8);
  expect(forwarded / echoed).toBeLessThan(12);
});

test.concurrent('a host that panics leaves the 99 others running, and its report names the fault', LIMIT, async () => {
  const sick = 37;
  const reach = 20;
  const cable = { bandwidth: 1e9, delay: 0.05 };
  const { echoed, failed, panics, time } = await run({ reach, cable, panic: { host: sick, packets: 150 } });
  expect(panics.map(({ host, error, context }) => `${host}: ${error} (${context})`)).toEqual([
    `h${sick}: a hook panics on purpose (softirq NET_RX)`,
  ]);
  const { at, text } = panics[0]!;
  expect(text).toMatch(/^panic: h37: a hook panics on purpose \(in softirq NET_RX, at 0\.\d{9} s\)\n.*hook.*\n.*nfHook/su);
  expect(text).toContain('\nopen:\n');
  expect(text).toContain('\ncounters: ');

  // It was in the midst of things: some have missed it, all others have gone on as if nothing were.
  const concerned = new RegExp(`^h${sick}>|>h${sick} `, 'u');
  expect(failed.filter((pair) => !concerned.test(pair)), `seed ${SEED}`).toEqual([]);
  expect(failed.filter((pair) => pair.endsWith(' EHOSTUNREACH')).length, `seed ${SEED}: ${failed.join(', ')}`).toBeGreaterThan(0);
  expect(failed.length).toBeLessThan(2 * reach);
  expect(echoed).toBe(HOSTS * reach - failed.length);
  expect(time).toBeGreaterThan(at);
});
