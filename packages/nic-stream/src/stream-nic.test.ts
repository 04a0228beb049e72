import { createNet, destroyNet, idle, netPanic, worldEnter, worldLeave, type Net } from '@stack/kernel';
import {
  ETH_P_ALL, ETH_P_ARP, NETREG_REGISTERED, devAddPack, devClose, devOpen, devQueueXmit, netifCarrierOk, netifQueueStopped,
  registerNetdevice, unregisterNetdevice, type NetDevice, type PacketType,
} from '@stack/netdev';
import { NET_RX_SUCCESS, allocSkb, consumeSkb, leakReport, skbPut, skbReserve } from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createStreamNic, streamAttach, streamClosed, type StreamNicOptions } from './stream-nic.ts';
import { PipeEnd, framed, makeFrame, makeNets } from './test-support.ts';

let net: Net;
let dev: NetDevice;
let pipe: PipeEnd;
let taken: { length: number; fill: number }[];

const tap: PacketType = {
  type: ETH_P_ARP, dev: null, afPacketPriv: null,
  func: (skb) => {
    taken.push({ length: skb.len, fill: skb.buf[skb.tail - 1]! });
    consumeSkb(skb);
    return NET_RX_SUCCESS;
  },
};

function start(options: StreamNicOptions = {}): void {
  dev = createStreamNic(net, pipe, options);
  expect(registerNetdevice(dev)).toBe(0);
  expect(devOpen(dev)).toBe(0);
}

beforeEach(() => {
  [net] = makeNets(1) as [Net];
  pipe = new PipeEnd();
  taken = [];
  devAddPack(net, tap);
});

afterEach(() => {
  destroyNet(net);
  expect(leakReport(net.world)).toEqual([]);
});

function send(fill: number): void {
  const bytes = makeFrame(60, fill);
  const skb = allocSkb(net, 64 + bytes.length)!;
  skbReserve(skb, 64);
  skb.buf.set(bytes, skbPut(skb, bytes.length));
  skb.dev = dev;
  skb.protocol = ETH_P_ARP;
  skb.networkHeader = skb.data + 14;
  worldEnter(net.world);
  devQueueXmit(skb);
  worldLeave(net.world);
}

describe('receiving', () => {
  const frames = [60, 1514, 64, 14, 1000].map((length, i) => makeFrame(length, i + 1));
  const wanted = frames.map(({ length }, i) => ({ length: length - 14, fill: i + 1 })).filter(({ length }) => length > 0);

  test.each([1, 2, 3, 4, 5, 61, 1518, 100_000])('frames come whole out of chunks of %i octets', async (size) => {
    start();
    const bytes = framed(...frames);
    for (let at = 0; at < bytes.length; at += size) pipe.emit('data', bytes.slice(at, at + size));
    await idle(net.world); // so many interrupts are more than one turn's softirqs
    expect(taken.filter(({ length }) => length > 0)).toEqual(wanted);
    expect(dev.stats).toMatchObject({ rxPackets: 5, rxBytes: 60 + 1514 + 64 + 14 + 1000, rxErrors: 0 });
  });

  test('more than one budget of frames in one chunk', () => {
    start();
    pipe.emit('data', framed(...Array.from({ length: 500 }, (_, i) => makeFrame(60, i & 255))));
    expect(taken.map(({ fill }) => fill)).toEqual(Array.from({ length: 500 }, (_, i) => i & 255));
  });

  test('a frame too long or too short for the device is skipped and counted, and the next one is received', () => {
    start();
    pipe.emit('data', framed(makeFrame(13, 1), makeFrame(1519, 2), makeFrame(65536, 3), makeFrame(60, 4)));
    expect(taken.map(({ fill }) => fill)).toEqual([4]);
    expect(dev.stats).toMatchObject({ rxErrors: 3, rxLengthErrors: 3, rxFrameErrors: 0, rxPackets: 1 });
  });

  test('while the device is down frames are skipped, their beginnings not mistaken', () => {
    start();
    const bytes = framed(makeFrame(60, 1), makeFrame(60, 2), makeFrame(60, 3));
    pipe.emit('data', bytes.slice(0, 40));
    devClose(dev);
    pipe.emit('data', bytes.slice(40, 100));
    devOpen(dev);
    pipe.emit('data', bytes.slice(100));
    expect(taken.map(({ fill }) => fill)).toEqual([3]);
  });

  test('jumbo frames, up to the longest that a stream can announce', () => {
    start({ mtu: 65522 });
    pipe.emit('data', framed(makeFrame(65536, 7)));
    expect(taken).toEqual([{ length: 65522, fill: 7 }]);
    expect(() => createStreamNic(net, null, { mtu: 65523 })).toThrow(RangeError);
  });

  test('a stream that the softirq cannot keep up with is paused, and goes on later; nothing is lost', () => {
    start();
    const bytes = framed(...Array.from({ length: 300 }, (_, i) => makeFrame(1514, i & 255)));
    worldEnter(net.world); // no softirq until it is left
    pipe.emit('data', bytes.slice(0, 300_000));
    expect(pipe.paused).toBe(true);
    worldLeave(net.world);
    expect(pipe.paused).toBe(false);
    pipe.emit('data', bytes.slice(300_000));
    expect(taken.map(({ fill }) => fill)).toEqual(Array.from({ length: 300 }, (_, i) => i & 255));
  });
});

