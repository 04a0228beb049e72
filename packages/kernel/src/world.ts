/**
 * The World: what all hosts of one simulation, or of one process, share. The clock, the timers, the order of events, the softirq
 * budget, the random numbers. Everything that enters the stack passes through `worldEnter`/`worldLeave` (enter.ts).
 */
import { LOOK_EVERY } from './budget.ts';
import type { Clock } from './clock.ts';
import { HrtimerBase } from './hrtimer.ts';
import { INITIAL_JIFFIES } from './jiffies.ts';
import type { WorldLink } from './link.ts';
import { absent } from './link.ts';
import type { Net } from './net.ts';
import { setTime } from './now.ts';
import type { PanicReport } from './panic.ts';
import { Random, randomFill } from './random.ts';
import type { Reporter } from './report.ts';
import { worldAlarm, worldTurn } from './run.ts';
import { SiphashKey } from './siphash.ts';
import { TimerBase } from './timer-wheel.ts';
import { virtualClock } from './virtual-clock.ts';
import type { Work } from './work.ts';

/** Whoever awaits `idle(world)`. */
export type IdleWaiter = () => void;

/** The shared world. Fields are for the kernel; other packages read now, jiffies, random, nets, debug and their own link. */
export class World {
  clock: Clock;
  /** Checks that cost time: the pool's leak and double-free detection. */
  debug: boolean;
  random: Random;
  /** ns since the World began, as read when it was last entered. Under a virtual clock always exact. */
  now: number;
  /** The tick of `now`, counted from the World's beginning. */
  ticks: number;
  /** The tick of `now` as an int32 that wraps. */
  jiffies: number;
  /** How many calls into the stack are on the stack: 0 outside. */
  depth: number;
  nets: Net[];
  nextNetId: number;
  /** Names for packets and pages, so that a run's ids do not depend on what else the process did. */
  nextId: number;

  // Events.
  timers: TimerBase;
  deferrableTimers: TimerBase;
  hrtimers: HrtimerBase;
  deferrableHrtimers: HrtimerBase;
  armings: number;
  /** No event is due before this, in ns; Infinity if none is armed. */
  nextEvent: number;
  /** What the host's alarm is set to, in ns. */
  alarmAt: number;

  // Softirqs and work.
  softirqFirst: Net | null;
  softirqLast: Net | null;
  workFirst: Work | null;
  workLast: Work | null;

  // The budget of a turn.
  /** Units of work since the budget was last looked at. */
  charge: number;
  /** Units of work between two looks at the budget. */
  lookEvery: number;
  /** Virtual clock: units of work since the budget was renewed. */
  turnCharge: number;
  /** Units of work of the softirq action that is running. */
  actionCharge: number;
  /** The budget is spent: the rest runs in a turn of its own. */
  spent: boolean;
  /** Real clock: a turn was asked for at watchSince, in ns; if it does not come, somebody keeps the event loop from turning. */
  watching: boolean;
  /** Virtual clock: when the turn began, in the host's ns. */
  watchSince: number;

  // The host's event loop.
  /** Something of what `settle` looks at has changed. */
  kick: boolean;
  /** A turn was asked for: TURN_… in settle.ts. */
  turnRequested: number;
  /** Turns of the event loop since user code was last let run, at most QUIET_TURNS. */
  quietTurns: number;
  idleWaiters: IdleWaiter[];
  refs: number;

  panics: PanicReport[];
  onPanic: ((report: PanicReport) => void) | null;
  /** Errors to be thrown in a turn of the event loop, where nobody can catch them by mistake. */
  faults: Error[];
  reporters: Reporter[];
  closed: boolean;

  // Links up.
  pool: WorldLink<'pool'>;
  wire: WorldLink<'wire'>;

