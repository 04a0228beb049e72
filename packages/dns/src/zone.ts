/*
 * Zones: what a server has authority over. A zone file is plain data, `{ 'example.test': { www: { A: '10.0.0.1' } } }`; parseZone()
 * checks it, all of it, before anything is served. Names in it are relative to the zone unless they end with a dot; '@' is the
 * zone itself. An SOA and an NS record are made up where none is given. Read first: RFC 1034 §4.2, RFC 1035 §5.
 */
import { inetPton4 } from '@stack/inet-sock';
import {
  DnsRecord, MxData, nsCanonical, nsNameLabels, SoaData, SrvData, T_A, T_AAAA, T_CNAME, T_MX, T_NS, T_PTR, T_SOA, T_SRV, T_TXT, type Rdata,
} from '@stack/resolver';
import { inetPton6 } from './inet-pton6.ts';

/** Seconds that an answer may be kept, and one that there is none. */
const DEFAULT_TTL = 300;
const DEFAULT_MINIMUM = 60;

type OneOrMany<T> = T | readonly T[];

/** The records of one name. */
export interface ZoneNode {
  readonly A?: OneOrMany<string>;
  readonly AAAA?: OneOrMany<string>;
  readonly CNAME?: string;
  readonly NS?: OneOrMany<string>;
  readonly PTR?: OneOrMany<string>;
  /** Text is sent as UTF-8, in strings of at most 255 octets. */
  readonly TXT?: OneOrMany<string>;
  readonly MX?: OneOrMany<{ readonly preference: number; readonly exchange: string }>;
  readonly SRV?: OneOrMany<{ readonly priority: number; readonly weight: number; readonly port: number; readonly target: string }>;
  /** At '@' only; what is left out is made up. Times in seconds. */
  readonly SOA?: Partial<SoaData>;
  /** Seconds; default 300. */
  readonly ttl?: number;
}

/** The names of a zone and their records. */
export type ZoneFile = Readonly<Record<string, ZoneNode>>;

/** Records by type. */
export type Node = Map<number, DnsRecord[]>;

export class Zone {
  /** In the spelling of nsCanonical(). */
  origin: string;
  soa: DnsRecord;
  /** Records by name, in the spelling of nsCanonical(). A name that only has others below it is there too, without records. */
  nodes: Map<string, Node>;

  constructor(origin: string, soa: DnsRecord) {
    this.origin = origin;
    this.soa = soa;
    this.nodes = new Map();
  }
}

function many<T>(given: OneOrMany<T> | undefined): readonly T[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? (given as readonly T[]) : [given as T];
}

/** A name in a zone file; throws a TypeError on text that is none. */
function zoneName(origin: string, text: string): string {
  const whole = text === '@' ? origin : text.endsWith('.') || origin === '' ? text : `${text}.${origin}`;
  const name = nsCanonical(whole);
  if (name === null) throw new TypeError(`zone ${origin}: ${JSON.stringify(text)} is not a domain name`);
  return name;
}

function uint(where: string, value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new TypeError(`${where} is ${value}, which is not an integer from 0 to ${max}`);
  return value;
}

function octetsOf(where: string, text: string, parse: (text: string) => number | Uint8Array | null): number | Uint8Array {
  const address = parse(text);
  if (address === null) throw new TypeError(`${where} ${JSON.stringify(text)} is not an address`);
  return address;
}

