// A learning Ethernet switch for any number of cards.
//
// It learns which port an address sends from, forgets it after `ageing` without a frame, sends a frame on to the port of
// its destination alone, and to all ports while that is unknown or a group. A frame for a port whose card has no room stays
// with its sender (as with PAUSE frames); of a flooded one the switch holds a copy for that port.
// Read first: IEEE 802.1Q §8.6 to §8.8 (forwarding, learning, ageing), IEEE 802.3 Annex 31B (PAUSE).

import type { World } from '@stack/kernel';
import { channelHold } from './channel.ts';
import { frameInt32, frameUint16, type Frame } from './frame.ts';
import type { Impairments } from './impair.ts';
import { PORT_BUSY, PORT_TAKEN, Port, type PortOps } from './port.ts';
import { portRoom, portTransmit } from './transmit.ts';
import { connect, disconnect, type Wire } from './wire.ts';

const FDB_BUCKETS = 256;
const FDB_MAX = 8192;
const NS_PER_S = 1e9;

/** Where an address was seen last. */
export class FdbEntry {
  /** First four octets of the address as int32, and the other two. */
  hi: number;
  lo: number;
  port: Port;
  /** ns of the World's clock. */
  updated: number;
  next: FdbEntry | null;
  /** No longer in the table. */
  gone: boolean;

  constructor(hi: number, lo: number, port: Port, updated: number, next: FdbEntry | null) {
    this.hi = hi;
    this.lo = lo;
    this.port = port;
    this.updated = updated;
    this.next = next;
    this.gone = false;
  }
}

/** What a switch knows of one of its ports. */
class SwitchPort {
  sw: Switch;
  /** The address that sent here last, and the one last sent to from here: as a rule they are those of the next frame too. */
  lastFrom: FdbEntry | null;
  lastTo: FdbEntry | null;
  /** Ports with a frame for this one, in the order in which they were refused. */
  blocked: Port[];

  constructor(sw: Switch) {
    this.sw = sw;
    this.lastFrom = null;
    this.lastTo = null;
    this.blocked = [];
  }
}

export class Switch {
  world: World;
  name: string;
  ageingNs: number;
  ports: Port[];
  wires: Wire[];
  fdb: (FdbEntry | null)[];
  nrEntries: number;
  // Frames sent on to one port, to all, to none (the destination is where it came from).
  forwarded: number;
  flooded: number;
  filtered: number;

  constructor(world: World, name: string, ageingNs: number) {
    this.world = world;
    this.name = name;
    this.ageingNs = ageingNs;
    this.ports = [];
    this.wires = [];
    this.fdb = new Array<FdbEntry | null>(FDB_BUCKETS).fill(null);
    this.nrEntries = 0;
    this.forwarded = 0;
    this.flooded = 0;
    this.filtered = 0;
  }
}

export interface SwitchOptions {
  readonly name?: string;
  /** Seconds until an address is forgotten; 300 if absent. */
  readonly ageing?: number;
}

/** A switch without ports; see switchAttach(). Throws a RangeError for a bad option. */
export function createSwitch(world: World, options: SwitchOptions = {}): Switch {
  const { name = 'switch', ageing = 300 } = options;
  if (!(ageing > 0)) throw new RangeError(`switch: ageing must be seconds, not ${ageing}`);
  return new Switch(world, name, ageing * NS_PER_S);
}

/** Connects `port` to a new port of the switch, by a cable as connect() makes it (the first direction is to the switch). */
export function switchAttach(sw: Switch, port: Port, impairments: Impairments = {}, back: Impairments = impairments): Wire {
  const own = new Port(sw.world, null, `${sw.name}:${sw.ports.length}`, switchPortOps, new SwitchPort(sw));
  own.gso = true;
  own.csum = true;
  const wire = connect(port, own, impairments, back);
  sw.ports.push(own);
  sw.wires.push(wire);
  return wire;
}

/** Pulls a cable out of the switch, and takes its port away with the addresses learned there. */
export function switchDetach(sw: Switch, wire: Wire): void {
  const at = sw.wires.indexOf(wire);
  if (at < 0) return;
  const own = sw.ports[at]!;
  disconnect(wire);
  sw.wires.splice(at, 1);
  sw.ports.splice(at, 1);
  fdbForget(sw, own);
  for (const other of sw.ports) {
    const owner = other.owner as SwitchPort;
    owner.blocked = owner.blocked.filter((port) => port !== own);
  }
}

/** PortOps.receive of a switch's port. */
function switchReceive(port: Port, frame: Frame): number {
  const owner = port.owner as SwitchPort;
  const { sw } = owner;
  switchLearn(owner, port, frameInt32(frame, 6), frameUint16(frame, 10));
  const hi = frameInt32(frame, 0);
  const entry = (hi & 0x01000000) !== 0 ? null : switchLookup(owner, hi, frameUint16(frame, 4));
  if (entry === null) {
    switchFlood(sw, port, frame);
    return PORT_TAKEN;
  }
  const to = entry.port;
  if (to === port) {
    sw.filtered++;
    return PORT_TAKEN;
  }
  const rc = portTransmit(to, frame);
  if (rc === PORT_BUSY) (to.owner as SwitchPort).blocked.push(port);
  else sw.forwarded++;
  return rc;
}

