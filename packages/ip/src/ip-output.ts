/*
 * Sending: from the transport to the neighbour.
 *
 * ipQueueXmit (route, header) -> ipLocalOut -> LOCAL_OUT -> dstOutput -> ipOutput -> ipFinishOutput
 * -> POST_ROUTING -> ipFinishOutput2 -> dst.hh.hhOutput, or dst.neighbour.output. What does not
 * fit the path is cut between the last two (ip-fragment-out.ts).
 * Every function takes the sk_buff over. Read first: RFC 791 §3.2, RFC 1122 §3.3.
 */
import {
  EHOSTUNREACH, EINVAL, ENOMEM, SKB_DROP_REASON_IP_OUTNOROUTES, SKB_DROP_REASON_NEIGH_CREATEFAIL, SKB_DROP_REASON_NOMEM, snmpAdd,
  snmpInc,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { INET_FLAGS_MC_LOOP } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { neighHhOutput } from '@stack/neigh';
import { ETH_P_IP, llReservedSpace, netifRx } from '@stack/netdev';
import { NFPROTO_IPV4, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, nfHook } from '@stack/netfilter';
import {
  CHECKSUM_NONE, CHECKSUM_UNNECESSARY, __skbPull, __skbPush, dstHold, dstOutput, dstRelease, kfreeSkbReason, pskbExpandHead, skbClone,
  skbHeadroom, skbPush, skbResetMacHeader,
} from '@stack/skbuff';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import { PACKET_LOOPBACK } from '@stack/netdev';
import { skDstReset } from '@stack/socket';
import { RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import { IPSKB_FORWARDED, IPSKB_REROUTED, ipcbFlags, ipcbInit } from './ip-cb.ts';
import { ipExceedsMtu, ipFragmentOrDrop } from './ip-fragment-out.ts';
import { ipSelectIdent, ipSelectIdentSegs } from './ip-ident.ts';
import {
  IPH_DADDR, IPH_FRAG_OFF, IPH_PROTOCOL, IPH_SADDR, IPH_TOT_LEN, IPH_TTL, IPTOS_RT_MASK, IP_DF, IP_HDR_LEN, ipHdrTtl, ipSendCheck,
} from './ip-header.ts';
import { ipOptionsBuild } from './ip-options-path.ts';
import { ipDontFragment, ipSelectTtl } from './ip-sock.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { RTCF_LOCAL, RTCF_MULTICAST } from './rtable.ts';
import type { Rtable } from './rtable.ts';
import { RTN_BROADCAST, RTN_MULTICAST } from './fib.ts';
import { skSetupCaps } from './sk-route.ts';
import {
  IPSTATS_MIB_OUTBCASTOCTETS, IPSTATS_MIB_OUTBCASTPKTS, IPSTATS_MIB_OUTDISCARDS, IPSTATS_MIB_OUTMCASTOCTETS,
  IPSTATS_MIB_OUTMCASTPKTS, IPSTATS_MIB_OUTNOROUTES, IPSTATS_MIB_OUTOCTETS, IPSTATS_MIB_OUTPKTS, IPSTATS_MIB_OUTREQUESTS,
} from './snmp-names.ts';
import { SOCK_LOCALROUTE, sockFlag } from '@stack/socket';

/** The route of sk as it is cached, if it may still be used; the sock keeps the reference. Forgets one that may not. */
export function skDstCheck(sk: InetSock): DstEntry | null {
  const dst = sk.skDstCache;
  if (dst === null || dst.obsolete === 0 || dst.ops.check(dst, 0) !== null) return dst;
  skDstReset(sk);
  return null;
}

/** Asks for the route of a connected sock and keeps it in skDstCache. Returns it (the sock's reference), or -errno. */
function ipQueueRoute(sk: InetSock): DstEntry | number {
  const net = sk.skNet;
  const fl = net.ipv4.flow;
  const scope = sockFlag(sk, SOCK_LOCALROUTE) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  flowi4InitOutput(
    fl, sk.skBoundDevIf, sk.skMark, sk.tos & IPTOS_RT_MASK, scope, sk.skProtocol, 0, sk.inetDaddr, sk.inetSaddr, sk.inetDport, sk.inetSport,
  );
  const rt = ipRouteOutputFlow(net, fl, sk);
  if (typeof rt === 'number') return rt;
  skSetupCaps(sk, rt);
  return rt;
}

/**
 * Sends skb (consumed), data at the transport header, for the connected sock sk: the order is the
 * packet's own route, the sock's cached one, a new one. Returns 0, NET_XMIT_CN, or -errno
 * (-EHOSTUNREACH without a route).
 */
export function ipQueueXmit(sk: InetSock, skb: SkBuff): number {
  const net = sk.skNet;
  if (net.trace !== null) net.trace.hit(net, 'ip_queue_xmit', skb);
  let dst = skb.dst;
  if (dst === null) {
    dst = skDstCheck(sk);
    if (dst === null) {
      const made = ipQueueRoute(sk);
      if (typeof made === 'number') {
        snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTNOROUTES);
        kfreeSkbReason(skb, SKB_DROP_REASON_IP_OUTNOROUTES);
        return -EHOSTUNREACH;
      }
      dst = made;
    }
    dstHold(dst);
    skb.dst = dst;
  }
  ipcbInit(skb);
  const opt = sk.inetOpt;
  const hlen = opt === null ? IP_HDR_LEN : IP_HDR_LEN + opt.length;
  skbPush(skb, hlen);
  const at = skb.data;
  skb.networkHeader = at;
  const view = skb.view;
  const rt = dst as Rtable;
  view.setUint16(at, 0x4000 | (hlen << 6) | (sk.tos & 0xff));
  view.setInt32(at + IPH_FRAG_OFF, ((ipDontFragment(sk, rt) ? IP_DF : 0) << 16) | (ipSelectTtl(sk, rt) << 8) | sk.skProtocol);
  view.setInt32(at + IPH_SADDR, sk.inetSaddr);
  view.setInt32(at + IPH_DADDR, sk.inetDaddr);
  if (opt !== null) ipOptionsBuild(net, skb, opt, sk.inetSaddr);
  ipSelectIdentSegs(net, skb, sk, skb.shinfo.gsoSegs || 1);
  skb.priority = sk.skPriority;
  skb.mark = sk.skMark;
  return ipLocalOut(net, skb);
}

/**
 * Sends skb (consumed), data at the transport header, with a route of its own, from saddr to
 * daddr: a SYN-ACK, whose sock is the listener. opt are IP options or null. Returns as ipQueueXmit().
 */
export function ipBuildAndSendPkt(skb: SkBuff, sk: InetSock, saddr: number, daddr: number, opt: Uint8Array | null, tos: number): number {
  const net = sk.skNet;
  const rt = skb.dst as Rtable | null;
  if (rt === null) {
    kfreeSkbReason(skb, SKB_DROP_REASON_IP_OUTNOROUTES);
    return -EHOSTUNREACH;
  }
  ipcbInit(skb);
  const hlen = opt === null ? IP_HDR_LEN : IP_HDR_LEN + opt.length;
  skbPush(skb, hlen);
  const at = skb.data;
  skb.networkHeader = at;
  const view = skb.view;
  view.setUint16(at, 0x4000 | (hlen << 6) | (tos & 0xff));
  const df = ipDontFragment(sk, rt);
  view.setInt32(at + IPH_FRAG_OFF, ((df ? IP_DF : 0) << 16) | (ipSelectTtl(sk, rt) << 8) | sk.skProtocol);
  view.setInt32(at + IPH_SADDR, saddr);
  view.setInt32(at + IPH_DADDR, daddr);
  if (opt !== null) ipOptionsBuild(net, skb, opt, saddr);
  ipSelectIdent(net, skb, null);
  skb.priority = sk.skPriority;
  if (skb.mark === 0) skb.mark = sk.skMark;
  return ipLocalOut(net, skb);
}

/** Sends skb (consumed), complete but for length and checksum of its header at data: LOCAL_OUT, then dst.output. Returns 0 or -errno. */
export function ipLocalOut(net: Net, skb: SkBuff): number {
  snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTREQUESTS);
  const at = skb.networkHeader;
  skb.view.setUint16(at + IPH_TOT_LEN, skb.len);
  ipSendCheck(skb, at, skb.view.getUint8(at) & 0x0f);
  skb.protocol = ETH_P_IP;
  const dst = skb.dst;
  return nfHook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, skb, null, dst === null ? null : dst.dev, dstOutput);
}

