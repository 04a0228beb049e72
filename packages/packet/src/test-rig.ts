/*
 * What the tests of this package begin with: a host with devices, sockets and this family, and cards that keep what they
 * send and receive what a test says. Not exported.
 */
import { createNet, createWorld, worldEnter, worldLeave } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import {
  allocNetdev, devAddrSet, devOpen, ETH_HLEN, ETH_P_IP, ETH_TYPE, etherSetup, ethTypeTrans, installNetdev, NETDEV_TX_OK,
  netifReceiveSkb, registerNetdevice,
} from '@stack/netdev';
import type { NetDevice, NetDeviceOps } from '@stack/netdev';
import { allocSkb, consumeSkb, installSkbuff, skbPut, skbReserve } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  createTask, installSocket, Iovec, MsgHdr, MSG_DONTWAIT, PF_PACKET, sysRecvmsg, sysSocket,
} from '@stack/socket';
import type { Task } from '@stack/socket';
import { installPacket } from './af-packet.ts';
import { SockAddrLl } from './if-packet.ts';

export interface Rig {
  readonly world: World;
  readonly net: Net;
  readonly task: Task;
}

export function makeRig(): Rig {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const net = createNet(world, { name: 'h' });
  installNetdev(net);
  installSocket(net);
  installPacket(net);
  return { world, net, task: createTask(net, 'test') };
}

/** The frames that a card has sent, oldest first. */
export function sentBy(dev: NetDevice): Uint8Array[] {
  return dev.priv as Uint8Array[];
}

function cardXmit(skb: SkBuff, dev: NetDevice): number {
  sentBy(dev).push(skb.buf.slice(skb.data, skb.tail));
  consumeSkb(skb);
  return NETDEV_TX_OK;
}

export const testCardOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: null,
  ndoOpen: null,
  ndoStop: null,
  ndoStartXmit: cardXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: null,
  ndoSetMacAddress: null,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

export const OURS = [2, 0, 0, 0, 0, 1];
export const THEIRS = [2, 0, 0, 0, 0, 2];

/** A card at 02:00:00:00:00:01, registered, and up unless `down`. */
export function makeCard({ net, world }: Rig, down = false, ops = testCardOps): NetDevice {
  const dev = allocNetdev(net, 'eth%d', ops, etherSetup, []);
  devAddrSet(dev, Uint8Array.from(OURS));
  registerNetdevice(dev);
  if (!down) {
    worldEnter(world);
    devOpen(dev);
    worldLeave(world);
  }
  return dev;
}

/** An Ethernet frame from THEIRS. */
export function frameOf(payload: readonly number[], to: readonly number[] = OURS, type = ETH_P_IP): Uint8Array {
  const frame = new Uint8Array(ETH_HLEN + payload.length);
  frame.set(to);
  frame.set(THEIRS, 6);
  frame.set([type >> 8, type & 0xff], ETH_TYPE);
  frame.set(payload, ETH_HLEN);
  return frame;
}

/** Receives a frame as a driver does. */
export function receive(dev: NetDevice, frame: Uint8Array): void {
  const { world } = dev.net;
  worldEnter(world);
  const skb = allocSkb(dev.net, 64 + frame.length)!;
  skbReserve(skb, 64);
  skb.buf.set(frame, skbPut(skb, frame.length));
  skb.protocol = ethTypeTrans(skb, dev);
  netifReceiveSkb(skb);
  worldLeave(world);
}

/** socket(PF_PACKET, type, protocol). */
export function packetSocket({ task }: Rig, type: number, protocol: number): number {
  const fd = sysSocket(task, PF_PACKET, type, protocol);
  if (fd < 0) throw new Error(`socket: ${fd}`);
  return fd;
}

/** What a read gave: the octets or -errno, the sender, the message. */
export interface Got {
  readonly n: number;
  readonly data: number[];
  readonly from: SockAddrLl;
  readonly msg: MsgHdr;
}

/** recvmsg without sleeping, with room for `room` octets and eight control messages. */
export function recvmsg({ task }: Rig, fd: number, room = 2048, flags = 0): Got {
  const buffer = new Uint8Array(room);
  const msg = new MsgHdr();
  const from = new SockAddrLl();
  msg.msgIov = [new Iovec(buffer)];
  msg.msgIovlen = 1;
  msg.msgName = from;
  msg.msgControl = [];
  msg.msgControllen = 8;
  const n = sysRecvmsg(task, fd, msg, flags | MSG_DONTWAIT) as number;
  return { n, data: [...buffer.subarray(0, Math.max(0, Math.min(n, room)))], from, msg };
}
