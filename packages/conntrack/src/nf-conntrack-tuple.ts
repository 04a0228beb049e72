/*
 * A tuple: what names one direction of a connection (include/net/netfilter/nf_conntrack_tuple.h).
 *
 * Addresses, what the protocol tells flows apart by (ports, or an ICMP query's id and type), and the protocol. A connection
 * has two: the one of the packet that began it, and the one that answers will have, which is its inverse until NAT changes it.
 * IPv4; another family is another instance, as everywhere in the house.
 */
import type { SiphashKey } from '@stack/kernel';
import { hsiphash4u32 } from '@stack/kernel';

/** Directions. */
export const IP_CT_DIR_ORIGINAL = 0;
export const IP_CT_DIR_REPLY = 1;

/** skb.nfctinfo: the packet belongs to a connection that has been seen in both directions. */
export const IP_CT_ESTABLISHED = 0;
/** It is an ICMP error about a packet of one. */
export const IP_CT_RELATED = 1;
/** It begins one, or repeats what began it. */
export const IP_CT_NEW = 2;
/** Added to the above for packets of the direction that answers. */
export const IP_CT_IS_REPLY = 3;
export const IP_CT_ESTABLISHED_REPLY = IP_CT_ESTABLISHED + IP_CT_IS_REPLY;
export const IP_CT_RELATED_REPLY = IP_CT_RELATED + IP_CT_IS_REPLY;
/** It is not tracked, and is not to be. */
export const IP_CT_UNTRACKED = 7;

/** The direction that a packet of this nfctinfo goes in. */
export function CTINFO2DIR(ctinfo: number): number {
  return ctinfo >= IP_CT_IS_REPLY ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
}

/** One direction of a connection. */
export class NfConntrackTuple {
  /** Source and destination address. */
  srcU3: number;
  dstU3: number;
  /** Source port; an ICMP query's id. */
  srcU: number;
  /** Destination port; an ICMP query's type << 8 | code. */
  dstU: number;
  /** IPPROTO_* */
  protonum: number;

  constructor() {
    this.srcU3 = 0;
    this.dstU3 = 0;
    this.srcU = 0;
    this.dstU = 0;
    this.protonum = 0;
  }
}

export function nfCtTupleEqual(a: NfConntrackTuple, b: NfConntrackTuple): boolean {
  return a.srcU3 === b.srcU3 && a.dstU3 === b.dstU3 && a.srcU === b.srcU && a.dstU === b.dstU && a.protonum === b.protonum;
}

export function nfCtTupleCopy(to: NfConntrackTuple, from: NfConntrackTuple): void {
  to.srcU3 = from.srcU3;
  to.dstU3 = from.dstU3;
  to.srcU = from.srcU;
  to.dstU = from.dstU;
  to.protonum = from.protonum;
}

/** A hash that a stranger cannot steer, not yet cut to the size of the table. */
export function nfCtTupleHash(tuple: NfConntrackTuple, key: SiphashKey): number {
  return hsiphash4u32(tuple.srcU3, tuple.dstU3, (tuple.srcU << 16) | tuple.dstU, tuple.protonum, key);
}
