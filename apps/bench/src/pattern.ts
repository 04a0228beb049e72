/*
 * The octets that every benchmark sends and verifies: a block of 64 KiB, again and again. Kept twice in a row, so
 * that any run of up to 64 KiB of the stream is one comparison.
 */
export const BLOCK = 64 * 1024;

const twice = new Uint8Array(2 * BLOCK);
for (let i = 0, x = 1; i < BLOCK; i++) {
  x = (Math.imul(x, 1103515245) + 12345) >>> 0;
  twice[i] = twice[i + BLOCK] = x >>> 24;
}

/** The block itself: what is written. Nobody changes it. */
export const block = twice.subarray(0, BLOCK);

/** Up to this many octets are compared one by one. */
const SHORT = 256;

/** Compares a received chunk with the stream at `offset`; throws on the first that differs. */
export function verify(chunk: Uint8Array, offset: number): void {
  if (chunk.length <= SHORT && offset === 0) {
    verifyShort(chunk);
    return;
  }
  for (let at = 0; at < chunk.length; at += BLOCK) {
    const part = chunk.subarray(at, Math.min(at + BLOCK, chunk.length));
    const start = (offset + at) % BLOCK;
    if (Buffer.compare(part, twice.subarray(start, start + part.length)) !== 0) {
      throw new Error(`wrong octets in the ${part.length} from ${offset + at}`);
    }
  }
}

/** Compares octet by octet: for few of them that is faster than making views to compare. */
function verifyShort(chunk: Uint8Array): void {
  for (let i = 0; i < chunk.length; i++) {
    if (chunk[i] !== block[i]) throw new Error(`wrong octets in the ${chunk.length} from 0`);
  }
}
