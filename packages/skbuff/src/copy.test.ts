import fc from 'fast-check';
import { ENOMEM } from '@stack/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import type { SkBuff } from './index.ts';
import {
  CHECKSUM_PARTIAL, NfConntrack, UbufInfo, __skbHeaderRelease, allocSkb, consumeSkb, pskbCopy, pskbExpandHead, skbClone,
  skbCloned, skbCopy, skbCopyExpand, skbCow, skbCowHead, skbGet, skbHeaderCloned, skbHeaderRelease, skbHeadroom, skbPut, skbReallocHeadroom,
  skbReserve, skbShareCheck, skbTailroom, skbUnclone, skbUncloneKeeptruesize, skbUnshare,
} from './index.ts';
import {
  addFrag, bytesOf, changedFields, checkShape, expectNoLeak, flatten, makeNet, makePacket, must, shapes,
} from './test-support.ts';

let net: Net;
beforeEach(() => {
  net = makeNet();
});
afterEach(() => expectNoLeak(net));

/** A packet with all that a copy must carry over. */
function described(): SkBuff {
  const skb = must(allocSkb(net, 256));
  skbReserve(skb, 60);
  skb.buf.fill(0xaa, skb.head, skb.data);
  skb.buf.fill(0x11, skbPut(skb, 40), skb.tail);
  skb.macHeader = skb.data - 34;
  skb.networkHeader = skb.data - 20;
  skb.transportHeader = skb.data;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = skb.data - skb.head;
  skb.csumOffset = 16;
  Object.assign(skb, { protocol: 0x800, mark: 7, priority: 3, hash: 99, skbIif: 2, tstamp: 1e12, macLen: 14, pktType: 1, nfctinfo: 4, vlanTci: 5 });
  Object.assign(skb, { cb0: 1, cb5: -2, cb11: 0x7fffffff });
  Object.assign(skb.shinfo, { gsoSize: 1460, gsoSegs: 2, gsoType: 1 });
  skb.nfct = new NfConntrack({ destroy: () => undefined });
  return skb;
}

const carried = [
  'protocol', 'mark', 'priority', 'hash', 'skbIif', 'tstamp', 'macLen', 'pktType', 'nfctinfo', 'vlanTci', 'cb0', 'cb5', 'cb11',
  'nfct', 'ipSummed', 'csumStart', 'csumOffset', 'len', 'dataLen', 'net',
] as const;

function expectSameDescription(n: SkBuff, skb: SkBuff): void {
  for (const field of carried) expect([field, n[field]]).toEqual([field, skb[field]]);
  const { gsoSize, gsoSegs, gsoType } = n.shinfo;
  expect([gsoSize, gsoSegs, gsoType]).toEqual([1460, 2, 1]);
  const headers = (s: SkBuff): number[] => [s.macHeader - s.data, s.networkHeader - s.data, s.transportHeader - s.data];
  expect(headers(n)).toEqual(headers(skb));
  expect([n.users, n.next, n.prev, n.list, n.sk, n.destructor]).toEqual([1, null, null, null, null, null]);
  expect(n.nfct!.use).toBe(2);
}

describe('skb_clone', () => {
  it('chapter §1: shares the data area, datarefp 2', () => {
    const skb = described();
    expect([skb.shinfo.dataref, skbCloned(skb)]).toEqual([1, false]);
    const clone = must(skbClone(skb));
    expectSameDescription(clone, skb);
    expect([clone.shinfo === skb.shinfo, clone.shinfo.dataref, clone.buf === skb.buf, clone.data]).toEqual([true, 2, true, skb.data]);
    expect([skbCloned(skb), skbCloned(clone)]).toEqual([true, true]);
    consumeSkb(clone);
    expect([skb.shinfo.dataref, skbCloned(skb)]).toEqual([1, false]);
    consumeSkb(skb);
  });

  it('a clone and its original have pointers, length and id of their own', () => {
    const skb = described();
    const clone = must(skbClone(skb));
    skbPut(clone, 5);
    expect([skb.len, clone.len, clone.id === skb.id]).toEqual([40, 45, false]);
    consumeSkb(skb);
    expect(clone.buf[clone.data]).toBe(0x11);
    consumeSkb(clone);
  });
});

