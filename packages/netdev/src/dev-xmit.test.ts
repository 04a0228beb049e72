import { SKB_DROP_REASON_SKB_GSO_SEG, traceNet } from '@stack/kernel';
import {
  CHECKSUM_NONE, CHECKSUM_PARTIAL, NET_XMIT_DROP, NET_XMIT_SUCCESS, SKB_GSO_TCPV4, allocPage, allocSkb, consumeSkb, consumeSkbList, csumFold, csumPartial,
  leakReport, skbAddRxFrag, skbPut, skbReserve, skbSegment, type SkBuff,
} from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { netifNeedsGso, skbGsoSegment, validateXmitSkb } from './dev-gso.ts';
import { devOpen, allocNetdev, registerNetdevice, unregisterNetdevice } from './dev.ts';
import { devQueueXmit } from './dev-xmit.ts';
import { etherSetup } from './eth.ts';
import { ETH_P_ALL, ETH_P_IP } from './if-ether.ts';
import { PACKET_OUTGOING } from './if-packet.ts';
import { NETIF_F_HW_CSUM, NETIF_F_IP_CSUM, NETIF_F_SG, NETIF_F_TSO } from './netdev-features.ts';
import type { NetDevice, PacketOffload, PacketType } from './netdevice.ts';
import { devAddOffload, devAddPack, devRemovePack } from './ptype.ts';
import { netifStopQueue } from './sch-generic.ts';
import { TestCard, cardOf, inside, makeDev, makeFrame, makeNet, testOps } from './test-support.ts';

let dev: NetDevice;

beforeEach(() => {
  dev = makeDev(makeNet());
  return () => {
    unregisterNetdevice(dev);
    expect(leakReport(dev.net.world)).toEqual([]);
  };
});

/** A frame whose sum over all but the link-layer header goes to octets 10 and 11 of the payload. */
function partial(len = 46): SkBuff {
  const skb = makeFrame(dev, 0x11, len);
  for (let i = 12; i < len; i++) skb.buf[skb.data + 14 + i] = i * 3;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = skb.data + 14 - skb.head;
  skb.csumOffset = 10;
  return skb;
}

function sumIsRight(frame: Uint8Array): boolean {
  return csumFold(csumPartial(frame, new DataView(frame.buffer), 14, frame.length - 14, 0)) === 0;
}

describe('checksum completion', () => {
  test('a device without checksums gets them complete', () => {
    devQueueXmit(partial());
    expect(sumIsRight(cardOf(dev).frames[0]!)).toBe(true);
  });

  test('a device with NETIF_F_HW_CSUM is left to it', () => {
    dev.features |= NETIF_F_HW_CSUM;
    cardOf(dev).keep = true;
    devQueueXmit(partial());
    const skb = cardOf(dev).skbs[0]!;
    expect(skb.ipSummed).toBe(CHECKSUM_PARTIAL);
    expect(sumIsRight(cardOf(dev).frames[0]!)).toBe(false);
    consumeSkb(skb);
  });

  test('NETIF_F_IP_CSUM covers TCP and UDP over IPv4, nothing else', () => {
    dev.features |= NETIF_F_IP_CSUM;
    devQueueXmit(partial());
    expect(sumIsRight(cardOf(dev).frames[0]!)).toBe(true);
    const tcp = partial();
    tcp.csumOffset = 16;
    devQueueXmit(tcp);
    expect(sumIsRight(cardOf(dev).frames[1]!)).toBe(false);
  });
});

describe('gathering', () => {
  function withFrag(): SkBuff {
    const skb = makeFrame(dev, 1, 20);
    const page = allocPage(dev.net, 100)!;
    page.buf.fill(0x77, page.base, page.base + 100);
    page.pool.debug?.pages.delete(page);
    skbAddRxFrag(skb, 0, page, page.base, 100, page.size);
    return skb;
  }

  test('a device that cannot gather gets one piece', () => {
    devQueueXmit(withFrag());
    const frame = cardOf(dev).frames[0]!;
    expect(frame.length).toBe(134);
    expect([...frame.subarray(34)]).toEqual(new Array(100).fill(0x77));
  });

  test('a device with NETIF_F_SG gets the fragments', () => {
    dev.features |= NETIF_F_SG;
    cardOf(dev).keep = true;
    devQueueXmit(withFrag());
    expect([cardOf(dev).frames[0]!.length, cardOf(dev).skbs[0]!.dataLen]).toEqual([34, 100]);
    consumeSkb(cardOf(dev).skbs[0]!);
  });
});

