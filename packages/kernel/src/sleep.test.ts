import { describe, expect, test } from 'vitest';
import { idle, sleep } from './sleep.ts';
import { interrupt, worldEnter, worldLeave } from './enter.ts';
import { createNet } from './net.ts';
import { fakeLoop, fakeRealClock } from './testing/fake-loop.ts';
import { delTimer, modTimer, timerSetup } from './timer.ts';
import { virtualClock } from './virtual-clock.ts';
import { initWork, scheduleWork } from './work.ts';
import { createWorld, worldRef, worldUnref } from './world.ts';

/** As much of an AbortController as `sleep` uses. */
class Abort {
  aborted = false;
  reason: unknown = undefined;
  listeners = new Set<() => void>();
  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }
  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }
  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.listeners]) listener();
  }
}

describe('sleep', () => {
  test('takes fractions of a millisecond', async () => {
    const world = createWorld();
    await sleep(world, 0.0015);
    expect(world.now).toBe(1500);
  });

  test('an abort rejects with its reason, disarms the timer and lets go of the signal', async () => {
    const world = createWorld();
    const signal = new Abort();
    const sleeping = sleep(world, 1000, signal);
    expect(world.hrtimers.heap.length).toBe(1);
    signal.abort(new Error('enough'));
    await expect(sleeping).rejects.toThrow('enough');
    expect([world.hrtimers.heap.length, signal.listeners.size, world.refs]).toEqual([0, 0, 0]);
    await expect(sleep(world, 1000, signal)).rejects.toThrow('enough');
    expect(world.refs).toBe(0);
  });

  test('when it is over nothing is left behind', async () => {
    const world = createWorld();
    const signal = new Abort();
    await sleep(world, 1, signal);
    expect([signal.listeners.size, world.refs]).toEqual([0, 0]);
  });

  test('keeps the process alive while it lasts', async () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: virtualClock({ loop }) });
    expect(loop.ref).toBe(false);
    const sleeping = sleep(world, 1);
    expect(loop.ref).toBe(true);
    loop.turns();
    await sleeping;
    expect(loop.ref).toBe(false);
    worldRef(world);
    worldUnref(world);
    expect(loop.ref).toBe(false);
    expect(() => worldUnref(world)).toThrow('without worldRef');
  });
});

describe('what keeps the process alive', () => {
  test('work that must run does; virtual time that could pass does not, unless something is open', () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: virtualClock({ loop }) });
    const net = createNet(world);
    modTimer(timerSetup(net, () => undefined, null), world.jiffies + 5);
    expect([loop.wanted, loop.kept]).toEqual([true, false]);
    scheduleWork(initWork(net, () => undefined, null));
    expect([loop.wanted, loop.kept]).toEqual([true, true]);
  });
});

describe('idle', () => {
  test('waits for events, softirqs and works, and for those that they cause', async () => {
    const world = createWorld();
    const net = createNet(world);
    const log: string[] = [];
    const work = initWork(net, () => log.push('work'), null);
    modTimer(timerSetup(net, () => void scheduleWork(work), null), world.jiffies + 10);
    await idle(world);
    expect(log).toEqual(['work']);
    expect(world.now).toBe(10e6);
  });

  test('waits for user code that was woken', async () => {
    const world = createWorld();
    const log: string[] = [];
    void (async () => {
      await sleep(world, 1);
      await sleep(world, 1);
      log.push('user');
    })();
    await idle(world);
    expect(log).toEqual(['user']);
  });

  test('an idle World answers at once, several askers too', async () => {
    const world = createWorld();
    await Promise.all([idle(world), idle(world)]);
    expect([world.now, world.refs]).toEqual([0, 0]);
  });

  test('real clock: comes when the last timer has rung, or was disarmed', async () => {
    const loop = fakeLoop();
    const world = createWorld({ clock: fakeRealClock(loop) });
    const net = createNet(world);
    let done = 0;
    const arm = () => {
      const timer = timerSetup(net, () => undefined, null);
      interrupt(net, () => void modTimer(timer, world.jiffies + 5), null);
      void idle(world).then(() => done++);
      loop.turns();
      return timer;
    };
    arm();
    expect(loop.alarm).toBe(5e6);
    await Promise.resolve();
    expect(done).toBe(0);
    loop.ring();
    loop.turns();
    await Promise.resolve();
    expect(done).toBe(1);
    const timer = arm();
    worldEnter(world);
    delTimer(timer);
    worldLeave(world);
    loop.turns();
    await Promise.resolve();
    expect(done).toBe(2);
  });
});