describe('skb_copy', () => {
  it('chapter §1: a data area of its own, datarefp 1 and 1, headroom and tailroom kept', () => {
    const skb = described();
    const copy = must(skbCopy(skb));
    expectSameDescription(copy, skb);
    expect([skb.shinfo.dataref, copy.shinfo.dataref, copy.shinfo === skb.shinfo]).toEqual([1, 1, false]);
    expect([skbHeadroom(copy), skbTailroom(copy) >= skbTailroom(skb)]).toEqual([60, true]);
    expect(copy.buf[copy.data - 1]).toBe(0xaa);
    skb.buf[skb.data] = 1;
    expect(copy.buf[copy.data]).toBe(0x11);
    consumeSkb(skb);
    consumeSkb(copy);
  });

  it('with another headroom keeps the headers\' place, and the checksum\'s', () => {
    const skb = described();
    for (const copy of [must(skbCopyExpand(skb, 100, 0)), must(pskbCopy(skb, 100))]) {
      expect([skbHeadroom(copy), copy.transportHeader - copy.data, copy.csumStart]).toEqual([100, 0, 100]);
      consumeSkb(copy);
    }
    consumeSkb(skb);
  });

  it('of any shape is linear and has the same bytes', () => {
    fc.assert(fc.property(shapes, fc.nat(100), fc.nat(100), (shape, headroom, tailroom) => {
      const skb = makePacket(net, shape);
      const copies = [must(skbCopy(skb)), must(skbCopyExpand(skb, headroom, tailroom))];
      for (const copy of copies) {
        expect([copy.dataLen, flatten(copy)]).toEqual([0, bytesOf(shape)]);
        checkShape(copy);
      }
      expect([skbHeadroom(copies[1]!), skbTailroom(copies[1]!) >= tailroom]).toEqual([headroom, true]);
      [skb, ...copies].forEach(consumeSkb);
      expectNoLeak(net);
    }));
  });
});

describe('pskb_copy', () => {
  it('has its own headers and the same fragments', () => {
    const skb = described();
    addFrag(skb, new Uint8Array(20).fill(3), 7);
    const copy = must(pskbCopy(skb));
    expectSameDescription(copy, skb);
    expect(copy.shinfo.frags[0]!.page).toBe(skb.shinfo.frags[0]!.page);
    skb.buf[skb.data] = 1;
    expect(copy.buf[copy.data]).toBe(0x11);
    consumeSkb(skb);
    expect(flatten(copy)).toEqual([...new Array<number>(40).fill(0x11), ...new Array<number>(20).fill(3)]);
    consumeSkb(copy);
  });

  it('of any shape has the same bytes, also after the original has gone', () => {
    fc.assert(fc.property(shapes, (shape) => {
      const skb = makePacket(net, shape);
      const copy = must(pskbCopy(skb));
      consumeSkb(skb);
      checkShape(copy);
      expect(flatten(copy)).toEqual(bytesOf(shape));
      consumeSkb(copy);
      expectNoLeak(net);
    }));
  });
});

describe('pskb_expand_head', () => {
  it('makes room on both sides; pointers, header offsets and csumStart move with the data', () => {
    const skb = described();
    const before = [skb.macHeader, skb.networkHeader, skb.transportHeader].map((at) => at - skb.data);
    expect(pskbExpandHead(skb, 100, 200)).toBe(0);
    expect([skbHeadroom(skb), skbTailroom(skb) >= 156 + 200]).toEqual([160, true]);
    expect([skb.macHeader, skb.networkHeader, skb.transportHeader].map((at) => at - skb.data)).toEqual(before);
    expect(skb.csumStart).toBe(skb.transportHeader - skb.head);
    expect([skb.buf[skb.data - 1], skb.buf[skb.data], skb.shinfo.gsoSize]).toEqual([0xaa, 0x11, 1460]);
    consumeSkb(skb);
  });

  it('keeps offsets that are not set', () => {
    const skb = must(allocSkb(net, 64));
    pskbExpandHead(skb, 10, 0);
    expect([skb.macHeader, skb.networkHeader, skb.transportHeader]).toEqual([-1, -1, -1]);
    consumeSkb(skb);
  });

  it('of any shape, cloned or not, keeps the bytes and the clone\'s', () => {
    fc.assert(fc.property(shapes, fc.nat(3000), fc.nat(3000), fc.boolean(), (shape, nhead, ntail, cloned) => {
      const skb = makePacket(net, shape);
      const clone = cloned ? must(skbClone(skb)) : null;
      const tailroom = skb.end - skb.tail;
      expect(pskbExpandHead(skb, nhead, ntail)).toBe(0);
      checkShape(skb);
      expect([skbCloned(skb), flatten(skb)]).toEqual([false, bytesOf(shape)]);
      expect([skbHeadroom(skb), skb.end - skb.tail >= tailroom + ntail]).toEqual([shape.headroom + nhead, true]);
      if (clone !== null) expect(flatten(clone)).toEqual(bytesOf(shape));
      consumeSkb(skb);
      consumeSkb(clone);
      expectNoLeak(net);
    }));
  });

  it('moves or shares the zero-copy notification', () => {
    let completed = 0;
    const skb = must(allocSkb(net, 10));
    skb.shinfo.uarg = new UbufInfo({ complete: () => completed++ }, null);
    pskbExpandHead(skb, 0, 10);
    const clone = must(skbClone(skb));
    pskbExpandHead(skb, 0, 10);
    consumeSkb(skb);
    expect(completed).toBe(0);
    consumeSkb(clone);
    expect(completed).toBe(1);
  });

  it('truesize follows the area, unless a destructor has it in an account', () => {
    const skb = must(allocSkb(net, 100));
    const before = skb.truesize;
    pskbExpandHead(skb, 0, 4000);
    expect(skb.truesize).toBe(before - 1600 + 8192);
    skb.destructor = () => undefined;
    pskbExpandHead(skb, 0, 30000);
    expect(skb.truesize).toBe(before - 1600 + 8192);
    consumeSkb(skb);
  });

  it('without memory changes nothing: -ENOMEM', () => {
    const skb = must(allocSkb(net, 100));
    const fields = { ...skb };
    net.world.pool.limit = 0;
    expect(pskbExpandHead(skb, 10, 300000)).toBe(-ENOMEM);
    expect(changedFields(fields, skb)).toEqual([]);
    expect([skbCopyExpand(skb, 300000, 0), pskbCopy(skb, 300000), skbReallocHeadroom(skb, 300000)]).toEqual([null, null, null]);
    consumeSkb(skb);
  });

  it('of a packet that somebody else holds is a bug', () => {
    const skb = skbGet(must(allocSkb(net, 100)));
    expect(() => pskbExpandHead(skb, 0, 0)).toThrow('users 2');
    consumeSkb(skb);
    expect(() => pskbExpandHead(skb, -1, 0)).toThrow('nhead -1');
    consumeSkb(skb);
  });
});

