/*
 * The structs of the route cache: Rtable, the answer for one flow, RouteCache, the table of them,
 * and FibNhException, what was learned of the path to one address.
 *
 * An Rtable begins with a DstEntry, so it serves as one wherever the family does not matter.
 * Behaviour: rt-cache.ts, route.ts, route-input.ts, route-output.ts.
 */
import type { Net, TimerList } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { DstEntry } from '@stack/skbuff';
import type { DstOps } from '@stack/skbuff';

/** Flags of an Rtable. */
export const RTCF_DEAD = 0x01;
export const RTCF_ONLINK = 0x02;
export const RTCF_BROADCAST = 0x10000000;
export const RTCF_MULTICAST = 0x20000000;
export const RTCF_LOCAL = 0x80000000 | 0;
export const RTCF_DOREDIRECT = 0x01000000;
export const RTCF_REDIRECTED = 0x00040000;

/** A route of the cache. */
export class Rtable extends DstEntry {
  /** The hash chain: the chapter's rt_next, laid over dst.next. */
  declare next: Rtable | null;
  net: Net;
  /** The generation it was made in; another one means that it is no longer valid. */
  rtGenid: number;
  /** The generation of exceptions it was last compared with. */
  fnheGenid: number;
  /** In the cache's table (which holds a reference). */
  cached: boolean;
  /** RTCF_* */
  rtFlags: number;
  /** RTN_* */
  rtType: number;
  /** Made for a packet that came in. */
  rtIsInput: boolean;
  /** Interface it came in by; 0 for what is made here. */
  rtIif: number;
  /** Made for a packet that came in, from a route with several next hops. */
  rtMultipath: boolean;
  /** The next hop is not the destination itself. */
  rtUsesGateway: boolean;
  /** The next hop: the gateway, or the destination if it is on the link. */
  rtGateway: number;
  /** Destination and source of packets sent by it. */
  rtDst: number;
  rtSrc: number;
  /** What the network said of the path's MTU; 0 for nothing. Ends with dst.expires. */
  rtPmtu: number;
  rtMtuLocked: boolean;
  /* The key in the cache. */
  keyDaddr: number;
  keySaddr: number;
  keyOif: number;
  keyIif: number;
  /** Input: TOS. Output: TOS, scope and flags in one number. */
  keyTos: number;
  keyMark: number;

  constructor(net: Net, ops: DstOps, flags: number) {
    super(ops, flags);
    this.net = net;
    this.rtGenid = net.ipv4.rtGenid;
    this.fnheGenid = net.ipv4.rtCache.fnheGenid;
    this.cached = false;
    this.rtFlags = 0;
    this.rtType = 0;
    this.rtIsInput = false;
    this.rtIif = 0;
    this.rtMultipath = false;
    this.rtUsesGateway = false;
    this.rtGateway = 0;
    this.rtDst = 0;
    this.rtSrc = 0;
    this.rtPmtu = 0;
    this.rtMtuLocked = false;
    this.keyDaddr = 0;
    this.keySaddr = 0;
    this.keyOif = 0;
    this.keyIif = 0;
    this.keyTos = 0;
    this.keyMark = 0;
  }
}

/** What was learned of the path to one address (the kernel's fib_nh_exception). */
export class FibNhException {
  daddr: number;
  /** The generation of exceptions that began with its last change. */
  genid: number;
  /** The better gateway that a redirect named, 0 for none, and the device that it is behind. */
  gw: number;
  dev: NetDevice | null;
  /** 0 for nothing known. */
  pmtu: number;
  mtuLocked: boolean;
  /** Jiffies. */
  expires: number;

  constructor(daddr: number) {
    this.daddr = daddr;
    this.genid = 0;
    this.gw = 0;
    this.dev = null;
    this.pmtu = 0;
    this.mtuLocked = false;
    this.expires = 0;
  }
}

/** The routes in use, by flow. */
export class RouteCache {
  /** Chains by hash; the length is a power of two. */
  buckets: (Rtable | null)[];
  rnd: number;
  entries: number;
  /** Where the next look for entries to drop begins. */
  gcHand: number;
  gcTimer: TimerList;
  exceptions: Map<number, FibNhException>;
  fnheGenid: number;
  /** Counters, as /proc/net/stat/rt_cache. */
  inHit: number;
  inSlowTot: number;
  outHit: number;
  outSlowTot: number;

  constructor(rnd: number, gcTimer: TimerList) {
    this.buckets = new Array<Rtable | null>(64).fill(null);
    this.rnd = rnd;
    this.entries = 0;
    this.gcHand = 0;
    this.gcTimer = gcTimer;
    this.exceptions = new Map();
    this.fnheGenid = 1;
    this.inHit = 0;
    this.inSlowTot = 0;
    this.outHit = 0;
    this.outSlowTot = 0;
  }
}
