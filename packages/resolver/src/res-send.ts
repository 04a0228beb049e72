/*
 * A question on its way (res_send.c): resNsend() asks the servers in turn, each over UDP, over TCP when the answer was cut
 * (TC), all of them `retry` times. What a stranger could forge is drawn from the World's secrets: the id and the port; and
 * checked: id, question, and the address of the sender, for the socket is connected (RFC 5452 §9).
 */
import { EADDRINUSE, EAGAIN, EBADMSG, ECONNREFUSED, EINTR, ETIMEDOUT, getRandomBytes, NSEC_PER_MSEC, NSEC_PER_SEC, worldNow } from '@stack/kernel';
import { INADDR_ANY, SockAddrIn } from '@stack/inet-sock';
import {
  PF_INET, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, sysBind, sysClose, sysConnect, sysRecv, sysSend,
  sysSetsockopt, sysSocket, Timeval, type SysOptions,
} from '@stack/socket';
import {
  DnsMessage, Edns, FORMERR, NOTIMP, NS_EDNSSZ, NS_MAXMSG, NS_OPCODE, NS_PACKETSZ, NS_QR, NS_RD, NS_TC, nsRcode, REFUSED, SERVFAIL,
  type DnsQuestion,
} from './nameser.ts';
import { nsBuild } from './ns-build.ts';
import { nsSameName } from './ns-name.ts';
import { nsParse } from './ns-parse.ts';
import type { ResState } from './res-state.ts';

/** Ports that are tried before the kernel chooses one. */
const PORT_TRIES = 8;

/** One try with one server: what it needs to know. */
class Exchange {
  res: ResState;
  server: SockAddrIn;
  question: DnsQuestion;
  id: number;
  query: Uint8Array;
  /** ns of the World's time. */
  deadline: number;
  options: SysOptions | undefined;

  constructor(res: ResState, server: SockAddrIn, question: DnsQuestion, edns: boolean, options: SysOptions | undefined) {
    const msg = new DnsMessage(secret16(res), NS_RD);
    msg.question.push(question);
    if (edns) msg.edns = new Edns(NS_EDNSSZ);
    this.res = res;
    this.server = server;
    this.question = question;
    this.id = msg.id;
    this.query = nsBuild(msg);
    this.deadline = worldNow(res.task.net.world) + res.retrans * NSEC_PER_SEC;
    this.options = options;
  }
}

/** 16 bits that nobody can guess. */
function secret16(res: ResState): number {
  const bytes = new Uint8Array(2);
  getRandomBytes(res.task.net.world, bytes);
  return ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
}

/** Is this the answer to what was asked? */
function isAnswer(x: Exchange, msg: DnsMessage): boolean {
  if (msg.id !== x.id || (msg.flags & NS_QR) === 0 || (msg.flags & NS_OPCODE) !== 0) return false;
  const [question] = msg.question;
  // A server that could not read the question may leave it out.
  if (question === undefined) return nsRcode(msg) === FORMERR;
  const { qname, qtype, qclass } = x.question;
  return msg.question.length === 1 && question.qtype === qtype && question.qclass === qclass && nsSameName(question.qname, qname);
}

/** Has the next receive on fd end when the time is up. Returns false if it is. */
function armDeadline(x: Exchange, fd: number): boolean {
  const { task } = x.res;
  const left = Math.ceil((x.deadline - worldNow(task.net.world)) / NSEC_PER_MSEC);
  if (left <= 0) return false;
  const timeval = new Timeval(Math.floor(left / 1000), (left % 1000) * 1000);
  sysSetsockopt(task, fd, SOL_SOCKET, SO_RCVTIMEO, timeval);
  sysSetsockopt(task, fd, SOL_SOCKET, SO_SNDTIMEO, timeval);
  return true;
}

/** Binds to a port of ip_local_port_range that nobody can guess. If all that were tried are taken, the kernel chooses. */
function bindSecretPort(res: ResState, fd: number): void {
  const { task } = res;
  const [low = 0, high = 0] = task.net.inetSock.sysctlIpLocalPortRange;
  for (let i = 0; i < PORT_TRIES; i++) {
    const port = low + (secret16(res) % (high - low + 1));
    if (sysBind(task, fd, new SockAddrIn(INADDR_ANY, port)) !== -EADDRINUSE) return;
  }
}

/** Receives until the answer is there: strays are passed over. The message, or -errno. */
async function receiveDg(x: Exchange, fd: number): Promise<DnsMessage | number> {
  const buf = new Uint8Array(NS_MAXMSG);
  while (armDeadline(x, fd)) {
    const n = await sysRecv(x.res.task, fd, buf, 0, x.options);
    if (n === -EAGAIN) return -ETIMEDOUT;
    if (n < 0) return n;
    const msg = nsParse(buf.subarray(0, n));
    if (msg !== null && isAnswer(x, msg)) return msg;
  }
  return -ETIMEDOUT;
}

