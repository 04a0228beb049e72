// UDP over IPv4 between whole hosts: RFC 768, RFC 1122 §4.1, udp(7), ip(7).
import { EACCES, EADDRINUSE, EADDRNOTAVAIL, EAGAIN, ECONNREFUSED, EDESTADDRREQ, EINVAL, EMSGSIZE, ENETUNREACH, ENOTCONN, idle, snmpSnapshot, traceNet } from '@stack/kernel';
import type { SkBuff } from '@stack/skbuff';
import { inAton, inNtoa, SockAddrIn } from '@stack/inet-sock';
import {
  IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MTU_DISCOVER, IP_MULTICAST_ALL, IP_MULTICAST_IF, IP_PKTINFO, IP_RECVERR, InPktinfo, IpMreqn, ipAddrAdd,
  ipCheckMc,
} from '@stack/ip';
import { NF_ACCEPT, NF_INET_POST_ROUTING, NFPROTO_IPV4, nfRegisterNetHook, nfUnregisterNetHook, type NfHookOps } from '@stack/netfilter';
import {
  AF_UNSPEC, Cmsg, EPOLLERR, FIONREAD, makeMsgHdr, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_MORE, MSG_PEEK, MSG_TRUNC, PF_INET, PollFd, SHUT_RD, SO_BROADCAST,
  SO_ERROR, SO_NO_CHECK, SO_RCVBUF, SO_REUSEADDR, SO_REUSEPORT, SO_RXQ_OVFL, SO_TIMESTAMPNS, SOCK_DGRAM, SockAddr, SOL_IP, SOL_SOCKET, SOL_UDP,
  sysBind, sysClose, sysConnect, sysGetpeername, sysGetsockname, sysGetsockopt, sysIoctl, sysPoll, sysRead, sysRecv, sysRecvfrom, sysRecvmsg,
  sysSend, sysSendmsg, sysSendto, sysSetsockopt, sysShutdown, sysSocket, sysWrite, Timespec,
} from '@stack/socket';
import { socketContract, type SocketPair } from '@stack/socket/contract';
import { UDP_CHECK, UDP_LEN } from '@stack/udp';
import { UDP_CORK } from '@stack/udp/ipv4';
import { describe, expect, test } from 'vitest';
import { endLan, makeHost, makeLan, type UdpHost, type UdpLan } from './support/udp-rig.ts';

const A = '10.0.0.1';
const B = '10.0.0.2';

interface Rig {
  lan: UdpLan;
  a: UdpHost;
  b: UdpHost;
}

async function rig(): Promise<Rig> {
  const lan = makeLan();
  const a = makeHost(lan, 'a', `${A}/24`);
  const b = makeHost(lan, 'b', `${B}/24`);
  await idle(lan.world);
  return { lan, a, b };
}

async function end({ lan, a, b }: Rig): Promise<void> {
  expect(await endLan(lan, a, b)).toEqual([]);
}

const addr = (text: string, port: number): SockAddrIn => new SockAddrIn(inAton(text), port);
const shown = (name: SockAddrIn): string => `${inNtoa(name.sinAddr)}:${name.sinPort}`;
const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const text = (buf: Uint8Array, n: number): string => String.fromCharCode(...buf.subarray(0, n));
const counters = (host: UdpHost): Record<string, number> => snmpSnapshot(host.net);

/** A socket bound to `port` (0: not bound) of the host's any-address, or of `ip`. */
function open(host: UdpHost, port = 0, ip = '0.0.0.0'): number {
  const fd = sysSocket(host.task, PF_INET, SOCK_DGRAM, 0);
  expect(fd).toBeGreaterThanOrEqual(0);
  if (port !== 0) expect(sysBind(host.task, fd, addr(ip, port))).toBe(0);
  return fd;
}

/** What is there now, as `text from address`, or an errno. */
function take(host: UdpHost, fd: number, flags = 0): string | number {
  const buf = new Uint8Array(2048);
  const from = new SockAddrIn();
  const n = sysRecvfrom(host.task, fd, buf, flags | MSG_DONTWAIT, from);
  if (typeof n !== 'number') throw new Error('it sleeps');
  return n < 0 ? n : `${text(buf, n)} from ${shown(from)}`;
}

