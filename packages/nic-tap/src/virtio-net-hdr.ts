// struct virtio_net_hdr as /dev/net/tun speaks it: ten octets in front of each packet that say what is left undone in it.
//
// virtioNetHdrToSkb() on receiving, virtioNetHdrFromSkb() on sending. Fields are little-endian here: native order on every
// machine that koffi runs on but one. Read first: OASIS Virtio 1.2 §5.1.6.

import {
  CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, SKB_GSO_DODGY, SKB_GSO_TCPV4, SKB_GSO_TCP_ECN, skbPartialCsumSet, skbTransportOffset,
  type SkBuff,
} from '@stack/skbuff';
import { EINVAL } from '@stack/kernel';

/** Octets of the header. */
export const VIRTIO_NET_HDR_SIZE = 10;

const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
const VIRTIO_NET_HDR_F_DATA_VALID = 2;
const VIRTIO_NET_HDR_GSO_NONE = 0;
const VIRTIO_NET_HDR_GSO_TCPV4 = 1;
const VIRTIO_NET_HDR_GSO_ECN = 0x80;

const FLAGS = 0;
const GSO_TYPE = 1;
const HDR_LEN = 2;
const GSO_SIZE = 4;
const CSUM_START = 6;
const CSUM_OFFSET = 8;

/**
 * Puts what the header at `at` of `view` says into `skb`, whose data is at the frame's first octet. Returns 0, or -EINVAL
 * if the header contradicts the frame (the caller drops it).
 */
export function virtioNetHdrToSkb(skb: SkBuff, view: DataView, at: number): number {
  const flags = view.getUint8(at + FLAGS);
  if ((flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) {
    const start = view.getUint16(at + CSUM_START, true);
    const offset = view.getUint16(at + CSUM_OFFSET, true);
    if (!skbPartialCsumSet(skb, start, offset)) return -EINVAL;
  } else if ((flags & VIRTIO_NET_HDR_F_DATA_VALID) !== 0) {
    skb.ipSummed = CHECKSUM_UNNECESSARY;
  }
  const gsoType = view.getUint8(at + GSO_TYPE);
  if (gsoType === VIRTIO_NET_HDR_GSO_NONE) return 0;
  const gsoSize = view.getUint16(at + GSO_SIZE, true);
  if ((gsoType & ~VIRTIO_NET_HDR_GSO_ECN) !== VIRTIO_NET_HDR_GSO_TCPV4 || gsoSize === 0) return -EINVAL;
  const shinfo = skb.shinfo;
  shinfo.gsoSize = gsoSize;
  shinfo.gsoType = SKB_GSO_TCPV4 | SKB_GSO_DODGY | ((gsoType & VIRTIO_NET_HDR_GSO_ECN) !== 0 ? SKB_GSO_TCP_ECN : 0);
  shinfo.gsoSegs = 0; // not trusted: whoever needs it counts
  return 0;
}

/** Writes the header for `skb`, data at the frame's first octet, at `at` of `view`. */
export function virtioNetHdrFromSkb(skb: SkBuff, view: DataView, at: number): void {
  for (let i = 0; i < VIRTIO_NET_HDR_SIZE; i++) view.setUint8(at + i, 0);
  if (skb.ipSummed === CHECKSUM_PARTIAL) {
    view.setUint8(at + FLAGS, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    view.setUint16(at + CSUM_START, skb.head + skb.csumStart - skb.data, true);
    view.setUint16(at + CSUM_OFFSET, skb.csumOffset, true);
  }
  const shinfo = skb.shinfo;
  if (shinfo.gsoSize === 0) return;
  const ecn = (shinfo.gsoType & SKB_GSO_TCP_ECN) !== 0 ? VIRTIO_NET_HDR_GSO_ECN : 0;
  view.setUint8(at + GSO_TYPE, VIRTIO_NET_HDR_GSO_TCPV4 | ecn);
  view.setUint16(at + GSO_SIZE, shinfo.gsoSize, true);
  view.setUint16(at + HDR_LEN, skbTransportOffset(skb) + tcpHeaderLen(skb), true);
}

/** Octets of the TCP header, from its data offset field (RFC 9293 §3.1). */
function tcpHeaderLen(skb: SkBuff): number {
  return (skb.view.getUint8(skb.transportHeader + 12) >> 4) * 4;
}
