/**
 * Wait queues: who sleeps on an event. An entry is a named function and an object; waking calls the function, which marks its
 * sleeper or schedules its work and returns. It never runs user code.
 */
import type { World } from './world.ts';

/** Of the exclusive entries a wake-up wakes one; of the others all. */
export const WQ_FLAG_EXCLUSIVE = 1;

/** Events in a wake-up's key, as poll and epoll number them. */
export const EPOLLIN = 0x001;
export const EPOLLPRI = 0x002;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLNVAL = 0x020;
export const EPOLLRDNORM = 0x040;
export const EPOLLRDBAND = 0x080;
export const EPOLLWRNORM = 0x100;
export const EPOLLWRBAND = 0x200;
export const EPOLLMSG = 0x400;
export const EPOLLRDHUP = 0x2000;

/**
 * Called by a wake-up with its key (a mask of EPOLL… bits, 0 for any). May remove its own entry, no other. Returns > 0 if it woke
 * somebody, 0 if the key is not for it, < 0 to end the wake-up.
 */
export type WaitQueueFunction = (entry: WaitQueueEntry, key: number) => number;

export class WaitQueueHead {
  first: WaitQueueEntry | null;
  last: WaitQueueEntry | null;

  constructor() {
    this.first = null;
    this.last = null;
  }
}

export class WaitQueueEntry {
  prev: WaitQueueEntry | null;
  next: WaitQueueEntry | null;
  /** The queue it is on; null if on none. */
  head: WaitQueueHead | null;
  flags: number;
  world: World;
  func: WaitQueueFunction;
  /** The object that `func` works on. */
  data: unknown;
  /** When it was last woken, in ns; -1 if never. */
  wokenAt: number;

  constructor(world: World, func: WaitQueueFunction, data: unknown) {
    this.prev = null;
    this.next = null;
    this.head = null;
    this.flags = 0;
    this.world = world;
    this.func = func;
    this.data = data;
    this.wokenAt = -1;
  }
}

/** Puts an entry that is on no queue in front; every wake-up calls it. */
export function addWaitQueue(head: WaitQueueHead, entry: WaitQueueEntry): void {
  if (entry.head !== null) throw new Error('addWaitQueue: the entry is on a queue');
  entry.flags &= ~WQ_FLAG_EXCLUSIVE;
  entry.head = head;
  entry.next = head.first;
  if (head.first !== null) head.first.prev = entry;
  else head.last = entry;
  head.first = entry;
}

/** Puts an entry that is on no queue behind; a wake-up calls those in turn until one was woken. */
export function addWaitQueueExclusive(head: WaitQueueHead, entry: WaitQueueEntry): void {
  if (entry.head !== null) throw new Error('addWaitQueueExclusive: the entry is on a queue');
  entry.flags |= WQ_FLAG_EXCLUSIVE;
  entry.head = head;
  entry.prev = head.last;
  if (head.last !== null) head.last.next = entry;
  else head.first = entry;
  head.last = entry;
}

/** Takes an entry off the queue it is on, if any. */
export function removeWaitQueue(entry: WaitQueueEntry): void {
  const { head, prev, next } = entry;
  if (head === null) return;
  if (prev !== null) prev.next = next;
  else head.first = next;
  if (next !== null) next.prev = prev;
  else head.last = prev;
  entry.head = null;
  entry.prev = null;
  entry.next = null;
}

/** Wakes all that are not exclusive and `exclusive` of those that are (all if 0). Returns how many functions said > 0. */
function wakeUpCommon(head: WaitQueueHead, key: number, exclusive: number): number {
  let woken = 0;
  let left = exclusive;
  for (let entry = head.first; entry !== null; ) {
    const next: WaitQueueEntry | null = entry.next;
    const flags = entry.flags;
    entry.wokenAt = entry.world.now;
    const result = entry.func(entry, key);
    if (result < 0) break;
    if (result > 0) {
      woken++;
      if ((flags & WQ_FLAG_EXCLUSIVE) !== 0 && --left === 0) break;
    }
    if (next !== null && next.head !== head) throw new Error('wakeUp: an entry was removed by another');
    entry = next;
  }
  return woken;
}

/** Wakes all sleepers that are not exclusive, and one that is. Returns how many. */
export function wakeUp(head: WaitQueueHead, key = 0): number {
  return head.first === null ? 0 : wakeUpCommon(head, key, 1);
}

/** Wakes all. Returns how many. */
export function wakeUpAll(head: WaitQueueHead, key = 0): number {
  return head.first === null ? 0 : wakeUpCommon(head, key, 0);
}

/** Whether anybody waits. */
export function waitqueueActive(head: WaitQueueHead): boolean {
  return head.first !== null;
}
