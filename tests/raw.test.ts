// Raw sockets between whole hosts: raw(7), ip(7), RFC 1122 §3.2.2.1.
import {
  EACCES, EADDRNOTAVAIL, EAGAIN, ECONNREFUSED, EDESTADDRREQ, EINVAL, EMSGSIZE, ENOPROTOOPT, EOPNOTSUPP, EPROTONOSUPPORT, idle, snmpSnapshot,
} from '@stack/kernel';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import {
  ICMP_DEST_UNREACH, ICMP_ECHO, ICMP_ECHOREPLY, ICMP_PROT_UNREACH, IP_ADD_MEMBERSHIP, IP_HDRINCL, IP_MTU_DISCOVER, IP_MULTICAST_ALL,
  IP_OPTIONS, IP_PKTINFO, IP_RECVERR, IP_RECVTOS, IP_RECVTTL, IP_TOS, IP_TTL, InPktinfo, IpMreqn, IPPROTO_ICMP, IPPROTO_RAW, IPPROTO_TCP,
  IP_ROUTER_ALERT, IPPROTO_UDP, ipRouteAdd,
} from '@stack/ip';
import { ICMP_FILTER, IcmpFilter } from '@stack/inet';
import {
  AF_INET6, AF_UNSPEC, Cmsg, FIONREAD, makeMsgHdr, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_MORE, MSG_OOB, MSG_TRUNC, PF_INET, SO_ATTACH_FILTER,
  SO_BINDTODEVICE, SO_BROADCAST, SO_ERROR, SO_RCVBUF, SOCK_DGRAM, SOCK_RAW, SockAddr, SockExtendedErr, SOL_IP, SOL_PACKET, SOL_RAW, SOL_SOCKET, sysBind,
  sysClose, sysConnect, sysGetsockname, sysGetsockopt, sysIoctl, sysRecvfrom, sysSend, sysSendmsg, sysSendto, sysSetsockopt, sysSocket,
} from '@stack/socket';
import { createHost, virtioOn, type Host } from '@stack/host';
import { createSwitch } from '@stack/nic-virtio-sim';
import { ETH_P_ALL, PACKET_OUTGOING } from '@stack/netdev';
import { PACKET_AUXDATA, SockAddrLl, TP_STATUS_CSUMNOTREADY, type TpacketAuxdata } from '@stack/packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { A, addr, B, bytes, checksum, endRig, icmp, inetSocket, ipv4, packetSocket, rawRig, take, type Got, type RawRig } from './support/raw-rig.ts';

/** A protocol that no host has (RFC 3692). */
const PROTO = 253;

let rig: RawRig;

beforeEach(() => {
  rig = rawRig();
});
afterEach(() => endRig(rig));

const raw = (host: Host, protocol = PROTO): number => inetSocket(host, SOCK_RAW, protocol);
const send = (host: Host, fd: number, data: Uint8Array, to: string): number => sysSendto(host.task, fd, data, MSG_DONTWAIT, addr(to)) as number;
const settle = (): Promise<void> => idle(rig.world);
const counters = (host: Host): Record<string, number> => snmpSnapshot(host.net);

/** What is there now for a raw socket: the packet's IP header in words, and its payload. */
function header(got: Got): { version: number; length: number; protocol: number; payload: number[] } {
  const view = new DataView(got.data.buffer);
  const ihl = (view.getUint8(0) & 0x0f) * 4;
  return { version: view.getUint8(0), length: view.getUint16(2), protocol: view.getUint8(9), payload: [...got.data.subarray(ihl)] };
}

function takeRaw(host: Host, fd: number, flags = 0): Got & { from: SockAddrIn } {
  const from = new SockAddrIn();
  return { ...take(host, fd, from, flags), from };
}

