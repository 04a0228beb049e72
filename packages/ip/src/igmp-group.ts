/*
 * The structs of multicast membership, and the rule by which what sockets want becomes what a
 * device listens to (RFC 3376 §3.2).
 *
 * A member (a socket's membership) has an McFilter. IpMcList is a group on a device: all its
 * members, what they come to, and which part of that the routers have not been told yet.
 */
import type { TimerList } from '@stack/kernel';

/** Filter modes: all sources but those listed, or only those. */
export const MCAST_EXCLUDE = 0;
export const MCAST_INCLUDE = 1;

/** Which sources a member wants to hear. */
export class McFilter {
  /** MCAST_* */
  mode: number;
  sources: readonly number[];

  constructor(mode: number, sources: readonly number[]) {
    this.mode = mode;
    this.sources = sources;
  }
}

/** A member that wants every source. */
export const MC_ANY_SOURCE = new McFilter(MCAST_EXCLUDE, []);

/** A group that a device listens to (or has left, while the routers are being told). */
export class IpMcList {
  next: IpMcList | null;
  multiaddr: number;
  members: McFilter[];
  /** What the members come to: MCAST_* and sources, rising. Nobody: INCLUDE of nothing. */
  mode: number;
  sources: readonly number[];
  /** State-change reports that are still to say the mode. */
  modeCount: number;
  /** By source: state-change reports that are still to say whether it is heard. */
  sourceCounts: Map<number, number>;
  /** Answers a query, or repeats an unasked report to a router of IGMPv1 or v2. */
  timer: TimerList;
  /** We were the last to report the group (RFC 2236 §3: then a leave is ours to say). */
  reporter: boolean;
  /** Unasked reports still to be sent to a router of IGMPv1 or v2. */
  unsolicitCount: number;
  /** The pending answer is about these sources only; null: about the group. */
  queried: readonly number[] | null;

  constructor(multiaddr: number, timer: TimerList) {
    this.next = null;
    this.multiaddr = multiaddr;
    this.members = [];
    this.mode = MCAST_INCLUDE;
    this.sources = [];
    this.modeCount = 0;
    this.sourceCounts = new Map();
    this.timer = timer;
    this.reporter = false;
    this.unsolicitCount = 0;
    this.queried = null;
  }
}

/** IGMP's state of a device. Times are jiffies. */
export class IgmpState {
  /** Groups left, of which reports are still to be sent. */
  tomb: IpMcList | null;
  /** Until when a querier of IGMPv1 or v2 is about; 0 for none. */
  v1Seen: number;
  v2Seen: number;
  /** The robustness variable and the query interval, as the last querier said. */
  qrv: number;
  qi: number;
  /** Answers a general query; sends state-change reports. */
  gqTimer: TimerList;
  ifcTimer: TimerList;

  constructor(gqTimer: TimerList, ifcTimer: TimerList) {
    this.tomb = null;
    this.v1Seen = 0;
    this.v2Seen = 0;
    this.qrv = 0;
    this.qi = 0;
    this.gqTimer = gqTimer;
    this.ifcTimer = ifcTimer;
  }
}

/** What is in a and not in b. */
export function sourcesMinus(a: readonly number[], b: readonly number[]): number[] {
  return a.filter((addr) => !b.includes(addr));
}

/** What is in both. */
export function sourcesBoth(a: readonly number[], b: readonly number[]): number[] {
  return a.filter((addr) => b.includes(addr));
}

/**
 * RFC 3376 §3.2: if one member excludes, all sources are heard but those that every excluding
 * member excludes and no other includes; else those that some member includes.
 */
export function mcMerge(members: readonly McFilter[]): McFilter {
  const included = members.filter((member) => member.mode === MCAST_INCLUDE).flatMap((member) => member.sources);
  const excluding = members.filter((member) => member.mode === MCAST_EXCLUDE);
  if (excluding.length === 0) return new McFilter(MCAST_INCLUDE, [...new Set(included)].sort((a, b) => (a >>> 0) - (b >>> 0)));
  const common = excluding.map((member) => member.sources).reduce(sourcesBoth);
  return new McFilter(MCAST_EXCLUDE, [...new Set(sourcesMinus(common, included))].sort((a, b) => (a >>> 0) - (b >>> 0)));
}

/** Whether a filter lets saddr through. */
export function mcFilterAllows(mode: number, sources: readonly number[], saddr: number): boolean {
  return (mode === MCAST_INCLUDE) === sources.includes(saddr);
}
