// The driver's half of a split virtqueue.
//
// Adding a buffer: virtqueueBegin(), virtqueueAddDesc() for each piece, virtqueueEnd(); then virtqueueKick(). Getting it
// back: virtqueueGetBuf(), virtqueueDetachUnused() when the device has been reset. What the device may have spoilt is never
// trusted: chains are followed in `descNext`, which only the driver has, and every id is checked.
// Read first: VIRTIO 1.2 §2.7.13 (supplying), §2.7.14 (receiving), §2.7.7 and §2.7.10 (notification suppression).

import { allocPage, putPage, type Page } from '@stack/skbuff';
import type { Net } from '@stack/kernel';
import { virtioWrite32, type VirtioBus } from './virtio-bus.ts';
import { VIRTIO_MMIO_QUEUE_NOTIFY } from './virtio-config.ts';
import {
  VRING_AVAIL_F_NO_INTERRUPT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE, VRING_USED_F_NO_NOTIFY, vringAvailOffset, vringNeedEvent,
  vringSize, vringUsedOffset,
} from './vring.ts';

/** The driver's half of one virtqueue; T is what the driver remembers of a buffer. */
export class Virtqueue<T> {
  index: number;
  num: number;
  bus: VirtioBus;
  page: Page;
  view: DataView;
  /** Offsets in view of the three parts. */
  desc: number;
  avail: number;
  used: number;
  eventIdx: boolean;
  /** Head of the list of free descriptors, through descNext. */
  freeHead: number;
  numFree: number;
  /** Buffers made available since the last kick. */
  numAdded: number;
  /** avail.idx, as written last. */
  availIdx: number;
  /** used.idx up to which buffers were taken back. */
  lastUsedIdx: number;
  /** Interrupts are not wanted. */
  cbDisabled: boolean;
  /** Set once the device has shown that it is broken; nothing works from then on. */
  broken: boolean;
  descNext: Uint16Array;
  /** What the driver gave with each chain, by its head. */
  data: (T | null)[];
  /** Chain being made: first and last descriptor. */
  head: number;
  tail: number;
  /** Octets that the device wrote into the buffer got last. */
  usedLen: number;

  constructor(index: number, num: number, bus: VirtioBus, page: Page, eventIdx: boolean) {
    this.index = index;
    this.num = num;
    this.bus = bus;
    this.page = page;
    this.view = page.view;
    this.desc = page.base;
    this.avail = page.base + vringAvailOffset(num);
    this.used = page.base + vringUsedOffset(num);
    this.eventIdx = eventIdx;
    this.freeHead = 0;
    this.numFree = num;
    this.numAdded = 0;
    this.availIdx = 0;
    this.lastUsedIdx = 0;
    this.cbDisabled = false;
    this.broken = false;
    this.descNext = new Uint16Array(num);
    for (let i = 0; i < num; i++) this.descNext[i] = i + 1;
    this.data = new Array<T | null>(num).fill(null);
    this.head = -1;
    this.tail = -1;
    this.usedLen = 0;
  }
}

/** A virtqueue of `num` descriptors in a page of its own. Null if the pool is exhausted. */
export function vringCreateVirtqueue<T>(net: Net, index: number, num: number, bus: VirtioBus, eventIdx: boolean): Virtqueue<T> | null {
  const page = allocPage(net, vringSize(num));
  if (page === null) return null;
  page.buf.fill(0, page.base, page.base + vringSize(num));
  return new Virtqueue<T>(index, num, bus, page, eventIdx);
}

/** Gives the virtqueue's memory back. The device no longer uses it, and nothing is in it. */
export function vringDelVirtqueue<T>(vq: Virtqueue<T>): void {
  putPage(vq.page);
}

/** Begins a buffer. The caller has seen that numFree suffices for its pieces. */
export function virtqueueBegin<T>(vq: Virtqueue<T>): void {
  vq.head = -1;
  vq.tail = -1;
}

/** Adds a piece: `len` octets from `offset` of page.buf on. `flags`: 0, or VRING_DESC_F_WRITE for what the device fills. */
export function virtqueueAddDesc<T>(vq: Virtqueue<T>, page: Page, offset: number, len: number, flags: number): void {
  const i = vq.freeHead;
  const view = vq.view;
  const at = vq.desc + i * 16;
  view.setUint32(at, offset - page.base, true);
  view.setUint32(at + 4, page.no, true);
  view.setUint32(at + 8, len, true);
  view.setUint16(at + 12, flags, true);
  const tail = vq.tail;
  if (tail < 0) {
    vq.head = i;
  } else {
    const last = vq.desc + tail * 16;
    view.setUint16(last + 12, view.getUint16(last + 12, true) | VRING_DESC_F_NEXT, true);
    view.setUint16(last + 14, i, true);
  }
  vq.tail = i;
  vq.freeHead = vq.descNext[i]!;
  vq.numFree--;
}

/** Makes the buffer available to the device; `data` comes back with it. Kick afterwards. */
export function virtqueueEnd<T>(vq: Virtqueue<T>, data: T): void {
  const head = vq.head;
  const view = vq.view;
  vq.descNext[vq.tail] = vq.num;
  vq.data[head] = data;
  view.setUint16(vq.avail + 4 + 2 * (vq.availIdx & (vq.num - 1)), head, true);
  vq.availIdx = (vq.availIdx + 1) & 0xffff;
  vq.numAdded++;
  view.setUint16(vq.avail + 2, vq.availIdx, true);
}

