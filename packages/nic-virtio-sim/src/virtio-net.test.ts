import { createNet, destroyNet, idle, interrupt, netPanic, type Net, type World } from '@stack/kernel';
import {
  IF_OPER_DOWN, IF_OPER_UP, NETIF_F_HW_CSUM, NETIF_F_RXCSUM, NETIF_F_SG, NETIF_F_TSO, devClose, devOpen, devQueueXmit, devSetMtu,
  installNetdev,
} from '@stack/netdev';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, MAX_SKB_FRAGS, SKB_GSO_TCPV4, allocPage, allocSkb, csumPartial, csumTcpudpMagic, csumTcpudpNofold, ipFastCsum, leakReport, putPage, skbAddRxFrag, skbPut, skbReserve, type SkBuff } from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { createVirtioNic, type VirtioNic, type VirtioNicOptions } from './create.ts';
import type { Impairments } from './impair.ts';
import { createPlainNic } from './plain-nic.ts';
import { channelMeasureQueue, queueDelayQuantile } from './queue-delay.ts';
import { Host, inside, intact, makeFrame, makeWorld, range, send, up, type Got } from './test-support.ts';
import { virtioRead32, virtioWrite32 } from './virtio-bus.ts';
import * as config from './virtio-config.ts';
import { virtnetPriv } from './virtio-net-priv.ts';
import { connect, disconnect, type Wire } from './wire.ts';

let world: World;

beforeEach(() => {
  world = makeWorld();
  return () => {
    for (const net of [...world.nets]) destroyNet(net);
    expect(leakReport(world)).toEqual([]);
  };
});

class VirtioHost extends Host {
  get card(): VirtioNic {
    return this.nic as VirtioNic;
  }
}

function virtioHost(name: string, options: VirtioNicOptions = {}): VirtioHost {
  return new VirtioHost(world, name, (net: Net) => createVirtioNic(net, { queueSize: 64, ...options }));
}

function pair(a: VirtioNicOptions = {}, b: VirtioNicOptions = a): [VirtioHost, VirtioHost] {
  const hosts: [VirtioHost, VirtioHost] = [virtioHost('a', a), virtioHost('b', b)];
  connect(hosts[0].port, hosts[1].port);
  up(...hosts);
  return hosts;
}

