// VLAN devices (net/8021q/vlan_dev.c and vlan.c): what is sent on one leaves by its real device with a tag; what the real
// device receives with that tag is received by it, without.
//
// Down: devQueueXmit -> vlanDevHardStartXmit (tag beside the octets) -> devQueueXmit of the real device -> validateXmitSkb puts it
// in. Up: netifReceiveSkb -> vlanDoReceive (netdev's vlan-core.ts). What happens to the real device comes as vlanDeviceEvent().
// A VLAN device may stand on another (802.1ad). Read first: IEEE 802.1Q-2022 §9.

import { EEXIST, ENETDOWN, EOPNOTSUPP, ERANGE, EADDRNOTAVAIL, EINVAL, errnoException } from '@stack/kernel';
import {
  ARPHRD_ETHER, ETH_ALEN, ETH_P_8021AD, ETH_P_8021Q, IFF_LOOPBACK, IFF_UP, NETDEV_CHANGE, NETDEV_CHANGEADDR, NETDEV_CHANGEMTU,
  NETDEV_DOWN, NETDEV_FEAT_CHANGE, NETDEV_TX_OK, NETDEV_UNREGISTER, NETDEV_UP, NETIF_F_GRO, NETIF_F_GSO, NETIF_F_GSO_MASK, NETIF_F_HW_VLAN_CTAG_RX,
  NETIF_F_HW_VLAN_CTAG_TX, NETIF_F_HW_VLAN_CTAG_FILTER, VLAN_HLEN, VLAN_PRIO_SHIFT, VLAN_VID_MASK, VlanDevPriv, VlanInfo,
  __vlanHwaccelPutTag, allocNetdev, devAddrSet, devClose, devOpen, devQueueXmit, devSetMtu, devSetPromiscuity, etherSetup,
  isValidEtherAddr, netdevUpdateFeatures, netifCarrierOff, netifCarrierOk, netifCarrierOn, registerNetdevice,
  registerNetdeviceNotifier, unregisterNetdevice, vlanFindDev, type NetDevice, type NetDeviceOps, type NotifierBlock,
} from '@stack/netdev';
import { NET_XMIT_CN, NET_XMIT_SUCCESS, type SkBuff } from '@stack/skbuff';
import { RxModeSync, rxModeSync, rxModeUnsync } from './rx-mode-sync.ts';

/** What vlanAdd() may be told. */
export interface VlanOptions {
  /** Default the real device's name, a dot, the number. */
  readonly name?: string;
  /** Default the real device's. */
  readonly mac?: Uint8Array;
  /** At most the real device's; default as much, and on a VLAN device one tag less. */
  readonly mtu?: number;
  /** ETH_P_8021Q (default) or ETH_P_8021AD. */
  readonly protocol?: number;
}

/** The driver's part, beside what the receive path knows. */
class VlanPriv extends VlanDevPriv {
  sync: RxModeSync;
  /** The real device hears everything for the sake of our address. */
  promisc: boolean;

  constructor(realDev: NetDevice, vlanProto: number, vlanId: number) {
    super(realDev, vlanProto, vlanId);
    this.sync = new RxModeSync();
    this.promisc = false;
  }
}

