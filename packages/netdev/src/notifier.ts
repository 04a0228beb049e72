// Who wants to know what happens to devices: the chain of netdevice notifiers of a Net.
//
// dev.ts and dev-config.ts call; protocols (addresses, routes, neighbours) register.

import { EEXIST, ENOENT, type Net } from '@stack/kernel';
import { IFF_UP } from './if.ts';
import type { NetDevice, NotifierBlock } from './netdevice.ts';

export const NETDEV_UP = 1;
export const NETDEV_DOWN = 2;
export const NETDEV_REBOOT = 3;
export const NETDEV_CHANGE = 4;
export const NETDEV_REGISTER = 5;
export const NETDEV_UNREGISTER = 6;
export const NETDEV_CHANGEMTU = 7;
export const NETDEV_CHANGEADDR = 8;
export const NETDEV_PRE_CHANGEADDR = 9;
export const NETDEV_GOING_DOWN = 10;
export const NETDEV_CHANGENAME = 11;
export const NETDEV_FEAT_CHANGE = 12;
export const NETDEV_PRE_UP = 14;
export const NETDEV_PRECHANGEMTU = 24;
export const NETDEV_CHANGE_TX_QUEUE_LEN = 28;

/** Tells everyone. Returns 0, or the -errno of the first that refuses (those after it are not asked). */
export function callNetdeviceNotifiers(event: number, dev: NetDevice): number {
  const notifiers = dev.net.netdev.notifiers;
  for (let i = 0; i < notifiers.length; i++) {
    const rc = notifiers[i]!.notifierCall(event, dev);
    if (rc < 0) return rc;
  }
  return 0;
}

/** Registers `nb`, and tells it of the devices that are there already (REGISTER, UP). Returns 0 or -EEXIST. */
export function registerNetdeviceNotifier(net: Net, nb: NotifierBlock): number {
  const nn = net.netdev;
  if (nn.notifiers.includes(nb)) return -EEXIST;
  nn.notifiers.push(nb);
  for (const dev of nn.devList) {
    nb.notifierCall(NETDEV_REGISTER, dev);
    if ((dev.flags & IFF_UP) !== 0) nb.notifierCall(NETDEV_UP, dev);
  }
  return 0;
}

/** Takes `nb` out, having told it that every device goes (GOING_DOWN, DOWN, UNREGISTER). Returns 0 or -ENOENT. */
export function unregisterNetdeviceNotifier(net: Net, nb: NotifierBlock): number {
  const nn = net.netdev;
  const at = nn.notifiers.indexOf(nb);
  if (at < 0) return -ENOENT;
  nn.notifiers.splice(at, 1);
  for (const dev of nn.devList) {
    if ((dev.flags & IFF_UP) !== 0) {
      nb.notifierCall(NETDEV_GOING_DOWN, dev);
      nb.notifierCall(NETDEV_DOWN, dev);
    }
    nb.notifierCall(NETDEV_UNREGISTER, dev);
  }
  return 0;
}
