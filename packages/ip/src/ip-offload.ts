/*
 * IPv4's part in segmentation offload. Down (inet_gso_segment): the transport cuts, IP gives every
 * segment its length, identification and checksum. Up (inet_gro_receive): IP says which packets may
 * be of one flow, the transport merges, IP gives the whole its length.
 */
import { EINVAL, EPROTONOSUPPORT } from '@stack/kernel';
import { ETH_P_IP } from '@stack/netdev';
import type { PacketOffload } from '@stack/netdev';
import { SKB_GSO_TCP_FIXEDID, __skbPull, __skbPush, groCbCount, groCbSetFlush, ipFastCsum, pskbMayPull } from '@stack/skbuff';
import type { SkBuff, SkBuffHead } from '@stack/skbuff';
import {
  IPH_DADDR, IPH_FRAG_OFF, IPH_ID, IPH_PROTOCOL, IPH_SADDR, IPH_TOS, IPH_TOT_LEN, IPH_TTL, IP_DF, IP_HDR_LEN, IP_MF, IP_OFFSET,
  ipHdrProtocol, ipSendCheck,
} from './ip-header.ts';
import type { NetOffload } from './protocol.ts';

/**
 * Cuts skb (which stays the caller's), data at the IP header. Returns the segments linked by
 * `next`, each data at its link-layer header, or null if there is nothing to cut, or -errno.
 */
export function inetGsoSegment(skb: SkBuff, features: number): SkBuff | number | null {
  skb.networkHeader = skb.data;
  if (!pskbMayPull(skb, IP_HDR_LEN)) return -EINVAL;
  const ihl = (skb.view.getUint8(skb.networkHeader) & 0x0f) << 2;
  if (ihl < IP_HDR_LEN || !pskbMayPull(skb, ihl)) return -EINVAL;
  const offload = skb.net.ipv4.inetOffloads[ipHdrProtocol(skb)];
  if (offload === null) return -EPROTONOSUPPORT;
  const id = skb.view.getUint16(skb.networkHeader + IPH_ID);
  const fixedId = (skb.shinfo.gsoType & SKB_GSO_TCP_FIXEDID) !== 0;
  __skbPull(skb, ihl);
  skb.transportHeader = skb.data;
  const segs = offload.gsoSegment(skb, features);
  __skbPush(skb, ihl);
  if (segs === null || typeof segs === 'number') return segs;
  let n = 0;
  for (let seg: SkBuff | null = segs; seg !== null; seg = seg.next) {
    const at = seg.networkHeader;
    seg.view.setUint16(at + IPH_TOT_LEN, seg.len - (at - seg.data));
    seg.view.setUint16(at + IPH_ID, (id + (fixedId ? 0 : n)) & 0xffff);
    ipSendCheck(seg, at, ihl >> 2);
    n++;
  }
  return segs;
}

/**
 * inet_gro_receive: hands skb, linear and data at the IP header, to its transport for merging if it
 * is a whole packet with a right header and no options. Returns what of `held` must go up now, or null.
 */
export function inetGroReceive(held: SkBuffHead, skb: SkBuff): SkBuff | null {
  const offload = inetGroOffload(skb);
  if (offload === null || offload.groReceive === null) {
    groCbSetFlush(skb);
    return null;
  }
  skb.networkHeader = skb.data;
  skb.transportHeader = skb.data + IP_HDR_LEN;
  return offload.groReceive(held, skb);
}

/** The offload of a packet that may be merged, or null. */
function inetGroOffload(skb: SkBuff): NetOffload | null {
  const { data, len, view } = skb;
  if (len < IP_HDR_LEN || view.getUint8(data) !== 0x45 || view.getUint16(data + IPH_TOT_LEN) !== len) return null;
  if ((view.getUint16(data + IPH_FRAG_OFF) & (IP_MF | IP_OFFSET)) !== 0 || ipFastCsum(view, data, 5) !== 0) return null;
  return skb.net.ipv4.inetOffloads[view.getUint8(data + IPH_PROTOCOL)] ?? null;
}

/** Whether two packets that inetGroReceive() passed on have the same addresses. */
export function inetGroSameFlow(p: SkBuff, skb: SkBuff): boolean {
  const a = p.networkHeader;
  const b = skb.networkHeader;
  return p.view.getInt32(a + IPH_SADDR) === skb.view.getInt32(b + IPH_SADDR)
    && p.view.getInt32(a + IPH_DADDR) === skb.view.getInt32(b + IPH_DADDR)
    && p.view.getUint8(a + IPH_PROTOCOL) === skb.view.getUint8(b + IPH_PROTOCOL);
}

/**
 * Whether what else of the two headers differs allows to make one packet of them: TOS, TTL and DF
 * are the same, and the identification goes on (unless DF is set: then it means nothing, RFC 6864 §4).
 */
export function inetGroMergeable(p: SkBuff, skb: SkBuff): boolean {
  const a = p.networkHeader;
  const b = skb.networkHeader;
  if (p.view.getUint8(a + IPH_TOS) !== skb.view.getUint8(b + IPH_TOS)) return false;
  if (p.view.getUint8(a + IPH_TTL) !== skb.view.getUint8(b + IPH_TTL)) return false;
  const fragOff = p.view.getUint16(a + IPH_FRAG_OFF);
  if (fragOff !== skb.view.getUint16(b + IPH_FRAG_OFF)) return false;
  if ((fragOff & IP_DF) !== 0) return true;
  return ((p.view.getUint16(a + IPH_ID) + groCbCount(p)) & 0xffff) === skb.view.getUint16(b + IPH_ID);
}

/** inet_gro_complete: total length and checksum of a merged packet, then its transport header. Returns 0 or -errno. */
export function inetGroComplete(skb: SkBuff): number {
  const offload = skb.net.ipv4.inetOffloads[ipHdrProtocol(skb)] ?? null;
  if (offload === null || offload.groComplete === null) return -EPROTONOSUPPORT;
  skb.view.setUint16(skb.networkHeader + IPH_TOT_LEN, skb.len);
  ipSendCheck(skb, skb.networkHeader, IP_HDR_LEN >> 2);
  return offload.groComplete(skb);
}

/** How netdev has IPv4 packets cut and merged. */
export const ipPacketOffload: PacketOffload = {
  type: ETH_P_IP, gsoSegment: inetGsoSegment, groReceive: inetGroReceive, groComplete: inetGroComplete,
};
