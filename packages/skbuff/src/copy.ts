// Clones, copies, and headers that may be written (net/core/skbuff.c).
//
//   skbClone          shares the whole data area: dataref + 1          write to neither
//   pskbCopy          own linear area, shared fragments                write the headers
//   skbCopy           own data, all of it linear                       write anything
//   pskbExpandHead    the same sk_buff with a new linear area          write the headers, more room
//   skbCow, skbCowHead, skbUnclone, skbEnsureWritable: pskbExpandHead where it is needed

import { ENOMEM } from '@stack/kernel';
import { SKB_DATA_ALIGN, allocSkb, consumeSkb, skbGet, skbReleaseData, skbShared, takeSharedInfo, takeSkbObject } from './alloc.ts';
import { skbCopyBits } from './bits.ts';
import { skbUseAfterFree } from './debug.ts';
import { __skbPut, __skbReserve } from './data.ts';
import { skbFragCopy } from './frags.ts';
import { memcpyView } from './memcpy.ts';
import { __allocPage, getPage, putPage } from './page.ts';
import { skbDstCopy } from './dst.ts';
import { CHECKSUM_PARTIAL, SKB_DATAREF_MASK, SKB_DATAREF_SHIFT } from './sk-buff.ts';
import type { SkBuff, SkbSharedInfo } from './sk-buff.ts';

/** Extra headroom that skbCow makes at least, in bytes. */
const NET_SKB_PAD = 64;

/** Another sk_buff uses the same data area. */
export function skbCloned(skb: SkBuff): boolean {
  return skb.cloned && (skb.shinfo.dataref & SKB_DATAREF_MASK) !== 1;
}

/** Another sk_buff uses the headers of the same data area. */
export function skbHeaderCloned(skb: SkBuff): boolean {
  if (!skb.cloned) return false;
  const dataref = skb.shinfo.dataref;
  return (dataref & SKB_DATAREF_MASK) - (dataref >> SKB_DATAREF_SHIFT) !== 1;
}

/** __skbHeaderRelease of a packet that may be cloned already, once. Throws when it has given them up before. */
export function skbHeaderRelease(skb: SkBuff): void {
  if (skb.nohdr) throw new Error(`skb_header_release: sk_buff ${skb.id} has given up its headers already`);
  skb.nohdr = true;
  skb.shinfo.dataref += 1 << SKB_DATAREF_SHIFT;
}

/** Gives up the headers: from now on this sk_buff (not cloned yet) refers to the payload only, and a clone owns the headroom. */
export function __skbHeaderRelease(skb: SkBuff): void {
  skb.nohdr = true;
  skb.shinfo.dataref = 1 + (1 << SKB_DATAREF_SHIFT);
}

/** A new sk_buff that shares the data area, with one reference, the caller's; no queue, no sock. Null when objects are exhausted: never today. */
export function skbClone(skb: SkBuff): SkBuff | null {
  if (skb.users < 1) skbUseAfterFree(skb, 'skb_clone');
  const shinfo = skb.shinfo;
  const n = takeSkbObject(skb.net.world.pool, skb.net, shinfo.page, shinfo);
  copySkbHeader(n, skb);
  n.buf = skb.buf;
  n.view = skb.view;
  n.head = skb.head;
  n.data = skb.data;
  n.tail = skb.tail;
  n.end = skb.end;
  n.len = skb.len;
  n.dataLen = skb.dataLen;
  n.truesize = skb.truesize;
  n.macHeader = skb.macHeader;
  n.networkHeader = skb.networkHeader;
  n.transportHeader = skb.transportHeader;
  n.nohdr = false;
  n.headFrag = skb.headFrag;
  n.cloned = true;
  skb.cloned = true;
  shinfo.dataref++;
  return n;
}

/** A new sk_buff with all of the packet in a linear area of its own. `skb` stays the caller's. Null when the pool's limit is reached. */
export function skbCopy(skb: SkBuff): SkBuff | null {
  return skbCopyExpand(skb, skb.data - skb.head, skb.end - skb.tail);
}

/** skbCopy with that much headroom and tailroom, in bytes; what is in the headroom is copied as far as it fits. */
export function skbCopyExpand(skb: SkBuff, headroom: number, tailroom: number): SkBuff | null {
  const n = allocSkb(skb.net, headroom + skb.len + tailroom);
  if (n === null) return null;
  __skbReserve(n, headroom);
  __skbPut(n, skb.len);
  const front = Math.min(headroom, skb.data - skb.head);
  skbCopyBits(skb, -front, n.buf, n.data - front, front + skb.len);
  copySkbHeader(n, skb);
  copySkbOffsets(n, skb);
  copyGso(n.shinfo, skb.shinfo);
  n.cloned = false;
  n.nohdr = false;
  return n;
}

