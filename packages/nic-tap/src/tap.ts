// The driver of a TAP or TUN interface: a NetDevice whose wire is the Linux kernel.
//
// Up: libuv says readable -> tapInterrupt -> napiSchedule -> NET_RX_SOFTIRQ -> tapPoll: read() until the budget is
// spent or nothing is left (EAGAIN) -> napiGroReceive. Down: devQueueXmit -> tapStartXmit: one writev() of header, linear part
// and fragments, straight from the pool's slabs; EAGAIN stops the queue until libuv says writable.
// A frame is read into a page; one that fills it goes up in it, a shorter one is copied to an sk_buff of its size.

import { EAGAIN, EIO, ENOMEM, SKB_DROP_REASON_DEV_HDR, SKB_DROP_REASON_DEV_READY, interrupt } from '@stack/kernel';
import {
  ETH_HLEN, ETH_P_IP, ETH_P_IPV6, NETDEV_TX_BUSY, NETDEV_TX_OK, PACKET_HOST, VLAN_HLEN, ethMacAddr, ethTypeTrans, napiCompleteDone,
  napiDisable, napiEnable, napiGroReceive, napiSchedule, netdevAllocSkb, netifCarrierOff, netifNapiAdd, netifStartQueue,
  netifStopQueue, netifWakeQueue, type NapiStruct, type NetDevice, type NetDeviceOps,
} from '@stack/netdev';
import {
  __skbPut, allocPage, buildSkb, consumeSkb, memcpy, putPage, skbHeadlen, skbReserve, skbResetMacHeader, type Page,
  type SkBuff, kfreeSkbReason,
} from '@stack/skbuff';
import type { Libc } from './libc.ts';
import { UV_READABLE, UV_WRITABLE, uvPollClose, uvPollStart, uvPollStop, type UvPoll } from './uv-poll.ts';
import { VIRTIO_NET_HDR_SIZE, virtioNetHdrFromSkb, virtioNetHdrToSkb } from './virtio-net-hdr.ts';

/** Octets kept in front of a received frame, for what a forwarder pushes. */
const RX_HEADROOM = 64;
/** Largest frame with TSO, its virtio header in front. */
const RX_MAX = 65536 + ETH_HLEN + VIRTIO_NET_HDR_SIZE;
/** struct iovec: address and length, 64 bits each. */
const IOVEC_SIZE = 16;
/** Header, linear part, MAX_SKB_FRAGS fragments. */
const IOVEC_MAX = 24;
/** The interface is gone: somebody has deleted it. Only /dev/net/tun says it, so it has no name in errno.ts. */
const EBADFD = 77;

/** What the driver keeps of one interface. */
export class TapPriv {
  libc: Libc;
  fd: number;
  napi: NapiStruct | null;
  /** Null once closed. */
  poll: UvPoll | null;
  /** Frames have no link-layer header (TUN). */
  tun: boolean;
  /** Packets carry a virtio_net_hdr. */
  vnetHdr: boolean;
  /** The page that the next frame is read into; null until the device is up. */
  rxPage: Page | null;
  /** Octets of page that a frame may fill, the virtio header counted in. */
  rxLength: number;
  /** Address of each slab met so far. */
  addresses: Map<ArrayBufferLike, number>;
  /** IOVEC_MAX struct iovec, then one virtio_net_hdr. */
  iovec: DataView<ArrayBuffer>;
  iovecAddress: number;

  constructor(libc: Libc, fd: number, tun: boolean, vnetHdr: boolean) {
    this.libc = libc;
    this.fd = fd;
    this.napi = null;
    this.poll = null;
    this.tun = tun;
    this.vnetHdr = vnetHdr;
    this.rxPage = null;
    this.rxLength = 0;
    this.addresses = new Map();
    this.iovec = new DataView(new ArrayBuffer(IOVEC_MAX * IOVEC_SIZE + VIRTIO_NET_HDR_SIZE));
    this.iovecAddress = libc.addressOf(this.iovec.buffer);
  }
}

