/*
 * TCP small queues: how much of one connection may wait below it, in qdisc and device.
 *
 * Order of calls: tcpSmallQueueCheck throttles → tcpWfree (the device is done with a packet) → tasklet →
 * tcpTsqHandler → tcpWriteXmit; or tcpReleaseCb, if a system call owned the sock then.
 * Read first: RFC 7567 (queues below us); tcp(7), tcp_limit_output_bytes.
 */
import {
  TCPF_CLOSE_WAIT, TCPF_CLOSING, TCPF_ESTABLISHED, TCPF_FIN_WAIT1, TCPF_LAST_ACK,
} from '@stack/inet-sock';
import { taskletSchedule, taskletSetup } from '@stack/kernel';
import type { Net, Tasklet } from '@stack/kernel';
import { skbOrphan } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SK_PACING_NONE, skFree, sockHold, sockOwnedByUser, sockPut, sockWfree } from '@stack/socket';
import type { Sock } from '@stack/socket';
import { tcpMstampRefresh } from './tcp-clock.ts';
import { tcpCurrentMss } from './tcp-output-mss.ts';
import { tcpXmitRetransmitQueue } from './tcp-output-retransmit.ts';
import { tcpWriteXmit } from './tcp-output-xmit.ts';
import { tcpSendAck } from './tcp-output-ctrl.ts';
import { tcpPacketsInFlight } from './tcp-rtx-queue.ts';
import {
  TCPF_ACK_DEFERRED, TCPF_DELACK_TIMER_DEFERRED, TCPF_MTU_REDUCED_DEFERRED, TCPF_TSQ_DEFERRED, TCPF_WRITE_TIMER_DEFERRED, tcpSk,
} from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpDelackTimerHandler, tcpWriteTimerHandler } from './tcp-timer.ts';

/** tsqFlags: held back by tcpSmallQueueCheck; on the list of the tasklet. */
export const TSQF_THROTTLED = 1 << 0;
export const TSQF_QUEUED = 1 << 1;

/** The socks of a Net that a finished transmission lets go on. */
export class TsqTasklet {
  tasklet: Tasklet;
  /** Each holds a reference on its sock. */
  socks: TcpSock[];
  /** The other list, empty: the two change places at each run. */
  spare: TcpSock[];

  constructor(net: Net) {
    this.socks = [];
    this.spare = [];
    this.tasklet = taskletSetup(net, tcpTasklet, this);
  }
}

/** truesize of a pure ACK: next to nothing, so that ACKs do not count against small queues. */
const PURE_ACK_TRUESIZE = 2;

/** Marks skb as a pure ACK (skb_set_tcp_pure_ack). */
export function skbSetTcpPureAck(skb: SkBuff): void {
  skb.truesize = PURE_ACK_TRUESIZE;
}

/** Makes sk answer for a packet on its way down. */
export function tcpSkbSetOwnerW(skb: SkBuff, sk: TcpSock): void {
  skbOrphan(skb);
  skb.sk = sk;
  skb.destructor = skb.truesize === PURE_ACK_TRUESIZE ? sockWfree : tcpWfree;
  sk.skWmemAlloc += skb.truesize;
}

/** sk_buff destructor: a packet of ours has left the device; what was held back may go on. */
export function tcpWfree(skb: SkBuff): void {
  const sock = skb.sk as Sock;
  const sk = tcpSk(sock);
  skb.sk = null;
  sk.skWmemAlloc -= skb.truesize;
  if (sk.skWmemAlloc === 0) {
    skFree(sk);
    return;
  }
  // A sock that nothing refers to any more waits for its packets, and has nothing to send: a hold would bring it back.
  if (sk.skRefcnt === 0) return;
  if ((sk.tsqFlags & (TSQF_THROTTLED | TSQF_QUEUED)) !== TSQF_THROTTLED) return;
  sk.tsqFlags = (sk.tsqFlags & ~TSQF_THROTTLED) | TSQF_QUEUED;
  const tcp = sk.skNet.tcp;
  tcp.tsqTasklet ??= new TsqTasklet(sk.skNet);
  sockHold(sk);
  tcp.tsqTasklet.socks.push(sk);
  taskletSchedule(tcp.tsqTasklet.tasklet);
}

