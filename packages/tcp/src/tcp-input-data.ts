/*
 * Segment text: what is in order goes to the receive queue, what is not to the out-of-order queue, what was received
 * before or does not fit is answered.
 *
 * Order of calls: tcpRcvEstablished or tcpRcvStateProcess → tcpDataQueue → tcpQueueRcv, tcpFin, tcpOfoQueue →
 * tcpDataReady. All that takes an sk_buff here owns it.
 * Read first: RFC 9293 §3.10.7.4 (seventh: segment text; eighth: FIN); RFC 5681 §4.2; RFC 2883.
 */
import { ICSK_ACK_NOMEM, ICSK_ACK_NOW, inetCskEnterPingpongMode, inetCskScheduleAck } from '@stack/inet-sock';
import {
  SKB_DROP_REASON_PROTO_MEM, SKB_DROP_REASON_TCP_OLD_DATA, SKB_DROP_REASON_TCP_OVERWINDOW, SKB_DROP_REASON_TCP_ZEROWINDOW,
} from '@stack/kernel';
import {
  RB_EMPTY_ROOT, __skbPull, __skbQueueTail, consumeSkb, kfreeSkbReason, skbDstDrop, skbRbtreePurge, skbTryCoalesce,
} from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  RCV_SHUTDOWN, SOCK_DEAD, SOCK_DONE, TCP_CLOSING, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2,
  TCP_SYN_RECV, TCP_TIME_WAIT, skForcedMemSchedule, skMemCharge, skbSetOwnerR, sockFlag, sockSetFlag,
} from '@stack/socket';
import { TCP_MAX_QUICKACKS } from './tcp-consts.ts';
import { thHdrLen } from './tcp-hdr.ts';
import { tcpFastPathCheck } from './tcp-input-fast.ts';
import { tcpDataQueueOfo, tcpOfoQueue } from './tcp-input-ofo.ts';
import { tcpTryRmemSchedule } from './tcp-input-prune.ts';
import { tcpEnterQuickackMode, tcpEventDataRecv } from './tcp-input-quickack.ts';
import { tcpDsackSet, tcpSackRemove, tcpSackReset } from './tcp-input-dsack.ts';
import {
  LINUX_MIB_DELAYEDACKLOST, LINUX_MIB_TCPRCVCOALESCE, LINUX_MIB_TCPRCVQDROP, LINUX_MIB_TCPZEROWINDOWDROP,
} from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpSendAck } from './tcp-output-ctrl.ts';
import { tcpIsSack } from './tcp-rtx-queue.ts';
import {
  TCPHDR_FIN, after, before, tcbAckSeq, tcbEndSeq, tcbSeq, tcbSetAckSeq, tcbSetEndSeq, tcbSetTcpFlags, tcbTcpFlags,
} from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpEpollinReady, tcpReceiveWindow } from './tcp-space.ts';
import { tcpTimeWait } from './tcp-timewait.ts';
import { tcpSetState } from './tcp.ts';

/** rcvNxt moves to seq. */
export function tcpRcvNxtUpdate(sk: TcpSock, seq: number): void {
  sk.bytesReceived += (seq - sk.rcvNxt) | 0;
  sk.rcvNxt = seq;
}

/** Tells a reader that there is something, if it is as much as SO_RCVLOWAT wants. */
export function tcpDataReady(sk: TcpSock): void {
  if (tcpEpollinReady(sk, sk.skRcvlowat) || sockFlag(sk, SOCK_DONE)) sk.skDataReady(sk);
}

/**
 * Adds `from` to `to`, which it follows: copied into its tailroom, so that many small segments do not occupy a slot each; or as
 * fragments of its pages, so that an sk_buff less is to be counted and read.
 * @returns whether it did; `from` stays the caller's
 */
export function tcpTryCoalesce(sk: TcpSock, to: SkBuff, from: SkBuff): boolean {
  if (tcbSeq(from) !== tcbEndSeq(to)) return false;
  const delta = skbTryCoalesce(to, from);
  if (delta < 0) return false;
  sk.skRmemAlloc += delta;
  skMemCharge(sk, delta);
  netIncStats(sk.skNet, LINUX_MIB_TCPRCVCOALESCE);
  tcbSetEndSeq(to, tcbEndSeq(from));
  tcbSetAckSeq(to, tcbAckSeq(from));
  tcbSetTcpFlags(to, tcbTcpFlags(to) | tcbTcpFlags(from));
  if (from.tstamp !== 0) to.tstamp = from.tstamp;
  return true;
}

/** Puts skb, whose memory is accounted for, at the end of the receive queue. */
export function tcpAddReceiveQueue(sk: TcpSock, skb: SkBuff): void {
  const net = sk.skNet;
  if (net.trace !== null) net.trace.hit(net, 'sk_receive_queue', skb);
  __skbQueueTail(sk.skReceiveQueue, skb);
}

/**
 * skb is next in order: it joins the receive queue.
 * @returns true if it was copied into the last one: then it stays the caller's; false: it is queued
 */
export function tcpQueueRcv(sk: TcpSock, skb: SkBuff): boolean {
  const tail = sk.skReceiveQueue.prev;
  const eaten = tail !== null && tcpTryCoalesce(sk, tail, skb);
  tcpRcvNxtUpdate(sk, tcbEndSeq(skb));
  if (!eaten) {
    skbSetOwnerR(skb, sk);
    tcpAddReceiveQueue(sk, skb);
  } else {
    const net = sk.skNet;
    if (net.trace !== null) net.trace.hit(net, 'sk_receive_queue', tail);
  }
  return eaten;
}

