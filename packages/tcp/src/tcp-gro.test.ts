import { createNet, createWorld, type Net } from '@stack/kernel';
import {
  CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, SKB_GSO_TCPV4, SkBuffHead, allocSkb, consumeSkb, csumPartial, csumTcpudpMagic,
  csumTcpudpNofold, groCbCount, groCbFlush, groCbInit, groCbLen, groCbSameFlow, installSkbuff, skbCopyBits, skbPut, skbQueueTail,
  skbReserve, type SkBuff,
} from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { tcp4GroComplete, tcp4GroReceive } from './tcp-gro.ts';
import { TCPHDR_ACK, TCPHDR_CWR, TCPHDR_FIN, TCPHDR_PSH, TCPHDR_RST, TCPHDR_SYN, TCPHDR_URG } from './tcp-skb-cb.ts';

const SADDR = 0x0a000001;
const DADDR = 0x0a000002;
const TSOPT = 12;

interface Fields {
  seq?: number;
  ack?: number;
  len?: number;
  flags?: number;
  window?: number;
  port?: number;
  tsval?: number;
  tos?: number;
  ttl?: number;
  df?: number;
  id?: number;
  badSum?: boolean;
}

let net: Net;
let held: SkBuffHead;
let made: SkBuff[];

beforeEach(() => {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  net = createNet(world);
  held = new SkBuffHead();
  made = [];
  return () => {
    for (const skb of made) consumeSkb(skb);
  };
});

/** A TCP segment over IPv4 as inetGroReceive() passes it on; 100 octets at sequence number 1000 unless `fields` says otherwise. */
function segment(fields: Fields): SkBuff {
  const { seq = 1000, ack = 77, len = 100, flags = TCPHDR_ACK, window = 500, port = 80, tsval = 1, tos = 0, ttl = 64, df = 0x4000, id = 0, badSum = false } = fields;
  const skb = allocSkb(net, 200 + len)!;
  made.push(skb);
  skbReserve(skb, 64);
  const ip = skbPut(skb, 20 + 20 + TSOPT + len);
  const th = ip + 20;
  const { buf, view } = skb;
  buf.fill(0, ip, skb.tail);
  view.setUint8(ip, 0x45);
  view.setUint8(ip + 1, tos);
  view.setUint16(ip + 2, skb.len);
  view.setUint16(ip + 4, id);
  view.setUint16(ip + 6, df);
  view.setUint8(ip + 8, ttl);
  view.setUint8(ip + 9, 6);
  view.setInt32(ip + 12, SADDR);
  view.setInt32(ip + 16, DADDR);
  view.setUint16(th, 1234);
  view.setUint16(th + 2, port);
  view.setInt32(th + 4, seq);
  view.setInt32(th + 8, ack);
  view.setUint8(th + 12, (20 + TSOPT) << 2);
  view.setUint8(th + 13, flags);
  view.setUint16(th + 14, window);
  view.setInt32(th + 20, 0x0101080a);
  view.setInt32(th + 24, tsval);
  for (let i = 0; i < len; i++) buf[th + 20 + TSOPT + i] = seq + i;
  const sum = csumPartial(buf, view, th, skb.len - 20, 0);
  view.setUint16(th + 16, csumTcpudpMagic(SADDR, DADDR, skb.len - 20, 6, sum) ^ (badSum ? 1 : 0));
  skb.networkHeader = ip;
  skb.transportHeader = th;
  skb.ipSummed = CHECKSUM_NONE;
  groCbInit(skb);
  return skb;
}

/** Gives a segment to GRO. Returns what became of it, and of the one held before it. */
function give(fields: Fields): string {
  const skb = segment(fields);
  const done = tcp4GroReceive(held, skb);
  const fate = groCbSameFlow(skb) ? 'merged' : groCbFlush(skb) ? 'normal' : 'held';
  if (done !== null) held = new SkBuffHead();
  if (fate === 'held') skbQueueTail(held, skb);
  return done === null ? fate : `${fate}, up ${groCbCount(done)}`;
}

