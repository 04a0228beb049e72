/*
 * Cutting a datagram into fragments on its way out (RFC 791 §3.2; ip_fragment in the kernel's
 * ip_output.c).
 *
 * Called between POST_ROUTING and the neighbour for what exceeds the MTU: a packet of many
 * segments whose segments fit is left to the device; one whose segments do not is segmented first.
 */
import { EMSGSIZE, ENOMEM, SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_PKT_TOO_BIG, SKB_DROP_REASON_SKB_GSO_SEG, snmpInc } from '@stack/kernel';
import { llReservedSpace, skbGsoSegment } from '@stack/netdev';
import {
  CHECKSUM_NONE, CHECKSUM_PARTIAL, SKB_GSO_UDP_L4, allocSkb, consumeSkb, dstHold, kfreeSkbReason, skbChecksumHelp, skbCopyBits,
  skbPut, skbReserve,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skbSetOwnerW } from '@stack/socket';
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED } from './icmp-types.ts';
import { icmpSend } from './icmp-send.ts';
import { IPSKB_FRAG_PMTU, IPSKB_IGNORE_DF, ipcbFlags, ipcbFragMaxSize, ipcbInit, ipcbOptlen, ipcbSetFlag } from './ip-cb.ts';
import {
  IPH_FRAG_OFF, IPH_TOT_LEN, IP_DF, IP_MF, IP_OFFSET, ipHdrFragOff, ipHdrlen, ipSendCheck,
} from './ip-header.ts';
import { ipOptionsFragment } from './ip-options.ts';
import { ipSkbDstMtu } from './ip-sock.ts';
import type { Rtable } from './rtable.ts';
import { IPSTATS_MIB_FRAGCREATES, IPSTATS_MIB_FRAGFAILS, IPSTATS_MIB_FRAGOKS } from './snmp-names.ts';

/** Octets of network and transport header of each segment of a packet of many. */
function gsoHeaderLen(skb: SkBuff): number {
  const network = skb.transportHeader - skb.networkHeader;
  if ((skb.shinfo.gsoType & SKB_GSO_UDP_L4) !== 0) return network + 8;
  return network + (skb.view.getUint8(skb.transportHeader + 12) >> 4 << 2);
}

/** Whether skb, data at the IP header, must be cut before it leaves. */
export function ipExceedsMtu(skb: SkBuff): boolean {
  const rt = skb.dst as Rtable | null;
  if (rt === null) return false;
  const mtu = ipSkbDstMtu(skb, rt);
  if ((ipcbFlags(skb) & IPSKB_FRAG_PMTU) !== 0) return true;
  if (skb.len <= mtu) return false;
  const gsoSize = skb.shinfo.gsoSize;
  return gsoSize === 0 || gsoSize + gsoHeaderLen(skb) > mtu;
}

/** Cuts skb (consumed) and gives each piece to output; or drops it and tells the sender, if it may not be cut. Returns 0 or an error. */
export function ipFragmentOrDrop(skb: SkBuff, output: (skb: SkBuff) => number): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_fragment', skb);
  const rt = skb.dst as Rtable | null;
  if (rt === null) return ipFragmentFail(skb, SKB_DROP_REASON_PKT_TOO_BIG, -EMSGSIZE);
  if (skb.shinfo.gsoSize !== 0) return ipFragmentGso(skb, output);
  let mtu = ipSkbDstMtu(skb, rt);
  const seen = ipcbFragMaxSize(skb);
  if (seen !== 0 && seen < mtu) mtu = seen;
  const df = (ipHdrFragOff(skb) & IP_DF) !== 0;
  const forced = (ipcbFlags(skb) & IPSKB_IGNORE_DF) !== 0 || (seen !== 0 && seen <= mtu);
  if (df && !forced) {
    icmpSend(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
    return ipFragmentFail(skb, SKB_DROP_REASON_PKT_TOO_BIG, -EMSGSIZE);
  }
  return ipDoFragment(skb, mtu, output);
}

function ipFragmentFail(skb: SkBuff, reason: number, error: number): number {
  snmpInc(skb.net.ipv4.ipMib, IPSTATS_MIB_FRAGFAILS);
  kfreeSkbReason(skb, reason);
  return error;
}

