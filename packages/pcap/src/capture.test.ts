import { createNet, createWorld, destroyNet, worldEnter, worldLeave, type Net } from '@stack/kernel';
import {
  ARPHRD_NONE, NETDEV_TX_OK, NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_TSO, allocNetdev, devAddOffload, devAddrSet, devOpen, devQueueXmit,
  ethTypeTrans, etherSetup, installNetdev, netdevAllocSkb, netifCarrierOn, netifRx, registerNetdevice, type NetDevice, type NetDeviceOps,
} from '@stack/netdev';
import {
  CHECKSUM_PARTIAL, SKB_GSO_TCPV4, allocSkb, consumeSkb, csumFold, csumPartial, installSkbuff, leakReport, skbPut, skbReserve, skbSegment,
  type SkBuff,
} from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { capture, stopCapture } from './capture.ts';
import { LINKTYPE_RAW, createPcapngWriter } from './pcapng.ts';
import { join, option, readBlocks, readPackets, text, uint64 } from './test-pcapng.ts';

const OURS = Uint8Array.of(2, 0, 0, 0, 0, 1);
const TYPE = 0x88b5; // IEEE's for experiments
const CSUM_OFFSET = 2;
const HEADERS = 14 + 8;

const sinkOps: NetDeviceOps = {
  ndoInit: null, ndoUninit: null, ndoOpen: null, ndoStop: null, ndoSetRxMode: null, ndoChangeMtu: null, ndoSetMacAddress: null,
  ndoFixFeatures: null, ndoSetFeatures: null, ndoFeaturesCheck: null,
  ndoStartXmit: (skb) => {
    consumeSkb(skb);
    return NETDEV_TX_OK;
  },
};

let net: Net;
let dev: NetDevice;
let chunks: Uint8Array[];

/** A device that takes checksums and segments undone, up and running. */
function makeDevice(setup: (device: NetDevice) => void): NetDevice {
  const device = allocNetdev(net, 'eth%d', sinkOps, setup);
  device.hwFeatures = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO;
  device.features = device.hwFeatures;
  registerNetdevice(device);
  netifCarrierOn(device);
  devOpen(device);
  return device;
}

beforeEach(() => {
  const world = createWorld({ seed: 1, debug: true });
  installSkbuff(world);
  net = createNet(world, { name: 'a' });
  installNetdev(net);
  dev = makeDevice(etherSetup);
  devAddrSet(dev, OURS);
  chunks = [];
});

afterEach(() => {
  destroyNet(net);
  expect(leakReport(net.world)).toEqual([]);
});

function startCapture(options: Parameters<typeof capture>[2] = {}): ReturnType<typeof capture> {
  return capture(dev, createPcapngWriter((chunk) => chunks.push(chunk)), options);
}

/** A frame to `to`: Ethernet header, eight octets of header with a checksum to be completed, `payload`. */
function frame(to: Uint8Array, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADERS + payload.length);
  bytes.set(to, 0);
  bytes.set(OURS, 6);
  bytes.set([TYPE >> 8, TYPE & 0xff, 0x12, 0x34, 0xab, 0xcd], 12);
  bytes.set(payload, HEADERS);
  return bytes;
}

/** Sends the frame, as a protocol does that leaves its checksum, or segmentation to `gsoSize`, to the device. */
function send(bytes: Uint8Array, partial: boolean, gsoSize = 0): void {
  const skb = allocSkb(net, 64 + bytes.length)!;
  skbReserve(skb, 64);
  skb.buf.set(bytes, skbPut(skb, bytes.length));
  skb.dev = dev;
  skb.protocol = TYPE;
  skb.networkHeader = skb.data + 14;
  if (partial) {
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = skb.networkHeader - skb.head;
    skb.csumOffset = CSUM_OFFSET;
  }
  if (gsoSize !== 0) {
    skb.shinfo.gsoSize = gsoSize;
    skb.shinfo.gsoType = SKB_GSO_TCPV4;
    skb.shinfo.gsoSegs = Math.ceil((bytes.length - HEADERS) / gsoSize);
  }
  worldEnter(net.world);
  devQueueXmit(skb);
  worldLeave(net.world);
}

