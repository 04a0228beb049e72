/*
 * The items of epoll (fs/eventpoll.c): how a file is watched, what a wake-up does (epPollCallback, softirq: the item goes
 * to the ready list and those who wait are woken), and how a closed file is forgotten. Calls are in eventpoll.ts.
 */
import { addWaitQueue, addWaitQueueExclusive, removeWaitQueue, WaitQueueEntry, waitqueueActive, wakeUp } from '@stack/kernel';
import type { WaitQueueHead } from '@stack/kernel';
import { Epitem } from './eventpoll-struct.ts';
import type { Eventpoll } from './eventpoll-struct.ts';
import type { File, PollTable } from './file.ts';
import { EPOLLET, EPOLLEXCLUSIVE, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLRDNORM, EPOLLWAKEUP } from './uapi-fs.ts';

/** Bits of `events` that are modes, not events. */
export const EP_PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;

/** Puts an item at the end of the ready list, if it is not on it. */
export function epReadyAdd(epi: Epitem): void {
  if (epi.onReadyList) return;
  const { ep } = epi;
  epi.onReadyList = true;
  epi.rdlPrev = ep.rdlLast;
  epi.rdlNext = null;
  if (ep.rdlLast === null) ep.rdlFirst = epi;
  else ep.rdlLast.rdlNext = epi;
  ep.rdlLast = epi;
}

export function epReadyDel(epi: Epitem): void {
  if (!epi.onReadyList) return;
  const { ep, rdlNext, rdlPrev } = epi;
  epi.onReadyList = false;
  if (rdlPrev === null) ep.rdlFirst = rdlNext;
  else rdlPrev.rdlNext = rdlNext;
  if (rdlNext === null) ep.rdlLast = rdlPrev;
  else rdlNext.rdlPrev = rdlPrev;
  epi.rdlNext = null;
  epi.rdlPrev = null;
}

/** Wakes those who wait for this epoll instance to have events. */
export function epWake(ep: Eventpoll): void {
  if (waitqueueActive(ep.wq)) wakeUp(ep.wq, EPOLLIN);
  if (waitqueueActive(ep.pollWait)) wakeUp(ep.pollWait, EPOLLIN | EPOLLRDNORM);
}

/** The events of an item that are true now, of those that it asks for. */
export function epItemPoll(epi: Epitem): number {
  return epi.file.fOp.poll(epi.file, null) & epi.events;
}

/** Wait-queue callback of every item. Returns 1 if an exclusive wake-up may stop here. */
function epPollCallback(entry: WaitQueueEntry, key: number): number {
  const epi = entry.data as Epitem;
  const { ep, events } = epi;
  // A one-shot item that has fired sleeps until EPOLL_CTL_MOD.
  if ((events & ~EP_PRIVATE_BITS) === 0) return 0;
  if (key !== 0 && (key & events) === 0) return 0;
  const waiting = waitqueueActive(ep.wq);
  epReadyAdd(epi);
  epWake(ep);
  if ((events & EPOLLEXCLUSIVE) === 0) return 1;
  return waiting && exclusiveServed(events, key) ? 1 : 0;
}

/** Does an exclusive item take a wake-up of this direction for itself? */
function exclusiveServed(events: number, key: number): boolean {
  const direction = key & (EPOLLIN | EPOLLOUT);
  return direction === 0 || (direction !== (EPOLLIN | EPOLLOUT) && (events & direction) !== 0);
}

/** The item's qproc: hangs it on one of the file's wait queues. */
function epPtableQueueProc(pt: PollTable, _file: File, wq: WaitQueueHead): void {
  const epi = pt as Epitem;
  const entry = new WaitQueueEntry(epi.ep.world, epPollCallback, epi);
  epi.waits.push(entry);
  if ((epi.events & EPOLLEXCLUSIVE) !== 0) addWaitQueueExclusive(wq, entry);
  else addWaitQueue(wq, entry);
}

/** The item of this instance that watches `fd`, referring to `file`; null if there is none. */
export function epFind(ep: Eventpoll, file: File, fd: number): Epitem | null {
  for (let epi = file.fEpLinks; epi !== null; epi = epi.fllink) {
    if (epi.ep === ep && epi.fd === fd) return epi;
  }
  return null;
}

/** Watches a file. */
export function epInsert(ep: Eventpoll, file: File, fd: number, events: number, data: unknown): void {
  const epi = new Epitem(ep, file, fd, epPtableQueueProc);
  epi.events = events;
  epi.data = data;
  epi.epNext = ep.items;
  if (ep.items !== null) ep.items.epPrev = epi;
  ep.items = epi;
  epi.fllink = file.fEpLinks;
  file.fEpLinks = epi;
  if ((file.fOp.poll(file, epi) & events) === 0) return;
  epReadyAdd(epi);
  epWake(ep);
}

/** Changes what an item asks for; arms a one-shot again. */
export function epModify(epi: Epitem, events: number, data: unknown): void {
  epi.events = events;
  epi.data = data;
  if (epItemPoll(epi) === 0) return;
  epReadyAdd(epi);
  epWake(epi.ep);
}

/** Forgets an item. */
export function epRemove(epi: Epitem): void {
  const { ep, file, epNext, epPrev } = epi;
  for (const entry of epi.waits) removeWaitQueue(entry);
  epReadyDel(epi);
  if (epPrev === null) ep.items = epNext;
  else epPrev.epNext = epNext;
  if (epNext !== null) epNext.epPrev = epPrev;
  if (file.fEpLinks === epi) {
    file.fEpLinks = epi.fllink;
    return;
  }
  for (let at = file.fEpLinks; at !== null; at = at.fllink) {
    if (at.fllink === epi) at.fllink = epi.fllink;
  }
}

/** The last descriptor of a watched file was closed: every instance forgets it (epoll(7), "Questions and answers"). */
export function eventpollReleaseFile(file: File): void {
  while (file.fEpLinks !== null) epRemove(file.fEpLinks);
}
