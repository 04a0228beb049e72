// Web streams as wires. They are asynchronous by nature: these tests wait for turns of the event loop, never for time.
import { destroyNet, type Net } from '@stack/kernel';
import { ETH_P_ARP, devAddPack, devOpen, netifCarrierOk, netifQueueStopped, registerNetdevice, type NetDevice } from '@stack/netdev';
import { NET_RX_SUCCESS, allocSkb, consumeSkb, leakReport, skbPut, skbReserve } from '@stack/skbuff';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFrameNic } from './frame-nic.ts';
import { createStreamNic, streamAttach, streamClosed } from './stream-nic.ts';
import { framed, makeFrame, makeNets } from './test-support.ts';

let net: Net;
let dev: NetDevice;
let taken: number[];
let wanted: { count: number; resolve: () => void };

beforeEach(() => {
  [net] = makeNets(1) as [Net];
  taken = [];
  wanted = { count: Infinity, resolve: () => undefined };
  devAddPack(net, {
    type: ETH_P_ARP, dev: null, afPacketPriv: null,
    func: (skb) => {
      taken.push(skb.buf[skb.tail - 1]!);
      consumeSkb(skb);
      if (taken.length === wanted.count) wanted.resolve();
      return NET_RX_SUCCESS;
    },
  });
});

afterEach(() => {
  destroyNet(net);
  expect(leakReport(net.world)).toEqual([]);
});

function start(made: NetDevice): void {
  dev = made;
  expect(registerNetdevice(dev)).toBe(0);
  expect(devOpen(dev)).toBe(0);
}

/** Resolves when `count` packets have been received. */
function received(count: number): Promise<void> {
  return new Promise((resolve) => {
    wanted = { count, resolve };
    if (taken.length >= count) resolve();
  });
}

function xmit(fill: number): void {
  const bytes = makeFrame(60, fill);
  const skb = allocSkb(net, 64 + bytes.length)!;
  skbReserve(skb, 64);
  skb.buf.set(bytes, skbPut(skb, bytes.length));
  skb.dev = dev;
  dev.netdevOps.ndoStartXmit(skb, dev);
}

test('a pair of byte streams: chunks cut anywhere, both ways, then the end', async () => {
  const inward = new TransformStream<Uint8Array>();
  const outward = new TransformStream<Uint8Array>();
  start(createStreamNic(net, { readable: inward.readable, writable: outward.writable }));
  const writer = inward.writable.getWriter();
  const bytes = framed(makeFrame(60, 1), makeFrame(1514, 2));
  for (let at = 0; at < bytes.length; at += 100) void writer.write(bytes.slice(at, at + 100));
  await received(2);
  expect(taken).toEqual([1, 2]);
  xmit(3);
  expect((await outward.readable.getReader().read()).value).toEqual(framed(makeFrame(60, 3)));
  await writer.close();
  expect(await streamClosed(dev)).toBe(null);
  expect(netifCarrierOk(dev)).toBe(false);
});

test('a writable that is full stops the queue until it has room', async () => {
  const outward = new TransformStream<Uint8Array>();
  start(createStreamNic(net, { readable: new ReadableStream(), writable: outward.writable }));
  xmit(1);
  expect(netifQueueStopped(dev)).toBe(true);
  const reader = outward.readable.getReader();
  await reader.read();
  xmit(2);
  await reader.read();
  for (let turns = 0; netifQueueStopped(dev) && turns < 100; turns++) await Promise.resolve();
  expect(netifQueueStopped(dev)).toBe(false);
});

test('an error of either stream takes the carrier', async () => {
  const broken = new Error('broken');
  start(createStreamNic(net, { readable: new ReadableStream({ pull: () => Promise.reject(broken) }), writable: new WritableStream() }));
  expect(await streamClosed(dev)).toBe(broken);
  streamAttach(dev, { readable: new ReadableStream(), writable: new WritableStream({ start: (controller) => controller.error(broken) }) });
  expect(await streamClosed(dev)).toBe(broken);
  expect(netifCarrierOk(dev)).toBe(false);
});

test('a stream that somebody else reads is refused', () => {
  const pair = { readable: new ReadableStream<Uint8Array>(), writable: new WritableStream<Uint8Array>() };
  pair.readable.getReader();
  expect(() => createStreamNic(net, pair)).toThrow(TypeError);
});

test('where each chunk is a frame, none has a length in front', async () => {
  const inward = new TransformStream<Uint8Array>();
  const sent: Uint8Array[] = [];
  start(createFrameNic(net, { readable: inward.readable, writable: new WritableStream({ write: (chunk) => void sent.push(chunk) }) }));
  const writer = inward.writable.getWriter();
  for (const frame of [new Uint8Array(0), makeFrame(13, 0), makeFrame(1600, 0), makeFrame(60, 9)]) void writer.write(frame);
  await received(1);
  expect(taken).toEqual([9]);
  expect(dev.stats).toMatchObject({ rxErrors: 3, rxLengthErrors: 3, rxPackets: 1 });
  xmit(4);
  await writer.close();
  expect(await streamClosed(dev)).toBe(null);
  expect(sent).toEqual([makeFrame(60, 4)]);
});