/** dst.output of a unicast route: counts. Takes skb, data at the IP header. */
export function ipOutput(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_output', skb);
  snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTPKTS);
  return ipFinishOutput(skb);
}

/** Names the device and asks POST_ROUTING. */
export function ipFinishOutput(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_finish_output', skb);
  const dst = skb.dst;
  const dev = dst === null ? null : dst.dev;
  skb.dev = dev;
  skb.protocol = ETH_P_IP;
  if ((ipcbFlags(skb) & IPSKB_REROUTED) !== 0) return ipFinishOutputMtu(skb);
  return nfHook(NFPROTO_IPV4, NF_INET_POST_ROUTING, skb, null, dev, ipFinishOutputMtu);
}

/**
 * POST_ROUTING has let it pass: cuts what is larger than the path's MTU.
 * Deviation: 2.6 cut before POST_ROUTING, today's kernel in ip_finish_output, behind the hook; the
 * chapter has the hook between ip_finish_output and ip_finish_output2, so the cut is here.
 */
function ipFinishOutputMtu(skb: SkBuff): number {
  if (ipExceedsMtu(skb)) return ipFragmentOrDrop(skb, ipFinishOutput2);
  return ipFinishOutput2(skb);
}

/** Hands skb to the neighbour: with its cached header if there is one. Returns NET_XMIT_* or -errno. */
export function ipFinishOutput2(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_finish_output2', skb);
  const dst = skb.dst as Rtable | null;
  if (dst === null || dst.dev === null) return ipOutDrop(skb, SKB_DROP_REASON_NEIGH_CREATEFAIL, -EINVAL);
  const ext = net.ipv4.ipExtMib;
  snmpAdd(ext, IPSTATS_MIB_OUTOCTETS, skb.len);
  if (dst.rtType === RTN_MULTICAST) {
    snmpInc(ext, IPSTATS_MIB_OUTMCASTPKTS);
    snmpAdd(ext, IPSTATS_MIB_OUTMCASTOCTETS, skb.len);
  } else if (dst.rtType === RTN_BROADCAST) {
    snmpInc(ext, IPSTATS_MIB_OUTBCASTPKTS);
    snmpAdd(ext, IPSTATS_MIB_OUTBCASTOCTETS, skb.len);
  }
  const room = llReservedSpace(dst.dev);
  if (skbHeadroom(skb) < dst.dev.hardHeaderLen && pskbExpandHead(skb, room, 0) !== 0) {
    return ipOutDrop(skb, SKB_DROP_REASON_NOMEM, -ENOMEM);
  }
  const neigh = dst.neighbour;
  const sk = skb.sk;
  if (sk !== null && sk.skDstPendingConfirm && neigh !== null) {
    neigh.confirmed = net.world.jiffies;
    sk.skDstPendingConfirm = false;
  }
  if (dst.hh !== null) return neighHhOutput(dst.hh, skb);
  if (neigh !== null) return neigh.output(skb);
  return ipOutDrop(skb, SKB_DROP_REASON_NEIGH_CREATEFAIL, -EINVAL);
}

