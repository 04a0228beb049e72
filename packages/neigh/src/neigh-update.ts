/*
 * Changes of a neighbour's state from outside: an answer came (neighUpdate), a packet wants to
 * leave (neighEventSend).
 *
 * Read first: RFC 4861 §7.2.5 and §7.3; RFC 826 for what ARP makes of it.
 */
import { EINVAL, EPERM, HZ, SKB_DROP_REASON_NEIGH_DEAD, SKB_DROP_REASON_NEIGH_FAILED, SKB_DROP_REASON_NEIGH_QUEUEFULL } from '@stack/kernel';
import { kfreeSkbReason, skbDequeue, skbQueueTail } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  neighAddTimer, neighConnect, neighDelTimer, neighInvalidate, neighProbe, neighRetransTime, neighSuspect,
} from './neigh-timer.ts';
import { neighPurgeQueue } from './neigh-queue.ts';
import {
  NEIGH_UPDATE_F_ADMIN, NEIGH_UPDATE_F_OVERRIDE, NEIGH_UPDATE_F_WEAK_OVERRIDE, NUD_CONNECTED, NUD_DELAY, NUD_FAILED,
  NUD_IN_TIMER, NUD_INCOMPLETE, NUD_NOARP, NUD_PERMANENT, NUD_PROBE, NUD_REACHABLE, NUD_STALE, NUD_VALID,
} from './nud.ts';
import type { Neighbour } from './neighbour.ts';

/**
 * A packet wants to go to neigh (neighResolveOutput asks). Returns 0 if it may go now; else 1, and
 * skb (null is allowed: a wish without a packet) is no longer the caller's: it waits for the
 * answer, or has been dropped.
 */
export function neighEventSend(neigh: Neighbour, skb: SkBuff | null): number {
  neigh.used = neigh.table.net.world.jiffies;
  if ((neigh.nudState & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE)) !== 0) return 0;
  return neighEventSendSlow(neigh, skb);
}

function neighEventSendSlow(neigh: Neighbour, skb: SkBuff | null): number {
  if (neigh.dead) return neighDropWaiting(skb, SKB_DROP_REASON_NEIGH_DEAD);
  const now = neigh.table.net.world.jiffies;
  if ((neigh.nudState & NUD_STALE) !== 0) {
    neigh.nudState = NUD_DELAY;
    neigh.updated = now;
    neighAddTimer(neigh, (now + neigh.parms.delayFirstProbeTime * HZ) | 0);
    return 0;
  }
  if ((neigh.nudState & NUD_INCOMPLETE) !== 0) return neighQueueWaiting(neigh, skb);
  if (neigh.parms.mcastSolicit + neigh.parms.appSolicit === 0) {
    neigh.nudState = NUD_FAILED;
    neigh.updated = now;
    return neighDropWaiting(skb, SKB_DROP_REASON_NEIGH_FAILED);
  }
  // Attempts count from ucastSolicit: there is no address yet that one could ask in unicast.
  neigh.probes = neigh.parms.ucastSolicit;
  neigh.nudState = NUD_INCOMPLETE;
  neigh.updated = now;
  neighAddTimer(neigh, (now + neighRetransTime(neigh)) | 0);
  neighQueueWaiting(neigh, skb);
  neighProbe(neigh);
  return 1;
}

function neighDropWaiting(skb: SkBuff | null, reason: number): number {
  if (skb !== null) kfreeSkbReason(skb, reason);
  return 1;
}

/** Queues skb; past unresQlenBytes the oldest are dropped (RFC 1122 §2.3.2.2: keep at least the latest). */
function neighQueueWaiting(neigh: Neighbour, skb: SkBuff | null): number {
  if (skb === null) return 1;
  while (neigh.arpQueueLenBytes + skb.truesize > neigh.parms.unresQlenBytes) {
    const oldest = skbDequeue(neigh.arpQueue);
    if (oldest === null) break;
    neigh.arpQueueLenBytes -= oldest.truesize;
    neigh.table.stats.unresDiscards++;
    kfreeSkbReason(oldest, SKB_DROP_REASON_NEIGH_QUEUEFULL);
  }
  skbQueueTail(neigh.arpQueue, skb);
  neigh.arpQueueLenBytes += skb.truesize;
  return 1;
}

/**
 * New knowledge about neigh: its address (addrLen octets; null: what is known stays) and state.
 * flags are NEIGH_UPDATE_F_*. Returns 0, -EPERM for an entry set by hand, -EINVAL for one that is
 * dead, or a valid state without an address.
 */
