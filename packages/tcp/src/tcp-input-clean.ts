/*
 * What a cumulative acknowledgment takes off the retransmission queue, and what it tells of round-trip time, reordering
 * and delivery.
 *
 * Order of calls: tcpAck → tcpCleanRtxQueue → (per segment) tcpCleanOne → tcpCleanRtt → tcpCleanAcked.
 * Read first: RFC 9293 §3.4; RFC 6298 §3 (Karn).
 */
import type { SkBuff } from '@stack/skbuff';
import { TCP_CHRONO_BUSY, tcpChronoStop } from './tcp-chrono.ts';
import type { TcpSacktagState } from './tcp-ack-state.ts';
import { tcpStampUsDelta } from './tcp-clock.ts';
import {
  FLAG_ACKED, FLAG_ACK_MAYBE_DELAYED, FLAG_CA_ALERT, FLAG_DATA_ACKED, FLAG_ECE, FLAG_ORIG_SACK_ACKED,
  FLAG_RETRANS_DATA_ACKED, FLAG_SACK_RENEGING, FLAG_SET_XMIT_TIMER, FLAG_SYN_ACKED,
} from './tcp-consts.ts';
import { tcpCountDelivered, tcpRemoveRenoSacks } from './tcp-input-loss.ts';
import { tcpAckUpdateRtt } from './tcp-input-rtt.ts';
import { tcpCheckSackReordering } from './tcp-input-sack.ts';
import { tcpSkbSpuriousRetrans } from './tcp-input-undo.ts';
import { tcpMtupProbeSuccess } from './tcp-mtu-probe.ts';
import { tcpTrimHead } from './tcp-output-frag.ts';
import { tcpRateSkbDelivered } from './tcp-rate.ts';
import { tcpRackAdvance } from './tcp-recovery.ts';
import {
  tcpHighestSackReplace, tcpIsReno, tcpRtxQueueHead, tcpRtxQueueUnlinkAndFree,
} from './tcp-rtx-queue.ts';
import {
  TCPCB_LOST, TCPCB_RETRANS, TCPCB_SACKED_ACKED, TCPCB_SACKED_RETRANS, TCPHDR_SYN, after, before, between, tcbEndSeq,
  tcbSacked, tcbSeq, tcbTcpFlags, tcpSkbPcount, tcpSkbTimestampUs,
} from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpAckTstamp } from './tcp-tx-timestamp.ts';

/** Segments of skb, which is acknowledged in part, that are; their bytes go. */
function tcpTsoAcked(sk: TcpSock, skb: SkBuff): number {
  const pcount = tcpSkbPcount(skb);
  if (tcpTrimHead(sk, skb, (sk.sndUna - tcbSeq(skb)) | 0) !== 0) return 0;
  return pcount - tcpSkbPcount(skb);
}

/** `acked` segments of skb are acknowledged: counts, marks, and what they say. startSeq is that of skb before it was cut. */
function tcpCleanOne(sk: TcpSock, st: TcpSacktagState, skb: SkBuff, acked: number, startSeq: number): void {
  const sacked = tcbSacked(skb);
  const endSeq = tcbEndSeq(skb);
  const sent = tcpSkbTimestampUs(skb);
  if ((sacked & TCPCB_RETRANS) !== 0) {
    if ((sacked & TCPCB_SACKED_RETRANS) !== 0) sk.retransOut -= acked;
    st.flag |= FLAG_RETRANS_DATA_ACKED;
  } else if ((sacked & TCPCB_SACKED_ACKED) === 0) {
    if (!st.acktValid) {
      st.acktValid = true;
      st.firstAckt = sent;
    }
    st.lastAckt = sent;
    if (before(startSeq, st.reord)) st.reord = startSeq;
    if (!after(endSeq, sk.highSeq)) st.flag |= FLAG_ORIG_SACK_ACKED;
  }
  if ((sacked & TCPCB_SACKED_ACKED) !== 0) {
    sk.sackedOut -= acked;
  } else {
    if (!tcpIsReno(sk)) {
      tcpCountDelivered(sk, acked, (st.flag & FLAG_ECE) !== 0);
      if (!tcpSkbSpuriousRetrans(sk, skb)) tcpRackAdvance(sk, skb);
    }
    tcpRateSkbDelivered(sk, skb, st.rate);
  }
  if ((sacked & TCPCB_LOST) !== 0) sk.lostOut -= acked;
  sk.packetsOut -= acked;
  // Our SYN is not data: it must not open the window.
  if ((tcbTcpFlags(skb) & TCPHDR_SYN) === 0) {
    st.flag |= FLAG_DATA_ACKED;
  } else {
    st.flag |= FLAG_SYN_ACKED;
    sk.retransStamp = 0;
  }
}

