/*
 * The structs of NAT (include/net/netfilter/nf_nat.h): NfNatRange, what an address and port may become, and NetnsNat.
 */
import type { Net, SiphashKey } from '@stack/kernel';
import { NF_INET_LOCAL_IN, NF_INET_POST_ROUTING } from '@stack/netfilter';
import type { NfHookState } from '@stack/netfilter';
import type { SkBuff } from '@stack/skbuff';
import type { NfConn } from './nf-conn.ts';
import { NfConntrackTuple } from './nf-conntrack-tuple.ts';

/** What is changed: the source … */
export const NF_NAT_MANIP_SRC = 0;
/** … or the destination. */
export const NF_NAT_MANIP_DST = 1;

/** NfNatRange.flags: the addresses are given. */
export const NF_NAT_RANGE_MAP_IPS = 1 << 0;
/** The ports (or ICMP ids) are given. */
export const NF_NAT_RANGE_PROTO_SPECIFIED = 1 << 1;

/** What is changed where: the destination before routing, the source behind it. */
export function HOOK2MANIP(hooknum: number): number {
  return hooknum === NF_INET_POST_ROUTING || hooknum === NF_INET_LOCAL_IN ? NF_NAT_MANIP_SRC : NF_NAT_MANIP_DST;
}

/** What a source or destination is to become: one of these addresses and ports, both ends included. */
export class NfNatRange {
  /** NF_NAT_RANGE_* */
  flags: number;
  minAddr: number;
  maxAddr: number;
  minProto: number;
  maxProto: number;

  constructor() {
    this.flags = 0;
    this.minAddr = 0;
    this.maxAddr = 0;
    this.minProto = 0;
    this.maxProto = 0;
  }
}

/** Decides on the first packet of a connection, by nfNatSetupInfo() or not at all. Returns a verdict. */
export type NfNatLookup = (skb: SkBuff, state: NfHookState) => number;

/** NAT in one host. */
export class NetnsNat {
  net: Net;
  /** Connections by their original source, so that one source keeps its mapping. */
  bysource: (NfConn | null)[];
  hashKey: SiphashKey;
  /** The rules, null for none. */
  lookup: NfNatLookup | null;
  /* Scratch of the packet path. */
  current: NfConntrackTuple;
  wanted: NfConntrackTuple;
  reply: NfConntrackTuple;
  target: NfConntrackTuple;
  range: NfNatRange;

  constructor(net: Net, hashKey: SiphashKey) {
    this.net = net;
    this.bysource = new Array<NfConn | null>(1024).fill(null);
    this.hashKey = hashKey;
    this.lookup = null;
    this.current = new NfConntrackTuple();
    this.wanted = new NfConntrackTuple();
    this.reply = new NfConntrackTuple();
    this.target = new NfConntrackTuple();
    this.range = new NfNatRange();
  }
}

declare module '@stack/kernel' {
  interface NetLinks {
    nat: NetnsNat;
  }
}
