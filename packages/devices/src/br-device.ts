// The bridge as a device of its host (net/bridge/br_device.c): what the host sends by it goes to the ports, as if the
// host were one more station behind one more port.

import { EADDRNOTAVAIL } from '@stack/kernel';
import {
  ETH_HLEN, NETDEV_TX_OK, NETIF_F_ALL_TSO, NETIF_F_CSUM_MASK, NETIF_F_FRAGLIST, NETIF_F_GSO_MASK, NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM, NETIF_F_SG, PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST, devAddrSet, etherSetup, isValidEtherAddr,
  netdevUpdateFeatures, netifCarrierOff, netifStartQueue, netifStopQueue, type NetDevice, type NetDeviceOps,
} from '@stack/netdev';
import { __skbPull, type SkBuff } from '@stack/skbuff';
import { brFdbAddLocal, brFdbChangeaddr, brFdbFind } from './br-fdb.ts';
import { brFlood, brForward } from './br-forward.ts';
import { netdevPriv, type NetBridge } from './br-private.ts';
import { brDevDelete, brStpDisableBridge, brStpEnableBridge } from './br-if.ts';

const COMMON_FEATURES = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_GSO_MASK | NETIF_F_HW_CSUM;
/** Features that the bridge has when one port has them: for the others, the stack does the work. */
const ONE_FOR_ALL = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_GSO_MASK | NETIF_F_CSUM_MASK;

/** ndo_start_xmit: `data` at the Ethernet header. */
function brDevXmit(skb: SkBuff, dev: NetDevice): number {
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'br_dev_xmit', skb);
  const br = netdevPriv(dev);
  dev.stats.txPackets++;
  dev.stats.txBytes += skb.len;
  skb.macHeader = skb.data;
  const hi = skb.view.getInt32(skb.data);
  const lo = skb.view.getUint16(skb.data + 4);
  __skbPull(skb, ETH_HLEN);
  if ((hi & 0x01000000) !== 0) {
    brFlood(br, skb, hi === -1 && lo === 0xffff ? PACKET_BROADCAST : PACKET_MULTICAST, false);
    return NETDEV_TX_OK;
  }
  const to = brFdbFind(br, hi, lo);
  if (to === null) brFlood(br, skb, PACKET_HOST, false);
  else brForward(to.dst, skb, false);
  return NETDEV_TX_OK;
}

function brDevInit(dev: NetDevice): number {
  brFdbAddLocal(netdevPriv(dev), null, dev);
  return 0;
}

/** The bridge goes: its ports are ordinary devices again. */
function brDevUninit(dev: NetDevice): void {
  brDevDelete(netdevPriv(dev));
}

function brDevOpen(dev: NetDevice): number {
  netdevUpdateFeatures(dev);
  netifStartQueue(dev);
  brStpEnableBridge(netdevPriv(dev));
  return 0;
}

function brDevStop(dev: NetDevice): number {
  brStpDisableBridge(netdevPriv(dev));
  netifStopQueue(dev);
  return 0;
}

/** The user's MTU is the last word: the ports' no longer matter. */
function brChangeMtu(dev: NetDevice, _mtu: number): number {
  netdevPriv(dev).mtuSetByUser = true;
  return 0;
}

/** The user's address is the last word, up or down. */
function brSetMacAddress(dev: NetDevice, addr: Uint8Array): number {
  if (!isValidEtherAddr(addr)) return -EADDRNOTAVAIL;
  const br = netdevPriv(dev);
  br.addrSetByUser = true;
  devAddrSet(dev, addr);
  brFdbChangeaddr(br);
  return 0;
}

/** What any port can, the bridge can: a packet is made to fit the port that it leaves by, when it leaves. */
function brFixFeatures(dev: NetDevice, features: number): number {
  const br: NetBridge = netdevPriv(dev);
  if (br.portList.length === 0) return features;
  let any = 0;
  for (const port of br.portList) any |= port.dev.features & ONE_FOR_ALL;
  // Checksums that one port can only do for IP would be wrong for what leaves by another: all or the stack.
  if ((any & NETIF_F_CSUM_MASK) !== 0) any |= NETIF_F_HW_CSUM;
  if ((any & NETIF_F_SG) !== 0) any |= NETIF_F_ALL_TSO;
  return features & (any | ~ONE_FOR_ALL);
}

export const brNetdevOps: NetDeviceOps = {
  ndoInit: brDevInit,
  ndoUninit: brDevUninit,
  ndoOpen: brDevOpen,
  ndoStop: brDevStop,
  ndoStartXmit: brDevXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: brChangeMtu,
  ndoSetMacAddress: brSetMacAddress,
  ndoFixFeatures: brFixFeatures,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

/** What allocNetdev() asks: an Ethernet device without a queue, without carrier until a port has it. */
export function brDevSetup(dev: NetDevice): void {
  etherSetup(dev);
  dev.txQueueLen = 0;
  dev.features = COMMON_FEATURES;
  dev.hwFeatures = COMMON_FEATURES;
  dev.vlanFeatures = COMMON_FEATURES;
  netifCarrierOff(dev);
}
