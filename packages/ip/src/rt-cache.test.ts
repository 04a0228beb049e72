import { afterEach, beforeEach, expect, test } from 'vitest';
import { sleep } from '@stack/kernel';
import { inAton } from '@stack/inet-sock';
import { dstRelease } from '@stack/skbuff';
import { Flowi4, flowi4InitOutput } from './flow.ts';
import { ipRouteAdd } from './ip-route.ts';
import { rtCacheFlush, rtIsExpired } from './rt-cache.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import type { Rtable } from './rtable.ts';
import { finish, inside, makePair } from './test-host.ts';
import type { Pair } from './test-host.ts';

let pair: Pair;
beforeEach(() => {
  pair = makePair();
});
afterEach(() => finish(pair.world));

function route(daddr: number): Rtable {
  const fl = new Flowi4();
  flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, daddr, 0, 0, 0);
  const rt = inside(pair.a, () => ipRouteOutputFlow(pair.a, fl, null));
  if (typeof rt === 'number') throw new Error(`no route: ${rt}`);
  return rt;
}

test('a flow\'s next packet finds the same route; another flow has its own', () => {
  const one = route(inAton('10.0.0.2'));
  const two = route(inAton('10.0.0.2'));
  const other = route(inAton('10.0.0.3'));
  expect(two).toBe(one);
  expect(other).not.toBe(one);
  for (const rt of [one, two, other]) dstRelease(rt);
});

test('a flush makes routes invalid for those who hold them, and they are freed when let go', () => {
  const rt = route(inAton('10.0.0.2'));
  expect(rt.ops.check(rt, 0)).toBe(rt);
  inside(pair.a, () => rtCacheFlush(pair.a));
  expect(rtIsExpired(rt)).toBe(true);
  expect(rt.ops.check(rt, 0)).toBeNull();
  expect(rt.refcnt).toBe(1);
  expect(pair.a.ipv4.rtCache.entries).toBe(0);
  const neigh = rt.neighbour;
  const before = neigh?.refcnt ?? 0;
  dstRelease(rt);
  expect(neigh?.refcnt).toBe(before - 1);
});

test('strange packets cannot make it grow without end: idle routes go first, held ones stay', async () => {
  ipRouteAdd(pair.a, { dst: 'default', gateway: '10.0.0.2' });
  const held = route(inAton('8.8.8.8'));
  for (let i = 0; i < 3000; i++) dstRelease(route((inAton('20.0.0.0') + i * 7) | 0));
  expect(pair.a.ipv4.rtCache.entries).toBe(3001);
  await sleep(pair.world, 1000);
  for (let i = 0; i < 3000; i++) dstRelease(route((inAton('30.0.0.0') + i * 7) | 0));
  expect(pair.a.ipv4.rtCache.entries).toBeLessThan(5000);
  expect(held.cached).toBe(true);
  await sleep(pair.world, 370_000);
  expect(pair.a.ipv4.rtCache.entries).toBe(1);
  dstRelease(held);
});

test('when the neighbour table is full, routes that nobody holds give theirs back', async () => {
  pair.a.ipv4.arpTbl.gcThresh2 = 20;
  pair.a.ipv4.arpTbl.gcThresh3 = 20;
  for (let i = 10; i < 40; i++) {
    await sleep(pair.world, 6000);
    dstRelease(route(inAton(`10.0.0.${i}`)));
  }
  expect(pair.a.ipv4.arpTbl.entries).toBeLessThanOrEqual(20);
});
