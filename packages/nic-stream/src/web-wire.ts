// A pair of web streams as a wire, and a MessagePort as a pair of web streams.
//
// webPump() reads chunk after chunk -> wireArrived -> events.arrived; a writable whose desiredSize is used up -> `ready` ->
// events.writable; the end of either stream, or an error -> wireEnded -> events.ended, once.

import { interrupt } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { StreamWire, wireArrived, wireEnded, wireError, type WebStreamPair, type WireEvents, type WireOps } from './stream-wire.ts';

class WebWire extends StreamWire {
  reader: ReadableStreamDefaultReader<Uint8Array>;
  writer: WritableStreamDefaultWriter<Uint8Array>;
  /** webPump() runs. */
  pumping: boolean;
  /** Somebody waits for `ready`. */
  waiting: boolean;

  constructor(dev: NetDevice, pair: WebStreamPair, events: WireEvents, framed: boolean) {
    super(dev, webOps, events, framed);
    this.reader = pair.readable.getReader();
    this.writer = pair.writable.getWriter();
    this.pumping = false;
    this.waiting = false;
  }
}

const webOps: WireOps = { write: webWrite, pause: () => undefined, resume: webResume, close: webClose };

/** Locks both streams and begins to read. Throws a TypeError if one is locked already. */
export function webWire(dev: NetDevice, pair: WebStreamPair, events: WireEvents, framed: boolean): StreamWire {
  const wire = new WebWire(dev, pair, events, framed);
  wire.writer.closed.catch((reason: unknown) => wireEnded(wire, wireError(reason)));
  void webPump(wire);
  return wire;
}

async function webPump(wire: WebWire): Promise<void> {
  if (wire.pumping) return;
  wire.pumping = true;
  try {
    while (!wire.paused && !wire.closed && !wire.ended) {
      const { done, value } = await wire.reader.read();
      if (done) wireEnded(wire, null);
      else wireArrived(wire, value);
    }
  } catch (reason) {
    wireEnded(wire, wireError(reason));
  }
  wire.pumping = false;
}

function webWrite(wire: StreamWire, bytes: Uint8Array): boolean {
  const web = wire as WebWire;
  const { writer } = web;
  writer.write(bytes).catch(() => wire.dev.stats.txErrors++);
  if ((writer.desiredSize ?? 0) > 0) return true;
  if (!web.waiting) {
    web.waiting = true;
    writer.ready.then(() => webReady(web), () => undefined);
  }
  return false;
}

function webReady(wire: WebWire): void {
  wire.waiting = false;
  if (!wire.closed) interrupt(wire.dev.net, wire.events.writable, wire);
}

function webResume(wire: StreamWire): void {
  void webPump(wire as WebWire);
}

function webClose(wire: StreamWire): void {
  const { reader, writer } = wire as WebWire;
  reader.cancel().catch(() => undefined);
  writer.close().catch(() => undefined);
}

/** A MessagePort as a pair of web streams: each message is one chunk, its buffer transferred to the other side. */
export function messagePortWire(port: MessagePort): WebStreamPair {
  return {
    readable: new ReadableStream<Uint8Array>({
      start(controller) {
        port.onmessage = (event: MessageEvent<Uint8Array>) => controller.enqueue(event.data);
      },
      cancel: () => {
        port.onmessage = null;
        port.close();
      },
    }),
    writable: new WritableStream<Uint8Array>({
      write: (frame) => port.postMessage(frame, [frame.buffer as ArrayBuffer]),
      close: () => port.close(),
      abort: () => port.close(),
    }),
  };
}
