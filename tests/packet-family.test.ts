// An address family from outside: PF_PACKET on a host that was built without it, and one that this file writes itself.
import { EAFNOSUPPORT, EAGAIN, EEXIST } from '@stack/kernel';
import { ETH_P_IP } from '@stack/netdev';
import { installPacket, packetProto, SockAddrLl } from '@stack/packet';
import { allocSkb, skbPut } from '@stack/skbuff';
import {
  copyFromIter, datagramPoll, MSG_DONTWAIT, PF_PACKET, skAlloc, skCommonRelease, skbCopyDatagramMsg, skbFreeDatagram, skbRecvDatagram, Sock,
  SOCK_DGRAM, SOCK_RAW, sockInitData, sockNoAccept, sockNoBind, sockNoConnect, sockNoListen, sockNoShutdown, sockNoSocketpair, sockQueueRcvSkb,
  sockRegister, sockUnregister, sysClose, sysRecv, sysSend, sysSendto, sysSocket, type MsgHdr, type NetProtoFamily, type Proto, type ProtoOps,
  type Socket,
} from '@stack/socket';
import { expect, test } from 'vitest';
import { endLan, makeHost, makeLan } from './support/udp-rig.ts';

test('PF_PACKET: no such family, until installPacket registers it on the running host', async () => {
  const lan = makeLan();
  const [a, b] = [makeHost(lan, 'a', '10.0.0.1/24'), makeHost(lan, 'b', '10.0.0.2/24')];
  expect(sysSocket(a.task, PF_PACKET, SOCK_RAW, ETH_P_IP)).toBe(-EAFNOSUPPORT);
  for (const { net } of [a, b]) installPacket(net);
  const [from, to] = [sysSocket(a.task, PF_PACKET, SOCK_DGRAM, 0), sysSocket(b.task, PF_PACKET, SOCK_DGRAM, ETH_P_IP)];
  const read = sysRecv(b.task, to, new Uint8Array(64), 0);
  expect(sysSendto(a.task, from, Uint8Array.of(1, 2, 3), 0, new SockAddrLl(ETH_P_IP, a.dev.ifindex, b.dev.devAddr))).toBe(3);
  expect(await read).toBe(3);

  sockUnregister(a.net, PF_PACKET);
  expect(sysSocket(a.task, PF_PACKET, SOCK_RAW, ETH_P_IP)).toBe(-EAFNOSUPPORT);
  expect(await sysClose(a.task, from)).toBe(0);
  expect(await endLan(lan, a, b)).toEqual([]);
});

/** The least that a family can be: each socket reads what it wrote, whole messages. */
const PF_ECHO = 44;

const echoProto: Proto = { ...packetProto, name: 'ECHO', objCreate: (net, family, prot) => new Sock(net, family, prot) };

function echoSendmsg(sock: Socket, msg: MsgHdr, len: number): number {
  const skb = allocSkb(sock.net, len)!;
  copyFromIter(skb.buf, skbPut(skb, len), len, msg);
  return sockQueueRcvSkb(sock.sk!, skb) < 0 ? -EAGAIN : len;
}

function echoRecvmsg(sock: Socket, msg: MsgHdr, len: number, flags: number): number {
  const skb = skbRecvDatagram(sock.sk!, flags);
  if (typeof skb === 'number') return skb;
  const n = Math.min(len, skb.len);
  skbCopyDatagramMsg(skb, 0, msg, n);
  skbFreeDatagram(sock.sk!, skb);
  return n;
}

const echoOps: ProtoOps = {
  family: PF_ECHO,
  release: (sock) => {
    skCommonRelease(sock.sk!);
    return 0;
  },
  bind: sockNoBind, connect: sockNoConnect, socketpair: sockNoSocketpair, accept: sockNoAccept, getname: () => 0, poll: datagramPoll,
  ioctl: () => 0, listen: sockNoListen, shutdown: sockNoShutdown, setsockopt: () => 0, getsockopt: () => 0, sendmsg: echoSendmsg,
  recvmsg: echoRecvmsg,
};

const echoFamily: NetProtoFamily = {
  family: PF_ECHO,
  create: (net, sock) => {
    sock.ops = echoOps;
    sockInitData(sock, skAlloc(net, PF_ECHO, echoProto));
    return 0;
  },
};

test('a family of one\'s own: fifty lines, and socket, send, recv, poll and close are those of every other', async () => {
  const lan = makeLan();
  const { net, task, ...host } = makeHost(lan, 'a', '10.0.0.1/24');
  expect(sysSocket(task, PF_ECHO, SOCK_DGRAM, 0)).toBe(-EAFNOSUPPORT);
  expect([sockRegister(net, echoFamily), sockRegister(net, echoFamily)]).toEqual([0, -EEXIST]);
  const fd = sysSocket(task, PF_ECHO, SOCK_DGRAM, 0);
  const buffer = new Uint8Array(8);
  expect(sysRecv(task, fd, buffer, MSG_DONTWAIT)).toBe(-EAGAIN);
  const read = sysRecv(task, fd, buffer, 0);
  expect(sysSend(task, fd, Uint8Array.of(4, 5, 6), 0)).toBe(3);
  expect([await read, [...buffer.subarray(0, 3)]]).toEqual([3, [4, 5, 6]]);
  expect(await sysClose(task, fd)).toBe(0);
  expect(await endLan(lan, { net, task, ...host })).toEqual([]);
});
