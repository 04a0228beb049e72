/*
 * The SYN queue: requests stand in ehash, each with a timer that sends its SYN-ACK again
 * (inetCskReqskQueueHashAdd → reqskTimerHandler …) until the handshake completes or it is dropped.
 *
 * RFC 9293 §3.8.3; the number of retries shrinks while the queue fills with old requests.
 */
import { delTimer, modTimer, timerSetup } from '@stack/kernel';
import type { TimerList } from '@stack/kernel';
import { TCP_LISTEN, TCP_NEW_SYN_RECV } from '@stack/socket';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import { inetEhashAdd, inetEhashDel } from './inet-hashtables.ts';
import { SK_IN_EHASH } from './inet-sock.ts';
import type { SockCommon } from './inet-sock.ts';
import { RequestSockQueue, reqskQueueAdded, reqskQueueRemoved } from './request-sock.ts';
import type { RequestSock } from './request-sock.ts';

/** The longest time between two SYN-ACKs of a request, jiffies (TCP_RTO_MAX). */
export const REQSK_TIMEOUT_MAX = 120_000;

/** Requests that a listener's SYN queue holds. */
export function inetCskReqskQueueLen(sk: InetConnectionSock): number {
  return sk.icskAcceptQueue === null ? 0 : sk.icskAcceptQueue.qlen;
}

/** The SYN queue holds as many requests as the backlog says, and one: that of a backlog of 0. */
export function inetCskReqskQueueIsFull(sk: InetConnectionSock): boolean {
  return inetCskReqskQueueLen(sk) > sk.skMaxAckBacklog;
}

function requestQueue(sk: InetConnectionSock): RequestSockQueue {
  if (sk.icskAcceptQueue === null) sk.icskAcceptQueue = new RequestSockQueue();
  return sk.icskAcceptQueue;
}

/** Sends the SYN-ACK again; counts it. 0 or -errno. */
export function inetRtxSynAck(parent: InetConnectionSock, req: RequestSock): number {
  const err = req.rskOps.rtxSynAck(parent, req);
  if (err === 0) req.numRetrans++;
  return err;
}

/** Jiffies until the next SYN-ACK of a request. */
export function reqskTimeout(req: RequestSock, maxTimeout: number): number {
  return Math.min(req.timeout * 2 ** req.numTimeout, maxTimeout);
}

/**
 * Puts a request into the SYN queue of its listener (rskListener) and arms its timer, `timeout` jiffies. False,
 * and nothing done, when its four-tuple is in ehash already.
 */
export function inetCskReqskQueueHashAdd(sk: InetConnectionSock, req: RequestSock, timeout: number): boolean {
  const hashinfo = sk.afSpecific.hashinfo(sk.skNet);
  req.skHash = sk.afSpecific.ehashfn(req);
  req.skState = TCP_NEW_SYN_RECV;
  for (let other: SockCommon | null = hashinfo.ehash[req.skHash & hashinfo.ehashMask] ?? null; other !== null; other = other.nullsNext) {
    if (other.skHash === req.skHash && sk.afSpecific.match(req, other)) return false;
  }
  req.timeout = timeout;
  inetEhashAdd(hashinfo, req);
  req.rskTimer = timerSetup(sk.skNet, reqskTimerHandler, req);
  modTimer(req.rskTimer, (sk.skNet.world.jiffies + timeout) | 0);
  reqskQueueAdded(requestQueue(sk));
  return true;
}

/** Takes a request out of the SYN queue; it lives on. False when it was not in. */
export function inetCskReqskQueueUnlink(sk: InetConnectionSock, req: RequestSock): boolean {
  if (req.rskTimer !== null) delTimer(req.rskTimer);
  if (req.hashedIn !== SK_IN_EHASH) return false;
  inetEhashDel(sk.afSpecific.hashinfo(sk.skNet), req);
  reqskQueueRemoved(requestQueue(sk), req);
  return true;
}

/** The request became a child, which has already taken its place in ehash: counts it out and stops its timer. */
export function inetCskReqskQueueRemoved(sk: InetConnectionSock, req: RequestSock): void {
  if (req.rskTimer !== null) delTimer(req.rskTimer);
  reqskQueueRemoved(requestQueue(sk), req);
}

/** Frees a request that is in no queue. */
export function reqskFree(req: RequestSock): void {
  req.rskOps.destructor(req);
  req.rskListener = null;
}

/** Takes a request out of the SYN queue and frees it. False when it was not in. */
export function inetCskReqskQueueDrop(sk: InetConnectionSock, req: RequestSock): boolean {
  const unlinked = inetCskReqskQueueUnlink(sk, req);
  if (unlinked) reqskFree(req);
  return unlinked;
}

/** How many SYN-ACKs to a request this listener sends: fewer while old requests fill half of its queue. */
function maxSynAckRetries(sk: InetConnectionSock, queue: RequestSockQueue, req: RequestSock): number {
  let max = req.rskOps.synAckRetries(sk);
  if (queue.qlen * 2 <= Math.max(8, sk.skMaxAckBacklog)) return max;
  let young = queue.young * 2;
  while (max > 2 && queue.qlen >= young) {
    max--;
    young *= 2;
  }
  return max;
}

/** Whether the request has had its time. With TCP_DEFER_ACCEPT an acknowledged one waits for data longer. */
function reqskExpired(req: RequestSock, queue: RequestSockQueue, maxRetries: number): boolean {
  const defer = queue.rskqDeferAccept;
  if (req.numTimeout < maxRetries) return false;
  return defer === 0 || !req.acked || req.numTimeout >= defer;
}

/** Whether the SYN-ACK goes out again now: not while an acknowledged request waits for data. */
function reqskResend(req: RequestSock, queue: RequestSockQueue): boolean {
  const defer = queue.rskqDeferAccept;
  return defer === 0 || !req.acked || req.numTimeout >= defer - 1;
}

function reqskTimerHandler(timer: TimerList): void {
  const req = timer.data as RequestSock;
  const sk = req.rskListener;
  if (sk === null) return;
  if (sk.skState !== TCP_LISTEN) {
    inetCskReqskQueueDrop(sk, req);
    return;
  }
  const queue = requestQueue(sk);
  const expire = reqskExpired(req, queue, maxSynAckRetries(sk, queue, req));
  req.rskOps.synAckTimeout(req);
  if (!expire && (!reqskResend(req, queue) || inetRtxSynAck(sk, req) === 0 || req.acked)) {
    if (req.numTimeout++ === 0) queue.young--;
    modTimer(timer, (sk.skNet.world.jiffies + reqskTimeout(req, REQSK_TIMEOUT_MAX)) | 0);
    return;
  }
  inetCskReqskQueueDrop(sk, req);
}

/** Drops all requests of a listener that stops. */
export function inetCskReqskQueueDropAll(sk: InetConnectionSock): void {
  if (inetCskReqskQueueLen(sk) === 0) return;
  for (const first of sk.afSpecific.hashinfo(sk.skNet).ehash) {
    let entry = first;
    while (entry !== null) {
      const next: SockCommon | null = entry.nullsNext;
      if (entry.skState === TCP_NEW_SYN_RECV && (entry as RequestSock).rskListener === sk) {
        inetCskReqskQueueDrop(sk, entry as RequestSock);
      }
      entry = next;
    }
  }
}
