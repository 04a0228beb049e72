import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { worldEnter, worldLeave } from './enter.ts';
import { nextEventTime } from './event.ts';
import { Hrtimer, HRTIMER_DEFERRABLE, hrtimerActive, hrtimerCancel, hrtimerForward, hrtimerSetup, hrtimerStart } from './hrtimer.ts';
import { INITIAL_JIFFIES, jiffiesAt, NSEC_PER_JIFFY } from './jiffies.ts';
import type { FakeLoop } from './testing/fake-loop.ts';
import { fakeLoop, fakeRealClock } from './testing/fake-loop.ts';
import { delTimer, modTimer, TIMER_DEFERRABLE, type TimerList, timerPending, timerSetup } from './timer.ts';
import { virtualClock } from './virtual-clock.ts';
import { createWorld } from './world.ts';
import type { World } from './world.ts';

// A naive model of all timers: a list, searched for the least (time, arming). Slots 0–5 are jiffies timers, 6–11 hrtimers; of each
// kind the last two are deferrable. A timer that fires may arm another one (`next`), so that handlers take part.

const TIMERS = 12;
const isHr = (slot: number): boolean => slot >= 6;
const isDeferrable = (slot: number): boolean => slot % 6 >= 4;

type Op =
  | { op: 'arm'; slot: number; delay: number; chain: { slot: number; delay: number } | null }
  | { op: 'armAt'; slot: number; tick: number }
  | { op: 'cancel'; slot: number }
  | { op: 'pass'; ns: number };

interface Fired {
  slot: number;
  now: number;
}

interface Armed {
  at: number;
  seq: number;
}

/** Delays in the timer's own unit: near, within each level of the wheel, past, and around the edges. */
const jiffyDelay = fc.oneof(
  fc.integer({ min: -3, max: 300 }),
  fc.constantFrom(0, 1, 255, 256, 257, 16383, 16384, 16385, 1 << 20, (1 << 20) + 1, 1 << 26, 1 << 29),
  fc.integer({ min: 0, max: 40_000 }),
  fc.integer({ min: 0, max: 0x3ffffffe }),
);
const nsDelay = fc.oneof(
  fc.integer({ min: -2_000_000, max: 400_000_000 }),
  fc.integer({ min: -3, max: 300 }).map((ms) => ms * NSEC_PER_JIFFY),
);
const target = fc.integer({ min: 0, max: TIMERS - 1 }).chain((slot) =>
  (isHr(slot) ? nsDelay : jiffyDelay).map((delay) => ({ slot, delay })),
);
/** A chained delay must let time pass, or a chain at one moment might never end. */
const chained = target.map(({ slot, delay }) => ({ slot, delay: isHr(slot) ? Math.max(delay, 1) : delay }));
const arm = fc
  .record({ what: target, chain: fc.option(chained) })
  .map(({ what, chain }): Op => ({ op: 'arm', ...what, chain }));
/** Few ticks, so that timers armed from different distances, on different levels of the wheel, meet. */
const meeting = fc.constantFrom(300, 512, 16_384, 16_384 + 255, 16_384 + 256, 32_768, 1 << 20, (1 << 20) + 300);
const armAt = fc.record({ slot: fc.integer({ min: 0, max: TIMERS - 1 }), tick: meeting }).map((what): Op => ({ op: 'armAt', ...what }));
const cancel = fc.integer({ min: 0, max: TIMERS - 1 }).map((slot): Op => ({ op: 'cancel', slot }));
const pass = fc
  .oneof(
    fc.integer({ min: 0, max: 3_000_000 }),
    fc.constantFrom(1, 44, 100, 256, 400, 16_000, 500_000).map((ms) => ms * NSEC_PER_JIFFY),
    fc.integer({ min: 0, max: 2 ** 41 }),
  )
  .map((ns): Op => ({ op: 'pass', ns }));
const ops = fc.array(
  fc.oneof({ weight: 4, arbitrary: arm }, { weight: 4, arbitrary: armAt }, cancel, { weight: 3, arbitrary: pass }),
  { maxLength: 80 },
);

class Model {
  now = 0;
  seq = 0;
  armed = new Map<number, Armed>();
  chains = new Map<number, { slot: number; delay: number } | null>();
  fired: Fired[] = [];

