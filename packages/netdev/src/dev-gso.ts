// Making a packet fit the device that it leaves by: generic segmentation offload and checksum completion.
//
// validateXmitSkb() is called once per packet before the driver; skbGsoSegment() asks the protocol (PacketOffload) to cut.
// What the device can do itself (features) is left to it.

import { EPROTONOSUPPORT, SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_SKB_GSO_SEG } from '@stack/kernel';
import {
  CHECKSUM_PARTIAL, SKB_GSO_DODGY, SKB_GSO_TCPV4, SKB_GSO_TCPV6, SKB_GSO_TCP_ECN, SKB_GSO_TCP_FIXEDID, SKB_GSO_UDP_L4,
  __skbPull, __skbPush, consumeSkb, kfreeSkbReason, skbChecksumHelp, skbIsNonlinear, skbLinearize,
  type SkBuff,
} from '@stack/skbuff';
import { ETH_P_IP, ETH_P_IPV6 } from './if-ether.ts';
import { ethTypeVlan, skbNetworkProtocol, vlanHwaccelPushInside } from './if-vlan.ts';
import {
  NETIF_F_FRAGLIST, NETIF_F_GSO_MASK, NETIF_F_GSO_ROBUST, NETIF_F_GSO_UDP_L4, NETIF_F_HW_CSUM, NETIF_F_HW_VLAN_CTAG_TX,
  NETIF_F_IPV6_CSUM, NETIF_F_IP_CSUM, NETIF_F_SG, NETIF_F_TSO, NETIF_F_TSO6, NETIF_F_TSO_ECN, NETIF_F_TSO_MANGLEID,
} from './netdev-features.ts';
import type { NetDevice } from './netdevice.ts';
import { findOffload } from './ptype.ts';

/** The NETIF_F_ bits that a device needs to cut packets of this gsoType itself; 0 if none would do. */
function gsoFeaturesNeeded(gsoType: number): number {
  let need = 0;
  if ((gsoType & SKB_GSO_TCPV4) !== 0) need |= NETIF_F_TSO;
  if ((gsoType & SKB_GSO_TCPV6) !== 0) need |= NETIF_F_TSO6;
  if ((gsoType & SKB_GSO_TCP_ECN) !== 0) need |= NETIF_F_TSO_ECN;
  if ((gsoType & SKB_GSO_TCP_FIXEDID) !== 0) need |= NETIF_F_TSO_MANGLEID;
  if ((gsoType & SKB_GSO_UDP_L4) !== 0) need |= NETIF_F_GSO_UDP_L4;
  if ((gsoType & SKB_GSO_DODGY) !== 0) need |= NETIF_F_GSO_ROBUST;
  return need;
}

/** Whether the stack must cut this packet, as a device with `features` does not. */
export function netifNeedsGso(skb: SkBuff, features: number): boolean {
  const shinfo = skb.shinfo;
  if (shinfo.gsoSize === 0) return false;
  const need = gsoFeaturesNeeded(shinfo.gsoType);
  if ((features & need) !== need) return true;
  if (shinfo.fragList !== null && (features & NETIF_F_FRAGLIST) === 0) return true;
  return skb.ipSummed !== CHECKSUM_PARTIAL;
}

/**
 * Cuts a packet of many segments, `data` at its link-layer header. The caller keeps `skb`. Returns a list linked by
 * `next`, each segment complete from the link-layer header on, its checksum completed unless `features` has it; null if
 * there is nothing to cut; -EPROTONOSUPPORT if the protocol has no PacketOffload, or what that returned.
 */
export function skbGsoSegment(skb: SkBuff, features: number): SkBuff | number | null {
  const offload = findOffload(skb.net.netdev, skbNetworkProtocol(skb));
  if (offload === null) return -EPROTONOSUPPORT;
  const macLen = skb.networkHeader - skb.data;
  if (macLen < 0) return -EPROTONOSUPPORT;
  skb.macHeader = skb.data;
  skb.macLen = macLen;
  __skbPull(skb, macLen);
  const segs = offload.gsoSegment(skb, features);
  __skbPush(skb, skb.data - skb.macHeader);
  return segs;
}