describe('nohdr', () => {
  it('a clone of a packet that gave up its headers may write them; a second clone may not', () => {
    const skb = described();
    __skbHeaderRelease(skb);
    const clone = must(skbClone(skb));
    expect([skbCloned(clone), skbHeaderCloned(clone)]).toEqual([true, false]);
    const { buf } = clone;
    expect(skbCowHead(clone, 20)).toBe(0);
    expect(clone.buf).toBe(buf);
    const second = must(skbClone(skb));
    expect(skbHeaderCloned(clone)).toBe(true);
    expect(skbCowHead(clone, 20)).toBe(0);
    expect([skbCloned(clone), clone.shinfo === skb.shinfo]).toEqual([false, false]);
    [skb, clone, second].forEach(consumeSkb);
  });

  it('can be given up with a clone there, once', () => {
    const skb = described();
    const clone = must(skbClone(skb));
    expect(skbHeaderCloned(clone)).toBe(true);
    skbHeaderRelease(skb);
    expect(skbHeaderCloned(clone)).toBe(false);
    expect(() => skbHeaderRelease(skb)).toThrow('has given up its headers already');
    [clone, skb].forEach(consumeSkb);
  });

  it('the area goes when original and clones have gone, in any order', () => {
    for (const order of [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]]) {
      const skb = described();
      __skbHeaderRelease(skb);
      const all = [skb, must(skbClone(skb)), must(skbClone(skb))];
      order.forEach((i) => consumeSkb(all[i]!));
      expect(net.world.pool.nrPages).toBe(0);
    }
  });
});

describe('cow, unclone, unshare', () => {
  it('skb_cow leaves a private packet with room alone, and gives a cloned one its own area', () => {
    const skb = described();
    const { shinfo } = skb;
    expect(skbCow(skb, 60)).toBe(0);
    expect(skb.shinfo).toBe(shinfo);
    expect(skbCow(skb, 61)).toBe(0);
    expect(skbHeadroom(skb)).toBe(60 + 64);
    const clone = must(skbClone(skb));
    expect(skbCow(skb, 10)).toBe(0);
    expect([skbCloned(skb), skbCloned(clone)]).toEqual([false, false]);
    [skb, clone].forEach(consumeSkb);
  });

  it('skb_unclone', () => {
    const skb = described();
    const clone = must(skbClone(skb));
    const { truesize } = skb;
    expect(skbUncloneKeeptruesize(skb)).toBe(0);
    expect([skbCloned(skb), skb.truesize, skbUncloneKeeptruesize(skb), skbUnclone(skb)]).toEqual([false, truesize, 0, 0]);
    const other = must(skbClone(skb));
    expect([skbUnclone(other), skbCloned(other)]).toEqual([0, false]);
    [skb, clone, other].forEach(consumeSkb);
  });

  it('skb_share_check and skb_unshare return the packet itself, or another in its place', () => {
    const skb = described();
    expect(skbShareCheck(skb)).toBe(skb);
    expect(skbUnshare(skb)).toBe(skb);
    const clone = must(skbShareCheck(skbGet(skb)));
    expect([clone === skb, skb.users, clone.shinfo === skb.shinfo]).toEqual([false, 1, true]);
    const copy = must(skbUnshare(clone));
    expect([copy === clone, copy.shinfo === skb.shinfo, skbCloned(skb)]).toEqual([false, false, false]);
    [skb, copy].forEach(consumeSkb);
  });

  it('skb_realloc_headroom leaves the original as it is', () => {
    const skb = described();
    const more = must(skbReallocHeadroom(skb, 100));
    const same = must(skbReallocHeadroom(skb, 10));
    expect([skbHeadroom(skb), skbHeadroom(more) >= 100, skbHeadroom(same)]).toEqual([60, true, 60]);
    expect([skbCloned(skb), skbCloned(more), skbCloned(same)]).toEqual([false, false, false]);
    expect([flatten(more), flatten(same)]).toEqual([flatten(skb), flatten(skb)]);
    [skb, more, same].forEach(consumeSkb);
  });
});