  arm(slot: number, delay: number): void {
    const tick = Math.floor(this.now / NSEC_PER_JIFFY);
    const at = isHr(slot) ? this.now + delay : Math.max(tick + delay, tick + 1) * NSEC_PER_JIFFY;
    if (!isHr(slot) && this.armed.get(slot)?.at === at) return;
    this.armed.set(slot, { at, seq: ++this.seq });
  }

  armAt(slot: number, tick: number): void {
    if (isHr(slot)) this.arm(slot, tick * NSEC_PER_JIFFY - this.now);
    else this.arm(slot, tick - Math.floor(this.now / NSEC_PER_JIFFY));
  }

  next(): [number, Armed] | null {
    const all = [...this.armed].sort(([, a], [, b]) => a.at - b.at || a.seq - b.seq);
    return all[0] ?? null;
  }

  fire(slot: number): void {
    this.armed.delete(slot);
    this.fired.push({ slot, now: this.now });
    const chain = this.chains.get(slot);
    this.chains.set(slot, null);
    if (chain) this.arm(chain.slot, chain.delay);
  }

  /** As under a real clock: everything that has become due fires, in order, at the time it is now. */
  pass(ns: number): void {
    this.now += ns;
    for (let n = this.next(); n !== null && n[1].at <= this.now; n = this.next()) this.fire(n[0]);
  }

  /** As under a virtual clock: time jumps from event to event while one is pending that is not deferrable. */
  run(): void {
    const busy = (): boolean => [...this.armed.keys()].some((slot) => !isDeferrable(slot));
    for (let n = this.next(); n !== null && (busy() || n[1].at <= this.now); n = this.next()) {
      this.now = Math.max(this.now, n[1].at);
      this.fire(n[0]);
    }
  }
}

class Subject {
  world: World;
  timers: (TimerList | Hrtimer)[] = [];
  chains = new Map<number, { slot: number; delay: number } | null>();
  fired: Fired[] = [];

  constructor(world: World) {
    this.world = world;
    const fire = (timer: { data: unknown }): void => {
      const slot = timer.data as number;
      this.fired.push({ slot, now: world.now });
      const chain = this.chains.get(slot);
      this.chains.set(slot, null);
      if (chain) this.arm(chain.slot, chain.delay);
    };
    for (let i = 0; i < TIMERS; i++) {
      const timer = isHr(i)
        ? hrtimerSetup(world, fire, i, isDeferrable(i) ? HRTIMER_DEFERRABLE : 0)
        : timerSetup(world, fire, i, isDeferrable(i) ? TIMER_DEFERRABLE : 0);
      this.timers.push(timer);
    }
  }

  arm(slot: number, delay: number): void {
    const timer = this.timers[slot];
    if (timer instanceof Hrtimer) hrtimerStart(timer, this.world.now + delay);
    else modTimer(timer, (this.world.jiffies + delay) | 0);
  }

  armAt(slot: number, tick: number): void {
    if (isHr(slot)) this.arm(slot, tick * NSEC_PER_JIFFY - this.world.now);
    else this.arm(slot, tick - this.world.ticks);
  }

  cancel(slot: number): void {
    const timer = this.timers[slot];
    if (timer instanceof Hrtimer) hrtimerCancel(timer);
    else delTimer(timer);
  }
}

function realSubject(): { subject: Subject; loop: FakeLoop } {
  const loop = fakeLoop();
  return { subject: new Subject(createWorld({ clock: fakeRealClock(loop) })), loop };
}

/** Enters the World, does `what`, leaves, and turns the event loop until it is quiet. */
function within(world: World, loop: FakeLoop, what: () => void): void {
  worldEnter(world);
  what();
  worldLeave(world);
  loop.turns();
}

