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
  FibAlias, FibInfo, FibNh, FibTable, RTN_BLACKHOLE, RTN_LOCAL, RTN_THROW, RTN_UNICAST, RTNH_F_DEAD, RTNH_F_LINKDOWN, RTNH_F_ONLINK, RTPROT_KERNEL,
} from './fib.ts';
import type { FibResult } from './fib.ts';
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_NOWHERE, flowi4InitLookup } from './flow.ts';
import { fibRebalance } from './fib-multipath.ts';
import { fibLookup, inetAddrType } from './fib-lookup.ts';
import { fibTableDump, fibTableRemove } from './fib-trie.ts';

/** A wish for one next hop of several (the kernel's rtnexthop). */
export interface FibNhConfig {
  /** 0: on the link. */
  gw: number;
  dev: NetDevice | null;
  /** Only RTNH_F_ONLINK counts. */
  flags: number;
  /** 1 … 256. */
  weight: number;
}

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
  /** Several next hops, in the place of gw and dev; null for one. */
  nexthops: readonly FibNhConfig[] | null;
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
  const error = typeHasNexthop(cfg.type) ? fibCheckNhs(net, cfg, info) : fibCheckNoNh(cfg);
  if (error < 0) return error;
  if (cfg.prefsrc !== 0 && !fibValidPrefsrc(net, cfg)) return -EINVAL;
  return new FibAlias(cfg.prefix, cfg.plen, cfg.tos, info);
}

function fibCheckNoNh(cfg: FibConfig): number {
  return cfg.gw !== 0 || cfg.dev !== null || cfg.nexthops !== null ? -EINVAL : 0;
}

/** A preferred source must be an address of ours, or be about to become one (a local route to itself). */
function fibValidPrefsrc(net: Net, cfg: FibConfig): boolean {
  if (cfg.type === RTN_LOCAL && cfg.plen === 32 && cfg.prefix === cfg.prefsrc) return true;
  return inetAddrType(net, cfg.prefsrc) === RTN_LOCAL;
}

/** Makes the next hops of info: the one that cfg says, or several. */
function fibCheckNhs(net: Net, cfg: FibConfig, info: FibInfo): number {
  const several = cfg.nexthops;
  if (several === null) return fibCheckNh(net, cfg, cfg.gw, cfg.dev, cfg.flags, info.nh);
  if (several.length === 0 || cfg.gw !== 0 || cfg.dev !== null || cfg.scope === RT_SCOPE_HOST) return -EINVAL;
  info.nhs = several.map(() => new FibNh());
  info.nh = info.nhs[0];
  for (let i = 0; i < several.length; i++) {
    const { gw, dev, flags, weight } = several[i];
    if (weight < 1 || weight > 256 || !Number.isInteger(weight)) return -EINVAL;
    info.nhs[i].weight = weight;
    const error = fibCheckNh(net, cfg, gw, dev, flags, info.nhs[i]);
    if (error < 0) return error;
  }
  fibRebalance(info);
  return 0;
}

/** Finds the device and scope of the next hop nh by gw or dev. */
function fibCheckNh(net: Net, cfg: FibConfig, gw: number, dev: NetDevice | null, flags: number, nh: FibNh): number {
  if (cfg.scope === RT_SCOPE_HOST) {
    if (gw !== 0) return -EINVAL;
    nh.scope = RT_SCOPE_NOWHERE;
    nh.dev = dev;
    if (dev === null) return -ENODEV;
    return (dev.flags & IFF_UP) !== 0 || cfg.type === RTN_LOCAL ? 0 : -ENETDOWN;
  }
  nh.gw = gw;
  if (gw !== 0) return cfg.scope >= RT_SCOPE_LINK ? -EINVAL : fibCheckGateway(net, dev, flags, nh);
  if (dev === null) return -ENODEV;
  if ((dev.flags & IFF_UP) === 0) return -ENETDOWN;
  nh.dev = dev;
  nh.scope = RT_SCOPE_HOST;
  if (!netifCarrierOk(dev)) nh.flags |= RTNH_F_LINKDOWN;
  return 0;
}