describe('sending and receiving', () => {
  test('sendto(2), recvfrom(2): a datagram and its sender', async () => {
    const r = await rig();
    const fdA = open(r.a, 1000);
    const fdB = open(r.b, 7);
    expect(sysSendto(r.a.task, fdA, bytes('hello'), 0, addr(B, 7))).toBe(5);
    expect(sysSendto(r.a.task, fdA, bytes(''), 0, addr(B, 7))).toBe(0);
    await idle(r.lan.world);
    expect([take(r.b, fdB), take(r.b, fdB), take(r.b, fdB)]).toEqual([`hello from ${A}:1000`, ` from ${A}:1000`, -EAGAIN]);
    expect(counters(r.a)).toMatchObject({ UdpOutDatagrams: 2, UdpInDatagrams: 0 });
    expect(counters(r.b)).toMatchObject({ UdpInDatagrams: 2, UdpOutDatagrams: 0, UdpInErrors: 0 });
    await end(r);
  });

  test('over the loopback device too', async () => {
    const r = await rig();
    const fd = open(r.a, 9);
    sysSendto(r.a.task, fd, bytes('self'), 0, addr('127.0.0.1', 9));
    sysSendto(r.a.task, fd, bytes('me'), 0, addr(A, 9));
    await idle(r.lan.world);
    expect([take(r.a, fd), take(r.a, fd)]).toEqual(['self from 127.0.0.1:9', `me from ${A}:9`]);
    await end(r);
  });

  test('a datagram longer than the buffer is cut: MSG_TRUNC', async () => {
    const r = await rig();
    const fdA = open(r.a);
    const fdB = open(r.b, 7);
    for (let i = 0; i < 3; i++) sysSendto(r.a.task, fdA, bytes('0123456789'), 0, addr(B, 7));
    await idle(r.lan.world);
    const buf = new Uint8Array(4);
    const msg = makeMsgHdr([buf], new SockAddrIn());
    expect(sysRecvmsg(r.b.task, fdB, msg, 0)).toBe(4);
    expect(msg.msgFlags & MSG_TRUNC).toBe(MSG_TRUNC);
    expect(text(buf, 4)).toBe('0123');
    expect(sysRecv(r.b.task, fdB, buf, MSG_TRUNC)).toBe(10);
    expect(sysRecv(r.b.task, fdB, buf, 0)).toBe(4);
    await end(r);
  });

  test('64 KiB less headers is the most, and is fragmented on the way', async () => {
    const r = await rig();
    const fdA = open(r.a);
    const fdB = open(r.b, 7);
    const big = Uint8Array.from({ length: 65507 }, (_, i) => (i * 7) ^ (i >> 8));
    expect(sysSendto(r.a.task, fdA, big, 0, addr(B, 7))).toBe(65507);
    await idle(r.lan.world);
    const buf = new Uint8Array(70000);
    expect(sysRecv(r.b.task, fdB, buf, MSG_DONTWAIT)).toBe(65507);
    expect(Buffer.compare(buf.subarray(0, 65507), big)).toBe(0);
    expect(sysSendto(r.a.task, fdA, new Uint8Array(65508), 0, addr(B, 7))).toBe(-EMSGSIZE);
    expect(counters(r.a)['IpFragCreates']).toBeGreaterThan(40);
    await end(r);
  });

  test('ip(7): with IP_PMTUDISC_DO more than the MTU is -EMSGSIZE', async () => {
    const r = await rig();
    const fdA = open(r.a);
    sysSetsockopt(r.a.task, fdA, SOL_IP, IP_MTU_DISCOVER, 2);
    expect(sysSendto(r.a.task, fdA, new Uint8Array(1473), 0, addr(B, 7))).toBe(-EMSGSIZE);
    expect(sysSendto(r.a.task, fdA, new Uint8Array(1472), 0, addr(B, 7))).toBe(1472);
    await end(r);
  });

  test('udp(7): MSG_MORE and UDP_CORK gather one datagram', async () => {
    const r = await rig();
    const fdA = open(r.a, 1000);
    const fdB = open(r.b, 7);
    expect(sysSendto(r.a.task, fdA, bytes('one '), MSG_MORE, addr(B, 7))).toBe(4);
    expect(sysSendto(r.a.task, fdA, bytes('two '), MSG_MORE, null)).toBe(4);
    expect(sysSend(r.a.task, fdA, bytes('three'), 0)).toBe(5);
    sysConnect(r.a.task, fdA, addr(B, 7));
    sysSetsockopt(r.a.task, fdA, SOL_UDP, UDP_CORK, 1);
    for (const part of ['a', 'bc', 'def']) sysWrite(r.a.task, fdA, bytes(part));
    await idle(r.lan.world);
    expect([take(r.b, fdB), take(r.b, fdB)]).toEqual([`one two three from ${A}:1000`, -EAGAIN]);
    sysSetsockopt(r.a.task, fdA, SOL_UDP, UDP_CORK, 0);
    await idle(r.lan.world);
    expect(take(r.b, fdB)).toBe(`abcdef from ${A}:1000`);
    await end(r);
  });

  test('a corked datagram that is never sent is given back when the socket closes', async () => {
    const r = await rig();
    const fdA = open(r.a);
    sysSendto(r.a.task, fdA, bytes('one'), MSG_MORE, addr(B, 7));
    expect(sysClose(r.a.task, fdA)).toBe(0);
    await end(r);
  });
});