describe('sending and receiving', () => {
  test('raw(7): the kernel makes the IP header on sending, and hands it up on receiving', async () => {
    const [from, to] = [raw(rig.a), raw(rig.b)];
    expect(send(rig.a, from, bytes('abc'), B)).toBe(3);
    await settle();
    const got = takeRaw(rig.b, to);
    expect(header(got)).toEqual({ version: 0x45, length: 23, protocol: PROTO, payload: [...bytes('abc')] });
    expect(checksum(got.data.subarray(0, 20))).toBe(0);
    expect([got.from.sinAddr, got.from.sinPort]).toEqual([inAton(A), 0]);
  });

  test('several listeners: each gets a packet of its own; one of another protocol gets none', async () => {
    const from = raw(rig.a);
    const listeners = [raw(rig.b), raw(rig.b), raw(rig.b)];
    const other = raw(rig.b, 254);
    send(rig.a, from, bytes('all'), B);
    await settle();
    for (const fd of listeners) expect(header(takeRaw(rig.b, fd)).payload).toEqual([...bytes('all')]);
    expect(takeRaw(rig.b, other).n).toBe(-EAGAIN);
  });

  test('the transport of the protocol gets the packet too', async () => {
    const spy = raw(rig.b, IPPROTO_UDP);
    const udp = inetSocket(rig.b, SOCK_DGRAM, IPPROTO_UDP);
    sysBind(rig.b.task, udp, addr('0.0.0.0', 7));
    const sender = inetSocket(rig.a, SOCK_DGRAM, IPPROTO_UDP);
    sysSendto(rig.a.task, sender, bytes('x'), 0, addr(B, 7));
    await settle();
    expect(header(takeRaw(rig.b, spy)).payload.slice(-1)).toEqual([...bytes('x')]);
    expect([...takeRaw(rig.b, udp).data]).toEqual([...bytes('x')]);
  });

  test('bind: only what was sent to this address, and from it; connect: only what the peer sent', async () => {
    const [bound, wrong, connected, strange] = [raw(rig.b), raw(rig.b), raw(rig.b), raw(rig.b)];
    expect(sysBind(rig.b.task, bound, addr(B))).toBe(0);
    expect(sysBind(rig.b.task, wrong, addr('127.0.0.1'))).toBe(0);
    expect(sysBind(rig.b.task, raw(rig.b), addr('10.9.9.9'))).toBe(-EADDRNOTAVAIL);
    expect(await sysConnect(rig.b.task, connected, addr(A))).toBe(0);
    expect(await sysConnect(rig.b.task, strange, addr('10.0.0.99'))).toBe(0);
    send(rig.a, raw(rig.a), bytes('1'), B);
    await settle();
    expect([bound, wrong, connected, strange].map((fd) => takeRaw(rig.b, fd).n)).toEqual([21, -EAGAIN, 21, -EAGAIN]);
    const name = new SockAddrIn();
    expect(sysGetsockname(rig.b.task, connected, name)).toBe(0);
    expect([name.sinAddr, name.sinPort]).toEqual([inAton(B), PROTO]);
  });

  test('connect and send without an address; AF_UNSPEC dissolves it, and all are heard again', async () => {
    const [from, to] = [raw(rig.a), raw(rig.b)];
    expect(sysSend(rig.a.task, from, bytes('x'), MSG_DONTWAIT)).toBe(-EDESTADDRREQ);
    await sysConnect(rig.a.task, from, addr(B));
    expect(sysSend(rig.a.task, from, bytes('x'), MSG_DONTWAIT)).toBe(1);
    await settle();
    expect(header(takeRaw(rig.b, to)).payload).toEqual([...bytes('x')]);
    await sysConnect(rig.b.task, to, addr('10.0.0.99'));
    await sysConnect(rig.b.task, to, new SockAddr(AF_UNSPEC));
    sysSend(rig.a.task, from, bytes('y'), MSG_DONTWAIT);
    await settle();
    expect(header(takeRaw(rig.b, to)).payload).toEqual([...bytes('y')]);
  });

  test('SO_BINDTODEVICE: packets of that device only', async () => {
    const [here, lo] = [raw(rig.b), raw(rig.b)];
    expect(sysSetsockopt(rig.b.task, here, SOL_SOCKET, SO_BINDTODEVICE, 'eth0')).toBe(0);
    expect(sysSetsockopt(rig.b.task, lo, SOL_SOCKET, SO_BINDTODEVICE, 'lo')).toBe(0);
    send(rig.a, raw(rig.a), bytes('x'), B);
    await settle();
    expect([takeRaw(rig.b, here).n, takeRaw(rig.b, lo).n]).toEqual([21, -EAGAIN]);
  });

  test('a datagram longer than the MTU is cut, and comes up whole, its total length that of the whole', async () => {
    const [from, to] = [raw(rig.a), raw(rig.b)];
    const data = new Uint8Array(5000).map((_, i) => i);
    sysSetsockopt(rig.a.task, from, SOL_IP, IP_MTU_DISCOVER, 0);
    expect(send(rig.a, from, data, B)).toBe(5000);
    await settle();
    const got = takeRaw(rig.b, to);
    expect(header(got)).toEqual({ version: 0x45, length: 5020, protocol: PROTO, payload: [...data] });
  });

  test('MSG_MORE gathers one datagram of several sends', async () => {
    const [from, to] = [raw(rig.a), raw(rig.b)];
    expect(sysSendto(rig.a.task, from, bytes('one '), MSG_MORE | MSG_DONTWAIT, addr(B))).toBe(4);
    expect(send(rig.a, from, bytes('two'), B)).toBe(3);
    await settle();
    expect(header(takeRaw(rig.b, to)).payload).toEqual([...bytes('one two')]);
    expect(takeRaw(rig.b, to).n).toBe(-EAGAIN);
  });

  test('what is gathered and never sent is freed with the socket', async () => {
    const from = raw(rig.a);
    sysSendto(rig.a.task, from, bytes('never'), MSG_MORE | MSG_DONTWAIT, addr(B));
    expect(await sysClose(rig.a.task, from)).toBe(0);
  });

  test('a broadcast wants SO_BROADCAST', async () => {
    const [from, to] = [raw(rig.a), raw(rig.b)];
    expect(send(rig.a, from, bytes('x'), '10.0.0.255')).toBe(-EACCES);
    sysSetsockopt(rig.a.task, from, SOL_SOCKET, SO_BROADCAST, 1);
    expect(send(rig.a, from, bytes('x'), '10.0.0.255')).toBe(1);
    await settle();
    expect(takeRaw(rig.b, to).n).toBe(21);
  });

  test('a group: a socket that is no member hears it only while IP_MULTICAST_ALL is on', async () => {
    const group = '224.1.2.3';
    const [member, all, none] = [raw(rig.b), raw(rig.b), raw(rig.b)];
    expect(sysSetsockopt(rig.b.task, member, SOL_IP, IP_ADD_MEMBERSHIP, new IpMreqn(inAton(group), inAton(B)))).toBe(0);
    sysSetsockopt(rig.b.task, none, SOL_IP, IP_MULTICAST_ALL, 0);
    const from = raw(rig.a);
    sysBind(rig.a.task, from, addr(A));
    const msg = makeMsgHdr([bytes('x')], addr(group));
    msg.msgControl = [new Cmsg(SOL_IP, IP_PKTINFO, new InPktinfo(2, inAton(A), 0))];
    expect(sysSendmsg(rig.a.task, from, msg, MSG_DONTWAIT)).toBe(1);
    await settle();
    expect([member, all, none].map((fd) => takeRaw(rig.b, fd).n)).toEqual([21, 21, -EAGAIN]);
  });

  test('a full receive buffer drops, and counts', async () => {
    const to = raw(rig.b);
    sysSetsockopt(rig.b.task, to, SOL_SOCKET, SO_RCVBUF, 1200);
    const from = raw(rig.a);
    for (let i = 0; i < 10; i++) send(rig.a, from, bytes('x'), B);
    await settle();
    let read = 0;
    while (takeRaw(rig.b, to).n > 0) read++;
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(10);
  });

  test('SO_ATTACH_FILTER sees the packet from its IP header on, and can cut it', async () => {
    const to = raw(rig.b);
    const filter = (buf: Uint8Array, offset: number, length: number): number => (buf[offset + 20] === 0x61 ? length - 1 : 0);
    expect(sysSetsockopt(rig.b.task, to, SOL_SOCKET, SO_ATTACH_FILTER, filter)).toBe(0);
    const from = raw(rig.a);
    for (const text of ['abc', 'xyz']) send(rig.a, from, bytes(text), B);
    await settle();
    expect(header(takeRaw(rig.b, to)).payload).toEqual([...bytes('ab')]);
    expect(takeRaw(rig.b, to).n).toBe(-EAGAIN);
  });

  test('FIONREAD; MSG_TRUNC; what it refuses', async () => {
    const [from, to] = [raw(rig.a), raw(rig.b)];
    send(rig.a, from, bytes('abcdef'), B);
    await settle();
    expect(sysIoctl(rig.b.task, to, FIONREAD, 0)).toBe(26);
    expect(await sysRecvfrom(rig.b.task, to, new Uint8Array(4), MSG_TRUNC | MSG_DONTWAIT, null)).toBe(26);
    expect(sysSendto(rig.a.task, from, new Uint8Array(0x10000), MSG_DONTWAIT, addr(B))).toBe(-EMSGSIZE);
    expect(sysSendto(rig.a.task, from, bytes('x'), MSG_OOB | MSG_DONTWAIT, addr(B))).toBe(-EOPNOTSUPP);
    expect(sysSendto(rig.a.task, from, bytes('x'), MSG_DONTWAIT, new SockAddr(AF_INET6))).toBeLessThan(0);
    expect(sysSocket(rig.a.task, PF_INET, SOCK_RAW, 0)).toBe(-EPROTONOSUPPORT);
    expect(sysSocket(rig.a.task, PF_INET, SOCK_RAW, 256)).toBe(-EINVAL);
  });
});