describe('VIRTIO 1.2 §3.1.1: initialisation', () => {
  test('device and driver agree on what both know', () => {
    const [a] = pair();
    const { device } = a.card;
    expect(device.status).toBe(0x0f);
    expect(device.driverFeatures).toBe(device.deviceFeatures);
    expect(a.dev.features & (NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_RXCSUM)).toBe(NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_RXCSUM);
  });

  test('without offloads only gathering is left, which needs none', () => {
    const [a] = pair({ offloads: false });
    expect(a.dev.features & (NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_RXCSUM)).toBe(NETIF_F_SG);
  });

  test('MAC address and MTU come from the configuration space', () => {
    const a = virtioHost('a', { mac: new Uint8Array([2, 1, 2, 3, 4, 5]), mtu: 9000 });
    expect([[...a.dev.devAddr], a.dev.mtu]).toEqual([[2, 1, 2, 3, 4, 5], 9000]);
  });

  test('a feature that is not offered is refused: FEATURES_OK does not stay', () => {
    const { device } = virtioHost('a', { offloads: false }).card;
    const { bus } = device;
    const write = (offset: number, value: number): void => virtioWrite32(bus, offset, value);
    write(config.VIRTIO_MMIO_STATUS, 0);
    write(config.VIRTIO_MMIO_STATUS, 3);
    write(config.VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    write(config.VIRTIO_MMIO_DRIVER_FEATURES, 1);
    write(config.VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    write(config.VIRTIO_MMIO_DRIVER_FEATURES, config.VIRTIO_NET_F_CSUM);
    write(config.VIRTIO_MMIO_STATUS, 11);
    expect(virtioRead32(bus, config.VIRTIO_MMIO_STATUS)).toBe(3);
    write(config.VIRTIO_MMIO_DRIVER_FEATURES, 0);
    write(config.VIRTIO_MMIO_STATUS, 11);
    expect(virtioRead32(bus, config.VIRTIO_MMIO_STATUS)).toBe(11);
  });

  test('a driver that does not know VERSION_1 is refused', () => {
    const { bus } = virtioHost('a').card.device;
    virtioWrite32(bus, config.VIRTIO_MMIO_STATUS, 0);
    virtioWrite32(bus, config.VIRTIO_MMIO_STATUS, 3);
    virtioWrite32(bus, config.VIRTIO_MMIO_STATUS, 11);
    expect(virtioRead32(bus, config.VIRTIO_MMIO_STATUS)).toBe(3);
  });

  test('DRIVER_OK without queues: the device asks for a reset', () => {
    const { bus } = virtioHost('a').card.device;
    virtioWrite32(bus, config.VIRTIO_MMIO_STATUS, 15);
    expect(virtioRead32(bus, config.VIRTIO_MMIO_STATUS) & config.VIRTIO_CONFIG_S_NEEDS_RESET).not.toBe(0);
  });

  test.each([
    [{ queueSize: 100 }, /queueSize/], [{ queueSize: 32 }, /queueSize/], [{ mtu: 10 }, /mtu/], [{ mac: new Uint8Array(6) }, /mac/],
  ] as [VirtioNicOptions, RegExp][])('%j is refused by name', (options, message) => {
    const net = createNet(world);
    installNetdev(net);
    expect(() => createVirtioNic(net, options)).toThrow(message);
  });

  test('without the layer below, the error says what to install', () => {
    expect(() => createVirtioNic(createNet(world))).toThrow(/netdev first/);
  });
});

describe('the link', () => {
  test('is up while a cable is in, at both ends', async () => {
    const [a, b] = [virtioHost('a'), virtioHost('b')];
    up(a, b);
    await idle(world);
    expect([a.dev.operstate, b.dev.operstate]).toEqual([IF_OPER_DOWN, IF_OPER_DOWN]);
    const wire = connect(a.port, b.port);
    await idle(world);
    expect([a.dev.operstate, b.dev.operstate]).toEqual([IF_OPER_UP, IF_OPER_UP]);
    disconnect(wire);
    await idle(world);
    expect([a.dev.operstate, b.dev.operstate]).toEqual([IF_OPER_DOWN, IF_OPER_DOWN]);
  });
});

describe('frames', () => {
  test('of every size arrive unharmed, MTU 65535 too, over buffers that are merged', async () => {
    const [a, b] = pair({ mtu: 65535 });
    let n = 0;
    for (const len of [46, 100, 1500, 1957, 1958, 1959, 1960, 4000, 9000, 33000, 65535, 65535, 20000, 65535]) {
      send(a, b, [len & 0xff], len);
      await idle(world);
      expect(b.got.length).toBe(++n);
      expect(intact(b.got[n - 1]!.frame, len)).toBe(true);
    }
  });

  test('of large size make the driver give large pages, small ones small ones again', async () => {
    const [a, b] = pair({ mtu: 65535 });
    for (let i = 0; i < 60; i++) {
      send(a, b, [i], 60000);
      await idle(world);
    }
    expect(virtnetPriv(b.dev).rxPageSize).toBe(16384);
    for (let i = 0; i < 100; i++) {
      send(a, b, [i], 100);
      await idle(world);
    }
    expect(virtnetPriv(b.dev).rxPageSize).toBe(1600);
    expect(b.got.every(({ frame }) => intact(frame, frame.length - 14))).toBe(true);
    expect(b.got.length).toBe(160);
  });

  test('that no buffer holds are lost and counted where buffers are not merged', async () => {
    const [a, b] = pair({ mtu: 9000 }, { mergeable: false, offloads: false });
    send(a, b, [1], 9000);
    send(a, b, [2], 1500);
    await idle(world);
    expect(b.tags).toEqual([2]);
    expect(b.card.device.rxOversized).toBe(1);
  });

  test('in 17 fragments are gathered', async () => {
    const [a, b] = pair();
    const skb = makeFrame(a, b, 0, 40);
    for (let i = 0; i < MAX_SKB_FRAGS; i++) {
      const page = allocPage(a.net, 64)!;
      page.pool.debug?.pages.delete(page);
      for (let j = 0; j < 64; j++) page.buf[page.base + j] = (40 + i * 64 + j) * 3;
      skbAddRxFrag(skb, i, page, page.base, 64, page.size);
    }
    inside(world, () => devQueueXmit(skb));
    await idle(world);
    expect(intact(b.got[0]!.frame, 40 + MAX_SKB_FRAGS * 64)).toBe(true);
  });

  test('without room for a header in front are sent with one of their own', async () => {
    const [a, b] = pair();
    const skb = makeFrame(a, b, 3, 50);
    const tight = allocSkb(a.net, 64)!;
    tight.buf.set(skb.buf.subarray(skb.data, skb.tail), skbPut(tight, 64));
    tight.dev = a.dev;
    tight.protocol = skb.protocol;
    tight.networkHeader = tight.data + 14;
    inside(world, () => {
      devQueueXmit(tight);
      devQueueXmit(skb);
    });
    await idle(world);
    expect(b.got.map(({ frame }) => intact(frame, 50))).toEqual([true, true]);
  });
});

describe('back-pressure', () => {
  test('a burst far longer than rings and queue: nothing is lost that the qdisc took, order is kept', async () => {
    const [a, b] = pair();
    const tags = range(1000).map((i) => i & 0xff);
    send(a, b, tags);
    await idle(world);
    expect(b.tags).toEqual(tags);
    expect([a.dev.stats.txDropped, b.dev.stats.rxDropped, b.card.device.rxMissed]).toEqual([0, 0, 0]);
    expect(a.dev.qdisc.qlen).toBe(0);
  });

  test.each([{ eventIdx: true }, { eventIdx: false }])('both ways at once: %j', async (options) => {
    const [a, b] = pair(options);
    for (let round = 0; round < 10; round++) {
      send(a, b, range(200));
      send(b, a, range(200));
      if (round % 5 === 4) await idle(world);
    }
    expect([a.got.length, b.got.length]).toEqual([2000, 2000]);
  });

  test('a peer that has gone down does not hold up the sender', async () => {
    const [a, b] = pair();
    inside(world, () => devClose(b.dev));
    send(a, b, range(300));
    await idle(world);
    expect(b.card.device.rxMissed).toBe(300);
    expect(leakReport(world).filter((leak) => leak.host === a.net.name && leak.kind === 'skb')).toEqual([]);
  });

  test('nor does one that goes down while frames wait for it', async () => {
    const [a, b] = pair();
    inside(world, () => {
      for (const tag of range(300)) devQueueXmit(makeFrame(a, b, tag));
      expect(a.dev.qdisc.qlen).toBeGreaterThan(100);
      devClose(b.dev);
    });
    await idle(world);
    expect(a.dev.qdisc.qlen).toBe(0);
    expect(b.card.device.rxMissed).toBeGreaterThan(200);
  });

  test('a peer that panics neither', async () => {
    const [a, b] = pair();
    send(a, b, range(10));
    world.onPanic = () => undefined;
    inside(world, () => netPanic(b.net, new Error('on purpose')));
    await expect(idle(world)).resolves.toBeUndefined();
    send(a, b, range(300));
    await idle(world);
    expect(a.dev.qdisc.qlen).toBe(0);
  });

  test('a cable pulled out while frames wait', async () => {
    const a = virtioHost('a');
    const b = virtioHost('b');
    const wire = connect(a.port, b.port);
    up(a, b);
    inside(world, () => {
      for (const tag of range(500)) devQueueXmit(makeFrame(a, b, tag));
      disconnect(wire);
    });
    await idle(world);
    expect(b.got.length).toBeLessThan(500);
    expect([a.dev.qdisc.qlen, a.port.out]).toEqual([0, null]);
  });

  test('interrupts are few in a burst: one poll serves many frames', async () => {
    const [a, b] = pair({ queueSize: 256 });
    await idle(world);
    const before = virtnetPriv(b.dev).interrupts;
    send(a, b, range(200));
    await idle(world);
    expect(b.got.length).toBe(200);
    expect(virtnetPriv(b.dev).interrupts - before).toBeLessThan(5);
  });
});

const SADDR = 0x0a000001;
const DADDR = 0x0a000002;

/** A TCP packet over IPv4 with `payload` octets, its checksum left to the device; gsoSize 0: one segment. */
function tcpFrame(a: Host, b: Host, payload: number, gsoSize: number, flags = 0x18): SkBuff {
  const len = 14 + 20 + 32 + payload;
  const skb = allocSkb(a.net, 64 + len)!;
  skbReserve(skb, 64);
  const at = skbPut(skb, len);
  const { buf, view } = skb;
  buf.fill(0, at, at + 66);
  buf.set(b.dev.devAddr, at);
  buf.set(a.dev.devAddr, at + 6);
  view.setUint16(at + 12, 0x0800);
  view.setUint8(at + 14, 0x45);
  view.setUint16(at + 16, len - 14);
  view.setUint16(at + 18, 0x1234);
  view.setUint8(at + 22, 64);
  view.setUint8(at + 23, 6);
  view.setInt32(at + 26, SADDR);
  view.setInt32(at + 30, DADDR);
  view.setUint16(at + 24, ipFastCsum(view, at + 14, 5));
  view.setInt32(at + 38, 0x7fffff00);
  view.setUint8(at + 46, 0x80);
  view.setUint8(at + 47, flags);
  for (let i = 0; i < payload; i++) buf[at + 66 + i] = i * 5;
  view.setUint16(at + 50, csumTcpudpNofold(SADDR, DADDR, len - 34, 6, 0));
  skb.networkHeader = at + 14;
  skb.transportHeader = at + 34;
  skb.protocol = 0x0800;
  skb.dev = a.dev;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = at + 34 - skb.head;
  skb.csumOffset = 16;
  if (gsoSize !== 0) {
    skb.shinfo.gsoSize = gsoSize;
    skb.shinfo.gsoSegs = Math.ceil(payload / gsoSize);
    skb.shinfo.gsoType = SKB_GSO_TCPV4;
  }
  return skb;
}

function tcpSumRight(frame: Uint8Array): boolean {
  const view = new DataView(frame.buffer);
  const sum = csumPartial(frame, view, 34, frame.length - 34, 0);
  return csumTcpudpMagic(SADDR, DADDR, frame.length - 34, 6, sum) === 0 && ipFastCsum(view, 14, 5) === 0;
}

describe('offloads (VIRTIO 1.2 §5.1.6.2, §5.1.6.4)', () => {
  test('between two cards that have them a checksum is never computed, segments never cut', async () => {
    const [a, b] = pair();
    inside(world, () => {
      devQueueXmit(tcpFrame(a, b, 1000, 0));
      devQueueXmit(tcpFrame(a, b, 50_000, 1448));
      devQueueXmit(tcpFrame(a, b, 3 * 1448, 1448));
    });
    await idle(world);
    expect(b.got.map(({ frame, ipSummed, gsoSize, gsoSegs }) => [frame.length, ipSummed, gsoSize, gsoSegs])).toEqual([
      [1066, CHECKSUM_PARTIAL, 0, 0], [50_066, CHECKSUM_PARTIAL, 1448, 35], [66 + 3 * 1448, CHECKSUM_PARTIAL, 1448, 3],
    ]);
  });

  test('a small frame does not keep a large page, its checksum still to be computed', async () => {
    const [a, b] = pair();
    for (let i = 0; i < 60; i++) {
      inside(world, () => devQueueXmit(tcpFrame(a, b, 50_000, 1448)));
      await idle(world);
    }
    expect(virtnetPriv(b.dev).rxPageSize).toBe(16384);
    // Four pages, the last of them small.
    expect(b.got[59]!.truesize).toBeLessThan(50_000 * 1.1);
    inside(world, () => devQueueXmit(tcpFrame(a, b, 1000, 0)));
    await idle(world);
    const small = b.got[60]!;
    expect([small.frame.length, small.ipSummed, small.frame[1065]]).toEqual([1066, CHECKSUM_PARTIAL, (999 * 5) & 0xff]);
    expect(small.truesize).toBeLessThan(4096);
  });

  test('for a card that has none the device completes and cuts', async () => {
    const a = virtioHost('a');
    const b = new Host(world, 'b', (net) => createPlainNic(net));
    connect(a.port, b.port);
    up(a, b);
    inside(world, () => {
      devQueueXmit(tcpFrame(a, b, 1000, 0));
      devQueueXmit(tcpFrame(a, b, 5000, 1448, 0x99));
    });
    await idle(world);
    expect(b.got.map(({ frame, ipSummed }) => [frame.length, ipSummed, tcpSumRight(frame)])).toEqual([
      [1066, CHECKSUM_NONE, true], [1514, CHECKSUM_NONE, true], [1514, CHECKSUM_NONE, true], [1514, CHECKSUM_NONE, true], [722, CHECKSUM_NONE, true],
    ]);
    const segments = b.got.slice(1).map(({ frame }) => new DataView(frame.buffer));
    expect(segments.map((view) => view.getInt32(38))).toEqual([0, 1, 2, 3].map((i) => (0x7fffff00 + i * 1448) | 0));
    expect(segments.map((view) => view.getUint16(18))).toEqual([0x1234, 0x1235, 0x1236, 0x1237]);
    expect(segments.map((view) => view.getUint16(16))).toEqual([1500, 1500, 1500, 708]);
    // CWR with the first, PSH and FIN with the last, ACK with all.
    expect(segments.map((view) => view.getUint8(47))).toEqual([0x90, 0x10, 0x10, 0x19]);
    const payload = b.got.slice(1).flatMap(({ frame }) => [...frame.subarray(66)]);
    expect(payload.every((octet, i) => octet === ((i * 5) & 0xff))).toBe(true);
    expect(payload.length).toBe(5000);
  });

  test('cut segments wait for a slow receiver, none is lost', async () => {
    const a = virtioHost('a');
    const b = virtioHost('b', { offloads: false });
    connect(a.port, b.port);
    up(a, b);
    inside(world, () => {
      for (let i = 0; i < 20; i++) devQueueXmit(tcpFrame(a, b, 60_000, 1448));
    });
    await idle(world);
    expect(b.got.length).toBe(20 * Math.ceil(60_000 / 1448));
    expect(b.got.every(({ frame }) => tcpSumRight(frame))).toBe(true);
  });
});

describe('bursts on a cable', () => {
  const MSS = 1448;
  const SEQ = 0x7fffff00;
  /** Of a full frame at 1 Gbit/s, ns. */
  const FRAME = (1514 + 24) * 8;

  async function sendBurst(impairments: Impairments, segments: number): Promise<{ b: VirtioHost; wire: Wire }> {
    const [a, b] = [virtioHost('a'), virtioHost('b')];
    const wire = connect(a.port, b.port, impairments);
    up(a, b);
    inside(world, () => devQueueXmit(tcpFrame(a, b, segments * MSS, MSS)));
    await idle(world);
    return { b, wire };
  }

  /** Which segments a frame holds, if its headers and payload say the same. */
  function segmentsOf({ frame }: Got): number[] {
    const view = new DataView(frame.buffer);
    const from = ((view.getInt32(38) - SEQ) | 0) / MSS;
    const payload = frame.subarray(66);
    expect(view.getUint16(16)).toBe(frame.length - 14);
    expect(view.getUint16(18)).toBe(0x1234 + from);
    expect(ipFastCsum(view, 14, 5)).toBe(0);
    expect(view.getUint16(50)).toBe(~csumTcpudpMagic(SADDR, DADDR, frame.length - 34, 6, 0) & 0xffff);
    expect(payload.every((octet, i) => octet === (((from * MSS + i) * 5) & 0xff))).toBe(true);
    return range(payload.length / MSS).map((at) => from + at);
  }

  test('segments sent as one arrive as one, when the last has crossed', async () => {
    const { b } = await sendBurst({ bandwidth: 1e9, delay: 1, burst: 16 }, 10);
    expect(b.got.map(({ time, gsoSize, gsoSegs, ipSummed }) => [time, gsoSize, gsoSegs, ipSummed])).toEqual([[1e6 + 10 * FRAME, MSS, 10, CHECKSUM_PARTIAL]]);
    expect(segmentsOf(b.got[0]!)).toEqual(range(10));
  });

  test('no more of them together than the cable says; FIN and PSH with the last', async () => {
    const { b } = await sendBurst({ bandwidth: 1e9, burst: 3 }, 10);
    expect(b.got.map(segmentsOf)).toEqual([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]);
    expect(b.got.map(({ time }) => time)).toEqual([3 * FRAME, 6 * FRAME, 9 * FRAME, 10 * FRAME]);
    expect(b.got.map(({ gsoSize }) => gsoSize)).toEqual([MSS, MSS, MSS, 0]);
    expect(b.got.map(({ frame }) => frame[47])).toEqual([0x10, 0x10, 0x10, 0x18]);
  });

  test('each segment takes a place in the queue: those behind the last are lost', async () => {
    const { b, wire } = await sendBurst({ bandwidth: 1e9, burst: 16, queueLen: 4 }, 10);
    expect(b.got.map(segmentsOf)).toEqual([[0, 1, 2, 3]]);
    expect([wire.ab.frames, wire.ab.overflowed]).toEqual([10, 6]);
  });

  test('each has its own chance to be lost, which parts those before from those after', async () => {
    const { b, wire } = await sendBurst({ loss: 0.3, burst: 44 }, 40);
    const parts = b.got.map(segmentsOf);
    expect(wire.ab.lost).toBeGreaterThan(5);
    expect(parts.flat().length + wire.ab.lost).toBe(40);
    for (const [i, part] of parts.entries()) if (i > 0) expect(part[0]).toBeGreaterThan(parts[i - 1]!.at(-1)! + 1);
  });

  test('not with corrupt: nobody would see it', () => {
    expect(() => connect(virtioHost('a').port, virtioHost('b').port, { burst: 2, corrupt: 0.1 })).toThrow(/burst/);
    expect(() => connect(virtioHost('c').port, virtioHost('d').port, { burst: 0 })).toThrow(/burst/);
  });

  test('queueing delay: how long each frame waited for its turn', async () => {
    const [a, b] = [virtioHost('a'), virtioHost('b')];
    const wire = connect(a.port, b.port, { bandwidth: 1e9, delay: 3, burst: 2, queueLen: 100 });
    up(a, b);
    const waits = channelMeasureQueue(wire.ab);
    inside(world, () => devQueueXmit(tcpFrame(a, b, 5 * MSS, MSS)));
    await idle(world);
    expect([waits.frames, waits.maxNs]).toEqual([5, 4 * FRAME]);
    const within = waits.stepNs;
    expect(queueDelayQuantile(waits, 0.2)).toBe(0);
    expect(Math.abs(queueDelayQuantile(waits, 0.5) - 2 * FRAME)).toBeLessThanOrEqual(within);
    expect(queueDelayQuantile(waits, 1)).toBe(4 * FRAME);
    expect(channelMeasureQueue(wire.ab).frames).toBe(0);
  });
});

describe('a fault', () => {
  /** Writes to the first descriptor of the driver's next packet. */
  function spoilNextTx(host: VirtioHost, at: number, value: number): void {
    const vq = virtnetPriv(host.dev).svq!;
    vq.view.setUint32(vq.desc + vq.freeHead * 16 + at, value, true);
  }

  test('of the driver: the device asks for a reset, the link is gone, going down and up heals it', async () => {
    const [a, b] = pair();
    const vq = virtnetPriv(a.dev).svq!;
    // The driver says that it has made more available than there is.
    vq.view.setUint16(vq.avail + 2, 500, true);
    virtioWrite32(a.card.device.bus, config.VIRTIO_MMIO_QUEUE_NOTIFY, 1);
    await idle(world);
    expect(a.card.device.status & config.VIRTIO_CONFIG_S_NEEDS_RESET).not.toBe(0);
    expect(a.dev.operstate).toBe(IF_OPER_DOWN);
    inside(world, () => {
      devClose(a.dev);
      devOpen(a.dev);
    });
    await idle(world);
    send(a, b, [1, 2]);
    await idle(world);
    expect(b.tags).toEqual([1, 2]);
    spoilNextTx(a, 12, 0);
  });

  test('in a frame: a runt, or a header that lies, is a counted drop of the device', async () => {
    const [a, b] = pair({ offloads: false });
    const runt = makeFrame(a, b, 1, 100);
    runt.len = 13;
    runt.tail = runt.data + 13;
    inside(world, () => devQueueXmit(runt));
    await idle(world);
    expect([b.got.length, a.card.device.txMalformed]).toEqual([0, 1]);
    send(a, b, [2]);
    await idle(world);
    expect(b.tags).toEqual([2]);
  });

  test('in a received header is a counted drop with reason', async () => {
    const [a, b] = pair();
    const skb = tcpFrame(a, b, 100, 0);
    inside(world, () => devQueueXmit(skb));
    // The device has written it, the driver has not looked yet: impossible in one stack, so spoil by hand.
    const vi = virtnetPriv(b.dev);
    await idle(world);
    const before = b.dev.stats.rxFrameErrors;
    inside(world, () => {
      devQueueXmit(tcpFrame(a, b, 100, 0));
      const vq = vi.rvq!;
      const used = vq.used + 4 + 8 * (vq.lastUsedIdx % vq.num);
      const page = vq.data[vq.view.getUint32(used, true)]!;
      page.view.setUint16(page.base + 64 + 6, 5000, true);
    });
    await idle(world);
    expect(b.dev.stats.rxFrameErrors - before).toBe(1);
    expect(b.got.length).toBe(1);
  });

  test('of the receive ring: a length that cannot be is a counted drop', async () => {
    const [a, b] = pair();
    const vi = virtnetPriv(b.dev);
    for (const len of [0, 11, 25, 0x7fffffff]) {
      inside(world, () => {
        devQueueXmit(makeFrame(a, b, 1));
        const vq = vi.rvq!;
        vq.view.setUint32(vq.used + 4 + 8 * (vq.lastUsedIdx % vq.num) + 4, len, true);
      });
      await idle(world);
    }
    expect([b.got.length, b.dev.stats.rxLengthErrors, b.dev.stats.rxErrors]).toEqual([0, 4, 4]);
  });

  test('an interrupt without reason does nothing', async () => {
    const [a] = pair();
    const { bus } = a.card.device;
    inside(world, () => interrupt(a.net, bus.onInterrupt!, bus));
    await idle(world);
    expect(a.got).toEqual([]);
  });
});

test('memory: when the pool is exhausted frames wait, and flow when there is some again', async () => {
  const [a, b] = pair({ mtu: 1500 });
  await idle(world);
  const { pool } = world;
  const limit = pool.limit;
  pool.limit = 0;
  const hoard = [];
  for (let page = allocPage(b.net, 2048); page !== null; page = allocPage(b.net, 2048)) hoard.push(page);
  // Each frame needs a page to be made from: free one, use it.
  for (let i = 0; i < 3; i++) {
    const page = hoard.pop()!;
    putPage(page);
    const skb = makeFrame(a, b, i);
    inside(world, () => devQueueXmit(skb));
    await idle(world);
  }
  pool.limit = limit;
  for (const page of hoard) putPage(page);
  await idle(world);
  send(a, b, range(100));
  await idle(world);
  expect(b.got.length).toBe(103);
});

test('the MTU of buffers that are not merged cannot change while the interface is up', () => {
  const [a] = pair({ mergeable: false });
  expect(devSetMtu(a.dev, 1400)).toBeLessThan(0);
  inside(world, () => devClose(a.dev));
  expect(devSetMtu(a.dev, 1400)).toBe(0);
});
