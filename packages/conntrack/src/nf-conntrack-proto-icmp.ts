/*
 * Tracking ICMP (net/netfilter/nf_conntrack_proto_icmp.c).
 *
 * A query and its answer are a connection, told apart by id. An error belongs to the connection of the packet that came back in
 * it, in the direction opposite to that packet's. Read first: RFC 792, RFC 5508 §4 (errors and NAT).
 */
import { snmpInc } from '@stack/kernel';
import {
  ICMP_DEST_UNREACH, ICMP_ECHO, ICMP_ECHOREPLY, ICMP_HDR_LEN, ICMP_PARAMETERPROB, ICMP_REDIRECT, ICMP_SOURCE_QUENCH, ICMP_TIMESTAMP,
  ICMP_TIMESTAMPREPLY, ICMP_TIME_EXCEEDED, IPH_DADDR, IPH_FRAG_OFF, IPH_PROTOCOL, IPH_SADDR, IPPROTO_ICMP, IP_HDR_LEN, IP_OFFSET,
  ipHdrDaddr,
} from '@stack/ip';
import { NF_ACCEPT } from '@stack/netfilter';
import type { NfHookState } from '@stack/netfilter';
import { pskbMayPull } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { nfCtIsConfirmed, nfCtRefresh, nfCtSet } from './nf-conn.ts';
import type { NetnsCt, NfConn, NfConntrackL4proto, NfConntrackTupleHash } from './nf-conn.ts';
import { nfConntrackFind, nfCtInvertTuple, nfCtL4protoFind } from './nf-conntrack-hash.ts';
import { nfCtChecksumBad } from './nf-conntrack-proto-udp.ts';
import { NF_CT_STAT_ICMP_ERROR } from './nf-conntrack-stat.ts';
import { IP_CT_DIR_REPLY, IP_CT_RELATED, IP_CT_RELATED_REPLY } from './nf-conntrack-tuple.ts';
import type { NfConntrackTuple } from './nf-conntrack-tuple.ts';

/** Queries that @stack/ip does not answer, and what answers them (RFC 792, RFC 950). */
const ICMP_INFO_REQUEST = 15;
const ICMP_INFO_REPLY = 16;
const ICMP_ADDRESS = 17;
const ICMP_ADDRESSREPLY = 18;
const NR_ICMP_TYPES = 18;
/** Offset of a query's id in its header. */
const ICMPH_ID = 4;

/** What answers each type, -1 where nothing does. */
function icmpAnswer(type: number): number {
  switch (type) {
    case ICMP_ECHO: return ICMP_ECHOREPLY;
    case ICMP_ECHOREPLY: return ICMP_ECHO;
    case ICMP_TIMESTAMP: return ICMP_TIMESTAMPREPLY;
    case ICMP_TIMESTAMPREPLY: return ICMP_TIMESTAMP;
    case ICMP_INFO_REQUEST: return ICMP_INFO_REPLY;
    case ICMP_INFO_REPLY: return ICMP_INFO_REQUEST;
    case ICMP_ADDRESS: return ICMP_ADDRESSREPLY;
    case ICMP_ADDRESSREPLY: return ICMP_ADDRESS;
    default: return -1;
  }
}

/** Types that may begin a connection. */
function icmpIsQuery(type: number): boolean {
  return type === ICMP_ECHO || type === ICMP_TIMESTAMP || type === ICMP_INFO_REQUEST || type === ICMP_ADDRESS;
}

function icmpIsError(type: number): boolean {
  return type === ICMP_DEST_UNREACH || type === ICMP_SOURCE_QUENCH || type === ICMP_TIME_EXCEEDED || type === ICMP_PARAMETERPROB ||
    type === ICMP_REDIRECT;
}

