/*
 * Room for what arrives, and what goes when there is none: first the window, then segments out of order.
 *
 * Order of calls: tcpDataQueue → tcpTryRmemSchedule → tcpPruneQueue → tcpPruneOfoQueue.
 */
import { SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE } from '@stack/kernel';
import { __skbUnlink } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skRmemSchedule, skUnderMemoryPressure } from '@stack/socket';
import { tcpDrop } from './tcp-input-data.ts';
import { tcpSackReset } from './tcp-input-dsack.ts';
import { tcpClampWindow } from './tcp-input-rcvbuf.ts';
import { LINUX_MIB_OFOPRUNED, LINUX_MIB_PRUNECALLED, LINUX_MIB_RCVPRUNED } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpAdjustRcvSsthresh } from './tcp-output-window.ts';
import { tcpIsSack } from './tcp-rtx-queue.ts';
import { after, tcbSeq } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/**
 * Drops segments of the out-of-order queue from its end, an eighth of the buffer at a time, until it fits; none that
 * lies before what arrives. RFC 2018 §8 allows it; it is a last resort.
 * @returns whether anything was dropped
 */
function tcpPruneOfoQueue(sk: TcpSock, incoming: SkBuff): boolean {
  const queue = sk.outOfOrderQueue;
  let goal = sk.skRcvbuf >> 3;
  let pruned = false;
  for (let skb = queue.prev; skb !== null; skb = queue.prev) {
    if (after(tcbSeq(incoming), tcbSeq(skb))) break;
    pruned = true;
    goal -= skb.truesize;
    __skbUnlink(skb, queue);
    tcpDrop(sk, skb, SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE);
    if (goal > 0 && queue.prev !== null) continue;
    if (sk.skRmemAlloc <= sk.skRcvbuf && !skUnderMemoryPressure(sk)) break;
    goal = sk.skRcvbuf >> 3;
  }
  if (pruned) {
    netIncStats(sk.skNet, LINUX_MIB_OFOPRUNED);
    // What was reported may be gone: report nothing.
    if (tcpIsSack(sk)) tcpSackReset(sk);
  }
  return pruned;
}

/** The buffer is full, or the host's memory. @returns whether there is room again */
function tcpPruneQueue(sk: TcpSock, incoming: SkBuff): boolean {
  netIncStats(sk.skNet, LINUX_MIB_PRUNECALLED);
  if (sk.skRmemAlloc >= sk.skRcvbuf) tcpClampWindow(sk);
  else if (skUnderMemoryPressure(sk)) tcpAdjustRcvSsthresh(sk);
  if (sk.skRmemAlloc <= sk.skRcvbuf) return true;
  tcpPruneOfoQueue(sk, incoming);
  if (sk.skRmemAlloc <= sk.skRcvbuf) return true;
  netIncStats(sk.skNet, LINUX_MIB_RCVPRUNED);
  sk.predFlags = 0;
  return false;
}

/** May skb, of `size` bytes, be kept? Makes room if need be. */
export function tcpTryRmemSchedule(sk: TcpSock, skb: SkBuff, size: number): boolean {
  if (sk.skRmemAlloc <= sk.skRcvbuf && skRmemSchedule(sk, skb, size)) return true;
  if (!tcpPruneQueue(sk, skb)) return false;
  while (!skRmemSchedule(sk, skb, size)) {
    if (!tcpPruneOfoQueue(sk, skb)) return false;
  }
  return true;
}
