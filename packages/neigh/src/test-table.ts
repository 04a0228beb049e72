/*
 * A family for tests: keys are numbers, a question is one octet, a card keeps what it sends.
 */
import { createNet, createWorld, destroyNet, sleep, worldEnter, worldLeave } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import {
  NETDEV_TX_OK, allocNetdev, devAddrSet, devHardHeader, devOpen, devQueueXmit, ethHeaderOpsNoCache, etherSetup, installNetdev, llReservedSpace,
  registerNetdevice,
} from '@stack/netdev';
import type { NetDevice, NetDeviceOps } from '@stack/netdev';
import { DstEntry, allocSkb, consumeSkb, installSkbuff, kfreeSkb, leakReport, skbPut, skbReserve } from '@stack/skbuff';
import type { DstOps, SkBuff } from '@stack/skbuff';
import { expect } from 'vitest';
import { installNeigh } from './install.ts';
import { neighRelease } from './neigh-hash.ts';
import { neighConnectedOutput, neighResolveOutput } from './neigh-output.ts';
import { neighCreate, neighTableInit } from './neigh-table.ts';
import type { NeighOps, NeighTable, NeighTableOps, Neighbour } from './neighbour.ts';

/** ETH_P of the family, and of its questions. */
export const PROTO = 0x88b5;
export const PROTO_ASK = 0x88b6;

export class Card {
  frames: Uint8Array[] = [];
}

export const LLADDR = Uint8Array.from([2, 0, 0, 0, 0, 9]);

/** What errorReport has seen. */
export const reports: number[] = [];

function solicit(neigh: Neighbour, _skb: SkBuff | null): void {
  const { dev } = neigh;
  const ask = allocSkb(dev.net, 64);
  if (ask === null) return;
  skbReserve(ask, llReservedSpace(dev));
  skbPut(ask, 4);
  ask.networkHeader = ask.data;
  ask.view.setInt32(ask.data, neigh.primaryKey0);
  ask.dev = dev;
  ask.protocol = PROTO_ASK;
  const unicast = neigh.probes < neigh.parms.ucastSolicit;
  devHardHeader(ask, dev, PROTO_ASK, unicast ? neigh.ha : dev.broadcast, null, 4);
  devQueueXmit(ask);
}

function errorReport(neigh: Neighbour, skb: SkBuff): void {
  reports.push(neigh.primaryKey0);
  kfreeSkb(skb);
}

export const hhOps: NeighOps = {
  family: 99, solicit, errorReport, output: neighResolveOutput, connectedOutput: neighResolveOutput, hhOutput: devQueueXmit,
  queueXmit: devQueueXmit,
};

export const plainOps: NeighOps = { ...hhOps, connectedOutput: neighConnectedOutput };

export const testTableOps: NeighTableOps = {
  id: 'test_cache',
  family: 99,
  protocol: PROTO,
  defaultOps: plainOps,
  sysctlPath: 'net.test.neigh',
  construct: (neigh) => {
    if (neigh.dev.headerOps?.cache !== null) neigh.ops = hhOps;
    neigh.output = neigh.ops.output;
    return 0;
  },
  keyText: (neigh) => String(neigh.primaryKey0),
};

function xmit(skb: SkBuff, dev: NetDevice): number {
  (dev.priv as Card).frames.push(skb.buf.slice(skb.data, skb.tail));
  consumeSkb(skb);
  return NETDEV_TX_OK;
}

const cardOps: NetDeviceOps = {
  ndoInit: null, ndoUninit: null, ndoOpen: null, ndoStop: null, ndoStartXmit: xmit, ndoSetRxMode: null, ndoChangeMtu: null,
  ndoSetMacAddress: null, ndoFixFeatures: null, ndoSetFeatures: null, ndoFeaturesCheck: null,
};

export interface Rig {
  world: World;
  net: Net;
  dev: NetDevice;
  frames: Uint8Array[];
  table: NeighTable;
}

/** A host with one card, up, and the test family's table. */
export function makeRig(cache = true, ops: NeighTableOps = testTableOps): Rig {
  reports.length = 0;
  const world = createWorld({ debug: true, seed: 1 });
  installSkbuff(world);
  const net = createNet(world, { name: 'h' });
  installNetdev(net);
  installNeigh(net);
  const card = new Card();
  const dev = allocNetdev(net, 'eth%d', cardOps, etherSetup, card);
  if (!cache) dev.headerOps = ethHeaderOpsNoCache;
  devAddrSet(dev, Uint8Array.from([2, 0, 0, 0, 0, 1]));
  registerNetdevice(dev);
  inside(net, () => devOpen(dev));
  return { world, net, dev, frames: card.frames, table: neighTableInit(net, ops) };
}

export function inside(net: Net, fn: () => void): void {
  worldEnter(net.world);
  fn();
  worldLeave(net.world);
}

export function entry(rig: Rig, key: number): Neighbour {
  const neigh = neighCreate(rig.table, key, 0, 0, 0, rig.dev);
  if (typeof neigh === 'number') throw new Error(`neighCreate: ${neigh}`);
  return neigh;
}

const dstOps: DstOps = {
  family: 99, check: (dst) => dst, negativeAdvice: () => undefined, linkFailure: () => undefined, updatePmtu: () => undefined,
  redirect: () => undefined, mtu: () => 1500, defaultAdvmss: () => 1460,
  destroy: (dst) => {
    if (dst.neighbour !== null) neighRelease(dst.neighbour);
    dst.neighbour = null;
  },
};

/** A route by way of neigh, whose reference it takes over. */
export function routeTo(neigh: Neighbour): DstEntry {
  const dst = new DstEntry(dstOps, 0);
  dst.dev = neigh.dev;
  dst.neighbour = neigh;
  return dst;
}

/** A packet of `len` octets for dst, tag its last octet, data at the network header. */
export function packet(rig: Rig, dst: DstEntry, tag: number, len = 64): SkBuff {
  const skb = allocSkb(rig.net, 128 + len);
  if (skb === null) throw new Error('no memory');
  skbReserve(skb, 128);
  skb.buf.fill(0, skbPut(skb, len), skb.tail);
  skb.buf[skb.tail - 1] = tag;
  skb.networkHeader = skb.data;
  skb.dev = rig.dev;
  skb.protocol = PROTO;
  dst.refcnt++;
  skb.dst = dst;
  return skb;
}

/** Sends one as ip_finish_output2 does: by the cached header if there is one. */
export function send(rig: Rig, dst: DstEntry, tag: number, len = 64): void {
  inside(rig.net, () => {
    const skb = packet(rig, dst, tag, len);
    dst.neighbour?.output(skb);
  });
}

export const isAsk = (frame: Uint8Array): boolean => frame[12] === PROTO_ASK >> 8 && frame[13] === (PROTO_ASK & 255);

/** The tags of the data frames sent. */
export function tags(rig: Rig): number[] {
  return rig.frames.filter((frame) => !isAsk(frame)).map((frame) => frame[frame.length - 1]);
}

export async function finish(rig: Rig): Promise<void> {
  expect(destroyNet(rig.net)).toEqual([]);
  await sleep(rig.world, 1);
  expect(leakReport(rig.world)).toEqual([]);
}
