/*
 * The out-of-order queue: segments beyond a hole in a red-black tree, by sequence, none covered by another; so that an
 * adversary cannot make their place dear to find (CVE-2018-5390).
 *
 * Order of calls: tcpDataQueue → tcpDataQueueOfo → tcpOfoInsert; when the hole closes tcpOfoQueue.
 * Read first: RFC 2018 §4; RFC 2883 §4.
 */
import { inetCskScheduleAck } from '@stack/inet-sock';
import {
  SKB_DROP_REASON_PROTO_MEM, SKB_DROP_REASON_TCP_OFOMERGE, SKB_DROP_REASON_TCP_OFO_DROP,
} from '@stack/kernel';
import {
  RB_EMPTY_ROOT, consumeSkb, rbErase, rbFirst, rbInsertColor, rbLinkNode, rbNext, rbReplaceNode,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { skbSetOwnerR } from '@stack/socket';
import { tcpAddReceiveQueue, tcpDrop, tcpFin, tcpRcvNxtUpdate, tcpTryCoalesce } from './tcp-input-data.ts';
import { tcpDsackExtend, tcpDsackSet, tcpSackNewOfoSkb } from './tcp-input-dsack.ts';
import { tcpTryRmemSchedule } from './tcp-input-prune.ts';
import { tcpMeasureRcvMss } from './tcp-input-quickack.ts';
import { tcpGrowWindow, tcpRcvbufGrow } from './tcp-input-rcvbuf.ts';
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
  tcpOfoInsert(sk, skb, seq, endSeq);
  if (tcpIsSack(sk)) tcpSackNewOfoSkb(sk, seq, endSeq);
  // Of a connection that nobody has accepted yet the buffer stays as it is.
  if (sk.skSocket !== null) tcpRcvbufGrow(sk, sk.rcvqSpaceSpace);
}

/** Puts skb in its place, or what of it is new: takes it. */
function tcpOfoInsert(sk: TcpSock, skb: SkBuff, seq: number, endSeq: number): void {
  const root = sk.outOfOrderQueue;
  const last = sk.oooLastSkb;
  if (last === null) {
    tcpOfoKeep(sk, skb, null, false, endSeq);
    return;
  }
  // Most segments belong at the end.
  if (tcpOfoTryCoalesce(sk, last, skb)) return;
  if (!before(seq, tcbEndSeq(last))) {
    tcpOfoKeep(sk, skb, last, true, endSeq);
    return;
  }
  let parent: SkBuff | null = null;
  let right = false;
  for (let at = root.rbNode; at !== null; at = right ? at.right : at.left) {
    parent = at;
    right = !before(seq, tcbSeq(at));
    if (!right) continue;
    const atEnd = tcbEndSeq(at);
    if (!before(seq, atEnd)) {
      if (tcpOfoTryCoalesce(sk, at, skb)) return;
      continue;
    }
    if (!after(endSeq, atEnd)) {
      tcpOfoMerged(sk, skb);
      tcpDsackSet(sk, seq, endSeq);
      return;
    }
    if (seq === tcbSeq(at)) {
      // Begins at the same place and is longer.
      rbReplaceNode(root, at, skb);
      if (sk.oooLastSkb === at) sk.oooLastSkb = skb;
      tcpDsackExtend(sk, seq, atEnd);
      tcpOfoMerged(sk, at);
      tcpOfoKept(sk, skb, endSeq);
      return;
    }
    tcpDsackSet(sk, seq, atEnd);
  }
  tcpOfoKeep(sk, skb, parent, right, endSeq);
}

/** Copies skb behind `to`, if it follows and there is room: takes it then. (Without SACK the window stays, so that ACKs are duplicates.) */
function tcpOfoTryCoalesce(sk: TcpSock, to: SkBuff, skb: SkBuff): boolean {
  if (!tcpTryCoalesce(sk, to, skb)) return false;
  if (tcpIsSack(sk)) tcpGrowWindow(sk, skb);
  consumeSkb(skb);
  return true;
}

function tcpOfoKeep(sk: TcpSock, skb: SkBuff, parent: SkBuff | null, right: boolean, endSeq: number): void {
  const root = sk.outOfOrderQueue;
  rbLinkNode(root, skb, parent, right);
  rbInsertColor(root, skb);
  tcpOfoKept(sk, skb, endSeq);
}

/** skb is in the tree: what it covers behind it goes. */
function tcpOfoKept(sk: TcpSock, skb: SkBuff, endSeq: number): void {
  const root = sk.outOfOrderQueue;
  let next = rbNext(skb);
  for (; next !== null && after(endSeq, tcbSeq(next)); next = rbNext(skb)) {
    if (before(endSeq, tcbEndSeq(next))) {
      tcpDsackExtend(sk, tcbSeq(next), endSeq);
      break;
    }
    rbErase(root, next);
    tcpDsackExtend(sk, tcbSeq(next), tcbEndSeq(next));
    tcpOfoMerged(sk, next);
  }
  if (next === null) sk.oooLastSkb = skb;
  if (tcpIsSack(sk)) tcpGrowWindow(sk, skb);
  skbSetOwnerR(skb, sk);
}

function tcpOfoMerged(sk: TcpSock, skb: SkBuff): void {
  netIncStats(sk.skNet, LINUX_MIB_TCPOFOMERGE);
  tcpDrop(sk, skb, SKB_DROP_REASON_TCP_OFOMERGE);
}

/** The hole before the queue may have closed: what is in order now goes to the receive queue. */
export function tcpOfoQueue(sk: TcpSock): void {
  const root = sk.outOfOrderQueue;
  const dsackHigh = sk.rcvNxt;
  for (let skb = rbFirst(root); skb !== null && !after(tcbSeq(skb), sk.rcvNxt); skb = rbFirst(root)) {
    const seq = tcbSeq(skb);
    const endSeq = tcbEndSeq(skb);
    if (before(seq, dsackHigh)) tcpDsackExtend(sk, seq, before(endSeq, dsackHigh) ? endSeq : dsackHigh);
    rbErase(root, skb);
    if (RB_EMPTY_ROOT(root)) sk.oooLastSkb = null;
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