/** Text as UTF-8 in character strings. */
function characterStrings(text: string): string[] {
  const octets = encodeURIComponent(text).replace(/%(..)/g, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return octets.length <= 255 ? [octets] : octets.match(/[^]{1,255}/g) ?? [];
}

/** Type and data of each record of a node but the SOA. */
function nodeData(origin: string, where: string, node: ZoneNode): [number, Rdata][] {
  const name = (text: string): string => zoneName(origin, text);
  return [
    ...many(node.A).map((text): [number, Rdata] => [T_A, octetsOf(`${where} A`, text, inetPton4)]),
    ...many(node.AAAA).map((text): [number, Rdata] => [T_AAAA, octetsOf(`${where} AAAA`, text, inetPton6)]),
    ...many(node.CNAME).map((text): [number, Rdata] => [T_CNAME, name(text)]),
    ...many(node.NS).map((text): [number, Rdata] => [T_NS, name(text)]),
    ...many(node.PTR).map((text): [number, Rdata] => [T_PTR, name(text)]),
    ...many(node.TXT).map((text): [number, Rdata] => [T_TXT, characterStrings(text)]),
    ...many(node.MX).map(({ preference, exchange }): [number, Rdata] => [T_MX, new MxData(uint(`${where} MX preference`, preference, 65535), name(exchange))]),
    ...many(node.SRV).map(({ priority, weight, port, target }): [number, Rdata] => [T_SRV, new SrvData(
      uint(`${where} SRV priority`, priority, 65535), uint(`${where} SRV weight`, weight, 65535), uint(`${where} SRV port`, port, 65535), name(target),
    )]),
  ];
}

/** The zone's SOA record, made up where nothing is given. */
function makeSoa(origin: string, node: ZoneNode | undefined): DnsRecord {
  const { mname = 'ns', rname = 'hostmaster', serial = 1, refresh = 3600, retry = 600, expire = 86_400, minimum = DEFAULT_MINIMUM } = node?.SOA ?? {};
  const times = { serial, refresh, retry, expire, minimum };
  for (const [what, value] of Object.entries(times)) uint(`zone ${origin}: SOA ${what}`, value, 0xffffffff);
  const data = new SoaData(zoneName(origin, mname), zoneName(origin, rname), serial, refresh, retry, expire, minimum);
  return new DnsRecord(origin, T_SOA, node?.ttl ?? DEFAULT_TTL, data);
}

/** Adds a record, and the names between it and the zone's own. */
export function zoneAdd(zone: Zone, record: DnsRecord): void {
  const labels = nsNameLabels(record.name) ?? [];
  const own = nsNameLabels(zone.origin) ?? [];
  for (let name = record.name, left = labels.length; left >= own.length; left--) {
    if (!zone.nodes.has(name)) zone.nodes.set(name, new Map());
    name = nameAbove(name);
  }
  const node = zone.nodes.get(record.name) as Node;
  const records = node.get(record.type);
  if (records === undefined) node.set(record.type, [record]);
  else records.push(record);
}

/** The name without its first label: 'test' for 'a.test'. An escaped dot ends no label. */
export function nameAbove(name: string): string {
  const end = /^(?:\\.|[^.\\])*\./.exec(name);
  return end === null ? '' : name.slice(end[0].length);
}

/** Is `name` the zone's own, or below it? Both in the spelling of nsCanonical(). */
export function nameWithin(name: string, origin: string): boolean {
  return origin === '' || name === origin || name.endsWith(`.${origin}`);
}

/** Reads a zone file. Throws a TypeError that names what is wrong in it. */
export function parseZone(text: string, file: ZoneFile): Zone {
  const origin = zoneName('', text);
  const zone = new Zone(origin, makeSoa(origin, file['@']));
  zoneAdd(zone, zone.soa);
  for (const [key, node] of Object.entries(file)) {
    const name = zoneName(origin, key);
    const where = `zone ${origin}: ${key}`;
    if (!nameWithin(name, origin)) throw new TypeError(`${where} is not in the zone`);
    if (node.SOA !== undefined && name !== origin) throw new TypeError(`${where} has an SOA, which only @ may have`);
    const ttl = uint(`${where} ttl`, node.ttl ?? DEFAULT_TTL, 0x7fffffff);
    const data = nodeData(origin, where, node);
    // RFC 1034 §3.6.2: an alias has no other data.
    if (node.CNAME !== undefined && (data.length > 1 || name === origin)) throw new TypeError(`${where} has a CNAME and other records`);
    for (const [type, rdata] of data) zoneAdd(zone, new DnsRecord(name, type, ttl, rdata));
  }
  if (zone.nodes.get(origin)?.has(T_NS) !== true && zone.soa.data instanceof SoaData) {
    zoneAdd(zone, new DnsRecord(origin, T_NS, DEFAULT_TTL, zone.soa.data.mname));
  }
  return zone;
}
