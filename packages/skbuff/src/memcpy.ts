// Copying bytes between slabs and user buffers: the fastest way for each case, without a view where none is needed.

/** Below this many bytes a loop beats making a view. */
const LOOP_MAX = 48;

/** Copies len bytes from src[srcOff] to dst[dstOff]. The areas may overlap only within one buffer. */
export function memcpy(dst: Uint8Array, dstOff: number, src: Uint8Array, srcOff: number, len: number): void {
  if (dst === src) {
    dst.copyWithin(dstOff, srcOff, srcOff + len);
  } else if (len < LOOP_MAX) {
    for (let i = 0; i < len; i++) dst[dstOff + i] = src[srcOff + i]!;
  } else {
    dst.set(src.subarray(srcOff, srcOff + len), dstOff);
  }
}
