// Sending by packet sockets, and what the sender's own taps see: packet(7), each rule of it by name.
import { destroyNet, EINVAL, EMSGSIZE, ENETDOWN, ENXIO, EOPNOTSUPP, ESOCKTNOSUPPORT, EAGAIN, openReport } from '@stack/kernel';
import {
  devClose, ETH_P_8021Q, ETH_P_ALL, ETH_P_ARP, ETH_P_IP, PACKET_OUTGOING, allocNetdev, registerNetdevice, devOpen, NETDEV_TX_OK,
} from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import {
  AF_INET, Cmsg, makeMsgHdr, MSG_DONTWAIT, PF_PACKET, SO_MARK, SO_PRIORITY, SO_SNDBUF, SockAddr, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOL_PACKET,
  SOL_SOCKET, sysBind, sysConnect, sysGetsockopt, sysListen, sysSendmsg, sysSendto, sysSetsockopt, sysSocket,
} from '@stack/socket';
import { consumeSkb, skbDequeue, SkBuffHead, skbQueueTail } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { afterEach, expect, test } from 'vitest';
import { PACKET_IGNORE_OUTGOING, SockAddrLl } from './if-packet.ts';
import { frameOf, makeCard, makeRig, OURS, packetSocket, recvmsg, sentBy, testCardOps, THEIRS } from './test-rig.ts';
import type { Rig } from './test-rig.ts';

let rig: Rig;

function start(): Rig {
  rig = makeRig();
  return rig;
}

afterEach(() => {
  destroyNet(rig.net);
  expect(openReport(rig.world)).toEqual([]);
});

const send = (fd: number, data: Uint8Array, to: SockAddr | null): number => sysSendto(rig.task, fd, data, MSG_DONTWAIT, to) as number;
const theirs = Uint8Array.from(THEIRS);

test('packet(7): SOCK_RAW sends the frame as it is', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_RAW, 0);
  const frame = frameOf([1, 2, 3], THEIRS);
  expect(send(fd, frame, new SockAddrLl(0, dev.ifindex))).toBe(frame.length);
  expect(sentBy(dev)).toEqual([frame]);
});

test('packet(7): SOCK_DGRAM gets its link-layer header from the device: destination and protocol from the address', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, 0);
  expect(send(fd, Uint8Array.of(1, 2, 3), new SockAddrLl(ETH_P_ARP, dev.ifindex, theirs))).toBe(3);
  expect([...(sentBy(dev)[0] ?? [])]).toEqual([...THEIRS, ...OURS, 0x08, 0x06, 1, 2, 3]);
});

test('a bound socket needs no interface in the address, and one that is not sends nowhere', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_RAW, ETH_P_IP);
  expect(send(fd, frameOf([1]), null)).toBe(-ENXIO);
  expect(send(fd, frameOf([1]), new SockAddrLl(0, 99))).toBe(-ENXIO);
  sysBind(rig.task, fd, new SockAddrLl(0, dev.ifindex));
  expect(send(fd, frameOf([2]), null)).toBe(15);
  expect(sentBy(dev).length).toBe(1);
});

test('sll_protocol defaults to the socket\'s protocol', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ARP);
  send(fd, Uint8Array.of(1), new SockAddrLl(0, dev.ifindex, theirs));
  expect([...(sentBy(dev)[0] ?? [])].slice(12, 14)).toEqual([0x08, 0x06]);
});

test('ENETDOWN: the interface is not up', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_RAW, 0);
  devClose(dev);
  expect(send(fd, frameOf([1]), new SockAddrLl(0, dev.ifindex))).toBe(-ENETDOWN);
});

