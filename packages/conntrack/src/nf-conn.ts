/*
 * The structs of connection tracking: NfConn, one connection, NfConntrackL4proto, what it asks of a protocol, and NetnsCt,
 * the table of one host (include/net/netfilter/nf_conntrack.h, nf_conntrack_l4proto.h, net/netns/conntrack.h).
 *
 * A connection is held by the packets that refer to it (skb.nfct) and, once confirmed, by the table.
 */
import type { Net, SiphashKey, SnmpMib, TimerList } from '@stack/kernel';
import type { NfHookState } from '@stack/netfilter';
import { NfConntrack } from '@stack/skbuff';
import type { NfConntrackOps, SkBuff } from '@stack/skbuff';
import { IpCtTcpState, TcpSegment } from './nf-conntrack-tcp-state.ts';
import type { IpCtTcp } from './nf-conntrack-tcp-state.ts';
import { IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY, NfConntrackTuple } from './nf-conntrack-tuple.ts';

/** ct.status: packets of both directions have been seen. */
export const IPS_SEEN_REPLY = 1 << 1;
/** Early drop spares it. */
export const IPS_ASSURED = 1 << 2;
/** It is in the table: the packet that began it has left. */
export const IPS_CONFIRMED = 1 << 3;
/** NAT changes the source, or the destination, of its original direction. */
export const IPS_SRC_NAT = 1 << 4;
export const IPS_DST_NAT = 1 << 5;
export const IPS_NAT_MASK = IPS_SRC_NAT | IPS_DST_NAT;
/** What NAT does with it is settled, for the source and for the destination. */
export const IPS_SRC_NAT_DONE = 1 << 7;
export const IPS_DST_NAT_DONE = 1 << 8;
export const IPS_NAT_DONE_MASK = IPS_SRC_NAT_DONE | IPS_DST_NAT_DONE;
/** It has been taken out of the table. */
export const IPS_DYING = 1 << 9;

/** A tuple in the table: one direction of a connection. */
export class NfConntrackTupleHash {
  /** The next one of the chain. */
  next: NfConntrackTupleHash | null;
  ct: NfConn;
  /** IP_CT_DIR_* */
  dir: number;
  tuple: NfConntrackTuple;
  /** Counted while net.netfilter.nf_conntrack_acct is on. */
  packets: number;
  bytes: number;

  constructor(ct: NfConn, dir: number) {
    this.next = null;
    this.ct = ct;
    this.dir = dir;
    this.tuple = new NfConntrackTuple();
    this.packets = 0;
    this.bytes = 0;
  }
}

/** A tracked connection. */
export class NfConn extends NfConntrack {
  net: Net;
  /** IPS_* */
  status: number;
  mark: number;
  /** When it ends, in jiffies; before it is confirmed: after how many. */
  timeout: number;
  /** Its directions, at [IP_CT_DIR_*]. */
  tuplehash: readonly [NfConntrackTupleHash, NfConntrackTupleHash];
  /** What TCP knows of it. */
  tcp: IpCtTcp | null;
  /** UDP: from then on (jiffies) packets of both directions make it a stream. */
  streamTs: number;
  /** NAT: the next one whose original source hashes alike. */
  natNext: NfConn | null;
  /** Masquerading: the interface that it left by. */
  masqIndex: number;

  constructor(net: Net, ops: NfConntrackOps) {
    super(ops);
    this.net = net;
    this.status = 0;
    this.mark = 0;
    this.timeout = 0;
    this.tuplehash = [new NfConntrackTupleHash(this, IP_CT_DIR_ORIGINAL), new NfConntrackTupleHash(this, IP_CT_DIR_REPLY)];
    this.tcp = null;
    this.streamTs = 0;
    this.natNext = null;
    this.masqIndex = 0;
  }
}

/** What tracking asks of a protocol. Offsets count from skb.data, where the IP header is. */
export interface NfConntrackL4proto {
  /** IPPROTO_*; 0: every protocol that has no tracker of its own. */
  readonly l4proto: number;
  readonly name: string;
  /** Fills in srcU and dstU of the packet; false if it is too short. */
  readonly pktToTuple: (skb: SkBuff, dataoff: number, tuple: NfConntrackTuple) => boolean;
  /** Fills in srcU and dstU of the answer; false if nothing answers such a packet. */
  readonly invertTuple: (inverse: NfConntrackTuple, orig: NfConntrackTuple) => boolean;
  /**
   * Judges a packet of ct (skb.nfct) and sets its timeout. NF_ACCEPT; or the negative of a verdict, the packet being no part of
   * the connection: -NF_ACCEPT (invalid), -NF_DROP, -NF_REPEAT (ct is gone: look again).
   */
  readonly packet: (ct: NfConn, skb: SkBuff, dataoff: number, ctinfo: number, state: NfHookState) => number;
  /**
   * Looks at a packet before any connection is looked for, null for no need. NF_ACCEPT: go on, unless it has given the packet a
   * connection; or the negative of a verdict, as above.
   */
  readonly error: ((skb: SkBuff, dataoff: number, state: NfHookState) => number) | null;
  /** Whether an assured one may go when the table is nearly full; null: never. */
  readonly canEarlyDrop: ((ct: NfConn) => boolean) | null;
}

