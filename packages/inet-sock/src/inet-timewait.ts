/*
 * The life of a time-wait sock: inetTwskAlloc → inetTwskHashdance (it takes the full sock's place
 * in ehash and its share of the port) → inetTwskSchedule / inetTwskReschedule → timer, or
 * inetTwskDescheduePut when a new connection takes the four-tuple over.
 *
 * The timer is deferrable: virtual time never advances just to end TIME_WAIT.
 */
import { HZ, delTimer, modTimer, timerSetup, TIMER_DEFERRABLE } from '@stack/kernel';
import type { TimerList } from '@stack/kernel';
import { TCP_TIME_WAIT } from '@stack/socket';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import type { InetHashinfo } from './inet-hashinfo.ts';
import { inetBindBucketDestroy, inetEhashAdd, inetEhashDel } from './inet-hashtables.ts';
import type { InetTimewaitSock } from './inet-timewait-sock.ts';

/** Fills a fresh time-wait sock from the connection it follows. `state` is the substate. */
export function inetTwskInit(tw: InetTimewaitSock, sk: InetConnectionSock, state: number): void {
  tw.skFamily = sk.skFamily;
  tw.skState = TCP_TIME_WAIT;
  tw.twSubstate = state;
  tw.twReuse = sk.skReuse;
  tw.twReuseport = sk.skReuseport;
  tw.twTos = sk.tos;
  tw.twMark = sk.skMark;
  tw.twPriority = sk.skPriority;
  sk.afSpecific.copyKey(sk, tw);
  tw.twTimer = timerSetup(sk.skNet, twTimerHandler, tw, TIMER_DEFERRABLE);
}

function twHashinfo(tw: InetTimewaitSock): InetHashinfo {
  return tw.twAfSpecific.hashinfo(tw.skNet);
}

/** A new time-wait sock is allowed: fewer than net.ipv4.tcp_max_tw_buckets exist. */
export function inetTwskAllowed(hashinfo: InetHashinfo): boolean {
  return hashinfo.twCount < hashinfo.sysctlMaxTwBuckets;
}

/** tw takes sk's place in ehash, and a share of its local port. */
export function inetTwskHashdance(tw: InetTimewaitSock, sk: InetConnectionSock): void {
  const hashinfo = twHashinfo(tw);
  const tb = sk.icskBindHash;
  if (tb !== null) {
    tw.twTb = tb;
    tw.twBindNext = tb.deathrow;
    if (tb.deathrow !== null) tb.deathrow.twBindPrev = tw;
    tb.deathrow = tw;
  }
  inetEhashDel(hashinfo, sk);
  inetEhashAdd(hashinfo, tw);
  hashinfo.twCount++;
}

/** Arms the timer for the first time: the rest lasts `timeo` jiffies. */
export function inetTwskSchedule(tw: InetTimewaitSock, timeo: number): void {
  tw.twKill = timeo <= 4 * HZ;
  if (tw.twTimer !== null) modTimer(tw.twTimer, (tw.skNet.world.jiffies + timeo) | 0);
}

/** Starts the rest anew, as a retransmitted FIN asks for. */
export function inetTwskReschedule(tw: InetTimewaitSock, timeo: number): void {
  tw.twKill = timeo <= 4 * HZ;
  if (tw.twTimer !== null) modTimer(tw.twTimer, (tw.skNet.world.jiffies + timeo) | 0);
}

/** Gives the port up. */
export function inetTwskBindUnhash(tw: InetTimewaitSock, hashinfo: InetHashinfo): void {
  const tb = tw.twTb;
  if (tb === null) return;
  if (tw.twBindPrev !== null) tw.twBindPrev.twBindNext = tw.twBindNext;
  else tb.deathrow = tw.twBindNext;
  if (tw.twBindNext !== null) tw.twBindNext.twBindPrev = tw.twBindPrev;
  tw.twBindNext = null;
  tw.twBindPrev = null;
  tw.twTb = null;
  inetBindBucketDestroy(hashinfo, tb);
}

/** Ends it: out of ehash (if still in), port given up. */
export function inetTwskKill(tw: InetTimewaitSock): void {
  const hashinfo = twHashinfo(tw);
  inetEhashDel(hashinfo, tw);
  inetTwskBindUnhash(tw, hashinfo);
  hashinfo.twCount--;
}

/** Ends it before its time. Safe to call again. */
export function inetTwskDeschedulePut(tw: InetTimewaitSock): void {
  if (tw.twTimer === null || !delTimer(tw.twTimer)) return;
  inetTwskKill(tw);
}

function twTimerHandler(timer: TimerList): void {
  const tw = timer.data as InetTimewaitSock;
  const hashinfo = twHashinfo(tw);
  hashinfo.twskOps.twskExpired(tw);
  inetTwskKill(tw);
}

/** Ends all time-wait socks: their Net goes. */
export function inetTwskPurge(hashinfo: InetHashinfo): void {
  for (const first of hashinfo.ehash) {
    let sk = first;
    while (sk !== null) {
      const next = sk.nullsNext;
      if (sk.skState === TCP_TIME_WAIT) inetTwskDeschedulePut(sk as InetTimewaitSock);
      sk = next;
    }
  }
}
