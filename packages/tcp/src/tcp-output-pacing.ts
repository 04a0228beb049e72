/*
 * Pacing: segments leave one after the other at skPacingRate, each with its earliest departure time. An fq below keeps to
 * it; without one, the engine sends nothing before it (internal pacing). Socks that nobody paces pay one comparison.
 *
 * Order of calls: tcpWriteXmit, tcpXmitRetransmitQueue → tcpPacingCheck; tcpTransmitSkb → tcpPacingStamp … tcpPacingSent;
 * the timer → tcpPaceKick → tcpTsqHandler. Times in ns of the World's clock.
 * Read first: draft-cardwell-iccrg-bbr-congestion-control-00 §4.2.2; RFC 9002 §7.7.
 */
import { NSEC_PER_JIFFY, NSEC_PER_SEC, hrtimerActive, hrtimerCancel, hrtimerSetup, hrtimerStart } from '@stack/kernel';
import type { Hrtimer } from '@stack/kernel';
import type { SkBuff } from '@stack/skbuff';
import { SK_PACING_NEEDED, SK_PACING_NONE, SK_PACING_UNLIMITED, sockHold, sockPut } from '@stack/socket';
import { TCP_INIT_CWND } from './tcp-consts.ts';
import { tcpTsqHandler } from './tcp-output-tsq.ts';
import { tcpRare } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** What a sock has that is paced. */
export class TcpPacing {
  /** When the next segment may leave; never behind the clock once something was sent. */
  wstampNs: number;
  /** wstampNs before the segment that is being sent. */
  priorWstamp: number;
  timer: Hrtimer;

  constructor(sk: TcpSock) {
    this.wstampNs = 0;
    this.priorWstamp = 0;
    this.timer = hrtimerSetup(sk.skNet, tcpPaceKick, sk);
  }
}

function tcpPacing(sk: TcpSock): TcpPacing {
  const rare = tcpRare(sk);
  rare.pacing ??= new TcpPacing(sk);
  return rare.pacing;
}

/** A segment of a paced sock is being sent. @returns its departure time */
export function tcpPacingStamp(sk: TcpSock): number {
  const pacing = tcpPacing(sk);
  pacing.priorWstamp = pacing.wstampNs;
  pacing.wstampNs = Math.max(pacing.wstampNs, sk.skNet.world.now);
  return pacing.wstampNs;
}

/** skb, of the queue, was sent: the next one waits for as long as it takes at the rate; less, if this one was late. */
export function tcpPacingSent(sk: TcpSock, skb: SkBuff): void {
  const rate = sk.skPacingRate;
  // The initial window is not paced.
  if (rate === 0 || rate >= SK_PACING_UNLIMITED || sk.dataSegsOut >>> 0 < TCP_INIT_CWND) return;
  const pacing = tcpPacing(sk);
  let len = Math.floor((skb.len * NSEC_PER_SEC) / rate);
  const credit = pacing.wstampNs - pacing.priorWstamp;
  len -= Math.min(Math.floor(len / 2), credit);
  pacing.wstampNs += len;
}

/** Must the next segment wait for its time? Then the timer is armed. */
export function tcpPacingCheck(sk: TcpSock): boolean {
  if (sk.skPacingStatus !== SK_PACING_NEEDED) return false;
  const pacing = tcpPacing(sk);
  if (pacing.wstampNs <= sk.skNet.world.now) return false;
  if (!hrtimerActive(pacing.timer)) {
    sockHold(sk);
    hrtimerStart(pacing.timer, pacing.wstampNs);
  }
  return true;
}

/** Jiffies until the next segment may leave: timers that wait for its answer wait so much longer. */
export function tcpPacingDelay(sk: TcpSock): number {
  if (sk.skPacingStatus === SK_PACING_NONE) return 0;
  const pacing = sk.rare === null ? null : sk.rare.pacing;
  const delay = pacing === null ? 0 : pacing.wstampNs - sk.skNet.world.now;
  return delay > 0 ? Math.floor(delay / NSEC_PER_JIFFY) : 0;
}

/** µs since the last segment left, or was to leave: tcpTsoShouldDefer's measure of a burst. */
export function tcpPacingSinceUs(sk: TcpSock): number {
  return (sk.skNet.world.now - tcpPacing(sk).wstampNs) / 1000;
}

/** The time has come. */
function tcpPaceKick(timer: Hrtimer): void {
  const sk = timer.data as TcpSock;
  tcpTsqHandler(sk);
  sockPut(sk);
}

/** The connection is over: the timer gives its reference back. */
export function tcpPacingStop(sk: TcpSock): void {
  const pacing = sk.rare === null ? null : sk.rare.pacing;
  if (pacing !== null && hrtimerCancel(pacing.timer)) sockPut(sk);
}
