import { expect, test } from 'vitest';
import { EINVAL, EPERM, SKB_DROP_REASON_NEIGH_QUEUEFULL, sleep } from '@stack/kernel';
import { dstRelease } from '@stack/skbuff';
import { neighRelease } from './neigh-hash.ts';
import { neighConfirm } from './neigh-timer.ts';
import { neighEventSend, neighUpdate } from './neigh-update.ts';
import {
  NEIGH_UPDATE_F_ADMIN, NEIGH_UPDATE_F_OVERRIDE, NEIGH_UPDATE_F_WEAK_OVERRIDE, NUD_DELAY, NUD_FAILED, NUD_INCOMPLETE, NUD_PERMANENT, NUD_PROBE,
  NUD_REACHABLE, NUD_STALE,
} from './nud.ts';
import { LLADDR, entry, finish, inside, isAsk, makeRig, packet, reports, routeTo, send, tags } from './test-table.ts';

const OTHER = Uint8Array.from([2, 0, 0, 0, 0, 10]);

test('RFC 1122 §2.3.2.2: past unresQlenBytes the oldest waiting packet goes, the latest stays', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 1);
  const dst = routeTo(neigh);
  inside(rig.net, () => {
    const first = packet(rig, dst, 1);
    neigh.parms.unresQlenBytes = first.truesize * 2;
    neigh.output(first);
  });
  for (const tag of [2, 3, 4]) send(rig, dst, tag);
  expect(neigh.arpQueue.qlen).toBe(2);
  expect(rig.net.dropReasons[SKB_DROP_REASON_NEIGH_QUEUEFULL]).toBe(2);
  expect(rig.table.stats.unresDiscards).toBe(2);
  inside(rig.net, () => neighUpdate(neigh, LLADDR, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE));
  expect(tags(rig)).toEqual([3, 4]);
  expect(neigh.arpQueueLenBytes).toBe(0);
  dstRelease(dst);
  await finish(rig);
});

test('RFC 4861 §7.3.3: REACHABLE idles into STALE; used, it goes to DELAY, PROBE and FAILED', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 1);
  const dst = routeTo(neigh);
  inside(rig.net, () => neighUpdate(neigh, LLADDR, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE));
  await sleep(rig.world, neigh.parms.reachableTime + 1);
  await sleep(rig.world, 20);
  expect(neigh.nudState).toBe(NUD_STALE);
  expect(neigh.output).toBe(neigh.ops.output);
  send(rig, dst, 1);
  expect(tags(rig)).toEqual([1]);
  expect(neigh.nudState).toBe(NUD_DELAY);
  await sleep(rig.world, 5001);
  expect(neigh.nudState).toBe(NUD_PROBE);
  await sleep(rig.world, 3001);
  expect(neigh.nudState).toBe(NUD_FAILED);
  expect(rig.frames.filter(isAsk).length).toBe(3);
  dstRelease(dst);
  await finish(rig);
});

test('RFC 4861 §7.3.1: a hint from above in DELAY makes it REACHABLE without a probe', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 1);
  const dst = routeTo(neigh);
  inside(rig.net, () => neighUpdate(neigh, LLADDR, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE));
  send(rig, dst, 1);
  expect(neigh.nudState).toBe(NUD_DELAY);
  await sleep(rig.world, 2000);
  inside(rig.net, () => neighConfirm(neigh));
  await sleep(rig.world, 3001);
  expect(neigh.nudState).toBe(NUD_REACHABLE);
  expect(rig.frames.filter(isAsk)).toEqual([]);
  dstRelease(dst);
  await finish(rig);
});

test('a packet that is used keeps a REACHABLE neighbour on the way to DELAY, not STALE', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 1);
  const dst = routeTo(neigh);
  inside(rig.net, () => neighUpdate(neigh, LLADDR, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE));
  await sleep(rig.world, neigh.parms.reachableTime - 100);
  send(rig, dst, 1);
  await sleep(rig.world, 102);
  expect(neigh.nudState).toBe(NUD_DELAY);
  dstRelease(dst);
  await finish(rig);
});

test('without OVERRIDE another address does not replace a valid one; WEAK_OVERRIDE makes it STALE', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 1);
  inside(rig.net, () => neighUpdate(neigh, LLADDR, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE));
  expect(neighUpdate(neigh, OTHER, NUD_REACHABLE, 0)).toBe(0);
  expect(neigh.ha[5]).toBe(9);
  expect(neigh.nudState).toBe(NUD_REACHABLE);
  expect(neighUpdate(neigh, OTHER, NUD_REACHABLE, NEIGH_UPDATE_F_WEAK_OVERRIDE)).toBe(0);
  expect(neigh.ha[5]).toBe(9);
  expect(neigh.nudState).toBe(NUD_STALE);
  expect(neighUpdate(neigh, OTHER, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE)).toBe(0);
  expect(neigh.ha[5]).toBe(10);
  neighRelease(neigh);
  await finish(rig);
});

test('a PERMANENT entry changes only by hand, and a valid state needs an address', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 1);
  expect(neighUpdate(neigh, null, NUD_REACHABLE, 0)).toBe(-EINVAL);
  expect(neighUpdate(neigh, LLADDR, NUD_PERMANENT, NEIGH_UPDATE_F_ADMIN)).toBe(0);
  expect(neighUpdate(neigh, OTHER, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE)).toBe(-EPERM);
  expect(neighUpdate(neigh, OTHER, NUD_PERMANENT, NEIGH_UPDATE_F_ADMIN | NEIGH_UPDATE_F_OVERRIDE)).toBe(0);
  expect(neigh.ha[5]).toBe(10);
  neighRelease(neigh);
  await finish(rig);
});

test('STALE news of the address that is known does not take REACHABLE away', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 1);
  inside(rig.net, () => neighUpdate(neigh, LLADDR, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE));
  neighUpdate(neigh, LLADDR, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE);
  expect(neigh.nudState).toBe(NUD_REACHABLE);
  neighRelease(neigh);
  await finish(rig);
});

test('a wish without a packet starts resolution too', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 1);
  inside(rig.net, () => expect(neighEventSend(neigh, null)).toBe(1));
  expect(neigh.nudState).toBe(NUD_INCOMPLETE);
  expect(rig.frames.filter(isAsk).length).toBe(1);
  await sleep(rig.world, 4000);
  expect(neigh.nudState).toBe(NUD_FAILED);
  expect(reports).toEqual([]);
  neighRelease(neigh);
  await finish(rig);
});

test('every packet that waited is reported when resolution fails', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 5);
  const dst = routeTo(neigh);
  for (const tag of [1, 2, 3]) send(rig, dst, tag);
  await sleep(rig.world, 4000);
  expect(reports).toEqual([5, 5, 5]);
  expect(rig.table.stats.resFailed).toBe(1);
  dstRelease(dst);
  await finish(rig);
});