function receive(bytes: Uint8Array): void {
  const skb = netdevAllocSkb(dev, bytes.length)!;
  skb.buf.set(bytes, skbPut(skb, bytes.length));
  worldEnter(net.world);
  skb.protocol = ethTypeTrans(skb, dev);
  dev.stats.rxPackets++;
  netifRx(skb);
  worldLeave(net.world);
}

function flags(packet: ReturnType<typeof readPackets>[number]): number {
  return option(packet, 2)[0] ?? 0;
}

describe('capture', () => {
  test('writes what is sent and what is received, whole, with direction and address class', () => {
    startCapture();
    const sent = frame(Uint8Array.of(2, 0, 0, 0, 0, 9), Uint8Array.of(1, 2, 3));
    const received = frame(OURS, Uint8Array.of(4));
    const broadcast = frame(new Uint8Array(6).fill(0xff), Uint8Array.of(5));
    const group = frame(Uint8Array.of(1, 0, 0x5e, 0, 0, 1), Uint8Array.of(6));
    send(sent, false);
    for (const one of [received, broadcast, group, sent]) receive(one);
    const packets = readPackets(join(chunks));
    expect(packets.map((packet) => packet.data)).toEqual([sent, received, broadcast, group, sent]);
    expect(packets.map(flags)).toEqual([2, 1 | 4, 1 | 12, 1 | 8, 1 | 16]);
  });

  test('names the interface by host and device, gives its address', () => {
    startCapture();
    const described = readBlocks(join(chunks))[1]!;
    expect(text(described, 2)).toBe('a/eth0');
    expect([...option(described, 6)]).toEqual([...OURS]);
  });

  test('completes in the file a checksum that is left to the device, and not in the packet', () => {
    startCapture();
    const bytes = frame(OURS, Uint8Array.of(7, 8, 9));
    send(bytes, true);
    const [packet] = readPackets(join(chunks));
    const data = packet!.data;
    expect(csumFold(csumPartial(data, new DataView(data.buffer), 14, data.length - 14, 0)) & 0xffff).toBe(0xabcd); // the pseudo header's sum, which is not in the packet
    expect([...data.subarray(0, 16)]).toEqual([...bytes.subarray(0, 16)]);
    expect([...data.subarray(18)]).toEqual([...bytes.subarray(18)]);
    expect([...data.subarray(16, 18)]).not.toEqual([...bytes.subarray(16, 18)]);
  });

  test('cuts in the file what is larger than a frame', () => {
    expect(devAddOffload(net, { type: TYPE, gsoSegment: cutAll, groReceive: null, groComplete: null })).toBe(0);
    startCapture();
    const payload = Uint8Array.from({ length: 25 }, (_, i) => i);
    send(frame(OURS, payload), true, 10);
    const packets = readPackets(join(chunks));
    expect(packets.map((packet) => [...packet.data.subarray(HEADERS)])).toEqual([[...payload.subarray(0, 10)], [...payload.subarray(10, 20)], [...payload.subarray(20)]]);
    expect(packets.map((packet) => packet.data.length)).toEqual([HEADERS + 10, HEADERS + 10, HEADERS + 5]);
  });

  test('writes whole what no protocol can cut', () => {
    startCapture();
    send(frame(OURS, new Uint8Array(25)), true, 10);
    expect(readPackets(join(chunks)).map((packet) => packet.data.length)).toEqual([HEADERS + 25]);
  });

  test('stores no more than snapLen, says how much there was, and sums over all of it', () => {
    startCapture({ snapLen: 20 });
    const bytes = frame(OURS, Uint8Array.of(7, 8, 9));
    send(bytes, true);
    send(bytes, false);
    const [packet, plain] = readPackets(join(chunks));
    expect([packet?.data.length, packet?.original]).toEqual([20, bytes.length]);
    const whole = Uint8Array.from(bytes);
    whole.set(packet!.data);
    expect(csumFold(csumPartial(whole, new DataView(whole.buffer), 14, whole.length - 14, 0)) & 0xffff).toBe(0xabcd);
    expect([...plain!.data]).toEqual([...bytes.subarray(0, 20)]);
  });

  test('says with a packet how many the device dropped before it, and with the interface how many in all', () => {
    dev.stats.rxDropped = 100;
    const tap = startCapture();
    send(frame(OURS, Uint8Array.of(1)), false);
    dev.stats.rxDropped += 3;
    receive(frame(OURS, Uint8Array.of(2)));
    dev.stats.rxDropped += 1;
    stopCapture(tap);
    const file = join(chunks);
    expect(readPackets(file).map((packet) => uint64(option(packet, 4)))).toEqual([0n, 3n]);
    const statistics = readBlocks(file).at(-1)!;
    expect([uint64(option(statistics, 4)), uint64(option(statistics, 5))]).toEqual([1n, 5n]);
  });

  test('has the comment of whoever asks', () => {
    startCapture({ comment: (skb) => (skb.len > 30 ? `${skb.len} octets` : null) });
    send(frame(OURS, new Uint8Array(30)), false);
    send(frame(OURS, new Uint8Array(2)), false);
    const [long, short] = readPackets(join(chunks));
    expect(text(long!, 1)).toBe('52 octets');
    expect(short?.options.some(({ code }) => code === 1)).toBe(false);
  });

  test('stamps the World\'s time, counted from 1970', () => {
    startCapture();
    send(frame(OURS, Uint8Array.of(1)), false);
    expect(readPackets(join(chunks))[0]?.time).toBe(946_684_800_000n * 1_000_000n + BigInt(net.world.now));
  });

  test('writes IP packets of a device without link-layer header as LINKTYPE_RAW', () => {
    dev = makeDevice((device) => {
      device.type = ARPHRD_NONE;
      device.mtu = 1500;
    });
    startCapture();
    expect(readBlocks(join(chunks))[1]?.body.getUint16(0, true)).toBe(LINKTYPE_RAW);
    const skb = allocSkb(net, 64)!;
    skb.buf.set([0x45, 0, 0, 20], skbPut(skb, 20));
    skb.dev = dev;
    skb.networkHeader = skb.data;
    worldEnter(net.world);
    devQueueXmit(skb);
    worldLeave(net.world);
    expect([...readPackets(join(chunks))[0]!.data.subarray(0, 4)]).toEqual([0x45, 0, 0, 20]);
  });

  test('ends once: by stopCapture, or with its host', () => {
    const tap = startCapture();
    stopCapture(tap);
    const { length } = chunks;
    send(frame(OURS, Uint8Array.of(1)), false);
    stopCapture(tap);
    expect(chunks).toHaveLength(length);
    startCapture();
    destroyNet(net);
    expect(readBlocks(join(chunks)).at(-1)?.type).toBe(5);
  });

  test('shows a packet through the loopback device once', () => {
    const lo = net.netdev.loopbackDev!;
    devOpen(lo);
    dev = lo;
    startCapture();
    send(frame(new Uint8Array(6), Uint8Array.of(1, 2)), false);
    expect(readPackets(join(chunks)).map(flags)).toEqual([1 | 4]);
  });
});

/** A protocol of eight octets of header, cut as skb_segment leaves it; data at the network header. */
function cutAll(skb: SkBuff, features: number): SkBuff | number {
  const header = skb.data;
  skb.data += 8;
  skb.len -= 8;
  const segments = skbSegment(skb, features);
  skb.data = header;
  skb.len += 8;
  return segments;
}
