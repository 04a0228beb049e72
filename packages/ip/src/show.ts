/*
 * What `ip -j addr`, `ip -j route`, `ip -j route get` and `ip -j neigh` say, as plain data: the
 * same fields with the same values.
 */
import type { Net } from '@stack/kernel';
import { inNtoa, inetPton4 } from '@stack/inet-sock';
import { lladdrText, neighTableShow } from '@stack/neigh';
import type { NeighRow } from '@stack/neigh';
import {
  ARPHRD_ETHER, ARPHRD_LOOPBACK, ARPHRD_NONE, ARPHRD_PPP, ARPHRD_TUNNEL, ARPHRD_VOID, IFF_ALLMULTI, IFF_AUTOMEDIA, IFF_BROADCAST, IFF_DEBUG,
  IFF_DORMANT, IFF_DYNAMIC, IFF_ECHO, IFF_LOOPBACK, IFF_LOWER_UP, IFF_MASTER, IFF_MULTICAST, IFF_NOARP, IFF_NOTRAILERS, IFF_POINTOPOINT,
  IFF_PORTSEL, IFF_PROMISC, IFF_RUNNING, IFF_SLAVE, IFF_UP, devGetFlags,
} from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import {
  RTAX_ADVMSS, RTAX_HOPLIMIT, RTAX_INITCWND, RTAX_INITRWND, RTAX_MTU, RTAX_RTO_MIN, RTAX_WINDOW, dstRelease,
} from '@stack/skbuff';
import {
  RTNH_F_DEAD, RTNH_F_LINKDOWN, RTNH_F_ONLINK, RTN_LOCAL, RTN_UNICAST, RTPROT_BOOT, RT_TABLE_MAIN,
} from './fib.ts';
import type { FibAlias, FibNh } from './fib.ts';
import { fibTables } from './fib-semantics.ts';
import { fibTableDump } from './fib-trie.ts';
import { Flowi4, RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_NOWHERE, RT_SCOPE_SITE, RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import { IFA_F_SECONDARY } from './inetdevice.ts';
import type { InIfaddr } from './inetdevice.ts';
import { routeTypeNames, tableName } from './ip-route.ts';
import { ipRouteOutputFlow } from './route-output.ts';

/** A lifetime without end, in seconds. */
const FOREVER = 0xffffffff;

/** An address in `ip -j addr`. */
export interface AddrInfo {
  family: 'inet';
  local: string;
  address?: string;
  prefixlen: number;
  broadcast?: string;
  scope: string;
  secondary?: true;
  noprefixroute?: true;
  label: string;
  valid_life_time: number;
  preferred_life_time: number;
}

/** A device in `ip -j addr`. */
export interface AddrRow {
  ifindex: number;
  ifname: string;
  flags: string[];
  mtu: number;
  qdisc: string;
  master?: string;
  operstate: string;
  group: string;
  txqlen?: number;
  link_type: string;
  address?: string;
  broadcast?: string;
  addr_info: AddrInfo[];
}

/** One of several next hops in `ip -j route`. */
export interface NexthopRow {
  gateway?: string;
  dev?: string;
  weight: number;
  flags: string[];
}

/** A route in `ip -j route`. */
export interface RouteRow {
  type?: string;
  dst: string;
  tos?: string;
  gateway?: string;
  dev?: string;
  table?: string;
  protocol?: string;
  scope?: string;
  prefsrc?: string;
  metric?: number;
  flags: string[];
  metrics?: Record<string, number>[];
  nexthops?: NexthopRow[];
}

/** The answer of `ip -j route get`. */
export interface RouteGetRow {
  type?: string;
  dst: string;
  gateway?: string;
  dev: string;
  prefsrc: string;
  flags: string[];
  uid: number;
  cache: string[];
}

/** In the order in which `ip` lists them. */
const FLAG_NAMES: readonly (readonly [string, number])[] = [
  ['LOOPBACK', IFF_LOOPBACK], ['BROADCAST', IFF_BROADCAST], ['POINTOPOINT', IFF_POINTOPOINT], ['MULTICAST', IFF_MULTICAST],
  ['NOARP', IFF_NOARP], ['ALLMULTI', IFF_ALLMULTI], ['PROMISC', IFF_PROMISC], ['MASTER', IFF_MASTER], ['SLAVE', IFF_SLAVE],
  ['DEBUG', IFF_DEBUG], ['DYNAMIC', IFF_DYNAMIC], ['AUTOMEDIA', IFF_AUTOMEDIA], ['PORTSEL', IFF_PORTSEL],
  ['NOTRAILERS', IFF_NOTRAILERS], ['UP', IFF_UP], ['LOWER_UP', IFF_LOWER_UP], ['DORMANT', IFF_DORMANT], ['ECHO', IFF_ECHO],
];

const OPERSTATE_NAMES: readonly string[] = ['UNKNOWN', 'NOTPRESENT', 'DOWN', 'LOWERLAYERDOWN', 'TESTING', 'DORMANT', 'UP'];

const LINK_TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [ARPHRD_ETHER, 'ether'], [ARPHRD_LOOPBACK, 'loopback'], [ARPHRD_NONE, 'none'], [ARPHRD_PPP, 'ppp'], [ARPHRD_TUNNEL, 'ipip'],
  [ARPHRD_VOID, 'void'],
]);

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([[0, 'unspec'], [1, 'redirect'], [2, 'kernel'], [3, 'boot'], [4, 'static'], [16, 'dhcp']]);

