// Receiving by packet sockets: packet(7), each rule of it by name.
import { destroyNet, EAGAIN, EINVAL, ENETDOWN, ENODEV, ENOENT, EOPNOTSUPP, openReport } from '@stack/kernel';
import {
  ARPHRD_ETHER, devClose, devOpen, ETH_P_ALL, ETH_P_ARP, ETH_P_IP, PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST, PACKET_OTHERHOST,
  netdevRxHandlerRegister, RX_HANDLER_ANOTHER, unregisterNetdevice,
} from '@stack/netdev';
import {
  AF_INET, EPOLLIN, MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_TRUNC, PollFd, POLLIN, SCM_TIMESTAMPNS, SIOCGSTAMP, SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_ERROR, SO_LOCK_FILTER,
  SO_RCVBUF, SO_RXQ_OVFL, SO_TIMESTAMPNS, SockAddr, SOCK_DGRAM, SOCK_RAW, SOL_PACKET, SOL_SOCKET, sysBind, sysClose, sysGetpeername, sysGetsockname, sysGetsockopt, sysIoctl, sysPoll, sysRecvfrom,
  sysSetsockopt, Timespec, Timeval,
} from '@stack/socket';
import type { SockFilter } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import {
  PACKET_AUXDATA, PACKET_ORIGDEV, PACKET_STATISTICS, SockAddrLl, TP_STATUS_USER, TpacketAuxdata, TpacketStats,
} from './if-packet.ts';
import { frameOf, makeCard, makeRig, OURS, packetSocket, receive, recvmsg, THEIRS } from './test-rig.ts';
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

test('packet(7): SOCK_RAW gives the frame with its link-layer header, and the address parsed', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_RAW, ETH_P_ALL);
  const frame = frameOf([1, 2, 3]);
  receive(dev, frame);
  const { n, data, from, msg } = recvmsg(rig, fd);
  expect([n, data]).toEqual([frame.length, [...frame]]);
  expect([from.sllProtocol, from.sllIfindex, from.sllHatype, from.sllPkttype]).toEqual([ETH_P_IP, dev.ifindex, ARPHRD_ETHER, PACKET_HOST]);
  expect([from.sllHalen, [...from.sllAddr]]).toEqual([6, [...THEIRS, 0, 0]]);
  expect(msg.msgNamelen).toBe(20);
  expect(recvmsg(rig, fd).n).toBe(-EAGAIN);
});

test('packet(7): SOCK_DGRAM gives the packet without its link-layer header', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  receive(dev, frameOf([1, 2, 3]));
  expect(recvmsg(rig, fd).data).toEqual([1, 2, 3]);
});

test('sll_pkttype: for whom the frame is', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  receive(dev, frameOf([1], [255, 255, 255, 255, 255, 255]));
  receive(dev, frameOf([2], [1, 0, 0x5e, 0, 0, 1]));
  receive(dev, frameOf([3], [2, 9, 9, 9, 9, 9]));
  receive(dev, frameOf([4], OURS));
  const types = [0, 0, 0, 0].map(() => recvmsg(rig, fd).from.sllPkttype);
  expect(types).toEqual([PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST, PACKET_HOST]);
});

test('a socket of one protocol receives that protocol only, one of protocol 0 nothing until bind', () => {
  const dev = makeCard(start());
  const arp = packetSocket(rig, SOCK_DGRAM, ETH_P_ARP);
  const none = packetSocket(rig, SOCK_DGRAM, 0);
  receive(dev, frameOf([1], OURS, ETH_P_IP));
  receive(dev, frameOf([2], OURS, ETH_P_ARP));
  expect([recvmsg(rig, arp).data, recvmsg(rig, arp).n, recvmsg(rig, none).n]).toEqual([[2], -EAGAIN, -EAGAIN]);
  expect(sysBind(rig.task, none, new SockAddrLl(ETH_P_IP))).toBe(0);
  receive(dev, frameOf([3], OURS, ETH_P_IP));
  expect(recvmsg(rig, none).data).toEqual([3]);
});

