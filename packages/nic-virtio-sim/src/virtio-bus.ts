// The bus between the two halves of a virtio device: registers one way, an interrupt line the other.
//
// The driver calls virtioRead32() and virtioWrite32(), and sets onInterrupt; the device calls virtioInterrupt(). Neither
// sees more of the other than this and the memory of the queues.

import { interrupt, type Net } from '@stack/kernel';

/** What the device does when a register is accessed. */
export interface VirtioBusOps {
  /** A 32-bit register; 0 where there is none. */
  readonly read32: (bus: VirtioBus, offset: number) => number;
  readonly write32: (bus: VirtioBus, offset: number, value: number) => void;
  /** An octet of the configuration space, `offset` from its beginning. */
  readonly readConfig8: (bus: VirtioBus, offset: number) => number;
}

/** The slot that a device sits in. */
export class VirtioBus {
  /** The host that has the slot, and gets the interrupts. */
  net: Net;
  ops: VirtioBusOps;
  /** The device's; only its ops look at it. */
  device: unknown;
  /** Set by the driver: called in interrupt context. */
  onInterrupt: ((bus: VirtioBus) => void) | null;
  /** The driver's. */
  driver: unknown;

  constructor(net: Net, ops: VirtioBusOps, device: unknown) {
    this.net = net;
    this.ops = ops;
    this.device = device;
    this.onInterrupt = null;
    this.driver = null;
  }
}

export function virtioRead32(bus: VirtioBus, offset: number): number {
  return bus.ops.read32(bus, offset);
}

export function virtioWrite32(bus: VirtioBus, offset: number, value: number): void {
  bus.ops.write32(bus, offset, value);
}

/** Raises the interrupt line. */
export function virtioInterrupt(bus: VirtioBus): void {
  if (bus.onInterrupt !== null) interrupt(bus.net, bus.onInterrupt, bus);
}