function icmpPktToTuple(skb: SkBuff, dataoff: number, tuple: NfConntrackTuple): boolean {
  if (!pskbMayPull(skb, dataoff + ICMP_HDR_LEN)) return false;
  const at = skb.data + dataoff;
  tuple.dstU = skb.view.getUint16(at);
  tuple.srcU = skb.view.getUint16(at + ICMPH_ID);
  return true;
}

function icmpInvertTuple(inverse: NfConntrackTuple, orig: NfConntrackTuple): boolean {
  const answer = icmpAnswer(orig.dstU >> 8);
  if (answer < 0) return false;
  inverse.srcU = orig.srcU;
  inverse.dstU = (answer << 8) | (orig.dstU & 0xff);
  return true;
}

function icmpPacket(ct: NfConn): number {
  // An answer to nothing begins no connection.
  if (!nfCtIsConfirmed(ct) && !icmpIsQuery(ct.tuplehash[0].tuple.dstU >> 8)) return -NF_ACCEPT;
  nfCtRefresh(ct, ct.net.ct.icmpTimeout);
  return NF_ACCEPT;
}

/** The connection, and its direction, that is answered by the packet at `inner` (offset from data, its IP header): null if it is none's. */
function icmpInnerFind(cn: NetnsCt, skb: SkBuff, inner: number): NfConntrackTupleHash | null {
  if (!pskbMayPull(skb, inner + IP_HDR_LEN)) return null;
  const hlen = (skb.view.getUint8(skb.data + inner) & 0x0f) << 2;
  // RFC 792: 8 octets of its transport's header come with it.
  if (hlen < IP_HDR_LEN || !pskbMayPull(skb, inner + hlen + 8)) return null;
  const at = skb.data + inner;
  const { view } = skb;
  if ((view.getUint16(at + IPH_FRAG_OFF) & IP_OFFSET) !== 0) return null;
  const { tuple, inverse } = cn;
  tuple.srcU3 = view.getInt32(at + IPH_SADDR);
  tuple.dstU3 = view.getInt32(at + IPH_DADDR);
  tuple.protonum = view.getUint8(at + IPH_PROTOCOL);
  if (!nfCtL4protoFind(cn, tuple.protonum).pktToTuple(skb, inner + hlen, tuple)) return null;
  return nfCtInvertTuple(cn, inverse, tuple) ? nfConntrackFind(cn, inverse) : null;
}

/** An error: related to the connection of the packet that came back in it, and for who sent that. -NF_ACCEPT if there is none. */
function icmpErrorMessage(cn: NetnsCt, skb: SkBuff, dataoff: number): number {
  const h = icmpInnerFind(cn, skb, dataoff + ICMP_HDR_LEN);
  if (h === null || h.tuple.dstU3 !== ipHdrDaddr(skb)) return -NF_ACCEPT;
  h.ct.use++;
  nfCtSet(skb, h.ct, h.dir === IP_CT_DIR_REPLY ? IP_CT_RELATED_REPLY : IP_CT_RELATED);
  return NF_ACCEPT;
}

function icmpError(skb: SkBuff, dataoff: number, state: NfHookState): number {
  const cn = state.net.ct;
  let ret = -NF_ACCEPT;
  if (pskbMayPull(skb, dataoff + ICMP_HDR_LEN) && !nfCtChecksumBad(skb, dataoff, 0, state)) {
    const type = skb.view.getUint8(skb.data + dataoff);
    if (type <= NR_ICMP_TYPES) ret = icmpIsError(type) ? icmpErrorMessage(cn, skb, dataoff) : NF_ACCEPT;
  }
  if (ret < 0) snmpInc(cn.stat, NF_CT_STAT_ICMP_ERROR);
  return ret;
}

export const nfConntrackL4protoIcmp: NfConntrackL4proto = {
  l4proto: IPPROTO_ICMP, name: 'icmp', pktToTuple: icmpPktToTuple, invertTuple: icmpInvertTuple, packet: icmpPacket, error: icmpError,
  canEarlyDrop: null,
};
