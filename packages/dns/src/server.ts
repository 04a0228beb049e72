/*
 * A DNS server: createDnsServer() opens its sockets, two loops serve them, close() ends them. What a query deserves is decided in
 * respond(): zones (answer.ts) first; a name outside them is forwarded if the server has forwarders and the client wants recursion,
 * else refused. Read first: RFC 1034 §4.3, RFC 7766 (TCP), RFC 6891 (EDNS), RFC 8482 (ANY).
 */
import {
  BADVERS, C_IN, DnsMessage, DnsRecord, Edns, FORMERR, NS_EDNSSZ, NS_HFIXEDSZ, NS_MAXMSG, NS_OPCODE, NS_QR, NS_RA, NS_RCODE, NS_RD, NOTIMP,
  nsBuild, nsCanonical, nsParse, nsRcode, NXDOMAIN, REFUSED, resNinit, resNquery, resUdpLimit, SERVFAIL, T_ANY, T_AXFR, T_HINFO, T_IXFR,
  type DnsQuestion, type ResState,
} from '@stack/resolver';
import type { Task } from '@stack/socket';
import { answerFromZones, ZoneStore, zoneOf } from './answer.ts';
import { openSockets, closeSockets, serveTcp, serveUdp, ServerSockets } from './transport.ts';
import { parseZone, type ZoneFile } from './zone.ts';
import { REVERSE_ZONE, type NamedHost } from './zone-hosts.ts';

/** Seconds that the answer to ANY may be kept: RFC 8482 §4.2 lets it be long. */
const ANY_TTL = 3600;
/** Questions that are with the forwarders, and queries that wait for them, at most; more are answered SERVFAIL. */
const MAX_FORWARDING = 256;
const MAX_WAITING = 2048;

/** What createDnsServer() serves, and where. */
export interface DnsServerOptions {
  /** Zone files by the zone's name. */
  readonly zones?: Readonly<Record<string, ZoneFile>>;
  /** Hosts whose names and addresses are served without a zone file, as `name.domain`, with their PTR records. */
  readonly hosts?: readonly NamedHost[];
  /** The domain of those hosts; default `test` (RFC 6761 §6.2). */
  readonly domain?: string;
  /** Addresses of servers that are asked for names outside the zones. */
  readonly forwarders?: readonly string[];
  /** Default 53. */
  readonly port?: number;
  /** The local address; default any: an answer then leaves from the address that was asked. */
  readonly address?: string;
}

/** What a server has seen. */
export class DnsStats {
  queries = 0;
  /** Of the queries, those that came over TCP. */
  tcp = 0;
  /** Too short for a header, or answers: nobody is told. */
  dropped = 0;
  formerr = 0;
  refused = 0;
  nxdomain = 0;
  /** Answers that were cut to fit a datagram. */
  truncated = 0;
  forwarded = 0;
}

/** A server that runs. */
export interface DnsServer {
  readonly stats: DnsStats;
  readonly port: number;
  /** Closes its sockets; the answers that are under way are not given any more. */
  close(): void;
}

/** What the functions here work on. */
class Server {
  store: ZoneStore;
  forwarder: ResState;
  /** Questions that are with the forwarders, by type and name. */
  forwarding: Map<string, Promise<DnsMessage | number>>;
  waiting: number;
  stats: DnsStats;

  constructor(store: ZoneStore, forwarder: ResState) {
    this.store = store;
    this.forwarder = forwarder;
    this.forwarding = new Map();
    this.waiting = 0;
    this.stats = new DnsStats();
  }
}

function makeStore(options: DnsServerOptions): ZoneStore {
  const { hosts = [], domain: text = 'test' } = options;
  const domain = nsCanonical(text);
  if (domain === null || domain === '') throw new TypeError(`domain ${JSON.stringify(text)} is not a domain name`);
  const zones = Object.entries(options.zones ?? {}).map(([name, file]) => parseZone(name, file));
  const implied = hosts.length === 0 ? [] : [domain, REVERSE_ZONE];
  for (const name of implied) if (!zones.some((zone) => zone.origin === name)) zones.push(parseZone(name, {}));
  return new ZoneStore(zones, hosts, domain);
}

/** Serves DNS over UDP and TCP on the task's host. Throws a TypeError on a bad zone, an Error with Node's fields on a bad socket. */
export function createDnsServer(task: Task, options: DnsServerOptions = {}): DnsServer {
  const server = new Server(makeStore(options), resNinit(task, { nameservers: options.forwarders ?? [], edns0: true }));
  const sockets = new ServerSockets(task, (query, udp) => answer(server, query, udp));
  const port = openSockets(sockets, options.address ?? '0.0.0.0', options.port ?? 53);
  void serveUdp(sockets);
  void serveTcp(sockets);
  return { stats: server.stats, port, close: () => closeSockets(sockets) };
}

