/*
 * Listeners: inetCskListenStart and inetCskListenStop, and the accept queue between them
 * (inetCskReqskQueueAdd from the handshake's last ACK, inetCskAccept from accept(2)).
 */
import { EADDRINUSE, EAGAIN, EINVAL } from '@stack/kernel';
import {
  O_NONBLOCK, TCP_CLOSE, TCP_LISTEN, lockSock, releaseSock, skDstReset, sockHold, sockOrphan, sockPut,
} from '@stack/socket';
import type { ProtoAcceptArg, Sock } from '@stack/socket';
import { inetCsk } from './inet-connection-sock.ts';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import { inetCskDelackInit } from './inet-csk-timer.ts';
import { inetCskDestroySock } from './inet-csk-destroy.ts';
import { inetCskReqskQueueDropAll, reqskFree } from './inet-csk-reqsk.ts';
import { RequestSockQueue } from './request-sock.ts';
import type { RequestSock } from './request-sock.ts';

/** The accept queue and counters of a listener; made when missing. */
export function inetCskAcceptQueue(sk: InetConnectionSock): RequestSockQueue {
  if (sk.icskAcceptQueue === null) sk.icskAcceptQueue = new RequestSockQueue();
  return sk.icskAcceptQueue;
}

/** More children wait for accept() than the backlog allows. */
export function skAcceptqIsFull(sk: Sock): boolean {
  return sk.skAckBacklog > sk.skMaxAckBacklog;
}

/** Makes a bound (or, with port 0, any) sock a listener. skMaxAckBacklog is set by the caller. 0 or -EADDRINUSE. */
export function inetCskListenStart(sk: InetConnectionSock): number {
  inetCskAcceptQueue(sk);
  sk.skAckBacklog = 0;
  inetCskDelackInit(sk);
  // From here on a second sock cannot share the port as if nobody listened.
  sk.skState = TCP_LISTEN;
  const getPort = sk.skProt.getPort;
  const hash = sk.skProt.hash;
  if (getPort === null || hash === null) return -EADDRINUSE;
  let err = getPort(sk, sk.inetNum);
  if (err === 0) {
    sk.inetSport = sk.inetNum;
    skDstReset(sk);
    err = hash(sk);
    if (err === 0) return 0;
  }
  sk.skState = TCP_CLOSE;
  return err < 0 ? err : -EADDRINUSE;
}

/** A child goes to the accept queue, req being its link. The child's reference passes to the queue. */
export function inetCskReqskQueueAdd(sk: InetConnectionSock, req: RequestSock, child: InetConnectionSock): InetConnectionSock | null {
  const queue = inetCskAcceptQueue(sk);
  if (sk.skState !== TCP_LISTEN) {
    inetChildForget(req, child);
    return null;
  }
  req.sk = child;
  req.dlNext = null;
  if (queue.rskqAcceptTail === null) queue.rskqAcceptHead = req;
  else queue.rskqAcceptTail.dlNext = req;
  queue.rskqAcceptTail = req;
  sk.skAckBacklog++;
  return child;
}

/** Takes the oldest child's request off the accept queue, or null. */
export function reqskQueueRemove(queue: RequestSockQueue, parent: InetConnectionSock): RequestSock | null {
  const req = queue.rskqAcceptHead;
  if (req === null) return null;
  queue.rskqAcceptHead = req.dlNext;
  if (queue.rskqAcceptHead === null) queue.rskqAcceptTail = null;
  req.dlNext = null;
  parent.skAckBacklog--;
  return req;
}

/** Proto.accept: the oldest established child, its reference now the caller's; or null and arg.err (-EAGAIN: none yet). */
export function inetCskAccept(sock: Sock, arg: ProtoAcceptArg): InetConnectionSock | null {
  const sk = inetCsk(sock);
  if (sk.skState !== TCP_LISTEN) {
    arg.err = -EINVAL;
    return null;
  }
  const req = reqskQueueRemove(inetCskAcceptQueue(sk), sk);
  if (req === null) {
    arg.err = -EAGAIN;
    return null;
  }
  const child = req.sk as InetConnectionSock;
  req.sk = null;
  // A child of Fast Open frees it when its handshake is complete.
  if (!req.tfoListener) reqskFree(req);
  return child;
}

/** A child that nobody will accept: reset and gone. The queue's reference goes with it. */
function inetChildForget(req: RequestSock, child: InetConnectionSock): void {
  const disconnect = child.skProt.disconnect;
  if (disconnect !== null) disconnect(child, O_NONBLOCK);
  sockOrphan(child);
  child.afSpecific.hashinfo(child.skNet).orphanCount++;
  inetCskDestroySock(child);
  req.sk = null;
}

/** A listener stops: its requests are dropped, children nobody accepted are reset. */
export function inetCskListenStop(sk: InetConnectionSock): void {
  const queue = sk.icskAcceptQueue;
  if (queue === null) return;
  inetCskReqskQueueDropAll(sk);
  for (let req = reqskQueueRemove(queue, sk); req !== null; req = reqskQueueRemove(queue, sk)) {
    const child = req.sk as InetConnectionSock;
    lockSock(child);
    sockHold(child);
    inetChildForget(req, child);
    releaseSock(child);
    sockPut(child);
    reqskFree(req);
  }
  sk.skAckBacklog = 0;
}
