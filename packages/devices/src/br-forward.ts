// From the bridge to its ports (net/bridge/br_forward.c).
//
// brForward() to one port, brFlood() to all that may have it; each ends in brForwardFinish(): Ethernet header back in front,
// devQueueXmit(). The last port gets the sk_buff itself, those before it clones.

import { SKB_DROP_REASON_NO_TX_TARGET, SKB_DROP_REASON_PKT_TOO_BIG } from '@stack/kernel';
import { IFF_UP, PACKET_BROADCAST, PACKET_MULTICAST, VLAN_HLEN, devQueueXmit, type NetDevice } from '@stack/netdev';
import { CHECKSUM_COMPLETE, CHECKSUM_NONE, __skbPush, kfreeSkbReason, skbClone, type SkBuff } from '@stack/skbuff';
import {
  BR_BCAST_FLOOD, BR_FLOOD, BR_HAIRPIN_MODE, BR_ISOLATED, BR_MCAST_FLOOD, BR_STATE_FORWARDING, brPortGet, type NetBridge,
  type NetBridgePort,
} from './br-private.ts';

/** Whether a frame that came in by `skb.dev` may leave by `port`. From the bridge itself it may. */
function shouldDeliver(port: NetBridgePort, skb: SkBuff): boolean {
  if (port.state !== BR_STATE_FORWARDING) return false;
  const from = skb.dev!;
  if (from === port.br.dev) return true;
  if (from === port.dev) return (port.flags & BR_HAIRPIN_MODE) !== 0;
  return (port.flags & BR_ISOLATED) === 0 || (brPortGet(from).flags & BR_ISOLATED) === 0;
}

/** Whether `dev` takes a frame of this size: a packet of many segments is cut before it leaves. */
export function isSkbForwardable(dev: NetDevice, skb: SkBuff, len: number): boolean {
  if ((dev.flags & IFF_UP) === 0) return false;
  return len <= dev.mtu + dev.hardHeaderLen + VLAN_HLEN || skb.shinfo.gsoSize !== 0;
}

/** Sends by `port`. `data` is at the network header. Takes the sk_buff over. */
function __brForward(port: NetBridgePort, skb: SkBuff): void {
  const dev = port.dev;
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, '__br_forward', skb);
  skb.dev = dev;
  if (skb.ipSummed === CHECKSUM_COMPLETE) skb.ipSummed = CHECKSUM_NONE;
  __skbPush(skb, skb.data - skb.macHeader);
  if (!isSkbForwardable(dev, skb, skb.len)) {
    dev.stats.txDropped++;
    kfreeSkbReason(skb, SKB_DROP_REASON_PKT_TOO_BIG);
    return;
  }
  devQueueXmit(skb);
}

/** __brForward() with a clone; the caller keeps `skb`. */
function deliverClone(port: NetBridgePort, skb: SkBuff): void {
  const clone = skbClone(skb);
  if (clone === null) port.br.dev.stats.txDropped++;
  else __brForward(port, clone);
}

/** To one port (null: the bridge itself, so nowhere). With `localRcv` the caller keeps the sk_buff, else it is taken over. */
export function brForward(port: NetBridgePort | null, skb: SkBuff, localRcv: boolean): void {
  if (port !== null && shouldDeliver(port, skb)) {
    if (localRcv) deliverClone(port, skb);
    else __brForward(port, skb);
  } else if (!localRcv) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NO_TX_TARGET);
  }
}

/** The port flag that lets a frame of this kind be flooded. */
function floodFlag(pktType: number): number {
  if (pktType === PACKET_BROADCAST) return BR_BCAST_FLOOD;
  return pktType === PACKET_MULTICAST ? BR_MCAST_FLOOD : BR_FLOOD;
}

/**
 * To every port that may have it; `pktType` is PACKET_BROADCAST, PACKET_MULTICAST, or anything else for a station that the
 * bridge does not know. With `localRcv` the caller keeps the sk_buff, else it is taken over.
 */
export function brFlood(br: NetBridge, skb: SkBuff, pktType: number, localRcv: boolean): void {
  const need = floodFlag(pktType);
  let prev: NetBridgePort | null = null;
  for (let i = 0; i < br.portList.length; i++) {
    const port = br.portList[i]!;
    if ((port.flags & need) === 0 || !shouldDeliver(port, skb)) continue;
    if (prev !== null) deliverClone(prev, skb);
    prev = port;
  }
  if (prev !== null) {
    if (localRcv) deliverClone(prev, skb);
    else __brForward(prev, skb);
  } else if (!localRcv) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NO_TX_TARGET);
  }
}
