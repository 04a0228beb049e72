/*
 * Hosts for tests: a World in debug mode, Nets with everything that IP needs, and Ethernet
 * devices that are joined by a wire which a test can watch, cut or bend.
 */
import { createNet, createWorld, destroyNet, sleep, traceNet, worldEnter, worldLeave } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import { installNeigh } from '@stack/neigh';
import {
  NETDEV_TX_OK, allocNetdev, devAddrSet, devGetByName, devOpen, ethHeaderOpsNoCache, ethTypeTrans, etherSetup, installNetdev, netdevAllocSkbIpAlign,
  netifRx, registerNetdevice,
} from '@stack/netdev';
import type { NetDevice, NetDeviceOps } from '@stack/netdev';
import { installNetfilter } from '@stack/netfilter';
import { allocSkb, consumeSkb, installSkbuff, leakReport, skbCopyBits, skbPut, skbReserve } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { inAton } from '@stack/inet-sock';
import { installSocket } from '@stack/socket';
import { expect } from 'vitest';
import { installIp } from './install.ts';
import { ipAddrAdd } from './ip-addr.ts';
import { flowi4InitOutput } from './flow.ts';
import { ipPushHeader } from './ip-output.ts';
import { ipRouteOutputFlow } from './route-output.ts';

/** One end of a wire. */
export class WireEnd {
  peer: NetDevice | null = null;
  /** Every frame that was sent, as bytes. */
  sent: Uint8Array[] = [];
  /** Returns false to lose the frame; may change it. */
  filter: ((frame: Uint8Array) => boolean) | null = null;
}

export function wireOf(dev: NetDevice): WireEnd {
  return dev.priv as WireEnd;
}

/** Bytes of a packet, wherever they are. */
export function bytesOf(skb: SkBuff): Uint8Array {
  const bytes = new Uint8Array(skb.len);
  skbCopyBits(skb, 0, bytes, 0, skb.len);
  return bytes;
}

/** Has dev receive a frame, as its driver would from an interrupt. */
export function receive(dev: NetDevice, frame: Uint8Array): void {
  worldEnter(dev.net.world);
  const skb = netdevAllocSkbIpAlign(dev, frame.length);
  if (skb !== null) {
    skb.buf.set(frame, skbPut(skb, frame.length));
    skb.protocol = ethTypeTrans(skb, dev);
    netifRx(skb);
  }
  worldLeave(dev.net.world);
}

function wireXmit(skb: SkBuff, dev: NetDevice): number {
  const end = wireOf(dev);
  const frame = bytesOf(skb);
  consumeSkb(skb);
  end.sent.push(frame);
  if (end.peer !== null && (end.filter === null || end.filter(frame))) receive(end.peer, frame);
  return NETDEV_TX_OK;
}

const wireOps: NetDeviceOps = {
  ndoInit: null, ndoUninit: null, ndoOpen: null, ndoStop: null, ndoStartXmit: wireXmit, ndoSetRxMode: null, ndoChangeMtu: null,
  ndoSetMacAddress: null, ndoFixFeatures: null, ndoSetFeatures: null, ndoFeaturesCheck: null,
};

export function makeWorld(): World {
  const world = createWorld({ debug: true, seed: 1 });
  installSkbuff(world);
  return world;
}

/** A host with loopback, up. */
export function makeHost(world: World, name: string): Net {
  const net = createNet(world, { name });
  installNetdev(net);
  installNetfilter(net);
  installNeigh(net);
  installSocket(net);
  installIp(net);
  const lo = devGetByName(net, 'lo');
  if (lo !== null) inside(net, () => devOpen(lo));
  return net;
}

/** Runs fn as a system call does. */
export function inside<T>(net: Net, fn: () => T): T {
  worldEnter(net.world);
  const result = fn();
  worldLeave(net.world);
  return result;
}

let cards = 0;

/** A card of net, up, with an address `A.B.C.D/LEN`; cache false: without header cache. */
export function makeCard(net: Net, address: string | null, cache = true): NetDevice {
  const dev = allocNetdev(net, 'eth%d', wireOps, etherSetup, new WireEnd());
  if (!cache) dev.headerOps = ethHeaderOpsNoCache;
  devAddrSet(dev, new Uint8Array([2, 0, 0, 0, 0, ++cards & 0xff]));
  registerNetdevice(dev);
  inside(net, () => devOpen(dev));
  if (address !== null) expect(ipAddrAdd(dev, address)).toBe(0);
  return dev;
}

/** Joins two cards. */
export function cable(a: NetDevice, b: NetDevice): void {
  wireOf(a).peer = b;
  wireOf(b).peer = a;
}

export interface Pair {
  world: World;
  a: Net;
  b: Net;
  ethA: NetDevice;
  ethB: NetDevice;
}

