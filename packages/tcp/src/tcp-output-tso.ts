/*
 * How much leaves at once: the size of large sk_buffs, whether to wait for more, Nagle.
 *
 * Order of calls: tcpTsoSegs once per round; per sk_buff tcpNagleTest or tcpTsoShouldDefer, then tcpMssSplitPoint.
 * Read first: RFC 9293 §3.7.4; RFC 1122 §4.2.3.4.
 */
import type { SkBuff } from '@stack/skbuff';
import { SK_PACING_NONE } from '@stack/socket';
import { tcpMinRtt } from './tcp-input-rtt.ts';
import { tcpPacingSinceUs } from './tcp-output-pacing.ts';
import { tcpPacketsInFlight, tcpRtxQueueHead, tcpWndEnd } from './tcp-rtx-queue.ts';
import { TCPHDR_FIN, after, tcbEor, tcbSeq, tcbTcpFlags, tcpSkbTimestampUs } from './tcp-skb-cb.ts';
import { tcpIsMd5 } from './tcp-md5.ts';
import { TCP_CA_Recovery, TCP_NAGLE_CORK, TCP_NAGLE_PUSH } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** What tcpTsoShouldDefer decides. */
export const TSO_SEND_NOW = 0;
export const TSO_DEFER = 1;
export const TSO_DEFER_CWND_LIMITED = 2;
export const TSO_DEFER_RWND_LIMITED = 3;

/** TSO deferral only while the last send is younger than this, µs. */
const TSO_DEFER_MAX_US = 1000;

/** Segments of an sk_buff that carries about a millisecond at the pacing rate; more on paths with a short RTT. */
function tcpTsoAutosize(sk: TcpSock, mssNow: number, minTsoSegs: number): number {
  const max = sk.skGsoMaxSize;
  let bytes = Math.min(sk.skPacingRate / (1 << sk.skPacingShift), max);
  const r = tcpMinRtt(sk) >> sk.skNet.tcp.sysctlTcpTsoRttLog;
  if (r < 32) bytes = Math.min(bytes + (max >> r), max);
  return Math.max((bytes / mssNow) | 0, minTsoSegs);
}

/** Most segments of one sk_buff. */
export function tcpTsoSegs(sk: TcpSock, mssNow: number): number {
  // Each segment is signed by itself.
  if (tcpIsMd5(sk)) return 1;
  const ca = sk.icskCaOps;
  const min = ca.minTsoSegs !== null ? ca.minTsoSegs(sk) : sk.skNet.tcp.sysctlTcpMinTsoSegs;
  return Math.max(Math.min(tcpTsoAutosize(sk, mssNow, min), sk.skGsoMaxSegs), 1);
}

/** The last small segment is not acknowledged yet. */
function tcpMinshallCheck(sk: TcpSock): boolean {
  return after(sk.sndSml, sk.sndUna) && !after(sk.sndSml, sk.sndNxt);
}

/** True if a segment must wait: it is partial, and corked, or another small one is in flight. */
function tcpNagleCheck(sk: TcpSock, partial: boolean, nonagle: number): boolean {
  if (!partial) return false;
  return (nonagle & TCP_NAGLE_CORK) !== 0 || (nonagle === 0 && sk.packetsOut !== 0 && tcpMinshallCheck(sk));
}

/** True if Nagle lets skb go. */
export function tcpNagleTest(sk: TcpSock, skb: SkBuff, mssNow: number, nonagle: number): boolean {
  if ((nonagle & TCP_NAGLE_PUSH) !== 0) return true;
  // Urgent data and the FIN do not wait.
  if (sk.sndUna !== sk.sndUp || (tcbTcpFlags(skb) & TCPHDR_FIN) !== 0) return true;
  return !tcpNagleCheck(sk, skb.len < mssNow, nonagle);
}

/** Where to cut skb: at maxSegs, at the window, and at a whole segment if Nagle holds the rest. */
export function tcpMssSplitPoint(
  sk: TcpSock, skb: SkBuff, mssNow: number, maxSegs: number, nonagle: number,
): number {
  const window = (tcpWndEnd(sk) - tcbSeq(skb)) | 0;
  const maxLen = mssNow * maxSegs;
  const isTail = skb === sk.skWriteQueue.prev;
  if (maxLen <= window && !isTail) return maxLen;
  const needed = Math.min(skb.len, window);
  if (maxLen <= needed) return maxLen;
  const partial = needed % mssNow;
  return tcpNagleCheck(sk, partial !== 0, nonagle) ? needed - partial : needed;
}

/**
 * Should a large sk_buff wait for the next ACK, to become larger? Not if it is as large as may be, if a third of a
 * window is free, or if the ACK is not expected within a millisecond, or half a round trip.
 */
export function tcpTsoShouldDefer(sk: TcpSock, skb: SkBuff, maxSegs: number): number {
  if (sk.icskCaState >= TCP_CA_Recovery) return TSO_SEND_NOW;
  const last = sk.tsortedLast;
  const head = tcpRtxQueueHead(sk);
  if (last === null || head === null) return TSO_SEND_NOW;
  const since = sk.skPacingStatus === SK_PACING_NONE ? (sk.tcpMstamp - tcpSkbTimestampUs(last)) | 0 : tcpPacingSinceUs(sk);
  if (since >= TSO_DEFER_MAX_US) return TSO_SEND_NOW;

  const mss = sk.mssCache;
  const sendWin = (tcpWndEnd(sk) - tcbSeq(skb)) | 0;
  const congWin = (sk.sndCwnd - tcpPacketsInFlight(sk)) * mss;
  const limit = Math.min(sendWin, congWin);
  const isTail = skb === sk.skWriteQueue.prev;
  if (limit >= maxSegs * mss || (!isTail && limit >= skb.len)) return TSO_SEND_NOW;
  const divisor = sk.skNet.tcp.sysctlTcpTsoWinDivisor;
  if (divisor !== 0) {
    if (limit >= Math.floor(Math.min(sk.sndWnd, sk.sndCwnd * mss) / divisor)) return TSO_SEND_NOW;
  } else if (limit > 3 * mss) {
    return TSO_SEND_NOW;
  }
  // The next ACK is too far away. (Linux 6.18; older ones waited for half a round trip.)
  const srtt = sk.srttUs >> 3;
  const expected = (tcpSkbTimestampUs(head) + srtt - sk.tcpMstamp) | 0;
  if (expected > Math.min(srtt >> 1, TSO_DEFER_MAX_US)) return TSO_SEND_NOW;

  if (congWin < sendWin) {
    if (congWin <= skb.len) return TSO_DEFER_CWND_LIMITED;
  } else if (sendWin <= skb.len) {
    return TSO_DEFER_RWND_LIMITED;
  }
  if ((tcbTcpFlags(skb) & TCPHDR_FIN) !== 0 || tcbEor(skb)) return TSO_SEND_NOW;
  return TSO_DEFER;
}
