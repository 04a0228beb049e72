/*
 * A DHCP client (RFC 2131 §4.4): INIT -> SELECTING -> REQUESTING -> BOUND, then RENEWING at T1 (its server, by unicast), REBINDING at T2
 * (any server, by broadcast), and INIT again when the lease is over or a server says NAK. run() is that loop, written down as it goes.
 * While nothing is due it waits on a deferrable timer: virtual time does not run on for the sake of a lease.
 * Deviation: it starts at once, not after a random time (§4.4.1): nothing else here starts all hosts in one moment. There is no
 * INIT-REBOOT, for nothing outlives the process.
 */
import { EAGAIN, errnoException, ETIMEDOUT, getRandomBytes, NSEC_PER_SEC, randomRange, worldNow } from '@stack/kernel';
import { inAton, INADDR_BROADCAST } from '@stack/inet-sock';
import type { NetDevice } from '@stack/netdev';
import type { ResState } from '@stack/resolver';
import type { Task } from '@stack/socket';
import { arpProbe } from './arp-probe.ts';
import { applyLease, readLease, removeLease, type DhcpLease } from './client-lease.ts';
import { clientWait, clientWake, makeWait, type ClientWait } from './client-wait.ts';
import {
  BOOTREPLY, BOOTREQUEST, BROADCAST_FLAG, DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DHCPACK, DHCPDECLINE, DHCPDISCOVER, DhcpMessage, DHCPNAK,
  DHCPOFFER, DHCPRELEASE, DHCPREQUEST, OPT_BROADCAST, OPT_CLIENT_ID, OPT_DNS_SERVER, OPT_DOMAIN_NAME, OPT_HOST_NAME, OPT_MAX_SIZE,
  OPT_MESSAGE_TYPE, OPT_MTU, OPT_PARAM_REQ, OPT_REQUESTED_IP, OPT_ROUTER, OPT_SERVER_ID, OPT_SUBNET_MASK, optAddress, optU8, setText, setU16,
  setU32, setU8,
} from './dhcp-message.ts';
import { closeDhcpSocket, drainSocket, openDhcpSocket, receiveMessage, requireDevice, sendMessage, type DhcpSocket } from './dhcp-socket.ts';

/** Seconds to wait for an answer: doubled from the first to the last, each ± 1 s (§4.1). */
const FIRST_TIMEOUT = 4;
const LAST_TIMEOUT = 64;
/** Seconds between two rounds of DISCOVERs that nobody answered, and after an address that was in use (§3.1). */
const RETRY_TIME = 300;
const DECLINE_WAIT = 10;
/** Seconds between two REQUESTs that renew, at least (§4.4.5). */
const MIN_RENEW_WAIT = 60;
const DEFAULT_PROBE = 1000;
const MAX_MESSAGE_SIZE = 1500;

/* States (§4.4, figure 5). */
export const DHCP_INIT = 0;
export const DHCP_SELECTING = 1;
export const DHCP_REQUESTING = 2;
export const DHCP_BOUND = 3;
export const DHCP_RENEWING = 4;
export const DHCP_REBINDING = 5;
export const DHCP_CLOSED = 6;

/** What createDhcpClient() is told. */
export interface DhcpClientOptions {
  /** The device that wants an address; it is up. */
  readonly dev: string;
  /** Gets the name servers and the domain: `host.resolver`. */
  readonly resolver?: ResState;
  /** Told to the server. */
  readonly hostname?: string;
  /** An address that it would like. */
  readonly requested?: string;
  /** Milliseconds that an address is probed for by ARP before it is used (§4.4.1); default 1000, 0: not. */
  readonly probe?: number;
  /** Told of every lease that is new or renewed, and, by null, of one that is lost. */
  readonly onLease?: (lease: DhcpLease | null) => void;
}

/** A client that runs. */
export interface DhcpClient {
  /** What it has; null: nothing. */
  readonly lease: DhcpLease | null;
  /** DHCP_INIT … DHCP_CLOSED. */
  readonly state: number;
  /** The first lease. Rejects with ETIMEDOUT when a round of DISCOVERs has gone unanswered; the client goes on trying. */
  bound(): Promise<DhcpLease>;
  /** Gives the lease back (DHCPRELEASE) and takes the address off the device. */
  close(): Promise<void>;
}

