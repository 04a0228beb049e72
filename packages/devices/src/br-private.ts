// The structs of a bridge: the bridge itself, its ports, what it has learned (net/bridge/br_private.h).
//
// Behaviour: br-if.ts (ports), br-fdb.ts (addresses), br-input.ts (from a port), br-forward.ts (to ports), br-device.ts
// (the bridge as a device of its host). Read first: IEEE 802.1Q-2022 §8.6 to §8.8.

import type { TimerList } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';

// NetBridgePort.state. There is no spanning tree: a port forwards whenever it has carrier and the bridge is up.
export const BR_STATE_DISABLED = 0;
export const BR_STATE_FORWARDING = 3;

// Bits of NetBridgePort.flags, as `bridge link set` switches them.
/** A frame may leave by the port that it came in by. */
export const BR_HAIRPIN_MODE = 1 << 0;
/** Neither frames from one isolated port to another. */
export const BR_ISOLATED = 1 << 1;
export const BR_LEARNING = 1 << 2;
/** Frames for stations that the bridge does not know leave by this port, too. */
export const BR_FLOOD = 1 << 3;
export const BR_MCAST_FLOOD = 1 << 4;
export const BR_BCAST_FLOOD = 1 << 5;

/** Buckets of a bridge's table of addresses (a power of two). */
export const BR_HASH_SIZE = 256;

/** An address that the bridge has learned, or that is its own. */
export class BrFdbEntry {
  /** Next in the bucket. */
  next: BrFdbEntry | null;
  /** First four octets of the address, and the last two. */
  hi: number;
  lo: number;
  /** The port behind which the station is; null for the bridge itself. */
  dst: NetBridgePort | null;
  /** The address of a port or of the bridge: frames for it are for this host. Never ages. */
  isLocal: boolean;
  /** Jiffies when a frame last came from there. */
  updated: number;
  /** Jiffies when a frame last went there. */
  used: number;

  constructor(hi: number, lo: number, dst: NetBridgePort | null, isLocal: boolean, now: number) {
    this.next = null;
    this.hi = hi;
    this.lo = lo;
    this.dst = dst;
    this.isLocal = isLocal;
    this.updated = now;
    this.used = now;
  }
}

/** A device that is a port of a bridge; what its rxHandlerData refers to. */
export class NetBridgePort {
  br: NetBridge;
  dev: NetDevice;
  portNo: number;
  state: number;
  flags: number;

  constructor(br: NetBridge, dev: NetDevice, portNo: number) {
    this.br = br;
    this.dev = dev;
    this.portNo = portNo;
    this.state = BR_STATE_DISABLED;
    this.flags = BR_LEARNING | BR_FLOOD | BR_MCAST_FLOOD | BR_BCAST_FLOOD;
  }
}

/** A bridge: the `priv` of its device. */
export class NetBridge {
  dev: NetDevice;
  portList: NetBridgePort[];
  /** BR_HASH_SIZE buckets. */
  fdbHash: (BrFdbEntry | null)[];
  /** Keeps a stranger from filling one bucket. */
  fdbSalt: number;
  /** Entries learned now, and the most there may be (IFLA_BR_FDB_MAX_LEARNED). */
  fdbLearned: number;
  fdbMaxLearned: number;
  /** Jiffies after which an entry that no frame came from is forgotten. */
  ageingTime: number;
  gcTimer: TimerList;
  /** The user has set the address: it does not follow the ports'. */
  addrSetByUser: boolean;
  mtuSetByUser: boolean;

  constructor(dev: NetDevice, fdbSalt: number, ageingTime: number, fdbMaxLearned: number, gcTimer: TimerList) {
    this.dev = dev;
    this.portList = [];
    this.fdbHash = [];
    for (let i = 0; i < BR_HASH_SIZE; i++) this.fdbHash.push(null);
    this.fdbSalt = fdbSalt;
    this.fdbLearned = 0;
    this.fdbMaxLearned = fdbMaxLearned;
    this.ageingTime = ageingTime;
    this.gcTimer = gcTimer;
    this.addrSetByUser = false;
    this.mtuSetByUser = false;
  }
}

/** The bridge that a device is. Only for devices of brAddBridge(). */
export function netdevPriv(dev: NetDevice): NetBridge {
  return dev.priv as NetBridge;
}

/** The port that a device is. Only for devices whose rxHandler is the bridge's. */
export function brPortGet(dev: NetDevice): NetBridgePort {
  return dev.rxHandlerData as NetBridgePort;
}
