// The structs of netfilter (include/linux/netfilter.h): hooks, their state, queue entries, and the tables of one host.
//
//          PRE_ROUTING --> route --> FORWARD --> POST_ROUTING -->
//                            |                       ^
//                         LOCAL_IN               LOCAL_OUT
//
// A hook function looks at a packet at one of five points and gives a verdict. Those of one point are called by
// ascending priority.

import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import type { SkBuff } from '@stack/skbuff';

/** Everything that arrives, before its route is known. */
export const NF_INET_PRE_ROUTING = 0;
/** What stays on this host. */
export const NF_INET_LOCAL_IN = 1;
/** What passes through. */
export const NF_INET_FORWARD = 2;
/** What is made here. */
export const NF_INET_LOCAL_OUT = 3;
/** Everything that leaves. */
export const NF_INET_POST_ROUTING = 4;
export const NF_INET_NUMHOOKS = 5;

/** ARP that arrives. */
export const NF_ARP_IN = 0;
/** ARP that leaves. */
export const NF_ARP_OUT = 1;
export const NF_ARP_FORWARD = 2;

const inetHookNames: readonly string[] = [
  'NF_INET_PRE_ROUTING', 'NF_INET_LOCAL_IN', 'NF_INET_FORWARD', 'NF_INET_LOCAL_OUT', 'NF_INET_POST_ROUTING',
];
const arpHookNames: readonly string[] = ['NF_ARP_IN', 'NF_ARP_OUT', 'NF_ARP_FORWARD'];

export const NFPROTO_UNSPEC = 0;
export const NFPROTO_IPV4 = 2;
export const NFPROTO_ARP = 3;
export const NFPROTO_BRIDGE = 7;
export const NFPROTO_IPV6 = 10;
/** One more than the highest family. */
export const NFPROTO_NUMPROTO = 11;

/** Name of a hook, as it stands in a trace. */
export function nfHookName(pf: number, hook: number): string {
  const names = pf === NFPROTO_ARP ? arpHookNames : inetHookNames;
  return names[hook] ?? `NF_${pf}_${hook}`;
}

/** Verdict: the packet is lost; the hook core frees it. NF_DROP_ERR(errno) chooses what the caller is told. */
export const NF_DROP = 0;
/** Verdict: go on with the next hook. */
export const NF_ACCEPT = 1;
/** Verdict: the hook function has taken the packet. */
export const NF_STOLEN = 2;
/** Verdict: hand it to the queue handler, who brings it back with nfReinject. NF_QUEUE_NR(n) chooses the queue. */
export const NF_QUEUE = 3;
/** Verdict: call this hook function again. */
export const NF_REPEAT = 4;

/** The verdict itself; the upper half is its argument. */
export const NF_VERDICT_MASK = 0xff;
/** With NF_QUEUE: accept the packet when nobody handles the queue. */
export const NF_VERDICT_FLAG_QUEUE_BYPASS = 0x8000;

/** NF_QUEUE to queue n, 0 to 32767. */
export function NF_QUEUE_NR(n: number): number {
  return (n << 16) | NF_QUEUE;
}

/** NF_DROP that returns -err to whom sent the packet; err is a positive errno. */
export function NF_DROP_ERR(err: number): number {
  return (err << 16) | NF_DROP;
}

export const NF_IP_PRI_FIRST = -0x80000000;
export const NF_IP_PRI_RAW_BEFORE_DEFRAG = -450;
export const NF_IP_PRI_CONNTRACK_DEFRAG = -400;
export const NF_IP_PRI_RAW = -300;
export const NF_IP_PRI_SELINUX_FIRST = -225;
export const NF_IP_PRI_CONNTRACK = -200;
export const NF_IP_PRI_MANGLE = -150;
export const NF_IP_PRI_NAT_DST = -100;
export const NF_IP_PRI_FILTER = 0;
export const NF_IP_PRI_SECURITY = 50;
export const NF_IP_PRI_NAT_SRC = 100;
export const NF_IP_PRI_SELINUX_LAST = 225;
export const NF_IP_PRI_CONNTRACK_HELPER = 300;
export const NF_IP_PRI_CONNTRACK_CONFIRM = 0x7fffffff;
export const NF_IP_PRI_LAST = 0x7fffffff;

/** Where an accepted packet goes on: a module-level function that takes it. Its result is the hook's. */
export type NfOkfn = (skb: SkBuff) => number;

/** What a hook function may see of the call, valid only while it runs. */
export class NfHookState {
  /** NFPROTO_*. */
  pf: number;
  /** NF_INET_* (or the family's own numbers). */
  hook: number;
  net: Net;
  indev: NetDevice | null;
  outdev: NetDevice | null;
  okfn: NfOkfn;

  constructor(net: Net, okfn: NfOkfn) {
    this.pf = NFPROTO_UNSPEC;
    this.hook = 0;
    this.net = net;
    this.indev = null;
    this.outdev = null;
    this.okfn = okfn;
  }
}

/** Gives a verdict on a packet: owns it only if that is NF_STOLEN. */
export type NfHookfn = (priv: unknown, skb: SkBuff, state: NfHookState) => number;

/** One registered hook function. */
export interface NfHookOps {
  readonly hook: NfHookfn;
  /** Handed to the function as it is. */
  readonly priv?: unknown;
  /** NFPROTO_*. */
  readonly pf: number;
  /** NF_INET_*. */
  readonly hooknum: number;
  /** Ascending: the lowest is called first; equal ones in the order of registration. */
  readonly priority: number;
}

/** A packet that waits for its queue handler. */
export class NfQueueEntry {
  /** Owned by the entry until nfReinject. */
  skb: SkBuff;
  /** Number of the entry in its host, for the handler. */
  id: number;
  state: NfHookState;
  /** Which of the point's hook functions gave the verdict. */
  hookIndex: number;

  constructor(skb: SkBuff, id: number, state: NfHookState, hookIndex: number) {
    this.skb = skb;
    this.id = id;
    this.state = state;
    this.hookIndex = hookIndex;
  }
}

/** Who takes queued packets (nfnetlink_queue in the kernel). */
export interface NfQueueHandler {
  /** Takes the entry and brings it back later, or at once, with nfReinject. Negative errno: not taken. */
  readonly outfn: (entry: NfQueueEntry, queuenum: number) => number;
  /** A hook function was unregistered: give back, with NF_DROP, every entry of this host. */
  readonly nfHookDrop: (net: Net) => void;
}

/** What connection tracking does for the rest of the stack (nf_ct_hook). */
export interface NfCtHook {
  /** Gives `nskb`, made in answer to `skb`, the same connection (an ICMP error, a reset). */
  readonly attach: (nskb: SkBuff, skb: SkBuff) => void;
}

/** Netfilter's part of a host. */
export class NetnsNf {
  /** Hook functions of each point by priority, at [pf << 3 | hook]; null where there are none. Replaced, never changed. */
  hooks: (readonly NfHookOps[] | null)[];
  queueHandler: NfQueueHandler | null;
  ctHook: NfCtHook | null;
  /** States for nested calls: one for each depth. */
  states: NfHookState[];
  depth: number;
  nextQueueId: number;

  constructor() {
    this.hooks = new Array<readonly NfHookOps[] | null>(NFPROTO_NUMPROTO << 3).fill(null);
    this.queueHandler = null;
    this.ctHook = null;
    this.states = [];
    this.depth = 0;
    this.nextQueueId = 1;
  }
}
