// References on a dst_entry.

import type { DstEntry } from './dst.ts';

/** One more reference. */
export function dstHold(dst: DstEntry): void {
  dst.refcnt++;
}

/** One more reference; returns the entry. */
export function dstClone<T extends DstEntry>(dst: T): T {
  dst.refcnt++;
  return dst;
}

/** Drops a reference (null is allowed); the last one has ops.destroy give the entry back. */
export function dstRelease(dst: DstEntry | null): void {
  if (dst === null) return;
  if (--dst.refcnt > 0) return;
  if (dst.refcnt < 0) throw new Error('dst_release: the entry is free already');
  dst.ops.destroy(dst);
}
