/*
 * The timers of a connection: one for retransmission, probes and reordering (icskPending says what
 * it is armed for), one for delayed ACKs, one for keepalive.
 *
 * Deviation: clearing stops a timer at once. Linux leaves it to fire and find nothing to do, which
 * would hold virtual time and idle() up.
 */
import { TIMER_DEFERRABLE, delTimer, modTimer, timerSetup } from '@stack/kernel';
import type { TimerList } from '@stack/kernel';
import { ICSK_ACK_TIMER, ICSK_TIME_DACK } from './inet-connection-sock.ts';
import type { InetConnectionSock } from './inet-connection-sock.ts';

function stop(timer: TimerList | null): void {
  if (timer !== null) delTimer(timer);
}

/** Stops all three. */
export function inetCskClearXmitTimers(sk: InetConnectionSock): void {
  sk.icskPending = 0;
  sk.icskAckPending = 0;
  stop(sk.icskRetransmitTimer);
  stop(sk.icskDelackTimer);
  stop(sk.skTimer);
}

/** Arms the retransmit timer for a tick; icskPending and icskTimeout are the caller's. */
export function inetCskArmRetransmit(sk: InetConnectionSock, expires: number): void {
  sk.icskRetransmitTimer ??= timerSetup(sk.skNet, sk.afSpecific.hashinfo(sk.skNet).timerOps.writeTimer, sk);
  modTimer(sk.icskRetransmitTimer, expires);
}

/** Arms the delayed-ACK timer for a tick; icskAckPending and icskAckTimeout are the caller's. */
export function inetCskArmDelack(sk: InetConnectionSock, expires: number): void {
  sk.icskDelackTimer ??= timerSetup(sk.skNet, sk.afSpecific.hashinfo(sk.skNet).timerOps.delackTimer, sk);
  modTimer(sk.icskDelackTimer, expires);
}

/** Stops the timer that `what` (ICSK_TIME_*) uses. */
export function inetCskClearXmitTimer(sk: InetConnectionSock, what: number): void {
  if (what === ICSK_TIME_DACK) {
    sk.icskAckPending = 0;
    sk.icskAckRetry = 0;
    stop(sk.icskDelackTimer);
    return;
  }
  sk.icskPending = 0;
  stop(sk.icskRetransmitTimer);
}

/** Arms the timer of `what` to fire in `when` jiffies, maxWhen at most. */
export function inetCskResetXmitTimer(sk: InetConnectionSock, what: number, when: number, maxWhen: number): void {
  const expires = (sk.skNet.world.jiffies + (when > maxWhen ? maxWhen : when)) | 0;
  if (what === ICSK_TIME_DACK) {
    sk.icskAckPending |= ICSK_ACK_TIMER;
    sk.icskAckTimeout = expires;
    inetCskArmDelack(sk, expires);
    return;
  }
  sk.icskPending = what;
  sk.icskTimeout = expires;
  inetCskArmRetransmit(sk, expires);
}

/** Arms the keepalive timer. */
export function inetCskResetKeepaliveTimer(sk: InetConnectionSock, len: number): void {
  sk.skTimer ??= timerSetup(sk.skNet, sk.afSpecific.hashinfo(sk.skNet).timerOps.keepaliveTimer, sk, TIMER_DEFERRABLE);
  modTimer(sk.skTimer, (sk.skNet.world.jiffies + len) | 0);
}

/** Stops the keepalive timer. */
export function inetCskDeleteKeepaliveTimer(sk: InetConnectionSock): void {
  stop(sk.skTimer);
}

/** The retransmission timeout with backoff, maxWhen at most (jiffies). */
export function inetCskRtoBackoff(sk: InetConnectionSock, maxWhen: number): number {
  const when = sk.icskRto * 2 ** sk.icskBackoff;
  return when > maxWhen ? maxWhen : when;
}

/** An ACK is owed. */
export function inetCskScheduleAck(sk: InetConnectionSock): void {
  sk.icskAckPending |= 1;
}

/** Whether an ACK is owed. */
export function inetCskAckScheduled(sk: InetConnectionSock): boolean {
  return (sk.icskAckPending & 1) !== 0;
}

/** Forgets everything about delayed ACKs. */
export function inetCskDelackInit(sk: InetConnectionSock): void {
  sk.icskAckPending = 0;
  sk.icskAckQuick = 0;
  sk.icskAckPingpong = 0;
  sk.icskAckRetry = 0;
  sk.icskAckAto = 0;
  sk.icskAckTimeout = 0;
  sk.icskAckLrcvtime = 0;
  sk.icskAckLastSegSize = 0;
  sk.icskAckRcvMss = 0;
}

/** icskAckPingpong from which on a session counts as interactive: ACKs wait for data to ride on. */
export const TCP_PINGPONG_THRESH = 1;

/** Makes the session interactive. */
export function inetCskEnterPingpongMode(sk: InetConnectionSock): void {
  sk.icskAckPingpong = TCP_PINGPONG_THRESH;
}

/** Makes it one-way. */
export function inetCskExitPingpongMode(sk: InetConnectionSock): void {
  sk.icskAckPingpong = 0;
}

/** Whether it is interactive. */
export function inetCskInPingpongMode(sk: InetConnectionSock): boolean {
  return sk.icskAckPingpong >= TCP_PINGPONG_THRESH;
}

/** One more answer with data; 255 at most. */
export function inetCskIncPingpongCnt(sk: InetConnectionSock): void {
  if (sk.icskAckPingpong < 255) sk.icskAckPingpong++;
}
