/*
 * Collapsing: when the receive buffer is full, segments that waste its memory are copied together into full sk_buffs.
 *
 * Order of calls: tcpPruneQueue → tcpCollapseOfoQueue (each run without a gap), tcpCollapseReceiveQueue → tcpCollapse.
 * Read first: RFC 9293 §3.8.6.2.2 (the receiver's window); RFC 2018 §8 (what may be thrown away).
 */
import {
  SKB_DATA_ALIGN, SKB_OVERHEAD, SKB_TRUESIZE, SkBuffHead, __skbDequeue, __skbPut, __skbQueueTail, __skbUnlink, allocSkb, consumeSkb, rbErase, rbFirst, rbInsertColor, rbLast,
  rbLinkNode, rbNext, skbCopyBits, skbQueueBefore,
} from '@stack/skbuff';
import type { RbRoot, SkBuff } from '@stack/skbuff';
import { skbSetOwnerR } from '@stack/socket';
import { LINUX_MIB_TCPRCVCOLLAPSED } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import {
  TCPHDR_FIN, TCPHDR_SYN, after, before, tcbEndSeq, tcbSeq, tcbSetAckSeq, tcbSetEndSeq, tcbSetSeq, tcbAckSeq, tcbTcpFlags,
} from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpWinFromSpace } from './tcp-space.ts';

/** What the kernel's allocator gives for a head that holds `len`: a power of two, the shared info at its end. Octets. */
const SHARED_INFO = 320;
const SMALL_HEAD = 576;
/** Payload of a full sk_buff: a page's, less the shared info. */
const COLLAPSE_SIZE = 4096 - SHARED_INFO;
/** A lone run of so few bytes is left as it is: copying gains little. */
const TINY = 4096 - SKB_OVERHEAD;

function isSynOrFin(skb: SkBuff): boolean {
  return (tcbTcpFlags(skb) & (TCPHDR_SYN | TCPHDR_FIN)) !== 0;
}

/** The one behind skb in the list or tree. */
function collapseNext(root: RbRoot | null, skb: SkBuff): SkBuff | null {
  return root === null ? skb.next : rbNext(skb);
}

/** All of skb is in another now: it goes. @returns the one behind it */
function tcpCollapseOne(sk: TcpSock, root: RbRoot | null, skb: SkBuff): SkBuff | null {
  const next = collapseNext(root, skb);
  if (root === null) __skbUnlink(skb, sk.skReceiveQueue);
  else rbErase(root, skb);
  consumeSkb(skb);
  netIncStats(sk.skNet, LINUX_MIB_TCPRCVCOLLAPSED);
  return next;
}

/** Puts skb into the tree by its sequence number. */
function tcpRbtreeInsert(root: RbRoot, skb: SkBuff): void {
  let parent: SkBuff | null = null;
  let right = false;
  for (let at = root.rbNode; at !== null; at = right ? at.right : at.left) {
    parent = at;
    right = !before(tcbSeq(skb), tcbSeq(at));
  }
  rbLinkNode(root, skb, parent, right);
  rbInsertColor(root, skb);
}

/** Is it worth copying skb: does it hold less than its memory could, or bytes before start? */
function isBloated(sk: TcpSock, skb: SkBuff, start: number): boolean {
  return !isSynOrFin(skb) && (tcpWinFromSpace(sk, skb.truesize) > skb.len || before(tcbSeq(skb), start));
}

/** An sk_buff for `len` octets. What it counts for, and the room behind them, are Linux's: those of a head of a page at most. */
function tcpCollapseAlloc(sk: TcpSock, len: number): SkBuff | null {
  const size = SKB_DATA_ALIGN(len) + SHARED_INFO;
  const head = size <= SMALL_HEAD ? SMALL_HEAD : 1 << (32 - Math.clz32(size - 1));
  const nskb = allocSkb(sk.skNet, head - SHARED_INFO);
  if (nskb === null) return null;
  nskb.truesize = SKB_TRUESIZE(head - SHARED_INFO);
  nskb.headFrag = false;
  return nskb;
}

