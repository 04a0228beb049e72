// A device for tests: it keeps what it is given, takes as many packets as it is told to, and receives what a test says.

import { createNet, createWorld, worldEnter, worldLeave, type Net, type World } from '@stack/kernel';
import { allocSkb, consumeSkb, installSkbuff, skbPut, skbReserve, type SkBuff } from '@stack/skbuff';
import { allocNetdev, devOpen, registerNetdevice } from './dev.ts';
import { devAddrSet } from './dev-addr.ts';
import { etherSetup } from './eth.ts';
import { ETH_HLEN, ETH_P_IP } from './if-ether.ts';
import { installNetdev } from './install.ts';
import { NETDEV_TX_BUSY, NETDEV_TX_OK, type NetDevice, type NetDeviceOps } from './netdevice.ts';
import { netifStopQueue } from './sch-generic.ts';

/** What the test device has. */
export class TestCard {
  /** What was sent, oldest first, as `tag:xmitMore`. */
  sent: string[] = [];
  frames: Uint8Array[] = [];
  skbs: SkBuff[] = [];
  /** Packets that it takes before it says NETDEV_TX_BUSY. */
  room = Infinity;
  /** Keeps the sk_buffs instead of freeing them. */
  keep = false;
}

export function cardOf(dev: NetDevice): TestCard {
  return dev.priv as TestCard;
}

/** The octet by which tests tell packets apart: the first behind the Ethernet header. */
function tagOf(skb: SkBuff): number {
  return skb.buf[skb.data + ETH_HLEN] ?? -1;
}

function testXmit(skb: SkBuff, dev: NetDevice): number {
  const card = cardOf(dev);
  if (card.room <= 0) {
    netifStopQueue(dev);
    return NETDEV_TX_BUSY;
  }
  card.room--;
  card.sent.push(`${tagOf(skb)}${dev.xmitMore ? '+' : ''}`);
  card.frames.push(skb.buf.slice(skb.data, skb.tail));
  if (card.keep) card.skbs.push(skb);
  else consumeSkb(skb);
  return NETDEV_TX_OK;
}

export const testOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: null,
  ndoOpen: null,
  ndoStop: null,
  ndoStartXmit: testXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: null,
  ndoSetMacAddress: null,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

export function makeWorld(): World {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  return world;
}

export function makeNet(): Net {
  const net = createNet(makeWorld(), { name: 'h' });
  installNetdev(net);
  return net;
}

/** Runs `fn` as a system call does, and what it raised. */
export function inside(net: Net, fn: () => void): void {
  worldEnter(net.world);
  fn();
  worldLeave(net.world);
}

/** A test device, registered, with address 02:00:00:00:00:01; up unless `down`. `ops` replaces some of its functions. */
export function makeDev(net: Net, ops: Partial<NetDeviceOps> = {}, down = false): NetDevice {
  const dev = allocNetdev(net, 'test%d', { ...testOps, ...ops }, etherSetup, new TestCard());
  devAddrSet(dev, new Uint8Array([2, 0, 0, 0, 0, 1]));
  registerNetdevice(dev);
  if (!down) inside(net, () => devOpen(dev));
  return dev;
}

/** An Ethernet frame with `tag` as the first of `len` payload octets, for `dev` to send or receive. */
export function makeFrame(dev: NetDevice, tag = 0, len = 46, to: readonly number[] = [2, 0, 0, 0, 0, 2], type = ETH_P_IP): SkBuff {
  const skb = allocSkb(dev.net, 64 + ETH_HLEN + len)!;
  skbReserve(skb, 64);
  const at = skbPut(skb, ETH_HLEN + len);
  skb.buf.fill(0, at, at + ETH_HLEN + len);
  skb.buf.set(to, at);
  skb.buf.set([2, 0, 0, 0, 0, 9], at + 6);
  skb.view.setUint16(at + 12, type);
  if (len > 0) skb.buf[at + ETH_HLEN] = tag;
  skb.protocol = type;
  skb.networkHeader = at + ETH_HLEN;
  skb.dev = dev;
  return skb;
}
