/*
 * The resolver's state (struct __res_state of resolv.h): whose sockets it uses, what resolv.conf(5) and hosts(5) say, what it
 * remembers. resNinit() makes one; resSetservers() is for who learns of other name servers later, as a DHCP client does.
 */
import { inetPton4, SockAddrIn } from '@stack/inet-sock';
import type { Task } from '@stack/socket';
import { nsCanonical } from './ns-name.ts';
import { ResCache } from './res-cache.ts';

/** The port of name servers. */
export const NAMESERVER_PORT = 53;
/* resolv.conf(5): what more than this is silently cut to. */
const MAXNS = 3;
const RES_MAXNDOTS = 15;
const RES_MAXRETRANS = 30;
const RES_MAXRETRY = 5;

/** resolv.conf(5) as plain data. */
export interface ResolvConf {
  /** Addresses of name servers, asked in this order; the first three are used. */
  readonly nameservers?: readonly string[];
  /** Domains that a short name is looked up in, in this order. */
  readonly search?: readonly string[];
  /** A name with so many dots is first tried as it is; default 1. */
  readonly ndots?: number;
  /** Seconds to wait for one server; default 5. */
  readonly timeout?: number;
  /** How often all servers are asked before giving up; default 2. */
  readonly attempts?: number;
  /** Spreads questions over the servers; default false. */
  readonly rotate?: boolean;
  /** Says that answers of 1232 octets are taken over UDP (RFC 6891); default false. */
  readonly edns0?: boolean;
  /** Asks over TCP alone; default false. */
  readonly useVc?: boolean;
}

/** hosts(5) as plain data: a name and its address or addresses. */
export type HostsFile = Readonly<Record<string, string | readonly string[]>>;

/** struct __res_state: what the resolver of a task knows; made by resNinit(). */
export class ResState {
  task: Task;
  nsaddrList: SockAddrIn[];
  dnsrch: string[];
  ndots: number;
  /** Seconds. */
  retrans: number;
  retry: number;
  rotate: boolean;
  edns0: boolean;
  useVc: boolean;
  /** The server that comes first in the next question, if they rotate. */
  nscursor: number;
  /** Addresses by name in small letters, in the order of the hosts file. */
  hosts: Map<string, readonly number[]>;
  cache: ResCache;
  /** h_errno of the call that ended last: 0, or HOST_NOT_FOUND … */
  hErrno: number;

  constructor(task: Task) {
    this.task = task;
    this.nsaddrList = [];
    this.dnsrch = [];
    this.ndots = 1;
    this.retrans = 5;
    this.retry = 2;
    this.rotate = false;
    this.edns0 = false;
    this.useVc = false;
    this.nscursor = 0;
    this.hosts = new Map();
    this.cache = new ResCache();
    this.hErrno = 0;
  }
}

/** An address in a configuration; throws a TypeError on text that is none. */
function configAddress(what: string, text: string): number {
  const addr = inetPton4(text);
  if (addr === null) throw new TypeError(`${what} ${JSON.stringify(text)} is not an IPv4 address`);
  return addr;
}

function configName(what: string, text: string): string {
  const name = nsCanonical(text);
  if (name === null) throw new TypeError(`${what} ${JSON.stringify(text)} is not a domain name`);
  return name;
}

/** A number in a configuration, cut to `max`. */
function configNumber(what: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min) throw new TypeError(`${what} is ${value}, which is not an integer from ${min} on`);
  return Math.min(value, max);
}

/** Reads a hosts file. localhost is there unasked. Throws a TypeError on a bad name or address. */
export function parseHosts(hosts: HostsFile): Map<string, readonly number[]> {
  const table = new Map<string, readonly number[]>([['localhost', [0x7f000001]]]);
  for (const [name, given] of Object.entries(hosts)) {
    const addresses = (typeof given === 'string' ? [given] : given).map((text) => configAddress(`hosts: ${name}:`, text));
    if (addresses.length === 0) throw new TypeError(`hosts: ${name} has no address`);
    table.set(configName('hosts:', name), addresses);
  }
  return table;
}

/** Puts other name servers and, if given, another search list in; what was remembered of the old ones is forgotten. */
export function resSetservers(res: ResState, nameservers: readonly string[], search?: readonly string[]): void {
  const servers = nameservers.map((text) => new SockAddrIn(configAddress('name server', text), NAMESERVER_PORT));
  const domains = search?.map((text) => configName('search domain', text));
  res.nsaddrList = servers.slice(0, MAXNS);
  if (domains !== undefined) res.dnsrch = domains;
  res.nscursor = 0;
  res.cache = new ResCache();
}

/**
 * The resolver of `task`: its sockets are that task's. Without name servers it knows the hosts file alone. Throws a TypeError
 * on what is no address, name or count.
 */
export function resNinit(task: Task, conf: ResolvConf = {}, hosts: HostsFile = {}): ResState {
  const res = new ResState(task);
  res.hosts = parseHosts(hosts);
  resSetservers(res, conf.nameservers ?? [], conf.search ?? []);
  res.ndots = configNumber('ndots', conf.ndots ?? 1, 0, RES_MAXNDOTS);
  res.retrans = configNumber('timeout', conf.timeout ?? 5, 1, RES_MAXRETRANS);
  res.retry = configNumber('attempts', conf.attempts ?? 2, 1, RES_MAXRETRY);
  res.rotate = conf.rotate ?? false;
  res.edns0 = conf.edns0 ?? false;
  res.useVc = conf.useVc ?? false;
  return res;
}