test('several sockets each get the packet, in a buffer that reading by one does not take from the other', () => {
  const dev = makeCard(start());
  const fds = [SOCK_RAW, SOCK_DGRAM, SOCK_DGRAM].map((type) => packetSocket(rig, type, ETH_P_ALL));
  const single = packetSocket(rig, SOCK_DGRAM, ETH_P_IP);
  receive(dev, frameOf([7, 8]));
  expect([...fds, single].map((fd) => recvmsg(rig, fd).data.slice(-2))).toEqual([[7, 8], [7, 8], [7, 8], [7, 8]]);
});

test('bind to an interface: only its packets; getsockname says protocol, interface and its address', () => {
  const [first, second] = [makeCard(start()), makeCard(rig)];
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  expect(sysBind(rig.task, fd, new SockAddrLl(0, second.ifindex))).toBe(0);
  receive(first, frameOf([1]));
  receive(second, frameOf([2]));
  expect([recvmsg(rig, fd).data, recvmsg(rig, fd).n]).toEqual([[2], -EAGAIN]);
  const addr = new SockAddrLl();
  expect(sysGetsockname(rig.task, fd, addr)).toBe(0);
  expect([addr.sllProtocol, addr.sllIfindex, addr.sllHalen, [...addr.sllAddr]]).toEqual([ETH_P_ALL, second.ifindex, 6, [...OURS, 0, 0]]);
});

test('bind: -ENODEV for an interface that there is not, -EINVAL for another family\'s address', () => {
  makeCard(start());
  const fd = packetSocket(rig, SOCK_RAW, ETH_P_ALL);
  expect(sysBind(rig.task, fd, new SockAddrLl(ETH_P_ALL, 99))).toBe(-ENODEV);
  expect(sysBind(rig.task, fd, new SockAddr(AF_INET))).toBe(-EINVAL);
});

test('another family\'s address to be filled is EINVAL, and no packet is lost', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  receive(dev, frameOf([1]));
  expect(sysRecvfrom(rig.task, fd, new Uint8Array(64), MSG_DONTWAIT, new SockAddr(AF_INET))).toBe(-EINVAL);
  expect(sysGetsockname(rig.task, fd, new SockAddr(AF_INET))).toBe(-EINVAL);
  expect(sysGetpeername(rig.task, fd, new SockAddrLl())).toBe(-EOPNOTSUPP);
  expect(recvmsg(rig, fd).data).toEqual([1]);
});

test('bind again: the protocol and interface of before are no longer heard', () => {
  const [first, second] = [makeCard(start()), makeCard(rig)];
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  sysBind(rig.task, fd, new SockAddrLl(ETH_P_ALL, first.ifindex));
  sysBind(rig.task, fd, new SockAddrLl(ETH_P_ARP, second.ifindex));
  receive(first, frameOf([1]));
  receive(second, frameOf([2]));
  receive(second, frameOf([3], OURS, ETH_P_ARP));
  expect([recvmsg(rig, fd).data, recvmsg(rig, fd).n]).toEqual([[3], -EAGAIN]);
});

test('ENETDOWN: the interface goes down and comes back; the socket hears of the first, and hears again after the second', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  sysBind(rig.task, fd, new SockAddrLl(0, dev.ifindex));
  devClose(dev);
  expect(recvmsg(rig, fd).n).toBe(-ENETDOWN);
  expect(recvmsg(rig, fd).n).toBe(-EAGAIN);
  devOpen(dev);
  receive(dev, frameOf([5]));
  expect(recvmsg(rig, fd).data).toEqual([5]);
});

test('ENETDOWN: bind to an interface that is down says so at the next call; it receives once that is up', () => {
  const dev = makeCard(start(), true);
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  expect(sysBind(rig.task, fd, new SockAddrLl(0, dev.ifindex))).toBe(0);
  expect(sysGetsockopt(rig.task, fd, SOL_SOCKET, SO_ERROR)).toBe(ENETDOWN);
  devOpen(dev);
  receive(dev, frameOf([6]));
  expect(recvmsg(rig, fd).data).toEqual([6]);
});

