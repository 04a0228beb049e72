// Segmentation: cutting one large sk_buff into frames (skb_segment in net/core/skbuff.c).
//
// The caller (a protocol's gsoSegment) has set skb.data behind the last header. Each segment gets a copy of all headers
// from the link header on, gsoSize bytes of payload, and a share of the original's fragments; the protocol then puts
// lengths, sequence numbers and checksums right, finding each header at the same distance from skb.data.

import { EINVAL, ENOMEM } from '@stack/kernel';
import { allocSkb, consumeSkbList } from './alloc.ts';
import { skbChecksum, skbCopyBits } from './bits.ts';
import { copySkbHeader, copySkbOffsets } from './copy.ts';
import { __skbPull, __skbPush, __skbPut, __skbReserve } from './data.ts';
import { skbAddRxFrag } from './frags.ts';
import { memcpyView } from './memcpy.ts';
import { getPage } from './page.ts';
import { NETIF_F_CSUM_MASK, NETIF_F_SG } from './netdev-features.ts';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL } from './sk-buff.ts';
import type { SkBuff } from './sk-buff.ts';

/**
 * Cuts skb into segments of gsoSize payload bytes, linked by next, prev of the first pointing at the last; all of them
 * are the caller's, and so is skb still, unchanged. Or a negative errno: -EINVAL (no gsoSize, no headers), -ENOMEM.
 *
 * A segment's data is at the link header (at the network header when there is none). With NETIF_F_SG in `features` the
 * payload is shared; without it is copied into the linear area. Where the packet is CHECKSUM_PARTIAL and the features
 * include its completion, so are the segments; else they are CHECKSUM_NONE and skb.csum is the payload's partial sum.
 */
export function skbSegment(skb: SkBuff, features: number): SkBuff | number {
  const start = skb.macHeader >= 0 ? skb.macHeader : skb.networkHeader;
  const doffset = skb.data - start;
  const mss = skb.shinfo.gsoSize;
  if (mss <= 0 || start < skb.head || doffset < 0) return -EINVAL;
  __skbPush(skb, doffset);
  const segments = segmentAll(skb, features, doffset, mss);
  __skbPull(skb, doffset);
  return segments ?? -ENOMEM;
}

/** Cuts a packet whose data is at its first header, doffset bytes of headers long. Null when memory is short. */
function segmentAll(skb: SkBuff, features: number, doffset: number, mss: number): SkBuff | null {
  const share = (features & NETIF_F_SG) !== 0 && skb.shinfo.fragList === null;
  const partial = skb.ipSummed === CHECKSUM_PARTIAL && (features & NETIF_F_CSUM_MASK) !== 0;
  let first: SkBuff | null = null;
  let last: SkBuff | null = null;
  let offset = doffset;
  do {
    const len = Math.min(mss, skb.len - offset);
    const segment = makeSegment(skb, doffset, offset, len, share);
    if (segment === null) {
      consumeSkbList(first);
      return null;
    }
    if (!partial) {
      segment.ipSummed = CHECKSUM_NONE;
      segment.csum = skbChecksum(segment, doffset, len, 0);
    }
    if (last === null) first = segment;
    else last.next = segment;
    last = segment;
    offset += len;
  } while (offset < skb.len);
  first!.prev = last;
  return first;
}

/** One segment: the headers, and len bytes of payload from `offset` on, shared or copied. Null when memory is short. */
function makeSegment(skb: SkBuff, doffset: number, offset: number, len: number, share: boolean): SkBuff | null {
  const headroom = skb.data - skb.head;
  const linear = share ? Math.max(0, Math.min(skb.len - skb.dataLen - offset, len)) : len;
  const segment = allocSkb(skb.net, headroom + doffset + linear);
  if (segment === null) return null;
  __skbReserve(segment, headroom);
  memcpyView(segment.buf, segment.view, __skbPut(segment, doffset), skb.buf, skb.view, skb.data, doffset);
  if (linear > 0) skbCopyBits(skb, offset, segment.buf, __skbPut(segment, linear), linear);
  copySkbHeader(segment, skb);
  copySkbOffsets(segment, skb);
  segment.cloned = false;
  segment.nohdr = false;
  if (linear < len) shareRange(segment, skb, offset + linear, len - linear);
  return segment;
}

/** Gives the segment fragments for len bytes of skb from `offset` on, which is behind skb's linear area. */
function shareRange(segment: SkBuff, skb: SkBuff, offset: number, len: number): void {
  const { frags, nrFrags } = skb.shinfo;
  let start = skb.len - skb.dataLen;
  let left = len;
  for (let i = 0; i < nrFrags && left > 0; i++) {
    const frag = frags[i]!;
    const skip = offset + len - left - start;
    if (skip < frag.size) {
      const size = Math.min(frag.size - skip, left);
      getPage(frag.page!);
      skbAddRxFrag(segment, segment.shinfo.nrFrags, frag.page!, frag.offset + skip, size, size);
      left -= size;
    }
    start += frag.size;
  }
}
