/*
 * Tracking a packet (net/netfilter/nf_conntrack_core.c).
 *
 *   PRE_ROUTING, LOCAL_OUT -200: nfConntrackIn -> l4proto.error -> resolveNormalCt (find, or initConntrack) -> l4proto.packet
 *   POST_ROUTING, LOCAL_IN last: nfConfirm -> __nfConntrackConfirm: now the connection is in the table
 *
 * A connection whose first packet is dropped on its way never gets into the table. In a full table a new one takes the place
 * of one that is not assured, or is refused. Nothing is dropped for being invalid: it passes without a connection, for rules to see.
 */
import { snmpInc, timerPending } from '@stack/kernel';
import { IP_OFFSET, ipHdrDaddr, ipHdrFragOff, ipHdrProtocol, ipHdrSaddr, ipHdrlen } from '@stack/ip';
import { NF_ACCEPT, NF_DROP, NF_REPEAT } from '@stack/netfilter';
import type { NfCtHook, NfHookState } from '@stack/netfilter';
import { nfReset } from '@stack/skbuff';
import type { NfConntrack, NfConntrackOps, SkBuff } from '@stack/skbuff';
import { IPS_DYING, IPS_SEEN_REPLY, NfConn, nfCtGet, nfCtIsConfirmed, nfCtSet } from './nf-conn.ts';
import type { NetnsCt, NfConntrackL4proto } from './nf-conn.ts';
import {
  earlyDrop, nfConntrackFind, nfConntrackGcArm, nfConntrackHashInsert, nfConntrackTupleTaken, nfCtInvertTuple, nfCtL4protoFind,
} from './nf-conntrack-hash.ts';
import {
  NF_CT_STAT_DROP, NF_CT_STAT_IGNORE, NF_CT_STAT_INSERT, NF_CT_STAT_INSERT_FAILED, NF_CT_STAT_INVALID,
} from './nf-conntrack-stat.ts';
import {
  CTINFO2DIR, IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY, IP_CT_ESTABLISHED, IP_CT_ESTABLISHED_REPLY, IP_CT_NEW, IP_CT_RELATED,
  IP_CT_RELATED_REPLY, IP_CT_UNTRACKED, nfCtTupleCopy,
} from './nf-conntrack-tuple.ts';
import type { NfConntrackTuple } from './nf-conntrack-tuple.ts';

/** How a connection goes when nothing refers to it. */
const nfConnOps: NfConntrackOps = { destroy: nfCtDestroy };

function nfCtDestroy(nfct: NfConntrack): void {
  const ct = nfct as NfConn;
  const cn = ct.net.ct;
  if (cn.natCleanup !== null) cn.natCleanup(ct);
  cn.count--;
}

/** Fills in the tuple of a packet, data at its IP header; false if its transport header is not there. */
export function nfCtGetTuple(cn: NetnsCt, skb: SkBuff, dataoff: number, tuple: NfConntrackTuple): boolean {
  tuple.srcU3 = ipHdrSaddr(skb);
  tuple.dstU3 = ipHdrDaddr(skb);
  tuple.protonum = ipHdrProtocol(skb);
  return nfCtL4protoFind(cn, tuple.protonum).pktToTuple(skb, dataoff, tuple);
}

/** A connection for `tuple`, with the caller's reference, not in the table; null when there is no room for it. */
function nfConntrackAlloc(cn: NetnsCt, tuple: NfConntrackTuple): NfConn | null {
  if (cn.sysctlMax !== 0 && cn.count >= cn.sysctlMax && !earlyDrop(cn, tuple)) return null;
  cn.count++;
  if (!timerPending(cn.gcTimer)) nfConntrackGcArm(cn);
  return new NfConn(cn.net, nfConnOps);
}

/** Nothing is known of this tuple (cn.tuple): a new connection for it, or null. */
function initConntrack(cn: NetnsCt, tuple: NfConntrackTuple): NfConn | null {
  if (!nfCtInvertTuple(cn, cn.inverse, tuple)) return null;
  const ct = nfConntrackAlloc(cn, tuple);
  if (ct === null) return null;
  nfCtTupleCopy(ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple, tuple);
  nfCtTupleCopy(ct.tuplehash[IP_CT_DIR_REPLY].tuple, cn.inverse);
  return ct;
}

/** Gives the packet its connection, old or new. NF_ACCEPT (it may have none: its header is bad), or NF_DROP: no room for one. */
function resolveNormalCt(cn: NetnsCt, skb: SkBuff, dataoff: number): number {
  const { tuple } = cn;
  if (!nfCtGetTuple(cn, skb, dataoff, tuple)) return NF_ACCEPT;
  const h = nfConntrackFind(cn, tuple);
  if (h === null) {
    const ct = initConntrack(cn, tuple);
    if (ct === null) {
      // Nothing answers such a packet, or the table is full.
      return cn.sysctlMax !== 0 && cn.count >= cn.sysctlMax ? NF_DROP : NF_ACCEPT;
    }
    nfCtSet(skb, ct, IP_CT_NEW);
    return NF_ACCEPT;
  }
  const { ct } = h;
  ct.use++;
  if (h.dir === IP_CT_DIR_REPLY) nfCtSet(skb, ct, IP_CT_ESTABLISHED_REPLY);
  else nfCtSet(skb, ct, (ct.status & IPS_SEEN_REPLY) !== 0 ? IP_CT_ESTABLISHED : IP_CT_NEW);
  return NF_ACCEPT;
}

