// A frame on its way from one device to another: the sender's pieces of memory, and what its offload header said.
//
// Nothing is copied until the receiver copies the pieces into its own buffers; a frame is valid only during the call that
// offers it. Who wants to keep one copies it to a page (held-frame.ts).

import { memcpyView, type Page } from '@stack/skbuff';
import { VHOST_MAX_SEGS } from './vhost-limits.ts';

/** Pieces of memory, in order. */
export class Iov {
  /** Index of the first piece, and one past the last. */
  first: number;
  nr: number;
  page: (Page | null)[];
  /** Offsets in page.buf. */
  off: Int32Array;
  len: Int32Array;

  constructor() {
    this.first = 0;
    this.nr = 0;
    this.page = new Array<Page | null>(VHOST_MAX_SEGS).fill(null);
    this.off = new Int32Array(VHOST_MAX_SEGS);
    this.len = new Int32Array(VHOST_MAX_SEGS);
  }
}

/** A frame from its link-layer header on. */
export class Frame {
  iov: Iov;
  /** Octets. */
  len: number;
  /** The checksum is still to be completed: from csumStart on, at csumStart + csumOffset. */
  needsCsum: boolean;
  csumStart: number;
  csumOffset: number;
  /** Payload octets per segment if this is several frames in one, else 0. */
  gsoSize: number;
  /** VIRTIO_NET_HDR_GSO_* */
  gsoType: number;

  constructor(iov: Iov) {
    this.iov = iov;
    this.len = 0;
    this.needsCsum = false;
    this.csumStart = 0;
    this.csumOffset = 0;
    this.gsoSize = 0;
    this.gsoType = 0;
  }
}

/** Makes `frame` one piece: `len` octets from `off` of page.buf on, complete in itself. */
export function frameSetLinear(frame: Frame, page: Page, off: number, len: number): void {
  const iov = frame.iov;
  iov.first = 0;
  iov.nr = 1;
  iov.page[0] = page;
  iov.off[0] = off;
  iov.len[0] = len;
  frame.len = len;
  frame.needsCsum = false;
  frame.csumStart = 0;
  frame.csumOffset = 0;
  frame.gsoSize = 0;
  frame.gsoType = 0;
}

/** Adds a piece to a frame begun by frameSetLinear(). */
export function frameAddPiece(frame: Frame, page: Page, off: number, len: number): void {
  const iov = frame.iov;
  const i = iov.nr++;
  iov.page[i] = page;
  iov.off[i] = off;
  iov.len[i] = len;
  frame.len += len;
}

/** Copies `len` octets of the frame, from octet `from` on, to `at` in the page's memory. They are all there. */
export function frameCopy(frame: Frame, from: number, len: number, page: Page, at: number): void {
  const iov = frame.iov;
  let i = iov.first;
  let skip = from;
  while (skip >= iov.len[i]!) skip -= iov.len[i++]!;
  let left = len;
  let to = at;
  while (left > 0) {
    const n = Math.min(iov.len[i]! - skip, left);
    const src = iov.page[i]!;
    memcpyView(page.buf, page.view, to, src.buf, src.view, iov.off[i]! + skip, n);
    to += n;
    left -= n;
    skip = 0;
    i++;
  }
}

/** One octet of the frame. */
export function frameByte(frame: Frame, at: number): number {
  const iov = frame.iov;
  let i = iov.first;
  let skip = at;
  while (skip >= iov.len[i]!) skip -= iov.len[i++]!;
  return iov.page[i]!.buf[iov.off[i]! + skip]!;
}

/** Four octets of the frame as a big-endian int32. */
export function frameInt32(frame: Frame, at: number): number {
  const iov = frame.iov;
  const first = iov.first;
  if (at + 4 <= iov.len[first]!) return iov.page[first]!.view.getInt32(iov.off[first]! + at);
  return (frameByte(frame, at) << 24) | (frameByte(frame, at + 1) << 16) | (frameByte(frame, at + 2) << 8) | frameByte(frame, at + 3);
}

/** Two octets of the frame as a big-endian number. */
export function frameUint16(frame: Frame, at: number): number {
  const iov = frame.iov;
  const first = iov.first;
  if (at + 2 <= iov.len[first]!) return iov.page[first]!.view.getUint16(iov.off[first]! + at);
  return (frameByte(frame, at) << 8) | frameByte(frame, at + 1);
}
