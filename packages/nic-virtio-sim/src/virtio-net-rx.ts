// The virtio-net driver, receiving.
//
// tryFillRecv() gives the device pages; it writes header and frame into them and interrupts; virtnetPoll() builds an sk_buff
// around the page (no copy) and hands it up. A frame that took several pages (mergeable buffers) has the others as fragments.
// Pages are as large as the frames of late (a running average), up to 16 KiB, and what a frame leaves empty of its last page is given back:
// what it counts for in receive buffers (truesize) is at most about twice its length.
// Read first: VIRTIO 1.2 §5.1.6.3, §5.1.6.4.

import {
  SKB_DROP_REASON_DEV_HDR, SKB_DROP_REASON_HDR_TRUNC, SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_PKT_TOO_SMALL, modTimer,
} from '@stack/kernel';
import { ETH_HLEN, ethTypeTrans, napiCompleteDone, napiGroReceive, napiSchedule } from '@stack/netdev';
import type { NapiStruct } from '@stack/netdev';
import {
  CHECKSUM_NONE, MAX_SKB_FRAGS, PAGE_CLASS_SIZES, __skbPut, __skbReserve, allocPage, allocSkb, buildSkb, consumeSkb,
  kfreeSkbReason, memcpy, putPage, skbAddRxFrag, type Page, type SkBuff,
} from '@stack/skbuff';
import { VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_LEN, VNET_FLAGS, VNET_GSO_TYPE, VNET_NUM_BUFFERS, virtioNetHdrToSkb } from './virtio-net-hdr.ts';
import { virtnetPriv, type VirtnetInfo } from './virtio-net-priv.ts';
import { freeOldXmit } from './virtio-net-tx.ts';
import {
  VIRTQUEUE_IN, virtqueueAddDesc, virtqueueBegin, virtqueueDisableCb, virtqueueEnableCb, virtqueueEnd, virtqueueGetBuf,
  virtqueueKick, type Virtqueue,
} from './virtio-ring.ts';

/** In front of what the device writes: with the virtio header behind it, headroom for a forwarded packet's headers. */
export const VIRTNET_RX_PAD = 64;
/** Room for what virtnetPoll takes off before the frame. */
const RX_HEADROOM = VIRTNET_RX_PAD + VIRTIO_NET_HDR_LEN;
/** Octets of pages that the device is given at most, while it has at least RX_POSTED_MIN of them. */
const RX_POSTED_BYTES = 1 << 20;
const RX_POSTED_MIN = 16;
/** Octets of the largest pages that the device is given, if it can spread a frame over several. */
const RX_PAGE_MAX = 16384;
/** Jiffies until memory for buffers is tried for again. */
const REFILL_DELAY = 500;

/** The device has used receive buffers (interrupt): poll, and no more interrupts until done. */
export function skbRecvDone(vi: VirtnetInfo): void {
  virtqueueDisableCb(vi.rvq!);
  napiSchedule(vi.napi);
}

/** The card's poll (the chapter's dev->poll). */
export function virtnetPoll(napi: NapiStruct, budget: number): number {
  const dev = napi.dev;
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'virtnet_poll', null);
  const vi = virtnetPriv(dev);
  const vq = vi.rvq!;
  freeOldXmit(vi.svq!);
  let received = 0;
  while (received < budget) {
    const page = virtqueueGetBuf(vq);
    if (page === null) break;
    vi.rxPosted -= page.size;
    received++;
    receiveBuf(vi, vq, page, vq.usedLen);
    // The interface may have been taken down by what it received.
    if (vi.rvq !== vq) return received;
  }
  if (vq.numFree > vq.num >> 1 || received < budget) tryFillRecv(vi);
  if (received < budget && napiCompleteDone(napi, received) && !virtqueueEnableCb(vq)) {
    virtqueueDisableCb(vq);
    napiSchedule(napi);
  }
  return received;
}

/** Gives the device pages until the queue is full or enough is given. Returns false if there was no memory. */
export function tryFillRecv(vi: VirtnetInfo): boolean {
  const vq = vi.rvq!;
  const net = vi.dev.net;
  const size = vi.rxPageSize;
  let oom = false;
  while (vq.numFree > 0 && (vi.rxPosted + size <= RX_POSTED_BYTES || vq.num - vq.numFree < RX_POSTED_MIN)) {
    const page = allocPage(net, size);
    if (page === null) {
      oom = true;
      break;
    }
    virtqueueBegin(vq);
    virtqueueAddDesc(vq, page, page.base + VIRTNET_RX_PAD, page.size - VIRTNET_RX_PAD, VIRTQUEUE_IN);
    virtqueueEnd(vq, page);
    vi.rxPosted += page.size;
  }
  if (vq.numAdded > 0) virtqueueKick(vq);
  if (oom) modTimer(vi.refill, (net.world.jiffies + REFILL_DELAY) | 0);
  return !oom;
}

