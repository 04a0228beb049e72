/*
 * The structs of the rule tables (include/linux/netfilter/x_tables.h): a table has chains, a chain has entries, an entry what it
 * matches on and what then happens. Behaviour: ipt-do-table.ts; how a user writes them: ipt-rule.ts.
 */
import type { Net } from '@stack/kernel';
import type { NfHookState } from '@stack/netfilter';
import type { SkBuff } from '@stack/skbuff';
import { NfNatRange } from './nf-nat.ts';
import type { IptRule } from './ipt-rule.ts';

/** What a target says besides NF_*: go on with the next entry … */
export const XT_CONTINUE = -1;
/** … or behind the entry that jumped here. */
export const XT_RETURN = -2;

/** Bits of XtEntry.ctState. */
export const XT_CONNTRACK_STATE_INVALID = 1 << 0;
export const XT_CONNTRACK_STATE_ESTABLISHED = 1 << 1;
export const XT_CONNTRACK_STATE_RELATED = 1 << 2;
export const XT_CONNTRACK_STATE_NEW = 1 << 3;
/** Its source, or destination, is changed. */
export const XT_CONNTRACK_STATE_SNAT = 1 << 6;
export const XT_CONNTRACK_STATE_DNAT = 1 << 7;

/** What happens to a packet that an entry matches: returns NF_*, XT_CONTINUE or XT_RETURN. */
export interface XtTarget {
  readonly name: string;
  readonly target: (entry: XtEntry, skb: SkBuff, state: NfHookState) => number;
}

/** One rule. A field that is not asked about matches everything. */
export class XtEntry {
  /** As the user wrote it. */
  rule: IptRule;
  packets: number;
  bytes: number;
  /* Addresses: (address & mask) === the address, or not. */
  src: number;
  srcMask: number;
  srcNot: boolean;
  dst: number;
  dstMask: number;
  dstNot: boolean;
  /** Interfaces: a name, or the beginning of one; null for any. */
  iif: string | null;
  iifPrefix: boolean;
  iifNot: boolean;
  oif: string | null;
  oifPrefix: boolean;
  oifNot: boolean;
  /** IPPROTO_*; -1 for any. */
  protocol: number;
  /** Ports, both ends included. */
  ports: boolean;
  sportMin: number;
  sportMax: number;
  dportMin: number;
  dportMax: number;
  /** -1 for any. */
  icmpType: number;
  icmpCode: number;
  /** XT_CONNTRACK_STATE_*, any of them; 0 for not asked. */
  ctState: number;
  mark: number;
  markMask: number;
  target: XtTarget;
  /** The chain that it goes on with, null if it does not jump. */
  jump: XtChain | null;
  /** Target mark: what is set. */
  setMark: number;
  setMarkMask: number;
  /** Target reject: the ICMP code, or -1 for a TCP reset. */
  rejectCode: number;
  /** Targets of NAT. */
  range: NfNatRange;

  constructor(rule: IptRule, target: XtTarget) {
    this.rule = rule;
    this.packets = 0;
    this.bytes = 0;
    this.src = 0;
    this.srcMask = 0;
    this.srcNot = false;
    this.dst = 0;
    this.dstMask = 0;
    this.dstNot = false;
    this.iif = null;
    this.iifPrefix = false;
    this.iifNot = false;
    this.oif = null;
    this.oifPrefix = false;
    this.oifNot = false;
    this.protocol = -1;
    this.ports = false;
    this.sportMin = 0;
    this.sportMax = 0xffff;
    this.dportMin = 0;
    this.dportMax = 0xffff;
    this.icmpType = -1;
    this.icmpCode = -1;
    this.ctState = 0;
    this.mark = 0;
    this.markMask = 0;
    this.target = target;
    this.jump = null;
    this.setMark = 0;
    this.setMarkMask = -1;
    this.rejectCode = 0;
    this.range = new NfNatRange();
  }
}

/** A list of entries. One that a hook begins with has a policy; the others are jumped to. */
export class XtChain {
  name: string;
  entries: XtEntry[];
  /** NF_ACCEPT or NF_DROP for a chain of a hook, XT_RETURN for the others. */
  policy: number;
  /** What the policy has decided on. */
  packets: number;
  bytes: number;

  constructor(name: string, policy: number) {
    this.name = name;
    this.entries = [];
    this.policy = policy;
    this.packets = 0;
    this.bytes = 0;
  }
}

/** A table: for one purpose, at one priority. */
export class XtTable {
  name: string;
  chains: Map<string, XtChain>;
  /** The chains that hooks begin with, at [NF_INET_*]; null where the table has none. */
  hooks: (XtChain | null)[];

  constructor(name: string) {
    this.name = name;
    this.chains = new Map();
    this.hooks = [null, null, null, null, null];
  }
}

/** The rule tables of a host. */
export class NetnsXt {
  net: Net;
  mangle: XtTable;
  nat: XtTable;
  filter: XtTable;

  constructor(net: Net) {
    this.net = net;
    this.mangle = new XtTable('mangle');
    this.nat = new XtTable('nat');
    this.filter = new XtTable('filter');
  }
}

declare module '@stack/kernel' {
  interface NetLinks {
    xt: NetnsXt;
  }
}
