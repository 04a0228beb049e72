// The contract of socket families and protocols on PF_PACKET, of both kinds. A packet socket has no peer: two hosts lie on a cable without
// link-layer headers, and each socket is bound to its end, so that a write needs no address and what it writes is the whole packet.
import { createNet, createWorld, interrupt, type World } from '@stack/kernel';
import {
  allocNetdev, devOpen, installNetdev, NETDEV_TX_OK, netdevAllocSkb, netifRx, registerNetdevice, type NetDevice, type NetDeviceOps,
} from '@stack/netdev';
import { consumeSkb, installSkbuff, leakReport, skbCopyBits, skbPut, type SkBuff } from '@stack/skbuff';
import { installSocket, PF_PACKET, SOCK_DGRAM, SOCK_RAW, sysBind, sysCall, sysSocket, type Task } from '@stack/socket';
import { socketContract, type SocketPair } from '@stack/socket/contract';
import { describe, expect, test } from 'vitest';
import { installPacket } from './af-packet.ts';
import { SockAddrLl } from './if-packet.ts';
import { testCardOps } from './test-rig.ts';

const PROTOCOL = 0x88b5;

/** The end of a cable: the other one, and what has left for it. */
interface End {
  other: NetDevice | null;
  readonly frames: Uint8Array[];
}

const endOf = (dev: NetDevice): End => dev.priv as End;

function xmit(skb: SkBuff, dev: NetDevice): number {
  const frame = new Uint8Array(skb.len);
  skbCopyBits(skb, 0, frame, 0, skb.len);
  consumeSkb(skb);
  const { other, frames } = endOf(dev);
  if (other !== null) {
    frames.push(frame);
    interrupt(other.net, arrive, dev);
  }
  return NETDEV_TX_OK;
}

/** The interrupt of the other end: what left `dev` is there. */
function arrive(dev: NetDevice): void {
  const { other, frames } = endOf(dev);
  const frame = frames.shift();
  if (other === null || frame === undefined) return;
  const skb = netdevAllocSkb(other, frame.length);
  if (skb === null) return;
  skb.buf.set(frame, skbPut(skb, frame.length));
  skb.protocol = PROTOCOL;
  netifRx(skb);
}

const ops: NetDeviceOps = { ...testCardOps, ndoStartXmit: xmit };

function makeEnd(world: World): NetDevice {
  const net = createNet(world);
  for (const install of [installNetdev, installSocket, installPacket]) install(net);
  const dev = allocNetdev(net, 'cable%d', ops, (cable) => {
    cable.mtu = 1500;
  }, { other: null, frames: [] } satisfies End);
  registerNetdevice(dev);
  devOpen(dev);
  return dev;
}

function open(task: Task, type: number, dev: NetDevice): number {
  const fd = sysCall(sysSocket(task, PF_PACKET, type, PROTOCOL), 'socket');
  sysCall(sysBind(task, fd, new SockAddrLl(PROTOCOL, dev.ifindex)), 'bind');
  return fd;
}

function makePair(type: number): SocketPair {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const [a, b] = [makeEnd(world), makeEnd(world)];
  endOf(a).other = b;
  endOf(b).other = a;
  return { netA: a.net, netB: b.net, type, connect: (taskA, taskB) => [open(taskA, type, a), open(taskB, type, b)] };
}

describe.each([['SOCK_RAW', SOCK_RAW], ['SOCK_DGRAM', SOCK_DGRAM]])('the socket contract on PF_PACKET, %s', (_name, type) => {
  for (const { name, run } of socketContract) {
    test(name, async () => {
      const pair = makePair(type);
      await run(() => pair);
      expect(leakReport(pair.netA.world)).toEqual([]);
    });
  }
});
