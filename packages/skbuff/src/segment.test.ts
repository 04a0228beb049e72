import fc from 'fast-check';
import { EINVAL, ENOMEM } from '@stack/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import type { Shape } from './test-support.ts';
import type { SkBuff } from './index.ts';
import {
  CHECKSUM_NONE, CHECKSUM_PARTIAL, NETIF_F_HW_CSUM, NETIF_F_SG, allocSkb, consumeSkb, consumeSkbList, skbHeadroom,
  skbPull, skbPush, skbSegment,
} from './index.ts';
import {
  bytesOf, changedFields, checkShape, expectNoLeak, flatten, makeNet, makePacket, naiveSum, sameSum, shapes,
} from './test-support.ts';

let net: Net;
beforeEach(() => {
  net = makeNet();
});
afterEach(() => expectNoLeak(net));

const HEADERS = 54;
const headers = Uint8Array.from({ length: HEADERS }, (_, i) => 200 - i);

/** A packet with Ethernet, IP and TCP header in front of the shape's bytes, data behind them as a protocol's gsoSegment leaves it. */
function gsoPacket(shape: Shape, gsoSize: number): SkBuff {
  const linear = Uint8Array.from([...headers, ...shape.linear]);
  const skb = makePacket(net, { ...shape, linear });
  skb.macHeader = skb.data;
  skb.networkHeader = skb.data + 14;
  skb.transportHeader = skb.data + 34;
  skb.macLen = 14;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = skb.transportHeader - skb.head;
  skb.csumOffset = 16;
  skb.mark = 5;
  skb.shinfo.gsoSize = gsoSize;
  skb.shinfo.gsoSegs = 9;
  skb.shinfo.gsoType = 1;
  skbPull(skb, HEADERS);
  return skb;
}

function listOf(segments: SkBuff | number): SkBuff[] {
  if (typeof segments === 'number') throw new Error(`errno ${segments}`);
  const out: SkBuff[] = [];
  for (let skb: SkBuff | null = segments; skb !== null; skb = skb.next) out.push(skb);
  return out;
}

describe('skb_segment', () => {
  it('cuts a packet of any shape: each segment has all headers and its share of the payload', () => {
    fc.assert(fc.property(shapes, fc.integer({ min: 1, max: 70 }), fc.nat(3), (shape, gsoSize, bits) => {
      const features = ((bits & 1) !== 0 ? NETIF_F_SG : 0) | ((bits & 2) !== 0 ? NETIF_F_HW_CSUM : 0);
      const payload = bytesOf(shape);
      const skb = gsoPacket(shape, gsoSize);
      const segments = listOf(skbSegment(skb, features));
      expect(segments.length).toBe(Math.max(1, Math.ceil(payload.length / gsoSize)));
      expect(segments[0]!.prev).toBe(segments.at(-1));
      consumeSkb(skb);
      for (const [i, segment] of segments.entries()) {
        const part = payload.slice(i * gsoSize, (i + 1) * gsoSize);
        expect(flatten(segment)).toEqual([...headers, ...part]);
        checkShape(segment);
        expect([segment.macHeader, segment.networkHeader, segment.transportHeader].map((at) => at - segment.data)).toEqual([0, 14, 34]);
        expect([segment.mark, segment.macLen, segment.shinfo.gsoSize, skbHeadroom(segment)]).toEqual([5, 14, 0, shape.headroom]);
        if ((bits & 1) === 0) expect(segment.dataLen).toBe(0);
        if ((bits & 2) !== 0) {
          expect([segment.ipSummed, segment.csumStart]).toEqual([CHECKSUM_PARTIAL, segment.transportHeader - segment.head]);
        } else {
          expect(segment.ipSummed).toBe(CHECKSUM_NONE);
          expect(sameSum(segment.csum, naiveSum(part))).toBe(true);
        }
      }
      segments.forEach(consumeSkb);
      expectNoLeak(net);
    }), { numRuns: 300 });
  });

  it('with scatter/gather shares the pages of the payload', () => {
    const skb = gsoPacket({ headroom: 0, linear: new Uint8Array(0), frags: [new Uint8Array(60)], list: [] }, 20);
    const page = skb.shinfo.frags[0]!.page!;
    const segments = listOf(skbSegment(skb, NETIF_F_SG));
    expect([segments.length, page.refs, ...segments.map((s) => s.dataLen)]).toEqual([3, 4, 20, 20, 20]);
    consumeSkb(skb);
    segments.forEach(consumeSkb);
  });

  it('leaves the packet as it was', () => {
    const skb = gsoPacket({ headroom: 3, linear: new Uint8Array(30), frags: [new Uint8Array(60)], list: [] }, 20);
    const fields = { ...skb };
    consumeSkbList(skbSegment(skb, NETIF_F_SG) as SkBuff);
    expect(changedFields(fields, skb)).toEqual([]);
    consumeSkb(skb);
  });

  it('begins at the network header where there is no link header', () => {
    const skb = gsoPacket({ headroom: 0, linear: new Uint8Array(30), frags: [], list: [] }, 20);
    skb.macHeader = -1;
    const segments = listOf(skbSegment(skb, 0));
    expect(segments.map((s) => [s.len, s.networkHeader - s.data])).toEqual([[60, 0], [50, 0]]);
    [skb, ...segments].forEach(consumeSkb);
  });

  it('without gsoSize or headers is -EINVAL, without memory -ENOMEM', () => {
    const skb = gsoPacket({ headroom: 0, linear: new Uint8Array(90), frags: [], list: [] }, 0);
    expect(skbSegment(skb, 0)).toBe(-EINVAL);
    skb.shinfo.gsoSize = 10;
    skbPush(skb, HEADERS);
    skb.networkHeader = skb.macHeader = -1;
    expect(skbSegment(skb, 0)).toBe(-EINVAL);
    skb.macHeader = skb.data;
    skbPull(skb, HEADERS);
    net.world.pool.limit = 0;
    const used: SkBuff[] = [];
    for (let next = allocSkb(net, 1); next !== null; next = allocSkb(net, 1)) used.push(next);
    used.splice(0, 3).forEach(consumeSkb);
    expect(skbSegment(skb, 0)).toBe(-ENOMEM);
    [skb, ...used].forEach(consumeSkb);
  });
});
