/*
 * The timer of a neighbour: RFC 4861 §7.3.3 as Linux runs it.
 *
 *   REACHABLE --reachableTime without proof--> DELAY (in use) or STALE (idle)
 *   DELAY --delayFirstProbeTime--> REACHABLE (proof came) or PROBE
 *   PROBE, INCOMPLETE --retransTime each--> solicit again, FAILED after the last attempt
 *
 * Times below are jiffies, which are milliseconds here.
 */
import { HZ, TIMER_DEFERRABLE, delTimer, modTimer, timerSetup } from '@stack/kernel';
import type { Net, TimerList } from '@stack/kernel';
import { skbDequeue, skbPeekTail } from '@stack/skbuff';
import { neighPurgeQueue } from './neigh-queue.ts';
import {
  NUD_DELAY, NUD_FAILED, NUD_IN_TIMER, NUD_INCOMPLETE, NUD_PROBE, NUD_REACHABLE, NUD_STALE,
} from './nud.ts';
import type { Neighbour } from './neighbour.ts';

/** The least time between two runs of the timer. */
const TIMER_FLOOR = HZ / 100;

/** The timer of a new entry, not running; its data is to be the entry. */
export function neighTimerSetup(net: Net): TimerList {
  return timerSetup(net, neighTimerHandler, null);
}

/**
 * Starts or moves the timer; the entry needs no reference for it, for it stops with the entry.
 * While nobody waits for an answer it is deferrable: time need not move for its sake.
 */
export function neighAddTimer(neigh: Neighbour, when: number): void {
  const flags = (neigh.nudState & (NUD_INCOMPLETE | NUD_PROBE)) !== 0 ? 0 : TIMER_DEFERRABLE;
  if (neigh.timer.flags !== flags) {
    delTimer(neigh.timer);
    neigh.timer.flags = flags;
  }
  modTimer(neigh.timer, when);
}

/** Stops the timer. */
export function neighDelTimer(neigh: Neighbour): void {
  delTimer(neigh.timer);
}

/** Time between two solicitations. */
export function neighRetransTime(neigh: Neighbour): number {
  return Math.max(neigh.parms.retransTimeMs, TIMER_FLOOR);
}

/** The address may be wrong: packets go through the slow output again. */
export function neighSuspect(neigh: Neighbour): void {
  neigh.output = neigh.ops.output;
  if (neigh.hh !== null) neigh.hh.hhOutput = neigh.ops.output;
}

/** The address is proven: packets take the fast output. */
export function neighConnect(neigh: Neighbour): void {
  neigh.output = neigh.ops.connectedOutput;
  if (neigh.hh !== null) neigh.hh.hhOutput = neigh.ops.hhOutput;
}

function neighMaxProbes(neigh: Neighbour): number {
  const parms = neigh.parms;
  const multicast = (neigh.nudState & NUD_PROBE) !== 0 ? parms.mcastResolicit : parms.mcastSolicit;
  return parms.ucastSolicit + parms.appSolicit + multicast;
}

/** Sends one solicitation, on behalf of the newest packet that waits. */
export function neighProbe(neigh: Neighbour): void {
  neigh.ops.solicit(neigh, skbPeekTail(neigh.arpQueue));
  neigh.probes++;
}

/** No answer came: every packet that waits goes to the family's errorReport. The state is FAILED already. */
export function neighInvalidate(neigh: Neighbour): void {
  neigh.table.stats.resFailed++;
  neigh.updated = neigh.table.net.world.jiffies;
  // A report may make the sender try again, which makes the state INCOMPLETE: what is queued then stays for that attempt.
  while (neigh.nudState === NUD_FAILED) {
    const skb = skbDequeue(neigh.arpQueue);
    if (skb === null) break;
    neigh.ops.errorReport(neigh, skb);
  }
  if (neigh.nudState === NUD_FAILED) neighPurgeQueue(neigh);
}

function neighTimerHandler(timer: TimerList): void {
  const neigh = timer.data as Neighbour;
  if ((neigh.nudState & NUD_IN_TIMER) === 0) return;
  const now = neigh.table.net.world.jiffies;
  const next = neighTimerState(neigh, now);
  if ((neigh.nudState & (NUD_INCOMPLETE | NUD_PROBE)) !== 0 && neigh.probes >= neighMaxProbes(neigh)) {
    neigh.nudState = NUD_FAILED;
    neighInvalidate(neigh);
    return;
  }
  if ((neigh.nudState & NUD_IN_TIMER) !== 0) {
    const floor = (now + TIMER_FLOOR) | 0;
    neighAddTimer(neigh, ((next - floor) | 0) < 0 ? floor : next);
  }
  if ((neigh.nudState & (NUD_INCOMPLETE | NUD_PROBE)) !== 0) neighProbe(neigh);
}

/** Moves a REACHABLE or DELAY entry on. Returns when the timer is due next. */
function neighTimerState(neigh: Neighbour, now: number): number {
  const delay = neigh.parms.delayFirstProbeTime * HZ;
  if ((neigh.nudState & NUD_REACHABLE) !== 0) return neighReachableExpired(neigh, now, delay);
  if ((neigh.nudState & NUD_DELAY) !== 0) {
    neigh.updated = now;
    if (((now - ((neigh.confirmed + delay) | 0)) | 0) <= 0) {
      neigh.nudState = NUD_REACHABLE;
      neighConnect(neigh);
      return (neigh.confirmed + neigh.parms.reachableTime) | 0;
    }
    neigh.nudState = NUD_PROBE;
    neigh.probes = 0;
  }
  return (now + neighRetransTime(neigh)) | 0;
}

function neighReachableExpired(neigh: Neighbour, now: number, delay: number): number {
  const due = (neigh.confirmed + neigh.parms.reachableTime) | 0;
  // Linux asks for later than due; its timers are late by a tick, ours are not.
  if (((now - due) | 0) < 0) return due;
  neigh.updated = now;
  if (((now - ((neigh.used + delay) | 0)) | 0) <= 0) {
    neigh.nudState = NUD_DELAY;
    neighSuspect(neigh);
    return (now + delay) | 0;
  }
  neigh.nudState = NUD_STALE;
  neighSuspect(neigh);
  return now;
}

/** A proof from above that the neighbour answers, such as an ACK of new data (RFC 4861 §7.3.1). */
export function neighConfirm(neigh: Neighbour): void {
  neigh.confirmed = neigh.table.net.world.jiffies;
}
