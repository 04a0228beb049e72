// A device of bare IP packets whose wire is the user (drivers/net/tun.c): what a tunnel (WireGuard in a page, a VPN's socket)
// takes and gives. No link-layer header, no ARP, point to point.
//
// Down: devQueueXmit -> tunNetXmit: queued, whoever waits is woken; tunRead() takes it out. Up: tunWrite() -> netifRx.
// tunReadable() waits, tunListen() calls back; @stack/host has the same as web streams. No user code runs within the stack.
// A queue that nobody reads stops the device: senders wait as behind a slow card.

import {
  EINVAL, EIO, EMSGSIZE, ENOMEM, EPOLLHUP, EPOLLIN, WaitQueueEntry, WaitQueueHead, addWaitQueue, errnoException, removeWaitQueue,
  wakeUpAll, worldCrossing, worldEnter, worldLeave, type Net,
} from '@stack/kernel';
import {
  ARPHRD_NONE, ETH_DATA_LEN, ETH_MAX_MTU, ETH_MIN_MTU, ETH_P_IP, ETH_P_IPV6, IFF_MULTICAST, IFF_NOARP, IFF_POINTOPOINT,
  NETDEV_TX_BUSY, NETDEV_TX_OK, NETREG_UNREGISTERED, PACKET_HOST, allocNetdev, netdevAllocSkb, netifRunning, netifRx,
  netifStartQueue, netifStopQueue, netifWakeQueue, registerNetdevice, type NetDevice, type NetDeviceOps,
} from '@stack/netdev';
import {
  SkBuffHead, consumeSkb, skbCopyBits, skbDequeue, skbOrphan, skbPut, skbQueuePurge, skbQueueTail, skbResetMacHeader,
  type SkBuff,
} from '@stack/skbuff';

/** Packets that wait for the user (the kernel's TUN_READQ_SIZE). */
const TUN_READQ_SIZE = 500;

/** What createTun() may be told. */
export interface TunOptions {
  /** Default `tun%d`. */
  readonly name?: string;
  /** Default 1500. */
  readonly mtu?: number;
}

class TunPriv {
  readq: SkBuffHead;
  /** Who waits for a packet. */
  wait: WaitQueueHead;

  constructor() {
    this.readq = new SkBuffHead();
    this.wait = new WaitQueueHead();
  }
}

const tunNetdevOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: tunNetUninit,
  ndoOpen: tunNetOpen,
  ndoStop: tunNetClose,
  ndoStartXmit: tunNetXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: null,
  ndoSetMacAddress: null,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

function tunPriv(dev: NetDevice): TunPriv {
  return dev.priv as TunPriv;
}

function tunSetup(dev: NetDevice): void {
  dev.type = ARPHRD_NONE;
  dev.flags = IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
  dev.mtu = ETH_DATA_LEN;
  dev.minMtu = ETH_MIN_MTU;
  dev.maxMtu = ETH_MAX_MTU;
  dev.txQueueLen = TUN_READQ_SIZE;
}

/** A new device, registered, down. Throws an Error with Node's fields (EEXIST, EINVAL) if it cannot be. */
export function createTun(net: Net, options: TunOptions = {}): NetDevice {
  const { name = 'tun%d', mtu = ETH_DATA_LEN } = options;
  const dev = allocNetdev(net, name, tunNetdevOps, tunSetup, new TunPriv());
  if (!Number.isInteger(mtu) || mtu < dev.minMtu || mtu > dev.maxMtu) throw errnoException(EINVAL, 'tun_set_iff');
  dev.mtu = mtu;
  const rc = registerNetdevice(dev);
  if (rc < 0) throw errnoException(-rc, 'tun_set_iff');
  return dev;
}

function tunNetOpen(dev: NetDevice): number {
  netifStartQueue(dev);
  return 0;
}

function tunNetClose(dev: NetDevice): number {
  skbQueuePurge(tunPriv(dev).readq);
  return 0;
}

function tunNetUninit(dev: NetDevice): void {
  wakeUpAll(tunPriv(dev).wait, EPOLLHUP);
}

