// A device that stands on another and passes everything through a filter (the manner of macvlan and ifb in Linux, of smoltcp's
// devices that wrap devices): a fault injector (wrap-fault.ts), a tap (wrap-tap.ts), or the user's own WrapOps.
//
// Down: devQueueXmit -> wrapStartXmit -> WrapOps.transmit -> devQueueXmit of the lower device. Up: netifReceiveSkb ->
// wrapHandleFrame, the lower device's rxHandler -> WrapOps.receive -> netifReceiveSkb as the upper device.
// The upper device has the lower one's address, MTU and carrier, and none of its offloads: what passes is what a wire carries.

import { EBUSY, EINVAL, SKB_DROP_REASON_SKB_CSUM, SKB_DROP_REASON_SKB_GSO_SEG, errnoException } from '@stack/kernel';
import {
  IFF_UP, NETDEV_CHANGE, NETDEV_CHANGEADDR, NETDEV_CHANGEMTU, NETDEV_DOWN, NETDEV_TX_OK, NETDEV_UNREGISTER, RX_HANDLER_CONSUMED,
  RX_HANDLER_PASS, allocNetdev, devAddrSet, devClose, devOpen, devQueueXmit, devSetMacAddress, devSetMtu, netdevRxHandlerRegister,
  netdevRxHandlerUnregister, netifCarrierOff, netifCarrierOk, netifCarrierOn, netifReceiveSkb, registerNetdevice,
  registerNetdeviceNotifier, skbGsoSegment, unregisterNetdevice, type NetDevice, type NetDeviceOps, type NotifierBlock,
} from '@stack/netdev';
import { CHECKSUM_PARTIAL, __skbPull, __skbPush, consumeSkb, kfreeSkbReason, skbChecksumHelp, type SkBuff } from '@stack/skbuff';
import { RxModeSync, rxModeSync, rxModeUnsync } from './rx-mode-sync.ts';

/** What a wrapper does with frames. */
export interface WrapOps {
  readonly id: string;
  /**
   * A frame on its way out, complete from the link-layer header at `data` on. Takes it over. Returns it or others in its place,
   * linked by `next`, or null if none goes on.
   */
  readonly transmit: (skb: SkBuff, wrap: WrapPriv) => SkBuff | null;
  /** A frame on its way in, likewise: `data` is at the link-layer header. */
  readonly receive: (skb: SkBuff, wrap: WrapPriv) => SkBuff | null;
}

/** The `priv` of a wrapper's device. */
export class WrapPriv {
  dev: NetDevice;
  lower: NetDevice;
  ops: WrapOps;
  /** The ops'. */
  data: unknown;
  sync: RxModeSync;
  /** The lower device went up for our sake, and goes down with us. */
  openedLower: boolean;

  constructor(dev: NetDevice, lower: NetDevice, ops: WrapOps, data: unknown) {
    this.dev = dev;
    this.lower = lower;
    this.ops = ops;
    this.data = data;
    this.sync = new RxModeSync();
    this.openedLower = false;
  }
}

const wrapNetdevOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: wrapUninit,
  ndoOpen: wrapOpen,
  ndoStop: wrapStop,
  ndoStartXmit: wrapStartXmit,
  ndoSetRxMode: wrapSetRxMode,
  ndoChangeMtu: wrapChangeMtu,
  ndoSetMacAddress: wrapSetMacAddress,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

const wrapNotifier: NotifierBlock = { notifierCall: wrapDeviceEvent };

function wrapPriv(dev: NetDevice): WrapPriv {
  return dev.priv as WrapPriv;
}

/** The wrapper on `lower`, or null. */
function wrapperOf(lower: NetDevice): NetDevice | null {
  return lower.rxHandler === wrapHandleFrame ? (lower.rxHandlerData as NetDevice) : null;
}

/**
 * A device on `lower` (registered, any kind) through which `ops` sees all frames; `data` is the ops'. Registered, down; taking
 * it up takes the lower one up. Default name `wrap%d`. Throws an Error with Node's fields: EBUSY (another stands there), EEXIST.
 */
export function wrapDevice(lower: NetDevice, ops: WrapOps, data: unknown, name: string = 'wrap%d'): NetDevice {
  if (lower.rxHandler !== null || lower.master !== null) throw errnoException(EBUSY, 'wrap_device');
  const dev = allocNetdev(lower.net, name, wrapNetdevOps, (self) => wrapSetup(self, lower));
  dev.priv = new WrapPriv(dev, lower, ops, data);
  registerNetdeviceNotifier(lower.net, wrapNotifier); // -EEXIST from the second wrapper on
  const rc = registerNetdevice(dev);
  if (rc < 0) throw errnoException(-rc, 'wrap_device');
  netdevRxHandlerRegister(lower, wrapHandleFrame, dev);
  return dev;
}

function wrapSetup(dev: NetDevice, lower: NetDevice): void {
  dev.headerOps = lower.headerOps;
  dev.type = lower.type;
  dev.flags = lower.flags & ~IFF_UP;
  dev.mtu = lower.mtu;
  dev.minMtu = lower.minMtu;
  dev.maxMtu = lower.maxMtu;
  dev.hardHeaderLen = lower.hardHeaderLen;
  dev.neededHeadroom = lower.neededHeadroom;
  dev.neededTailroom = lower.neededTailroom;
  dev.addrLen = lower.addrLen;
  dev.broadcast = lower.broadcast;
  dev.txQueueLen = 0;
  devAddrSet(dev, lower.devAddr);
  if (!netifCarrierOk(lower)) netifCarrierOff(dev);
}