export const tapNetdevOps: NetDeviceOps = {
  ndoInit: tapInit,
  ndoUninit: tapUninit,
  ndoOpen: tapOpen,
  ndoStop: tapStop,
  ndoStartXmit: tapStartXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: tapChangeMtu,
  ndoSetMacAddress: ethMacAddr,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

function tapPriv(dev: NetDevice): TapPriv {
  return dev.priv as TapPriv;
}

function tapInit(dev: NetDevice): number {
  tapPriv(dev).napi = netifNapiAdd(dev, tapPoll);
  return 0;
}

/** ndo_uninit: the interface goes back to Linux, which deletes it unless it was made to persist. */
function tapUninit(dev: NetDevice): void {
  const priv = tapPriv(dev);
  if (priv.poll !== null) uvPollClose(priv.poll);
  priv.poll = null;
  if (priv.fd >= 0) priv.libc.close(priv.fd);
  priv.fd = -1;
  priv.addresses.clear();
}

/** Octets of the longest frame at `mtu`: a VLAN tag comes on top of it. */
function tapFrameMax(dev: NetDevice, mtu: number): number {
  return mtu + dev.hardHeaderLen + VLAN_HLEN;
}

function tapOpen(dev: NetDevice): number {
  const priv = tapPriv(dev);
  if (priv.poll === null || priv.napi === null) return -EIO;
  priv.rxLength = priv.vnetHdr ? RX_MAX : tapFrameMax(dev, dev.mtu);
  if (!tapRefill(dev, priv)) return -ENOMEM;
  napiEnable(priv.napi);
  netifStartQueue(dev);
  return uvPollStart(priv.poll, UV_READABLE);
}

function tapStop(dev: NetDevice): number {
  const priv = tapPriv(dev);
  if (priv.poll !== null) uvPollStop(priv.poll);
  if (priv.napi !== null) napiDisable(priv.napi);
  if (priv.rxPage !== null) putPage(priv.rxPage);
  priv.rxPage = null;
  return 0;
}

/** ndo_change_mtu: the next page is as large as the new MTU asks. Linux's end has an MTU of its own. */
function tapChangeMtu(dev: NetDevice, mtu: number): number {
  const priv = tapPriv(dev);
  if (priv.vnetHdr) return 0;
  priv.rxLength = tapFrameMax(dev, mtu);
  if (priv.rxPage === null) return 0;
  putPage(priv.rxPage);
  priv.rxPage = null; // tapPoll takes another
  return 0;
}

/**
 * libuv's callback, once a turn while it has something to say: the interrupt. Softirqs run after it, and a fault in it is the
 * host's alone.
 */
export function tapInterrupt(dev: NetDevice, status: number, events: number): void {
  if (tapPriv(dev).poll === null) return;
  const handler = status < 0 ? tapGone : (events & UV_WRITABLE) !== 0 ? tapWritable : tapReadable;
  interrupt(dev.net, handler, dev);
}

function tapReadable(dev: NetDevice): void {
  const { napi } = tapPriv(dev);
  if (napi !== null) napiSchedule(napi);
}

function tapWritable(dev: NetDevice): void {
  const { poll } = tapPriv(dev);
  if (poll !== null) uvPollStart(poll, UV_READABLE);
  netifWakeQueue(dev);
  tapReadable(dev);
}

/** The interface has been deleted under us: the carrier is lost for good. */
function tapGone(dev: NetDevice): void {
  const { poll } = tapPriv(dev);
  if (poll !== null) uvPollStop(poll);
  netifCarrierOff(dev);
}

/** NAPI poll: reads frames until the budget is spent or there is none. */
function tapPoll(napi: NapiStruct, budget: number): number {
  const dev = napi.dev;
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'tap_poll', null);
  const priv = tapPriv(dev);
  let work = 0;
  while (work < budget) {
    if (priv.rxPage === null && !tapRefill(dev, priv)) break;
    const page = priv.rxPage!;
    const length = priv.libc.read(priv.fd, tapAddress(priv, page.buf.buffer) + page.base + RX_HEADROOM, priv.rxLength);
    if (length < 0) {
      tapReadError(dev, priv.libc.errno());
      break;
    }
    work++;
    tapReceive(napi, priv, page, length);
  }
  if (work < budget) napiCompleteDone(napi, work);
  return work;
}

/** Nothing to read is no error; everything else ends receiving, or counts. */
function tapReadError(dev: NetDevice, errno: number): void {
  if (errno === EAGAIN) return;
  dev.stats.rxErrors++;
  if (errno === EBADFD) tapGone(dev);
}