/** Two hosts, 10.0.0.1 and 10.0.0.2 of 10.0.0.0/24, on one wire. */
export function makePair(cache = true): Pair {
  cards = 0;
  const world = makeWorld();
  const a = makeHost(world, 'a');
  const b = makeHost(world, 'b');
  const ethA = makeCard(a, '10.0.0.1/24', cache);
  const ethB = makeCard(b, '10.0.0.2/24', cache);
  cable(ethA, ethB);
  return { world, a, b, ethA, ethB };
}

/** Destroys every host of the World and sees to it that nothing is left. */
export async function finish(world: World): Promise<void> {
  for (const net of [...world.nets]) expect(destroyNet(net)).toEqual([]);
  await sleep(world, 1);
  expect(leakReport(world)).toEqual([]);
  expect(world.panics).toEqual([]);
}

/** The names of the functions that packets pass on net, until the function returned is called. */
export function tracer(net: Net): { hits: string[]; stop: () => void } {
  const hits: string[] = [];
  return { hits, stop: traceNet(net, (record) => hits.push(record.function)) };
}

/** A packet with `payload` behind room for headers, data at the payload. */
export function makePacket(net: Net, payload: Uint8Array): SkBuff {
  const skb = allocSkb(net, 128 + payload.length);
  if (skb === null) throw new Error('no memory');
  skbReserve(skb, 128);
  skb.buf.set(payload, skbPut(skb, payload.length));
  skb.transportHeader = skb.data;
  return skb;
}

/** Sends payload from net to daddr as protocol; fragOff may be IP_DF. Returns what the stack says. */
export function sendIp(net: Net, daddr: string, protocol: number, payload: Uint8Array, fragOff = 0, saddr = '0.0.0.0', tos = 0): number {
  return inside(net, () => {
    const fl = net.ipv4.flow;
    flowi4InitOutput(fl, 0, 0, 0, 0, protocol, 0, inAton(daddr), inAton(saddr), 0, 0);
    const rt = ipRouteOutputFlow(net, fl, null);
    if (typeof rt === 'number') return rt;
    const skb = makePacket(net, payload);
    skb.dst = rt;
    return ipPushHeader(net, skb, rt, fl.saddr, fl.daddr, protocol, tos, fragOff, null);
  });
}

/** The one's complement sum of bytes. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** An ICMP echo request. */
export function echoRequest(data: Uint8Array, id = 0x1234, seq = 1): Uint8Array {
  const icmp = new Uint8Array(8 + data.length);
  icmp.set([8, 0, 0, 0, id >> 8, id & 255, seq >> 8, seq & 255]);
  icmp.set(data, 8);
  const sum = checksum(icmp);
  icmp[2] = sum >> 8;
  icmp[3] = sum;
  return icmp;
}

export interface IpFields {
  saddr: string;
  daddr: string;
  protocol?: number;
  ttl?: number;
  tos?: number;
  id?: number;
  fragOff?: number;
  options?: Uint8Array;
  payload?: Uint8Array;
}

/** An Ethernet frame for dev with an IP packet of these fields. */
export function ipFrame(dev: NetDevice, fields: IpFields, to: Uint8Array = dev.devAddr): Uint8Array {
  const options = fields.options ?? new Uint8Array(0);
  const payload = fields.payload ?? new Uint8Array(0);
  const hlen = 20 + options.length;
  const frame = new Uint8Array(14 + hlen + payload.length);
  const view = new DataView(frame.buffer);
  frame.set(to, 0);
  frame.set([2, 0, 0, 0, 0, 0xee], 6);
  view.setUint16(12, 0x0800);
  view.setUint8(14, 0x40 | (hlen >> 2));
  view.setUint8(15, fields.tos ?? 0);
  view.setUint16(16, hlen + payload.length);
  view.setUint16(18, fields.id ?? 0);
  view.setUint16(20, fields.fragOff ?? 0);
  view.setUint8(22, fields.ttl ?? 64);
  view.setUint8(23, fields.protocol ?? 253);
  view.setInt32(26, inAton(fields.saddr));
  view.setInt32(30, inAton(fields.daddr));
  frame.set(options, 34);
  view.setUint16(24, checksum(frame.subarray(14, 14 + hlen)));
  frame.set(payload, 14 + hlen);
  return frame;
}

/** Puts the header checksum of an IP frame right again. */
export function fixChecksum(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset);
  view.setUint16(24, 0);
  view.setUint16(24, checksum(frame.subarray(14, 14 + ((frame[14] & 15) << 2))));
}

/** The ICMP message of a frame: type, code, second word; null if it is none. */
export function icmpOf(frame: Uint8Array): { type: number; code: number; info: number } | null {
  const view = new DataView(frame.buffer, frame.byteOffset);
  if (view.getUint16(12) !== 0x0800 || frame[23] !== 1) return null;
  const at = 14 + ((frame[14] & 15) << 2);
  return { type: frame[at], code: frame[at + 1], info: view.getInt32(at + 4) };
}
