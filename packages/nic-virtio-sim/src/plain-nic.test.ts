import { SKB_DROP_REASON_PKT_TOO_BIG, createNet, destroyNet, idle, traceNet, type World } from '@stack/kernel';
import { IFF_ALLMULTI, devChangeFlags, devMcAdd, devMcDel, devQueueXmit, devSetPromiscuity, installNetdev } from '@stack/netdev';
import { leakReport } from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { createVirtioNic } from './create.ts';
import { createPlainNic } from './plain-nic.ts';
import { Host, inside, makeFrame, makeWorld, range, send, up } from './test-support.ts';
import { connect } from './wire.ts';

let world: World;
let a: Host;
let b: Host;

beforeEach(() => {
  world = makeWorld();
  a = new Host(world, 'a', (net) => createPlainNic(net));
  b = new Host(world, 'b', (net) => createPlainNic(net));
  connect(a.port, b.port);
  up(a, b);
  return () => {
    for (const net of [...world.nets]) destroyNet(net);
    expect(leakReport(world)).toEqual([]);
  };
});

function sendTo(to: readonly number[]): void {
  const skb = makeFrame(a, b, 1);
  skb.buf.set(to, skb.data);
  inside(world, () => devQueueXmit(skb));
}

test('the path of a device without NAPI: netif_rx, process_backlog; no cached header', async () => {
  const hits: string[] = [];
  const stop = traceNet(b.net, (r) => hits.push(r.function));
  send(a, b, [1]);
  await idle(world);
  stop();
  expect(hits).toEqual(['eth_type_trans', 'netif_rx', 'net_rx_action', 'process_backlog', 'netif_receive_skb']);
  expect(b.dev.headerOps!.cache).toBeNull();
});

test('the path of the card with NAPI has its own poll', async () => {
  const c = new Host(world, 'c', (net) => createVirtioNic(net));
  const d = new Host(world, 'd', (net) => createVirtioNic(net));
  connect(c.port, d.port);
  up(c, d);
  const hits: string[] = [];
  const stop = traceNet(d.net, (r) => hits.push(r.function));
  send(c, d, [1]);
  await idle(world);
  stop();
  expect(hits).toEqual(['net_rx_action', 'virtnet_poll', 'eth_type_trans', 'netif_receive_skb']);
});

test('IEEE 802.3 §4.2.3.3: a short frame is padded with zeros to 60 octets', async () => {
  send(a, b, [9], 10);
  await idle(world);
  expect(b.got[0]!.frame.length).toBe(60);
  expect([...b.got[0]!.frame.subarray(24)]).toEqual(new Array(36).fill(0));
});

describe('the address filter', () => {
  test('takes what is for us and for all, nothing else', async () => {
    sendTo([...b.dev.devAddr]);
    sendTo([255, 255, 255, 255, 255, 255]);
    sendTo([2, 9, 9, 9, 9, 9]);
    sendTo([1, 0, 0x5e, 0, 0, 1]);
    await idle(world);
    expect(b.got.length).toBe(2);
  });

  test('takes the groups that were joined', async () => {
    const group = [1, 0, 0x5e, 0, 0, 1];
    devMcAdd(b.dev, new Uint8Array(group));
    sendTo(group);
    sendTo([1, 0, 0x5e, 0, 0, 2]);
    await idle(world);
    devMcDel(b.dev, new Uint8Array(group));
    sendTo(group);
    await idle(world);
    expect(b.got.length).toBe(1);
  });

  test('takes all groups with IFF_ALLMULTI, everything with IFF_PROMISC', async () => {
    devChangeFlags(b.dev, b.dev.flags | IFF_ALLMULTI);
    sendTo([1, 0, 0x5e, 0, 0, 2]);
    sendTo([2, 9, 9, 9, 9, 9]);
    await idle(world);
    expect(b.got.length).toBe(1);
    devSetPromiscuity(b.dev, 1);
    sendTo([2, 9, 9, 9, 9, 9]);
    await idle(world);
    expect(b.got.length).toBe(2);
  });
});

test('a frame longer than the MTU is a counted drop', async () => {
  send(a, b, [1], 1505);
  send(a, b, [2], 1500);
  await idle(world);
  expect(b.tags).toEqual([2]);
  expect([b.dev.stats.rxLengthErrors, b.net.dropReasons[SKB_DROP_REASON_PKT_TOO_BIG]]).toEqual([1, 1]);
});

test('towards a card that is full it waits: one frame in the card, the rest in the qdisc', async () => {
  const c = new Host(world, 'c', (net) => createPlainNic(net));
  const d = new Host(world, 'd', (net) => createVirtioNic(net, { queueSize: 64 }));
  connect(c.port, d.port);
  up(c, d);
  inside(world, () => {
    for (const tag of range(200)) devQueueXmit(makeFrame(c, d, tag));
    expect(c.dev.qdisc.qlen).toBe(200 - 65);
  });
  await idle(world);
  expect(d.tags).toEqual(range(200));
});

test('bad options are refused by name, and so is a missing layer', () => {
  const net = createNet(world);
  expect(() => createPlainNic(net)).toThrow(/netdev first/);
  installNetdev(net);
  expect(() => createPlainNic(net, { mtu: 67 })).toThrow(/mtu/);
  expect(() => createPlainNic(net, { name: 'lo' })).toThrow(expect.objectContaining({ code: 'EEXIST' }));
});
