// What a wire is to the driver: something that takes octets and gives octets, in chunks cut anywhere.
//
// Down the driver calls wire.ops; up a wire calls streamArrived(), streamWritable() and streamEnded() of the driver through
// wire.events, each in an interrupt() of the device's host. duplex-wire.ts and web-wire.ts are the two kinds there are.

import { NET_UP, interrupt } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { StreamRx, rxPush } from './stream-rx.ts';

/** As much of a Node Duplex as the driver uses: a net.Socket is one, a TLS socket, a pair of pipes, a duplexify. */
export interface DuplexLike {
  on(event: string, listener: (...args: never[]) => void): unknown;
  removeListener(event: string, listener: (...args: never[]) => void): unknown;
  /** Returns false when it has enough: `drain` says when there is room again. */
  write(chunk: Uint8Array): boolean;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
}

/** A pair of web streams. */
export interface WebStreamPair {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** What a kind of wire does for the driver. */
export interface WireOps {
  /** Sends `bytes`, the wire's from now on. Returns whether there is room for more; if not, events.writable() says when. */
  readonly write: (wire: StreamWire, bytes: Uint8Array) => boolean;
  /** Delivers nothing, or little more, until resume(). */
  readonly pause: (wire: StreamWire) => void;
  readonly resume: (wire: StreamWire) => void;
  /** Lets go of it: its other end sees it close. No event comes afterwards. */
  readonly close: (wire: StreamWire) => void;
}

/** What a wire tells the driver. */
export interface WireEvents {
  /** Octets were put into wire.rx. */
  readonly arrived: (wire: StreamWire) => void;
  /** There is room again. */
  readonly writable: (wire: StreamWire) => void;
  /** Nothing comes any more; wire.error says why, null at an orderly end. */
  readonly ended: (wire: StreamWire) => void;
}

/** One stream in use by a device. */
export class StreamWire {
  dev: NetDevice;
  ops: WireOps;
  events: WireEvents;
  rx: StreamRx;
  /** The device has let go of it. */
  closed: boolean;
  /** pause() was called. */
  paused: boolean;
  /** The other end has ended it; what it sent before is still received. */
  ended: boolean;
  error: Error | null;
  /** Settles the promise of streamClosed(). */
  settle: (why: Error | null) => void;

  constructor(dev: NetDevice, ops: WireOps, events: WireEvents, framed: boolean) {
    this.dev = dev;
    this.ops = ops;
    this.events = events;
    this.rx = new StreamRx(framed);
    this.closed = false;
    this.paused = false;
    this.ended = false;
    this.error = null;
    this.settle = () => undefined;
  }
}

/** Octets have come: queues them and interrupts. A host that is no more, or has panicked, lets go of its wires here. */
export function wireArrived(wire: StreamWire, chunk: Uint8Array): void {
  if (wire.closed) return;
  const { net } = wire.dev;
  if (net.state !== NET_UP) {
    wire.closed = true;
    wire.ops.close(wire);
    return;
  }
  rxPush(wire.rx, chunk);
  interrupt(net, wire.events.arrived, wire);
}

/** Nothing comes any more: tells the driver, once. `error` null is an orderly end. */
export function wireEnded(wire: StreamWire, error: Error | null): void {
  if (wire.closed || wire.ended) return;
  wire.ended = true;
  wire.error = error;
  interrupt(wire.dev.net, wire.events.ended, wire);
}

/** The Error of whatever a stream failed with. */
export function wireError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