/** Stands for a protocol: 4 octets of header, of which the first says which segment it is. */
const offload: PacketOffload = {
  type: ETH_P_IP,
  gsoSegment: (skb, features) => {
    skb.networkHeader = skb.data;
    skb.data += 4;
    skb.len -= 4;
    const segs = skbSegment(skb, features);
    skb.data -= 4;
    skb.len += 4;
    let n = 0;
    for (let seg = typeof segs === 'number' ? null : segs; seg !== null; seg = seg.next) seg.buf[seg.data + 14] = n++;
    return segs;
  },
  groReceive: null,
  groComplete: null,
};

/** A packet of `segs` segments of 100 octets. */
function gsoFrame(segs: number): SkBuff {
  const len = 14 + 4 + segs * 100;
  const skb = allocSkb(dev.net, 64 + len)!;
  skbReserve(skb, 64);
  const at = skbPut(skb, len);
  for (let i = 0; i < len; i++) skb.buf[at + i] = i;
  skb.protocol = ETH_P_IP;
  skb.networkHeader = at + 14;
  skb.dev = dev;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = at + 14 - skb.head;
  skb.csumOffset = 2;
  skb.shinfo.gsoSize = 100;
  skb.shinfo.gsoSegs = segs;
  skb.shinfo.gsoType = SKB_GSO_TCPV4;
  return skb;
}

describe('generic segmentation offload', () => {
  test('a packet of many segments is cut by its protocol where the device does not, in order', () => {
    devAddOffload(dev.net, offload);
    expect(devQueueXmit(gsoFrame(5))).toBe(NET_XMIT_SUCCESS);
    expect(cardOf(dev).sent).toEqual(['0+', '1+', '2+', '3+', '4']);
    expect(cardOf(dev).frames.map((frame) => frame.length)).toEqual([118, 118, 118, 118, 118]);
    expect(cardOf(dev).frames.map((frame) => frame[18])).toEqual([0, 1, 2, 3, 4].map((n) => (18 + n * 100) & 0xff));
  });

  test('each segment keeps the link-layer header', () => {
    devAddOffload(dev.net, offload);
    devQueueXmit(gsoFrame(3));
    for (const frame of cardOf(dev).frames) expect([...frame.subarray(0, 14)]).toEqual([...Array(14).keys()]);
  });

  test('cutting leaves the packet as it was, and what it was cut into belongs to the caller', () => {
    devAddOffload(dev.net, offload);
    const skb = gsoFrame(3);
    const before = [skb.data, skb.len, skb.tail];
    const segs = skbGsoSegment(skb, 0);
    expect([skb.data, skb.len, skb.tail]).toEqual(before);
    consumeSkbList(segs as SkBuff);
    consumeSkb(skb);
  });

  test('what the driver does not take of the segments is requeued, cut as it is', () => {
    devAddOffload(dev.net, offload);
    cardOf(dev).room = 2;
    devQueueXmit(gsoFrame(5));
    expect(dev.qdisc.qlen).toBe(3);
  });

  test('a device with TSO, SG and checksums gets it whole', () => {
    dev.features |= NETIF_F_TSO | NETIF_F_SG | NETIF_F_HW_CSUM;
    devQueueXmit(gsoFrame(5));
    expect(cardOf(dev).frames.map((frame) => frame.length)).toEqual([518]);
  });

  test('more segments than the device takes at once are cut by the stack', () => {
    devAddOffload(dev.net, offload);
    dev.features |= NETIF_F_TSO | NETIF_F_SG | NETIF_F_HW_CSUM;
    dev.gsoMaxSegs = 4;
    devQueueXmit(gsoFrame(5));
    expect(cardOf(dev).frames.length).toBe(5);
  });

  test('a packet whose protocol cannot cut is dropped and counted', () => {
    expect(devQueueXmit(gsoFrame(2))).toBe(NET_XMIT_SUCCESS);
    expect(cardOf(dev).sent).toEqual([]);
    expect([dev.stats.txDropped, dev.net.dropReasons[SKB_DROP_REASON_SKB_GSO_SEG]]).toEqual([1, 1]);
  });

  test('an sk_buff that needs nothing is not touched', () => {
    const skb = makeFrame(dev);
    skb.ipSummed = CHECKSUM_NONE;
    expect(netifNeedsGso(skb, 0)).toBe(false);
    expect(validateXmitSkb(skb, dev)).toBe(skb);
    consumeSkb(skb);
  });
});

