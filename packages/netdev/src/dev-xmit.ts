// Sending: from dev_queue_xmit to the driver's ndoStartXmit.
//
// devQueueXmit() -> the qdisc (sch-generic.ts), or straight on for devices without one -> validateXmitSkb() cuts and
// completes what the device cannot -> devHardStartXmit() -> taps -> ndoStartXmit().
// Everything here takes the sk_buff over; NET_XMIT_DROP and negative results mean that it has been freed and counted.

import { ENETDOWN, SKB_DROP_REASON_DEV_READY } from '@stack/kernel';
import { NET_XMIT_DROP, NET_XMIT_SUCCESS, SKBTX_SCHED_TSTAMP, kfreeSkbReason, skbResetMacHeader, skbTstampTx, type SkBuff } from '@stack/skbuff';
import { validateXmitSkb } from './dev-gso.ts';
import { devHardStartXmit } from './dev-hard-xmit.ts';
import { IFF_UP } from './if.ts';
import { TCQ_F_CAN_BYPASS, type NetDevice, type Qdisc } from './netdevice.ts';
import {
  netifQueueStopped, qdiscBstatsUpdate, qdiscEnqueueRoot, qdiscRun, qdiscRunBegin, qdiscRunEnd, schDirectXmit,
} from './sch-generic.ts';
import type { NetnsNetdev } from './softnet.ts';

/** How deep devices without a queue may transmit through each other. */
const XMIT_RECURSION_LIMIT = 8;

/**
 * Sends `skb` on `skb.dev`: the one entry to all devices. `data` is at the link-layer header, `networkHeader` set, and
 * `protocol` the ETH_P_ of what is inside. Takes the sk_buff over. Returns NET_XMIT_SUCCESS, NET_XMIT_CN (queued or
 * dropped under congestion), NET_XMIT_DROP, or -ENETDOWN.
 */
export function devQueueXmit(skb: SkBuff): number {
  const dev = skb.dev!;
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'dev_queue_xmit', skb);
  skbResetMacHeader(skb);
  if (skb.shinfo.txFlags !== 0) skbTstampTx(skb, SKBTX_SCHED_TSTAMP);
  const q = dev.qdisc;
  if (q.ops.enqueue !== null) return devXmitSkb(skb, q, dev);
  return devXmitNoqueue(skb, dev, net.netdev);
}

/** Through the qdisc: past it when it is empty and idle. */
function devXmitSkb(skb: SkBuff, q: Qdisc, dev: NetDevice): number {
  if (q.qlen === 0 && (q.flags & TCQ_F_CAN_BYPASS) !== 0 && !netifQueueStopped(dev) && qdiscRunBegin(q)) {
    qdiscBstatsUpdate(q, skb);
    const more = schDirectXmit(skb, q, dev, true);
    qdiscRunEnd(q);
    if (more) qdiscRun(q);
    return NET_XMIT_SUCCESS;
  }
  const rc = qdiscEnqueueRoot(skb, q);
  qdiscRun(q);
  return rc;
}

/** Devices without a queue (loopback and other virtual ones): now or never. */
function devXmitNoqueue(skb: SkBuff, dev: NetDevice, nn: NetnsNetdev): number {
  const sd = nn.softnet;
  if ((dev.flags & IFF_UP) === 0) return devXmitDrop(skb, dev, SKB_DROP_REASON_DEV_READY);
  if (sd.xmitRecursion > XMIT_RECURSION_LIMIT) return devXmitDrop(skb, dev, SKB_DROP_REASON_DEV_READY);
  const list = validateXmitSkb(skb, dev);
  if (list === null) return NET_XMIT_DROP;
  if (netifQueueStopped(dev)) return devXmitDropList(list, dev);
  sd.xmitRecursion++;
  const rest = devHardStartXmit(list, dev);
  sd.xmitRecursion--;
  return rest === null ? NET_XMIT_SUCCESS : devXmitDropList(rest, dev);
}

function devXmitDrop(skb: SkBuff, dev: NetDevice, reason: number): number {
  dev.stats.txDropped++;
  kfreeSkbReason(skb, reason);
  return -ENETDOWN;
}

function devXmitDropList(list: SkBuff, dev: NetDevice): number {
  let skb: SkBuff | null = list;
  while (skb !== null) {
    const next: SkBuff | null = skb.next;
    skb.next = null;
    devXmitDrop(skb, dev, SKB_DROP_REASON_DEV_READY);
    skb = next;
  }
  return -ENETDOWN;
}
