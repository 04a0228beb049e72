// What stands between dev_queue_xmit and the driver: running a qdisc, requeueing, waking a stopped device.
//
// Order: devXmitSkb() (dev-xmit.ts) -> schDirectXmit() when idle, else qdiscEnqueueRoot() and qdiscRun() ->
// qdiscRestart() -> schDirectXmit() -> devHardStartXmit(). A driver that answers NETDEV_TX_BUSY gets the sk_buff again,
// first of all, once it wakes its queue: netifWakeQueue() -> netifSchedule() -> NET_TX_SOFTIRQ -> netTxAction().
// The disciplines themselves are in sch-fifo.ts.

import { NET_TX_SOFTIRQ, SKB_DROP_REASON_QDISC_DROP, raiseSoftirq, type Net } from '@stack/kernel';
import { kfreeSkbReason, type SkBuff } from '@stack/skbuff';
import { validateXmitSkbList } from './dev-gso.ts';
import { devHardStartXmit } from './dev-hard-xmit.ts';
import {
  LINK_STATE_XOFF, QDISC_STATE_DEACTIVATED, QDISC_STATE_RUNNING, QDISC_STATE_SCHED, Qdisc,
  type NetDevice, type QdiscOps,
} from './netdevice.ts';

/** The driver cannot take more: nothing is handed to it until netifWakeQueue(). */
export function netifStopQueue(dev: NetDevice): void {
  dev.state |= LINK_STATE_XOFF;
}

/** Lets the device transmit, without running what is queued (ndoOpen). */
export function netifStartQueue(dev: NetDevice): void {
  dev.state &= ~LINK_STATE_XOFF;
}

/** The driver has room again: what is queued runs in the next NET_TX_SOFTIRQ. */
export function netifWakeQueue(dev: NetDevice): void {
  if ((dev.state & LINK_STATE_XOFF) === 0) return;
  dev.state &= ~LINK_STATE_XOFF;
  netifSchedule(dev.qdisc);
}

export function netifQueueStopped(dev: NetDevice): boolean {
  return (dev.state & LINK_STATE_XOFF) !== 0;
}

/** Has the next NET_TX_SOFTIRQ run `q` (the kernel's __netif_schedule). */
export function netifSchedule(q: Qdisc): void {
  if ((q.state & (QDISC_STATE_SCHED | QDISC_STATE_DEACTIVATED)) !== 0) return;
  const net = q.dev.net;
  const sd = net.netdev.softnet;
  q.state |= QDISC_STATE_SCHED;
  q.nextSched = null;
  if (sd.outputLast === null) sd.outputFirst = q;
  else sd.outputLast.nextSched = q;
  sd.outputLast = q;
  raiseSoftirq(net, NET_TX_SOFTIRQ);
}

/** NET_TX_SOFTIRQ: runs every qdisc that was scheduled. */
export function netTxAction(net: Net): void {
  const sd = net.netdev.softnet;
  let q = sd.outputFirst;
  sd.outputFirst = null;
  sd.outputLast = null;
  while (q !== null) {
    const next: Qdisc | null = q.nextSched;
    q.nextSched = null;
    q.state &= ~QDISC_STATE_SCHED;
    if ((q.state & QDISC_STATE_DEACTIVATED) === 0) qdiscRun(q);
    q = next;
  }
}

/** Puts an sk_buff into `q` (which frees it if it has no room). Returns NET_XMIT_*. */
export function qdiscEnqueueRoot(skb: SkBuff, q: Qdisc): number {
  return q.ops.enqueue!(skb, q);
}

/** Marks `q` as being run. Returns false if it is already, further up the stack. */
export function qdiscRunBegin(q: Qdisc): boolean {
  if ((q.state & QDISC_STATE_RUNNING) !== 0) return false;
  q.state |= QDISC_STATE_RUNNING;
  return true;
}

export function qdiscRunEnd(q: Qdisc): void {
  q.state &= ~QDISC_STATE_RUNNING;
}

/** Sends from `q` until it is empty, the driver is full, or sysctl net.core.dev_tx_weight packets are out. */
export function qdiscRun(q: Qdisc): void {
  if (!qdiscRunBegin(q)) return;
  let quota = q.dev.net.netdev.sysctlDevTxWeight;
  while (qdiscRestart(q)) {
    if (--quota <= 0) {
      netifSchedule(q);
      break;
    }
  }
  qdiscRunEnd(q);
}