function switchLearn(owner: SwitchPort, port: Port, hi: number, lo: number): void {
  const last = owner.lastFrom;
  if (last !== null && last.hi === hi && last.lo === lo && last.port === port && !last.gone) last.updated = owner.sw.world.now;
  else owner.lastFrom = fdbLearn(owner.sw, hi, lo, port);
}

function switchLookup(owner: SwitchPort, hi: number, lo: number): FdbEntry | null {
  const last = owner.lastTo;
  const { sw } = owner;
  if (last !== null && last.hi === hi && last.lo === lo && !last.gone && sw.world.now - last.updated <= sw.ageingNs) return last;
  owner.lastTo = fdbLookup(sw, hi, lo);
  return owner.lastTo;
}

/** Sends a frame to all ports but the one it came from; for one that has no room the switch holds a copy. */
function switchFlood(sw: Switch, from: Port, frame: Frame): void {
  sw.flooded++;
  for (const to of sw.ports) {
    if (to !== from && portTransmit(to, frame) === PORT_BUSY) channelHold(to.out!, frame);
  }
}

/** PortOps.resume of a switch's port: the card there has room again. Those with frames for it take turns. */
function switchResume(port: Port): void {
  const owner = port.owner as SwitchPort;
  for (let left = owner.blocked.length; left > 0; left--) {
    const from = owner.blocked.shift()!;
    const waiting = owner.blocked.length;
    portRoom(from);
    // Refused again: there is no room for the others either.
    if (owner.blocked.length > waiting) return;
  }
}

function switchLinkChange(): void {
  // A switch's port is up while a cable is in it: portTransmit() sees that.
}

const switchPortOps: PortOps = { receive: switchReceive, resume: switchResume, linkChange: switchLinkChange };

function fdbHash(hi: number, lo: number): number {
  const mixed = Math.imul(hi ^ (lo << 13), 0x9e3779b1);
  return mixed >>> 24;
}

/** The entry of an address, unless it has not been seen for too long. */
function fdbLookup(sw: Switch, hi: number, lo: number): FdbEntry | null {
  for (let entry = sw.fdb[fdbHash(hi, lo)] ?? null; entry !== null; entry = entry.next) {
    if (entry.hi === hi && entry.lo === lo) return sw.world.now - entry.updated <= sw.ageingNs ? entry : null;
  }
  return null;
}

/** The address was seen at `port` now. Group addresses are not learned, nor any while the table is full: then null. */
function fdbLearn(sw: Switch, hi: number, lo: number, port: Port): FdbEntry | null {
  if ((hi & 0x01000000) !== 0) return null;
  const bucket = fdbHash(hi, lo);
  for (let entry = sw.fdb[bucket] ?? null; entry !== null; entry = entry.next) {
    if (entry.hi === hi && entry.lo === lo) {
      entry.port = port;
      entry.updated = sw.world.now;
      return entry;
    }
  }
  if (sw.nrEntries >= FDB_MAX && !fdbAge(sw)) return null;
  const entry = new FdbEntry(hi, lo, port, sw.world.now, sw.fdb[bucket] ?? null);
  sw.fdb[bucket] = entry;
  sw.nrEntries++;
  return entry;
}

/** Drops entries for which `keep` is false. */
function fdbFilter(sw: Switch, keep: (entry: FdbEntry) => boolean): void {
  sw.nrEntries = 0;
  for (let i = 0; i < FDB_BUCKETS; i++) {
    let kept: FdbEntry | null = null;
    for (let entry = sw.fdb[i] ?? null; entry !== null;) {
      const next: FdbEntry | null = entry.next;
      if (keep(entry)) {
        entry.next = kept;
        kept = entry;
        sw.nrEntries++;
      } else {
        entry.gone = true;
      }
      entry = next;
    }
    sw.fdb[i] = kept;
  }
}

/** Drops what has aged. Returns whether there is room now. */
function fdbAge(sw: Switch): boolean {
  fdbFilter(sw, (entry) => sw.world.now - entry.updated <= sw.ageingNs);
  return sw.nrEntries < FDB_MAX;
}

function fdbForget(sw: Switch, port: Port): void {
  fdbFilter(sw, (entry) => entry.port !== port);
}

/** What the switch has learned: address, port, seconds since it was seen. In no particular order. */
export function dumpSwitch(sw: Switch): { mac: string; port: string; age: number }[] {
  const rows: { mac: string; port: string; age: number }[] = [];
  for (let entry of sw.fdb) {
    for (; entry !== null; entry = entry.next) {
      const age = sw.world.now - entry.updated;
      if (age <= sw.ageingNs) rows.push({ mac: macText(entry.hi, entry.lo), port: entry.port.name, age: age / NS_PER_S });
    }
  }
  return rows;
}

function macText(hi: number, lo: number): string {
  const digits = (hi >>> 0).toString(16).padStart(8, '0') + lo.toString(16).padStart(4, '0');
  return digits.replace(/..(?=.)/g, '$&:');
}
