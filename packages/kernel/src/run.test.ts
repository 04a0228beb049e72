import { describe, expect, test } from 'vitest';
import { interrupt, worldCrossing, worldEnter, worldLeave } from './enter.ts';
import { HRTIMER_DEFERRABLE, hrtimerSetup, hrtimerStart } from './hrtimer.ts';
import type { Net } from './net.ts';
import { createNet } from './net.ts';
import { ACTION_CHARGE, NET_RX_SOFTIRQ, NET_TX_SOFTIRQ, openSoftirq, raiseSoftirq, softirqCharge, softirqShare, softirqSpent } from './softirq.ts';
import { taskletKill, taskletSchedule, taskletSetup } from './tasklet.ts';
import type { FakeLoop } from './testing/fake-loop.ts';
import { fakeLoop, fakeRealClock } from './testing/fake-loop.ts';
import { virtualClock } from './virtual-clock.ts';
import { cancelWork, initWork, scheduleWork } from './work.ts';
import type { World } from './world.ts';
import { createWorld } from './world.ts';

interface Rig {
  world: World;
  net: Net;
  loop: FakeLoop;
  log: string[];
}

function rig(clock: 'real' | 'virtual'): Rig {
  const loop = fakeLoop();
  const world = createWorld({ clock: clock === 'real' ? fakeRealClock(loop) : virtualClock({ loop }) });
  return { world, net: createNet(world), loop, log: [] };
}

describe.each(['real', 'virtual'] as const)('re-entry, %s clock', (clock) => {
  test('a raised softirq runs when the outermost call returns, never in the stack of the raiser', () => {
    const { world, net, log } = rig(clock);
    openSoftirq(net, NET_RX_SOFTIRQ, () => log.push(`rx at depth ${world.depth}`));
    worldEnter(world);
    worldEnter(world);
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    worldLeave(world);
    log.push('inner returned');
    worldLeave(world);
    log.push('outer returned');
    expect(log).toEqual(['inner returned', 'rx at depth 1', 'outer returned']);
  });

  test('a call from within a softirq does not run softirqs again', () => {
    const { world, net, log } = rig(clock);
    openSoftirq(net, NET_TX_SOFTIRQ, () => log.push('tx'));
    openSoftirq(net, NET_RX_SOFTIRQ, () => {
      worldEnter(world);
      raiseSoftirq(net, NET_TX_SOFTIRQ);
      worldLeave(world);
      log.push('rx done');
    });
    worldEnter(world);
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    worldLeave(world);
    expect(log).toEqual(['rx done', 'tx']);
  });

  test('order: softirqs by number, then due events one by one with their softirqs, then works', () => {
    const { world, net, log } = rig(clock);
    openSoftirq(net, NET_TX_SOFTIRQ, () => log.push('tx'));
    openSoftirq(net, NET_RX_SOFTIRQ, () => log.push('rx'));
    const event = (name: string) =>
      hrtimerSetup(net, () => {
        log.push(name);
        raiseSoftirq(net, NET_RX_SOFTIRQ);
      }, null);
    worldEnter(world);
    scheduleWork(initWork(net, () => log.push('work'), null));
    hrtimerStart(event('first event'), 0);
    hrtimerStart(event('second event'), 0);
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    raiseSoftirq(net, NET_TX_SOFTIRQ);
    worldLeave(world);
    expect(log).toEqual(['tx', 'rx', 'first event', 'rx', 'second event', 'rx', 'work']);
  });

  test('Nets take turns: one that raises its softirq again goes behind the others', () => {
    const { world, net, log } = rig(clock);
    const other = createNet(world);
    let again = 2;
    openSoftirq(net, NET_RX_SOFTIRQ, () => {
      log.push('a');
      if (again-- > 0) raiseSoftirq(net, NET_RX_SOFTIRQ);
    });
    openSoftirq(other, NET_RX_SOFTIRQ, () => log.push('b'));
    worldEnter(world);
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    raiseSoftirq(other, NET_RX_SOFTIRQ);
    worldLeave(world);
    expect(log).toEqual(['a', 'b', 'a', 'a']);
  });

  test('raised or scheduled from outside, it runs in a turn of its own', () => {
    const { net, log, loop } = rig(clock);
    openSoftirq(net, NET_RX_SOFTIRQ, () => log.push('rx'));
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    scheduleWork(initWork(net, () => log.push('work'), null));
    expect(log).toEqual([]);
    loop.turn();
    expect(log).toEqual(['rx', 'work']);
  });

  test('a work scheduled twice runs once; one taken back does not run', () => {
    const { world, net, log } = rig(clock);
    const once = initWork(net, () => log.push('once'), null);
    const gone = initWork(net, () => log.push('gone'), null);
    const last = initWork(net, () => log.push('last'), null);
    worldEnter(world);
    expect([scheduleWork(once), scheduleWork(once), scheduleWork(gone)]).toEqual([true, false, true]);
    expect([cancelWork(gone), cancelWork(gone)]).toEqual([true, false]);
    scheduleWork(last);
    scheduleWork(gone);
    cancelWork(gone);
    scheduleWork(initWork(net, () => log.push('behind'), null));
    worldLeave(world);
    expect(log).toEqual(['once', 'last', 'behind']);
  });

  test('a tasklet scheduled twice runs once, in softirq; one killed does not run', () => {
    const { world, net, log } = rig(clock);
    const once = taskletSetup(net, (t) => log.push(t.data as string), 'once');
    const gone = taskletSetup(net, (t) => log.push(t.data as string), 'gone');
    worldEnter(world);
    expect([taskletSchedule(once), taskletSchedule(once), taskletSchedule(gone)]).toEqual([true, false, true]);
    expect([taskletKill(gone), taskletKill(gone)]).toEqual([true, false]);
    worldLeave(world);
    expect(log).toEqual(['once']);
    worldEnter(world);
    taskletSchedule(once);
    taskletSchedule(gone);
    taskletKill(gone);
    taskletSchedule(taskletSetup(net, () => log.push('behind'), null));
    worldLeave(world);
    expect(log).toEqual(['once', 'once', 'behind']);
  });

  test('an action has spent its share after ACTION_CHARGE units', () => {
    const { world, net, log } = rig(clock);
    let packets = 0;
    openSoftirq(net, NET_RX_SOFTIRQ, () => {
      while (!softirqSpent(world)) {
        softirqCharge(world, 1);
        packets++;
      }
      log.push(`${packets}`);
      if (packets < 1000) raiseSoftirq(net, NET_RX_SOFTIRQ);
    });
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    while (world.softirqFirst !== null) (world.clock.loop as FakeLoop).turn();
    expect(log).toEqual([1, 2, 3, 4].map((n) => `${n * ACTION_CHARGE}`));
  });
});

