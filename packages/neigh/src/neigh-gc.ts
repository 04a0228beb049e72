/*
 * Collection of neighbours that nobody holds.
 *
 * Below gcThresh1 entries nothing is collected. Above it, the periodic work takes what is FAILED
 * or has not been used for gcStaleTime; above gcThresh2 (at most every 5 s) and at gcThresh3, a
 * new entry first makes room by force. A route that is cached holds its neighbour.
 */
import { HZ, TIMER_DEFERRABLE, delTimer, modTimer, randomBelow, timerSetup } from '@stack/kernel';
import type { Net, TimerList } from '@stack/kernel';
import { NUD_FAILED, NUD_IN_TIMER, NUD_NOARP, NUD_PERMANENT, NUD_REACHABLE } from './nud.ts';
import { neighForEach, neighRemove } from './neigh-hash.ts';
import type { NeighParms, NeighTable, Neighbour } from './neighbour.ts';

/** Jiffies between two drawings of reachableTime. */
const RAND_REACH_INTERVAL = 300 * HZ;
/** Jiffies an entry is spared by forced collection after a change. */
const FORCED_GC_AGE = 5 * HZ;

/** The timer of a table's periodic collection, not running. */
export function neighGcTimer(net: Net): TimerList {
  return timerSetup(net, neighPeriodicWork, null, TIMER_DEFERRABLE);
}

/** Starts the periodic collection of a table. */
export function neighGcStart(table: NeighTable): void {
  table.gcTimer.data = table;
  table.lastRand = table.net.world.jiffies;
  table.parms.reachableTime = neighRandReachTime(table.parms);
  neighGcArm(table);
}

/** Stops it. */
export function neighGcStop(table: NeighTable): void {
  delTimer(table.gcTimer);
}

function neighGcArm(table: NeighTable): void {
  modTimer(table.gcTimer, (table.net.world.jiffies + (table.parms.baseReachableTimeMs >>> 1)) | 0);
}

/** A reachable time between half and one and a half times the base (RFC 4861 §6.3.2: MIN_ and MAX_RANDOM_FACTOR). Milliseconds. */
export function neighRandReachTime(parms: NeighParms): number {
  const base = parms.baseReachableTimeMs;
  return base > 0 ? randomBelow(parms.table.net.world.random, base) + (base >>> 1) : 0;
}

function neighPeriodicWork(timer: TimerList): void {
  const table = timer.data as NeighTable;
  const now = table.net.world.jiffies;
  table.stats.periodicGcRuns++;
  if (((now - table.lastRand) | 0) >= RAND_REACH_INTERVAL) {
    table.lastRand = now;
    table.parms.reachableTime = neighRandReachTime(table.parms);
    for (const parms of table.parmsList) parms.reachableTime = neighRandReachTime(parms);
  }
  if (table.entries >= table.gcThresh1) neighForEach(table, neighCollectStale, now);
  neighGcArm(table);
}

function neighCollectStale(neigh: Neighbour, now: number): void {
  if ((neigh.nudState & (NUD_PERMANENT | NUD_IN_TIMER)) !== 0) return;
  if (((neigh.used - neigh.confirmed) | 0) < 0) neigh.used = neigh.confirmed;
  if (neigh.refcnt !== 1) return;
  const idle = (now - neigh.used) | 0;
  if (neigh.nudState === NUD_FAILED || idle < 0 || idle > neigh.parms.gcStaleTime * HZ) neighRemove(neigh);
}

/** Makes room now. Returns how many entries went. */
export function neighForcedGc(table: NeighTable): number {
  const before = table.entries;
  table.stats.forcedGcRuns++;
  neighForEach(table, neighCollectForced, table.net.world.jiffies);
  table.lastFlush = table.net.world.jiffies;
  return before - table.entries;
}

/**
 * Deviation: who is known to be reachable is spared; it will be STALE soon if nobody uses it. Linux takes it once it has
 * not changed for 5 s, so that a flood of addresses that nobody has takes a router's neighbours in use from it.
 */
function neighCollectForced(neigh: Neighbour, now: number): void {
  if (neigh.refcnt !== 1 || (neigh.nudState & (NUD_PERMANENT | NUD_REACHABLE)) !== 0) return;
  const old = ((now - neigh.updated) | 0) > FORCED_GC_AGE;
  if ((neigh.nudState & (NUD_FAILED | NUD_NOARP)) !== 0 || old) neighRemove(neigh);
}
