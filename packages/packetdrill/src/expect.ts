/*
 * The connection under test: which numbers of the script are which on the wire, and what a segment should have been.
 *
 * A script counts sequence numbers from the initial one of either side; the numbers of its SYNs are the initial ones.
 */
import type { TcpOption, TcpSpec } from './script.ts';
import { formatOptions, option, TCPOPT_SACK, TCPOPT_TIMESTAMP } from './tcp-options.ts';
import type { Ends, Segment, WireNumbers } from './wire.ts';

const FLAG_SYN = 2;
const FLAG_RST = 4;
const FLAG_ACK = 16;
const ECN_NAMES = ['noecn', 'ect1', 'ect0', 'ce'] as const;

export class Connection implements Ends {
  readonly localIp: number;
  readonly remoteIp: number;
  localPort: number;
  readonly remotePort: number;
  /** A listening socket: the next SYN begins a connection of its own. */
  listening: boolean;
  localIsn: number;
  remoteIsn: number;
  /** Whether the host has chosen its port and initial sequence number; and the script's side its own. */
  started: boolean;
  remoteStarted: boolean;
  /** Its last segment: what an ICMP error quotes if it does not say. */
  lastSeq: number;
  lastLength: number;
  /** Timestamps: what the script called a value that the host sent. */
  readonly stamps: Map<number, number>;
  firstStamp: { readonly script: number; readonly live: number } | null;

  constructor(localIp: number, remoteIp: number, localPort: number, remotePort: number) {
    this.localIp = localIp;
    this.remoteIp = remoteIp;
    this.localPort = localPort;
    this.remotePort = remotePort;
    this.listening = false;
    this.localIsn = 0;
    this.remoteIsn = 0;
    this.started = false;
    this.remoteStarted = false;
    this.lastSeq = 0;
    this.lastLength = 0;
    this.stamps = new Map();
    this.firstStamp = null;
  }

  /** Whether the segment is of this connection; a first SYN of the host's tells its port and initial sequence number. */
  owns(segment: Segment): boolean {
    if (segment.daddr !== this.remoteIp || segment.dport !== this.remotePort) return false;
    const syn = (segment.flags & FLAG_SYN) !== 0;
    if (!this.started && syn) {
      this.started = true;
      this.localPort = segment.sport;
      this.localIsn = segment.seq;
    } else if (syn && segment.sport === this.localPort) this.localIsn = segment.seq;
    if (segment.sport !== this.localPort) return false;
    this.lastSeq = segment.seq;
    this.lastLength = segment.length;
    return true;
  }

  /** The segment with its numbers counted as the script counts. */
  relative(segment: Segment): TcpSpec {
    const rel = (value: number, isn: number): number => (value - isn) >>> 0;
    // In a SYN both numbers are as they are on the wire; the host's initial one is 0.
    const acked = rel(segment.ack, (segment.flags & FLAG_SYN) === 0 ? this.remoteIsn : 0);
    const ack = (segment.flags & FLAG_ACK) === 0 ? null : acked;
    // What resets a segment without an ACK is of no connection, and has number 0.
    const nobodys = (segment.flags & (FLAG_RST | FLAG_ACK)) === (FLAG_RST | FLAG_ACK) && segment.seq === 0;
    const options = segment.options.map((o) => (o.kind === TCPOPT_SACK ? option(o.kind, ...o.values.map((v) => rel(v, this.remoteIsn))) : o));
    return {
      kind: 'tcp', anyAck: false, ecn: ECN_NAMES[segment.tos & 3] ?? 'noecn', flags: segment.flags, seq: nobodys ? 0 : rel(segment.seq, this.localIsn), length: segment.length,
      ack, win: segment.win, urg: segment.urg, options,
    };
  }
}

/** The script's side has sent this: its first SYN tells its initial sequence number. */
export function noteInbound(conn: Connection, spec: TcpSpec): void {
  if ((spec.flags & FLAG_SYN) === 0 || conn.remoteStarted) return;
  conn.remoteStarted = true;
  conn.remoteIsn = spec.seq;
}

function inboundOption(conn: Connection, o: TcpOption): TcpOption {
  if (o.kind === TCPOPT_SACK) return option(o.kind, ...o.values.map((v) => (v + conn.localIsn) >>> 0));
  if (o.kind !== TCPOPT_TIMESTAMP) return o;
  const [val = 0, ecr = 0] = o.values;
  const first = conn.firstStamp;
  return option(o.kind, val, conn.stamps.get(ecr) ?? (first === null || ecr === 0 ? ecr : (ecr - first.script + first.live) >>> 0));
}

/** A script's segment in the wire's numbers. */
export function inboundNumbers(conn: Connection, spec: TcpSpec): WireNumbers {
  const seq = (spec.flags & FLAG_SYN) !== 0 ? spec.seq : (conn.remoteIsn + spec.seq) >>> 0;
  const ack = spec.ack === null ? 0 : (conn.localIsn + spec.ack) >>> 0;
  return { seq, ack, options: (spec.options ?? []).map((o) => inboundOption(conn, o)) };
}

/** The host's timestamp against the script's: the first sets the offset; later ones must keep it if the script gave a tick. */
function compareStamp(conn: Connection, want: TcpOption, got: TcpOption, tick: number, tolerance: number): boolean {
  const [script = 0, wantEcr = 0] = want.values;
  const [live = 0, gotEcr = 0] = got.values;
  conn.stamps.set(script, live);
  conn.firstStamp ??= { script, live };
  const drift = ((live - conn.firstStamp.live) | 0) - ((script - conn.firstStamp.script) | 0);
  return wantEcr === gotEcr && (tick === 0 || Math.abs(drift) * tick <= tolerance);
}

function compareOptions(conn: Connection, spec: TcpSpec, shown: TcpSpec, tick: number, tolerance: number): boolean {
  const { options: want } = spec;
  const got = shown.options ?? [];
  if (want === null) return true;
  return want.length === got.length && want.every((o, i) => {
    const other = got[i];
    if (other === undefined || other.kind !== o.kind) return false;
    return o.kind === TCPOPT_TIMESTAMP ? compareStamp(conn, o, other, tick, tolerance) : formatOptions([o]) === formatOptions([other]);
  });
}

/** What of the segment is not as the script says; empty if all is. */
export function compareSegment(conn: Connection, spec: TcpSpec, segment: Segment, shown: TcpSpec, tick: number, tolerance: number): string {
  if (spec.flags !== shown.flags) return 'other flags';
  if (spec.seq !== shown.seq || spec.length !== shown.length) return 'other octets';
  if (!spec.anyAck && spec.ack !== shown.ack) return 'another acknowledgment';
  if (spec.win !== null && spec.win !== shown.win) return 'another window';
  if (spec.urg !== null && spec.urg !== shown.urg) return 'another urgent pointer';
  if (spec.ecn !== 'any' && spec.ecn !== shown.ecn) return 'another ECN codepoint';
  if (!segment.zeros) return 'the payload is not all zeros';
  return compareOptions(conn, spec, shown, tick, tolerance) ? '' : 'other options';
}
