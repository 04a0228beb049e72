/*
 * Devices by name, for options of sockets that take one (SO_BINDTODEVICE): the socket layer knows no devices.
 */
import type { Net } from '@stack/kernel';
import { devGetByName } from '@stack/netdev';

/** The index of the device of this name, 0 if there is none. */
export function ipIfnameToIndex(net: Net, name: string): number {
  const dev = devGetByName(net, name);
  return dev === null ? 0 : dev.ifindex;
}
