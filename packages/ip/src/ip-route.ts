/*
 * `ip route add`, `del` and `get`, `ip neigh add` and `del`: routes and neighbours as a user
 * writes them.
 */
import { EINVAL, ENODEV, ENOENT, ESRCH, worldEnter, worldLeave } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { inetPton4 } from '@stack/inet-sock';
import {
  NEIGH_UPDATE_F_ADMIN, NEIGH_UPDATE_F_OVERRIDE, NUD_FAILED, NUD_NOARP, NUD_PERMANENT, NUD_REACHABLE, NUD_STALE, neighCreate, neighLookup,
  neighRelease, neighRemove, neighUpdate,
} from '@stack/neigh';
import { devGetByName } from '@stack/netdev';
import {
  RTAX_ADVMSS, RTAX_HOPLIMIT, RTAX_INITCWND, RTAX_INITRWND, RTAX_LOCK, RTAX_MAX, RTAX_MTU, RTAX_RTO_MIN, RTAX_WINDOW,
} from '@stack/skbuff';
import {
  RTNH_F_ONLINK, RTN_BLACKHOLE, RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST, RTN_PROHIBIT, RTN_THROW, RTN_UNICAST, RTN_UNREACHABLE,
  RTPROT_BOOT, RT_TABLE_LOCAL, RT_TABLE_MAIN,
} from './fib.ts';
import type { FibTable } from './fib.ts';
import { fibCreateAlias, fibTables } from './fib-semantics.ts';
import type { FibConfig } from './fib-semantics.ts';
import { fibTableFind, fibTableInsert, fibTableRemove } from './fib-trie.ts';
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE } from './flow.ts';
import { parseIpv4Prefix } from './ip-addr.ts';
import { rtCacheFlush } from './rt-cache.ts';

/** Names of route types, as `ip route` writes them. */
export const routeTypeNames: Readonly<Record<string, number>> = {
  unicast: RTN_UNICAST, local: RTN_LOCAL, broadcast: RTN_BROADCAST, multicast: RTN_MULTICAST, blackhole: RTN_BLACKHOLE,
  unreachable: RTN_UNREACHABLE, prohibit: RTN_PROHIBIT, throw: RTN_THROW,
};

/** A route as `ip route add` takes it. */
export interface IpRouteSpec {
  /** `default`, `A.B.C.D/LEN`, or one address. */
  dst: string;
  /** The next hop (`via`). */
  gateway?: string;
  /** Name of the device; needed without a gateway. */
  dev?: string;
  /** The preferred source address. */
  src?: string;
  metric?: number;
  /** Name of the type (routeTypeNames); unicast if not given. */
  type?: string;
  /** RT_SCOPE_* */
  scope?: number;
  /** RTPROT_* */
  protocol?: number;
  /** RT_TABLE_* */
  table?: number;
  /** The gateway is on the link whatever the tables say. */
  onlink?: boolean;
  mtu?: number;
  /** The mtu may not be lowered by what the network says (`mtu lock`). */
  mtuLock?: boolean;
  advmss?: number;
  window?: number;
  hoplimit?: number;
  initcwnd?: number;
  initrwnd?: number;
  /** Milliseconds. */
  rtoMin?: number;
}

function routeMetrics(spec: IpRouteSpec): Int32Array | null {
  const pairs: readonly (readonly [number, number | undefined])[] = [
    [RTAX_MTU, spec.mtu], [RTAX_ADVMSS, spec.advmss], [RTAX_WINDOW, spec.window], [RTAX_HOPLIMIT, spec.hoplimit],
    [RTAX_INITCWND, spec.initcwnd], [RTAX_INITRWND, spec.initrwnd], [RTAX_RTO_MIN, spec.rtoMin],
  ];
  const given = pairs.filter(([, value]) => value !== undefined);
  if (given.length === 0) return null;
  const metrics = new Int32Array(RTAX_MAX + 1);
  for (const [metric, value] of given) metrics[metric] = value ?? 0;
  if (spec.mtuLock === true) metrics[RTAX_LOCK] = 1 << RTAX_MTU;
  return metrics;
}

