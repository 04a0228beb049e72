/*
 * ESP's frame around an inner packet (RFC 4303 §2): SPI and sequence number in front, padding, its
 * length and the inner protocol behind.
 *
 * Deviation: the NULL cipher (RFC 2410) and no integrity check, where RFC 4303 §3.2 wants one of
 * the two: this package shows how outputs are chained, and protects nothing.
 */
import { __skbPush, skbPut } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';

export const IPPROTO_ESP = 50;
/** The inner protocol of a tunnel: IPv4. */
const IPPROTO_IPIP = 4;

/** Octets in front, and behind without padding. */
export const ESP_HDR_LEN = 8;
const ESP_TRAILER_LEN = 2;
/** What padding and trailer take at most: the whole is a multiple of 4 octets. */
export const ESP_MAX_TRAILER = ESP_TRAILER_LEN + 3;

/** The largest inner packet that an ESP packet of `room` octets has room for. */
export function espMaxInner(room: number): number {
  return ((room - ESP_HDR_LEN) & ~3) - ESP_TRAILER_LEN;
}

/** Puts the frame around skb, linear, with room for it, data at the inner IP header. Afterwards data is at the SPI. */
export function espWrap(skb: SkBuff, spi: number, seq: number): void {
  const pad = -(skb.len + ESP_TRAILER_LEN) & 3;
  const at = skbPut(skb, pad + ESP_TRAILER_LEN);
  const { view } = skb;
  for (let i = 0; i < pad; i++) view.setUint8(at + i, i + 1);
  view.setUint8(at + pad, pad);
  view.setUint8(at + pad + 1, IPPROTO_IPIP);
  __skbPush(skb, ESP_HDR_LEN);
  view.setInt32(skb.data, spi);
  view.setInt32(skb.data + 4, seq);
}

/** Octets of the inner packet of skb, linear, data at the SPI; -1 if the frame is broken or what is inside is not IPv4. */
export function espInnerLen(skb: SkBuff): number {
  const { view, data, len } = skb;
  if (len < ESP_HDR_LEN + ESP_TRAILER_LEN || view.getUint8(data + len - 1) !== IPPROTO_IPIP) return -1;
  const pad = view.getUint8(data + len - 2);
  const inner = len - ESP_HDR_LEN - ESP_TRAILER_LEN - pad;
  // RFC 4303 §2.4: the padding counts from 1.
  for (let i = 0; i < pad && inner > 0; i++) {
    if (view.getUint8(data + ESP_HDR_LEN + inner + i) !== i + 1) return -1;
  }
  return inner;
}
