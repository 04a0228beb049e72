/*
 * The structs of IPv4's configuration of a device: InDevice, InIfaddr, Ipv4Devconf.
 *
 * dev.ipPtr points at the InDevice, made when the device is registered. Behaviour: devinet.ts.
 */
import type { Net } from '@stack/kernel';
import type { NeighParms } from '@stack/neigh';
import type { NetDevice } from '@stack/netdev';
import type { IgmpState, IpMcList } from './igmp-group.ts';

declare module '@stack/netdev' {
  interface DevLinks {
    ipPtr: InDevice;
  }
}

/** net.ipv4.conf.<dev>.*: 0 and 1 unless said. `all` and `default` are two more of these. */
export class Ipv4Devconf {
  acceptLocal: number;
  acceptRedirects: number;
  acceptSourceRoute: number;
  /** 0: learn only from those we know; 1: from gratuitous ARP of strangers too. */
  arpAccept: number;
  /** 0 any local source address in a request; 1 one of the target's subnet if there is one; 2 the best. */
  arpAnnounce: number;
  arpEvictNocarrier: number;
  arpFilter: number;
  /** 0 … 8: which requests are answered (arp.ts). */
  arpIgnore: number;
  /** 1: announce an address when it comes up. */
  arpNotify: number;
  bcForwarding: number;
  dropGratuitousArp: number;
  dropUnicastInL2Multicast: number;
  /** 1 … 3: the version of IGMP that is spoken, whatever queriers speak; 0: as they do. */
  forceIgmpVersion: number;
  forwarding: number;
  /** Milliseconds within which an unasked report is repeated, by version. */
  igmpv2UnsolicitedReportInterval: number;
  igmpv3UnsolicitedReportInterval: number;
  ignoreRoutesWithLinkdown: number;
  promoteSecondaries: number;
  routeLocalnet: number;
  /** RFC 3704: 0 off, 1 strict, 2 loose. */
  rpFilter: number;
  /** Believe redirects only to gateways of the default route; with sharedMedia it has no say. */
  secureRedirects: number;
  sendRedirects: number;
  /** The link may carry subnets that we do not know of. */
  sharedMedia: number;

  constructor() {
    this.acceptLocal = 0;
    this.acceptRedirects = 1;
    this.acceptSourceRoute = 0;
    this.arpAccept = 0;
    this.arpAnnounce = 0;
    this.arpEvictNocarrier = 1;
    this.arpFilter = 0;
    this.arpIgnore = 0;
    this.arpNotify = 0;
    this.bcForwarding = 0;
    this.dropGratuitousArp = 0;
    this.dropUnicastInL2Multicast = 0;
    this.forceIgmpVersion = 0;
    this.forwarding = 0;
    this.igmpv2UnsolicitedReportInterval = 10000;
    this.igmpv3UnsolicitedReportInterval = 1000;
    this.ignoreRoutesWithLinkdown = 0;
    this.promoteSecondaries = 0;
    this.routeLocalnet = 0;
    this.rpFilter = 0;
    this.secureRedirects = 1;
    this.sendRedirects = 1;
    this.sharedMedia = 1;
  }
}

/** Copies every variable. */
export function ipv4DevconfCopy(to: Ipv4Devconf, from: Ipv4Devconf): void {
  to.acceptLocal = from.acceptLocal;
  to.acceptRedirects = from.acceptRedirects;
  to.acceptSourceRoute = from.acceptSourceRoute;
  to.arpAccept = from.arpAccept;
  to.arpAnnounce = from.arpAnnounce;
  to.arpEvictNocarrier = from.arpEvictNocarrier;
  to.arpFilter = from.arpFilter;
  to.arpIgnore = from.arpIgnore;
  to.arpNotify = from.arpNotify;
  to.bcForwarding = from.bcForwarding;
  to.dropGratuitousArp = from.dropGratuitousArp;
  to.dropUnicastInL2Multicast = from.dropUnicastInL2Multicast;
  to.forceIgmpVersion = from.forceIgmpVersion;
  to.forwarding = from.forwarding;
  to.igmpv2UnsolicitedReportInterval = from.igmpv2UnsolicitedReportInterval;
  to.igmpv3UnsolicitedReportInterval = from.igmpv3UnsolicitedReportInterval;
  to.ignoreRoutesWithLinkdown = from.ignoreRoutesWithLinkdown;
  to.promoteSecondaries = from.promoteSecondaries;
  to.routeLocalnet = from.routeLocalnet;
  to.rpFilter = from.rpFilter;
  to.secureRedirects = from.secureRedirects;
  to.sendRedirects = from.sendRedirects;
  to.sharedMedia = from.sharedMedia;
}

/** ifaFlags. */
export const IFA_F_SECONDARY = 0x01;
export const IFA_F_NODAD = 0x02;
export const IFA_F_PERMANENT = 0x80;
export const IFA_F_NOPREFIXROUTE = 0x200;