interface Waiter {
  readonly resolve: (lease: DhcpLease) => void;
  readonly reject: (error: Error) => void;
}

class Client {
  task: Task;
  dev: NetDevice;
  socket: DhcpSocket;
  options: DhcpClientOptions;
  wait: ClientWait;
  state: number;
  xid: number;
  /** When this acquisition began, and when the lease was asked for: ns. */
  began: number;
  asked: number;
  /** The address that is asked for in DISCOVERs: the one it had; 0: any. */
  wanted: number;
  lease: DhcpLease | null;
  waiters: Waiter[];

  constructor(task: Task, options: DhcpClientOptions) {
    this.task = task;
    this.dev = requireDevice(task, options.dev);
    this.socket = openDhcpSocket(task, this.dev, DHCP_CLIENT_PORT);
    this.options = options;
    this.wait = makeWait(task);
    this.state = DHCP_INIT;
    this.xid = 0;
    this.began = 0;
    this.asked = 0;
    this.wanted = options.requested === undefined ? 0 : inAton(options.requested);
    this.lease = null;
    this.waiters = [];
  }
}

/** Starts a client on a device of the task's host. Throws Errors with Node's fields: ENODEV, EADDRINUSE. */
export function createDhcpClient(task: Task, options: DhcpClientOptions): DhcpClient {
  const client = new Client(task, options);
  void run(client);
  return {
    get lease() {
      return client.lease;
    },
    get state() {
      return client.state;
    },
    bound: () => (client.lease !== null ? Promise.resolve(client.lease) : new Promise((resolve, reject) => client.waiters.push({ resolve, reject }))),
    close: () => close(client),
  };
}

function nowOf(client: Client): number {
  return worldNow(client.task.net.world);
}

function isClosed(client: Client): boolean {
  return client.state === DHCP_CLOSED || client.task.exiting;
}

/** The loop: a lease is acquired, kept, lost. */
async function run(client: Client): Promise<void> {
  while (!isClosed(client)) {
    client.state = DHCP_INIT;
    client.began = nowOf(client);
    newTransaction(client);
    const got = await acquire(client);
    if (isClosed(client)) return;
    if (got === null) {
      settleWaiters(client, null);
      await clientWait(client.wait, RETRY_TIME);
    } else if (typeof got === 'number') {
      await receiveAnswer(client, [], got, 0); // not deferred: the acquisition goes on
    } else {
      bind(client, got);
      await keep(client);
    }
  }
}

/** Tells those who wait for a lease. */
function settleWaiters(client: Client, lease: DhcpLease | null): void {
  for (const { resolve, reject } of client.waiters.splice(0)) {
    if (lease !== null) resolve(lease);
    else reject(errnoException(ETIMEDOUT, 'dhcp', client.dev.name));
  }
}

function newTransaction(client: Client): void {
  const bytes = new Uint8Array(4);
  getRandomBytes(client.task.net.world, bytes);
  client.xid = new DataView(bytes.buffer).getUint32(0);
}

/** A message with what all of a client's have (§4.4.1, table 5). */
function makeMessage(client: Client, type: number): DhcpMessage {
  const { dev } = client;
  const mac = dev.devAddr.slice(0, dev.addrLen);
  const msg = new DhcpMessage(BOOTREQUEST, client.xid, mac, dev.type & 0xff);
  msg.secs = Math.min(65535, Math.floor((nowOf(client) - client.began) / NSEC_PER_SEC));
  setU8(msg, OPT_MESSAGE_TYPE, type);
  msg.options.set(OPT_CLIENT_ID, Uint8Array.of(dev.type, ...mac));
  return msg;
}

/** What a DISCOVER or REQUEST has besides. */
function putWishes(client: Client, msg: DhcpMessage): void {
  const { hostname } = client.options;
  if (hostname !== undefined) setText(msg, OPT_HOST_NAME, hostname);
  setU16(msg, OPT_MAX_SIZE, MAX_MESSAGE_SIZE);
  msg.options.set(OPT_PARAM_REQ, Uint8Array.of(OPT_SUBNET_MASK, OPT_ROUTER, OPT_DNS_SERVER, OPT_DOMAIN_NAME, OPT_MTU, OPT_BROADCAST));
}

