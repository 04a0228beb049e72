// Protocols and taps: how this layer calls what is above it without knowing it.
//
// A protocol registers a PacketType by its ETH_P_ in ptypeBase; a tap (ETH_P_ALL) is in ptypeAll, or on one device.
// PacketOffload is the protocol's part in cutting and merging packets (dev-gso.ts, gro.ts).

import { EEXIST, ENOENT, type Net } from '@stack/kernel';
import { ETH_P_ALL } from './if-ether.ts';
import type { PacketOffload, PacketType } from './netdevice.ts';
import { PTYPE_HASH_MASK, type NetnsNetdev } from './softnet.ts';

/** The bucket of ptypeBase for `type`. */
export function ptypeHash(type: number): number {
  return type & PTYPE_HASH_MASK;
}

function ptypeHead(nn: NetnsNetdev, pt: PacketType): PacketType[] {
  if (pt.type !== ETH_P_ALL) return nn.ptypeBase[ptypeHash(pt.type)]!;
  return pt.dev === null ? nn.ptypeAll : pt.dev.ptypeAll;
}

/** Registers `pt` in `net`. Returns 0, or -EEXIST if this very PacketType is there already. */
export function devAddPack(net: Net, pt: PacketType): number {
  const nn = net.netdev;
  const head = ptypeHead(nn, pt);
  if (head.includes(pt)) return -EEXIST;
  head.push(pt);
  if (pt.type === ETH_P_ALL && pt.dev !== null) nn.ptypeDevCount++;
  return 0;
}

/** Takes `pt` out again. Returns 0, or -ENOENT if it was not registered. */
export function devRemovePack(net: Net, pt: PacketType): number {
  const nn = net.netdev;
  const head = ptypeHead(nn, pt);
  const at = head.indexOf(pt);
  if (at < 0) return -ENOENT;
  head.splice(at, 1);
  if (pt.type === ETH_P_ALL && pt.dev !== null) nn.ptypeDevCount--;
  return 0;
}

/** Registers a protocol's offload callbacks. Returns 0, or -EEXIST if `type` has some. */
export function devAddOffload(net: Net, offload: PacketOffload): number {
  if (findOffload(net.netdev, offload.type) !== null) return -EEXIST;
  net.netdev.offloads.push(offload);
  return 0;
}

/** Takes a protocol's offload callbacks out. Returns 0 or -ENOENT. */
export function devRemoveOffload(net: Net, offload: PacketOffload): number {
  const at = net.netdev.offloads.indexOf(offload);
  if (at < 0) return -ENOENT;
  net.netdev.offloads.splice(at, 1);
  return 0;
}

/** The offload callbacks of ETH_P_ `type`, or null. */
export function findOffload(nn: NetnsNetdev, type: number): PacketOffload | null {
  const offloads = nn.offloads;
  for (let i = 0; i < offloads.length; i++) {
    const offload = offloads[i]!;
    if (offload.type === type) return offload;
  }
  return null;
}
