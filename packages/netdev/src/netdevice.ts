// The structs of a network device and the tables through which its layers call each other.
//
// Drivers fill NetDeviceOps (and HeaderOps, or take Ethernet's by etherSetup()); protocols register PacketType;
// qdiscs fill QdiscOps. Structs only: behaviour is in dev.ts, dev-xmit.ts, dev-receive.ts, sch-generic.ts.

import type { Net } from '@stack/kernel';
import { SkBuffHead, type SkBuff } from '@stack/skbuff';
import { IF_OPER_UNKNOWN } from './if.ts';
import type { VlanInfo } from './if-vlan.ts';
import { NetDeviceStats } from './netdev-stats.ts';

/** Fields of NetDevice whose types live in higher layers; owners merge theirs in by module augmentation. */
export interface DevLinks {}
/** The type of link field K of NetDevice: the owner's type or null; `unknown` while the owner is absent. */
export type DevLink<K extends string> = K extends keyof DevLinks ? DevLinks[K] | null : unknown;

// What ndoStartXmit() answers.
/** The driver has the sk_buff (it may have dropped and counted it). */
export const NETDEV_TX_OK = 0x00;
/** The driver had no room: the caller keeps the sk_buff, and tries again when the queue is woken. */
export const NETDEV_TX_BUSY = 0x10;

// What an rxHandler answers.
export const RX_HANDLER_CONSUMED = 0;
export const RX_HANDLER_ANOTHER = 1;
export const RX_HANDLER_EXACT = 2;
export const RX_HANDLER_PASS = 3;

// Bits of NetDevice.state.
export const LINK_STATE_START = 1 << 0;
export const LINK_STATE_PRESENT = 1 << 1;
export const LINK_STATE_NOCARRIER = 1 << 2;
export const LINK_STATE_LINKWATCH_PENDING = 1 << 3;
export const LINK_STATE_DORMANT = 1 << 4;
/** The driver's transmit ring is full (the kernel's __QUEUE_STATE_DRV_XOFF; there is one queue per device). */
export const LINK_STATE_XOFF = 1 << 5;

// NetDevice.regState.
export const NETREG_UNINITIALIZED = 0;
export const NETREG_REGISTERED = 1;
export const NETREG_UNREGISTERED = 2;

/** What a driver provides. Every function takes the device; those that may be absent are null. */
export interface NetDeviceOps {
  /** Called when the device is registered. Returns 0 or -errno. */
  readonly ndoInit: ((dev: NetDevice) => number) | null;
  /** Called when the device is unregistered, after ndoStop. Gives back what ndoInit took. */
  readonly ndoUninit: ((dev: NetDevice) => void) | null;
  /** The device goes up. Returns 0 or -errno; on an error it has taken nothing. */
  readonly ndoOpen: ((dev: NetDevice) => number) | null;
  /** The device goes down: stops receiving, frees every sk_buff and page it holds. Returns 0. */
  readonly ndoStop: ((dev: NetDevice) => number) | null;
  /**
   * Sends one frame, `data` at its link-layer header. On NETDEV_TX_OK the driver owns the sk_buff, whatever became of
   * it; on NETDEV_TX_BUSY the caller still does, and the driver has stopped its queue and will wake it.
   */
  readonly ndoStartXmit: (skb: SkBuff, dev: NetDevice) => number;
  /** IFF_PROMISC, IFF_ALLMULTI or the address lists have changed. */
  readonly ndoSetRxMode: ((dev: NetDevice) => void) | null;
  /** Returns 0 or -errno; dev.mtu is set by the caller afterwards. Null: any MTU within the bounds is fine. */
  readonly ndoChangeMtu: ((dev: NetDevice, mtu: number) => number) | null;
  /** Takes `addr` (addrLen octets) into use and stores it by devAddrSet(). Null: the address cannot be changed. */
  readonly ndoSetMacAddress: ((dev: NetDevice, addr: Uint8Array) => number) | null;
  /** Returns `features` less those that this device cannot have together. */
  readonly ndoFixFeatures: ((dev: NetDevice, features: number) => number) | null;
  /** Takes `features` into use. Returns 0 or -errno. */
  readonly ndoSetFeatures: ((dev: NetDevice, features: number) => number) | null;
  /** Returns `features` less those that the device cannot apply to this sk_buff. */
  readonly ndoFeaturesCheck: ((skb: SkBuff, dev: NetDevice, features: number) => number) | null;
}

