/*
 * What routers and other hosts say of groups: inet_protos' handler of IGMP.
 *
 * igmpRcv -> igmpHeardQuery (answered after a random part of the time that it gives: RFC 3376 §5.2)
 * or igmpHeardReport (of v1 and v2: then we need not say it). The version of the oldest querier
 * that was heard lately is spoken (RFC 3376 §7.2).
 */
import {
  HZ, SKB_DROP_REASON_IGMP_CSUM, SKB_DROP_REASON_NO_IN_DEVICE, SKB_DROP_REASON_PKT_TOO_SMALL, delTimer, modTimer,
  randomBelow, timerPending,
} from '@stack/kernel';
import type { TimerList } from '@stack/kernel';
import { PACKET_HOST } from '@stack/netdev';
import { consumeSkb, csumFold, kfreeSkbReason, pskbMayPull, skbChecksum, skbCsumUnnecessary } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { IpMcList } from './igmp-group.ts';
import { igmpIsReported, igmpQrv } from './igmp.ts';
import {
  IGMPV2_HOST_MEMBERSHIP_REPORT, IGMP_HOST_MEMBERSHIP_QUERY, IGMP_HOST_MEMBERSHIP_REPORT, igmpSendReport, igmpUnsolicitedDelay, igmpV1Seen, igmpV2Seen,
  igmpv3AnswerAll, igmpv3AnswerGroup, igmpv3ClearPending,
} from './igmp-report.ts';
import type { InDevice } from './inetdevice.ts';
import type { InetProtocol } from './protocol.ts';
import type { Rtable } from './rtable.ts';

/** Octets of a message of v1 or v2, and of a query of v3 without sources. */
const IGMP_HDR_LEN = 8;
const IGMPV3_QUERY_LEN = 12;
/** RFC 3376 §8.2, §8.3: what holds until a querier says otherwise; jiffies. */
const QUERY_INTERVAL = 125 * HZ;
const QUERY_RESPONSE_INTERVAL = 10 * HZ;

/** The handler: takes skb, data at the IGMP header. Returns 0. */
function igmpRcv(skb: SkBuff): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'igmp_rcv', skb);
  const inDev = skb.dev === null ? null : skb.dev.ipPtr;
  if (inDev === null) return igmpDrop(skb, SKB_DROP_REASON_NO_IN_DEVICE);
  if (!pskbMayPull(skb, IGMP_HDR_LEN)) return igmpDrop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
  if (!skbCsumUnnecessary(skb) && csumFold(skbChecksum(skb, 0, skb.len, 0)) !== 0) return igmpDrop(skb, SKB_DROP_REASON_IGMP_CSUM);
  switch (skb.view.getUint8(skb.data)) {
    case IGMP_HOST_MEMBERSHIP_QUERY:
      if (!igmpHeardQuery(inDev, skb)) return igmpDrop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
      break;
    case IGMP_HOST_MEMBERSHIP_REPORT:
    case IGMPV2_HOST_MEMBERSHIP_REPORT:
      // Our own comes back to us, and one to us alone was not heard by the routers.
      if ((skb.dst as Rtable | null)?.rtIsInput === true && skb.pktType !== PACKET_HOST) igmpHeardReport(inDev, skb.view.getInt32(skb.data + 4));
      break;
    default:
      break;
  }
  consumeSkb(skb);
  return 0;
}

function igmpDrop(skb: SkBuff, reason: number): number {
  kfreeSkbReason(skb, reason);
  return 0;
}

/** What inet_protos has for IPPROTO_IGMP. */
export const igmpProtocol: InetProtocol = { handler: igmpRcv, errHandler: null, flags: 0 };

/** RFC 2236 §3: another host has reported the group, so that our answer need not be sent. */
function igmpHeardReport(inDev: InDevice, group: number): void {
  if (!igmpIsReported(inDev, group)) return;
  for (let im = inDev.mcList; im !== null; im = im.next) {
    if (im.multiaddr !== group) continue;
    delTimer(im.timer);
    im.reporter = false;
    im.unsolicitCount = 0;
    return;
  }
}

/** RFC 3376 §4.1.1, §4.1.7: up to 128 as it is, above a floating-point number. */
function igmpv3Exp(code: number): number {
  return code < 128 ? code : ((code & 0x0f) | 0x10) << (((code >> 4) & 0x07) + 3);
}

