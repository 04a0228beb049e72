/**
 * The contract of Clock and HostLoop: what a World expects of time and of the host's event loop, run on each clock.
 *
 * A test runner goes over clockContract and awaits run(make) of each; a rule that is broken rejects. `make` gives a fresh clock that
 * no World has. Rules wait for turns and alarms of the host's loop, some milliseconds at most.
 *
 *   for (const { name, run } of clockContract) test(name, () => run(make));
 */
import type { Clock } from './clock.ts';

/** One rule of the contract. */
export interface ClockRule {
  readonly name: string;
  /** Rejects if a clock that `make` gives breaks the rule. */
  readonly run: (make: () => Clock) => Promise<void>;
}

const MSEC = 1_000_000;

function check(what: boolean, message: string): void {
  if (!what) throw new Error(`Clock contract: ${message}`);
}

/** A clock with its loop attached, and what the loop has called. */
class Rig {
  clock: Clock;
  turns = 0;
  alarms = 0;
  /** Called at each turn and alarm. */
  heard: () => void = () => undefined;

  constructor(clock: Clock) {
    this.clock = clock;
    clock.loop.attach(() => {
      this.turns++;
      this.heard();
    }, () => {
      this.alarms++;
      this.heard();
    });
    clock.loop.setRef(true);
  }
}

async function withClock(make: () => Clock, body: (rig: Rig) => Promise<void> | void): Promise<void> {
  const rig = new Rig(make());
  try {
    await body(rig);
  } finally {
    rig.clock.loop.close();
  }
}

/** Resolves when the loop has called `count` times more. */
function calls(rig: Rig, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    rig.heard = () => {
      if (--left === 0) resolve();
    };
  });
}

/** A turn of the loop, asked for and waited for. */
function turn(rig: Rig): Promise<void> {
  const called = calls(rig, 1);
  rig.clock.loop.requestTurn(true);
  return called;
}

function tells(make: () => Clock): Promise<void> {
  return withClock(make, ({ clock }) => {
    let last = clock.now();
    check(last >= 0 && Number.isInteger(last), `now() is ${last}`);
    check(clock.resolution >= 1 && Number.isInteger(clock.resolution), `resolution is ${clock.resolution}`);
    for (let i = 0; i < 1000; i++) {
      const now = clock.now();
      check(Number.isInteger(now) && now >= last, `now() ran from ${last} to ${now}`);
      last = now;
    }
    check(Number.isFinite(clock.wallTime()) && clock.wallTime() >= 0, `wallTime() is ${clock.wallTime()}`);
  });
}

function entropyIsHonest(make: () => Clock): Promise<void> {
  return withClock(make, ({ clock }) => {
    const out = new Uint8Array(64);
    const filled = clock.entropy(out);
    check(filled === out.some((octet) => octet !== 0), filled ? 'entropy() says that it has filled, and has not' : 'entropy() has written, and says that it has not');
  });
}

function turnsOnce(make: () => Clock): Promise<void> {
  return withClock(make, async (rig) => {
    const { loop } = rig.clock;
    const first = calls(rig, 1);
    for (let i = 0; i < 5; i++) loop.requestTurn(true);
    check(rig.turns === 0, 'onTurn is called inside requestTurn()');
    await Promise.resolve();
    check(rig.turns === 0, 'onTurn is called in a microtask');
    await first;
    check(rig.turns === 1, `onTurn was called ${rig.turns} times`);
    await turn(rig);
    check(rig.turns === 2, `a second request brought ${rig.turns - 1} turns`);
  });
}

function ringsOnce(make: () => Clock): Promise<void> {
  return withClock(make, async (rig) => {
    const { loop } = rig.clock;
    const from = loop.now();
    const rung = calls(rig, 1);
    loop.setAlarm(60_000 * MSEC);
    loop.setAlarm(5 * MSEC);
    check(rig.alarms === 0, 'onAlarm is called inside setAlarm()');
    await rung;
    check(rig.alarms === 1, `onAlarm was called ${rig.alarms} times`);
    check(loop.now() - from >= 4 * MSEC, `an alarm of 5 ms came after ${loop.now() - from} ns`);
  });
}

function clears(make: () => Clock): Promise<void> {
  return withClock(make, async (rig) => {
    const { loop } = rig.clock;
    loop.setAlarm(MSEC);
    loop.clearAlarm();
    const rung = calls(rig, 1);
    loop.setAlarm(10 * MSEC);
    await rung;
    check(rig.alarms === 1, 'an alarm that was cleared rings');
  });
}

async function closes(make: () => Clock): Promise<void> {
  const rig = new Rig(make());
  rig.clock.loop.requestTurn(true);
  rig.clock.loop.setAlarm(MSEC);
  rig.clock.loop.close();
  await withClock(make, async (other) => {
    const rung = calls(other, 1);
    other.clock.loop.setAlarm(10 * MSEC);
    await rung;
  });
  check(rig.turns === 0 && rig.alarms === 0, 'the loop calls after close()');
}

function jumps(make: () => Clock): Promise<void> {
  return withClock(make, async (rig) => {
    const { clock } = rig;
    if (clock.virtual === null) return;
    const before = clock.now();
    await turn(rig);
    check(clock.now() === before, 'virtual time moves by itself');
    clock.virtual.jump(before + 12_345 * clock.resolution);
    check(clock.now() === before + 12_345 * clock.resolution, 'now() is not where jump() has put it');
  });
}

/** The rules. */
export const clockContract: readonly ClockRule[] = [
  { name: 'now() is an integer of nanoseconds that never runs back', run: tells },
  { name: 'entropy() fills, or says that it cannot', run: entropyIsHonest },
  { name: 'a turn is a macrotask, one however often it is asked for', run: turnsOnce },
  { name: 'an alarm rings once, not early, and replaces the one before', run: ringsOnce },
  { name: 'an alarm that is cleared does not ring', run: clears },
  { name: 'nothing is called after close()', run: closes },
  { name: 'virtual time moves by jump() alone', run: jumps },
];
