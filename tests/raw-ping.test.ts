// Ping sockets between whole hosts: SOCK_DGRAM of IPPROTO_ICMP (icmp(7), ping_group_range).
import { EACCES, EADDRINUSE, EAGAIN, EDESTADDRREQ, EHOSTUNREACH, EINVAL, EMSGSIZE, idle, snmpSnapshot } from '@stack/kernel';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import {
  ICMP_DEST_UNREACH, ICMP_ECHO, ICMP_ECHOREPLY, ICMP_TIMESTAMP, ICMP_TIME_EXCEEDED, IP_PKTINFO, IP_RECVERR, IP_RECVTTL, IP_TTL, InPktinfo,
  IPPROTO_ICMP,
} from '@stack/ip';
import {
  AF_UNSPEC, makeMsgHdr, MSG_DONTWAIT, MSG_ERRQUEUE, PF_INET, SO_ATTACH_FILTER, SO_BROADCAST, SO_REUSEADDR, SO_SNDBUF, SOCK_DGRAM, SOCK_RAW,
  SockAddr, SockExtendedErr, SOL_IP, SOL_SOCKET, sysBind, sysClose, sysConnect, sysGetsockname, sysSend, sysSendmsg, sysSendto, sysSetsockopt,
  sysSocket,
} from '@stack/socket';
import type { Host } from '@stack/host';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { A, addr, B, bytes, checksum, endRig, icmp, inetSocket, ipv4, rawRig, take, type Got, type RawRig } from './support/raw-rig.ts';

let rig: RawRig;

beforeEach(() => {
  rig = rawRig();
});
afterEach(() => endRig(rig));

const ping = (host: Host): number => inetSocket(host, SOCK_DGRAM, IPPROTO_ICMP);
const settle = (): Promise<void> => idle(rig.world);
const send = (fd: number, data: Uint8Array, to = B): number => sysSendto(rig.a.task, fd, data, MSG_DONTWAIT, addr(to)) as number;
const echo = (sequence: number, data = bytes('data')): Uint8Array => icmp(ICMP_ECHO, 0, 0xdead, sequence, data);

function read(fd: number, flags = 0): Got & { from: SockAddrIn } {
  const from = new SockAddrIn();
  return { ...take(rig.a, fd, from, flags), from };
}

function identOf(fd: number): number {
  const name = new SockAddrIn();
  sysGetsockname(rig.a.task, fd, name);
  return name.sinPort;
}

test('an echo request, and its reply without IP header: the identifier is the socket\'s, whatever the user wrote', async () => {
  const fd = ping(rig.a);
  expect(send(fd, echo(1))).toBe(12);
  await settle();
  const got = read(fd);
  expect([...got.data]).toEqual([...icmp(ICMP_ECHOREPLY, 0, identOf(fd), 1, bytes('data'))]);
  expect([got.from.sinAddr, got.from.sinPort, identOf(fd) > 0]).toEqual([inAton(B), 0, true]);
  expect(snmpSnapshot(rig.a.net)['IcmpOutEchos']).toBe(1);
});

test('the checksum is the kernel\'s, of odd lengths and of several buffers too', async () => {
  const fd = ping(rig.a);
  const spy = inetSocket(rig.b, SOCK_RAW, IPPROTO_ICMP);
  const [head, one, two] = [echo(1, new Uint8Array(0)), bytes('abc'), bytes('defg')];
  head.set([9, 9], 2);
  expect(sysSendmsg(rig.a.task, fd, makeMsgHdr([head.subarray(0, 5), head.subarray(5), one, two], addr(B)), MSG_DONTWAIT)).toBe(15);
  await settle();
  const { data } = take(rig.b, spy, new SockAddrIn());
  expect([checksum(data.subarray(20)), [...data.subarray(28)]]).toEqual([0, [...bytes('abcdefg')]]);
});

test('each socket gets the replies to its own requests only', async () => {
  const [first, second] = [ping(rig.a), ping(rig.a)];
  send(first, echo(1));
  send(second, echo(2));
  await settle();
  expect([read(first).data[7], read(first).n, read(second).data[7], read(second).n]).toEqual([1, -EAGAIN, 2, -EAGAIN]);
});

