// When a packet passes points on its way down (SO_TIMESTAMPING): shinfo.txFlags says at which its sender wants to hear of it.
//
// The device layer calls skbTstampTx; who tells the sender is the socket layer, which puts itself into pool.tstampTx.

import type { SkBuff } from './sk-buff.ts';

/** shinfo.txFlags: tell the sender when the driver gets the packet, and when the qdisc does. */
export const SKBTX_SW_TSTAMP = 1 << 1;
export const SKBTX_SCHED_TSTAMP = 1 << 6;
export const SKBTX_ANY_TSTAMP = SKBTX_SW_TSTAMP | SKBTX_SCHED_TSTAMP;

/** skb (lent) passes the point `flag` (SKBTX_…) now. */
export function skbTstampTx(skb: SkBuff, flag: number): void {
  if ((skb.shinfo.txFlags & flag) === 0) return;
  const { tstampTx } = skb.net.world.pool;
  if (tstampTx !== null) tstampTx(skb, flag);
}
