/*
 * ICMP messages that we send: errors about a packet (icmpSend), answers (icmpPushReply).
 *
 * Read first: RFC 1122 §3.2.2 (what an error must never be sent about), RFC 1812 §4.3.2.
 */
import { snmpInc } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { PACKET_HOST, devGetByIndex, llReservedSpace } from '@stack/netdev';
import { allocSkb, csumFold, csumPartial, dstRelease, skbCopyBits, skbPut, skbReserve } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { nfCtAttach } from '@stack/netfilter';
import { RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import {
  ICMPH_CHECKSUM, ICMPH_CODE, ICMPH_ID, ICMPH_TYPE, ICMP_DEST_UNREACH, ICMP_ECHO, ICMP_ECHOREPLY, ICMP_HDR_LEN, ICMP_PARAMETERPROB,
  ICMP_REDIRECT, ICMP_SOURCE_QUENCH, ICMP_TIMESTAMP, ICMP_TIMESTAMPREPLY, ICMP_TIME_EXCEEDED, NR_ICMP_TYPES,
} from './icmp-types.ts';
import { icmpGlobalAllow, icmpv4MaskAllow, icmpv4XrlimAllow } from './icmp-ratelimit.ts';
import { inetSelectAddr } from './ifaddr.ts';
import {
  INET_ECN_MASK, IPPROTO_ICMP, IPTOS_PREC_INTERNETCONTROL, IPTOS_RT_MASK, IPTOS_TOS_MASK, IP_HDR_LEN, IP_OFFSET, ipHdrDaddr, ipHdrFragOff,
  ipHdrProtocol, ipHdrSaddr, ipHdrTos, ipHdrlen,
} from './ip-header.ts';
import { ipOptionsEcho, ipOptionsFirstHop } from './ip-options-path.ts';
import { ipPushHeader } from './ip-output.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST } from './rtable.ts';
import type { Rtable } from './rtable.ts';
import {
  ICMP_MIB_OUTDESTUNREACHS, ICMP_MIB_OUTECHOREPS, ICMP_MIB_OUTECHOS, ICMP_MIB_OUTERRORS, ICMP_MIB_OUTMSGS, ICMP_MIB_OUTPARMPROBS,
  ICMP_MIB_OUTREDIRECTS, ICMP_MIB_OUTTIMEEXCDS, ICMP_MIB_OUTTIMESTAMPREPS, ICMP_MIB_OUTTIMESTAMPS,
} from './snmp-names.ts';

/** The most that an error may be, IP header counted in (RFC 1812 §4.3.2.3). */
const ICMP_ERROR_MAX = 576;

/** Whether a message of this type is an error, about which no error may be sent (RFC 1122 §3.2.2). */
export function icmpIsError(type: number): boolean {
  return type === ICMP_DEST_UNREACH || type === ICMP_SOURCE_QUENCH || type === ICMP_REDIRECT || type === ICMP_TIME_EXCEEDED ||
    type === ICMP_PARAMETERPROB;
}

/** The counter of messages of this type that we send, or -1. */
function icmpOutMib(type: number): number {
  switch (type) {
    case ICMP_ECHOREPLY: return ICMP_MIB_OUTECHOREPS;
    case ICMP_DEST_UNREACH: return ICMP_MIB_OUTDESTUNREACHS;
    case ICMP_REDIRECT: return ICMP_MIB_OUTREDIRECTS;
    case ICMP_ECHO: return ICMP_MIB_OUTECHOS;
    case ICMP_TIME_EXCEEDED: return ICMP_MIB_OUTTIMEEXCDS;
    case ICMP_PARAMETERPROB: return ICMP_MIB_OUTPARMPROBS;
    case ICMP_TIMESTAMP: return ICMP_MIB_OUTTIMESTAMPS;
    case ICMP_TIMESTAMPREPLY: return ICMP_MIB_OUTTIMESTAMPREPS;
    default: return -1;
  }
}

/** Counts a message of this type that we send. */
export function icmpOutCount(net: Net, type: number): void {
  const ipv4 = net.ipv4;
  snmpInc(ipv4.icmpMib, ICMP_MIB_OUTMSGS);
  snmpInc(ipv4.icmpMsgMib, 256 + type);
  const mib = icmpOutMib(type);
  if (mib >= 0) snmpInc(ipv4.icmpMib, mib);
}

/** Whether an error about skb is forbidden: to a broadcast, not the first fragment, itself about an error (RFC 1122 §3.2.2). */
function icmpForbidden(skb: SkBuff, rt: Rtable, type: number): boolean {
  if (skb.pktType !== PACKET_HOST) return true;
  if ((rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) return true;
  if ((ipHdrFragOff(skb) & IP_OFFSET) !== 0) return true;
  if (!icmpIsError(type) || ipHdrProtocol(skb) !== IPPROTO_ICMP) return false;
  const inner = skb.networkHeader + ipHdrlen(skb) + ICMPH_TYPE;
  if (inner >= skb.tail) return true;
  const innerType = skb.view.getUint8(inner);
  return innerType > NR_ICMP_TYPES || icmpIsError(innerType);
}

/** The source of an error: the address the packet was for, if that is ours; else the route's choice (RFC 1812 §4.3.2.4). */
function icmpErrorSource(net: Net, skb: SkBuff, rt: Rtable): number {
  if ((rt.rtFlags & RTCF_LOCAL) !== 0) return ipHdrDaddr(skb);
  if (!rt.rtIsInput || net.ipv4.sysctlIcmpErrorsUseInboundIfaddr === 0) return 0;
  return inetSelectAddr(net, devGetByIndex(net, rt.rtIif), ipHdrSaddr(skb), RT_SCOPE_LINK);
}

/**
 * Tells the sender of skb that something is wrong with it. skb stays the caller's; its
 * networkHeader and dst must be there. info is the second word of the header: the MTU for
 * ICMP_FRAG_NEEDED, the pointer << 24 for a parameter problem. What must not be said, or too
 * often, is not sent.
 */
export function icmpSend(skb: SkBuff, type: number, code: number, info: number): void {
  const rt = skb.dst as Rtable | null;
  if (rt === null || skb.networkHeader < skb.head || skb.networkHeader + IP_HDR_LEN > skb.tail) return;
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'icmp_send', skb);
  if (icmpForbidden(skb, rt, type)) return;
  const loopback = rt.dev !== null && rt.dev === net.netdev.loopbackDev && ipHdrSaddr(skb) >>> 24 === 127;
  if (!loopback && !icmpv4MaskAllow(net, type, code) && !icmpGlobalAllow(net)) return;
  const opt = ipOptionsEcho(skb);
  const tos = icmpIsError(type) ? (ipHdrTos(skb) & IPTOS_TOS_MASK & ~INET_ECN_MASK) | IPTOS_PREC_INTERNETCONTROL : ipHdrTos(skb);
  const mark = net.ipv4.sysctlFwmarkReflect !== 0 ? skb.mark : 0;
  const fl = net.ipv4.flow;
  flowi4InitOutput(
    fl, 0, mark, tos & IPTOS_RT_MASK, RT_SCOPE_UNIVERSE, IPPROTO_ICMP, 0,
    opt === null ? ipHdrSaddr(skb) : ipOptionsFirstHop(skb), icmpErrorSource(net, skb, rt), 0, 0,
  );
  const out = ipRouteOutputFlow(net, fl, null);
  if (typeof out === 'number') return;
  if (icmpv4XrlimAllow(net, out, fl.daddr, type, code)) icmpPushError(net, skb, out, fl.saddr, fl.daddr, type, code, info, tos, mark, opt);
  else dstRelease(out);
}

/** Builds the error: its header, then as much of skb from its IP header on as fits. Takes over the reference to out. */
function icmpPushError(
  net: Net, skb: SkBuff, out: Rtable, saddr: number, daddr: number, type: number, code: number, info: number, tos: number,
  mark: number, opt: Uint8Array | null,
): void {
  const overhead = IP_HDR_LEN + ICMP_HDR_LEN + (opt === null ? 0 : opt.length);
  const room = Math.min(out.ops.mtu(out), ICMP_ERROR_MAX) - overhead;
  const offset = skb.networkHeader - skb.data;
  const len = Math.min(skb.len - offset, room);
  const reply = room > IP_HDR_LEN ? icmpAllocReply(net, out, len, overhead) : null;
  if (reply === null) {
    dstRelease(out);
    return;
  }
  const at = reply.data;
  reply.view.setUint8(at + ICMPH_TYPE, type);
  reply.view.setUint8(at + ICMPH_CODE, code);
  reply.view.setInt32(at + ICMPH_ID, info);
  skbCopyBits(skb, offset, reply.buf, at + ICMP_HDR_LEN, len);
  reply.mark = mark;
  nfCtAttach(reply, skb);
  icmpPushReply(net, reply, out, saddr, daddr, tos, opt);
}

/** An sk_buff with room for `len` octets behind an ICMP header, and headroom; null without memory (counted). */
export function icmpAllocReply(net: Net, out: Rtable, len: number, overhead: number): SkBuff | null {
  const room = (out.dev === null ? 16 : llReservedSpace(out.dev)) + overhead - ICMP_HDR_LEN;
  const skb = allocSkb(net, room + ICMP_HDR_LEN + len);
  if (skb === null) {
    snmpInc(net.ipv4.icmpMib, ICMP_MIB_OUTERRORS);
    return null;
  }
  skbReserve(skb, room);
  skbPut(skb, ICMP_HDR_LEN + len);
  skb.transportHeader = skb.data;
  return skb;
}

/** Sends a message (consumed), data at its ICMP header, linear, complete but for the checksum, by route out, whose reference it takes over. */
export function icmpPushReply(
  net: Net, skb: SkBuff, out: Rtable, saddr: number, daddr: number, tos: number, opt: Uint8Array | null,
): void {
  const at = skb.data;
  skb.view.setUint16(at + ICMPH_CHECKSUM, 0);
  skb.view.setUint16(at + ICMPH_CHECKSUM, csumFold(csumPartial(skb.buf, skb.view, at, skb.len, 0)));
  icmpXmit(net, skb, out, saddr, daddr, tos, opt);
}

/** As icmpPushReply(), the checksum complete. */
export function icmpXmit(
  net: Net, skb: SkBuff, out: Rtable, saddr: number, daddr: number, tos: number, opt: Uint8Array | null,
): void {
  icmpOutCount(net, skb.view.getUint8(skb.data + ICMPH_TYPE));
  skb.dst = out;
  ipPushHeader(net, skb, out, saddr, daddr, IPPROTO_ICMP, tos, 0, opt);
}
