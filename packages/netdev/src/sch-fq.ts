// fq, the fair queue that paces: each flow (a sock) has a queue of its own, and packets leave no earlier than they may
// (tc-fq(8)).
//
// Order: fqEnqueue() classifies by sock, else by hash -> fqDequeue() goes over the new flows, then the old ones, deficit
// round robin; a flow whose next packet must wait leaves the round until its timer puts it back. When a packet may leave
// is skb.tstamp, its sender's earliest departure time (internet-draft and talk "From queues to time"), or, where that is
// 0, what the rate of its sock or `maxrate` says of the packet before.
// Deviation: one band, where today's kernel has three by priority; each flow has a timer, where Linux has a tree of flows
// and one watchdog.

import {
  EINVAL, HZ, NSEC_PER_SEC, SKB_DROP_REASON_QDISC_DROP, hrtimerCancel, hrtimerSetup, hrtimerStart, type Hrtimer, type World,
} from '@stack/kernel';
import {
  NET_XMIT_DROP, NET_XMIT_SUCCESS, SkBuffHead, kfreeSkbReason, skbDequeue, skbPeek, skbQueueAfter, skbQueueHead, skbQueuePurge, skbQueueTail,
  type SkBuff,
} from '@stack/skbuff';
import type { Qdisc, QdiscOps } from './netdevice.ts';
import { netifSchedule, qdiscBstatsUpdate, qdiscDrop } from './sch-generic.ts';

/** PacedSock.skPacingStatus: fq paces. (0: nobody does, 1: its own engine.) */
const SK_PACING_FQ = 2;

/** What fq knows of the sock that skb.sk is. */
export interface PacedSock {
  /** Octets per second. */
  readonly skPacingRate: number;
  /** fq says here that it paces. */
  skPacingStatus: number;
}

/** No rate limits the flow. */
const NO_RATE = Infinity;
/** A flow that has been empty for so long, in jiffies, is forgotten. */
const FQ_GC_AGE = 3 * HZ;
/** Flows looked at for each new one. */
const FQ_GC_MAX = 8;
/** Octets per second up to which a flow has no credit: 550 kbit/s. */
const LOW_RATE_THRESHOLD = 550_000 / 8;

/** tc qdisc … fq. */
export interface FqOptions {
  /** Packets that may wait in all; 10000. */
  readonly limit?: number;
  /** Packets of one flow that may wait; 100. */
  readonly flowLimit?: number;
  /** Octets per round; two packets of the device's MTU. */
  readonly quantum?: number;
  /** Octets that a new flow may send at once; ten packets. */
  readonly initialQuantum?: number;
  /** Octets per second that no flow may exceed. */
  readonly maxrate?: number;
  /** False: nothing is paced, flows share only. */
  readonly pacing?: boolean;
  /** Jiffies of silence after which a flow has credit for a quantum again; 40 ms. */
  readonly refillDelay?: number;
  /** Nanoseconds ahead at which a departure time is believed; 10 s. Later: dropped. */
  readonly horizon?: number;
}

/** Where a flow is: in no list, in the round, waiting for its time. */
const FLOW_DETACHED = 0;
const FLOW_ATTACHED = 1;
const FLOW_THROTTLED = 2;

class FqFlow {
  /** By tstamp. */
  queue: SkBuffHead;
  /** Next in new flows, or in old flows. */
  next: FqFlow | null;
  state: number;
  credit: number;
  /** World time, ns. */
  timeNextPacket: number;
  /** When it became empty, jiffies. */
  age: number;
  timer: Hrtimer;
  q: Qdisc;

  constructor(q: Qdisc, credit: number) {
    this.queue = new SkBuffHead();
    this.next = null;
    this.state = FLOW_DETACHED;
    this.credit = credit;
    this.timeNextPacket = 0;
    this.age = 0;
    this.timer = hrtimerSetup(q.dev.net, flowMayGoOn, this);
    this.q = q;
  }
}

class FqFlowHead {
  first: FqFlow | null;
  last: FqFlow | null;

  constructor() {
    this.first = null;
    this.last = null;
  }
}

class FqPriv {
  /** By sock, or by what skb.hash leaves of the packet. */
  flows: Map<unknown, FqFlow>;
  newFlows: FqFlowHead;
  oldFlows: FqFlowHead;
  /** Taken out by peek. */
  peeked: SkBuff | null;
  flowLimit: number;
  quantum: number;
  initialQuantum: number;
  maxrate: number;
  pacing: boolean;
  refillDelay: number;
  horizon: number;