/** Segments a packet of many whose segments are too large, then cuts those. */
function ipFragmentGso(skb: SkBuff, output: (skb: SkBuff) => number): number {
  const segs = skbGsoSegment(skb, 0);
  if (segs === null || typeof segs === 'number') {
    return ipFragmentFail(skb, SKB_DROP_REASON_SKB_GSO_SEG, segs === null ? -EMSGSIZE : segs);
  }
  consumeSkb(skb);
  let ret = 0;
  for (let seg: SkBuff | null = segs; seg !== null; ) {
    const next: SkBuff | null = seg.next;
    seg.next = null;
    const error = ipExceedsMtu(seg) ? ipFragmentOrDrop(seg, output) : output(seg);
    if (ret === 0) ret = error;
    seg = next;
  }
  return ret;
}

/** Cuts skb (consumed) into fragments of at most mtu octets and gives each to output. Returns 0 or the first error. */
function ipDoFragment(skb: SkBuff, mtu: number, output: (skb: SkBuff) => number): number {
  const net = skb.net;
  const mib = net.ipv4.ipMib;
  if (skb.ipSummed === CHECKSUM_PARTIAL && skbChecksumHelp(skb) !== 0) {
    return ipFragmentFail(skb, SKB_DROP_REASON_NOMEM, -ENOMEM);
  }
  const hlen = ipHdrlen(skb);
  // A fragment's data is a multiple of 8 octets, but for the last one's.
  const step = (mtu - hlen) & ~7;
  if (step < 8) return ipFragmentFail(skb, SKB_DROP_REASON_PKT_TOO_BIG, -EMSGSIZE);
  const fragOff = ipHdrFragOff(skb);
  const base = (fragOff & IP_OFFSET) << 3;
  const payload = skb.len - hlen;
  for (let at = 0; at < payload; at += step) {
    const len = Math.min(step, payload - at);
    const frag = ipMakeFragment(skb, hlen, at, len);
    if (frag === null) return ipFragmentFail(skb, SKB_DROP_REASON_NOMEM, -ENOMEM);
    const more = at + len < payload || (fragOff & IP_MF) !== 0;
    const keepDf = (ipcbFlags(skb) & IPSKB_FRAG_PMTU) !== 0 ? fragOff & IP_DF : 0;
    frag.view.setUint16(frag.data + IPH_FRAG_OFF, ((base + at) >> 3) | (more ? IP_MF : 0) | keepDf);
    if (at > 0 && hlen > 20) ipOptionsFragment(frag.view, frag.data, hlen - 20);
    ipSendCheck(frag, frag.data, hlen >> 2);
    snmpInc(mib, IPSTATS_MIB_FRAGCREATES);
    const error = output(frag);
    if (error < 0) {
      snmpInc(mib, IPSTATS_MIB_FRAGFAILS);
      kfreeSkbReason(skb, SKB_DROP_REASON_NOMEM);
      return error;
    }
  }
  snmpInc(mib, IPSTATS_MIB_FRAGOKS);
  consumeSkb(skb);
  return 0;
}

/** A fragment: the header of skb and `len` octets of its data from `at` on, lengths set. null without memory. */
function ipMakeFragment(skb: SkBuff, hlen: number, at: number, len: number): SkBuff | null {
  const dst = skb.dst;
  const dev = skb.dev;
  const room = dev === null ? 16 : llReservedSpace(dev);
  const frag = allocSkb(skb.net, room + hlen + len);
  if (frag === null) return null;
  skbReserve(frag, room);
  const to = skbPut(frag, hlen + len);
  frag.networkHeader = frag.data;
  frag.transportHeader = frag.data + hlen;
  skbCopyBits(skb, 0, frag.buf, to, hlen);
  skbCopyBits(skb, hlen + at, frag.buf, to + hlen, len);
  frag.view.setUint16(frag.data + IPH_TOT_LEN, hlen + len);
  ipcbInit(frag);
  ipcbSetFlag(frag, ipcbFlags(skb) & ~IPSKB_FRAG_PMTU);
  frag.cb3 = ipcbOptlen(skb);
  frag.ipSummed = CHECKSUM_NONE;
  frag.pktType = skb.pktType;
  frag.priority = skb.priority;
  frag.protocol = skb.protocol;
  frag.mark = skb.mark;
  frag.dev = dev;
  if (dst !== null) dstHold(dst);
  frag.dst = dst;
  if (skb.sk !== null) skbSetOwnerW(frag, skb.sk);
  return frag;
}
