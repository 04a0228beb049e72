// Moving bytes between fragments and the linear area, and cutting packets that have fragments (net/core/skbuff.c).
//
//   pskbMayPull(skb, n): the first n bytes are in the linear area, moved there (__pskbPullTail) if need be
//   pskbTrim(skb, len): cut at the end        skbLinearize: no fragments left

import { EINVAL, ENOMEM } from '@stack/kernel';
import { consumeSkb, consumeSkbList, skbShared } from './alloc.ts';
import { skbChecksum, skbCopyBits } from './bits.ts';
import { csumBlockAdd, csumBlockSub, csumPartial, csumSub } from './checksum.ts';
import { pskbExpandHead, skbClone, skbCloned } from './copy.ts';
import { __skbPull, skbChecksumStartOffset } from './data.ts';
import { skbFragCopy, skbFragUnref } from './frags.ts';
import { CHECKSUM_COMPLETE, CHECKSUM_PARTIAL } from './sk-buff.ts';
import type { SkBuff } from './sk-buff.ts';

/** Tailroom that a new linear area gets beyond what is pulled, in bytes. */
const PULL_EXTRA = 128;

/** The first len bytes are in the linear area: moves them there if the packet has them. False when it is too short, or memory. */
export function pskbMayPull(skb: SkBuff, len: number): boolean {
  const headlen = skb.len - skb.dataLen;
  if (len <= headlen) return true;
  if (len > skb.len) return false;
  return __pskbPullTail(skb, len - headlen) >= 0;
}

/** Strips len bytes in front, wherever they are. The new data, or -1. */
export function pskbPull(skb: SkBuff, len: number): number {
  return pskbMayPull(skb, len) ? __skbPull(skb, len) : -1;
}

/** Moves `delta` bytes from behind the linear area to its end. The new tail, or -1 when the packet has not got them, or memory. Offsets may move. */
export function pskbPullTail(skb: SkBuff, delta: number): number {
  return delta < 0 || delta > skb.dataLen ? -1 : __pskbPullTail(skb, delta);
}

/** pskbPullTail of a caller who knows that the bytes are there. Throws when they are not. */
export function __pskbPullTail(skb: SkBuff, delta: number): number {
  const eat = skb.tail + delta - skb.end;
  if (eat > 0 || skbCloned(skb)) {
    if (pskbExpandHead(skb, 0, eat > 0 ? eat + PULL_EXTRA : 0) !== 0) return -1;
  }
  if (skbCopyBits(skb, skb.len - skb.dataLen, skb.buf, skb.tail, delta) !== 0) throw new Error(`__pskb_pull_tail: ${delta} bytes of ${skb.dataLen}`);
  const left = eatFrags(skb, delta);
  if (left > 0 && !eatFragList(skb, left)) return -1;
  skb.tail += delta;
  skb.dataLen -= delta;
  return skb.tail;
}

/** Drops the first `delta` bytes of the page fragments; returns what they did not have. */
function eatFrags(skb: SkBuff, delta: number): number {
  const shinfo = skb.shinfo;
  let eat = delta;
  let k = 0;
  for (let i = 0; i < shinfo.nrFrags; i++) {
    const frag = shinfo.frags[i]!;
    if (frag.size <= eat) {
      eat -= frag.size;
      skbFragUnref(skb, i);
      continue;
    }
    frag.offset += eat;
    frag.size -= eat;
    eat = 0;
    if (k !== i) {
      skbFragCopy(shinfo.frags[k]!, frag);
      frag.page = null;
    }
    k++;
  }
  shinfo.nrFrags = k;
  return eat;
}

/** Drops the first `eat` bytes of the fragList. False when memory was short. */
function eatFragList(skb: SkBuff, eat: number): boolean {
  const shinfo = skb.shinfo;
  while (eat > 0) {
    const list = shinfo.fragList;
    if (list === null) throw new Error('__pskb_pull_tail: dataLen is more than there is');
    if (list.len <= eat) {
      eat -= list.len;
      shinfo.fragList = list.next;
      consumeSkb(list);
      continue;
    }
    const own = ownListEntry(list);
    if (own === null) return false;
    shinfo.fragList = own;
    return pskbPull(own, eat) >= 0;
  }
  return true;
}

/** The entry of a fragList, or a clone in its place when somebody else refers to it. */
function ownListEntry(entry: SkBuff): SkBuff | null {
  if (!skbShared(entry)) return entry;
  const clone = skbClone(entry);
  if (clone === null) return null;
  clone.next = entry.next;
  consumeSkb(entry);
  return clone;
}

