// The virtio-net driver: binding a device, the interface going up and down, interrupts. Sending is in virtio-net-tx.ts,
// receiving in virtio-net-rx.ts.
//
// virtnetProbe() -> registerNetdevice(); ndoOpen: queues, DRIVER_OK, buffers; ndoStop: reset, everything freed.
// Deviation: Linux keeps its queues while the interface is down; here going down gives back all memory.

import { EBUSY, ENODEV, ENOMEM, delTimer, type Net, type TimerList } from '@stack/kernel';
import {
  ETH_ALEN, NETIF_F_GSO_ROBUST, NETIF_F_HIGHDMA, NETIF_F_HW_CSUM, NETIF_F_RXCSUM, NETIF_F_SG, NETIF_F_TSO, NETIF_F_TSO_ECN,
  allocNetdev, devAddrSet, ethHwAddrRandom, ethMacAddr, etherSetup, napiDisable, napiEnable, napiSchedule, netifCarrierOff,
  netifCarrierOn, netifRunning, netifStartQueue, netifStopQueue,
} from '@stack/netdev';
import type { NetDevice, NetDeviceOps } from '@stack/netdev';
import { PAGE_CLASS_SIZES, allocPage, consumeSkb, putPage, type Page, type SkBuff } from '@stack/skbuff';
import { virtioRead32, virtioWrite32, type VirtioBus } from './virtio-bus.ts';
import {
  VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INTERRUPT_STATUS, VIRTIO_MMIO_INT_CONFIG, VIRTIO_MMIO_INT_VRING,
  VIRTIO_NET_CONFIG_MAC, VIRTIO_NET_CONFIG_MTU, VIRTIO_NET_CONFIG_STATUS, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_MAC,
  VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_MTU, VIRTIO_NET_F_STATUS, VIRTIO_NET_RXQ, VIRTIO_NET_S_LINK_UP, VIRTIO_NET_TXQ,
  VIRTIO_RING_F_EVENT_IDX,
} from './virtio-config.ts';
import { VIRTIO_NET_HDR_LEN } from './virtio-net-hdr.ts';
import { VirtnetInfo, virtnetPriv } from './virtio-net-priv.ts';
import { VIRTNET_RX_PAD, skbRecvDone, tryFillRecv, virtnetPoll } from './virtio-net-rx.ts';
import { skbXmitDone, virtnetPollTx, virtnetXmit } from './virtio-net-tx.ts';
import { virtioDeviceReady, virtioFail, virtioFindFeatures, virtioNeedsReset, virtioNetPresent, virtioQueueMax, virtioReset, virtioSetupQueue } from './virtio-probe.ts';
import { vringCreateVirtqueue, vringDelVirtqueue, virtqueueDetachUnused, virtqueueMoreUsed } from './virtio-ring.ts';

/** Features that this driver knows. */
const VIRTNET_FEATURES = VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MTU | VIRTIO_NET_F_MAC
  | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_ECN | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_MRG_RXBUF
  | VIRTIO_NET_F_STATUS | VIRTIO_RING_F_EVENT_IDX;
const ETH_VLAN_HLEN = 18;

/** Bus.onInterrupt of every card. */
function virtnetInterrupt(bus: VirtioBus): void {
  const vi = bus.driver as VirtnetInfo;
  const status = virtioRead32(bus, VIRTIO_MMIO_INTERRUPT_STATUS);
  virtioWrite32(bus, VIRTIO_MMIO_INTERRUPT_ACK, status);
  vi.interrupts++;
  if ((status & VIRTIO_MMIO_INT_VRING) !== 0) {
    if (vi.rvq !== null && virtqueueMoreUsed(vi.rvq)) skbRecvDone(vi);
    if (vi.svq !== null && virtqueueMoreUsed(vi.svq)) skbXmitDone(vi);
  }
  if ((status & VIRTIO_MMIO_INT_CONFIG) !== 0) virtnetConfigChanged(vi);
}