describe('names and ports', () => {
  test('a socket that sends without being bound gets a port of ip_local_port_range', async () => {
    const r = await rig();
    const fd = open(r.a);
    sysSendto(r.a.task, fd, bytes('x'), 0, addr(B, 7));
    const name = new SockAddrIn();
    expect(sysGetsockname(r.a.task, fd, name)).toBe(0);
    expect(name.sinPort).toBeGreaterThanOrEqual(32768);
    expect(name.sinPort).toBeLessThanOrEqual(60999);
    expect(sysGetpeername(r.a.task, fd, name)).toBe(-ENOTCONN);
    await end(r);
  });

  test('bind(2): -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL when bound already', async () => {
    const r = await rig();
    const fd = open(r.a, 7);
    const other = open(r.a);
    expect(sysBind(r.a.task, other, addr('0.0.0.0', 7))).toBe(-EADDRINUSE);
    expect(sysBind(r.a.task, other, addr(A, 7))).toBe(-EADDRINUSE);
    expect(sysBind(r.a.task, other, addr('10.9.9.9', 8))).toBe(-EADDRNOTAVAIL);
    expect(sysBind(r.a.task, fd, addr('0.0.0.0', 8))).toBe(-EINVAL);
    expect(sysBind(r.a.task, other, addr(A, 70000))).toBe(-EINVAL);
    expect(sysClose(r.a.task, fd)).toBe(0);
    expect(sysBind(r.a.task, other, addr(A, 7))).toBe(0);
    await end(r);
  });

  test('socket(7): two addresses may share a port, and so may two sockets with SO_REUSEADDR', async () => {
    const r = await rig();
    open(r.a, 7, A);
    open(r.a, 7, '127.0.0.1');
    const [x, y] = [open(r.a), open(r.a)];
    sysSetsockopt(r.a.task, x, SOL_SOCKET, SO_REUSEADDR, 1);
    expect(sysBind(r.a.task, x, addr(A, 8))).toBe(0);
    expect(sysBind(r.a.task, y, addr(A, 8))).toBe(-EADDRINUSE);
    sysSetsockopt(r.a.task, y, SOL_SOCKET, SO_REUSEADDR, 1);
    expect(sysBind(r.a.task, y, addr(A, 8))).toBe(0);
    await end(r);
  });

  test('the socket that insists on most gets the datagram', async () => {
    const r = await rig();
    const any = open(r.b);
    const bound = open(r.b);
    const connected = open(r.b);
    for (const fd of [any, bound, connected]) sysSetsockopt(r.b.task, fd, SOL_SOCKET, SO_REUSEADDR, 1);
    sysBind(r.b.task, any, addr('0.0.0.0', 7));
    sysBind(r.b.task, bound, addr(B, 7));
    sysBind(r.b.task, connected, addr(B, 7));
    expect(sysConnect(r.b.task, connected, addr(A, 1000))).toBe(0);
    const from1000 = open(r.a, 1000);
    const from1001 = open(r.a, 1001);
    sysSendto(r.a.task, from1000, bytes('to the connected one'), 0, addr(B, 7));
    sysSendto(r.a.task, from1001, bytes('to the bound one'), 0, addr(B, 7));
    sysSendto(r.b.task, open(r.b), bytes('to the other'), 0, addr('127.0.0.1', 7));
    await idle(r.lan.world);
    expect(take(r.b, connected)).toBe(`to the connected one from ${A}:1000`);
    expect(take(r.b, bound)).toBe(`to the bound one from ${A}:1001`);
    expect(String(take(r.b, any))).toMatch(/^to the other from 127\.0\.0\.1:/);
    await end(r);
  });

  test('SO_REUSEPORT spreads flows, and keeps each flow with its socket', async () => {
    const r = await rig();
    const fds = [0, 1, 2, 3].map(() => {
      const fd = open(r.b);
      sysSetsockopt(r.b.task, fd, SOL_SOCKET, SO_REUSEPORT, 1);
      expect(sysBind(r.b.task, fd, addr('0.0.0.0', 7))).toBe(0);
      return fd;
    });
    const senders = Array.from({ length: 32 }, (_, i) => open(r.a, 2000 + i));
    for (const sender of [...senders, ...senders]) sysSendto(r.a.task, sender, bytes('x'), 0, addr(B, 7));
    await idle(r.lan.world);
    const got = fds.map((fd) => {
      const from: string[] = [];
      for (let m = take(r.b, fd); typeof m === 'string'; m = take(r.b, fd)) from.push(m);
      return from;
    });
    expect(got.map((from) => from.length).every((n) => n > 0)).toBe(true);
    expect(got.flat().length).toBe(64);
    for (const from of got) expect(new Set(from).size * 2).toBe(from.length);
    await end(r);
  });
});