function wrapOpen(dev: NetDevice): number {
  const priv = wrapPriv(dev);
  priv.openedLower = (priv.lower.flags & IFF_UP) === 0;
  const rc = devOpen(priv.lower);
  if (rc === 0 && netifCarrierOk(priv.lower)) netifCarrierOn(dev);
  return rc;
}

function wrapStop(dev: NetDevice): number {
  const priv = wrapPriv(dev);
  rxModeUnsync(priv.sync, priv.lower);
  if (priv.openedLower) devClose(priv.lower);
  return 0;
}

function wrapUninit(dev: NetDevice): void {
  const { lower } = wrapPriv(dev);
  if (wrapperOf(lower) === dev) netdevRxHandlerUnregister(lower);
}

function wrapSetRxMode(dev: NetDevice): void {
  if ((dev.flags & IFF_UP) !== 0) rxModeSync(wrapPriv(dev).sync, dev, wrapPriv(dev).lower);
}

function wrapChangeMtu(dev: NetDevice, mtu: number): number {
  return mtu > wrapPriv(dev).lower.mtu ? -EINVAL : 0;
}

/** The lower device's address changes, and ours with it. */
function wrapSetMacAddress(dev: NetDevice, addr: Uint8Array): number {
  const rc = devSetMacAddress(wrapPriv(dev).lower, addr);
  if (rc === 0) devAddrSet(dev, addr);
  return rc;
}

/** ndo_start_xmit. */
function wrapStartXmit(skb: SkBuff, dev: NetDevice): number {
  const priv = wrapPriv(dev);
  dev.stats.txPackets++;
  dev.stats.txBytes += skb.len;
  let frame = priv.ops.transmit(skb, priv);
  while (frame !== null) {
    const next: SkBuff | null = frame.next;
    frame.next = null;
    frame.dev = priv.lower;
    devQueueXmit(frame);
    frame = next;
  }
  return NETDEV_TX_OK;
}

/** The rxHandler of a wrapped device: every packet is the wrapper's, or nobody's while that is down. */
function wrapHandleFrame(skb: SkBuff): number {
  const dev = skb.dev!.rxHandlerData as NetDevice;
  if ((dev.flags & IFF_UP) === 0) return RX_HANDLER_PASS;
  const priv = wrapPriv(dev);
  __skbPush(skb, skb.data - skb.macHeader);
  let frame = wireFrames(skb);
  while (frame !== null) {
    const next: SkBuff | null = frame.next;
    frame.next = null;
    wrapReceive(priv.ops.receive(frame, priv), dev);
    frame = next;
  }
  return RX_HANDLER_CONSUMED;
}

/** Hands up what is left of a frame: none, one, or several. */
function wrapReceive(list: SkBuff | null, dev: NetDevice): void {
  let frame = list;
  while (frame !== null) {
    const next: SkBuff | null = frame.next;
    frame.next = null;
    dev.stats.rxPackets++;
    dev.stats.rxBytes += frame.len;
    frame.dev = dev;
    frame.macHeader = frame.data;
    __skbPull(frame, frame.macLen);
    netifReceiveSkb(frame);
    frame = next;
  }
}

/** What a received packet was on the wire: cut again if it was merged, its checksum complete. Takes it over. Returns a list, or null. */
function wireFrames(skb: SkBuff): SkBuff | null {
  const macLen = skb.macLen;
  if (skb.shinfo.gsoSize === 0) {
    if (skb.ipSummed !== CHECKSUM_PARTIAL || skbChecksumHelp(skb) === 0) return skb;
    kfreeSkbReason(skb, SKB_DROP_REASON_SKB_CSUM);
    return null;
  }
  const segments = skbGsoSegment(skb, 0);
  if (segments === null || typeof segments === 'number') {
    kfreeSkbReason(skb, SKB_DROP_REASON_SKB_GSO_SEG);
    return null;
  }
  for (let segment: SkBuff | null = segments; segment !== null; segment = segment.next) segment.macLen = macLen;
  consumeSkb(skb);
  return segments;
}

/** Something has happened to a device: its wrapper follows. */
function wrapDeviceEvent(event: number, lower: NetDevice): number {
  const dev = wrapperOf(lower);
  if (dev === null) return 0;
  switch (event) {
    case NETDEV_CHANGE:
      if (netifCarrierOk(lower)) netifCarrierOn(dev);
      else netifCarrierOff(dev);
      break;
    case NETDEV_CHANGEADDR:
      devAddrSet(dev, lower.devAddr);
      break;
    case NETDEV_CHANGEMTU:
      if (dev.mtu > lower.mtu) devSetMtu(dev, lower.mtu);
      break;
    case NETDEV_DOWN:
      devClose(dev);
      break;
    case NETDEV_UNREGISTER:
      unregisterNetdevice(dev);
      break;
    default:
      break;
  }
  return 0;
}
