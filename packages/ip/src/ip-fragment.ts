/*
 * Reassembly (RFC 791 §3.2, RFC 815, RFC 1122 §3.3.2).
 *
 * ipDefrag() takes a fragment and returns the whole datagram when it was the last one missing.
 * Fragments wait in order in an IpFragQueue, ipfrag_time at most. Ones that overlap condemn the
 * datagram (RFC 5722 §3 for IPv6; Linux does it for both), ones that bring nothing new are dropped.
 * Deviation: above ipfrag_high_thresh the least recently used datagrams are given up, as 2.6 did
 * (ip_evictor). Linux since 4.17 takes no fragment until timers have made room: then a flood of
 * lone fragments shuts everybody out for ipfrag_time, and here it does not.
 */
import {
  HZ, SKB_DROP_REASON_DUP_FRAG, SKB_DROP_REASON_FRAG_ECN, SKB_DROP_REASON_FRAG_INVALID, SKB_DROP_REASON_FRAG_OVERLAP,
  SKB_DROP_REASON_FRAG_REASM_TIMEOUT, SKB_DROP_REASON_FRAG_TOO_FAR, SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_PKT_TOO_BIG,
  SKB_DROP_REASON_QUEUE_PURGE, delTimer, modTimer, snmpInc, timerSetup, SKB_CONSUMED, SKB_NOT_DROPPED_YET,
} from '@stack/kernel';
import type { Net, TimerList } from '@stack/kernel';
import { devGetByIndex } from '@stack/netdev';
import { kfreeSkbListReason, kfreeSkbReason, pskbPull, pskbTrimRcsum, skbCloned, skbOrphan, pskbExpandHead, CHECKSUM_NONE } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { RTN_LOCAL } from './fib.ts';
import { ICMP_EXC_FRAGTIME, ICMP_TIME_EXCEEDED } from './icmp-types.ts';
import { icmpSend } from './icmp-send.ts';
import {
  INET_FRAG_COMPLETE, INET_FRAG_FIRST_IN, INET_FRAG_LAST_IN, IpFragQueue, fragLruDel, fragLruTouch,
} from './inet-fragment.ts';
import type { FragQueues } from './inet-fragment.ts';
import { IPSKB_FRAG_PMTU, ipcbSetFlag, ipcbSetFragMaxSize } from './ip-cb.ts';
import {
  INET_ECN_CE, INET_ECN_MASK, INET_ECN_NOT_ECT, IPH_DADDR, IPH_FRAG_OFF, IPH_ID, IPH_PROTOCOL, IPH_SADDR, IPH_TOS, IPH_TOT_LEN, IPTOS_RT_MASK, IP_DF,
  IP_MAX_MTU, IP_MF, IP_OFFSET, ipHdrDaddr, ipHdrFragOff, ipHdrSaddr, ipHdrTos, ipHdrlen, ipSendCheck,
} from './ip-header.ts';
import { ipRouteInput } from './route-input.ts';
import type { Rtable } from './rtable.ts';
import {
  IPSTATS_MIB_REASMFAILS, IPSTATS_MIB_REASMOKS, IPSTATS_MIB_REASMREQDS, IPSTATS_MIB_REASMTIMEOUT, IPSTATS_MIB_REASM_OVERLAPS,
} from './snmp-names.ts';

/** Sources whose fragments are counted. */
const PEERS_MAX = 1024;

function ipqHash(frags: FragQueues, saddr: number, daddr: number, id: number, protocol: number): number {
  let h = Math.imul(saddr ^ frags.rnd, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15) ^ daddr, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ (id << 8) ^ protocol, 0xc2b2ae35);
  return (h ^ (h >>> 16)) & (frags.buckets.length - 1);
}

/** Gives up the datagrams that have waited longest for a fragment, until there is room. */
function ipEvictor(frags: FragQueues): void {
  for (let qp = frags.lruHead; qp !== null && frags.mem > frags.sysctlIpfragLowThresh; qp = frags.lruHead) {
    snmpInc(qp.net.ipv4.ipMib, IPSTATS_MIB_REASMFAILS);
    ipqKill(qp, SKB_DROP_REASON_NOMEM);
  }
}

