/*
 * A socket's memberships in multicast groups, with or without sources (ip(7): IP_ADD_MEMBERSHIP,
 * IP_ADD_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE, IP_MSFILTER and their like; RFC 3678 §4.1).
 *
 * A membership is a member of the group on its device (igmp.ts), whose filter it owns. Which
 * sockets a packet to a group is for, ipMcSfAllow() says.
 */
import { EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENODEV } from '@stack/kernel';
import { INET_FLAGS_MC_ALL, inetTestBit, ipv4IsMulticast } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { devGetByIndex } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import type { Net } from '@stack/kernel';
import { dstRelease } from '@stack/skbuff';
import { RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import { MCAST_EXCLUDE, MCAST_INCLUDE, McFilter, mcFilterAllows, sourcesMinus } from './igmp-group.ts';
import { ipMcAddMember, ipMcDelMember, ipMcMemberChanged } from './igmp.ts';
import { inetLookupIfaddr } from './ifaddr.ts';
import { IP_ADD_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE, IP_DROP_SOURCE_MEMBERSHIP, IpMreqn } from './ip-uapi.ts';
import type { IpMreqSource, IpMsfilter } from './ip-uapi.ts';
import { ipRouteOutputFlow } from './route-output.ts';

/** One membership of a socket (ip_mc_socklist). */
export class IpMcSocklist {
  nextRcu: IpMcSocklist | null;
  multiaddr: number;
  ifindex: number;
  filter: McFilter;

  constructor(multiaddr: number, ifindex: number, mode: number, next: IpMcSocklist | null) {
    this.nextRcu = next;
    this.multiaddr = multiaddr;
    this.ifindex = ifindex;
    this.filter = new McFilter(mode, []);
  }
}

function mcList(sk: InetSock): IpMcSocklist | null {
  return sk.mcList as IpMcSocklist | null;
}

/** The device that a request means: by index, by address, or the one a packet to the group would leave by. */
export function ipMcFindDev(net: Net, mreq: IpMreqn): NetDevice | null {
  if (mreq.imrIfindex !== 0) return devGetByIndex(net, mreq.imrIfindex);
  if (mreq.imrAddress !== 0) return inetLookupIfaddr(net, mreq.imrAddress)?.inDev.dev ?? null;
  const fl = net.ipv4.flow;
  flowi4InitOutput(fl, 0, 0, 0, RT_SCOPE_UNIVERSE, 0, 0, mreq.imrMultiaddr, 0, 0, 0);
  const rt = ipRouteOutputFlow(net, fl, null);
  if (typeof rt === 'number') return null;
  const dev = rt.dev;
  dstRelease(rt);
  return dev;
}

/** sk's membership of a group on the device of this index, or null. */
function mcFindMembership(sk: InetSock, group: number, ifindex: number): IpMcSocklist | null {
  for (let mc = mcList(sk); mc !== null; mc = mc.nextRcu) {
    if (mc.multiaddr === group && mc.ifindex === ifindex) return mc;
  }
  return null;
}

/** sk joins a group on a device, to hear every source. Returns 0, -EINVAL, -ENODEV, -EADDRINUSE, -ENOBUFS. */
export function ipMcJoinGroup(sk: InetSock, mreq: IpMreqn): number {
  return joinGroup(sk, mreq, MCAST_EXCLUDE);
}

function joinGroup(sk: InetSock, mreq: IpMreqn, mode: number): number {
  if (!ipv4IsMulticast(mreq.imrMultiaddr)) return -EINVAL;
  const dev = ipMcFindDev(sk.skNet, mreq);
  if (dev === null || dev.ipPtr === null) return -ENODEV;
  let count = 0;
  for (let mc = mcList(sk); mc !== null; mc = mc.nextRcu) {
    if (mc.multiaddr === mreq.imrMultiaddr && mc.ifindex === dev.ifindex) return -EADDRINUSE;
    count++;
  }
  if (count >= sk.skNet.ipv4.sysctlIgmpMaxMemberships) return -ENOBUFS;
  const mc = new IpMcSocklist(mreq.imrMultiaddr, dev.ifindex, mode, mcList(sk));
  sk.mcList = mc;
  ipMcAddMember(dev.ipPtr, mreq.imrMultiaddr, mc.filter);
  return 0;
}

function ipMcLeaveDev(sk: InetSock, mc: IpMcSocklist): void {
  const dev = devGetByIndex(sk.skNet, mc.ifindex);
  if (dev !== null && dev.ipPtr !== null) ipMcDelMember(dev.ipPtr, mc.multiaddr, mc.filter);
}

/** sk leaves a group. Returns 0, or -EADDRNOTAVAIL if it was not in it. */
export function ipMcLeaveGroup(sk: InetSock, mreq: IpMreqn): number {
  const dev = mreq.imrIfindex === 0 && mreq.imrAddress === 0 ? null : ipMcFindDev(sk.skNet, mreq);
  let prev: IpMcSocklist | null = null;
  for (let mc = mcList(sk); mc !== null; mc = mc.nextRcu) {
    if (mc.multiaddr === mreq.imrMultiaddr && (dev === null || mc.ifindex === dev.ifindex)) {
      if (prev === null) sk.mcList = mc.nextRcu;
      else prev.nextRcu = mc.nextRcu;
      ipMcLeaveDev(sk, mc);
      return 0;
    }
    prev = mc;
  }
  return -EADDRNOTAVAIL;
}

/** The socket closes: it leaves every group. */
export function ipMcDropSocket(sk: InetSock): void {
  for (let mc = mcList(sk); mc !== null; mc = mc.nextRcu) ipMcLeaveDev(sk, mc);
  sk.mcList = null;
}

/** The membership hears other sources from now on. */
function setFilter(sk: InetSock, mc: IpMcSocklist, mode: number, sources: readonly number[]): void {
  mc.filter.mode = mode;
  mc.filter.sources = sources;
  const dev = devGetByIndex(sk.skNet, mc.ifindex);
  if (dev !== null && dev.ipPtr !== null) ipMcMemberChanged(dev.ipPtr, mc.multiaddr);
}

/**
 * IP_ADD_SOURCE_MEMBERSHIP and IP_DROP_SOURCE_MEMBERSHIP (the membership includes sources),
 * IP_BLOCK_SOURCE and IP_UNBLOCK_SOURCE (it excludes them). Returns 0, -EINVAL (no membership, or
 * one of the other kind), -ENODEV, -EADDRNOTAVAIL (the source is in the list already, or is not), -ENOBUFS.
 */
export function ipMcSource(sk: InetSock, name: number, mreqs: IpMreqSource): number {
  const mreq = new IpMreqn(mreqs.imrMultiaddr, mreqs.imrInterface);
  if (!ipv4IsMulticast(mreq.imrMultiaddr)) return -EINVAL;
  const dev = ipMcFindDev(sk.skNet, mreq);
  if (dev === null) return -ENODEV;
  if (name === IP_ADD_SOURCE_MEMBERSHIP) {
    const error = joinGroup(sk, mreq, MCAST_INCLUDE);
    if (error !== 0 && error !== -EADDRINUSE) return error;
  }
  const mc = mcFindMembership(sk, mreq.imrMultiaddr, dev.ifindex);
  if (mc === null) return -EINVAL;
  const mode = name === IP_ADD_SOURCE_MEMBERSHIP || name === IP_DROP_SOURCE_MEMBERSHIP ? MCAST_INCLUDE : MCAST_EXCLUDE;
  const { sources } = mc.filter;
  // A membership without sources may change its kind.
  if (mc.filter.mode !== mode && sources.length > 0) return -EINVAL;
  const source = mreqs.imrSourceaddr;
  const listed = sources.includes(source);
  if (name === IP_ADD_SOURCE_MEMBERSHIP || name === IP_BLOCK_SOURCE) {
    if (listed) return -EADDRNOTAVAIL;
    if (sources.length >= sk.skNet.ipv4.sysctlIgmpMaxMsf) return -ENOBUFS;
    setFilter(sk, mc, mode, [...sources, source]);
    return 0;
  }
  if (!listed) return -EADDRNOTAVAIL;
  if (mode === MCAST_INCLUDE && sources.length === 1) return ipMcLeaveGroup(sk, new IpMreqn(mreq.imrMultiaddr, 0, dev.ifindex));
  setFilter(sk, mc, mode, sourcesMinus(sources, [source]));
  return 0;
}

/** IP_MSFILTER: the whole filter of a membership at once; INCLUDE of nothing leaves. Returns as ipMcSource(). */
export function ipMcMsfilter(sk: InetSock, msf: IpMsfilter): number {
  const mreq = new IpMreqn(msf.imsfMultiaddr, msf.imsfInterface);
  if (!ipv4IsMulticast(mreq.imrMultiaddr) || (msf.imsfFmode !== MCAST_INCLUDE && msf.imsfFmode !== MCAST_EXCLUDE)) return -EINVAL;
  if (msf.imsfSlist.length > sk.skNet.ipv4.sysctlIgmpMaxMsf) return -ENOBUFS;
  const dev = ipMcFindDev(sk.skNet, mreq);
  if (dev === null) return -ENODEV;
  if (msf.imsfFmode === MCAST_INCLUDE && msf.imsfSlist.length === 0) return ipMcLeaveGroup(sk, new IpMreqn(mreq.imrMultiaddr, 0, dev.ifindex));
  const mc = mcFindMembership(sk, mreq.imrMultiaddr, dev.ifindex);
  if (mc === null) return -EINVAL;
  setFilter(sk, mc, msf.imsfFmode, [...new Set(msf.imsfSlist)]);
  return 0;
}

/** Whether sk wants a packet from saddr to `group` that came in by the device of this index (ip_mc_sf_allow). */
export function ipMcSfAllow(sk: InetSock, group: number, saddr: number, ifindex: number): boolean {
  if (!ipv4IsMulticast(group)) return true;
  const mc = mcFindMembership(sk, group, ifindex);
  return mc === null ? inetTestBit(sk, INET_FLAGS_MC_ALL) : mcFilterAllows(mc.filter.mode, mc.filter.sources, saddr);
}
