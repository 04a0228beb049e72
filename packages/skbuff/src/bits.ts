// Reading, writing and summing a packet wherever its bytes are: linear area, page fragments, fragList (net/core/skbuff.c).
//
// All four functions walk the packet once and do their work piece by piece; a packet that lies in its linear area takes
// the short way. Offsets count from skb.data.

import { EFAULT } from '@stack/kernel';
import { csumBlockAdd, csumPartial } from './checksum.ts';
import { memcpy } from './memcpy.ts';
import type { SkBuff } from './sk-buff.ts';

/** Work on one piece: len bytes at off in buf, and at `at` in the caller's buffer. Returns the piece's partial sum, if any. */
type PieceFn = (buf: Uint8Array, view: DataView, off: number, len: number, other: Uint8Array, at: number) => number;

const NO_BUFFER = new Uint8Array(0);

/** Copies len bytes from `offset` on to to[at]. 0, or -EFAULT when the packet does not have them. */
export function skbCopyBits(skb: SkBuff, offset: number, to: Uint8Array, at: number, len: number): number {
  if (len < 0 || offset > skb.len - len || offset < skb.head - skb.data) return -EFAULT;
  if (offset + len <= skb.len - skb.dataLen) memcpy(to, at, skb.buf, skb.data + offset, len);
  else walk(skb, offset, len, copyPiece, to, at);
  return 0;
}

/** Writes len bytes from[at] into the packet from `offset` on. 0, or -EFAULT. The caller has made sure that it may write there. */
export function skbStoreBits(skb: SkBuff, offset: number, from: Uint8Array, at: number, len: number): number {
  if (len < 0 || offset < 0 || offset > skb.len - len) return -EFAULT;
  if (offset + len <= skb.len - skb.dataLen) memcpy(skb.buf, skb.data + offset, from, at, len);
  else walk(skb, offset, len, storePiece, from, at);
  return 0;
}

/** Partial sum of len bytes from `offset` on, added to `csum`. Throws when the packet does not have them. */
export function skbChecksum(skb: SkBuff, offset: number, len: number, csum: number): number {
  if (offset + len <= skb.len - skb.dataLen) return csumPartial(skb.buf, skb.view, skb.data + offset, len, csum);
  checkRange(skb, 'skb_checksum', offset, len);
  return csumBlockAdd(csum, walk(skb, offset, len, csumPiece, NO_BUFFER, 0), 0);
}

/** Copies len bytes from `offset` on to to[at]; returns their partial sum. Throws when the packet does not have them. */
export function skbCopyAndCsumBits(skb: SkBuff, offset: number, to: Uint8Array, at: number, len: number): number {
  checkRange(skb, 'skb_copy_and_csum_bits', offset, len);
  if (offset + len <= skb.len - skb.dataLen) return copyCsumPiece(skb.buf, skb.view, skb.data + offset, len, to, at);
  return walk(skb, offset, len, copyCsumPiece, to, at);
}

function checkRange(skb: SkBuff, name: string, offset: number, len: number): void {
  if (len < 0 || offset + len > skb.len) throw new Error(`${name}: ${len} bytes at ${offset} of a packet of ${skb.len}`);
}

/** Calls `piece` for each piece of [offset, offset + len), in order; returns the partial sum of what it returns. */
function walk(skb: SkBuff, offset: number, len: number, piece: PieceFn, other: Uint8Array, at: number): number {
  const shinfo = skb.shinfo;
  let sum = 0;
  let pos = 0;
  let start = skb.len - skb.dataLen;
  if (offset < start) {
    pos = Math.min(start - offset, len);
    sum = piece(skb.buf, skb.view, skb.data + offset, pos, other, at);
  }
  for (let i = 0; i < shinfo.nrFrags && pos < len; i++) {
    const frag = shinfo.frags[i]!;
    const end = start + frag.size;
    if (offset + pos < end) {
      const n = Math.min(end - offset - pos, len - pos);
      const page = frag.page!;
      sum = csumBlockAdd(sum, piece(page.buf, page.view, frag.offset + offset + pos - start, n, other, at + pos), pos);
      pos += n;
    }
    start = end;
  }
  for (let list = shinfo.fragList; list !== null && pos < len; list = list.next) {
    const end = start + list.len;
    if (offset + pos < end) {
      const n = Math.min(end - offset - pos, len - pos);
      sum = csumBlockAdd(sum, walk(list, offset + pos - start, n, piece, other, at + pos), pos);
      pos += n;
    }
    start = end;
  }
  return sum;
}

function copyPiece(buf: Uint8Array, _view: DataView, off: number, len: number, to: Uint8Array, at: number): number {
  memcpy(to, at, buf, off, len);
  return 0;
}

function storePiece(buf: Uint8Array, _view: DataView, off: number, len: number, from: Uint8Array, at: number): number {
  memcpy(buf, off, from, at, len);
  return 0;
}

function csumPiece(buf: Uint8Array, view: DataView, off: number, len: number): number {
  return csumPartial(buf, view, off, len, 0);
}

function copyCsumPiece(buf: Uint8Array, view: DataView, off: number, len: number, to: Uint8Array, at: number): number {
  memcpy(to, at, buf, off, len);
  return csumPartial(buf, view, off, len, 0);
}
