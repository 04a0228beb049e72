/*
 * Finding, making and releasing neighbours.
 *
 * neighTableInit() at installation; neighLookup() or neighCreate() when a route is made; the
 * reference they return is given back by neighRelease(). neighIfdown() and neighCarrierDown()
 * when a device leaves. The chains are in neigh-hash.ts, collection in neigh-gc.ts.
 */
import { ENOBUFS, HZ, randomU32 } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { neighForcedGc, neighGcStart, neighGcStop, neighGcTimer } from './neigh-gc.ts';
import { neighForEach, neighInsert, neighLookup, neighRemove } from './neigh-hash.ts';
import { neighParmsFor } from './neigh-parms.ts';
import { neighTimerSetup } from './neigh-timer.ts';
import { NUD_PERMANENT } from './nud.ts';
import { NeighTable, Neighbour } from './neighbour.ts';
import type { NeighTableOps } from './neighbour.ts';

/** Least jiffies between two forced collections below gcThresh3. */
const FORCED_GC_INTERVAL = 5 * HZ;

/** Makes the table of a family in net, with no entries. Its sysctls are registered by neighSysctlRegister(). */
export function neighTableInit(net: Net, ops: NeighTableOps): NeighTable {
  const table = new NeighTable(net, ops, neighGcTimer(net), randomU32(net.world.random) | 1);
  net.neigh.tables.push(table);
  neighGcStart(table);
  return table;
}

/** Frees every entry and stops the table's timers. */
export function neighTableClear(table: NeighTable): void {
  neighGcStop(table);
  for (let i = 0; i < table.buckets.length; i++) {
    for (let n = table.buckets[i]; n !== null; n = table.buckets[i]) neighRemove(n);
  }
  const tables = table.net.neigh.tables;
  const at = tables.indexOf(table);
  if (at >= 0) tables.splice(at, 1);
}

/**
 * The entry of this key on dev, made if it is not there, with a reference for the caller.
 * Returns -ENOBUFS when the table is full (net.ipv4.neigh.default.gc_thresh3) and nothing can be
 * collected, or what the family's `construct` refused with.
 */
export function neighCreate(table: NeighTable, k0: number, k1: number, k2: number, k3: number, dev: NetDevice): Neighbour | number {
  const found = neighLookup(table, k0, k1, k2, k3, dev);
  if (found !== null) return found;
  if (!neighMakeRoom(table)) return -ENOBUFS;
  const neigh = new Neighbour(table, neighParmsFor(table, dev), dev, neighTimerSetup(table.net));
  neigh.timer.data = neigh;
  neigh.primaryKey0 = k0;
  neigh.primaryKey1 = k1;
  neigh.primaryKey2 = k2;
  neigh.primaryKey3 = k3;
  const error = table.ops.construct(neigh);
  if (error < 0) return error;
  // As unconfirmed as an entry can be that has just been made.
  neigh.confirmed = (table.net.world.jiffies - neigh.parms.baseReachableTimeMs * 2) | 0;
  neighInsert(table, neigh);
  return neigh;
}

/** Whether the table may take one more, after a collection if it is nearly full. */
function neighMakeRoom(table: NeighTable): boolean {
  const now = table.net.world.jiffies;
  const full = table.entries >= table.gcThresh3;
  if (!full && (table.entries < table.gcThresh2 || ((now - table.lastFlush) | 0) <= FORCED_GC_INTERVAL)) return true;
  if (neighForcedGc(table) > 0 || !full) return true;
  table.stats.tableFulls++;
  return false;
}

function neighFlushOne(neigh: Neighbour, dev: NetDevice): void {
  if (neigh.dev === dev) neighRemove(neigh);
}

function neighFlushOneNotPermanent(neigh: Neighbour, dev: NetDevice): void {
  if (neigh.dev === dev && (neigh.nudState & NUD_PERMANENT) === 0) neighRemove(neigh);
}

/** dev has gone down: all its entries go. */
export function neighIfdown(table: NeighTable, dev: NetDevice): void {
  neighForEach(table, neighFlushOne, dev);
}

/** dev has lost its carrier: its entries go, but for the PERMANENT ones. */
export function neighCarrierDown(table: NeighTable, dev: NetDevice): void {
  neighForEach(table, neighFlushOneNotPermanent, dev);
}

/** dev has another address: what was cached with the old one goes. */
export function neighChangeaddr(table: NeighTable, dev: NetDevice): void {
  neighForEach(table, neighFlushOneNotPermanent, dev);
}
