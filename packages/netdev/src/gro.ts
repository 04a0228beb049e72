// Generic receive offload: packets of one flow that came together go up as one.
//
// A NAPI driver hands each packet to napiGroReceive(), eth_type_trans done. The protocol (PacketOffload.groReceive) appends it to
// one that is held in napi.groList, or lets it be held; all others go up at once. What is held goes up when nothing more
// can be appended to it, at the latest when the poll ends (groFlushAll()).
// A merged packet is as a sender with segmentation offload would have made it, so it can be cut again.

import { SKB_DROP_REASON_GRO_HEADER } from '@stack/kernel';
import {
  consumeSkb, groCbCount, groCbFlush, groCbInit, groCbSameFlow, kfreeSkbReason, skbDequeue, skbQueueTail, skbUnlink, type SkBuff,
} from '@stack/skbuff';
import { netifReceiveSkb } from './dev-receive.ts';
import { NETIF_F_GRO } from './netdev-features.ts';
import type { NapiStruct, PacketOffload } from './netdevice.ts';
import { findOffload } from './ptype.ts';

/** napiGroReceive: the packet was appended to one that is held, and is no more. */
export const GRO_MERGED = 0;
/** napiGroReceive: the packet is held. */
export const GRO_HELD = 1;
/** napiGroReceive: the packet has gone up. */
export const GRO_NORMAL = 2;

/** Most packets that one source holds. */
const MAX_GRO_SKBS = 8;

/** Takes over a received packet, `data` at the network header. Returns GRO_*. */
export function napiGroReceive(napi: NapiStruct, skb: SkBuff): number {
  const dev = napi.dev;
  if (skb.dataLen !== 0 || skb.shinfo.gsoSize !== 0) {
    // As large as it gets: it may continue what is held, and must not overtake it.
    if (napi.groList.qlen !== 0) groFlushAll(napi);
  } else if ((dev.features & NETIF_F_GRO) !== 0) {
    const offload = findOffload(dev.net.netdev, skb.protocol);
    if (offload !== null && offload.groReceive !== null) return devGroReceive(napi, offload, skb);
  }
  netifReceiveSkb(skb);
  return GRO_NORMAL;
}

function devGroReceive(napi: NapiStruct, offload: PacketOffload, skb: SkBuff): number {
  const held = napi.groList;
  groCbInit(skb);
  const done = offload.groReceive!(held, skb);
  if (done !== null) {
    skbUnlink(done, held);
    napiGroComplete(done);
  }
  if (groCbSameFlow(skb)) {
    consumeSkb(skb);
    return GRO_MERGED;
  }
  if (groCbFlush(skb)) {
    netifReceiveSkb(skb);
    return GRO_NORMAL;
  }
  if (held.qlen >= MAX_GRO_SKBS) napiGroComplete(skbDequeue(held)!);
  skbQueueTail(held, skb);
  return GRO_HELD;
}

/** Hands up everything that `napi` holds, oldest first. */
export function groFlushAll(napi: NapiStruct): void {
  let skb = skbDequeue(napi.groList);
  while (skb !== null) {
    napiGroComplete(skb);
    skb = skbDequeue(napi.groList);
  }
}

/** Hands up a packet taken from a groList, its headers put right if others were appended to it. */
function napiGroComplete(skb: SkBuff): void {
  if (groCbCount(skb) > 1) {
    const offload = findOffload(skb.net.netdev, skb.protocol);
    const complete = offload === null ? null : offload.groComplete;
    if (complete === null || complete(skb) !== 0) {
      kfreeSkbReason(skb, SKB_DROP_REASON_GRO_HEADER);
      return;
    }
  }
  netifReceiveSkb(skb);
}