/** Takes off all that is acknowledged. @returns segments; negative if the last sk_buff was acknowledged in part only */
function tcpCleanQueue(sk: TcpSock, st: TcpSacktagState, priorSndUna: number): number {
  let pktsAcked = 0;
  let next: SkBuff | null;
  for (let skb = tcpRtxQueueHead(sk); skb !== null; skb = next) {
    const startSeq = tcbSeq(skb);
    if (after(tcbEndSeq(skb), sk.sndUna)) {
      const acked = tcpSkbPcount(skb) === 1 || !after(sk.sndUna, startSeq) ? 0 : tcpTsoAcked(sk, skb);
      if (acked !== 0) tcpCleanOne(sk, st, skb, acked, startSeq);
      tcpAckTstamp(sk, skb, priorSndUna);
      if (acked === 0) break;
      return -(pktsAcked + acked);
    }
    const acked = tcpSkbPcount(skb);
    tcpCleanOne(sk, st, skb, acked, startSeq);
    pktsAcked += acked;
    tcpAckTstamp(sk, skb, priorSndUna);
    next = skb.next;
    if (skb === sk.retransmitSkbHint) sk.retransmitSkbHint = null;
    tcpHighestSackReplace(sk, skb, next);
    tcpRtxQueueUnlinkAndFree(sk, skb);
  }
  tcpChronoStop(sk, TCP_CHRONO_BUSY);
  return pktsAcked;
}

/** Something was acknowledged: reordering shows, and without SACK the count of duplicates falls. */
function tcpCleanAcked(sk: TcpSock, st: TcpSacktagState, pktsAcked: number, priorFack: number): void {
  const mtup = sk.icskMtup;
  if (mtup !== null && mtup.probeSize !== 0 && !after(mtup.probeSeqEnd, sk.sndUna)) tcpMtupProbeSuccess(sk, mtup);
  if (tcpIsReno(sk)) {
    tcpRemoveRenoSacks(sk, pktsAcked, (st.flag & FLAG_ECE) !== 0);
    // Without SACK it is not known which of them was the original.
    if ((st.flag & FLAG_RETRANS_DATA_ACKED) !== 0) st.flag &= ~FLAG_ORIG_SACK_ACKED;
  } else if (before(st.reord, priorFack)) {
    tcpCheckSackReordering(sk, st.reord, false);
  }
}

/**
 * Takes off the retransmission queue what sndUna has passed; updates RTT, RACK, rate, reordering.
 * @param priorFack the highest SACK @param priorSndUna sndUna, both before this ACK
 */
export function tcpCleanRtxQueue(sk: TcpSock, st: TcpSacktagState, priorFack: number, priorSndUna: number): void {
  const priorSacked = sk.sackedOut;
  st.acktValid = false;
  st.reord = sk.sndNxt;
  const count = tcpCleanQueue(sk, st, priorSndUna);
  const fullyAcked = count >= 0;
  const pktsAcked = fullyAcked ? count : -count;
  const head = tcpRtxQueueHead(sk);
  if (between(sk.sndUp, priorSndUna, sk.sndUna)) sk.sndUp = sk.sndUna;
  if (head !== null && (tcbSacked(head) & TCPCB_SACKED_ACKED) !== 0) st.flag |= FLAG_SACK_RENEGING;

  const now = sk.tcpMstamp;
  let seqRtt = -1;
  let sackRtt = -1;
  let caRtt = -1;
  if (st.acktValid && (st.flag & FLAG_RETRANS_DATA_ACKED) === 0) {
    seqRtt = tcpStampUsDelta(now, st.firstAckt);
    caRtt = tcpStampUsDelta(now, st.lastAckt);
    // One lone segment: the receiver has probably delayed this ACK.
    if (
      pktsAcked === 1 && fullyAcked && priorSacked === 0 && ((sk.sndUna - priorSndUna) | 0) < sk.mssCache &&
      ((st.rate.priorDelivered + 1) | 0) === sk.delivered && (st.flag & (FLAG_CA_ALERT | FLAG_SYN_ACKED)) === 0
    ) {
      st.flag |= FLAG_ACK_MAYBE_DELAYED;
    }
  }
  if (st.sacktValid) {
    sackRtt = tcpStampUsDelta(now, st.firstSackt);
    caRtt = tcpStampUsDelta(now, st.lastSackt);
  }
  const rttUpdate = tcpAckUpdateRtt(sk, st, st.flag, seqRtt, sackRtt, caRtt);

  if ((st.flag & FLAG_ACKED) !== 0) {
    st.flag |= FLAG_SET_XMIT_TIMER;
    tcpCleanAcked(sk, st, pktsAcked, priorFack);
  } else if (
    head !== null && rttUpdate && sackRtt >= 0 && sackRtt > tcpStampUsDelta(now, tcpSkbTimestampUs(head))
  ) {
    // Only what was sent after the head may not push the timeout further away.
    st.flag |= FLAG_SET_XMIT_TIMER;
  }
  const hook = sk.icskCaOps.pktsAcked;
  if (hook !== null) {
    const sample = st.ack;
    sample.pktsAcked = pktsAcked;
    sample.rttUs = st.rate.rttUs;
    sample.inFlight = sk.mssCache * ((sk.delivered - st.rate.priorDelivered) | 0);
    hook(sk, sample);
  }
}
