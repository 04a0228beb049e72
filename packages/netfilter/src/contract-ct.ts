// The contracts of NfCtHook (connection tracking) and NfQueueHandler (queued packets). They come out through contract.ts.
//
// A test runner goes over a contract and calls run(make) of each rule; a rule that is broken throws.
//
//   for (const { name, run } of nfCtHookContract) test(name, () => run(make));

import { createNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { allocSkb, consumeSkb, leakReport } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { installNetfilter, nfCtAttach, nfHook, nfRegisterNetHook, nfUnregisterNetHook } from './core.ts';
import { NFPROTO_IPV4, NF_INET_LOCAL_OUT, NF_QUEUE } from './hook.ts';
import type { NfHookOps, NfQueueHandler } from './hook.ts';
import { nfRegisterQueueHandler, nfUnregisterQueueHandler } from './nf-queue.ts';

/** One rule of a contract. */
export interface NfRule<Rig> {
  readonly name: string;
  /** Throws if what `make` makes breaks the rule. */
  readonly run: (make: () => Rig) => void;
}

/** A host with connection tracking set by nfSetCtHook, in a World in debug mode. */
export interface NfCtRig {
  readonly net: Net;
  /** A packet that has a connection: the caller's. */
  readonly tracked: () => SkBuff;
}

function check(what: boolean, message: string): void {
  if (!what) throw new Error(`netfilter contract: ${message}`);
}

function packet(net: Net): SkBuff {
  const skb = allocSkb(net, 100);
  if (skb === null) throw new Error('netfilter contract: no memory');
  return skb;
}

/** An answer to a packet has its connection, with a reference of its own. */
function attachHolds({ net, tracked }: NfCtRig): void {
  const skb = tracked();
  const nfct = skb.nfct;
  check(nfct !== null, 'tracked() gives a packet without a connection');
  if (nfct === null) return;
  const use = nfct.use;
  const answer = packet(net);
  nfCtAttach(answer, skb);
  check(answer.nfct === nfct, 'attach does not give the answer the connection of the packet');
  check(nfct.use === use + 1, `attach takes ${nfct.use - use} references, not 1`);
  consumeSkb(skb);
  check(nfct.use === use, 'the packet\'s reference is not given back');
  consumeSkb(answer);
  check(nfct.use === use - 1, 'the answer\'s reference is not given back');
  check(leakReport(net.world).length === 0, 'a packet is left');
}

/** An answer to a packet that has no connection has none. */
function attachNothing({ net }: NfCtRig): void {
  const [skb, answer] = [packet(net), packet(net)];
  const hook = net.nf.ctHook;
  check(hook !== null, 'no hook is set');
  nfCtAttach(answer, skb);
  if (hook !== null) hook.attach(answer, skb);
  check(answer.nfct === null, 'attach makes a connection up');
  consumeSkb(skb);
  consumeSkb(answer);
}

/** An answer is of the other direction than what it answers: the two differ in skb.nfctinfo. */
function attachTurns({ net, tracked }: NfCtRig): void {
  const skb = tracked();
  const answer = packet(net);
  nfCtAttach(answer, skb);
  check(answer.nfctinfo !== skb.nfctinfo, 'an answer looks like what it answers');
  consumeSkb(skb);
  consumeSkb(answer);
}

/** What NfCtHook owes the rest of the stack. */
export const nfCtHookContract: readonly NfRule<NfCtRig>[] = [
  { name: 'attach: the answer holds a reference of its own', run: (make) => attachHolds(make()) },
  { name: 'attach: nothing is made up', run: (make) => attachNothing(make()) },
  { name: 'attach: the answer goes the other way', run: (make) => attachTurns(make()) },
];

/** A host, in a World in debug mode, and a handler that is not registered yet and keeps what it is given. */
export interface NfQueueRig {
  readonly net: Net;
  readonly handler: NfQueueHandler;
}

const queueAll: NfHookOps = { hook: () => NF_QUEUE, pf: NFPROTO_IPV4, hooknum: NF_INET_LOCAL_OUT, priority: 0 };

function discard(skb: SkBuff): number {
  consumeSkb(skb);
  return 0;
}

function enqueue(net: Net): void {
  nfHook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, packet(net), null, null, discard);
}

/** What is kept is given back, once, when a hook function goes and when the handler does. */
function queueGivesBack({ net, handler }: NfQueueRig, end: (net: Net) => void): void {
  check(nfRegisterQueueHandler(net, handler) === 0, 'it cannot be registered');
  nfRegisterNetHook(net, queueAll);
  for (let i = 0; i < 3; i++) enqueue(net);
  end(net);
  check(leakReport(net.world).length === 0, 'packets are kept after nfHookDrop');
}

/** Packets of another host stay when this one's are given back. */
function queueKeepsOthers({ net, handler }: NfQueueRig): void {
  const other = createNet(net.world, { name: 'another' });
  installNetfilter(other);
  for (const host of [net, other]) {
    nfRegisterQueueHandler(host, handler);
    nfRegisterNetHook(host, queueAll);
    enqueue(host);
  }
  nfUnregisterQueueHandler(net);
  check(leakReport(net.world).length > 0, 'nfHookDrop gives back packets of another host');
  nfUnregisterQueueHandler(other);
  check(leakReport(net.world).length === 0, 'packets are kept after nfHookDrop');
}

/** What NfQueueHandler owes netfilter. */
export const nfQueueHandlerContract: readonly NfRule<NfQueueRig>[] = [
  { name: 'nfHookDrop: a hook function goes, what waits is dropped', run: (make) => queueGivesBack(make(), (net) => void nfUnregisterNetHook(net, queueAll)) },
  { name: 'nfHookDrop: the handler goes, what waits is dropped', run: (make) => queueGivesBack(make(), nfUnregisterQueueHandler) },
  { name: 'nfHookDrop: another host\'s packets stay', run: (make) => queueKeepsOthers(make()) },
];
