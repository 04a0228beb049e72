import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random, randomBelow, randomChance, randomFill, randomRange, randomU32, randomUnit } from './random.ts';
import { hsiphash1u32, hsiphash2u32, hsiphash3u32, hsiphash4u32, siphash1u32, siphash2u32, siphash3u32, siphash4u32, SiphashKey, siphashKeyFrom } from './siphash.ts';

describe('random numbers', () => {
  test('xoshiro128**: the published sequence from the state 1, 2, 3, 4', () => {
    const r = new Random(0);
    Object.assign(r, { s0: 1, s1: 2, s2: 3, s3: 4 });
    const first = Array.from({ length: 8 }, () => randomU32(r) >>> 0);
    expect(first).toEqual([11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849]);
  });

  test('a seed gives one sequence, other seeds others, also beyond 32 bits', () => {
    const first = (seed: number): string => {
      const r = new Random(seed);
      return [randomU32(r), randomU32(r), randomU32(r)].join();
    };
    const seeds = [0, 1, 2, -1, 2 ** 32, 2 ** 32 + 1, 2 ** 45];
    expect(new Set(seeds.map(first)).size).toBe(seeds.length);
    expect(first(42)).toBe(first(42));
  });

  test('randomBelow and randomRange stay within their bounds', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 31 }), (seed, n) => {
        const r = new Random(seed);
        for (let i = 0; i < 20; i++) {
          const x = randomBelow(r, n);
          if (!(Number.isInteger(x) && x >= 0 && x < n)) return false;
          const y = randomRange(r, -5, 5);
          if (!(y >= -5 && y <= 5)) return false;
        }
        return true;
      }),
    );
  });

  test('each number below n is as likely as the others', () => {
    const r = new Random(3);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 60_000; i++) counts[randomBelow(r, 6)]++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  test('randomUnit lies in [0, 1); a chance of 0 never comes, of 1 always, and both draw', () => {
    const r = new Random(9);
    let sum = 0;
    for (let i = 0; i < 10_000; i++) {
      const x = randomUnit(r);
      expect(x >= 0 && x < 1).toBe(true);
      sum += x;
    }
    expect(Math.abs(sum / 10_000 - 0.5)).toBeLessThan(0.02);
    const before = [r.s0, r.s1, r.s2, r.s3].join();
    expect([randomChance(r, 0), randomChance(r, 1)]).toEqual([false, true]);
    expect([r.s0, r.s1, r.s2, r.s3].join()).not.toBe(before);
  });

  test('randomFill fills every byte', () => {
    const out = new Uint8Array(4099);
    randomFill(new Random(1), out);
    expect(new Set(out).size).toBe(256);
    expect(out.subarray(4096).some((byte) => byte !== 0)).toBe(true);
  });
});

describe('keyed hashes', () => {
  // Words are little-endian: 0x03020100 is the bytes 0, 1, 2, 3 of the reference's test input.
  const w = [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c];
  const key = new SiphashKey(w[0], w[1], w[2], w[3]);

  test('SipHash-2-4 as the reference vectors have it, low 32 bits', () => {
    expect(siphash1u32(w[0], key)).toBe(0x277187b7 | 0);
    expect(siphash2u32(w[0], w[1], key)).toBe(0x9a932462 | 0);
    expect(siphash3u32(w[0], w[1], w[2], key)).toBe(0x860ee5fb | 0);
    expect(siphash4u32(w[0], w[1], w[2], w[3], key)).toBe(0x57c29bdb | 0);
  });

  test('HalfSipHash-1-3 as an independent implementation has it', () => {
    expect(hsiphash1u32(w[0], key)).toBe(0x7e059ea6 | 0);
    expect(hsiphash2u32(w[0], w[1], key)).toBe(0x577999b1 | 0);
    expect(hsiphash3u32(w[0], w[1], w[2], key)).toBe(0x6b28096c | 0);
    expect(hsiphash4u32(w[0], w[1], w[2], w[3], key)).toBe(0x8b31d501 | 0);
  });

  test('SipHash-2-4 equals 64-bit arithmetic on any input', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 8, maxLength: 8 }), ([k0, k1, k2, k3, a, b, c, d]) => {
        const k = new SiphashKey(k0, k1, k2, k3);
        expect(siphash1u32(a, k)).toBe(reference(k, [a]));
        expect(siphash2u32(a, b, k)).toBe(reference(k, [a, b]));
        expect(siphash3u32(a, b, c, k)).toBe(reference(k, [a, b, c]));
        expect(siphash4u32(a, b, c, d, k)).toBe(reference(k, [a, b, c, d]));
      }),
    );
  });

  test('every part of the key matters', () => {
    const keyed = siphashKeyFrom(new Random(1));
    const hash = siphash2u32(1, 2, keyed);
    for (const part of ['k0', 'k1', 'k2', 'k3'] as const) {
      const other = Object.assign(new SiphashKey(0, 0, 0, 0), keyed, { [part]: keyed[part] ^ 1 });
      expect(siphash2u32(1, 2, other)).not.toBe(hash);
    }
  });
});

/** SipHash-2-4 with BigInt, low 32 bits. */
function reference(key: SiphashKey, words: number[]): number {
  const u64 = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  const add = (a: bigint, b: bigint): bigint => BigInt.asUintN(64, a + b);
  const rotl = (x: bigint, n: bigint): bigint => BigInt.asUintN(64, (x << n) | (x >> (64n - n)));
  const k0 = u64(key.k0, key.k1);
  const k1 = u64(key.k2, key.k3);
  const v = [0x736f6d6570736575n ^ k0, 0x646f72616e646f6dn ^ k1, 0x6c7967656e657261n ^ k0, 0x7465646279746573n ^ k1];
  const round = (): void => {
    v[0] = add(v[0], v[1]);
    v[1] = rotl(v[1], 13n) ^ v[0];
    v[0] = rotl(v[0], 32n);
    v[2] = add(v[2], v[3]);
    v[3] = rotl(v[3], 16n) ^ v[2];
    v[0] = add(v[0], v[3]);
    v[3] = rotl(v[3], 21n) ^ v[0];
    v[2] = add(v[2], v[1]);
    v[1] = rotl(v[1], 17n) ^ v[2];
    v[2] = rotl(v[2], 32n);
  };
  const blocks: bigint[] = [];
  for (let i = 0; i + 1 < words.length; i += 2) blocks.push(u64(words[i], words[i + 1]));
  const rest = words.length % 2 === 1 ? words[words.length - 1] : 0;
  blocks.push(u64(rest, (words.length * 4) << 24));
  for (const m of blocks) {
    v[3] ^= m;
    round();
    round();
    v[0] ^= m;
  }
  v[2] ^= 0xffn;
  for (let i = 0; i < 4; i++) round();
  return Number(BigInt.asIntN(32, v[0] ^ v[1] ^ v[2] ^ v[3]));
}
