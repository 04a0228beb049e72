/*
 * The connection under test: which numbers of the script are which on the wire, and what a segment should have been.
 *
 * A script counts sequence numbers from the initial one of either side; the numbers of its SYNs are the initial ones.
 */
import type { IcmpSpec, IpSpec, PortSpec, TcpOption, TcpSpec, UdpSpec } from './script.ts';
import { formatOptions, option, TCPOPT_SACK, TCPOPT_TIMESTAMP } from './tcp-options.ts';
import { ECN_BITS, type Datagram, type Ends, type IcmpMessage, type IpHeader, type Segment, type WireNumbers } from './wire.ts';

const FLAG_SYN = 2;
const FLAG_RST = 4;
const FLAG_ACK = 16;
const IPPROTO_UDP = 17;
const ECN_NAMES = ['noecn', 'ect1', 'ect0', 'ce'] as const;

export class Connection implements Ends {
  readonly localIp: number;
  remoteIp: number;
  localPort: number;
  remotePort: number;
  /** A listening socket: the next SYN begins a connection of its own. */
  listening: boolean;
  localIsn: number;
  remoteIsn: number;
  /** Whether the host has chosen its port and initial sequence number; and the script's side its own. */
  started: boolean;
  remoteStarted: boolean;
  /** Its last segment, or datagram (null): what an ICMP error quotes if it does not say. */
  lastSeq: number | null;
  lastLength: number;
  /** Timestamps: what the script called a value that the host sent. */
  readonly stamps: Map<number, number>;
  firstStamp: { readonly script: number; readonly live: number } | null;
  /** What the host sent where the script says nothing of it (`<...>`): what its own side echoes if no value of the host's has a name. */
  unnamedStamp: number;

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
    this.unnamedStamp = 0;
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

  /** The same of a datagram: the host's first tells its port. */
  ownsDatagram({ daddr, dport, sport, length }: Datagram): boolean {
    if (daddr !== this.remoteIp || dport !== this.remotePort) return false;
    if (!this.started) {
      this.started = true;
      this.localPort = sport;
    }
    if (sport !== this.localPort) return false;
    this.lastSeq = null;
    this.lastLength = length;
    return true;
  }

  /** The segment with its numbers counted as the script counts; of ports and of the IPv4 header what `spec` speaks of. */
  relative(segment: Segment, spec: IpSpec & PortSpec): TcpSpec {
    const rel = (value: number, isn: number): number => (value - isn) >>> 0;
    // In a SYN both numbers are as they are on the wire; the host's initial one is 0.
    const acked = rel(segment.ack, (segment.flags & FLAG_SYN) === 0 ? this.remoteIsn : 0);
    const ack = (segment.flags & FLAG_ACK) === 0 ? null : acked;
    // What resets a segment without an ACK is of no connection, and has number 0.
    const nobodys = (segment.flags & (FLAG_RST | FLAG_ACK)) === (FLAG_RST | FLAG_ACK) && segment.seq === 0;
    const options = segment.options.map((o) => (o.kind === TCPOPT_SACK ? option(o.kind, ...o.values.map((v) => rel(v, this.remoteIsn))) : o));
    return {
      kind: 'tcp', anyAck: false, ...shownIp(segment, spec), ports: shownPorts(segment, spec), flags: segment.flags, seq: nobodys ? 0 : rel(segment.seq, this.localIsn),
      length: segment.length, ack, win: segment.win, urg: segment.urg, options,
    };
  }
}

/** Of the IPv4 header: ECN always, the rest where the script speaks of it. */
function shownIp({ tos, ttl }: IpHeader, spec: IpSpec): IpSpec {
  return { ecn: ECN_NAMES[tos & 3] ?? 'noecn', tos: spec.tos === null ? null : tos, ttl: spec.ttl === null ? null : ttl };
}

function shownPorts({ sport, dport }: { readonly sport: number; readonly dport: number }, spec: PortSpec): PortSpec['ports'] {
  return spec.ports === null ? null : { source: sport, destination: dport };
}

