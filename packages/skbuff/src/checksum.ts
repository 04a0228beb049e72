// The Internet checksum (RFC 1071; incremental update RFC 1624; lib/checksum.c).
//
// A partial sum ("csum") is an int that is congruent, modulo 65535, to the sum of the big-endian 16-bit words; every
// function here returns one of at most 17 bits and accepts any int32 as unsigned. csumFold makes the checksum of it.
//
// The loop loads little-endian 32-bit words and keeps two accumulators: `all` adds whole words modulo 2^32 and `high`
// adds their upper halves exactly; the lower halves' sum is all - (high << 16). The byte order is put right at the end
// (RFC 1071 §2(B)). Offsets need no alignment.

/** 32-bit words after which `high` could overflow 31 bits. */
const BLOCK_WORDS = 32768;

/** A partial sum folded to 16 bits. */
function fold16(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

function swap16(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** Sum of len bytes at view[off], added to `sum`. An odd last byte counts as the high byte of a word. */
export function csumPartial(buf: Uint8Array, view: DataView, off: number, len: number, sum: number): number {
  let total = fold16(sum);
  while (len > BLOCK_WORDS * 4) {
    total += csumBlock(buf, view, off, BLOCK_WORDS * 4);
    off += BLOCK_WORDS * 4;
    len -= BLOCK_WORDS * 4;
  }
  return fold16(total + csumBlock(buf, view, off, len));
}

/** csumPartial of at most BLOCK_WORDS words, folded. */
function csumBlock(buf: Uint8Array, view: DataView, off: number, len: number): number {
  let all = 0;
  let high = 0;
  const end = off + len;
  const end16 = end - 15;
  while (off < end16) {
    const a = view.getInt32(off, true);
    const b = view.getInt32(off + 4, true);
    const c = view.getInt32(off + 8, true);
    const d = view.getInt32(off + 12, true);
    all = (all + a + b + c + d) | 0;
    high = (high + (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16)) | 0;
    off += 16;
  }
  while (off < end - 3) {
    const a = view.getInt32(off, true);
    all = (all + a) | 0;
    high = (high + (a >>> 16)) | 0;
    off += 4;
  }
  let sum = fold16(all - (high << 16)) + fold16(high);
  if (off < end - 1) {
    sum += buf[off]! | (buf[off + 1]! << 8);
    off += 2;
  }
  if (off < end) sum += buf[off]!;
  return swap16(fold16(sum));
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
  let all = 0;
  let high = 0;
  for (let end = off + (ihl << 2); off < end; off += 4) {
    const word = view.getInt32(off);
    all = (all + word) | 0;
    high += word >>> 16;
  }
  return csumFold(((all - (high << 16)) >>> 0) + high);
}

/** Copies len bytes and sums them in one pass, added to `sum`: csumPartial of the copy. */
export function csumPartialCopy(
  srcView: DataView, srcOff: number, dstView: DataView, dstOff: number, len: number, sum: number,
): number {
  let total = fold16(sum);
  while (len > BLOCK_WORDS * 4) {
    total += csumCopyBlock(srcView, srcOff, dstView, dstOff, BLOCK_WORDS * 4);
    srcOff += BLOCK_WORDS * 4;
    dstOff += BLOCK_WORDS * 4;
    len -= BLOCK_WORDS * 4;
  }
  return fold16(total + csumCopyBlock(srcView, srcOff, dstView, dstOff, len));
}

function csumCopyBlock(srcView: DataView, srcOff: number, dstView: DataView, dstOff: number, len: number): number {
  let all = 0;
  let high = 0;
  const delta = dstOff - srcOff;
  const end = srcOff + len;
  const end16 = end - 15;
  let off = srcOff;
  while (off < end16) {
    const a = srcView.getInt32(off, true);
    const b = srcView.getInt32(off + 4, true);
    const c = srcView.getInt32(off + 8, true);
    const d = srcView.getInt32(off + 12, true);
    dstView.setInt32(off + delta, a, true);
    dstView.setInt32(off + delta + 4, b, true);
    dstView.setInt32(off + delta + 8, c, true);
    dstView.setInt32(off + delta + 12, d, true);
    all = (all + a + b + c + d) | 0;
    high = (high + (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16)) | 0;
    off += 16;
  }
  while (off < end - 3) {
    const a = srcView.getInt32(off, true);
    dstView.setInt32(off + delta, a, true);
    all = (all + a) | 0;
    high = (high + (a >>> 16)) | 0;
    off += 4;
  }
  let sum = fold16(all - (high << 16)) + fold16(high);
  for (let shift = 0; off < end; off++, shift ^= 8) {
    const byte = srcView.getUint8(off);
    dstView.setUint8(off + delta, byte);
    sum += byte << shift;
  }
  return swap16(fold16(sum));
}
