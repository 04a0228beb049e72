import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { worldCrossing, worldEnter, worldLeave } from './enter.ts';
import { hrtimerSetup, hrtimerStart, HRTIMER_DEFERRABLE } from './hrtimer.ts';
import { createNet } from './net.ts';
import { randomBelow } from './random.ts';
import { idle, sleep } from './sleep.ts';
import { NET_RX_SOFTIRQ, openSoftirq, raiseSoftirq } from './softirq.ts';
import { fakeLoop } from './testing/fake-loop.ts';
import { macrotask } from './testing/macrotask.ts';
import { modTimer, TIMER_DEFERRABLE, timerPending, timerSetup } from './timer.ts';
import { virtualClock } from './virtual-clock.ts';
import type { World } from './world.ts';
import { createWorld, getRandomBytes, worldNow } from './world.ts';

describe('virtual time', () => {
  test('jumps: an hour is over at once', async () => {
    const world = createWorld();
    await sleep(world, 3_600_000);
    expect(world.now).toBe(3_600_000 * 1e6);
    expect(world.clock.now()).toBe(world.now);
    expect(worldNow(world)).toBe(world.now);
    expect(world.clock.wallTime()).toBe(Date.UTC(2000, 0, 1, 1));
  });

  test('stands still for deferrable timers alone, and idle does not wait for them', async () => {
    const world = createWorld();
    const fired: number[] = [];
    const note = (): number => fired.push(world.now / 1e6);
    const a = timerSetup(world, note, null, TIMER_DEFERRABLE);
    modTimer(a, world.jiffies + 5);
    hrtimerStart(hrtimerSetup(world, note, null, HRTIMER_DEFERRABLE), 7e6);
    await idle(world);
    expect([world.now, fired]).toEqual([0, []]);
    await sleep(world, 6);
    expect(fired).toEqual([5]);
    expect(timerPending(a)).toBe(false);
    await sleep(world, 6);
    expect(fired).toEqual([5, 7]);
  });

  test('sleepers wake in the order of their times; what each does at its time happens at that time', async () => {
    const world = createWorld();
    const log: string[] = [];
    const sleeper = async (name: string, ms: number): Promise<void> => {
      await sleep(world, ms);
      log.push(`${name} ${world.now / 1e6}`);
      for (let i = 0; i < 50; i++) await Promise.resolve();
      log.push(`${name} later ${world.now / 1e6}`);
      await macrotask();
      log.push(`${name} much later ${world.now / 1e6}`);
    };
    await Promise.all([sleeper('b', 2), sleeper('a', 1)]);
    expect(log).toEqual(['a 1', 'a later 1', 'a much later 1', 'b 2', 'b later 2', 'b much later 2']);
  });

  test('hold: time stands while something outside is under way', async () => {
    const clock = virtualClock();
    const world = createWorld({ clock });
    let woken = false;
    const asleep = sleep(world, 5).then(() => (woken = true));
    clock.hold();
    clock.hold();
    for (let i = 0; i < 20; i++) await macrotask();
    clock.release();
    for (let i = 0; i < 20; i++) await macrotask();
    expect([woken, world.now]).toEqual([false, 0]);
    clock.release();
    await asleep;
    expect(world.now).toBe(5e6);
    expect(() => clock.release()).toThrow('release without hold');
  });

  test('release: whoever releases is user code, and has a whole turn before time moves', () => {
    const loop = fakeLoop();
    const clock = virtualClock({ loop });
    const world = createWorld({ clock });
    hrtimerStart(hrtimerSetup(world, () => undefined, null), 10);
    loop.turns(1);
    clock.hold();
    loop.turns();
    expect(world.now).toBe(0);
    clock.release();
    loop.turn();
    expect(world.now).toBe(0);
    loop.turn();
    expect(world.now).toBe(10);
  });

  test('resolution: time moves to its multiples, and nothing fires early', async () => {
    const world = createWorld({ clock: virtualClock({ resolution: 1_000_000 }) });
    const fired: number[] = [];
    hrtimerStart(hrtimerSetup(world, () => fired.push(world.now), null), 1_500_000);
    hrtimerStart(hrtimerSetup(world, () => fired.push(world.now), null), 2_000_000);
    await idle(world);
    expect(fired).toEqual([2_000_000, 2_000_000]);
    expect(world.clock.resolution).toBe(1_000_000);
  });

  test('while no user code is involved it jumps on in one turn', () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: virtualClock({ loop }) });
    let left = 1000;
    const timer = hrtimerSetup(world, () => {
      if (--left > 0) hrtimerStart(timer, world.now + 1000);
    }, null);
    hrtimerStart(timer, 0);
    expect(loop.turns()).toBe(2);
    expect(left).toBe(0);
  });

  test('in a long run the event loop turns every 2 ms', () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: virtualClock({ loop }) });
    let left = 2000;
    let longest = 0;
    const timer = hrtimerSetup(world, () => {
      loop.time += 10_000;
      if (--left > 0) hrtimerStart(timer, world.now + 1000);
    }, null);
    hrtimerStart(timer, 0);
    for (let begin = loop.time; loop.turn(); begin = loop.time) longest = Math.max(longest, loop.time - begin);
    expect(left).toBe(0);
    expect(longest).toBeLessThan(2_000_000);
    expect(longest).toBeGreaterThan(1_000_000);
  });

  test('the order of events does not depend on how fast the machine is', () => {
    const run = (costs: number[]): string[] => {
      const loop = fakeLoop();
      const world = createWorld({ clock: virtualClock({ loop }) });
      const log: string[] = [];
      storm(world, log, () => {
        loop.time += costs[log.length % costs.length] * 1000;
      });
      loop.turns(100_000);
      return log;
    };
    const fast = run([0]);
    expect(fast.length).toBeGreaterThan(500);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 20 }), (costs) => {
        expect(run(costs)).toEqual(fast);
      }),
      { numRuns: 60 },
    );
  });

  test('equal seeds give equal worlds; a seed of another world gives others', () => {
    const bytes = (seed: number): Uint8Array => {
      const out = new Uint8Array(16);
      getRandomBytes(createWorld({ seed }), out);
      return out;
    };
    expect(bytes(7)).toEqual(bytes(7));
    expect(bytes(7)).not.toEqual(bytes(8));
  });
});

/** Three hosts that send each other softirqs and timers at random, and now and then wake a user, who sends more. */
function storm(world: World, log: string[], cost: () => void): void {
  const nets = [createNet(world), createNet(world), createNet(world)];
  let budget = 600;
  const poke = (from: string): void => {
    const net = nets[randomBelow(world.random, 3)];
    const dice = randomBelow(world.random, 10);
    log.push(`${world.now} ${from} ${net.name} ${dice}`);
    cost();
    if (budget-- <= 0) return;
    if (dice < 5) raiseSoftirq(net, NET_RX_SOFTIRQ);
    else if (dice < 8) hrtimerStart(hrtimerSetup(net, () => poke('hr'), null), world.now + randomBelow(world.random, 5) * 1000);
    else modTimer(timerSetup(net, () => poke('jiffies'), null), world.jiffies + randomBelow(world.random, 3));
    if (dice === 0) worldCrossing(world);
  };
  for (const net of nets) openSoftirq(net, NET_RX_SOFTIRQ, () => (poke('rx'), poke('rx too')));
  worldEnter(world);
  poke('user');
  poke('user');
  poke('user');
  worldLeave(world);
}