/** Copies [start, end) from `first` on, up to tail, into new sk_buffs on `into`, or before what they replace. */
function tcpCollapseCopy(sk: TcpSock, root: RbRoot | null, first: SkBuff, tail: SkBuff | null, begin: number, end: number, into: SkBuffHead): void {
  let skb = first;
  let start = begin;
  while (before(start, end)) {
    let room = Math.min(COLLAPSE_SIZE, (end - start) | 0);
    const nskb = tcpCollapseAlloc(sk, room);
    if (nskb === null) return;
    tcbSetSeq(nskb, start);
    tcbSetEndSeq(nskb, start);
    tcbSetAckSeq(nskb, tcbAckSeq(skb));
    if (root === null) skbQueueBefore(sk.skReceiveQueue, skb, nskb);
    else __skbQueueTail(into, nskb);
    skbSetOwnerR(nskb, sk);
    while (room > 0) {
      const size = Math.min(room, (tcbEndSeq(skb) - start) | 0);
      if (size > 0) {
        skbCopyBits(skb, (start - tcbSeq(skb)) | 0, nskb.buf, __skbPut(nskb, size), size);
        start = (start + size) | 0;
        tcbSetEndSeq(nskb, start);
        room -= size;
      }
      if (before(start, tcbEndSeq(skb))) continue;
      const next = tcpCollapseOne(sk, root, skb);
      if (next === null || next === tail || isSynOrFin(next)) return;
      skb = next;
    }
  }
}

/**
 * Copies the payload [begin, end) of the sk_buffs from head to before tail (null: the end) of the receive queue (root null)
 * or of a tree together, from the first on that wastes memory or meets its neighbour with an overlap. There is no gap in it.
 */
function tcpCollapse(sk: TcpSock, root: RbRoot | null, head: SkBuff, tail: SkBuff | null, begin: number, end: number): void {
  let start = begin;
  let skb: SkBuff | null = head;
  let found = false;
  while (skb !== null && skb !== tail) {
    if (!before(start, tcbEndSeq(skb))) {
      skb = tcpCollapseOne(sk, root, skb);
      continue;
    }
    const next = collapseNext(root, skb);
    if (isBloated(sk, skb, start) || (next !== null && next !== tail && tcbEndSeq(skb) !== tcbSeq(next))) {
      found = true;
      break;
    }
    start = tcbEndSeq(skb);
    skb = next;
  }
  if (!found || skb === null || isSynOrFin(skb)) return;
  const made = new SkBuffHead();
  tcpCollapseCopy(sk, root, skb, tail, start, end, made);
  if (root === null) return;
  for (let nskb = __skbDequeue(made); nskb !== null; nskb = __skbDequeue(made)) tcpRbtreeInsert(root, nskb);
}

/** Collapses all that waits for the reader. */
export function tcpCollapseReceiveQueue(sk: TcpSock): void {
  const head = sk.skReceiveQueue.next;
  if (head !== null) tcpCollapse(sk, null, head, null, sk.copiedSeq, sk.rcvNxt);
}

/** Collapses each run without a gap in the out-of-order queue; not tiny ones, of which an adversary could make many. */
export function tcpCollapseOfoQueue(sk: TcpSock): void {
  const root = sk.outOfOrderQueue;
  let head = rbFirst(root);
  let tiny = 0;
  while (head !== null) {
    let start = tcbSeq(head);
    let end = tcbEndSeq(head);
    let truesize = head.truesize;
    let skb = rbNext(head);
    for (; skb !== null && !after(tcbSeq(skb), end) && !before(tcbEndSeq(skb), start); skb = rbNext(skb)) {
      truesize += skb.truesize;
      if (before(tcbSeq(skb), start)) start = tcbSeq(skb);
      if (after(tcbEndSeq(skb), end)) end = tcbEndSeq(skb);
    }
    if (truesize !== head.truesize || ((end - start) | 0) >= TINY) {
      tcpCollapse(sk, root, head, skb, start, end);
    } else {
      tiny += truesize;
      if (tiny > sk.skRcvbuf >> 3) return;
    }
    head = skb;
  }
  sk.oooLastSkb = rbLast(root);
}
