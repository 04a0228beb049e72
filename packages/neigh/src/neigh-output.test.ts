import { expect, test } from 'vitest';
import { sleep, traceNet } from '@stack/kernel';
import { allocSkb, dstRelease, skbPut, skbReserve } from '@stack/skbuff';
import type { DstEntry } from '@stack/skbuff';
import { devQueueXmit } from '@stack/netdev';
import { neighHhOutput } from './neigh-output.ts';
import { neighResolveOutput } from './neigh-output.ts';
import { neighUpdate } from './neigh-update.ts';
import { neighIfdown } from './neigh-table.ts';
import { NEIGH_UPDATE_F_OVERRIDE, NUD_REACHABLE, NUD_STALE } from './nud.ts';
import type { Rig } from './test-table.ts';
import { LLADDR, PROTO, entry, finish, inside, makeRig, packet, routeTo, send, tags } from './test-table.ts';

function connected(cache: boolean): { rig: Rig; dst: DstEntry } {
  const rig = makeRig(cache);
  const neigh = entry(rig, 1);
  inside(rig.net, () => neighUpdate(neigh, LLADDR, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE));
  return { rig, dst: routeTo(neigh) };
}

test('the first packet makes the header cache, the second is sent by it, byte for byte the same', async () => {
  const { rig, dst } = connected(true);
  send(rig, dst, 1);
  const { hh } = dst;
  expect(hh).not.toBeNull();
  if (hh === null) return;
  expect(hh.hhOutput).toBe(devQueueXmit);
  inside(rig.net, () => {
    const skb = packet(rig, dst, 1);
    const { networkHeader } = skb;
    const hits: string[] = [];
    const stop = traceNet(rig.net, (record) => hits.push(`${record.function} ${record.mac}`));
    neighHhOutput(hh, skb);
    stop();
    expect(hits).toEqual([`hh_output ${128 - 14}`, `dev_queue_xmit ${128 - 14}`]);
    expect(networkHeader).toBeGreaterThan(0);
  });
  expect(rig.frames.length).toBe(2);
  expect([...rig.frames[1]]).toEqual([...rig.frames[0]]);
  expect([...rig.frames[1].slice(0, 14)]).toEqual([...LLADDR, 2, 0, 0, 0, 0, 1, PROTO >> 8, PROTO & 255]);
  dstRelease(dst);
  await finish(rig);
});

test('a device without header cache is served by neigh_connected_output, each packet with a header of its own', async () => {
  const { rig, dst } = connected(false);
  const hits: string[] = [];
  const stop = traceNet(rig.net, (record) => hits.push(record.function));
  send(rig, dst, 1);
  send(rig, dst, 2);
  stop();
  expect(dst.hh).toBeNull();
  expect(hits).toEqual(['neigh_connected_output', 'dev_queue_xmit', 'neigh_connected_output', 'dev_queue_xmit']);
  expect([...rig.frames[0].slice(0, 12)]).toEqual([...LLADDR, 2, 0, 0, 0, 0, 1]);
  dstRelease(dst);
  await finish(rig);
});

test('the cached header of a suspect neighbour leads to neigh_resolve_output, which takes the header off again', async () => {
  const { rig, dst } = connected(true);
  send(rig, dst, 1);
  const neigh = dst.neighbour;
  if (neigh === null || dst.hh === null) throw new Error('not connected');
  await sleep(rig.world, neigh.parms.reachableTime + 20);
  expect(neigh.nudState).toBe(NUD_STALE);
  expect(dst.hh.hhOutput).toBe(neighResolveOutput);
  const hits: string[] = [];
  const stop = traceNet(rig.net, (record) => hits.push(record.function));
  inside(rig.net, () => {
    if (dst.hh !== null) neighHhOutput(dst.hh, packet(rig, dst, 2));
  });
  stop();
  expect(hits).toEqual(['hh_output', 'neigh_resolve_output', 'dev_queue_xmit']);
  expect(rig.frames[1].length).toBe(rig.frames[0].length);
  expect(tags(rig)).toEqual([1, 2]);
  dstRelease(dst);
  await finish(rig);
});

test('a changed address is in the cached header at once', async () => {
  const { rig, dst } = connected(true);
  send(rig, dst, 1);
  const neigh = dst.neighbour;
  if (neigh === null || dst.hh === null) throw new Error('not connected');
  neighUpdate(neigh, Uint8Array.from([2, 0, 0, 0, 0, 77]), NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE);
  inside(rig.net, () => {
    if (dst.hh !== null) neighHhOutput(dst.hh, packet(rig, dst, 2));
  });
  expect(rig.frames[1][5]).toBe(77);
  dstRelease(dst);
  await finish(rig);
});

test('a packet without headroom gets some for the cached header', async () => {
  const { rig, dst } = connected(true);
  send(rig, dst, 1);
  inside(rig.net, () => {
    const skb = allocSkb(rig.net, 64);
    if (skb === null || dst.hh === null) throw new Error('no memory');
    skbReserve(skb, 4);
    skb.buf.fill(7, skbPut(skb, 60), skb.tail);
    skb.networkHeader = skb.data;
    skb.dev = rig.dev;
    skb.protocol = PROTO;
    neighHhOutput(dst.hh, skb);
  });
  expect(rig.frames[1].length).toBe(74);
  expect(rig.frames[1][14]).toBe(7);
  dstRelease(dst);
  await finish(rig);
});

test('an entry of a device that has gone down swallows packets of those who still hold it', async () => {
  const { rig, dst } = connected(true);
  send(rig, dst, 1);
  inside(rig.net, () => neighIfdown(rig.table, rig.dev));
  expect(rig.table.entries).toBe(0);
  expect(dst.neighbour?.dead).toBe(true);
  send(rig, dst, 2);
  inside(rig.net, () => {
    if (dst.hh !== null) neighHhOutput(dst.hh, packet(rig, dst, 3));
  });
  expect(tags(rig)).toEqual([1]);
  dstRelease(dst);
  await finish(rig);
});