/** A user that loops over calls which resolve at once: each call raises the softirq whose packet it waits for. */
function busyUser(rigged: Rig, calls: number, cost: number): { served: number; user: () => boolean } {
  const { world, net, loop } = rigged;
  const state = { served: 0, user: (): boolean => false };
  openSoftirq(net, NET_RX_SOFTIRQ, () => {
    softirqCharge(world, 2);
    loop.time += cost;
    state.served++;
  });
  let done = 0;
  state.user = () => {
    if (done === calls || state.served < done) return false;
    done++;
    worldEnter(world);
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    worldLeave(world);
    return true;
  };
  return state;
}

describe('the event loop does not starve', () => {
  test('real clock: user code that loops over promises which resolve at once is cut off within 2 ms of a turn', () => {
    const rigged = rig('real');
    const { loop } = rigged;
    const busy = busyUser(rigged, 2000, 10_000);
    let longest = 0;
    let turns = 0;
    for (;;) {
      const begin = loop.time;
      while (busy.user());
      longest = Math.max(longest, loop.time - begin);
      if (!loop.turn()) break;
      turns++;
    }
    expect(busy.served).toBe(2000);
    expect(turns).toBeGreaterThan(5);
    expect(longest).toBeLessThan(2_000_000);
  });

  test('real clock: while turns come in time nothing is put off, and few turns are asked for', () => {
    const rigged = rig('real');
    const { loop } = rigged;
    const busy = busyUser(rigged, 3000, 10_000);
    let asked = 0;
    while (busy.user()) {
      loop.time += 20_000;
      expect(rigged.world.spent).toBe(false);
      if (loop.turn()) asked++;
    }
    expect(busy.served).toBe(3000);
    expect(asked).toBeLessThan(3000 / 4);
  });

  /** How many packets an action of 250 does before it must give way, when each takes `cost` ns. */
  const share = (clock: 'real' | 'virtual', cost: number): number[] => {
    const { world, net, loop } = rig(clock);
    const done: number[] = [];
    let left = 250;
    openSoftirq(net, NET_RX_SOFTIRQ, () => {
      let packets = 0;
      for (; left > 0 && !softirqSpent(world); left--, packets++) {
        softirqCharge(world, 1);
        loop.time += cost;
      }
      done.push(packets);
      if (left > 0) raiseSoftirq(net, NET_RX_SOFTIRQ);
    });
    worldEnter(world);
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    worldLeave(world);
    loop.turns();
    return done;
  };

  test('real clock: an action gives way when the time of a turn is over, though it has not done its share', () => {
    expect(share('real', 1_000)).toEqual([250]);
    const slow = share('real', 100_000);
    expect(Math.max(...slow)).toBeLessThanOrEqual(15);
  });

  test('virtual clock: an action does its share, however slow the machine', () => {
    expect(share('virtual', 1_000)).toEqual([250]);
    expect(share('virtual', 100_000)).toEqual([250]);
  });

  test('an action takes fewer packets at once where packets are slow, under a real clock', () => {
    const { world, net, loop } = rig('real');
    const shares: number[] = [];
    openSoftirq(net, NET_RX_SOFTIRQ, () => {
      for (let i = 0; i < 12; i++) {
        shares.push(softirqShare(world, 64));
        softirqCharge(world, 16);
        loop.time += i < 8 ? 1_000 : 400_000;
        softirqSpent(world);
      }
    });
    worldEnter(world);
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    worldLeave(world);
    expect(shares[0]).toBe(4);
    expect(shares[7]).toBe(64);
    expect(shares[11]).toBe(4);
  });

  test('virtual clock: the budget counts work, so a slow machine puts off the same packets as a fast one', () => {
    const run = (cost: number): number[] => {
      const rigged = rig('virtual');
      const busy = busyUser(rigged, 2000, cost);
      const cuts: number[] = [];
      for (;;) {
        while (busy.user());
        cuts.push(busy.served);
        if (!rigged.loop.turn()) break;
      }
      expect(busy.served).toBe(2000);
      return cuts;
    };
    expect(run(10_000_000)).toEqual(run(10));
    expect(run(10).length).toBeGreaterThan(8);
  });

  test('a storm of deferrable timers alone is cut off too, and goes on in the next turn', () => {
    const { world, loop } = rig('virtual');
    let fired = 0;
    worldEnter(world);
    for (let i = 0; i < 600; i++) hrtimerStart(hrtimerSetup(world, () => fired++, null, HRTIMER_DEFERRABLE), 0);
    worldLeave(world);
    expect(fired).toBe(512);
    loop.turn();
    expect(fired).toBe(600);
  });

  test('a softirq storm gives the event loop a turn within 2 ms', () => {
    const { world, net, loop } = rig('real');
    let left = 1000;
    openSoftirq(net, NET_RX_SOFTIRQ, () => {
      loop.time += 30_000;
      if (left-- > 0) raiseSoftirq(net, NET_RX_SOFTIRQ);
    });
    worldEnter(world);
    raiseSoftirq(net, NET_RX_SOFTIRQ);
    worldLeave(world);
    let begin = 0;
    do {
      expect(loop.time - begin).toBeLessThan(2_500_000);
      begin = loop.time;
    } while (loop.turn());
    expect(left).toBe(-1);
  });
});

