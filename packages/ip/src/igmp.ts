/*
 * Which multicast groups a device listens to (the part of the kernel's igmp.c that is local).
 *
 * Every device that can, listens to 224.0.0.1 (RFC 1112 §7.1). ipMcIncGroup() and ipMcDecGroup()
 * count users of others and have the device's filter follow. Membership is not reported to
 * routers (IGMP): groups work on the link.
 */
import { INADDR_ALLHOSTS_GROUP } from '@stack/inet-sock';
import { devMcAdd, devMcDel } from '@stack/netdev';
import { IpMcList } from './inetdevice.ts';
import type { InDevice } from './inetdevice.ts';
import { rtCacheFlush } from './rt-cache.ts';

/** The Ethernet address of a group (RFC 1112 §6.4): 01:00:5e and the low 23 bits. Fills `to`. */
export function ipEthMcMap(group: number, to: Uint8Array): void {
  to[0] = 0x01;
  to[1] = 0x00;
  to[2] = 0x5e;
  to[3] = (group >>> 16) & 0x7f;
  to[4] = group >>> 8;
  to[5] = group;
}

/** Whether the device of inDev listens to group. */
export function ipCheckMc(inDev: InDevice, group: number): boolean {
  for (let im = inDev.mcList; im !== null; im = im.next) {
    if (im.multiaddr === group) return true;
  }
  return false;
}

/** One more user of group on the device. */
export function ipMcIncGroup(inDev: InDevice, group: number): void {
  for (let im = inDev.mcList; im !== null; im = im.next) {
    if (im.multiaddr !== group) continue;
    im.users++;
    return;
  }
  inDev.mcList = new IpMcList(group, inDev.mcList);
  mcFilter(inDev, group, true);
}

/** One user of group less; with the last the device stops listening. */
export function ipMcDecGroup(inDev: InDevice, group: number): void {
  let prev: IpMcList | null = null;
  for (let im = inDev.mcList; im !== null; im = im.next) {
    if (im.multiaddr === group) {
      if (--im.users > 0) return;
      if (prev === null) inDev.mcList = im.next;
      else prev.next = im.next;
      mcFilter(inDev, group, false);
      return;
    }
    prev = im;
  }
}

/** The device begins or ends to listen: its filter follows, and routes to the group are made anew. */
function mcFilter(inDev: InDevice, group: number, on: boolean): void {
  const dev = inDev.dev;
  rtCacheFlush(inDev.net);
  if (dev.addrLen !== 6) return;
  const addr = new Uint8Array(6);
  ipEthMcMap(group, addr);
  if (on) devMcAdd(dev, addr);
  else devMcDel(dev, addr);
}

/** The device is up: it listens to all hosts. */
export function ipMcUp(inDev: InDevice): void {
  if (!ipCheckMc(inDev, INADDR_ALLHOSTS_GROUP)) ipMcIncGroup(inDev, INADDR_ALLHOSTS_GROUP);
}

/** The device goes down or away. */
export function ipMcDown(inDev: InDevice): void {
  ipMcDecGroup(inDev, INADDR_ALLHOSTS_GROUP);
}
