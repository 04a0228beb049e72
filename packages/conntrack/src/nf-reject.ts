/*
 * Telling the sender of a packet that a rule refuses it (net/ipv4/netfilter/nf_reject_ipv4.c): an ICMP error, or a TCP reset as
 * its destination would have sent it. Neither for a packet whose checksum is wrong: its sender may be somebody else.
 */
import { ETH_P_IP } from '@stack/netdev';
import { nfCtAttach } from '@stack/netfilter';
import type { NfHookState } from '@stack/netfilter';
import {
  ICMP_DEST_UNREACH, IPH_DADDR, IPH_FRAG_OFF, IPH_PROTOCOL, IPH_SADDR, IPH_TTL, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IP_DF,
  IP_HDR_LEN, IP_OFFSET, RTCF_BROADCAST, RTCF_MULTICAST, icmpSend, ipHdrDaddr, ipHdrFragOff, ipHdrProtocol, ipHdrSaddr, ipHdrlen, ipLocalOut,
  ipcbInit, skbRtable,
} from '@stack/ip';
import {
  CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, allocSkb, consumeSkb, csumFold, csumPartial, csumTcpudpMagic, csumTcpudpNofold, pskbMayPull,
  skbChecksum, skbPut, skbReserve,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { TCP_HDR_LEN, TH_ACK, TH_FIN, TH_RST, TH_SYN, tcpHdrLen } from './nf-conntrack-tcp-window.ts';
import { ipRouteMeHarder } from './ip-route-me-harder.ts';

/** Room for the headers of any device. */
const MAX_HEADER = 64;
const TCP_CHECK = 16;
const UDP_CHECK = 6;

/** Whether the transport's checksum is wrong. What has none that we know is taken to be right. */
function checksumBad(skb: SkBuff): boolean {
  if (skb.ipSummed === CHECKSUM_UNNECESSARY || skb.ipSummed === CHECKSUM_PARTIAL) return false;
  const protocol = ipHdrProtocol(skb);
  const hlen = ipHdrlen(skb);
  const len = skb.len - hlen;
  if (protocol === IPPROTO_ICMP) return csumFold(skbChecksum(skb, hlen, len, 0)) !== 0;
  if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return false;
  if (!pskbMayPull(skb, hlen + 8)) return true;
  if (protocol === IPPROTO_UDP && skb.view.getUint16(skb.data + hlen + UDP_CHECK) === 0) return false;
  return csumFold(skbChecksum(skb, hlen, len, csumTcpudpNofold(ipHdrSaddr(skb), ipHdrDaddr(skb), len, protocol, 0))) !== 0;
}

/** Sends ICMP destination unreachable with `code` about skb, which stays the caller's. */
export function nfSendUnreach(skb: SkBuff, code: number): void {
  if ((ipHdrFragOff(skb) & IP_OFFSET) === 0 && !checksumBad(skb)) icmpSend(skb, ICMP_DEST_UNREACH, code, 0);
}

/** Answers skb, a TCP segment that stays the caller's, with a reset (RFC 9293 §3.5.2); anything else is not answered. */
export function nfSendReset(skb: SkBuff, state: NfHookState): void {
  const hlen = ipHdrlen(skb);
  if (ipHdrProtocol(skb) !== IPPROTO_TCP || (ipHdrFragOff(skb) & IP_OFFSET) !== 0 || !pskbMayPull(skb, hlen + TCP_HDR_LEN)) return;
  if ((skb.view.getUint8(skb.data + hlen + 13) & TH_RST) !== 0 || checksumBad(skb)) return;
  const rt = skbRtable(skb);
  if (rt !== null && (rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) return;
  const { net } = state;
  const reset = allocSkb(net, MAX_HEADER + IP_HDR_LEN + TCP_HDR_LEN);
  if (reset === null) return;
  skbReserve(reset, MAX_HEADER);
  resetIpHeader(reset, skb, net.ipv4.sysctlIpDefaultTtl);
  resetTcpHeader(reset, skb, skb.data + hlen);
  if (ipRouteMeHarder(net, reset) !== 0) {
    consumeSkb(reset);
    return;
  }
  nfCtAttach(reset, skb);
  ipLocalOut(net, reset);
}

/** An IP header from skb's destination to its source. */
function resetIpHeader(reset: SkBuff, skb: SkBuff, ttl: number): void {
  const at = skbPut(reset, IP_HDR_LEN + TCP_HDR_LEN);
  const { view } = reset;
  reset.networkHeader = at;
  reset.transportHeader = at + IP_HDR_LEN;
  reset.protocol = ETH_P_IP;
  ipcbInit(reset);
  view.setInt32(at, 0x45000000);
  view.setInt32(at + 4, 0);
  view.setUint16(at + IPH_FRAG_OFF, IP_DF);
  view.setUint8(at + IPH_TTL, ttl);
  view.setUint8(at + IPH_PROTOCOL, IPPROTO_TCP);
  view.setInt32(at + IPH_SADDR, ipHdrDaddr(skb));
  view.setInt32(at + IPH_DADDR, ipHdrSaddr(skb));
}

/** The reset itself: what skb acknowledged is its number; without an acknowledgement it has number 0 and acknowledges skb. */
function resetTcpHeader(reset: SkBuff, skb: SkBuff, from: number): void {
  const at = reset.transportHeader;
  const { view } = reset;
  const flags = skb.view.getUint8(from + 13);
  const acked = (flags & TH_ACK) !== 0;
  const counted = ((flags & TH_SYN) !== 0 ? 1 : 0) + ((flags & TH_FIN) !== 0 ? 1 : 0);
  const end = skb.view.getInt32(from + 4) + counted + skb.len - (from - skb.data) - tcpHdrLen(skb, from);
  view.setUint16(at, skb.view.getUint16(from + 2));
  view.setUint16(at + 2, skb.view.getUint16(from));
  view.setInt32(at + 4, acked ? skb.view.getInt32(from + 8) : 0);
  view.setInt32(at + 8, acked ? 0 : end);
  view.setInt32(at + 12, (TCP_HDR_LEN << 26) | ((acked ? TH_RST : TH_RST | TH_ACK) << 16));
  view.setInt32(at + TCP_CHECK, 0);
  const sum = csumPartial(reset.buf, view, at, TCP_HDR_LEN, 0);
  view.setUint16(at + TCP_CHECK, csumTcpudpMagic(ipHdrSaddr(reset), ipHdrDaddr(reset), TCP_HDR_LEN, IPPROTO_TCP, sum));
}
