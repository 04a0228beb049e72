/**
 * Tracepoints: `if (net.trace !== null) net.trace.hit(net, 'ip_rcv', skb);` stands first in every function that the chapter's
 * figures name. One null test when off. `traceNet` installs a recorder that hands each hit, as plain data, to a sink.
 */
import type { Net } from './net.ts';

/** What a tracepoint may see of a packet: SkBuff has these fields. Offsets are into its buffer, -1 when not meaningful. */
export interface TracedPacket {
  readonly id: number;
  readonly head: number;
  readonly data: number;
  readonly tail: number;
  readonly end: number;
  readonly len: number;
  readonly macHeader: number;
  readonly networkHeader: number;
  readonly transportHeader: number;
}

export interface Tracer {
  /** Called at the entry of a traced function, kernel spelling; skb is null where no packet exists yet. Must not call back. */
  hit(net: Net, fn: string, skb: TracedPacket | null): void;
  /** The last records, oldest first, for the report of a panic. */
  recent?(): readonly TraceRecord[];
}

/** One hit. All offsets are relative to the packet's head; -1 where there is no packet, or the header is not known yet. */
export interface TraceRecord {
  /** World time in ns. */
  time: number;
  /** The Net's name. */
  host: string;
  function: string;
  /** The packet's id; -1 without a packet. */
  id: number;
  data: number;
  tail: number;
  end: number;
  len: number;
  mac: number;
  network: number;
  transport: number;
}

const RECENT = 32;

function makeRecord(net: Net, fn: string, skb: TracedPacket | null): TraceRecord {
  const record = { time: net.world.now, host: net.name, function: fn };
  if (skb === null) {
    return { ...record, id: -1, data: -1, tail: -1, end: -1, len: -1, mac: -1, network: -1, transport: -1 };
  }
  return {
    ...record,
    id: skb.id,
    data: skb.data - skb.head,
    tail: skb.tail - skb.head,
    end: skb.end - skb.head,
    len: skb.len,
    mac: skb.macHeader < 0 ? -1 : skb.macHeader - skb.head,
    network: skb.networkHeader < 0 ? -1 : skb.networkHeader - skb.head,
    transport: skb.transportHeader < 0 ? -1 : skb.transportHeader - skb.head,
  };
}

/**
 * Records every hit on `net` and gives it to `sink`. Replaces the tracer that was there; the function returned puts that one back.
 * A sink must not call into the stack.
 */
export function traceNet(net: Net, sink: (record: TraceRecord) => void): () => void {
  const before = net.trace;
  const ring: TraceRecord[] = [];
  const tracer: Tracer = {
    hit(at, fn, skb) {
      const record = makeRecord(at, fn, skb);
      if (ring.length === RECENT) ring.shift();
      ring.push(record);
      sink(record);
    },
    recent: () => ring,
  };
  net.trace = tracer;
  return () => {
    if (net.trace === tracer) net.trace = before;
  };
}

/** A record as one line: time, host, function, packet id, its offsets; `-` for what is not meaningful. */
export function formatTrace(r: TraceRecord): string {
  const at = `${(r.time / 1e9).toFixed(9)} ${r.host} ${r.function}`;
  if (r.id === -1) return at;
  const mac = r.mac < 0 ? '-' : r.mac;
  const network = r.network < 0 ? '-' : r.network;
  const transport = r.transport < 0 ? '-' : r.transport;
  return `${at} #${r.id} data=${r.data} tail=${r.tail} len=${r.len} mac=${mac} nh=${network} h=${transport}`;
}
