// A plain Ethernet card in the manner of an ne2000: no NAPI, no offloads, no scatter/gather, and a header per packet.
//
// Each received frame interrupts: the handler makes an sk_buff and calls netifRx(), so that process_backlog carries it.
// The card filters addresses itself, pads short frames, and has room for one frame that the wire does not take yet.
// Its HeaderOps have no cache: packets leave by neigh_connected_output, the chapter's other branch.

import { NET_UP, SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_PKT_TOO_BIG, SKB_DROP_REASON_PKT_TOO_SMALL, errnoException, interrupt, requireNet, type Net } from '@stack/kernel';
import {
  ETH_ALEN, ETH_DATA_LEN, ETH_HLEN, ETH_ZLEN, IFF_ALLMULTI, IFF_PROMISC, NETDEV_TX_BUSY, NETDEV_TX_OK, allocNetdev, devAddrSet,
  ethHeaderOpsNoCache, ethMacAddr, ethRandomAddr, ethTypeTrans, etherSetup, netdevAllocSkbIpAlign, netifCarrierOff, netifCarrierOn,
  netifRunning, netifRx, netifStartQueue, netifStopQueue, netifWakeQueue, registerNetdevice, skbPutPadto,
} from '@stack/netdev';
import type { NetDevice, NetDeviceOps } from '@stack/netdev';
import { consumeSkb, skbPut, type SkBuff } from '@stack/skbuff';
import { checkNicOptions } from './create.ts';
import { Frame, Iov, frameByte, frameCopy, frameInt32, frameSetLinear, frameUint16 } from './frame.ts';
import { PORT_BUSY, PORT_TAKEN, Port, type PortOps } from './port.ts';
import { portTransmit } from './transmit.ts';

const VLAN_HLEN = 4;

/** The card, and the driver's part of its device. */
export class PlainCard {
  net: Net;
  dev: NetDevice;
  port: Port;
  /** Shows a packet's octets to the wire. */
  frame: Frame;
  /** The frame in the card's transmit buffer, which the wire has not taken yet. */
  pending: SkBuff | null;
  /** The frame that the interrupt is about. */
  received: SkBuff | null;

  constructor(net: Net, dev: NetDevice) {
    this.net = net;
    this.dev = dev;
    this.port = new Port(net.world, net, `${net.name}:${dev.name}`, plainPortOps, this);
    this.frame = new Frame(new Iov());
    this.pending = null;
    this.received = null;
  }
}

function plainPriv(dev: NetDevice): PlainCard {
  return dev.priv as PlainCard;
}

function plainOpen(dev: NetDevice): number {
  netifStartQueue(dev);
  return 0;
}

function plainStop(dev: NetDevice): number {
  const card = plainPriv(dev);
  netifStopQueue(dev);
  consumeSkb(card.pending);
  card.pending = null;
  return 0;
}

/** NetDeviceOps.ndoStartXmit: linear and complete, as the device has no features. */
function plainXmit(skb: SkBuff, dev: NetDevice): number {
  const card = plainPriv(dev);
  if (card.pending !== null) {
    netifStopQueue(dev);
    return NETDEV_TX_BUSY;
  }
  if (skbPutPadto(skb, ETH_ZLEN) !== 0) {
    dev.stats.txDropped++;
    return NETDEV_TX_OK;
  }
  if (!plainSend(card, skb)) {
    card.pending = skb;
    netifStopQueue(dev);
  }
  return NETDEV_TX_OK;
}

/** Puts a packet on the wire and frees it. Returns false if the wire does not take it now. */
function plainSend(card: PlainCard, skb: SkBuff): boolean {
  frameSetLinear(card.frame, skb.shinfo.page, skb.data, skb.len);
  if (portTransmit(card.port, card.frame) === PORT_BUSY) return false;
  const stats = card.dev.stats;
  stats.txPackets++;
  stats.txBytes += skb.len;
  consumeSkb(skb);
  return true;
}

/** Interrupt: the wire has room again. */
function plainTxInterrupt(card: PlainCard): void {
  const skb = card.pending;
  if (skb === null || !plainSend(card, skb)) return;
  card.pending = null;
  netifWakeQueue(card.dev);
}

/** PortOps.resume. */
function plainResume(port: Port): void {
  const card = port.owner as PlainCard;
  interrupt(card.net, plainTxInterrupt, card);
}

