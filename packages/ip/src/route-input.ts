/*
 * Routes for packets that arrive: ip_route_input.
 *
 * The answer is a dst on the packet whose input is ipLocalDeliver (for us), ipForward (for
 * others; output is ipOutput) or ipError (no way to get there). Addresses that no packet may have
 * are refused here (RFC 1122 §3.2.1.3, RFC 1812 §5.3.7: martians).
 */
import { EHOSTUNREACH, EINVAL, ENETUNREACH, snmpInc } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { ipv4IsLbcast, ipv4IsLoopback, ipv4IsMulticast, ipv4IsZeronet } from '@stack/inet-sock';
import { ETH_P_IP } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { dstRelease } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST, RTN_UNICAST, RTN_UNREACHABLE } from './fib.ts';
import type { FibResult } from './fib.ts';
import { fibLookup } from './fib-lookup.ts';
import { fibPathIsPerFlow, fibSelectPath } from './fib-multipath.ts';
import { fibValidateSource } from './fib-frontend.ts';
import type { Flowi4 } from './flow.ts';
import { ipCheckMc } from './igmp.ts';
import { inDevBforward, inDevForward, inDevRouteLocalnet } from './inetdevice.ts';
import type { InDevice } from './inetdevice.ts';
import { ipError, ipRtBug } from './ip-error.ts';
import { ipForward } from './ip-forward.ts';
import { IPPROTO_IGMP, ipHdrProtocol } from './ip-header.ts';
import { ipLocalDeliver } from './ip-input.ts';
import { ipOutput } from './ip-output.ts';
import { redirectWanted } from './route-redirect.ts';
import { rtDstAlloc, rtHold, rtSetNexthop } from './route.ts';
import { rtHash, rtInternHash } from './rt-cache.ts';
import { RTCF_BROADCAST, RTCF_DOREDIRECT, RTCF_LOCAL, RTCF_MULTICAST } from './rtable.ts';
import type { Rtable } from './rtable.ts';
import { IPSTATS_MIB_INNOROUTES } from './snmp-names.ts';

/**
 * Finds the route of a packet that came in by dev and hangs it on skb.dst. skb stays the caller's.
 * Returns 0, or -EINVAL (a martian), -EXDEV (the source would be answered another way:
 * rp_filter), -EHOSTUNREACH, -ENETUNREACH, -ENOBUFS.
 */
export function ipRouteInput(skb: SkBuff, daddr: number, saddr: number, tos: number, dev: NetDevice): number {
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_route_input', skb);
  const cache = net.ipv4.rtCache;
  const iif = dev.ifindex;
  const slot = rtHash(cache, daddr, saddr, iif, 0);
  for (let rt = cache.buckets[slot]; rt !== null; rt = rt.next) {
    if (rt.keyDaddr !== daddr || rt.keySaddr !== saddr || rt.keyIif !== iif || rt.keyOif !== 0) continue;
    if (rt.keyTos !== tos || rt.keyMark !== skb.mark || rt.ops.check(rt, 0) === null) continue;
    if (rt.rtMultipath && fibPathIsPerFlow(net, skb)) break;
    cache.inHit++;
    skb.dst = rtHold(net, rt);
    return 0;
  }
  cache.inSlowTot++;
  const inDev = dev.ipPtr;
  if (inDev === null) return -EINVAL;
  const rt = ipv4IsMulticast(daddr) ? ipRouteInputMc(daddr, saddr, ipHdrProtocol(skb), inDev) : ipRouteInputSlow(net, skb, daddr, saddr, tos, inDev);
  if (typeof rt === 'number') return rt;
  rt.keyDaddr = daddr;
  rt.keySaddr = saddr;
  rt.keyIif = iif;
  rt.keyTos = tos;
  rt.keyMark = skb.mark;
  if (!rt.rtMultipath || !fibPathIsPerFlow(net, skb)) rtInternHash(rt);
  skb.dst = rt;
  return 0;
}

/** A route to ourselves for a packet that came in by inDev. */
function rtLocal(inDev: InDevice, daddr: number, flags: number, type: number): Rtable {
  const rt = rtDstAlloc(inDev.net.netdev.loopbackDev ?? inDev.dev, flags | RTCF_LOCAL, type);
  rt.rtIsInput = true;
  rt.rtIif = inDev.dev.ifindex;
  rt.rtDst = daddr;
  rt.rtGateway = daddr;
  rt.input = ipLocalDeliver;
  rt.output = ipRtBug;
  return rt;
}

/** To a group: ours if the device listens to it, and to this source (IGMP to any). */
function ipRouteInputMc(daddr: number, saddr: number, protocol: number, inDev: InDevice): Rtable | number {
  if (!ipCheckMc(inDev, daddr, protocol === IPPROTO_IGMP ? 0 : saddr)) return -EINVAL;
  if (ipv4IsMulticast(saddr) || ipv4IsLbcast(saddr)) return -EINVAL;
  if (ipv4IsLoopback(saddr) && !inDevRouteLocalnet(inDev)) return -EINVAL;
  if (!ipv4IsZeronet(saddr)) {
    const error = fibValidateSource(saddr, daddr, 0, 0, inDev);
    if (error < 0) return error;
  }
  const rt = rtLocal(inDev, daddr, RTCF_MULTICAST, RTN_MULTICAST);
  rt.dev = inDev.dev;
  return rt;
}