/** A new sk_buff with a linear area of its own and the same fragments. Null when the pool's limit is reached. */
export function pskbCopy(skb: SkBuff, headroom: number = skb.data - skb.head): SkBuff | null {
  const headlen = skb.len - skb.dataLen;
  const n = allocSkb(skb.net, headroom + headlen + (skb.end - skb.tail));
  if (n === null) return null;
  __skbReserve(n, headroom);
  __skbPut(n, headlen);
  const front = Math.min(headroom, skb.data - skb.head);
  memcpyView(n.buf, n.view, n.data - front, skb.buf, skb.view, skb.data - front, front + headlen);
  shareFrags(n.shinfo, skb.shinfo);
  n.truesize += skb.dataLen;
  n.len = skb.len;
  n.dataLen = skb.dataLen;
  copySkbHeader(n, skb);
  copySkbOffsets(n, skb);
  copyGso(n.shinfo, skb.shinfo);
  n.cloned = false;
  n.nohdr = false;
  return n;
}

/**
 * Gives a sk_buff that nobody else refers to a new linear area with nhead more bytes of headroom and ntail more of
 * tailroom; header offsets move with it. 0, or -ENOMEM with nothing changed. truesize follows unless a destructor has
 * it in its account.
 */
export function pskbExpandHead(skb: SkBuff, nhead: number, ntail: number): number {
  if (nhead < 0 || skbShared(skb)) throw new Error(`pskb_expand_head: nhead ${nhead}, users ${skb.users}`);
  const old = skb.shinfo;
  const size = SKB_DATA_ALIGN(nhead + (skb.end - skb.head) + ntail);
  const page = __allocPage(old.page.pool, size);
  if (page === null) return -ENOMEM;
  const shinfo = takeSharedInfo(page);
  memcpyView(page.buf, page.view, page.base + nhead, skb.buf, skb.view, skb.head, skb.tail - skb.head);
  copyGso(shinfo, old);
  if (skb.destructor === null) skb.truesize += page.size - old.page.size;
  if (skbCloned(skb)) {
    shareFrags(shinfo, old);
    skbReleaseData(skb, old);
  } else {
    moveFrags(shinfo, old);
    old.dataref = 0;
    putPage(old.page);
  }
  moveOffsets(skb, page.base + nhead - skb.head);
  skb.buf = page.buf;
  skb.view = page.view;
  skb.shinfo = shinfo;
  skb.head = page.base;
  skb.end = page.base + size;
  if (skb.ipSummed === CHECKSUM_PARTIAL) skb.csumStart += nhead;
  skb.cloned = false;
  skb.nohdr = false;
  return 0;
}

/** A private linear area if the packet is cloned. 0 or -ENOMEM. */
export function skbUnclone(skb: SkBuff): number {
  return skbCloned(skb) ? pskbExpandHead(skb, 0, 0) : 0;
}

/** skbUnclone that leaves truesize as it is, for packets in somebody's account. 0 or -ENOMEM. */
export function skbUncloneKeeptruesize(skb: SkBuff): number {
  if (!skbCloned(skb)) return 0;
  const truesize = skb.truesize;
  const err = pskbExpandHead(skb, 0, 0);
  skb.truesize = truesize;
  return err;
}

/** Makes sure of `headroom` bytes in front, and that all of the linear area may be written. 0 or -ENOMEM. */
export function skbCow(skb: SkBuff, headroom: number): number {
  return __skbCow(skb, headroom, skbCloned(skb));
}

/** Makes sure of `headroom` bytes in front, and that headers may be pushed there. 0 or -ENOMEM. */
export function skbCowHead(skb: SkBuff, headroom: number): number {
  return __skbCow(skb, headroom, skbHeaderCloned(skb));
}

/** Makes sure of `headroom`; `cloned`: of a private linear area too. 0 or -ENOMEM. */
export function __skbCow(skb: SkBuff, headroom: number, cloned: boolean): number {
  const have = skb.data - skb.head;
  const delta = headroom > have ? headroom - have : 0;
  if (delta === 0 && !cloned) return 0;
  return pskbExpandHead(skb, (delta + NET_SKB_PAD - 1) & ~(NET_SKB_PAD - 1), 0);
}

/** A sk_buff for the same packet with at least `headroom` bytes in front that may be written: a private copy of the headers. `skb` stays the caller's. */
export function skbReallocHeadroom(skb: SkBuff, headroom: number): SkBuff | null {
  const delta = headroom - (skb.data - skb.head);
  if (delta <= 0) return pskbCopy(skb);
  const n = skbClone(skb);
  if (n === null) return null;
  if (pskbExpandHead(n, SKB_DATA_ALIGN(delta), 0) === 0) return n;
  consumeSkb(n);
  return null;
}

