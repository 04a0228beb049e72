import { expect, test } from 'vitest';
import { ENOBUFS, sleep, sysctlRead, sysctlWrite } from '@stack/kernel';
import { neighForEach, neighLookup, neighRelease } from './neigh-hash.ts';
import { neighParmsAlloc, neighParmsRelease } from './neigh-parms.ts';
import { neighTableShow } from './neigh-show.ts';
import { neighCreate } from './neigh-table.ts';
import { neighUpdate } from './neigh-update.ts';
import { NEIGH_UPDATE_F_ADMIN, NEIGH_UPDATE_F_OVERRIDE, NUD_PERMANENT, NUD_REACHABLE, NUD_STALE } from './nud.ts';
import { neighSysctlRegister } from './sysctl-neigh.ts';
import { LLADDR, entry, finish, inside, makeRig } from './test-table.ts';

test('all four words of a key and the device tell entries apart; the table grows', async () => {
  const rig = makeRig();
  for (let i = 0; i < 100; i++) {
    const neigh = neighCreate(rig.table, i & 3, (i >> 2) & 3, (i >> 4) & 3, i >> 6, rig.dev);
    if (typeof neigh === 'number') throw new Error('refused');
    neighRelease(neigh);
  }
  expect(rig.table.entries).toBe(100);
  expect(rig.table.stats.hashGrows).toBeGreaterThan(2);
  const found = neighLookup(rig.table, 3, 2, 1, 1, rig.dev);
  expect(found?.primaryKey1).toBe(2);
  if (found !== null) neighRelease(found);
  expect(neighLookup(rig.table, 3, 2, 1, 7, rig.dev)).toBeNull();
  await finish(rig);
});

test('gc_thresh3: a full table collects what is old and unused, and refuses when all are in use', async () => {
  const rig = makeRig();
  rig.table.gcThresh3 = 10;
  const held = Array.from({ length: 10 }, (_v, i) => entry(rig, i));
  expect(neighCreate(rig.table, 99, 0, 0, 0, rig.dev)).toBe(-ENOBUFS);
  expect(rig.table.stats.tableFulls).toBe(1);
  for (const neigh of held.slice(5)) neighRelease(neigh);
  await sleep(rig.world, 6000);
  const made = entry(rig, 99);
  expect(rig.table.entries).toBe(6);
  neighRelease(made);
  for (const neigh of held.slice(0, 5)) neighRelease(neigh);
  await finish(rig);
});

test('who is known to be reachable is not collected by force', async () => {
  const rig = makeRig();
  rig.table.gcThresh3 = 2;
  const neigh = entry(rig, 1);
  inside(rig.net, () => neighUpdate(neigh, LLADDR, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE));
  neighRelease(neigh);
  neighRelease(entry(rig, 2));
  await sleep(rig.world, 6000);
  neighRelease(entry(rig, 3));
  const left: number[] = [];
  neighForEach(rig.table, (each) => left.push(each.primaryKey0), null);
  expect(left.sort()).toEqual([1, 3]);
  await finish(rig);
});

test('gc_thresh2: above it a new entry makes room, but not twice within five seconds', async () => {
  const rig = makeRig();
  rig.table.gcThresh2 = 4;
  for (let i = 0; i < 8; i++) neighRelease(entry(rig, i));
  expect(rig.table.entries).toBe(8);
  await sleep(rig.world, 6000);
  neighRelease(entry(rig, 100));
  expect(rig.table.entries).toBe(1);
  expect(rig.table.stats.forcedGcRuns).toBe(1);
  await finish(rig);
});

test('gc_thresh1 and gc_stale_time: the periodic collection takes what is idle, not what is held or PERMANENT', async () => {
  const rig = makeRig();
  rig.table.gcThresh1 = 0;
  const held = entry(rig, 1);
  const permanent = entry(rig, 2);
  inside(rig.net, () => {
    neighUpdate(permanent, LLADDR, NUD_PERMANENT, NEIGH_UPDATE_F_ADMIN);
    neighUpdate(held, LLADDR, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE);
  });
  neighRelease(permanent);
  neighRelease(entry(rig, 3));
  await sleep(rig.world, 30_000);
  expect(rig.table.entries).toBe(3);
  await sleep(rig.world, 60_000);
  const left: number[] = [];
  neighForEach(rig.table, (neigh) => left.push(neigh.primaryKey0), null);
  expect(left.sort()).toEqual([1, 2]);
  neighRelease(held);
  await finish(rig);
});

test('RFC 4861 §6.3.2: the reachable time is drawn between half and one and a half times its base', async () => {
  const rig = makeRig();
  const seen = new Set<number>();
  for (let i = 0; i < 20; i++) {
    const parms = neighParmsAlloc(rig.table, rig.dev);
    expect(parms.reachableTime).toBeGreaterThanOrEqual(15_000);
    expect(parms.reachableTime).toBeLessThan(45_000);
    seen.add(parms.reachableTime);
    neighParmsRelease(parms);
  }
  expect(seen.size).toBeGreaterThan(10);
  await finish(rig);
});

test('a device has variables of its own, under the kernel\'s names, starting from the defaults', async () => {
  const rig = makeRig();
  neighSysctlRegister(rig.table.parms);
  expect(sysctlRead(rig.net, 'net.test.neigh.default.gc_thresh3')).toBe(1024);
  expect(sysctlWrite(rig.net, 'net.test.neigh.default.mcast_solicit', 7)).toBe(0);
  const parms = neighParmsAlloc(rig.table, rig.dev);
  neighSysctlRegister(parms);
  expect(sysctlRead(rig.net, 'net.test.neigh.eth0.mcast_solicit')).toBe(7);
  expect(sysctlWrite(rig.net, 'net.test.neigh.eth0.mcast_solicit', 1)).toBe(0);
  const neigh = entry(rig, 1);
  expect(neigh.parms.mcastSolicit).toBe(1);
  neighRelease(neigh);
  await finish(rig);
});

test('the table as `ip neigh` shows it', async () => {
  const rig = makeRig();
  const neigh = entry(rig, 1);
  expect(neighTableShow(rig.table)).toEqual([]);
  inside(rig.net, () => neighUpdate(neigh, LLADDR, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE));
  expect(neighTableShow(rig.table)).toEqual([{ dst: '1', dev: 'eth0', lladdr: '02:00:00:00:00:09', state: ['REACHABLE'] }]);
  neighRelease(neigh);
  await finish(rig);
});