const vlanNetdevOps: NetDeviceOps = {
  ndoInit: vlanDevInit,
  ndoUninit: vlanDevUninit,
  ndoOpen: vlanDevOpen,
  ndoStop: vlanDevStop,
  ndoStartXmit: vlanDevHardStartXmit,
  ndoSetRxMode: vlanDevSetRxMode,
  ndoChangeMtu: vlanDevChangeMtu,
  ndoSetMacAddress: vlanDevSetMacAddress,
  ndoFixFeatures: vlanDevFixFeatures,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

const vlanNotifier: NotifierBlock = { notifierCall: vlanDeviceEvent };

/** Whether `dev` is a VLAN device. */
export function isVlanDev(dev: NetDevice): boolean {
  return dev.netdevOps === vlanNetdevOps;
}

function vlanPriv(dev: NetDevice): VlanPriv {
  return dev.priv as VlanPriv;
}

/**
 * A new device for VLAN `id` (0 … 4094) on `realDev`, registered, down. Throws an Error with Node's fields: ERANGE (the number),
 * EOPNOTSUPP (no Ethernet), EEXIST (there is one), EINVAL (MTU above the real device's).
 */
export function vlanAdd(realDev: NetDevice, id: number, options: VlanOptions = {}): NetDevice {
  const { name = `${realDev.name}.${id}`, mac, mtu, protocol = ETH_P_8021Q } = options;
  const wrong = checkVlan(realDev, id, protocol, mtu);
  if (wrong !== 0) throw errnoException(wrong, 'register_vlan_device');
  const dev = allocNetdev(realDev.net, name, vlanNetdevOps, etherSetup, new VlanPriv(realDev, protocol, id));
  devAddrSet(dev, mac ?? realDev.devAddr);
  // Deviation: Linux leaves it to the user that two tags do not fit where one does.
  dev.mtu = mtu ?? (isVlanDev(realDev) ? realDev.mtu - VLAN_HLEN : realDev.mtu);
  registerNetdeviceNotifier(realDev.net, vlanNotifier); // -EEXIST from the second VLAN on
  const rc = registerNetdevice(dev);
  if (rc < 0) throw errnoException(-rc, 'register_vlan_device');
  return dev;
}

/** 0, or the errno by which a VLAN is refused. */
function checkVlan(realDev: NetDevice, id: number, protocol: number, mtu: number | undefined): number {
  if (!Number.isInteger(id) || id < 0 || id >= VLAN_VID_MASK) return ERANGE;
  if (protocol !== ETH_P_8021Q && protocol !== ETH_P_8021AD) return EINVAL;
  if (realDev.type !== ARPHRD_ETHER || (realDev.flags & IFF_LOOPBACK) !== 0) return EOPNOTSUPP;
  if (vlanFindDev(realDev, protocol, id) !== null) return EEXIST;
  return mtu !== undefined && mtu > realDev.mtu ? EINVAL : 0;
}

function vlanDevInit(dev: NetDevice): number {
  const { realDev } = vlanPriv(dev);
  dev.txQueueLen = 0;
  dev.neededHeadroom = realDev.neededHeadroom + VLAN_HLEN;
  dev.neededTailroom = realDev.neededTailroom;
  dev.features = vlanFeaturesOf(realDev);
  dev.hwFeatures = dev.features;
  dev.vlanFeatures = realDev.vlanFeatures & ~NETIF_F_GSO_MASK;
  dev.gsoMaxSize = realDev.gsoMaxSize;
  dev.gsoMaxSegs = realDev.gsoMaxSegs;
  if (!netifCarrierOk(realDev)) netifCarrierOff(dev);
  realDev.vlanInfo ??= new VlanInfo(realDev);
  realDev.vlanInfo.vlans.push(dev);
  return 0;
}

function vlanDevUninit(dev: NetDevice): void {
  const { realDev } = vlanPriv(dev);
  const { vlans } = realDev.vlanInfo!;
  vlans.splice(vlans.indexOf(dev), 1);
  if (vlans.length === 0) realDev.vlanInfo = null;
}

function vlanDevOpen(dev: NetDevice): number {
  const priv = vlanPriv(dev);
  const { realDev } = priv;
  if ((realDev.flags & IFF_UP) === 0) return -ENETDOWN;
  vlanDevPromisc(priv, !sameAddr(dev, realDev));
  if (netifCarrierOk(realDev)) netifCarrierOn(dev);
  return 0;
}

function vlanDevStop(dev: NetDevice): number {
  const priv = vlanPriv(dev);
  rxModeUnsync(priv.sync, priv.realDev);
  vlanDevPromisc(priv, false);
  return 0;
}

/** An address that is not the real device's reaches us only if that hears everything. */
function vlanDevPromisc(priv: VlanPriv, wanted: boolean): void {
  if (wanted === priv.promisc) return;
  priv.promisc = wanted;
  devSetPromiscuity(priv.realDev, wanted ? 1 : -1);
}

function sameAddr(a: NetDevice, b: NetDevice): boolean {
  return a.devAddrHi === b.devAddrHi && a.devAddrLo === b.devAddrLo;
}

/** ndo_start_xmit: the tag is put beside the octets, and the real device sends. */
function vlanDevHardStartXmit(skb: SkBuff, dev: NetDevice): number {
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'vlan_dev_hard_start_xmit', skb);
  const priv = vlanPriv(dev);
  const len = skb.len;
  const pcp = priv.egressPriority.size === 0 ? 0 : (priv.egressPriority.get(skb.priority) ?? 0);
  __vlanHwaccelPutTag(skb, priv.vlanProto, priv.vlanId | (pcp << VLAN_PRIO_SHIFT));
  skb.dev = priv.realDev;
  const rc = devQueueXmit(skb);
  if (rc === NET_XMIT_SUCCESS || rc === NET_XMIT_CN) {
    dev.stats.txPackets++;
    dev.stats.txBytes += len;
  } else {
    dev.stats.txDropped++;
  }
  return NETDEV_TX_OK;
}

