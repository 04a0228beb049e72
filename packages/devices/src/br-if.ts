// Bridges and their ports (net/bridge/br_if.c, and of br_stp_if.c what is left without a spanning tree).
//
// brAddBridge() makes a bridge, brAddIf() gives it a port, brDelIf() takes one away, unregisterNetdevice() ends it. What
// happens to a port's device afterwards comes as brDeviceEvent(): carrier, MTU, address, features.

import { EBUSY, EINVAL, ELOOP, EXDEV, errnoException, msecsToJiffies, delTimer, randomU32, timerSetup, TIMER_DEFERRABLE, type Net } from '@stack/kernel';
import {
  ARPHRD_ETHER, ETH_DATA_LEN, IFF_LOOPBACK, IFF_UP, NETDEV_CHANGE, NETDEV_CHANGEADDR, NETDEV_CHANGEMTU, NETDEV_DOWN,
  NETDEV_FEAT_CHANGE, NETDEV_UNREGISTER, NETDEV_UP, allocNetdev, callNetdeviceNotifiers, devAddrSet, devSetPromiscuity,
  ethRandomAddr, netdevRxHandlerRegister, netdevRxHandlerUnregister, netdevUpdateFeatures, netifCarrierOff, netifCarrierOk,
  netifCarrierOn, registerNetdevice, registerNetdeviceNotifier, type NetDevice, type NotifierBlock,
} from '@stack/netdev';
import { brDevSetup, brNetdevOps } from './br-device.ts';
import { BR_FDB_MAX_LEARNED, brFdbAddLocal, brFdbChangeaddr, brFdbCleanup, brFdbFini, brFdbFlush } from './br-fdb.ts';
import { brHandleFrame } from './br-input.ts';
import { BR_STATE_DISABLED, BR_STATE_FORWARDING, NetBridge, NetBridgePort, brPortGet } from './br-private.ts';

/** IEEE 802.1Q-2022 Table 8-5: the ageing time, in seconds. */
const DEFAULT_AGEING = 300;

/** What brAddBridge() may be told. */
export interface BridgeOptions {
  /** Default `br%d`. */
  readonly name?: string;
  /** Default the least of the ports' addresses. */
  readonly mac?: Uint8Array;
  /** Default the least of the ports' MTUs. */
  readonly mtu?: number;
  /** Seconds until a station that is silent is forgotten; default 300. */
  readonly ageing?: number;
  /** Most stations that are learned, 0 for any number; default BR_FDB_MAX_LEARNED. */
  readonly fdbMaxLearned?: number;
}

const brNotifier: NotifierBlock = { notifierCall: brDeviceEvent };

/** A new bridge without ports, registered, down. Throws an Error with Node's fields (EEXIST, EINVAL) if it cannot be registered. */
export function brAddBridge(net: Net, options: BridgeOptions = {}): NetDevice {
  const { name = 'br%d', mac, mtu, ageing = DEFAULT_AGEING, fdbMaxLearned = BR_FDB_MAX_LEARNED } = options;
  const { random } = net.world;
  const dev = allocNetdev(net, name, brNetdevOps, brDevSetup);
  const gcTimer = timerSetup(net, brFdbCleanup, null, TIMER_DEFERRABLE);
  const br = new NetBridge(dev, randomU32(random), msecsToJiffies(ageing * 1000), fdbMaxLearned, gcTimer);
  gcTimer.data = br;
  dev.priv = br;
  devAddrSet(dev, mac ?? ethRandomAddr(random));
  br.addrSetByUser = mac !== undefined;
  if (mtu !== undefined) dev.mtu = mtu;
  br.mtuSetByUser = mtu !== undefined;
  registerNetdeviceNotifier(net, brNotifier); // -EEXIST from the second bridge on
  const rc = registerNetdevice(dev);
  if (rc < 0) throw errnoException(-rc, 'br_add_bridge');
  return dev;
}

/** Whether `dev` is a bridge. */
export function netifIsBridgeMaster(dev: NetDevice): boolean {
  return dev.netdevOps === brNetdevOps;
}

/** Whether `dev` is a port of a bridge. */
export function netifIsBridgePort(dev: NetDevice): boolean {
  return dev.rxHandler === brHandleFrame;
}

/**
 * Makes `dev` a port of the bridge: from now on every frame that it receives is the bridge's. Returns 0, -EINVAL (no
 * Ethernet device), -ELOOP (a bridge), -EBUSY (taken by another), -EXDEV (another host's).
 */
export function brAddIf(br: NetBridge, dev: NetDevice): number {
  if (dev.type !== ARPHRD_ETHER || (dev.flags & IFF_LOOPBACK) !== 0) return -EINVAL;
  if (dev.net !== br.dev.net) return -EXDEV;
  if (netifIsBridgeMaster(dev)) return -ELOOP;
  if (dev.master !== null) return -EBUSY;
  const port = new NetBridgePort(br, dev, br.portList.length + 1);
  if (!netdevRxHandlerRegister(dev, brHandleFrame, port)) return -EBUSY;
  dev.master = br.dev;
  devSetPromiscuity(dev, 1);
  br.portList.push(port);
  brFdbAddLocal(br, port, dev);
  brPortCarrierCheck(port);
  brPortsChanged(br);
  return 0;
}

