// The Internet checksum (RFC 1071; incremental update RFC 1624; lib/checksum.c).
//
// A partial sum ("csum") is an int that is congruent, modulo 65535, to the sum of the big-endian 16-bit words; every
// function here returns one of 16 bits and accepts any int32 as unsigned. csumFold makes the checksum of it.
//
// The loop adds little-endian 32-bit words in a double, which is exact for eight mebibytes and needs no end-around
// carry; measured, it is up to a third faster than two int32 accumulators. Offsets need no alignment. The byte order is
// put right at the end (RFC 1071 §2(B)).

import { memcpy } from './memcpy.ts';

/** Bytes that are summed before the double is folded, far below where it would lose bits. */
const BLOCK = 1 << 20;
/** Below this many bytes one pass beats a copy followed by a sum. */
const FUSED_MAX = 256;

/** A partial sum folded to 16 bits. */
function fold16(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

function swap16(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** A sum of 32-bit words folded to 16 bits, its bytes put in big-endian order. */
function foldWords(sum: number): number {
  const high = Math.floor(sum / 0x100000000);
  return swap16(fold16(fold16(sum | 0) + high));
}

/** Sum of len bytes at view[off], added to `sum`. An odd last byte counts as the high byte of a word. `buf` is the same memory as `view`. */
export function csumPartial(buf: Uint8Array, view: DataView, off: number, len: number, sum: number): number {
  let total = fold16(sum);
  while (len > BLOCK) {
    total += csumBlock(buf, view, off, BLOCK);
    off += BLOCK;
    len -= BLOCK;
  }
  return fold16(total + csumBlock(buf, view, off, len));
}

/** csumPartial of at most BLOCK bytes, folded. */
function csumBlock(buf: Uint8Array, view: DataView, off: number, len: number): number {
  let sum = 0;
  const end = off + len;
  for (const stop = end - 31; off < stop; off += 32) {
    sum +=
      view.getUint32(off, true) + view.getUint32(off + 4, true) +
      (view.getUint32(off + 8, true) + view.getUint32(off + 12, true)) +
      (view.getUint32(off + 16, true) + view.getUint32(off + 20, true) +
        (view.getUint32(off + 24, true) + view.getUint32(off + 28, true)));
  }
  for (const stop = end - 3; off < stop; off += 4) sum += view.getUint32(off, true);
  for (let shift = 0; off < end; off++, shift += 8) sum += buf[off]! << shift;
  return foldWords(sum);
}

/** The checksum field's value for a partial sum: folded and complemented. */
export function csumFold(sum: number): number {
  return ~fold16(sum) & 0xffff;
}

/** a + b as partial sums. */
export function csumAdd(a: number, b: number): number {
  return fold16(fold16(a) + fold16(b));
}

/** a - b as partial sums. */
export function csumSub(a: number, b: number): number {
  return csumAdd(a, ~fold16(b) & 0xffff);
}

/** Sum of a block joined to one that begins `offset` bytes after the start: at an odd offset its bytes change places. */
export function csumBlockAdd(sum: number, sum2: number, offset: number): number {
  const folded = fold16(sum2);
  return csumAdd(sum, (offset & 1) !== 0 ? swap16(folded) : folded);
}

/** csumBlockAdd undone. */
export function csumBlockSub(sum: number, sum2: number, offset: number): number {
  const folded = fold16(sum2);
  return csumSub(sum, (offset & 1) !== 0 ? swap16(folded) : folded);
}

/** Sum of the pseudo header of TCP or UDP over IPv4, added to `sum`. Addresses int32, len in bytes. */
export function csumTcpudpNofold(saddr: number, daddr: number, len: number, proto: number, sum: number): number {
  const s = (saddr >>> 16) + (saddr & 0xffff) + (daddr >>> 16) + (daddr & 0xffff);
  return fold16(s + proto + (len >>> 16) + (len & 0xffff) + fold16(sum));
}

/** The TCP or UDP checksum: pseudo header and `sum` (header and data), folded. */
export function csumTcpudpMagic(saddr: number, daddr: number, len: number, proto: number, sum: number): number {
  return csumFold(csumTcpudpNofold(saddr, daddr, len, proto, sum));
}

/** Updates the checksum at view[off] for a 16-bit word that changes (RFC 1624 §3, equation 3). */
export function csumReplace2(view: DataView, off: number, from: number, to: number): void {
  const sum = (~view.getUint16(off) & 0xffff) + (~from & 0xffff) + (to & 0xffff);
  view.setUint16(off, csumFold(sum));
}

/** Updates the checksum at view[off] for an aligned 32-bit word that changes (RFC 1624 §3, equation 3). */
export function csumReplace4(view: DataView, off: number, from: number, to: number): void {
  const old = (~from >>> 16) + (~from & 0xffff);
  const sum = (~view.getUint16(off) & 0xffff) + old + (to >>> 16) + (to & 0xffff);
  view.setUint16(off, csumFold(sum));
}

/** Checksum of an IPv4 header of ihl 32-bit words: to fill in while its field is 0; 0 when a filled one is right. */
export function ipFastCsum(view: DataView, off: number, ihl: number): number {
  let sum = 0;
  for (const end = off + (ihl << 2); off < end; off += 4) sum += view.getUint32(off, true);
  return ~foldWords(sum) & 0xffff;
}

/** Copies len bytes and sums them, added to `sum`: csumPartial of the copy. Each buf is the same memory as its view. */
export function csumPartialCopy(
  src: Uint8Array, srcView: DataView, srcOff: number, dst: Uint8Array, dstView: DataView, dstOff: number, len: number, sum: number,
): number {
  if (len < FUSED_MAX) return fold16(fold16(sum) + csumCopyBlock(srcView, srcOff, dstView, dstOff, len));
  memcpy(dst, dstOff, src, srcOff, len);
  return csumPartial(dst, dstView, dstOff, len, sum);
}

function csumCopyBlock(srcView: DataView, srcOff: number, dstView: DataView, dstOff: number, len: number): number {
  let sum = 0;
  let off = srcOff;
  const delta = dstOff - srcOff;
  const end = srcOff + len;
  for (const stop = end - 15; off < stop; off += 16) {
    const a = srcView.getUint32(off, true);
    const b = srcView.getUint32(off + 4, true);
    const c = srcView.getUint32(off + 8, true);
    const d = srcView.getUint32(off + 12, true);
    dstView.setUint32(off + delta, a, true);
    dstView.setUint32(off + delta + 4, b, true);
    dstView.setUint32(off + delta + 8, c, true);
    dstView.setUint32(off + delta + 12, d, true);
    sum += a + b + (c + d);
  }
  for (const stop = end - 3; off < stop; off += 4) {
    const a = srcView.getUint32(off, true);
    dstView.setUint32(off + delta, a, true);
    sum += a;
  }
  for (let shift = 0; off < end; off++, shift += 8) {
    const byte = srcView.getUint8(off);
    dstView.setUint8(off + delta, byte);
    sum += byte << shift;
  }
  return foldWords(sum);
}