function ipOutDrop(skb: SkBuff, reason: number, error: number): number {
  snmpInc(skb.net.ipv4.ipMib, IPSTATS_MIB_OUTDISCARDS);
  kfreeSkbReason(skb, reason);
  return error;
}

/** dst.output of a broadcast, or of a group that we listen to: we hear it ourselves too. */
export function ipMcOutput(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_mc_output', skb);
  snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTPKTS);
  const rt = skb.dst as Rtable | null;
  const flags = rt === null ? 0 : rt.rtFlags;
  const group = (flags & RTCF_MULTICAST) !== 0;
  if (group) {
    const forwarded = (ipcbFlags(skb) & IPSKB_FORWARDED) !== 0;
    if (skMcLoop(skb) && ((flags & RTCF_LOCAL) !== 0 || !forwarded)) ipMcLoopback(skb);
    // A group of TTL 0 stays on this host.
    if (ipHdrTtl(skb) === 0) {
      kfreeSkbReason(skb, SKB_DROP_REASON_IP_OUTNOROUTES);
      return 0;
    }
  } else {
    ipMcLoopback(skb);
  }
  return ipFinishOutput(skb);
}

/** Whether the sender wants to hear its own packets to a group (IP_MULTICAST_LOOP). */
function skMcLoop(skb: SkBuff): boolean {
  const sk = skb.sk;
  if (sk === null) return true;
  return ((sk as InetSock).inetFlags & INET_FLAGS_MC_LOOP) !== 0;
}

