/*
 * BBR and policers: a token bucket lets bursts through, and drops all above its rate once it is empty. Where two
 * intervals in a row lose a fifth of the segments at about one rate, that rate is the path's, for 48 round trips.
 *
 * Order of calls: bbrUpdateBw (each ACK) → bbrLtBwSampling → bbrLtBwIntervalDone.
 * Read first: draft-cardwell-iccrg-bbr-congestion-control-00, appendix on long-term bandwidth; Flach and others, "An
 * Internet-wide analysis of traffic policing" (2016).
 */
import { BBR_PROBE_BW, BBR_SCALE, BBR_UNIT, BW_UNIT, bbrRateBytesPerSec } from './tcp-bbr-model.ts';
import type { Bbr } from './tcp-bbr-model.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Round trips of an interval: so many at least, four times so many at most. */
const BBR_LT_INTVL_MIN_RTTS = 4;
/** Losses of an interval, in 1/256 of what was delivered, that a policer makes. */
const BBR_LT_LOSS_THRESH = 50;
/** Two rates are one if they differ by no more than an eighth, or by 4 kbit/s (in octets). */
const BBR_LT_BW_RATIO = BBR_UNIT / 8;
const BBR_LT_BW_DIFF = 4000 / 8;
/** Round trips for which the rate is believed. */
const BBR_LT_BW_MAX_RTTS = 48;

/** When the last segment was delivered, ms. */
function deliveredMs(sk: TcpSock): number {
  return Math.floor((sk.deliveredMstamp >>> 0) / 1000);
}

function bbrResetLtBwSamplingInterval(sk: TcpSock, bbr: Bbr): void {
  bbr.ltLastStamp = deliveredMs(sk);
  bbr.ltLastDelivered = sk.delivered;
  bbr.ltLastLost = sk.lost;
  bbr.ltRttCnt = 0;
}

/** Forgets a policer. */
export function bbrResetLtBwSampling(sk: TcpSock, bbr: Bbr): void {
  bbr.ltBw = 0;
  bbr.ltUseBw = false;
  bbr.ltIsSampling = false;
  bbrResetLtBwSamplingInterval(sk, bbr);
}

/** An interval with many losses had this rate: is it that of the one before? */
function bbrLtBwIntervalDone(sk: TcpSock, bbr: Bbr, bw: number): void {
  if (bbr.ltBw !== 0) {
    const diff = Math.abs(bw - bbr.ltBw);
    if (diff * BBR_UNIT <= BBR_LT_BW_RATIO * bbr.ltBw || bbrRateBytesPerSec(sk, diff, BBR_UNIT) <= BBR_LT_BW_DIFF) {
      bbr.ltBw = Math.floor((bw + bbr.ltBw) / 2);
      bbr.ltUseBw = true;
      bbr.pacingGain = BBR_UNIT;
      bbr.ltRttCnt = 0;
      return;
    }
  }
  bbr.ltBw = bw;
  bbrResetLtBwSamplingInterval(sk, bbr);
}

/** Ends an interval that began and ended with losses, if it is one that a policer made. */
function bbrLtBwInterval(sk: TcpSock, bbr: Bbr): void {
  const lost = (sk.lost - bbr.ltLastLost) | 0;
  const delivered = (sk.delivered - bbr.ltLastDelivered) | 0;
  if (delivered <= 0 || lost * (1 << BBR_SCALE) < BBR_LT_LOSS_THRESH * delivered) return;
  const ms = deliveredMs(sk) - bbr.ltLastStamp;
  if (ms < 0) {
    // The clock has wrapped.
    bbrResetLtBwSampling(sk, bbr);
    return;
  }
  if (ms === 0) return;
  bbrLtBwIntervalDone(sk, bbr, Math.floor((delivered * BW_UNIT) / (ms * 1000)));
}

/**
 * Looks for a policer. @param losses segments that this ACK marks lost
 * @returns true if a policer's rate was believed for long enough: the bandwidth is to be probed anew
 */
export function bbrLtBwSampling(sk: TcpSock, bbr: Bbr, isAppLimited: boolean, losses: number): boolean {
  if (bbr.ltUseBw) {
    if (bbr.mode !== BBR_PROBE_BW || !bbr.roundStart || ++bbr.ltRttCnt < BBR_LT_BW_MAX_RTTS) return false;
    bbrResetLtBwSampling(sk, bbr);
    return true;
  }
  if (!bbr.ltIsSampling) {
    if (losses === 0) return false;
    bbrResetLtBwSamplingInterval(sk, bbr);
    bbr.ltIsSampling = true;
  }
  // What the application did not send tells nothing of the path.
  if (isAppLimited) {
    bbrResetLtBwSampling(sk, bbr);
    return false;
  }
  if (bbr.roundStart) bbr.ltRttCnt++;
  if (bbr.ltRttCnt < BBR_LT_INTVL_MIN_RTTS) return false;
  if (bbr.ltRttCnt > 4 * BBR_LT_INTVL_MIN_RTTS) {
    bbrResetLtBwSampling(sk, bbr);
    return false;
  }
  if (losses !== 0) bbrLtBwInterval(sk, bbr);
  return false;
}