describe('IP_HDRINCL', () => {
  test('raw(7): the kernel fills in checksum and total length always, source and identification where they are 0', async () => {
    const [from, to] = [raw(rig.a, IPPROTO_RAW), raw(rig.b)];
    const packet = ipv4(PROTO, '0.0.0.0', B, bytes('data'), 0);
    packet.set([9, 9], 2);
    packet.set([7, 7], 10);
    expect(send(rig.a, from, packet, B)).toBe(packet.length);
    await settle();
    const { data } = takeRaw(rig.b, to);
    const view = new DataView(data.buffer);
    expect([view.getUint16(2), checksum(data.subarray(0, 20)), view.getInt32(12)]).toEqual([24, 0, inAton(A)]);
    expect(view.getUint16(4)).not.toBe(0);
  });

  test('raw(7): what the user wrote stays: source, identification, TTL, TOS, protocol', async () => {
    const [from, to] = [raw(rig.a, IPPROTO_RAW), raw(rig.b)];
    const packet = ipv4(PROTO, '10.0.0.77', B, bytes('data'), 0x4321, 3);
    packet[1] = 0x20;
    packet.set([0, 0], 10);
    send(rig.a, from, packet, B);
    await settle();
    const { data } = takeRaw(rig.b, to);
    const view = new DataView(data.buffer);
    expect([view.getUint16(4), view.getUint8(8), view.getUint8(1), view.getInt32(12)]).toEqual([0x4321, 3, 0x20, inAton('10.0.0.77')]);
    expect(checksum(data.subarray(0, 20))).toBe(0);
  });

  test('IPPROTO_RAW has it from the start and receives nothing; another protocol can switch it on', async () => {
    const [own, switched, to] = [raw(rig.a, IPPROTO_RAW), raw(rig.a), raw(rig.b)];
    expect(sysGetsockopt(rig.a.task, own, SOL_IP, IP_HDRINCL)).toBe(1);
    expect(sysGetsockopt(rig.a.task, switched, SOL_IP, IP_HDRINCL)).toBe(0);
    expect(sysSetsockopt(rig.a.task, switched, SOL_IP, IP_HDRINCL, 1)).toBe(0);
    send(rig.a, switched, ipv4(PROTO, A, B, bytes('in')), B);
    await settle();
    expect(header(takeRaw(rig.b, to)).payload).toEqual([...bytes('in')]);
    expect(takeRaw(rig.a, own).n).toBe(-EAGAIN);
  });

  test('it is never cut: longer than the MTU is EMSGSIZE; a header that is none, EINVAL', () => {
    const from = raw(rig.a, IPPROTO_RAW);
    expect(send(rig.a, from, ipv4(PROTO, A, B, new Uint8Array(1481)), B)).toBe(-EMSGSIZE);
    expect(send(rig.a, from, new Uint8Array(19), B)).toBe(-EINVAL);
    const long = ipv4(PROTO, A, B, bytes('x'));
    long[0] = 0x4f;
    expect(send(rig.a, from, long, B)).toBe(-EINVAL);
    long[0] = 0x44;
    expect(send(rig.a, from, long, B)).toBe(-EINVAL);
  });

  test('IP options of the socket and a header of the user\'s do not go together', () => {
    const from = raw(rig.a, IPPROTO_RAW);
    sysSetsockopt(rig.a.task, from, SOL_IP, IP_OPTIONS, Uint8Array.of(1, 1, 1, 1));
    expect(send(rig.a, from, ipv4(PROTO, A, B, bytes('x')), B)).toBe(-EINVAL);
  });
});

