/*
 * TCP's part in merging received segments (tcp4_gro_receive, tcp4_gro_complete).
 *
 * napiGroReceive -> inetGroReceive -> tcp4GroReceive: a segment that continues one that is held is appended to it; one with
 * which something ends (PSH, FIN, a short one) sends the whole up. What cannot be merged sends up what is held of its flow
 * before it, so that nothing is overtaken. Every checksum is verified before. Read RFC 9293 §3.1.
 */
import { IPPROTO_TCP, inetGroMergeable, inetGroSameFlow, ipHdrDaddr, ipHdrSaddr } from '@stack/ip';
import {
  CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, SKB_GSO_TCPV4, SKB_GSO_TCP_ECN, csumPartial, csumTcpudpMagic, groCbCount, groCbLen,
  groCbMss, groCbSetFlush, groCbSetPayload, skbGroReceive,
} from '@stack/skbuff';
import type { SkBuff, SkBuffHead } from '@stack/skbuff';
import { TCP_HDR_LEN, TH_CHECK, TH_OFF_FLAGS, thAckSeq, thFlags, thHdrLen, thSeq } from './tcp-hdr.ts';
import { TCPHDR_ACK, TCPHDR_CWR, TCPHDR_FIN, TCPHDR_PSH, TCPHDR_RST, TCPHDR_SYN, TCPHDR_URG } from './tcp-skb-cb.ts';

const TH_FLAGS = 13;
/** With one of these no segment is held, and what is held of its flow goes up. */
const ENDS = TCPHDR_FIN | TCPHDR_SYN | TCPHDR_RST | TCPHDR_PSH | TCPHDR_URG;
/** A segment with one of these is appended to none. */
const STANDS_ALONE = TCPHDR_SYN | TCPHDR_RST | TCPHDR_URG | TCPHDR_CWR;
/** Data offset, flags and window but for the flags in which segments of one packet may differ: FIN, PSH and CWR. */
const MUST_AGREE = ~((TCPHDR_FIN | TCPHDR_PSH | TCPHDR_CWR) << 16);

/** NetOffload.groReceive. Returns what of `held` must go up now, or null. */
export function tcp4GroReceive(held: SkBuffHead, skb: SkBuff): SkBuff | null {
  const segment = skb.len - (skb.transportHeader - skb.data);
  const thlen = segment < TCP_HDR_LEN ? 0 : thHdrLen(skb);
  if (thlen < TCP_HDR_LEN || thlen > segment || !tcp4GroChecksumOk(skb, segment)) {
    groCbSetFlush(skb);
    return null;
  }
  const payload = segment - thlen;
  const flags = thFlags(skb);
  const p = findFlow(held, skb);
  if (p !== null && canAppend(p, skb, thlen, payload, flags) && skbGroReceive(p, skb, skb.transportHeader - skb.data + thlen) === 0) {
    const at = p.transportHeader + TH_FLAGS;
    p.view.setUint8(at, p.view.getUint8(at) | (flags & (TCPHDR_FIN | TCPHDR_PSH)));
    return (flags & ENDS) !== 0 || payload < groCbMss(p) ? p : null;
  }
  if (payload === 0 || (flags & (ENDS | TCPHDR_CWR)) !== 0 || (flags & TCPHDR_ACK) === 0) groCbSetFlush(skb);
  else groCbSetPayload(skb, payload);
  return p;
}

/** Verifies the checksum unless the device has. `len` octets from the TCP header on. */
function tcp4GroChecksumOk(skb: SkBuff, len: number): boolean {
  if (skb.ipSummed === CHECKSUM_UNNECESSARY || skb.ipSummed === CHECKSUM_PARTIAL) return true;
  const sum = csumPartial(skb.buf, skb.view, skb.transportHeader, len, 0);
  if (csumTcpudpMagic(ipHdrSaddr(skb), ipHdrDaddr(skb), len, IPPROTO_TCP, sum) !== 0) return false;
  skb.ipSummed = CHECKSUM_UNNECESSARY;
  return true;
}

/** The held packet of the same connection and direction, or null. */
function findFlow(held: SkBuffHead, skb: SkBuff): SkBuff | null {
  const ports = skb.view.getInt32(skb.transportHeader);
  for (let p = held.next; p !== null; p = p.next) {
    if (p.view.getInt32(p.transportHeader) === ports && inetGroSameFlow(p, skb)) return p;
  }
  return null;
}

/** Whether `skb` is the very next segment of the packet `p`, with the same headers. */
function canAppend(p: SkBuff, skb: SkBuff, thlen: number, payload: number, flags: number): boolean {
  if (payload === 0 || payload > groCbMss(p) || (flags & STANDS_ALONE) !== 0 || skb.ipSummed !== p.ipSummed) return false;
  if (thSeq(skb) !== ((thSeq(p) + groCbLen(p)) | 0) || thAckSeq(skb) !== thAckSeq(p)) return false;
  const { view, transportHeader: th } = skb;
  const { transportHeader: th2 } = p;
  if (((view.getInt32(th + TH_OFF_FLAGS) ^ p.view.getInt32(th2 + TH_OFF_FLAGS)) & MUST_AGREE) !== 0) return false;
  for (let i = TCP_HDR_LEN; i < thlen; i += 4) {
    if (view.getInt32(th + i) !== p.view.getInt32(th2 + i)) return false;
  }
  return inetGroMergeable(p, skb);
}

/** NetOffload.groComplete: makes a merged packet what tcp_gso_segment could have cut: sizes, and a checksum left to do. */
export function tcp4GroComplete(skb: SkBuff): number {
  const { shinfo, transportHeader: th } = skb;
  const len = skb.len - (th - skb.data);
  shinfo.gsoSize = groCbMss(skb);
  shinfo.gsoSegs = groCbCount(skb);
  shinfo.gsoType = SKB_GSO_TCPV4 | ((thFlags(skb) & TCPHDR_CWR) !== 0 ? SKB_GSO_TCP_ECN : 0);
  skb.view.setUint16(th + TH_CHECK, ~csumTcpudpMagic(ipHdrSaddr(skb), ipHdrDaddr(skb), len, IPPROTO_TCP, 0) & 0xffff);
  skb.csumStart = th - skb.head;
  skb.csumOffset = TH_CHECK;
  skb.ipSummed = CHECKSUM_PARTIAL;
  return 0;
}
