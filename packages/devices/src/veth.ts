// A cable between two hosts of one World, or within one, without wire or card (drivers/net/veth.c).
//
// Down: devQueueXmit -> vethXmit: the packet itself goes into the peer's ring, segments and checksums left to do as they
// are. Up, in the peer's NET_RX_SOFTIRQ: vethPoll -> vethReceive -> netifReceiveSkb.
// Either end has carrier while both are up. When one end is unregistered, so is the other.
// Deviation: Linux's veth has no queue by default and drops what its ring has no room for; ours has the default qdisc, and a full
// ring stops it (as Linux 6.16's does where there is one), so that senders wait as behind a real card.

import { EBUSY, EXDEV, SKB_DROP_REASON_DEV_READY, SKB_DROP_REASON_PKT_TOO_BIG, errnoException, interrupt, type Net } from '@stack/kernel';
import {
  ETH_DATA_LEN, LINK_STATE_START, NETDEV_TX_BUSY, NETDEV_TX_OK, NETIF_F_FRAGLIST, NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA, NETIF_F_HW_CSUM, NETIF_F_RXCSUM, NETIF_F_SG, NETREG_REGISTERED, allocNetdev, devAddrSet, ethMacAddr,
  ethRandomAddr, ethTypeTrans, etherSetup, napiCompleteDone, napiDisable, napiEnable, napiSchedule, netifCarrierOff,
  netifCarrierOn, netifNapiAdd, netifReceiveSkb, netifRunning, netifStartQueue, netifStopQueue, netifWakeQueue,
  registerNetdevice, unregisterNetdevice, type NapiStruct, type NetDevice, type NetDeviceOps,
} from '@stack/netdev';
import {
  SkBuffHead, kfreeSkbReason, nfReset, skbDequeue, skbDstDrop, skbOrphan, skbQueuePurge, skbQueueTail, type SkBuff,
} from '@stack/skbuff';
import { isSkbForwardable } from './br-forward.ts';

/** Packets that an end holds for its host. */
export const VETH_RING_SIZE = 256;

const VETH_FEATURES = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | NETIF_F_RXCSUM | NETIF_F_HIGHDMA | NETIF_F_GSO_SOFTWARE;

/** What createVeth() may be told of an end. */
export interface VethOptions {
  /** Default `veth%d`. */
  readonly name?: string;
  /** Default random, locally administered. */
  readonly mac?: Uint8Array;
  /** Default 1500. */
  readonly mtu?: number;
}

/** One end. */
class VethPriv {
  peer: NetDevice | null;
  napi: NapiStruct;
  ring: SkBuffHead;

  constructor(dev: NetDevice) {
    this.peer = null;
    this.napi = netifNapiAdd(dev, vethPoll);
    this.ring = new SkBuffHead();
  }
}

const vethNetdevOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: vethDellink,
  ndoOpen: vethOpen,
  ndoStop: vethClose,
  ndoStartXmit: vethXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: null,
  ndoSetMacAddress: ethMacAddr,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

function vethPriv(dev: NetDevice): VethPriv {
  return dev.priv as VethPriv;
}

function vethSetup(dev: NetDevice): void {
  etherSetup(dev);
  dev.features = VETH_FEATURES;
  dev.hwFeatures = VETH_FEATURES;
  dev.vlanFeatures = VETH_FEATURES;
  netifCarrierOff(dev);
}

/** One end of a cable, registered, down, its other end nowhere yet: see vethConnect(). Throws an Error with Node's fields. */
export function createVeth(net: Net, options: VethOptions = {}): NetDevice {
  const { name = 'veth%d', mac, mtu = ETH_DATA_LEN } = options;
  const dev = allocNetdev(net, name, vethNetdevOps, vethSetup);
  devAddrSet(dev, mac ?? ethRandomAddr(net.world.random));
  dev.mtu = mtu;
  dev.priv = new VethPriv(dev);
  const rc = registerNetdevice(dev);
  if (rc < 0) throw errnoException(-rc, 'veth_newlink');
  return dev;
}

/** Makes two devices of createVeth() the ends of one cable. Returns 0, -EXDEV (two Worlds), -EBUSY (one is an end already). */
export function vethConnect(a: NetDevice, b: NetDevice): number {
  if (a.net.world !== b.net.world) return -EXDEV;
  if (a === b || vethPriv(a).peer !== null || vethPriv(b).peer !== null) return -EBUSY;
  vethPriv(a).peer = b;
  vethPriv(b).peer = a;
  vethCarrier(a, b);
  return 0;
}