describe('ICMP', () => {
  test('an echo request by a raw socket: the reply comes to it, with the identifier that it chose', async () => {
    const fd = raw(rig.a, IPPROTO_ICMP);
    send(rig.a, fd, icmp(ICMP_ECHO, 0, 0x77, 1, bytes('payload')), B);
    await settle();
    expect(header(takeRaw(rig.a, fd)).payload).toEqual([...icmp(ICMP_ECHOREPLY, 0, 0x77, 1, bytes('payload'))]);
    expect(counters(rig.a)['IcmpOutEchos']).toBe(1);
  });

  test('ICMP_FILTER: types that are set do not come; it is read back', async () => {
    const [filtered, open] = [raw(rig.b, IPPROTO_ICMP), raw(rig.b, IPPROTO_ICMP)];
    expect(sysSetsockopt(rig.b.task, filtered, SOL_RAW, ICMP_FILTER, new IcmpFilter(1 << ICMP_ECHO))).toBe(0);
    expect(sysGetsockopt(rig.b.task, filtered, SOL_RAW, ICMP_FILTER)).toEqual(new IcmpFilter(1 << ICMP_ECHO));
    const from = raw(rig.a, IPPROTO_ICMP);
    send(rig.a, from, icmp(ICMP_ECHO, 0, 1, 1, bytes('a')), B);
    send(rig.a, from, icmp(ICMP_ECHOREPLY, 0, 1, 2, bytes('b')), B);
    await settle();
    expect(header(takeRaw(rig.b, filtered)).payload.slice(-1)).toEqual([...bytes('b')]);
    expect([takeRaw(rig.b, filtered).n, header(takeRaw(rig.b, open)).payload.slice(-1)]).toEqual([-EAGAIN, [...bytes('a')]]);
    expect(sysSetsockopt(rig.b.task, raw(rig.b), SOL_RAW, ICMP_FILTER, 1)).toBe(-EOPNOTSUPP);
    expect(sysSetsockopt(rig.b.task, open, SOL_RAW, 99, 1)).toBe(-ENOPROTOOPT);
  });

  test('RFC 1122 §3.2.2.1: protocol unreachable only when neither a raw socket nor a transport took the packet', async () => {
    const from = raw(rig.a);
    const errors = raw(rig.a, IPPROTO_ICMP);
    const listener = raw(rig.b);
    send(rig.a, from, bytes('taken'), B);
    await settle();
    expect(takeRaw(rig.a, errors).n).toBe(-EAGAIN);
    await sysClose(rig.b.task, listener);
    send(rig.a, from, bytes('not taken'), B);
    await settle();
    expect(header(takeRaw(rig.a, errors)).payload.slice(0, 2)).toEqual([ICMP_DEST_UNREACH, ICMP_PROT_UNREACH]);
    expect(counters(rig.b)['IpInUnknownProtos']).toBe(1);
  });
});

