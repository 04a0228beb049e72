/*
 * The sockets of a DNS server. UDP: one socket; an answer leaves from the address that was asked (IP_PKTINFO), for a client
 * believes no other. TCP: a message behind its length (RFC 7766 §8), any number of them on a connection, until it is idle too
 * long. Each loop ends when its descriptor is closed or its task ends.
 */
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { InPktinfo, IP_PKTINFO } from '@stack/ip';
import { NS_MAXMSG } from '@stack/resolver';
import {
  Cmsg, makeMsgHdr, PF_INET, SO_RCVTIMEO, SO_REUSEADDR, SO_SNDTIMEO, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM, SOL_IP, SOL_SOCKET, sysAccept,
  sysBind, sysCall, sysClose, sysGetsockname, sysListen, sysRecv, sysRecvmsg, sysSend, sysSendmsg, sysSetsockopt, sysSocket, Timeval,
  type MsgHdr, type Task,
} from '@stack/socket';

/** Seconds that a connection may be idle (RFC 7766 §6.2.3: in the order of seconds). */
const TCP_IDLE = 10;
/** Connections at most; beyond it the oldest is closed. */
const TCP_MAX = 128;
const BACKLOG = 32;

/** What answers a query: octets, or null for no answer. */
export type Answerer = (query: Uint8Array, udp: boolean) => Promise<Uint8Array | null>;

/** A connection. Its number may be another's when it is closed. */
class Connection {
  fd: number;
  open: boolean;

  constructor(fd: number) {
    this.fd = fd;
    this.open = true;
  }
}

export class ServerSockets {
  task: Task;
  answer: Answerer;
  udpFd: number;
  tcpFd: number;
  /** Open connections, the oldest first. */
  connections: Set<Connection>;

  constructor(task: Task, answer: Answerer) {
    this.task = task;
    this.answer = answer;
    this.udpFd = -1;
    this.tcpFd = -1;
    this.connections = new Set();
  }
}

function boundSocket(task: Task, type: number, name: SockAddrIn, address: string): number {
  const fd = sysCall(sysSocket(task, PF_INET, type | SOCK_CLOEXEC, 0), 'socket');
  sysSetsockopt(task, fd, SOL_SOCKET, SO_REUSEADDR, type === SOCK_STREAM ? 1 : 0);
  const err = sysBind(task, fd, name);
  if (err < 0) {
    void sysClose(task, fd);
    sysCall(err, 'bind', address, name.sinPort);
  }
  return fd;
}

/** Opens both sockets; returns their port. Throws an Error with Node's fields. */
export function openSockets(sockets: ServerSockets, address: string, port: number): number {
  const { task } = sockets;
  const name = new SockAddrIn(inAton(address), port);
  sockets.udpFd = boundSocket(task, SOCK_DGRAM, name, address);
  sysSetsockopt(task, sockets.udpFd, SOL_IP, IP_PKTINFO, 1);
  sysGetsockname(task, sockets.udpFd, name);
  try {
    sockets.tcpFd = boundSocket(task, SOCK_STREAM, name, address);
    sysCall(sysListen(task, sockets.tcpFd, BACKLOG), 'listen', address, port);
  } catch (error) {
    closeSockets(sockets);
    throw error;
  }
  return name.sinPort;
}

/** Closes all; a second call does nothing. */
export function closeSockets(sockets: ServerSockets): void {
  const { task, udpFd, tcpFd, connections } = sockets;
  for (const fd of [udpFd, tcpFd]) if (fd >= 0) void sysClose(task, fd);
  sockets.udpFd = -1;
  sockets.tcpFd = -1;
  for (const connection of connections) endConnection(sockets, connection);
}

/** The control messages of an answer: it leaves from where the query came to. */
function replyFrom(msg: MsgHdr): Cmsg[] {
  const info = msg.msgControl?.[0]?.cmsgData;
  return info instanceof InPktinfo ? [new Cmsg(SOL_IP, IP_PKTINFO, new InPktinfo(0, info.ipiSpecDst, 0))] : [];
}

async function replyUdp(sockets: ServerSockets, query: Uint8Array, to: SockAddrIn, control: Cmsg[]): Promise<void> {
  const out = await sockets.answer(query, true);
  if (out === null || sockets.udpFd < 0) return;
  const msg = makeMsgHdr([out], to);
  msg.msgControl = control;
  msg.msgControllen = control.length;
  await sysSendmsg(sockets.task, sockets.udpFd, msg, 0);
}

/** Serves UDP until its descriptor is closed. Queries do not wait for one another. */
export async function serveUdp(sockets: ServerSockets): Promise<void> {
  const buf = new Uint8Array(NS_MAXMSG);
  while (sockets.udpFd >= 0) {
    const from = new SockAddrIn();
    const msg = makeMsgHdr([buf], from);
    msg.msgControl = [];
    msg.msgControllen = 1;
    const n = await sysRecvmsg(sockets.task, sockets.udpFd, msg, 0);
    if (n < 0) return;
    void replyUdp(sockets, buf.slice(0, n), from, replyFrom(msg));
  }
}

/** Serves TCP until its descriptor is closed. */
export async function serveTcp(sockets: ServerSockets): Promise<void> {
  const { task, connections } = sockets;
  while (sockets.tcpFd >= 0) {
    const fd = await sysAccept(task, sockets.tcpFd, null, SOCK_CLOEXEC);
    if (fd < 0) return;
    const connection = new Connection(fd);
    connections.add(connection);
    const [oldest] = connections;
    if (connections.size > TCP_MAX && oldest !== undefined) endConnection(sockets, oldest);
    void serveConnection(sockets, connection);
  }
}

function endConnection(sockets: ServerSockets, connection: Connection): void {
  if (!connection.open) return;
  connection.open = false;
  sockets.connections.delete(connection);
  void sysClose(sockets.task, connection.fd);
}

/** Exactly `count` octets; null if the stream ended, failed, or was idle too long. */
async function readFully(sockets: ServerSockets, connection: Connection, count: number): Promise<Uint8Array | null> {
  const buf = new Uint8Array(count);
  for (let at = 0; at < count; ) {
    if (!connection.open) return null;
    const n = await sysRecv(sockets.task, connection.fd, buf.subarray(at), 0);
    if (n <= 0) return null;
    at += n;
  }
  return buf;
}

/** One query on a connection; false: it has ended. */
async function serveOne(sockets: ServerSockets, connection: Connection): Promise<boolean> {
  const head = await readFully(sockets, connection, 2);
  if (head === null) return false;
  const query = await readFully(sockets, connection, ((head[0] ?? 0) << 8) | (head[1] ?? 0));
  if (query === null) return false;
  const out = await sockets.answer(query, false);
  if (out === null || !connection.open) return false;
  const framed = new Uint8Array(out.length + 2);
  new DataView(framed.buffer).setUint16(0, out.length);
  framed.set(out, 2);
  const sent = await sysSend(sockets.task, connection.fd, framed, 0);
  return sent === framed.length;
}

async function serveConnection(sockets: ServerSockets, connection: Connection): Promise<void> {
  const { fd } = connection;
  const idle = new Timeval(TCP_IDLE, 0);
  sysSetsockopt(sockets.task, fd, SOL_SOCKET, SO_RCVTIMEO, idle);
  sysSetsockopt(sockets.task, fd, SOL_SOCKET, SO_SNDTIMEO, idle);
  while (await serveOne(sockets, connection));
  endConnection(sockets, connection);
}
