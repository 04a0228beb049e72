import fc from 'fast-check';
import { EFAULT } from '@stack/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import { consumeSkb, skbChecksum, skbCopyAndCsumBits, skbCopyBits, skbStoreBits } from './index.ts';
import { bytesOf, expectNoLeak, flatten, makeNet, makePacket, naiveSum, sameSum, shapes } from './test-support.ts';

let net: Net;
beforeEach(() => {
  net = makeNet();
});
afterEach(() => expectNoLeak(net));

/** A shape and a range of it. */
const ranges = fc.tuple(shapes, fc.nat(1000), fc.nat(1000)).map(([shape, a, b]) => {
  const total = bytesOf(shape).length;
  const offset = a % (total + 1);
  return { shape, offset, len: b % (total - offset + 1) };
});

describe('a range of a packet of any shape', () => {
  it('skb_copy_bits reads the bytes, and writes no others', () => {
    fc.assert(fc.property(ranges, fc.nat(5), ({ shape, offset, len }, at) => {
      const skb = makePacket(net, shape);
      const to = new Uint8Array(len + 10).fill(0xee);
      expect(skbCopyBits(skb, offset, to, at, len)).toBe(0);
      const expected = new Uint8Array(len + 10).fill(0xee);
      expected.set(bytesOf(shape).slice(offset, offset + len), at);
      expect(to).toEqual(expected);
      consumeSkb(skb);
    }), { numRuns: 300 });
  });

  it('skb_store_bits writes the bytes, and no others', () => {
    fc.assert(fc.property(ranges, fc.nat(5), ({ shape, offset, len }, at) => {
      const skb = makePacket(net, shape);
      const from = Uint8Array.from({ length: len + at }, (_, i) => 255 - i);
      expect(skbStoreBits(skb, offset, from, at, len)).toBe(0);
      const expected = bytesOf(shape);
      expected.splice(offset, len, ...from.subarray(at));
      expect(flatten(skb)).toEqual(expected);
      consumeSkb(skb);
    }), { numRuns: 300 });
  });

  it('skb_checksum and skb_copy_and_csum_bits sum it, odd pieces too', () => {
    fc.assert(fc.property(ranges, fc.nat(0xffff), ({ shape, offset, len }, start) => {
      const skb = makePacket(net, shape);
      const bytes = bytesOf(shape).slice(offset, offset + len);
      expect(sameSum(skbChecksum(skb, offset, len, start), naiveSum(bytes, start))).toBe(true);
      const to = new Uint8Array(len + 3);
      expect(sameSum(skbCopyAndCsumBits(skb, offset, to, 3, len), naiveSum(bytes))).toBe(true);
      expect([...to.subarray(3)]).toEqual(bytes);
      consumeSkb(skb);
    }), { numRuns: 300 });
  });
});

describe('a range that the packet does not have', () => {
  it('is -EFAULT to read and write, a bug to sum', () => {
    const skb = makePacket(net, { headroom: 4, linear: new Uint8Array(5), frags: [new Uint8Array(6)], list: [new Uint8Array(7)] });
    const bytes = new Uint8Array(30);
    for (const [offset, len] of [[0, 19], [18, 1], [5, 14], [0, -1], [-5, 1]] as const) {
      expect(skbCopyBits(skb, offset, bytes, 0, len)).toBe(-EFAULT);
      expect(skbStoreBits(skb, offset, bytes, 0, len)).toBe(-EFAULT);
    }
    expect(() => skbChecksum(skb, 0, 19, 0)).toThrow('skb_checksum: 19 bytes at 0 of a packet of 18');
    expect(() => skbCopyAndCsumBits(skb, 18, bytes, 0, 1)).toThrow('skb_copy_and_csum_bits');
    expect(skbCopyBits(skb, -4, bytes, 0, 8)).toBe(0);
    consumeSkb(skb);
  });
});