/** Undoes brAddIf(). Returns 0, or -EINVAL if `dev` is no port of this bridge. */
export function brDelIf(br: NetBridge, dev: NetDevice): number {
  if (!netifIsBridgePort(dev) || dev.master !== br.dev) return -EINVAL;
  delNbp(brPortGet(dev));
  brFdbChangeaddr(br);
  brPortStateSelection(br);
  brPortsChanged(br);
  return 0;
}

/** The port's device is an ordinary one again; the bridge forgets who is behind it. */
function delNbp(port: NetBridgePort): void {
  const { br, dev } = port;
  port.state = BR_STATE_DISABLED;
  netdevRxHandlerUnregister(dev);
  dev.master = null;
  devSetPromiscuity(dev, -1);
  br.portList.splice(br.portList.indexOf(port), 1);
  brFdbFlush(br, port);
}

/** Sets and clears bits of a port's flags (`bridge link set dev … hairpin on`). Returns 0, or -EINVAL if `dev` is no port. */
export function brSetPortFlags(dev: NetDevice, set: number, clear: number): number {
  if (!netifIsBridgePort(dev)) return -EINVAL;
  const port = brPortGet(dev);
  port.flags = (port.flags & ~clear) | set;
  return 0;
}

/** What follows from the ports being others than before. */
function brPortsChanged(br: NetBridge): void {
  brMtuAutoAdjust(br);
  brStpRecalculateBridgeId(br);
  netdevUpdateFeatures(br.dev);
}

/** The bridge's MTU is the least of its ports'. */
function brMtuAutoAdjust(br: NetBridge): void {
  if (br.mtuSetByUser) return;
  let mtu = br.portList.length === 0 ? ETH_DATA_LEN : br.dev.maxMtu;
  for (const port of br.portList) mtu = Math.min(mtu, port.dev.mtu);
  if (mtu === br.dev.mtu) return;
  br.dev.mtu = mtu;
  callNetdeviceNotifiers(NETDEV_CHANGEMTU, br.dev);
}

/** The bridge's address is the least of its ports'. */
function brStpRecalculateBridgeId(br: NetBridge): void {
  if (br.addrSetByUser) return;
  let least: NetDevice | null = null;
  for (const { dev } of br.portList) {
    const less = least === null || dev.devAddrHi >>> 0 < least.devAddrHi >>> 0
      || (dev.devAddrHi === least.devAddrHi && dev.devAddrLo < least.devAddrLo);
    if (less) least = dev;
  }
  if (least === null || (least.devAddrHi === br.dev.devAddrHi && least.devAddrLo === br.dev.devAddrLo)) return;
  devAddrSet(br.dev, least.devAddr);
  brFdbChangeaddr(br);
  callNetdeviceNotifiers(NETDEV_CHANGEADDR, br.dev);
}

/** The port forwards if its device is up and has carrier and the bridge is up. */
function brPortCarrierCheck(port: NetBridgePort): void {
  const up = (port.dev.flags & IFF_UP) !== 0 && netifCarrierOk(port.dev) && (port.br.dev.flags & IFF_UP) !== 0;
  if (!up && port.state === BR_STATE_FORWARDING) brFdbFlush(port.br, port);
  port.state = up ? BR_STATE_FORWARDING : BR_STATE_DISABLED;
  brPortStateSelection(port.br);
}

/** The bridge has carrier while a port forwards. */
function brPortStateSelection(br: NetBridge): void {
  if (br.portList.some((port) => port.state === BR_STATE_FORWARDING)) netifCarrierOn(br.dev);
  else netifCarrierOff(br.dev);
}

/** The bridge goes up: so do its ports. For br-device.ts, whose device is not marked so yet. */
export function brStpEnableBridge(br: NetBridge): void {
  for (const port of br.portList) {
    if ((port.dev.flags & IFF_UP) !== 0 && netifCarrierOk(port.dev)) port.state = BR_STATE_FORWARDING;
  }
  brPortStateSelection(br);
}

/** The bridge goes down. */
export function brStpDisableBridge(br: NetBridge): void {
  for (const port of br.portList) port.state = BR_STATE_DISABLED;
  brFdbFlush(br, null);
}

/** The bridge is unregistered: its ports are free. */
export function brDevDelete(br: NetBridge): void {
  while (br.portList.length > 0) delNbp(br.portList[br.portList.length - 1]!);
  delTimer(br.gcTimer);
  brFdbFini(br);
}

/** Something has happened to a device: the bridge hears of its ports'. */
function brDeviceEvent(event: number, dev: NetDevice): number {
  if (!netifIsBridgePort(dev)) return 0;
  const port = brPortGet(dev);
  const { br } = port;
  switch (event) {
    case NETDEV_CHANGEMTU:
      brMtuAutoAdjust(br);
      break;
    case NETDEV_CHANGEADDR:
      brFdbChangeaddr(br);
      brStpRecalculateBridgeId(br);
      break;
    case NETDEV_CHANGE:
    case NETDEV_UP:
    case NETDEV_DOWN:
      brPortCarrierCheck(port);
      break;
    case NETDEV_FEAT_CHANGE:
      netdevUpdateFeatures(br.dev);
      break;
    case NETDEV_UNREGISTER:
      brDelIf(br, dev);
      break;
    default:
      break;
  }
  return 0;
}