  constructor(psched: number) {
    this.flows = new Map();
    this.newFlows = new FqFlowHead();
    this.oldFlows = new FqFlowHead();
    this.peeked = null;
    this.flowLimit = 100;
    this.quantum = 2 * psched;
    this.initialQuantum = 10 * psched;
    this.maxrate = NO_RATE;
    this.pacing = true;
    this.refillDelay = HZ / 25;
    this.horizon = 10 * NSEC_PER_SEC;
  }
}

/** Hashes that packets without a sock fall to. */
const ORPHAN_MASK = 1023;

function fqPriv(q: Qdisc): FqPriv {
  return q.priv as FqPriv;
}

function fqInit(q: Qdisc): number {
  q.priv = new FqPriv(q.dev.mtu + q.dev.hardHeaderLen);
  q.limit = 10000;
  return 0;
}

/** Sets what `options` names. Returns 0, or -EINVAL with nothing changed. */
export function fqChange(q: Qdisc, options: FqOptions): number {
  const priv = fqPriv(q);
  const quantum = options.quantum ?? priv.quantum;
  const maxrate = options.maxrate ?? priv.maxrate;
  if (quantum <= 0 || maxrate <= 0) return -EINVAL;
  priv.quantum = quantum;
  priv.maxrate = maxrate;
  priv.initialQuantum = options.initialQuantum ?? priv.initialQuantum;
  priv.flowLimit = options.flowLimit ?? priv.flowLimit;
  priv.pacing = options.pacing ?? priv.pacing;
  priv.refillDelay = options.refillDelay ?? priv.refillDelay;
  priv.horizon = options.horizon ?? priv.horizon;
  q.limit = options.limit ?? q.limit;
  return 0;
}

function flowAddTail(head: FqFlowHead, flow: FqFlow): void {
  flow.next = null;
  if (head.last === null) head.first = flow;
  else head.last.next = flow;
  head.last = flow;
  flow.state = FLOW_ATTACHED;
}

function flowRemoveFirst(head: FqFlowHead, flow: FqFlow): void {
  head.first = flow.next;
  if (head.first === null) head.last = null;
  flow.next = null;
  flow.state = FLOW_DETACHED;
}

/** A flow's timer: its next packet may leave. */
function flowMayGoOn(timer: Hrtimer): void {
  const flow = timer.data as FqFlow;
  flowAddTail(fqPriv(flow.q).oldFlows, flow);
  netifSchedule(flow.q);
}

/** Forgets some flows that have had nothing for long. */
function fqGc(priv: FqPriv, world: World): void {
  let left = FQ_GC_MAX;
  for (const [key, flow] of priv.flows) {
    if (left-- === 0) return;
    if (flow.state === FLOW_DETACHED && ((world.jiffies - flow.age) | 0) > FQ_GC_AGE) priv.flows.delete(key);
  }
}

/** The flow of a packet; a sock's is made, and the sock told, with its first one. */
function fqClassify(skb: SkBuff, q: Qdisc): FqFlow {
  const priv = fqPriv(q);
  const sk = skb.sk as PacedSock | null;
  const key: unknown = sk ?? (skb.hash & ORPHAN_MASK);
  const known = priv.flows.get(key);
  if (known !== undefined) return known;
  fqGc(priv, q.dev.net.world);
  const flow = new FqFlow(q, priv.initialQuantum);
  priv.flows.set(key, flow);
  if (sk !== null && priv.pacing) sk.skPacingStatus = SK_PACING_FQ;
  return flow;
}

/** Queues by departure time: nearly always that is at the end. */
function flowQueueAdd(flow: FqFlow, skb: SkBuff): void {
  const time = skb.tstamp;
  let before = flow.queue.prev;
  if (time !== 0) while (before !== null && before.tstamp > time) before = before.prev;
  if (before === flow.queue.prev) skbQueueTail(flow.queue, skb);
  else if (before !== null) skbQueueAfter(flow.queue, before, skb);
  else skbQueueHead(flow.queue, skb);
}

