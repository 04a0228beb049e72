// The receive queue of devices without NAPI.
//
// interrupt -> netifRx() -> backlog; NET_RX_SOFTIRQ -> netRxAction() -> processBacklog() -> netifReceiveSkb().
// process_backlog is a NAPI poll like any other, so that one loop serves both kinds of device.

import { SKB_DROP_REASON_CPU_BACKLOG, SKB_DROP_REASON_DEV_READY } from '@stack/kernel';
import { NET_RX_DROP, NET_RX_SUCCESS, kfreeSkbReason, skbDequeue, skbQueueTail, type SkBuff } from '@stack/skbuff';
import { netifReceiveSkb } from './dev-receive.ts';
import { napiCompleteDone, napiSchedule } from './napi.ts';
import { LINK_STATE_START, NAPI_STATE_SCHED, type NapiStruct, type NetDevice } from './netdevice.ts';

/**
 * Queues a received packet for process_backlog: what drivers without NAPI call from their interrupt handler.
 * Returns NET_RX_SUCCESS, or NET_RX_DROP (freed and counted) if the backlog is full or the device down.
 */
export function netifRx(skb: SkBuff): number {
  const dev = skb.dev!;
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'netif_rx', skb);
  const nn = net.netdev;
  const sd = nn.softnet;
  if (nn.netstampNeeded !== 0 && skb.tstamp === 0) skb.tstamp = net.world.now;
  if ((dev.state & LINK_STATE_START) === 0) return netifRxDrop(skb, dev, SKB_DROP_REASON_DEV_READY);
  if (sd.inputPktQueue.qlen > nn.sysctlNetdevMaxBacklog) {
    sd.dropped++;
    return netifRxDrop(skb, dev, SKB_DROP_REASON_CPU_BACKLOG);
  }
  skbQueueTail(sd.inputPktQueue, skb);
  if ((sd.backlog.state & NAPI_STATE_SCHED) === 0) napiSchedule(sd.backlog);
  return NET_RX_SUCCESS;
}

function netifRxDrop(skb: SkBuff, dev: NetDevice, reason: number): number {
  dev.stats.rxDropped++;
  kfreeSkbReason(skb, reason);
  return NET_RX_DROP;
}

/** The poll of all devices without NAPI: hands up what netifRx() queued, at most `quota`. */
export function processBacklog(napi: NapiStruct, quota: number): number {
  const net = napi.dev.net;
  if (net.trace !== null) net.trace.hit(net, 'process_backlog', null);
  const queue = net.netdev.softnet.inputPktQueue;
  let work = 0;
  while (work < quota) {
    const skb = skbDequeue(queue);
    if (skb === null) {
      napiCompleteDone(napi, 0);
      break;
    }
    work++;
    netifReceiveSkb(skb);
  }
  return work;
}

/** Drops whatever of `dev` waits in the backlog: the device goes. */
export function flushBacklog(dev: NetDevice): void {
  const queue = dev.net.netdev.softnet.inputPktQueue;
  for (let left = queue.qlen; left > 0; left--) {
    const skb = skbDequeue(queue)!;
    if (skb.dev === dev) netifRxDrop(skb, dev, SKB_DROP_REASON_DEV_READY);
    else skbQueueTail(queue, skb);
  }
}
