// What can be changed about a device while it is there: flags, MTU, address, promiscuity, queue length, qdisc.
//
// `ip link set` in functions. Each returns 0 or -errno and tells the notifiers.

import { EEXIST, EINVAL, ENODEV, EOPNOTSUPP } from '@stack/kernel';
import { devSetRxMode } from './dev-addr.ts';
import { devClose, devOpen } from './dev.ts';
import {
  IFF_ALLMULTI, IFF_AUTOMEDIA, IFF_DEBUG, IFF_DYNAMIC, IFF_NOARP, IFF_NOTRAILERS, IFF_PORTSEL, IFF_PROMISC, IFF_UP, devValidName,
} from './if.ts';
import { devGraftQdisc } from './link-watch.ts';
import { NETREG_REGISTERED, type NetDevice, type Qdisc, type QdiscOps } from './netdevice.ts';
import {
  NETDEV_CHANGE, NETDEV_CHANGEADDR, NETDEV_CHANGEMTU, NETDEV_CHANGENAME, NETDEV_CHANGE_TX_QUEUE_LEN, NETDEV_PRECHANGEMTU,
  callNetdeviceNotifiers,
} from './notifier.ts';
import { qdiscCreate } from './sch-generic.ts';

/** Flags that a user sets and clears directly. */
const IFF_USER = IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_PORTSEL | IFF_AUTOMEDIA | IFF_DYNAMIC;

/**
 * Sets the device's flags to `flags` as far as a user may: IFF_UP opens or closes it, IFF_PROMISC and IFF_ALLMULTI count
 * as one user, IFF_DEBUG, IFF_NOARP and the like are stored. Returns 0 or what devOpen() said.
 */
export function devChangeFlags(dev: NetDevice, flags: number): number {
  const old = dev.flags;
  dev.flags = (old & ~IFF_USER) | (flags & IFF_USER);
  let rc = 0;
  if (((old ^ flags) & IFF_UP) !== 0) rc = (flags & IFF_UP) !== 0 ? devOpen(dev) : devClose(dev);
  if (((flags ^ old) & IFF_PROMISC) !== 0) devSetPromiscuity(dev, (flags & IFF_PROMISC) !== 0 ? 1 : -1);
  if (((flags ^ old) & IFF_ALLMULTI) !== 0) devSetAllmulti(dev, (flags & IFF_ALLMULTI) !== 0 ? 1 : -1);
  if (((old ^ dev.flags) & IFF_USER) !== 0 && (dev.flags & IFF_UP) !== 0) callNetdeviceNotifiers(NETDEV_CHANGE, dev);
  return rc;
}

/** Adds `inc` users (negative: takes away) who want every frame. Returns 0, or -EINVAL if there were not so many. */
export function devSetPromiscuity(dev: NetDevice, inc: number): number {
  if (dev.promiscuity + inc < 0) return -EINVAL;
  const before = dev.flags;
  dev.promiscuity += inc;
  dev.flags = dev.promiscuity > 0 ? before | IFF_PROMISC : before & ~IFF_PROMISC;
  if (dev.flags !== before) devSetRxMode(dev);
  return 0;
}

/** Adds `inc` users (negative: takes away) who want every group's frames. Returns 0 or -EINVAL. */
export function devSetAllmulti(dev: NetDevice, inc: number): number {
  if (dev.allmulti + inc < 0) return -EINVAL;
  const before = dev.flags;
  dev.allmulti += inc;
  dev.flags = dev.allmulti > 0 ? before | IFF_ALLMULTI : before & ~IFF_ALLMULTI;
  if (dev.flags !== before) devSetRxMode(dev);
  return 0;
}

/** Sets the MTU in octets. Returns 0, -EINVAL (outside minMtu … maxMtu), or what driver or notifier said. */
export function devSetMtu(dev: NetDevice, mtu: number): number {
  if (mtu === dev.mtu) return 0;
  if (!Number.isInteger(mtu) || mtu < dev.minMtu || (dev.maxMtu > 0 && mtu > dev.maxMtu)) return -EINVAL;
  const refused = callNetdeviceNotifiers(NETDEV_PRECHANGEMTU, dev);
  if (refused < 0) return refused;
  if (dev.netdevOps.ndoChangeMtu !== null) {
    const rc = dev.netdevOps.ndoChangeMtu(dev, mtu);
    if (rc < 0) return rc;
  }
  dev.mtu = mtu;
  callNetdeviceNotifiers(NETDEV_CHANGEMTU, dev);
  return 0;
}

/** Gives the device the address `addr`. Returns 0, -EOPNOTSUPP, -EINVAL (length), or what the driver said. */
export function devSetMacAddress(dev: NetDevice, addr: Uint8Array): number {
  const set = dev.netdevOps.ndoSetMacAddress;
  if (set === null) return -EOPNOTSUPP;
  if (addr.length !== dev.addrLen) return -EINVAL;
  const rc = set(dev, addr);
  if (rc < 0) return rc;
  callNetdeviceNotifiers(NETDEV_CHANGEADDR, dev);
  return 0;
}

/** Renames the device. Returns 0, -EINVAL, -EEXIST or -ENODEV (not registered). */
export function devChangeName(dev: NetDevice, name: string): number {
  if (dev.regState !== NETREG_REGISTERED) return -ENODEV;
  if (!devValidName(name)) return -EINVAL;
  const names = dev.net.netdev.devByName;
  if (names.has(name)) return name === dev.name ? 0 : -EEXIST;
  names.delete(dev.name);
  dev.name = name;
  names.set(name, dev);
  callNetdeviceNotifiers(NETDEV_CHANGENAME, dev);
  return 0;
}

/** Sets how many packets the device's qdisc may hold (per band). Returns 0 or -EINVAL. */
export function devChangeTxQueueLen(dev: NetDevice, len: number): number {
  if (!Number.isInteger(len) || len < 0) return -EINVAL;
  dev.txQueueLen = len;
  dev.qdiscSleeping.limit = len;
  callNetdeviceNotifiers(NETDEV_CHANGE_TX_QUEUE_LEN, dev);
  return 0;
}

/** Gives the device a qdisc of discipline `ops` in place of the one it has. Returns it, or null if it cannot be set up. */
export function devReplaceQdisc(dev: NetDevice, ops: QdiscOps): Qdisc | null {
  const q = qdiscCreate(ops, dev);
  if (q !== null) devGraftQdisc(dev, q);
  return q;
}
