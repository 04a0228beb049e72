/*
 * RACK: loss is told by time. A segment is lost if one that was sent later has been delivered, and the reordering window
 * has passed since.
 *
 * Order of calls: tcpRackAdvance (each delivery) → tcpRackUpdateReoWnd → tcpRackMarkLost → tcpRackDetectLoss;
 * tcpRackReoTimeout from the timer. Times in µs.
 * Read first: RFC 8985 §6.
 */
import { usecsToJiffies } from '@stack/kernel';
import { ICSK_TIME_REO_TIMEOUT, ICSK_TIME_RETRANS } from '@stack/inet-sock';
import type { SkBuff } from '@stack/skbuff';
import type { RateSample } from './tcp-ack-state.ts';
import { tcpStampUsDelta } from './tcp-clock.ts';
import {
  TCP_RACK_NO_DUPTHRESH, TCP_RACK_STATIC_REO_WND, TCP_TIMEOUT_MIN_US,
} from './tcp-consts.ts';
import { tcpEnterRecovery } from './tcp-input-recovery.ts';
import { tcpCwndReduction } from './tcp-input-cwnd.ts';
import { tcpMarkSkbLost } from './tcp-input-loss.ts';
import { tcpMinRtt } from './tcp-input-rtt.ts';
import { tcpXmitRetransmitQueue } from './tcp-output-retransmit.ts';
import { tcpRearmRto, tcpResetXmitTimer } from './tcp-output-timer.ts';
import { tcpSkbSentAfter } from './tcp-rate.ts';
import { tcpPacketsInFlight, tcpTsortedDel } from './tcp-rtx-queue.ts';
import {
  TCPCB_LOST, TCPCB_RETRANS, TCPCB_SACKED_RETRANS, before, tcbEndSeq, tcbSacked, tcpSkbSerial, tcpSkbTimestampUs,
} from './tcp-skb-cb.ts';
import { TCP_CA_Recovery } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Recoveries without a DSACK after which the reordering window shrinks again. */
export const TCP_RACK_RECOVERY_THRESH = 16;

/** struct tcp_rack (RFC 8985 §6). */
export class TcpRack {
  /** Number and end of the newest segment delivered, its RTT in µs. */
  serial: number;
  endSeq: number;
  rttUs: number;
  /** tp.delivered when the reordering window was last widened. */
  lastDelivered: number;
  /** Quarters of the least RTT that the reordering window has; recoveries that it lasts for. */
  reoWndSteps: number;
  reoWndPersist: number;
  dsackSeen: boolean;
  /** Something was delivered since the last look for losses. */
  advanced: boolean;

  constructor() {
    this.serial = 0;
    this.endSeq = 0;
    this.rttUs = 0;
    this.lastDelivered = 0;
    this.reoWndSteps = 1;
    this.reoWndPersist = 0;
    this.dsackSeen = false;
    this.advanced = false;
  }
}

/** RACK's state of sk, made on first use. */
export function tcpRack(sk: TcpSock): TcpRack {
  return (sk.rack ??= new TcpRack());
}

/** RFC 8985 §6.2 step 4: how long a segment may be overtaken before it counts as lost, µs. */
function tcpRackReoWnd(sk: TcpSock, rack: TcpRack): number {
  if (sk.reordSeen === 0) {
    // No reordering was ever seen: be quick once in recovery, or with as many duplicates as start one.
    if (sk.icskCaState >= TCP_CA_Recovery) return 0;
    if (sk.sackedOut >= sk.reordering && (sk.skNet.tcp.sysctlTcpRecovery & TCP_RACK_NO_DUPTHRESH) === 0) return 0;
  }
  return Math.min((tcpMinRtt(sk) >> 2) * rack.reoWndSteps, sk.srttUs >> 3);
}

/** µs until skb counts as lost, 0 or less: it does. */
export function tcpRackSkbTimeout(sk: TcpSock, skb: SkBuff, reoWnd: number): number {
  return (sk.rack === null ? 0 : sk.rack.rttUs) + reoWnd - tcpStampUsDelta(sk.tcpMstamp, tcpSkbTimestampUs(skb));
}

