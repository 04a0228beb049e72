// The driver over a C library that is not there: what /dev/net/tun would do is scripted. The real one is in tests/real.
import { EAGAIN, EIO, createNet, createWorld, destroyNet, worldEnter, worldLeave, type Net } from '@stack/kernel';
import {
  ETH_P_ARP, NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_TSO, allocNetdev, devAddPack, devOpen, devQueueXmit, devSetMtu, etherSetup, installNetdev,
  netifQueueStopped, registerNetdevice, type NetDevice, type PacketType,
} from '@stack/netdev';
import {
  CHECKSUM_PARTIAL, NET_RX_SUCCESS, SKB_GSO_TCPV4, allocSkb, consumeSkb, installSkbuff, leakReport, skbCopyBits, skbPut, skbReserve, type SkBuff,
} from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Libc } from './libc.ts';
import { TapPriv, tapInterrupt, tapNetdevOps } from './tap.ts';
import { UV_READABLE, UV_WRITABLE, uvPollOpen } from './uv-poll.ts';
import { VIRTIO_NET_HDR_SIZE } from './virtio-net-hdr.ts';

const FD = 7;

/** Memory by address: what addressOf() has been asked for, 4 GiB apart. */
let memory: ArrayBufferLike[];
let inbox: Uint8Array[];
let outbox: Uint8Array[];
let errno: number;
/** What the next writes answer: 0 takes the frame, else the errno. */
let refusals: number[];
let polled: number[];
let closed: number[];

const APART = 0x100000000;

function at(address: number, length: number): Uint8Array {
  return new Uint8Array(memory[Math.floor(address / APART)]!, address % APART, length);
}

const libc: Libc = {
  open: () => FD,
  socket: () => -1,
  ioctl: () => 0,
  close: (fd) => closed.push(fd),
  errno: () => errno,
  addressOf: (buffer) => (memory.includes(buffer) ? memory.indexOf(buffer) : memory.push(buffer) - 1) * APART,
  read: (_fd, address, length) => {
    const frame = inbox.shift();
    errno = EAGAIN;
    if (frame === undefined) return -1;
    at(address, length).set(frame.subarray(0, length));
    return Math.min(length, frame.length);
  },
  writev: (_fd, iovec, count) => {
    errno = refusals.shift() ?? 0;
    if (errno !== 0) return -1;
    const pieces = Array.from({ length: count }, (_, i) => {
      const entry = new DataView(memory[Math.floor(iovec / APART)]!, i * 16, 16);
      return [...at(Number(entry.getBigUint64(0, true)), Number(entry.getBigUint64(8, true)))];
    });
    outbox.push(Uint8Array.from(pieces.flat()));
    return outbox.at(-1)!.length;
  },
  uv: {
    defaultLoop: () => 0, handleSize: () => 160, pollInit: () => 0, pollStop: () => polled.push(0),
    pollStart: (_handle, events) => {
      polled.push(events);
      return 0;
    },
    close: () => undefined, ref: () => undefined, unref: () => undefined,
    registerPoll: () => 1n, registerClose: () => 2n, unregister: () => undefined,
  },
};

let net: Net;
let dev: NetDevice;
let taken: { bytes: Uint8Array; truesize: number; ipSummed: number; gsoSize: number }[];

const tap: PacketType = {
  type: ETH_P_ARP, dev: null, afPacketPriv: null,
  func: (skb) => {
    const bytes = new Uint8Array(skb.len);
    skbCopyBits(skb, 0, bytes, 0, skb.len);
    taken.push({ bytes, truesize: skb.truesize, ipSummed: skb.ipSummed, gsoSize: skb.shinfo.gsoSize });
    consumeSkb(skb);
    return NET_RX_SUCCESS;
  },
};

function start(vnetHdr: boolean): void {
  const priv = new TapPriv(libc, FD, false, vnetHdr);
  dev = allocNetdev(net, 'tap%d', tapNetdevOps, etherSetup, priv);
  if (vnetHdr) dev.features = dev.hwFeatures = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO;
  const poll = uvPollOpen(libc, FD, () => undefined);
  if (typeof poll === 'number') throw new Error('poll');
  priv.poll = poll;
  expect(registerNetdevice(dev)).toBe(0);
  expect(devOpen(dev)).toBe(0);
}

beforeEach(() => {
  [memory, inbox, outbox, refusals, polled, closed, taken] = [[], [], [], [], [], [], []];
  errno = 0;
  const world = createWorld({ seed: 1, debug: true });
  installSkbuff(world);
  net = createNet(world, { name: 'a' });
  installNetdev(net);
  devAddPack(net, tap);
});

afterEach(() => {
  destroyNet(net);
  expect(leakReport(net.world)).toEqual([]);
});

/** A frame of `length` octets, each payload octet `fill`. */
function frame(length: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(fill);
  bytes.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6]);
  return bytes;
}

function withHeader(bytes: Uint8Array, ...header: number[]): Uint8Array {
  return Uint8Array.from([...header, ...new Array<number>(VIRTIO_NET_HDR_SIZE - header.length).fill(0), ...bytes]);
}

function makePacket(bytes: Uint8Array): SkBuff {
  const skb = allocSkb(net, 64 + bytes.length)!;
  skbReserve(skb, 64);
  skb.buf.set(bytes, skbPut(skb, bytes.length));
  skb.dev = dev;
  skb.protocol = ETH_P_ARP;
  skb.networkHeader = skb.data + 14;
  return skb;
}

function send(skb: SkBuff): void {
  worldEnter(net.world);
  devQueueXmit(skb);
  worldLeave(net.world);
}