function vlanDevSetRxMode(dev: NetDevice): void {
  if ((dev.flags & IFF_UP) !== 0) rxModeSync(vlanPriv(dev).sync, dev, vlanPriv(dev).realDev);
}

function vlanDevChangeMtu(dev: NetDevice, mtu: number): number {
  return mtu > vlanPriv(dev).realDev.mtu ? -ERANGE : 0;
}

function vlanDevSetMacAddress(dev: NetDevice, addr: Uint8Array): number {
  if (addr.length !== ETH_ALEN || !isValidEtherAddr(addr)) return -EADDRNOTAVAIL;
  devAddrSet(dev, addr);
  if ((dev.flags & IFF_UP) !== 0) vlanDevPromisc(vlanPriv(dev), !sameAddr(dev, vlanPriv(dev).realDev));
  return 0;
}

function vlanFeaturesOf(realDev: NetDevice): number {
  return realDev.features & realDev.vlanFeatures & ~(NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_CTAG_FILTER);
}

/** What the real device can do with a tagged frame, less what the user does not want. */
function vlanDevFixFeatures(dev: NetDevice, features: number): number {
  return features & (vlanFeaturesOf(vlanPriv(dev).realDev) | ~dev.hwFeatures | NETIF_F_GSO | NETIF_F_GRO);
}

/** Sets the priority code point (0 … 7) of what leaves with `skbPriority` (`egress-qos-map`). */
export function vlanDevSetEgressPriority(dev: NetDevice, skbPriority: number, pcp: number): void {
  vlanPriv(dev).egressPriority.set(skbPriority, pcp & 7);
}

/** Sets the skb.priority of what arrives with priority code point `pcp` (0 … 7) (`ingress-qos-map`). */
export function vlanDevSetIngressPriority(dev: NetDevice, pcp: number, skbPriority: number): void {
  vlanPriv(dev).ingressPriority[pcp & 7] = skbPriority;
}

/** Something has happened to a device: the VLANs on it follow. */
function vlanDeviceEvent(event: number, realDev: NetDevice): number {
  const info = realDev.vlanInfo;
  if (info === null) return 0;
  for (const dev of info.vlans.slice()) vlanFollow(event, realDev, dev);
  return 0;
}

function vlanFollow(event: number, realDev: NetDevice, dev: NetDevice): void {
  switch (event) {
    case NETDEV_CHANGE:
      if (netifCarrierOk(realDev)) netifCarrierOn(dev);
      else netifCarrierOff(dev);
      break;
    case NETDEV_CHANGEADDR:
      if ((dev.flags & IFF_UP) !== 0) vlanDevPromisc(vlanPriv(dev), !sameAddr(dev, realDev));
      break;
    case NETDEV_CHANGEMTU:
      if (dev.mtu > realDev.mtu) devSetMtu(dev, realDev.mtu);
      break;
    case NETDEV_FEAT_CHANGE:
      netdevUpdateFeatures(dev);
      break;
    case NETDEV_DOWN:
      devClose(dev);
      break;
    case NETDEV_UP:
      devOpen(dev);
      break;
    case NETDEV_UNREGISTER:
      unregisterNetdevice(dev);
      break;
    default:
      break;
  }
}
