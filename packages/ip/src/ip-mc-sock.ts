/*
 * A socket's memberships in multicast groups (ip(7): IP_ADD_MEMBERSHIP and its like).
 */
import { EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENODEV } from '@stack/kernel';
import { INET_FLAGS_MC_ALL, inetTestBit, ipv4IsMulticast } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { devGetByIndex } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import type { Net } from '@stack/kernel';
import { dstRelease } from '@stack/skbuff';
import { RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import { ipMcDecGroup, ipMcIncGroup } from './igmp.ts';
import { inetLookupIfaddr } from './ifaddr.ts';
import type { IpMreqn } from './ip-uapi.ts';
import { ipRouteOutputFlow } from './route-output.ts';

/** Most groups of one socket (net.ipv4.igmp_max_memberships). */
const IGMP_MAX_MEMBERSHIPS = 20;

/** One membership of a socket (ip_mc_socklist). */
export class IpMcSocklist {
  nextRcu: IpMcSocklist | null;
  multiaddr: number;
  ifindex: number;

  constructor(multiaddr: number, ifindex: number, next: IpMcSocklist | null) {
    this.nextRcu = next;
    this.multiaddr = multiaddr;
    this.ifindex = ifindex;
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

/** sk joins a group on a device. Returns 0, -EINVAL, -ENODEV, -EADDRINUSE, -ENOBUFS. */
export function ipMcJoinGroup(sk: InetSock, mreq: IpMreqn): number {
  if (!ipv4IsMulticast(mreq.imrMultiaddr)) return -EINVAL;
  const dev = ipMcFindDev(sk.skNet, mreq);
  if (dev === null || dev.ipPtr === null) return -ENODEV;
  let count = 0;
  for (let mc = mcList(sk); mc !== null; mc = mc.nextRcu) {
    if (mc.multiaddr === mreq.imrMultiaddr && mc.ifindex === dev.ifindex) return -EADDRINUSE;
    count++;
  }
  if (count >= IGMP_MAX_MEMBERSHIPS) return -ENOBUFS;
  sk.mcList = new IpMcSocklist(mreq.imrMultiaddr, dev.ifindex, mcList(sk));
  ipMcIncGroup(dev.ipPtr, mreq.imrMultiaddr);
  return 0;
}

function ipMcLeaveDev(sk: InetSock, mc: IpMcSocklist): void {
  const dev = devGetByIndex(sk.skNet, mc.ifindex);
  if (dev !== null && dev.ipPtr !== null) ipMcDecGroup(dev.ipPtr, mc.multiaddr);
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

/** Whether sk wants a packet to `group` that came in by the device of this index (ip_mc_sf_allow). */
export function ipMcSfAllow(sk: InetSock, group: number, ifindex: number): boolean {
  if (!ipv4IsMulticast(group)) return true;
  for (let mc = mcList(sk); mc !== null; mc = mc.nextRcu) {
    if (mc.multiaddr === group && mc.ifindex === ifindex) return true;
  }
  return inetTestBit(sk, INET_FLAGS_MC_ALL);
}
