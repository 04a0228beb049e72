// From a port into the bridge (net/bridge/br_input.c).
//
// netifReceiveSkb() -> brHandleFrame(), the port's rxHandler -> brHandleFrameFinish(): learn who sent it, then out by
// one port (brForward) or by all (brFlood), up to this host (brPassFrameUp), or both.

import {
  SKB_DROP_REASON_BRIDGE_INGRESS_STP_STATE, SKB_DROP_REASON_MAC_IEEE_MAC_CONTROL, SKB_DROP_REASON_MAC_INVALID_SOURCE,
} from '@stack/kernel';
import {
  ETH_SOURCE, IFF_PROMISC, PACKET_BROADCAST, PACKET_HOST, PACKET_LOOPBACK, PACKET_MULTICAST, RX_HANDLER_CONSUMED,
  RX_HANDLER_PASS, netifReceiveSkb,
} from '@stack/netdev';
import { kfreeSkbReason, skbShareCheck, type SkBuff } from '@stack/skbuff';
import { brFdbFind, brFdbUpdate } from './br-fdb.ts';
import { brFlood, brForward } from './br-forward.ts';
import { BR_STATE_FORWARDING, brPortGet, type NetBridge, type NetBridgePort } from './br-private.ts';

/** 01:80:c2:00:00:00 to …:0f are for the bridge that hears them (IEEE 802.1Q-2022 §8.6.3): the first four octets, and the next two less their last digit. */
const LINK_LOCAL_HI = 0x0180c200;
const LINK_LOCAL_LO_MASK = 0xfff0;
/** Spanning tree's group, which a bridge without spanning tree passes on, and flow control's, which none does. */
const GROUP_STP = 0x0000;
const GROUP_PAUSE = 0x0001;

function drop(skb: SkBuff, reason: number): number {
  skb.dev!.stats.rxDropped++;
  kfreeSkbReason(skb, reason);
  return RX_HANDLER_CONSUMED;
}

/** The rxHandler of a port. Takes every frame but those for this port's own ears. Returns RX_HANDLER_*. */
export function brHandleFrame(skb: SkBuff): number {
  const dev = skb.dev!;
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'br_handle_frame', skb);
  if (skb.pktType === PACKET_LOOPBACK) return RX_HANDLER_PASS;
  const { view } = skb;
  const at = skb.macHeader;
  const source = view.getInt32(at + ETH_SOURCE);
  const sourceLo = view.getUint16(at + ETH_SOURCE + 4);
  if ((source & 0x01000000) !== 0 || (source === 0 && sourceLo === 0)) return drop(skb, SKB_DROP_REASON_MAC_INVALID_SOURCE);
  const port = brPortGet(dev);
  const hi = view.getInt32(at);
  const lo = view.getUint16(at + 4);
  if (hi === LINK_LOCAL_HI && (lo & LINK_LOCAL_LO_MASK) === 0 && lo !== GROUP_STP) {
    if (lo === GROUP_PAUSE) return drop(skb, SKB_DROP_REASON_MAC_IEEE_MAC_CONTROL);
    brFdbUpdate(port.br, port, source, sourceLo);
    return RX_HANDLER_PASS;
  }
  if (port.state !== BR_STATE_FORWARDING) return drop(skb, SKB_DROP_REASON_BRIDGE_INGRESS_STP_STATE);
  const own = skbShareCheck(skb);
  if (own === null) return RX_HANDLER_CONSUMED;
  const { devAddrHi, devAddrLo } = port.br.dev;
  if (hi === devAddrHi && lo === devAddrLo) own.pktType = PACKET_HOST;
  brFdbUpdate(port.br, port, source, sourceLo);
  brHandleFrameFinish(port, own, hi, lo);
  return RX_HANDLER_CONSUMED;
}

/** A frame for (hi, lo) that may be forwarded. Takes the sk_buff over. */
function brHandleFrameFinish(port: NetBridgePort, skb: SkBuff, hi: number, lo: number): void {
  const br = port.br;
  let localRcv = (br.dev.flags & IFF_PROMISC) !== 0;
  if ((hi & 0x01000000) !== 0) {
    // A group's: to every port, and to this host.
    br.dev.stats.multicast++;
    localRcv = true;
    brFlood(br, skb, hi === -1 && lo === 0xffff ? PACKET_BROADCAST : PACKET_MULTICAST, localRcv);
  } else {
    const to = brFdbFind(br, hi, lo);
    if (to === null) {
      brFlood(br, skb, PACKET_HOST, localRcv);
    } else if (to.isLocal) {
      localRcv = true;
      skb.pktType = PACKET_HOST;
    } else {
      to.used = br.dev.net.world.jiffies;
      brForward(to.dst, skb, localRcv);
    }
  }
  if (localRcv) brPassFrameUp(br, skb);
}

/**
 * To this host, as received by the bridge's own device. Takes the sk_buff over.
 * Deviation: Linux counts these octets without the Ethernet header; every other device counts with it, and so does ours.
 */
function brPassFrameUp(br: NetBridge, skb: SkBuff): void {
  const dev = br.dev;
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'br_pass_frame_up', skb);
  dev.stats.rxPackets++;
  dev.stats.rxBytes += skb.len + skb.macLen;
  skb.dev = dev;
  netifReceiveSkb(skb);
}
