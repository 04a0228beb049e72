/*
 * `ip addr add` and `ip addr del`: addresses as a user writes them.
 */
import { EADDRNOTAVAIL, EINVAL, worldEnter, worldLeave } from '@stack/kernel';
import { inetPton4, ipv4IsLoopback } from '@stack/inet-sock';
import type { NetDevice } from '@stack/netdev';
import { arpAnnounce } from './arp-send.ts';
import { inetDelIfa, inetInsertIfa } from './devinet.ts';
import { RT_SCOPE_HOST, RT_SCOPE_UNIVERSE } from './flow.ts';
import { IFA_F_NOPREFIXROUTE, InIfaddr, inDevArpNotify } from './inetdevice.ts';

/** An address with its prefix length. */
export interface Ipv4Prefix {
  addr: number;
  plen: number;
}

/** Reads `A.B.C.D` or `A.B.C.D/LEN`; null if it is neither. */
export function parseIpv4Prefix(text: string): Ipv4Prefix | null {
  const slash = text.indexOf('/');
  const addr = inetPton4(slash < 0 ? text : text.slice(0, slash));
  if (addr === null) return null;
  if (slash < 0) return { addr, plen: 32 };
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]?)$/.test(length)) return null;
  const plen = Number(length);
  return plen <= 32 ? { addr, plen } : null;
}

/** What `ip addr add` can say besides the address. */
export interface IpAddrOptions {
  /** The broadcast address; '+' for the highest of the subnet. */
  broadcast?: string;
  /** The other end of a point-to-point link. */
  peer?: string;
  /** RT_SCOPE_*; host for 127.0.0.0/8, else global. */
  scope?: number;
  label?: string;
  /** Metric of the route to the subnet. */
  metric?: number;
  noprefixroute?: boolean;
}

/** Builds the in_ifaddr; null if something is no address. */
function makeIfa(dev: NetDevice, text: string, options: IpAddrOptions): InIfaddr | null {
  const inDev = dev.ipPtr;
  const local = parseIpv4Prefix(text);
  const peer = options.peer === undefined ? local : parseIpv4Prefix(options.peer);
  if (inDev === null || local === null || peer === null) return null;
  const ifa = new InIfaddr(inDev, local.addr, peer.plen);
  ifa.ifaAddress = peer.addr;
  ifa.ifaScope = options.scope ?? (ipv4IsLoopback(local.addr) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE);
  ifa.ifaLabel = options.label ?? dev.name;
  ifa.ifaRtPriority = options.metric ?? 0;
  if (options.noprefixroute === true) ifa.ifaFlags |= IFA_F_NOPREFIXROUTE;
  if (options.broadcast !== undefined) {
    const brd = options.broadcast === '+' ? ifa.ifaAddress | ~ifa.ifaMask : inetPton4(options.broadcast);
    if (brd === null) return null;
    ifa.ifaBroadcast = brd;
  }
  return ifa;
}

/**
 * Adds an address to a device: `ip addr add 10.0.0.1/24 dev …`. Routes follow. Returns 0, -EINVAL
 * (no address, or no IPv4 on the device), -EEXIST.
 */
export function ipAddrAdd(dev: NetDevice, text: string, options: IpAddrOptions = {}): number {
  const ifa = makeIfa(dev, text, options);
  if (ifa === null) return -EINVAL;
  const world = dev.net.world;
  worldEnter(world);
  const error = inetInsertIfa(ifa);
  if (error === 0 && inDevArpNotify(ifa.inDev)) arpAnnounce(ifa);
  worldLeave(world);
  return error;
}

/** Takes an address off a device. With a prefix length it must be that one. Returns 0, -EINVAL, -EADDRNOTAVAIL. */
export function ipAddrDel(dev: NetDevice, text: string): number {
  const wanted = parseIpv4Prefix(text);
  const inDev = dev.ipPtr;
  if (wanted === null || inDev === null) return -EINVAL;
  const anyLength = !text.includes('/');
  for (let ifa = inDev.ifaList; ifa !== null; ifa = ifa.ifaNext) {
    if (ifa.ifaLocal !== wanted.addr || (!anyLength && ifa.ifaPrefixlen !== wanted.plen)) continue;
    const world = dev.net.world;
    worldEnter(world);
    inetDelIfa(ifa);
    worldLeave(world);
    return 0;
  }
  return -EADDRNOTAVAIL;
}