/** The link has come or gone; or the device is broken, and has no link until the interface goes down and up again. */
function virtnetConfigChanged(vi: VirtnetInfo): void {
  if (virtioNeedsReset(vi.bus)) {
    vi.dev.stats.txErrors++;
    netifStopQueue(vi.dev);
    netifCarrierOff(vi.dev);
    return;
  }
  virtnetUpdateCarrier(vi);
}

function virtnetUpdateCarrier(vi: VirtnetInfo): void {
  const hasStatus = (vi.features & VIRTIO_NET_F_STATUS) !== 0;
  const status = hasStatus ? vi.bus.ops.readConfig8(vi.bus, VIRTIO_NET_CONFIG_STATUS) : VIRTIO_NET_S_LINK_UP;
  if ((status & VIRTIO_NET_S_LINK_UP) !== 0) netifCarrierOn(vi.dev);
  else netifCarrierOff(vi.dev);
}

/** Linux's virtnet_probe: a device for the card behind `bus`, not registered yet. Null if there is none. */
export function virtnetProbe(net: Net, bus: VirtioBus, name: string): NetDevice | null {
  if (!virtioNetPresent(bus)) return null;
  const dev = allocNetdev(net, name, virtnetOps, etherSetup);
  const vi = new VirtnetInfo(dev, bus, virtnetPoll, virtnetPollTx, virtnetRefill);
  dev.priv = vi;
  bus.driver = vi;
  const features = virtioFindFeatures(bus, VIRTNET_FEATURES);
  if (features < 0 && features > -4096) {
    virtioFail(bus);
    return null;
  }
  vi.features = features;
  vi.mergeable = (features & VIRTIO_NET_F_MRG_RXBUF) !== 0;
  virtnetReadConfig(vi);
  virtnetSetFeatures(dev, features);
  bus.onInterrupt = virtnetInterrupt;
  if ((features & VIRTIO_NET_F_STATUS) !== 0) netifCarrierOff(dev);
  return dev;
}

function virtnetReadConfig(vi: VirtnetInfo): void {
  const { bus, dev, features } = vi;
  if ((features & VIRTIO_NET_F_MAC) !== 0) {
    const mac = new Uint8Array(ETH_ALEN);
    for (let i = 0; i < ETH_ALEN; i++) mac[i] = bus.ops.readConfig8(bus, VIRTIO_NET_CONFIG_MAC + i);
    devAddrSet(dev, mac);
  } else {
    ethHwAddrRandom(dev);
  }
  if ((features & VIRTIO_NET_F_MTU) !== 0) {
    dev.mtu = bus.ops.readConfig8(bus, VIRTIO_NET_CONFIG_MTU) | (bus.ops.readConfig8(bus, VIRTIO_NET_CONFIG_MTU + 1) << 8);
  }
  if (!vi.mergeable && (features & VIRTIO_NET_F_GUEST_TSO4) === 0) dev.maxMtu = Math.max(dev.mtu, 1500);
}

/** What the negotiated features mean to the stack. Scatter/gather needs none: a descriptor chain gathers. */
function virtnetSetFeatures(dev: NetDevice, features: number): void {
  let on = NETIF_F_SG;
  let always = NETIF_F_HIGHDMA;
  if ((features & VIRTIO_NET_F_CSUM) !== 0) {
    on |= NETIF_F_HW_CSUM;
    if ((features & VIRTIO_NET_F_HOST_TSO4) !== 0) on |= NETIF_F_TSO;
    if ((features & VIRTIO_NET_F_HOST_ECN) !== 0) on |= NETIF_F_TSO_ECN;
    always |= NETIF_F_GSO_ROBUST;
  }
  if ((features & VIRTIO_NET_F_GUEST_CSUM) !== 0) always |= NETIF_F_RXCSUM;
  dev.hwFeatures = on;
  dev.features = on | always;
}

/** NetDeviceOps.ndoOpen. */
function virtnetOpen(dev: NetDevice): number {
  const vi = virtnetPriv(dev);
  const rc = virtnetInitQueues(vi);
  if (rc < 0) {
    virtnetFreeAll(vi);
    return rc;
  }
  virtioDeviceReady(vi.bus);
  napiEnable(vi.napi);
  napiEnable(vi.txNapi);
  tryFillRecv(vi);
  netifStartQueue(dev);
  virtnetUpdateCarrier(vi);
  return 0;
}

