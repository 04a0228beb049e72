/*
 * Forwarding: dst.input of packets for others.
 *
 * ipForward (TTL, MTU) -> FORWARD -> ipForwardFinish -> dstOutput -> ipOutput.
 * Read first: RFC 1812 §5.3.1 (TTL), §4.2.2.7 (fragmentation).
 */
import {
  SKB_DROP_REASON_IP_INHDR, SKB_DROP_REASON_IP_INNOROUTES, SKB_DROP_REASON_IP_NOT_FORWARDED, SKB_DROP_REASON_NOMEM,
  SKB_DROP_REASON_PKT_TOO_BIG, SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST, snmpInc,
} from '@stack/kernel';
import { PACKET_HOST, llReservedSpace } from '@stack/netdev';
import { NFPROTO_IPV4, NF_INET_FORWARD, nfHook } from '@stack/netfilter';
import { CHECKSUM_COMPLETE, CHECKSUM_NONE, NET_RX_DROP, NET_RX_SUCCESS, dstOutput, kfreeSkbReason, skbCow } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  ICMP_DEST_UNREACH, ICMP_EXC_TTL, ICMP_FRAG_NEEDED, ICMP_SR_FAILED, ICMP_TIME_EXCEEDED,
} from './icmp-types.ts';
import { icmpSend } from './icmp-send.ts';
import {
  IPOPT_F_ROUTER_ALERT, IPOPT_F_STRICTROUTE, IPSKB_FORWARDED, IPSKB_IGNORE_DF, ipcbFlags, ipcbFragMaxSize, ipcbOptFlags, ipcbOptlen, ipcbSetFlag, ipcbSrr,
} from './ip-cb.ts';
import { IP_DF, ipDecreaseTtl, ipHdrFragOff, ipHdrTos, ipHdrTtl } from './ip-header.ts';
import { ipForwardOptions } from './ip-options-path.ts';
import { ipCallRaChain } from './ip-ra.ts';
import { ipDstMtuMaybeForward } from './ip-sock.ts';
import { ipRtSendRedirect } from './route-redirect.ts';
import { RTCF_DOREDIRECT } from './rtable.ts';
import type { Rtable } from './rtable.ts';
import { IPSTATS_MIB_FRAGFAILS, IPSTATS_MIB_INHDRERRORS, IPSTATS_MIB_OUTFORWDATAGRAMS } from './snmp-names.ts';
import { rtTos2priority } from './ip-tos.ts';

function ipForwardDrop(skb: SkBuff, reason: number): number {
  kfreeSkbReason(skb, reason);
  return NET_RX_DROP;
}

/** Whether the packet may not be cut and does not fit. */
function ipForwardExceedsMtu(skb: SkBuff, mtu: number): boolean {
  if (skb.len <= mtu) return false;
  if ((ipHdrFragOff(skb) & IP_DF) === 0 || (ipcbFlags(skb) & IPSKB_IGNORE_DF) !== 0) return false;
  if (ipcbFragMaxSize(skb) > mtu) return true;
  const gso = skb.shinfo.gsoSize;
  return gso === 0 || gso + (skb.transportHeader - skb.networkHeader) + 20 > mtu;
}

/** Sends skb (consumed) on by its route. Returns 0, NET_XMIT_*, NET_RX_DROP or -errno. */
export function ipForward(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_forward', skb);
  const rt = skb.dst as Rtable | null;
  const dev = rt === null ? null : rt.dev;
  if (rt === null || dev === null) return ipForwardDrop(skb, SKB_DROP_REASON_IP_INNOROUTES);
  // RFC 1812 §5.3.4: nor what came in a link-layer broadcast.
  if (skb.pktType !== PACKET_HOST) return ipForwardDrop(skb, SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST);
  if (skb.sk !== null) return ipForwardDrop(skb, SKB_DROP_REASON_IP_NOT_FORWARDED);
  if ((ipcbOptFlags(skb) & IPOPT_F_ROUTER_ALERT) !== 0 && ipCallRaChain(skb)) return NET_RX_SUCCESS;
  if (skb.ipSummed === CHECKSUM_COMPLETE) skb.ipSummed = CHECKSUM_NONE;
  if (ipHdrTtl(skb) <= 1) {
    snmpInc(net.ipv4.ipMib, IPSTATS_MIB_INHDRERRORS);
    icmpSend(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
    return ipForwardDrop(skb, SKB_DROP_REASON_IP_INHDR);
  }
  if ((ipcbOptFlags(skb) & IPOPT_F_STRICTROUTE) !== 0 && rt.rtUsesGateway) {
    icmpSend(skb, ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0);
    return ipForwardDrop(skb, SKB_DROP_REASON_IP_INHDR);
  }
  ipcbSetFlag(skb, IPSKB_FORWARDED);
  const mtu = ipDstMtuMaybeForward(rt, true);
  if (ipForwardExceedsMtu(skb, mtu)) {
    snmpInc(net.ipv4.ipMib, IPSTATS_MIB_FRAGFAILS);
    icmpSend(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
    return ipForwardDrop(skb, SKB_DROP_REASON_PKT_TOO_BIG);
  }
  if (skbCow(skb, llReservedSpace(dev) + rt.headerLen) !== 0) return ipForwardDrop(skb, SKB_DROP_REASON_NOMEM);
  ipDecreaseTtl(skb);
  if ((rt.rtFlags & RTCF_DOREDIRECT) !== 0 && ipcbSrr(skb) === 0) ipRtSendRedirect(skb, rt);
  if (net.ipv4.sysctlIpForwardUpdatePriority !== 0) skb.priority = rtTos2priority(ipHdrTos(skb));
  return nfHook(NFPROTO_IPV4, NF_INET_FORWARD, skb, skb.dev, dev, ipForwardFinish);
}

/** FORWARD has let it pass. */
export function ipForwardFinish(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_forward_finish', skb);
  snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTFORWDATAGRAMS);
  if (ipcbOptlen(skb) !== 0) ipForwardOptions(skb);
  return dstOutput(skb);
}
