/*
 * Routes for packets made here: ip_route_output_flow.
 *
 * ipRouteOutputFlow() looks in the cache, then asks the tables (ipRouteOutputSlow) and makes an
 * Rtable: source address, device, next hop, input and output pointers. What fl left open (saddr,
 * daddr, oif) is filled in.
 * Read first: RFC 1122 §3.3.1 (routing outbound datagrams), §3.3.4.3 (choosing a source address).
 */
import { EINVAL, ENETUNREACH, ENODEV } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import {
  INADDR_LOOPBACK, ipv4IsLbcast, ipv4IsLocalMulticast, ipv4IsLoopback, ipv4IsMulticast, ipv4IsZeronet,
} from '@stack/inet-sock';
import { IFF_LOOPBACK, IFF_UP, devGetByIndex } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { dstRelease } from '@stack/skbuff';
import type { Sock } from '@stack/socket';
import { RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST, RTN_UNICAST } from './fib.ts';
import type { FibInfo, FibNh, FibResult } from './fib.ts';
import { fibLookup, inetAddrType } from './fib-lookup.ts';
import { fibPathIsPerFlow, fibSelectPath } from './fib-multipath.ts';
import { fibResultPrefsrc } from './fib-semantics.ts';
import { FLOWI_FLAG_ANYSRC, RT_SCOPE_HOST, RT_SCOPE_LINK } from './flow.ts';
import type { Flowi4 } from './flow.ts';
import { inetLookupIfaddr, inetSelectAddr } from './ifaddr.ts';
import { inDevRouteLocalnet } from './inetdevice.ts';
import { ipCheckMc } from './igmp.ts';
import { IPPROTO_IGMP } from './ip-header.ts';
import { ipLocalDeliver } from './ip-input.ts';
import { ipMcOutput, ipOutput } from './ip-output.ts';
import { rtDstAlloc, rtHold, rtSetNexthop } from './route.ts';
import { rtHash, rtInternHash } from './rt-cache.ts';
import { RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST } from './rtable.ts';
import type { Rtable } from './rtable.ts';

/**
 * The route for fl, with a reference for the caller, or a negative errno: -ENETUNREACH,
 * -EHOSTUNREACH, -EACCES, -EINVAL, -ENODEV, -ENOBUFS. sk (null: none) is whose packet it is. On
 * success fl.saddr, fl.daddr and fl.flowi4Oif are what the route has. Transformations have their say.
 */
export function ipRouteOutputFlow(net: Net, fl: Flowi4, _sk: Sock | null): Rtable | number {
  if (net.trace !== null) net.trace.hit(net, 'ip_route_output_flow', null);
  const rt = ipRouteOutputKey(net, fl);
  const xfrm = net.ipv4.xfrmOps;
  return xfrm === null || typeof rt === 'number' ? rt : xfrm.lookup(net, rt, fl);
}

/** As ipRouteOutputFlow(), without transformations. */
export function ipRouteOutputKey(net: Net, fl: Flowi4): Rtable | number {
  const cache = net.ipv4.rtCache;
  const slot = rtHash(cache, fl.daddr, fl.saddr, 0, fl.flowi4Oif);
  for (let rt = cache.buckets[slot]; rt !== null; rt = rt.next) {
    if (!rtMatchesOutput(rt, fl)) continue;
    cache.outHit++;
    fl.saddr = rt.rtSrc;
    fl.daddr = rt.rtDst;
    if (fl.flowi4Oif === 0 && rt.dev !== null) fl.flowi4Oif = rt.dev.ifindex;
    return rtHold(net, rt);
  }
  cache.outSlowTot++;
  return ipRouteOutputSlow(net, fl);
}

/** The small fields of a flow in one number. */
function flowKey(fl: Flowi4): number {
  return fl.flowi4Tos | (fl.flowi4Scope << 8) | (fl.flowi4Flags << 16);
}

