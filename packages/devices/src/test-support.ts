// What the tests of this package begin with: Nets of one World, devices of every kind in pairs, frames.

import { Work, WaitQueueEntry, addWaitQueue, createNet, createWorld, scheduleWork, worldEnter, worldLeave, type Net, type World } from '@stack/kernel';
import { devGetByName, devOpen, installNetdev, type NetDevice } from '@stack/netdev';
import { allocSkb, consumeSkb, installSkbuff, skbPut, skbReserve, type SkBuff } from '@stack/skbuff';
import { brAddBridge, brAddIf } from './br-if.ts';
import { netdevPriv } from './br-private.ts';
import { tunRead, tunWrite } from './tun.ts';
import { createVethPair } from './veth.ts';

export function makeWorld(): World {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  return world;
}

export function makeNet(world: World, name: string): Net {
  const net = createNet(world, { name });
  installNetdev(net);
  return net;
}

/** Runs `fn` as a system call does, and what it raised. */
export function inside(world: World, fn: () => void): void {
  worldEnter(world);
  fn();
  worldLeave(world);
}

export const mac = (last: number): Uint8Array => new Uint8Array([2, 0, 0, 0, 0, last]);
export const BROADCAST = new Uint8Array(6).fill(0xff);

/** A frame for `dev` to send: addresses, type, then `payload`. */
export function makeFrame(dev: NetDevice, to: Uint8Array, from: Uint8Array, payload: readonly number[] = [1], type = 0x0800): SkBuff {
  const skb = allocSkb(dev.net, 128 + payload.length)!;
  skbReserve(skb, 64);
  const at = skbPut(skb, 14 + payload.length);
  skb.buf.set(to, at);
  skb.buf.set(from, at + 6);
  skb.view.setUint16(at + 12, type);
  skb.buf.set(payload, at + 14);
  skb.protocol = type;
  skb.networkHeader = at + 14;
  skb.dev = dev;
  return skb;
}

/** What a device received, from its Ethernet header on, as far as a tap of ETH_P_ALL sees it. */
export class Ear {
  frames: Uint8Array[] = [];
  pktTypes: number[] = [];
  devs: string[] = [];
}

/** What arrives for this host on `dev`, by protocol `type`. */
export function listenOn(dev: NetDevice, type = 0x0800): Ear {
  const ear = new Ear();
  dev.net.netdev.ptypeBase[type & 15]!.push({
    type, dev, afPacketPriv: null,
    func: (skb, on) => {
      ear.frames.push(skb.buf.slice(skb.macHeader, skb.tail));
      ear.pktTypes.push(skb.pktType);
      ear.devs.push(on.name);
      consumeSkb(skb);
      return 0;
    },
  });
  return ear;
}

/** A host with a bridge, and `count` stations behind veth cables; all up. */
export function makeBridge(world: World, count: number, options = {}): { net: Net; br: NetDevice; ports: NetDevice[]; stations: NetDevice[] } {
  const net = makeNet(world, 'bridge');
  const br = brAddBridge(net, options);
  const ports: NetDevice[] = [];
  const stations: NetDevice[] = [];
  inside(world, () => {
    for (let i = 0; i < count; i++) {
      const [port, station] = createVethPair(net, makeNet(world, `s${i + 1}`), { name: `p${i + 1}`, mac: mac(0x80 + i) }, { name: 'eth0', mac: mac(i + 1) });
      ports.push(port);
      stations.push(station);
      brAddIf(netdevPriv(br), port);
      devOpen(port);
      devOpen(station);
    }
    devOpen(br);
  });
  return { net, br, ports, stations };
}

/** Joins two TUN devices' user ends: what one sends, the other receives. */
export function joinTuns(a: NetDevice, b: NetDevice): void {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    const work = new Work(from.net, () => {
      for (let packet = tunRead(from); packet !== null; packet = tunRead(from)) tunWrite(to, packet);
    }, null);
    const { wait } = from.priv as { wait: Parameters<typeof addWaitQueue>[0] };
    addWaitQueue(wait, new WaitQueueEntry(from.net.world, () => (scheduleWork(work) ? 1 : 0), null));
  }
}

export const loopbackOf = (net: Net): NetDevice => devGetByName(net, 'lo')!;