/** Both ends of a new cable, registered, down (`ip link add … type veth peer …`). Throws an Error with Node's fields: EXDEV, EEXIST, … */
export function createVethPair(net: Net, peerNet: Net, options: VethOptions = {}, peerOptions: VethOptions = {}): [NetDevice, NetDevice] {
  if (net.world !== peerNet.world) throw errnoException(EXDEV, 'veth_newlink');
  const dev = createVeth(net, options);
  try {
    const peer = createVeth(peerNet, peerOptions);
    vethConnect(dev, peer);
    return [dev, peer];
  } catch (error) {
    unregisterNetdevice(dev);
    throw error;
  }
}

/** Carrier on both if both are up. */
function vethCarrier(a: NetDevice, b: NetDevice): void {
  if (!netifRunning(a) || !netifRunning(b)) return;
  netifCarrierOn(a);
  netifCarrierOn(b);
}

function vethOpen(dev: NetDevice): number {
  const { napi, peer } = vethPriv(dev);
  napiEnable(napi);
  netifStartQueue(dev);
  if (peer !== null) vethCarrier(dev, peer);
  return 0;
}

function vethClose(dev: NetDevice): number {
  const { napi, peer, ring } = vethPriv(dev);
  napiDisable(napi);
  skbQueuePurge(ring);
  netifCarrierOff(dev);
  if (peer !== null) {
    netifCarrierOff(peer);
    netifWakeQueue(peer);
  }
  return 0;
}

/** ndo_uninit: the cable goes, and with it the device at the other end. */
function vethDellink(dev: NetDevice): void {
  const priv = vethPriv(dev);
  const { peer } = priv;
  if (peer === null) return;
  priv.peer = null;
  vethPriv(peer).peer = null;
  interrupt(peer.net, vethPeerGone, peer);
}

function vethPeerGone(dev: NetDevice): void {
  if (dev.regState === NETREG_REGISTERED) unregisterNetdevice(dev);
}

/** ndo_start_xmit: into the peer's ring. A full one stops our queue until vethPoll() has taken from it. */
function vethXmit(skb: SkBuff, dev: NetDevice): number {
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'veth_xmit', skb);
  const { peer } = vethPriv(dev);
  if (peer === null || (peer.state & LINK_STATE_START) === 0) {
    dev.stats.txDropped++;
    kfreeSkbReason(skb, SKB_DROP_REASON_DEV_READY);
    return NETDEV_TX_OK;
  }
  const { ring, napi } = vethPriv(peer);
  if (ring.qlen >= VETH_RING_SIZE) {
    netifStopQueue(dev);
    return NETDEV_TX_BUSY;
  }
  if (!isSkbForwardable(peer, skb, skb.len)) {
    peer.stats.rxDropped++;
    kfreeSkbReason(skb, SKB_DROP_REASON_PKT_TOO_BIG);
    return NETDEV_TX_OK;
  }
  dev.stats.txPackets++;
  dev.stats.txBytes += skb.len;
  skbQueueTail(ring, skb);
  napiSchedule(napi);
  return NETDEV_TX_OK;
}

/** The poll of an end: hands up what the peer sent. */
function vethPoll(napi: NapiStruct, budget: number): number {
  const dev = napi.dev;
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'veth_poll', null);
  const { peer, ring } = vethPriv(dev);
  let work = 0;
  while (work < budget) {
    const skb = skbDequeue(ring);
    if (skb === null) break;
    work++;
    vethReceive(dev, skb);
  }
  if (peer !== null && ring.qlen < VETH_RING_SIZE) netifWakeQueue(peer);
  if (work < budget) napiCompleteDone(napi, work);
  return work;
}

/** The packet changes hosts: what the sender's knew of it stays there (skb_scrub_packet). Its memory is the sender's account's until now. */
function vethReceive(dev: NetDevice, skb: SkBuff): void {
  skbOrphan(skb);
  skbDstDrop(skb);
  nfReset(skb);
  skb.net = dev.net;
  skb.mark = 0;
  skb.priority = 0;
  skb.tstamp = 0;
  skb.macHeader = -1;
  dev.stats.rxPackets++;
  dev.stats.rxBytes += skb.len;
  skb.protocol = ethTypeTrans(skb, dev);
  netifReceiveSkb(skb);
}
