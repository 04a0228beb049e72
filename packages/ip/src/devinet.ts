/*
 * IPv4 addresses of devices: in_device, and the list of in_ifaddr.
 *
 * inetdevInit() when a device is registered; inetInsertIfa() and inetDelIfa() change its addresses
 * and have the routes follow (fib-ifaddr.ts). Questions about addresses are in ifaddr.ts.
 */
import { EEXIST, EINVAL } from '@stack/kernel';
import { neighIfdown, neighParmsAlloc, neighParmsRelease } from '@stack/neigh';
import type { NetDevice } from '@stack/netdev';
import { fibAddIfaddr, fibDelIfaddr } from './fib-ifaddr.ts';
import { inetHashInsert, inetHashRemove, inetIfaMatch } from './ifaddr.ts';
import { igmpStateNew, ipMcDestroyDev } from './igmp.ts';
import { IFA_F_SECONDARY, InDevice, inDevPromoteSecondaries, ipv4DevconfCopy } from './inetdevice.ts';
import type { InIfaddr } from './inetdevice.ts';
import { rtCacheFlush } from './rt-cache.ts';
import { devinetSysctlRegister, devinetSysctlUnregister } from './sysctl-devinet.ts';

/** Makes IPv4's part of dev, with the default settings. Called when the device is registered. */
export function inetdevInit(dev: NetDevice): InDevice {
  const ipv4 = dev.net.ipv4;
  const igmp = igmpStateNew(dev.net);
  const inDev = new InDevice(dev, neighParmsAlloc(ipv4.arpTbl, dev), igmp);
  igmp.gqTimer.data = inDev;
  igmp.ifcTimer.data = inDev;
  ipv4DevconfCopy(inDev.cnf, ipv4.devconfDflt);
  dev.ipPtr = inDev;
  devinetSysctlRegister(inDev);
  return inDev;
}

/** Takes IPv4 off dev: its addresses, neighbours and settings. */
export function inetdevDestroy(inDev: InDevice): void {
  inDev.dead = true;
  while (inDev.ifaList !== null) inetDelIfa(inDev.ifaList);
  ipMcDestroyDev(inDev);
  neighIfdown(inDev.net.ipv4.arpTbl, inDev.dev);
  devinetSysctlUnregister(inDev);
  neighParmsRelease(inDev.arpParms);
  inDev.dev.ipPtr = null;
}

/**
 * Adds an address to its device: primary, or secondary if there is one of the same subnet. Routes
 * follow. Returns 0, -EEXIST, or -EINVAL for a scope that differs from the primary's.
 */
export function inetInsertIfa(ifa: InIfaddr): number {
  const inDev = ifa.inDev;
  ifa.ifaFlags &= ~IFA_F_SECONDARY;
  let lastPrimary: InIfaddr | null = null;
  let last: InIfaddr | null = null;
  for (let at = inDev.ifaList; at !== null; at = at.ifaNext) {
    if ((at.ifaFlags & IFA_F_SECONDARY) === 0 && ifa.ifaScope <= at.ifaScope) lastPrimary = at;
    if (at.ifaMask === ifa.ifaMask && inetIfaMatch(at.ifaAddress, ifa)) {
      if (at.ifaLocal === ifa.ifaLocal) return -EEXIST;
      if (at.ifaScope !== ifa.ifaScope) return -EINVAL;
      ifa.ifaFlags |= IFA_F_SECONDARY;
    }
    last = at;
  }
  const after = (ifa.ifaFlags & IFA_F_SECONDARY) !== 0 ? last : lastPrimary;
  if (after === null) {
    ifa.ifaNext = inDev.ifaList;
    inDev.ifaList = ifa;
  } else {
    ifa.ifaNext = after.ifaNext;
    after.ifaNext = ifa;
  }
  inetHashInsert(ifa);
  fibAddIfaddr(ifa);
  rtCacheFlush(inDev.net);
  return 0;
}

function inetUnlinkIfa(ifa: InIfaddr): void {
  const inDev = ifa.inDev;
  if (inDev.ifaList === ifa) {
    inDev.ifaList = ifa.ifaNext;
  } else {
    let at = inDev.ifaList;
    while (at !== null && at.ifaNext !== ifa) at = at.ifaNext;
    if (at === null) throw new Error('inetDelIfa: the address is not on its device');
    at.ifaNext = ifa.ifaNext;
  }
  inetHashRemove(ifa);
}

/** The first secondary address of the subnet that ifa was primary of, or null. */
function inetFirstSecondary(ifa: InIfaddr): InIfaddr | null {
  for (let at = ifa.inDev.ifaList; at !== null; at = at.ifaNext) {
    if ((at.ifaFlags & IFA_F_SECONDARY) !== 0 && at.ifaMask === ifa.ifaMask && inetIfaMatch(at.ifaAddress, ifa)) return at;
  }
  return null;
}

/**
 * Takes an address away. With a primary one its secondaries go too, or, with promote_secondaries,
 * the first of them takes its place. Routes follow.
 */
export function inetDelIfa(ifa: InIfaddr): void {
  const inDev = ifa.inDev;
  const primary = (ifa.ifaFlags & IFA_F_SECONDARY) === 0;
  const promote = primary && !inDev.dead && inDevPromoteSecondaries(inDev);
  for (let sec = primary ? inetFirstSecondary(ifa) : null; sec !== null && !promote; sec = inetFirstSecondary(ifa)) {
    inetUnlinkIfa(sec);
    fibDelIfaddr(sec, ifa);
  }
  inetUnlinkIfa(ifa);
  ifa.ifaNext = null;
  fibDelIfaddr(ifa, null);
  const heir = promote ? inetFirstSecondary(ifa) : null;
  if (heir !== null) inetPromote(heir);
  rtCacheFlush(inDev.net);
}

/** Makes a secondary address the primary one of its subnet: taken out with its routes, and put in again. */
function inetPromote(heir: InIfaddr): void {
  const others: InIfaddr[] = [];
  for (let sec: InIfaddr | null = heir; sec !== null; sec = inetFirstSecondary(heir)) {
    inetUnlinkIfa(sec);
    fibDelIfaddr(sec, heir);
    others.push(sec);
  }
  for (const ifa of others) {
    ifa.ifaNext = null;
    inetInsertIfa(ifa);
  }
}
