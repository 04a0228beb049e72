// What the tests of this package share: two ends of a pipe that behave as a Node Duplex does, without Node; hosts on them.

import { createNet, createWorld, type Net } from '@stack/kernel';
import { installNetdev } from '@stack/netdev';
import { installSkbuff } from '@stack/skbuff';
import type { DuplexLike } from './stream-wire.ts';

type Listener = (...args: never[]) => void;

/** One end of a pipe. What is written arrives at once, unless the other end pauses: then it waits there. */
export class PipeEnd implements DuplexLike {
  peer: PipeEnd | null = null;
  listeners = new Map<string, Listener[]>();
  /** What this end has written. */
  written: Uint8Array[] = [];
  waiting: Uint8Array[] = [];
  paused = false;
  destroyed = false;
  /** write() says that it is full after so many octets that wait. */
  highWaterMark = Infinity;

  on(event: string, listener: Listener): void {
    this.listeners.set(event, [...this.listeners.get(event) ?? [], listener]);
  }

  removeListener(event: string, listener: Listener): void {
    this.listeners.set(event, (this.listeners.get(event) ?? []).filter((one) => one !== listener));
  }

  emit(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) listener(...args as never[]);
  }

  write(chunk: Uint8Array): boolean {
    this.written.push(chunk);
    if (this.peer === null) return true;
    this.peer.waiting.push(chunk);
    this.peer.flow();
    return this.peer.waiting.reduce((sum, one) => sum + one.length, 0) < this.highWaterMark;
  }

  /** Hands on what waits. */
  flow(): void {
    while (!this.paused && this.waiting.length > 0) this.emit('data', this.waiting.shift());
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.flow();
    this.peer?.emit('drain');
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
    this.peer?.emit('end');
  }
}

/** The two ends of a pipe. */
export function makePipe(): [PipeEnd, PipeEnd] {
  const ends: [PipeEnd, PipeEnd] = [new PipeEnd(), new PipeEnd()];
  [ends[0].peer, ends[1].peer] = [ends[1], ends[0]];
  return ends;
}

/** Hosts of one World, with devices and nothing above. */
export function makeNets(count: number): Net[] {
  const world = createWorld({ seed: 1, debug: true });
  installSkbuff(world);
  return Array.from({ length: count }, (_, i) => {
    const net = createNet(world, { name: `host${i}` });
    installNetdev(net);
    return net;
  });
}

/** An Ethernet frame of `length` octets to everybody, every octet of its payload `fill`. */
export function makeFrame(length: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(fill);
  bytes.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6].slice(0, length));
  return bytes;
}

/** `frames` as the stream has them: each behind its length. */
export function framed(...frames: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + 4 + frame.length, 0));
  let at = 0;
  for (const frame of frames) {
    new DataView(bytes.buffer).setUint32(at, frame.length);
    bytes.set(frame, at + 4);
    at += 4 + frame.length;
  }
  return bytes;
}
