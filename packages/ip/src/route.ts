/*
 * Routes as destinations: ipv4DstOps, the next hop, and what a route is worth after a change.
 *
 * An Rtable is made by route-output.ts for packets made here, by route-input.ts for those that
 * arrive; rtSetNexthop() gives it gateway, metrics and neighbour. It is valid until its ops'
 * check says otherwise: the tables have changed (rtGenid), or the path was found narrower.
 */
import { ENOBUFS } from '@stack/kernel';
import type { Net } from '@stack/kernel';

import { IFF_LOOPBACK, IFF_POINTOPOINT } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { neighCreate, neighRelease } from '@stack/neigh';
import type { Neighbour } from '@stack/neigh';
import { DST_OBSOLETE_FORCE_CHK, RTAX_MTU, dstHold, dstInitMetrics, dstMetric, dstMetricLocked } from '@stack/skbuff';
import type { DstEntry, DstOps, SkBuff } from '@stack/skbuff';
import { AF_INET, skDstReset } from '@stack/socket';
import type { Sock } from '@stack/socket';
import type { FibInfo, FibNh } from './fib.ts';
import { RT_SCOPE_LINK } from './flow.ts';
import { IP_MAX_MTU } from './ip-header.ts';
import { ICMP_DEST_UNREACH, ICMP_HOST_UNREACH } from './icmp-types.ts';
import { icmpSend } from './icmp-send.ts';
import { ipDoRedirect } from './route-redirect.ts';
import { rtFindException, rtUpdatePmtu } from './route-pmtu.ts';
import { rtCacheShrink, rtIsExpired } from './rt-cache.ts';
import { RTCF_REDIRECTED, Rtable } from './rtable.ts';

/** IP and TCP header without options. */
const IP_TCP_HDR_LEN = 40;

/** A packet's route as what it is: IP puts nothing else on its packets. */
export function skbRtable(skb: SkBuff): Rtable | null {
  return skb.dst as Rtable | null;
}

/** Whether the route may still be used: as DstOps.check. */
function ipv4DstCheck(dst: DstEntry, _cookie: number): DstEntry | null {
  const rt = dst as Rtable;
  if (rt.obsolete !== DST_OBSOLETE_FORCE_CHK || rtIsExpired(rt)) return null;
  const cache = rt.net.ipv4.rtCache;
  if (rt.fnheGenid !== cache.fnheGenid) {
    const fnhe = cache.exceptions.get(rt.rtDst);
    if (fnhe !== undefined && ((fnhe.genid - rt.fnheGenid) | 0) > 0) return null;
    rt.fnheGenid = cache.fnheGenid;
  }
  return dst;
}

function ipv4NegativeAdvice(sk: Sock | null, dst: DstEntry): void {
  if (sk !== null && (dst.obsolete > 0 || dst.expires !== 0 || ((dst as Rtable).rtFlags & RTCF_REDIRECTED) !== 0)) skDstReset(sk);
}