/** Whether the device wants to be kicked for what was added since the last time. */
export function virtqueueKickPrepare<T>(vq: Virtqueue<T>): boolean {
  const now = vq.availIdx;
  const old = (now - vq.numAdded) & 0xffff;
  vq.numAdded = 0;
  if (vq.eventIdx) return vringNeedEvent(vq.view.getUint16(vq.used + 4 + 8 * vq.num, true), now, old);
  return (vq.view.getUint16(vq.used, true) & VRING_USED_F_NO_NOTIFY) === 0;
}

/** Tells the device that buffers are available, if it wants to know. */
export function virtqueueKick<T>(vq: Virtqueue<T>): void {
  if (virtqueueKickPrepare(vq)) virtioWrite32(vq.bus, VIRTIO_MMIO_QUEUE_NOTIFY, vq.index);
}

/** Whether the device has used buffers that were not taken back yet. */
export function virtqueueMoreUsed<T>(vq: Virtqueue<T>): boolean {
  return vq.view.getUint16(vq.used + 2, true) !== vq.lastUsedIdx;
}

/** Takes back the next buffer that the device has used: what virtqueueEnd() was given; usedLen says how much it wrote. Or null. */
export function virtqueueGetBuf<T>(vq: Virtqueue<T>): T | null {
  const view = vq.view;
  const last = vq.lastUsedIdx;
  if (view.getUint16(vq.used + 2, true) === last || vq.broken) return null;
  const at = vq.used + 4 + 8 * (last & (vq.num - 1));
  const head = view.getUint32(at, true);
  const data = head < vq.num ? vq.data[head]! : null;
  if (data === null) {
    vq.broken = true;
    return null;
  }
  vq.usedLen = view.getUint32(at + 4, true);
  detachBuf(vq, head);
  vq.lastUsedIdx = (last + 1) & 0xffff;
  // Interrupts are on: ask for the next one after this buffer, not after some earlier one.
  if (vq.eventIdx && !vq.cbDisabled) view.setUint16(vq.avail + 4 + 2 * vq.num, vq.lastUsedIdx, true);
  return data;
}

/** Puts a chain's descriptors back on the free list. */
function detachBuf<T>(vq: Virtqueue<T>, head: number): void {
  vq.data[head] = null;
  const descNext = vq.descNext;
  let i = head;
  let n = 1;
  while (descNext[i]! !== vq.num) {
    i = descNext[i]!;
    n++;
  }
  descNext[i] = vq.freeHead;
  vq.freeHead = head;
  vq.numFree += n;
}

/** Takes back a buffer that the device has not used, after its reset. Null when there is none left. */
export function virtqueueDetachUnused<T>(vq: Virtqueue<T>): T | null {
  for (let i = 0; i < vq.num; i++) {
    const data = vq.data[i]!;
    if (data === null) continue;
    detachBuf(vq, i);
    vq.availIdx = (vq.availIdx - 1) & 0xffff;
    return data;
  }
  return null;
}

/** Interrupts are not wanted: a hint to the device. */
export function virtqueueDisableCb<T>(vq: Virtqueue<T>): void {
  if (vq.cbDisabled) return;
  vq.cbDisabled = true;
  // With EVENT_IDX: an event index half the ring away is not crossed soon.
  if (vq.eventIdx) vq.view.setUint16(vq.avail + 4 + 2 * vq.num, (vq.lastUsedIdx - 1) & 0xffff, true);
  else vq.view.setUint16(vq.avail, VRING_AVAIL_F_NO_INTERRUPT, true);
}

/** Interrupts are wanted from the next used buffer on. Returns false if there are some already: then poll again. */
export function virtqueueEnableCb<T>(vq: Virtqueue<T>): boolean {
  vq.cbDisabled = false;
  if (vq.eventIdx) vq.view.setUint16(vq.avail + 4 + 2 * vq.num, vq.lastUsedIdx, true);
  else vq.view.setUint16(vq.avail, 0, true);
  return !virtqueueMoreUsed(vq);
}

/**
 * One interrupt is wanted, when about three quarters of what is outstanding has been used. Returns false if that is so
 * already.
 */
export function virtqueueEnableCbDelayed<T>(vq: Virtqueue<T>): boolean {
  vq.cbDisabled = false;
  const outstanding = (vq.availIdx - vq.lastUsedIdx) & 0xffff;
  const event = (vq.lastUsedIdx + ((outstanding * 3) >> 2)) & 0xffff;
  if (vq.eventIdx) vq.view.setUint16(vq.avail + 4 + 2 * vq.num, event, true);
  else vq.view.setUint16(vq.avail, 0, true);
  return ((vq.view.getUint16(vq.used + 2, true) - vq.lastUsedIdx) & 0xffff) <= ((outstanding * 3) >> 2);
}

/** The flag of a piece that the device writes. */
export const VIRTQUEUE_IN = VRING_DESC_F_WRITE;
/** The flag of a piece that the device reads. */
export const VIRTQUEUE_OUT = 0;
