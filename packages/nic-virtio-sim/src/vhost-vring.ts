// The device's half of a split virtqueue.
//
// vhostGetVqDesc() takes the next available chain and resolves its addresses to memory; vhostAddUsed() returns it;
// vhostSignal() interrupts the driver if it wants that. A driver is not trusted: an index, a chain or an address that
// cannot be is reported (VHOST_BAD), and the device asks for a reset.
// Read first: VIRTIO 1.2 §2.7.8, §2.7.13.

import type { SkbPool, Page } from '@stack/skbuff';
import { Iov } from './frame.ts';
import { VHOST_MAX_SEGS } from './vhost-limits.ts';
import { VRING_AVAIL_F_NO_INTERRUPT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE, VRING_USED_F_NO_NOTIFY, vringNeedEvent } from './vring.ts';

/** vhostGetVqDesc: nothing is available. */
export const VHOST_EMPTY = -1;
/** vhostGetVqDesc: the driver has broken the ring. */
export const VHOST_BAD = -2;

/** The device's half of one virtqueue. */
export class VhostVirtqueue {
  pool: SkbPool;
  index: number;
  /** Descriptors; set by the driver, a power of two up to numMax. */
  num: number;
  numMax: number;
  ready: boolean;
  eventIdx: boolean;
  /** Addresses of the three parts, as page number and offset. */
  descPage: number;
  descOff: number;
  availPage: number;
  availOff: number;
  usedPage: number;
  usedOff: number;
  /** Resolved when the queue is made ready. */
  descView: DataView;
  availView: DataView;
  usedView: DataView;
  desc: number;
  avail: number;
  used: number;
  lastAvailIdx: number;
  /** avail.idx as read last. */
  availIdx: number;
  lastUsedIdx: number;
  /** used.idx when the driver was interrupted last. */
  signalledUsed: number;
  notifyDisabled: boolean;
  /** The chain got last: its head and pieces. */
  head: number;
  iov: Iov;
  /** Pieces at the front that the device reads; the rest it writes. */
  nrOut: number;

  constructor(pool: SkbPool, index: number, numMax: number) {
    const nowhere = new DataView(new ArrayBuffer(0));
    this.pool = pool;
    this.index = index;
    this.num = 0;
    this.numMax = numMax;
    this.ready = false;
    this.eventIdx = false;
    this.descPage = 0;
    this.descOff = 0;
    this.availPage = 0;
    this.availOff = 0;
    this.usedPage = 0;
    this.usedOff = 0;
    this.descView = nowhere;
    this.availView = nowhere;
    this.usedView = nowhere;
    this.desc = 0;
    this.avail = 0;
    this.used = 0;
    this.lastAvailIdx = 0;
    this.availIdx = 0;
    this.lastUsedIdx = 0;
    this.signalledUsed = 0;
    this.notifyDisabled = false;
    this.head = 0;
    this.iov = new Iov();
    this.nrOut = 0;
  }
}

/** Forgets everything (device reset). */
export function vhostVringReset(vq: VhostVirtqueue): void {
  vq.num = 0;
  vq.ready = false;
  vq.lastAvailIdx = 0;
  vq.availIdx = 0;
  vq.lastUsedIdx = 0;
  vq.signalledUsed = 0;
  vq.notifyDisabled = false;
}

/** The driver has given all addresses: resolves them. Returns false if they are not memory. */
export function vhostVringStart(vq: VhostVirtqueue, eventIdx: boolean): boolean {
  const num = vq.num;
  if (num === 0 || num > vq.numMax || (num & (num - 1)) !== 0) return false;
  const desc = vhostPage(vq.pool, vq.descPage, vq.descOff, num * 16);
  const avail = vhostPage(vq.pool, vq.availPage, vq.availOff, 6 + 2 * num);
  const used = vhostPage(vq.pool, vq.usedPage, vq.usedOff, 6 + 8 * num);
  if (desc === null || avail === null || used === null) return false;
  vq.descView = desc.view;
  vq.availView = avail.view;
  vq.usedView = used.view;
  vq.desc = desc.base + vq.descOff;
  vq.avail = avail.base + vq.availOff;
  vq.used = used.base + vq.usedOff;
  vq.eventIdx = eventIdx;
  vq.ready = true;
  return true;
}

/** The page with that number, if it holds `len` octets from `off` on; else null. */
function vhostPage(pool: SkbPool, no: number, off: number, len: number): Page | null {
  const page = pool.pages[no] ?? null;
  return page !== null && page.refs > 0 && off >= 0 && off + len <= page.size ? page : null;
}

