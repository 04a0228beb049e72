// dst_entry: where a packet goes, common to all families (net/core/dst.c, include/net/dst.h).
//
// A family's route extends DstEntry (rtable). A sk_buff and a sock each hold a reference on theirs. Up, dstInput calls
// dst.input; down, dstOutput calls dst.output, again and again while the result is NET_XMIT_BYPASS: each link of a
// chain (IPsec) moves skb.dst on, the last one is the family's output.

import { SKB_DROP_REASON_DST_DISCARD } from '@stack/kernel';
import { kfreeSkbReason } from './alloc.ts';
import { dstRelease } from './dst-ref.ts';
import type { Link, SkBuff } from './sk-buff.ts';

/** The packet was accepted for sending. */
export const NET_XMIT_SUCCESS = 0x00;
/** The packet was dropped. */
export const NET_XMIT_DROP = 0x01;
/** The packet, or one before it, met congestion. */
export const NET_XMIT_CN = 0x02;
/** The output moved skb.dst on: call that one's output. (2.6's value.) */
export const NET_XMIT_BYPASS = 0x04;

/** The packet was delivered. */
export const NET_RX_SUCCESS = 0;
/** The packet was dropped. */
export const NET_RX_DROP = 1;

export const RTAX_LOCK = 1;
export const RTAX_MTU = 2;
export const RTAX_WINDOW = 3;
export const RTAX_RTT = 4;
export const RTAX_RTTVAR = 5;
export const RTAX_SSTHRESH = 6;
export const RTAX_CWND = 7;
export const RTAX_ADVMSS = 8;
export const RTAX_REORDERING = 9;
export const RTAX_HOPLIMIT = 10;
export const RTAX_INITCWND = 11;
export const RTAX_FEATURES = 12;
export const RTAX_RTO_MIN = 13;
export const RTAX_INITRWND = 14;
export const RTAX_QUICKACK = 15;
export const RTAX_CC_ALGO = 16;
export const RTAX_FASTOPEN_NO_COOKIE = 17;
/** Highest RTAX_*. */
export const RTAX_MAX = 17;

/** dst.flags: do not count it, do not keep it. */
export const DST_NOXFRM = 0x0002;
export const DST_NOPOLICY = 0x0004;
export const DST_NOCOUNT = 0x0008;

/** dst.obsolete: valid until its check says otherwise. */
export const DST_OBSOLETE_NONE = 0;
/** dst.obsolete: replaced, must not be used. */
export const DST_OBSOLETE_DEAD = 2;
/** dst.obsolete: ask ops.check each time. */
export const DST_OBSOLETE_FORCE_CHK = -1;
/** dst.obsolete: was killed. */
export const DST_OBSOLETE_KILL = -2;

/** What a family gives its routes. One object per family, at module level. */
export interface DstOps {
  /** Address family, PF_*. */
  readonly family: number;
  /** The entry if it may still be used, else null; the caller keeps its reference in both cases. */
  readonly check: (dst: DstEntry, cookie: number) => DstEntry | null;
  /** A transport has doubts (retransmissions): forget the entry where it is cached for `sk`. */
  readonly negativeAdvice: (sk: Link<'sk'>, dst: DstEntry) => void;
  /** The neighbour could not be reached: tell the sender of `skb`, which stays the caller's. */
  readonly linkFailure: (skb: SkBuff) => void;
  /** The path takes packets of at most `mtu` bytes. */
  readonly updatePmtu: (dst: DstEntry, sk: Link<'sk'>, skb: SkBuff | null, mtu: number) => void;
  /** A router said that there is a better one. `skb` is its message. */
  readonly redirect: (dst: DstEntry, sk: Link<'sk'>, skb: SkBuff) => void;
  /** MTU of the path in bytes, network header included. */
  readonly mtu: (dst: DstEntry) => number;
  /** MSS to advertise when the metrics have none, in bytes. */
  readonly defaultAdvmss: (dst: DstEntry) => number;
  /** The last reference has gone: give back what the entry refers to (neighbour, header cache, child). */
  readonly destroy: (dst: DstEntry) => void;
}

/** Metrics of an entry that has none of its own. */
const dstDefaultMetrics = new Int32Array(RTAX_MAX + 1);