test('bind chooses the identifier; another\'s is EADDRINUSE, unless both have SO_REUSEADDR', () => {
  const fds = [ping(rig.a), ping(rig.a), ping(rig.a)];
  for (const fd of fds) sysSetsockopt(rig.a.task, fd, SOL_SOCKET, SO_REUSEADDR, 0);
  expect(sysBind(rig.a.task, fds[0] as number, addr('0.0.0.0', 77))).toBe(0);
  expect(identOf(fds[0] as number)).toBe(77);
  expect(sysBind(rig.a.task, fds[1] as number, addr('0.0.0.0', 77))).toBe(-EADDRINUSE);
  for (const fd of fds) sysSetsockopt(rig.a.task, fd, SOL_SOCKET, SO_REUSEADDR, 1);
  expect(sysBind(rig.a.task, fds[2] as number, addr('0.0.0.0', 77))).toBe(0);
});

test('the identifier is free again when its socket is closed', async () => {
  const fd = ping(rig.a);
  sysSetsockopt(rig.a.task, fd, SOL_SOCKET, SO_REUSEADDR, 0);
  sysBind(rig.a.task, fd, addr('0.0.0.0', 77));
  await sysClose(rig.a.task, fd);
  expect(sysBind(rig.a.task, ping(rig.a), addr('0.0.0.0', 77))).toBe(0);
});

test('EINVAL for anything but an echo request: another type, another code, less than a header', () => {
  const fd = ping(rig.a);
  expect(send(fd, icmp(ICMP_ECHOREPLY, 0, 1, 1, bytes('x')))).toBe(-EINVAL);
  expect(send(fd, icmp(ICMP_TIMESTAMP, 0, 1, 1, new Uint8Array(12)))).toBe(-EINVAL);
  expect(send(fd, icmp(ICMP_ECHO, 1, 1, 1, bytes('x')))).toBe(-EINVAL);
  expect(send(fd, new Uint8Array(7))).toBe(-EINVAL);
  expect(send(fd, new Uint8Array(0x10000))).toBe(-EMSGSIZE);
});

test('connect: send without an address; only the peer\'s errors count; AF_UNSPEC dissolves it', async () => {
  const fd = ping(rig.a);
  expect(sysSend(rig.a.task, fd, echo(1), MSG_DONTWAIT)).toBe(-EDESTADDRREQ);
  expect(await sysConnect(rig.a.task, fd, addr(B))).toBe(0);
  expect(sysSend(rig.a.task, fd, echo(2), MSG_DONTWAIT)).toBe(12);
  await settle();
  expect(read(fd).data[7]).toBe(2);
  expect(await sysConnect(rig.a.task, fd, new SockAddr(AF_UNSPEC))).toBe(0);
  expect(send(fd, echo(3))).toBe(12);
  await settle();
  expect(read(fd).data[7]).toBe(3);
});

test('what others sent is not the socket\'s: requests, and replies with another identifier', async () => {
  const fd = ping(rig.a);
  sysBind(rig.a.task, fd, addr('0.0.0.0', 5));
  const raw = inetSocket(rig.b, SOCK_RAW, IPPROTO_ICMP);
  for (const message of [icmp(ICMP_ECHO, 0, 5, 1, bytes('x')), icmp(ICMP_ECHOREPLY, 0, 6, 1, bytes('x')), icmp(ICMP_ECHOREPLY, 0, 5, 9, bytes('x'))]) {
    sysSendto(rig.b.task, raw, message, MSG_DONTWAIT, addr(A));
  }
  await settle();
  expect([read(fd).data[7], read(fd).n]).toEqual([9, -EAGAIN]);
});

/** Has b say that the request a has sent last went no further. */
async function timeExceeded(fd: number): Promise<void> {
  const quoted = ipv4(IPPROTO_ICMP, A, '192.0.2.1', icmp(ICMP_ECHO, 0, identOf(fd), 4, bytes('data')));
  const raw = inetSocket(rig.b, SOCK_RAW, IPPROTO_ICMP);
  sysSendto(rig.b.task, raw, icmp(ICMP_TIME_EXCEEDED, 0, 0, 0, quoted), MSG_DONTWAIT, addr(A));
  await settle();
}

test('IP_RECVERR: an ICMP error about a request, with the request, in the error queue', async () => {
  const fd = ping(rig.a);
  sysSetsockopt(rig.a.task, fd, SOL_IP, IP_RECVERR, 1);
  send(fd, echo(4));
  await settle();
  read(fd);
  await timeExceeded(fd);
  expect(read(fd).n).toBe(-EHOSTUNREACH);
  const got = read(fd, MSG_ERRQUEUE);
  expect([...got.data]).toEqual([...icmp(ICMP_ECHO, 0, identOf(fd), 4, bytes('data'))]);
  expect(got.control.map(({ cmsgData }) => cmsgData)).toEqual(
    [new SockExtendedErr(EHOSTUNREACH, 2, ICMP_TIME_EXCEEDED, 0, 0, 0, inAton(B))],
  );
});

