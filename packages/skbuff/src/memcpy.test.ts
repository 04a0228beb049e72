import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memcpy, memcpyView } from './index.ts';

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 255);

describe('memcpy', () => {
  it('copies exactly the bytes, between buffers and within one, overlapping or not', () => {
    fc.assert(fc.property(fc.nat(400), fc.nat(30), fc.nat(30), fc.boolean(), (len, from, to, same) => {
      const src = pattern(450);
      const dst = same ? src : new Uint8Array(450);
      const expected = dst.slice();
      expected.set(src.slice(from, from + len), to);
      memcpy(dst, to, src, from, len);
      expect(dst).toEqual(expected);
    }), { numRuns: 300 });
  });

  it('memcpyView copies exactly the bytes of an area apart', () => {
    fc.assert(fc.property(fc.nat(400), fc.nat(30), fc.nat(30), fc.boolean(), (len, from, to, same) => {
      const src = pattern(900);
      const dst = same ? src : new Uint8Array(900);
      const at = to + 440;
      const expected = dst.slice();
      expected.set(src.slice(from, from + len), at);
      memcpyView(dst, new DataView(dst.buffer), at, src, new DataView(src.buffer), from, len);
      expect(dst).toEqual(expected);
    }), { numRuns: 300 });
  });
});
