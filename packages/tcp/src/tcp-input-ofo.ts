/*
 * The out-of-order queue: segments beyond a hole, by sequence, none covered by another.
 *
 * Order of calls: tcpDataQueue → tcpDataQueueOfo; when the hole closes tcpOfoQueue.
 * Deviation: a list that is entered at its ends, where most segments belong, not a red-black tree.
 * Read first: RFC 2018 §4; RFC 2883 §4.
 */
import { inetCskScheduleAck } from '@stack/inet-sock';
import {
  SKB_DROP_REASON_PROTO_MEM, SKB_DROP_REASON_TCP_OFOMERGE, SKB_DROP_REASON_TCP_OFO_DROP,
} from '@stack/kernel';
import { __skbUnlink, consumeSkb, skbQueueAfter } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skbSetOwnerR } from '@stack/socket';
import { tcpAddReceiveQueue, tcpDrop, tcpFin, tcpRcvNxtUpdate, tcpTryCoalesce } from './tcp-input-data.ts';
import { tcpDsackExtend, tcpDsackSet, tcpSackNewOfoSkb } from './tcp-input-dsack.ts';
import { tcpTryRmemSchedule } from './tcp-input-prune.ts';
import { tcpMeasureRcvMss } from './tcp-input-quickack.ts';
import { tcpGrowWindow } from './tcp-input-rcvbuf.ts';
import { tcpEcnCheckCe } from './tcp-ecn.ts';
import { LINUX_MIB_TCPOFODROP, LINUX_MIB_TCPOFOMERGE, LINUX_MIB_TCPOFOQUEUE } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpIsSack } from './tcp-rtx-queue.ts';
import { TCPHDR_FIN, after, before, tcbEndSeq, tcbSeq, tcbTcpFlags } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Keeps a segment that lies beyond a hole; its header is pulled. Takes it. */
export function tcpDataQueueOfo(sk: TcpSock, skb: SkBuff): void {
  tcpEcnCheckCe(sk, skb);
  if (!tcpTryRmemSchedule(sk, skb, skb.truesize)) {
    netIncStats(sk.skNet, LINUX_MIB_TCPOFODROP);
    sk.skDataReady(sk);
    tcpDrop(sk, skb, SKB_DROP_REASON_PROTO_MEM);
    return;
  }
  tcpMeasureRcvMss(sk, skb);
  sk.predFlags = 0;
  inetCskScheduleAck(sk);
  sk.rcvOoopack = (sk.rcvOoopack + Math.max(1, skb.shinfo.gsoSegs)) | 0;
  netIncStats(sk.skNet, LINUX_MIB_TCPOFOQUEUE);
  const seq = tcbSeq(skb);
  const endSeq = tcbEndSeq(skb);
  const kept = tcpOfoInsert(sk, skb, seq, endSeq);
  if (!tcpIsSack(sk)) return;
  // (Without SACK the window stays, so that ACKs are duplicates and start a fast retransmit.)
  tcpSackNewOfoSkb(sk, seq, endSeq);
  if (kept !== null) tcpGrowWindow(sk, kept);
}

/** Finds the place of skb, from the end. @returns skb if it was queued, the one that it was copied into, or null: dropped */
function tcpOfoInsert(sk: TcpSock, skb: SkBuff, seq: number, endSeq: number): SkBuff | null {
  const queue = sk.outOfOrderQueue;
  const first = queue.next;
  let prev = first !== null && before(seq, tcbSeq(first)) ? null : queue.prev;
  while (prev !== null && before(seq, tcbSeq(prev))) prev = prev.prev;
  if (prev !== null) {
    const prevEnd = tcbEndSeq(prev);
    if (before(seq, prevEnd)) {
      if (!after(endSeq, prevEnd)) {
        tcpDsackSet(sk, seq, endSeq);
        tcpOfoMerged(sk, skb);
        return null;
      }
      if (after(seq, tcbSeq(prev))) {
        tcpDsackSet(sk, seq, prevEnd);
      } else {
        // The new one begins at the same place and is longer.
        tcpDsackExtend(sk, seq, prevEnd);
        const covered = prev;
        prev = covered.prev;
        __skbUnlink(covered, queue);
        tcpOfoMerged(sk, covered);
      }
    } else if (tcpTryCoalesce(sk, prev, skb)) {
      const tail = prev;
      consumeSkb(skb);
      tcpOfoMergeRight(sk, tail, endSeq);
      return tail;
    }
  }
  skbSetOwnerR(skb, sk);
  skbQueueAfter(queue, prev, skb);
  tcpOfoMergeRight(sk, skb, endSeq);
  return skb;
}

/** What follows skb and is covered by it goes. */
function tcpOfoMergeRight(sk: TcpSock, skb: SkBuff, endSeq: number): void {
  let next: SkBuff | null;
  for (let other = skb.next; other !== null && after(endSeq, tcbSeq(other)); other = next) {
    next = other.next;
    if (before(endSeq, tcbEndSeq(other))) {
      tcpDsackExtend(sk, tcbSeq(other), endSeq);
      return;
    }
    __skbUnlink(other, sk.outOfOrderQueue);
    tcpDsackExtend(sk, tcbSeq(other), tcbEndSeq(other));
    tcpOfoMerged(sk, other);
  }
}

function tcpOfoMerged(sk: TcpSock, skb: SkBuff): void {
  netIncStats(sk.skNet, LINUX_MIB_TCPOFOMERGE);
  tcpDrop(sk, skb, SKB_DROP_REASON_TCP_OFOMERGE);
}

/** The hole before the queue may have closed: what is in order now goes to the receive queue. */
export function tcpOfoQueue(sk: TcpSock): void {
  const queue = sk.outOfOrderQueue;
  let dsackHigh = sk.rcvNxt;
  for (let skb = queue.next; skb !== null && !after(tcbSeq(skb), sk.rcvNxt); skb = queue.next) {
    const seq = tcbSeq(skb);
    const endSeq = tcbEndSeq(skb);
    if (before(seq, dsackHigh)) {
      const dsack = dsackHigh;
      if (before(endSeq, dsackHigh)) dsackHigh = endSeq;
      tcpDsackExtend(sk, seq, dsack);
    }
    __skbUnlink(skb, queue);
    if (!after(endSeq, sk.rcvNxt)) {
      tcpDrop(sk, skb, SKB_DROP_REASON_TCP_OFO_DROP);
      continue;
    }
    const fin = (tcbTcpFlags(skb) & TCPHDR_FIN) !== 0;
    const tail = sk.skReceiveQueue.prev;
    const eaten = tail !== null && tcpTryCoalesce(sk, tail, skb);
    tcpRcvNxtUpdate(sk, endSeq);
    if (eaten) consumeSkb(skb);
    else tcpAddReceiveQueue(sk, skb);
    if (fin) {
      tcpFin(sk);
      return;
    }
  }
}