describe('connected sockets', () => {
  test('connect(2): names, write and read, and only the peer is heard', async () => {
    const r = await rig();
    const fdA = open(r.a);
    const fdB = open(r.b, 7);
    expect(sysConnect(r.a.task, fdA, addr(B, 7))).toBe(0);
    expect(r.a.net.udp.table.count4).toBe(1);
    const name = new SockAddrIn();
    sysGetsockname(r.a.task, fdA, name);
    expect(inNtoa(name.sinAddr)).toBe(A);
    const peer = new SockAddrIn();
    expect(sysGetpeername(r.a.task, fdA, peer)).toBe(0);
    expect(shown(peer)).toBe(`${B}:7`);
    expect(sysWrite(r.a.task, fdA, bytes('ping'))).toBe(4);
    await idle(r.lan.world);
    expect(take(r.b, fdB)).toBe(`ping from ${shown(name)}`);
    sysSendto(r.b.task, open(r.b, 8), bytes('stranger'), 0, name);
    sysSendto(r.b.task, fdB, bytes('pong'), 0, name);
    await idle(r.lan.world);
    const buf = new Uint8Array(64);
    expect(sysRead(r.a.task, fdA, buf)).toBe(4);
    expect(text(buf, 4)).toBe('pong');
    expect(take(r.a, fdA)).toBe(-EAGAIN);
    await end(r);
  });

  test('connect(2): AF_UNSPEC dissolves it', async () => {
    const r = await rig();
    const fd = open(r.a);
    sysConnect(r.a.task, fd, addr(B, 7));
    expect(sysConnect(r.a.task, fd, new SockAddr(AF_UNSPEC))).toBe(0);
    expect(sysGetpeername(r.a.task, fd, new SockAddrIn())).toBe(-ENOTCONN);
    const name = new SockAddrIn(1, 1);
    sysGetsockname(r.a.task, fd, name);
    expect(shown(name)).toBe('0.0.0.0:0');
    expect(r.a.net.udp.table.count).toBe(0);
    expect(sysSend(r.a.task, fd, bytes('x'), 0)).toBe(-EDESTADDRREQ);
    expect(sysSendto(r.a.task, fd, bytes('x'), 0, addr(B, 7))).toBe(1);
    await end(r);
  });

  test('a connected socket keeps its route, and asks again only when the tables have changed', async () => {
    const r = await rig();
    const fd = open(r.a);
    sysConnect(r.a.task, fd, addr(B, 7));
    let asked = 0;
    traceNet(r.a.net, (hit) => (asked += Number(hit.function === 'ip_route_output_flow')));
    const send = (n: number): void => {
      for (let i = 0; i < n; i++) sysWrite(r.a.task, fd, bytes('x'));
    };
    send(3);
    expect(asked).toBe(0);
    ipAddrAdd(r.a.dev, '10.5.0.1/24');
    send(3);
    expect(asked).toBe(1);
    await end(r);
  });

  test('errors of sendto(2): no destination, port 0, no route', async () => {
    const r = await rig();
    const fd = open(r.a);
    expect(sysSend(r.a.task, fd, bytes('x'), 0)).toBe(-EDESTADDRREQ);
    expect(sysSendto(r.a.task, fd, bytes('x'), 0, addr(B, 0))).toBe(-EINVAL);
    expect(sysSendto(r.a.task, fd, bytes('x'), 0, addr('192.0.2.1', 7))).toBe(-ENETUNREACH);
    expect(sysConnect(r.a.task, fd, addr('192.0.2.1', 7))).toBe(-ENETUNREACH);
    expect(counters(r.a)['IpOutNoRoutes']).toBe(2);
    await end(r);
  });

  test('shutdown(2): SHUT_RD ends a sleeping receive with 0; -ENOTCONN without a peer', async () => {
    const r = await rig();
    const fd = open(r.a, 7);
    const reading = sysRead(r.a.task, fd, new Uint8Array(1));
    expect(sysShutdown(r.a.task, fd, SHUT_RD)).toBe(-ENOTCONN);
    expect(await reading).toBe(0);
    sysConnect(r.a.task, fd, addr(B, 7));
    expect(sysShutdown(r.a.task, fd, SHUT_RD)).toBe(0);
    await end(r);
  });
});

