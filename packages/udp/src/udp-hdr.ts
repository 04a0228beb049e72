/*
 * The UDP header (RFC 768), as offsets from skb.transportHeader: source port, destination port, length (header and data),
 * checksum (0: none).
 */
import type { SkBuff } from '@stack/skbuff';

export const UDP_HLEN = 8;
export const UDP_SOURCE = 0;
export const UDP_DEST = 2;
export const UDP_LEN = 4;
export const UDP_CHECK = 6;

/** The longest datagram that the length field can say, header included. */
export const UDP_MAX_LEN = 0xffff;

export function udpSource(skb: SkBuff): number {
  return skb.view.getUint16(skb.transportHeader + UDP_SOURCE);
}

export function udpDest(skb: SkBuff): number {
  return skb.view.getUint16(skb.transportHeader + UDP_DEST);
}

export function udpLen(skb: SkBuff): number {
  return skb.view.getUint16(skb.transportHeader + UDP_LEN);
}

export function udpCheck(skb: SkBuff): number {
  return skb.view.getUint16(skb.transportHeader + UDP_CHECK);
}
