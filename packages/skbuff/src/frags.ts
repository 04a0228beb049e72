// Page fragments behind the linear area (include/linux/skbuff.h, skb_frag_t).
//
// A fragment holds one reference on its page; skbReleaseData drops it. Fragments are filled in order, and nrFrags says
// how many are in use.

import { getPage, putPage } from './page.ts';
import type { Page } from './page.ts';
import type { SkBuff, SkbFrag } from './sk-buff.ts';
import { MAX_SKB_FRAGS } from './sk-buff.ts';

/** Fills fragment i: `size` bytes at `offset` in page.buf. Takes over the caller's reference on the page; len is untouched. */
export function __skbFillPageDesc(skb: SkBuff, i: number, page: Page, offset: number, size: number): void {
  const frag = skb.shinfo.frags[i]!;
  frag.page = page;
  frag.offset = offset;
  frag.size = size;
}

/** __skbFillPageDesc, and i becomes the last fragment. Throws past MAX_SKB_FRAGS. */
export function skbFillPageDesc(skb: SkBuff, i: number, page: Page, offset: number, size: number): void {
  if (i >= MAX_SKB_FRAGS) throw new Error(`skb_fill_page_desc: fragment ${i} of ${MAX_SKB_FRAGS}`);
  __skbFillPageDesc(skb, i, page, offset, size);
  skb.shinfo.nrFrags = i + 1;
}

/** Adds received bytes as fragment i: counts them in len, dataLen, and `truesize` in truesize. Takes over the reference on the page. */
export function skbAddRxFrag(skb: SkBuff, i: number, page: Page, offset: number, size: number, truesize: number): void {
  skbFillPageDesc(skb, i, page, offset, size);
  skb.len += size;
  skb.dataLen += size;
  skb.truesize += truesize;
}

/** The bytes at `offset` in the page continue the last fragment, so that it can be made longer. */
export function skbCanCoalesce(skb: SkBuff, i: number, page: Page, offset: number): boolean {
  if (i === 0) return false;
  const frag = skb.shinfo.frags[i - 1]!;
  return frag.page === page && frag.offset + frag.size === offset;
}

/** Makes fragment i longer by size bytes that follow it in its page, and drops the caller's extra reference on the page. */
export function skbCoalesceRxFrag(skb: SkBuff, i: number, size: number, truesize: number): void {
  const frag = skb.shinfo.frags[i]!;
  putPage(frag.page!);
  frag.size += size;
  skb.len += size;
  skb.dataLen += size;
  skb.truesize += truesize;
}

/** One more reference on fragment i's page. */
export function skbFragRef(skb: SkBuff, i: number): void {
  getPage(skb.shinfo.frags[i]!.page!);
}

/** Drops the reference on fragment i's page. */
export function skbFragUnref(skb: SkBuff, i: number): void {
  const frag = skb.shinfo.frags[i]!;
  putPage(frag.page!);
  frag.page = null;
}

/** Copies a fragment's description; references are the caller's business. */
export function skbFragCopy(to: SkbFrag, from: SkbFrag): void {
  to.page = from.page;
  to.offset = from.offset;
  to.size = from.size;
}

/** Bytes of linear area and fragments, without fragList. */
export function skbPagelen(skb: SkBuff): number {
  const shinfo = skb.shinfo;
  let len = skb.len - skb.dataLen;
  for (let i = 0; i < shinfo.nrFrags; i++) len += shinfo.frags[i]!.size;
  return len;
}