describe('errors from the network', () => {
  test('RFC 1122 §4.1.3.1: a port that nobody has is answered, and §4.1.3.3: a connected sender hears of it', async () => {
    const r = await rig();
    const fd = open(r.a);
    sysConnect(r.a.task, fd, addr(B, 9));
    expect(sysWrite(r.a.task, fd, bytes('anybody?'))).toBe(8);
    await idle(r.lan.world);
    expect(counters(r.b)).toMatchObject({ UdpNoPorts: 1, IcmpOutDestUnreachs: 1 });
    const pfd = new PollFd(fd, 0);
    sysPoll(r.a.task, [pfd], 0);
    expect(pfd.revents).toBe(EPOLLERR);
    expect(sysWrite(r.a.task, fd, bytes('again'))).toBe(-ECONNREFUSED);
    expect(sysRecv(r.a.task, fd, new Uint8Array(1), MSG_DONTWAIT)).toBe(-EAGAIN);
    await end(r);
  });

  test('a sleeping receive is woken by it, and SO_ERROR takes it', async () => {
    const r = await rig();
    const fd = open(r.a);
    sysConnect(r.a.task, fd, addr(B, 9));
    const reading = sysRead(r.a.task, fd, new Uint8Array(1));
    sysWrite(r.a.task, fd, bytes('x'));
    expect(await reading).toBe(-ECONNREFUSED);
    sysWrite(r.a.task, fd, bytes('x'));
    await idle(r.lan.world);
    expect(sysGetsockopt(r.a.task, fd, SOL_SOCKET, SO_ERROR)).toBe(ECONNREFUSED);
    expect(sysGetsockopt(r.a.task, fd, SOL_SOCKET, SO_ERROR)).toBe(0);
    await end(r);
  });

  test('a sender that is not connected hears nothing, unless it has IP_RECVERR', async () => {
    const r = await rig();
    const fd = open(r.a, 1000);
    sysSendto(r.a.task, fd, bytes('one'), 0, addr(B, 9));
    await idle(r.lan.world);
    expect(sysGetsockopt(r.a.task, fd, SOL_SOCKET, SO_ERROR)).toBe(0);
    sysSetsockopt(r.a.task, fd, SOL_IP, IP_RECVERR, 1);
    sysSendto(r.a.task, fd, bytes('two'), 0, addr(B, 9));
    await idle(r.lan.world);
    expect(take(r.a, fd)).toBe(-ECONNREFUSED);
    const buf = new Uint8Array(64);
    const msg = makeMsgHdr([buf], new SockAddrIn());
    msg.msgControl = [];
    msg.msgControllen = 4;
    expect(sysRecvmsg(r.a.task, fd, msg, MSG_ERRQUEUE)).toBe(3);
    expect(text(buf, 3)).toBe('two');
    expect(shown(msg.msgName as SockAddrIn)).toBe(`${B}:9`);
    expect(msg.msgControl[0]?.cmsgData).toMatchObject({ eeErrno: ECONNREFUSED, eeOrigin: 2, eeType: 3, eeCode: 3, offender: inAton(B) });
    expect(msg.msgFlags & MSG_ERRQUEUE).toBe(MSG_ERRQUEUE);
    expect(sysRecvmsg(r.a.task, fd, msg, MSG_ERRQUEUE)).toBe(-EAGAIN);
    await end(r);
  });

  test('udp(7): SO_RCVBUF is a limit; what is beyond it is dropped and counted', async () => {
    const r = await rig();
    const fdA = open(r.a);
    const fdB = open(r.b, 7);
    sysSetsockopt(r.b.task, fdB, SOL_SOCKET, SO_RCVBUF, 8000);
    sysSetsockopt(r.b.task, fdB, SOL_SOCKET, SO_RXQ_OVFL, 1);
    for (let i = 0; i < 50; i++) sysSendto(r.a.task, fdA, new Uint8Array(1000), 0, addr(B, 7));
    await idle(r.lan.world);
    let got = 0;
    while (typeof take(r.b, fdB) === 'string') got++;
    const c = counters(r.b);
    expect(got).toBeGreaterThan(2);
    expect(got + (c['UdpRcvbufErrors'] ?? 0)).toBe(50);
    expect(c['UdpInErrors']).toBe(50 - got);
    sysSendto(r.a.task, fdA, bytes('x'), 0, addr(B, 7));
    await idle(r.lan.world);
    const msg = makeMsgHdr([new Uint8Array(10)]);
    msg.msgControl = [];
    msg.msgControllen = 4;
    sysRecvmsg(r.b.task, fdB, msg, 0);
    expect(msg.msgControl).toEqual([new Cmsg(SOL_SOCKET, SO_RXQ_OVFL, 50 - got)]);
    await end(r);
  });
});

