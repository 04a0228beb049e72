// IEEE 802.1Q tags: in a frame's octets, and beside them in skb.vlanProto and skb.vlanTci while the stack has the packet.
//
// Up: netifReceiveSkb() -> skbVlanUntag() -> vlanDoReceive() (vlan-core.ts). Down: a VLAN device puts the tag in the two
// fields, and validateXmitSkb() -> vlanHwaccelPushInside() puts it in the octets, unless the device does so itself.
// skb.vlanProto is 0 while there is no tag beside the octets. Read first: IEEE 802.1Q-2022 §9.3 to §9.6.

import { SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_PKT_TOO_SMALL } from '@stack/kernel';
import {
  __skbPull, __skbPush, kfreeSkbReason, pskbMayPull, skbClone, skbCow, skbCowHead, skbPullRcsum, skbPush, skbResetMacLen,
  skbResetNetworkHeader, type SkBuff,
} from '@stack/skbuff';
import { ETH_ALEN, ETH_HLEN, ETH_P_8021AD, ETH_P_8021Q, ETH_P_802_2, ETH_P_802_3, ETH_P_802_3_MIN, ETH_TYPE } from './if-ether.ts';
import type { NetDevice } from './netdevice.ts';

/** Octets of a tag: its protocol and its tag control information. */
export const VLAN_HLEN = 4;
/** Octets of an Ethernet header with a tag. */
export const VLAN_ETH_HLEN = 18;
/** Tag control information: the VLAN's number. */
export const VLAN_VID_MASK = 0x0fff;
/** Tag control information: drop eligible. */
export const VLAN_CFI_MASK = 0x1000;
/** Tag control information: the priority code point. */
export const VLAN_PRIO_MASK = 0xe000;
export const VLAN_PRIO_SHIFT = 13;

/** The VLAN devices on one device (struct vlan_info). */
export class VlanInfo {
  realDev: NetDevice;
  vlans: NetDevice[];

  constructor(realDev: NetDevice) {
    this.realDev = realDev;
    this.vlans = [];
  }
}

/** What a VLAN device keeps as its `priv` (struct vlan_dev_priv). */
export class VlanDevPriv {
  realDev: NetDevice;
  /** ETH_P_8021Q or ETH_P_8021AD. */
  vlanProto: number;
  vlanId: number;
  /** skb.priority of what arrives with each of the eight priority code points. */
  ingressPriority: Int32Array;
  /** skb.priority to priority code point; what is not in it leaves with 0. */
  egressPriority: Map<number, number>;

  constructor(realDev: NetDevice, vlanProto: number, vlanId: number) {
    this.realDev = realDev;
    this.vlanProto = vlanProto;
    this.vlanId = vlanId;
    this.ingressPriority = new Int32Array(8);
    this.egressPriority = new Map();
  }
}

/** Whether `type` is a tag's. */
export function ethTypeVlan(type: number): boolean {
  return type === ETH_P_8021Q || type === ETH_P_8021AD;
}

/** Puts a tag beside the octets, over one that is there. */
export function __vlanHwaccelPutTag(skb: SkBuff, vlanProto: number, vlanTci: number): void {
  skb.vlanProto = vlanProto;
  skb.vlanTci = vlanTci;
}

/** __vlanHwaccelPutTag() for a packet that may have a tag there already: that goes into the octets. Null: freed for want of memory. */
export function vlanHwaccelPutTag(skb: SkBuff, vlanProto: number, vlanTci: number): SkBuff | null {
  const tagged = skb.vlanProto === 0 ? skb : vlanHwaccelPushInside(skb);
  if (tagged !== null) __vlanHwaccelPutTag(tagged, vlanProto, vlanTci);
  return tagged;
}

/** The tag beside the octets is gone. */
export function vlanHwaccelClearTag(skb: SkBuff): void {
  skb.vlanProto = 0;
  skb.vlanTci = 0;
}

/**
 * Moves the tag from beside the octets into them; `data` is at the Ethernet header. Takes the sk_buff over. Returns it, or
 * null when there was no memory for it (freed).
 */
export function vlanHwaccelPushInside(skb: SkBuff): SkBuff | null {
  if (skbCowHead(skb, VLAN_HLEN) !== 0) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NOMEM);
    return null;
  }
  const at = skbPush(skb, VLAN_HLEN);
  skb.buf.copyWithin(at, at + VLAN_HLEN, at + VLAN_HLEN + 2 * ETH_ALEN);
  skb.view.setUint16(at + ETH_TYPE, skb.vlanProto);
  skb.view.setUint16(at + ETH_TYPE + 2, skb.vlanTci);
  skb.macHeader = at;
  skb.protocol = skb.vlanProto;
  vlanHwaccelClearTag(skb);
  return skb;
}

/**
 * Moves the tag that a received packet begins with (`data` at the tag control information, skb.protocol the tag's) beside
 * its octets. Takes the sk_buff over. Returns it, or null when it was cut short or there was no memory (freed).
 */
export function skbVlanUntag(skb: SkBuff): SkBuff | null {
  if (!pskbMayPull(skb, VLAN_HLEN)) {
    kfreeSkbReason(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
    return null;
  }
  // Taps have clones of it: the addresses are moved in a copy of our own.
  if (skbCow(skb, skb.data - skb.head) !== 0) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NOMEM);
    return null;
  }
  __vlanHwaccelPutTag(skb, skb.protocol, skb.view.getUint16(skb.data));
  const type = skb.view.getUint16(skb.data + 2);
  skbPullRcsum(skb, VLAN_HLEN);
  skb.protocol = type >= ETH_P_802_3_MIN ? type : encapProto(skb);
  const mac = skb.macHeader;
  skb.buf.copyWithin(mac + VLAN_HLEN, mac, mac + 2 * ETH_ALEN);
  skb.macHeader = mac + VLAN_HLEN;
  skbResetNetworkHeader(skb);
  skbResetMacLen(skb);
  return skb;
}

/** What is behind a tag whose type field is an IEEE 802.3 length. */
function encapProto(skb: SkBuff): number {
  return skb.len - skb.dataLen >= 2 && skb.view.getUint16(skb.data) === 0xffff ? ETH_P_802_3 : ETH_P_802_2;
}

/**
 * A clone for a tap, `data` behind the Ethernet header, with the tag in its octets, as it was on the wire.
 * Deviation: Linux gives taps the tag beside the octets, and libpcap puts it back from PACKET_AUXDATA.
 */
export function vlanTapClone(skb: SkBuff): SkBuff | null {
  const clone = skbClone(skb);
  if (clone === null || skb.vlanProto === 0) return clone;
  __skbPush(clone, clone.data - clone.macHeader);
  const tagged = vlanHwaccelPushInside(clone);
  if (tagged !== null) __skbPull(tagged, ETH_HLEN);
  return tagged;
}

/** The ETH_P_ behind the tags in the octets of a packet that leaves, `data` at its Ethernet header (the kernel's skb_network_protocol). */
export function skbNetworkProtocol(skb: SkBuff): number {
  let type = skb.protocol;
  const headlen = skb.len - skb.dataLen;
  for (let at = ETH_HLEN; ethTypeVlan(type); at += VLAN_HLEN) {
    if (at + VLAN_HLEN > headlen) return 0;
    type = skb.view.getUint16(skb.data + at + 2);
  }
  return type;
}
