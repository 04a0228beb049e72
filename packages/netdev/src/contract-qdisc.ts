// The contract of QdiscOps: what dev_queue_xmit and the drivers expect of every queueing discipline.
//
// A test runner goes over qdiscContract and calls run(make) of each; a rule that is broken throws. `make` gives the discipline
// and a registered device of a host; nothing is sent on it. A discipline may order and delay packets as it likes, so only
// what a burst of equal packets must find is asked.
//
//   for (const { name, run } of qdiscContract) test(name, () => run(make));

import { EEXIST, destroyNet, worldEnter, worldLeave } from '@stack/kernel';
import { NET_XMIT_CN, NET_XMIT_DROP, NET_XMIT_SUCCESS, allocSkb, kfreeSkb, leakReport, skbPut, skbReserve, type SkBuff } from '@stack/skbuff';
import { ETH_P_IP } from './if-ether.ts';
import type { NetDevice, Qdisc, QdiscOps } from './netdevice.ts';
import { qdiscLookupOps, registerQdisc } from './sch-fifo.ts';
import { qdiscCreate, qdiscDestroy, qdiscReset } from './sch-generic.ts';

/** A discipline, and a device to try it on. */
export interface QdiscRig {
  readonly ops: QdiscOps;
  readonly dev: NetDevice;
}

/** One rule of the contract. */
export interface QdiscRule {
  readonly name: string;
  /** Throws if a discipline that `make` gives breaks the rule. */
  readonly run: (make: () => QdiscRig) => void;
}

function check(what: boolean, message: string): void {
  if (!what) throw new Error(`QdiscOps contract: ${message}`);
}

function equal(actual: number, expected: number, what: string): void {
  check(actual === expected, `${what} is ${actual}, not ${expected}`);
}

/** Runs `body` inside the World on a fresh qdisc; then nothing may be left of either. */
function withQdisc(make: () => QdiscRig, body: (q: Qdisc, rig: QdiscRig) => void): void {
  const rig = make();
  const { net } = rig.dev;
  worldEnter(net.world);
  try {
    const q = qdiscCreate(rig.ops, rig.dev);
    if (q === null) throw new Error('QdiscOps contract: init refuses a plain device');
    body(q, rig);
    qdiscDestroy(q);
  } finally {
    worldLeave(net.world);
  }
  destroyNet(net);
  equal(leakReport(net.world).length, 0, 'sk_buffs and pages that are left');
}

function makePacket(dev: NetDevice, length: number, tag: number): SkBuff {
  const skb = allocSkb(dev.net, 64 + length);
  if (skb === null) throw new Error('no memory');
  skbReserve(skb, 64);
  const at = skbPut(skb, length);
  skb.buf.fill(0, at, at + length);
  skb.view.setInt32(at, tag);
  skb.networkHeader = at;
  skb.protocol = ETH_P_IP;
  skb.dev = dev;
  return skb;
}

function enqueue(q: Qdisc, skb: SkBuff): number {
  const { enqueue: op } = q.ops;
  if (op === null) throw new Error('QdiscOps contract: a discipline without enqueue has no queue to try');
  return op(skb, q);
}

/** Takes out and frees what comes without waiting. Returns the packets' tags. */
function drain(q: Qdisc): number[] {
  const tags: number[] = [];
  for (let skb = q.ops.dequeue(q); skb !== null; skb = q.ops.dequeue(q)) {
    tags.push(skb.view.getInt32(skb.data));
    check(skb.next === null, 'dequeue gives one packet, not a list');
    kfreeSkb(skb);
  }
  return tags;
}

function registersOnce(make: () => QdiscRig): void {
  const { ops, dev } = make();
  const rc = registerQdisc(dev.net, ops);
  check(rc === 0 || qdiscLookupOps(dev.net, ops.id) === ops, 'it cannot be registered');
  equal(registerQdisc(dev.net, ops), -EEXIST, 'registerQdisc() of what is registered');
  check(qdiscLookupOps(dev.net, ops.id) === ops, 'it is not found under its id');
  destroyNet(dev.net);
}

function emptyIsEmpty(make: () => QdiscRig): void {
  withQdisc(make, (q) => {
    check(q.ops.dequeue(q) === null && q.ops.peek(q) === null, 'an empty one gives packets');
    equal(q.qlen, 0, 'qlen');
    equal(q.backlog, 0, 'backlog');
  });
}

