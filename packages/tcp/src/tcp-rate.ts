/*
 * Delivery rate estimation (the kernel's tcp_rate.c): how many segments per time the path delivers, one sample per ACK.
 *
 * Order of calls: tcpRateSkbSent (each transmission) → tcpRateSkbDelivered (each segment newly ACKed or SACKed) →
 * tcpRateGen (once per ACK). Times in µs, int32. Read first: draft-cheng-iccrg-delivery-rate-estimation.
 */
import { SKB_TRUESIZE } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { RateSample } from './tcp-ack-state.ts';
import { tcpStampUsDelta } from './tcp-clock.ts';
import { tcpMinRtt } from './tcp-input-rtt.ts';
import { tcpPacketsInFlight } from './tcp-rtx-queue.ts';
import {
  TCPCB_RETRANS, after, tcbEndSeq, tcbSacked, tcbSetTxDelivered, tcbSetTxDeliveredMstamp, tcbSetTxFirstTxMstamp,
  tcbSetTxInFlight, tcbSetTxIsAppLimited, tcbTxDelivered, tcbTxDeliveredMstamp, tcbTxFirstTxMstamp,
  tcbTxIsAppLimited, tcpSkbSerial, tcpSkbTimestampUs,
} from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/** skb goes out: notes in it where the count of deliveries stands. Its send time is set already. */
export function tcpRateSkbSent(sk: TcpSock, skb: SkBuff): void {
  if (sk.packetsOut === 0) {
    // A new flight after idleness: the interval starts with it.
    const sent = tcpSkbTimestampUs(skb);
    sk.firstTxMstamp = sent;
    sk.deliveredMstamp = sent;
  }
  tcbSetTxFirstTxMstamp(skb, sk.firstTxMstamp);
  tcbSetTxDeliveredMstamp(skb, sk.deliveredMstamp);
  tcbSetTxDelivered(skb, sk.delivered);
  tcbSetTxInFlight(skb, tcpPacketsInFlight(sk));
  tcbSetTxIsAppLimited(skb, sk.appLimited !== 0);
}

/**
 * Of two transmissions the first was later: by their numbers; segments of one large sk_buff by sequence.
 * Deviation: tcp_skb_sent_after compares times. Here time stands still during one entry into the stack, and a clock may
 * tick in ms: retransmissions and new data often go out in one tick.
 */
export function tcpSkbSentAfter(serial1: number, serial2: number, seq1: number, seq2: number): boolean {
  return serial1 === serial2 ? after(seq1, seq2) : after(serial1, serial2);
}

/** skb is newly delivered: of all that an ACK delivers, the one sent last makes the sample. */
export function tcpRateSkbDelivered(sk: TcpSock, skb: SkBuff, rs: RateSample): void {
  const sent = tcpSkbTimestampUs(skb);
  const endSeq = tcbEndSeq(skb);
  const serial = tcpSkbSerial(skb);
  if (rs.priorDelivered !== 0 && !tcpSkbSentAfter(serial, rs.lastSerial, endSeq, rs.lastEndSeq)) return;
  rs.priorDelivered = tcbTxDelivered(skb);
  rs.priorMstamp = tcbTxDeliveredMstamp(skb);
  rs.isAppLimited = tcbTxIsAppLimited(skb);
  rs.isRetrans = (tcbSacked(skb) & TCPCB_RETRANS) !== 0;
  rs.lastEndSeq = endSeq;
  rs.lastSerial = serial;
  sk.firstTxMstamp = sent;
  rs.intervalUs = tcpStampUsDelta(sent, tcbTxFirstTxMstamp(skb));
}

/** Completes the sample of an ACK. @param delivered @param lost segments that it delivered, and marked lost */
export function tcpRateGen(sk: TcpSock, delivered: number, lost: number, isSackReneg: boolean, rs: RateSample): void {
  if (sk.appLimited !== 0 && after(sk.delivered, sk.appLimited)) sk.appLimited = 0;
  if (delivered !== 0) sk.deliveredMstamp = sk.tcpMstamp;
  rs.ackedSacked = delivered;
  rs.losses = lost;
  if (rs.priorDelivered === 0 || isSackReneg) {
    rs.delivered = -1;
    rs.intervalUs = -1;
    return;
  }
  rs.delivered = (sk.delivered - rs.priorDelivered) | 0;
  // Sending and being acknowledged are two phases of a pipeline: the longer one bounds the rate.
  rs.sndIntervalUs = rs.intervalUs;
  rs.rcvIntervalUs = tcpStampUsDelta(sk.tcpMstamp, rs.priorMstamp);
  rs.intervalUs = Math.max(rs.sndIntervalUs, rs.rcvIntervalUs);
  if (rs.intervalUs < tcpMinRtt(sk)) {
    // Shorter than any round trip: a retransmission whose original was delivered.
    rs.intervalUs = -1;
    return;
  }
  if (!rs.isAppLimited || rs.delivered * sk.rateIntervalUs >= sk.rateDelivered * rs.intervalUs) {
    sk.rateDelivered = rs.delivered;
    sk.rateIntervalUs = rs.intervalUs;
    sk.rateAppLimited = rs.isAppLimited ? 1 : 0;
  }
}

/** Has the application nothing more to send, though everything else would allow it? Then what follows is app-limited. */
export function tcpRateCheckAppLimited(sk: TcpSock): void {
  if (((sk.writeSeq - sk.sndNxt) | 0) >= sk.mssCache) return;
  if (sk.skWmemAlloc > SKB_TRUESIZE(1)) return;
  const inFlight = tcpPacketsInFlight(sk);
  if (inFlight >= sk.sndCwnd || sk.lostOut > sk.retransOut) return;
  const until = (sk.delivered + inFlight) | 0;
  sk.appLimited = until === 0 ? 1 : until;
}