describe('broadcast and multicast', () => {
  test('udp(7): broadcast needs SO_BROADCAST (-EACCES)', async () => {
    const r = await rig();
    const fdA = open(r.a, 1000);
    const fdB = open(r.b, 7);
    expect(sysSendto(r.a.task, fdA, bytes('all'), 0, addr('10.0.0.255', 7))).toBe(-EACCES);
    expect(sysConnect(r.a.task, fdA, addr('10.0.0.255', 7))).toBe(-EACCES);
    sysSetsockopt(r.a.task, fdA, SOL_SOCKET, SO_BROADCAST, 1);
    expect(sysSendto(r.a.task, fdA, bytes('all'), 0, addr('10.0.0.255', 7))).toBe(3);
    await idle(r.lan.world);
    expect(take(r.b, fdB)).toBe(`all from ${A}:1000`);
    await end(r);
  });

  test('every socket on the port gets a copy of a broadcast', async () => {
    const r = await rig();
    const fdA = open(r.a, 1000);
    sysSetsockopt(r.a.task, fdA, SOL_SOCKET, SO_BROADCAST, 1);
    const fds = [0, 1, 2].map(() => {
      const fd = open(r.b);
      sysSetsockopt(r.b.task, fd, SOL_SOCKET, SO_REUSEADDR, 1);
      sysBind(r.b.task, fd, addr('0.0.0.0', 7));
      return fd;
    });
    sysSendto(r.a.task, fdA, bytes('all'), 0, addr('10.0.0.255', 7));
    sysSendto(r.a.task, fdA, bytes('nobody'), 0, addr('10.0.0.255', 8));
    await idle(r.lan.world);
    for (const fd of fds) expect(take(r.b, fd)).toBe(`all from ${A}:1000`);
    // RFC 1122 §3.2.2: no ICMP error about a broadcast.
    expect(counters(r.b)).toMatchObject({ IcmpOutDestUnreachs: 0, UdpIgnoredMulti: 1 });
    await end(r);
  });
});

describe('groups', () => {
  test('ip(7): a datagram to a group reaches those who joined it, and no others', async () => {
    const r = await rig();
    const fdA = open(r.a, 1000);
    const member = open(r.b);
    const other = open(r.b);
    for (const fd of [member, other]) {
      sysSetsockopt(r.b.task, fd, SOL_SOCKET, SO_REUSEADDR, 1);
      sysSetsockopt(r.b.task, fd, SOL_IP, IP_MULTICAST_ALL, 0);
      sysBind(r.b.task, fd, addr('0.0.0.0', 7));
    }
    const group = new IpMreqn(inAton('239.1.2.3'), inAton(B), 0);
    expect(sysSetsockopt(r.a.task, fdA, SOL_IP, IP_MULTICAST_IF, new IpMreqn(0, inAton(A), 0))).toBe(0);
    sysSendto(r.a.task, fdA, bytes('early'), 0, addr('239.1.2.3', 7));
    await idle(r.lan.world);
    expect(sysSetsockopt(r.b.task, member, SOL_IP, IP_ADD_MEMBERSHIP, group)).toBe(0);
    sysSendto(r.a.task, fdA, bytes('group'), 0, addr('239.1.2.3', 7));
    await idle(r.lan.world);
    expect([take(r.b, member), take(r.b, member), take(r.b, other)]).toEqual([`group from ${A}:1000`, -EAGAIN, -EAGAIN]);
    expect(sysSetsockopt(r.b.task, member, SOL_IP, IP_DROP_MEMBERSHIP, group)).toBe(0);
    sysSendto(r.a.task, fdA, bytes('late'), 0, addr('239.1.2.3', 7));
    await idle(r.lan.world);
    expect(take(r.b, member)).toBe(-EAGAIN);
    await end(r);
  });

  test('a socket that closes leaves its groups', async () => {
    const r = await rig();
    const fd = open(r.b, 7);
    sysSetsockopt(r.b.task, fd, SOL_IP, IP_ADD_MEMBERSHIP, new IpMreqn(inAton('239.1.2.3'), inAton(B), 0));
    const { ipPtr } = r.b.dev;
    expect(ipPtr !== null && ipCheckMc(ipPtr, inAton('239.1.2.3'))).toBe(true);
    sysClose(r.b.task, fd);
    expect(ipPtr !== null && ipCheckMc(ipPtr, inAton('239.1.2.3'))).toBe(false);
    await end(r);
  });
});