/** The queue of skb's datagram, made if it is not there; null if there is to be no reassembly (ipfrag_high_thresh 0). */
function ipFind(net: Net, skb: SkBuff, user: number): IpFragQueue | null {
  const frags = net.ipv4.frags;
  const at = skb.networkHeader;
  const saddr = skb.view.getInt32(at + IPH_SADDR);
  const daddr = skb.view.getInt32(at + IPH_DADDR);
  const id = skb.view.getUint16(at + IPH_ID);
  const protocol = skb.view.getUint8(at + IPH_PROTOCOL);
  if (frags.sysctlIpfragHighThresh === 0) return null;
  if (frags.mem > frags.sysctlIpfragHighThresh) ipEvictor(frags);
  const slot = ipqHash(frags, saddr, daddr, id, protocol);
  for (let qp = frags.buckets[slot]; qp !== null; qp = qp.next) {
    if (qp.id === id && qp.saddr === saddr && qp.daddr === daddr && qp.protocol === protocol && qp.user === user) return qp;
  }
  const qp = new IpFragQueue(net, timerSetup(net, ipExpire, null));
  qp.timer.data = qp;
  qp.saddr = saddr;
  qp.daddr = daddr;
  qp.id = id;
  qp.protocol = protocol;
  qp.user = user;
  qp.next = frags.buckets[slot];
  frags.buckets[slot] = qp;
  frags.nqueues++;
  fragLruTouch(frags, qp);
  modTimer(qp.timer, (net.world.jiffies + frags.sysctlIpfragTime * HZ) | 0);
  return qp;
}

/** Takes the queue out of the table and frees what is left in it. */
function ipqKill(qp: IpFragQueue, reason: number): void {
  const frags = qp.net.ipv4.frags;
  delTimer(qp.timer);
  qp.flags |= INET_FRAG_COMPLETE;
  const slot = ipqHash(frags, qp.saddr, qp.daddr, qp.id, qp.protocol);
  if (frags.buckets[slot] === qp) {
    frags.buckets[slot] = qp.next;
  } else {
    let at = frags.buckets[slot];
    while (at !== null && at.next !== qp) at = at.next;
    if (at !== null) at.next = qp.next;
  }
  frags.nqueues--;
  fragLruDel(frags, qp);
  frags.mem -= qp.mem;
  qp.mem = 0;
  const list = qp.fragments;
  qp.fragments = null;
  qp.fragmentsTail = null;
  kfreeSkbListReason(list, reason);
}

/** Whether we are the addressee: a router, whose firewall reassembled on the way, says nothing. head is the first fragment. */
function ipqIsForUs(head: SkBuff): boolean {
  const dev = devGetByIndex(head.net, head.skbIif);
  if (dev === null) return false;
  if (head.dst === null) ipRouteInput(head, ipHdrDaddr(head), ipHdrSaddr(head), ipHdrTos(head) & IPTOS_RT_MASK, dev);
  return (head.dst as Rtable | null)?.rtType === RTN_LOCAL;
}