function nfCtAcct(cn: NetnsCt, ct: NfConn, ctinfo: number, len: number): void {
  if (cn.sysctlAcct === 0) return;
  const counter = ct.tuplehash[CTINFO2DIR(ctinfo) === IP_CT_DIR_ORIGINAL ? 0 : 1];
  counter.packets++;
  counter.bytes += len;
}

/** What a tracker's negative answer is to the packet. */
function nfConntrackRefuse(cn: NetnsCt, ret: number): number {
  snmpInc(cn.stat, NF_CT_STAT_INVALID);
  if (-ret === NF_DROP) snmpInc(cn.stat, NF_CT_STAT_DROP);
  return -ret;
}

/** Finds the packet's connection and has its tracker judge. */
function nfConntrackTrack(cn: NetnsCt, skb: SkBuff, dataoff: number, proto: NfConntrackL4proto, state: NfHookState): number {
  for (;;) {
    if (resolveNormalCt(cn, skb, dataoff) === NF_DROP) {
      snmpInc(cn.stat, NF_CT_STAT_DROP);
      return NF_DROP;
    }
    const ct = nfCtGet(skb);
    if (ct === null) {
      snmpInc(cn.stat, NF_CT_STAT_INVALID);
      return NF_ACCEPT;
    }
    const ctinfo = skb.nfctinfo;
    const ret = proto.packet(ct, skb, dataoff, ctinfo, state);
    if (ret > 0) {
      nfCtAcct(cn, ct, ctinfo, skb.len);
      if (ctinfo === IP_CT_ESTABLISHED_REPLY) ct.status |= IPS_SEEN_REPLY;
      return ret;
    }
    nfReset(skb);
    if (-ret !== NF_REPEAT) return nfConntrackRefuse(cn, ret);
  }
}

/**
 * Gives a packet, data at its IP header, its connection. Called at PRE_ROUTING and LOCAL_OUT, fragments put together. Returns a
 * verdict: NF_DROP when there is no room for a new one, else NF_ACCEPT; skb.nfct is null if the packet is part of none.
 */
export function nfConntrackIn(skb: SkBuff, state: NfHookState): number {
  const { net } = state;
  const cn = net.ct;
  if (net.trace !== null) net.trace.hit(net, 'nf_conntrack_in', skb);
  if (skb.nfct !== null || skb.nfctinfo === IP_CT_UNTRACKED) {
    snmpInc(cn.stat, NF_CT_STAT_IGNORE);
    return NF_ACCEPT;
  }
  if ((ipHdrFragOff(skb) & IP_OFFSET) !== 0) {
    snmpInc(cn.stat, NF_CT_STAT_INVALID);
    return NF_ACCEPT;
  }
  const dataoff = ipHdrlen(skb);
  const proto = nfCtL4protoFind(cn, ipHdrProtocol(skb));
  if (proto.error !== null) {
    const ret = proto.error(skb, dataoff, state);
    if (ret <= 0) return nfConntrackRefuse(cn, ret);
    if (skb.nfct !== null) return ret;
  }
  return nfConntrackTrack(cn, skb, dataoff, proto, state);
}

/** The packet that began ct (skb.nfct) leaves, or is taken up: puts ct in the table. NF_ACCEPT; NF_DROP if another has its tuple by now. */
export function __nfConntrackConfirm(skb: SkBuff, ct: NfConn): number {
  // An error or a reset that we made in answer to the first packet has ct too: it does not confirm.
  if (CTINFO2DIR(skb.nfctinfo) !== IP_CT_DIR_ORIGINAL) return NF_ACCEPT;
  const cn = ct.net.ct;
  const orig = ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple;
  const reply = ct.tuplehash[IP_CT_DIR_REPLY].tuple;
  const ended = (ct.status & IPS_DYING) !== 0;
  if (ended || nfConntrackTupleTaken(cn, orig, ct) || nfConntrackTupleTaken(cn, reply, ct)) {
    snmpInc(cn.stat, NF_CT_STAT_INSERT_FAILED);
    snmpInc(cn.stat, NF_CT_STAT_DROP);
    return NF_DROP;
  }
  ct.timeout = (ct.net.world.jiffies + ct.timeout) | 0;
  nfConntrackHashInsert(cn, ct);
  snmpInc(cn.stat, NF_CT_STAT_INSERT);
  return NF_ACCEPT;
}

/** __nfConntrackConfirm() where it is due. */
export function nfConntrackConfirm(skb: SkBuff): number {
  const ct = nfCtGet(skb);
  return ct === null || nfCtIsConfirmed(ct) ? NF_ACCEPT : __nfConntrackConfirm(skb, ct);
}

/** NfCtHook.attach: `nskb` is our answer to `skb` (an ICMP error, a reset), so it goes the other way of its connection. */
function nfConntrackAttach(nskb: SkBuff, skb: SkBuff): void {
  const ct = nfCtGet(skb);
  if (ct === null) return;
  ct.use++;
  nfCtSet(nskb, ct, CTINFO2DIR(skb.nfctinfo) === IP_CT_DIR_ORIGINAL ? IP_CT_RELATED_REPLY : IP_CT_RELATED);
}

/** What netfilter calls of us. */
export const nfConntrackHook: NfCtHook = { attach: nfConntrackAttach };

/** NAT has changed what will answer: another tuple for the direction that does. ct is not in the table yet. */
export function nfConntrackAlterReply(ct: NfConn, reply: NfConntrackTuple): void {
  nfCtTupleCopy(ct.tuplehash[IP_CT_DIR_REPLY].tuple, reply);
}