/**
 * Takes the next available chain: vq.iov and vq.nrOut say what it is. Returns its head, VHOST_EMPTY or VHOST_BAD. It stays the device's until vhostAddUsed(); vhostDiscardVqDesc() gives back
 * what was taken last.
 */
export function vhostGetVqDesc(vq: VhostVirtqueue): number {
  const view = vq.availView;
  const last = vq.lastAvailIdx;
  vq.availIdx = view.getUint16(vq.avail + 2, true);
  const pending = (vq.availIdx - last) & 0xffff;
  if (pending === 0) return VHOST_EMPTY;
  if (pending > vq.num) return VHOST_BAD;
  const head = view.getUint16(vq.avail + 4 + 2 * (last & (vq.num - 1)), true);
  if (!vhostWalkChain(vq, head)) return VHOST_BAD;
  vq.head = head;
  vq.lastAvailIdx = (last + 1) & 0xffff;
  return head;
}

function vhostWalkChain(vq: VhostVirtqueue, head: number): boolean {
  const view = vq.descView;
  const pages = vq.pool.pages;
  const iov = vq.iov;
  let i = head;
  let n = 0;
  let out = 0;
  for (;;) {
    if (i >= vq.num || n >= VHOST_MAX_SEGS) return false;
    const at = vq.desc + i * 16;
    const off = view.getInt32(at, true);
    const no = view.getInt32(at + 4, true);
    const len = view.getInt32(at + 8, true);
    const flags = view.getUint16(at + 12, true);
    const page = no >= 0 && no < pages.length ? pages[no]! : null;
    if (page === null || off < 0 || len <= 0 || off + len > page.size) return false;
    iov.page[n] = page;
    iov.off[n] = page.base + off;
    iov.len[n] = len;
    n++;
    if ((flags & VRING_DESC_F_WRITE) === 0) {
      if (out !== n - 1) return false;
      out = n;
    }
    if ((flags & VRING_DESC_F_NEXT) === 0) break;
    i = view.getUint16(at + 14, true);
  }
  iov.first = 0;
  iov.nr = n;
  vq.nrOut = out;
  return true;
}

/** Gives back the `n` chains taken last: they will be got again. */
export function vhostDiscardVqDesc(vq: VhostVirtqueue, n: number): void {
  vq.lastAvailIdx = (vq.lastAvailIdx - n) & 0xffff;
}

/** Returns the chain to the driver; the device has written `len` octets into it. Not visible before vhostPublishUsed(). */
export function vhostAddUsed(vq: VhostVirtqueue, head: number, len: number): void {
  const view = vq.usedView;
  const at = vq.used + 4 + 8 * (vq.lastUsedIdx & (vq.num - 1));
  view.setUint32(at, head, true);
  view.setUint32(at + 4, len, true);
  vq.lastUsedIdx = (vq.lastUsedIdx + 1) & 0xffff;
}

/** Shows the driver what was added. Returns whether it wants to be interrupted for it. */
export function vhostPublishUsed(vq: VhostVirtqueue): boolean {
  const now = vq.lastUsedIdx;
  vq.usedView.setUint16(vq.used + 2, now, true);
  if (!vq.eventIdx) {
    return (vq.availView.getUint16(vq.avail, true) & VRING_AVAIL_F_NO_INTERRUPT) === 0;
  }
  const old = vq.signalledUsed;
  vq.signalledUsed = now;
  return vringNeedEvent(vq.availView.getUint16(vq.avail + 4 + 2 * vq.num, true), now, old);
}

/** The device will look by itself: no kicks, please. */
export function vhostDisableNotify(vq: VhostVirtqueue): void {
  if (vq.notifyDisabled) return;
  vq.notifyDisabled = true;
  if (!vq.eventIdx) vq.usedView.setUint16(vq.used, VRING_USED_F_NO_NOTIFY, true);
}

/** The device waits for a kick, for buffers beyond those it has seen. Returns true if there are some already: look again. */
export function vhostEnableNotify(vq: VhostVirtqueue): boolean {
  vq.notifyDisabled = false;
  if (vq.eventIdx) vq.usedView.setUint16(vq.used + 4 + 8 * vq.num, vq.availIdx, true);
  else vq.usedView.setUint16(vq.used, 0, true);
  return vq.availView.getUint16(vq.avail + 2, true) !== vq.availIdx;
}