test('EMSGSIZE: longer than the MTU; a VLAN tag does not count', () => {
  const dev = makeCard(start());
  const [raw, dgram] = [packetSocket(rig, SOCK_RAW, 0), packetSocket(rig, SOCK_DGRAM, ETH_P_IP)];
  const to = new SockAddrLl(0, dev.ifindex, theirs);
  const payload = (n: number): number[] => new Array<number>(n).fill(0);
  expect(send(raw, frameOf(payload(1500)), to)).toBe(1514);
  expect(send(raw, frameOf(payload(1501)), to)).toBe(-EMSGSIZE);
  expect(send(raw, frameOf(payload(1504), OURS, ETH_P_8021Q), to)).toBe(1518);
  expect(send(raw, frameOf(payload(1505), OURS, ETH_P_8021Q), to)).toBe(-EMSGSIZE);
  expect(send(dgram, Uint8Array.from(payload(1500)), to)).toBe(1500);
  expect(send(dgram, Uint8Array.from(payload(1501)), to)).toBe(-EMSGSIZE);
  expect(send(dgram, Uint8Array.from(payload(1504)), new SockAddrLl(ETH_P_8021Q, dev.ifindex, theirs))).toBe(1504);
});

test('EINVAL: less than a link-layer header, no destination, one of another length, another family\'s address', () => {
  const dev = makeCard(start());
  const [raw, dgram] = [packetSocket(rig, SOCK_RAW, 0), packetSocket(rig, SOCK_DGRAM, ETH_P_IP)];
  expect(send(raw, new Uint8Array(13), new SockAddrLl(0, dev.ifindex))).toBe(-EINVAL);
  expect(send(dgram, new Uint8Array(1), new SockAddrLl(0, dev.ifindex))).toBe(-EINVAL);
  expect(send(dgram, new Uint8Array(1), new SockAddrLl(0, dev.ifindex, new Uint8Array(4)))).toBe(-EINVAL);
  expect(send(raw, frameOf([1]), new SockAddr(AF_INET))).toBe(-EINVAL);
});

test('a frame sent without a protocol has the one in its header: taps of others see it so', () => {
  const dev = makeCard(start());
  const [fd, tap] = [packetSocket(rig, SOCK_RAW, 0), packetSocket(rig, SOCK_RAW, ETH_P_ALL)];
  send(fd, frameOf([1], THEIRS, ETH_P_ARP), new SockAddrLl(0, dev.ifindex));
  expect(recvmsg(rig, tap).from.sllProtocol).toBe(ETH_P_ARP);
});

test('PACKET_OUTGOING: what leaves is seen by every tap but its sender\'s own, header and all or without', () => {
  const dev = makeCard(start());
  const own = packetSocket(rig, SOCK_RAW, ETH_P_ALL);
  const [raw, dgram] = [packetSocket(rig, SOCK_RAW, ETH_P_ALL), packetSocket(rig, SOCK_DGRAM, ETH_P_ALL)];
  const single = packetSocket(rig, SOCK_RAW, ETH_P_IP);
  const frame = frameOf([1, 2, 3], THEIRS);
  send(own, frame, new SockAddrLl(0, dev.ifindex));
  const seen = recvmsg(rig, raw);
  expect([seen.data, seen.from.sllPkttype, [...seen.from.sllAddr.subarray(0, 6)]]).toEqual([[...frame], PACKET_OUTGOING, THEIRS]);
  expect(recvmsg(rig, dgram).data).toEqual([1, 2, 3]);
  expect([recvmsg(rig, own).n, recvmsg(rig, single).n]).toEqual([-EAGAIN, -EAGAIN]);
});

test('PACKET_IGNORE_OUTGOING: what leaves is not seen', () => {
  const dev = makeCard(start());
  const [own, tap] = [packetSocket(rig, SOCK_RAW, 0), packetSocket(rig, SOCK_RAW, ETH_P_ALL)];
  expect(sysSetsockopt(rig.task, tap, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)).toBe(0);
  expect(sysGetsockopt(rig.task, tap, SOL_PACKET, PACKET_IGNORE_OUTGOING)).toBe(1);
  send(own, frameOf([1]), new SockAddrLl(0, dev.ifindex));
  expect(recvmsg(rig, tap).n).toBe(-EAGAIN);
});

test('a frame that the user changes after sending is what it was for the tap: the tap has a clone, the wire its own copy', () => {
  const dev = makeCard(start());
  const [own, tap] = [packetSocket(rig, SOCK_RAW, 0), packetSocket(rig, SOCK_RAW, ETH_P_ALL)];
  const frame = frameOf([1, 2, 3]);
  send(own, frame, new SockAddrLl(0, dev.ifindex));
  frame.fill(0);
  expect([recvmsg(rig, tap).data.slice(-3), [...(sentBy(dev)[0] ?? [])].slice(-3)]).toEqual([[1, 2, 3], [1, 2, 3]]);
});

