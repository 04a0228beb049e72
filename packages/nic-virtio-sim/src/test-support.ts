// Hosts with cards for tests of what is between them.

import { createNet, createWorld, worldEnter, worldLeave, type Net, type World } from '@stack/kernel';
import { ETH_P_IP, devAddPack, devOpen, devQueueXmit, installNetdev, type NetDevice, type PacketType } from '@stack/netdev';
import { allocSkb, consumeSkb, installSkbuff, skbLinearize, skbPut, skbReserve, type SkBuff } from '@stack/skbuff';
import type { Port } from './port.ts';

export interface Nic {
  readonly dev: NetDevice;
  readonly port: Port;
}

/** What a host's protocol received, from the Ethernet header on. */
export interface Got {
  readonly time: number;
  readonly frame: Uint8Array;
  readonly ipSummed: number;
  readonly gsoSize: number;
  readonly gsoSegs: number;
  readonly truesize: number;
}

/** A host with one card, up, and what it received. */
export class Host {
  net: Net;
  nic: Nic;
  got: Got[] = [];

  constructor(world: World, name: string, make: (net: Net) => Nic) {
    this.net = createNet(world, { name });
    installNetdev(this.net);
    this.nic = make(this.net);
    const { got } = this;
    const type: PacketType = {
      type: ETH_P_IP,
      dev: null,
      func: (skb) => {
        const shinfo = skb.shinfo;
        const { ipSummed, truesize } = skb;
        const [gsoSize, gsoSegs] = [shinfo.gsoSize, shinfo.gsoSegs];
        skbLinearize(skb);
        got.push({ time: world.now, frame: skb.buf.slice(skb.macHeader, skb.tail), ipSummed, gsoSize, gsoSegs, truesize });
        consumeSkb(skb);
        return 0;
      },
      afPacketPriv: null,
    };
    devAddPack(this.net, type);
  }

  get dev(): NetDevice {
    return this.nic.dev;
  }

  get port(): Port {
    return this.nic.port;
  }

  /** First payload octets of what came, in order. */
  get tags(): number[] {
    return this.got.map(({ frame }) => frame[14]!);
  }
}

/** `debug` finds out who leaks and who frees twice, and takes its time. */
export function makeWorld(seed = 1, debug = true): World {
  const world = createWorld({ debug, seed });
  installSkbuff(world);
  return world;
}

/** Runs `fn` inside the stack, and what it raised. */
export function inside(world: World, fn: () => void): void {
  worldEnter(world);
  fn();
  worldLeave(world);
}

export function up(...hosts: Host[]): void {
  for (const host of hosts) inside(host.net.world, () => devOpen(host.dev));
}

/** An Ethernet frame from a to b (null: to all), `tag` the first of `len` payload octets, the others a pattern of it. */
export function makeFrame(a: Host, b: Host | null, tag: number, len = 100): SkBuff {
  const skb = allocSkb(a.net, 128 + len)!;
  skbReserve(skb, 64);
  const at = skbPut(skb, 14 + len);
  skb.buf.set(b === null ? [255, 255, 255, 255, 255, 255] : b.dev.devAddr, at);
  skb.buf.set(a.dev.devAddr, at + 6);
  skb.view.setUint16(at + 12, ETH_P_IP);
  for (let i = 0; i < len; i++) skb.buf[at + 14 + i] = tag + i * 3;
  skb.networkHeader = at + 14;
  skb.protocol = ETH_P_IP;
  skb.dev = a.dev;
  return skb;
}

/** Sends frames with the tags given, in one entry of the stack. */
export function send(a: Host, b: Host | null, tags: readonly number[], len = 100): void {
  inside(a.net.world, () => {
    for (const tag of tags) devQueueXmit(makeFrame(a, b, tag, len));
  });
}

/** Whether a frame made by makeFrame() is unharmed. */
export function intact(frame: Uint8Array, len = 100): boolean {
  if (frame.length < 14 + len) return false;
  for (let i = 0; i < len; i++) if (frame[14 + i] !== ((frame[14]! + i * 3) & 0xff)) return false;
  return true;
}

export function range(n: number): number[] {
  return [...Array(n).keys()];
}
