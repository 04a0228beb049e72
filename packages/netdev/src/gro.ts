// Where a NAPI driver hands up what it received: the place of generic receive offload.
//
// napiGroReceive() is called by a driver's poll for each packet, eth_type_trans done. Packets of one flow that a protocol
// merges (PacketOffload.groReceive) wait in napi.groList until the poll ends; all others go up at once.

import { NETIF_F_GRO } from './netdev-features.ts';
import { kfreeSkbReason, skbDequeue, type SkBuff } from '@stack/skbuff';
import { SKB_DROP_REASON_NOT_SPECIFIED } from '@stack/kernel';
import type { NapiStruct } from './netdevice.ts';
import { netifReceiveSkb } from './dev-receive.ts';
import { findOffload } from './ptype.ts';

/** PacketOffload.groReceive: the packet was merged into one in napi.groList (and freed, or hangs on it). */
export const GRO_MERGED = 0;
/** PacketOffload.groReceive: the packet is now held in napi.groList. */
export const GRO_HELD = 1;
/** PacketOffload.groReceive: not a packet to merge; it goes up now. */
export const GRO_NORMAL = 2;

/** Takes over a received packet, `data` at the network header. Returns GRO_*. */
export function napiGroReceive(napi: NapiStruct, skb: SkBuff): number {
  const dev = napi.dev;
  if ((dev.features & NETIF_F_GRO) !== 0) {
    const offload = findOffload(dev.net.netdev, skb.protocol);
    if (offload !== null && offload.groReceive !== null) {
      const verdict = offload.groReceive(napi, skb);
      if (verdict !== GRO_NORMAL) return verdict;
    }
  }
  netifReceiveSkb(skb);
  return GRO_NORMAL;
}

/** Hands up everything that `napi` holds, oldest first. */
export function groFlushAll(napi: NapiStruct): void {
  let skb = skbDequeue(napi.groList);
  while (skb !== null) {
    napiGroComplete(skb);
    skb = skbDequeue(napi.groList);
  }
}

/** Hands up one packet taken from a groList, its headers put right if others were merged into it. */
export function napiGroComplete(skb: SkBuff): void {
  if (skb.shinfo.gsoSize !== 0) {
    const offload = findOffload(skb.net.netdev, skb.protocol);
    if (offload !== null && offload.groComplete !== null && offload.groComplete(skb) !== 0) {
      kfreeSkbReason(skb, SKB_DROP_REASON_NOT_SPECIFIED);
      return;
    }
  }
  netifReceiveSkb(skb);
}