/** The scope that a route of this type has if none is given. */
function defaultScope(type: number, gateway: boolean): number {
  if (type === RTN_LOCAL) return RT_SCOPE_HOST;
  if (type === RTN_BROADCAST || type === RTN_MULTICAST) return RT_SCOPE_LINK;
  return type === RTN_UNICAST && !gateway ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

/** Reads a spec; -EINVAL if something is no address, -ENODEV for a device that is not there. */
function routeConfig(net: Net, spec: IpRouteSpec): FibConfig | number {
  const dst = spec.dst === 'default' ? { addr: 0, plen: 0 } : parseIpv4Prefix(spec.dst);
  const gw = spec.gateway === undefined ? 0 : inetPton4(spec.gateway);
  const prefsrc = spec.src === undefined ? 0 : inetPton4(spec.src);
  const type = routeTypeNames[spec.type ?? 'unicast'] ?? -1;
  if (dst === null || gw === null || prefsrc === null || type < 0) return -EINVAL;
  const dev = spec.dev === undefined ? null : devGetByName(net, spec.dev);
  if (spec.dev !== undefined && dev === null) return -ENODEV;
  return {
    prefix: dst.addr,
    plen: dst.plen,
    tos: 0,
    type,
    scope: spec.scope ?? defaultScope(type, gw !== 0),
    protocol: spec.protocol ?? RTPROT_BOOT,
    gw,
    dev,
    prefsrc,
    priority: spec.metric ?? 0,
    flags: spec.onlink === true ? RTNH_F_ONLINK : 0,
    metrics: routeMetrics(spec),
  };
}

function routeTable(net: Net, spec: IpRouteSpec): FibTable | null {
  const fallback = spec.type === 'local' || spec.type === 'broadcast' ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
  const id = spec.table ?? fallback;
  return fibTables(net).find((table) => table.id === id) ?? null;
}

/**
 * Adds a route: `ip route add default via 10.0.0.254` is `{ dst: 'default', gateway: '10.0.0.254' }`.
 * Returns 0, -EINVAL, -ENODEV, -ENETDOWN, -ENETUNREACH (the gateway is on no link of ours), -EEXIST.
 */
export function ipRouteAdd(net: Net, spec: IpRouteSpec): number {
  const cfg = routeConfig(net, spec);
  if (typeof cfg === 'number') return cfg;
  const table = routeTable(net, spec);
  if (table === null) return -ENOENT;
  worldEnter(net.world);
  const fa = fibCreateAlias(net, cfg);
  const error = typeof fa === 'number' ? fa : fibTableInsert(table, fa, false);
  if (error === 0) rtCacheFlush(net);
  worldLeave(net.world);
  return error;
}

/** Takes the first route away that is like spec in all that spec says. Returns 0, -EINVAL, -ENODEV, -ESRCH. */
export function ipRouteDel(net: Net, spec: IpRouteSpec): number {
  const cfg = routeConfig(net, spec);
  if (typeof cfg === 'number') return cfg;
  const table = routeTable(net, spec);
  if (table === null) return -ESRCH;
  for (let fa = fibTableFind(table, cfg.prefix, cfg.plen); fa !== null; fa = fa.next) {
    const info = fa.info;
    if (spec.type !== undefined && fa.type !== cfg.type) continue;
    if (cfg.gw !== 0 && info.nh.gw !== cfg.gw) continue;
    if (cfg.dev !== null && info.nh.dev !== cfg.dev) continue;
    if (cfg.prefsrc !== 0 && info.prefsrc !== cfg.prefsrc) continue;
    if (spec.metric !== undefined && info.priority !== cfg.priority) continue;
    worldEnter(net.world);
    fibTableRemove(table, fa);
    rtCacheFlush(net);
    worldLeave(net.world);
    return 0;
  }
  return -ESRCH;
}

/** A neighbour as `ip neigh add` takes it. */
export interface IpNeighSpec {
  dst: string;
  dev: string;
  /** `02:00:00:00:00:01`. */
  lladdr?: string;
  /** permanent (if not given), reachable, stale or noarp. */
  nud?: 'permanent' | 'reachable' | 'stale' | 'noarp';
}

const nudByName = { permanent: NUD_PERMANENT, reachable: NUD_REACHABLE, stale: NUD_STALE, noarp: NUD_NOARP };

/** Reads `02:00:00:00:00:01`; null if it is not `length` octets. */
function parseLladdr(text: string, length: number): Uint8Array | null {
  const parts = text.split(':');
  if (parts.length !== length || !parts.every((part) => /^[0-9a-f]{1,2}$/i.test(part))) return null;
  return Uint8Array.from(parts, (part) => parseInt(part, 16));
}

/** Adds or changes a neighbour by hand. Returns 0, -EINVAL, -ENODEV, -ENOBUFS. */
export function ipNeighAdd(net: Net, spec: IpNeighSpec): number {
  const key = inetPton4(spec.dst);
  const dev = devGetByName(net, spec.dev);
  if (dev === null) return -ENODEV;
  const lladdr = spec.lladdr === undefined ? null : parseLladdr(spec.lladdr, dev.addrLen);
  if (key === null || (lladdr === null && spec.lladdr !== undefined)) return -EINVAL;
  worldEnter(net.world);
  const neigh = neighCreate(net.ipv4.arpTbl, key, 0, 0, 0, dev);
  let error = 0;
  if (typeof neigh === 'number') {
    error = neigh;
  } else {
    error = neighUpdate(neigh, lladdr, nudByName[spec.nud ?? 'permanent'], NEIGH_UPDATE_F_ADMIN | NEIGH_UPDATE_F_OVERRIDE);
    neighRelease(neigh);
  }
  worldLeave(net.world);
  return error;
}

/** Takes a neighbour away. One that routes still hold fails first and is collected later. Returns 0, -EINVAL, -ENODEV, -ENOENT. */
export function ipNeighDel(net: Net, spec: IpNeighSpec): number {
  const key = inetPton4(spec.dst);
  const dev = devGetByName(net, spec.dev);
  if (dev === null) return -ENODEV;
  if (key === null) return -EINVAL;
  const neigh = neighLookup(net.ipv4.arpTbl, key, 0, 0, 0, dev);
  if (neigh === null) return -ENOENT;
  worldEnter(net.world);
  neighUpdate(neigh, null, NUD_FAILED, NEIGH_UPDATE_F_ADMIN | NEIGH_UPDATE_F_OVERRIDE);
  neighRelease(neigh);
  if (neigh.refcnt === 1 && !neigh.dead) neighRemove(neigh);
  worldLeave(net.world);
  return 0;
}