/** Step 5: marks what is lost. @returns µs until the next one may be, 0 if nothing waits */
function tcpRackDetectLoss(sk: TcpSock, rack: TcpRack): number {
  const reoWnd = tcpRackReoWnd(sk, rack);
  let reoTimeout = 0;
  let next: SkBuff | null;
  for (let skb = sk.tsortedFirst; skb !== null; skb = next) {
    next = skb.right;
    const sacked = tcbSacked(skb);
    if ((sacked & TCPCB_LOST) !== 0 && (sacked & TCPCB_SACKED_RETRANS) === 0) continue;
    if (!tcpSkbSentAfter(rack.serial, tcpSkbSerial(skb), rack.endSeq, tcbEndSeq(skb))) break;
    const remaining = tcpRackSkbTimeout(sk, skb, reoWnd);
    if (remaining <= 0) {
      tcpMarkSkbLost(sk, skb);
      tcpTsortedDel(sk, skb);
    } else if (remaining > reoTimeout) {
      reoTimeout = remaining;
    }
  }
  return reoTimeout;
}

/** Marks the losses that this ACK makes evident; arms the reordering timer for the rest. @returns whether it armed it */
export function tcpRackMarkLost(sk: TcpSock): boolean {
  const { rack } = sk;
  if (rack === null || !rack.advanced) return false;
  rack.advanced = false;
  const timeout = tcpRackDetectLoss(sk, rack);
  if (timeout === 0) return false;
  tcpResetXmitTimer(sk, ICSK_TIME_REO_TIMEOUT, usecsToJiffies(timeout + TCP_TIMEOUT_MIN_US));
  return true;
}

/** Steps 1 and 2: skb was delivered. */
export function tcpRackAdvance(sk: TcpSock, skb: SkBuff): void {
  const rtt = tcpStampUsDelta(sk.tcpMstamp, tcpSkbTimestampUs(skb));
  // Faster than any round trip: it was an earlier transmission of the segment that was delivered.
  if (rtt < tcpMinRtt(sk) && (tcbSacked(skb) & TCPCB_RETRANS) !== 0) return;
  const serial = tcpSkbSerial(skb);
  const endSeq = tcbEndSeq(skb);
  const rack = tcpRack(sk);
  rack.advanced = true;
  rack.rttUs = rtt;
  if (tcpSkbSentAfter(serial, rack.serial, endSeq, rack.endSeq)) {
    rack.serial = serial;
    rack.endSeq = endSeq;
  }
}

/** The reordering timer fired: what was waited for is lost. */
export function tcpRackReoTimeout(sk: TcpSock): void {
  const priorInFlight = tcpPacketsInFlight(sk);
  const lost = sk.lost;
  tcpRackDetectLoss(sk, tcpRack(sk));
  if (priorInFlight !== tcpPacketsInFlight(sk)) {
    if (sk.icskCaState !== TCP_CA_Recovery) {
      tcpEnterRecovery(sk, false);
      if (sk.icskCaOps.congControl === null) tcpCwndReduction(sk, 1, (sk.lost - lost) | 0, 0);
    }
    tcpXmitRetransmitQueue(sk);
  }
  if (sk.icskPending !== ICSK_TIME_RETRANS) tcpRearmRto(sk);
}

/** Step 4: DSACKs widen the reordering window, one step a round trip at most; it falls back after 16 recoveries. */
export function tcpRackUpdateReoWnd(sk: TcpSock, rs: RateSample): void {
  const { rack } = sk;
  if (rack === null || (sk.skNet.tcp.sysctlTcpRecovery & TCP_RACK_STATIC_REO_WND) !== 0 || rs.priorDelivered === 0) return;
  if (before(rs.priorDelivered, rack.lastDelivered)) rack.dsackSeen = false;
  if (rack.dsackSeen) {
    rack.reoWndSteps = Math.min(255, rack.reoWndSteps + 1);
    rack.dsackSeen = false;
    rack.lastDelivered = sk.delivered;
    rack.reoWndPersist = TCP_RACK_RECOVERY_THRESH;
  } else if (rack.reoWndPersist === 0) {
    rack.reoWndSteps = 1;
  }
}
