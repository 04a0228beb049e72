/*
 * The contract of NeighOps and NeighTableOps: what the neighbour layer expects of every resolver,
 * run on each implementation.
 *
 * A test runner goes over neighContract and calls run(make) of each; a rule that is broken throws.
 * Time must be virtual: rules wait in it.
 *
 *   for (const { name, run } of neighContract) test(name, () => run(make));
 */
import { destroyNet, sleep, worldEnter, worldLeave } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { DstEntry, allocSkb, leakReport, skbPut, skbReserve } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { contractDstOps } from './contract-dst.ts';
import { neighCreate } from './neigh-table.ts';
import { neighRelease } from './neigh-hash.ts';
import { NUD_CONNECTED, NUD_FAILED, NUD_INCOMPLETE, NUD_REACHABLE, NUD_VALID } from './nud.ts';
import type { NeighTable, Neighbour } from './neighbour.ts';

export { neighKnownContract, type NeighKey, type NeighKnownRig, type NeighKnownRule } from './contract-known.ts';

/** What a rule works with: a resolver on one device whose link the test plays. */
export interface NeighRig {
  readonly net: Net;
  readonly table: NeighTable;
  /** Up; what it sends is in `frames`. */
  readonly dev: NetDevice;
  readonly frames: Uint8Array[];
  /** The key of a host on the link that must be asked for, as int32 words. */
  readonly key: readonly [number, number, number, number];
  /** Its link-layer address. */
  readonly lladdr: Uint8Array;
  /** Has the host answer a solicitation. */
  readonly answer: () => void;
  /** Whether a frame is a solicitation of the resolver. */
  readonly isSolicit: (frame: Uint8Array) => boolean;
  /** Fills in a packet to that host as the family has it, so that errorReport can read its header. */
  readonly fill: (skb: SkBuff) => void;
}

/** One rule of the contract. */
export interface NeighRule {
  readonly name: string;
  /** Rejects if a resolver that `make` makes breaks the rule. */
  readonly run: (make: () => NeighRig) => Promise<void>;
}

function check(what: boolean, message: string): void {
  if (!what) throw new Error(`NeighOps contract: ${message}`);
}

function neighbourOf(rig: NeighRig): Neighbour {
  const [k0, k1, k2, k3] = rig.key;
  const neigh = neighCreate(rig.table, k0, k1, k2, k3, rig.dev);
  if (typeof neigh === 'number') throw new Error(`NeighOps contract: neighCreate said ${neigh}`);
  return neigh;
}

/** Sends a packet with `tag` as its last octet by way of neigh. */
function send(rig: NeighRig, neigh: Neighbour, dst: DstEntry, tag: number): void {
  const { net, dev } = rig;
  worldEnter(net.world);
  const skb = allocSkb(net, 256);
  check(skb !== null, 'no memory');
  if (skb !== null) {
    skbReserve(skb, 128);
    skbPut(skb, 64);
    skb.buf.fill(0, skb.data, skb.tail);
    skb.networkHeader = skb.data;
    skb.dev = dev;
    skb.protocol = rig.table.ops.protocol;
    rig.fill(skb);
    skb.buf[skb.tail - 1] = tag;
    dst.refcnt++;
    skb.dst = dst;
    neigh.output(skb);
  }
  worldLeave(net.world);
}

function routeTo(neigh: Neighbour): DstEntry {
  const dst = new DstEntry(contractDstOps, 0);
  dst.dev = neigh.dev;
  dst.neighbour = neigh;
  return dst;
}

function solicits(rig: NeighRig): number {
  return rig.frames.filter((frame) => rig.isSolicit(frame)).length;
}

function data(rig: NeighRig): Uint8Array[] {
  return rig.frames.filter((frame) => !rig.isSolicit(frame));
}

/** Ends a rule: everything is given back. */
async function end(rig: NeighRig, neigh: Neighbour, dst: DstEntry): Promise<void> {
  const { net } = rig;
  const { world } = net;
  dst.neighbour = null;
  dst.hh = null;
  neighRelease(neigh);
  destroyNet(net);
  await sleep(world, 1);
  check(leakReport(world).length === 0, 'an sk_buff is left over');
}

