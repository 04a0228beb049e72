/*
 * The packets of a script: what its own side sends, and what the host must send.
 *
 * runInbound() -> connectionOf() which connection it is of -> inboundBytes() -> the target. runOutbound() -> nextPacket() waits for
 * one of its kind -> coalesce() -> compare…() (expect.ts) -> checkTime().
 */
import {
  compareDatagram, compareIcmp, compareSegment, Connection, inboundNumbers, noteInbound, shownDatagram, shownIcmp,
} from './expect.ts';
import { ANY_LIMIT, due, flowOf, LOCAL_PORT, lateness, log, Mismatch, now, seconds, SHIFT, type Run } from './run-state.ts';
import type { Event, IcmpSpec, PacketSpec, PortSpec, TcpSpec } from './script.ts';
import { formatPacket, icmpPacket, readPacket, tcpPacket, udpPacket, type Packet, type Segment } from './wire.ts';

const FIN = 1;
const PSH = 8;

interface Caught {
  readonly packet: Packet;
  /** Null for what is of no connection: an ICMP message. */
  readonly conn: Connection | null;
  readonly time: number;
}

/** Whose packet it is: of the connection under test, or of another one that the script named by its ports. */
function ownerOf(run: Run, packet: Packet): Connection | null {
  if (packet.kind === 'icmp') return null;
  if (packet.kind === 'tcp' && run.oldFlows.has(flowOf(packet.sport, packet.dport))) return null;
  const owns = (conn: Connection): boolean => (packet.kind === 'tcp' ? conn.owns(packet) : conn.ownsDatagram(packet));
  return run.named.find((conn) => conn !== run.conn && owns(conn)) ?? (owns(run.conn) ? run.conn : null);
}

/** Resolves with the next packet of a kind that the script knows of; null if none is sent by `limit`. */
export async function nextPacket(run: Run, kind: Packet['kind'], limit: number): Promise<Caught | null> {
  for (;;) {
    const sent = await run.ops.nextSent(run.target, limit);
    if (sent === null) return null;
    const packet = readPacket(sent.bytes);
    if (packet?.kind !== kind) continue;
    const conn = ownerOf(run, packet);
    if (conn !== null || (kind === 'icmp' && packet.daddr === run.conn.remoteIp)) return { packet, conn, time: sent.time };
  }
}

/**
 * Takes the segments behind `first` that were sent at the same time and go on where it ends, up to `length` octets: how many
 * sk_buffs a flight was cut into is nothing that a script knows. FIN and PSH are the last's, all other flags any's: where a device
 * cuts a packet up, it leaves those to the last, and CWR to the first.
 */
async function coalesce(run: Run, conn: Connection, first: Segment, time: number, length: number): Promise<Segment> {
  const { burst } = run.ops;
  let whole = first;
  while (whole.length > 0 && whole.length < length) {
    const next = await run.ops.peekSent(run.target, time + burst);
    const segment = next === null ? null : readPacket(next.bytes);
    if (next === null || segment?.kind !== 'tcp' || next.time > time + burst || !conn.owns(segment)) break;
    if (segment.seq !== (whole.seq + whole.length) >>> 0 || segment.length > length - whole.length || segment.ack !== whole.ack) break;
    await run.ops.nextSent(run.target, time);
    whole = { ...whole, flags: (whole.flags & ~(FIN | PSH)) | segment.flags, length: whole.length + segment.length, zeros: whole.zeros && segment.zeros };
  }
  return whole;
}

/** Compares what came with what was expected: what came as the script would have it, and what is wrong; empty if nothing is. */
async function compare(run: Run, spec: PacketSpec, { packet, conn, time }: Caught): Promise<{ shown: PacketSpec; wrong: string }> {
  if (spec.kind === 'tcp' && packet.kind === 'tcp' && conn !== null) {
    const segment = await coalesce(run, conn, packet, time, spec.length);
    const shown = conn.relative(segment, spec);
    if (conn !== run.conn && spec.ports === null) return { shown: { ...shown, ports: { source: segment.sport, destination: segment.dport } }, wrong: 'a segment of another connection' };
    return { shown, wrong: compareSegment(conn, spec, segment, shown, run.tick, run.tolerance) };
  }
  if (spec.kind === 'icmp' && packet.kind === 'icmp') {
    const shown = shownIcmp(run.conn, packet, spec);
    return { shown, wrong: compareIcmp(spec, shown) };
  }
  if (spec.kind !== 'udp' || packet.kind !== 'udp') throw new Mismatch('a packet of another protocol');
  const shown = shownDatagram(packet, spec);
  return { shown, wrong: compareDatagram(spec, shown, packet.zeros) };
}