describe('tcp4_gro_receive: a segment', () => {
  test('that continues the one held is appended to it', () => {
    expect([give({}), give({ seq: 1100 }), give({ seq: 1200 })]).toEqual(['held', 'merged', 'merged']);
    expect([groCbCount(held.next!), groCbLen(held.next!)]).toEqual([3, 300]);
  });

  test('numbers wrap', () => {
    expect([give({ seq: 0x7fffffc0 }), give({ seq: (0x7fffffc0 + 100) | 0 })]).toEqual(['held', 'merged']);
    held = new SkBuffHead();
    expect([give({ seq: -50 }), give({ seq: 50 })]).toEqual(['held', 'merged']);
  });

  test('that is shorter is the last', () => {
    expect([give({}), give({ seq: 1100, len: 99 })]).toEqual(['held', 'merged, up 2']);
  });

  test.each([['PSH', TCPHDR_PSH], ['FIN', TCPHDR_FIN]])('with %s is the last, and its flag is the whole\'s', (_name, flag) => {
    give({});
    const p = held.next!;
    expect(give({ seq: 1100, flags: TCPHDR_ACK | flag })).toBe('merged, up 2');
    expect(p.buf[p.transportHeader + 13]).toBe(TCPHDR_ACK | flag);
  });

  test.each<[string, Fields]>([
    ['longer', { len: 101 }], ['out of order', { seq: 1101 }], ['old', { seq: 1000 }], ['with another acknowledgment', { ack: 78 }],
    ['with another window', { window: 501 }], ['with another time stamp', { tsval: 2 }], ['with another TOS', { tos: 4 }],
    ['marked CE', { tos: 3 }], ['with another TTL', { ttl: 63 }], ['with ECE', { flags: TCPHDR_ACK | 0x40 }],
  ])('%s is not appended: what is held goes up first', (_what, fields) => {
    give({});
    expect(give({ seq: 1100, ...fields })).toBe('held, up 1');
  });

  test.each([['SYN', TCPHDR_SYN], ['RST', TCPHDR_RST], ['URG', TCPHDR_URG], ['CWR', TCPHDR_CWR]])('with %s stands alone', (_name, flag) => {
    give({});
    expect(give({ seq: 1100, flags: TCPHDR_ACK | flag })).toBe('normal, up 1');
  });

  test('without data goes up at once, behind what is held of its flow', () => {
    expect(give({ len: 0 })).toBe('normal');
    give({});
    expect(give({ len: 0, seq: 1100 })).toBe('normal, up 1');
  });

  test('of another connection leaves the one held alone', () => {
    give({});
    expect(give({ port: 81, seq: 1100 })).toBe('held');
    expect(held.qlen).toBe(2);
  });

  test('RFC 6864 §4: without DF the identification must go on, with DF it means nothing', () => {
    give({ df: 0, id: 0xffff });
    expect(give({ seq: 1100, df: 0, id: 0 })).toBe('merged');
    expect(give({ seq: 1200, df: 0, id: 5 })).toBe('held, up 2');
    held = new SkBuffHead();
    give({ id: 9 });
    expect(give({ seq: 1100, id: 3 })).toBe('merged');
  });

  test('whose checksum is wrong is left for TCP to drop, and holds nothing up', () => {
    give({});
    expect(give({ seq: 1100, badSum: true })).toBe('normal');
    expect([held.qlen, made[1]!.ipSummed]).toEqual([1, CHECKSUM_NONE]);
    expect(give({ seq: 1100 })).toBe('merged');
    expect(made[0]!.ipSummed).toBe(CHECKSUM_UNNECESSARY);
  });
});

test('tcp4_gro_complete makes a packet of many segments: sizes, checksum of the pseudo header', () => {
  for (let i = 0; i < 5; i++) give({ seq: 1000 + i * 100 });
  const p = held.next!;
  p.view.setUint16(p.networkHeader + 2, p.len);
  expect(tcp4GroComplete(p)).toBe(0);
  const { shinfo } = p;
  expect([shinfo.gsoSize, shinfo.gsoSegs, shinfo.gsoType, p.ipSummed]).toEqual([100, 5, SKB_GSO_TCPV4, CHECKSUM_PARTIAL]);
  expect([p.head + p.csumStart, p.csumOffset]).toEqual([p.transportHeader, 16]);
  expect(p.view.getUint16(p.transportHeader + 16)).toBe(csumTcpudpNofold(SADDR, DADDR, p.len - 20, 6, 0));
  const payload = new Uint8Array(500);
  skbCopyBits(p, p.len - 500, payload, 0, 500);
  expect(payload.every((octet, i) => octet === ((1000 + i) & 0xff))).toBe(true);
});
