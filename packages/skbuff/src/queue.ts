// Queues of sk_buffs (sk_buff_head; net/core/skbuff.c).
//
// A queue is a doubly linked list that ends in null at both ends; skb.list says which one a sk_buff is on. A queue owns
// what is on it. Walk one with `for (skb = list.next; skb !== null; skb = skb.next)`; read skb.next before unlinking.
// (The kernel's __ forms leave the locking to the caller. Here they leave the check to the caller.)

import { consumeSkb, kfreeSkbReason } from './alloc.ts';
import { skbUseAfterFree } from './debug.ts';
import type { SkBuff, SkBuffHead } from './sk-buff.ts';

/** Makes the queue empty, forgetting what was on it. */
export function skbQueueHeadInit(list: SkBuffHead): void {
  list.next = null;
  list.prev = null;
  list.qlen = 0;
}

export function skbQueueEmpty(list: SkBuffHead): boolean {
  return list.next === null;
}

/** Packets on the queue. */
export function skbQueueLen(list: SkBuffHead): number {
  return list.qlen;
}

/** First sk_buff, left on the queue; null when empty. */
export function skbPeek(list: SkBuffHead): SkBuff | null {
  return list.next;
}

/** Last sk_buff, left on the queue; null when empty. */
export function skbPeekTail(list: SkBuffHead): SkBuff | null {
  return list.prev;
}

/** The one after skb, which is on a queue; null at the end. */
export function skbPeekNext(skb: SkBuff): SkBuff | null {
  return skb.next;
}

export function skbQueueIsFirst(list: SkBuffHead, skb: SkBuff): boolean {
  return list.next === skb;
}

export function skbQueueIsLast(list: SkBuffHead, skb: SkBuff): boolean {
  return list.prev === skb;
}

/** Throws unless skb is alive and on no queue. */
function checkFree(skb: SkBuff, fn: string): void {
  if (skb.users < 1) skbUseAfterFree(skb, fn);
  if (skb.list !== null) throw new Error(`${fn}: sk_buff ${skb.id} is on a queue already`);
}

/** Puts newsk between prev and next, neighbours on the list or null at an end. */
export function skbInsert(newsk: SkBuff, prev: SkBuff | null, next: SkBuff | null, list: SkBuffHead): void {
  checkFree(newsk, 'skb_insert');
  __skbInsert(newsk, prev, next, list);
}

/** skbInsert of a caller who knows that newsk is on no queue. */
export function __skbInsert(newsk: SkBuff, prev: SkBuff | null, next: SkBuff | null, list: SkBuffHead): void {
  newsk.next = next;
  newsk.prev = prev;
  newsk.list = list;
  if (prev === null) list.next = newsk;
  else prev.next = newsk;
  if (next === null) list.prev = newsk;
  else next.prev = newsk;
  list.qlen++;
}

/** Puts newsk at the front. The queue takes it. */
export function skbQueueHead(list: SkBuffHead, newsk: SkBuff): void {
  skbInsert(newsk, null, list.next, list);
}

/** skbQueueHead without the check. */
export function __skbQueueHead(list: SkBuffHead, newsk: SkBuff): void {
  __skbInsert(newsk, null, list.next, list);
}

/** Puts newsk at the end. The queue takes it. */
export function skbQueueTail(list: SkBuffHead, newsk: SkBuff): void {
  checkFree(newsk, 'skb_queue_tail');
  __skbQueueTail(list, newsk);
}

/** skbQueueTail without the check. */
export function __skbQueueTail(list: SkBuffHead, newsk: SkBuff): void {
  const last = list.prev;
  newsk.next = null;
  newsk.prev = last;
  newsk.list = list;
  list.prev = newsk;
  if (last === null) list.next = newsk;
  else last.next = newsk;
  list.qlen++;
}

/** Puts newsk after prev, which is on the list; null: at the front. */
export function skbQueueAfter(list: SkBuffHead, prev: SkBuff | null, newsk: SkBuff): void {
  skbInsert(newsk, prev, prev === null ? list.next : prev.next, list);
}

/** Puts newsk before next, which is on the list; null: at the end. */
export function skbQueueBefore(list: SkBuffHead, next: SkBuff | null, newsk: SkBuff): void {
  skbInsert(newsk, next === null ? list.prev : next.prev, next, list);
}

/** Puts newsk after old, which is on the list. */
export function skbAppend(old: SkBuff, newsk: SkBuff, list: SkBuffHead): void {
  skbQueueAfter(list, old, newsk);
}

/** Takes skb off the list it is on; it becomes the caller's. */
export function skbUnlink(skb: SkBuff, list: SkBuffHead): void {
  if (skb.list !== list) throw new Error(`skb_unlink: sk_buff ${skb.id} is not on this queue`);
  __skbUnlink(skb, list);
}

/** skbUnlink without the check. */
export function __skbUnlink(skb: SkBuff, list: SkBuffHead): void {
  const next = skb.next;
  const prev = skb.prev;
  skb.next = null;
  skb.prev = null;
  skb.list = null;
  if (prev === null) list.next = next;
  else prev.next = next;
  if (next === null) list.prev = prev;
  else next.prev = prev;
  list.qlen--;
}

/** Takes the first sk_buff; null when empty. */
export function skbDequeue(list: SkBuffHead): SkBuff | null {
  const skb = list.next;
  if (skb !== null) skbUnlink(skb, list);
  return skb;
}

/** skbDequeue without the check. */
export function __skbDequeue(list: SkBuffHead): SkBuff | null {
  const skb = list.next;
  if (skb !== null) __skbUnlink(skb, list);
  return skb;
}

/** Takes the last sk_buff; null when empty. */
export function skbDequeueTail(list: SkBuffHead): SkBuff | null {
  const skb = list.prev;
  if (skb !== null) skbUnlink(skb, list);
  return skb;
}

/** skbDequeueTail without the check. */
export function __skbDequeueTail(list: SkBuffHead): SkBuff | null {
  const skb = list.prev;
  if (skb !== null) __skbUnlink(skb, list);
  return skb;
}

/** Frees all sk_buffs of the queue, as consumed. */
export function skbQueuePurge(list: SkBuffHead): void {
  for (let skb = __skbDequeue(list); skb !== null; skb = __skbDequeue(list)) consumeSkb(skb);
}

/** Frees all sk_buffs of the queue, as dropped for `reason`. */
export function skbQueuePurgeReason(list: SkBuffHead, reason: number): void {
  for (let skb = __skbDequeue(list); skb !== null; skb = __skbDequeue(list)) kfreeSkbReason(skb, reason);
}

/** Moves all of `list` to the front of `head`, in order; `list` is empty then. */
export function skbQueueSpliceInit(list: SkBuffHead, head: SkBuffHead): void {
  if (list.next === null) return;
  adopt(list, head);
  list.prev!.next = head.next;
  if (head.next === null) head.prev = list.prev;
  else head.next.prev = list.prev;
  head.next = list.next;
  head.qlen += list.qlen;
  skbQueueHeadInit(list);
}

/** Moves all of `list` to the end of `head`, in order; `list` is empty then. */
export function skbQueueSpliceTailInit(list: SkBuffHead, head: SkBuffHead): void {
  if (list.next === null) return;
  adopt(list, head);
  list.next.prev = head.prev;
  if (head.prev === null) head.next = list.next;
  else head.prev.next = list.next;
  head.prev = list.prev;
  head.qlen += list.qlen;
  skbQueueHeadInit(list);
}

function adopt(list: SkBuffHead, head: SkBuffHead): void {
  for (let skb = list.next; skb !== null; skb = skb.next) skb.list = head;
}