/** Was the packet sent when the script says? */
function checkTime(run: Run, event: Event, time: number, allowed: number, shown: PacketSpec): void {
  const { at, end } = due(run, event.when);
  if (time > end + SHIFT) run.shift = time - end;
  if (event.when.kind === 'any' || (time >= at - run.tolerance && time <= end + allowed)) return;
  const range = at === end ? seconds(at) : `${seconds(at)} to ${seconds(end)}`;
  throw new Mismatch(`sent at ${seconds(time)}, expected at ${range} (- ${run.tolerance}, + ${Math.round(allowed)} µs${lateness(run)}): ${formatPacket(shown)}`);
}

/** Takes the packet that the script expects of the host; throws a Mismatch if it is another, or none. */
export async function runOutbound(run: Run, event: Event, spec: PacketSpec): Promise<void> {
  const allowed = run.tolerance + run.late + run.ops.timerSlack(event.when.at);
  const limit = event.when.kind === 'any' ? now(run) + ANY_LIMIT : due(run, event.when).end + allowed;
  if (spec.kind !== 'icmp') nameConnection(run, spec.ports, false);
  // A microsecond more: of two timers of one instant the one that sends may be the later.
  const got = await nextPacket(run, spec.kind, Math.max(limit, now(run)) + 1);
  if (got === null) throw new Mismatch(`expected ${formatPacket(spec)}\nbut nothing was sent by ${seconds(limit)}`);
  const { shown, wrong } = await compare(run, spec, got);
  log(run, got.time, '>', formatPacket(shown));
  if (wrong !== '') throw new Mismatch(`${wrong}\nexpected ${formatPacket(spec)}\ngot      ${formatPacket(shown)}`);
  checkTime(run, event, got.time, allowed, shown);
}

/** The connection that the script speaks of by its ports is under test: one that it has named before, a new one of a listener, or the one at hand. */
function nameConnection(run: Run, ports: PortSpec['ports'], inbound: boolean): void {
  if (ports === null) return;
  const [localPort, remotePort] = inbound ? [ports.destination, ports.source] : [ports.source, ports.destination];
  const known = run.named.find((conn) => conn.localPort === localPort && conn.remotePort === remotePort);
  if (known !== undefined) {
    run.conn = known;
    return;
  }
  // What the host sends shows its ports itself.
  if (inbound) {
    const { localIp, remoteIp, started, listening } = run.conn;
    if (started || listening) run.conn = new Connection(localIp, remoteIp, localPort, remotePort);
    run.conn.listening = listening;
    run.conn.localPort = localPort;
    run.conn.remotePort = remotePort;
  }
  run.named.push(run.conn);
}

/** A SYN to a listening socket begins a connection of its own, from a new port if the script names none. */
function connectionOf(run: Run, spec: TcpSpec): Connection {
  nameConnection(run, spec.ports, true);
  if (spec.ports !== null || !run.conn.listening || (spec.flags & 0x12) !== 0x02) return run.conn;
  run.conn = new Connection(run.conn.localIp, run.conn.remoteIp, run.conn.localPort, run.nextPort++);
  return run.conn;
}

function inboundIcmp(run: Run, spec: IcmpSpec): Uint8Array {
  const { conn } = run;
  const { quoted } = spec;
  if (quoted === null) return icmpPacket(conn, spec, conn.lastSeq, conn.lastLength);
  return icmpPacket(conn, spec, quoted.seq === null ? null : (conn.localIsn + quoted.seq) >>> 0, quoted.length);
}

function inboundBytes(run: Run, spec: PacketSpec): Uint8Array {
  if (spec.kind === 'icmp') return inboundIcmp(run, spec);
  if (spec.kind === 'udp') {
    nameConnection(run, spec.ports, true);
    return udpPacket(run.conn, spec);
  }
  const conn = connectionOf(run, spec);
  noteInbound(conn, spec);
  return tcpPacket(conn, spec, inboundNumbers(conn, spec));
}

/** Hands the host a packet of the script's side. */
export function runInbound(run: Run, spec: PacketSpec): void {
  const bytes = inboundBytes(run, spec);
  log(run, now(run), '<', formatPacket(spec));
  run.ops.receive(run.target, bytes, run.mss);
}

/** A socket is under test from now on: what was before is so no longer, but for connections that the script has named. */
export function newConnection(run: Run): void {
  const { conn, calls } = run;
  if (conn.started && !run.named.includes(conn)) run.oldFlows.add(flowOf(conn.localPort, conn.remotePort));
  run.conn = new Connection(calls.localIp, calls.remoteIp, LOCAL_PORT, LOCAL_PORT);
  run.dissolved = false;
}
