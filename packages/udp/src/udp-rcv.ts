/*
 * UDP over IPv4, receiving (net/ipv4/udp.c): udpRcv is the handler in inet_protos. It checks length and checksum, finds
 * the sock (or, for a broadcast or a group, all of them), and queues the datagram, its header pulled; what nobody waits for
 * is answered by ICMP port unreachable. udpErr is told of ICMP errors. Read first: RFC 768, RFC 1122 §4.1.
 */
import {
  SKB_DROP_REASON_NO_SOCKET, SKB_DROP_REASON_PKT_TOO_SMALL, SKB_DROP_REASON_SOCKET_FILTER, SKB_DROP_REASON_UDP_CSUM, snmpInc,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import {
  ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, icmpSend, ipHdrDaddr, ipHdrSaddr, ipMcSfAllow, ipv4PktinfoPrepare, RTCF_BROADCAST,
  RTCF_MULTICAST, skbRtable,
} from '@stack/ip';
import {
  CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_UNNECESSARY, consumeSkb, csumAdd, csumFold, csumTcpudpNofold, kfreeSkbReason, nfReset,
  pskbMayPull, pskbTrimRcsum, skbChecksumComplete, skbClone, skbPull,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { IPPROTO_UDP, skFilterTrimCap } from '@stack/socket';
import { UDP_HLEN, udpCheck, udpDest, udpLen, udpSource } from './udp-hdr.ts';
import { udp4LibLookup, udpIsMcastSock } from './udp-lookup.ts';
import { UDP_MIB_CSUMERRORS, UDP_MIB_IGNOREDMULTI, UDP_MIB_INERRORS, UDP_MIB_NOPORTS } from './udp-mib.ts';
import { __udpQueueRcvSkb } from './udp-queue.ts';
import type { UdpSock } from './udp-sock.ts';
import { udpPortChain } from './udp-table.ts';

function udpDrop(skb: SkBuff, reason: number): number {
  const { mib } = skb.net.udp;
  if (reason === SKB_DROP_REASON_UDP_CSUM) snmpInc(mib, UDP_MIB_CSUMERRORS);
  snmpInc(mib, UDP_MIB_INERRORS);
  kfreeSkbReason(skb, reason);
  return 0;
}

/** InetProtocol.handler: takes the sk_buff, data at the UDP header, networkHeader set. Always 0. */
export function udpRcv(skb: SkBuff): number {
  const { net } = skb;
  if (net.trace !== null) net.trace.hit(net, 'udp_rcv', skb);
  if (!pskbMayPull(skb, UDP_HLEN)) return udpDrop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
  skb.transportHeader = skb.data;
  const ulen = udpLen(skb);
  if (ulen > skb.len || ulen < UDP_HLEN || pskbTrimRcsum(skb, ulen) !== 0) return udpDrop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
  udp4CsumInit(skb, ulen);
  const rt = skbRtable(skb);
  if (rt !== null && (rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) return udpMcastDeliver(net, skb);
  const sk = udp4LibLookup(net.udp.table, ipHdrSaddr(skb), udpSource(skb), ipHdrDaddr(skb), udpDest(skb), skb.skbIif);
  return sk === null ? udpNoPort(net, skb) : udpQueueRcvSkb(sk, skb);
}

/**
 * Prepares the check of the checksum: 0 in the header means that there is none (RFC 768); a device may have summed
 * already. Else skb.csum becomes the pseudo header's sum, for skbChecksumComplete.
 */
function udp4CsumInit(skb: SkBuff, ulen: number): void {
  if (udpCheck(skb) === 0) {
    skb.ipSummed = CHECKSUM_UNNECESSARY;
    return;
  }
  const pseudo = csumTcpudpNofold(ipHdrSaddr(skb), ipHdrDaddr(skb), ulen, IPPROTO_UDP, 0);
  if (skb.ipSummed === CHECKSUM_COMPLETE) {
    if (csumFold(csumAdd(skb.csum, pseudo)) === 0) {
      skb.ipSummed = CHECKSUM_UNNECESSARY;
      return;
    }
    skb.ipSummed = CHECKSUM_NONE;
  }
  if (skb.ipSummed === CHECKSUM_NONE) skb.csum = pseudo;
}

/** Nobody has the port: RFC 1122 §4.1.3.1 asks for ICMP port unreachable. */
function udpNoPort(net: Net, skb: SkBuff): number {
  nfReset(skb);
  if (skbChecksumComplete(skb) !== 0) return udpDrop(skb, SKB_DROP_REASON_UDP_CSUM);
  snmpInc(net.udp.mib, UDP_MIB_NOPORTS);
  icmpSend(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
  kfreeSkbReason(skb, SKB_DROP_REASON_NO_SOCKET);
  return 0;
}

/** Gives the datagram, header not yet pulled, to one sock: checks the checksum, and queues it. Takes the sk_buff; always 0. */
export function udpQueueRcvSkb(sk: UdpSock, skb: SkBuff): number {
  nfReset(skb);
  if (skbChecksumComplete(skb) !== 0) return udpDrop(skb, SKB_DROP_REASON_UDP_CSUM);
  if (sk.skFilter !== null && skFilterTrimCap(sk, skb, UDP_HLEN) !== 0) return udpDrop(skb, SKB_DROP_REASON_SOCKET_FILTER);
  ipv4PktinfoPrepare(sk, skb);
  skbPull(skb, UDP_HLEN);
  __udpQueueRcvSkb(sk, skb);
  return 0;
}

/** A broadcast or a group's datagram: every sock that fits gets one, the last one the original. */
function udpMcastDeliver(net: Net, skb: SkBuff): number {
  const saddr = ipHdrSaddr(skb);
  const daddr = ipHdrDaddr(skb);
  const sport = udpSource(skb);
  const hnum = udpDest(skb);
  const dif = skb.skbIif;
  let last: UdpSock | null = null;
  for (let sk = udpPortChain(net.udp.table, hnum); sk !== null; sk = sk.skNext as UdpSock | null) {
    if (!udpIsMcastSock(sk, saddr, sport, daddr, hnum, dif) || !ipMcSfAllow(sk, daddr, saddr, dif)) continue;
    if (last !== null) {
      const clone = skbClone(skb);
      if (clone !== null) udpQueueRcvSkb(last, clone);
    }
    last = sk;
  }
  if (last !== null) return udpQueueRcvSkb(last, skb);
  snmpInc(net.udp.mib, UDP_MIB_IGNOREDMULTI);
  consumeSkb(skb);
  return 0;
}
