import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import {
  MAX_SKB_FRAGS, SKB_OVERHEAD, allocSkb, consumeSkb, getPage, skbAddRxFrag, skbClone, skbCoalesceRxFrag, skbCanCoalesce,
  skbFillPageDesc, skbFragRef, skbFragUnref, skbPagelen, skbReserve, skbShift, skbSplit, skbTryCoalesce,
} from './index.ts';
import { addFrag, bytesOf, checkShape, expectNoLeak, flatten, fragShapes, makeNet, makePacket, must } from './test-support.ts';

let net: Net;
beforeEach(() => {
  net = makeNet();
});
afterEach(() => expectNoLeak(net));

describe('skb_split', () => {
  it('cuts a packet at any byte', () => {
    fc.assert(fc.property(fragShapes, fc.nat(1000), (shape, at) => {
      const bytes = bytesOf(shape);
      const len = at % (bytes.length + 1);
      const skb = makePacket(net, shape);
      const rest = must(allocSkb(net, 200));
      skbReserve(rest, 40);
      skbSplit(skb, rest, len);
      expect([flatten(skb), flatten(rest)]).toEqual([bytes.slice(0, len), bytes.slice(len)]);
      checkShape(skb);
      checkShape(rest);
      [skb, rest].forEach(consumeSkb);
      expectNoLeak(net);
    }), { numRuns: 300 });
  });
});

describe('skb_shift', () => {
  it('moves bytes from one packet to the one before, all or none', () => {
    fc.assert(fc.property(fragShapes, fragShapes, fc.nat(1000), (shape, next, at) => {
      const tgt = makePacket(net, shape);
      const skb = makePacket(net, { ...next, linear: new Uint8Array(0) });
      const bytes = flatten(skb);
      const n = at % (bytes.length + 3);
      const moved = skbShift(tgt, skb, n);
      expect(moved).toBe(n <= bytes.length ? n : 0);
      expect([flatten(tgt), flatten(skb)]).toEqual([[...bytesOf(shape), ...bytes.slice(0, moved)], bytes.slice(moved)]);
      checkShape(tgt);
      checkShape(skb);
      [tgt, skb].forEach(consumeSkb);
      expectNoLeak(net);
    }), { numRuns: 300 });
  });

  it('joins pieces that follow each other in one page', () => {
    const skb = must(allocSkb(net, 10));
    addFrag(skb, Uint8Array.from([1, 2, 3, 4]), 3);
    const tgt = must(allocSkb(net, 10));
    expect([skbShift(tgt, skb, 1), skbShift(tgt, skb, 2)]).toEqual([1, 2]);
    expect([tgt.shinfo.nrFrags, flatten(tgt), flatten(skb)]).toEqual([1, [1, 2, 3], [4]]);
    [tgt, skb].forEach(consumeSkb);
  });

  it('refuses linear data, clones, and more fragments than fit', () => {
    const tgt = must(allocSkb(net, 10));
    const linear = makePacket(net, { headroom: 0, linear: new Uint8Array(3), frags: [new Uint8Array(3)], list: [] });
    expect(skbShift(tgt, linear, 1)).toBe(0);
    const skb = must(allocSkb(net, 10));
    for (let i = 0; i < MAX_SKB_FRAGS; i++) addFrag(skb, new Uint8Array(1), 0);
    const clone = must(skbClone(skb));
    expect(skbShift(tgt, skb, 1)).toBe(0);
    consumeSkb(clone);
    expect([skbShift(tgt, skb, 1), skbShift(skb, tgt, 1)]).toEqual([1, 1]);
    addFrag(tgt, new Uint8Array(1), 0);
    expect(skbShift(skb, tgt, 1)).toBe(0);
    [tgt, linear, skb].forEach(consumeSkb);
  });
});

