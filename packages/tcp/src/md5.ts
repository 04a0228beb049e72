/*
 * MD5 (RFC 1321): what RFC 2385 signs segments with. Fit for nothing else: it has long been broken.
 *
 * Order of calls: md5Init → md5Update … → md5Final.
 */

export const MD5_DIGEST_SIZE = 16;

const K = Int32Array.of(
  0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
  0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
  0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
  0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
  0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
  0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
  0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
  0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
);
/** How far each of the four operations of a round rotates. */
const S = Uint8Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21);

/** A digest in the making. */
export class Md5Ctx {
  /** RFC 1321 §3.3: A, B, C, D. */
  state: Int32Array;
  block: Uint8Array;
  view: DataView;
  words: Int32Array;
  /** Bytes so far. */
  count: number;

  constructor() {
    this.state = new Int32Array(4);
    this.block = new Uint8Array(64);
    this.view = new DataView(this.block.buffer);
    this.words = new Int32Array(16);
    this.count = 0;
  }
}

export function md5Init(ctx: Md5Ctx): void {
  const { state } = ctx;
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  ctx.count = 0;
}

/** RFC 1321 §3.4: takes the block of 64 bytes in. */
function md5Transform(ctx: Md5Ctx): void {
  const { state, words, view } = ctx;
  for (let i = 0; i < 16; i++) words[i] = view.getInt32(i * 4, true);
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    let f: number;
    let g: number;
    if (round === 0) {
      f = (b & c) | (~b & d);
      g = i;
    } else if (round === 1) {
      f = (d & b) | (~d & c);
      g = 5 * i + 1;
    } else if (round === 2) {
      f = b ^ c ^ d;
      g = 3 * i + 5;
    } else {
      f = c ^ (b | ~d);
      g = 7 * i;
    }
    const sum = (a + f + K[i]! + words[g & 15]!) | 0;
    const shift = S[(round << 2) | (i & 3)]!;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0] = state[0]! + a;
  state[1] = state[1]! + b;
  state[2] = state[2]! + c;
  state[3] = state[3]! + d;
}

/** Takes `len` bytes of `bytes` from `at` on in. */
export function md5Update(ctx: Md5Ctx, bytes: Uint8Array, at: number, len: number): void {
  const { block } = ctx;
  let have = ctx.count & 63;
  ctx.count += len;
  for (let i = 0; i < len; i++) {
    block[have++] = bytes[at + i]!;
    if (have === 64) {
      md5Transform(ctx);
      have = 0;
    }
  }
}

/** Writes the digest, MD5_DIGEST_SIZE bytes, at `at`. */
export function md5Final(ctx: Md5Ctx, out: Uint8Array, at: number): void {
  const { block, view } = ctx;
  let have = ctx.count & 63;
  block[have++] = 0x80;
  if (have > 56) {
    block.fill(0, have);
    md5Transform(ctx);
    have = 0;
  }
  block.fill(0, have, 56);
  view.setInt32(56, ctx.count << 3, true);
  view.setInt32(60, Math.floor(ctx.count / 0x20000000), true);
  md5Transform(ctx);
  for (let i = 0; i < 16; i++) out[at + i] = (ctx.state[i >> 2]! >>> ((i & 3) * 8)) & 255;
}
