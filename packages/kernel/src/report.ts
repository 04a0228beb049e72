/**
 * What is open: the list that an error shows when a test ends with a socket, a timer or a packet left. The kernel knows timers and
 * work; each layer adds a reporter for its own things.
 */
import type { Hrtimer } from './hrtimer.ts';
import type { Net } from './net.ts';
import { wheelEach } from './timer-wheel.ts';
import { TIMER_DEFERRABLE } from './timer.ts';
import type { World } from './world.ts';

/** One thing that is open. */
export interface OpenItem {
  /** 'timer', 'hrtimer', 'work', 'socket', 'skb', … */
  kind: string;
  /** The Net's name; '' for a thing of the World. */
  host: string;
  /** Who made it or what it is for: the name of the timer's function, of the allocating function, … */
  owner: string;
  /** Anything more, as text. */
  detail: string;
}

/** Adds what a layer has open in `net`, or in the whole World if net is null, to `out`. */
export type Reporter = (world: World, net: Net | null, out: OpenItem[]) => void;

/** Has `reporter` asked by `openReport`. Registering the same function twice does nothing. */
export function registerReporter(world: World, reporter: Reporter): void {
  if (!world.reporters.includes(reporter)) world.reporters.push(reporter);
}

/** Timers and works that are pending. Deferrable timers only with `all`. */
export function timerReport(world: World, net: Net | null, all: boolean, out: OpenItem[]): void {
  const add = (kind: string, owner: Net | null, fn: { name: string }, detail: string): void => {
    if (net === null || net === owner) out.push({ kind, host: owner?.name ?? '', owner: fn.name, detail });
  };
  for (const base of all ? [world.timers, world.deferrableTimers] : [world.timers]) {
    wheelEach(base, (timer) => {
      const detail = `in ${(timer.expires - world.jiffies) | 0} ms`;
      add('timer', timer.net, timer.function, (timer.flags & TIMER_DEFERRABLE) === 0 ? detail : `${detail}, deferrable`);
    });
  }
  const heaps = all ? [world.hrtimers, world.deferrableHrtimers] : [world.hrtimers];
  for (const base of heaps) {
    const sorted: Hrtimer[] = [...base.heap].sort((a, b) => a.expires - b.expires || a.seq - b.seq);
    for (const timer of sorted) add('hrtimer', timer.net, timer.function, `in ${timer.expires - world.now} ns`);
  }
  for (let work = world.workFirst; work !== null; work = work.next) add('work', work.net, work.function, '');
}

/** Everything open in a Net, or in the World if net is null: timers, works, and what the layers report. */
export function openReport(world: World, net: Net | null = null): OpenItem[] {
  const out: OpenItem[] = [];
  timerReport(world, net, false, out);
  for (const reporter of world.reporters) reporter(world, net, out);
  return out;
}

/** The report as text, one line each. */
export function formatOpen(items: readonly OpenItem[]): string {
  return items.map((i) => `${i.kind} ${i.host || 'world'} ${i.owner}${i.detail === '' ? '' : ` (${i.detail})`}`).join('\n');
}
