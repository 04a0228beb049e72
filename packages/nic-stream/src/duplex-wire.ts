// A Node Duplex as a wire, known by its shape alone: this file runs wherever the rest does.
//
// `data` -> wireArrived -> events.arrived; write() that returns false -> `drain` -> events.writable; `end`, `close` or `error`
// -> wireEnded -> events.ended, once.

import { interrupt } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { StreamWire, wireArrived, wireEnded, wireError, type DuplexLike, type WireEvents, type WireOps } from './stream-wire.ts';

class DuplexWire extends StreamWire {
  duplex: DuplexLike;
  onData: (chunk: Uint8Array) => void;
  onDrain: () => void;
  onEnd: () => void;
  onError: (reason: unknown) => void;

  constructor(dev: NetDevice, duplex: DuplexLike, events: WireEvents, framed: boolean) {
    super(dev, duplexOps, events, framed);
    this.duplex = duplex;
    this.onData = (chunk) => wireArrived(this, chunk);
    this.onDrain = () => interrupt(dev.net, events.writable, this);
    this.onEnd = () => wireEnded(this, null);
    this.onError = (reason) => wireEnded(this, wireError(reason));
  }
}

const duplexOps: WireOps = { write: duplexWrite, pause: duplexPause, resume: duplexResume, close: duplexClose };

/** Listens to `duplex`, which flows from now on. */
export function duplexWire(dev: NetDevice, duplex: DuplexLike, events: WireEvents, framed: boolean): StreamWire {
  const wire = new DuplexWire(dev, duplex, events, framed);
  duplex.on('error', wire.onError); // stays: who is destroyed may still fail, and nobody else listens
  duplex.on('drain', wire.onDrain);
  duplex.on('end', wire.onEnd);
  duplex.on('close', wire.onEnd);
  duplex.on('data', wire.onData);
  return wire;
}

function duplexWrite(wire: StreamWire, bytes: Uint8Array): boolean {
  return (wire as DuplexWire).duplex.write(bytes);
}

function duplexPause(wire: StreamWire): void {
  (wire as DuplexWire).duplex.pause();
}

function duplexResume(wire: StreamWire): void {
  (wire as DuplexWire).duplex.resume();
}

function duplexClose(wire: StreamWire): void {
  const { duplex, onData, onDrain, onEnd } = wire as DuplexWire;
  duplex.removeListener('data', onData);
  duplex.removeListener('drain', onDrain);
  duplex.removeListener('end', onEnd);
  duplex.removeListener('close', onEnd);
  duplex.destroy();
}
