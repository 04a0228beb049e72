/*
 * gethostbyname(3) over the host's own table, the /etc/hosts of a simulated network. The resolver that asks a name
 * server comes as a package of its own.
 */
import { inetPton4 } from '@stack/inet-sock';
import { AF_INET } from '@stack/socket';
import type { Host } from './host.ts';

/** struct hostent: a name and its addresses (int32, `hLength` octets each on the wire). */
export interface Hostent {
  readonly hName: string;
  readonly hAddrtype: number;
  readonly hLength: number;
  /** The first address: h_addr_list[0], as the C macro h_addr. */
  readonly hAddr: number;
  readonly hAddrList: readonly number[];
}

/** The host's names: what a line of /etc/hosts says. An address is text; throws a TypeError on one that is none. */
export function parseHosts(hosts: Readonly<Record<string, string>>): Map<string, number> {
  const table = new Map<string, number>([['localhost', 0x7f000001]]);
  for (const [name, text] of Object.entries(hosts)) {
    const address = inetPton4(text);
    if (address === null) throw new TypeError(`hosts: ${name} has ${JSON.stringify(text)}, which is not an IPv4 address`);
    table.set(name.toLowerCase(), address);
  }
  return table;
}

/** Looks up a name or a dotted quad. Null (HOST_NOT_FOUND) when the host knows no such name. */
export function gethostbyname(host: Host, name: string): Hostent | null {
  const address = inetPton4(name) ?? host.hosts.get(name.toLowerCase());
  if (address === undefined) return null;
  return { hName: name, hAddrtype: AF_INET, hLength: 4, hAddr: address, hAddrList: [address] };
}
