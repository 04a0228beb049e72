/*
 * The structs of the routing tables: FibTable, FibAlias, FibInfo, FibNh, FibResult, and the
 * numbers of rtnetlink(7).
 *
 * A route is an alias (prefix, TOS, type) that points at an info (protocol, scope, preferred
 * source, metric) with its next hop. fib-trie.ts finds them, fib-semantics.ts makes them,
 * fib-frontend.ts is where addresses and users come in.
 */
import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';

/** Types of route (rtm_type). */
export const RTN_UNSPEC = 0;
export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
export const RTN_ANYCAST = 4;
export const RTN_MULTICAST = 5;
export const RTN_BLACKHOLE = 6;
export const RTN_UNREACHABLE = 7;
export const RTN_PROHIBIT = 8;
export const RTN_THROW = 9;

/** Who made a route (rtm_protocol). */
export const RTPROT_UNSPEC = 0;
export const RTPROT_REDIRECT = 1;
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
export const RTPROT_STATIC = 4;
export const RTPROT_DHCP = 16;

/** Tables. */
export const RT_TABLE_DEFAULT = 253;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;

/** Flags of a next hop. */
export const RTNH_F_DEAD = 1;
export const RTNH_F_ONLINK = 4;
export const RTNH_F_LINKDOWN = 16;

/** A next hop (the kernel's fib_nh). */
export class FibNh {
  dev: NetDevice | null;
  /** The gateway; 0 if the destination is on the link. */
  gw: number;
  /** How far away the gateway may be: the scope it was found with. */
  scope: number;
  /** RTNH_F_* */
  flags: number;
  /** Its share of the flows, against those of the others: 1 … 256. */
  weight: number;
  /** Flows whose hash (31 bits) is at most this, and more than the one before has, are its own; -1 while it has none. */
  upperBound: number;

  constructor() {
    this.dev = null;
    this.gw = 0;
    this.scope = 0;
    this.flags = 0;
    this.weight = 1;
    this.upperBound = 0x7fffffff;
  }
}

/** What is common to all users of a route. */
export class FibInfo {
  net: Net;
  protocol: number;
  scope: number;
  type: number;
  /** The source address for packets that have none yet; 0 leaves it to the next hop's device. */
  prefsrc: number;
  /** The metric: of two routes alike, the smaller wins. */
  priority: number;
  /** RTAX_* values, or null. */
  metrics: Int32Array | null;
  /** The first next hop; most routes have no other. */
  nh: FibNh;
  /** All of them. */
  nhs: FibNh[];

  constructor(net: Net) {
    this.net = net;
    this.protocol = 0;
    this.scope = 0;
    this.type = 0;
    this.prefsrc = 0;
    this.priority = 0;
    this.metrics = null;
    this.nh = new FibNh();
    this.nhs = [this.nh];
  }
}

/** One route of a prefix. Those of one prefix are linked in order of TOS (falling) and metric (rising). */
export class FibAlias {
  next: FibAlias | null;
  prefix: number;
  plen: number;
  tos: number;
  type: number;
  info: FibInfo;

  constructor(prefix: number, plen: number, tos: number, info: FibInfo) {
    this.next = null;
    this.prefix = prefix;
    this.plen = plen;
    this.tos = tos;
    this.type = info.type;
    this.info = info;
  }
}

/** A node of the trie: a prefix, with routes or only to branch at. */
export class FibNode {
  key: number;
  /** Bits of key that count, 0–32. */
  plen: number;
  parent: FibNode | null;
  /** Longer prefixes whose next bit is 0, is 1. */
  left: FibNode | null;
  right: FibNode | null;
  aliases: FibAlias | null;

  constructor(key: number, plen: number) {
    this.key = key;
    this.plen = plen;
    this.parent = null;
    this.left = null;
    this.right = null;
    this.aliases = null;
  }
}

/** A routing table. */
export class FibTable {
  id: number;
  root: FibNode | null;
  numAliases: number;

  constructor(id: number) {
    this.id = id;
    this.root = null;
    this.numAliases = 0;
  }
}

/** The answer of a lookup; the caller keeps one and has it filled in. */
export class FibResult {
  prefix: number;
  prefixlen: number;
  type: number;
  scope: number;
  table: FibTable | null;
  info: FibInfo | null;
  /** The next hop of info that serves the flow. */
  nh: FibNh | null;

  constructor() {
    this.prefix = 0;
    this.prefixlen = 0;
    this.type = 0;
    this.scope = 0;
    this.table = null;
    this.info = null;
    this.nh = null;
  }
}
