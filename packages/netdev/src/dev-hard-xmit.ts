// The last step of sending: taps, then the driver.
//
// Called by sch-generic.ts (schDirectXmit) and dev-xmit.ts (devices without a queue), with sk_buffs that validateXmitSkb()
// has made fit for the device.

import { SKBTX_SW_TSTAMP, skbClone, skbResetMacHeader, skbTstampTx, type SkBuff } from '@stack/skbuff';
import { PACKET_OUTGOING } from './if-packet.ts';
import { LINK_STATE_XOFF, NETDEV_TX_BUSY, type NetDevice, type PacketType } from './netdevice.ts';

/**
 * Hands a list (linked by `next`) to the driver, one by one, showing each to the taps. Takes over what the driver took.
 * Returns what it did not take, first the one that it refused (NETDEV_TX_BUSY), or null.
 */
export function devHardStartXmit(first: SkBuff, dev: NetDevice): SkBuff | null {
  const nn = dev.net.netdev;
  const ops = dev.netdevOps;
  let skb: SkBuff | null = first;
  while (skb !== null) {
    const next: SkBuff | null = skb.next;
    skb.next = null;
    if (nn.ptypeAll.length !== 0 || nn.ptypeDevCount !== 0) devQueueXmitNit(skb, dev);
    dev.xmitMore = next !== null;
    // Deviation: here for all drivers, which call skb_tx_timestamp themselves in Linux.
    if (skb.shinfo.txFlags !== 0) skbTstampTx(skb, SKBTX_SW_TSTAMP);
    const rc = ops.ndoStartXmit(skb, dev);
    if (rc === NETDEV_TX_BUSY) {
      skb.next = next;
      return skb;
    }
    if (next !== null && (dev.state & LINK_STATE_XOFF) !== 0) return next;
    skb = next;
  }
  return null;
}

/** Shows a packet that is about to leave to every tap but its sender's own: each gets a clone. The caller keeps `skb`. */
export function devQueueXmitNit(skb: SkBuff, dev: NetDevice): void {
  const nn = dev.net.netdev;
  if (nn.ptypeAll.length !== 0) xmitNit(nn.ptypeAll, skb, dev);
  if (dev.ptypeAll.length !== 0) xmitNit(dev.ptypeAll, skb, dev);
}

function xmitNit(taps: PacketType[], skb: SkBuff, dev: NetDevice): void {
  for (let i = 0; i < taps.length; i++) {
    const pt = taps[i]!;
    if (pt.afPacketPriv !== null && pt.afPacketPriv === skb.sk) continue;
    const clone = skbClone(skb);
    if (clone === null) return;
    // Its departure time is over: now is when it leaves.
    clone.tstamp = dev.net.world.now;
    skbResetMacHeader(clone);
    clone.pktType = PACKET_OUTGOING;
    pt.func(clone, dev, pt, dev);
  }
}