test('without it, an error that may pass is none', async () => {
  const fd = ping(rig.a);
  send(fd, echo(4));
  await settle();
  read(fd);
  await timeExceeded(fd);
  expect(read(fd).n).toBe(-EAGAIN);
});

test('an address on the link that nobody has: the connected socket hears EHOSTUNREACH', async () => {
  const fd = ping(rig.a);
  sysSetsockopt(rig.a.task, fd, SOL_IP, IP_RECVERR, 1);
  send(fd, echo(1), '10.0.0.99');
  await settle();
  await rig.a.idle();
  const got = read(fd, MSG_ERRQUEUE);
  expect(got.control.map(({ cmsgData }) => (cmsgData as SockExtendedErr).eeType)).toEqual([ICMP_DEST_UNREACH]);
});

test('IP_PKTINFO, IP_RECVTTL; SO_ATTACH_FILTER sees the message from its ICMP header on', async () => {
  const fd = ping(rig.a);
  sysSetsockopt(rig.a.task, fd, SOL_IP, IP_PKTINFO, 1);
  sysSetsockopt(rig.a.task, fd, SOL_IP, IP_RECVTTL, 1);
  sysSetsockopt(rig.a.task, fd, SOL_SOCKET, SO_ATTACH_FILTER, (buf: Uint8Array, offset: number) => (buf[offset + 7] === 2 ? 10 : 0));
  send(fd, echo(1));
  send(fd, echo(2));
  await settle();
  const got = read(fd);
  expect([got.data[7], got.n, read(fd).n]).toEqual([2, 10, -EAGAIN]);
  expect(got.control.map(({ cmsgType, cmsgData }) => [cmsgType, cmsgData])).toEqual([
    [IP_PKTINFO, new InPktinfo(2, inAton(A), inAton(A))], [IP_TTL, 64],
  ]);
});

test('65,507 octets there and back, in fragments', async () => {
  const fd = ping(rig.a);
  const data = new Uint8Array(65507 - 8).map((_, i) => i * 7);
  expect(send(fd, echo(1, data.subarray(0, 65499)))).toBe(65507);
  await settle();
  const got = read(fd);
  expect(got.n).toBe(65507);
  expect(Buffer.compare(got.data.subarray(8), data)).toBe(0);
});

test('EAGAIN with a full send buffer leaves the message to be sent again whole', async () => {
  const fd = ping(rig.a);
  sysSetsockopt(rig.a.task, fd, SOL_SOCKET, SO_SNDBUF, 1);
  // What waits for the address of somebody who is not there fills the buffer, until ARP gives up.
  let waiting = 0;
  while (send(fd, echo(1), '10.0.0.99') > 0) waiting++;
  expect([waiting > 1, send(fd, echo(1))]).toEqual([true, -EAGAIN]);
  expect(await sysSendto(rig.a.task, fd, echo(2), 0, addr(B))).toBe(12);
  await settle();
  const reply = read(fd);
  expect([...reply.data]).toEqual([...icmp(ICMP_ECHOREPLY, 0, identOf(fd), 2, bytes('data'))]);
});

test('a broadcast wants SO_BROADCAST', () => {
  const fd = ping(rig.a);
  expect(send(fd, echo(1), '10.0.0.255')).toBe(-EACCES);
  sysSetsockopt(rig.a.task, fd, SOL_SOCKET, SO_BROADCAST, 1);
  expect(send(fd, echo(1), '10.0.0.255')).toBe(12);
});

test('net.ipv4.ping_group_range: nobody may, as the kernel has it, until it says so', () => {
  rig.a.sysctl('net.ipv4.ping_group_range', [1, 0]);
  expect(sysSocket(rig.a.task, PF_INET, SOCK_DGRAM, IPPROTO_ICMP)).toBe(-EACCES);
  rig.a.sysctl('net.ipv4.ping_group_range', [0, 2147483647]);
  expect(sysSocket(rig.a.task, PF_INET, SOCK_DGRAM, IPPROTO_ICMP)).toBeGreaterThanOrEqual(0);
  expect(sysSocket(rig.a.task, PF_INET, SOCK_DGRAM, 0)).toBeGreaterThanOrEqual(0);
});
