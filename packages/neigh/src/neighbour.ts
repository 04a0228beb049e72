/*
 * The structs of the neighbour layer: Neighbour, HhCache, NeighTable, NeighParms, and NeighOps,
 * the table by which this layer calls the protocol that resolves (ARP, neighbour discovery).
 *
 * A neighbour is found by a key of at most four int32 words and a device; what the words mean is
 * the family's affair. Behaviour is in neigh-table.ts (find, make, collect), neigh-timer.ts and
 * neigh-update.ts (states), neigh-output.ts (packets on their way down).
 */
import type { Net, TimerList } from '@stack/kernel';
import type { HardwareHeader, NetDevice } from '@stack/netdev';
import { HH_DATA_MAX } from '@stack/netdev';
import { SkBuffHead } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { NUD_NONE } from './nud.ts';

declare module '@stack/kernel' {
  interface NetLinks {
    neigh: NetnsNeigh;
  }
}

declare module '@stack/skbuff' {
  interface SkbLinks {
    /** dst.neighbour: the next hop; the dst holds a reference. */
    neighbour: Neighbour;
    /** dst.hh: the next hop's header, once there is one. Lives as long as dst.neighbour. */
    hh: HhCache;
  }
}

/** Room for a link-layer address (the kernel's MAX_ADDR_LEN). */
export const MAX_ADDR_LEN = 32;

/** What a family's resolver gives to this layer: one constant object per kind of device. */
export interface NeighOps {
  /** AF_* of the keys. */
  readonly family: number;
  /**
   * Asks the link for neigh's address. skb is a packet that waits for it, lent for its source
   * address, or null. neigh.probes says which attempt this is.
   */
  readonly solicit: (neigh: Neighbour, skb: SkBuff | null) => void;
  /** Resolution has failed; skb waited for it and is the callee's now: it reports to the sender and frees it. */
  readonly errorReport: (neigh: Neighbour, skb: SkBuff) => void;
  /** neigh.output while the neighbour's address is unknown or suspect. */
  readonly output: (skb: SkBuff) => number;
  /** neigh.output while it is connected. */
  readonly connectedOutput: (skb: SkBuff) => number;
  /** hh.hhOutput while it is connected. */
  readonly hhOutput: (skb: SkBuff) => number;
  /** Where a packet with its header on goes: devQueueXmit. */
  readonly queueXmit: (skb: SkBuff) => number;
}

/** The link-layer header of one neighbour, made once (the kernel's hh_cache). */
export class HhCache implements HardwareHeader {
  hhLen: number;
  readonly hhData: Uint8Array;
  /** The same bytes, for copies by words. */
  readonly hhView: DataView;
  /** What a packet with this header is given to: ops.hhOutput, or ops.output while the neighbour is suspect. */
  hhOutput: (skb: SkBuff) => number;

  constructor(hhOutput: (skb: SkBuff) => number) {
    this.hhLen = 0;
    this.hhData = new Uint8Array(HH_DATA_MAX);
    this.hhView = new DataView(this.hhData.buffer);
    this.hhOutput = hhOutput;
  }
}

/** The variables of one device (or, with dev null, the defaults of a table): net.ipv4.neigh.<dev>.*, in sysctl's own units. */
export class NeighParms {
  dev: NetDevice | null;
  table: NeighTable;
  /** The name the variables are registered under. */
  sysctlName: string;
  dead: boolean;
  mcastSolicit: number;
  ucastSolicit: number;
  appSolicit: number;
  mcastResolicit: number;
  /** Milliseconds. */
  retransTimeMs: number;
  baseReachableTimeMs: number;
  /** Seconds. */
  delayFirstProbeTime: number;
  gcStaleTime: number;
  /** Bytes of truesize that may wait for one answer. */
  unresQlenBytes: number;
  /** Hundredths of a second for which the first of several answers counts. */
  locktime: number;
  /** Milliseconds; drawn anew from baseReachableTimeMs every 300 s (RFC 4861 §6.3.2). */
  reachableTime: number;

  constructor(table: NeighTable, dev: NetDevice | null) {
    this.dev = dev;
    this.table = table;
    this.sysctlName = 'default';
    this.dead = false;
    this.mcastSolicit = 3;
    this.ucastSolicit = 3;
    this.appSolicit = 0;
    this.mcastResolicit = 0;
    this.retransTimeMs = 1000;
    this.baseReachableTimeMs = 30000;
    this.delayFirstProbeTime = 5;
    this.gcStaleTime = 60;
    this.unresQlenBytes = 212992;
    this.locktime = 100;
    this.reachableTime = 30000;
  }
}

