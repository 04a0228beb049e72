// What joins sk_buffs and devices: the link-layer header, buffers for received frames, room for headers.

import { ENOMEM, SKB_DROP_REASON_NOMEM } from '@stack/kernel';
import { allocSkb, kfreeSkbReason, skbCloned, skbPut, skbReserve, skbTailroom, pskbExpandHead, type SkBuff } from '@stack/skbuff';
import type { NetDevice } from './netdevice.ts';

/** Added in front of a received frame so that the IP header behind an Ethernet header is aligned. */
export const NET_IP_ALIGN = 2;
/** Headroom of a received frame: for the headers of a tunnel that forwards it. */
export const NET_SKB_PAD = 64;

/**
 * Pushes the link-layer header by the device's HeaderOps.create (the chapter's hard_header). `saddr` null is the device's
 * own address, `daddr` null not known yet. Returns the octets pushed, 0 for a device without header, negative if the
 * header lacks its destination.
 */
export function devHardHeader(
  skb: SkBuff, dev: NetDevice, type: number, daddr: Uint8Array | null, saddr: Uint8Array | null, len: number,
): number {
  const ops = dev.headerOps;
  return ops === null ? 0 : ops.create(skb, dev, type, daddr, saddr, len);
}

/** Copies the sender's link-layer address of a received packet to `haddr`. Returns its octets, 0 if there is none. */
export function devParseHeader(skb: SkBuff, haddr: Uint8Array): number {
  const ops = skb.dev!.headerOps;
  return ops === null || ops.parse === null ? 0 : ops.parse(skb, haddr);
}

/** Octets to reserve in front of a packet that leaves by `dev` (the kernel's LL_RESERVED_SPACE): a multiple of 16. */
export function llReservedSpace(dev: NetDevice): number {
  return ((dev.hardHeaderLen + dev.neededHeadroom) & ~15) + 16;
}

/** A sk_buff for `length` received octets of `dev`, headroom reserved; the caller's. Null if the pool is exhausted. */
export function netdevAllocSkb(dev: NetDevice, length: number): SkBuff | null {
  const skb = allocSkb(dev.net, length + NET_SKB_PAD);
  if (skb === null) return null;
  skbReserve(skb, NET_SKB_PAD);
  skb.dev = dev;
  return skb;
}

/** netdevAllocSkb() with the IP header aligned behind an Ethernet header. */
export function netdevAllocSkbIpAlign(dev: NetDevice, length: number): SkBuff | null {
  const skb = netdevAllocSkb(dev, length + NET_IP_ALIGN);
  if (skb !== null) skbReserve(skb, NET_IP_ALIGN);
  return skb;
}

/**
 * Makes a linear packet at least `len` octets long with zeros behind it (a driver's least frame). Takes the sk_buff over
 * if it fails: then it is freed. Returns 0 or -ENOMEM.
 */
export function skbPutPadto(skb: SkBuff, len: number): number {
  const pad = len - skb.len;
  if (pad <= 0) return 0;
  if ((skbTailroom(skb) < pad || skbCloned(skb)) && pskbExpandHead(skb, 0, pad) !== 0) {
    kfreeSkbReason(skb, SKB_DROP_REASON_NOMEM);
    return -ENOMEM;
  }
  const at = skbPut(skb, pad);
  skb.buf.fill(0, at, at + pad);
  return 0;
}