describe('errors', () => {
  /** Eight octets at least: what comes back of a packet must have them (RFC 792). */
  const QUESTION = bytes('who is there?');

  /** Has b answer that it has no such protocol. */
  async function refused(fd: number): Promise<void> {
    expect(send(rig.a, fd, QUESTION, B)).toBe(QUESTION.length);
    await settle();
  }

  test('raw(7): without IP_RECVERR a socket that is not connected hears of none', async () => {
    const fd = raw(rig.a);
    await refused(fd);
    expect(sysGetsockopt(rig.a.task, fd, SOL_SOCKET, SO_ERROR)).toBe(0);
  });

  test('raw(7): a connected one hears of those that are for good', async () => {
    const fd = raw(rig.a);
    await sysConnect(rig.a.task, fd, addr(B));
    await refused(fd);
    expect(takeRaw(rig.a, fd).n).toBe(-ENOPROTOOPT);
    expect(takeRaw(rig.a, fd).n).toBe(-EAGAIN);
  });

  test('IP_RECVERR: all of them, with what was sent, in the error queue', async () => {
    const fd = raw(rig.a);
    sysSetsockopt(rig.a.task, fd, SOL_IP, IP_RECVERR, 1);
    await refused(fd);
    expect(takeRaw(rig.a, fd).n).toBe(-ENOPROTOOPT);
    const got = takeRaw(rig.a, fd, MSG_ERRQUEUE);
    expect([[...got.data], got.flags & MSG_ERRQUEUE, got.from.sinAddr]).toEqual([[...QUESTION], MSG_ERRQUEUE, inAton(B)]);
    expect(got.control.map(({ cmsgData }) => cmsgData)).toEqual(
      [new SockExtendedErr(ENOPROTOOPT, 2, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0, 0, inAton(B))],
    );
    expect(takeRaw(rig.a, fd, MSG_ERRQUEUE).n).toBe(-EAGAIN);
  });

  test('an error about a packet to another host is not that of a socket connected elsewhere', async () => {
    const [elsewhere, sender] = [raw(rig.a), raw(rig.a)];
    await sysConnect(rig.a.task, elsewhere, addr('10.0.0.99'));
    await refused(sender);
    expect(sysGetsockopt(rig.a.task, elsewhere, SOL_SOCKET, SO_ERROR)).toBe(0);
  });
});