function fqEnqueue(skb: SkBuff, q: Qdisc): number {
  const priv = fqPriv(q);
  const { world } = q.dev.net;
  if (q.qlen >= q.limit) return qdiscDrop(skb, q, NET_XMIT_DROP);
  if (skb.tstamp > world.now + priv.horizon) return qdiscDrop(skb, q, NET_XMIT_DROP);
  const flow = fqClassify(skb, q);
  if (flow.queue.qlen >= priv.flowLimit) return qdiscDrop(skb, q, NET_XMIT_DROP);
  if (flow.state === FLOW_DETACHED) {
    if (((world.jiffies - flow.age) | 0) > priv.refillDelay) flow.credit = Math.max(flow.credit, priv.quantum);
    flowAddTail(priv.newFlows, flow);
  }
  q.qlen++;
  q.backlog += skb.len;
  flowQueueAdd(flow, skb);
  return NET_XMIT_SUCCESS;
}

/** The first flow of a list has nothing: it waits among the old ones once, so that those have their turn; then it leaves. */
function flowIsEmpty(priv: FqPriv, head: FqFlowHead, flow: FqFlow, world: World): void {
  flowRemoveFirst(head, flow);
  if (head === priv.newFlows && priv.oldFlows.first !== null) flowAddTail(priv.oldFlows, flow);
  else flow.age = world.jiffies;
}

/** When the next packet of a flow may leave, now that skb does. */
function flowSetNext(priv: FqPriv, flow: FqFlow, skb: SkBuff, now: number): void {
  flow.credit -= skb.len;
  if (!priv.pacing) return;
  let rate = priv.maxrate;
  let len = skb.len;
  if (skb.tstamp === 0) {
    const sk = skb.sk as PacedSock | null;
    if (sk !== null) rate = Math.min(rate, sk.skPacingRate);
    if (rate <= LOW_RATE_THRESHOLD) {
      flow.credit = 0;
    } else {
      // A quantum may leave in one burst.
      len = Math.max(len, priv.quantum);
      if (flow.credit > 0) return;
    }
  }
  if (rate === NO_RATE) return;
  let wait = Math.min(Math.floor((len * NSEC_PER_SEC) / rate), NSEC_PER_SEC);
  // It was sent late: some of that is given back.
  if (flow.timeNextPacket !== 0) wait -= Math.min(wait / 2, Math.max(now - flow.timeNextPacket, 0));
  flow.timeNextPacket = now + Math.ceil(wait);
}

/** The next packet whose time has come; null if none. */
function fqTake(q: Qdisc): SkBuff | null {
  const priv = fqPriv(q);
  const { world } = q.dev.net;
  const { now } = world;
  for (;;) {
    const head = priv.newFlows.first !== null ? priv.newFlows : priv.oldFlows;
    const flow = head.first;
    if (flow === null) return null;
    if (flow.credit <= 0) {
      flow.credit += priv.quantum;
      flowRemoveFirst(head, flow);
      flowAddTail(priv.oldFlows, flow);
      continue;
    }
    const skb = skbPeek(flow.queue);
    if (skb === null) {
      flowIsEmpty(priv, head, flow, world);
      continue;
    }
    const time = Math.max(skb.tstamp, flow.timeNextPacket);
    if (now < time) {
      flowRemoveFirst(head, flow);
      flow.state = FLOW_THROTTLED;
      flow.timeNextPacket = time;
      q.overlimits++;
      hrtimerStart(flow.timer, time);
      continue;
    }
    skbDequeue(flow.queue);
    flowSetNext(priv, flow, skb, now);
    return skb;
  }
}

function fqDequeue(q: Qdisc): SkBuff | null {
  const priv = fqPriv(q);
  const skb = priv.peeked ?? (q.qlen === 0 ? null : fqTake(q));
  if (skb === null) return null;
  priv.peeked = null;
  q.qlen--;
  q.backlog -= skb.len;
  qdiscBstatsUpdate(q, skb);
  return skb;
}

function fqPeek(q: Qdisc): SkBuff | null {
  const priv = fqPriv(q);
  priv.peeked ??= fqTake(q);
  return priv.peeked;
}

function fqReset(q: Qdisc): void {
  const priv = fqPriv(q);
  if (priv.peeked !== null) kfreeSkbReason(priv.peeked, SKB_DROP_REASON_QDISC_DROP);
  priv.peeked = null;
  for (const flow of priv.flows.values()) {
    hrtimerCancel(flow.timer);
    skbQueuePurge(flow.queue);
  }
  priv.flows.clear();
  priv.newFlows = new FqFlowHead();
  priv.oldFlows = new FqFlowHead();
}

export const fqOps: QdiscOps = {
  id: 'fq',
  init: fqInit,
  enqueue: fqEnqueue,
  dequeue: fqDequeue,
  peek: fqPeek,
  reset: fqReset,
  destroy: null,
};
