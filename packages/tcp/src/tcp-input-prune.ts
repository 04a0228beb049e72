/*
 * Room for what arrives, and what is done when there is none: the window closes, queued segments are copied together, and
 * at last those beyond a hole go.
 *
 * Order of calls: tcpDataQueue → tcpTryRmemSchedule → tcpPruneQueue → tcpCollapse…, tcpPruneOfoQueue.
 * Read first: RFC 9293 §3.8.6.2.2; RFC 2018 §8 (data that was SACKed may be thrown away).
 */
import { SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE } from '@stack/kernel';
import { rbErase, rbPrev } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skRmemSchedule, skUnderMemoryPressure } from '@stack/socket';
import { tcpCollapseOfoQueue, tcpCollapseReceiveQueue } from './tcp-input-collapse.ts';
import { tcpDrop } from './tcp-input-data.ts';
import { tcpSackReset } from './tcp-input-dsack.ts';
import { tcpClampWindow } from './tcp-input-rcvbuf.ts';
import { LINUX_MIB_OFOPRUNED, LINUX_MIB_PRUNECALLED, LINUX_MIB_RCVPRUNED } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpAdjustRcvSsthresh } from './tcp-output-window.ts';
import { tcpIsSack } from './tcp-rtx-queue.ts';
import { after, tcbSeq } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/** May a segment be queued? One may exceed the buffer, whatever its size: a window that was offered can be used. */
function tcpCanIngest(sk: TcpSock): boolean {
  return sk.skRmemAlloc <= sk.skRcvbuf;
}

/**
 * Drops segments of the out-of-order queue from its end, an eighth of the buffer at a time, until it fits; none that
 * lies before what arrives. RFC 2018 §8 allows it; it is a last resort.
 * @returns whether anything was dropped
 */
function tcpPruneOfoQueue(sk: TcpSock, incoming: SkBuff): boolean {
  const root = sk.outOfOrderQueue;
  let goal = sk.skRcvbuf >> 3;
  let pruned = false;
  for (let skb = sk.oooLastSkb; skb !== null; skb = sk.oooLastSkb) {
    if (after(tcbSeq(incoming), tcbSeq(skb))) break;
    pruned = true;
    goal -= skb.truesize;
    sk.oooLastSkb = rbPrev(skb);
    rbErase(root, skb);
    tcpDrop(sk, skb, SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE);
    if (goal > 0 && sk.oooLastSkb !== null) continue;
    if (tcpCanIngest(sk) && !skUnderMemoryPressure(sk)) break;
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
  // Nothing is queued: nothing can be gained.
  if (sk.skRmemAlloc === 0) return false;
  netIncStats(sk.skNet, LINUX_MIB_PRUNECALLED);
  if (!tcpCanIngest(sk)) tcpClampWindow(sk);
  else if (skUnderMemoryPressure(sk)) tcpAdjustRcvSsthresh(sk);
  if (tcpCanIngest(sk)) return true;
  tcpCollapseOfoQueue(sk);
  tcpCollapseReceiveQueue(sk);
  if (tcpCanIngest(sk)) return true;
  tcpPruneOfoQueue(sk, incoming);
  if (tcpCanIngest(sk)) return true;
  netIncStats(sk.skNet, LINUX_MIB_RCVPRUNED);
  sk.predFlags = 0;
  return false;
}

/** May skb, of `size` bytes, be kept? Makes room if need be. */
export function tcpTryRmemSchedule(sk: TcpSock, skb: SkBuff, size: number): boolean {
  if (tcpCanIngest(sk) && skRmemSchedule(sk, skb, size)) return true;
  if (!tcpPruneQueue(sk, skb)) return false;
  while (!skRmemSchedule(sk, skb, size)) {
    if (!tcpPruneOfoQueue(sk, skb)) return false;
  }
  return true;
}