function givesWhatItTook(make: () => QdiscRig): void {
  withQdisc(make, (q, { dev }) => {
    equal(enqueue(q, makePacket(dev, 100, 7)), NET_XMIT_SUCCESS, 'enqueue');
    equal(q.qlen, 1, 'qlen with one packet');
    equal(q.backlog, 100, 'backlog with one packet of 100 octets');
    const tags = drain(q);
    check(tags.length === 1 && tags[0] === 7, 'the packet comes out, once');
    equal(q.qlen, 0, 'qlen afterwards');
    equal(q.backlog, 0, 'backlog afterwards');
    equal(q.packets, 1, 'packets');
    equal(q.bytes, 100, 'bytes');
  });
}

function peekLeaves(make: () => QdiscRig): void {
  withQdisc(make, (q, { dev }) => {
    for (let i = 0; i < 3; i++) enqueue(q, makePacket(dev, 60, i));
    for (let left = q.qlen; left > 0; left--) {
      const next = q.ops.peek(q);
      if (next === null) return; // it waits
      equal(q.qlen, left, 'qlen after peek');
      const skb = q.ops.dequeue(q);
      check(skb === next, 'dequeue gives another packet than peek said');
      kfreeSkb(next);
    }
  });
}

function countsAll(make: () => QdiscRig): void {
  withQdisc(make, (q, { dev }) => {
    let queued = 0;
    for (let i = 0; i < 50; i++) if (enqueue(q, makePacket(dev, 60 + i, i)) === NET_XMIT_SUCCESS) queued++;
    equal(q.qlen + q.drops, 50, 'packets queued and dropped');
    check(q.qlen <= queued, 'more packets are queued than were taken');
    const tags = drain(q);
    equal(tags.length + q.qlen + q.drops, 50, 'packets out, waiting and dropped');
    check(new Set(tags).size === tags.length, 'a packet comes out twice');
  });
}

function refusesWhenFull(make: () => QdiscRig): void {
  withQdisc(make, (q, { dev }) => {
    q.limit = 10;
    let refused = 0;
    for (let i = 0; i < 1000; i++) {
      const rc = enqueue(q, makePacket(dev, 60, i));
      check(rc === NET_XMIT_SUCCESS || rc === NET_XMIT_DROP || rc === NET_XMIT_CN, `enqueue says ${rc}`);
      if (rc !== NET_XMIT_SUCCESS) refused++;
    }
    check(refused > 0 && q.drops > 0, 'a thousand packets are taken where the limit is ten');
    equal(q.qlen + q.drops, 1000, 'packets queued and dropped');
  });
}

function resetFrees(make: () => QdiscRig): void {
  withQdisc(make, (q, { dev }) => {
    for (let i = 0; i < 20; i++) enqueue(q, makePacket(dev, 60, i));
    qdiscReset(q);
    equal(q.qlen, 0, 'qlen after reset');
    equal(q.backlog, 0, 'backlog after reset');
    check(q.ops.dequeue(q) === null, 'a packet comes out after reset');
    equal(enqueue(q, makePacket(dev, 60, 1)), NET_XMIT_SUCCESS, 'enqueue after reset');
  });
}

function keepsApart(make: () => QdiscRig): void {
  withQdisc(make, (q, { ops, dev }) => {
    const other = qdiscCreate(ops, dev);
    if (other === null) throw new Error('QdiscOps contract: init refuses a second one');
    enqueue(q, makePacket(dev, 60, 1));
    equal(other.qlen, 0, 'qlen of another one');
    check(other.ops.dequeue(other) === null, 'a packet comes out of another one');
    qdiscDestroy(other);
    equal(q.qlen, 1, 'qlen after another one was destroyed');
  });
}

/** The rules. */
export const qdiscContract: readonly QdiscRule[] = [
  { name: 'it registers under its id, once', run: registersOnce },
  { name: 'an empty one has nothing to give', run: emptyIsEmpty },
  { name: 'a packet that was taken is counted, and comes out once', run: givesWhatItTook },
  { name: 'peek shows the packet that dequeue gives next, and leaves it', run: peekLeaves },
  { name: 'no packet is lost without being counted, none comes twice', run: countsAll },
  { name: 'a full one drops, says so, frees and counts', run: refusesWhenFull },
  { name: 'reset frees all, and it goes on working', run: resetFrees },
  { name: 'two of one kind share nothing', run: keepsApart },
];