test('the interface vanishes: ENETDOWN, and no device of the same number is heard later', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  sysBind(rig.task, fd, new SockAddrLl(0, dev.ifindex));
  unregisterNetdevice(dev);
  expect(recvmsg(rig, fd).n).toBe(-ENETDOWN);
  const addr = new SockAddrLl();
  sysGetsockname(rig.task, fd, addr);
  expect(addr.sllIfindex).toBe(-1);
  receive(makeCard(rig), frameOf([1]));
  expect(recvmsg(rig, fd).n).toBe(-EAGAIN);
});

test('a packet longer than the buffer is cut, MSG_TRUNC set; MSG_TRUNC in the flags asks for its length; MSG_PEEK leaves it', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  receive(dev, frameOf([1, 2, 3, 4, 5]));
  const peeked = recvmsg(rig, fd, 2, MSG_PEEK | MSG_TRUNC);
  expect([peeked.n, peeked.data, peeked.msg.msgFlags & MSG_TRUNC]).toEqual([5, [1, 2], MSG_TRUNC]);
  const cut = recvmsg(rig, fd, 3);
  expect([cut.n, cut.data, cut.msg.msgFlags & MSG_TRUNC]).toEqual([3, [1, 2, 3], MSG_TRUNC]);
  expect(recvmsg(rig, fd, 3, MSG_OOB).n).toBe(-EINVAL);
});

test('PACKET_STATISTICS: packets and drops since it was last read; a full receive buffer drops, and says so', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  sysSetsockopt(rig.task, fd, SOL_SOCKET, SO_RCVBUF, 1200);
  for (let i = 0; i < 10; i++) receive(dev, frameOf([i]));
  let read = 0;
  while (recvmsg(rig, fd).n > 0) read++;
  expect(read).toBeGreaterThan(0);
  expect(read).toBeLessThan(10);
  expect(sysGetsockopt(rig.task, fd, SOL_PACKET, PACKET_STATISTICS)).toEqual(new TpacketStats(10, 10 - read));
  expect(sysGetsockopt(rig.task, fd, SOL_PACKET, PACKET_STATISTICS)).toEqual(new TpacketStats(0, 0));
});

test('PACKET_AUXDATA: length before the cut, length here, where the network header begins', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_RAW, ETH_P_ALL);
  expect(sysSetsockopt(rig.task, fd, SOL_PACKET, PACKET_AUXDATA, 1)).toBe(0);
  sysSetsockopt(rig.task, fd, SOL_SOCKET, SO_ATTACH_FILTER, () => 16);
  receive(dev, frameOf([1, 2, 3, 4, 5]));
  const { n, msg } = recvmsg(rig, fd);
  expect(n).toBe(16);
  expect(msg.msgControl?.map(({ cmsgLevel, cmsgType, cmsgData }) => [cmsgLevel, cmsgType, cmsgData])).toEqual(
    [[SOL_PACKET, PACKET_AUXDATA, new TpacketAuxdata(TP_STATUS_USER, 19, 16, 14)]],
  );
});

test('a filter sees the frame, lets pass what it wants of it, and rejects; what it rejects is no drop and not counted', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_RAW, ETH_P_ALL);
  const seen: number[][] = [];
  const filter: SockFilter = (buf, offset, length, wireLength) => {
    seen.push([...buf.subarray(offset, offset + length), wireLength]);
    return buf[offset + 14] === 1 ? Infinity : 0;
  };
  expect(sysSetsockopt(rig.task, fd, SOL_SOCKET, SO_ATTACH_FILTER, filter)).toBe(0);
  receive(dev, frameOf([1, 9]));
  receive(dev, frameOf([2, 9]));
  expect(seen).toEqual([[...frameOf([1, 9]), 16], [...frameOf([2, 9]), 16]]);
  expect([recvmsg(rig, fd).data, recvmsg(rig, fd).n]).toEqual([[...frameOf([1, 9])], -EAGAIN]);
  expect(sysGetsockopt(rig.task, fd, SOL_PACKET, PACKET_STATISTICS)).toEqual(new TpacketStats(1, 0));
  expect(sysSetsockopt(rig.task, fd, SOL_SOCKET, SO_LOCK_FILTER, 1)).toBe(0);
  expect(sysSetsockopt(rig.task, fd, SOL_SOCKET, SO_DETACH_FILTER, 0)).toBeLessThan(0);
});

