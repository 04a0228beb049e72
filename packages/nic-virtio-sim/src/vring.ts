// The layout of a split virtqueue in memory, little-endian, as both halves of the device see it.
//
//   descriptor table   num × { le64 addr, le32 len, le16 flags, le16 next }            aligned 16
//   available ring     { le16 flags, le16 idx, le16 ring[num], le16 used_event }        aligned 2, driver writes
//   used ring          { le16 flags, le16 idx, num × { le32 id, le32 len }, le16 avail_event }   aligned 4, device writes
//
// An address is a place in the World's packet memory: its upper 32 bits are the number of a page, its lower 32 bits the
// offset from that page's beginning. Read first: VIRTIO 1.2 §2.7.

/** Octets of a descriptor. */
export const VRING_DESC_SIZE = 16;
/** Descriptor flag: continues in descriptor `next`. */
export const VRING_DESC_F_NEXT = 1;
/** Descriptor flag: the device writes it. */
export const VRING_DESC_F_WRITE = 2;
/** avail.flags: the driver does not want to be interrupted (without EVENT_IDX). */
export const VRING_AVAIL_F_NO_INTERRUPT = 1;
/** used.flags: the device does not want to be kicked (without EVENT_IDX). */
export const VRING_USED_F_NO_NOTIFY = 1;

/** Octets of the descriptor table. */
export function vringDescBytes(num: number): number {
  return num * VRING_DESC_SIZE;
}

/** Octets of the available ring. */
export function vringAvailBytes(num: number): number {
  return 6 + 2 * num;
}

/** Octets of the used ring. */
export function vringUsedBytes(num: number): number {
  return 6 + 8 * num;
}

/** Octets of a whole virtqueue whose parts follow one another. */
export function vringSize(num: number): number {
  return vringUsedOffset(num) + vringUsedBytes(num);
}

/** Where the available ring begins in such a virtqueue. */
export function vringAvailOffset(num: number): number {
  return vringDescBytes(num);
}

/** Where the used ring begins in such a virtqueue. */
export function vringUsedOffset(num: number): number {
  return (vringDescBytes(num) + vringAvailBytes(num) + 3) & ~3;
}

/**
 * Whether the side that asked to be told at `event` must be, as the index moves from `old` to `now` (all 16 bits,
 * wrapping; VIRTIO 1.2 §2.7.7.2).
 */
export function vringNeedEvent(event: number, now: number, old: number): boolean {
  return ((now - event - 1) & 0xffff) < ((now - old) & 0xffff);
}
