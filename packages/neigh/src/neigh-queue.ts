/*
 * The packets that wait for a neighbour's address.
 */
import { SKB_DROP_REASON_NEIGH_DEAD } from '@stack/kernel';
import { kfreeSkbReason, skbDequeue } from '@stack/skbuff';
import type { Neighbour } from './neighbour.ts';

/** Drops what waits for the answer. */
export function neighPurgeQueue(neigh: Neighbour): void {
  for (let skb = skbDequeue(neigh.arpQueue); skb !== null; skb = skbDequeue(neigh.arpQueue)) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NEIGH_DEAD);
  }
  neigh.arpQueueLenBytes = 0;
}
