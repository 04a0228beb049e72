// The addresses that a device listens to: its own, and multicast groups.

import { EINVAL, ENOENT } from '@stack/kernel';
import { NetdevHwAddr, type NetDevice } from './netdevice.ts';

/** Stores `addr` (addrLen octets, copied) as the device's own. Drivers call it; users call devSetMacAddress(). */
export function devAddrSet(dev: NetDevice, addr: Uint8Array): void {
  const copy = addr.slice(0, dev.addrLen);
  dev.devAddr = copy;
  dev.devAddrHi = 0;
  dev.devAddrLo = 0;
  if (copy.length >= 6) {
    dev.devAddrHi = (copy[0]! << 24) | (copy[1]! << 16) | (copy[2]! << 8) | copy[3]!;
    dev.devAddrLo = (copy[4]! << 8) | copy[5]!;
  }
}

function sameAddr(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** Tells the driver that IFF_PROMISC, IFF_ALLMULTI or the list of groups has changed. */
export function devSetRxMode(dev: NetDevice): void {
  if (dev.netdevOps.ndoSetRxMode !== null) dev.netdevOps.ndoSetRxMode(dev);
}

/** Has the device listen to group `addr`; counted. Returns 0, or -EINVAL if the length is wrong. */
export function devMcAdd(dev: NetDevice, addr: Uint8Array): number {
  if (addr.length !== dev.addrLen) return -EINVAL;
  for (let ha = dev.mc; ha !== null; ha = ha.next) {
    if (sameAddr(ha.addr, addr)) {
      ha.refcount++;
      return 0;
    }
  }
  dev.mc = new NetdevHwAddr(addr.slice(), dev.mc);
  devSetRxMode(dev);
  return 0;
}

/** Undoes one devMcAdd(). Returns 0, or -ENOENT if the device does not listen to `addr`. */
export function devMcDel(dev: NetDevice, addr: Uint8Array): number {
  let prev: NetdevHwAddr | null = null;
  for (let ha = dev.mc; ha !== null; ha = ha.next) {
    if (!sameAddr(ha.addr, addr)) {
      prev = ha;
      continue;
    }
    if (--ha.refcount > 0) return 0;
    if (prev === null) dev.mc = ha.next;
    else prev.next = ha.next;
    devSetRxMode(dev);
    return 0;
  }
  return -ENOENT;
}

/** Whether the device listens to group `addr`. */
export function devMcHas(dev: NetDevice, addr: Uint8Array): boolean {
  for (let ha = dev.mc; ha !== null; ha = ha.next) if (sameAddr(ha.addr, addr)) return true;
  return false;
}