describe('order of events: (time, arming), wheels and heaps together', () => {
  test('any sequence of arming, disarming and passing time fires as a sorted list would', () => {
    fc.assert(
      fc.property(ops, (sequence) => {
        const model = new Model();
        const { subject, loop } = realSubject();
        const { world } = subject;
        for (const o of sequence) {
          if (o.op === 'arm') {
            model.chains.set(o.slot, o.chain);
            subject.chains.set(o.slot, o.chain);
            model.arm(o.slot, o.delay);
            model.pass(0);
            within(world, loop, () => subject.arm(o.slot, o.delay));
          } else if (o.op === 'armAt') {
            model.armAt(o.slot, o.tick);
            model.pass(0);
            within(world, loop, () => subject.armAt(o.slot, o.tick));
          } else if (o.op === 'cancel') {
            model.armed.delete(o.slot);
            within(world, loop, () => subject.cancel(o.slot));
          } else {
            model.pass(o.ns);
            loop.time += o.ns;
            within(world, loop, () => undefined);
          }
          expect(subject.fired).toEqual(model.fired);
          expect(world.jiffies).toBe(jiffiesAt(model.now));
        }
        expect(world.timers.count + world.deferrableTimers.count).toBe([...model.armed.keys()].filter((s) => !isHr(s)).length);
      }),
      { numRuns: 600 },
    );
  });

  test('under a virtual clock each fires at its own moment, deferrable ones only as time passes for others', () => {
    fc.assert(
      fc.property(ops, (sequence) => {
        const model = new Model();
        const loop = fakeLoop();
        const subject = new Subject(createWorld({ clock: virtualClock({ loop }) }));
        const { world } = subject;
        for (const o of sequence) {
          if (o.op === 'arm') {
            model.chains.set(o.slot, o.chain);
            subject.chains.set(o.slot, o.chain);
            model.arm(o.slot, o.delay);
            model.pass(0);
            worldEnter(world);
            subject.arm(o.slot, o.delay);
            worldLeave(world);
          } else if (o.op === 'armAt') {
            model.armAt(o.slot, o.tick);
            model.pass(0);
            worldEnter(world);
            subject.armAt(o.slot, o.tick);
            worldLeave(world);
          } else if (o.op === 'cancel') {
            model.armed.delete(o.slot);
            subject.cancel(o.slot);
          } else {
            model.run();
            within(world, loop, () => undefined);
            expect(subject.fired).toEqual(model.fired);
            expect(world.now).toBe(model.now);
          }
        }
      }),
      { numRuns: 600 },
    );
  });
});