/** One address of a device. */
export class InIfaddr {
  ifaNext: InIfaddr | null;
  /** Chain of the Net's table by local address. */
  hashNext: InIfaddr | null;
  inDev: InDevice;
  /** Our address. */
  ifaLocal: number;
  /** The peer's on a point-to-point link, else ours. */
  ifaAddress: number;
  ifaMask: number;
  ifaPrefixlen: number;
  /** 0 for none. */
  ifaBroadcast: number;
  /** RT_SCOPE_* */
  ifaScope: number;
  /** IFA_F_* */
  ifaFlags: number;
  ifaLabel: string;
  /** Metric of the route to its subnet. */
  ifaRtPriority: number;
  /** RFC 5227 §2.4: other hosts seen to use this address, and the jiffies of the last of them; 0 for never. */
  conflicts: number;
  lastConflict: number;

  constructor(inDev: InDevice, local: number, prefixlen: number) {
    this.ifaNext = null;
    this.hashNext = null;
    this.inDev = inDev;
    this.ifaLocal = local;
    this.ifaAddress = local;
    this.ifaMask = prefixlen === 0 ? 0 : -1 << (32 - prefixlen);
    this.ifaPrefixlen = prefixlen;
    this.ifaBroadcast = 0;
    this.ifaScope = 0;
    this.ifaFlags = IFA_F_PERMANENT;
    this.ifaLabel = inDev.dev.name;
    this.ifaRtPriority = 0;
    this.conflicts = 0;
    this.lastConflict = 0;
  }
}

/** IPv4's part of a device. */
export class InDevice {
  dev: NetDevice;
  net: Net;
  dead: boolean;
  /** Addresses: primary ones first, by scope, then the secondary ones. */
  ifaList: InIfaddr | null;
  /** Multicast groups that the device listens to (igmp.ts). */
  mcList: IpMcList | null;
  igmp: IgmpState;
  arpParms: NeighParms;
  cnf: Ipv4Devconf;
  /** The name its variables are registered under. */
  sysctlName: string;

  constructor(dev: NetDevice, arpParms: NeighParms, igmp: IgmpState) {
    this.dev = dev;
    this.net = dev.net;
    this.dead = false;
    this.ifaList = null;
    this.mcList = null;
    this.igmp = igmp;
    this.arpParms = arpParms;
    this.cnf = new Ipv4Devconf();
    this.sysctlName = dev.name;
  }
}

/* The variables as they hold for a device: its own and `all` together, as the kernel's macros have it. */

export function inDevForward(inDev: InDevice): boolean {
  return inDev.cnf.forwarding !== 0;
}

export function inDevRpfilter(inDev: InDevice): number {
  return Math.max(inDev.net.ipv4.devconfAll.rpFilter, inDev.cnf.rpFilter);
}

export function inDevAcceptLocal(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.acceptLocal | inDev.cnf.acceptLocal) !== 0;
}

export function inDevRouteLocalnet(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.routeLocalnet | inDev.cnf.routeLocalnet) !== 0;
}

export function inDevTxRedirects(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.sendRedirects | inDev.cnf.sendRedirects) !== 0;
}

export function inDevSecRedirects(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.secureRedirects | inDev.cnf.secureRedirects) !== 0;
}

export function inDevSharedMedia(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.sharedMedia | inDev.cnf.sharedMedia) !== 0;
}

/** A router believes redirects only if both settings say so, a host if one does. */
export function inDevRxRedirects(inDev: InDevice): boolean {
  const all = inDev.net.ipv4.devconfAll.acceptRedirects;
  const own = inDev.cnf.acceptRedirects;
  return (inDevForward(inDev) ? all & own : all | own) !== 0;
}

export function inDevSourceRoute(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.acceptSourceRoute & inDev.cnf.acceptSourceRoute) !== 0;
}

export function inDevBforward(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.bcForwarding & inDev.cnf.bcForwarding) !== 0;
}

export function inDevDropUnicastInL2Multicast(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.dropUnicastInL2Multicast | inDev.cnf.dropUnicastInL2Multicast) !== 0;
}

export function inDevArpFilter(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.arpFilter | inDev.cnf.arpFilter) !== 0;
}

export function inDevArpAnnounce(inDev: InDevice): number {
  return Math.max(inDev.net.ipv4.devconfAll.arpAnnounce, inDev.cnf.arpAnnounce);
}

export function inDevArpIgnore(inDev: InDevice): number {
  return Math.max(inDev.net.ipv4.devconfAll.arpIgnore, inDev.cnf.arpIgnore);
}

export function inDevArpAccept(inDev: InDevice): number {
  return Math.max(inDev.net.ipv4.devconfAll.arpAccept, inDev.cnf.arpAccept);
}

export function inDevArpNotify(inDev: InDevice): boolean {
  return Math.max(inDev.net.ipv4.devconfAll.arpNotify, inDev.cnf.arpNotify) !== 0;
}

export function inDevDropGratuitousArp(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.dropGratuitousArp | inDev.cnf.dropGratuitousArp) !== 0;
}

export function inDevArpEvictNocarrier(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.arpEvictNocarrier & inDev.cnf.arpEvictNocarrier) !== 0;
}

export function inDevPromoteSecondaries(inDev: InDevice): boolean {
  return (inDev.net.ipv4.devconfAll.promoteSecondaries | inDev.cnf.promoteSecondaries) !== 0;
}
