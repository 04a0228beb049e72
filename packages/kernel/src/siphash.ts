/**
 * Keyed hashes in int32: SipHash-2-4 (Aumasson and Bernstein, 2012) for initial sequence numbers (RFC 6528), ports (RFC 6056) and
 * SYN cookies, and HalfSipHash-1-3 for hash tables that a stranger can fill. Words are hashed in the order given, each as four
 * little-endian bytes, as the kernel's siphash_Nu32 do; the answer is the low 32 bits.
 */
import type { Random } from './random.ts';
import { randomU32 } from './random.ts';

/** 128 bits of key: k0 and k1 the low and high half of the first 64, k2 and k3 of the second. */
export class SiphashKey {
  k0: number;
  k1: number;
  k2: number;
  k3: number;

  constructor(k0: number, k1: number, k2: number, k3: number) {
    this.k0 = k0 | 0;
    this.k1 = k1 | 0;
    this.k2 = k2 | 0;
    this.k3 = k3 | 0;
  }
}

/** A key from a generator; for one that must be secret see `siphashKeyInit` in world.ts. */
export function siphashKeyFrom(r: Random): SiphashKey {
  return new SiphashKey(randomU32(r), randomU32(r), randomU32(r), randomU32(r));
}

/** The carry out of the 32-bit sum `sum = (a + b) | 0`. */
function carry(a: number, b: number, sum: number): number {
  return ((a & b) | ((a | b) & ~sum)) >>> 31;
}

/** SipHash-2-4 over `count` (0 to 4) 32-bit words; words past count are not looked at. */
function sipHash24(key: SiphashKey, count: number, w0: number, w1: number, w2: number, w3: number, high = false): number {
  // v0..v3 as low/high pairs.
  let a0 = 0x70736575 ^ key.k0, a1 = 0x736f6d65 ^ key.k1;
  let b0 = 0x6e646f6d ^ key.k2, b1 = 0x646f7261 ^ key.k3;
  let c0 = 0x6e657261 ^ key.k0, c1 = 0x6c796765 ^ key.k1;
  let d0 = 0x79746573 ^ key.k2, d1 = 0x74656462 ^ key.k3;
  const pairs = count >> 1;
  const odd = (count & 1) === 0 ? 0 : count === 1 ? w0 : w2;
  // Each message block takes two rounds, the end four.
  for (let block = 0; block <= pairs + 1; block++) {
    let m0 = 0, m1 = 0, rounds = 2;
    if (block < pairs) {
      m0 = block === 0 ? w0 : w2;
      m1 = block === 0 ? w1 : w3;
    } else if (block === pairs) {
      m0 = odd;
      m1 = (count * 4) << 24;
    } else {
      c0 ^= 0xff;
      rounds = 4;
    }
    d0 ^= m0;
    d1 ^= m1;
    for (; rounds > 0; rounds--) {
      let s = (a0 + b0) | 0, t = 0;
      a1 = (a1 + b1 + carry(a0, b0, s)) | 0; a0 = s;
      t = (b0 << 13) | (b1 >>> 19); b1 = (b1 << 13) | (b0 >>> 19); b0 = t ^ a0; b1 ^= a1;
      t = a0; a0 = a1; a1 = t;
      s = (c0 + d0) | 0;
      c1 = (c1 + d1 + carry(c0, d0, s)) | 0; c0 = s;
      t = (d0 << 16) | (d1 >>> 16); d1 = (d1 << 16) | (d0 >>> 16); d0 = t ^ c0; d1 ^= c1;
      s = (a0 + d0) | 0;
      a1 = (a1 + d1 + carry(a0, d0, s)) | 0; a0 = s;
      t = (d0 << 21) | (d1 >>> 11); d1 = (d1 << 21) | (d0 >>> 11); d0 = t ^ a0; d1 ^= a1;
      s = (c0 + b0) | 0;
      c1 = (c1 + b1 + carry(c0, b0, s)) | 0; c0 = s;
      t = (b0 << 17) | (b1 >>> 15); b1 = (b1 << 17) | (b0 >>> 15); b0 = t ^ c0; b1 ^= c1;
      t = c0; c0 = c1; c1 = t;
    }
    a0 ^= m0;
    a1 ^= m1;
  }
  return high ? a1 ^ b1 ^ c1 ^ d1 : a0 ^ b0 ^ c0 ^ d0;
}

/** SipHash-2-4 of one word. */
export function siphash1u32(w0: number, key: SiphashKey): number {
  return sipHash24(key, 1, w0, 0, 0, 0);
}

/** SipHash-2-4 of two words. */
export function siphash2u32(w0: number, w1: number, key: SiphashKey): number {
  return sipHash24(key, 2, w0, w1, 0, 0);
}

/** The high half of siphash2u32's 64 bits. */
export function siphash2u32High(w0: number, w1: number, key: SiphashKey): number {
  return sipHash24(key, 2, w0, w1, 0, 0, true);
}

/** SipHash-2-4 of three words. */
export function siphash3u32(w0: number, w1: number, w2: number, key: SiphashKey): number {
  return sipHash24(key, 3, w0, w1, w2, 0);
}

/** SipHash-2-4 of four words. */
export function siphash4u32(w0: number, w1: number, w2: number, w3: number, key: SiphashKey): number {
  return sipHash24(key, 4, w0, w1, w2, w3);
}

/** HalfSipHash-1-3 over `count` (0 to 4) 32-bit words, with the first 64 bits of the key. */
function halfSipHash13(key: SiphashKey, count: number, w0: number, w1: number, w2: number, w3: number): number {
  let a = key.k0, b = key.k1;
  let c = 0x6c796765 ^ key.k0, d = 0x74656462 ^ key.k1;
  for (let block = 0; block <= count + 3; block++) {
    let m = 0;
    if (block < count) m = block === 0 ? w0 : block === 1 ? w1 : block === 2 ? w2 : w3;
    else if (block === count) m = (count * 4) << 24;
    else if (block === count + 1) c ^= 0xff;
    d ^= m;
    a = (a + b) | 0; b = ((b << 5) | (b >>> 27)) ^ a; a = (a << 16) | (a >>> 16);
    c = (c + d) | 0; d = ((d << 8) | (d >>> 24)) ^ c;
    a = (a + d) | 0; d = ((d << 7) | (d >>> 25)) ^ a;
    c = (c + b) | 0; b = ((b << 13) | (b >>> 19)) ^ c; c = (c << 16) | (c >>> 16);
    a ^= m;
  }
  return b ^ d;
}

/** HalfSipHash-1-3 of one word: hash tables only. */
export function hsiphash1u32(w0: number, key: SiphashKey): number {
  return halfSipHash13(key, 1, w0, 0, 0, 0);
}

/** HalfSipHash-1-3 of two words: hash tables only. */
export function hsiphash2u32(w0: number, w1: number, key: SiphashKey): number {
  return halfSipHash13(key, 2, w0, w1, 0, 0);
}

/** HalfSipHash-1-3 of three words: hash tables only. */
export function hsiphash3u32(w0: number, w1: number, w2: number, key: SiphashKey): number {
  return halfSipHash13(key, 3, w0, w1, w2, 0);
}

/** HalfSipHash-1-3 of four words: hash tables only. */
export function hsiphash4u32(w0: number, w1: number, w2: number, w3: number, key: SiphashKey): number {
  return halfSipHash13(key, 4, w0, w1, w2, w3);
}
