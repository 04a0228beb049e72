/*
 * Which multicast groups a device listens to (RFC 1112, RFC 3376).
 *
 * Every device that can, listens to 224.0.0.1 (RFC 1112 §7.1). ipMcAddMember() and its like change
 * who wants what; mcUpdate() makes of it what the device listens to, has its filter and the routes
 * follow, and the routers told (igmp-report.ts). What routers ask is in igmp-query.ts.
 */
import { delTimer, modTimer, timerSetup } from '@stack/kernel';
import { INADDR_ALLHOSTS_GROUP, ipv4IsLocalMulticast } from '@stack/inet-sock';
import { IFF_LOOPBACK, IFF_UP, devMcAdd, devMcDel } from '@stack/netdev';
import type { Net } from '@stack/kernel';
import {
  IgmpState, IpMcList, MCAST_EXCLUDE, MCAST_INCLUDE, MC_ANY_SOURCE, mcFilterAllows, mcMerge, sourcesMinus,
} from './igmp-group.ts';
import type { McFilter } from './igmp-group.ts';
import { igmpIfcTimerExpire, igmpSendLeave, igmpV1Seen, igmpV2Seen } from './igmp-report.ts';
import { igmpGqTimerExpire, igmpTimerExpire } from './igmp-query.ts';
import type { InDevice } from './inetdevice.ts';
import { rtCacheFlush } from './rt-cache.ts';

/** The Ethernet address of a group (RFC 1112 §6.4): 01:00:5e and the low 23 bits. Fills `to`. */
export function ipEthMcMap(group: number, to: Uint8Array): void {
  to[0] = 0x01;
  to[1] = 0x00;
  to[2] = 0x5e;
  to[3] = (group >>> 16) & 0x7f;
  to[4] = group >>> 8;
  to[5] = group;
}

/** IGMP's part of a device; whoever makes the InDevice gives its timers their data. */
export function igmpStateNew(net: Net): IgmpState {
  return new IgmpState(timerSetup(net, igmpGqTimerExpire, null), timerSetup(net, igmpIfcTimerExpire, null));
}

/** The group on the device, or null. */
function mcFind(inDev: InDevice, group: number): IpMcList | null {
  for (let im = inDev.mcList; im !== null; im = im.next) {
    if (im.multiaddr === group) return im;
  }
  return null;
}

/** Whether the device of inDev listens to group, and to saddr as its source (0: to any). */
export function ipCheckMc(inDev: InDevice, group: number, saddr = 0): boolean {
  const im = mcFind(inDev, group);
  return im !== null && (saddr === 0 || mcFilterAllows(im.mode, im.sources, saddr));
}

/** One more user, of every source of group on the device. */
export function ipMcIncGroup(inDev: InDevice, group: number): void {
  ipMcAddMember(inDev, group, MC_ANY_SOURCE);
}

/** One user of ipMcIncGroup() less; with the last the device stops listening. */
export function ipMcDecGroup(inDev: InDevice, group: number): void {
  ipMcDelMember(inDev, group, MC_ANY_SOURCE);
}

/** One more member, which hears what filter says. The filter stays its own: ipMcMemberChanged() when it is another. */
export function ipMcAddMember(inDev: InDevice, group: number, filter: McFilter): void {
  let im = mcFind(inDev, group);
  if (im === null) {
    im = mcRevive(inDev, group);
    im.next = inDev.mcList;
    inDev.mcList = im;
    mcFilter(inDev, group, true);
  }
  im.members.push(filter);
  mcUpdate(inDev, im);
}

/** One member less; with the last the device stops listening. */
export function ipMcDelMember(inDev: InDevice, group: number, filter: McFilter): void {
  const im = mcFind(inDev, group);
  const at = im === null ? -1 : im.members.indexOf(filter);
  if (im === null || at < 0) return;
  im.members.splice(at, 1);
  mcUpdate(inDev, im);
  if (im.members.length > 0) return;
  inDev.mcList = mcUnlink(inDev.mcList, im);
  mcFilter(inDev, group, false);
  igmpGroupDropped(inDev, im);
}

/** The filter of a member has been changed. */
export function ipMcMemberChanged(inDev: InDevice, group: number): void {
  const im = mcFind(inDev, group);
  if (im !== null) mcUpdate(inDev, im);
}

function mcUnlink(list: IpMcList | null, im: IpMcList): IpMcList | null {
  if (list === im) return im.next;
  for (let at = list; at !== null; at = at.next) {
    if (at.next === im) at.next = im.next;
  }
  return list;
}

/** The group as it was left, if the routers have not been told of that in full, or a new one. */
function mcRevive(inDev: InDevice, group: number): IpMcList {
  for (let im = inDev.igmp.tomb; im !== null; im = im.next) {
    if (im.multiaddr !== group) continue;
    inDev.igmp.tomb = mcUnlink(inDev.igmp.tomb, im);
    return im;
  }
  const im = new IpMcList(group, timerSetup(inDev.net, igmpTimerExpire, null));
  im.timer.data = { inDev, im };
  return im;
}

