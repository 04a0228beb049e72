/*
 * The routes that an address brings with it (fib_add_ifaddr, fib_del_ifaddr).
 *
 * Table local: the address itself, the broadcast addresses of its subnet. Table main: the subnet.
 */
import { IFF_LOOPBACK, IFF_UP } from '@stack/netdev';
import { ipv4IsZeronet } from '@stack/inet-sock';
import { RTN_BROADCAST, RTN_LOCAL, RTN_UNICAST, RTPROT_KERNEL } from './fib.ts';
import { fibCreateAlias, fibSyncDownAddr } from './fib-semantics.ts';
import { fibTableFind, fibTableInsert, fibTableRemove } from './fib-trie.ts';
import { RT_SCOPE_HOST, RT_SCOPE_LINK } from './flow.ts';
import { IFA_F_NOPREFIXROUTE, IFA_F_SECONDARY } from './inetdevice.ts';
import type { InDevice, InIfaddr } from './inetdevice.ts';
import { inetIfaByprefix, inetLookupIfaddr } from './ifaddr.ts';

/** Adds a route that an address of inDev implies. One that is there already stays. */
function fibMagicAdd(inDev: InDevice, type: number, prefix: number, plen: number, prim: InIfaddr, priority: number): void {
  const ipv4 = inDev.net.ipv4;
  const fa = fibCreateAlias(inDev.net, {
    prefix, plen, type, priority,
    tos: 0,
    scope: type === RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK,
    protocol: RTPROT_KERNEL,
    gw: 0,
    dev: inDev.dev,
    prefsrc: prim.ifaLocal,
    flags: 0,
    metrics: null,
    nexthops: null,
  });
  if (typeof fa !== 'number') fibTableInsert(type === RTN_UNICAST ? ipv4.fibMain : ipv4.fibLocal, fa, true);
}

/** Takes the route that an address implied away again. */
function fibMagicDel(inDev: InDevice, type: number, prefix: number, plen: number, prefsrc: number): void {
  const ipv4 = inDev.net.ipv4;
  const table = type === RTN_UNICAST ? ipv4.fibMain : ipv4.fibLocal;
  for (let fa = fibTableFind(table, prefix, plen); fa !== null; fa = fa.next) {
    const info = fa.info;
    if (fa.type === type && info.protocol === RTPROT_KERNEL && info.nh.dev === inDev.dev && info.prefsrc === prefsrc) {
      fibTableRemove(table, fa);
      return;
    }
  }
}

/** The type of the route to the subnet of an address on inDev. */
function subnetType(inDev: InDevice): number {
  return (inDev.dev.flags & IFF_LOOPBACK) !== 0 ? RTN_LOCAL : RTN_UNICAST;
}

/** The address has been added, or its device has come up: adds its routes. */
export function fibAddIfaddr(ifa: InIfaddr): void {
  const inDev = ifa.inDev;
  const mask = ifa.ifaMask;
  const prefix = ifa.ifaAddress & mask;
  let prim: InIfaddr = ifa;
  if ((ifa.ifaFlags & IFA_F_SECONDARY) !== 0) {
    const primary = inetIfaByprefix(inDev, prefix, mask);
    if (primary === null) return;
    prim = primary;
  }
  fibMagicAdd(inDev, RTN_LOCAL, ifa.ifaLocal, 32, prim, 0);
  if ((inDev.dev.flags & IFF_UP) === 0) return;
  if (ifa.ifaBroadcast !== 0 && ifa.ifaBroadcast !== -1) fibMagicAdd(inDev, RTN_BROADCAST, ifa.ifaBroadcast, 32, prim, 0);
  if (ipv4IsZeronet(prefix) || (ifa.ifaFlags & IFA_F_SECONDARY) !== 0) return;
  if (prefix === ifa.ifaLocal && ifa.ifaPrefixlen === 32) return;
  if ((ifa.ifaFlags & IFA_F_NOPREFIXROUTE) === 0) {
    fibMagicAdd(inDev, subnetType(inDev), prefix, ifa.ifaPrefixlen, prim, ifa.ifaRtPriority);
  }
  if (ifa.ifaPrefixlen < 31) fibMagicAdd(inDev, RTN_BROADCAST, prefix | ~mask, 32, prim, 0);
}

/** Whether another address of the device still needs `addr` as broadcast address. */
function broadcastStillUsed(inDev: InDevice, addr: number): boolean {
  for (let ifa = inDev.ifaList; ifa !== null; ifa = ifa.ifaNext) {
    if (ifa.ifaBroadcast === addr) return true;
    if (ifa.ifaPrefixlen < 31 && (ifa.ifaFlags & IFA_F_SECONDARY) === 0 && ((ifa.ifaAddress & ifa.ifaMask) | ~ifa.ifaMask) === addr) return true;
  }
  return false;
}

/**
 * The address has been taken off its device's list: takes its routes away, and those that prefer
 * it as source. prim is the primary address that a secondary one belonged to (null: itself).
 */
export function fibDelIfaddr(ifa: InIfaddr, prim: InIfaddr | null): void {
  const inDev = ifa.inDev;
  const mask = ifa.ifaMask;
  const prefix = ifa.ifaAddress & mask;
  const prefsrc = (prim ?? inetIfaByprefix(inDev, prefix, mask) ?? ifa).ifaLocal;
  const source = (ifa.ifaFlags & IFA_F_SECONDARY) !== 0 ? prefsrc : ifa.ifaLocal;
  if ((ifa.ifaFlags & IFA_F_SECONDARY) === 0) {
    fibMagicDel(inDev, subnetType(inDev), prefix, ifa.ifaPrefixlen, source);
    if (!broadcastStillUsed(inDev, prefix | ~mask)) fibMagicDel(inDev, RTN_BROADCAST, prefix | ~mask, 32, source);
  }
  if (ifa.ifaBroadcast !== 0 && !broadcastStillUsed(inDev, ifa.ifaBroadcast)) {
    fibMagicDel(inDev, RTN_BROADCAST, ifa.ifaBroadcast, 32, source);
  }
  fibMagicDel(inDev, RTN_LOCAL, ifa.ifaLocal, 32, source);
  if (inetLookupIfaddr(inDev.net, ifa.ifaLocal) === null) fibSyncDownAddr(inDev.net, ifa.ifaLocal);
}