export function neighUpdate(neigh: Neighbour, lladdr: Uint8Array | null, newState: number, flags: number): number {
  if (neigh.dead) return -EINVAL;
  if ((flags & NEIGH_UPDATE_F_ADMIN) === 0 && (neigh.nudState & (NUD_NOARP | NUD_PERMANENT)) !== 0) return -EPERM;
  if ((newState & NUD_VALID) === 0) return neighUpdateInvalid(neigh, newState);
  if ((neigh.nudState & NUD_VALID) === 0 && lladdr === null && neigh.dev.addrLen > 0) return -EINVAL;
  const changed = lladdr !== null && neigh.dev.addrLen > 0 && !neighSameAddr(neigh, lladdr);
  if ((newState & NUD_CONNECTED) !== 0) neigh.confirmed = neigh.table.net.world.jiffies;
  return neighUpdateValid(neigh, changed ? lladdr : null, newState, flags);
}

/** Whether lladdr is what the entry has. */
function neighSameAddr(neigh: Neighbour, lladdr: Uint8Array): boolean {
  if ((neigh.nudState & NUD_VALID) === 0) return false;
  for (let i = 0; i < neigh.dev.addrLen; i++) {
    if (neigh.ha[i] !== lladdr[i]) return false;
  }
  return true;
}

function neighUpdateInvalid(neigh: Neighbour, newState: number): number {
  const old = neigh.nudState;
  neighDelTimer(neigh);
  if ((old & NUD_CONNECTED) !== 0) neighSuspect(neigh);
  neigh.nudState = newState;
  if ((old & (NUD_INCOMPLETE | NUD_PROBE)) !== 0 && (newState & NUD_FAILED) !== 0) neighInvalidate(neigh);
  return 0;
}

/** lladdr is the address if it differs from the entry's, else null. */
function neighUpdateValid(neigh: Neighbour, lladdr: Uint8Array | null, wanted: number, flags: number): number {
  const old = neigh.nudState;
  let addr = lladdr;
  let state = wanted;
  if ((old & NUD_VALID) !== 0) {
    if (addr !== null && (flags & NEIGH_UPDATE_F_OVERRIDE) === 0) {
      if ((flags & NEIGH_UPDATE_F_WEAK_OVERRIDE) === 0 || (old & NUD_CONNECTED) === 0) return 0;
      addr = null;
      state = NUD_STALE;
    } else if (addr === null && state === NUD_STALE && (flags & NEIGH_UPDATE_F_ADMIN) === 0) {
      state = old;
    }
  }
  if (state !== old || addr !== null) neigh.updated = neigh.table.net.world.jiffies;
  if (state !== old) neighEnterState(neigh, state);
  if (addr !== null) neighSetAddr(neigh, addr);
  if (state === old) return 0;
  if ((state & NUD_CONNECTED) !== 0) neighConnect(neigh);
  else neighSuspect(neigh);
  if ((old & NUD_VALID) === 0) neighFlushQueue(neigh);
  return 0;
}

function neighEnterState(neigh: Neighbour, state: number): void {
  neighDelTimer(neigh);
  if ((state & NUD_PROBE) !== 0) neigh.probes = 0;
  neigh.nudState = state;
  if ((state & NUD_IN_TIMER) !== 0) {
    const delay = (state & NUD_REACHABLE) !== 0 ? neigh.parms.reachableTime : 0;
    neighAddTimer(neigh, (neigh.table.net.world.jiffies + delay) | 0);
  }
}

function neighSetAddr(neigh: Neighbour, lladdr: Uint8Array): void {
  const len = neigh.dev.addrLen;
  for (let i = 0; i < len; i++) neigh.ha[i] = lladdr[i];
  const hh = neigh.hh;
  const update = neigh.dev.headerOps?.cacheUpdate ?? null;
  if (hh !== null && hh.hhLen > 0 && update !== null) update(hh, neigh.dev, neigh.ha);
  if ((neigh.nudState & NUD_CONNECTED) === 0) {
    neigh.confirmed = (neigh.table.net.world.jiffies - neigh.parms.baseReachableTimeMs * 2) | 0;
  }
}

/** The address is known: what waited for it goes out, oldest first. */
function neighFlushQueue(neigh: Neighbour): void {
  while ((neigh.nudState & NUD_VALID) !== 0) {
    const skb = skbDequeue(neigh.arpQueue);
    if (skb === null) break;
    neigh.arpQueueLenBytes -= skb.truesize;
    neigh.output(skb);
  }
  if ((neigh.nudState & NUD_VALID) !== 0) neighPurgeQueue(neigh);
}