/** Softirq: each sock of the list sends. */
function tcpTasklet(tasklet: Tasklet): void {
  const tsq = tasklet.data as TsqTasklet;
  const socks = tsq.socks;
  tsq.socks = tsq.spare;
  for (const sk of socks) {
    sk.tsqFlags &= ~TSQF_QUEUED;
    tcpTsqHandler(sk);
    sockPut(sk);
  }
  socks.length = 0;
  tsq.spare = socks;
}

/** Sends what may be sent, now or when the system call that owns the sock is done. */
export function tcpTsqHandler(sk: TcpSock): void {
  if (sockOwnedByUser(sk)) sk.tsqFlags |= TCPF_TSQ_DEFERRED;
  else tcpTsqWrite(sk);
}

/** Sends what may be sent. */
function tcpTsqWrite(sk: TcpSock): void {
  const states = TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_CLOSE_WAIT | TCPF_LAST_ACK;
  if (((1 << sk.skState) & states) === 0) return;
  tcpMstampRefresh(sk);
  if (sk.lostOut > sk.retransOut && sk.sndCwnd > tcpPacketsInFlight(sk)) tcpXmitRetransmitQueue(sk);
  tcpWriteXmit(sk, tcpCurrentMss(sk), sk.nonagle, 0);
}

/**
 * Must skb wait because enough of this connection is below already: a millisecond at its pacing rate, two packets at
 * least, net.ipv4.tcp_limit_output_bytes at most if nothing is paced? Then tcpWfree wakes it.
 * @param factor the limit is doubled so often
 */
export function tcpSmallQueueCheck(sk: TcpSock, skb: SkBuff, factor: number): boolean {
  const queued = sk.skWmemAlloc;
  const least = 2 * skb.truesize;
  if (queued <= least) return false;
  let limit = Math.max(least, Math.floor(sk.skPacingRate / (1 << sk.skPacingShift)));
  if (sk.skPacingStatus === SK_PACING_NONE) limit = Math.min(limit, sk.skNet.tcp.sysctlTcpLimitOutputBytes);
  limit *= 1 << factor;
  if (queued <= limit) return false;
  // With nothing or one sk_buff in flight no ACK may come to go on with: do not depend on the device alone.
  const queue = sk.tcpRtxQueue;
  if (queue.next === queue.prev) return false;
  sk.tsqFlags |= TSQF_THROTTLED;
  return true;
}

/** Proto.releaseCb: what timers and tasklets left to do while a system call owned the sock. */
export function tcpReleaseCb(sock: Sock): void {
  const sk = tcpSk(sock);
  const deferred =
    TCPF_TSQ_DEFERRED | TCPF_WRITE_TIMER_DEFERRED | TCPF_DELACK_TIMER_DEFERRED | TCPF_MTU_REDUCED_DEFERRED |
    TCPF_ACK_DEFERRED;
  const flags = sk.tsqFlags;
  if ((flags & deferred) === 0) return;
  sk.tsqFlags = flags & ~deferred;
  if ((flags & TCPF_TSQ_DEFERRED) !== 0) tcpTsqWrite(sk);
  if ((flags & TCPF_WRITE_TIMER_DEFERRED) !== 0) tcpWriteTimerHandler(sk);
  if ((flags & TCPF_DELACK_TIMER_DEFERRED) !== 0) tcpDelackTimerHandler(sk);
  if ((flags & TCPF_MTU_REDUCED_DEFERRED) !== 0) sk.afSpecific.mtuReduced(sk);
  if ((flags & TCPF_ACK_DEFERRED) !== 0 && (sk.icskAckPending & 1) !== 0) tcpSendAck(sk);
}
