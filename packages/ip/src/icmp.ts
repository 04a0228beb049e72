/*
 * ICMP messages that arrive (RFC 792, RFC 1122 §3.2.2).
 *
 * icmpRcv() checks and calls the handler of the type: echo is answered, errors go to the raw
 * sockets and the transport whose packet came back in them (its errHandler).
 */
import {
  SKB_DROP_REASON_ICMP_CSUM, SKB_DROP_REASON_INVALID_PROTO, SKB_DROP_REASON_PKT_TOO_SMALL,
  SKB_DROP_REASON_UNHANDLED_PROTO, snmpInc,
} from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { PACKET_HOST, llReservedSpace } from '@stack/netdev';
import {
  CHECKSUM_NONE, __skbPush, consumeSkb, csumReplace2, dstRelease, kfreeSkbReason, nfReset, pskbCopy, pskbMayPull, skbChecksum, skbCopyBits,
  skbDstDrop, skbPull, csumFold, skbCsumUnnecessary,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { fibComputeSpecDst } from './fib-frontend.ts';
import { inetDevAddrType } from './fib-lookup.ts';
import { RTN_BROADCAST } from './fib.ts';
import { RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import { icmpAllocReply, icmpPushReply, icmpXmit } from './icmp-send.ts';
import {
  ICMPH_CHECKSUM, ICMPH_CODE, ICMPH_FRAG_MTU, ICMPH_GATEWAY, ICMPH_ID, ICMPH_TYPE, ICMP_DEST_UNREACH, ICMP_ECHO, ICMP_ECHOREPLY,
  ICMP_EXC_FRAGTIME, ICMP_FRAG_NEEDED, ICMP_HDR_LEN, ICMP_PARAMETERPROB, ICMP_REDIRECT, ICMP_TIMESTAMP,
  ICMP_TIMESTAMPREPLY, ICMP_TIME_EXCEEDED, NR_ICMP_TYPES, NR_ICMP_UNREACH,
} from './icmp-types.ts';
import { IPH_DADDR, IPH_PROTOCOL, IPH_TOT_LEN, IPPROTO_ICMP, IPTOS_RT_MASK, IP_HDR_LEN, IP_MAX_HDR_LEN, ipHdrTos } from './ip-header.ts';
import { inetCurrentTimestamp } from './ip-options.ts';
import { ipOptionsEcho, ipOptionsFirstHop } from './ip-options-path.ts';
import { INET_PROTO_ICMP_STRICT } from './protocol.ts';
import type { InetProtocol } from './protocol.ts';
import { ipv4Redirect, ipv4UpdatePmtu } from './ip-pmtu.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { guessMtu } from './route-pmtu.ts';
import { RTCF_BROADCAST, RTCF_MULTICAST } from './rtable.ts';
import type { Rtable } from './rtable.ts';
import {
  ICMP_MIB_CSUMERRORS, ICMP_MIB_INADDRMASKREPS, ICMP_MIB_INADDRMASKS, ICMP_MIB_INDESTUNREACHS, ICMP_MIB_INECHOREPS, ICMP_MIB_INECHOS,
  ICMP_MIB_INERRORS, ICMP_MIB_INMSGS, ICMP_MIB_INPARMPROBS, ICMP_MIB_INREDIRECTS, ICMP_MIB_INSRCQUENCHS, ICMP_MIB_INTIMEEXCDS,
  ICMP_MIB_INTIMESTAMPREPS, ICMP_MIB_INTIMESTAMPS, ICMP_MIB_OUTERRORS,
} from './snmp-names.ts';

/** Handles one message, lent, data behind its header, transportHeader at it. Returns whether it was well formed. */
type IcmpHandler = (net: Net, skb: SkBuff) => boolean;

/** What each type of message is to us (the kernel's icmp_pointers). */
interface IcmpControl {
  readonly handler: IcmpHandler;
  /** The counter of messages received. */
  readonly mib: number;
}

/** The type and code of the error that an errHandler is called with. */
export function icmpErrType(skb: SkBuff): number {
  return skb.view.getUint8(skb.transportHeader + ICMPH_TYPE);
}

export function icmpErrCode(skb: SkBuff): number {
  return skb.view.getUint8(skb.transportHeader + ICMPH_CODE);
}

function icmpRcvError(skb: SkBuff, net: Net, reason: number): number {
  snmpInc(net.ipv4.icmpMib, ICMP_MIB_INERRORS);
  kfreeSkbReason(skb, reason);
  return 0;
}

/** inet_protos' handler: takes skb, data at the ICMP header. Returns 0. */
export function icmpRcv(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'icmp_rcv', skb);
  const mib = net.ipv4.icmpMib;
  snmpInc(mib, ICMP_MIB_INMSGS);
  if (!skbCsumUnnecessary(skb) && csumFold(skbChecksum(skb, 0, skb.len, 0)) !== 0) {
    snmpInc(mib, ICMP_MIB_CSUMERRORS);
    return icmpRcvError(skb, net, SKB_DROP_REASON_ICMP_CSUM);
  }
  if (!pskbMayPull(skb, ICMP_HDR_LEN)) return icmpRcvError(skb, net, SKB_DROP_REASON_PKT_TOO_SMALL);
  skb.transportHeader = skb.data;
  skbPull(skb, ICMP_HDR_LEN);
  const type = icmpErrType(skb);
  snmpInc(net.ipv4.icmpMsgMib, type);
  const control = type <= NR_ICMP_TYPES ? icmpControls[type] : null;
  if (control === null) return icmpRcvError(skb, net, SKB_DROP_REASON_UNHANDLED_PROTO);
  if (control.mib >= 0) snmpInc(mib, control.mib);
  const rt = skb.dst as Rtable | null;
  if (rt !== null && (rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0 && !icmpBroadcastAllowed(net, type)) {
    return icmpRcvError(skb, net, SKB_DROP_REASON_INVALID_PROTO);
  }
  if (!control.handler(net, skb)) return icmpRcvError(skb, net, SKB_DROP_REASON_PKT_TOO_SMALL);
  consumeSkb(skb);
  return 0;
}

/** RFC 1122 §3.2.2.6, §3.2.2.8: what is sent to all may go unanswered, and an error sent to all is none. */
function icmpBroadcastAllowed(net: Net, type: number): boolean {
  if (type !== ICMP_ECHO && type !== ICMP_TIMESTAMP) return false;
  return net.ipv4.sysctlIcmpEchoIgnoreBroadcasts === 0;
}

/** An echo reply: a ping socket may wait for it. Raw sockets have had it. */
function icmpEchoReply(net: Net, skb: SkBuff): boolean {
  if (net.ipv4.pingOps !== null) net.ipv4.pingOps.rcv(skb);
  return true;
}

function icmpDiscard(_net: Net, _skb: SkBuff): boolean {
  return true;
}

/** RFC 1122 §3.2.2.6: the data comes back as it was sent. */
function icmpEcho(net: Net, skb: SkBuff): boolean {
  if (net.ipv4.sysctlIcmpEchoIgnoreAll !== 0) return true;
  const out = icmpReplyRoute(net, skb);
  if (out === null) return true;
  const headroom = (out.dev === null ? 16 : llReservedSpace(out.dev)) + IP_MAX_HDR_LEN + ICMP_HDR_LEN;
  const reply = pskbCopy(skb, headroom);
  if (reply === null) {
    snmpInc(net.ipv4.icmpMib, ICMP_MIB_OUTERRORS);
    dstRelease(out);
    return true;
  }
  skbDstDrop(reply);
  nfReset(reply);
  const from = skb.transportHeader;
  __skbPush(reply, ICMP_HDR_LEN);
  skbCopyBits(skb, from - skb.data, reply.buf, reply.data, ICMP_HDR_LEN);
  reply.transportHeader = reply.data;
  reply.ipSummed = CHECKSUM_NONE;
  reply.pktType = PACKET_HOST;
  reply.mark = net.ipv4.flow.flowi4Mark;
  csumReplace2(reply.view, reply.data + ICMPH_CHECKSUM, ICMP_ECHO << 8, ICMP_ECHOREPLY << 8);
  reply.view.setUint8(reply.data + ICMPH_TYPE, ICMP_ECHOREPLY);
  const fl = net.ipv4.flow;
  icmpXmit(net, reply, out, fl.saddr, fl.daddr, ipHdrTos(skb), ipOptionsEcho(skb));
  return true;
}

/** The route of the answer to skb; its addresses are in net.ipv4.flow. null if there is none. */
function icmpReplyRoute(net: Net, skb: SkBuff): Rtable | null {
  const fl = net.ipv4.flow;
  const saddr = fibComputeSpecDst(skb);
  const mark = net.ipv4.sysctlFwmarkReflect !== 0 ? skb.mark : 0;
  const daddr = ipOptionsFirstHop(skb);
  flowi4InitOutput(fl, 0, mark, ipHdrTos(skb) & IPTOS_RT_MASK, RT_SCOPE_UNIVERSE, IPPROTO_ICMP, 0, daddr, saddr, 0, 0);
  const out = ipRouteOutputFlow(net, fl, null);
  return typeof out === 'number' ? null : out;
}

/** RFC 1122 §3.2.2.8. */
function icmpTimestamp(net: Net, skb: SkBuff): boolean {
  if (!pskbMayPull(skb, 4)) return false;
  const out = icmpReplyRoute(net, skb);
  if (out === null) return true;
  const opt = ipOptionsEcho(skb);
  const reply = icmpAllocReply(net, out, 12, IP_HDR_LEN + ICMP_HDR_LEN + (opt === null ? 0 : opt.length));
  if (reply === null) {
    dstRelease(out);
    return true;
  }
  const now = inetCurrentTimestamp(net);
  const at = reply.data;
  reply.view.setUint16(at + ICMPH_TYPE, ICMP_TIMESTAMPREPLY << 8);
  reply.view.setInt32(at + ICMPH_ID, skb.view.getInt32(skb.transportHeader + ICMPH_ID));
  reply.view.setInt32(at + ICMP_HDR_LEN, skb.view.getInt32(skb.data));
  reply.view.setInt32(at + ICMP_HDR_LEN + 4, now);
  reply.view.setInt32(at + ICMP_HDR_LEN + 8, now);
  const fl = net.ipv4.flow;
  icmpPushReply(net, reply, out, fl.saddr, fl.daddr, ipHdrTos(skb), opt);
  return true;
}

/** ip_no_pmtu_disc: 2 takes no news of an MTU, 3 only what a transport can tell from a forgery. */
function icmpFragNeededWanted(net: Net, skb: SkBuff): boolean {
  const mode = net.ipv4.sysctlIpNoPmtuDisc;
  if (mode !== 3) return mode !== 2;
  const prot = net.ipv4.inetProtos[skb.view.getUint8(skb.data + IPH_PROTOCOL)];
  return prot !== null && (prot.flags & INET_PROTO_ICMP_STRICT) !== 0;
}

/**
 * The next hop's MTU that the message names (RFC 1191 §4). Routers from before RFC 1191 name none:
 * then the next lower plateau (§7) below the length of the packet that came back.
 * Deviation: Linux since 3.6 goes down to min_pmtu at once; 2.6 did as here.
 */
function icmpNexthopMtu(skb: SkBuff): number {
  const mtu = skb.view.getUint16(skb.transportHeader + ICMPH_FRAG_MTU);
  return mtu !== 0 ? mtu : guessMtu(skb.view.getUint16(skb.data + IPH_TOT_LEN));
}

/** Destination unreachable, time exceeded, parameter problem, source quench: data at the IP header that came back. */
function icmpUnreach(net: Net, skb: SkBuff): boolean {
  if (!pskbMayPull(skb, IP_HDR_LEN) || (skb.view.getUint8(skb.data) & 0x0f) < 5) return false;
  const type = icmpErrType(skb);
  const code = icmpErrCode(skb);
  let info = 0;
  if (type === ICMP_DEST_UNREACH) {
    if (code > NR_ICMP_UNREACH) return true;
    if (code === ICMP_FRAG_NEEDED) {
      if (!icmpFragNeededWanted(net, skb)) return true;
      if (net.ipv4.sysctlIpNoPmtuDisc !== 1) info = icmpNexthopMtu(skb);
    }
  } else if (type === ICMP_PARAMETERPROB) {
    info = skb.view.getUint8(skb.transportHeader + ICMPH_GATEWAY);
  } else if (type === ICMP_TIME_EXCEEDED && code === ICMP_EXC_FRAGTIME) {
    return true;
  }
  // RFC 1122 §3.2.2: nobody may answer a broadcast with an error.
  if (net.ipv4.sysctlIcmpIgnoreBogusErrorResponses === 0) {
    if (inetDevAddrType(net, skb.dev, skb.view.getInt32(skb.data + IPH_DADDR)) === RTN_BROADCAST) return true;
  }
  return icmpSocketDeliver(net, skb, info);
}

function icmpRedirect(net: Net, skb: SkBuff): boolean {
  if (!pskbMayPull(skb, IP_HDR_LEN)) return false;
  return icmpSocketDeliver(net, skb, skb.view.getInt32(skb.transportHeader + ICMPH_GATEWAY));
}

/** Gives the error to the raw sockets and the transport of the packet that came back: with 8 octets of its header at least (RFC 792). */
function icmpSocketDeliver(net: Net, skb: SkBuff, info: number): boolean {
  const hlen = (skb.view.getUint8(skb.data) & 0x0f) << 2;
  if (!pskbMayPull(skb, hlen + 8)) return false;
  const protocol = skb.view.getUint8(skb.data + IPH_PROTOCOL);
  const ipv4 = net.ipv4;
  if (ipv4.rawOps !== null) ipv4.rawOps.icmpError(skb, protocol, info);
  const prot = ipv4.inetProtos[protocol];
  if (prot !== null && prot.errHandler !== null) prot.errHandler(skb, info);
  return true;
}

/** An error about an ICMP message of ours: ping sockets hear of it, and the path is of interest. */
function icmpErr(skb: SkBuff, info: number): number {
  if (skb.net.ipv4.pingOps !== null) skb.net.ipv4.pingOps.err(skb, info);
  if (icmpErrType(skb) === ICMP_REDIRECT) ipv4Redirect(skb);
  if (icmpErrType(skb) === ICMP_DEST_UNREACH && icmpErrCode(skb) === ICMP_FRAG_NEEDED) ipv4UpdatePmtu(skb, info);
  return 0;
}

const unreach = (mib: number): IcmpControl => ({ handler: icmpUnreach, mib });
const discard = (mib: number): IcmpControl => ({ handler: icmpDiscard, mib });

/** By type, 0 to NR_ICMP_TYPES. */
const icmpControls: readonly (IcmpControl | null)[] = [
  { handler: icmpEchoReply, mib: ICMP_MIB_INECHOREPS },
  null,
  null,
  unreach(ICMP_MIB_INDESTUNREACHS),
  unreach(ICMP_MIB_INSRCQUENCHS),
  { handler: icmpRedirect, mib: ICMP_MIB_INREDIRECTS },
  null,
  null,
  { handler: icmpEcho, mib: ICMP_MIB_INECHOS },
  null,
  null,
  unreach(ICMP_MIB_INTIMEEXCDS),
  unreach(ICMP_MIB_INPARMPROBS),
  { handler: icmpTimestamp, mib: ICMP_MIB_INTIMESTAMPS },
  discard(ICMP_MIB_INTIMESTAMPREPS),
  discard(-1),
  discard(-1),
  discard(ICMP_MIB_INADDRMASKS),
  discard(ICMP_MIB_INADDRMASKREPS),
];

/** ICMP as IP sees it. */
export const icmpProtocol: InetProtocol = { handler: icmpRcv, errHandler: icmpErr, flags: 0 };