/** Connection tracking in one host. */
export class NetnsCt {
  net: Net;
  /** Chains by hash; the length is a power of two. */
  buckets: (NfConntrackTupleHash | null)[];
  hashKey: SiphashKey;
  /** Connections that exist, confirmed or not. */
  count: number;
  /** By protocol; null where generic serves. */
  l4protos: (NfConntrackL4proto | null)[];
  generic: NfConntrackL4proto;
  /** Where garbage collection goes on. */
  gcNext: number;
  gcTimer: TimerList;
  /** Told of a connection that nobody refers to any more: NAT. */
  natCleanup: ((ct: NfConn) => void) | null;
  stat: SnmpMib;
  /* Settings. */
  sysctlMax: number;
  sysctlBuckets: number;
  sysctlChecksum: number;
  sysctlAcct: number;
  sysctlTcpLoose: number;
  sysctlTcpBeLiberal: number;
  sysctlTcpIgnoreInvalidRst: number;
  sysctlTcpMaxRetrans: number;
  /* In jiffies. */
  tcpTimeouts: TcpTimeouts;
  udpTimeout: number;
  udpTimeoutStream: number;
  icmpTimeout: number;
  genericTimeout: number;
  /* What the packet path reads a packet into: valid until the next lookup. */
  tuple: NfConntrackTuple;
  inverse: NfConntrackTuple;
  segment: TcpSegment;
  tcpScratch: IpCtTcpState;

  constructor(net: Net, generic: NfConntrackL4proto, hashKey: SiphashKey, gcTimer: TimerList, stat: SnmpMib, buckets: number) {
    this.net = net;
    this.buckets = new Array<NfConntrackTupleHash | null>(buckets).fill(null);
    this.hashKey = hashKey;
    this.count = 0;
    this.l4protos = new Array<NfConntrackL4proto | null>(256).fill(null);
    this.generic = generic;
    this.gcNext = 0;
    this.gcTimer = gcTimer;
    this.natCleanup = null;
    this.stat = stat;
    this.sysctlMax = 0;
    this.sysctlBuckets = buckets;
    this.sysctlChecksum = 0;
    this.sysctlAcct = 0;
    this.sysctlTcpLoose = 0;
    this.sysctlTcpBeLiberal = 0;
    this.sysctlTcpIgnoreInvalidRst = 0;
    this.sysctlTcpMaxRetrans = 0;
    this.tcpTimeouts = new TcpTimeouts();
    this.udpTimeout = 0;
    this.udpTimeoutStream = 0;
    this.icmpTimeout = 0;
    this.genericTimeout = 0;
    this.tuple = new NfConntrackTuple();
    this.inverse = new NfConntrackTuple();
    this.segment = new TcpSegment();
    this.tcpScratch = new IpCtTcpState();
  }
}

/** How long a TCP connection is kept in each state without a packet, in jiffies (the sysctls give seconds). */
export class TcpTimeouts {
  synSent: number;
  synRecv: number;
  established: number;
  finWait: number;
  closeWait: number;
  lastAck: number;
  timeWait: number;
  close: number;
  /** At most, after tcp_max_retrans retransmissions, or with a window of 0. */
  maxRetrans: number;
  /** At most, while data is not acknowledged. */
  unacknowledged: number;

  constructor() {
    this.synSent = 0;
    this.synRecv = 0;
    this.established = 0;
    this.finWait = 0;
    this.closeWait = 0;
    this.lastAck = 0;
    this.timeWait = 0;
    this.close = 0;
    this.maxRetrans = 0;
    this.unacknowledged = 0;
  }
}

declare module '@stack/kernel' {
  interface NetLinks {
    ct: NetnsCt;
  }
}

/** The connection of a packet, null if it has none. */
export function nfCtGet(skb: SkBuff): NfConn | null {
  return skb.nfct as NfConn | null;
}

/** Gives a packet that has none its connection; takes over the caller's reference. */
export function nfCtSet(skb: SkBuff, ct: NfConn | null, ctinfo: number): void {
  skb.nfct = ct;
  skb.nfctinfo = ctinfo;
}

export function nfCtIsConfirmed(ct: NfConn): boolean {
  return (ct.status & IPS_CONFIRMED) !== 0;
}

/** Whether its time is over. */
export function nfCtIsExpired(ct: NfConn): boolean {
  return ((ct.timeout - ct.net.world.jiffies) | 0) <= 0;
}

/** It lives for `extra` more jiffies. */
export function nfCtRefresh(ct: NfConn, extra: number): void {
  ct.timeout = nfCtIsConfirmed(ct) ? (ct.net.world.jiffies + extra) | 0 : extra;
}
