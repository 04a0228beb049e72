// PACKET_ADD_MEMBERSHIP and PACKET_DROP_MEMBERSHIP: packet(7).
import { destroyNet, EADDRNOTAVAIL, EINVAL, ENODEV, EOPNOTSUPP, openReport } from '@stack/kernel';
import { devMcHas, ETH_P_ALL, IFF_ALLMULTI, IFF_PROMISC, unregisterNetdevice } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { SOCK_RAW, SOL_PACKET, sysClose, sysSetsockopt } from '@stack/socket';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP, PACKET_MR_ALLMULTI, PACKET_MR_MULTICAST, PACKET_MR_PROMISC, PACKET_MR_UNICAST, PacketMreq,
} from './if-packet.ts';
import { makeCard, makeRig, packetSocket } from './test-rig.ts';
import type { Rig } from './test-rig.ts';

const GROUP = Uint8Array.of(1, 0, 0x5e, 1, 2, 3);

let rig: Rig;
let dev: NetDevice;
let fd: number;

beforeEach(() => {
  rig = makeRig();
  dev = makeCard(rig);
  fd = packetSocket(rig, SOCK_RAW, ETH_P_ALL);
});
afterEach(() => {
  destroyNet(rig.net);
  expect(openReport(rig.world)).toEqual([]);
});

const add = (mreq: PacketMreq, socket = fd): number => sysSetsockopt(rig.task, socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, mreq);
const drop = (mreq: PacketMreq): number => sysSetsockopt(rig.task, fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, mreq);

test('PACKET_MR_PROMISC: promiscuous while a socket wants it; the same request twice wants two drops', () => {
  const mreq = new PacketMreq(dev.ifindex, PACKET_MR_PROMISC);
  expect([add(mreq), add(mreq), dev.promiscuity]).toEqual([0, 0, 1]);
  expect(dev.flags & IFF_PROMISC).not.toBe(0);
  expect([drop(mreq), dev.promiscuity, drop(mreq), dev.promiscuity]).toEqual([0, 1, 0, 0]);
  expect(dev.flags & IFF_PROMISC).toBe(0);
  expect(drop(mreq)).toBe(-EADDRNOTAVAIL);
});

test('PACKET_MR_ALLMULTI: every group', () => {
  const mreq = new PacketMreq(dev.ifindex, PACKET_MR_ALLMULTI);
  expect(add(mreq)).toBe(0);
  expect(dev.flags & IFF_ALLMULTI).not.toBe(0);
  expect(drop(mreq)).toBe(0);
  expect(dev.flags & IFF_ALLMULTI).toBe(0);
});

test('PACKET_MR_MULTICAST: one group; two sockets each with a request of their own', async () => {
  const mreq = new PacketMreq(dev.ifindex, PACKET_MR_MULTICAST, GROUP);
  const other = packetSocket(rig, SOCK_RAW, 0);
  expect([add(mreq), add(mreq, other), devMcHas(dev, GROUP)]).toEqual([0, 0, true]);
  expect([drop(mreq), devMcHas(dev, GROUP)]).toEqual([0, true]);
  await sysClose(rig.task, other);
  expect(devMcHas(dev, GROUP)).toBe(false);
});

test('close: everything that the socket asked of the device ends', async () => {
  add(new PacketMreq(dev.ifindex, PACKET_MR_PROMISC));
  add(new PacketMreq(dev.ifindex, PACKET_MR_ALLMULTI));
  await sysClose(rig.task, fd);
  expect([dev.promiscuity, dev.allmulti]).toEqual([0, 0]);
});

test('the device goes: the memberships on it are gone', () => {
  const mreq = new PacketMreq(dev.ifindex, PACKET_MR_PROMISC);
  add(mreq);
  unregisterNetdevice(dev);
  expect([dev.promiscuity, drop(mreq)]).toEqual([0, -EADDRNOTAVAIL]);
});

test('what it refuses: no such device, no such type, an address too long, no request', () => {
  expect(add(new PacketMreq(99, PACKET_MR_PROMISC))).toBe(-ENODEV);
  expect(add(new PacketMreq(dev.ifindex, 9))).toBe(-EINVAL);
  expect(add(new PacketMreq(dev.ifindex, PACKET_MR_UNICAST, GROUP))).toBe(-EOPNOTSUPP);
  expect(add(new PacketMreq(dev.ifindex, PACKET_MR_MULTICAST, new Uint8Array(7)))).toBe(-EINVAL);
  expect(sysSetsockopt(rig.task, fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, 1)).toBe(-EINVAL);
});
