// What receive offload keeps in a packet, and appending one packet to another (NAPI_GRO_CB and skb_gro_receive).
//
// netdev's napiGroReceive drives; a protocol's groReceive looks through the packets held, appends by skbGroReceive, and
// says by groCbSetFlush that its packet must not be held; a protocol's groComplete reads count and mss.

import { E2BIG } from '@stack/kernel';
import { skbCloned } from './copy.ts';
import { skbAddRxFrag } from './frags.ts';
import { getPage } from './page.ts';
import { MAX_SKB_FRAGS } from './sk-buff.ts';
import type { SkBuff } from './sk-buff.ts';

/** Octets that a merged packet has at most, from the network header on: IPv4's total length must hold them. */
const GRO_MAX_SIZE = 65535;

/** A packet that comes in: alone, with nothing decided. */
export function groCbInit(skb: SkBuff): void {
  skb.cb0 = 1;
  skb.cb1 = 0;
  skb.cb2 = 0;
  skb.cb3 = 0;
  skb.cb4 = 0;
}

/** How many packets are in this one. */
export function groCbCount(skb: SkBuff): number {
  return skb.cb0;
}

/** Octets of payload of the first of them; all but the last have as many. */
export function groCbMss(skb: SkBuff): number {
  return skb.cb1;
}

/** Octets of payload of all of them. */
export function groCbLen(skb: SkBuff): number {
  return skb.cb2;
}

/** The packet carries `len` octets of payload: what follows it must carry no more. */
export function groCbSetPayload(skb: SkBuff, len: number): void {
  skb.cb1 = len;
  skb.cb2 = len;
}

/** The packet has been appended to one that is held. */
export function groCbSameFlow(skb: SkBuff): boolean {
  return skb.cb3 !== 0;
}

/** The packet must not be held: nothing may be appended to it. */
export function groCbFlush(skb: SkBuff): boolean {
  return skb.cb4 !== 0;
}

export function groCbSetFlush(skb: SkBuff): void {
  skb.cb4 = 1;
}

/**
 * Appends what `skb` has behind `headers` octets to `p`, as a fragment of its page, without a copy. `skb` stays the
 * caller's, who frees it. 0, or -E2BIG with nothing changed when p has no room, or skb is cloned or not linear.
 */
export function skbGroReceive(p: SkBuff, skb: SkBuff, headers: number): number {
  const { nrFrags } = p.shinfo;
  const len = skb.len - headers;
  if (nrFrags === MAX_SKB_FRAGS || p.len + len > GRO_MAX_SIZE || skb.dataLen !== 0 || skbCloned(skb)) return -E2BIG;
  const { page } = skb.shinfo;
  getPage(page);
  skbAddRxFrag(p, nrFrags, page, skb.data + headers, len, page.size);
  p.cb0++;
  p.cb2 += len;
  skb.cb3 = 1;
  return 0;
}
