/*
 * Writing another address and port into a packet (net/netfilter/nf_nat_proto.c), its checksums adjusted (RFC 1624), and into the
 * packet that an ICMP error brings back (RFC 5508 §4.2).
 */
import {
  ICMP_HDR_LEN, ICMP_REDIRECT, IPH_DADDR, IPH_FRAG_OFF, IPH_PROTOCOL, IPH_SADDR, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IP_HDR_LEN,
  IP_OFFSET, ipHdrlen,
} from '@stack/ip';
import {
  CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_PARTIAL, csumAdd, csumFold, csumReplace2, csumReplace4, csumSub, skbChecksum, skbEnsureWritable,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { IPS_DST_NAT, IPS_NAT_DONE_MASK, IPS_NAT_MASK, IPS_SRC_NAT } from './nf-conn.ts';
import type { NfConn } from './nf-conn.ts';
import { nfCtInvertTuple } from './nf-conntrack-hash.ts';
import { CTINFO2DIR, IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY } from './nf-conntrack-tuple.ts';
import type { NfConntrackTuple } from './nf-conntrack-tuple.ts';
import { HOOK2MANIP, NF_NAT_MANIP_DST, NF_NAT_MANIP_SRC } from './nf-nat.ts';

const IPH_CHECK = 10;
const TCP_CHECK = 16;
const UDP_CHECK = 6;
const ICMP_CHECK = 2;
const ICMP_ID = 4;

/** The checksum of TCP or UDP at `at` follows a change of address in the pseudo header; `partial`: it is that of the pseudo header alone. */
function pseudoReplace4(skb: SkBuff, at: number, partial: boolean, from: number, to: number): void {
  const { view } = skb;
  if (!partial) {
    csumReplace4(view, at, from, to);
    return;
  }
  const old = csumAdd(from >>> 16, from & 0xffff);
  const now = csumAdd(to >>> 16, to & 0xffff);
  view.setUint16(at, csumAdd(csumSub(view.getUint16(at), old), now));
}

/** Changes a port at `at` and, if `check` is not negative, the checksum there. */
function replacePort(skb: SkBuff, at: number, check: number, partial: boolean, port: number): void {
  const { view } = skb;
  const old = view.getUint16(at);
  if (old === port) return;
  view.setUint16(at, port);
  // What is yet to be summed will be summed with it.
  if (check >= 0 && !partial) csumReplace2(view, check, old, port);
}

/** Whether an ICMP message has an id: a query or its answer (RFC 792; 15 to 18 from RFC 950). */
function icmpHasId(type: number): boolean {
  return type === 0 || type === 8 || (type >= 13 && type <= 18);
}

/** The transport's part, `room` octets of it at offset `at` in the slab: port or id, and a checksum that covers addresses too. */
function manipTransport(
  skb: SkBuff, at: number, room: number, partial: boolean, oldAddr: number, protonum: number, target: NfConntrackTuple, manip: number,
): void {
  const { view } = skb;
  if (protonum === IPPROTO_ICMP) {
    if (room >= ICMP_HDR_LEN && icmpHasId(view.getUint8(at))) replacePort(skb, at + ICMP_ID, at + ICMP_CHECK, partial, target.srcU);
    return;
  }
  if ((protonum !== IPPROTO_TCP && protonum !== IPPROTO_UDP) || room < 4) return;
  const source = manip === NF_NAT_MANIP_SRC;
  const tcp = protonum === IPPROTO_TCP;
  let check = at + (tcp ? TCP_CHECK : UDP_CHECK);
  // An ICMP error may bring 8 octets only; a UDP checksum of 0 says that there is none.
  if (check + 2 > at + room || (!tcp && !partial && view.getUint16(check) === 0)) check = -1;
  if (check >= 0) pseudoReplace4(skb, check, partial, oldAddr, source ? target.srcU3 : target.dstU3);
  replacePort(skb, source ? at : at + 2, check, partial, source ? target.srcU : target.dstU);
  if (!tcp && !partial && check >= 0 && view.getUint16(check) === 0) view.setUint16(check, 0xffff);
}

/**
 * Writes source or destination of `target` into the packet whose IP header is `iphoff` behind skb.data: addresses, ports, checksums.
 * `partial`: its transport's checksum is still to be summed. False without memory, or if the header is not there.
 */
function nfNatManip(skb: SkBuff, iphoff: number, partial: boolean, target: NfConntrackTuple, manip: number): boolean {
  if (skbEnsureWritable(skb, iphoff + IP_HDR_LEN) !== 0) return false;
  const hlen = (skb.view.getUint8(skb.data + iphoff) & 0x0f) << 2;
  const room = Math.min(skb.len - iphoff - hlen, 20);
  if (room < 0 || skbEnsureWritable(skb, iphoff + hlen + room) !== 0) return false;
  const { view } = skb;
  const iph = skb.data + iphoff;
  const source = manip === NF_NAT_MANIP_SRC;
  const field = iph + (source ? IPH_SADDR : IPH_DADDR);
  const addr = source ? target.srcU3 : target.dstU3;
  const old = view.getInt32(field);
  if ((view.getUint16(iph + IPH_FRAG_OFF) & IP_OFFSET) === 0) {
    manipTransport(skb, iph + hlen, room, partial, old, view.getUint8(iph + IPH_PROTOCOL), target, manip);
  }
  csumReplace4(view, iph + IPH_CHECK, old, addr);
  view.setInt32(field, addr);
  // What a device has summed is no longer so.
  if (skb.ipSummed === CHECKSUM_COMPLETE) skb.ipSummed = CHECKSUM_NONE;
  return true;
}

/** ct.status: what is changed by `manip` in direction `dir`: the answer's source is the original's destination. */
function manipStatus(manip: number, dir: number): number {
  return (manip === NF_NAT_MANIP_SRC) === (dir === IP_CT_DIR_ORIGINAL) ? IPS_SRC_NAT : IPS_DST_NAT;
}

/** Changes a packet of ct, data at its IP header, as was settled for this hook. False if it cannot be, and must not go on. */
export function nfNatPacket(ct: NfConn, skb: SkBuff, hooknum: number): boolean {
  const manip = HOOK2MANIP(hooknum);
  const dir = CTINFO2DIR(skb.nfctinfo);
  if ((ct.status & manipStatus(manip, dir)) === 0) return true;
  const { target } = ct.net.nat;
  const other = ct.tuplehash[dir === IP_CT_DIR_ORIGINAL ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL];
  nfCtInvertTuple(ct.net.ct, target, other.tuple);
  return nfNatManip(skb, 0, skb.ipSummed === CHECKSUM_PARTIAL, target, manip);
}

/**
 * Changes an ICMP error about a packet of ct: what came back in it becomes what its sender sent, and the error comes from, or goes
 * to, whom that was sent to, or by. False if it must not go on: its checksum is wrong, or it is a redirect, which would name a
 * router of the other side (RFC 5508 §4.2, §4.3).
 */
export function nfNatIcmpReplyTranslation(ct: NfConn, skb: SkBuff, hooknum: number): boolean {
  const hlen = ipHdrlen(skb);
  const inner = hlen + ICMP_HDR_LEN;
  if (skbEnsureWritable(skb, Math.min(skb.len, inner + IP_HDR_LEN)) !== 0 || skb.len < inner + IP_HDR_LEN) return false;
  if (csumFold(skbChecksum(skb, hlen, skb.len - hlen, 0)) !== 0) return false;
  if (skb.view.getUint8(skb.data + hlen) === ICMP_REDIRECT) {
    if ((ct.status & IPS_NAT_DONE_MASK) !== IPS_NAT_DONE_MASK || (ct.status & IPS_NAT_MASK) !== 0) return false;
  }
  const manip = HOOK2MANIP(hooknum);
  const dir = CTINFO2DIR(skb.nfctinfo);
  if ((ct.status & manipStatus(manip, dir)) === 0) return true;
  const { target } = ct.net.nat;
  const other = ct.tuplehash[dir === IP_CT_DIR_ORIGINAL ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL];
  // What came back went the other way: its source is where the error goes to.
  const opposite = manip === NF_NAT_MANIP_SRC ? NF_NAT_MANIP_DST : NF_NAT_MANIP_SRC;
  if (!nfNatManip(skb, inner, false, other.tuple, opposite)) return false;
  const check = skb.data + hlen + ICMP_CHECK;
  skb.view.setUint16(check, 0);
  skb.view.setUint16(check, csumFold(skbChecksum(skb, hlen, skb.len - hlen, 0)));
  nfCtInvertTuple(ct.net.ct, target, other.tuple);
  return nfNatManip(skb, 0, false, target, manip);
}