/** Sends a copy of skb up again. */
function ipMcLoopback(skb: SkBuff): void {
  const copy = skbClone(skb);
  if (copy === null) return;
  const dst = skb.dst;
  copy.dev = dst === null ? null : dst.dev;
  copy.protocol = ETH_P_IP;
  nfHook(NFPROTO_IPV4, NF_INET_POST_ROUTING, copy, null, copy.dev, devLoopbackXmit);
}

/** Turns a packet round (consumed): it comes in by its own device, its route still on it. */
export function devLoopbackXmit(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'dev_loopback_xmit', skb);
  skbResetMacHeader(skb);
  __skbPull(skb, skb.networkHeader - skb.data);
  skb.pktType = PACKET_LOOPBACK;
  if (skb.ipSummed === CHECKSUM_NONE) skb.ipSummed = CHECKSUM_UNNECESSARY;
  netifRx(skb);
  return 0;
}

/**
 * Sends `reply` (consumed), data at its complete transport header, as an answer to a packet, from
 * saddr to daddr, without a sock: TCP's resets and ACKs. Returns 0 or -errno; without a route it is dropped.
 */
export function ipSendUnicastReply(
  net: Net, reply: SkBuff, daddr: number, saddr: number, protocol: number, tos: number, mark: number, oif: number,
): number {
  const fl = net.ipv4.flow;
  flowi4InitOutput(fl, oif, mark, tos & IPTOS_RT_MASK, RT_SCOPE_UNIVERSE, protocol, 0, daddr, saddr, 0, 0);
  const rt = ipRouteOutputFlow(net, fl, null);
  if (typeof rt === 'number') {
    kfreeSkbReason(reply, SKB_DROP_REASON_IP_OUTNOROUTES);
    return rt;
  }
  reply.mark = mark;
  dstRelease(reply.dst);
  reply.dst = rt;
  return ipPushHeader(net, reply, rt, saddr, daddr, protocol, tos, IP_DF, null);
}

/** Pushes an IP header without a sock (fragOff: IP_DF or 0) in front of skb (consumed), whose dst is rt, and sends it. */
export function ipPushHeader(
  net: Net, skb: SkBuff, rt: Rtable, saddr: number, daddr: number, protocol: number, tos: number, fragOff: number,
  opt: Uint8Array | null,
): number {
  ipcbInit(skb);
  const hlen = opt === null ? IP_HDR_LEN : IP_HDR_LEN + opt.length;
  __skbPush(skb, hlen);
  const at = skb.data;
  skb.networkHeader = at;
  const view = skb.view;
  view.setUint16(at, 0x4000 | (hlen << 6) | (tos & 0xff));
  view.setUint16(at + IPH_FRAG_OFF, fragOff);
  view.setUint8(at + IPH_TTL, ipSelectTtl(null, rt));
  view.setUint8(at + IPH_PROTOCOL, protocol);
  view.setInt32(at + IPH_SADDR, saddr);
  view.setInt32(at + IPH_DADDR, daddr);
  if (opt !== null) ipOptionsBuild(net, skb, opt, saddr);
  ipSelectIdentSegs(net, skb, null, skb.shinfo.gsoSegs || 1);
  return ipLocalOut(net, skb);
}