describe('faults', () => {
  test('interrupt: a throw, at whatever depth, panics the Net alone and the caller goes on', () => {
    const { world, net, log } = rig('virtual');
    world.onPanic = () => undefined;
    interrupt(net, function badInterrupt() {
      worldEnter(world);
      worldEnter(world);
      throw new Error('broken');
    }, null);
    expect(world.depth).toBe(0);
    expect(net.panicked?.message).toBe('broken');
    interrupt(net, () => log.push('never'), null);
    expect(log).toEqual([]);
    expect(world.panics.map((p) => p.context)).toEqual(['badInterrupt']);
  });

  test('crossing: user code let run in the middle of a turn makes time wait', () => {
    const { world, net, loop, log } = rig('virtual');
    const at = (ns: number, fn: () => void): void => hrtimerStart(hrtimerSetup(net, fn, null), ns);
    at(10, () => log.push('10'));
    at(20, () => {
      log.push('20');
      worldCrossing(world);
    });
    at(30, () => log.push('30'));
    loop.turn();
    expect(log).toEqual([]);
    loop.turn();
    expect(log).toEqual(['10', '20']);
    loop.turn();
    expect(log).toEqual(['10', '20']);
    loop.turn();
    expect(log).toEqual(['10', '20', '30']);
  });
});