/** Over UDP. The message, or -errno. */
async function sendDg(x: Exchange): Promise<DnsMessage | number> {
  const { task } = x.res;
  const fd = sysSocket(task, PF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  try {
    bindSecretPort(x.res, fd);
    const err = await sysConnect(task, fd, x.server);
    if (err < 0) return err;
    const sent = await sysSend(task, fd, x.query, 0, x.options);
    return sent < 0 ? sent : await receiveDg(x, fd);
  } finally {
    await sysClose(task, fd);
  }
}

/** Exactly `count` octets of a stream, or -errno. */
async function readFully(x: Exchange, fd: number, count: number): Promise<Uint8Array | number> {
  const buf = new Uint8Array(count);
  for (let at = 0; at < count; ) {
    if (!armDeadline(x, fd)) return -ETIMEDOUT;
    const n = await sysRecv(x.res.task, fd, buf.subarray(at), 0, x.options);
    if (n <= 0) return n === 0 || n === -EAGAIN ? -ETIMEDOUT : n;
    at += n;
  }
  return buf;
}

/** Over TCP, each message behind its length (RFC 7766 §8). The message, or -errno. */
async function sendVc(x: Exchange): Promise<DnsMessage | number> {
  const { task } = x.res;
  const fd = sysSocket(task, PF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  try {
    if (!armDeadline(x, fd)) return -ETIMEDOUT;
    const err = await sysConnect(task, fd, x.server, x.options);
    if (err < 0) return err;
    const framed = new Uint8Array(x.query.length + 2);
    new DataView(framed.buffer).setUint16(0, x.query.length);
    framed.set(x.query, 2);
    const sent = await sysSend(task, fd, framed, 0, x.options);
    if (sent < 0) return sent;
    const head = await readFully(x, fd, 2);
    if (typeof head === 'number') return head;
    const body = await readFully(x, fd, ((head[0] ?? 0) << 8) | (head[1] ?? 0));
    if (typeof body === 'number') return body;
    const msg = nsParse(body);
    return msg !== null && isAnswer(x, msg) ? msg : -EBADMSG;
  } finally {
    await sysClose(task, fd);
  }
}

/** Asks one server once. */
async function askServer(
  res: ResState, server: SockAddrIn, question: DnsQuestion, edns: boolean, options: SysOptions | undefined,
): Promise<DnsMessage | number> {
  const x = new Exchange(res, server, question, edns, options);
  if (res.useVc) return sendVc(x);
  const msg = await sendDg(x);
  if (typeof msg === 'number') return msg;
  if ((msg.flags & NS_TC) !== 0) {
    const whole = await sendVc(new Exchange(res, server, question, edns, options));
    // RFC 5966 §4: TCP may be closed to us; what fitted is better than nothing.
    return typeof whole === 'number' && whole !== -EINTR && msg.answer.length > 0 ? msg : whole;
  }
  // RFC 6891 §7: a server that does not know EDNS is asked without.
  if (edns && (nsRcode(msg) === FORMERR || nsRcode(msg) === NOTIMP)) return askServer(res, server, question, false, options);
  return msg;
}

/** Is this an answer that another server may do better? */
export function isServerFailure(msg: DnsMessage): boolean {
  const rcode = nsRcode(msg);
  return rcode === SERVFAIL || rcode === NOTIMP || rcode === REFUSED;
}

/** The servers in the order in which this question goes to them. */
function serverOrder(res: ResState): SockAddrIn[] {
  const { nsaddrList: servers } = res;
  if (!res.rotate || servers.length < 2) return servers;
  const first = res.nscursor % servers.length;
  res.nscursor = first + 1;
  return [...servers.slice(first), ...servers.slice(0, first)];
}

/**
 * Asks the question of one server after the other, as often as resolv.conf(5) says. Resolves with the first answer that is one; if
 * every server failed, with the last failure: a message (SERVFAIL, NOTIMP, REFUSED), or -errno: -ETIMEDOUT, -ECONNREFUSED,
 * -ENETUNREACH …, -EINTR if the signal fired.
 */
export async function resNsend(res: ResState, question: DnsQuestion, options?: SysOptions): Promise<DnsMessage | number> {
  const servers = serverOrder(res);
  let last: DnsMessage | number = -ECONNREFUSED;
  for (let attempt = 0; attempt < res.retry; attempt++) {
    for (const server of servers) {
      const got = await askServer(res, server, question, res.edns0, options);
      if (got === -EINTR || res.task.exiting) return -EINTR;
      if (typeof got !== 'number' && !isServerFailure(got)) return got;
      last = got;
    }
  }
  return last;
}

/** Octets that an answer over UDP to this query may have. */
export function resUdpLimit(edns: Edns | null): number {
  return edns === null ? NS_PACKETSZ : Math.max(NS_PACKETSZ, Math.min(edns.udpSize, NS_EDNSSZ));
}
