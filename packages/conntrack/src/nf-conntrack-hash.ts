/*
 * The table of connections (the hash half of net/netfilter/nf_conntrack_core.c).
 *
 * __nfConntrackFind() by the tuple of a packet; nfConntrackHashInsert() when one is confirmed; nfCtDelete() when it ends: what
 * has expired goes when a lookup meets it, or by nfConntrackGc(), which goes through a part of the table every second.
 */
import { HZ, modTimer, snmpInc } from '@stack/kernel';
import type { Net, TimerList } from '@stack/kernel';
import {
  IPS_ASSURED, IPS_CONFIRMED, IPS_DYING, nfCtIsExpired,
} from './nf-conn.ts';
import type { NetnsCt, NfConn, NfConntrackL4proto, NfConntrackTupleHash } from './nf-conn.ts';
import { NF_CT_STAT_DELETE, NF_CT_STAT_EARLY_DROP, NF_CT_STAT_FOUND } from './nf-conntrack-stat.ts';
import { IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY, nfCtTupleEqual, nfCtTupleHash } from './nf-conntrack-tuple.ts';
import type { NfConntrackTuple } from './nf-conntrack-tuple.ts';

/** The table is gone through once in so many seconds. */
const GC_ROUNDS = 8;
/** Chains that early drop looks at. */
const NF_CT_EVICTION_RANGE = 8;

/** The tracker of a protocol. */
export function nfCtL4protoFind(cn: NetnsCt, protonum: number): NfConntrackL4proto {
  return cn.l4protos[protonum] ?? cn.generic;
}

/** The tuple that answers to `orig` have; false if nothing answers such a packet. */
export function nfCtInvertTuple(cn: NetnsCt, inverse: NfConntrackTuple, orig: NfConntrackTuple): boolean {
  inverse.srcU3 = orig.dstU3;
  inverse.dstU3 = orig.srcU3;
  inverse.protonum = orig.protonum;
  return nfCtL4protoFind(cn, orig.protonum).invertTuple(inverse, orig);
}

function bucketOf(cn: NetnsCt, tuple: NfConntrackTuple): number {
  return nfCtTupleHash(tuple, cn.hashKey) & (cn.buckets.length - 1);
}

/** The direction in the table that has this tuple, or null. One that has expired is taken out. No reference is taken. */
export function nfConntrackFind(cn: NetnsCt, tuple: NfConntrackTuple): NfConntrackTupleHash | null {
  let h = cn.buckets[bucketOf(cn, tuple)];
  while (h !== null) {
    const next: NfConntrackTupleHash | null = h.next;
    if (nfCtIsExpired(h.ct)) {
      nfCtDelete(h.ct);
    } else if (nfCtTupleEqual(h.tuple, tuple)) {
      snmpInc(cn.stat, NF_CT_STAT_FOUND);
      return h;
    }
    // An end takes both directions out: if that took the next one too, begin again.
    h = next !== null && (next.ct.status & IPS_DYING) !== 0 ? cn.buckets[bucketOf(cn, tuple)] : next;
  }
  return null;
}

/** Whether a connection other than `ignored` has this tuple (nf_conntrack_tuple_taken). */
export function nfConntrackTupleTaken(cn: NetnsCt, tuple: NfConntrackTuple, ignored: NfConn): boolean {
  for (let h = cn.buckets[bucketOf(cn, tuple)]; h !== null; h = h.next) {
    if (h.ct !== ignored && nfCtTupleEqual(h.tuple, tuple) && !nfCtIsExpired(h.ct)) return true;
  }
  return false;
}

function linkTuple(cn: NetnsCt, h: NfConntrackTupleHash): void {
  const slot = bucketOf(cn, h.tuple);
  h.next = cn.buckets[slot];
  cn.buckets[slot] = h;
}

function unlinkTuple(cn: NetnsCt, h: NfConntrackTupleHash): void {
  const slot = bucketOf(cn, h.tuple);
  let at = cn.buckets[slot];
  if (at === h) {
    cn.buckets[slot] = h.next;
    return;
  }
  while (at !== null && at.next !== h) at = at.next;
  if (at !== null) at.next = h.next;
}

/** Puts both directions in the table, which then holds a reference. */
export function nfConntrackHashInsert(cn: NetnsCt, ct: NfConn): void {
  ct.use++;
  ct.status |= IPS_CONFIRMED;
  linkTuple(cn, ct.tuplehash[IP_CT_DIR_ORIGINAL]);
  linkTuple(cn, ct.tuplehash[IP_CT_DIR_REPLY]);
}