/** What of dev.features holds for this sk_buff. */
export function netifSkbFeatures(skb: SkBuff, dev: NetDevice): number {
  let features = dev.features;
  const shinfo = skb.shinfo;
  if (shinfo.gsoSize !== 0 && shinfo.gsoSegs > dev.gsoMaxSegs) features &= ~NETIF_F_GSO_MASK;
  if (skb.vlanProto !== 0 || ethTypeVlan(skb.protocol)) features &= dev.vlanFeatures | NETIF_F_HW_VLAN_CTAG_TX;
  const check = dev.netdevOps.ndoFeaturesCheck;
  return check === null ? features : check(skb, dev, features);
}

/**
 * Makes `skb` fit the device: puts a VLAN tag that it cannot insert into the octets, cuts a packet of many segments that it cannot cut, makes one piece of one that it cannot
 * gather, completes a checksum that it cannot. Takes the sk_buff over. Returns a list linked by `next`, or null when it
 * had to be dropped (counted).
 */
export function validateXmitSkb(skb: SkBuff, dev: NetDevice): SkBuff | null {
  if (skb.vlanProto !== 0 && (dev.features & NETIF_F_HW_VLAN_CTAG_TX) === 0 && vlanHwaccelPushInside(skb) === null) {
    dev.stats.txDropped++;
    return null;
  }
  if (skb.shinfo.gsoSize === 0 && skb.ipSummed !== CHECKSUM_PARTIAL && skb.dataLen === 0) return skb;
  const features = netifSkbFeatures(skb, dev);
  if (netifNeedsGso(skb, features)) {
    const segs = skbGsoSegment(skb, features);
    if (typeof segs === 'number') return validateDrop(skb, dev, SKB_DROP_REASON_SKB_GSO_SEG);
    if (segs !== null) {
      consumeSkb(skb);
      return segs;
    }
  } else {
    if (skbNeedsLinearize(skb, features) && skbLinearize(skb) !== 0) return validateDrop(skb, dev, SKB_DROP_REASON_NOMEM);
    if (skb.ipSummed === CHECKSUM_PARTIAL && skbCsumHwoffloadHelp(skb, features) !== 0) {
      return validateDrop(skb, dev, SKB_DROP_REASON_NOMEM);
    }
  }
  return skb;
}

/** validateXmitSkb() for each of a list. */
export function validateXmitSkbList(first: SkBuff, dev: NetDevice): SkBuff | null {
  if (first.next === null) return validateXmitSkb(first, dev);
  let head: SkBuff | null = null;
  let tail: SkBuff | null = null;
  let skb: SkBuff | null = first;
  while (skb !== null) {
    const next: SkBuff | null = skb.next;
    skb.next = null;
    const list = validateXmitSkb(skb, dev);
    if (list !== null) {
      if (tail === null) head = list;
      else tail.next = list;
      tail = list;
      while (tail.next !== null) tail = tail.next;
    }
    skb = next;
  }
  return head;
}

function validateDrop(skb: SkBuff, dev: NetDevice, reason: number): null {
  dev.stats.txDropped++;
  kfreeSkbReason(skb, reason);
  return null;
}

function skbNeedsLinearize(skb: SkBuff, features: number): boolean {
  if (!skbIsNonlinear(skb)) return false;
  if (skb.shinfo.fragList !== null && (features & NETIF_F_FRAGLIST) === 0) return true;
  return skb.shinfo.nrFrags !== 0 && (features & NETIF_F_SG) === 0;
}

/** Completes the checksum unless the device does. Returns 0 or -errno. */
export function skbCsumHwoffloadHelp(skb: SkBuff, features: number): number {
  if ((features & NETIF_F_HW_CSUM) !== 0) return 0;
  if ((features & NETIF_F_IP_CSUM) !== 0 && skb.protocol === ETH_P_IP && csumOfTcpOrUdp(skb)) return 0;
  if ((features & NETIF_F_IPV6_CSUM) !== 0 && skb.protocol === ETH_P_IPV6 && csumOfTcpOrUdp(skb)) return 0;
  return skbChecksumHelp(skb);
}

/** Whether the checksum to complete is where TCP (16) or UDP (6) has it: all that NETIF_F_IP_CSUM covers. */
function csumOfTcpOrUdp(skb: SkBuff): boolean {
  return skb.csumOffset === 16 || skb.csumOffset === 6;
}