describe('sending', () => {
  test('a frame leaves behind its length, in one write', () => {
    start();
    send(5);
    expect(pipe.written).toEqual([framed(makeFrame(60, 5))]);
    expect(dev.stats).toMatchObject({ txPackets: 1, txBytes: 60 });
  });

  test('a stream that is full stops the queue; when it drains the queue goes on, in order', () => {
    start();
    const { write } = pipe;
    let room = 2;
    pipe.write = (chunk) => write.call(pipe, chunk) && --room > 0;
    for (let i = 0; i < 5; i++) send(i);
    expect(netifQueueStopped(dev)).toBe(true);
    expect(pipe.written).toHaveLength(2);
    room = 100;
    pipe.emit('drain');
    expect(netifQueueStopped(dev)).toBe(false);
    expect(pipe.written.map((bytes) => bytes.at(-1))).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('the link', () => {
  test.each([
    ['0', [0, 0, 0, 0]],
    ['65537', [0, 1, 0, 1]],
    ['0xffffffff', [255, 255, 255, 255]],
  ])('a length of %s takes it down, with an error that says so', async (_what, length) => {
    start();
    pipe.emit('data', Uint8Array.from([...framed(makeFrame(60, 1)), ...length, ...framed(makeFrame(60, 2))]));
    expect(netifCarrierOk(dev)).toBe(false);
    expect(pipe.destroyed).toBe(true);
    expect(taken).toHaveLength(1);
    expect(dev.stats).toMatchObject({ rxErrors: 1, rxFrameErrors: 1 });
    expect(await streamClosed(dev)).toMatchObject({ name: 'RangeError', message: expect.stringMatching(/octets was announced, 1 to 65536 can be/) as string });
    send(1);
    expect(dev.stats).toMatchObject({ txPackets: 0 });
  });

  test('the end of the stream takes the carrier, after all that came before it', async () => {
    start();
    worldEnter(net.world);
    pipe.emit('data', framed(...Array.from({ length: 100 }, () => makeFrame(60, 1))));
    pipe.emit('end');
    expect(netifCarrierOk(dev)).toBe(true);
    worldLeave(net.world);
    expect(taken).toHaveLength(100);
    expect(netifCarrierOk(dev)).toBe(false);
    expect(await streamClosed(dev)).toBe(null);
  });

  test('a stream that ends inside a frame is an error, and the half frame is freed', async () => {
    start();
    pipe.emit('data', framed(makeFrame(60, 1)).slice(0, 30));
    pipe.emit('end');
    expect(await streamClosed(dev)).toMatchObject({ message: 'eth0: the stream ended inside a frame' });
    expect(dev.stats).toMatchObject({ rxErrors: 1, rxLengthErrors: 1 });
  });

  test('an error of the stream takes the carrier, and is what streamClosed() gives; later ones are nobody\'s', async () => {
    start();
    const reset = new Error('ECONNRESET');
    pipe.emit('error', reset);
    pipe.emit('close');
    pipe.emit('error', new Error('again'));
    expect(netifCarrierOk(dev)).toBe(false);
    expect(await streamClosed(dev)).toBe(reset);
  });

  test('a new stream brings the carrier back, and begins at a length', async () => {
    start();
    pipe.emit('data', framed(makeFrame(60, 1)).slice(0, 30));
    pipe.emit('end');
    pipe = new PipeEnd();
    streamAttach(dev, pipe);
    expect(netifCarrierOk(dev)).toBe(true);
    pipe.emit('data', framed(makeFrame(60, 2)));
    send(3);
    expect(taken.map(({ fill }) => fill)).toEqual([2]);
    expect(pipe.written).toHaveLength(1);
  });

  test('a stream in the place of another lets go of that one', async () => {
    start();
    const closed = streamClosed(dev);
    const old = pipe;
    pipe = new PipeEnd();
    streamAttach(dev, pipe);
    expect(old.destroyed).toBe(true);
    expect(await closed).toBe(null);
    old.emit('data', framed(makeFrame(60, 1)));
    expect(taken).toEqual([]);
    expect(netifCarrierOk(dev)).toBe(true);
  });

  test('a NIC without a stream has no carrier; what is no stream is refused and changes nothing', () => {
    dev = createStreamNic(net, null);
    registerNetdevice(dev);
    devOpen(dev);
    expect(netifCarrierOk(dev)).toBe(false);
    expect(() => streamAttach(dev, {} as PipeEnd)).toThrow(TypeError);
    expect(dev.regState).toBe(NETREG_REGISTERED);
  });

  test('unregistering the device, or a panic of its host, lets go of the stream', () => {
    start();
    unregisterNetdevice(dev);
    expect(pipe.destroyed).toBe(true);
    const other = createNet(net.world, { name: 'other' });
    expect(() => createStreamNic(other, null)).toThrow();
    pipe = new PipeEnd();
    start();
    net.world.onPanic = () => undefined;
    netPanic(net, new Error('on purpose'));
    pipe.emit('data', framed(makeFrame(60, 1)));
    expect(pipe.destroyed).toBe(true);
  });
});

test('a tap sees both ways', () => {
  start();
  const seen: number[] = [];
  devAddPack(net, { ...tap, type: ETH_P_ALL, func: (skb) => {
    seen.push(skb.buf[skb.tail - 1]!);
    consumeSkb(skb);
    return NET_RX_SUCCESS;
  } });
  send(1);
  pipe.emit('data', framed(makeFrame(60, 2)));
  expect(seen).toEqual([1, 2]);
});