function rtMatchesOutput(rt: Rtable, fl: Flowi4): boolean {
  return rt.keyDaddr === fl.daddr && rt.keySaddr === fl.saddr && rt.keyIif === 0 && rt.keyOif === fl.flowi4Oif &&
    rt.keyTos === flowKey(fl) && rt.keyMark === fl.flowi4Mark && rt.ops.check(rt, 0) !== null;
}

/** What the slow path finds out before it makes the route. */
class OutputChoice {
  dev: NetDevice | null = null;
  type = 0;
  info: FibInfo | null = null;
  nh: FibNh | null = null;
  prefixlen = 0;
}

function ipRouteOutputSlow(net: Net, fl: Flowi4): Rtable | number {
  const daddr = fl.daddr;
  const saddr = fl.saddr;
  const oif = fl.flowi4Oif;
  const choice = new OutputChoice();
  const error = chooseOutput(net, fl, choice);
  if (error < 0) return error;
  if (choice.dev === null) return -ENETUNREACH;
  const rt = mkrouteOutput(fl, choice, choice.dev);
  if (typeof rt === 'number') return rt;
  rt.keyDaddr = daddr;
  rt.keySaddr = saddr;
  rt.keyOif = oif;
  rt.keyTos = flowKey(fl);
  rt.keyMark = fl.flowi4Mark;
  const shared = choice.info !== null && choice.info.nhs.length > 1;
  if (!shared || !fibPathIsPerFlow(net, null)) rtInternHash(rt);
  return rt;
}

function chooseOutput(net: Net, fl: Flowi4, choice: OutputChoice): number {
  if (fl.saddr !== 0) {
    const error = checkSource(net, fl, choice);
    if (error !== 0 || choice.dev !== null) return error;
  }
  let dev: NetDevice | null = null;
  if (fl.flowi4Oif !== 0) {
    dev = devGetByIndex(net, fl.flowi4Oif);
    if (dev === null) return -ENODEV;
    if ((dev.flags & IFF_UP) === 0 || dev.ipPtr === null) return -ENETUNREACH;
    if (chooseOnDevice(net, fl, choice, dev)) return 0;
  }
  if (fl.daddr === 0) return chooseSelf(net, fl, choice);
  return chooseByTable(net, fl, choice, dev);
}

/** The source address is given: it must be one of ours. With a group as destination it also names the device. */
function checkSource(net: Net, fl: Flowi4, choice: OutputChoice): number {
  const saddr = fl.saddr;
  if (ipv4IsMulticast(saddr) || ipv4IsLbcast(saddr) || ipv4IsZeronet(saddr)) return -EINVAL;
  if (fl.flowi4Oif === 0 && (ipv4IsMulticast(fl.daddr) || ipv4IsLbcast(fl.daddr))) {
    const ifa = inetLookupIfaddr(net, saddr);
    if (ifa === null) return -EINVAL;
    choice.dev = ifa.inDev.dev;
    fl.flowi4Oif = choice.dev.ifindex;
    return 0;
  }
  if ((fl.flowi4Flags & FLOWI_FLAG_ANYSRC) !== 0) return 0;
  return inetAddrType(net, saddr) === RTN_LOCAL ? 0 : -EINVAL;
}

/** The device is given: a destination on every link needs no table. Returns whether that was it. */
function chooseOnDevice(net: Net, fl: Flowi4, choice: OutputChoice, dev: NetDevice): boolean {
  if (ipv4IsLocalMulticast(fl.daddr) || ipv4IsLbcast(fl.daddr) || fl.flowi4Proto === IPPROTO_IGMP) {
    if (fl.saddr === 0) fl.saddr = inetSelectAddr(net, dev, 0, RT_SCOPE_LINK);
    choice.dev = dev;
    return true;
  }
  if (fl.saddr === 0) {
    if (ipv4IsMulticast(fl.daddr)) fl.saddr = inetSelectAddr(net, dev, 0, fl.flowi4Scope);
    else if (fl.daddr === 0) fl.saddr = inetSelectAddr(net, dev, 0, RT_SCOPE_HOST);
  }
  return false;
}

