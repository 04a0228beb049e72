// Life and death of a sk_buff (net/core/skbuff.c, allocation).
//
//   allocSkb | buildSkb ... skbGet ... kfreeSkb | kfreeSkbReason | consumeSkb
//     -> (last reference) __kfreeSkb: dst, nfct, destructor
//       -> kfreeSkbmem: the data area when its dataref is 0 (fragments, fragList, slot), then the object
//
// Objects and slots come from the World's pool and go back to it: in steady state nothing is allocated.

import type { Net } from '@stack/kernel';
import { SKB_CONSUMED, SKB_DROP_REASON_NOT_SPECIFIED, worldNextId } from '@stack/kernel';
import { debugPageAdopt, debugSkbAlloc, debugSkbFree, skbUseAfterFree } from './debug.ts';
import { dstRelease } from './dst-ref.ts';
import type { Page, SkbPool } from './page.ts';
import { __allocPage, allocPage, putPage } from './page.ts';
import { skbFillPageDesc } from './frags.ts';
import { MAX_SKB_FRAGS, SKB_DATAREF_SHIFT, SkBuff, SkbSharedInfo } from './sk-buff.ts';

/** What a sk_buff object and its shared info count for in truesize, in bytes (the kernel's 232 and 320, aligned). */
export const SKB_OVERHEAD = 576;

/** Rounds a data area up to a cache line, as alloc_skb does. */
export function SKB_DATA_ALIGN(size: number): number {
  return (size + 63) & ~63;
}

/** truesize of a sk_buff whose data area was asked for with `size` bytes. */
export function SKB_TRUESIZE(size: number): number {
  return SKB_DATA_ALIGN(size) + SKB_OVERHEAD;
}

/**
 * A new sk_buff with a data area of `size` bytes (rounded up to 64): head, data and tail at the start, end at the end,
 * one reference, the caller's. Null when the pool's limit is reached.
 */
export function allocSkb(net: Net, size: number): SkBuff | null {
  const pool = net.world.pool;
  const aligned = SKB_DATA_ALIGN(size);
  const page = __allocPage(pool, aligned);
  if (page === null) return null;
  const skb = takeSkb(pool, net, page);
  setLinear(skb, page, aligned);
  return skb;
}

/**
 * A sk_buff around a page that holds (or will hold) a frame: the reference on the page goes to the sk_buff.
 * head, data and tail are at the page's start. One sk_buff may be built on a page at a time.
 */
export function buildSkb(net: Net, page: Page): SkBuff {
  if (page.pool.debug !== null) debugPageAdopt(page);
  const skb = takeSkb(page.pool, net, page);
  setLinear(skb, page, page.size);
  return skb;
}

/**
 * A sk_buff with `headerLen` bytes of linear area and `dataLen` bytes in page fragments, which count in len at once
 * (alloc_skb_with_frags): the caller fills them with skbStoreBits. Null when the pool's limit is reached.
 */
export function allocSkbWithFrags(net: Net, headerLen: number, dataLen: number): SkBuff | null {
  const skb = allocSkb(net, headerLen);
  if (skb === null) return null;
  let left = dataLen;
  for (let i = 0; left > 0; i++) {
    const page = i < MAX_SKB_FRAGS ? allocPage(net) : null;
    if (page === null) {
      consumeSkb(skb);
      return null;
    }
    debugPageAdopt(page);
    const size = Math.min(left, page.size);
    skbFillPageDesc(skb, i, page, page.base, size);
    skb.len += size;
    skb.dataLen += size;
    skb.truesize += page.size;
    left -= size;
  }
  return skb;
}

/** One more reference on the object itself; returns it. */
export function skbGet(skb: SkBuff): SkBuff {
  skb.users++;
  return skb;
}

/** Somebody else holds a reference on this very object. */
export function skbShared(skb: SkBuff): boolean {
  return skb.users !== 1;
}

/** Drops a reference on a packet that is lost for no named reason. Null is allowed. */
export function kfreeSkb(skb: SkBuff | null): void {
  if (skb !== null) kfreeSkbReason(skb, SKB_DROP_REASON_NOT_SPECIFIED);
}

