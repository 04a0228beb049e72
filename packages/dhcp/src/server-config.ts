/*
 * What a DHCP server is told: plain data, checked before it serves. Times are seconds, addresses text.
 */
import { inetPton4 } from '@stack/inet-sock';
import type { NetDevice } from '@stack/netdev';
import { INFINITE_LEASE } from './dhcp-message.ts';

/** Seconds of a lease, if nothing else is said. */
const DEFAULT_LEASE = 3600;
/** Milliseconds that an address new to a client is probed for. */
const DEFAULT_PROBE = 500;

/** What createDhcpServer() serves. Addresses are text. */
export interface DhcpServerOptions {
  /** The device it serves, which has its address already: server, netmask and broadcast address are that one's. */
  readonly dev: string;
  /** First and last address of the pool. */
  readonly range: readonly [first: string, last: string];
  /** Addresses by hardware address, `02:00:00:00:00:01`: each kept for that one client, in the pool or out of it. */
  readonly reservations?: Readonly<Record<string, string>>;
  /** Default gateways. */
  readonly router?: string | readonly string[];
  /** Name servers. */
  readonly dns?: string | readonly string[];
  readonly domain?: string;
  readonly mtu?: number;
  /** Seconds; Infinity: for ever. Default 3600. */
  readonly leaseTime?: number;
  /** Seconds until a client renews, and until it asks any server; default a half and seven eighths of the lease. */
  readonly renewalTime?: number;
  readonly rebindingTime?: number;
  /** Milliseconds that an address is probed for by ARP before it is offered to a client that is new to it; default 500, 0: not. */
  readonly probe?: number;
}

/** The same, read. Addresses are int32. */
export class DhcpServerConfig {
  first: number;
  last: number;
  reserved: Map<string, number>;
  routers: number[];
  dns: number[];
  domain: string;
  mtu: number;
  leaseTime: number;
  t1: number;
  t2: number;
  probe: number;
  server: number;
  mask: number;
  broadcast: number;

  constructor(options: DhcpServerOptions, server: number, mask: number) {
    this.first = address('range', options.range[0]);
    this.last = address('range', options.range[1]);
    this.reserved = new Map();
    this.routers = addresses('router', options.router);
    this.dns = addresses('dns', options.dns);
    this.domain = options.domain ?? '';
    this.mtu = options.mtu ?? 0;
    this.leaseTime = seconds('leaseTime', options.leaseTime ?? DEFAULT_LEASE);
    this.t1 = seconds('renewalTime', options.renewalTime ?? Math.floor(this.leaseTime / 2));
    this.t2 = seconds('rebindingTime', options.rebindingTime ?? Math.floor((this.leaseTime * 7) / 8));
    this.probe = options.probe ?? DEFAULT_PROBE;
    this.server = server;
    this.mask = mask;
    this.broadcast = server | ~mask;
  }
}

function address(what: string, text: string): number {
  const addr = inetPton4(text);
  if (addr === null) throw new TypeError(`dhcp: ${what} ${JSON.stringify(text)} is not an IPv4 address`);
  return addr;
}

function addresses(what: string, given: string | readonly string[] = []): number[] {
  return (typeof given === 'string' ? [given] : given).map((text) => address(what, text));
}

function seconds(what: string, value: number): number {
  if (value === Infinity) return INFINITE_LEASE;
  if (!Number.isInteger(value) || value <= 0 || value > INFINITE_LEASE) throw new TypeError(`dhcp: ${what} is ${value}, which is not a number of seconds`);
  return value;
}

/** Reads the options. Throws a TypeError that says what is wrong. */
export function readConfig(dev: NetDevice, options: DhcpServerOptions): DhcpServerConfig {
  const ifa = dev.ipPtr?.ifaList ?? null;
  if (ifa === null) throw new TypeError(`dhcp: ${dev.name} has no address to serve from`);
  const config = new DhcpServerConfig(options, ifa.ifaLocal, ifa.ifaMask);
  const inSubnet = (addr: number): boolean => ((addr ^ config.server) & config.mask) === 0;
  if (!inSubnet(config.first) || !inSubnet(config.last) || config.first >>> 0 > config.last >>> 0) {
    throw new TypeError(`dhcp: ${options.range.join('–')} is not a range in the subnet of ${dev.name}`);
  }
  for (const [mac, text] of Object.entries(options.reservations ?? {})) {
    if (!/^([0-9a-f]{2}:)+[0-9a-f]{2}$/i.test(mac)) throw new TypeError(`dhcp: ${JSON.stringify(mac)} is not a hardware address`);
    const addr = address(`reservation of ${mac}:`, text);
    if (!inSubnet(addr) || addr === config.server) throw new TypeError(`dhcp: ${mac} cannot have ${text}`);
    config.reserved.set(mac.toLowerCase(), addr);
  }
  if (config.t1 > config.t2 || config.t2 > config.leaseTime) throw new TypeError('dhcp: renewalTime ≤ rebindingTime ≤ leaseTime does not hold');
  if (config.mtu !== 0 && !(Number.isInteger(config.mtu) && config.mtu >= 68 && config.mtu <= 65535)) throw new TypeError(`dhcp: mtu is ${config.mtu}`);
  return config;
}
