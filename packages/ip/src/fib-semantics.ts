/*
 * Making routes: checks of a request, its next hop, and what happens to routes when a device or an
 * address goes (the kernel's fib_semantics.c).
 */
import { EINVAL, ENETDOWN, ENETUNREACH, ENODEV } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IFF_UP, netifCarrierOk } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { inetSelectAddr } from './ifaddr.ts';
import {
  FibAlias, FibInfo, RTN_BLACKHOLE, RTN_LOCAL, RTN_THROW, RTN_UNICAST, RTNH_F_DEAD, RTNH_F_LINKDOWN, RTNH_F_ONLINK, RTPROT_KERNEL,
} from './fib.ts';
import type { FibResult, FibTable } from './fib.ts';
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_NOWHERE } from './flow.ts';
import { fibLookup, inetAddrType } from './fib-lookup.ts';
import { fibTableDump, fibTableRemove } from './fib-trie.ts';

/** A wish for a route (the kernel's fib_config). */
export interface FibConfig {
  prefix: number;
  plen: number;
  tos: number;
  type: number;
  scope: number;
  protocol: number;
  /** 0: the destination is on the link. */
  gw: number;
  dev: NetDevice | null;
  prefsrc: number;
  priority: number;
  /** Only RTNH_F_ONLINK counts. */
  flags: number;
  metrics: Int32Array | null;
}

/** Whether a route of this type has a next hop at all. */
function typeHasNexthop(type: number): boolean {
  return type < RTN_BLACKHOLE || type > RTN_THROW;
}

/** Checks a wish and makes the route. Returns it, or -EINVAL, -ENETUNREACH, -ENETDOWN, -ENODEV. */
export function fibCreateAlias(net: Net, cfg: FibConfig): FibAlias | number {
  if (cfg.plen < 0 || cfg.plen > 32 || cfg.scope > RT_SCOPE_HOST) return -EINVAL;
  if (cfg.plen < 32 && (cfg.prefix & ~(cfg.plen === 0 ? 0 : -1 << (32 - cfg.plen))) !== 0) return -EINVAL;
  const info = new FibInfo(net);
  info.protocol = cfg.protocol;
  info.scope = cfg.scope;
  info.type = cfg.type;
  info.prefsrc = cfg.prefsrc;
  info.priority = cfg.priority;
  info.metrics = cfg.metrics;
  const error = typeHasNexthop(cfg.type) ? fibCheckNh(net, cfg, info) : fibCheckNoNh(cfg);
  if (error < 0) return error;
  if (cfg.prefsrc !== 0 && !fibValidPrefsrc(net, cfg)) return -EINVAL;
  return new FibAlias(cfg.prefix, cfg.plen, cfg.tos, info);
}

function fibCheckNoNh(cfg: FibConfig): number {
  return cfg.gw !== 0 || cfg.dev !== null ? -EINVAL : 0;
}

/** A preferred source must be an address of ours, or be about to become one (a local route to itself). */
function fibValidPrefsrc(net: Net, cfg: FibConfig): boolean {
  if (cfg.type === RTN_LOCAL && cfg.plen === 32 && cfg.prefix === cfg.prefsrc) return true;
  return inetAddrType(net, cfg.prefsrc) === RTN_LOCAL;
}

/** Finds the next hop's device and scope. */
function fibCheckNh(net: Net, cfg: FibConfig, info: FibInfo): number {
  const nh = info.nh;
  if (cfg.scope === RT_SCOPE_HOST) {
    if (cfg.gw !== 0) return -EINVAL;
    nh.scope = RT_SCOPE_NOWHERE;
    nh.dev = cfg.dev;
    if (nh.dev === null) return -ENODEV;
    return (nh.dev.flags & IFF_UP) !== 0 || cfg.type === RTN_LOCAL ? 0 : -ENETDOWN;
  }
  if (cfg.gw !== 0) return fibCheckGateway(net, cfg, info);
  if (cfg.dev === null) return -ENODEV;
  if ((cfg.dev.flags & IFF_UP) === 0) return -ENETDOWN;
  nh.dev = cfg.dev;
  nh.scope = RT_SCOPE_HOST;
  if (!netifCarrierOk(cfg.dev)) nh.flags |= RTNH_F_LINKDOWN;
  return 0;
}