/**
 * Drops a reference on a packet that is lost: counted in net.dropReasons and traced as kfree_skb. `reason`: SKB_DROP_REASON_*; with
 * SKB_CONSUMED it is consumeSkb().
 */
export function kfreeSkbReason(skb: SkBuff, reason: number): void {
  if (skb.users !== 1) {
    if (skb.users < 1) skbUseAfterFree(skb, 'kfree_skb');
    skb.users--;
    return;
  }
  if (reason !== SKB_CONSUMED) {
    const net = skb.net;
    net.dropReasons[reason]!++;
    if (net.trace !== null) net.trace.hit(net, 'kfree_skb', skb);
  }
  __kfreeSkb(skb);
}

/** Drops a reference on a packet that has served its purpose: no drop. Null is allowed. */
export function consumeSkb(skb: SkBuff | null): void {
  if (skb === null) return;
  if (skb.users !== 1) {
    if (skb.users < 1) skbUseAfterFree(skb, 'kfree_skb');
    skb.users--;
    return;
  }
  __kfreeSkb(skb);
}

/** Drops a whole list linked by next (segments, a fragList), as lost for `reason`. */
export function kfreeSkbListReason(list: SkBuff | null, reason: number): void {
  let skb = list;
  while (skb !== null) {
    const next: SkBuff | null = skb.next;
    kfreeSkbReason(skb, reason);
    skb = next;
  }
}

/** Drops a whole list linked by next, without a drop being counted. */
export function consumeSkbList(list: SkBuff | null): void {
  let skb = list;
  while (skb !== null) {
    const next: SkBuff | null = skb.next;
    consumeSkb(skb);
    skb = next;
  }
}

/** Frees what nobody refers to: gives back dst, conntrack and the sock's memory, then the sk_buff's own. Trusts its caller. */
export function __kfreeSkb(skb: SkBuff): void {
  skbReleaseHeadState(skb);
  kfreeSkbmem(skb);
}

/** Gives back what a sk_buff refers to outside its data: dst, conntrack reference, the destructor's account. */
export function skbReleaseHeadState(skb: SkBuff): void {
  const dst = skb.dst;
  if (dst !== null) {
    skb.dst = null;
    dstRelease(dst);
  }
  const destructor = skb.destructor;
  if (destructor !== null) {
    skb.destructor = null;
    destructor(skb);
  }
  if (skb.nfct !== null) nfReset(skb);
}

/** Runs the destructor now: the sk_buff no longer belongs to its sock (skb_orphan). */
export function skbOrphan(skb: SkBuff): void {
  const destructor = skb.destructor;
  if (destructor === null) return;
  skb.destructor = null;
  destructor(skb);
  skb.sk = null;
}

/** Drops the conntrack reference (nf_reset_ct). */
export function nfReset(skb: SkBuff): void {
  const nfct = skb.nfct;
  if (nfct === null) return;
  skb.nfct = null;
  skb.nfctinfo = 0;
  if (--nfct.use === 0) nfct.ops.destroy(nfct);
}

/** Returns the memory: the data area when no clone uses it any more, and the object. */
export function kfreeSkbmem(skb: SkBuff): void {
  skbReleaseData(skb, skb.shinfo);
  freeSkbObject(skb);
}

/** Drops this sk_buff's reference on its data area; the last one frees fragments, fragList and slot. */
export function skbReleaseData(skb: SkBuff, shinfo: SkbSharedInfo): void {
  if (skb.cloned) {
    shinfo.dataref -= skb.nohdr ? (1 << SKB_DATAREF_SHIFT) + 1 : 1;
    if (shinfo.dataref !== 0) return;
  }
  shinfo.dataref = 0;
  for (let i = 0; i < shinfo.nrFrags; i++) {
    const frag = shinfo.frags[i]!;
    putPage(frag.page!);
    frag.page = null;
  }
  shinfo.nrFrags = 0;
  if (shinfo.fragList !== null) {
    const list = shinfo.fragList;
    shinfo.fragList = null;
    consumeSkbList(list);
  }
  if (shinfo.uarg !== null) skbZcopyClear(shinfo, true);
  putPage(shinfo.page);
}