describe('taps', () => {
  function tap(seen: SkBuff[], priv: unknown = null, on: NetDevice | null = null): PacketType {
    return { type: ETH_P_ALL, dev: on, func: (skb) => seen.push(skb), afPacketPriv: priv };
  }

  test('each sees a clone of what the driver gets, as PACKET_OUTGOING, data at the link-layer header', () => {
    const seen: SkBuff[] = [];
    const taps = [tap(seen), tap(seen, null, dev)];
    taps.forEach((pt) => devAddPack(dev.net, pt));
    inside(dev.net, () => devQueueXmit(makeFrame(dev, 9)));
    expect(seen.map((skb) => [skb.pktType, skb.data === skb.macHeader, skb.len, skb.buf[skb.data + 14]])).toEqual([
      [PACKET_OUTGOING, true, 60, 9], [PACKET_OUTGOING, true, 60, 9],
    ]);
    expect(cardOf(dev).sent).toEqual(['9']);
    seen.forEach(consumeSkb);
    taps.forEach((pt) => devRemovePack(dev.net, pt));
  });

  test('of another device are not bothered, nor is the one that sends', () => {
    const seen: SkBuff[] = [];
    const other = makeDev(dev.net);
    const sender = { sock: true };
    const taps = [tap(seen, null, other), tap(seen, sender)];
    taps.forEach((pt) => devAddPack(dev.net, pt));
    const skb = makeFrame(dev);
    Object.assign(skb, { sk: sender });
    devQueueXmit(skb);
    expect(seen).toEqual([]);
    taps.forEach((pt) => devRemovePack(dev.net, pt));
  });
});

describe('devices without a queue', () => {
  function virtual(xmit: (skb: SkBuff, self: NetDevice) => number): NetDevice {
    const made = allocNetdev(dev.net, 'virt%d', { ...testOps, ndoStartXmit: xmit }, (self) => {
      etherSetup(self);
      self.txQueueLen = 0;
    }, new TestCard());
    registerNetdevice(made);
    devOpen(made);
    return made;
  }

  test('are called directly, and drop when they are stopped', () => {
    const virt = virtual(testOps.ndoStartXmit);
    expect(devQueueXmit(makeFrame(virt, 3))).toBe(NET_XMIT_SUCCESS);
    expect(cardOf(virt).sent).toEqual(['3']);
    netifStopQueue(virt);
    expect(devQueueXmit(makeFrame(virt, 4))).toBeLessThan(0);
    expect(virt.stats.txDropped).toBe(1);
  });

  test('that transmit through themselves are stopped before the stack ends', () => {
    let calls = 0;
    const loop = virtual((skb, self) => {
      calls++;
      skb.dev = self;
      devQueueXmit(skb);
      return 0;
    });
    devQueueXmit(makeFrame(loop));
    expect(calls).toBeLessThan(20);
    expect(loop.stats.txDropped).toBe(1);
  });

  test('that drop an sk_buff in a packet of many segments say so', () => {
    const virt = virtual(testOps.ndoStartXmit);
    const skb = gsoFrame(2);
    skb.dev = virt;
    expect(devQueueXmit(skb)).toBe(NET_XMIT_DROP);
  });
});

test('dev_queue_xmit is traced with data at the link-layer header', () => {
  const hits: string[] = [];
  const stop = traceNet(dev.net, (r) => hits.push(`${r.function} ${r.data} ${r.len}`));
  devQueueXmit(makeFrame(dev));
  stop();
  expect(hits).toEqual(['dev_queue_xmit 64 60']);
});
