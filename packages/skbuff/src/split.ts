// Cutting one packet in two, and joining two into one, without copying fragments (net/core/skbuff.c).
//
//   skbSplit: TCP cuts a queued segment      skbShift: TCP moves bytes to the segment before
//   skbTryCoalesce: a receive queue joins neighbours

import { SKB_OVERHEAD } from './alloc.ts';
import { skbCopyBits } from './bits.ts';
import { skbCloned } from './copy.ts';
import { __skbPut } from './data.ts';
import { skbCanCoalesce, skbFragCopy, skbFragUnref } from './frags.ts';
import { memcpyView } from './memcpy.ts';
import { getPage } from './page.ts';
import { MAX_SKB_FRAGS } from './sk-buff.ts';
import type { SkBuff } from './sk-buff.ts';

/**
 * Cuts skb at len: what is behind goes to skb1, a new empty sk_buff with room for the linear bytes among it. Both are
 * the caller's and not cloned; truesize is the caller's business.
 */
export function skbSplit(skb: SkBuff, skb1: SkBuff, len: number): void {
  const headlen = skb.len - skb.dataLen;
  const uarg = skb.shinfo.uarg;
  if (uarg !== null && skb1.shinfo.uarg === null) {
    uarg.refcnt++;
    skb1.shinfo.uarg = uarg;
  }
  if (len < headlen) splitInsideHeader(skb, skb1, len, headlen);
  else splitNoHeader(skb, skb1, len, headlen);
}

/** The cut is in the linear area: its rest is copied, all fragments move. */
function splitInsideHeader(skb: SkBuff, skb1: SkBuff, len: number, headlen: number): void {
  const n = headlen - len;
  memcpyView(skb1.buf, skb1.view, __skbPut(skb1, n), skb.buf, skb.view, skb.data + len, n);
  const from = skb.shinfo;
  const to = skb1.shinfo;
  for (let i = 0; i < from.nrFrags; i++) {
    skbFragCopy(to.frags[i]!, from.frags[i]!);
    from.frags[i]!.page = null;
  }
  to.nrFrags = from.nrFrags;
  from.nrFrags = 0;
  skb1.dataLen = skb.dataLen;
  skb1.len += skb1.dataLen;
  skb.dataLen = 0;
  skb.len = len;
  skb.tail = skb.data + len;
}

/** The cut is in or between fragments: those behind move, the one that is cut is shared. */
function splitNoHeader(skb: SkBuff, skb1: SkBuff, len: number, headlen: number): void {
  const from = skb.shinfo;
  const to = skb1.shinfo;
  const nrFrags = from.nrFrags;
  let pos = headlen;
  let k = 0;
  let kept = 0;
  for (let i = 0; i < nrFrags; i++) {
    const frag = from.frags[i]!;
    const end = pos + frag.size;
    if (end <= len) {
      kept++;
    } else {
      const target = to.frags[k++]!;
      skbFragCopy(target, frag);
      if (pos < len) {
        getPage(frag.page!);
        target.offset += len - pos;
        target.size -= len - pos;
        frag.size = len - pos;
        kept++;
      } else {
        frag.page = null;
      }
    }
    pos = end;
  }
  from.nrFrags = kept;
  to.nrFrags = k;
  skb1.len = skb1.dataLen = skb.len - len;
  skb.len = len;
  skb.dataLen = len - headlen;
}

/**
 * Moves the first shiftlen bytes of skb, which lies in fragments alone, to the end of tgt. Returns the bytes moved:
 * shiftlen, or 0 with nothing changed when fragments would run out, something is cloned, or shares user memory. truesize is the caller's business.
 */
