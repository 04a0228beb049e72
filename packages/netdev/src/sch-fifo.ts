// The queueing disciplines: pfifo_fast (the default), pfifo, noqueue (virtual devices) and noop (devices that are down).
//
// pfifo_fast has three bands, each a FIFO of txqueuelen packets; a higher band goes first. skb.priority chooses the band
// by the table that Linux documents in tc-pfifo_fast(8).

import { EEXIST, type Net } from '@stack/kernel';
import {
  NET_XMIT_CN, NET_XMIT_DROP, NET_XMIT_SUCCESS, SkBuffHead, skbDequeue, skbPeek, skbQueuePurge, skbQueueTail, type SkBuff,
} from '@stack/skbuff';
import { TCQ_F_CAN_BYPASS, type Qdisc, type QdiscOps } from './netdevice.ts';
import { qdiscBstatsUpdate, qdiscDrop } from './sch-generic.ts';

/** Bands of pfifo_fast. */
export const PFIFO_FAST_BANDS = 3;
const TC_PRIO_MAX = 15;
/** skb.priority & 15 to band. */
export const prio2band: readonly number[] = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];

class PfifoFastPriv {
  bands: SkBuffHead[];

  constructor() {
    this.bands = [new SkBuffHead(), new SkBuffHead(), new SkBuffHead()];
  }
}

function pfifoFastBands(q: Qdisc): SkBuffHead[] {
  return (q.priv as PfifoFastPriv).bands;
}

function pfifoFastInit(q: Qdisc): number {
  q.priv = new PfifoFastPriv();
  q.flags |= TCQ_F_CAN_BYPASS;
  return 0;
}

function pfifoFastEnqueue(skb: SkBuff, q: Qdisc): number {
  const band = pfifoFastBands(q)[prio2band[skb.priority & TC_PRIO_MAX]!]!;
  return fifoEnqueue(skb, q, band);
}

function fifoEnqueue(skb: SkBuff, q: Qdisc, band: SkBuffHead): number {
  if (band.qlen >= q.limit) return qdiscDrop(skb, q, NET_XMIT_DROP);
  skbQueueTail(band, skb);
  q.qlen++;
  q.backlog += skb.len;
  return NET_XMIT_SUCCESS;
}

function fifoDequeue(q: Qdisc, band: SkBuffHead): SkBuff | null {
  const skb = skbDequeue(band);
  if (skb === null) return null;
  q.qlen--;
  q.backlog -= skb.len;
  qdiscBstatsUpdate(q, skb);
  return skb;
}

function pfifoFastDequeue(q: Qdisc): SkBuff | null {
  const bands = pfifoFastBands(q);
  for (let i = 0; i < PFIFO_FAST_BANDS; i++) {
    if (bands[i]!.qlen !== 0) return fifoDequeue(q, bands[i]!);
  }
  return null;
}

function pfifoFastPeek(q: Qdisc): SkBuff | null {
  const bands = pfifoFastBands(q);
  for (let i = 0; i < PFIFO_FAST_BANDS; i++) {
    if (bands[i]!.qlen !== 0) return skbPeek(bands[i]!);
  }
  return null;
}

function pfifoFastReset(q: Qdisc): void {
  const bands = pfifoFastBands(q);
  for (let i = 0; i < PFIFO_FAST_BANDS; i++) skbQueuePurge(bands[i]!);
}

export const pfifoFastOps: QdiscOps = {
  id: 'pfifo_fast',
  init: pfifoFastInit,
  enqueue: pfifoFastEnqueue,
  dequeue: pfifoFastDequeue,
  peek: pfifoFastPeek,
  reset: pfifoFastReset,
  destroy: null,
};

function pfifoQueue(q: Qdisc): SkBuffHead {
  return q.priv as SkBuffHead;
}

function pfifoInit(q: Qdisc): number {
  q.priv = new SkBuffHead();
  q.flags |= TCQ_F_CAN_BYPASS;
  return 0;
}

function pfifoEnqueue(skb: SkBuff, q: Qdisc): number {
  return fifoEnqueue(skb, q, pfifoQueue(q));
}

function pfifoDequeue(q: Qdisc): SkBuff | null {
  return fifoDequeue(q, pfifoQueue(q));
}

function pfifoPeek(q: Qdisc): SkBuff | null {
  return skbPeek(pfifoQueue(q));
}

function pfifoReset(q: Qdisc): void {
  skbQueuePurge(pfifoQueue(q));
}

/** One FIFO of txqueuelen packets. */
export const pfifoOps: QdiscOps = {
  id: 'pfifo',
  init: pfifoInit,
  enqueue: pfifoEnqueue,
  dequeue: pfifoDequeue,
  peek: pfifoPeek,
  reset: pfifoReset,
  destroy: null,
};

function noopEnqueue(skb: SkBuff, q: Qdisc): number {
  return qdiscDrop(skb, q, NET_XMIT_CN);
}

function noopDequeue(): SkBuff | null {
  return null;
}

/** Drops everything: what a device has while it is down. */
export const noopQdiscOps: QdiscOps = {
  id: 'noop',
  init: null,
  enqueue: noopEnqueue,
  dequeue: noopDequeue,
  peek: noopDequeue,
  reset: null,
  destroy: null,
};

/** No queue at all: dev_queue_xmit calls the driver. */
export const noqueueQdiscOps: QdiscOps = {
  id: 'noqueue',
  init: null,
  enqueue: null,
  dequeue: noopDequeue,
  peek: noopDequeue,
  reset: null,
  destroy: null,
};

/** Makes a discipline available in `net` under its id. Returns 0, or -EEXIST if the id is taken. */
export function registerQdisc(net: Net, ops: QdiscOps): number {
  const all = net.netdev.qdiscOps;
  if (all.some((other) => other.id === ops.id)) return -EEXIST;
  all.push(ops);
  return 0;
}

/** The discipline of that id, or null. */
export function qdiscLookupOps(net: Net, id: string): QdiscOps | null {
  return net.netdev.qdiscOps.find((ops) => ops.id === id) ?? null;
}