describe('receiving', () => {
  test('reads until EAGAIN, more than one budget of frames in one interrupt', () => {
    start(false);
    inbox = Array.from({ length: 200 }, (_, i) => frame(60, i));
    tapInterrupt(dev, 0, UV_READABLE);
    expect(taken.map(({ bytes }) => bytes[0])).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(dev.stats).toMatchObject({ rxPackets: 200, rxBytes: 200 * 60 });
  });

  test('a frame of one MTU goes up in the page that it was read into, a short one out of a large page is copied', () => {
    start(true);
    inbox = [withHeader(frame(60_000, 1)), withHeader(frame(60, 2)), withHeader(frame(1514, 3))];
    tapInterrupt(dev, 0, UV_READABLE);
    expect(taken.map(({ bytes }) => bytes.length)).toEqual([59_986, 46, 1500]);
    expect(taken[0]?.truesize).toBeGreaterThan(60_000);
    expect(taken[1]?.truesize).toBeLessThan(4096);
    expect(taken.every(({ bytes }, i) => bytes.every((octet) => octet === i + 1))).toBe(true);
  });

  test('Virtio 1.2 §5.1.6.4: a checksum and segments left undone arrive as such', () => {
    start(true);
    inbox = [withHeader(frame(3000, 0), 1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0)];
    tapInterrupt(dev, 0, UV_READABLE);
    expect(taken[0]).toMatchObject({ ipSummed: CHECKSUM_PARTIAL, gsoSize: 1460 });
  });

  test.each([
    ['a checksum behind the end', [1, 0, 0, 0, 0, 0, 60, 0, 16, 0]],
    ['segments of a protocol that was not asked for', [0, 4, 0, 0, 0xb4, 5]],
    ['segments of no size', [0, 1]],
  ])('drops and counts a frame whose header says %s', (_what, header) => {
    start(true);
    inbox = [withHeader(frame(60, 0), ...header), withHeader(frame(60, 9))];
    tapInterrupt(dev, 0, UV_READABLE);
    expect(taken).toHaveLength(1);
    expect(dev.stats).toMatchObject({ rxErrors: 1, rxFrameErrors: 1, rxPackets: 1 });
  });

  test('drops and counts what is too short to be a frame', () => {
    start(false);
    inbox = [frame(60, 0).subarray(0, 13)];
    tapInterrupt(dev, 0, UV_READABLE);
    expect(taken).toHaveLength(0);
    expect(dev.stats).toMatchObject({ rxErrors: 1, rxLengthErrors: 1 });
  });

  test('a frame of one MTU and a VLAN tag is read whole', () => {
    start(false);
    inbox = [frame(1518, 4)];
    tapInterrupt(dev, 0, UV_READABLE);
    expect(taken[0]?.bytes).toHaveLength(1504);
  });

  test('a larger MTU is read from the next frame on', () => {
    start(false);
    expect(devSetMtu(dev, 9000)).toBe(0);
    inbox = [frame(9014, 4)];
    tapInterrupt(dev, 0, UV_READABLE);
    expect(taken[0]?.bytes).toHaveLength(9000);
  });
});

describe('sending', () => {
  test('EAGAIN stops the queue; writable wakes it, and nothing is lost or sent twice', () => {
    start(false);
    refusals = [EAGAIN];
    for (let i = 1; i <= 3; i++) send(makePacket(frame(60, i)));
    expect(outbox).toHaveLength(0);
    expect(netifQueueStopped(dev)).toBe(true);
    expect(polled.at(-1)).toBe(UV_READABLE | UV_WRITABLE);
    tapInterrupt(dev, 0, UV_WRITABLE);
    expect(outbox.map((bytes) => bytes[20])).toEqual([1, 2, 3]);
    expect(polled.at(-1)).toBe(UV_READABLE);
    expect(dev.stats).toMatchObject({ txPackets: 3, txBytes: 180 });
  });

  test('EIO (Linux\'s end is down) drops the frame and counts it', () => {
    start(false);
    refusals = [EIO];
    send(makePacket(frame(60, 1)));
    send(makePacket(frame(60, 2)));
    expect(outbox.map((bytes) => bytes[20])).toEqual([2]);
    expect(dev.stats).toMatchObject({ txErrors: 1, txCarrierErrors: 1, txPackets: 1 });
  });

  test('Virtio 1.2 §5.1.6.2: what is left to the device is said in the header in front of the frame', () => {
    start(true);
    const bytes = frame(14 + 20 + 32 + 3000, 0);
    bytes[14 + 20 + 12] = 0x80; // data offset: 32 octets
    const skb = makePacket(bytes);
    skb.transportHeader = skb.networkHeader + 20;
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = skb.transportHeader - skb.head;
    skb.csumOffset = 16;
    skb.shinfo.gsoSize = 1448;
    skb.shinfo.gsoSegs = 3;
    skb.shinfo.gsoType = SKB_GSO_TCPV4;
    send(skb);
    expect([...outbox[0]!.subarray(0, VIRTIO_NET_HDR_SIZE)]).toEqual([1, 1, 66, 0, 1448 & 255, 1448 >> 8, 34, 0, 16, 0]);
    expect(outbox[0]!.subarray(VIRTIO_NET_HDR_SIZE)).toEqual(bytes);
  });
});

test('a device taken out of its host closes the file once', () => {
  start(false);
  destroyNet(net);
  expect(closed).toEqual([FD]);
  tapInterrupt(dev, 0, UV_READABLE);
});