export function skbShift(tgt: SkBuff, skb: SkBuff, shiftlen: number): number {
  if (shiftlen <= 0 || shiftlen > skb.len || skb.len !== skb.dataLen) return 0;
  if (skbCloned(tgt) || skbCloned(skb) || tgt.shinfo.fragList !== null || skb.shinfo.fragList !== null) return 0;
  if (tgt.shinfo.uarg !== null || skb.shinfo.uarg !== null) return 0;
  if (fragsCovering(skb, shiftlen) + tgt.shinfo.nrFrags > MAX_SKB_FRAGS) return 0;
  let todo = shiftlen;
  let from = 0;
  while (todo > 0) {
    const frag = skb.shinfo.frags[from]!;
    const n = Math.min(todo, frag.size);
    appendFrag(tgt, skb, from, n);
    if (n === frag.size) {
      skbFragUnref(skb, from);
      from++;
    } else {
      frag.offset += n;
      frag.size -= n;
    }
    todo -= n;
  }
  dropFirstFrags(skb, from);
  skb.len -= shiftlen;
  skb.dataLen -= shiftlen;
  tgt.len += shiftlen;
  tgt.dataLen += shiftlen;
  return shiftlen;
}

/** How many fragments the first len bytes touch. */
function fragsCovering(skb: SkBuff, len: number): number {
  const shinfo = skb.shinfo;
  let i = 0;
  for (let pos = 0; pos < len; i++) pos += shinfo.frags[i]!.size;
  return i;
}

/** Adds the first n bytes of skb's fragment i to tgt, as part of its last fragment where they continue it. */
function appendFrag(tgt: SkBuff, skb: SkBuff, i: number, n: number): void {
  const frag = skb.shinfo.frags[i]!;
  const to = tgt.shinfo;
  if (skbCanCoalesce(tgt, to.nrFrags, frag.page!, frag.offset)) {
    to.frags[to.nrFrags - 1]!.size += n;
    return;
  }
  const target = to.frags[to.nrFrags++]!;
  skbFragCopy(target, frag);
  target.size = n;
  getPage(frag.page!);
}

/** Moves fragments down over the first `count`, which are no longer in use. */
function dropFirstFrags(skb: SkBuff, count: number): void {
  if (count === 0) return;
  const shinfo = skb.shinfo;
  for (let i = count; i < shinfo.nrFrags; i++) {
    skbFragCopy(shinfo.frags[i - count]!, shinfo.frags[i]!);
    shinfo.frags[i]!.page = null;
  }
  shinfo.nrFrags -= count;
}

/**
 * Adds the data of `from` to the end of `to`: copied where `to` has tailroom, else as fragments on the same pages.
 * Returns the bytes to add to to's truesize (already added to to.truesize), or -1 with nothing changed. `from` stays
 * the caller's, to be freed. A head that is not headFrag, or has a clone, is not shared. Deviation: the kernel may steal
 * the head of `from`; here a page is shared instead, so that `from` is freed as always.
 */
export function skbTryCoalesce(to: SkBuff, from: SkBuff): number {
  if (skbCloned(to)) return -1;
  const len = from.len;
  if (to.dataLen === 0 && len <= to.end - to.tail) {
    if (len !== 0) skbCopyBits(from, 0, to.buf, __skbPut(to, len), len);
    return 0;
  }
  const target = to.shinfo;
  const source = from.shinfo;
  if (target.fragList !== null || source.fragList !== null) return -1;
  const headlen = from.len - from.dataLen;
  if (headlen !== 0 && (!from.headFrag || skbCloned(from))) return -1;
  if (target.nrFrags + source.nrFrags + (headlen !== 0 ? 1 : 0) > MAX_SKB_FRAGS) return -1;
  let delta = from.truesize - SKB_OVERHEAD;
  if (headlen !== 0) {
    const head = target.frags[target.nrFrags++]!;
    head.page = source.page;
    head.offset = from.data;
    head.size = headlen;
    getPage(source.page);
  } else {
    // Its owner may have charged less than the head is.
    delta = Math.max(delta - source.page.size, len);
  }
  for (let i = 0; i < source.nrFrags; i++) {
    skbFragCopy(target.frags[target.nrFrags++]!, source.frags[i]!);
    getPage(source.frags[i]!.page!);
  }
  to.len += len;
  to.dataLen += len;
  to.truesize += delta;
  return delta;
}
