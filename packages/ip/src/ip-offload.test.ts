import { beforeEach, describe, expect, test } from 'vitest';
import type { Net } from '@stack/kernel';
import { SKB_GSO_TCPV4, SkBuffHead, allocSkb, consumeSkb, groCbFlush, groCbInit, groCbSetPayload, ipFastCsum, skbGroReceive, skbPut, skbReserve } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { inetGroComplete, inetGroMergeable, inetGroReceive, inetGroSameFlow, inetGsoSegment } from './ip-offload.ts';
import { inetAddOffload } from './protocol.ts';
import type { NetOffload } from './protocol.ts';
import { makeHost, makeWorld } from './test-host.ts';

/** A protocol number that no transport of these tests' host has. */
const PROTO = 200;

let net: Net;
let made: SkBuff[];
let seen: SkBuff[];

const offload: NetOffload = {
  gsoSegment: () => -22,
  groReceive: (_held, skb) => {
    seen.push(skb);
    return null;
  },
  groComplete: () => 0,
};

beforeEach(() => {
  net = makeHost(makeWorld(), 'h');
  made = [];
  seen = [];
  inetAddOffload(net, offload, PROTO);
  return () => {
    for (const skb of made) consumeSkb(skb);
  };
});

interface Fields {
  vihl?: number;
  tos?: number;
  id?: number;
  frag?: number;
  ttl?: number;
  proto?: number;
  saddr?: number;
  totLen?: number;
  badSum?: boolean;
}

/** A packet of 30 octets behind its IP header, data at the header. */
function packet(fields: Fields = {}): SkBuff {
  const { vihl = 0x45, tos = 0, id = 1, frag = 0x4000, ttl = 64, proto = PROTO, saddr = 0x0a000001, totLen = 50, badSum = false } = fields;
  const skb = allocSkb(net, 128)!;
  made.push(skb);
  skbReserve(skb, 64);
  const at = skbPut(skb, 50);
  const { buf, view } = skb;
  buf.fill(0, at, at + 50);
  view.setUint8(at, vihl);
  view.setUint8(at + 1, tos);
  view.setUint16(at + 2, totLen);
  view.setUint16(at + 4, id);
  view.setUint16(at + 6, frag);
  view.setUint8(at + 8, ttl);
  view.setUint8(at + 9, proto);
  view.setInt32(at + 12, saddr);
  view.setInt32(at + 16, 0x0a000002);
  view.setUint16(at + 10, ipFastCsum(view, at, 5) ^ (badSum ? 1 : 0));
  skb.networkHeader = at;
  groCbInit(skb);
  return skb;
}

describe('inet_gro_receive', () => {
  test('hands a packet to its transport, both headers set', () => {
    const skb = packet();
    expect(inetGroReceive(new SkBuffHead(), skb)).toBeNull();
    expect(seen).toEqual([skb]);
    expect([skb.networkHeader - skb.data, skb.transportHeader - skb.data, groCbFlush(skb)]).toEqual([0, 20, false]);
  });

  test.each<[string, Fields]>([
    ['with options', { vihl: 0x46 }], ['of version 6', { vihl: 0x65 }], ['that is a fragment', { frag: 0x2000 }],
    ['that is the last fragment', { frag: 0x0003 }], ['with a wrong checksum', { badSum: true }], ['with padding behind it', { totLen: 49 }],
    ['longer than what came', { totLen: 51 }], ['of a protocol that merges nothing', { proto: 201 }],
  ])('a packet %s goes up by itself', (_what, fields) => {
    const skb = packet(fields);
    expect(inetGroReceive(new SkBuffHead(), skb)).toBeNull();
    expect([seen, groCbFlush(skb)]).toEqual([[], true]);
  });
});

test('packets of one flow have the same addresses and protocol', () => {
  expect(inetGroSameFlow(packet(), packet({ id: 9, ttl: 3 }))).toBe(true);
  expect(inetGroSameFlow(packet(), packet({ saddr: 0x0a000003 }))).toBe(false);
  expect(inetGroSameFlow(packet(), packet({ proto: 201 }))).toBe(false);
});

test('packets that can be one have the same TOS, TTL and DF; without DF the identification goes on', () => {
  expect(inetGroMergeable(packet(), packet({ id: 77 }))).toBe(true);
  expect(inetGroMergeable(packet(), packet({ tos: 4 }))).toBe(false);
  expect(inetGroMergeable(packet(), packet({ ttl: 63 }))).toBe(false);
  expect(inetGroMergeable(packet(), packet({ frag: 0 }))).toBe(false);
  expect(inetGroMergeable(packet({ frag: 0, id: 0xffff }), packet({ frag: 0, id: 0 }))).toBe(true);
  expect(inetGroMergeable(packet({ frag: 0, id: 1 }), packet({ frag: 0, id: 3 }))).toBe(false);
});

test('inet_gro_complete gives the whole its length and checksum', () => {
  const p = packet();
  groCbSetPayload(p, 30);
  expect(skbGroReceive(p, packet(), 20)).toBe(0);
  expect(inetGroComplete(p)).toBe(0);
  expect([p.view.getUint16(p.data + 2), ipFastCsum(p.view, p.data, 5)]).toEqual([80, 0]);
});

test('inet_gso_segment: a protocol that cannot cut, and a header that is none, are errors', () => {
  const skb = packet({ proto: 201 });
  skb.shinfo.gsoType = SKB_GSO_TCPV4;
  expect(inetGsoSegment(skb, 0)).toBeLessThan(0);
  expect(inetGsoSegment(packet({ vihl: 0x44 }), 0)).toBeLessThan(0);
  expect(inetGsoSegment(packet(), 0)).toBe(-22);
});
