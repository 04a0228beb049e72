/*
 * A DHCP server for one link (RFC 2131 §4.3). createDhcpServer() opens its socket; each message goes to the function of its type, which
 * looks into the leases (lease-table.ts) and replies, or does not. Where a reply goes is §4.1: a client that asks for no broadcast and
 * has no address yet gets a unicast, for which its hardware address is put into the neighbour table, as dnsmasq does.
 * Deviation: no relay agents (§4.1: giaddr): what comes through one is dropped, for the server knows one subnet.
 */
import { NSEC_PER_SEC, worldNow } from '@stack/kernel';
import { INADDR_BROADCAST, inNtoa } from '@stack/inet-sock';
import { ipNeighAdd } from '@stack/ip';
import type { NetDevice } from '@stack/netdev';
import type { Task } from '@stack/socket';
import { arpProbe } from './arp-probe.ts';
import {
  BOOTREPLY, BOOTREQUEST, BROADCAST_FLAG, DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DHCPACK, DHCPDECLINE, DHCPDISCOVER, DHCPINFORM, DhcpMessage,
  DHCPNAK, DHCPOFFER, DHCPRELEASE, DHCPREQUEST, INFINITE_LEASE, macText, OPT_BROADCAST, OPT_CLIENT_ID, OPT_DNS_SERVER, OPT_DOMAIN_NAME,
  OPT_HOST_NAME, OPT_LEASE_TIME, OPT_MESSAGE, OPT_MESSAGE_TYPE, OPT_MTU, OPT_REQUESTED_IP, OPT_ROUTER, OPT_SERVER_ID, OPT_SUBNET_MASK, OPT_T1,
  OPT_T2, optAddress, optText, optU8, setAddresses, setText, setU16, setU32, setU8,
} from './dhcp-message.ts';
import { closeDhcpSocket, openDhcpSocket, receiveMessage, requireDevice, sendMessage, type DhcpSocket } from './dhcp-socket.ts';
import {
  LEASE_BOUND, LEASE_FREE, LEASE_OFFERED, leaseAssign, leaseChoose, leaseDecline, leaseIsFree, leaseMayHave, leaseOf, leaseStateNames,
  LeaseTable, type Lease,
} from './lease-table.ts';
import { readConfig, type DhcpServerConfig, type DhcpServerOptions } from './server-config.ts';

/** Seconds that an offer stands, and that an address which somebody else uses is left alone. */
const OFFER_TIME = 60;
const DECLINE_TIME = 600;
/** Addresses that are probed for one DISCOVER at most. */
const MAX_PROBES = 8;

/** What a server has seen and done. */
export class DhcpStats {
  discover = 0;
  offer = 0;
  request = 0;
  ack = 0;
  nak = 0;
  decline = 0;
  release = 0;
  inform = 0;
  /** No DHCP message, or none that a server is sent. */
  dropped = 0;
  /** DISCOVERs for which no address was free. */
  exhausted = 0;
}

/** A lease as the user sees it. */
export interface LeaseRow {
  readonly address: string;
  readonly mac: string;
  readonly hostname: string;
  /** offered, bound, declined, free. */
  readonly state: string;
  /** Seconds that it has left; Infinity for ever. */
  readonly left: number;
}

/** A server that runs. */
export interface DhcpServer {
  readonly stats: DhcpStats;
  /** All leases, by address. */
  leases(): LeaseRow[];
  /** Closes its socket. Its leases go with it. */
  close(): void;
}

class Server {
  task: Task;
  dev: NetDevice;
  config: DhcpServerConfig;
  table: LeaseTable;
  socket: DhcpSocket;
  stats: DhcpStats;

  constructor(task: Task, dev: NetDevice, config: DhcpServerConfig) {
    this.task = task;
    this.dev = dev;
    this.config = config;
    this.table = new LeaseTable(config.first, config.last, config.reserved);
    this.table.excluded.add(config.server);
    this.table.excluded.add(config.broadcast);
    this.table.excluded.add(config.server & config.mask);
    this.socket = openDhcpSocket(task, dev, DHCP_SERVER_PORT);
    this.stats = new DhcpStats();
  }
}

/** Serves DHCP on a device of the task's host. Throws a TypeError on bad options, an Error with Node's fields on a bad socket. */
export function createDhcpServer(task: Task, options: DhcpServerOptions): DhcpServer {
  const dev = requireDevice(task, options.dev);
  const server = new Server(task, dev, readConfig(dev, options));
  void serve(server);
  return {
    stats: server.stats,
    leases: () => showLeases(server),
    close: () => closeDhcpSocket(server.socket),
  };
}

function showLeases(server: Server): LeaseRow[] {
  const now = nowOf(server);
  const leases = [...server.table.byAddr.values()].sort((a, b) => (a.addr >>> 0) - (b.addr >>> 0));
  return leases.map(({ addr, mac, hostname, state, expires }) => ({
    address: inNtoa(addr),
    mac,
    hostname,
    state: leaseStateNames[now >= expires ? LEASE_FREE : state] ?? '',
    left: Math.max(0, Math.ceil((expires - now) / NSEC_PER_SEC)),
  }));
}

