// What a bridge knows of where stations are (net/bridge/br_fdb.c): learning, looking up, forgetting.
//
// brFdbUpdate() for each frame that comes in; brFdbFind() for each that goes out; brFdbCleanup() by a timer forgets what
// has not been heard of for the ageing time. Addresses of the host's own ports are local: they are put in and taken out by hand.
// Read first: IEEE 802.1Q-2022 §8.7, §8.8.

import { jiffiesToMsecs, modTimer, timerPending, type TimerList } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { BR_HASH_SIZE, BR_LEARNING, BR_STATE_FORWARDING, BrFdbEntry, type NetBridge, type NetBridgePort } from './br-private.ts';

/** Deviation: Linux takes any number by default (0); a bridge in a page must not be filled by who sends from random addresses. */
export const BR_FDB_MAX_LEARNED = 4096;

/** The bucket of an address. */
function brMacHash(br: NetBridge, hi: number, lo: number): number {
  const mixed = Math.imul(hi ^ br.fdbSalt, 0x9e3779b1 | 0) ^ Math.imul(lo + br.fdbSalt, 0x85ebca6b | 0);
  return (mixed ^ (mixed >>> 15) ^ (mixed >>> 24)) & (BR_HASH_SIZE - 1);
}

/** The entry of an address, or null. */
export function brFdbFind(br: NetBridge, hi: number, lo: number): BrFdbEntry | null {
  let entry: BrFdbEntry | null = br.fdbHash[brMacHash(br, hi, lo)]!;
  while (entry !== null && (entry.hi !== hi || entry.lo !== lo)) entry = entry.next;
  return entry;
}

function fdbCreate(br: NetBridge, hi: number, lo: number, port: NetBridgePort | null, isLocal: boolean): BrFdbEntry | null {
  if (!isLocal) {
    if (br.fdbMaxLearned !== 0 && br.fdbLearned >= br.fdbMaxLearned) return null;
    br.fdbLearned++;
  }
  const entry = new BrFdbEntry(hi, lo, port, isLocal, br.dev.net.world.jiffies);
  const bucket = brMacHash(br, hi, lo);
  entry.next = br.fdbHash[bucket]!;
  br.fdbHash[bucket] = entry;
  return entry;
}

/** Takes out every entry that `gone` says. */
function fdbDeleteWhere(br: NetBridge, gone: (entry: BrFdbEntry) => boolean): void {
  for (let bucket = 0; bucket < BR_HASH_SIZE; bucket++) {
    let prev: BrFdbEntry | null = null;
    for (let entry: BrFdbEntry | null = br.fdbHash[bucket]!; entry !== null; entry = entry.next) {
      if (!gone(entry)) {
        prev = entry;
        continue;
      }
      if (prev === null) br.fdbHash[bucket] = entry.next;
      else prev.next = entry.next;
      if (!entry.isLocal) br.fdbLearned--;
    }
  }
}

/** A frame from this address came in by `port`: the station is behind it. An address of our own stays ours. */
export function brFdbUpdate(br: NetBridge, port: NetBridgePort, hi: number, lo: number): void {
  if ((port.flags & BR_LEARNING) === 0 || port.state !== BR_STATE_FORWARDING) return;
  const entry = brFdbFind(br, hi, lo);
  if (entry === null) {
    if (fdbCreate(br, hi, lo, port, false) !== null && !timerPending(br.gcTimer)) {
      modTimer(br.gcTimer, (br.dev.net.world.jiffies + br.ageingTime) | 0);
    }
    return;
  }
  if (entry.isLocal) return;
  entry.dst = port;
  entry.updated = br.dev.net.world.jiffies;
}

/** The timer of ageing: forgets what is too old, and comes again when the next may be. */
export function brFdbCleanup(timer: TimerList): void {
  const br = timer.data as NetBridge;
  const now = br.dev.net.world.jiffies;
  let soonest = br.ageingTime;
  fdbDeleteWhere(br, (entry) => {
    if (entry.isLocal) return false;
    const left = br.ageingTime - ((now - entry.updated) | 0);
    if (left <= 0) return true;
    if (left < soonest) soonest = left;
    return false;
  });
  if (br.fdbLearned > 0) modTimer(timer, (now + soonest) | 0);
}

/** `dev`'s address is the host's: `port` is null for the bridge itself. A station learned under it is forgotten. */
export function brFdbAddLocal(br: NetBridge, port: NetBridgePort | null, dev: NetDevice): void {
  const hi = dev.devAddrHi;
  const lo = dev.devAddrLo;
  const entry = brFdbFind(br, hi, lo);
  if (entry !== null && entry.isLocal) return;
  if (entry !== null) fdbDeleteWhere(br, (other) => other === entry);
  fdbCreate(br, hi, lo, port, true);
}

/** A port or the bridge has another address, or a port has gone: the local entries are made anew. */
export function brFdbChangeaddr(br: NetBridge): void {
  fdbDeleteWhere(br, (entry) => entry.isLocal);
  for (const port of br.portList) brFdbAddLocal(br, port, port.dev);
  brFdbAddLocal(br, null, br.dev);
}

/** Forgets everything learned by `port`, or (null) by any. */
export function brFdbFlush(br: NetBridge, port: NetBridgePort | null): void {
  fdbDeleteWhere(br, (entry) => !entry.isLocal && (port === null || entry.dst === port));
}

/** Forgets everything: the bridge goes. */
export function brFdbFini(br: NetBridge): void {
  fdbDeleteWhere(br, () => true);
}

/** A row of `bridge -j fdb show`: field names and values are its; the ages (`-s`) in seconds. */
export interface FdbRow {
  mac: string;
  ifname: string;
  flags: string[];
  master: string;
  state: '' | 'permanent';
  used: number;
  updated: number;
}

function macText(hi: number, lo: number): string {
  const hex = (hi >>> 0).toString(16).padStart(8, '0') + lo.toString(16).padStart(4, '0');
  return hex.replace(/(..)(?!$)/g, '$1:');
}

/** What the bridge knows, by port and then by address. */
export function brFdbShow(br: NetBridge): FdbRow[] {
  const now = br.dev.net.world.jiffies;
  const seconds = (then: number): number => Math.floor(jiffiesToMsecs(now - then) / 1000);
  const rows: FdbRow[] = [];
  for (const head of br.fdbHash) {
    for (let entry = head; entry !== null; entry = entry.next) {
      rows.push({
        mac: macText(entry.hi, entry.lo),
        ifname: (entry.dst === null ? br.dev : entry.dst.dev).name,
        flags: [],
        master: br.dev.name,
        state: entry.isLocal ? 'permanent' : '',
        used: seconds(entry.used),
        updated: seconds(entry.updated),
      });
    }
  }
  return rows.sort((a, b) => (a.ifname === b.ifname ? (a.mac < b.mac ? -1 : 1) : a.ifname < b.ifname ? -1 : 1));
}