/** Time is over (RFC 1122 §3.3.2): the sender is told if the first fragment is here. */
function ipExpire(timer: TimerList): void {
  const qp = timer.data as IpFragQueue;
  const mib = qp.net.ipv4.ipMib;
  snmpInc(mib, IPSTATS_MIB_REASMFAILS);
  snmpInc(mib, IPSTATS_MIB_REASMTIMEOUT);
  const head = qp.fragments;
  if (head !== null && (qp.flags & INET_FRAG_FIRST_IN) !== 0 && ipqIsForUs(head)) icmpSend(head, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
  ipqKill(qp, SKB_DROP_REASON_FRAG_REASM_TIMEOUT);
}

/** Frees every queue of a Net. */
export function ipFragExit(net: Net): void {
  const frags = net.ipv4.frags;
  for (let slot = 0; slot < frags.buckets.length; slot++) {
    for (let qp = frags.buckets[slot]; qp !== null; qp = frags.buckets[slot]) ipqKill(qp, SKB_DROP_REASON_QUEUE_PURGE);
  }
}

/** Whether so many other fragments came from this source since the last of this datagram that its id may be another's by now. */
function ipFragTooFar(qp: IpFragQueue): boolean {
  const frags = qp.net.ipv4.frags;
  if (frags.sysctlIpfragMaxDist === 0) return false;
  const end = ((frags.peerRid.get(qp.saddr) ?? 0) + 1) | 0;
  if (frags.peerRid.size >= PEERS_MAX) frags.peerRid.clear();
  frags.peerRid.set(qp.saddr, end);
  const start = qp.rid;
  qp.rid = end;
  return qp.fragments !== null && end - start > frags.sysctlIpfragMaxDist;
}

/**
 * Takes a fragment, data at its IP header. Returns the whole datagram, data at its IP header, the
 * caller's, or null: it is not complete yet, or never will be.
 */
export function ipDefrag(net: Net, skb: SkBuff, user: number): SkBuff | null {
  if (net.trace !== null) net.trace.hit(net, 'ip_defrag', skb);
  snmpInc(net.ipv4.ipMib, IPSTATS_MIB_REASMREQDS);
  skbOrphan(skb);
  let qp = ipFind(net, skb, user);
  if (qp !== null && ipFragTooFar(qp)) {
    snmpInc(net.ipv4.ipMib, IPSTATS_MIB_REASMFAILS);
    ipqKill(qp, SKB_DROP_REASON_FRAG_TOO_FAR);
    qp = ipFind(net, skb, user);
    if (qp !== null) ipFragTooFar(qp);
  }
  if (qp === null) {
    snmpInc(net.ipv4.ipMib, IPSTATS_MIB_REASMFAILS);
    kfreeSkbReason(skb, SKB_DROP_REASON_NOMEM);
    return null;
  }
  return ipFragQueue(qp, skb);
}

/** The fragment cannot be right: it and its datagram go. */
function ipqDiscard(qp: IpFragQueue, skb: SkBuff, reason: number): null {
  snmpInc(qp.net.ipv4.ipMib, IPSTATS_MIB_REASMFAILS);
  ipqKill(qp, reason);
  kfreeSkbReason(skb, reason);
  return null;
}

/** Puts a fragment in its place. Its cb7 and cb8 hold offset and end in the datagram, cb9 the number of its run. */
function ipFragQueue(qp: IpFragQueue, skb: SkBuff): SkBuff | null {
  const fragOff = ipHdrFragOff(skb);
  const ihl = ipHdrlen(skb);
  const offset = (fragOff & IP_OFFSET) << 3;
  let end = offset + skb.len - ihl;
  if ((fragOff & IP_MF) === 0) {
    if (end < qp.len || ((qp.flags & INET_FRAG_LAST_IN) !== 0 && end !== qp.len)) return ipqDiscard(qp, skb, SKB_DROP_REASON_FRAG_INVALID);
    qp.flags |= INET_FRAG_LAST_IN;
    qp.len = end;
  } else {
    if ((end & 7) !== 0) {
      end &= ~7;
      skb.ipSummed = CHECKSUM_NONE;
    }
    if (end > qp.len) {
      if ((qp.flags & INET_FRAG_LAST_IN) !== 0) return ipqDiscard(qp, skb, SKB_DROP_REASON_FRAG_INVALID);
      qp.len = end;
    }
  }
  if (end <= offset) return ipqDiscard(qp, skb, SKB_DROP_REASON_FRAG_INVALID);
  const ecn = 1 << (ipHdrTos(skb) & INET_ECN_MASK);
  if (pskbPull(skb, ihl) < 0 || pskbTrimRcsum(skb, end - offset) !== 0) return ipqDiscard(qp, skb, SKB_DROP_REASON_NOMEM);
  skb.cb7 = offset;
  skb.cb8 = end;
  const placed = ipqInsert(qp, skb);
  if (placed === 0) {
    kfreeSkbReason(skb, SKB_DROP_REASON_DUP_FRAG);
    return null;
  }
  if (placed < 0) {
    snmpInc(qp.net.ipv4.ipExtMib, IPSTATS_MIB_REASM_OVERLAPS);
    return ipqDiscard(qp, skb, SKB_DROP_REASON_FRAG_OVERLAP);
  }
  ipqAccount(qp, skb, fragOff, offset, ihl, ecn);
  const complete = (qp.flags & (INET_FRAG_FIRST_IN | INET_FRAG_LAST_IN)) === (INET_FRAG_FIRST_IN | INET_FRAG_LAST_IN);
  return complete && qp.meat === qp.len ? ipFragReasm(qp) : null;
}

function ipqAccount(qp: IpFragQueue, skb: SkBuff, fragOff: number, offset: number, ihl: number, ecn: number): void {
  qp.dev = skb.dev;
  qp.meat += skb.len;
  qp.ecn |= ecn;
  qp.mem += skb.truesize;
  qp.net.ipv4.frags.mem += skb.truesize;
  fragLruTouch(qp.net.ipv4.frags, qp);
  if (offset === 0) qp.flags |= INET_FRAG_FIRST_IN;
  const size = skb.len + ihl;
  if (size > qp.maxSize) qp.maxSize = size;
  if ((fragOff & IP_DF) !== 0 && size > qp.maxDfSize) qp.maxDfSize = size;
}

/** Whether the run of `at`, which begins at or before skb, has all that skb has. */
function ipqRunCovers(at: SkBuff | null, skb: SkBuff): boolean {
  if (at === null || at.cb7 > skb.cb7) return false;
  let last = at;
  while (last.cb8 < skb.cb8 && last.next !== null && last.next.cb9 === at.cb9) last = last.next;
  return last.cb8 >= skb.cb8;
}

/** Links the fragment in order of offset. Returns 1, 0 if one run of others has it all already, -1 if it overlaps them otherwise. */
function ipqInsert(qp: IpFragQueue, skb: SkBuff): number {
  let prev = qp.fragmentsTail;
  // Mostly they come in order: look from the end first.
  if (prev !== null && prev.cb7 >= skb.cb7) {
    prev = null;
    for (let at = qp.fragments; at !== null && at.cb7 < skb.cb7; at = at.next) prev = at;
  }
  const next = prev === null ? qp.fragments : prev.next;
  if (prev !== null && prev.cb8 > skb.cb7) return ipqRunCovers(prev, skb) ? 0 : -1;
  if (next !== null && next.cb7 < skb.cb8) return ipqRunCovers(next, skb) ? 0 : -1;
  skb.cb9 = next === null && prev !== null && prev.cb8 === skb.cb7 ? prev.cb9 : ++qp.runs;
  skb.next = next;
  if (prev === null) qp.fragments = skb;
  else prev.next = skb;
  if (next === null) qp.fragmentsTail = skb;
  return 1;
}

/** The ECN field of the whole (RFC 3168 §5.3): CE if one had it; -1 if CE and not-ECT do not go together. */
function ipFragEcn(ecn: number): number {
  const ce = (ecn & (1 << INET_ECN_CE)) !== 0;
  if (!ce) return 0;
  return (ecn & (1 << INET_ECN_NOT_ECT)) !== 0 ? -1 : INET_ECN_CE;
}

/** Why the whole of `len` octets cannot be made of head and the others: SKB_DROP_REASON_*, or SKB_NOT_DROPPED_YET if it can. */
function ipFragUnusable(head: SkBuff, ecn: number, len: number): number {
  if (ecn < 0) return SKB_DROP_REASON_FRAG_ECN;
  if (len > IP_MAX_MTU) return SKB_DROP_REASON_PKT_TOO_BIG;
  return skbCloned(head) && pskbExpandHead(head, 0, 0) !== 0 ? SKB_DROP_REASON_NOMEM : SKB_NOT_DROPPED_YET;
}

/** All is here: the others hang on the first as its fragList, and the header is made whole. */
function ipFragReasm(qp: IpFragQueue): SkBuff | null {
  const net = qp.net;
  const head = qp.fragments;
  if (head === null) return null;
  if (net.trace !== null) net.trace.hit(net, 'ip_frag_reasm', head);
  const ihl = ipHdrlen(head);
  const ecn = ipFragEcn(qp.ecn);
  const len = ihl + qp.len;
  const unusable = ipFragUnusable(head, ecn, len);
  if (unusable !== SKB_NOT_DROPPED_YET) {
    snmpInc(net.ipv4.ipMib, IPSTATS_MIB_REASMFAILS);
    ipqKill(qp, unusable);
    return null;
  }
  qp.fragments = null;
  const rest = head.next;
  const { maxSize, maxDfSize } = qp;
  ipqKill(qp, SKB_CONSUMED);
  head.next = null;
  ipqJoin(head, rest);
  head.data -= ihl;
  head.len += ihl;
  const view = head.view;
  const at = head.networkHeader;
  view.setUint16(at + IPH_TOT_LEN, len);
  view.setUint8(at + IPH_TOS, view.getUint8(at + IPH_TOS) | ecn);
  // If the largest fragment had DF, the whole must not go on in larger ones (RFC 1191).
  const df = maxDfSize === maxSize && maxDfSize !== 0;
  view.setUint16(at + IPH_FRAG_OFF, df ? IP_DF : 0);
  if (df) ipcbSetFlag(head, IPSKB_FRAG_PMTU);
  ipcbSetFragMaxSize(head, Math.max(maxSize, maxDfSize));
  ipSendCheck(head, at, ihl >> 2);
  snmpInc(net.ipv4.ipMib, IPSTATS_MIB_REASMOKS);
  return head;
}

/** Hangs `rest` (linked by next) behind head. */
function ipqJoin(head: SkBuff, rest: SkBuff | null): void {
  if (rest === null) return;
  let last = head.shinfo.fragList;
  if (last === null) {
    head.shinfo.fragList = rest;
  } else {
    while (last.next !== null) last = last.next;
    last.next = rest;
  }
  for (let skb: SkBuff | null = rest; skb !== null; skb = skb.next) {
    head.len += skb.len;
    head.dataLen += skb.len;
    head.truesize += skb.truesize;
  }
  head.ipSummed = CHECKSUM_NONE;
}