/** All of the packet in its linear area. 0 or -ENOMEM. */
export function skbLinearize(skb: SkBuff): number {
  return skb.dataLen !== 0 ? __skbLinearize(skb) : 0;
}

/** skbLinearize of a nonlinear packet. */
export function __skbLinearize(skb: SkBuff): number {
  return __pskbPullTail(skb, skb.dataLen) >= 0 ? 0 : -ENOMEM;
}

/** Cuts the packet to len bytes if it is longer, fragments or not. 0 or -ENOMEM. */
export function pskbTrim(skb: SkBuff, len: number): number {
  return len < skb.len ? __pskbTrim(skb, len) : 0;
}

/** pskbTrim of a packet that is longer. */
export function __pskbTrim(skb: SkBuff, len: number): number {
  if (skbCloned(skb)) {
    const err = pskbExpandHead(skb, 0, 0);
    if (err !== 0) return err;
  }
  const headlen = skb.len - skb.dataLen;
  const pos = trimFrags(skb, headlen, len);
  const err = trimFragList(skb, pos, len);
  if (err !== 0) return err;
  if (len > headlen) {
    skb.dataLen -= skb.len - len;
  } else {
    skb.dataLen = 0;
    skb.tail = skb.data + len;
  }
  skb.len = len;
  return 0;
}

/** Cuts the page fragments, which begin at `pos` of the packet, at len; returns where they ended. */
function trimFrags(skb: SkBuff, pos: number, len: number): number {
  const shinfo = skb.shinfo;
  const nrFrags = shinfo.nrFrags;
  let kept = 0;
  for (let i = 0; i < nrFrags; i++) {
    const frag = shinfo.frags[i]!;
    const end = pos + frag.size;
    if (pos >= len) {
      skbFragUnref(skb, i);
    } else {
      if (end > len) frag.size = len - pos;
      kept++;
    }
    pos = end;
  }
  shinfo.nrFrags = kept;
  return pos;
}

/** Cuts the fragList, which begins at `pos` of the packet, at len. */
function trimFragList(skb: SkBuff, pos: number, len: number): number {
  const shinfo = skb.shinfo;
  let prev: SkBuff | null = null;
  let entry = shinfo.fragList;
  while (entry !== null && pos < len) {
    const own = ownListEntry(entry);
    if (own === null) return -ENOMEM;
    if (prev === null) shinfo.fragList = own;
    else prev.next = own;
    const end = pos + own.len;
    if (end > len) {
      const err = pskbTrim(own, len - pos);
      if (err !== 0) return err;
    }
    pos = end;
    prev = own;
    entry = own.next;
  }
  if (entry !== null) {
    if (prev === null) shinfo.fragList = null;
    else prev.next = null;
    consumeSkbList(entry);
  }
  return 0;
}

/** pskbTrim that keeps skb.csum right: padding behind the packet is taken out of a CHECKSUM_COMPLETE sum. 0, -EINVAL or -ENOMEM. */
export function pskbTrimRcsum(skb: SkBuff, len: number): number {
  if (len >= skb.len) return 0;
  if (skb.ipSummed === CHECKSUM_COMPLETE) {
    skb.csum = csumBlockSub(skb.csum, skbChecksum(skb, len, skb.len - len, 0), len);
  } else if (skb.ipSummed === CHECKSUM_PARTIAL) {
    if (skbChecksumStartOffset(skb) + skb.csumOffset + 2 > len) return -EINVAL;
  }
  return __pskbTrim(skb, len);
}

/** After len bytes at `start` (offset into skb.buf) were pulled: takes them out of a CHECKSUM_COMPLETE sum. */
export function skbPostpullRcsum(skb: SkBuff, start: number, len: number): void {
  if (skb.ipSummed === CHECKSUM_COMPLETE) skb.csum = csumSub(skb.csum, csumPartial(skb.buf, skb.view, start, len, 0));
}

/** After len bytes at `start` (offset into skb.buf) were pushed: adds them to a CHECKSUM_COMPLETE sum. */
export function skbPostpushRcsum(skb: SkBuff, start: number, len: number): void {
  if (skb.ipSummed === CHECKSUM_COMPLETE) skb.csum = csumBlockAdd(csumPartial(skb.buf, skb.view, start, len, 0), skb.csum, len);
}

/** skbPull that keeps skb.csum right. The new data. Trusts its caller that the bytes are in the linear area. */
export function skbPullRcsum(skb: SkBuff, len: number): number {
  const start = skb.data;
  const data = __skbPull(skb, len);
  skbPostpullRcsum(skb, start, len);
  return data;
}
