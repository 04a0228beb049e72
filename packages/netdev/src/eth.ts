// Ethernet: the header of a frame, on the way up (eth_type_trans) and down (eth_header and its cache).
//
// Called by Ethernet drivers (ethTypeTrans) and, through HeaderOps, by the neighbour layer. etherSetup() gives a device
// all that Ethernet implies. Read first: IEEE 802.3 §3.2, RFC 894.

import { EADDRNOTAVAIL, EBUSY, randomU32, type Random } from '@stack/kernel';
import { skbPush, __skbPull, type SkBuff } from '@stack/skbuff';
import { devAddrSet } from './dev-addr.ts';
import { ARPHRD_ETHER } from './if-arp.ts';
import {
  ETH_ALEN, ETH_DATA_LEN, ETH_HLEN, ETH_MAX_MTU, ETH_MIN_MTU, ETH_P_802_2, ETH_P_802_3, ETH_P_802_3_MIN, ETH_SOURCE, ETH_TYPE,
} from './if-ether.ts';
import { PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST, PACKET_OTHERHOST } from './if-packet.ts';
import { IFF_BROADCAST, IFF_LOOPBACK, IFF_MULTICAST, IFF_NOARP } from './if.ts';
import { LINK_STATE_START, type HardwareHeader, type HeaderOps, type NetDevice } from './netdevice.ts';

/**
 * Reads the Ethernet header of a received frame, `data` at it and at least ETH_HLEN octets linear (the driver has
 * checked): sets dev, macHeader and pktType, pulls the header. Returns the protocol, for skb.protocol.
 */
export function ethTypeTrans(skb: SkBuff, dev: NetDevice): number {
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'eth_type_trans', skb);
  const view = skb.view;
  const at = skb.data;
  skb.dev = dev;
  skb.macHeader = at;
  const hi = view.getInt32(at);
  const lo = view.getUint16(at + 4);
  if (hi === dev.devAddrHi && lo === dev.devAddrLo) skb.pktType = PACKET_HOST;
  else if ((hi & 0x01000000) === 0) skb.pktType = PACKET_OTHERHOST;
  else skb.pktType = hi === -1 && lo === 0xffff ? PACKET_BROADCAST : PACKET_MULTICAST;
  __skbPull(skb, ETH_HLEN);
  const type = view.getUint16(at + ETH_TYPE);
  if (type >= ETH_P_802_3_MIN) return type;
  // Raw 802.3 has no LLC header: Novell's frames begin with 0xffff.
  return skb.len >= 2 && view.getUint16(skb.data) === 0xffff ? ETH_P_802_3 : ETH_P_802_2;
}

/** HeaderOps.create of Ethernet: pushes the header. With ETH_P_802_3 and ETH_P_802_2 the type field is `len`. */
export function ethHeader(
  skb: SkBuff, dev: NetDevice, type: number, daddr: Uint8Array | null, saddr: Uint8Array | null, len: number,
): number {
  skbPush(skb, ETH_HLEN);
  const buf = skb.buf;
  const at = skb.data;
  skb.view.setUint16(at + ETH_TYPE, type !== ETH_P_802_3 && type !== ETH_P_802_2 ? type : len);
  const source = saddr ?? dev.devAddr;
  for (let i = 0; i < ETH_ALEN; i++) buf[at + ETH_SOURCE + i] = source[i]!;
  if (daddr !== null) {
    for (let i = 0; i < ETH_ALEN; i++) buf[at + i] = daddr[i]!;
    return ETH_HLEN;
  }
  for (let i = 0; i < ETH_ALEN; i++) buf[at + i] = 0;
  return (dev.flags & (IFF_LOOPBACK | IFF_NOARP)) !== 0 ? ETH_HLEN : -ETH_HLEN;
}

/** HeaderOps.parse of Ethernet: copies the source address of a received frame to `haddr`. */
export function ethHeaderParse(skb: SkBuff, haddr: Uint8Array): number {
  const at = skb.macHeader + ETH_SOURCE;
  for (let i = 0; i < ETH_ALEN; i++) haddr[i] = skb.buf[at + i]!;
  return ETH_ALEN;
}

/** HeaderOps.cache of Ethernet. */
export function ethHeaderCache(hh: HardwareHeader, dev: NetDevice, type: number, daddr: Uint8Array): number {
  if (type === ETH_P_802_3) return -1;
  const data = hh.hhData;
  for (let i = 0; i < ETH_ALEN; i++) {
    data[i] = daddr[i]!;
    data[ETH_SOURCE + i] = dev.devAddr[i]!;
  }
  data[ETH_TYPE] = type >> 8;
  data[ETH_TYPE + 1] = type;
  hh.hhLen = ETH_HLEN;
  return 0;
}

/** HeaderOps.cacheUpdate of Ethernet. */
export function ethHeaderCacheUpdate(hh: HardwareHeader, _dev: NetDevice, haddr: Uint8Array): void {
  for (let i = 0; i < ETH_ALEN; i++) hh.hhData[i] = haddr[i]!;
}

/** Ethernet's header, with a cache. */
export const ethHeaderOps: HeaderOps = {
  create: ethHeader,
  parse: ethHeaderParse,
  cache: ethHeaderCache,
  cacheUpdate: ethHeaderCacheUpdate,
};

/** Ethernet's header for devices that keep no cache: every packet's header is made by `create`. */
export const ethHeaderOpsNoCache: HeaderOps = {
  create: ethHeader,
  parse: ethHeaderParse,
  cache: null,
  cacheUpdate: null,
};

/** Makes `dev` an Ethernet device; give it its address by devAddrSet() or ethHwAddrRandom(). */
export function etherSetup(dev: NetDevice): void {
  dev.headerOps = ethHeaderOps;
  dev.type = ARPHRD_ETHER;
  dev.hardHeaderLen = ETH_HLEN;
  dev.mtu = ETH_DATA_LEN;
  dev.minMtu = ETH_MIN_MTU;
  dev.maxMtu = ETH_MAX_MTU;
  dev.addrLen = ETH_ALEN;
  dev.flags |= IFF_BROADCAST | IFF_MULTICAST;
  dev.broadcast = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  devAddrSet(dev, new Uint8Array(ETH_ALEN));
}

/** A random address that is locally administered and not a group's. */
export function ethRandomAddr(random: Random): Uint8Array {
  const addr = new Uint8Array(ETH_ALEN);
  const view = new DataView(addr.buffer);
  view.setInt32(0, randomU32(random));
  view.setUint16(4, randomU32(random) & 0xffff);
  addr[0] = (addr[0]! & 0xfe) | 0x02;
  return addr;
}

/** Gives `dev` a random address. */
export function ethHwAddrRandom(dev: NetDevice): void {
  devAddrSet(dev, ethRandomAddr(dev.net.world.random));
}

/** Whether `addr` may be a station's: not a group's, not all zeros. */
export function isValidEtherAddr(addr: Uint8Array): boolean {
  return addr.length === ETH_ALEN && (addr[0]! & 1) === 0 && addr.some((octet) => octet !== 0);
}

/** NetDeviceOps.ndoSetMacAddress for Ethernet devices that take any address while down. Returns 0 or -errno. */
export function ethMacAddr(dev: NetDevice, addr: Uint8Array): number {
  if ((dev.state & LINK_STATE_START) !== 0) return -EBUSY;
  if (!isValidEtherAddr(addr)) return -EADDRNOTAVAIL;
  devAddrSet(dev, addr);
  return 0;
}
