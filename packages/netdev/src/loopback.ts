// The loopback device: what is sent on it is received on it.
//
// loopbackXmit() turns the packet round and queues it by netif_rx; so a packet to ourselves takes every step of the path
// down and up, in a softirq of its own. It takes packets of any size, with checksums and segments not yet done.

import { NET_RX_SUCCESS, skbOrphan, type SkBuff } from '@stack/skbuff';
import { allocNetdev } from './dev.ts';
import { netifRx } from './dev-backlog.ts';
import { ethHeaderOps, ethTypeTrans } from './eth.ts';
import { ARPHRD_LOOPBACK } from './if-arp.ts';
import { ETH_ALEN, ETH_HLEN } from './if-ether.ts';
import { IFF_LOOPBACK } from './if.ts';
import {
  NETIF_F_ALL_TSO, NETIF_F_FRAGLIST, NETIF_F_GSO_ROBUST, NETIF_F_GSO_UDP_L4, NETIF_F_HIGHDMA, NETIF_F_HW_CSUM, NETIF_F_LOOPBACK,
  NETIF_F_RXCSUM, NETIF_F_SG,
} from './netdev-features.ts';
import { NETDEV_TX_OK, type NetDevice, type NetDeviceOps } from './netdevice.ts';
import { devAddrSet } from './dev-addr.ts';
import type { Net } from '@stack/kernel';

/** MTU of the loopback device. */
const LOOPBACK_MTU = 65536;

function loopbackXmit(skb: SkBuff, dev: NetDevice): number {
  // The sender's account is settled here: once turned round the packet is the receiver's.
  skbOrphan(skb);
  // The sender's departure time is nothing that a receiver knows.
  skb.tstamp = 0;
  const len = skb.len;
  skb.macHeader = -1;
  skb.protocol = ethTypeTrans(skb, dev);
  if (netifRx(skb) === NET_RX_SUCCESS) {
    const stats = dev.stats;
    stats.rxPackets++;
    stats.rxBytes += len;
    stats.txPackets++;
    stats.txBytes += len;
  }
  return NETDEV_TX_OK;
}

export const loopbackOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: null,
  ndoOpen: null,
  ndoStop: null,
  ndoStartXmit: loopbackXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: null,
  ndoSetMacAddress: null,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

function loopbackSetup(dev: NetDevice): void {
  dev.headerOps = ethHeaderOps;
  dev.type = ARPHRD_LOOPBACK;
  dev.mtu = LOOPBACK_MTU;
  dev.hardHeaderLen = ETH_HLEN;
  dev.addrLen = ETH_ALEN;
  dev.flags = IFF_LOOPBACK;
  dev.broadcast = new Uint8Array(ETH_ALEN);
  devAddrSet(dev, new Uint8Array(ETH_ALEN));
  dev.hwFeatures = NETIF_F_ALL_TSO | NETIF_F_GSO_UDP_L4;
  dev.features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_ALL_TSO | NETIF_F_GSO_ROBUST | NETIF_F_GSO_UDP_L4
    | NETIF_F_RXCSUM | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA | NETIF_F_LOOPBACK;
}

/** A Net's loopback device, not registered yet; installNetdev() makes `lo` so. */
export function allocLoopback(net: Net, name: string = 'lo'): NetDevice {
  return allocNetdev(net, name, loopbackOps, loopbackSetup);
}