/** Most sk_buffs taken from a qdisc in one batch, for one kick of the device. */
const BULK_DEQUEUE = 8;

/** Sends the next batch of `q`. Returns whether it is worth going on. */
function qdiscRestart(q: Qdisc): boolean {
  const dev = q.dev;
  if (netifQueueStopped(dev)) return false;
  const requeued = q.gsoSkb;
  if (requeued !== null) {
    q.gsoSkb = requeued.next;
    requeued.next = null;
    q.qlen--;
    q.backlog -= requeued.len;
    return schDirectXmit(requeued, q, dev, false);
  }
  const skb = q.ops.dequeue(q);
  if (skb === null) return false;
  if (q.qlen > 0) return schDirectXmit(tryBulkDequeue(q, skb), q, dev, true);
  return schDirectXmit(skb, q, dev, true);
}

/** Links up to BULK_DEQUEUE sk_buffs of `q` behind `skb`. */
function tryBulkDequeue(q: Qdisc, skb: SkBuff): SkBuff {
  let last = skb;
  for (let n = 1; n < BULK_DEQUEUE; n++) {
    const next = q.ops.dequeue(q);
    if (next === null) break;
    last.next = next;
    last = next;
  }
  return skb;
}

/**
 * Hands `skb` (its caller's until now) to the driver, cut and completed first if `validate`. What the driver does not
 * take goes back to the head of `q`. Returns whether `q` has more and the driver takes it.
 */
export function schDirectXmit(skb: SkBuff, q: Qdisc, dev: NetDevice, validate: boolean): boolean {
  const list = validate ? validateXmitSkbList(skb, dev) : skb;
  if (list === null) return q.qlen > 0;
  const rest = netifQueueStopped(dev) ? list : devHardStartXmit(list, dev);
  if (rest !== null) {
    devRequeueSkb(rest, q);
    return false;
  }
  return q.qlen > 0;
}

/** Puts a list that the driver did not take back in front of everything in `q`. */
function devRequeueSkb(list: SkBuff, q: Qdisc): void {
  let skb: SkBuff = list;
  for (;;) {
    q.requeues++;
    q.qlen++;
    q.backlog += skb.len;
    const next = skb.next;
    if (next === null) break;
    skb = next;
  }
  skb.next = q.gsoSkb;
  q.gsoSkb = list;
  if (!netifQueueStopped(q.dev)) netifSchedule(q);
}

/** Counts the sk_buff as gone out through `q`. */
export function qdiscBstatsUpdate(q: Qdisc, skb: SkBuff): void {
  q.bytes += skb.len;
  q.packets += skb.shinfo.gsoSize === 0 ? 1 : skb.shinfo.gsoSegs;
}

/** Drops `skb` as `q` has no room for it, and counts that. Returns `code` (NET_XMIT_DROP or NET_XMIT_CN). */
export function qdiscDrop(skb: SkBuff, q: Qdisc, code: number): number {
  q.drops++;
  q.dev.stats.txDropped++;
  kfreeSkbReason(skb, SKB_DROP_REASON_QDISC_DROP);
  return code;
}

/** A new qdisc for `dev`, set up. Returns null and frees it if its init fails. */
export function qdiscCreate(ops: QdiscOps, dev: NetDevice): Qdisc | null {
  const q = new Qdisc(ops, dev);
  q.limit = dev.txQueueLen;
  if (ops.init !== null && ops.init(q) < 0) return null;
  return q;
}

/** Frees what `q` holds and what its discipline keeps. */
export function qdiscDestroy(q: Qdisc): void {
  qdiscReset(q);
  if (q.ops.destroy !== null) q.ops.destroy(q);
}

/** Frees every sk_buff in `q`, without counting drops. */
export function qdiscReset(q: Qdisc): void {
  while (q.gsoSkb !== null) {
    const skb = q.gsoSkb;
    q.gsoSkb = skb.next;
    skb.next = null;
    kfreeSkbReason(skb, SKB_DROP_REASON_QDISC_DROP);
  }
  if (q.ops.reset !== null) q.ops.reset(q);
  q.qlen = 0;
  q.backlog = 0;
}