/** Drops the shared info's reference on its zero-copy notification; the last one completes it. */
export function skbZcopyClear(shinfo: SkbSharedInfo, success: boolean): void {
  const uarg = shinfo.uarg;
  if (uarg === null) return;
  shinfo.uarg = null;
  if (--uarg.refcnt === 0) uarg.ops.complete(uarg, success);
}

/** Sets up the linear area on a page. */
function setLinear(skb: SkBuff, page: Page, size: number): void {
  const base = page.base;
  skb.buf = page.buf;
  skb.view = page.view;
  skb.head = base;
  skb.data = base;
  skb.tail = base;
  skb.end = base + size;
  skb.truesize = page.size + SKB_OVERHEAD;
}

/** The shared info of a page that becomes a linear area, reset. */
export function takeSharedInfo(page: Page): SkbSharedInfo {
  let shinfo = page.shinfo;
  if (shinfo === null) {
    shinfo = new SkbSharedInfo(page);
    page.shinfo = shinfo;
  } else if (shinfo.dataref !== 0) {
    throw new Error(`page ${page.no} is the data area of a sk_buff already`);
  }
  shinfo.dataref = 1;
  shinfo.gsoSize = 0;
  shinfo.gsoSegs = 0;
  shinfo.gsoType = 0;
  shinfo.txFlags = 0;
  shinfo.tskey = 0;
  return shinfo;
}

/** An object from the pool for a data area on `page`, all fields at their start values but those of the linear area. */
export function takeSkb(pool: SkbPool, net: Net, page: Page): SkBuff {
  const shinfo = takeSharedInfo(page);
  const skb = takeSkbObject(pool, net, page, shinfo);
  skb.len = 0;
  skb.dataLen = 0;
  skb.macHeader = -1;
  skb.networkHeader = -1;
  skb.transportHeader = -1;
  skb.macLen = 0;
  skb.encapsulation = false;
  skb.nfctinfo = 0;
  skb.mark = 0;
  skb.protocol = 0;
  skb.pktType = 0;
  skb.ipSummed = 0;
  skb.csum = 0;
  skb.csumStart = 0;
  skb.csumOffset = 0;
  skb.csumLevel = 0;
  skb.priority = 0;
  skb.hash = 0;
  skb.queueMapping = 0;
  skb.vlanTci = 0;
  skb.vlanProto = 0;
  skb.skbIif = 0;
  skb.tstamp = 0;
  skb.cloned = false;
  skb.nohdr = false;
  skb.headFrag = true;
  skb.peeked = false;
  skb.cb0 = 0;
  skb.cb1 = 0;
  skb.cb2 = 0;
  skb.cb3 = 0;
  skb.cb4 = 0;
  skb.cb5 = 0;
  skb.cb6 = 0;
  skb.cb7 = 0;
  skb.cb8 = 0;
  skb.cb9 = 0;
  skb.cb10 = 0;
  skb.cb11 = 0;
  return skb;
}

/** An object from the pool with one reference and a number; references are null, other fields are as they were left. */
export function takeSkbObject(pool: SkbPool, net: Net, page: Page, shinfo: SkbSharedInfo): SkBuff {
  let skb = pool.freeSkbs;
  if (skb === null) {
    skb = new SkBuff(net, page, shinfo);
  } else {
    pool.freeSkbs = skb.next;
    skb.next = null;
    skb.net = net;
    skb.shinfo = shinfo;
  }
  skb.users = 1;
  skb.id = worldNextId(pool.world);
  pool.nrSkbs++;
  if (pool.debug !== null) debugSkbAlloc(skb, pool.debug);
  return skb;
}

/** Puts an object back: its references are dropped so that nothing is kept alive by a free sk_buff. */
function freeSkbObject(skb: SkBuff): void {
  const pool = skb.net.world.pool;
  pool.nrSkbs--;
  skb.users = 0;
  skb.prev = null;
  skb.list = null;
  skb.left = null;
  skb.right = null;
  skb.parent = null;
  skb.red = false;
  skb.sk = null;
  skb.dev = null;
  if (pool.debug !== null) {
    debugSkbFree(skb, pool.debug);
    return;
  }
  skb.next = pool.freeSkbs;
  pool.freeSkbs = skb;
}
