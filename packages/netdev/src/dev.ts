// The life of a device: allocNetdev(), registerNetdevice(), devOpen(), devClose(), unregisterNetdevice(); and finding it.
//
// What can be changed in between is in dev-config.ts. All of this runs in process context, for whoever composes a host;
// it returns 0 or -errno.

import { EBUSY, EEXIST, EINVAL, ENFILE, ENODEV, type Net } from '@stack/kernel';
import { devSetRxMode } from './dev-addr.ts';
import { flushBacklog } from './dev-backlog.ts';
import { netdevUpdateFeatures } from './features.ts';
import { IFF_UP, devValidName } from './if.ts';
import { devActivate, devDeactivate, devDestroyScheduler, linkwatchCancel, linkwatchInitDev } from './link-watch.ts';
import { NETIF_F_GRO, NETIF_F_GSO } from './netdev-features.ts';
import {
  LINK_STATE_PRESENT, LINK_STATE_START, NETREG_REGISTERED, NETREG_UNINITIALIZED, NETREG_UNREGISTERED, NetDevice,
  type NetDeviceOps,
} from './netdevice.ts';
import {
  NETDEV_DOWN, NETDEV_GOING_DOWN, NETDEV_PRE_UP, NETDEV_REGISTER, NETDEV_UNREGISTER, NETDEV_UP, callNetdeviceNotifiers,
} from './notifier.ts';
import { noopQdiscOps } from './sch-fifo.ts';

/** Most devices of one Net that a `%d` name is tried for. */
const MAX_NAME_INDEX = 32768;

/**
 * A new device of `net`, not registered yet. `name` may hold one `%d`, which becomes the least number free at
 * registration ('eth%d'). `setup` fills what the kind of link implies (etherSetup); `priv` is the driver's.
 */
export function allocNetdev(net: Net, name: string, ops: NetDeviceOps, setup: (dev: NetDevice) => void, priv: unknown = null): NetDevice {
  const dev = new NetDevice(net, name, ops, noopQdiscOps);
  dev.priv = priv;
  setup(dev);
  return dev;
}

/**
 * Makes the device known to its Net: gives it name and ifindex, calls ndoInit, tells the notifiers. Returns 0, -EINVAL
 * (bad name), -EEXIST (name taken), -ENFILE (no number left for `%d`), -EBUSY (registered before) or what ndoInit said.
 */
export function registerNetdevice(dev: NetDevice): number {
  if (dev.regState !== NETREG_UNINITIALIZED) return -EBUSY;
  const nn = dev.net.netdev;
  const name = devAllocName(dev.net, dev.name);
  if (typeof name === 'number') return name;
  dev.name = name;
  if (dev.netdevOps.ndoInit !== null) {
    const rc = dev.netdevOps.ndoInit(dev);
    if (rc < 0) return rc;
  }
  dev.ifindex = nn.devByIndex.length;
  nn.devByIndex.push(dev);
  nn.devByName.set(name, dev);
  nn.devList.push(dev);
  dev.regState = NETREG_REGISTERED;
  dev.hwFeatures |= NETIF_F_GSO | NETIF_F_GRO;
  dev.features |= NETIF_F_GSO | NETIF_F_GRO;
  dev.wantedFeatures = dev.features & dev.hwFeatures;
  netdevUpdateFeatures(dev);
  linkwatchInitDev(dev);
  const rc = callNetdeviceNotifiers(NETDEV_REGISTER, dev);
  if (rc < 0) unregisterNetdevice(dev);
  return rc;
}

/** The name to register under: `%d` filled in. Or -errno. */
function devAllocName(net: Net, pattern: string): string | number {
  const names = net.netdev.devByName;
  if (!pattern.includes('%d')) {
    if (!devValidName(pattern)) return -EINVAL;
    return names.has(pattern) ? -EEXIST : pattern;
  }
  for (let i = 0; i < MAX_NAME_INDEX; i++) {
    const name = pattern.replace('%d', String(i));
    if (!devValidName(name)) return -EINVAL;
    if (!names.has(name)) return name;
  }
  return -ENFILE;
}

/** Takes the device down and out of its Net. Nothing of it remains queued anywhere. Returns 0, or -ENODEV if it was not registered. */
export function unregisterNetdevice(dev: NetDevice): number {
  if (dev.regState !== NETREG_REGISTERED) return -ENODEV;
  const nn = dev.net.netdev;
  devClose(dev);
  callNetdeviceNotifiers(NETDEV_UNREGISTER, dev);
  flushBacklog(dev);
  linkwatchCancel(dev);
  devDestroyScheduler(dev);
  if (dev.netdevOps.ndoUninit !== null) dev.netdevOps.ndoUninit(dev);
  nn.devByIndex[dev.ifindex] = null;
  nn.devByName.delete(dev.name);
  nn.devList.splice(nn.devList.indexOf(dev), 1);
  dev.regState = NETREG_UNREGISTERED;
  return 0;
}

/** Takes the device up (`ip link set up`). Returns 0 (also if it is up), -ENODEV, or what the driver or a notifier said. */
export function devOpen(dev: NetDevice): number {
  if ((dev.flags & IFF_UP) !== 0) return 0;
  const rc = __devOpen(dev);
  if (rc < 0) return rc;
  callNetdeviceNotifiers(NETDEV_UP, dev);
  return 0;
}

function __devOpen(dev: NetDevice): number {
  if (dev.regState !== NETREG_REGISTERED || (dev.state & LINK_STATE_PRESENT) === 0) return -ENODEV;
  const refused = callNetdeviceNotifiers(NETDEV_PRE_UP, dev);
  if (refused < 0) return refused;
  dev.state |= LINK_STATE_START;
  const rc = dev.netdevOps.ndoOpen === null ? 0 : dev.netdevOps.ndoOpen(dev);
  if (rc < 0) {
    dev.state &= ~LINK_STATE_START;
    return rc;
  }
  dev.flags |= IFF_UP;
  devSetRxMode(dev);
  devActivate(dev);
  return 0;
}

/** Takes the device down (`ip link set down`): whatever it had queued is freed. Returns 0. */
export function devClose(dev: NetDevice): number {
  if ((dev.flags & IFF_UP) === 0) return 0;
  callNetdeviceNotifiers(NETDEV_GOING_DOWN, dev);
  dev.state &= ~LINK_STATE_START;
  devDeactivate(dev);
  if (dev.netdevOps.ndoStop !== null) dev.netdevOps.ndoStop(dev);
  dev.flags &= ~IFF_UP;
  callNetdeviceNotifiers(NETDEV_DOWN, dev);
  return 0;
}

/** The device called `name`, or null. */
export function devGetByName(net: Net, name: string): NetDevice | null {
  return net.netdev.devByName.get(name) ?? null;
}

/** The device numbered `ifindex`, or null. */
export function devGetByIndex(net: Net, ifindex: number): NetDevice | null {
  return net.netdev.devByIndex[ifindex] ?? null;
}

/** Whether the device is up (the kernel's netif_running). */
export function netifRunning(dev: NetDevice): boolean {
  return (dev.state & LINK_STATE_START) !== 0;
}