  constructor(clock: Clock, seed: number, debug: boolean) {
    this.clock = clock;
    this.debug = debug;
    this.random = new Random(seed);
    // Nanoseconds start as doubles: V8 would throw away what it compiled when a small integer outgrows 31 bits, after 2 s.
    this.now = NaN;
    this.ticks = 0;
    this.jiffies = INITIAL_JIFFIES;
    this.depth = 0;
    this.nets = [];
    this.nextNetId = 1;
    this.nextId = 1;
    this.timers = new TimerBase();
    this.deferrableTimers = new TimerBase();
    this.hrtimers = new HrtimerBase();
    this.deferrableHrtimers = new HrtimerBase();
    this.armings = 0;
    this.nextEvent = Infinity;
    this.alarmAt = Infinity;
    this.softirqFirst = null;
    this.softirqLast = null;
    this.workFirst = null;
    this.workLast = null;
    this.charge = 0;
    this.lookEvery = clock.virtual === null ? 1 : LOOK_EVERY;
    this.turnCharge = 0;
    this.actionCharge = 0;
    this.spent = false;
    this.watching = false;
    this.watchSince = NaN;
    this.kick = false;
    this.turnRequested = 0;
    this.quietTurns = 0;
    this.idleWaiters = [];
    this.refs = 0;
    this.panics = [];
    this.onPanic = null;
    this.faults = [];
    this.reporters = [];
    this.closed = false;
    this.pool = absent();
    this.wire = absent();
    setTime(this, 0);
  }
}

export interface WorldOptions {
  /** `virtualClock()` if not given; `realClock()` from `@stack/kernel/real-clock`. */
  clock?: Clock;
  /** Of the random numbers; 1 if not given under a virtual clock, drawn from the host's generator under a real one. */
  seed?: number;
  /** Turns on what checks at the cost of time. */
  debug?: boolean;
  /** Told of every Net that panics. Without it a World in debug mode throws the fault in a turn of the event loop. */
  onPanic?: (report: PanicReport) => void;
}

function drawSeed(clock: Clock): number {
  const bytes = new Uint8Array(6);
  if (!clock.entropy(bytes)) return 1;
  return bytes.reduce((seed, byte) => seed * 256 + byte, 0);
}

/** A World at time 0, without hosts. A clock serves one World. */
export function createWorld(options: WorldOptions = {}): World {
  const clock = options.clock ?? virtualClock();
  const world = new World(clock, options.seed ?? drawSeed(clock), options.debug ?? false);
  world.onPanic = options.onPanic ?? null;
  clock.loop.attach(
    () => worldTurn(world),
    () => worldAlarm(world),
  );
  clock.loop.setRef(false);
  return world;
}

/** Something is open that should keep the process alive: a socket, a sleep. */
export function worldRef(world: World): void {
  if (world.refs++ === 0) world.clock.loop.setRef(true);
}

/** Undoes one worldRef. With none left, the World's timers do not keep the process alive. */
export function worldUnref(world: World): void {
  if (world.refs === 0) throw new Error('worldUnref without worldRef');
  if (--world.refs === 0) world.clock.loop.setRef(false);
}

/** An id for a packet, a page or the like: positive, and the same on every run. */
export function worldNextId(world: World): number {
  const id = world.nextId;
  world.nextId = (id + 1) & 0x3fffffff;
  return id;
}

/** Fills `out` for a secret: from the host's secure generator under a real clock, from the seed under a virtual one. */
export function getRandomBytes(world: World, out: Uint8Array): void {
  if (!world.clock.entropy(out)) randomFill(world.random, out);
}

/** A secret key for siphash. */
export function siphashKeyInit(world: World): SiphashKey {
  const bytes = new Uint8Array(16);
  getRandomBytes(world, bytes);
  const view = new DataView(bytes.buffer);
  return new SiphashKey(view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true), view.getInt32(12, true));
}

/** ns since the World began, now: for whoever stands outside a call into the stack. Inside, read `world.now`. */
export function worldNow(world: World): number {
  return world.depth === 0 ? world.clock.now() : world.now;
}
