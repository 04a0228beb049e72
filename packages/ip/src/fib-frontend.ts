/*
 * Where the world outside meets the routing tables: devices that come and go, the reverse path of
 * a packet (RFC 3704), and the address of ours that a packet was for.
 */
import { EINVAL, EXDEV } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import type { SkBuff } from '@stack/skbuff';
import { ipv4IsZeronet } from '@stack/inet-sock';
import { RTN_LOCAL, RTN_UNICAST } from './fib.ts';
import { fibAddIfaddr } from './fib-ifaddr.ts';
import { fibLookup } from './fib-lookup.ts';
import { fibResultPrefsrc, fibSyncCarrier, fibSyncDownDev, fibSyncUp } from './fib-semantics.ts';
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, flowi4InitLookup } from './flow.ts';
import { inetLookupIfaddr, inetSelectAddr } from './ifaddr.ts';
import { inDevAcceptLocal, inDevRpfilter, inDevTxRedirects } from './inetdevice.ts';
import type { InDevice } from './inetdevice.ts';
import { ipHdrDaddr, ipHdrSaddr } from './ip-header.ts';
import { rtCacheFlush } from './rt-cache.ts';
import { RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST } from './rtable.ts';
import type { Rtable } from './rtable.ts';

/** dev has come up: the routes of its addresses come back, and its part of those with several next hops. */
export function fibDevUp(dev: NetDevice): void {
  const inDev = dev.ipPtr;
  if (inDev === null) return;
  for (let ifa = inDev.ifaList; ifa !== null; ifa = ifa.ifaNext) fibAddIfaddr(ifa);
  fibSyncUp(dev.net, dev);
  rtCacheFlush(dev.net);
}

/** dev has gone down (force: for good): its routes go. */
export function fibDevDown(dev: NetDevice, force: boolean): void {
  fibSyncDownDev(dev.net, dev, force);
  rtCacheFlush(dev.net);
}

/** dev has lost or found its carrier. */
export function fibDevCarrier(dev: NetDevice, up: boolean): void {
  fibSyncCarrier(dev.net, dev, up);
  rtCacheFlush(dev.net);
}

/**
 * Checks the source of a packet to daddr that came in by inDev and leaves by the device of index oif
 * (0: it is for us). Returns 0; 1 if the source is on that link itself; -EINVAL for an address of our
 * own (accept_local off), -EXDEV if rp_filter is on and the source is not reached through inDev.
 */
export function fibValidateSource(saddr: number, daddr: number, tos: number, oif: number, inDev: InDevice): number {
  const net = inDev.net;
  const rpf = inDevRpfilter(inDev);
  if (rpf === 0 && (inDev.dev.ifindex !== oif || !inDevTxRedirects(inDev))) {
    if (inDevAcceptLocal(inDev)) return 0;
    // With rules an address may be local for some flows only: then the tables must say.
    if (!net.ipv4.fibHasCustomRules) return notOurs(inDev, saddr);
  }
  const fl = net.ipv4.lookupFlow;
  flowi4InitLookup(fl, saddr, daddr, oif, 0, tos, RT_SCOPE_UNIVERSE);
  const res = net.ipv4.checkResult;
  if (fibLookup(net, fl, res) !== 0 || res.info === null) return rpf === 1 ? -EXDEV : 0;
  if (res.type !== RTN_UNICAST && !(res.type === RTN_LOCAL && acceptsLocal(inDev))) return -EINVAL;
  for (const nh of res.info.nhs) {
    if (nh.dev === inDev.dev) return nh.scope >= RT_SCOPE_HOST ? 1 : 0;
  }
  if (inDev.ifaList === null) return rpf === 1 ? -EXDEV : 0;
  if (rpf === 1) return -EXDEV;
  return fibLooseMatch(inDev, saddr);
}

/** -EINVAL if saddr is an address of ours and inDev is not the device that our own packets come back by. */
function notOurs(inDev: InDevice, saddr: number): number {
  const net = inDev.net;
  return inetLookupIfaddr(net, saddr) !== null && inDev.dev !== net.netdev.loopbackDev ? -EINVAL : 0;
}

/** Our own packets come back by the loopback device only, unless accept_local. */
function acceptsLocal(inDev: InDevice): boolean {
  return inDevAcceptLocal(inDev) || inDev.dev === inDev.net.netdev.loopbackDev;
}

/** Another route to saddr, through the device it came by, may say that it is on the link. */
function fibLooseMatch(inDev: InDevice, saddr: number): number {
  const ipv4 = inDev.net.ipv4;
  const fl = ipv4.lookupFlow;
  fl.daddr = saddr;
  fl.flowi4Oif = inDev.dev.ifindex;
  const res = ipv4.checkResult;
  if (fibLookup(inDev.net, fl, res) !== 0 || res.nh === null || res.type !== RTN_UNICAST) return 0;
  return res.nh.scope >= RT_SCOPE_HOST ? 1 : 0;
}

/** The address of ours that answers a packet: the one it was sent to, or, for a broadcast or group, the one its sender would be answered from. */
export function fibComputeSpecDst(skb: SkBuff): number {
  const rt = skb.dst as Rtable | null;
  const kind = rt === null ? 0 : rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST | RTCF_LOCAL);
  if (kind === RTCF_LOCAL) return ipHdrDaddr(skb);
  const net = skb.net;
  const saddr = ipHdrSaddr(skb);
  if (ipv4IsZeronet(saddr)) return inetSelectAddr(net, skb.dev, saddr, RT_SCOPE_LINK);
  const fl = net.ipv4.lookupFlow;
  flowi4InitLookup(fl, saddr, 0, 0, 0, 0, RT_SCOPE_UNIVERSE);
  const res = net.ipv4.checkResult;
  if (fibLookup(net, fl, res) === 0) return fibResultPrefsrc(net, res);
  return inetSelectAddr(net, skb.dev, saddr, RT_SCOPE_UNIVERSE);
}
