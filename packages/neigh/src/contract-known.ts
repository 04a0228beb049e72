/*
 * The contract of a NeighTableOps that need not ask: whose construct() knows the address of a neighbour, or refuses. A static
 * table is one, a family that has its link-layer addresses inside its own (RFC 2464 §7 for groups) another.
 *
 *   for (const { name, run } of neighKnownContract) test(name, () => run(make));
 */
import { destroyNet, sleep, worldEnter, worldLeave } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { DstEntry, allocSkb, leakReport, skbPut, skbReserve } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { contractDstOps } from './contract-dst.ts';
import { neighLookup, neighRelease } from './neigh-hash.ts';
import { neighCreate } from './neigh-table.ts';
import { NUD_CONNECTED } from './nud.ts';
import type { NeighTable, Neighbour } from './neighbour.ts';

/** A key, as int32 words. */
export type NeighKey = readonly [number, number, number, number];

/** What a rule works with: a table on one device whose link the test plays. */
export interface NeighKnownRig {
  readonly net: Net;
  readonly table: NeighTable;
  /** Up; what it sends is in `frames`, link-layer header and all. */
  readonly dev: NetDevice;
  readonly frames: Uint8Array[];
  /** A key that the table knows, and its link-layer address. */
  readonly known: NeighKey;
  readonly lladdr: Uint8Array;
  /** A key that it does not know. */
  readonly unknown: NeighKey;
  /** Fills in a packet as the family has it. */
  readonly fill: (skb: SkBuff) => void;
}

/** One rule of the contract. */
export interface NeighKnownRule {
  readonly name: string;
  /** Rejects if a table that `make` makes breaks the rule. */
  readonly run: (make: () => NeighKnownRig) => Promise<void>;
}

function check(what: boolean, message: string): void {
  if (!what) throw new Error(`NeighTableOps contract: ${message}`);
}

function create(rig: NeighKnownRig, key: NeighKey): Neighbour | number {
  return neighCreate(rig.table, ...key, rig.dev);
}

function createKnown(rig: NeighKnownRig): Neighbour {
  const neigh = create(rig, rig.known);
  if (typeof neigh === 'number') throw new Error(`NeighTableOps contract: a known key is refused: ${neigh}`);
  return neigh;
}

/** Sends a packet with `tag` as its last octet by way of `neigh`. */
function send(rig: NeighKnownRig, neigh: Neighbour, dst: DstEntry, tag: number): void {
  const { net, dev } = rig;
  worldEnter(net.world);
  const skb = allocSkb(net, 256);
  if (skb === null) throw new Error('no memory');
  skbReserve(skb, 128);
  skbPut(skb, 64);
  skb.networkHeader = skb.data;
  skb.dev = dev;
  skb.protocol = rig.table.ops.protocol;
  rig.fill(skb);
  skb.buf[skb.tail - 1] = tag;
  dst.refcnt++;
  skb.dst = dst;
  neigh.output(skb);
  worldLeave(net.world);
}

async function end(net: Net): Promise<void> {
  const { world } = net;
  destroyNet(net);
  await sleep(world, 1);
  check(leakReport(world).length === 0, 'an sk_buff is left over');
}

async function leavesAtOnce(make: () => NeighKnownRig): Promise<void> {
  const rig = make();
  const { frames, lladdr } = rig;
  const neigh = createKnown(rig);
  check((neigh.nudState & NUD_CONNECTED) !== 0, 'an entry whose address is known is connected from the start');
  check(lladdr.every((octet, i) => neigh.ha[i] === octet), 'it has the address');
  const dst = new DstEntry(contractDstOps, 0);
  dst.dev = rig.dev;
  dst.neighbour = neigh;
  for (let tag = 1; tag <= 3; tag++) send(rig, neigh, dst, tag);
  check(frames.map((frame) => frame[frame.length - 1]).join() === '1,2,3', 'packets leave at once, in order, and nothing with them');
  check(frames.every((frame) => lladdr.every((octet, i) => frame[i] === octet)), 'to that address');
  dst.neighbour = null;
  dst.hh = null;
  neighRelease(neigh);
  await end(rig.net);
}

async function refuses(make: () => NeighKnownRig): Promise<void> {
  const rig = make();
  const neigh = create(rig, rig.unknown);
  check(typeof neigh === 'number' && neigh < 0, 'a key that is not known gets an entry');
  check(neighLookup(rig.table, ...rig.unknown, rig.dev) === null, 'which stays in the table');
  await sleep(rig.net.world, 10_000);
  check(rig.frames.length === 0, 'somebody was asked');
  await end(rig.net);
}

async function lasts(make: () => NeighKnownRig): Promise<void> {
  const rig = make();
  const neigh = createKnown(rig);
  await sleep(rig.net.world, 3_600_000);
  check((neigh.nudState & NUD_CONNECTED) !== 0 && rig.frames.length === 0, 'after an hour the entry is in doubt, or was asked about');
  neighRelease(neigh);
  await end(rig.net);
}

/** The rules. */
export const neighKnownContract: readonly NeighKnownRule[] = [
  { name: 'a known neighbour is connected from the start: packets leave at once, in order', run: leavesAtOnce },
  { name: 'an unknown one is refused: nobody is asked, nothing is kept', run: refuses },
  { name: 'a known neighbour never comes into doubt', run: lasts },
];
