/*
 * What a lease does to a host: its address, default route, MTU and name servers; and how that is undone. What a Linux client's script
 * does by `ip` and resolv.conf.
 */
import { inetMaskLen, inNtoa } from '@stack/inet-sock';
import { ipAddrAdd, ipAddrDel, ipRouteAdd, ipRouteDel, RTPROT_DHCP } from '@stack/ip';
import { devSetMtu, type NetDevice } from '@stack/netdev';
import { resSetservers, type ResState } from '@stack/resolver';
import {
  INFINITE_LEASE, OPT_BROADCAST, OPT_DNS_SERVER, OPT_DOMAIN_NAME, OPT_LEASE_TIME, OPT_MTU, OPT_ROUTER, OPT_SERVER_ID, OPT_SUBNET_MASK, OPT_T1,
  OPT_T2, optAddress, optAddresses, optSeconds, optText, optU16, type DhcpMessage,
} from './dhcp-message.ts';

/** A client's lease. Addresses are text, times seconds from the moment it was given; Infinity: for ever. */
export interface DhcpLease {
  readonly address: string;
  readonly prefixLength: number;
  readonly broadcast: string;
  readonly server: string;
  readonly routers: readonly string[];
  readonly dns: readonly string[];
  readonly domain: string;
  /** 0: nothing was said. */
  readonly mtu: number;
  readonly leaseTime: number;
  /** T1 and T2. */
  readonly renewalTime: number;
  readonly rebindingTime: number;
}

/** The netmask, if none is given: that of the address's old class. */
function defaultMaskLen(addr: number): number {
  if (addr >= 0) return 8;
  return addr >>> 30 === 2 ? 16 : 24;
}

/** T1 and T2, as they are given if they make sense, else a half and seven eighths (RFC 2131 §4.4.5). */
function readTimes(ack: DhcpMessage, leaseTime: number): { t1: number; t2: number } {
  const t1 = optSeconds(ack, OPT_T1) ?? leaseTime / 2;
  const t2 = optSeconds(ack, OPT_T2) ?? (leaseTime * 7) / 8;
  return t1 > 0 && t1 <= t2 && t2 <= leaseTime ? { t1, t2 } : { t1: leaseTime / 2, t2: (leaseTime * 7) / 8 };
}

/** Reads the lease in an OFFER or ACK; null if it is none: no address, no time. */
export function readLease(ack: DhcpMessage): DhcpLease | null {
  const leaseTime = optSeconds(ack, OPT_LEASE_TIME);
  const addr = ack.yiaddr;
  if (leaseTime === null || leaseTime === 0 || addr === 0 || addr >>> 28 >= 14) return null;
  const mask = optAddress(ack, OPT_SUBNET_MASK);
  const prefixLength = mask === 0 ? defaultMaskLen(addr) : inetMaskLen(mask);
  const { t1, t2 } = readTimes(ack, leaseTime);
  const forEver = leaseTime === INFINITE_LEASE;
  return {
    address: inNtoa(addr),
    prefixLength,
    broadcast: inNtoa(optAddress(ack, OPT_BROADCAST) || (prefixLength > 30 ? 0 : addr | (-1 >>> prefixLength))),
    server: inNtoa(optAddress(ack, OPT_SERVER_ID)),
    routers: optAddresses(ack, OPT_ROUTER).map(inNtoa),
    dns: optAddresses(ack, OPT_DNS_SERVER).map(inNtoa),
    domain: optText(ack, OPT_DOMAIN_NAME),
    mtu: optU16(ack, OPT_MTU),
    leaseTime: forEver ? Infinity : leaseTime,
    renewalTime: forEver ? Infinity : t1,
    rebindingTime: forEver ? Infinity : t2,
  };
}

function addressText(lease: DhcpLease): string {
  return `${lease.address}/${lease.prefixLength}`;
}

/** Puts a lease to use; `old` is the one that it takes the place of, or null. A domain that is no name is passed over. */
export function applyLease(dev: NetDevice, res: ResState | null, lease: DhcpLease, old: DhcpLease | null): void {
  if (old !== null && addressText(old) !== addressText(lease)) removeLease(dev, old);
  const { net } = dev;
  ipAddrAdd(dev, addressText(lease), { broadcast: lease.broadcast });
  if (lease.mtu !== 0) devSetMtu(dev, lease.mtu);
  const [gateway] = lease.routers;
  const [oldGateway] = old?.routers ?? [];
  if (oldGateway !== undefined && oldGateway !== gateway) ipRouteDel(net, { dst: 'default', gateway: oldGateway, dev: dev.name });
  if (gateway !== undefined) ipRouteAdd(net, { dst: 'default', gateway, dev: dev.name, protocol: RTPROT_DHCP, onlink: true });
  if (res === null || lease.dns.length === 0) return;
  if (old !== null && old.dns.join() === lease.dns.join() && old.domain === lease.domain) return;
  setServers(res, lease);
}

function setServers(res: ResState, lease: DhcpLease): void {
  try {
    resSetservers(res, lease.dns, lease.domain === '' ? [] : [lease.domain]);
  } catch {
    resSetservers(res, lease.dns, []);
  }
}

/** Takes it back: the address, and the default route. */
export function removeLease(dev: NetDevice, lease: DhcpLease): void {
  const [gateway] = lease.routers;
  if (gateway !== undefined) ipRouteDel(dev.net, { dst: 'default', gateway, dev: dev.name });
  ipAddrDel(dev, addressText(lease));
}
