/*
 * The route cache: routes in use, found again by their flow (2.6's rt_hash_table).
 *
 * A route is put in when it is made and holds one reference for the table. Changes of addresses,
 * tables or devices flush it all (rtCacheFlush). It cannot be made to grow without end by strange
 * packets: an insertion into a large table first drops what nobody holds and has been idle, and
 * when nothing can be dropped, the new route serves its one packet uncached.
 */
import { HZ, TIMER_DEFERRABLE, modTimer, timerSetup } from '@stack/kernel';
import type { Net, TimerList } from '@stack/kernel';
import { dstRelease } from '@stack/skbuff';
import type { RouteCache, Rtable } from './rtable.ts';

/** Entries below which nothing is dropped, and above which nothing is put in. */
const RT_GC_THRESH = 1024;
const RT_MAX_SIZE = 65536;
/** Jiffies between two runs of the collection, and of idleness after which an entry goes. */
const RT_GC_INTERVAL = 60 * HZ;
const RT_GC_TIMEOUT = 300 * HZ;
/** Idleness after which an entry goes when the table is large. */
const RT_GC_MIN_IDLE = HZ / 2;
/** Chains looked at per insertion. */
const RT_GC_CHAINS = 4;

/** The hash of a flow: iif is 0 for packets made here, oif 0 for packets that came in. */
export function rtHash(cache: RouteCache, daddr: number, saddr: number, iif: number, oif: number): number {
  let h = Math.imul(daddr ^ cache.rnd, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15) ^ saddr, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ iif ^ (oif << 16), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & (cache.buckets.length - 1);
}

/** The collection's timer, not running; its data is to be the Net. */
export function rtGcTimer(net: Net): TimerList {
  return timerSetup(net, rtCheckExpire, net, TIMER_DEFERRABLE);
}

/** Starts the periodic collection. */
export function rtGcStart(net: Net): void {
  modTimer(net.ipv4.rtCache.gcTimer, (net.world.jiffies + RT_GC_INTERVAL) | 0);
}

/** Whether the route was made before the last flush. */
export function rtIsExpired(rt: Rtable): boolean {
  return rt.rtGenid !== rt.net.ipv4.rtGenid;
}

/** Puts rt in under its key fields. The table takes a reference. Does nothing if the table is full. */
export function rtInternHash(rt: Rtable): void {
  const cache = rt.net.ipv4.rtCache;
  if (cache.entries >= RT_GC_THRESH) rtGarbageCollect(rt.net, cache);
  if (cache.entries >= RT_MAX_SIZE) return;
  if (cache.entries >= cache.buckets.length * 2) rtHashGrow(cache);
  const slot = rtHash(cache, rt.keyDaddr, rt.keySaddr, rt.keyIif, rt.keyOif);
  rt.next = cache.buckets[slot];
  cache.buckets[slot] = rt;
  rt.cached = true;
  rt.refcnt++;
  cache.entries++;
}

function rtHashGrow(cache: RouteCache): void {
  const old = cache.buckets;
  cache.buckets = new Array<Rtable | null>(old.length * 2).fill(null);
  cache.gcHand = 0;
  for (const chain of old) {
    for (let rt = chain; rt !== null; ) {
      const next: Rtable | null = rt.next;
      const slot = rtHash(cache, rt.keyDaddr, rt.keySaddr, rt.keyIif, rt.keyOif);
      rt.next = cache.buckets[slot];
      cache.buckets[slot] = rt;
      rt = next;
    }
  }
}

/** Drops from chain `slot` what nobody else holds and is expired or idle for longer than `idle` jiffies. */
function rtPruneChain(net: Net, cache: RouteCache, slot: number, idle: number): void {
  let prev: Rtable | null = null;
  for (let rt = cache.buckets[slot]; rt !== null; ) {
    const next: Rtable | null = rt.next;
    const old = ((net.world.jiffies - rt.lastuse) | 0) > idle;
    if (rtIsExpired(rt) || (old && rt.refcnt === 1)) {
      if (prev === null) cache.buckets[slot] = next;
      else prev.next = next;
      rtForget(cache, rt);
    } else {
      prev = rt;
    }
    rt = next;
  }
}

/** The table's reference to a route that has been unlinked goes. */
function rtForget(cache: RouteCache, rt: Rtable): void {
  rt.next = null;
  rt.cached = false;
  cache.entries--;
  dstRelease(rt);
}

function rtGarbageCollect(net: Net, cache: RouteCache): void {
  const idle = cache.entries >= RT_MAX_SIZE ? -1 : RT_GC_MIN_IDLE;
  for (let i = 0; i < RT_GC_CHAINS; i++) {
    cache.gcHand = (cache.gcHand + 1) & (cache.buckets.length - 1);
    rtPruneChain(net, cache, cache.gcHand, idle);
  }
}

function rtCheckExpire(timer: TimerList): void {
  const net = timer.data as Net;
  const cache = net.ipv4.rtCache;
  for (let slot = 0; slot < cache.buckets.length; slot++) rtPruneChain(net, cache, slot, RT_GC_TIMEOUT);
  rtGcStart(net);
}

/** Drops every route nobody holds: memory, or the neighbours they hold, are wanted. */
export function rtCacheShrink(net: Net): void {
  const cache = net.ipv4.rtCache;
  for (let slot = 0; slot < cache.buckets.length; slot++) rtPruneChain(net, cache, slot, -1);
}

/** Makes every route made so far invalid, and empties the table. Called when addresses, tables or devices change. */
export function rtCacheFlush(net: Net): void {
  const ipv4 = net.ipv4;
  ipv4.rtGenid = (ipv4.rtGenid + 1) | 0;
  const cache = ipv4.rtCache;
  for (let slot = 0; slot < cache.buckets.length; slot++) {
    for (let rt = cache.buckets[slot]; rt !== null; ) {
      const next: Rtable | null = rt.next;
      rtForget(cache, rt);
      rt = next;
    }
    cache.buckets[slot] = null;
  }
}
