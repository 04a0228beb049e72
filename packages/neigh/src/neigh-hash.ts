/*
 * The hash table of neighbours: chains, references, and taking an entry out.
 *
 * The key is four int32 words and the device; the function is seeded per table, so that a sender
 * cannot choose addresses that share a chain.
 */
import { delTimer } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { neighBlackhole } from './neigh-output.ts';
import { neighPurgeQueue } from './neigh-queue.ts';
import { NUD_NOARP, NUD_NONE, NUD_VALID } from './nud.ts';
import type { NeighTable, Neighbour } from './neighbour.ts';

function neighHash(table: NeighTable, k0: number, k1: number, k2: number, k3: number, dev: NetDevice): number {
  let h = Math.imul(k0 ^ table.hashRnd, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15) ^ k1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ k2, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16) ^ k3 ^ dev.ifindex, 0x9e3779b1);
  return (h ^ (h >>> 15)) & (table.buckets.length - 1);
}

function neighBucketOf(n: Neighbour): number {
  return neighHash(n.table, n.primaryKey0, n.primaryKey1, n.primaryKey2, n.primaryKey3, n.dev);
}

/** Takes a reference. */
export function neighHold(neigh: Neighbour): void {
  neigh.refcnt++;
}

/** Gives a reference back; the last one frees the entry, which is out of the table by then. */
export function neighRelease(neigh: Neighbour): void {
  if (--neigh.refcnt === 0) neighDestroy(neigh);
}

function neighDestroy(neigh: Neighbour): void {
  if (!neigh.dead) throw new Error(`neigh: ${neigh.table.ops.keyText(neigh)} freed while in its table`);
  delTimer(neigh.timer);
  neighPurgeQueue(neigh);
  neigh.table.stats.destroys++;
}

/** The entry of this key (of as many int32 words as the family has, the rest 0) on dev, with a reference; null if there is none. */
export function neighLookup(table: NeighTable, k0: number, k1: number, k2: number, k3: number, dev: NetDevice): Neighbour | null {
  table.stats.lookups++;
  const slot = neighHash(table, k0, k1, k2, k3, dev);
  for (let n = table.buckets[slot]; n !== null; n = n.next) {
    if (n.primaryKey0 === k0 && n.primaryKey1 === k1 && n.primaryKey2 === k2 && n.primaryKey3 === k3 && n.dev === dev) {
      n.refcnt++;
      table.stats.hits++;
      return n;
    }
  }
  return null;
}

/** Puts a new entry into its table, which takes a reference. */
export function neighInsert(table: NeighTable, neigh: Neighbour): void {
  if (table.entries >= table.buckets.length) neighHashGrow(table);
  const slot = neighBucketOf(neigh);
  neigh.next = table.buckets[slot];
  table.buckets[slot] = neigh;
  neigh.dead = false;
  neigh.refcnt++;
  table.entries++;
  table.stats.allocs++;
}

function neighHashGrow(table: NeighTable): void {
  const old = table.buckets;
  table.buckets = new Array<Neighbour | null>(old.length * 2).fill(null);
  table.stats.hashGrows++;
  for (const chain of old) {
    for (let n = chain; n !== null; ) {
      const next: Neighbour | null = n.next;
      const slot = neighBucketOf(n);
      n.next = table.buckets[slot];
      table.buckets[slot] = n;
      n = next;
    }
  }
}

/** Takes an entry out of its table and gives the table's reference back. Those who still hold it find it dead. */
export function neighRemove(neigh: Neighbour): void {
  const table = neigh.table;
  const slot = neighBucketOf(neigh);
  let at = table.buckets[slot];
  if (at === neigh) {
    table.buckets[slot] = neigh.next;
  } else {
    while (at !== null && at.next !== neigh) at = at.next;
    if (at === null) throw new Error(`neigh: ${table.ops.keyText(neigh)} is not in its table`);
    at.next = neigh.next;
  }
  neigh.next = null;
  table.entries--;
  neighKill(neigh);
  neighRelease(neigh);
}

/** Makes an entry that others may still hold harmless: nothing is sent through it any more. */
function neighKill(neigh: Neighbour): void {
  delTimer(neigh.timer);
  neigh.dead = true;
  neighPurgeQueue(neigh);
  neigh.output = neighBlackhole;
  if (neigh.hh !== null) neigh.hh.hhOutput = neighBlackhole;
  neigh.nudState = (neigh.nudState & NUD_VALID) !== 0 ? NUD_NOARP : NUD_NONE;
}

/** Calls fn(neigh, arg) for every entry. fn may remove that entry. */
export function neighForEach<T>(table: NeighTable, fn: (neigh: Neighbour, arg: T) => void, arg: T): void {
  for (let i = 0; i < table.buckets.length; i++) {
    for (let n = table.buckets[i]; n !== null; ) {
      const next: Neighbour | null = n.next;
      fn(n, arg);
      n = next;
    }
  }
}
