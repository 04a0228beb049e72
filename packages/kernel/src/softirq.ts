/**
 * Softirqs: work that an interrupt or a system call leaves for when it has returned. Raising one never runs it in the raiser's
 * stack; the outermost `worldLeave` does, or a turn of the event loop of its own (run.ts). Each Net has its own bits; Nets with
 * bits set take turns, first raised first.
 */
import { budgetDue, lookAtClock } from './budget.ts';
import { NET_UP } from './net-state.ts';
import type { Net } from './net.ts';
import { kickOutside } from './settle.ts';
import type { World } from './world.ts';

export const HI_SOFTIRQ = 0;
export const TIMER_SOFTIRQ = 1;
export const NET_TX_SOFTIRQ = 2;
export const NET_RX_SOFTIRQ = 3;
export const BLOCK_SOFTIRQ = 4;
export const IRQ_POLL_SOFTIRQ = 5;
export const TASKLET_SOFTIRQ = 6;
export const SCHED_SOFTIRQ = 7;
export const HRTIMER_SOFTIRQ = 8;
export const RCU_SOFTIRQ = 9;
export const NR_SOFTIRQS = 10;

/** The names of the softirqs, by number. */
export const softirqNames: readonly string[] = [
  'HI', 'TIMER', 'NET_TX', 'NET_RX', 'BLOCK', 'IRQ_POLL', 'TASKLET', 'SCHED', 'HRTIMER', 'RCU',
];

/** What a softirq does. It should stop, raise itself again and return when `softirqSpent` says so. */
export type SoftirqAction = (net: Net) => void;

/** Units of work (about a packet of 4 KiB or less each) after which one action should give way to the others. */
export const ACTION_CHARGE = 300;

/** Names the action of a softirq, once, when its layer is installed. */
export function openSoftirq(net: Net, nr: number, action: SoftirqAction): void {
  net.softirqVec[nr] = action;
}

/** Marks a softirq to be run after the outermost call into the stack has returned. */
export function raiseSoftirq(net: Net, nr: number): void {
  if (net.softirqPending === 0) {
    if (net.state !== NET_UP) return;
    const world = net.world;
    if (world.softirqLast === null) world.softirqFirst = net;
    else world.softirqLast.softirqNext = net;
    world.softirqLast = net;
    if (world.depth === 0) kickOutside(world);
  }
  net.softirqPending |= 1 << nr;
}

/** Books work that an action has done, so that a turn ends in time: one unit a packet, more for a large one (len / 4096). */
export function softirqCharge(world: World, units: number): void {
  world.charge += units;
  world.actionCharge += units;
}

/**
 * Whether the action that is running should raise itself again and return: it has done its share (ACTION_CHARGE units) or, under a
 * real clock, the turn's time is over. The same on every run under a virtual clock.
 */
export function softirqSpent(world: World): boolean {
  if (world.actionCharge >= ACTION_CHARGE) return true;
  if (world.clock.virtual !== null) return false;
  if (budgetDue(world)) lookAtClock(world);
  return world.spent;
}

/** How many of `weight` units an action should do before it asks `softirqSpent`: all, or fewer where units are slow (real clock). */
export function softirqShare(world: World, weight: number): number {
  return Math.min(weight, 4 * world.lookEvery);
}

/** Takes the first Net off the list, and its bits. For run.ts. */
export function takeSoftirqNet(world: World): Net {
  const net = world.softirqFirst!;
  world.softirqFirst = net.softirqNext;
  if (world.softirqFirst === null) world.softirqLast = null;
  net.softirqNext = null;
  return net;
}

/** Forgets what a Net has raised. */
export function dropSoftirqs(net: Net): void {
  const world = net.world;
  if (net.softirqPending === 0) return;
  net.softirqPending = 0;
  let before: Net | null = null;
  for (let at = world.softirqFirst; at !== null; before = at, at = at.softirqNext) {
    if (at !== net) continue;
    if (before === null) world.softirqFirst = net.softirqNext;
    else before.softirqNext = net.softirqNext;
    if (world.softirqLast === net) world.softirqLast = before;
    break;
  }
  net.softirqNext = null;
}