function nowOf(server: Server): number {
  return worldNow(server.task.net.world);
}

async function serve(server: Server): Promise<void> {
  for (;;) {
    const msg = await receiveMessage(server.socket, Infinity);
    if (typeof msg === 'number') return;
    if (msg === null) server.stats.dropped++;
    else await handle(server, msg);
  }
}

/** Who a client is: what it calls itself, else its hardware (RFC 2131 §4.2). */
function clientOf(msg: DhcpMessage): string {
  const id = msg.options.get(OPT_CLIENT_ID);
  return id === undefined || id.length < 2 ? `${msg.htype} ${macText(msg.chaddr)}` : `id ${macText(id)}`;
}

async function handle(server: Server, msg: DhcpMessage): Promise<void> {
  const { stats } = server;
  const type = optU8(msg, OPT_MESSAGE_TYPE);
  if (msg.op !== BOOTREQUEST || msg.giaddr !== 0 || msg.chaddr.length === 0) {
    stats.dropped++;
    return;
  }
  switch (type) {
    case DHCPDISCOVER:
      stats.discover++;
      // Probing takes its time: others need not wait for it.
      void discover(server, msg);
      return;
    case DHCPREQUEST:
      stats.request++;
      return request(server, msg);
    case DHCPDECLINE:
      stats.decline++;
      return decline(server, msg);
    case DHCPRELEASE:
      stats.release++;
      return release(server, msg);
    case DHCPINFORM:
      stats.inform++;
      return inform(server, msg);
    default:
      stats.dropped++;
  }
}

/** §4.3.1: an address is chosen, held, probed if it is new to the client, and offered. */
async function discover(server: Server, msg: DhcpMessage): Promise<void> {
  const { table, config, stats } = server;
  const client = clientOf(msg);
  const mac = macText(msg.chaddr);
  if (leaseOf(table, client)?.probing === true) return;
  for (let probes = 0; probes < MAX_PROBES; probes++) {
    const addr = leaseChoose(table, client, mac, optAddress(msg, OPT_REQUESTED_IP), nowOf(server));
    if (addr === null) break;
    const known = leaseOf(table, client);
    const isNew = known === null || known.addr !== addr || known.state === LEASE_OFFERED;
    const lease = leaseAssign(table, addr, client);
    if (lease.state !== LEASE_BOUND || nowOf(server) >= lease.expires) hold(server, lease, LEASE_OFFERED, OFFER_TIME);
    lease.mac = mac;
    lease.hostname = optText(msg, OPT_HOST_NAME);
    lease.probing = true;
    const used = isNew && await arpProbe(server.task, server.dev, addr, config.probe);
    lease.probing = false;
    if (!used) {
      if (table.byClient.get(client) === lease) await offer(server, msg, lease);
      return;
    }
    leaseDecline(table, lease, nowOf(server) + DECLINE_TIME * NSEC_PER_SEC);
  }
  stats.exhausted++;
}

function hold(server: Server, lease: Lease, state: number, seconds: number): void {
  lease.state = state;
  lease.expires = seconds === INFINITE_LEASE ? Infinity : nowOf(server) + seconds * NSEC_PER_SEC;
}

/** A reply to msg, with what every reply has (§4.3.1, table 3). */
function makeReply(server: Server, msg: DhcpMessage, type: number): DhcpMessage {
  const reply = new DhcpMessage(BOOTREPLY, msg.xid, msg.chaddr, msg.htype);
  reply.flags = msg.flags;
  setU8(reply, OPT_MESSAGE_TYPE, type);
  setU32(reply, OPT_SERVER_ID, server.config.server);
  const id = msg.options.get(OPT_CLIENT_ID);
  // RFC 6842 §3: the identifier comes back.
  if (id !== undefined) reply.options.set(OPT_CLIENT_ID, id);
  return reply;
}

/** What the client is to know of the link. */
function putParameters(reply: DhcpMessage, config: DhcpServerConfig): void {
  setU32(reply, OPT_SUBNET_MASK, config.mask);
  setU32(reply, OPT_BROADCAST, config.broadcast);
  if (config.routers.length > 0) setAddresses(reply, OPT_ROUTER, config.routers);
  if (config.dns.length > 0) setAddresses(reply, OPT_DNS_SERVER, config.dns);
  if (config.domain !== '') setText(reply, OPT_DOMAIN_NAME, config.domain);
  if (config.mtu !== 0) setU16(reply, OPT_MTU, config.mtu);
}

function putTimes(reply: DhcpMessage, config: DhcpServerConfig): void {
  setU32(reply, OPT_LEASE_TIME, config.leaseTime);
  setU32(reply, OPT_T1, config.t1);
  setU32(reply, OPT_T2, config.t2);
}