/** A frame of `length` octets is in `page`: hands it up, in the page itself or in an sk_buff of its size. */
function tapReceive(napi: NapiStruct, priv: TapPriv, page: Page, length: number): void {
  const dev = napi.dev;
  const header = priv.vnetHdr ? VIRTIO_NET_HDR_SIZE : 0;
  const at = page.base + RX_HEADROOM;
  const frame = length - header;
  if (frame < (priv.tun ? 1 : ETH_HLEN)) {
    dev.stats.rxErrors++;
    dev.stats.rxLengthErrors++;
    return;
  }
  const skb = frame * 4 > page.size ? tapTakePage(dev, priv, page, header) : netdevAllocSkb(dev, frame);
  if (skb === null) {
    dev.stats.rxDropped++;
    return;
  }
  const to = __skbPut(skb, frame);
  if (skb.buf !== page.buf || to !== at + header) memcpy(skb.buf, to, page.buf, at + header, frame);
  if (priv.vnetHdr && virtioNetHdrToSkb(skb, page.view, at) < 0) {
    dev.stats.rxErrors++;
    dev.stats.rxFrameErrors++;
    kfreeSkbReason(skb, SKB_DROP_REASON_DEV_HDR);
    return;
  }
  dev.stats.rxPackets++;
  dev.stats.rxBytes += frame;
  skb.protocol = priv.tun ? tunTypeTrans(skb, dev) : ethTypeTrans(skb, dev);
  napiGroReceive(napi, skb);
}

/** An sk_buff around the page itself, data where the frame begins; the next frame will have another page. */
function tapTakePage(dev: NetDevice, priv: TapPriv, page: Page, header: number): SkBuff {
  priv.rxPage = null;
  const skb = buildSkb(dev.net, page);
  skbReserve(skb, RX_HEADROOM + header);
  skb.dev = dev;
  return skb;
}

/** What eth_type_trans is to Ethernet: a TUN packet's protocol is told by its first four bits. */
function tunTypeTrans(skb: SkBuff, dev: NetDevice): number {
  skb.dev = dev;
  skb.pktType = PACKET_HOST;
  skbResetMacHeader(skb);
  return skb.buf[skb.data]! >> 4 === 6 ? ETH_P_IPV6 : ETH_P_IP;
}

/** A page for the next frame. Returns false if the pool has none: the next interrupt tries again. */
function tapRefill(dev: NetDevice, priv: TapPriv): boolean {
  priv.rxPage = allocPage(dev.net, RX_HEADROOM + priv.rxLength);
  return priv.rxPage !== null;
}

/**
 * ndo_start_xmit: one writev(). A frame that Linux refuses for want of room stays the caller's (NETDEV_TX_BUSY); one that it
 * refuses for another reason (EIO: its end is down) is counted and freed.
 */
function tapStartXmit(skb: SkBuff, dev: NetDevice): number {
  const priv = tapPriv(dev);
  const length = skb.len;
  const written = priv.libc.writev(priv.fd, priv.iovecAddress, tapGather(priv, skb));
  if (written < 0) {
    const errno = priv.libc.errno();
    if (errno === EAGAIN && priv.poll !== null) {
      netifStopQueue(dev);
      uvPollStart(priv.poll, UV_READABLE | UV_WRITABLE);
      return NETDEV_TX_BUSY;
    }
    dev.stats.txErrors++;
    if (errno === EIO) dev.stats.txCarrierErrors++;
    kfreeSkbReason(skb, SKB_DROP_REASON_DEV_READY);
    return NETDEV_TX_OK;
  }
  dev.stats.txPackets++;
  dev.stats.txBytes += length;
  consumeSkb(skb);
  return NETDEV_TX_OK;
}

/** Fills the iovec with all the pieces of `skb`. Returns how many there are. */
function tapGather(priv: TapPriv, skb: SkBuff): number {
  let count = 0;
  if (priv.vnetHdr) {
    const at = IOVEC_MAX * IOVEC_SIZE;
    virtioNetHdrFromSkb(skb, priv.iovec, at);
    setIovec(priv.iovec, count++, priv.iovecAddress + at, VIRTIO_NET_HDR_SIZE);
  }
  setIovec(priv.iovec, count++, tapAddress(priv, skb.buf.buffer) + skb.data, skbHeadlen(skb));
  const { shinfo } = skb;
  for (let i = 0; i < shinfo.nrFrags; i++) {
    const frag = shinfo.frags[i]!;
    setIovec(priv.iovec, count++, tapAddress(priv, frag.page!.buf.buffer) + frag.offset, frag.size);
  }
  return count;
}

/** struct iovec number `i`: an address has 48 bits, so two 32-bit halves hold it exactly. */
function setIovec(iovec: DataView, i: number, address: number, length: number): void {
  const at = i * IOVEC_SIZE;
  iovec.setUint32(at, address, true);
  iovec.setUint32(at + 4, address / 0x100000000, true);
  iovec.setUint32(at + 8, length, true);
  iovec.setUint32(at + 12, 0, true);
}

/** Where a slab is in this process's memory. A slab never moves, nor grows. */
function tapAddress(priv: TapPriv, buffer: ArrayBufferLike): number {
  let address = priv.addresses.get(buffer);
  if (address === undefined) {
    address = priv.libc.addressOf(buffer);
    priv.addresses.set(buffer, address);
  }
  return address;
}