describe('the wheel', () => {
  test('jiffies wrap after five minutes and timers do not notice', () => {
    const { subject, loop } = realSubject();
    const { world } = subject;
    expect(world.jiffies).toBe(INITIAL_JIFFIES);
    within(world, loop, () => subject.arm(0, 300_001));
    loop.time = 300_000 * NSEC_PER_JIFFY;
    within(world, loop, () => undefined);
    expect(world.jiffies).toBe(0);
    expect(subject.fired).toEqual([]);
    loop.time = 300_001 * NSEC_PER_JIFFY;
    within(world, loop, () => undefined);
    expect(subject.fired).toEqual([{ slot: 0, now: 300_001 * NSEC_PER_JIFFY }]);
  });

  test('the int32 wraps from its largest to its smallest value too, 24.8 days later', () => {
    const { subject, loop } = realSubject();
    const { world } = subject;
    loop.time = (0x7fffffff + 300_000 - 5) * NSEC_PER_JIFFY;
    within(world, loop, () => subject.arm(0, 300));
    expect(world.jiffies).toBe(0x7fffffff - 5);
    loop.time += 299 * NSEC_PER_JIFFY;
    within(world, loop, () => undefined);
    expect(world.jiffies).toBeLessThan(0);
    expect(subject.fired).toEqual([]);
    loop.time += NSEC_PER_JIFFY;
    within(world, loop, () => undefined);
    expect(subject.fired.length).toBe(1);
  });

  test('a timer armed for now fires at the next tick, also from its own function', () => {
    const { subject, loop } = realSubject();
    const { world } = subject;
    subject.chains.set(0, { slot: 0, delay: 0 });
    within(world, loop, () => subject.arm(0, 0));
    expect(subject.fired).toEqual([]);
    loop.time = NSEC_PER_JIFFY;
    within(world, loop, () => undefined);
    expect(subject.fired.length).toBe(1);
    expect(timerPending(subject.timers[0] as TimerList)).toBe(true);
  });

  test('arming a pending timer for the tick it has leaves it its place', () => {
    const { subject, loop } = realSubject();
    const { world } = subject;
    within(world, loop, () => {
      subject.arm(0, 5);
      subject.arm(1, 5);
      subject.arm(0, 5);
      subject.arm(2, 5);
    });
    loop.time = 5 * NSEC_PER_JIFFY;
    within(world, loop, () => undefined);
    expect(subject.fired.map((f) => f.slot)).toEqual([0, 1, 2]);
  });

  test('one that was armed again after another has given its place up', () => {
    const { subject, loop } = realSubject();
    const { world } = subject;
    within(world, loop, () => {
      subject.arm(0, 5);
      subject.arm(1, 5);
      subject.arm(0, 6);
      subject.arm(0, 5);
    });
    loop.time = 5 * NSEC_PER_JIFFY;
    within(world, loop, () => undefined);
    expect(subject.fired.map((f) => f.slot)).toEqual([1, 0]);
  });

  test('timers of one tick that were armed from three levels of the wheel fire in the order of arming', () => {
    const { subject, loop } = realSubject();
    const { world } = subject;
    for (const [slot, ms] of [[0, 0], [1, 100], [2, 16_500], [3, 100], [4, 16_300], [5, 50]]) {
      loop.time += ms * NSEC_PER_JIFFY;
      within(world, loop, () => subject.armAt(slot, 2 * 16_384 + 200));
    }
    loop.time = 40_000 * NSEC_PER_JIFFY;
    within(world, loop, () => undefined);
    expect(subject.fired.map((f) => f.slot)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('a disarmed timer leaves no trace in the time of the next event', () => {
    const { subject, loop } = realSubject();
    const { world } = subject;
    within(world, loop, () => {
      subject.arm(0, 70_000);
      subject.arm(1, 300);
      subject.arm(2, 5);
    });
    expect(nextEventTime(world)).toBe(5 * NSEC_PER_JIFFY);
    subject.cancel(2);
    expect(nextEventTime(world)).toBe(300 * NSEC_PER_JIFFY);
    subject.cancel(1);
    expect(nextEventTime(world)).toBe(70_000 * NSEC_PER_JIFFY);
    subject.cancel(0);
    expect(nextEventTime(world)).toBe(Infinity);
  });

  test('a timer that another one of the same tick disarms does not fire', () => {
    const world = createWorld({ clock: fakeRealClock(fakeLoop()) });
    const loop = world.clock.loop as FakeLoop;
    const fired: string[] = [];
    const second = timerSetup(world, () => fired.push('second'), null);
    const first = timerSetup(world, () => fired.push(`first ${delTimer(second)}`), null);
    within(world, loop, () => {
      modTimer(first, world.jiffies + 2);
      modTimer(second, world.jiffies + 2);
    });
    loop.time = 2 * NSEC_PER_JIFFY;
    within(world, loop, () => undefined);
    expect(fired).toEqual(['first true']);
    expect(world.timers.count).toBe(0);
  });
});

describe('the heap', () => {
  test('any sequence of arming and disarming of many keeps the order', () => {
    const step = fc.record({ slot: fc.integer({ min: 0, max: 39 }), at: fc.option(fc.integer({ min: 1, max: 30 })) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const loop = fakeLoop();
        const world = createWorld({ clock: fakeRealClock(loop) });
        const fired: number[] = [];
        const timers = Array.from({ length: 40 }, (_, i) => hrtimerSetup(world, () => fired.push(i), null));
        const armed = new Map<number, Armed>();
        worldEnter(world);
        steps.forEach(({ slot, at }, seq) => {
          expect(hrtimerActive(timers[slot])).toBe(armed.has(slot));
          if (at === null) expect(hrtimerCancel(timers[slot])).toBe(armed.delete(slot));
          else {
            hrtimerStart(timers[slot], at);
            armed.set(slot, { at, seq });
          }
        });
        loop.time = 30;
        worldLeave(world);
        worldEnter(world);
        worldLeave(world);
        loop.turns();
        expect(fired).toEqual([...armed].sort(([, a], [, b]) => a.at - b.at || a.seq - b.seq).map(([slot]) => slot));
      }),
      { numRuns: 300 },
    );
  });

  test('hrtimerForward moves past now by whole intervals', () => {
    const timer = hrtimerSetup(createWorld(), () => undefined, null);
    timer.expires = 100;
    expect([hrtimerForward(timer, 99, 10), timer.expires]).toEqual([0, 100]);
    expect([hrtimerForward(timer, 100, 10), timer.expires]).toEqual([1, 110]);
    expect([hrtimerForward(timer, 135, 10), timer.expires]).toEqual([3, 140]);
  });
});
