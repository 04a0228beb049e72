import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  csumAdd, csumBlockAdd, csumBlockSub, csumFold, csumPartial, csumPartialCopy, csumReplace2, csumReplace4, csumSub,
  csumTcpudpMagic, ipFastCsum,
} from './index.ts';
import { naiveSum, sameSum } from './test-support.ts';

const int32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });

function memory(bytes: ArrayLike<number>, off: number): { buf: Uint8Array; view: DataView } {
  const buf = new Uint8Array(off + bytes.length + 9).fill(0xee);
  buf.set(Array.from(bytes), off);
  return { buf, view: new DataView(buf.buffer) };
}

describe('csumPartial', () => {
  it('RFC 1071 §3: the numerical example sums to ddf2', () => {
    const { buf, view } = memory([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], 0);
    expect(csumPartial(buf, view, 0, 8, 0)).toBe(0xddf2);
    expect(csumFold(0xddf2)).toBe(0x220d);
  });

  it('RFC 1071 §1: equals the literal sum at every alignment and length', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(7), int32, (bytes, off, start) => {
      const { buf, view } = memory(bytes, off);
      const sum = csumPartial(buf, view, off, bytes.length, start);
      const folded = ((start >>> 0) & 0xffff) + (start >>> 16);
      expect(sum).toBeGreaterThanOrEqual(0);
      expect(sum).toBeLessThanOrEqual(0xffff);
      expect(sameSum(sum, naiveSum([...bytes], folded))).toBe(true);
    }), { numRuns: 500 });
  });

  it('sums of data that is not all zero are never 0, those of zeros are', () => {
    const { buf, view } = memory([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 0);
    expect(csumPartial(buf, view, 0, 4, 0)).toBe(0xffff);
    expect(csumPartial(buf, view, 4, 4, 0)).toBe(0);
  });

  it.each([65536, 65537, 1 << 20, (1 << 20) + 31, 3 * (1 << 20) + 2])('is exact for %i bytes of ff', (length) => {
    const buf = new Uint8Array(length).fill(0xff);
    const expected = naiveSum(Array.from({ length: length % 2 }, () => 0xff), 0xffff);
    expect(sameSum(csumPartial(buf, new DataView(buf.buffer), 0, length, 0), expected)).toBe(true);
  });

  it('is exact for two mebibytes of random data', () => {
    const buf = new Uint8Array(2 << 20);
    for (let i = 0, x = 1; i < buf.length; i++, x = (Math.imul(x, 1103515245) + 12345) | 0) buf[i] = x >>> 16;
    const view = new DataView(buf.buffer);
    let sum = 0;
    for (let i = 0; i < buf.length; i += 2) sum += view.getUint16(i);
    expect(sameSum(csumPartial(buf, view, 0, buf.length, 0), sum)).toBe(true);
  });
});

describe('csumPartialCopy', () => {
  it('copies exactly the bytes and returns their sum, whatever the alignments', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(5), fc.nat(5), fc.nat(0xffff), (bytes, from, to, start) => {
      const src = memory(bytes, from);
      const dst = memory(new Uint8Array(bytes.length), to);
      const sum = csumPartialCopy(src.buf, src.view, from, dst.buf, dst.view, to, bytes.length, start);
      expect(sameSum(sum, naiveSum([...bytes], start))).toBe(true);
      expect(dst.buf).toEqual(memory(bytes, to).buf);
    }), { numRuns: 300 });
  });
});

describe('arithmetic of partial sums', () => {
  it('RFC 1071 §2(A): the sum of two blocks is the sum of their sums; at an odd offset bytes change places', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), (a, b) => {
      const whole = naiveSum([...a, ...b]);
      const joined = csumBlockAdd(naiveSum([...a]), naiveSum([...b]), a.length);
      expect(sameSum(joined, whole)).toBe(true);
      expect(sameSum(csumBlockSub(whole, naiveSum([...b]), a.length), naiveSum([...a]))).toBe(true);
    }));
  });

  it('csumSub undoes csumAdd', () => {
    fc.assert(fc.property(int32, int32, (a, b) => {
      expect(sameSum(csumSub(csumAdd(a, b), b), csumAdd(a, 0))).toBe(true);
    }));
  });

  it('csumFold complements what it folds', () => {
    fc.assert(fc.property(int32, (sum) => {
      expect(sameSum(csumFold(sum) + (sum >>> 0), 0)).toBe(true);
    }));
  });
});

describe('RFC 1624', () => {
  it('§4: the example dd2f, 5555 to 3285 gives 0000', () => {
    const view = new DataView(new Uint8Array([0xdd, 0x2f]).buffer);
    csumReplace2(view, 0, 0x5555, 0x3285);
    expect(view.getUint16(0)).toBe(0x0000);
  });

  it('§3: an update equals summing anew', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(3), int32, fc.boolean(), (bytes, word, to, wide) => {
      const header = [...bytes];
      const view = new DataView(Uint8Array.from(header).buffer);
      header[10] = header[11] = 0;
      view.setUint16(10, 0);
      view.setUint16(10, csumFold(naiveSum(header)));
      const at = 12 + (word & 1) * 4;
      if (wide) {
        csumReplace4(view, 10, view.getInt32(at), to);
        view.setInt32(at, to);
      } else {
        csumReplace2(view, 10, view.getUint16(at), to & 0xffff);
        view.setUint16(at, to & 0xffff);
      }
      expect(sameSum(naiveSum([...new Uint8Array(view.buffer)]), 0)).toBe(true);
    }));
  });
});

describe('headers', () => {
  it('RFC 791 §3.1: a filled IPv4 header sums to 0, with options too', () => {
    fc.assert(fc.property(fc.integer({ min: 5, max: 15 }), fc.nat(7), fc.infiniteStream(fc.nat(255)), (ihl, off, stream) => {
      const bytes = [...stream.take(ihl * 4)];
      bytes[10] = bytes[11] = 0;
      const { view } = memory(bytes, off);
      const check = ipFastCsum(view, off, ihl);
      expect(check).toBe(csumFold(naiveSum(bytes)));
      view.setUint16(off + 10, check);
      expect(ipFastCsum(view, off, ihl)).toBe(0);
    }));
  });

  it('RFC 9293 §3.1: the pseudo header counts addresses, protocol and length', () => {
    fc.assert(fc.property(int32, int32, fc.nat(0xffff), fc.nat(255), fc.nat(0xffff), (saddr, daddr, len, proto, sum) => {
      const view = new DataView(new ArrayBuffer(12));
      view.setInt32(0, saddr);
      view.setInt32(4, daddr);
      view.setUint8(9, proto);
      view.setUint16(10, len);
      const expected = csumFold(naiveSum([...new Uint8Array(view.buffer)], sum));
      expect(sameSum(csumTcpudpMagic(saddr, daddr, len, proto, sum), expected)).toBe(true);
    }));
  });
});