describe('control messages', () => {
  test('IP_PKTINFO, IP_RECVTTL, IP_RECVTOS: which device, which address, which TTL, which TOS', async () => {
    const to = raw(rig.b);
    for (const name of [IP_PKTINFO, IP_RECVTTL, IP_RECVTOS]) expect(sysSetsockopt(rig.b.task, to, SOL_IP, name, 1)).toBe(0);
    const from = raw(rig.a);
    sysSetsockopt(rig.a.task, from, SOL_IP, IP_TOS, 0x10);
    sysSetsockopt(rig.a.task, from, SOL_IP, IP_TTL, 9);
    send(rig.a, from, bytes('x'), B);
    await settle();
    const { control } = takeRaw(rig.b, to);
    expect(control.map(({ cmsgType, cmsgData }) => [cmsgType, cmsgData])).toEqual([
      [IP_PKTINFO, new InPktinfo(2, inAton(B), inAton(B))], [IP_TTL, 9], [IP_TOS, 0x10],
    ]);
  });

  test('IP_TTL and IP_TOS of one send', async () => {
    const [from, to] = [raw(rig.a), raw(rig.b)];
    const msg = makeMsgHdr([bytes('x')], addr(B));
    msg.msgControl = [new Cmsg(SOL_IP, IP_TTL, 5), new Cmsg(SOL_IP, IP_TOS, 0x08)];
    expect(sysSendmsg(rig.a.task, from, msg, MSG_DONTWAIT)).toBe(1);
    await settle();
    const { data } = takeRaw(rig.b, to);
    expect([data[8], data[1]]).toEqual([5, 0x08]);
    msg.msgControl = [new Cmsg(SOL_IP, IP_TTL, 0)];
    expect(sysSendmsg(rig.a.task, from, msg, MSG_DONTWAIT)).toBe(-EINVAL);
  });

  test('IP options of the socket stand in the header, and come up in it', async () => {
    const [from, to] = [raw(rig.a), raw(rig.b)];
    expect(sysSetsockopt(rig.a.task, from, SOL_IP, IP_OPTIONS, Uint8Array.of(1, 1, 1, 0))).toBe(0);
    send(rig.a, from, bytes('x'), B);
    await settle();
    const { data } = takeRaw(rig.b, to);
    expect([data[0], [...data.subarray(20, 24)], data.length]).toEqual([0x46, [1, 1, 1, 0], 25]);
  });
});

test('a raw socket of TCP sees segments, and TCP answers all the same', async () => {
  const spy = raw(rig.b, IPPROTO_TCP);
  const fd = inetSocket(rig.a, 1, 0);
  expect(await sysConnect(rig.a.task, fd, addr(B, 9))).toBe(-ECONNREFUSED);
  expect(header(takeRaw(rig.b, spy)).protocol).toBe(IPPROTO_TCP);
});