function sendBroadcast(client: Client, msg: DhcpMessage): Promise<void> {
  return sendMessage(client.socket, msg, INADDR_BROADCAST, DHCP_SERVER_PORT);
}

/** Is this an answer to us, of one of these types? */
function isAnswer(client: Client, msg: DhcpMessage, types: readonly number[]): boolean {
  const { devAddr, addrLen } = client.dev;
  const isOurs = msg.op === BOOTREPLY && msg.xid === client.xid && msg.chaddr.length === addrLen && msg.chaddr.every((octet, i) => octet === devAddr[i]);
  return isOurs && types.includes(optU8(msg, OPT_MESSAGE_TYPE)) && optAddress(msg, OPT_SERVER_ID) !== 0;
}

/** The first answer of one of these types within `seconds`, from server `from` (0: any); null if none came, or the client was closed. */
async function receiveAnswer(client: Client, types: readonly number[], seconds: number, from: number): Promise<DhcpMessage | null> {
  const deadline = nowOf(client) + seconds * NSEC_PER_SEC;
  for (;;) {
    const msg = await receiveMessage(client.socket, deadline);
    if (typeof msg === 'number') {
      if (msg !== -EAGAIN) client.state = DHCP_CLOSED;
      return null;
    }
    if (msg === null || !isAnswer(client, msg, types)) continue;
    if (from === 0 || optAddress(msg, OPT_SERVER_ID) === from) return msg;
  }
}

/** The time for an answer, doubled for each try and moved by up to a second (§4.1). */
function timeout(client: Client, attempt: number): number {
  const seconds = Math.min(FIRST_TIMEOUT * 2 ** attempt, LAST_TIMEOUT);
  return seconds + randomRange(client.task.net.world.random, -1000, 1000) / 1000;
}

/** SELECTING: asks who has an address; takes the first offer (§4.4.1). Null: nobody. */
async function discover(client: Client): Promise<DhcpMessage | null> {
  client.state = DHCP_SELECTING;
  for (let attempt = 0; FIRST_TIMEOUT * 2 ** attempt <= LAST_TIMEOUT; attempt++) {
    const msg = makeMessage(client, DHCPDISCOVER);
    msg.flags = BROADCAST_FLAG;
    putWishes(client, msg);
    if (client.wanted !== 0) setU32(msg, OPT_REQUESTED_IP, client.wanted);
    await sendBroadcast(client, msg);
    const offer = await receiveAnswer(client, [DHCPOFFER], timeout(client, attempt), 0);
    if (offer !== null && readLease(offer) !== null) return offer;
    if (isClosed(client)) return null;
  }
  return null;
}

/** REQUESTING: asks for what was offered. The ACK; null: NAK, or no answer. */
async function requestOffer(client: Client, offer: DhcpMessage): Promise<DhcpMessage | null> {
  client.state = DHCP_REQUESTING;
  const server = optAddress(offer, OPT_SERVER_ID);
  for (let attempt = 0; attempt < 4; attempt++) {
    const msg = makeMessage(client, DHCPREQUEST);
    msg.flags = BROADCAST_FLAG;
    putWishes(client, msg);
    setU32(msg, OPT_REQUESTED_IP, offer.yiaddr);
    setU32(msg, OPT_SERVER_ID, server);
    client.asked = nowOf(client);
    await sendBroadcast(client, msg);
    const answer = await receiveAnswer(client, [DHCPACK, DHCPNAK], timeout(client, attempt), server);
    if (answer !== null) return optU8(answer, OPT_MESSAGE_TYPE) === DHCPACK ? answer : null;
    if (isClosed(client)) return null;
  }
  return null;
}