/** RFC 9293 §3.10.7.4, eighth: the peer has sent all. */
export function tcpFin(sk: TcpSock): void {
  inetCskScheduleAck(sk);
  sk.skShutdown |= RCV_SHUTDOWN;
  sockSetFlag(sk, SOCK_DONE);
  switch (sk.skState) {
    case TCP_SYN_RECV:
    case TCP_ESTABLISHED:
      tcpSetState(sk, TCP_CLOSE_WAIT);
      inetCskEnterPingpongMode(sk);
      break;
    case TCP_FIN_WAIT1:
      // Both close at once.
      tcpSendAck(sk);
      tcpSetState(sk, TCP_CLOSING);
      break;
    case TCP_FIN_WAIT2:
      tcpSendAck(sk);
      tcpTimeWait(sk, TCP_TIME_WAIT, 0);
      break;
    default:
      // CLOSE_WAIT, CLOSING, LAST_ACK: a FIN that came again.
      break;
  }
  // Nothing can follow a FIN.
  skbRbtreePurge(sk.outOfOrderQueue);
  sk.oooLastSkb = null;
  if (tcpIsSack(sk)) tcpSackReset(sk);
  if (!sockFlag(sk, SOCK_DEAD)) sk.skStateChange(sk);
}

/** Out of place: answered at once, dropped. */
function tcpOutOfWindow(sk: TcpSock, skb: SkBuff, reason: number): void {
  tcpEnterQuickackMode(sk, TCP_MAX_QUICKACKS);
  inetCskScheduleAck(sk);
  tcpDrop(sk, skb, reason);
}

/** Drops a segment. */
export function tcpDrop(sk: TcpSock, skb: SkBuff, reason: number): void {
  sk.skDrops++;
  kfreeSkbReason(skb, reason);
}

/** Some of skb is next in order, and in the window. */
function tcpDataQueueInOrder(sk: TcpSock, skb: SkBuff): void {
  if (!tcpTryRmemSchedule(sk, skb, skb.truesize)) {
    // No room: say so, and keep only a bare FIN, or what is all that the reader can make progress with.
    sk.icskAckPending |= ICSK_ACK_NOMEM | ICSK_ACK_NOW;
    inetCskScheduleAck(sk);
    sk.skDataReady(sk);
    if (sk.skReceiveQueue.next !== null && skb.len !== 0) {
      netIncStats(sk.skNet, LINUX_MIB_TCPRCVQDROP);
      tcpDrop(sk, skb, SKB_DROP_REASON_PROTO_MEM);
      return;
    }
    skForcedMemSchedule(sk, skb.truesize);
  }
  const flags = tcbTcpFlags(skb);
  const eaten = tcpQueueRcv(sk, skb);
  if (skb.len !== 0) tcpEventDataRecv(sk, skb);
  if ((flags & TCPHDR_FIN) !== 0) tcpFin(sk);
  if (!RB_EMPTY_ROOT(sk.outOfOrderQueue)) {
    tcpOfoQueue(sk);
    // RFC 5681 §4.2: a hole that closes is acknowledged at once.
    if (RB_EMPTY_ROOT(sk.outOfOrderQueue)) sk.icskAckPending |= ICSK_ACK_NOW;
  }
  if (sk.rxOpt.numSacks !== 0) tcpSackRemove(sk);
  tcpFastPathCheck(sk);
  if (eaten) consumeSkb(skb);
  if (!sockFlag(sk, SOCK_DEAD)) tcpDataReady(sk);
}

/** Takes the text of a segment that is acceptable, its header still in front. */
export function tcpDataQueue(sk: TcpSock, skb: SkBuff): void {
  const seq = tcbSeq(skb);
  const endSeq = tcbEndSeq(skb);
  if (seq === endSeq) {
    consumeSkb(skb);
    return;
  }
  skbDstDrop(skb);
  __skbPull(skb, thHdrLen(skb));
  sk.rxOpt.dsack = false;
  const window = tcpReceiveWindow(sk);
  if (seq === sk.rcvNxt) {
    const bareFin = skb.len === 0 && (tcbTcpFlags(skb) & TCPHDR_FIN) !== 0;
    if (window === 0 && !bareFin) {
      netIncStats(sk.skNet, LINUX_MIB_TCPZEROWINDOWDROP);
      tcpOutOfWindow(sk, skb, SKB_DROP_REASON_TCP_ZEROWINDOW);
    } else {
      tcpDataQueueInOrder(sk, skb);
    }
  } else if (!after(endSeq, sk.rcvNxt)) {
    // All of it was received before: our ACK was lost, or is late.
    netIncStats(sk.skNet, LINUX_MIB_DELAYEDACKLOST);
    tcpDsackSet(sk, seq, endSeq);
    tcpOutOfWindow(sk, skb, SKB_DROP_REASON_TCP_OLD_DATA);
  } else if (!before(seq, (sk.rcvNxt + window) | 0)) {
    tcpOutOfWindow(sk, skb, SKB_DROP_REASON_TCP_OVERWINDOW);
  } else if (before(seq, sk.rcvNxt)) {
    // Its head was received before.
    tcpDsackSet(sk, seq, sk.rcvNxt);
    if (window === 0) {
      netIncStats(sk.skNet, LINUX_MIB_TCPZEROWINDOWDROP);
      tcpOutOfWindow(sk, skb, SKB_DROP_REASON_TCP_ZEROWINDOW);
    } else {
      tcpDataQueueInOrder(sk, skb);
    }
  } else {
    tcpDataQueueOfo(sk, skb);
  }
}
