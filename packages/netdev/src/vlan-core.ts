// What of VLANs is in the path of every packet (net/8021q/vlan_core.c): which VLAN device a tagged packet is for.
//
// Called by netifReceiveSkb() with the tag beside the octets. The devices themselves are in @stack/devices.

import { SKB_DROP_REASON_DEV_READY } from '@stack/kernel';
import { kfreeSkbReason, type SkBuff } from '@stack/skbuff';
import { PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST, PACKET_OTHERHOST } from './if-packet.ts';
import { IFF_UP } from './if.ts';
import { VLAN_PRIO_SHIFT, VLAN_VID_MASK, vlanHwaccelClearTag, type VlanDevPriv } from './if-vlan.ts';
import type { NetDevice } from './netdevice.ts';

/** The VLAN device on `realDev` for the tag, or null. */
export function vlanFindDev(realDev: NetDevice, vlanProto: number, vlanId: number): NetDevice | null {
  const info = realDev.vlanInfo;
  if (info === null) return null;
  const vlans = info.vlans;
  for (let i = 0; i < vlans.length; i++) {
    const priv = vlans[i]!.priv as VlanDevPriv;
    if (priv.vlanId === vlanId && priv.vlanProto === vlanProto) return vlans[i]!;
  }
  return null;
}

/**
 * Gives a packet with a tag beside its octets to its VLAN device: skb.dev changes, the tag is gone. Returns 1; 0 if there
 * is no such device (the packet is unchanged); -1 if it is down (freed and counted).
 */
export function vlanDoReceive(skb: SkBuff): number {
  const dev = vlanFindDev(skb.dev!, skb.vlanProto, skb.vlanTci & VLAN_VID_MASK);
  if (dev === null) return 0;
  const stats = dev.stats;
  if ((dev.flags & IFF_UP) === 0) {
    stats.rxDropped++;
    kfreeSkbReason(skb, SKB_DROP_REASON_DEV_READY);
    return -1;
  }
  skb.dev = dev;
  skb.priority = (dev.priv as VlanDevPriv).ingressPriority[skb.vlanTci >> VLAN_PRIO_SHIFT]!;
  vlanHwaccelClearTag(skb);
  if (skb.pktType === PACKET_OTHERHOST && isForDev(skb, dev)) skb.pktType = PACKET_HOST;
  stats.rxPackets++;
  stats.rxBytes += skb.len + skb.macLen;
  if (skb.pktType === PACKET_MULTICAST || skb.pktType === PACKET_BROADCAST) stats.multicast++;
  return 1;
}

/** The VLAN device may have an address that is not its real device's. */
function isForDev(skb: SkBuff, dev: NetDevice): boolean {
  const at = skb.macHeader;
  return skb.view.getInt32(at) === dev.devAddrHi && skb.view.getUint16(at + 4) === dev.devAddrLo;
}