/** The answer to the octets of a query, ready to be sent; null: none. */
async function answer(server: Server, query: Uint8Array, udp: boolean): Promise<Uint8Array | null> {
  const { stats } = server;
  const flags = ((query[2] ?? 0) << 8) | (query[3] ?? 0);
  if (query.length < NS_HFIXEDSZ || (flags & NS_QR) !== 0) {
    stats.dropped++;
    return null;
  }
  stats.queries++;
  if (!udp) stats.tcp++;
  const msg = nsParse(query);
  const id = ((query[0] ?? 0) << 8) | (query[1] ?? 0);
  const response = new DnsMessage(id, NS_QR | (flags & (NS_OPCODE | NS_RD)) | (server.forwarder.nsaddrList.length > 0 ? NS_RA : 0));
  if (msg === null) {
    setRcode(response, FORMERR);
  } else {
    response.question.push(...msg.question.slice(0, 1));
    if (msg.edns !== null) response.edns = new Edns(NS_EDNSSZ);
    await respond(server, msg, response);
  }
  count(stats, response);
  const limit = udp ? resUdpLimit(msg === null ? null : msg.edns) : NS_MAXMSG;
  const out = nsBuild(response, limit);
  if (((out[2] ?? 0) & 2) !== 0) stats.truncated++;
  return out;
}

function setRcode(response: DnsMessage, rcode: number): void {
  response.flags = (response.flags & ~NS_RCODE) | (rcode & NS_RCODE);
  if (response.edns !== null) response.edns.extRcode = rcode >> 4;
}

function count(stats: DnsStats, response: DnsMessage): void {
  const rcode = nsRcode(response);
  if (rcode === FORMERR) stats.formerr++;
  if (rcode === REFUSED) stats.refused++;
  if (rcode === NXDOMAIN) stats.nxdomain++;
}

/** Fills in the response to a query that could be read. */
async function respond(server: Server, msg: DnsMessage, response: DnsMessage): Promise<void> {
  const [question] = msg.question;
  if ((msg.flags & NS_OPCODE) !== 0) return setRcode(response, NOTIMP);
  if (question === undefined || msg.question.length !== 1) return setRcode(response, FORMERR);
  if (msg.edns !== null && msg.edns.version !== 0) return setRcode(response, BADVERS);
  const { qname, qtype, qclass } = question;
  if (qclass !== C_IN || qtype === T_AXFR || qtype === T_IXFR) return setRcode(response, REFUSED);
  const name = nsCanonical(qname) ?? '';
  if (zoneOf(server.store, name) === null) return forward(server, msg, response, question);
  if (qtype === T_ANY) return refuseAny(server, response, qname);
  const rest = answerFromZones(server.store, response, qname, qtype);
  if (rest !== null && (msg.flags & NS_RD) !== 0) await followAlias(server, response, rest, qtype);
}

/** RFC 8482 §4.2: ANY is answered by one record that says that it is not; a name that is not there is not there. */
function refuseAny(server: Server, response: DnsMessage, qname: string): void {
  answerFromZones(server.store, response, qname, T_HINFO);
  if (nsRcode(response) === NXDOMAIN || response.answer.length > 0) return;
  response.authority.length = 0;
  response.answer.push(new DnsRecord(qname, T_HINFO, ANY_TTL, ['RFC8482', '']));
}

/**
 * Asks the forwarders: the message, or SERVFAIL. A question that is with them already waits for the same answer, so that servers
 * which forward to one another in a circle do not ask it for ever.
 */
async function askForwarders(server: Server, name: string, type: number): Promise<DnsMessage | number> {
  const { forwarding } = server;
  const key = `${type} ${nsCanonical(name) ?? ''}`;
  let asking = forwarding.get(key);
  if (server.waiting >= MAX_WAITING || (asking === undefined && forwarding.size >= MAX_FORWARDING)) return SERVFAIL;
  if (asking === undefined) {
    server.stats.forwarded++;
    asking = resNquery(server.forwarder, name, type);
    forwarding.set(key, asking);
    void asking.then(() => forwarding.delete(key));
  }
  server.waiting++;
  const msg = await asking;
  server.waiting--;
  return typeof msg === 'number' ? SERVFAIL : msg;
}

/** A name outside the zones. */
async function forward(server: Server, msg: DnsMessage, response: DnsMessage, question: DnsQuestion): Promise<void> {
  if (server.forwarder.nsaddrList.length === 0 || (msg.flags & NS_RD) === 0 || question.qtype === T_ANY) return setRcode(response, REFUSED);
  const got = await askForwarders(server, question.qname, question.qtype);
  if (typeof got === 'number') return setRcode(response, got);
  setRcode(response, nsRcode(got));
  response.answer.push(...got.answer);
  response.authority.push(...got.authority);
  response.additional.push(...got.additional);
}

/** An alias of ours leads out of the zones: what the forwarders know of its end is part of the answer. */
async function followAlias(server: Server, response: DnsMessage, name: string, type: number): Promise<void> {
  if (server.forwarder.nsaddrList.length === 0) return;
  const got = await askForwarders(server, name, type);
  if (typeof got === 'number') return;
  setRcode(response, nsRcode(got));
  response.answer.push(...got.answer);
  response.authority.push(...got.authority);
}