const METRIC_NAMES: readonly (readonly [string, number])[] = [
  ['mtu', RTAX_MTU], ['window', RTAX_WINDOW], ['advmss', RTAX_ADVMSS], ['hoplimit', RTAX_HOPLIMIT], ['initcwnd', RTAX_INITCWND],
  ['rto_min', RTAX_RTO_MIN], ['initrwnd', RTAX_INITRWND],
];

function scopeName(scope: number): string {
  switch (scope) {
    case RT_SCOPE_UNIVERSE: return 'global';
    case RT_SCOPE_SITE: return 'site';
    case RT_SCOPE_LINK: return 'link';
    case RT_SCOPE_HOST: return 'host';
    case RT_SCOPE_NOWHERE: return 'nowhere';
    default: return String(scope);
  }
}

function flagNames(dev: NetDevice): string[] {
  const flags = devGetFlags(dev);
  const names = FLAG_NAMES.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);
  const noCarrier = (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) === 0;
  return noCarrier ? ['NO-CARRIER', ...names] : names;
}

function addrInfo(ifa: InIfaddr): AddrInfo {
  const secondary = (ifa.ifaFlags & IFA_F_SECONDARY) !== 0;
  return {
    family: 'inet',
    local: inNtoa(ifa.ifaLocal),
    ...(ifa.ifaAddress !== ifa.ifaLocal && { address: inNtoa(ifa.ifaAddress) }),
    prefixlen: ifa.ifaPrefixlen,
    ...(ifa.ifaBroadcast !== 0 && { broadcast: inNtoa(ifa.ifaBroadcast) }),
    scope: scopeName(ifa.ifaScope),
    ...(secondary && { secondary: true as const }),
    label: ifa.ifaLabel,
    valid_life_time: FOREVER,
    preferred_life_time: FOREVER,
  };
}

/** `ip -j addr`: every device with its IPv4 addresses, in order of ifindex. */
export function ipAddrShow(net: Net): AddrRow[] {
  const devs = [...net.netdev.devList].sort((a, b) => a.ifindex - b.ifindex);
  return devs.map((dev) => {
    const infos: AddrInfo[] = [];
    for (let ifa = dev.ipPtr?.ifaList ?? null; ifa !== null; ifa = ifa.ifaNext) infos.push(addrInfo(ifa));
    return {
      ifindex: dev.ifindex,
      ifname: dev.name,
      flags: flagNames(dev),
      mtu: dev.mtu,
      qdisc: dev.qdiscSleeping.ops.id,
      ...(dev.master !== null && { master: dev.master.name }),
      operstate: OPERSTATE_NAMES[dev.operstate],
      group: dev.group === 0 ? 'default' : String(dev.group),
      ...(dev.txQueueLen !== 0 && { txqlen: dev.txQueueLen }),
      link_type: LINK_TYPE_NAMES.get(dev.type) ?? `[${dev.type}]`,
      ...(dev.addrLen !== 0 && { address: lladdrText(dev.devAddr, dev.addrLen), broadcast: lladdrText(dev.broadcast, dev.addrLen) }),
      addr_info: infos,
    };
  });
}

function typeName(type: number): string {
  return Object.keys(routeTypeNames).find((name) => routeTypeNames[name] === type) ?? String(type);
}

