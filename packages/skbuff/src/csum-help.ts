// The checksum of a packet: completing it in software, and verifying it (net/core/dev.c, net/core/skbuff.c).
//
// Down: a protocol leaves CHECKSUM_PARTIAL with csumStart and csumOffset; where no device completes it, skbChecksumHelp does.
// Up: a device leaves NONE, UNNECESSARY or COMPLETE; skbChecksumComplete verifies what is left.

import { EINVAL, ENOMEM } from '@stack/kernel';
import { skbChecksum } from './bits.ts';
import { csumAdd, csumFold } from './checksum.ts';
import { pskbExpandHead, skbCloned, skbHeaderCloned } from './copy.ts';
import { skbChecksumStartOffset, skbHeadroom } from './data.ts';
import { pskbMayPull } from './pull.ts';
import { CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY } from './sk-buff.ts';
import type { SkBuff } from './sk-buff.ts';

/** A checksum that came out as 0 and may not be 0 (UDP). */
export const CSUM_MANGLED_0 = 0xffff;
/** Where UDP's checksum stands in its header. No other protocol here has its own there. */
const UDP_CSUM_OFFSET = 6;

/**
 * What is written `csumOffset` into a transport's header for a sum that folded to `sum`: for UDP 0 would say that there is none (RFC 768).
 * Deviation: Linux writes ffff for every protocol. It is the same number, but no sum of a TCP segment folds to it, and readers of captures say so.
 */
export function csumMangle0(sum: number, csumOffset: number): number {
  return (sum & 0xffff) === 0 && csumOffset === UDP_CSUM_OFFSET ? CSUM_MANGLED_0 : sum & 0xffff;
}

/** The first len bytes are in the linear area and nobody else's. 0 or -ENOMEM. */
export function skbEnsureWritable(skb: SkBuff, len: number): number {
  if (!pskbMayPull(skb, len)) return -ENOMEM;
  return skbCloned(skb) ? pskbExpandHead(skb, 0, 0) : 0;
}

/** Completes a CHECKSUM_PARTIAL packet: sums it and writes the checksum. 0, -EINVAL when the offsets are not in the packet, or -ENOMEM. */
export function skbChecksumHelp(skb: SkBuff): number {
  if (skb.ipSummed !== CHECKSUM_PARTIAL) {
    skb.ipSummed = CHECKSUM_NONE;
    return 0;
  }
  const start = skbChecksumStartOffset(skb);
  const at = start + skb.csumOffset;
  if (start < 0 || start >= skb.len || at + 2 > skb.len) return -EINVAL;
  const csum = skbChecksum(skb, start, skb.len - start, 0);
  // A clone whose original has given up the headers (a TCP segment in flight) may write them as they are.
  if (skbHeaderCloned(skb) ? skbEnsureWritable(skb, at + 2) !== 0 : !pskbMayPull(skb, at + 2)) return -ENOMEM;
  skb.view.setUint16(skb.data + at, csumMangle0(csumFold(csum), skb.csumOffset));
  skb.ipSummed = CHECKSUM_NONE;
  return 0;
}

/** Marks the packet CHECKSUM_PARTIAL, as a device's header said: sum from `start` (from data) on, put it `off` further. False when that is not in the packet. */
export function skbPartialCsumSet(skb: SkBuff, start: number, off: number): boolean {
  const csumStart = skbHeadroom(skb) + start;
  if (start < 0 || off < 0 || start + off + 2 > skb.len || !pskbMayPull(skb, start + off + 2)) return false;
  skb.ipSummed = CHECKSUM_PARTIAL;
  skb.csumStart = csumStart;
  skb.csumOffset = off;
  skb.transportHeader = skb.data + start;
  return true;
}

/** Nobody need sum this packet: the device has, or it never left this machine. */
export function skbCsumUnnecessary(skb: SkBuff): boolean {
  if (skb.ipSummed === CHECKSUM_UNNECESSARY) return true;
  return skb.ipSummed === CHECKSUM_PARTIAL && skbChecksumStartOffset(skb) >= 0;
}

/** Verifies the packet from data on, skb.csum being the pseudo header's sum: 0 when right. Sums it in any case; skb.csum is the packet's sum afterwards, unless others hold the sk_buff. */
export function __skbChecksumComplete(skb: SkBuff): number {
  const csum = skbChecksum(skb, 0, skb.len, 0);
  const sum = csumFold(csumAdd(skb.csum, csum));
  if (skb.users === 1) {
    skb.csum = csum;
    skb.ipSummed = sum === 0 ? CHECKSUM_UNNECESSARY : CHECKSUM_COMPLETE;
  }
  return sum;
}

/** Verifies the packet unless the device has: 0 when right. skb.csum must be the pseudo header's sum. */
export function skbChecksumComplete(skb: SkBuff): number {
  return skbCsumUnnecessary(skb) ? 0 : __skbChecksumComplete(skb);
}