/** The device begins or ends to listen: its filter follows, and routes to the group are made anew. */
function mcFilter(inDev: InDevice, group: number, on: boolean): void {
  const dev = inDev.dev;
  rtCacheFlush(inDev.net);
  if (dev.addrLen !== 6) return;
  const addr = new Uint8Array(6);
  ipEthMcMap(group, addr);
  if (on) devMcAdd(dev, addr);
  else devMcDel(dev, addr);
}

/** Whether routers are told of the group at all (RFC 3376 §5: never of 224.0.0.1). */
export function igmpIsReported(inDev: InDevice, group: number): boolean {
  if (group === INADDR_ALLHOSTS_GROUP || (inDev.dev.flags & IFF_LOOPBACK) !== 0) return false;
  return !ipv4IsLocalMulticast(group) || inDev.net.ipv4.sysctlIgmpLlmReports !== 0;
}

/** The members have changed: the device listens to what they come to now. */
function mcUpdate(inDev: InDevice, im: IpMcList): void {
  const now = mcMerge(im.members);
  const gone = sourcesMinus(im.sources, now.sources);
  const come = sourcesMinus(now.sources, im.sources);
  const modeChanged = now.mode !== im.mode;
  if (!modeChanged && gone.length === 0 && come.length === 0) return;
  const joined = im.mode === MCAST_INCLUDE && im.sources.length === 0;
  im.mode = now.mode;
  im.sources = now.sources;
  rtCacheFlush(inDev.net);
  if (!igmpIsReported(inDev, im.multiaddr) || (inDev.dev.flags & IFF_UP) === 0) return;
  const qrv = igmpQrv(inDev);
  if (modeChanged) im.modeCount = qrv;
  else for (const source of [...gone, ...come]) im.sourceCounts.set(source, qrv);
  igmpStateChanged(inDev, im, joined);
}

/** The routers are to be told of a change (RFC 3376 §5.1), or, if one is of an older version, of a group joined. */
function igmpStateChanged(inDev: InDevice, im: IpMcList, joined: boolean): void {
  const soon = (inDev.net.world.jiffies + 1) | 0;
  if (igmpV1Seen(inDev) || igmpV2Seen(inDev)) {
    im.modeCount = 0;
    im.sourceCounts.clear();
    if (!joined) return;
    im.unsolicitCount = igmpQrv(inDev);
    modTimer(im.timer, soon);
    return;
  }
  modTimer(inDev.igmp.ifcTimer, soon);
}

/** How often the routers are told of a change: the robustness variable. */
export function igmpQrv(inDev: InDevice): number {
  return inDev.igmp.qrv !== 0 ? inDev.igmp.qrv : inDev.net.ipv4.sysctlIgmpQrv;
}

/** The last member has left. The group rests in the tomb while reports of that are to be sent. */
function igmpGroupDropped(inDev: InDevice, im: IpMcList): void {
  delTimer(im.timer);
  const reporter = im.reporter;
  im.reporter = false;
  im.queried = null;
  if (!igmpIsReported(inDev, im.multiaddr) || (inDev.dev.flags & IFF_UP) === 0 || igmpV1Seen(inDev)) return;
  if (igmpV2Seen(inDev)) {
    if (reporter) igmpSendLeave(inDev, im.multiaddr);
    return;
  }
  if (im.modeCount === 0 && im.sourceCounts.size === 0) return;
  im.next = inDev.igmp.tomb;
  inDev.igmp.tomb = im;
}

/** The device is up: it listens to all hosts, and tells of the groups that it is in already. */
export function ipMcUp(inDev: InDevice): void {
  if (!ipCheckMc(inDev, INADDR_ALLHOSTS_GROUP)) ipMcIncGroup(inDev, INADDR_ALLHOSTS_GROUP);
  for (let im = inDev.mcList; im !== null; im = im.next) {
    if (!igmpIsReported(inDev, im.multiaddr)) continue;
    if (im.mode === MCAST_EXCLUDE) im.modeCount = igmpQrv(inDev);
    else for (const source of im.sources) im.sourceCounts.set(source, igmpQrv(inDev));
    igmpStateChanged(inDev, im, true);
  }
}

/** The device goes down: nothing more is said on its link, and nobody's version is known. */
export function ipMcDown(inDev: InDevice): void {
  const { igmp } = inDev;
  ipMcDecGroup(inDev, INADDR_ALLHOSTS_GROUP);
  for (let im = inDev.mcList; im !== null; im = im.next) mcQuiet(im);
  igmp.tomb = null;
  igmp.v1Seen = 0;
  igmp.v2Seen = 0;
  igmp.qrv = 0;
  igmp.qi = 0;
  delTimer(igmp.gqTimer);
  delTimer(igmp.ifcTimer);
}

/** The device goes for good. */
export function ipMcDestroyDev(inDev: InDevice): void {
  ipMcDown(inDev);
  inDev.mcList = null;
}

function mcQuiet(im: IpMcList): void {
  delTimer(im.timer);
  im.modeCount = 0;
  im.sourceCounts.clear();
  im.reporter = false;
  im.unsolicitCount = 0;
  im.queried = null;
}
