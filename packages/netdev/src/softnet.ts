// What of this layer is global in the kernel, here per Net: the devices, the protocols and taps, the receive queues.
//
// installNetdev() hangs one NetnsNetdev on the Net. A Net has one processor, so there is one SoftnetData (the
// kernel's softnet_data, one per CPU): poll list and backlog for receiving, the list of qdiscs to run for sending.

import type { Net } from '@stack/kernel';
import { SkBuffHead } from '@stack/skbuff';
import type { NapiStruct, NetDevice, NotifierBlock, PacketOffload, PacketType, Qdisc, QdiscOps } from './netdevice.ts';

declare module '@stack/kernel' {
  interface NetLinks {
    netdev: NetnsNetdev;
  }
}

declare module '@stack/skbuff' {
  interface SkbLinks {
    dev: NetDevice;
  }
}

/** Buckets of ptypeBase (a power of two). */
export const PTYPE_HASH_SIZE = 16;
export const PTYPE_HASH_MASK = PTYPE_HASH_SIZE - 1;

/** A Net's queues between interrupt and softirq. */
export class SoftnetData {
  /** NapiStructs to be polled, linked by `next`. */
  pollFirst: NapiStruct | null;
  pollLast: NapiStruct | null;
  /** What netifRx() queued. */
  inputPktQueue: SkBuffHead;
  /** What process_backlog has taken from it and is working on. */
  processQueue: SkBuffHead;
  /** The poll that hands up what devices without NAPI received. */
  backlog: NapiStruct;
  /** Qdiscs that the next NET_TX_SOFTIRQ runs, linked by `nextSched`. */
  outputFirst: Qdisc | null;
  outputLast: Qdisc | null;
  /** Depth of devices that transmit through devices without a queue. */
  xmitRecursion: number;
  /** What devHardStartXmit() last heard from a driver. */
  xmitRc: number;
  // As /proc/net/softnet_stat: packets, backlog drops, net_rx_action ended with work left.
  processed: number;
  dropped: number;
  timeSqueeze: number;

  constructor(backlog: NapiStruct) {
    this.pollFirst = null;
    this.pollLast = null;
    this.inputPktQueue = new SkBuffHead();
    this.processQueue = new SkBuffHead();
    this.backlog = backlog;
    this.outputFirst = null;
    this.outputLast = null;
    this.xmitRecursion = 0;
    this.xmitRc = 0;
    this.processed = 0;
    this.dropped = 0;
    this.timeSqueeze = 0;
  }
}

/** This layer's tables of one Net. */
export class NetnsNetdev {
  net: Net;
  /** In order of registration. */
  devList: NetDevice[];
  devByName: Map<string, NetDevice>;
  /** ifindex to device; holes are null. */
  devByIndex: (NetDevice | null)[];
  loopbackDev: NetDevice | null;
  /** PTYPE_HASH_SIZE buckets, each a list in order of registration. */
  ptypeBase: PacketType[][];
  ptypeAll: PacketType[];
  /** Taps of single devices, over all devices: 0 lets the send path skip them with one test. */
  ptypeDevCount: number;
  offloads: PacketOffload[];
  notifiers: NotifierBlock[];
  qdiscOps: QdiscOps[];
  softnet: SoftnetData;
  /** Users of receive time stamps; while 0 none is taken. */
  netstampNeeded: number;
  sysctlNetdevBudget: number;
  sysctlDevWeight: number;
  sysctlNetdevMaxBacklog: number;
  sysctlDevTxWeight: number;
  sysctlDefaultQdisc: string;

  constructor(net: Net, backlog: NapiStruct) {
    this.net = net;
    this.devList = [];
    this.devByName = new Map();
    this.devByIndex = [null];
    this.loopbackDev = null;
    this.ptypeBase = [];
    for (let i = 0; i < PTYPE_HASH_SIZE; i++) this.ptypeBase.push([]);
    this.ptypeAll = [];
    this.ptypeDevCount = 0;
    this.offloads = [];
    this.notifiers = [];
    this.qdiscOps = [];
    this.softnet = new SoftnetData(backlog);
    this.netstampNeeded = 0;
    this.sysctlNetdevBudget = 300;
    this.sysctlDevWeight = 64;
    this.sysctlNetdevMaxBacklog = 1000;
    this.sysctlDevTxWeight = 64;
    this.sysctlDefaultQdisc = 'pfifo_fast';
  }
}
