/*
 * Receiving: from netif_receive_skb to the transport.
 *
 * ipRcv (checks) -> PRE_ROUTING -> ipRcvFinish (route) -> dstInput -> ipLocalDeliver (fragments)
 * -> LOCAL_IN -> ipLocalDeliverFinish -> inet_protos[protocol].handler; or -> ipForward.
 * Every function takes the sk_buff over. Read first: RFC 791 §3.1, RFC 1122 §3.2.1.
 */
import {
  EXDEV, SKB_DROP_REASON_INVALID_PROTO, SKB_DROP_REASON_IP_CSUM, SKB_DROP_REASON_IP_INHDR,
  SKB_DROP_REASON_IP_INVALID_SOURCE, SKB_DROP_REASON_IP_NOPROTO, SKB_DROP_REASON_IP_RPFILTER, SKB_DROP_REASON_NOMEM,
  SKB_DROP_REASON_NO_IN_DEVICE, SKB_DROP_REASON_OTHERHOST, SKB_DROP_REASON_PKT_TOO_SMALL,
  SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST, snmpAdd, snmpInc,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { ETH_P_IP, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST } from '@stack/netdev';
import type { NetDevice, PacketType } from '@stack/netdev';
import { NFPROTO_IPV4, NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING, nfHook } from '@stack/netfilter';
import {
  NET_RX_DROP, NET_RX_SUCCESS, __skbPull, consumeSkb, dstInput, ipFastCsum, kfreeSkbReason, nfReset, pskbMayPull, pskbTrimRcsum,
  skbOrphan, skbShareCheck,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { ICMP_DEST_UNREACH, ICMP_PROT_UNREACH } from './icmp-types.ts';
import { icmpSend } from './icmp-send.ts';
import { IP_DEFRAG_LOCAL_DELIVER } from './inet-fragment.ts';
import { inDevDropUnicastInL2Multicast } from './inetdevice.ts';
import { ipcbInit, ipcbSetIif } from './ip-cb.ts';
import { ipDefrag } from './ip-fragment.ts';
import {
  INET_ECN_MASK, IPH_TOS, IPH_TOT_LEN, IPTOS_RT_MASK, IP_HDR_LEN, ipHdrDaddr, ipHdrProtocol, ipHdrSaddr, ipHdrTos, ipHdrlen,
  ipIsFragment,
} from './ip-header.ts';
import { INET_PROTO_NO_POLICY } from './protocol.ts';
import { ipRcvOptions } from './ip-options-path.ts';
import { ipRouteInput } from './route-input.ts';
import { RTN_BROADCAST, RTN_MULTICAST } from './fib.ts';
import type { Rtable } from './rtable.ts';
import {
  IPSTATS_MIB_CSUMERRORS, IPSTATS_MIB_INBCASTOCTETS, IPSTATS_MIB_INBCASTPKTS, IPSTATS_MIB_INDELIVERS, IPSTATS_MIB_INDISCARDS,
  IPSTATS_MIB_INHDRERRORS, IPSTATS_MIB_INMCASTOCTETS, IPSTATS_MIB_INMCASTPKTS, IPSTATS_MIB_INOCTETS, IPSTATS_MIB_INPKTS,
  IPSTATS_MIB_INTRUNCATEDPKTS, IPSTATS_MIB_INUNKNOWNPROTOS, IPSTATS_MIB_NOECTPKTS,
} from './snmp-names.ts';

/** The ETH_P_IP handler: checks skb (consumed), data at the IP header. Returns NET_RX_*, or what the handler above said. */
export function ipRcv(skb: SkBuff, dev: NetDevice, _pt: PacketType, _origDev: NetDevice): number {
  const net = dev.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_rcv', skb);
  const checked = ipRcvCore(skb, net, dev);
  if (checked === null) return NET_RX_DROP;
  return nfHook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, checked, dev, null, ipRcvFinish);
}

function ipRcvDrop(skb: SkBuff, reason: number): null {
  kfreeSkbReason(skb, reason);
  return null;
}

function ipRcvInhdrError(skb: SkBuff, net: Net, reason: number): null {
  snmpInc(net.ipv4.ipMib, IPSTATS_MIB_INHDRERRORS);
  return ipRcvDrop(skb, reason);
}

/** The checks of RFC 1122 §3.2.1.1 and §3.2.1.2: version, lengths, checksum. Returns the packet, its own and cut to its length, or null. */
function ipRcvCore(packet: SkBuff, net: Net, dev: NetDevice): SkBuff | null {
  const ipv4 = net.ipv4;
  if (packet.pktType === PACKET_OTHERHOST) {
    dev.stats.rxOtherhostDropped++;
    return ipRcvDrop(packet, SKB_DROP_REASON_OTHERHOST);
  }
  snmpInc(ipv4.ipMib, IPSTATS_MIB_INPKTS);
  snmpAdd(ipv4.ipExtMib, IPSTATS_MIB_INOCTETS, packet.len);
  const skb = skbShareCheck(packet);
  if (skb === null) {
    snmpInc(ipv4.ipMib, IPSTATS_MIB_INDISCARDS);
    return null;
  }
  if (!pskbMayPull(skb, IP_HDR_LEN)) return ipRcvInhdrError(skb, net, SKB_DROP_REASON_PKT_TOO_SMALL);
  const versionIhl = skb.view.getUint8(skb.data);
  const hlen = (versionIhl & 0x0f) << 2;
  if (versionIhl >> 4 !== 4 || hlen < IP_HDR_LEN) return ipRcvInhdrError(skb, net, SKB_DROP_REASON_IP_INHDR);
  snmpAdd(ipv4.ipExtMib, IPSTATS_MIB_NOECTPKTS + (skb.view.getUint8(skb.data + IPH_TOS) & INET_ECN_MASK), skb.shinfo.gsoSegs || 1);
  if (!pskbMayPull(skb, hlen)) return ipRcvInhdrError(skb, net, SKB_DROP_REASON_IP_INHDR);
  if (ipFastCsum(skb.view, skb.data, hlen >> 2) !== 0) {
    snmpInc(ipv4.ipExtMib, IPSTATS_MIB_CSUMERRORS);
    return ipRcvInhdrError(skb, net, SKB_DROP_REASON_IP_CSUM);
  }
  const len = skb.view.getUint16(skb.data + IPH_TOT_LEN);
  if (skb.len < len) {
    snmpInc(ipv4.ipExtMib, IPSTATS_MIB_INTRUNCATEDPKTS);
    return ipRcvDrop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
  }
  if (len < hlen) return ipRcvInhdrError(skb, net, SKB_DROP_REASON_IP_INHDR);
  // The link may have padded the packet: only what the header says belongs to it.
  if (pskbTrimRcsum(skb, len) !== 0) {
    snmpInc(ipv4.ipMib, IPSTATS_MIB_INDISCARDS);
    return ipRcvDrop(skb, SKB_DROP_REASON_NOMEM);
  }
  skb.networkHeader = skb.data;
  skb.transportHeader = skb.data + hlen;
  ipcbInit(skb);
  ipcbSetIif(skb, skb.skbIif);
  if (skb.destructor !== null) skbOrphan(skb);
  return skb;
}

/** PRE_ROUTING has let it pass: finds the route, unless the packet brought one (loopback), and goes on by dst.input. */
export function ipRcvFinish(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_rcv_finish', skb);
  const dev = skb.dev;
  if (dev === null) return ipRcvFinishDrop(skb, SKB_DROP_REASON_NO_IN_DEVICE);
  if (skb.dst === null) {
    const error = ipRouteInput(skb, ipHdrDaddr(skb), ipHdrSaddr(skb), ipHdrTos(skb) & IPTOS_RT_MASK, dev);
    if (error !== 0) {
      return ipRcvFinishDrop(skb, error === -EXDEV ? SKB_DROP_REASON_IP_RPFILTER : SKB_DROP_REASON_IP_INVALID_SOURCE);
    }
  }
  if (ipHdrlen(skb) > IP_HDR_LEN && ipRcvOptions(skb, dev)) return ipRcvFinishDrop(skb, SKB_DROP_REASON_IP_INHDR);
  const type = (skb.dst as Rtable | null)?.rtType ?? 0;
  const ext = net.ipv4.ipExtMib;
  if (type === RTN_MULTICAST) {
    snmpInc(ext, IPSTATS_MIB_INMCASTPKTS);
    snmpAdd(ext, IPSTATS_MIB_INMCASTOCTETS, skb.len);
  } else if (type === RTN_BROADCAST) {
    snmpInc(ext, IPSTATS_MIB_INBCASTPKTS);
    snmpAdd(ext, IPSTATS_MIB_INBCASTOCTETS, skb.len);
  } else if (skb.pktType === PACKET_BROADCAST || skb.pktType === PACKET_MULTICAST) {
    // RFC 1122 §3.3.6: a unicast packet in a link-layer broadcast is suspect.
    const inDev = dev.ipPtr;
    if (inDev !== null && inDevDropUnicastInL2Multicast(inDev)) {
      return ipRcvFinishDrop(skb, SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST);
    }
  }
  return dstInput(skb);
}

function ipRcvFinishDrop(skb: SkBuff, reason: number): number {
  kfreeSkbReason(skb, reason);
  return NET_RX_DROP;
}

/** dst.input of what is for us: a fragment waits for the others, a whole datagram goes up. Takes skb; returns 0, or what the handler said. */
export function ipLocalDeliver(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_local_deliver', skb);
  let whole: SkBuff | null = skb;
  if (ipIsFragment(skb)) {
    whole = ipDefrag(net, skb, IP_DEFRAG_LOCAL_DELIVER);
    if (whole === null) return 0;
  }
  return nfHook(NFPROTO_IPV4, NF_INET_LOCAL_IN, whole, whole.dev, null, ipLocalDeliverFinish);
}

/** LOCAL_IN has let it pass: leaves networkHeader, pulls the IP header and gives the packet to its transport. */
export function ipLocalDeliverFinish(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_local_deliver_finish', skb);
  __skbPull(skb, ipHdrlen(skb));
  return ipProtocolDeliver(net, skb, ipHdrProtocol(skb));
}

/** Gives skb (consumed), data at the transport header, to raw sockets and to the transport of `protocol`. */
function ipProtocolDeliver(net: Net, skb: SkBuff, protocol: number): number {
  const ipv4 = net.ipv4;
  let number = protocol;
  for (;;) {
    const raw = ipv4.rawOps !== null && ipv4.rawOps.localDeliver(skb, number);
    const prot = ipv4.inetProtos[number];
    if (prot === null) return ipDeliverUnknown(net, skb, raw);
    if ((prot.flags & INET_PROTO_NO_POLICY) === 0 && skb.nfct !== null) nfReset(skb);
    const ret = prot.handler(skb);
    if (ret >= 0) {
      snmpInc(ipv4.ipMib, IPSTATS_MIB_INDELIVERS);
      return ret;
    }
    number = -ret;
    if (number > 255) return ipRcvFinishDrop(skb, SKB_DROP_REASON_INVALID_PROTO);
  }
}

/** Nobody has this protocol (RFC 1122 §3.2.2.1: say so), unless a raw socket took it. */
function ipDeliverUnknown(net: Net, skb: SkBuff, raw: boolean): number {
  const ipv4 = net.ipv4;
  if (raw) {
    snmpInc(ipv4.ipMib, IPSTATS_MIB_INDELIVERS);
    consumeSkb(skb);
    return NET_RX_SUCCESS;
  }
  snmpInc(ipv4.ipMib, IPSTATS_MIB_INUNKNOWNPROTOS);
  icmpSend(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
  return ipRcvFinishDrop(skb, SKB_DROP_REASON_IP_NOPROTO);
}

/** How netdev finds IPv4. */
export const ipPacketType: PacketType = { type: ETH_P_IP, dev: null, func: ipRcv, afPacketPriv: null };
