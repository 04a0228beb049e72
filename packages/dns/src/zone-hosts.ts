/*
 * The names of simulated hosts, without a zone file: `name.domain` has the addresses that the host has now, and each address
 * has a PTR record. The hosts are asked when a question comes, so an address that changes is no stale answer.
 */
import { inetPton4 } from '@stack/inet-sock';
import { DnsRecord, nsCanonical, nsReverseName, T_A, T_PTR } from '@stack/resolver';
import type { Node } from './zone.ts';

/** Seconds: short, for addresses may change. */
const HOSTS_TTL = 10;
export const REVERSE_ZONE = 'in-addr.arpa';

/** As much of a Host of @stack/host as is used. */
export interface NamedHost {
  readonly name: string;
  readonly show: {
    readonly addr: () => readonly { readonly addr_info: readonly { readonly local: string; readonly scope: string }[] }[];
  };
}

/** The addresses of a host that others can reach it by. */
function addressesOf(host: NamedHost): number[] {
  const global = host.show.addr().flatMap((dev) => dev.addr_info).filter((info) => info.scope === 'global');
  return global.flatMap((info) => inetPton4(info.local) ?? []);
}

/** What the hosts say of `name` in the domain; undefined: nothing. */
function forwardNode(hosts: readonly NamedHost[], domain: string, name: string): Node | undefined {
  const host = hosts.find((each) => nsCanonical(`${each.name}.${domain}`) === name);
  if (host === undefined) return undefined;
  const records = addressesOf(host).map((address) => new DnsRecord(name, T_A, HOSTS_TTL, address));
  return records.length === 0 ? new Map() : new Map([[T_A, records]]);
}

/** What they say of a name in in-addr.arpa. A name above an address is there, without records. */
function reverseNode(hosts: readonly NamedHost[], domain: string, name: string): Node | undefined {
  const records: DnsRecord[] = [];
  let above = false;
  for (const host of hosts) {
    for (const address of addressesOf(host)) {
      const reverse = nsReverseName(address);
      if (reverse === name) records.push(new DnsRecord(name, T_PTR, HOSTS_TTL, `${host.name}.${domain}`));
      else if (reverse.endsWith(`.${name}`)) above = true;
    }
  }
  if (records.length > 0) return new Map([[T_PTR, records]]);
  return above ? new Map() : undefined;
}

/** What the hosts say of `name`, which is in the zone `origin`. */
export function hostsNode(hosts: readonly NamedHost[], domain: string, origin: string, name: string): Node | undefined {
  if (origin === domain) return forwardNode(hosts, domain, name);
  return origin === REVERSE_ZONE ? reverseNode(hosts, domain, name) : undefined;
}