/** From INIT to a lease; or the seconds to wait before the next try; null if nobody offers anything. */
async function acquire(client: Client): Promise<DhcpLease | number | null> {
  const offer = await discover(client);
  if (offer === null) return null;
  const ack = await requestOffer(client, offer);
  const lease = ack === null ? null : readLease(ack);
  if (ack === null || lease === null) {
    client.wanted = 0;
    return DECLINE_WAIT;
  }
  if (!await arpProbe(client.task, client.dev, ack.yiaddr, client.options.probe ?? DEFAULT_PROBE)) return lease;
  // §4.4.1: somebody has it; the server hears of that, and gives another.
  const msg = makeMessage(client, DHCPDECLINE);
  setU32(msg, OPT_REQUESTED_IP, ack.yiaddr);
  setU32(msg, OPT_SERVER_ID, optAddress(ack, OPT_SERVER_ID));
  client.wanted = 0;
  await sendBroadcast(client, msg);
  return DECLINE_WAIT;
}

/** Puts a lease, new or renewed, to use. */
function bind(client: Client, lease: DhcpLease): void {
  applyLease(client.dev, client.options.resolver ?? null, lease, client.lease);
  client.lease = lease;
  client.wanted = inAton(lease.address);
  client.state = DHCP_BOUND;
  settleWaiters(client, lease);
  client.options.onLease?.(lease);
}

function loseLease(client: Client): void {
  if (client.lease === null) return;
  removeLease(client.dev, client.lease);
  client.lease = null;
  client.options.onLease?.(null);
}

/** BOUND, RENEWING, REBINDING, until the lease is lost or the client closed (§4.4.5). */
async function keep(client: Client): Promise<void> {
  while (client.lease !== null && !isClosed(client)) {
    const { lease, asked } = client;
    const secondsTo = (seconds: number): number => asked / NSEC_PER_SEC + seconds - nowOf(client) / NSEC_PER_SEC;
    await clientWait(client.wait, secondsTo(lease.renewalTime));
    newTransaction(client);
    client.began = nowOf(client);
    let answer: DhcpMessage | null = null;
    while (answer === null && !isClosed(client)) {
      const left = secondsTo(lease.leaseTime);
      if (left <= 0) return loseLease(client);
      const toT2 = secondsTo(lease.rebindingTime);
      const rest = toT2 > 0 ? toT2 : left;
      answer = await extend(client, lease, toT2 > 0, Math.min(FIRST_TIMEOUT, rest));
      if (answer === null) await clientWait(client.wait, Math.min(rest, Math.max(rest / 2, MIN_RENEW_WAIT)) - FIRST_TIMEOUT);
    }
    if (answer === null) return;
    const renewed = optU8(answer, OPT_MESSAGE_TYPE) === DHCPACK ? readLease(answer) : null;
    if (renewed === null) return loseLease(client);
    bind(client, renewed);
  }
}

/** One REQUEST to go on: RENEWING asks the server that gave the lease, REBINDING any. ACK or NAK; null: no answer in `seconds`. */
async function extend(client: Client, lease: DhcpLease, renewing: boolean, seconds: number): Promise<DhcpMessage | null> {
  client.state = renewing ? DHCP_RENEWING : DHCP_REBINDING;
  const msg = makeMessage(client, DHCPREQUEST);
  msg.ciaddr = inAton(lease.address);
  putWishes(client, msg);
  const asked = nowOf(client);
  await sendMessage(client.socket, msg, renewing ? inAton(lease.server) : INADDR_BROADCAST, DHCP_SERVER_PORT);
  const answer = await receiveAnswer(client, [DHCPACK, DHCPNAK], seconds, 0);
  if (answer !== null) client.asked = asked;
  return answer;
}

async function close(client: Client): Promise<void> {
  if (client.state === DHCP_CLOSED) return;
  const { lease } = client;
  client.state = DHCP_CLOSED;
  if (lease !== null) {
    newTransaction(client);
    const msg = makeMessage(client, DHCPRELEASE);
    msg.ciaddr = inAton(lease.address);
    setU32(msg, OPT_SERVER_ID, inAton(lease.server));
    await sendMessage(client.socket, msg, inAton(lease.server), DHCP_SERVER_PORT);
    await drainSocket(client.socket);
  }
  closeDhcpSocket(client.socket);
  clientWake(client.wait);
  loseLease(client);
  settleWaiters(client, null);
}