/** ndo_start_xmit: queued for the user; a full queue stops the device. */
function tunNetXmit(skb: SkBuff, dev: NetDevice): number {
  const { readq, wait } = tunPriv(dev);
  if (readq.qlen >= TUN_READQ_SIZE) {
    netifStopQueue(dev);
    return NETDEV_TX_BUSY;
  }
  // It may lie here for long: its sender shall not wait for that (Linux does the same).
  skbOrphan(skb);
  dev.stats.txPackets++;
  dev.stats.txBytes += skb.len;
  skbQueueTail(readq, skb);
  wakeUpAll(wait, EPOLLIN);
  return NETDEV_TX_OK;
}

/** The next packet that the host has sent by `dev`, a copy that is the caller's, or null if there is none now (tun_do_read). */
export function tunRead(dev: NetDevice): Uint8Array | null {
  const { world } = dev.net;
  const { readq } = tunPriv(dev);
  worldEnter(world);
  const skb = skbDequeue(readq);
  let packet: Uint8Array | null = null;
  if (skb !== null) {
    packet = new Uint8Array(skb.len);
    skbCopyBits(skb, 0, packet, 0, skb.len);
    consumeSkb(skb);
    netifWakeQueue(dev);
  }
  worldLeave(world);
  return packet;
}

/**
 * The host receives `packet` (IPv4 or IPv6, copied) by `dev` (tun_get_user). Returns 0, -EIO (the device is down), -EINVAL (no IP
 * packet), -EMSGSIZE (above 65,535 octets) or -ENOMEM; what is refused is counted in rxErrors or rxDropped.
 */
export function tunWrite(dev: NetDevice, packet: Uint8Array): number {
  if (!netifRunning(dev)) return -EIO;
  const version = packet.length === 0 ? 0 : packet[0]! >> 4;
  if (version !== 4 && version !== 6) return tunRefuse(dev, EINVAL);
  if (packet.length > ETH_MAX_MTU) return tunRefuse(dev, EMSGSIZE);
  const skb = netdevAllocSkb(dev, packet.length);
  if (skb === null) {
    dev.stats.rxDropped++;
    return -ENOMEM;
  }
  skb.buf.set(packet, skbPut(skb, packet.length));
  skbResetMacHeader(skb);
  skb.protocol = version === 6 ? ETH_P_IPV6 : ETH_P_IP;
  skb.pktType = PACKET_HOST;
  dev.stats.rxPackets++;
  dev.stats.rxBytes += packet.length;
  const { world } = dev.net;
  worldEnter(world);
  netifRx(skb);
  worldLeave(world);
  return 0;
}

function tunRefuse(dev: NetDevice, errno: number): number {
  dev.stats.rxErrors++;
  dev.stats.rxFrameErrors++;
  return -errno;
}

/** Resolves with true when tunRead() has something, with false when the device is gone or `entry` was given up by tunGiveUp(). */
export function tunReadable(dev: NetDevice, entry: WaitQueueEntry = tunWaiter(dev)): Promise<boolean> {
  if (dev.regState === NETREG_UNREGISTERED) return Promise.resolve(false);
  const { readq, wait } = tunPriv(dev);
  if (readq.qlen !== 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    entry.data = resolve;
    addWaitQueue(wait, entry);
  });
}

/** An entry for one tunReadable() at a time. */
export function tunWaiter(dev: NetDevice): WaitQueueEntry {
  return new WaitQueueEntry(dev.net.world, tunWake, null);
}

/** Ends a tunReadable() that still waits. */
export function tunGiveUp(entry: WaitQueueEntry): void {
  if (entry.head !== null) tunWake(entry, EPOLLHUP);
}

function tunWake(entry: WaitQueueEntry, key: number): number {
  removeWaitQueue(entry);
  worldCrossing(entry.world);
  (entry.data as (there: boolean) => void)((key & EPOLLHUP) === 0);
  return 1;
}

/**
 * Calls `packet(octets)` for each packet that the host sends by `dev`, in a turn of its own, until the device is gone or the
 * returned function is called. What `packet` throws rejects `done`, and ends it.
 */
export function tunListen(dev: NetDevice, packet: (octets: Uint8Array) => void): { readonly stop: () => void; readonly done: Promise<void> } {
  const entry = tunWaiter(dev);
  let stopped = false;
  const listen = async (): Promise<void> => {
    while (!stopped && await tunReadable(dev, entry)) {
      for (let next = stopped ? null : tunRead(dev); next !== null; next = stopped ? null : tunRead(dev)) packet(next);
    }
  };
  const stop = (): void => {
    stopped = true;
    tunGiveUp(entry);
  };
  return { stop, done: listen() };
}