/** Where a packet goes. */
export class DstEntry {
  /** Hash chain, or whatever list the family keeps. */
  next: DstEntry | null;
  /** Next entry of a chain of outputs. */
  child: DstEntry | null;
  dev: Link<'dev'>;
  ops: DstOps;
  /** Takes a packet that arrived; owns it from then on. 0 or negative errno. */
  input: (skb: SkBuff) => number;
  /** Takes a packet that leaves; owns it from then on. NET_XMIT_* or negative errno. */
  output: (skb: SkBuff) => number;
  neighbour: Link<'neighbour'>;
  hh: Link<'hh'>;
  flags: number;
  obsolete: number;
  /** errno (positive) that users of this entry get. */
  error: number;
  /** jiffies at which it ends; 0 = never. */
  expires: number;
  refcnt: number;
  /** jiffies of the last use. */
  lastuse: number;
  /** Bytes in front of the packet that this entry and its children need. */
  headerLen: number;
  /** RTAX_* values, 0 = not set. Shared until dstMetricSet. */
  metrics: Int32Array;

  constructor(ops: DstOps, flags: number) {
    this.next = null;
    this.child = null;
    this.dev = null;
    this.ops = ops;
    this.input = dstDiscard;
    this.output = dstDiscard;
    this.neighbour = null;
    this.hh = null;
    this.flags = flags;
    this.obsolete = DST_OBSOLETE_NONE;
    this.error = 0;
    this.expires = 0;
    this.refcnt = 1;
    this.lastuse = 0;
    this.headerLen = 0;
    this.metrics = dstDefaultMetrics;
  }
}

/** Input and output of an entry that leads nowhere: drops the packet. */
export function dstDiscard(skb: SkBuff): number {
  kfreeSkbReason(skb, SKB_DROP_REASON_DST_DISCARD);
  return 0;
}

/** Gives the caller's reference on `dst` to the sk_buff, which has none yet. */
export function skbDstSet(skb: SkBuff, dst: DstEntry | null): void {
  skb.dst = dst;
}

/** Drops the sk_buff's route. */
export function skbDstDrop(skb: SkBuff): void {
  const dst = skb.dst;
  if (dst === null) return;
  skb.dst = null;
  dstRelease(dst);
}

/** Gives `nskb`, which has no route, a reference on the route of `oskb`. */
export function skbDstCopy(nskb: SkBuff, oskb: SkBuff): void {
  const dst = oskb.dst;
  nskb.dst = dst;
  if (dst !== null) dst.refcnt++;
}

/** Hands the packet to its route, on the way up. Takes the packet; returns the input's result. */
export function dstInput(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'dst_input', skb);
  for (;;) {
    const err = skb.dst!.input(skb);
    if (err !== NET_XMIT_BYPASS) return err;
  }
}

/** Hands the packet to its route, on the way down, link by link of a chain. Takes the packet; NET_XMIT_* or negative errno. */
export function dstOutput(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'dst_output', skb);
  for (;;) {
    const err = skb.dst!.output(skb);
    if (err !== NET_XMIT_BYPASS) return err;
  }
}

/** The entry if it may still be used, else null. The caller keeps its reference. */
export function dstCheck(dst: DstEntry, cookie: number): DstEntry | null {
  return dst.obsolete !== DST_OBSOLETE_NONE ? dst.ops.check(dst, cookie) : dst;
}

/** MTU of the path, in bytes. */
export function dstMtu(dst: DstEntry): number {
  return dst.ops.mtu(dst);
}

/** A metric as it was set; 0 = not set. */
export function dstMetric(dst: DstEntry, metric: number): number {
  return dst.metrics[metric]!;
}

/** MSS to advertise, in bytes: the metric, else the family's default. */
export function dstMetricAdvmss(dst: DstEntry): number {
  const advmss = dst.metrics[RTAX_ADVMSS]!;
  return advmss !== 0 ? advmss : dst.ops.defaultAdvmss(dst);
}

/** Sets a metric of this entry alone. */
export function dstMetricSet(dst: DstEntry, metric: number, value: number): void {
  if (dst.metrics === dstDefaultMetrics) dst.metrics = new Int32Array(RTAX_MAX + 1);
  dst.metrics[metric] = value;
}

/** Gives the entry a copy of these metrics. */
export function dstInitMetrics(dst: DstEntry, metrics: Int32Array): void {
  dst.metrics = metrics.slice(0, RTAX_MAX + 1);
}

/** The metric was set by the administrator and may not be changed by what the network says. */
export function dstMetricLocked(dst: DstEntry, metric: number): boolean {
  return (dst.metrics[RTAX_LOCK]! & (1 << metric)) !== 0;
}

/** Tells the route's family that the neighbour cannot be reached. `skb` stays the caller's. */
export function dstLinkFailure(skb: SkBuff): void {
  const dst = skb.dst;
  if (dst !== null) dst.ops.linkFailure(skb);
}

/** Tells the route that a transport has doubts about it. */
export function dstNegativeAdvice(dst: DstEntry, sk: Link<'sk'>): void {
  dst.ops.negativeAdvice(sk, dst);
}