/** A link-layer header made once and copied in front of each packet (the kernel's hh_cache). */
export interface HardwareHeader {
  /** Octets of the header; 0 while there is none. */
  hhLen: number;
  /** The header, from index 0. At least HH_DATA_MAX octets. */
  readonly hhData: Uint8Array;
}
/** Room that a HardwareHeader's hhData must have. */
export const HH_DATA_MAX = 32;

/** How a kind of link makes and reads its header (the chapter's `hard_header` is `create`). */
export interface HeaderOps {
  /**
   * Pushes the header. `saddr` null means the device's own address, `daddr` null that it is not known yet.
   * Returns the octets pushed, negative if the header is there but incomplete (daddr unknown).
   */
  readonly create: (skb: SkBuff, dev: NetDevice, type: number, daddr: Uint8Array | null, saddr: Uint8Array | null, len: number) => number;
  /** Copies the sender's address of a received packet to `haddr`. Returns its octets. */
  readonly parse: ((skb: SkBuff, haddr: Uint8Array) => number) | null;
  /** Fills `hh` for destination `daddr` and protocol `type`. Returns 0, or -1 if it cannot be cached. Null: no cache. */
  readonly cache: ((hh: HardwareHeader, dev: NetDevice, type: number, daddr: Uint8Array) => number) | null;
  /** The destination's address has become `haddr`. Null with `cache`. */
  readonly cacheUpdate: ((hh: HardwareHeader, dev: NetDevice, haddr: Uint8Array) => void) | null;
}

/** A protocol's entry in ptypeBase (`type` its ETH_P_) or, with ETH_P_ALL, a tap in ptypeAll. */
export interface PacketType {
  readonly type: number;
  /** Only packets of this device, or null for all. */
  readonly dev: NetDevice | null;
  /** Takes the sk_buff over, `data` at the network header. Returns NET_RX_SUCCESS or NET_RX_DROP (a tap's is ignored). */
  readonly func: (skb: SkBuff, dev: NetDevice, pt: PacketType, origDev: NetDevice) => number;
  /** The packet socket (or whoever registered): what it sends is not shown to its own tap. */
  readonly afPacketPriv: unknown;
}

/** A protocol's part in segmentation offload, keyed by its ETH_P_. */
export interface PacketOffload {
  readonly type: number;
  /**
   * Cuts a packet of many segments, `data` at the network header, into a list linked by `next`, each with its link-layer
   * header back in front. The caller still owns `skb`. Returns the list, null if there is nothing to cut, or -errno.
   */
  readonly gsoSegment: (skb: SkBuff, features: number) => SkBuff | number | null;
  /**
   * Tries to append `skb`, linear, data at the network header, to one of `held` (skbGroReceive). Unless that was done, or
   * groCbSetFlush() was called, it will be held itself. Returns the one of `held` that must go up now, or null. Frees
   * nothing. Null: this protocol is not merged.
   */
  readonly groReceive: ((held: SkBuffHead, skb: SkBuff) => SkBuff | null) | null;
  /**
   * Makes the headers of a packet that others were appended to those of one packet of many segments, data at the network
   * header. Returns 0 or -errno. Null where groReceive is.
   */
  readonly groComplete: ((skb: SkBuff) => number) | null;
}

/** Hears what happens to devices: NETDEV_UP, NETDEV_DOWN, … */
export interface NotifierBlock {
  /** Returns 0 or -errno; -errno on NETDEV_PRE_UP, NETDEV_PRECHANGEMTU or NETDEV_REGISTER refuses it. */
  readonly notifierCall: (event: number, dev: NetDevice) => number;
}

