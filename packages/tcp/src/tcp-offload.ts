/*
 * TCP's part in segmentation offload (tcp_gso_segment): skb_segment cuts, TCP gives every segment its sequence number,
 * flags and checksum.
 *
 * Called through inet_offloads by inetGsoSegment of @stack/ip, data at the TCP header. Read RFC 9293 §3.1, RFC 3168 §6.1.2.
 * Order of calls: inetGsoSegment → tcpv4Offload.gsoSegment → skbSegment → each segment's header.
 */
import { EINVAL } from '@stack/kernel';
import type { NetOffload } from '@stack/ip';
import {
  CHECKSUM_PARTIAL, SKBTX_SW_TSTAMP, __skbPull, csumFold, csumPartial, pskbMayPull, skbSegment,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { tcp4GroComplete, tcp4GroReceive } from './tcp-gro.ts';
import { TCP_HDR_LEN, TH_CHECK, thHdrLen, thSeq } from './tcp-hdr.ts';
import { TCPHDR_CWR, TCPHDR_FIN, TCPHDR_PSH, before } from './tcp-skb-cb.ts';

const TH_SEQ = 4;
const TH_FLAGS = 13;

/**
 * Cuts `skb` (which stays the caller's) into segments of gsoSize payload bytes linked by `next`, or -errno. What the
 * sock is charged with moves to the last of them, so that it stays charged until that has left.
 */
export function tcpGsoSegment(skb: SkBuff, features: number): SkBuff | number {
  if (!pskbMayPull(skb, TCP_HDR_LEN)) return -EINVAL;
  const thlen = thHdrLen(skb);
  if (thlen < TCP_HDR_LEN || !pskbMayPull(skb, thlen)) return -EINVAL;
  const oldLen = skb.len;
  const mss = skb.shinfo.gsoSize;
  if (oldLen - thlen <= mss) return -EINVAL;
  __skbPull(skb, thlen);
  const segs = skbSegment(skb, features);
  if (typeof segs === 'number') return segs;
  if ((skb.shinfo.txFlags & SKBTX_SW_TSTAMP) !== 0) tcpGsoTstamp(segs, skb.shinfo.tskey, mss);
  finishHeaders(segs, oldLen, thlen, mss);
  moveCharge(skb, segs);
  return segs;
}

/** The time stamp is of the segment that has octet tskey. */
function tcpGsoTstamp(segs: SkBuff, tskey: number, mss: number): void {
  let seq = thSeq(segs);
  for (let seg: SkBuff | null = segs; seg !== null; seg = seg.next) {
    seq = (seq + mss) | 0;
    if (!before(tskey, seq)) continue;
    seg.shinfo.txFlags |= SKBTX_SW_TSTAMP;
    seg.shinfo.tskey = tskey;
    return;
  }
}

/** Puts right what differs from segment to segment. */
function finishHeaders(segs: SkBuff, oldLen: number, thlen: number, mss: number): void {
  let seq = thSeq(segs);
  for (let seg: SkBuff | null = segs; seg !== null; seg = seg.next) {
    const th = seg.transportHeader;
    let flags = seg.view.getUint8(th + TH_FLAGS);
    if (seg !== segs) flags &= ~TCPHDR_CWR;
    if (seg.next !== null) flags &= ~(TCPHDR_FIN | TCPHDR_PSH);
    seg.view.setUint8(th + TH_FLAGS, flags);
    seg.view.setInt32(th + TH_SEQ, seq);
    seq = (seq + mss) | 0;
    finishChecksum(seg, th, thlen, oldLen);
  }
}

/** The field holds the sum of a pseudo header of `oldLen`: it becomes this segment's, and is completed unless hardware will. */
function finishChecksum(seg: SkBuff, th: number, thlen: number, oldLen: number): void {
  const { view } = seg;
  const len = seg.len - (th - seg.data);
  const pseudo = view.getUint16(th + TH_CHECK) + (~oldLen & 0xffff) + len;
  if (seg.ipSummed === CHECKSUM_PARTIAL) {
    view.setUint16(th + TH_CHECK, ~csumFold(pseudo) & 0xffff);
    return;
  }
  view.setUint16(th + TH_CHECK, 0);
  view.setUint16(th + TH_CHECK, csumFold(csumPartial(seg.buf, view, th, thlen, seg.csum + pseudo)));
}

/** The last segment takes over the sock, the destructor and the truesize that the destructor will give back. */
function moveCharge(skb: SkBuff, segs: SkBuff): void {
  if (skb.destructor === null) return;
  const last = segs.prev as SkBuff;
  const { truesize } = last;
  last.truesize = skb.truesize;
  skb.truesize = truesize;
  last.sk = skb.sk;
  last.destructor = skb.destructor;
  skb.sk = null;
  skb.destructor = null;
}

/** How IPv4 has TCP packets cut and merged. */
export const tcpv4Offload: NetOffload = { gsoSegment: tcpGsoSegment, groReceive: tcp4GroReceive, groComplete: tcp4GroComplete };