/** A gateway must be a neighbour, reached on the link; or, as Linux has it, an address of ours: then the device is all that counts. */
function fibCheckGateway(net: Net, dev: NetDevice | null, flags: number, nh: FibNh): number {
  if ((flags & RTNH_F_ONLINK) !== 0) {
    if (dev === null) return -ENODEV;
    if ((dev.flags & IFF_UP) === 0) return -ENETDOWN;
    if (inetAddrType(net, nh.gw) !== RTN_UNICAST) return -EINVAL;
    nh.dev = dev;
    nh.scope = RT_SCOPE_LINK;
    nh.flags |= RTNH_F_ONLINK;
  } else {
    const fl = net.ipv4.lookupFlow;
    flowi4InitLookup(fl, nh.gw, 0, 0, dev === null ? 0 : dev.ifindex, 0, RT_SCOPE_LINK);
    const res = net.ipv4.checkResult;
    if (fibLookup(net, fl, res) !== 0) return -ENETUNREACH;
    if (res.type !== RTN_UNICAST && res.type !== RTN_LOCAL) return -EINVAL;
    if (res.nh === null) return -ENETUNREACH;
    nh.dev = res.nh.dev;
    nh.scope = res.scope;
    if (nh.dev === null) return -ENETUNREACH;
    if ((nh.dev.flags & IFF_UP) === 0) return -ENETDOWN;
  }
  if (!netifCarrierOk(nh.dev)) nh.flags |= RTNH_F_LINKDOWN;
  return 0;
}

/** The table of this number, or null if no route was ever put in it. */
export function fibGetTable(net: Net, id: number): FibTable | null {
  return net.ipv4.fibTables.get(id) ?? null;
}

/** The table of this number, made if need be. */
export function fibNewTable(net: Net, id: number): FibTable {
  const known = fibGetTable(net, id);
  if (known !== null) return known;
  const table = new FibTable(id);
  net.ipv4.fibTables.set(id, table);
  return table;
}

/** All tables. */
export function fibTables(net: Net): FibTable[] {
  return [...net.ipv4.fibTables.values()];
}

/** The source address for packets by this route that have none yet. */
export function fibResultPrefsrc(net: Net, res: FibResult): number {
  const info = res.info;
  if (info === null) return 0;
  if (info.prefsrc !== 0) return info.prefsrc;
  return res.nh === null ? 0 : inetSelectAddr(net, res.nh.dev, res.nh.gw, info.scope);
}

/**
 * dev has gone down: routes that have no other way go, but for those to our own addresses, which
 * stay until the address goes, or the device itself (force). With the device itself every route that names it goes.
 */
export function fibSyncDownDev(net: Net, dev: NetDevice, force: boolean): void {
  for (const table of fibTables(net)) {
    for (const fa of fibTableDump(table)) {
      const { nhs } = fa.info;
      const hit = nhs.filter((nh) => nh.dev === dev && (nh.scope !== RT_SCOPE_NOWHERE || force));
      if (hit.length === 0) continue;
      for (const nh of hit) nh.flags |= RTNH_F_DEAD;
      if (force || nhs.every((nh) => (nh.flags & RTNH_F_DEAD) !== 0)) fibTableRemove(table, fa);
      else fibRebalance(fa.info);
    }
  }
}

/** dev has come up: next hops by it serve again, in routes that had others in the meantime. */
export function fibSyncUp(net: Net, dev: NetDevice): void {
  for (const table of fibTables(net)) {
    for (const fa of fibTableDump(table)) {
      for (const nh of fa.info.nhs) {
        if (nh.dev === dev) nh.flags &= ~RTNH_F_DEAD;
      }
      fibRebalance(fa.info);
    }
  }
}

/** dev has lost or found its carrier: its routes are marked, but for those to ourselves. */
export function fibSyncCarrier(net: Net, dev: NetDevice, up: boolean): void {
  for (const table of fibTables(net)) {
    for (const fa of fibTableDump(table)) {
      for (const nh of fa.info.nhs) {
        if (nh.dev !== dev || nh.scope === RT_SCOPE_NOWHERE) continue;
        nh.flags = up ? nh.flags & ~RTNH_F_LINKDOWN : nh.flags | RTNH_F_LINKDOWN;
      }
      fibRebalance(fa.info);
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