test.each([ETH_P_ALL, ETH_P_IP])('SO_TIMESTAMPNS: the World\'s time of reception, to the nanosecond, however late it is read (type %i)', async (type) => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, type);
  sysSetsockopt(rig.task, fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  const epoch = rig.world.clock.wallTime() / 1000;
  await sysPoll(rig.task, [new PollFd(fd, POLLIN)], 25);
  receive(dev, frameOf([1]));
  await sysPoll(rig.task, [new PollFd(fd, 0)], 1000);
  const [cmsg] = recvmsg(rig, fd).msg.msgControl ?? [];
  expect([cmsg?.cmsgType, cmsg?.cmsgData]).toEqual([SCM_TIMESTAMPNS, new Timespec(epoch, 25e6)]);
});

test('SIOCGSTAMP: the receive time of the packet that was read last; ENOENT before there was one', async () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  const time = new Timeval(0, 0);
  expect(sysIoctl(rig.task, fd, SIOCGSTAMP, time)).toBe(-ENOENT);
  expect(sysIoctl(rig.task, fd, SIOCGSTAMP, 0)).toBe(-EINVAL);
  const epoch = rig.world.clock.wallTime() / 1000;
  await sysPoll(rig.task, [new PollFd(fd, POLLIN)], 25);
  receive(dev, frameOf([1]));
  await sysPoll(rig.task, [new PollFd(fd, 0)], 1000);
  recvmsg(rig, fd);
  expect([sysIoctl(rig.task, fd, SIOCGSTAMP, time), time]).toEqual([0, new Timeval(epoch, 25000)]);
});

test('SO_RXQ_OVFL: each packet says how many were dropped before it', () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  sysSetsockopt(rig.task, fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  sysSetsockopt(rig.task, fd, SOL_SOCKET, SO_RCVBUF, 1200);
  for (let i = 0; i < 10; i++) receive(dev, frameOf([i]));
  let kept = 0;
  for (let got = recvmsg(rig, fd); got.n > 0; got = recvmsg(rig, fd)) {
    kept++;
    expect(got.msg.msgControl).toEqual([]);
  }
  receive(dev, frameOf([11]));
  expect(recvmsg(rig, fd).msg.msgControl?.map(({ cmsgType, cmsgData }) => [cmsgType, cmsgData])).toEqual([[SO_RXQ_OVFL, 10 - kept]]);
});

test('PACKET_ORIGDEV: a packet that one device hands to another is shown as of the device that it came in by', () => {
  const [port, master] = [makeCard(start()), makeCard(rig)];
  netdevRxHandlerRegister(port, (skb) => {
    skb.dev = master;
    return RX_HANDLER_ANOTHER;
  }, null);
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_IP);
  receive(port, frameOf([1]));
  expect(recvmsg(rig, fd).from.sllIfindex).toBe(master.ifindex);
  sysSetsockopt(rig.task, fd, SOL_PACKET, PACKET_ORIGDEV, 1);
  receive(port, frameOf([2]));
  expect(recvmsg(rig, fd).from.sllIfindex).toBe(port.ifindex);
});

test('PACKET_ORIGDEV is an option; poll says that a packet is there', async () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  expect(sysSetsockopt(rig.task, fd, SOL_PACKET, PACKET_ORIGDEV, 1)).toBe(0);
  expect(sysGetsockopt(rig.task, fd, SOL_PACKET, PACKET_ORIGDEV)).toBe(1);
  receive(dev, frameOf([1]));
  const poll = new PollFd(fd, POLLIN);
  expect(await sysPoll(rig.task, [poll], 0)).toBe(1);
  expect(poll.revents & EPOLLIN).toBe(EPOLLIN);
});

test('close: the socket is no tap any more', async () => {
  const dev = makeCard(start());
  const fd = packetSocket(rig, SOCK_DGRAM, ETH_P_ALL);
  receive(dev, frameOf([1]));
  expect(rig.net.netdev.ptypeAll.length).toBe(1);
  await sysClose(rig.task, fd);
  expect(rig.net.netdev.ptypeAll.length).toBe(0);
});