describe('skb_try_coalesce', () => {
  it('adds the bytes of a packet to another of any shape, which stays valid when that has gone', () => {
    fc.assert(fc.property(fragShapes, fragShapes, fc.nat(100), (shape, next, tailroom) => {
      const to = makePacket(net, shape, tailroom);
      const from = makePacket(net, next);
      const truesize = to.truesize;
      const delta = skbTryCoalesce(to, from);
      expect(delta).toBeGreaterThanOrEqual(0);
      expect(to.truesize).toBe(truesize + delta);
      consumeSkb(from);
      expect(flatten(to)).toEqual([...bytesOf(shape), ...bytesOf(next)]);
      checkShape(to);
      consumeSkb(to);
      expectNoLeak(net);
    }), { numRuns: 300 });
  });

  it('accounts for the memory that it keeps alive', () => {
    const to = makePacket(net, { headroom: 0, linear: new Uint8Array(64), frags: [], list: [] });
    const from = makePacket(net, { headroom: 0, linear: new Uint8Array(64), frags: [], list: [] });
    expect(skbTryCoalesce(to, from)).toBe(from.truesize - SKB_OVERHEAD);
    const paged = makePacket(net, { headroom: 0, linear: new Uint8Array(0), frags: [new Uint8Array(64)], list: [] });
    expect(skbTryCoalesce(to, paged)).toBe(2048);
    [to, from, paged].forEach(consumeSkb);
  });

  it('refuses a clone, a head that is not to be shared, and more fragments than fit', () => {
    const to = makePacket(net, { headroom: 0, linear: new Uint8Array(64), frags: [], list: [] });
    const from = makePacket(net, { headroom: 0, linear: new Uint8Array(64), frags: [], list: [] });
    const clone = must(skbClone(to));
    expect(skbTryCoalesce(to, from)).toBe(-1);
    consumeSkb(clone);
    from.headFrag = false;
    expect(skbTryCoalesce(to, from)).toBe(-1);
    from.headFrag = true;
    const locked = must(skbClone(from));
    expect(skbTryCoalesce(to, from)).toBe(-1);
    consumeSkb(locked);
    for (let i = 0; i < MAX_SKB_FRAGS; i++) addFrag(to, new Uint8Array(1), 0);
    expect(skbTryCoalesce(to, from)).toBe(-1);
    [to, from].forEach(consumeSkb);
  });
});

describe('fragments', () => {
  it('skb_coalesce_rx_frag makes the last one longer and drops the extra reference', () => {
    const skb = must(allocSkb(net, 10));
    addFrag(skb, Uint8Array.from([1, 2]), 0);
    const page = must(skb.shinfo.frags[0]!.page);
    page.buf.set([3, 4], page.base + 2);
    expect([skbCanCoalesce(skb, 1, page, page.base + 2), skbCanCoalesce(skb, 1, page, page.base + 3)]).toEqual([true, false]);
    expect(skbCanCoalesce(skb, 0, page, page.base)).toBe(false);
    getPage(page);
    skbCoalesceRxFrag(skb, 0, 2, 0);
    expect([flatten(skb), page.refs, skbPagelen(skb)]).toEqual([[1, 2, 3, 4], 1, 4]);
    consumeSkb(skb);
  });

  it('skb_frag_ref, skb_frag_unref', () => {
    const skb = must(allocSkb(net, 10));
    addFrag(skb, Uint8Array.from([1, 2]), 0);
    const page = must(skb.shinfo.frags[0]!.page);
    skbFragRef(skb, 0);
    expect(page.refs).toBe(2);
    skbFragUnref(skb, 0);
    expect([page.refs, skb.shinfo.frags[0]!.page]).toEqual([1, null]);
    skbFillPageDesc(skb, 0, page, page.base, 2);
    consumeSkb(skb);
  });

  it('more than MAX_SKB_FRAGS are a bug', () => {
    const skb = must(allocSkb(net, 10));
    const page = skb.shinfo.page;
    expect(() => skbAddRxFrag(skb, MAX_SKB_FRAGS, page, 0, 1, 1)).toThrow(`fragment ${MAX_SKB_FRAGS}`);
    consumeSkb(skb);
  });
});