/** What no packet on a wire may have. On the loopback device these addresses are at home. */
function isMartian(daddr: number, saddr: number, inDev: InDevice): boolean {
  if (ipv4IsMulticast(saddr) || ipv4IsLbcast(saddr)) return true;
  if (ipv4IsLbcast(daddr) || (saddr === 0 && daddr === 0)) return false;
  if (ipv4IsZeronet(saddr) || ipv4IsZeronet(daddr)) return true;
  if (inDev.dev === inDev.net.netdev.loopbackDev || inDevRouteLocalnet(inDev)) return false;
  return ipv4IsLoopback(daddr) || ipv4IsLoopback(saddr);
}

function ipRouteInputSlow(net: Net, skb: SkBuff, daddr: number, saddr: number, tos: number, inDev: InDevice): Rtable | number {
  if (isMartian(daddr, saddr, inDev)) return -EINVAL;
  if (ipv4IsLbcast(daddr) || (saddr === 0 && daddr === 0)) return brdInput(skb, daddr, saddr, inDev);
  const fl = net.ipv4.flow;
  fillInputFlow(fl, skb, daddr, saddr, tos, inDev);
  const res = net.ipv4.fibResult;
  const error = fibLookup(net, fl, res);
  if (error !== 0) return rtUnreachable(inDev, daddr, inDevForward(inDev) ? error : -EHOSTUNREACH);
  if (res.type === RTN_BROADCAST) {
    return inDevBforward(inDev) ? mkrouteInput(skb, daddr, saddr, inDev, res) : brdInput(skb, daddr, saddr, inDev);
  }
  if (res.type === RTN_LOCAL) {
    const bad = fibValidateSource(saddr, daddr, tos, 0, inDev);
    return bad < 0 ? bad : rtLocal(inDev, daddr, 0, RTN_LOCAL);
  }
  if (!inDevForward(inDev)) return rtUnreachable(inDev, daddr, -EHOSTUNREACH);
  if (res.type !== RTN_UNICAST) return -EINVAL;
  return mkrouteInput(skb, daddr, saddr, inDev, res);
}

function fillInputFlow(fl: Flowi4, skb: SkBuff, daddr: number, saddr: number, tos: number, inDev: InDevice): void {
  fl.flowi4Oif = 0;
  fl.flowi4Iif = inDev.dev.ifindex;
  fl.flowi4Mark = skb.mark;
  fl.flowi4Tos = tos;
  fl.flowi4Scope = 0;
  fl.flowi4Proto = 0;
  fl.flowi4Flags = 0;
  fl.daddr = daddr;
  fl.saddr = saddr;
}

function brdInput(skb: SkBuff, daddr: number, saddr: number, inDev: InDevice): Rtable | number {
  if (skb.protocol !== ETH_P_IP) return -EINVAL;
  if (!ipv4IsZeronet(saddr)) {
    const error = fibValidateSource(saddr, daddr, 0, 0, inDev);
    if (error < 0) return error;
  }
  return rtLocal(inDev, daddr, RTCF_BROADCAST, RTN_BROADCAST);
}

/** No way to get there: the packet goes to ipError, which says so to its sender if we are a router. */
function rtUnreachable(inDev: InDevice, daddr: number, error: number): Rtable {
  if (error === -ENETUNREACH || error === -EHOSTUNREACH) snmpInc(inDev.net.ipv4.ipExtMib, IPSTATS_MIB_INNOROUTES);
  const rt = rtLocal(inDev, daddr, 0, RTN_UNREACHABLE);
  rt.rtFlags &= ~RTCF_LOCAL;
  rt.input = ipError;
  rt.error = -error;
  return rt;
}

/** A route for a packet that goes on. */
function mkrouteInput(skb: SkBuff, daddr: number, saddr: number, inDev: InDevice, res: FibResult): Rtable | number {
  const net = inDev.net;
  fibSelectPath(net, res, net.ipv4.flow, skb);
  const info = res.info;
  const type = res.type;
  const nh = res.nh;
  const out = nh === null ? null : nh.dev;
  if (info === null || nh === null || out === null || out.ipPtr === null) return -EINVAL;
  const source = fibValidateSource(saddr, daddr, 0, out.ifindex, inDev);
  if (source < 0) return source;
  const sameLink = out === inDev.dev;
  if (skb.protocol !== ETH_P_IP && sameLink) return -EINVAL;
  const redirect = sameLink && source === 1 && redirectWanted(inDev, saddr, nh.gw);
  const rt = rtDstAlloc(out, redirect ? RTCF_DOREDIRECT : 0, type);
  rt.rtIsInput = true;
  rt.rtMultipath = info.nhs.length > 1;
  rt.rtIif = inDev.dev.ifindex;
  rt.rtDst = daddr;
  rt.rtSrc = saddr;
  rt.input = ipForward;
  rt.output = ipOutput;
  const error = rtSetNexthop(rt, daddr, info, nh);
  if (error < 0) {
    dstRelease(rt);
    return error;
  }
  return rt;
}
