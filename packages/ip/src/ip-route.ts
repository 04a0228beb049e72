/*
 * `ip route add` and `del`: routes as a user writes them.
 */
import { EINVAL, ENODEV, ESRCH, worldEnter, worldLeave } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { inetPton4 } from '@stack/inet-sock';
import { devGetByName } from '@stack/netdev';
import {
  RTAX_ADVMSS, RTAX_HOPLIMIT, RTAX_INITCWND, RTAX_INITRWND, RTAX_LOCK, RTAX_MAX, RTAX_MTU, RTAX_RTO_MIN, RTAX_WINDOW,
} from '@stack/skbuff';
import {
  RTNH_F_ONLINK, RTN_BLACKHOLE, RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST, RTN_PROHIBIT, RTN_THROW, RTN_UNICAST, RTN_UNREACHABLE,
  RTPROT_BOOT, RT_TABLE_DEFAULT, RT_TABLE_LOCAL, RT_TABLE_MAIN,
} from './fib.ts';
import type { FibInfo } from './fib.ts';
import { fibCreateAlias, fibGetTable, fibNewTable } from './fib-semantics.ts';
import type { FibConfig, FibNhConfig } from './fib-semantics.ts';
import { fibTableFind, fibTableInsert, fibTableRemove } from './fib-trie.ts';
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE } from './flow.ts';
import { parseIpv4Prefix } from './ip-addr.ts';
import { rtCacheFlush } from './rt-cache.ts';

/** Names of route types, as `ip route` writes them. */
export const routeTypeNames: Readonly<Record<string, number>> = {
  unicast: RTN_UNICAST, local: RTN_LOCAL, broadcast: RTN_BROADCAST, multicast: RTN_MULTICAST, blackhole: RTN_BLACKHOLE,
  unreachable: RTN_UNREACHABLE, prohibit: RTN_PROHIBIT, throw: RTN_THROW,
};

/** One of several next hops, as `nexthop via … dev … weight …`. */
export interface IpNexthopSpec {
  gateway?: string;
  /** Name of the device; needed without a gateway. */
  dev?: string;
  /** Its share of the flows: 1 (if not given) … 256. */
  weight?: number;
  onlink?: boolean;
}

/** Names of the tables that have one (/etc/iproute2/rt_tables). */
const TABLE_NAMES: ReadonlyMap<number, string> = new Map([[RT_TABLE_DEFAULT, 'default'], [RT_TABLE_MAIN, 'main'], [RT_TABLE_LOCAL, 'local']]);

/** The table as `ip` writes it. */
export function tableName(id: number): string {
  return TABLE_NAMES.get(id) ?? String(id);
}

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
  /** RT_TABLE_*, or any other number: the table is made. */
  table?: number;
  /** The type of service that packets must have. */
  tos?: number;
  /** Several next hops that share the flows, in the place of gateway and dev. */
  nexthops?: readonly IpNexthopSpec[];
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

/** Reads the next hops of a spec (null for none said); -EINVAL or -ENODEV as routeConfig(). */
function nexthopConfigs(net: Net, specs: readonly IpNexthopSpec[] | undefined): FibNhConfig[] | number | null {
  if (specs === undefined) return null;
  const configs: FibNhConfig[] = [];
  for (const spec of specs) {
    const gw = spec.gateway === undefined ? 0 : inetPton4(spec.gateway);
    const dev = spec.dev === undefined ? null : devGetByName(net, spec.dev);
    if (gw === null) return -EINVAL;
    if (spec.dev !== undefined && dev === null) return -ENODEV;
    configs.push({ gw, dev, flags: spec.onlink === true ? RTNH_F_ONLINK : 0, weight: spec.weight ?? 1 });
  }
  return configs;
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
  const nexthops = nexthopConfigs(net, spec.nexthops);
  if (typeof nexthops === 'number') return nexthops;
  const gateway = gw !== 0 || (nexthops !== null && nexthops.some((nh) => nh.gw !== 0));
  return {
    prefix: dst.addr,
    plen: dst.plen,
    tos: spec.tos ?? 0,
    type,
    scope: spec.scope ?? defaultScope(type, gateway),
    protocol: spec.protocol ?? RTPROT_BOOT,
    gw,
    dev,
    prefsrc,
    priority: spec.metric ?? 0,
    flags: spec.onlink === true ? RTNH_F_ONLINK : 0,
    metrics: routeMetrics(spec),
    nexthops,
  };
}

function routeTableId(spec: IpRouteSpec): number {
  return spec.table ?? (spec.type === 'local' || spec.type === 'broadcast' ? RT_TABLE_LOCAL : RT_TABLE_MAIN);
}

/**
 * Adds a route: `ip route add default via 10.0.0.254` is `{ dst: 'default', gateway: '10.0.0.254' }`.
 * Returns 0, -EINVAL, -ENODEV, -ENETDOWN, -ENETUNREACH (the gateway is on no link of ours), -EEXIST.
 */
export function ipRouteAdd(net: Net, spec: IpRouteSpec): number {
  const cfg = routeConfig(net, spec);
  if (typeof cfg === 'number') return cfg;
  const id = routeTableId(spec);
  if (!Number.isInteger(id) || id <= 0) return -EINVAL;
  worldEnter(net.world);
  const fa = fibCreateAlias(net, cfg);
  const error = typeof fa === 'number' ? fa : fibTableInsert(fibNewTable(net, id), fa, false);
  if (error === 0) rtCacheFlush(net);
  worldLeave(net.world);
  return error;
}

/** Whether a route has the next hops that cfg names, as far as it names any. */
function nexthopsMatch(info: FibInfo, cfg: FibConfig): boolean {
  const wanted = cfg.nexthops ?? [{ gw: cfg.gw, dev: cfg.dev }];
  if (cfg.nexthops !== null && wanted.length !== info.nhs.length) return false;
  return wanted.every(({ gw, dev }, i) => (gw === 0 || gw === info.nhs[i].gw) && (dev === null || dev === info.nhs[i].dev));
}

/** Takes the first route away that is like spec in all that spec says. Returns 0, -EINVAL, -ENODEV, -ESRCH. */
export function ipRouteDel(net: Net, spec: IpRouteSpec): number {
  const cfg = routeConfig(net, spec);
  if (typeof cfg === 'number') return cfg;
  const table = fibGetTable(net, routeTableId(spec));
  if (table === null) return -ESRCH;
  for (let fa = fibTableFind(table, cfg.prefix, cfg.plen); fa !== null; fa = fa.next) {
    const info = fa.info;
    if (spec.type !== undefined && fa.type !== cfg.type) continue;
    if (spec.tos !== undefined && fa.tos !== cfg.tos) continue;
    if (!nexthopsMatch(info, cfg)) continue;
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