async function ruleAsksAndWaits(make: () => NeighRig): Promise<void> {
  const rig = make();
  const neigh = neighbourOf(rig);
  const dst = routeTo(neigh);
  send(rig, neigh, dst, 1);
  send(rig, neigh, dst, 2);
  check(neigh.nudState === NUD_INCOMPLETE, 'an entry that has asked is INCOMPLETE');
  check(solicits(rig) === 1, 'the first packet makes it ask once, at once');
  check(data(rig).length === 0, 'nothing is sent before the answer');
  rig.answer();
  await sleep(rig.net.world, 1);
  check((neigh.nudState & NUD_VALID) !== 0, 'the answer makes the entry valid');
  const sent = data(rig).map((frame) => frame[frame.length - 1]);
  check(sent.join() === '1,2', `what waited goes out in order (${sent.join()})`);
  check(neigh.ha.slice(0, rig.dev.addrLen).join() === rig.lladdr.join(), 'the address is the one answered');
  await end(rig, neigh, dst);
}

async function ruleConnectedOutput(make: () => NeighRig): Promise<void> {
  const rig = make();
  const neigh = neighbourOf(rig);
  const dst = routeTo(neigh);
  send(rig, neigh, dst, 1);
  rig.answer();
  await sleep(rig.net.world, 1);
  check((neigh.nudState & NUD_CONNECTED) !== 0, 'an answer to our question proves that the host is there');
  check(neigh.output === neigh.ops.connectedOutput, 'output is connectedOutput then');
  send(rig, neigh, dst, 2);
  check(data(rig).length === 2, 'and the next packet leaves at once');
  check(solicits(rig) === 1, 'without another question');
  await end(rig, neigh, dst);
}

async function ruleGivesUp(make: () => NeighRig): Promise<void> {
  const rig = make();
  const neigh = neighbourOf(rig);
  const dst = routeTo(neigh);
  const { parms } = neigh;
  send(rig, neigh, dst, 1);
  await sleep(rig.net.world, (parms.mcastSolicit + 1) * parms.retransTimeMs + 100);
  check(solicits(rig) === parms.mcastSolicit, `it asks mcastSolicit times (${solicits(rig)})`);
  check(neigh.nudState === NUD_FAILED, 'then the entry is FAILED');
  check(neigh.arpQueue.qlen === 0 && neigh.arpQueueLenBytes === 0, 'and errorReport has had what waited');
  send(rig, neigh, dst, 2);
  check(neigh.nudState === NUD_INCOMPLETE, 'a new packet asks again');
  await end(rig, neigh, dst);
}

async function ruleProbesUnicast(make: () => NeighRig): Promise<void> {
  const rig = make();
  const neigh = neighbourOf(rig);
  const dst = routeTo(neigh);
  const { parms } = neigh;
  send(rig, neigh, dst, 1);
  rig.answer();
  await sleep(rig.net.world, parms.reachableTime + 1000);
  check(neigh.nudState !== NUD_REACHABLE, 'without proof an entry does not stay REACHABLE');
  const before = solicits(rig);
  send(rig, neigh, dst, 2);
  await sleep(rig.net.world, parms.delayFirstProbeTime * 1000 + 500);
  const probes = rig.frames.filter((frame) => rig.isSolicit(frame)).slice(before);
  check(probes.length === 1, 'used again, it is probed after delayFirstProbeTime');
  check(probes.every((frame) => rig.lladdr.every((octet, i) => frame[i] === octet)), 'by questions to the address that it has');
  rig.answer();
  await sleep(rig.net.world, 1);
  check(neigh.nudState === NUD_REACHABLE, 'whose answer makes it REACHABLE again');
  await end(rig, neigh, dst);
}

/** The rules. */
export const neighContract: readonly NeighRule[] = [
  { name: 'RFC 4861 §7.2.2: packets wait, in order, for the answer to one solicitation', run: ruleAsksAndWaits },
  { name: 'RFC 4861 §7.3.1: an answer makes the neighbour REACHABLE and output direct', run: ruleConnectedOutput },
  { name: 'RFC 4861 §7.2.2: unanswered, it fails after the last attempt and reports every packet', run: ruleGivesUp },
  { name: 'RFC 4861 §7.3.3: a stale neighbour in use is probed in unicast', run: ruleProbesUnicast },
];
