import { describe, expect, test } from 'vitest';
import { worldEnter, worldLeave } from './enter.ts';
import { hrtimerSetup, hrtimerStart } from './hrtimer.ts';
import { hostLoop, realClock } from './real-clock.ts';
import { idle, sleep } from './sleep.ts';
import { fakeLoop, fakeRealClock } from './testing/fake-loop.ts';
import { macrotask } from './testing/macrotask.ts';
import { modTimer, timerSetup } from './timer.ts';
import { createWorld, getRandomBytes, worldNow } from './world.ts';

describe('one host timer for all', () => {
  test('is set for the earliest event, and set anew only for an earlier one', () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: fakeRealClock(loop) });
    const fired: string[] = [];
    const timer = timerSetup(world, () => fired.push('timer'), null);
    const hrtimer = hrtimerSetup(world, () => fired.push('hrtimer'), null);
    worldEnter(world);
    modTimer(timer, world.jiffies + 200);
    worldLeave(world);
    expect([loop.alarm, loop.alarmsSet]).toEqual([200e6, 1]);
    for (let i = 1; i <= 100; i++) {
      loop.time += 1e6;
      worldEnter(world);
      modTimer(timer, world.jiffies + 200);
      worldLeave(world);
    }
    expect([loop.alarm, loop.alarmsSet]).toEqual([200e6, 1]);
    worldEnter(world);
    hrtimerStart(hrtimer, 150e6);
    worldLeave(world);
    expect([loop.alarm, loop.alarmsSet]).toEqual([150e6, 2]);
    loop.ring();
    expect(fired).toEqual(['hrtimer']);
    expect(loop.alarm).toBe(300e6);
    loop.ring();
    expect(fired).toEqual(['hrtimer', 'timer']);
    expect(loop.alarm).toBe(Infinity);
  });

  test('what is due fires when the stack is entered for another reason too', () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: fakeRealClock(loop) });
    const fired: number[] = [];
    hrtimerStart(hrtimerSetup(world, () => fired.push(world.now), null), 100);
    loop.time = 150;
    worldEnter(world);
    expect(fired).toEqual([]);
    worldLeave(world);
    expect(fired).toEqual([150]);
    worldEnter(world);
    hrtimerStart(hrtimerSetup(world, () => undefined, null), 1000);
    worldLeave(world);
    expect(loop.alarmsSet).toBe(1);
  });

  test('the clock is read once for each entry', () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: fakeRealClock(loop) });
    loop.step = 1;
    worldEnter(world);
    worldEnter(world);
    worldLeave(world);
    worldLeave(world);
    expect(loop.time).toBe(1);
    expect(world.now).toBe(1);
  });
});

describe('the real clock', () => {
  test('runs forward in whole nanoseconds and states its resolution', () => {
    const clock = realClock();
    const a = clock.now();
    let b = a;
    while (b === a) b = clock.now();
    expect(Number.isInteger(b)).toBe(true);
    expect(b).toBeGreaterThan(a);
    expect(clock.resolution).toBeGreaterThanOrEqual(1);
    expect(clock.resolution).toBeLessThanOrEqual(20e6);
    expect(Math.abs(clock.wallTime() - Date.now())).toBeLessThan(1000);
    clock.loop.close();
  });

  test('serves one World', () => {
    const clock = realClock();
    createWorld({ clock });
    expect(() => createWorld({ clock })).toThrow('a clock serves one World');
    clock.loop.close();
  });

  test('timers of either kind fire in order, no earlier than they should', async () => {
    const world = createWorld({ clock: realClock() });
    const fired: string[] = [];
    const late: number[] = [];
    worldEnter(world);
    const begin = world.now;
    const firing = (name: string, ns: number) => () => {
      fired.push(name);
      late.push(world.now - ns);
    };
    modTimer(timerSetup(world, firing('3 ms', Math.floor(begin / 1e6) * 1e6 + 3e6), null), world.jiffies + 3);
    hrtimerStart(hrtimerSetup(world, firing('50 µs', begin + 50_000), null), begin + 50_000);
    hrtimerStart(hrtimerSetup(world, firing('1.5 ms', begin + 1_500_000), null), begin + 1_500_000);
    worldLeave(world);
    await idle(world);
    expect(fired).toEqual(['50 µs', '1.5 ms', '3 ms']);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    world.clock.loop.close();
  });

  test('sleep lasts as long as it says', async () => {
    const world = createWorld({ clock: realClock() });
    const begin = worldNow(world);
    await sleep(world, 2);
    expect(worldNow(world) - begin).toBeGreaterThanOrEqual(2e6);
    world.clock.loop.close();
  });

  test('secrets come from the host, and differ from World to World', () => {
    const bytes = (): number[] => {
      const world = createWorld({ clock: realClock(), seed: 5 });
      const out = new Uint8Array(70_000);
      getRandomBytes(world, out);
      world.clock.loop.close();
      return [...out.subarray(0, 16), ...out.subarray(69_990)];
    };
    expect(bytes()).not.toEqual(bytes());
  });
});

describe('the host loop', () => {
  test('a turn is a macrotask, and asked for twice comes once', async () => {
    const loop = hostLoop();
    const log: string[] = [];
    await new Promise<void>((resolve) => {
      loop.attach(
        () => {
          log.push('turn');
          resolve();
        },
        () => undefined,
      );
      loop.requestTurn(false);
      loop.requestTurn(true);
      loop.requestTurn(false);
      void Promise.resolve().then(() => log.push('microtask'));
    });
    await macrotask();
    await macrotask();
    expect(log).toEqual(['microtask', 'turn']);
    loop.close();
  });

  test('an alarm replaces the one before; a closed loop stays silent', async () => {
    const loop = hostLoop();
    const begin = loop.now();
    const rang = await new Promise<number>((resolve) => {
      loop.attach(
        () => undefined,
        () => resolve(loop.now()),
      );
      loop.setRef(true);
      loop.setAlarm(60_000_000_000);
      loop.setAlarm(2_000_000);
    });
    expect(rang - begin).toBeGreaterThanOrEqual(1_000_000);
    loop.setAlarm(0);
    loop.requestTurn(true);
    loop.close();
    loop.setAlarm(0);
  });

  test('an alarm that keeps nothing alive rings, though no such turn wakes the event loop of Node', async () => {
    const host = globalThis as { setImmediate?: unknown };
    const { setImmediate } = host;
    host.setImmediate = () => ({ ref: () => undefined, unref: () => undefined }); // its turn never comes
    const loop = hostLoop();
    host.setImmediate = setImmediate;
    await new Promise<void>((resolve) => {
      loop.attach(() => undefined, resolve);
      loop.setAlarm(100_000);
    });
    loop.close();
  });
});