test('a card that could make checksums is asked for UDP\'s, not for those of raw and ping sockets', async () => {
  const tap = packetSocket(rig.a, SOCK_RAW, ETH_P_ALL);
  sysSetsockopt(rig.a.task, tap, SOL_PACKET, PACKET_AUXDATA, 1);
  sysSetsockopt(rig.a.task, tap, SOL_SOCKET, SO_ATTACH_FILTER, (buf: Uint8Array, offset: number, length: number) => (buf[offset + 12] === 8 && buf[offset + 13] === 0 ? length : 0));
  const message = icmp(ICMP_ECHO, 0, 0, 1, bytes('data'));
  for (const [type, protocol] of [[SOCK_DGRAM, 0], [SOCK_RAW, PROTO], [SOCK_DGRAM, IPPROTO_ICMP]] as const) {
    sysSendto(rig.a.task, inetSocket(rig.a, type, protocol), message, MSG_DONTWAIT, addr(B, 9));
    await settle();
  }
  const notReady: [number, boolean][] = [];
  const from = new SockAddrLl();
  for (let got = take(rig.a, tap, from); got.n > 0; got = take(rig.a, tap, from)) {
    const { tpStatus } = got.control[0]?.cmsgData as TpacketAuxdata;
    if (from.sllPkttype === PACKET_OUTGOING) notReady.push([got.data[23] ?? 0, (tpStatus & TP_STATUS_CSUMNOTREADY) !== 0]);
  }
  expect(notReady).toEqual([[IPPROTO_UDP, true], [PROTO, false], [IPPROTO_ICMP, false]]);
});

test('RFC 2113, ip(7): a router\'s raw socket with IP_ROUTER_ALERT takes what has that option and only passes through', async () => {
  const { world, lan, a } = rig;
  const far = createSwitch(world);
  const router = createHost({
    world, name: 'router', sysctl: { 'net.ipv4.ip_forward': 1 },
    nics: [{ device: virtioOn(lan), address: '10.0.0.3/24' }, { device: virtioOn(far), address: '10.1.0.1/24' }],
  });
  const c = createHost({ world, name: 'c', nics: [{ device: virtioOn(far), address: '10.1.0.2/24', gateway: '10.1.0.1' }] });
  expect(ipRouteAdd(a.net, { dst: '10.1.0.0/24', gateway: '10.0.0.3' })).toBe(0);
  const [alert, from, to] = [raw(router), raw(a), raw(c)];
  expect(sysSetsockopt(router.task, alert, SOL_IP, IP_ROUTER_ALERT, 1)).toBe(0);
  send(a, from, bytes('plain'), '10.1.0.2');
  await settle();
  expect([takeRaw(router, alert).n, header(takeRaw(c, to)).payload]).toEqual([-EAGAIN, [...bytes('plain')]]);
  sysSetsockopt(a.task, from, SOL_IP, IP_OPTIONS, Uint8Array.of(0x94, 4, 0, 0));
  send(a, from, bytes('alert'), '10.1.0.2');
  await settle();
  expect([header(takeRaw(router, alert)).payload, takeRaw(c, to).n]).toEqual([[...bytes('alert')], -EAGAIN]);
  await sysClose(router.task, alert);
  send(a, from, bytes('again'), '10.1.0.2');
  await settle();
  expect(header(takeRaw(c, to)).payload).toEqual([...bytes('again')]);
  await router.close();
  await c.close();
});

test('SO_ATTACH_FILTER on UDP sees the datagram from its UDP header on; what it rejects counts as dropped', async () => {
  const [from, to] = [inetSocket(rig.a, SOCK_DGRAM, 0), inetSocket(rig.b, SOCK_DGRAM, 0)];
  sysBind(rig.b.task, to, addr('0.0.0.0', 7));
  sysSetsockopt(rig.b.task, to, SOL_SOCKET, SO_ATTACH_FILTER, (buf: Uint8Array, offset: number) => (buf[offset + 3] === 7 && buf[offset + 8] === 0x62 ? 9 : 0));
  for (const text of ['abc', 'bcd']) sysSendto(rig.a.task, from, bytes(text), MSG_DONTWAIT, addr(B, 7));
  await settle();
  expect([...takeRaw(rig.b, to).data]).toEqual([...bytes('b')]);
  expect([takeRaw(rig.b, to).n, counters(rig.b)['UdpInErrors']]).toEqual([-EAGAIN, 1]);
});
