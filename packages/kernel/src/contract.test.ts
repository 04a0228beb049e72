import { describe, expect, test } from 'vitest';
import type { Clock } from './clock.ts';
import { clockContract } from './contract.ts';
import { realClock } from './real-clock.ts';
import { virtualClock } from './virtual-clock.ts';

const clocks: Record<string, () => Clock> = {
  'the real clock': () => realClock(),
  'the virtual clock': () => virtualClock(),
  'the virtual clock, in steps of 1 ms': () => virtualClock({ resolution: 1_000_000 }),
};

describe.each(Object.entries(clocks))('the contract on %s', (_what, make) => {
  for (const { name, run } of clockContract) test(name, () => run(make));
});

const broken: [string, (clock: Clock) => Partial<Clock>][] = [
  ['never runs back', () => {
    let now = 1e9;
    return { now: () => now-- };
  }],
  ['or says that it cannot', () => ({ entropy: () => true })],
  ['by jump() alone', (clock) => ({ virtual: clock.virtual, now: () => 7 })],
];

test.each(broken)('the contract finds what is broken: %s', async (name, change) => {
  const rule = clockContract.find((one) => one.name.includes(name));
  await expect(rule?.run(() => {
    const clock = virtualClock();
    return { ...clock, ...change(clock) };
  })).rejects.toThrow('Clock contract');
});