function nexthopFlags(nh: FibNh): string[] {
  const flags = nh.flags;
  const names: string[] = [];
  if ((flags & RTNH_F_DEAD) !== 0) names.push('dead');
  if ((flags & RTNH_F_ONLINK) !== 0) names.push('onlink');
  if ((flags & RTNH_F_LINKDOWN) !== 0) names.push('linkdown');
  return names;
}

function routeMetrics(metrics: Int32Array | null): Record<string, number>[] | null {
  if (metrics === null) return null;
  const out: Record<string, number> = {};
  for (const [name, metric] of METRIC_NAMES) {
    if (metrics[metric] !== 0) out[name] = metrics[metric];
  }
  return [out];
}

function prefixText(prefix: number, plen: number): string {
  if (plen === 0 && prefix === 0) return 'default';
  return plen === 32 ? inNtoa(prefix) : `${inNtoa(prefix)}/${plen}`;
}

function nexthopRow(nh: FibNh): NexthopRow {
  return {
    ...(nh.gw !== 0 && { gateway: inNtoa(nh.gw) }), ...(nh.dev !== null && { dev: nh.dev.name }), weight: nh.weight, flags: nexthopFlags(nh),
  };
}

function routeRow(fa: FibAlias, table: number, all: boolean): RouteRow {
  const info = fa.info;
  const metrics = routeMetrics(info.metrics);
  const showScope = info.scope !== RT_SCOPE_UNIVERSE;
  const several = info.nhs.length > 1;
  return {
    ...(fa.type !== RTN_UNICAST && { type: typeName(fa.type) }),
    dst: prefixText(fa.prefix, fa.plen),
    ...(fa.tos !== 0 && { tos: `0x${fa.tos.toString(16)}` }),
    ...(!several && info.nh.gw !== 0 && { gateway: inNtoa(info.nh.gw) }),
    ...(!several && info.nh.dev !== null && { dev: info.nh.dev.name }),
    ...(all && table !== RT_TABLE_MAIN && { table: tableName(table) }),
    ...(info.protocol !== RTPROT_BOOT && { protocol: PROTOCOL_NAMES.get(info.protocol) ?? String(info.protocol) }),
    ...(showScope && { scope: scopeName(info.scope) }),
    ...(info.prefsrc !== 0 && { prefsrc: inNtoa(info.prefsrc) }),
    ...(info.priority !== 0 && { metric: info.priority }),
    flags: several ? [] : nexthopFlags(info.nh),
    ...(metrics !== null && { metrics }),
    ...(several && { nexthops: info.nhs.map(nexthopRow) }),
  };
}

/** `ip -j route` (table main), or `ip -j route show table …`, by name or number. */
export function ipRouteShow(net: Net, table: 'main' | 'local' | 'default' | 'all' | number = 'main'): RouteRow[] {
  const all = table === 'all';
  // The kernel dumps main before local.
  const tables = fibTables(net).sort((a, b) => a.id - b.id);
  return tables
    .filter((t) => all || t.id === table || tableName(t.id) === table)
    .flatMap((t) => fibTableDump(t).map((fa) => routeRow(fa, t.id, all)));
}

/** `ip -j route get`: the route to dst, or a negative errno. */
export function ipRouteGet(net: Net, dst: string, from?: string): RouteGetRow | number {
  const daddr = inetPton4(dst) ?? 0;
  const saddr = from === undefined ? 0 : (inetPton4(from) ?? 0);
  const fl = new Flowi4();
  flowi4InitOutput(fl, 0, 0, 0, RT_SCOPE_UNIVERSE, 0, 0, daddr, saddr, 0, 0);
  const rt = ipRouteOutputFlow(net, fl, null);
  if (typeof rt === 'number') return rt;
  const row: RouteGetRow = {
    ...(rt.rtType !== RTN_UNICAST && { type: typeName(rt.rtType) }),
    dst: inNtoa(fl.daddr),
    ...(rt.rtUsesGateway && { gateway: inNtoa(rt.rtGateway) }),
    dev: rt.dev?.name ?? '',
    prefsrc: inNtoa(fl.saddr),
    flags: [],
    uid: 0,
    cache: rt.rtType === RTN_LOCAL ? ['local'] : [],
  };
  dstRelease(rt);
  return row;
}

/** `ip -j neigh`. */
export function neighShow(net: Net): NeighRow[] {
  return neighTableShow(net.ipv4.arpTbl);
}