/** A sk_buff that nobody else refers to: `skb` itself, or a clone of it (then the reference on `skb` is dropped). */
export function skbShareCheck(skb: SkBuff): SkBuff | null {
  if (!skbShared(skb)) return skb;
  const n = skbClone(skb);
  consumeSkb(skb);
  return n;
}

/** A sk_buff whose data nobody else uses: `skb` itself, or a copy of it (then the reference on `skb` is dropped). */
export function skbUnshare(skb: SkBuff): SkBuff | null {
  if (!skbCloned(skb)) return skb;
  const n = skbCopy(skb);
  consumeSkb(skb);
  return n;
}

/** Copies all that describes a packet but its data, length and header offsets; takes references on route and connection. */
export function copySkbHeader(n: SkBuff, old: SkBuff): void {
  n.dev = old.dev;
  skbDstCopy(n, old);
  n.nfct = old.nfct;
  n.nfctinfo = old.nfctinfo;
  if (old.nfct !== null) old.nfct.use++;
  n.mark = old.mark;
  n.macLen = old.macLen;
  n.encapsulation = old.encapsulation;
  n.protocol = old.protocol;
  n.pktType = old.pktType;
  n.ipSummed = old.ipSummed;
  n.csum = old.csum;
  n.csumStart = old.csumStart;
  n.csumOffset = old.csumOffset;
  n.csumLevel = old.csumLevel;
  n.priority = old.priority;
  n.hash = old.hash;
  n.queueMapping = old.queueMapping;
  n.vlanTci = old.vlanTci;
  n.vlanProto = old.vlanProto;
  n.skbIif = old.skbIif;
  n.tstamp = old.tstamp;
  n.peeked = false;
  n.cb0 = old.cb0;
  n.cb1 = old.cb1;
  n.cb2 = old.cb2;
  n.cb3 = old.cb3;
  n.cb4 = old.cb4;
  n.cb5 = old.cb5;
  n.cb6 = old.cb6;
  n.cb7 = old.cb7;
  n.cb8 = old.cb8;
  n.cb9 = old.cb9;
  n.cb10 = old.cb10;
  n.cb11 = old.cb11;
}

/** Header offsets of a copy whose data has the same distance to them. */
export function copySkbOffsets(n: SkBuff, old: SkBuff): void {
  const delta = n.data - old.data;
  n.macHeader = old.macHeader < 0 ? -1 : old.macHeader + delta;
  n.networkHeader = old.networkHeader < 0 ? -1 : old.networkHeader + delta;
  n.transportHeader = old.transportHeader < 0 ? -1 : old.transportHeader + delta;
  if (old.ipSummed === CHECKSUM_PARTIAL) n.csumStart = old.csumStart + (n.data - n.head) - (old.data - old.head);
}

function moveOffsets(skb: SkBuff, delta: number): void {
  skb.data += delta;
  skb.tail += delta;
  if (skb.macHeader >= 0) skb.macHeader += delta;
  if (skb.networkHeader >= 0) skb.networkHeader += delta;
  if (skb.transportHeader >= 0) skb.transportHeader += delta;
}

function copyGso(to: SkbSharedInfo, from: SkbSharedInfo): void {
  to.gsoSize = from.gsoSize;
  to.gsoSegs = from.gsoSegs;
  to.gsoType = from.gsoType;
  to.txFlags = from.txFlags;
  to.tskey = from.tskey;
}

/** Gives `to` references on all that `from` has behind its linear area. */
function shareFrags(to: SkbSharedInfo, from: SkbSharedInfo): void {
  to.nrFrags = from.nrFrags;
  for (let i = 0; i < from.nrFrags; i++) {
    skbFragCopy(to.frags[i]!, from.frags[i]!);
    getPage(from.frags[i]!.page!);
  }
  to.fragList = from.fragList;
  for (let list = from.fragList; list !== null; list = list.next) skbGet(list);
  to.uarg = from.uarg;
  if (from.uarg !== null) from.uarg.refcnt++;
}

/** Moves all that `from` has behind its linear area to `to`. */
function moveFrags(to: SkbSharedInfo, from: SkbSharedInfo): void {
  to.nrFrags = from.nrFrags;
  for (let i = 0; i < from.nrFrags; i++) {
    skbFragCopy(to.frags[i]!, from.frags[i]!);
    from.frags[i]!.page = null;
  }
  from.nrFrags = 0;
  to.fragList = from.fragList;
  from.fragList = null;
  to.uarg = from.uarg;
  from.uarg = null;
}
