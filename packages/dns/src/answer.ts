/*
 * Answers from zones (RFC 1034 §4.3.2): the closest zone, a cut in it (a referral), the name, an alias, a wildcard; else that there is
 * no such name (NXDOMAIN) or no such record (NODATA), with the SOA that says for how long (RFC 2308 §3). answerFromZones() fills the
 * response; the server (server.ts) does all else.
 */
import {
  DnsRecord, MxData, NS_AA, nsCanonical, NXDOMAIN, SoaData, SrvData, T_A, T_AAAA, T_CNAME, T_NS, type DnsMessage,
} from '@stack/resolver';
import { nameAbove, nameWithin, type Node, type Zone } from './zone.ts';
import { hostsNode, type NamedHost } from './zone-hosts.ts';

/** Aliases that are followed at most: they may go in a circle. */
const MAX_ALIASES = 16;

/** All that a server knows. */
export class ZoneStore {
  zones: readonly Zone[];
  hosts: readonly NamedHost[];
  domain: string;

  constructor(zones: readonly Zone[], hosts: readonly NamedHost[], domain: string) {
    this.zones = zones;
    this.hosts = hosts;
    this.domain = domain;
  }
}

/** The zone that is closest above `name`; null if none is. */
export function zoneOf(store: ZoneStore, name: string): Zone | null {
  let best: Zone | null = null;
  for (const zone of store.zones) {
    if (nameWithin(name, zone.origin) && (best === null || zone.origin.length > best.origin.length)) best = zone;
  }
  return best;
}

/** The records of a name: the zone file's, or the hosts'. */
function nodeOf(store: ZoneStore, zone: Zone, name: string): Node | undefined {
  const node = zone.nodes.get(name);
  if (node !== undefined && node.size > 0) return node;
  return hostsNode(store.hosts, store.domain, zone.origin, name) ?? node;
}

/** The records of `name` or of the wildcard that covers it (RFC 4592 §3.3.1); undefined: there is no such name. */
function nodeOrWildcard(store: ZoneStore, zone: Zone, name: string): Node | undefined {
  const node = nodeOf(store, zone, name);
  if (node !== undefined) return node;
  for (let above = name; above !== zone.origin; ) {
    above = nameAbove(above);
    if (nodeOf(store, zone, above) !== undefined) return zone.nodes.get(above === '' ? '*' : `*.${above}`);
  }
  return undefined;
}

/** The cut between the zone and `name`: the NS records of another's zone (RFC 1034 §4.2.1); null if there is none. */
function delegationOf(zone: Zone, name: string): readonly DnsRecord[] | null {
  let found: readonly DnsRecord[] | null = null;
  for (let at = name; at !== zone.origin; at = nameAbove(at)) {
    found = zone.nodes.get(at)?.get(T_NS) ?? found;
  }
  return found;
}

/** Records under the name that was asked for: its spelling, and a wildcard's owner. */
function owned(records: readonly DnsRecord[], owner: string): DnsRecord[] {
  return records.map((record) => new DnsRecord(owner, record.type, record.ttl, record.data, record.class));
}

/** The name in a record's data whose addresses will be asked for next. */
function targetOf(record: DnsRecord): string | null {
  if (record.data instanceof MxData) return record.data.exchange;
  if (record.data instanceof SrvData) return record.data.target;
  return record.type === T_NS && typeof record.data === 'string' ? record.data : null;
}

/** Puts the addresses of names in these records into the additional section. */
function addAdditional(store: ZoneStore, response: DnsMessage, records: readonly DnsRecord[]): void {
  const targets = new Set(records.map(targetOf));
  for (const target of targets) {
    const zone = target === null ? null : zoneOf(store, target);
    const node = target === null || zone === null ? undefined : nodeOf(store, zone, target);
    response.additional.push(...(node?.get(T_A) ?? []), ...(node?.get(T_AAAA) ?? []));
  }
}

/** There is no such name, or no such record: the SOA, with the time that this may be kept as its TTL (RFC 2308 §3). */
function addNegative(zone: Zone, response: DnsMessage): void {
  const { soa } = zone;
  const minimum = soa.data instanceof SoaData ? soa.data.minimum : 0;
  response.authority.push(new DnsRecord(soa.name, soa.type, Math.min(soa.ttl, minimum), soa.data));
}

function addReferral(store: ZoneStore, response: DnsMessage, servers: readonly DnsRecord[]): void {
  response.authority.push(...servers);
  addAdditional(store, response, servers);
}

/**
 * Answers (name, type) from the zones. `asked` is the name as it was spelled. Returns the name that the answer leads to and that is
 * in no zone here (the end of an alias); null if the answer is whole. The caller has seen that zoneOf() knows the name.
 */
export function answerFromZones(store: ZoneStore, response: DnsMessage, asked: string, type: number): string | null {
  let owner = asked;
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
    const name = nsCanonical(owner) ?? '';
    const zone = zoneOf(store, name);
    if (zone === null) return owner;
    const servers = delegationOf(zone, name);
    if (servers !== null) {
      addReferral(store, response, servers);
      return null;
    }
    response.flags |= NS_AA;
    const node = nodeOrWildcard(store, zone, name);
    const records = node?.get(type);
    const alias = node?.get(T_CNAME)?.[0];
    if (node === undefined) response.flags |= NXDOMAIN;
    if (records !== undefined) {
      response.answer.push(...owned(records, owner));
      addAdditional(store, response, records);
      return null;
    }
    if (alias === undefined || typeof alias.data !== 'string') {
      addNegative(zone, response);
      return null;
    }
    response.answer.push(...owned([alias], owner));
    owner = alias.data;
  }
  return null;
}