/** Returns false if the query is not whole. */
function igmpHeardQuery(inDev: InDevice, skb: SkBuff): boolean {
  const { igmp } = inDev;
  const { view, data } = skb;
  const now = inDev.net.world.jiffies;
  const code = view.getUint8(data + 1);
  const group = view.getInt32(data + 4);
  if (skb.len === IGMP_HDR_LEN) return igmpHeardOldQuery(inDev, code, group);
  if (!pskbMayPull(skb, IGMPV3_QUERY_LEN)) return false;
  if (igmpV1Seen(inDev)) return igmpAsk(inDev, 0, null, QUERY_RESPONSE_INTERVAL);
  const maxDelay = Math.max(Math.floor((igmpv3Exp(code) * HZ) / 10), 1);
  if (igmpV2Seen(inDev)) return igmpAsk(inDev, group, null, maxDelay);
  const nsrcs = skb.view.getUint16(skb.data + 10);
  if (!pskbMayPull(skb, IGMPV3_QUERY_LEN + 4 * nsrcs)) return false;
  igmp.qrv = skb.view.getUint8(skb.data + 8) & 0x07;
  igmp.qi = igmpv3Exp(skb.view.getUint8(skb.data + 9)) * HZ;
  if (group === 0) {
    if (nsrcs !== 0) return false;
    if (!timerPending(igmp.gqTimer) || ((igmp.gqTimer.expires - now) | 0) > maxDelay) modTimer(igmp.gqTimer, (now + 1 + randomBelow(inDev.net.world.random, maxDelay)) | 0);
    return true;
  }
  const sources = nsrcs === 0 ? null : Array.from({ length: nsrcs }, (_, i) => skb.view.getInt32(skb.data + IGMPV3_QUERY_LEN + 4 * i));
  return igmpAsk(inDev, group, sources, maxDelay);
}

/** A query of v1 (code 0) or v2: its version is spoken from now on, for the older version querier present time-out (RFC 3376 §8.12). */
function igmpHeardOldQuery(inDev: InDevice, code: number, group: number): boolean {
  const { igmp } = inDev;
  const interval = igmp.qi !== 0 ? igmp.qi : QUERY_INTERVAL;
  const until = (inDev.net.world.jiffies + igmpQrv(inDev) * interval + QUERY_RESPONSE_INTERVAL) | 0;
  const v1 = code === 0;
  if (v1) igmp.v1Seen = until === 0 ? 1 : until;
  else igmp.v2Seen = until === 0 ? 1 : until;
  delTimer(igmp.gqTimer);
  delTimer(igmp.ifcTimer);
  igmpv3ClearPending(inDev);
  return v1 ? igmpAsk(inDev, 0, null, QUERY_RESPONSE_INTERVAL) : igmpAsk(inDev, group, null, Math.max(Math.floor((code * HZ) / 10), 1));
}

/** Each group asked for (0: all) answers within maxDelay jiffies, or sooner if it is about to anyhow. */
function igmpAsk(inDev: InDevice, group: number, sources: readonly number[] | null, maxDelay: number): boolean {
  for (let im = inDev.mcList; im !== null; im = im.next) {
    if ((group !== 0 && group !== im.multiaddr) || !igmpIsReported(inDev, im.multiaddr)) continue;
    if (!timerPending(im.timer)) im.queried = sources;
    else if (sources === null) im.queried = null;
    else if (im.queried !== null) im.queried = [...new Set([...im.queried, ...sources])];
    igmpModTimer(inDev, im, maxDelay);
  }
  return true;
}

function igmpModTimer(inDev: InDevice, im: IpMcList, maxDelay: number): void {
  const now = inDev.net.world.jiffies;
  im.unsolicitCount = 0;
  if (timerPending(im.timer) && ((im.timer.expires - now) | 0) < maxDelay) return;
  modTimer(im.timer, (now + 1 + randomBelow(inDev.net.world.random, maxDelay)) | 0);
}

/** im.timer: the answer about one group, or an unasked report of v1 or v2, which is repeated. */
export function igmpTimerExpire(timer: TimerList): void {
  const { inDev, im } = timer.data as { inDev: InDevice; im: IpMcList };
  if (igmpV1Seen(inDev) || igmpV2Seen(inDev)) {
    igmpSendReport(inDev, im.multiaddr);
    im.reporter = true;
    if (im.unsolicitCount > 0 && --im.unsolicitCount > 0) modTimer(timer, (inDev.net.world.jiffies + igmpUnsolicitedDelay(inDev)) | 0);
    return;
  }
  igmpv3AnswerGroup(inDev, im);
  im.queried = null;
}

/** igmp.gqTimer: the answer to a general query. */
export function igmpGqTimerExpire(timer: TimerList): void {
  igmpv3AnswerAll(timer.data as InDevice);
}