export function shownDatagram(datagram: Datagram, spec: UdpSpec): UdpSpec {
  return { kind: 'udp', ...shownIp(datagram, spec), ports: shownPorts(datagram, spec), length: datagram.length };
}

/** An ICMP message with the numbers of what it quotes counted as the script counts; a segment of its own side that the host refuses. */
export function shownIcmp(conn: Connection, { type, code, mtu, quoted, ...ip }: IcmpMessage, spec: IcmpSpec): IcmpSpec {
  const seq = quoted === null || quoted.protocol === IPPROTO_UDP ? null : (quoted.seq - conn.remoteIsn) >>> 0;
  return { kind: 'icmp', ...shownIp(ip, spec), type, code, mtu, quoted: spec.quoted === null || quoted === null ? null : { seq, length: quoted.length } };
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
  if (ecr === 0) return option(o.kind, val, conn.stamps.get(ecr) ?? 0);
  const known = first === null ? conn.unnamedStamp : (ecr - first.script + first.live) >>> 0;
  return option(o.kind, val, conn.stamps.get(ecr) ?? (known === 0 ? ecr : known));
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
  if (want === null) {
    conn.unnamedStamp = got.find(({ kind }) => kind === TCPOPT_TIMESTAMP)?.values[0] ?? conn.unnamedStamp;
    return true;
  }
  return want.length === got.length && want.every((o, i) => {
    const other = got[i];
    if (other === undefined || other.kind !== o.kind) return false;
    return o.kind === TCPOPT_TIMESTAMP ? compareStamp(conn, o, other, tick, tolerance) : formatOptions([o]) === formatOptions([other]);
  });
}

/** What of the IPv4 header and the ports is not as the script says; empty if all is. */
export function compareIp(spec: IpSpec & Partial<PortSpec>, shown: IpSpec & Partial<PortSpec>): string {
  if (spec.ports !== undefined && spec.ports !== null && (spec.ports.source !== shown.ports?.source || spec.ports.destination !== shown.ports.destination)) return 'other ports';
  if (spec.ecn !== 'any' && spec.ecn !== shown.ecn) return 'another ECN codepoint';
  if (spec.tos !== null && (spec.tos | ECN_BITS[spec.ecn]) !== shown.tos) return 'another TOS';
  return spec.ttl !== null && spec.ttl !== shown.ttl ? 'another TTL' : '';
}

/** What of the segment is not as the script says; empty if all is. */
export function compareSegment(conn: Connection, spec: TcpSpec, segment: Segment, shown: TcpSpec, tick: number, tolerance: number): string {
  if (spec.flags !== shown.flags) return 'other flags';
  if (spec.seq !== shown.seq || spec.length !== shown.length) return 'other octets';
  if (!spec.anyAck && spec.ack !== shown.ack) return 'another acknowledgment';
  if (spec.win !== null && spec.win !== shown.win) return 'another window';
  if (spec.urg !== null && spec.urg !== shown.urg) return 'another urgent pointer';
  const ip = compareIp(spec, shown);
  if (ip !== '') return ip;
  if (!segment.zeros) return 'the payload is not all zeros';
  return compareOptions(conn, spec, shown, tick, tolerance) ? '' : 'other options';
}

export function compareDatagram(spec: UdpSpec, shown: UdpSpec, zeros: boolean): string {
  if (spec.length !== shown.length) return 'another length';
  return zeros ? compareIp(spec, shown) : 'the payload is not all zeros';
}

export function compareIcmp(spec: IcmpSpec, shown: IcmpSpec): string {
  if (spec.type !== shown.type || spec.code !== shown.code) return 'another ICMP message';
  if (spec.mtu !== 0 && spec.mtu !== shown.mtu) return 'another MTU';
  const { quoted } = spec;
  if (quoted !== null && (quoted.seq !== shown.quoted?.seq || quoted.length !== shown.quoted.length)) return 'another packet is quoted';
  return compareIp(spec, shown);
}