/** One received frame: `len` octets, header included, in `page` (and the pages after it). */
function receiveBuf(vi: VirtnetInfo, vq: Virtqueue<Page>, page: Page, len: number): void {
  const dev = vi.dev;
  const stats = dev.stats;
  const hdr = page.base + VIRTNET_RX_PAD;
  const numBuffers = vi.mergeable ? page.view.getUint16(hdr + VNET_NUM_BUFFERS, true) : 1;
  if (len < VIRTIO_NET_HDR_LEN + ETH_HLEN || len > page.size - VIRTNET_RX_PAD) {
    stats.rxErrors++;
    stats.rxLengthErrors++;
    if (len >= VIRTIO_NET_HDR_LEN && numBuffers > 1) drainMerge(vi, vq, numBuffers - 1);
    dropPage(vi, page, SKB_DROP_REASON_PKT_TOO_SMALL);
    return;
  }
  const built = buildSkb(dev.net, page);
  __skbReserve(built, RX_HEADROOM);
  __skbPut(built, len - VIRTIO_NET_HDR_LEN);
  const whole = numBuffers > 1 ? receiveMerge(vi, vq, built, numBuffers - 1) : built;
  if (whole === null) return;
  averageAdd(vi, whole.len);
  const single = page.view.getUint8(hdr + VNET_GSO_TYPE) === VIRTIO_NET_HDR_GSO_NONE;
  const skb = numBuffers === 1 ? copyBreak(vi, whole) : whole;
  const wrong = single && page.view.getUint8(hdr + VNET_FLAGS) === 0 ? noOffload(skb) : !virtioNetHdrToSkb(skb, page.view, hdr);
  if (skb !== whole) consumeSkb(whole);
  if (wrong) {
    stats.rxErrors++;
    stats.rxFrameErrors++;
    kfreeSkbReason(skb, SKB_DROP_REASON_DEV_HDR);
    return;
  }
  stats.rxPackets++;
  stats.rxBytes += skb.len;
  skb.protocol = ethTypeTrans(skb, dev);
  napiGroReceive(vi.napi, skb);
}

/** The header says nothing of the frame: its checksum is the stack's to verify. */
function noOffload(skb: SkBuff): false {
  skb.ipSummed = CHECKSUM_NONE;
  return false;
}

/** A page that holds no frame: counted as a dropped packet. */
function dropPage(vi: VirtnetInfo, page: Page, reason: number): void {
  const skb = buildSkb(vi.dev.net, page);
  skb.dev = vi.dev;
  kfreeSkbReason(skb, reason);
}

/** Takes `more` pages off the queue and hangs them on `skb`. Returns null, everything freed and counted, if they are not there. */
function receiveMerge(vi: VirtnetInfo, vq: Virtqueue<Page>, skb: SkBuff, more: number): SkBuff | null {
  let to = skb;
  for (let left = more; left > 0; left--) {
    const page = virtqueueGetBuf(vq);
    if (page === null) {
      vi.dev.stats.rxErrors++;
      vi.dev.stats.rxLengthErrors++;
      kfreeSkbReason(skb, SKB_DROP_REASON_HDR_TRUNC);
      return null;
    }
    vi.rxPosted -= page.size;
    const len = Math.min(vq.usedLen, page.size - VIRTNET_RX_PAD);
    if (to.shinfo.nrFrags === MAX_SKB_FRAGS) {
      const next = allocSkb(vi.dev.net, 0);
      if (next === null) {
        putPage(page);
        drainMerge(vi, vq, left - 1);
        kfreeSkbReason(skb, SKB_DROP_REASON_NOMEM);
        return null;
      }
      if (to === skb) skb.shinfo.fragList = next;
      else to.next = next;
      skb.truesize += next.truesize;
      to = next;
    }
    const frag = copyBreakPage(vi, page, len);
    page.pool.debug?.pages.delete(frag);
    skbAddRxFrag(to, to.shinfo.nrFrags, frag, frag === page ? page.base + VIRTNET_RX_PAD : frag.base, len, frag.size);
    if (to !== skb) {
      skb.len += len;
      skb.dataLen += len;
      skb.truesize += frag.size;
    }
  }
  return skb;
}

/** Frees `n` pages of a frame that was given up. */
function drainMerge(vi: VirtnetInfo, vq: Virtqueue<Page>, n: number): void {
  for (let i = 0; i < n; i++) {
    const page = virtqueueGetBuf(vq);
    if (page === null) return;
    vi.rxPosted -= page.size;
    putPage(page);
  }
}

/** Octets of the smallest slot of the pool that holds `len`. */
function slotFor(len: number): number {
  let i = 0;
  while (PAGE_CLASS_SIZES[i]! < len) i++;
  return PAGE_CLASS_SIZES[i]!;
}

/** A small frame in a large page: a copy in a smaller one, so that it does not occupy what it does not use; else, or without memory, skb. */
function copyBreak(vi: VirtnetInfo, skb: SkBuff): SkBuff {
  const len = RX_HEADROOM + skb.len;
  if (slotFor(len) >= skb.shinfo.page.size) return skb;
  const small = allocSkb(vi.dev.net, len);
  if (small === null) return skb;
  __skbReserve(small, RX_HEADROOM);
  const at = __skbPut(small, skb.len);
  memcpy(small.buf, at, skb.buf, skb.data, skb.len);
  return small;
}

/** `len` received octets that leave much of their page empty: a smaller one with a copy of them, in the place of `page`; else, or without memory, page. */
function copyBreakPage(vi: VirtnetInfo, page: Page, len: number): Page {
  const size = slotFor(len);
  const small = size < page.size ? allocPage(vi.dev.net, size) : null;
  if (small === null) return page;
  memcpy(small.buf, small.base, page.buf, page.base + VIRTNET_RX_PAD, len);
  putPage(page);
  return small;
}

/** Chooses the size of the pages to come from the lengths received. */
function averageAdd(vi: VirtnetInfo, len: number): void {
  if (!vi.mergeable) return;
  vi.rxAverage += (len - vi.rxAverage) >> 3;
  vi.rxPageSize = slotFor(Math.min(vi.rxAverage + RX_HEADROOM, RX_PAGE_MAX));
}
