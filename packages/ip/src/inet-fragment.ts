/*
 * The structs of reassembly: FragQueues, the table of a Net, and IpFragQueue, one datagram of
 * which not all fragments are here yet; and the list of these in order of use. Behaviour: ip-fragment.ts.
 */
import { randomU32 } from '@stack/kernel';
import type { Net, TimerList } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import type { SkBuff } from '@stack/skbuff';

/** Flags of a queue. */
export const INET_FRAG_FIRST_IN = 1;
export const INET_FRAG_LAST_IN = 2;
export const INET_FRAG_COMPLETE = 4;

/** Why somebody reassembles: part of the key, so that different users do not mix. */
export const IP_DEFRAG_LOCAL_DELIVER = 0;
export const IP_DEFRAG_CALL_RA_CHAIN = 1;
export const IP_DEFRAG_CONNTRACK_IN = 4;
export const IP_DEFRAG_CONNTRACK_OUT = 5;

/** One datagram in the making. */
export class IpFragQueue {
  next: IpFragQueue | null;
  /* The list of all, the one that a fragment came for last at the end. */
  lruPrev: IpFragQueue | null;
  lruNext: IpFragQueue | null;
  net: Net;
  /* The key (RFC 791 §3.2). */
  saddr: number;
  daddr: number;
  id: number;
  protocol: number;
  user: number;
  /** INET_FRAG_* */
  flags: number;
  /** Fragments in order of offset, linked by `next`. */
  fragments: SkBuff | null;
  fragmentsTail: SkBuff | null;
  /** Runs of fragments that came one behind the other; each fragment knows the number of its own. */
  runs: number;
  /** Octets of data of the whole datagram, as far as known, and how many are here. */
  len: number;
  meat: number;
  /** truesize of the fragments. */
  mem: number;
  /** The largest fragment, and the largest with DF, IP header counted in. */
  maxSize: number;
  maxDfSize: number;
  /** Bit n: a fragment with ECN field n came (RFC 3168 §5.3). */
  ecn: number;
  /** Counter of fragments from this source, at the first and now: too far apart, and the datagram is given up. */
  rid: number;
  timer: TimerList;
  dev: NetDevice | null;

  constructor(net: Net, timer: TimerList) {
    this.next = null;
    this.lruPrev = null;
    this.lruNext = null;
    this.net = net;
    this.saddr = 0;
    this.daddr = 0;
    this.id = 0;
    this.protocol = 0;
    this.user = 0;
    this.flags = 0;
    this.fragments = null;
    this.fragmentsTail = null;
    this.runs = 0;
    this.len = 0;
    this.meat = 0;
    this.mem = 0;
    this.maxSize = 0;
    this.maxDfSize = 0;
    this.ecn = 0;
    this.rid = 0;
    this.timer = timer;
    this.dev = null;
  }
}

/** All datagrams in the making. */
export class FragQueues {
  net: Net;
  buckets: (IpFragQueue | null)[];
  nqueues: number;
  /* The least and the most recently used. */
  lruHead: IpFragQueue | null;
  lruTail: IpFragQueue | null;
  /** truesize of all fragments. */
  mem: number;
  rnd: number;
  /** Fragments seen per source, for ipfrag_max_dist. */
  peerRid: Map<number, number>;
  /** Octets of memory beyond which the least recently used datagrams are given up, until low_thresh is reached. */
  sysctlIpfragHighThresh: number;
  sysctlIpfragLowThresh: number;
  /** Seconds. */
  sysctlIpfragTime: number;
  sysctlIpfragMaxDist: number;

  constructor(net: Net) {
    this.net = net;
    this.buckets = new Array<IpFragQueue | null>(64).fill(null);
    this.nqueues = 0;
    this.lruHead = null;
    this.lruTail = null;
    this.mem = 0;
    this.rnd = randomU32(net.world.random);
    this.peerRid = new Map();
    this.sysctlIpfragHighThresh = 4194304;
    this.sysctlIpfragLowThresh = 3145728;
    this.sysctlIpfragTime = 30;
    this.sysctlIpfragMaxDist = 64;
  }
}

/** qp has got a fragment: it is the most recently used. */
export function fragLruTouch(frags: FragQueues, qp: IpFragQueue): void {
  if (frags.lruTail === qp) return;
  if (frags.lruHead === qp || qp.lruPrev !== null) fragLruDel(frags, qp);
  qp.lruPrev = frags.lruTail;
  if (frags.lruTail === null) frags.lruHead = qp;
  else frags.lruTail.lruNext = qp;
  frags.lruTail = qp;
}

/** qp is no longer in the making. */
export function fragLruDel(frags: FragQueues, qp: IpFragQueue): void {
  if (qp.lruPrev === null) frags.lruHead = qp.lruNext;
  else qp.lruPrev.lruNext = qp.lruNext;
  if (qp.lruNext === null) frags.lruTail = qp.lruPrev;
  else qp.lruNext.lruPrev = qp.lruPrev;
  qp.lruPrev = null;
  qp.lruNext = null;
}
