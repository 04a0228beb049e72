import fc from 'fast-check';
import { EINVAL } from '@stack/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import type { SkBuff } from './index.ts';
import {
  CHECKSUM_COMPLETE, CHECKSUM_PARTIAL, __pskbPullTail, __skbPush, allocSkb, consumeSkb, pskbMayPull, pskbPull, pskbPullTail, pskbTrim,
  pskbTrimRcsum, skbChecksum, skbClone, skbGet, skbHeadlen, skbLinearize, skbPostpushRcsum, skbPullRcsum, skbPut,
} from './index.ts';
import { bytesOf, checkShape, expectNoLeak, flatten, makeNet, makePacket, must, sameSum, shapes } from './test-support.ts';

let net: Net;
beforeEach(() => {
  net = makeNet();
});
afterEach(() => expectNoLeak(net));

/** A packet, and a clone or a second holder of its fragList, which must not notice what is done to the packet. */
function withWitness(skb: SkBuff, kind: number): () => void {
  if (kind === 1) {
    const clone = must(skbClone(skb));
    const bytes = flatten(clone);
    return () => {
      expect(flatten(clone)).toEqual(bytes);
      consumeSkb(clone);
    };
  }
  const entry = skb.shinfo.fragList;
  if (kind === 2 && entry !== null) {
    const bytes = flatten(skbGet(entry));
    return () => {
      expect(flatten(entry)).toEqual(bytes);
      consumeSkb(entry);
    };
  }
  return () => undefined;
}

const cases = fc.record({ shape: shapes, at: fc.nat(1000), tailroom: fc.nat(60), witness: fc.nat(2) });

describe('__pskb_pull_tail', () => {
  it('moves bytes to the linear area without changing the packet, or what shares its data', () => {
    fc.assert(fc.property(cases, ({ shape, at, tailroom, witness }) => {
      const skb = makePacket(net, shape, tailroom);
      const check = withWitness(skb, witness);
      const headlen = skbHeadlen(skb);
      const delta = at % (skb.dataLen + 1);
      expect(__pskbPullTail(skb, delta)).toBe(skb.tail);
      expect(skbHeadlen(skb)).toBe(headlen + delta);
      expect(flatten(skb)).toEqual(bytesOf(shape));
      checkShape(skb);
      check();
      consumeSkb(skb);
      expectNoLeak(net);
    }), { numRuns: 300 });
  });

  it('of more than there is is a bug', () => {
    const skb = makePacket(net, { headroom: 0, linear: new Uint8Array(5), frags: [new Uint8Array(6)], list: [] });
    expect(() => __pskbPullTail(skb, 7)).toThrow('__pskb_pull_tail');
    expect([pskbPullTail(skb, 7), pskbPullTail(skb, -1), pskbPullTail(skb, 6)]).toEqual([-1, -1, skb.tail]);
    consumeSkb(skb);
  });
});

describe('pskb_may_pull, pskb_pull, skb_linearize', () => {
  it('have the bytes in the linear area, or say that the packet is too short', () => {
    fc.assert(fc.property(cases, ({ shape, at, tailroom }) => {
      const bytes = bytesOf(shape);
      const len = at % (bytes.length + 5);
      const skb = makePacket(net, shape, tailroom);
      expect(pskbMayPull(skb, len)).toBe(len <= bytes.length);
      if (len <= bytes.length) expect(skbHeadlen(skb)).toBeGreaterThanOrEqual(len);
      const data = pskbPull(skb, len);
      expect(data >= 0).toBe(len <= bytes.length);
      expect(flatten(skb)).toEqual(data >= 0 ? bytes.slice(len) : bytes);
      expect(skbLinearize(skb)).toBe(0);
      expect([skb.dataLen, skb.shinfo.nrFrags, skb.shinfo.fragList]).toEqual([0, 0, null]);
      expect(flatten(skb)).toEqual(data >= 0 ? bytes.slice(len) : bytes);
      consumeSkb(skb);
    }));
  });

  it('fail when memory is short', () => {
    const skb = makePacket(net, { headroom: 0, linear: new Uint8Array(64), frags: [new Uint8Array(60)], list: [] });
    const used: SkBuff[] = [];
    net.world.pool.limit = 0;
    for (let next = allocSkb(net, 1); next !== null; next = allocSkb(net, 1)) used.push(next);
    expect([pskbMayPull(skb, 65), pskbPull(skb, 65), skbLinearize(skb) < 0]).toEqual([false, -1, true]);
    [skb, ...used].forEach(consumeSkb);
  });
});

describe('pskb_trim', () => {
  it('cuts a packet of any shape without touching what shares its data', () => {
    fc.assert(fc.property(cases, ({ shape, at, witness }) => {
      const skb = makePacket(net, shape);
      const check = withWitness(skb, witness);
      const len = at % (skb.len + 2);
      expect(pskbTrim(skb, len)).toBe(0);
      expect(flatten(skb)).toEqual(bytesOf(shape).slice(0, len));
      checkShape(skb);
      check();
      consumeSkb(skb);
      expectNoLeak(net);
    }), { numRuns: 300 });
  });
});

describe('CHECKSUM_COMPLETE', () => {
  it('stays the sum of what is left when padding is cut, and headers are pulled and pushed back', () => {
    fc.assert(fc.property(cases, fc.nat(100), ({ shape, at }, pull) => {
      const skb = makePacket(net, shape);
      skb.ipSummed = CHECKSUM_COMPLETE;
      skb.csum = skbChecksum(skb, 0, skb.len, 0);
      expect(pskbTrimRcsum(skb, at % (skb.len + 2))).toBe(0);
      expect(sameSum(skb.csum, skbChecksum(skb, 0, skb.len, 0))).toBe(true);
      const n = (pull % (skbHeadlen(skb) + 1)) & ~1;
      skbPullRcsum(skb, n);
      expect(sameSum(skb.csum, skbChecksum(skb, 0, skb.len, 0))).toBe(true);
      skbPostpushRcsum(skb, __skbPush(skb, n), n);
      expect(sameSum(skb.csum, skbChecksum(skb, 0, skb.len, 0))).toBe(true);
      consumeSkb(skb);
    }));
  });

  it('a CHECKSUM_PARTIAL packet cannot lose its checksum field: -EINVAL', () => {
    const skb = must(allocSkb(net, 100));
    skbPut(skb, 60);
    Object.assign(skb, { ipSummed: CHECKSUM_PARTIAL, csumStart: 20, csumOffset: 16 });
    expect(pskbTrimRcsum(skb, 37)).toBe(-EINVAL);
    expect([pskbTrimRcsum(skb, 38), skb.len]).toEqual([0, 38]);
    consumeSkb(skb);
  });
});
