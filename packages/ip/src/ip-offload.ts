/*
 * IPv4's part in segmentation offload (inet_gso_segment): the transport cuts, IP gives every
 * segment its length, identification and checksum.
 */
import { EINVAL, EPROTONOSUPPORT } from '@stack/kernel';
import { ETH_P_IP } from '@stack/netdev';
import type { PacketOffload } from '@stack/netdev';
import { SKB_GSO_TCP_FIXEDID, __skbPull, __skbPush, pskbMayPull } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { IPH_ID, IPH_TOT_LEN, IP_HDR_LEN, ipHdrProtocol, ipSendCheck } from './ip-header.ts';

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

/** How netdev has IPv4 packets cut. */
export const ipPacketOffload: PacketOffload = { type: ETH_P_IP, gsoSegment: inetGsoSegment, groReceive: null, groComplete: null };