/** A gateway must be a neighbour: reached on the link, and not ourselves (RFC 1812 §5.2.4.3). */
function fibCheckGateway(net: Net, cfg: FibConfig, info: FibInfo): number {
  const nh = info.nh;
  if (cfg.scope >= RT_SCOPE_LINK) return -EINVAL;
  nh.gw = cfg.gw;
  if ((cfg.flags & RTNH_F_ONLINK) !== 0) {
    if (cfg.dev === null) return -ENODEV;
    if ((cfg.dev.flags & IFF_UP) === 0) return -ENETDOWN;
    if (inetAddrType(net, cfg.gw) !== RTN_UNICAST) return -EINVAL;
    nh.dev = cfg.dev;
    nh.scope = RT_SCOPE_LINK;
    nh.flags |= RTNH_F_ONLINK;
  } else {
    const fl = net.ipv4.lookupFlow;
    fl.daddr = cfg.gw;
    fl.saddr = 0;
    fl.flowi4Tos = 0;
    fl.flowi4Scope = RT_SCOPE_LINK;
    fl.flowi4Oif = cfg.dev === null ? 0 : cfg.dev.ifindex;
    const res = net.ipv4.checkResult;
    if (fibLookup(net, fl, res) !== 0) return -ENETUNREACH;
    if (res.type !== RTN_UNICAST || res.info === null) return -ENETUNREACH;
    nh.dev = res.info.nh.dev;
    nh.scope = res.scope;
    if (nh.dev === null) return -ENETUNREACH;
    if ((nh.dev.flags & IFF_UP) === 0) return -ENETDOWN;
  }
  if (!netifCarrierOk(nh.dev)) nh.flags |= RTNH_F_LINKDOWN;
  return 0;
}

/** The tables, in the order in which they are asked. */
export function fibTables(net: Net): FibTable[] {
  return [net.ipv4.fibLocal, net.ipv4.fibMain, net.ipv4.fibDefault];
}

/** The source address for packets by this route that have none yet. */
export function fibResultPrefsrc(net: Net, res: FibResult): number {
  const info = res.info;
  if (info === null) return 0;
  if (info.prefsrc !== 0) return info.prefsrc;
  return inetSelectAddr(net, info.nh.dev, info.nh.gw, info.scope);
}

/**
 * dev has gone down: routes through it go, but for those to our own addresses, which stay until
 * the address goes, or the device itself (force).
 */
export function fibSyncDownDev(net: Net, dev: NetDevice, force: boolean): void {
  for (const table of fibTables(net)) {
    for (const fa of fibTableDump(table)) {
      const nh = fa.info.nh;
      if (nh.dev !== dev || (nh.scope === RT_SCOPE_NOWHERE && !force)) continue;
      nh.flags |= RTNH_F_DEAD;
      fibTableRemove(table, fa);
    }
  }
}

/** dev has lost or found its carrier: its routes are marked, but for those to ourselves. */
export function fibSyncCarrier(net: Net, dev: NetDevice, up: boolean): void {
  for (const table of fibTables(net)) {
    for (const fa of fibTableDump(table)) {
      const nh = fa.info.nh;
      if (nh.dev !== dev || nh.scope === RT_SCOPE_NOWHERE) continue;
      nh.flags = up ? nh.flags & ~RTNH_F_LINKDOWN : nh.flags | RTNH_F_LINKDOWN;
    }
  }
}

/** The address is no longer ours: routes that prefer it as source go. */
export function fibSyncDownAddr(net: Net, local: number): void {
  for (const table of fibTables(net)) {
    for (const fa of fibTableDump(table)) {
      if (fa.info.prefsrc === local && (fa.type !== RTN_LOCAL || fa.info.protocol !== RTPROT_KERNEL || fa.prefix !== local)) {
        fibTableRemove(table, fa);
      }
    }
  }
}