test('SO_MARK and SO_PRIORITY of one send reach the packet', () => {
  start();
  const held = new SkBuffHead();
  const keep = (skb: SkBuff, _dev: NetDevice): number => {
    skbQueueTail(held, skb);
    return NETDEV_TX_OK;
  };
  const dev = makeCard(rig, false, { ...testCardOps, ndoStartXmit: keep });
  const fd = packetSocket(rig, SOCK_RAW, 0);
  const msg = makeMsgHdr([frameOf([1])], new SockAddrLl(0, dev.ifindex));
  msg.msgControl = [new Cmsg(SOL_SOCKET, SO_MARK, 7), new Cmsg(SOL_SOCKET, SO_PRIORITY, 6)];
  expect(sysSendmsg(rig.task, fd, msg, MSG_DONTWAIT)).toBe(15);
  const skb = skbDequeue(held);
  expect([skb?.mark, skb?.priority]).toEqual([7, 6]);
  if (skb !== null) consumeSkb(skb);
});

test('EAGAIN: what the device holds counts in the send buffer, until it lets go', () => {
  start();
  const held = new SkBuffHead();
  const keep = (skb: SkBuff, _dev: NetDevice): number => {
    skbQueueTail(held, skb);
    return NETDEV_TX_OK;
  };
  const dev = makeCard(rig, false, { ...testCardOps, ndoStartXmit: keep });
  const fd = packetSocket(rig, SOCK_RAW, 0);
  sysSetsockopt(rig.task, fd, SOL_SOCKET, SO_SNDBUF, 1);
  const to = new SockAddrLl(0, dev.ifindex);
  let sent = 0;
  while (send(fd, frameOf([1]), to) > 0) sent++;
  expect(sent).toBeGreaterThan(1);
  expect(send(fd, frameOf([1]), to)).toBe(-EAGAIN);
  for (let skb = skbDequeue(held); skb !== null; skb = skbDequeue(held)) consumeSkb(skb);
  expect(send(fd, frameOf([1]), to)).toBe(15);
  for (let skb = skbDequeue(held); skb !== null; skb = skbDequeue(held)) consumeSkb(skb);
});

test('a device without link-layer header: both kinds send and receive the bare packet', () => {
  start();
  const dev = allocNetdev(rig.net, 'tun%d', testCardOps, (tun) => {
    tun.mtu = 1500;
  }, []);
  registerNetdevice(dev);
  devOpen(dev);
  const tap = packetSocket(rig, SOCK_RAW, ETH_P_ALL);
  for (const type of [SOCK_RAW, SOCK_DGRAM]) {
    const fd = packetSocket(rig, type, ETH_P_IP);
    expect(send(fd, Uint8Array.of(0x45, 1, 2), new SockAddrLl(0, dev.ifindex))).toBe(3);
  }
  expect(sentBy(dev).map((frame) => [...frame])).toEqual([[0x45, 1, 2], [0x45, 1, 2]]);
  const seen = recvmsg(rig, tap);
  expect([seen.data, seen.from.sllHalen, seen.from.sllProtocol]).toEqual([[0x45, 1, 2], 0, ETH_P_IP]);
});

test('socket(2): SOCK_RAW and SOCK_DGRAM alone; what packet sockets do not do', async () => {
  makeCard(start());
  expect(sysSocket(rig.task, PF_PACKET, SOCK_STREAM, ETH_P_ALL)).toBe(-ESOCKTNOSUPPORT);
  expect(sysSocket(rig.task, PF_PACKET, SOCK_RAW, 0x10000)).toBe(-EINVAL);
  const fd = packetSocket(rig, SOCK_RAW, ETH_P_ALL);
  expect(await sysConnect(rig.task, fd, new SockAddrLl())).toBe(-EOPNOTSUPP);
  expect(sysListen(rig.task, fd, 1)).toBe(-EOPNOTSUPP);
  expect(sysSetsockopt(rig.task, fd, SOL_PACKET, 999, 1)).toBeLessThan(0);
  expect(sysGetsockopt(rig.task, fd, SOL_PACKET, 999)).toBeLessThan(0);
});
