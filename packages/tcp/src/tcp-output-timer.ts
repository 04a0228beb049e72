/*
 * Arming the retransmission timer for what comes first: RTO, window probe.
 *
 * Order of calls: tcpEventNewDataSent, tcpSetXmitTimer (ACKs) → tcpRearmRto. Times in jiffies unless they end in Us.
 * Read first: RFC 6298 §5; RFC 9293 §3.8.6.1.
 */
import { jiffiesToUsecs, msecsToJiffies, usecsToJiffies } from '@stack/kernel';
import {
  ICSK_TIME_LOSS_PROBE, ICSK_TIME_REO_TIMEOUT, ICSK_TIME_RETRANS, inetCskClearXmitTimer, inetCskResetXmitTimer,
} from '@stack/inet-sock';
import { TCP_RTO_MAX, TCP_RTO_MIN } from './tcp-consts.ts';
import { tcpFastopenRsk } from './tcp-fastopen.ts';
import { tcpRtoMax } from './tcp-input-rtt.ts';
import { tcpPacingDelay } from './tcp-output-pacing.ts';
import { tcpRtxQueueHead } from './tcp-rtx-queue.ts';
import { tcpSkbTimestampUs } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Backoffs from the least to the greatest RTO. */
const PROBE0_MAX_BACKOFF = 31 - Math.clz32((TCP_RTO_MAX / TCP_RTO_MIN) | 0) + 1;

/** Arms the timer of `what` (ICSK_TIME_*) for `when` jiffies from now, bounded by the greatest RTO. */
export function tcpResetXmitTimer(sk: TcpSock, what: number, when: number): void {
  inetCskResetXmitTimer(sk, what, when, tcpRtoMax(sk));
}

/** µs until the oldest segment has been out for an RTO; negative if it has. */
export function tcpRtoDeltaUs(sk: TcpSock): number {
  const skb = tcpRtxQueueHead(sk);
  const rto = jiffiesToUsecs(sk.icskRto);
  if (skb === null) return rto;
  return (tcpSkbTimestampUs(skb) + rto - sk.tcpMstamp) | 0;
}

/** RFC 6298 §5.2–5.3: the timer runs while something is in flight, from now on. */
export function tcpRearmRto(sk: TcpSock): void {
  // The timer is the SYN-ACK's.
  if (sk.rare !== null && tcpFastopenRsk(sk) !== null) return;
  if (sk.packetsOut === 0) {
    inetCskClearXmitTimer(sk, ICSK_TIME_RETRANS);
    return;
  }
  let rto = sk.icskRto;
  // A probe was armed instead: what has passed since the segment was sent counts.
  if (sk.icskPending === ICSK_TIME_REO_TIMEOUT || sk.icskPending === ICSK_TIME_LOSS_PROBE) {
    rto = usecsToJiffies(Math.max(tcpRtoDeltaUs(sk), 1));
  }
  tcpResetXmitTimer(sk, ICSK_TIME_RETRANS, rto + tcpPacingDelay(sk));
}

/** First interval of window probes: the RTO, no less than 200 ms. */
export function tcpProbe0Base(sk: TcpSock): number {
  return Math.max(sk.icskRto, TCP_RTO_MIN);
}

/** Interval of window probes with backoff. */
export function tcpProbe0When(sk: TcpSock, maxWhen: number): number {
  const backoff = Math.min(PROBE0_MAX_BACKOFF, sk.icskBackoff);
  return Math.min(tcpProbe0Base(sk) * 2 ** backoff, maxWhen);
}

/** `when`, but not beyond what TCP_USER_TIMEOUT leaves of this series of probes (RFC 5482 §3.4). */
export function tcpClampProbe0ToUserTimeout(sk: TcpSock, when: number): number {
  if (sk.opts.userTimeout === 0 || sk.icskProbesTstamp === 0) return when;
  const elapsed = Math.max((sk.skNet.world.jiffies - sk.icskProbesTstamp) | 0, 0);
  let remaining = msecsToJiffies(sk.opts.userTimeout) - elapsed;
  remaining = Math.max(remaining, 1);
  return Math.min(remaining, when);
}
