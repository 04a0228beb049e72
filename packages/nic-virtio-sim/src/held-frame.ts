// Frames that a cable holds: copied to a page of their own, in order of delivery.
//
// A frame is held when the cable impairs (it takes time), when it had to be cut, or when a copy for a busy receiver must
// wait (a switch that floods). It holds a page, never a slot of anybody's ring.

import { allocPage, putPage, type Page } from '@stack/skbuff';
import type { Net } from '@stack/kernel';
import { frameCopy, frameSetLinear, type Frame } from './frame.ts';
import type { Channel } from './port.ts';

/** One frame on a cable. */
export class HeldFrame {
  page: Page | null;
  len: number;
  needsCsum: boolean;
  csumStart: number;
  csumOffset: number;
  gsoSize: number;
  gsoType: number;
  /** When it arrives, ns of the World's clock; 0: at once. */
  deliverAt: number;
  next: HeldFrame | null;
  prev: HeldFrame | null;

  constructor() {
    this.page = null;
    this.len = 0;
    this.needsCsum = false;
    this.csumStart = 0;
    this.csumOffset = 0;
    this.gsoSize = 0;
    this.gsoType = 0;
    this.deliverAt = 0;
    this.next = null;
    this.prev = null;
  }
}

/** Whose memory a held frame counts as: the sender's, or the receiver's where a switch sends. */
function heldOwner(channel: Channel): Net {
  return (channel.from.net ?? channel.to.net ?? channel.world.nets[0])!;
}

/** An empty frame with a page of at least `len` octets. Null if the pool is exhausted (counted). */
export function heldAlloc(channel: Channel, len: number): HeldFrame | null {
  const page = allocPage(heldOwner(channel), len);
  if (page === null) {
    channel.noMemory++;
    return null;
  }
  const held = channel.heldFree ?? new HeldFrame();
  channel.heldFree = held.next;
  held.page = page;
  held.len = len;
  held.needsCsum = false;
  held.csumStart = 0;
  held.csumOffset = 0;
  held.gsoSize = 0;
  held.gsoType = 0;
  held.deliverAt = 0;
  held.next = null;
  held.prev = null;
  return held;
}

/** A copy of `frame`, with what its header said. Null if the pool is exhausted (counted). */
export function heldCopy(channel: Channel, frame: Frame): HeldFrame | null {
  const held = heldAlloc(channel, frame.len);
  if (held === null) return null;
  frameCopy(frame, 0, frame.len, held.page!, held.page!.base);
  held.needsCsum = frame.needsCsum;
  held.csumStart = frame.csumStart;
  held.csumOffset = frame.csumOffset;
  held.gsoSize = frame.gsoSize;
  held.gsoType = frame.gsoType;
  return held;
}

/** Gives a held frame's page back. It is on no list. */
export function heldRelease(channel: Channel, held: HeldFrame): void {
  putPage(held.page!);
  held.page = null;
  held.prev = null;
  held.next = channel.heldFree;
  channel.heldFree = held;
}

/** Makes `frame` show a held frame. */
export function heldToFrame(held: HeldFrame, frame: Frame): void {
  frameSetLinear(frame, held.page!, held.page!.base, held.len);
  frame.needsCsum = held.needsCsum;
  frame.csumStart = held.csumStart;
  frame.csumOffset = held.csumOffset;
  frame.gsoSize = held.gsoSize;
  frame.gsoType = held.gsoType;
}

/** Puts a frame on the cable behind all that arrive no later. */
export function heldInsert(channel: Channel, held: HeldFrame): void {
  let after = channel.heldLast;
  while (after !== null && after.deliverAt > held.deliverAt) after = after.prev;
  held.prev = after;
  held.next = after === null ? channel.heldFirst : after.next;
  if (held.next === null) channel.heldLast = held;
  else held.next.prev = held;
  if (after === null) channel.heldFirst = held;
  else after.next = held;
  channel.nrHeld++;
}

/** Takes the first frame off the cable. There is one. */
export function heldShift(channel: Channel): HeldFrame {
  const held = channel.heldFirst!;
  channel.heldFirst = held.next;
  if (held.next === null) channel.heldLast = null;
  else held.next.prev = null;
  held.next = null;
  channel.nrHeld--;
  return held;
}

/** Frees all that is on the cable (it was pulled out). */
export function heldPurge(channel: Channel): void {
  while (channel.heldFirst !== null) heldRelease(channel, heldShift(channel));
}