/** Ends a connection: out of the table, if it is there. Packets that refer to it keep it until they are gone. False if it had ended already. */
export function nfCtDelete(ct: NfConn): boolean {
  if ((ct.status & IPS_DYING) !== 0) return false;
  const cn = ct.net.ct;
  ct.status |= IPS_DYING;
  if ((ct.status & IPS_CONFIRMED) === 0) return true;
  snmpInc(cn.stat, NF_CT_STAT_DELETE);
  unlinkTuple(cn, ct.tuplehash[IP_CT_DIR_ORIGINAL]);
  unlinkTuple(cn, ct.tuplehash[IP_CT_DIR_REPLY]);
  nfCtPut(ct);
  return true;
}

/** Drops a reference. */
export function nfCtPut(ct: NfConn): void {
  if (--ct.use === 0) ct.ops.destroy(ct);
}

/** The connections in the table, in no order, without references: for dumps and for ending those that something holds of. */
export function nfConntrackList(cn: NetnsCt): NfConn[] {
  const list: NfConn[] = [];
  for (let slot = 0; slot < cn.buckets.length; slot++) {
    for (let h = cn.buckets[slot]; h !== null; h = h.next) if (h.dir === IP_CT_DIR_ORIGINAL && !nfCtIsExpired(h.ct)) list.push(h.ct);
  }
  return list;
}

/**
 * Makes room in a full table near `tuple`'s chain: one connection ends that is not assured. False if there is none.
 * Deviation: one that packets still refer to (they wait for ARP, say) is spared: ending it would give no memory back, and the limit
 * would not hold.
 */
export function earlyDrop(cn: NetnsCt, tuple: NfConntrackTuple): boolean {
  const from = bucketOf(cn, tuple);
  const mask = cn.buckets.length - 1;
  for (let i = 0; i < NF_CT_EVICTION_RANGE; i++) {
    for (let h = cn.buckets[(from + i) & mask]; h !== null; h = h.next) {
      const { ct } = h;
      if (ct.use > 1 || ((ct.status & IPS_ASSURED) !== 0 && !nfCtIsExpired(ct))) continue;
      snmpInc(cn.stat, NF_CT_STAT_EARLY_DROP);
      nfCtDelete(ct);
      return true;
    }
  }
  return false;
}

/** Gives the table another number of chains, the next power of two. */
export function nfConntrackHashResize(cn: NetnsCt, buckets: number): void {
  const size = buckets <= 1 ? 1 : 1 << (32 - Math.clz32(buckets - 1));
  const old = cn.buckets;
  cn.buckets = new Array<NfConntrackTupleHash | null>(size).fill(null);
  cn.gcNext = 0;
  for (let slot = 0; slot < old.length; slot++) {
    for (let h = old[slot]; h !== null; ) {
      const next: NfConntrackTupleHash | null = h.next;
      linkTuple(cn, h);
      h = next;
    }
  }
}

/** Whether garbage collection ends this one: its time is over; or the table is nearly full, and it is closing. */
function gcWanted(cn: NetnsCt, ct: NfConn, crowded: boolean): boolean {
  if (nfCtIsExpired(ct)) return true;
  if (!crowded) return false;
  if ((ct.status & IPS_ASSURED) === 0) return true;
  const { canEarlyDrop } = nfCtL4protoFind(cn, ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple.protonum);
  return canEarlyDrop !== null && canEarlyDrop(ct);
}

/** Goes through a part of the table; the timer's function. Housekeeping: time does not move for its sake. */
export function nfConntrackGc(timer: TimerList): void {
  const net = timer.data as Net;
  const cn = net.ct;
  const size = cn.buckets.length;
  const crowded = cn.sysctlMax !== 0 && cn.count > cn.sysctlMax - (cn.sysctlMax >> 4);
  for (let n = Math.ceil(size / GC_ROUNDS); n > 0; n--) {
    const slot = cn.gcNext;
    cn.gcNext = (slot + 1) & (size - 1);
    for (let h = cn.buckets[slot]; h !== null; ) {
      const next: NfConntrackTupleHash | null = h.next;
      if (gcWanted(cn, h.ct, crowded)) {
        nfCtDelete(h.ct);
        h = next !== null && (next.ct.status & IPS_DYING) !== 0 ? cn.buckets[slot] : next;
      } else {
        h = next;
      }
    }
  }
  if (cn.count !== 0) nfConntrackGcArm(cn);
}

/** Sees to it that garbage is collected. */
export function nfConntrackGcArm(cn: NetnsCt): void {
  modTimer(cn.gcTimer, (cn.net.world.jiffies + HZ) | 0);
}

/** Ends every connection. */
export function nfConntrackFlush(cn: NetnsCt): void {
  for (let slot = 0; slot < cn.buckets.length; slot++) {
    for (let h = cn.buckets[slot]; h !== null; h = cn.buckets[slot]) nfCtDelete(h.ct);
  }
}
