/**
 * Random numbers that are the same on every run with the same seed: xoshiro128** on int32 (Blackman and Vigna, public domain
 * algorithm), seeded through splitmix32. For loss, jitter, ports and ids; secrets come from `getRandomBytes` (world.ts), which
 * takes the host's secure generator when the clock is real.
 */

/** The generator's state. */
export class Random {
  s0: number;
  s1: number;
  s2: number;
  s3: number;

  /** @param seed any number; equal seeds give equal sequences */
  constructor(seed: number) {
    const low = seed | 0;
    const high = Math.floor(seed / 0x1_0000_0000) | 0;
    this.s0 = mix((low + 0x9e3779b9) | 0);
    this.s1 = mix((low + 0x3c6ef372 + high) | 0);
    this.s2 = mix((low + 0xdaa66d2b) ^ high);
    this.s3 = mix((low + 0x78dde6e4) | 0) | 1;
  }
}

/** The finishing step of splitmix32. */
function mix(x: number): number {
  let z = x | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
}

/** The next 32 random bits, as an int32. */
export function randomU32(r: Random): number {
  const x = Math.imul(r.s1, 5);
  const result = Math.imul((x << 7) | (x >>> 25), 9);
  const t = r.s1 << 9;
  r.s2 ^= r.s0;
  r.s3 ^= r.s1;
  r.s1 ^= r.s2;
  r.s0 ^= r.s3;
  r.s2 ^= t;
  r.s3 = (r.s3 << 11) | (r.s3 >>> 21);
  return result;
}

/** A number in [0, n), each as likely as the others; n from 1 to 2³¹. */
export function randomBelow(r: Random, n: number): number {
  const mask = n <= 1 ? 0 : 0xffffffff >>> Math.clz32(n - 1);
  for (;;) {
    const x = (randomU32(r) & mask) >>> 0;
    if (x < n) return x;
  }
}

/** An integer in [low, high], both included; high - low < 2³¹. */
export function randomRange(r: Random, low: number, high: number): number {
  return low + randomBelow(r, high - low + 1);
}

/** A number in [0, 1) with 53 random bits. */
export function randomUnit(r: Random): number {
  const high = randomU32(r) >>> 5;
  const low = randomU32(r) >>> 6;
  return (high * 0x400_0000 + low) / 0x20_0000_0000_0000;
}

/** True with probability p. Draws a number even when p is 0 or 1, so that changing p does not shift what follows. */
export function randomChance(r: Random, p: number): boolean {
  return randomUnit(r) < p;
}

/** Fills `out`. */
export function randomFill(r: Random, out: Uint8Array): void {
  let word = 0;
  for (let i = 0; i < out.length; i++) {
    if ((i & 3) === 0) word = randomU32(r);
    out[i] = word;
    word >>>= 8;
  }
}
