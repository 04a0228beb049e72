// struct virtio_net_hdr_v1: what goes before every frame on a virtio-net queue.
//
//   u8 flags, u8 gso_type, le16 hdr_len, le16 gso_size, le16 csum_start, le16 csum_offset, le16 num_buffers
//
// virtioNetHdrFromSkb() writes it for a packet to be sent, virtioNetHdrToSkb() applies that of a received one.
// Read first: VIRTIO 1.2 §5.1.6.

import {
  CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, SKB_GSO_DODGY, SKB_GSO_TCPV4, SKB_GSO_TCP_ECN, skbPartialCsumSet, type SkBuff,
} from '@stack/skbuff';

/** Octets of the header (with num_buffers, as VERSION_1 has it always). */
export const VIRTIO_NET_HDR_LEN = 12;

/** flags: the checksum from csum_start on is to be completed at csum_start + csum_offset. */
export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
/** flags: the checksum has been verified. */
export const VIRTIO_NET_HDR_F_DATA_VALID = 2;

export const VIRTIO_NET_HDR_GSO_NONE = 0;
export const VIRTIO_NET_HDR_GSO_TCPV4 = 1;
export const VIRTIO_NET_HDR_GSO_ECN = 0x80;

// Field offsets.
export const VNET_FLAGS = 0;
export const VNET_GSO_TYPE = 1;
export const VNET_HDR_LEN = 2;
export const VNET_GSO_SIZE = 4;
export const VNET_CSUM_START = 6;
export const VNET_CSUM_OFFSET = 8;
export const VNET_NUM_BUFFERS = 10;

const TCP_DOFF = 12;
const TCP_CHECK = 16;

/** Writes the header for `skb`, `data` at the link-layer header, to `view` at `at`. */
export function virtioNetHdrFromSkb(skb: SkBuff, view: DataView, at: number): void {
  const shinfo = skb.shinfo;
  const csumStart = skb.ipSummed === CHECKSUM_PARTIAL ? skb.head + skb.csumStart - skb.data : 0;
  if (shinfo.gsoSize !== 0) {
    const ecn = (shinfo.gsoType & SKB_GSO_TCP_ECN) !== 0 ? VIRTIO_NET_HDR_GSO_ECN : 0;
    view.setUint8(at + VNET_GSO_TYPE, VIRTIO_NET_HDR_GSO_TCPV4 | ecn);
    view.setUint16(at + VNET_HDR_LEN, skb.tail - skb.data, true);
    view.setUint16(at + VNET_GSO_SIZE, shinfo.gsoSize, true);
  } else {
    view.setUint8(at + VNET_GSO_TYPE, VIRTIO_NET_HDR_GSO_NONE);
    view.setUint32(at + VNET_HDR_LEN, 0, true);
  }
  if (csumStart > 0) {
    view.setUint8(at + VNET_FLAGS, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    view.setUint16(at + VNET_CSUM_START, csumStart, true);
    view.setUint16(at + VNET_CSUM_OFFSET, skb.csumOffset, true);
  } else {
    view.setUint8(at + VNET_FLAGS, 0);
    view.setUint32(at + VNET_CSUM_START, 0, true);
  }
  view.setUint16(at + VNET_NUM_BUFFERS, 0, true);
}

/**
 * Applies a received header to `skb`, `data` at the link-layer header. The device is trusted with nothing: gsoType gets
 * SKB_GSO_DODGY. Returns false if the header does not fit the frame.
 */
export function virtioNetHdrToSkb(skb: SkBuff, view: DataView, at: number): boolean {
  const flags = view.getUint8(at + VNET_FLAGS);
  if ((flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) {
    const start = view.getUint16(at + VNET_CSUM_START, true);
    if (!skbPartialCsumSet(skb, start, view.getUint16(at + VNET_CSUM_OFFSET, true))) return false;
  } else if ((flags & VIRTIO_NET_HDR_F_DATA_VALID) !== 0) {
    skb.ipSummed = CHECKSUM_UNNECESSARY;
  }
  const gsoType = view.getUint8(at + VNET_GSO_TYPE);
  if (gsoType === VIRTIO_NET_HDR_GSO_NONE) return true;
  const gsoSize = view.getUint16(at + VNET_GSO_SIZE, true);
  if ((gsoType & ~VIRTIO_NET_HDR_GSO_ECN) !== VIRTIO_NET_HDR_GSO_TCPV4 || gsoSize === 0) return false;
  if (skb.ipSummed !== CHECKSUM_PARTIAL || skb.csumOffset !== TCP_CHECK) return false;
  const shinfo = skb.shinfo;
  shinfo.gsoSize = gsoSize;
  shinfo.gsoType = SKB_GSO_TCPV4 | SKB_GSO_DODGY | ((gsoType & VIRTIO_NET_HDR_GSO_ECN) !== 0 ? SKB_GSO_TCP_ECN : 0);
  const thlen = (skb.view.getUint8(skb.transportHeader + TCP_DOFF) >> 4) << 2;
  shinfo.gsoSegs = Math.ceil((skb.len - (skb.transportHeader - skb.data) - thlen) / gsoSize);
  return shinfo.gsoSegs > 0;
}
