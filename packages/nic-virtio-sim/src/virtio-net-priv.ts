// What the virtio-net driver knows of one card.

import { timerSetup, type TimerList } from '@stack/kernel';
import { netifNapiAdd, type NapiStruct, type NetDevice } from '@stack/netdev';
import type { Page, SkBuff } from '@stack/skbuff';
import type { Virtqueue } from './virtio-ring.ts';
import type { VirtioBus } from './virtio-bus.ts';

/** The driver half of one card. */
export class VirtnetInfo {
  dev: NetDevice;
  bus: VirtioBus;
  /** VIRTIO_* negotiated. */
  features: number;
  /** Null while the interface is down. */
  rvq: Virtqueue<Page> | null;
  svq: Virtqueue<SkBuff> | null;
  napi: NapiStruct;
  txNapi: NapiStruct;
  /** Headers of packets that have no room for one: VIRTIO_NET_HDR_LEN octets per descriptor. */
  hdrPage: Page | null;
  /** Buffers of several pieces are put together (MRG_RXBUF). */
  mergeable: boolean;
  /** Octets of the next receive buffers' pages, and of those given to the device. */
  rxPageSize: number;
  rxPosted: number;
  /** Running average of the lengths received. */
  rxAverage: number;
  /** Tries again to give the device buffers, when there was no memory. */
  refill: TimerList;
  // For figures: interrupts, polls that found the receive buffers used up.
  interrupts: number;

  constructor(
    dev: NetDevice, bus: VirtioBus, poll: (napi: NapiStruct, budget: number) => number,
    pollTx: (napi: NapiStruct, budget: number) => number, refill: (timer: TimerList) => void,
  ) {
    this.dev = dev;
    this.bus = bus;
    this.features = 0;
    this.rvq = null;
    this.svq = null;
    this.napi = netifNapiAdd(dev, poll);
    this.txNapi = netifNapiAdd(dev, pollTx);
    this.hdrPage = null;
    this.mergeable = false;
    this.rxPageSize = 0;
    this.rxPosted = 0;
    this.rxAverage = 0;
    this.refill = timerSetup(dev.net, refill, this);
    this.interrupts = 0;
  }
}

/** The driver's part of a device of its own. */
export function virtnetPriv(dev: NetDevice): VirtnetInfo {
  return dev.priv as VirtnetInfo;
}