/** A hook that does something to each packet that leaves, after its checksum was taken. */
function onWire(edit: (skb: SkBuff) => void): NfHookOps {
  return {
    pf: NFPROTO_IPV4,
    hooknum: NF_INET_POST_ROUTING,
    priority: 0,
    hook(_priv, skb) {
      edit(skb);
      return NF_ACCEPT;
    },
  };
}

describe('checksums and control messages', () => {
  test('SO_NO_CHECK sends checksum 0, and that is accepted (RFC 768)', async () => {
    const r = await rig();
    const fdA = open(r.a, 1000);
    const fdB = open(r.b, 7);
    sysSetsockopt(r.a.task, fdA, SOL_SOCKET, SO_NO_CHECK, 1);
    sysSendto(r.a.task, fdA, bytes('x'), 0, addr(B, 7));
    await idle(r.lan.world);
    expect(take(r.b, fdB)).toBe(`x from ${A}:1000`);
    await end(r);
  });

  test('without offload the checksum is computed here', async () => {
    const lan = makeLan();
    const a = makeHost(lan, 'a', `${A}/24`, { offloads: false });
    const b = makeHost(lan, 'b', `${B}/24`, { offloads: false });
    await idle(lan.world);
    const fdA = open(a, 1000);
    const fdB = open(b, 7);
    for (const length of [0, 1, 2, 3, 1471, 1472, 1473, 9001]) {
      const data = Uint8Array.from({ length }, (_, i) => 255 - i);
      sysSendto(a.task, fdA, data, 0, addr(B, 7));
      await idle(lan.world);
      const buf = new Uint8Array(10000);
      expect(sysRecv(b.task, fdB, buf, MSG_DONTWAIT)).toBe(length);
      expect(Buffer.compare(buf.subarray(0, length), data)).toBe(0);
    }
    expect(counters(b)['UdpInCsumErrors']).toBe(0);
    expect(await endLan(lan, a, b)).toEqual([]);
  });

  test('RFC 1122 §4.1.3.4: a datagram whose checksum is wrong is dropped silently, and counted', async () => {
    const lan = makeLan();
    const a = makeHost(lan, 'a', `${A}/24`, { offloads: false });
    const b = makeHost(lan, 'b', `${B}/24`, { offloads: false });
    await idle(lan.world);
    const fdA = open(a, 1000);
    const fdB = open(b, 7);
    const corrupt = onWire((skb) => skb.view.setUint8(skb.tail - 1, skb.view.getUint8(skb.tail - 1) ^ 0x10));
    nfRegisterNetHook(a.net, corrupt);
    sysSendto(a.task, fdA, bytes('wrong'), 0, addr(B, 7));
    sysSendto(a.task, fdA, bytes('wrong'), 0, addr(B, 8));
    await idle(lan.world);
    expect(take(b, fdB)).toBe(-EAGAIN);
    expect(counters(b)).toMatchObject({ UdpInCsumErrors: 2, UdpInErrors: 2, UdpNoPorts: 0, IcmpOutDestUnreachs: 0 });
    nfUnregisterNetHook(a.net, corrupt);
    sysSendto(a.task, fdA, bytes('right'), 0, addr(B, 7));
    await idle(lan.world);
    expect(take(b, fdB)).toBe(`right from ${A}:1000`);
    expect(await endLan(lan, a, b)).toEqual([]);
  });

  test('RFC 768: a checksum that comes out as 0 is sent as all ones', async () => {
    const lan = makeLan();
    const a = makeHost(lan, 'a', `${A}/24`, { offloads: false });
    const b = makeHost(lan, 'b', `${B}/24`, { offloads: false });
    await idle(lan.world);
    const fdA = open(a, 1000);
    const fdB = open(b, 7);
    const sent: number[] = [];
    nfRegisterNetHook(a.net, onWire((skb) => sent.push(skb.view.getUint16(skb.transportHeader + UDP_CHECK))));
    sysSendto(a.task, fdA, Uint8Array.of(0, 0), 0, addr(B, 7));
    const [check = 0] = sent;
    // The sum of the rest is ~check: this payload makes it all ones, whose complement is 0.
    sysSendto(a.task, fdA, Uint8Array.of(check >> 8, check & 0xff), 0, addr(B, 7));
    expect(sent[1]).toBe(0xffff);
    await idle(lan.world);
    expect(counters(b)['UdpInCsumErrors']).toBe(0);
    expect(sysRecv(b.task, fdB, new Uint8Array(2), MSG_DONTWAIT)).toBe(2);
    expect(sysRecv(b.task, fdB, new Uint8Array(2), MSG_DONTWAIT)).toBe(2);
    expect(await endLan(lan, a, b)).toEqual([]);
  });

  test('the length of the header counts: what is behind it is cut off, one that is too long or too short is dropped', async () => {
    const r = await rig();
    const fdA = open(r.a, 1000);
    const fdB = open(r.b, 7);
    sysSetsockopt(r.a.task, fdA, SOL_SOCKET, SO_NO_CHECK, 1);
    let length = 0;
    nfRegisterNetHook(r.a.net, onWire((skb) => skb.view.setUint16(skb.transportHeader + UDP_LEN, length)));
    for (length of [8 + 3, 8 + 6, 7]) sysSendto(r.a.task, fdA, bytes('hello'), 0, addr(B, 7));
    await idle(r.lan.world);
    expect([take(r.b, fdB), take(r.b, fdB)]).toEqual([`hel from ${A}:1000`, -EAGAIN]);
    expect(counters(r.b)).toMatchObject({ UdpInErrors: 2, UdpInCsumErrors: 0 });
    await end(r);
  });

  test('IP_PKTINFO tells the address and device that it came to; and chooses the source', async () => {
    const r = await rig();
    const fdA = open(r.a, 1000);
    const fdB = open(r.b, 7);
    sysSetsockopt(r.b.task, fdB, SOL_IP, IP_PKTINFO, 1);
    sysSetsockopt(r.b.task, fdB, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    sysSendto(r.a.task, fdA, bytes('x'), 0, addr(B, 7));
    await idle(r.lan.world);
    const msg = makeMsgHdr([new Uint8Array(10)], new SockAddrIn());
    msg.msgControl = [];
    msg.msgControllen = 8;
    expect(sysRecvmsg(r.b.task, fdB, msg, 0)).toBe(1);
    const info = msg.msgControl.find((c) => c.cmsgType === IP_PKTINFO)?.cmsgData;
    expect(info).toEqual(new InPktinfo(r.b.dev.ifindex, inAton(B), inAton(B)));
    expect(msg.msgControl.find((c) => c.cmsgType === SO_TIMESTAMPNS)?.cmsgData).toBeInstanceOf(Timespec);
    const reply = makeMsgHdr([bytes('y')], msg.msgName);
    reply.msgControl = [new Cmsg(SOL_IP, IP_PKTINFO, info as InPktinfo)];
    reply.msgControllen = 1;
    expect(sysSendmsg(r.b.task, fdB, reply, 0)).toBe(1);
    await idle(r.lan.world);
    expect(take(r.a, fdA)).toBe(`y from ${B}:7`);
    await end(r);
  });

  test('FIONREAD is the length of the next datagram, MSG_PEEK leaves it', async () => {
    const r = await rig();
    const fdA = open(r.a, 1000);
    const fdB = open(r.b, 7);
    for (const m of ['three', 'more']) sysSendto(r.a.task, fdA, bytes(m), 0, addr(B, 7));
    await idle(r.lan.world);
    expect(sysIoctl(r.b.task, fdB, FIONREAD)).toBe(5);
    expect([take(r.b, fdB, MSG_PEEK), take(r.b, fdB), take(r.b, fdB)]).toEqual([
      `three from ${A}:1000`, `three from ${A}:1000`, `more from ${A}:1000`,
    ]);
    await end(r);
  });
});

describe('the socket contract on UDP', () => {
  const makePair = async (): Promise<SocketPair & { rig: Rig }> => {
    const r = await rig();
    return {
      rig: r,
      netA: r.a.net,
      netB: r.b.net,
      type: SOCK_DGRAM,
      connect: (a, b) => {
        const fdA = sysSocket(a, PF_INET, SOCK_DGRAM, 0);
        const fdB = sysSocket(b, PF_INET, SOCK_DGRAM, 0);
        sysBind(a, fdA, addr(A, 5000));
        sysBind(b, fdB, addr(B, 5000));
        sysConnect(a, fdA, addr(B, 5000));
        sysConnect(b, fdB, addr(A, 5000));
        return [fdA, fdB];
      },
    };
  };
  for (const t of socketContract) {
    test(t.name, async () => {
      const pair = await makePair();
      await t.run(() => pair);
      await end(pair.rig);
    });
  }
});
