// Receiving: from the driver to the protocols.
//
// NAPI driver: poll -> napiGroReceive() (gro.ts) -> netifReceiveSkb(). Other drivers: netifRx() and processBacklog()
// (dev-backlog.ts) -> netifReceiveSkb(). From there: taps (ptypeAll), the VLAN device if there is a tag, the device's
// rxHandler, ptypeBase by skb.protocol; a packet that VLAN device or rxHandler gave another device begins again as that one's.
// Everything here takes the sk_buff over.

import { SKB_DROP_REASON_UNHANDLED_PROTO, softirqCharge } from '@stack/kernel';
import { NET_RX_DROP, NET_RX_SUCCESS, kfreeSkbReason, skbClone, type SkBuff } from '@stack/skbuff';
import { PACKET_OTHERHOST } from './if-packet.ts';
import { VLAN_VID_MASK, ethTypeVlan, skbVlanUntag, vlanHwaccelClearTag, vlanTapClone } from './if-vlan.ts';
import { RX_HANDLER_ANOTHER, RX_HANDLER_CONSUMED, RX_HANDLER_EXACT, type NetDevice, type PacketType } from './netdevice.ts';
import { PTYPE_HASH_MASK, type NetnsNetdev } from './softnet.ts';
import { vlanDoReceive } from './vlan-core.ts';

/**
 * Hands a received packet to whoever wants it: `data` at the network header, macHeader, protocol, dev and pktType set
 * (ethTypeTrans()). Called in softirq. Returns what the last handler said, NET_RX_DROP if there is none.
 */
export function netifReceiveSkb(skb: SkBuff): number {
  const origDev = skb.dev!;
  const net = origDev.net;
  if (net.trace !== null) net.trace.hit(net, 'netif_receive_skb', skb);
  const nn = net.netdev;
  nn.softnet.processed++;
  softirqCharge(net.world, 1 + (skb.len >> 12));
  if (nn.netstampNeeded !== 0 && skb.tstamp === 0) skb.tstamp = net.world.now;
  skb.networkHeader = skb.data;
  skb.macLen = skb.data - skb.macHeader;
  skb.skbIif = origDev.ifindex;
  let dev = origDev;
  for (;;) {
    if (nn.ptypeAll.length !== 0) deliverTaps(nn.ptypeAll, skb, dev, origDev);
    if (dev.ptypeAll.length !== 0) deliverTaps(dev.ptypeAll, skb, dev, origDev);
    if (skb.vlanProto !== 0 || ethTypeVlan(skb.protocol)) {
      const verdict = receiveTagged(skb);
      if (verdict < 0) return NET_RX_DROP;
      if (verdict > 0) {
        dev = skb.dev!;
        continue;
      }
    }
    const handler = dev.rxHandler;
    if (handler === null) return deliverPtype(nn, skb, dev, origDev, false);
    const verdict = handler(skb);
    if (verdict === RX_HANDLER_CONSUMED) return NET_RX_SUCCESS;
    if (verdict !== RX_HANDLER_ANOTHER) return deliverPtype(nn, skb, dev, origDev, verdict === RX_HANDLER_EXACT);
    dev = skb.dev!;
  }
}

/**
 * A packet with a tag in its octets or beside them. Returns 1 if its VLAN device has it now, -1 if it was freed, 0 if nobody
 * here has that VLAN: the tag is beside the octets still (a bridge forwards it), see deliverPtype().
 */
function receiveTagged(skb: SkBuff): number {
  if (skb.vlanProto === 0 && skbVlanUntag(skb) === null) return -1;
  return vlanDoReceive(skb);
}

/** Each tap gets a clone. Deviation: Linux hands out the same sk_buff with a reference more, which the tap then clones. */
function deliverTaps(taps: PacketType[], skb: SkBuff, dev: NetDevice, origDev: NetDevice): void {
  for (let i = 0; i < taps.length; i++) {
    const pt = taps[i]!;
    const clone = vlanTapClone(skb);
    if (clone === null) return;
    if (clone.tstamp === 0) clone.tstamp = dev.net.world.now;
    pt.func(clone, dev, pt, origDev);
  }
}

/** To the protocols of skb.protocol: the last gets the sk_buff itself, those before it clones. */
function deliverPtype(nn: NetnsNetdev, skb: SkBuff, dev: NetDevice, origDev: NetDevice, exact: boolean): number {
  if (skb.vlanProto !== 0) {
    // Not our VLAN, so not for us; number 0 is no VLAN but a priority (IEEE 802.1Q §9.6).
    if ((skb.vlanTci & VLAN_VID_MASK) !== 0) skb.pktType = PACKET_OTHERHOST;
    vlanHwaccelClearTag(skb);
  }
  const protocol = skb.protocol;
  const bucket = nn.ptypeBase[protocol & PTYPE_HASH_MASK]!;
  let prev: PacketType | null = null;
  for (let i = 0; i < bucket.length; i++) {
    const pt = bucket[i]!;
    if (pt.type !== protocol) continue;
    if (pt.dev === null ? exact : pt.dev !== dev && pt.dev !== origDev) continue;
    if (prev !== null) {
      const clone = skbClone(skb);
      if (clone !== null) prev.func(clone, dev, prev, origDev);
    }
    prev = pt;
  }
  if (prev !== null) return prev.func(skb, dev, prev, origDev);
  origDev.stats.rxDropped++;
  origDev.stats.rxNohandler++;
  kfreeSkbReason(skb, SKB_DROP_REASON_UNHANDLED_PROTO);
  return NET_RX_DROP;
}

/** A user wants receive time stamps (skb.tstamp); see netDisableTimestamp(). */
export function netEnableTimestamp(nn: NetnsNetdev): void {
  nn.netstampNeeded++;
}

export function netDisableTimestamp(nn: NetnsNetdev): void {
  nn.netstampNeeded--;
}

/** Has `handler` take every packet that `dev` receives before the protocols. Returns false if it has one already. */
export function netdevRxHandlerRegister(dev: NetDevice, handler: (skb: SkBuff) => number, data: unknown): boolean {
  if (dev.rxHandler !== null) return false;
  dev.rxHandler = handler;
  dev.rxHandlerData = data;
  return true;
}

export function netdevRxHandlerUnregister(dev: NetDevice): void {
  dev.rxHandler = null;
  dev.rxHandlerData = null;
}