function ipv4LinkFailure(skb: SkBuff): void {
  icmpSend(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
}

/** Whether what was learned of the path has run out. */
function rtPmtuExpired(rt: Rtable): boolean {
  return rt.expires !== 0 && ((rt.net.world.jiffies - rt.expires) | 0) >= 0;
}

function ipv4Mtu(dst: DstEntry): number {
  const rt = dst as Rtable;
  let mtu = rt.rtPmtu !== 0 && !rtPmtuExpired(rt) ? rt.rtPmtu : dstMetric(dst, RTAX_MTU);
  if (mtu === 0) mtu = dst.dev === null ? IP_MAX_MTU : dst.dev.mtu;
  return mtu < IP_MAX_MTU ? mtu : IP_MAX_MTU;
}

/** Whether the path's MTU may not be relied on for fragments either: nobody sets DF then. */
export function ipMtuLocked(rt: Rtable): boolean {
  return rt.rtMtuLocked || dstMetricLocked(rt, RTAX_MTU);
}

function ipv4DefaultAdvmss(dst: DstEntry): number {
  const rt = dst as Rtable;
  const mss = Math.max(ipv4Mtu(dst) - IP_TCP_HDR_LEN, rt.net.ipv4.sysctlMinAdvmss);
  return Math.min(mss, IP_MAX_MTU - IP_TCP_HDR_LEN);
}

function ipRtUpdatePmtu(dst: DstEntry, _sk: Sock | null, _skb: SkBuff | null, mtu: number): void {
  const rt = dst as Rtable;
  if (dstMetricLocked(dst, RTAX_MTU)) return;
  rtUpdatePmtu(rt.net, rt.rtDst, ipv4Mtu(dst), mtu);
}

function ipv4Redirect(dst: DstEntry, _sk: Sock | null, skb: SkBuff): void {
  ipDoRedirect(dst as Rtable, skb);
}

function ipv4DstDestroy(dst: DstEntry): void {
  const neigh = dst.neighbour;
  dst.neighbour = null;
  dst.hh = null;
  if (neigh !== null) neighRelease(neigh);
}

/** What every IPv4 route has. */
export const ipv4DstOps: DstOps = {
  family: AF_INET,
  check: ipv4DstCheck,
  negativeAdvice: ipv4NegativeAdvice,
  linkFailure: ipv4LinkFailure,
  updatePmtu: ipRtUpdatePmtu,
  redirect: ipv4Redirect,
  mtu: ipv4Mtu,
  defaultAdvmss: ipv4DefaultAdvmss,
  destroy: ipv4DstDestroy,
};

/** A route out by dev (or in, to dev's Net), with one reference: the caller's. */
export function rtDstAlloc(dev: NetDevice, flags: number, type: number): Rtable {
  const rt = new Rtable(dev.net, ipv4DstOps, 0);
  rt.dev = dev;
  rt.obsolete = DST_OBSOLETE_FORCE_CHK;
  rt.rtFlags = flags;
  rt.rtType = type;
  rt.lastuse = dev.net.world.jiffies;
  return rt;
}

/** Gives a route that leads out its gateway (nh), metrics (info) and learned MTU (both null: the link itself), and its neighbour. 0 or -errno. */
export function rtSetNexthop(rt: Rtable, daddr: number, info: FibInfo | null, nh: FibNh | null): number {
  rt.rtGateway = daddr;
  if (nh !== null && nh.gw !== 0 && nh.scope === RT_SCOPE_LINK) {
    rt.rtGateway = nh.gw;
    rt.rtUsesGateway = true;
  }
  if (info !== null && info.metrics !== null) dstInitMetrics(rt, info.metrics);
  const fnhe = rtFindException(rt.net, daddr);
  if (fnhe !== null) {
    if (fnhe.gw !== 0 && fnhe.dev === rt.dev) {
      rt.rtGateway = fnhe.gw;
      rt.rtUsesGateway = true;
      rt.rtFlags |= RTCF_REDIRECTED;
    }
    rt.rtPmtu = fnhe.pmtu;
    rt.rtMtuLocked = fnhe.mtuLocked;
    rt.expires = fnhe.expires;
  }
  return rtBindNeighbour(rt);
}

/** Ties the route to its neighbour (2.6's arp_bind_neighbour). Returns 0, or -ENOBUFS when the table is full. */
function rtBindNeighbour(rt: Rtable): number {
  const dev = rt.dev;
  if (dev === null || rt.neighbour !== null) return 0;
  const nexthop = (dev.flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) !== 0 ? 0 : rt.rtGateway;
  let neigh = neighCreate(rt.net.ipv4.arpTbl, nexthop, 0, 0, 0, dev);
  if (neigh === -ENOBUFS) {
    // Routes nobody uses hold their neighbours: let them go and try again.
    rtCacheShrink(rt.net);
    neigh = neighCreate(rt.net.ipv4.arpTbl, nexthop, 0, 0, 0, dev);
  }
  if (typeof neigh === 'number') return neigh;
  rt.neighbour = neigh satisfies Neighbour;
  return 0;
}

/** One more reference to a route that serves now. */
export function rtHold(net: Net, rt: Rtable): Rtable {
  rt.lastuse = net.world.jiffies;
  dstHold(rt);
  return rt;
}