/** PortOps.receive: the card filters and stores, then interrupts. It cannot make a sender wait. */
function plainReceive(port: Port, frame: Frame): number {
  const card = port.owner as PlainCard;
  const { dev, net } = card;
  if (net.state !== NET_UP || !netifRunning(dev)) return PORT_TAKEN;
  const stats = dev.stats;
  if (frame.len < ETH_HLEN || frame.len > dev.mtu + ETH_HLEN + VLAN_HLEN) {
    stats.rxErrors++;
    stats.rxLengthErrors++;
    net.dropReasons[frame.len < ETH_HLEN ? SKB_DROP_REASON_PKT_TOO_SMALL : SKB_DROP_REASON_PKT_TOO_BIG]!++;
    return PORT_TAKEN;
  }
  if (!plainAccepts(dev, frame)) return PORT_TAKEN;
  const skb = netdevAllocSkbIpAlign(dev, frame.len);
  if (skb === null) {
    stats.rxDropped++;
    net.dropReasons[SKB_DROP_REASON_NOMEM]!++;
    return PORT_TAKEN;
  }
  frameCopy(frame, 0, frame.len, skb.shinfo.page, skbPut(skb, frame.len));
  card.received = skb;
  interrupt(net, plainRxInterrupt, card);
  return PORT_TAKEN;
}

/** The card's address filter. */
function plainAccepts(dev: NetDevice, frame: Frame): boolean {
  if ((dev.flags & IFF_PROMISC) !== 0) return true;
  const hi = frameInt32(frame, 0);
  const lo = frameUint16(frame, 4);
  if (hi === dev.devAddrHi && lo === dev.devAddrLo) return true;
  if ((hi & 0x01000000) === 0) return false;
  if ((hi === -1 && lo === 0xffff) || (dev.flags & IFF_ALLMULTI) !== 0) return true;
  for (let ha = dev.mc; ha !== null; ha = ha.next) {
    let same = true;
    for (let i = 0; i < ETH_ALEN && same; i++) same = ha.addr[i] === frameByte(frame, i);
    if (same) return true;
  }
  return false;
}

/** Interrupt: a frame is in the card. */
function plainRxInterrupt(card: PlainCard): void {
  const skb = card.received!;
  const dev = card.dev;
  card.received = null;
  dev.stats.rxPackets++;
  dev.stats.rxBytes += skb.len;
  skb.protocol = ethTypeTrans(skb, dev);
  netifRx(skb);
}

/** PortOps.linkChange. */
function plainLinkChange(port: Port, up: boolean): void {
  const card = port.owner as PlainCard;
  if (up) netifCarrierOn(card.dev);
  else netifCarrierOff(card.dev);
}

const plainPortOps: PortOps = { receive: plainReceive, resume: plainResume, linkChange: plainLinkChange };

export const plainNicOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: null,
  ndoOpen: plainOpen,
  ndoStop: plainStop,
  ndoStartXmit: plainXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: null,
  ndoSetMacAddress: ethMacAddr,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

export interface PlainNicOptions {
  /** Interface name, 'eth%d' if absent. */
  readonly name?: string;
  /** Six octets; random if absent. */
  readonly mac?: Uint8Array;
  /** 1500 if absent. */
  readonly mtu?: number;
}

/** A plain card: what the host sees of it, and where its cable goes. */
export interface PlainNic {
  readonly dev: NetDevice;
  readonly port: Port;
}

function plainSetup(dev: NetDevice): void {
  etherSetup(dev);
  dev.headerOps = ethHeaderOpsNoCache;
}

/**
 * Plugs a plain card into host `net`: the interface is registered, down, without a cable. Throws a RangeError for a bad
 * option, an errno error if the interface cannot be registered.
 */
export function createPlainNic(net: Net, options: PlainNicOptions = {}): PlainNic {
  requireNet(net, 'installPlainNic', 'netdev');
  const { name = 'eth%d', mac, mtu = ETH_DATA_LEN } = options;
  checkNicOptions(mac, mtu);
  const dev = allocNetdev(net, name, plainNicOps, plainSetup);
  devAddrSet(dev, mac ?? ethRandomAddr(net.world.random));
  dev.mtu = mtu;
  netifCarrierOff(dev);
  const card = new PlainCard(net, dev);
  dev.priv = card;
  const rc = registerNetdevice(dev);
  if (rc < 0) throw errnoException(-rc, 'createPlainNic');
  card.port.name = `${net.name}:${dev.name}`;
  return { dev, port: card.port };
}