/** One neighbour: what is known of the host behind a key on a device. */
export class Neighbour {
  /** The hash chain. */
  next: Neighbour | null;
  table: NeighTable;
  parms: NeighParms;
  dev: NetDevice;
  primaryKey0: number;
  primaryKey1: number;
  primaryKey2: number;
  primaryKey3: number;
  /** The link-layer address; valid if nudState is in NUD_VALID. */
  readonly ha: Uint8Array;
  /** NUD_* */
  nudState: number;
  /** RTN_* in the family's sense. */
  type: number;
  dead: boolean;
  /** The table's reference is one of them. */
  refcnt: number;
  /** Jiffies of the last proof of reachability, the last change, the last use. */
  confirmed: number;
  updated: number;
  used: number;
  probes: number;
  /** Packets that wait for the address, oldest first, and their truesize. */
  arpQueue: SkBuffHead;
  arpQueueLenBytes: number;
  timer: TimerList;
  ops: NeighOps;
  /** What a packet for this neighbour is given to, without its link-layer header; consumes it. */
  output: (skb: SkBuff) => number;
  hh: HhCache | null;

  constructor(table: NeighTable, parms: NeighParms, dev: NetDevice, timer: TimerList) {
    const now = table.net.world.jiffies;
    this.next = null;
    this.table = table;
    this.parms = parms;
    this.dev = dev;
    this.primaryKey0 = 0;
    this.primaryKey1 = 0;
    this.primaryKey2 = 0;
    this.primaryKey3 = 0;
    this.ha = new Uint8Array(MAX_ADDR_LEN);
    this.nudState = NUD_NONE;
    this.type = 0;
    this.dead = true;
    this.refcnt = 1;
    this.confirmed = now;
    this.updated = now;
    this.used = now;
    this.probes = 0;
    this.arpQueue = new SkBuffHead();
    this.arpQueueLenBytes = 0;
    this.timer = timer;
    this.ops = table.ops.defaultOps;
    this.output = this.ops.output;
    this.hh = null;
  }
}

/** Counters of a table (`ip -s ntable`, /proc/net/stat/arp_cache). */
export class NeighStatistics {
  allocs: number;
  destroys: number;
  hashGrows: number;
  resFailed: number;
  lookups: number;
  hits: number;
  periodicGcRuns: number;
  forcedGcRuns: number;
  unresDiscards: number;
  tableFulls: number;

  constructor() {
    this.allocs = 0;
    this.destroys = 0;
    this.hashGrows = 0;
    this.resFailed = 0;
    this.lookups = 0;
    this.hits = 0;
    this.periodicGcRuns = 0;
    this.forcedGcRuns = 0;
    this.unresDiscards = 0;
    this.tableFulls = 0;
  }
}

/** What a family says of its table, once: constant. */
export interface NeighTableOps {
  /** The table's name, as sysctl and `ip ntable` know it: 'arp_cache'. */
  readonly id: string;
  /** AF_* */
  readonly family: number;
  /** ETH_P_* of the packets that use it: the type in the cached header. */
  readonly protocol: number;
  /** NeighOps of an entry until `constructor` chooses. */
  readonly defaultOps: NeighOps;
  /** Where sysctls stand: 'net.ipv4.neigh'. */
  readonly sysctlPath: string;
  /** Chooses ops and output, and the state of a new entry whose key and device are set; 0 or -errno. */
  readonly construct: (neigh: Neighbour) => number;
  /** The key as a user reads it. */
  readonly keyText: (neigh: Neighbour) => string;
}

/** All neighbours of one family in one Net. */
export class NeighTable {
  net: Net;
  ops: NeighTableOps;
  /** The defaults; every device has a copy of its own in parmsList. */
  parms: NeighParms;
  parmsList: NeighParms[];
  /** Chains by hash; the length is a power of two. */
  buckets: (Neighbour | null)[];
  hashRnd: number;
  entries: number;
  /** Entries that collection may take: all but PERMANENT ones. */
  gcThresh1: number;
  gcThresh2: number;
  gcThresh3: number;
  /** Jiffies of the last forced collection, and of the last drawing of reachableTime. */
  lastFlush: number;
  lastRand: number;
  gcTimer: TimerList;
  stats: NeighStatistics;

  constructor(net: Net, ops: NeighTableOps, gcTimer: TimerList, hashRnd: number) {
    this.net = net;
    this.ops = ops;
    this.parms = new NeighParms(this, null);
    this.parmsList = [];
    this.buckets = new Array<Neighbour | null>(8).fill(null);
    this.hashRnd = hashRnd;
    this.entries = 0;
    this.gcThresh1 = 128;
    this.gcThresh2 = 512;
    this.gcThresh3 = 1024;
    this.lastFlush = net.world.jiffies;
    this.lastRand = net.world.jiffies;
    this.gcTimer = gcTimer;
    this.stats = new NeighStatistics();
  }
}

/** What a Net has of this layer: its tables. */
export class NetnsNeigh {
  tables: NeighTable[];

  constructor() {
    this.tables = [];
  }
}
