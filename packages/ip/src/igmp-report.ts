/*
 * What a host tells routers of its groups: reports of IGMPv3 (RFC 3376 §4.2, §5.1), and those of
 * IGMPv1 and v2 (RFC 1112, RFC 2236) while such a querier is about.
 *
 * A change of state starts igmp.ifcTimer, at which igmpIfcTimerExpire() sends a report of what the
 * routers have not been told yet, again and again until each has been said qrv times.
 */
import { HZ, modTimer, randomBelow, snmpInc } from '@stack/kernel';
import type { TimerList } from '@stack/kernel';
import { inAton } from '@stack/inet-sock';
import { llReservedSpace } from '@stack/netdev';
import { allocSkb, csumFold, csumPartial, dstRelease, skbPut, skbReserve } from '@stack/skbuff';
import { RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import { MCAST_EXCLUDE, MCAST_INCLUDE, sourcesBoth, sourcesMinus } from './igmp-group.ts';
import type { IpMcList } from './igmp-group.ts';
import { igmpIsReported } from './igmp.ts';
import type { InDevice } from './inetdevice.ts';
import { ipcbInit } from './ip-cb.ts';
import { IPH_DADDR, IPH_FRAG_OFF, IPH_OPTIONS, IPH_PROTOCOL, IPH_SADDR, IPH_TTL, IPPROTO_IGMP, IP_DF, IP_HDR_LEN } from './ip-header.ts';
import { __ipSelectIdent } from './ip-ident.ts';
import { ipLocalOut } from './ip-output.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { IPSTATS_MIB_OUTDISCARDS } from './snmp-names.ts';

/** Types of message. */
export const IGMP_HOST_MEMBERSHIP_QUERY = 0x11;
export const IGMP_HOST_MEMBERSHIP_REPORT = 0x12;
export const IGMPV2_HOST_MEMBERSHIP_REPORT = 0x16;
export const IGMP_HOST_LEAVE_MESSAGE = 0x17;
export const IGMPV3_HOST_MEMBERSHIP_REPORT = 0x22;

/** Types of group record. */
const IGMPV3_MODE_IS_INCLUDE = 1;
const IGMPV3_MODE_IS_EXCLUDE = 2;
const IGMPV3_CHANGE_TO_INCLUDE = 3;
const IGMPV3_CHANGE_TO_EXCLUDE = 4;
const IGMPV3_ALLOW_NEW_SOURCES = 5;
const IGMPV3_BLOCK_OLD_SOURCES = 6;

const IGMP_ALL_ROUTER = inAton('224.0.0.2');
const IGMPV3_ALL_MCR = inAton('224.0.0.22');

/** Octets of a message of v1 or v2, of the head of a report of v3, of a record without sources. */
const IGMP_HDR_LEN = 8;
/** Router alert (RFC 2113), which every message carries. */
const IPOPT_RA_WORD = 0x94040000 | 0;
/** RFC 3376 §4: internetwork control. */
const IGMP_TOS = 0xc0;

/** A record of a report. */
interface GroupRecord {
  type: number;
  group: number;
  sources: readonly number[];
}

/** Whether a querier of IGMPv1 is about, or we have been told to act as if. */
export function igmpV1Seen(inDev: InDevice): boolean {
  const forced = igmpForcedVersion(inDev);
  return forced !== 0 ? forced === 1 : stillSeen(inDev, inDev.igmp.v1Seen);
}

/** Likewise of IGMPv2. */
export function igmpV2Seen(inDev: InDevice): boolean {
  const forced = igmpForcedVersion(inDev);
  return forced !== 0 ? forced === 2 : stillSeen(inDev, inDev.igmp.v2Seen);
}

function igmpForcedVersion(inDev: InDevice): number {
  const all = inDev.net.ipv4.devconfAll.forceIgmpVersion;
  return all !== 0 ? all : inDev.cnf.forceIgmpVersion;
}

function stillSeen(inDev: InDevice, until: number): boolean {
  return until !== 0 && ((inDev.net.world.jiffies - until) | 0) < 0;
}

/** Sends an IGMP message of `length` octets to daddr, written by fill at the offset that it is given; checksum, IP header and all else are put on here. */
function igmpSend(inDev: InDevice, daddr: number, length: number, fill: (view: DataView, at: number) => void): void {
  const net = inDev.net;
  const fl = net.ipv4.flow;
  flowi4InitOutput(fl, inDev.dev.ifindex, 0, 0, RT_SCOPE_UNIVERSE, IPPROTO_IGMP, 0, daddr, 0, 0, 0);
  const rt = ipRouteOutputFlow(net, fl, null);
  if (typeof rt === 'number') return;
  const hlen = IP_HDR_LEN + 4;
  const room = llReservedSpace(inDev.dev);
  const skb = allocSkb(net, room + hlen + length);
  if (skb === null) {
    snmpInc(net.ipv4.ipMib, IPSTATS_MIB_OUTDISCARDS);
    dstRelease(rt);
    return;
  }
  skbReserve(skb, room);
  const at = skbPut(skb, hlen + length);
  const { view } = skb;
  skb.networkHeader = at;
  skb.transportHeader = at + hlen;
  skb.dst = rt;
  ipcbInit(skb);
  view.setUint16(at, 0x4000 | (hlen << 6) | IGMP_TOS);
  view.setUint16(at + IPH_FRAG_OFF, IP_DF);
  view.setUint8(at + IPH_TTL, 1);
  view.setUint8(at + IPH_PROTOCOL, IPPROTO_IGMP);
  view.setInt32(at + IPH_SADDR, fl.saddr);
  view.setInt32(at + IPH_DADDR, daddr);
  view.setInt32(at + IPH_OPTIONS, IPOPT_RA_WORD);
  for (let i = 0; i < length; i++) view.setUint8(at + hlen + i, 0);
  fill(view, at + hlen);
  view.setUint16(at + hlen + 2, csumFold(csumPartial(skb.buf, view, at + hlen, length, 0)));
  __ipSelectIdent(net, skb, 1);
  ipLocalOut(net, skb);
}

/** A report of IGMPv1 or v2, to the group itself. */
export function igmpSendReport(inDev: InDevice, group: number): void {
  const type = igmpV1Seen(inDev) ? IGMP_HOST_MEMBERSHIP_REPORT : IGMPV2_HOST_MEMBERSHIP_REPORT;
  igmpSend(inDev, group, IGMP_HDR_LEN, (view, at) => {
    view.setUint8(at, type);
    view.setInt32(at + 4, group);
  });
}

/** RFC 2236 §3: we leave a group, to all routers. */
export function igmpSendLeave(inDev: InDevice, group: number): void {
  igmpSend(inDev, IGMP_ALL_ROUTER, IGMP_HDR_LEN, (view, at) => {
    view.setUint8(at, IGMP_HOST_LEAVE_MESSAGE);
    view.setInt32(at + 4, group);
  });
}

/** Sends records in as many reports as the MTU asks for (RFC 3376 §4.2.16). */
function igmpv3SendRecords(inDev: InDevice, records: readonly GroupRecord[]): void {
  const most = inDev.dev.mtu - IP_HDR_LEN - 4 - IGMP_HDR_LEN;
  let batch: GroupRecord[] = [];
  let length = 0;
  for (const record of igmpv3Split(records, (most - IGMP_HDR_LEN) >> 2)) {
    const size = IGMP_HDR_LEN + 4 * record.sources.length;
    if (length + size > most) {
      igmpv3SendReport(inDev, batch, length);
      batch = [];
      length = 0;
    }
    batch.push(record);
    length += size;
  }
  if (batch.length > 0) igmpv3SendReport(inDev, batch, length);
}

/** Cuts records of more than `most` sources; of an exclusion, which cannot be cut, the rest is left out. */
function igmpv3Split(records: readonly GroupRecord[], most: number): GroupRecord[] {
  return records.flatMap((record) => {
    const { type, group, sources } = record;
    if (sources.length <= most) return [record];
    if (type === IGMPV3_MODE_IS_EXCLUDE || type === IGMPV3_CHANGE_TO_EXCLUDE) return [{ type, group, sources: sources.slice(0, most) }];
    const pieces = Math.ceil(sources.length / most);
    return Array.from({ length: pieces }, (_, i) => ({ type, group, sources: sources.slice(i * most, (i + 1) * most) }));
  });
}

function igmpv3SendReport(inDev: InDevice, records: readonly GroupRecord[], length: number): void {
  igmpSend(inDev, IGMPV3_ALL_MCR, IGMP_HDR_LEN + length, (view, at) => {
    view.setUint8(at, IGMPV3_HOST_MEMBERSHIP_REPORT);
    view.setUint16(at + 6, records.length);
    let p = at + IGMP_HDR_LEN;
    for (const { type, group, sources } of records) {
      view.setUint8(p, type);
      view.setUint16(p + 2, sources.length);
      view.setInt32(p + 4, group);
      sources.forEach((source, i) => view.setInt32(p + 8 + 4 * i, source));
      p += 8 + 4 * sources.length;
    }
  });
}

/** The answer about one group (RFC 3376 §5.2): all of its state, or, of the sources that were asked for, those heard. */
export function igmpv3AnswerGroup(inDev: InDevice, im: IpMcList): void {
  const heard = im.queried === null ? null : im.mode === MCAST_INCLUDE ? sourcesBoth(im.sources, im.queried) : sourcesMinus(im.queried, im.sources);
  if (heard === null) igmpv3SendRecords(inDev, [currentState(im)]);
  else if (heard.length > 0) igmpv3SendRecords(inDev, [{ type: IGMPV3_MODE_IS_INCLUDE, group: im.multiaddr, sources: heard }]);
}

/** The answer to a general query: the state of every group. */
export function igmpv3AnswerAll(inDev: InDevice): void {
  const records: GroupRecord[] = [];
  for (let im = inDev.mcList; im !== null; im = im.next) {
    if (igmpIsReported(inDev, im.multiaddr)) records.push(currentState(im));
  }
  if (records.length > 0) igmpv3SendRecords(inDev, records);
}

function currentState(im: IpMcList): GroupRecord {
  return { type: im.mode === MCAST_EXCLUDE ? IGMPV3_MODE_IS_EXCLUDE : IGMPV3_MODE_IS_INCLUDE, group: im.multiaddr, sources: im.sources };
}

/** What of a group is still to be said, said once more: its counts go down. */
function stateChange(im: IpMcList): GroupRecord[] {
  const { multiaddr: group, sources } = im;
  const pending = [...im.sourceCounts.keys()];
  for (const source of pending) {
    const left = (im.sourceCounts.get(source) ?? 1) - 1;
    if (left > 0) im.sourceCounts.set(source, left);
    else im.sourceCounts.delete(source);
  }
  if (im.modeCount > 0) {
    im.modeCount--;
    return [{ type: im.mode === MCAST_EXCLUDE ? IGMPV3_CHANGE_TO_EXCLUDE : IGMPV3_CHANGE_TO_INCLUDE, group, sources }];
  }
  const listed = sourcesBoth(pending, sources);
  const others = sourcesMinus(pending, sources);
  const [allow, block] = im.mode === MCAST_INCLUDE ? [listed, others] : [others, listed];
  const records = [{ type: IGMPV3_ALLOW_NEW_SOURCES, group, sources: allow }, { type: IGMPV3_BLOCK_OLD_SOURCES, group, sources: block }];
  return records.filter((record) => record.sources.length > 0);
}

function stateIsPending(im: IpMcList): boolean {
  return im.modeCount > 0 || im.sourceCounts.size > 0;
}

/** igmp.ifcTimer: sends a state-change report; another follows within the unsolicited report interval if something is left to say. */
export function igmpIfcTimerExpire(timer: TimerList): void {
  const inDev = timer.data as InDevice;
  const { igmp } = inDev;
  const records: GroupRecord[] = [];
  let again = false;
  for (let im = inDev.mcList; im !== null; im = im.next) {
    records.push(...stateChange(im));
    again ||= stateIsPending(im);
  }
  let rest: IpMcList | null = null;
  for (let im = igmp.tomb; im !== null; ) {
    const next: IpMcList | null = im.next;
    records.push(...stateChange(im));
    if (stateIsPending(im)) {
      im.next = rest;
      rest = im;
    }
    im = next;
  }
  igmp.tomb = rest;
  if (records.length > 0) igmpv3SendRecords(inDev, records);
  if (again || rest !== null) modTimer(timer, (inDev.net.world.jiffies + igmpUnsolicitedDelay(inDev)) | 0);
}

/** Until an unasked report is repeated: somewhere within the unsolicited report interval of the version, jiffies. */
export function igmpUnsolicitedDelay(inDev: InDevice): number {
  const old = igmpV1Seen(inDev) || igmpV2Seen(inDev);
  const ms = old ? inDev.cnf.igmpv2UnsolicitedReportInterval : inDev.cnf.igmpv3UnsolicitedReportInterval;
  return 1 + randomBelow(inDev.net.world.random, Math.max(Math.floor((ms * HZ) / 1000), 1));
}

/** Nothing is said of changes any more: a querier of an older version has come. */
export function igmpv3ClearPending(inDev: InDevice): void {
  inDev.igmp.tomb = null;
  for (let im = inDev.mcList; im !== null; im = im.next) {
    im.modeCount = 0;
    im.sourceCounts.clear();
  }
}