/** No destination: ourselves. */
function chooseSelf(net: Net, fl: Flowi4, choice: OutputChoice): number {
  fl.daddr = fl.saddr;
  if (fl.daddr === 0) {
    fl.daddr = INADDR_LOOPBACK;
    fl.saddr = INADDR_LOOPBACK;
  }
  return chooseLoopback(net, fl, choice);
}

function chooseLoopback(net: Net, fl: Flowi4, choice: OutputChoice): number {
  const lo = net.netdev.loopbackDev;
  if (lo === null || lo.ipPtr === null) return -ENETUNREACH;
  choice.dev = lo;
  choice.type = RTN_LOCAL;
  fl.flowi4Oif = lo.ifindex;
  return 0;
}

function chooseByTable(net: Net, fl: Flowi4, choice: OutputChoice, dev: NetDevice | null): number {
  const res = net.ipv4.fibResult;
  const error = fibLookup(net, fl, res);
  if (error !== 0) {
    if (dev === null) return error;
    // The user named the device, and no table knows the destination: assume that it is on that link.
    if (fl.saddr === 0) fl.saddr = inetSelectAddr(net, dev, 0, RT_SCOPE_LINK);
    choice.dev = dev;
    choice.type = RTN_UNICAST;
    return 0;
  }
  if (res.type === RTN_LOCAL) {
    if (fl.saddr === 0) fl.saddr = res.info !== null && res.info.prefsrc !== 0 ? res.info.prefsrc : fl.daddr;
    return chooseLoopback(net, fl, choice);
  }
  fibSelectPath(net, res, fl, null);
  if (fl.saddr === 0) fl.saddr = fibResultPrefsrc(net, res);
  return takeResult(fl, choice, res);
}

function takeResult(fl: Flowi4, choice: OutputChoice, res: FibResult): number {
  choice.type = res.type;
  choice.info = res.info;
  choice.prefixlen = res.prefixlen;
  choice.nh = res.nh;
  choice.dev = res.nh === null ? null : res.nh.dev;
  if (choice.dev === null) return -ENETUNREACH;
  fl.flowi4Oif = choice.dev.ifindex;
  return 0;
}

/** The type of destination that daddr is, whatever the table said. */
function outputType(daddr: number, type: number): number {
  if (ipv4IsLbcast(daddr)) return RTN_BROADCAST;
  if (ipv4IsMulticast(daddr)) return RTN_MULTICAST;
  return type;
}

function mkrouteOutput(fl: Flowi4, choice: OutputChoice, dev: NetDevice): Rtable | number {
  const inDev = dev.ipPtr;
  if (inDev === null || ipv4IsZeronet(fl.daddr)) return -EINVAL;
  const onLoopback = (dev.flags & IFF_LOOPBACK) !== 0;
  if (!onLoopback && ipv4IsLoopback(fl.saddr) && !inDevRouteLocalnet(inDev)) return -EINVAL;
  const type = outputType(fl.daddr, choice.type);
  let flags = onLoopback ? RTCF_LOCAL : 0;
  let info = choice.info;
  let nh = choice.nh;
  if (type === RTN_BROADCAST) {
    flags |= RTCF_BROADCAST | RTCF_LOCAL;
    info = null;
    nh = null;
  } else if (type === RTN_MULTICAST) {
    flags |= RTCF_MULTICAST;
    if (ipCheckMc(inDev, fl.daddr, fl.saddr)) flags |= RTCF_LOCAL;
    // A default route is no next hop for a group.
    if (choice.prefixlen < 4) {
      info = null;
      nh = null;
    }
  }
  const rt = rtDstAlloc(dev, flags, type);
  rt.rtDst = fl.daddr;
  rt.rtSrc = fl.saddr;
  rt.output = ipOutput;
  if ((flags & RTCF_LOCAL) !== 0) rt.input = ipLocalDeliver;
  if ((flags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0 && !onLoopback) {
    if ((flags & RTCF_LOCAL) !== 0) rt.output = ipMcOutput;
  }
  const error = rtSetNexthop(rt, fl.daddr, info, nh);
  if (error < 0) {
    dstRelease(rt);
    return error;
  }
  return rt;
}
