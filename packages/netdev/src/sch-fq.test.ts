import { EINVAL, sleep } from '@stack/kernel';
import { leakReport, NET_XMIT_DROP, NET_XMIT_SUCCESS } from '@stack/skbuff';
import { beforeEach, expect, test } from 'vitest';
import { devReplaceQdisc } from './dev-config.ts';
import { unregisterNetdevice } from './dev.ts';
import { devQueueXmit } from './dev-xmit.ts';
import type { NetDevice, Qdisc } from './netdevice.ts';
import { fqChange, fqOps, type FqOptions, type PacedSock } from './sch-fq.ts';
import { netifStopQueue, netifWakeQueue } from './sch-generic.ts';
import { cardOf, inside, makeDev, makeFrame, makeNet } from './test-support.ts';

const MS = 1e6;
let dev: NetDevice;
let q: Qdisc;

beforeEach(() => {
  dev = makeDev(makeNet());
  q = devReplaceQdisc(dev, fqOps)!;
  return () => {
    unregisterNetdevice(dev);
    expect(leakReport(dev.net.world)).toEqual([]);
  };
});

function sockAt(rate: number): PacedSock {
  return { skPacingRate: rate, skPacingStatus: 0 };
}

function change(options: FqOptions): void {
  expect(fqChange(q, options)).toBe(0);
}

/** Sends a frame of 1000 octets of a sock, or one of its own without. */
function xmit(tag: number, sk: PacedSock | null, tstamp = 0, hash = 0): number {
  const skb = makeFrame(dev, tag, 986);
  // To this package a sock is what its PacedSock says.
  Object.assign(skb, { sk, tstamp, hash });
  return devQueueXmit(skb);
}

function sent(): number[] {
  return cardOf(dev).sent.map((one) => parseInt(one));
}

function wait(ns: number): Promise<void> {
  return sleep(dev.net.world, ns / MS);
}

test('tc-fq(8): quantum 2, initial quantum 10 frames of the MTU, 10000 packets, 100 a flow; bad values change nothing', () => {
  expect(q.limit).toBe(10000);
  expect(q.priv).toMatchObject({ quantum: 3028, initialQuantum: 15140, flowLimit: 100 });
  expect([fqChange(q, { quantum: 0 }), fqChange(q, { maxrate: 0 })]).toEqual([-EINVAL, -EINVAL]);
  change({ quantum: 2000, limit: 7 });
  expect([q.limit, q.priv]).toMatchObject([7, { quantum: 2000 }]);
});

test('a departure time holds the packet, not those of other flows', async () => {
  const { now } = dev.net.world;
  xmit(1, sockAt(Infinity), now + 5 * MS);
  xmit(2, sockAt(Infinity));
  expect([sent(), q.qlen, q.overlimits]).toEqual([[2], 1, 1]);
  await wait(4.9 * MS);
  expect(sent()).toEqual([2]);
  await wait(0.1 * MS);
  expect([sent(), q.qlen, q.backlog]).toEqual([[2, 1], 0, 0]);
});

test('a flow is sorted by departure time', async () => {
  const { now } = dev.net.world;
  const sk = sockAt(Infinity);
  [4, 2, 3, 1].forEach((ms) => xmit(ms, sk, now + ms * MS));
  for (let ms = 0; ms < 4; ms++) await wait(MS);
  expect(sent()).toEqual([1, 2, 3, 4]);
});

test('the sock of a flow is told that fq paces; a flow of no sock goes by the hash', () => {
  const sk = sockAt(Infinity);
  xmit(1, sk);
  expect(sk.skPacingStatus).toBe(2);
  change({ pacing: false });
  const other = sockAt(1000);
  xmit(2, other);
  expect(other.skPacingStatus).toBe(0);
});

test('without departure times: the first 15140 octets at once, then a quantum each time the rate allows one', async () => {
  // A quantum of 3028 octets at 3,028,000 octets a second is a millisecond.
  const sk = sockAt(3_028_000);
  for (let i = 0; i < 30; i++) xmit(i, sk);
  // 16 packets use up the credit; the last of them makes the next wait.
  expect(sent()).toHaveLength(16);
  await wait(0.99 * MS);
  expect(sent()).toHaveLength(16);
  await wait(0.01 * MS);
  // Credit: -860 and 3028.
  expect(sent()).toHaveLength(19);
  await wait(MS);
  expect(sent()).toHaveLength(22);
});

test('a rate of 550 kbit/s and less has no credit: packet by packet', async () => {
  const sk = sockAt(50_000);
  for (let i = 0; i < 4; i++) xmit(i, sk);
  expect(sent()).toHaveLength(1);
  await wait(20 * MS);
  expect(sent()).toHaveLength(2);
  await wait(19 * MS);
  expect(sent()).toHaveLength(2);
  await wait(1 * MS);
  expect(sent()).toHaveLength(3);
});

test('maxrate bounds flows that have departure times, and orphans', async () => {
  change({ maxrate: 1_000_000 });
  await wait(MS);
  const { now } = dev.net.world;
  const sk = sockAt(Infinity);
  for (let i = 0; i < 3; i++) xmit(i, sk, now);
  expect(sent()).toEqual([0]);
  await wait(MS);
  expect(sent()).toEqual([0, 1]);
  await wait(MS);
  expect(sent()).toEqual([0, 1, 2]);
});

test('deficit round robin: flows share the device by octets; new flows go first', () => {
  change({ initialQuantum: 3000, quantum: 2000 });
  netifStopQueue(dev);
  const [a, b] = [sockAt(Infinity), sockAt(Infinity)];
  for (let i = 0; i < 8; i++) xmit(10 + i, a);
  for (let i = 0; i < 4; i++) xmit(20 + i, b);
  inside(dev.net, () => netifWakeQueue(dev));
  expect(sent()).toEqual([10, 11, 12, 20, 21, 22, 13, 14, 23, 15, 16, 17]);
  xmit(30, sockAt(Infinity));
  expect(sent().at(-1)).toBe(30);
});

test('limits: of all packets, of one flow, of how far ahead a departure time may be', () => {
  change({ limit: 5, flowLimit: 3 });
  netifStopQueue(dev);
  const sk = sockAt(Infinity);
  expect([1, 2, 3, 4].map((tag) => xmit(tag, sk))).toEqual([NET_XMIT_SUCCESS, NET_XMIT_SUCCESS, NET_XMIT_SUCCESS, NET_XMIT_DROP]);
  expect([5, 6, 7].map((tag) => xmit(tag, null, 0, tag))).toEqual([NET_XMIT_SUCCESS, NET_XMIT_SUCCESS, NET_XMIT_DROP]);
  expect(q.drops).toBe(2);
  inside(dev.net, () => netifWakeQueue(dev));
  expect(xmit(8, sk, dev.net.world.now + 10_001 * MS)).toBe(NET_XMIT_DROP);
});

test('flows that have long been empty are forgotten', async () => {
  const flows = (): number => (q.priv as { flows: Map<unknown, unknown> }).flows.size;
  for (let i = 0; i < 5; i++) xmit(i, sockAt(Infinity));
  expect(flows()).toBe(5);
  await wait(3500 * MS);
  xmit(9, sockAt(Infinity));
  // The one that was served last is still in the round.
  expect(flows()).toBe(2);
});

test('a device that goes takes waiting packets and timers along', async () => {
  xmit(1, sockAt(Infinity), dev.net.world.now + 5 * MS);
  devReplaceQdisc(dev, fqOps);
  await wait(10 * MS);
  expect(sent()).toEqual([]);
});