/** Reset, features, queues; the device is quiet still. */
function virtnetInitQueues(vi: VirtnetInfo): number {
  const { bus, features } = vi;
  const net = vi.dev.net;
  if (virtioFindFeatures(bus, features) !== features) return -ENODEV;
  const eventIdx = (features & VIRTIO_RING_F_EVENT_IDX) !== 0;
  const num = virtioQueueMax(bus, VIRTIO_NET_TXQ);
  vi.rvq = vringCreateVirtqueue<Page>(net, VIRTIO_NET_RXQ, virtioQueueMax(bus, VIRTIO_NET_RXQ), bus, eventIdx);
  vi.svq = vringCreateVirtqueue<SkBuff>(net, VIRTIO_NET_TXQ, num, bus, eventIdx);
  vi.hdrPage = allocPage(net, num * VIRTIO_NET_HDR_LEN);
  if (vi.rvq === null || vi.svq === null || vi.hdrPage === null) return -ENOMEM;
  vi.rxPageSize = virtnetRxPageSize(vi);
  return virtioSetupQueue(bus, vi.rvq) || virtioSetupQueue(bus, vi.svq);
}

/** Octets of a page to begin with: one that holds any frame, unless frames may be spread over several. */
function virtnetRxPageSize(vi: VirtnetInfo): number {
  if (vi.mergeable) return PAGE_CLASS_SIZES[0]!;
  const frame = (vi.features & VIRTIO_NET_F_GUEST_TSO4) !== 0 ? 65550 : vi.dev.maxMtu + ETH_VLAN_HLEN;
  return PAGE_CLASS_SIZES.find((size) => size >= frame + VIRTNET_RX_PAD + VIRTIO_NET_HDR_LEN) ?? PAGE_CLASS_SIZES.at(-1)!;
}

/** NetDeviceOps.ndoStop. */
function virtnetStop(dev: NetDevice): number {
  const vi = virtnetPriv(dev);
  napiDisable(vi.napi);
  napiDisable(vi.txNapi);
  delTimer(vi.refill);
  netifStopQueue(dev);
  virtioReset(vi.bus);
  virtnetFreeAll(vi);
  return 0;
}

/** Frees queues and whatever is in them; the device has been reset. */
function virtnetFreeAll(vi: VirtnetInfo): void {
  const { rvq, svq, hdrPage } = vi;
  vi.rvq = null;
  vi.svq = null;
  vi.hdrPage = null;
  vi.rxPosted = 0;
  if (rvq !== null) {
    for (let page = virtqueueDetachUnused(rvq); page !== null; page = virtqueueDetachUnused(rvq)) putPage(page);
    vringDelVirtqueue(rvq);
  }
  if (svq !== null) {
    for (let skb = virtqueueDetachUnused(svq); skb !== null; skb = virtqueueDetachUnused(svq)) consumeSkb(skb);
    vringDelVirtqueue(svq);
  }
  if (hdrPage !== null) putPage(hdrPage);
}

/** There was no memory for receive buffers; perhaps there is now. */
function virtnetRefill(timer: TimerList): void {
  const vi = timer.data as VirtnetInfo;
  if (vi.rvq !== null && tryFillRecv(vi) && virtqueueMoreUsed(vi.rvq)) napiSchedule(vi.napi);
}

/** NetDeviceOps.ndoChangeMtu: buffers that are not mergeable hold only what they were made for. */
function virtnetChangeMtu(dev: NetDevice, _mtu: number): number {
  return !virtnetPriv(dev).mergeable && netifRunning(dev) ? -EBUSY : 0;
}

export const virtnetOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: null,
  ndoOpen: virtnetOpen,
  ndoStop: virtnetStop,
  ndoStartXmit: virtnetXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: virtnetChangeMtu,
  ndoSetMacAddress: ethMacAddr,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};