/** A queueing discipline: what stands between dev_queue_xmit and the driver. */
export interface QdiscOps {
  readonly id: string;
  /** Sets up `q.priv`. Returns 0 or -errno. */
  readonly init: ((q: Qdisc) => number) | null;
  /** Takes the sk_buff over: queued (NET_XMIT_SUCCESS), or freed and counted (NET_XMIT_DROP, NET_XMIT_CN). Null: noqueue. */
  readonly enqueue: ((skb: SkBuff, q: Qdisc) => number) | null;
  /** The next sk_buff to send, now the caller's, or null. */
  readonly dequeue: (q: Qdisc) => SkBuff | null;
  /** The next sk_buff, still the qdisc's. */
  readonly peek: (q: Qdisc) => SkBuff | null;
  /** Frees everything queued. */
  readonly reset: ((q: Qdisc) => void) | null;
  readonly destroy: ((q: Qdisc) => void) | null;
}

// Bits of Qdisc.state.
export const QDISC_STATE_SCHED = 1 << 0;
export const QDISC_STATE_DEACTIVATED = 1 << 1;
export const QDISC_STATE_RUNNING = 1 << 2;
/** Qdisc.flags: an sk_buff that finds the queue empty and idle may go straight to the driver. */
export const TCQ_F_CAN_BYPASS = 1 << 2;

/** One queueing discipline on one device. */
export class Qdisc {
  ops: QdiscOps;
  dev: NetDevice;
  flags: number;
  state: number;
  /** sk_buffs queued, the requeued ones among them. */
  qlen: number;
  /** Most sk_buffs that may be queued (per band where there are bands). */
  limit: number;
  /** sk_buffs that the driver gave back: they go first. Linked by `next`. */
  gsoSkb: SkBuff | null;
  /** What the discipline keeps; only its own ops read it. */
  priv: unknown;
  /** Next on softnet's list of qdiscs to be run. */
  nextSched: Qdisc | null;
  bytes: number;
  packets: number;
  backlog: number;
  drops: number;
  requeues: number;
  overlimits: number;

  constructor(ops: QdiscOps, dev: NetDevice) {
    this.ops = ops;
    this.dev = dev;
    this.flags = 0;
    this.state = 0;
    this.qlen = 0;
    this.limit = 0;
    this.gsoSkb = null;
    this.priv = null;
    this.nextSched = null;
    this.bytes = 0;
    this.packets = 0;
    this.backlog = 0;
    this.drops = 0;
    this.requeues = 0;
    this.overlimits = 0;
  }
}

// Bits of NapiStruct.state.
/** On the poll list, or being polled. */
export const NAPI_STATE_SCHED = 1 << 0;
/** Scheduled again while being polled. */
export const NAPI_STATE_MISSED = 1 << 1;
/** napiDisable() was called. */
export const NAPI_STATE_DISABLE = 1 << 2;

/** A source of received packets that is polled, not one interrupt per packet (the chapter's `dev->poll`). */
export class NapiStruct {
  dev: NetDevice;
  /** Handles at most `budget` packets and returns how many; with fewer than `budget` it has called napiCompleteDone(). */
  poll: (napi: NapiStruct, budget: number) => number;
  weight: number;
  state: number;
  /** Next on softnet's poll list. */
  next: NapiStruct | null;
  /** Packets held for merging, oldest first. */
  groList: SkBuffHead;
  /** Number of polls, packets (for figures only). */
  polls: number;
  packets: number;

  constructor(dev: NetDevice, poll: (napi: NapiStruct, budget: number) => number, weight: number) {
    this.dev = dev;
    this.poll = poll;
    this.weight = weight;
    this.state = NAPI_STATE_DISABLE;
    this.next = null;
    this.groList = new SkBuffHead();
    this.polls = 0;
    this.packets = 0;
  }
}

/** An address that a device listens to besides its own (multicast), counted by its users. */
export class NetdevHwAddr {
  addr: Uint8Array;
  refcount: number;
  next: NetdevHwAddr | null;

  constructor(addr: Uint8Array, next: NetdevHwAddr | null) {
    this.addr = addr;
    this.refcount = 1;
    this.next = next;
  }
}