async function offer(server: Server, msg: DhcpMessage, lease: Lease): Promise<void> {
  const reply = makeReply(server, msg, DHCPOFFER);
  reply.yiaddr = lease.addr;
  putTimes(reply, server.config);
  putParameters(reply, server.config);
  server.stats.offer++;
  await send(server, msg, reply);
}

/** §4.3.2: a REQUEST chooses an offer, verifies what the client had before it was restarted, or extends a lease. */
async function request(server: Server, msg: DhcpMessage): Promise<void> {
  const { table, config } = server;
  const client = clientOf(msg);
  const mac = macText(msg.chaddr);
  const chosen = optAddress(msg, OPT_SERVER_ID);
  const wanted = msg.ciaddr !== 0 ? msg.ciaddr : optAddress(msg, OPT_REQUESTED_IP);
  const own = leaseOf(table, client);
  if (chosen !== 0 && chosen !== config.server) {
    // Another server's offer was better: ours is free again.
    if (own !== null && own.state === LEASE_OFFERED) own.state = LEASE_FREE;
    return;
  }
  const onLink = ((wanted ^ config.server) & config.mask) === 0;
  const mayHave = onLink && leaseMayHave(table, wanted, mac) && leaseIsFree(table, wanted, client, nowOf(server));
  // INIT-REBOOT of a client that nobody knows here: another server's, perhaps. It must not hear of us.
  if (chosen === 0 && msg.ciaddr === 0 && onLink && own === null) return;
  const isOwn = own !== null && own.addr === wanted;
  if (!mayHave || (msg.ciaddr === 0 && !isOwn)) return nak(server, msg);
  const lease = leaseAssign(table, wanted, client);
  hold(server, lease, LEASE_BOUND, config.leaseTime);
  lease.mac = mac;
  if (msg.options.has(OPT_HOST_NAME)) lease.hostname = optText(msg, OPT_HOST_NAME);
  const reply = makeReply(server, msg, DHCPACK);
  reply.ciaddr = msg.ciaddr;
  reply.yiaddr = wanted;
  putTimes(reply, config);
  putParameters(reply, config);
  server.stats.ack++;
  await send(server, msg, reply);
}

/** The client must start anew. It hears so by broadcast, for its address may be wrong here (§4.1). */
async function nak(server: Server, msg: DhcpMessage): Promise<void> {
  const reply = makeReply(server, msg, DHCPNAK);
  setText(reply, OPT_MESSAGE, 'wrong address');
  server.stats.nak++;
  await sendMessage(server.socket, reply, INADDR_BROADCAST, DHCP_CLIENT_PORT);
}

/** Is the message for this server, about an address that its sender has of it? The lease, or null. */
function leaseMeant(server: Server, msg: DhcpMessage, addr: number): Lease | null {
  const lease = leaseOf(server.table, clientOf(msg));
  const meant = optAddress(msg, OPT_SERVER_ID) === server.config.server && lease?.addr === addr;
  return meant ? lease : null;
}

/** §4.3.3: somebody else uses the address. */
function decline(server: Server, msg: DhcpMessage): void {
  const lease = leaseMeant(server, msg, optAddress(msg, OPT_REQUESTED_IP));
  if (lease !== null) leaseDecline(server.table, lease, nowOf(server) + DECLINE_TIME * NSEC_PER_SEC);
}

/** §4.3.4: given back, but remembered. */
function release(server: Server, msg: DhcpMessage): void {
  const lease = leaseMeant(server, msg, msg.ciaddr);
  if (lease === null) return;
  lease.state = LEASE_FREE;
  lease.expires = nowOf(server);
}

/** §4.3.5: the client has its address from elsewhere. */
async function inform(server: Server, msg: DhcpMessage): Promise<void> {
  const reply = makeReply(server, msg, DHCPACK);
  reply.ciaddr = msg.ciaddr;
  putParameters(reply, server.config);
  server.stats.ack++;
  await send(server, msg, reply);
}

/** §4.1: to the address that the client has; else to everybody, if it asks for that; else to the one that it is given. */
async function send(server: Server, msg: DhcpMessage, reply: DhcpMessage): Promise<void> {
  const { dev, socket, task } = server;
  let to = INADDR_BROADCAST;
  if (msg.ciaddr !== 0) {
    to = msg.ciaddr;
  } else if ((msg.flags & BROADCAST_FLAG) === 0 && msg.chaddr.length === dev.addrLen && reply.yiaddr !== 0) {
    const dst = inNtoa(reply.yiaddr);
    if (ipNeighAdd(task.net, { dst, dev: dev.name, lladdr: macText(msg.chaddr), nud: 'stale' }) === 0) to = reply.yiaddr;
  }
  await sendMessage(socket, reply, to, DHCP_CLIENT_PORT);
}