/** A network device. Made by allocNetdev(), known to its Net from registerNetdevice() on. */
export class NetDevice {
  net: Net;
  name: string;
  ifindex: number;
  /** IFF_* as set by the device's kind and its user; devGetFlags() adds IFF_RUNNING and IFF_LOWER_UP. */
  flags: number;
  /** LINK_STATE_* */
  state: number;
  regState: number;
  mtu: number;
  minMtu: number;
  maxMtu: number;
  /** ARPHRD_* */
  type: number;
  /** Octets of the link-layer header. */
  hardHeaderLen: number;
  /** Octets of headroom that the driver wants besides. */
  neededHeadroom: number;
  neededTailroom: number;
  addrLen: number;
  /** The address, addrLen octets; change it by devSetMacAddress() (drivers: devAddrSet()). */
  devAddr: Uint8Array;
  /** The first four octets of devAddr as an int32, and the next two: what eth_type_trans compares. */
  devAddrHi: number;
  devAddrLo: number;
  broadcast: Uint8Array;
  /** NETIF_F_* in force. */
  features: number;
  hwFeatures: number;
  wantedFeatures: number;
  /** Those of `features` that hold for frames with a VLAN tag, too. */
  vlanFeatures: number;
  /** Most octets of one sk_buff with gsoSize, headers counted in. */
  gsoMaxSize: number;
  gsoMaxSegs: number;
  netdevOps: NetDeviceOps;
  headerOps: HeaderOps | null;
  /** IPv4's part (in_device). */
  ipPtr: DevLink<'ipPtr'>;
  ip6Ptr: DevLink<'ip6Ptr'>;
  /** Takes received packets before the protocols do (bridge, macvlan). Returns RX_HANDLER_*. */
  rxHandler: ((skb: SkBuff) => number) | null;
  rxHandlerData: unknown;
  /** The VLAN devices on this one; null while there are none. */
  vlanInfo: VlanInfo | null;
  qdisc: Qdisc;
  /** What is in force while the device is down: drops everything. */
  noopQdisc: Qdisc;
  /** The qdisc to go live when the device is activated. */
  qdiscSleeping: Qdisc;
  txQueueLen: number;
  /** How many users want every frame (devSetPromiscuity). */
  promiscuity: number;
  allmulti: number;
  /** Multicast addresses listened to. */
  mc: NetdevHwAddr | null;
  /** IF_OPER_* */
  operstate: number;
  carrierChanges: number;
  group: number;
  master: NetDevice | null;
  /** Frames to come in the same batch: the driver need not kick yet (the kernel's netdev_xmit_more()). */
  xmitMore: boolean;
  /** Taps and protocols of this device alone. */
  ptypeAll: PacketType[];
  stats: NetDeviceStats;
  /** The driver's. */
  priv: unknown;

  constructor(net: Net, name: string, ops: NetDeviceOps, noop: QdiscOps) {
    this.net = net;
    this.name = name;
    this.ifindex = 0;
    this.flags = 0;
    this.state = LINK_STATE_PRESENT;
    this.regState = NETREG_UNINITIALIZED;
    this.mtu = 0;
    this.minMtu = 0;
    this.maxMtu = 0;
    this.type = 0;
    this.hardHeaderLen = 0;
    this.neededHeadroom = 0;
    this.neededTailroom = 0;
    this.addrLen = 0;
    this.devAddr = new Uint8Array(0);
    this.devAddrHi = 0;
    this.devAddrLo = 0;
    this.broadcast = new Uint8Array(0);
    this.features = 0;
    this.hwFeatures = 0;
    this.wantedFeatures = 0;
    this.vlanFeatures = 0;
    this.gsoMaxSize = 65536;
    this.gsoMaxSegs = 65535;
    this.netdevOps = ops;
    this.headerOps = null;
    this.ipPtr = null;
    this.ip6Ptr = null;
    this.rxHandler = null;
    this.rxHandlerData = null;
    this.vlanInfo = null;
    this.qdisc = new Qdisc(noop, this);
    this.noopQdisc = this.qdisc;
    this.qdiscSleeping = this.qdisc;
    this.txQueueLen = 1000;
    this.promiscuity = 0;
    this.allmulti = 0;
    this.mc = null;
    this.operstate = IF_OPER_UNKNOWN;
    this.carrierChanges = 0;
    this.group = 0;
    this.master = null;
    this.xmitMore = false;
    this.ptypeAll = [];
    this.stats = new NetDeviceStats();
    this.priv = null;
  }
}
