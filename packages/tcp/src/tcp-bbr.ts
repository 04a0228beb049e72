/*
 * BBR (as Linux's tcp_bbr, its first version): a model of the path, its bandwidth and its least delay, says how fast to send
 * and how much to have in flight. Losses do not, but for the first round of a recovery.
 *
 * Order of calls: bbrInit → per ACK bbrMain: the model (bandwidth, aggregation, phase, full pipe, drain, least RTT), then
 * pacing rate and window. Events: bbrCwndEvent after idleness, bbrSetState on a timeout, bbrSsthresh when a recovery begins.
 * The model and its units are in tcp-bbr-model.ts, policers in tcp-bbr-lt.ts.
 * Read first: draft-cardwell-iccrg-bbr-congestion-control-00; draft-cheng-iccrg-delivery-rate-estimation-00; Cardwell and
 * others, "BBR: congestion-based congestion control" (2016).
 */
import { HZ, msecsToJiffies, randomBelow } from '@stack/kernel';
import { SK_PACING_NEEDED, SK_PACING_NONE } from '@stack/socket';
import { bbrLtBwSampling, bbrResetLtBwSampling } from './tcp-bbr-lt.ts';
import {
  BBR_CWND_GAIN, BBR_CWND_MIN_TARGET, BBR_DRAIN, BBR_DRAIN_GAIN, BBR_HIGH_GAIN, BBR_NO_RTT, BBR_PACING_GAIN, BBR_PROBE_BW,
  BBR_PROBE_RTT, BBR_STARTUP, BBR_UNIT, BW_UNIT, Bbr, CYCLE_LEN, bbrAckAggregationCwnd, bbrBdp, bbrBw, bbrBwReset,
  bbrBwRunningMax, bbrInflight, bbrInitPacingRateFromRtt, bbrMinTsoSegs, bbrOf, bbrPacketsInNetAtEdt, bbrQuantizationBudget,
  bbrSetPacingRate,
} from './tcp-bbr-model.ts';
import { CA_EVENT_TX_START, TCP_CONG_NON_RESTRICTED, TCP_INFINITE_SSTHRESH } from './tcp-cong.ts';
import type { RateSample, TcpCongestionOps } from './tcp-cong.ts';
import { TCP_INIT_CWND } from './tcp-consts.ts';
import { TCP_RTT_MIN_NONE, tcpMinRtt } from './tcp-input-rtt.ts';
import { tcpPacketsInFlight } from './tcp-rtx-queue.ts';
import { after, before } from './tcp-skb-cb.ts';
import { TCP_CA_Loss, TCP_CA_Recovery } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** The least RTT is measured anew after so long, jiffies … */
const BBR_MIN_RTT_WIN = 10 * HZ;
/** … in so much time with next to nothing in flight. */
const BBR_PROBE_RTT_MODE_MS = 200;
/** The cycle begins in one of so many phases, so that flows do not probe together; never in the draining one. */
const BBR_CYCLE_RAND = 7;
/** A pipe is full when the bandwidth has not grown by a quarter in three rounds. */
const BBR_FULL_BW_THRESH = (BBR_UNIT * 5) / 4;
const BBR_FULL_BW_CNT = 3;
/** ACK aggregation: rounds of each of the two windows; segments of an epoch, at most. */
const BBR_EXTRA_ACKED_WIN_RTTS = 5;
const BBR_ACK_EPOCH_ACKED_RESET_THRESH = 1 << 20;

/** µs from b to a, not negative. */
function stampUsDelta(a: number, b: number): number {
  return Math.max((a - b) | 0, 0);
}

// --- Modes ----------------------------------------------------------------------------------------------------

/** Remembers the best window lately, for after a recovery or PROBE_RTT. */
function bbrSaveCwnd(sk: TcpSock): void {
  const bbr = bbrOf(sk);
  const fresh = bbr.prevCaState < TCP_CA_Recovery && bbr.mode !== BBR_PROBE_RTT;
  bbr.priorCwnd = fresh ? sk.sndCwnd : Math.max(bbr.priorCwnd, sk.sndCwnd);
}

function bbrAdvanceCyclePhase(sk: TcpSock, bbr: Bbr): void {
  bbr.cycleIdx = (bbr.cycleIdx + 1) & (CYCLE_LEN - 1);
  bbr.cycleMstamp = sk.deliveredMstamp;
}

function bbrResetProbeBwMode(sk: TcpSock, bbr: Bbr): void {
  bbr.mode = BBR_PROBE_BW;
  bbr.cycleIdx = CYCLE_LEN - 1 - randomBelow(sk.skNet.world.random, BBR_CYCLE_RAND);
  bbrAdvanceCyclePhase(sk, bbr);
}

function bbrResetMode(sk: TcpSock, bbr: Bbr): void {
  if (bbr.fullBwReached) bbrResetProbeBwMode(sk, bbr);
  else bbr.mode = BBR_STARTUP;
}

function bbrUpdateGains(bbr: Bbr): void {
  if (bbr.mode === BBR_STARTUP) {
    bbr.pacingGain = BBR_HIGH_GAIN;
    bbr.cwndGain = BBR_HIGH_GAIN;
  } else if (bbr.mode === BBR_DRAIN) {
    bbr.pacingGain = BBR_DRAIN_GAIN;
    bbr.cwndGain = BBR_HIGH_GAIN;
  } else if (bbr.mode === BBR_PROBE_BW) {
    bbr.pacingGain = bbr.ltUseBw ? BBR_UNIT : BBR_PACING_GAIN[bbr.cycleIdx]!;
    bbr.cwndGain = BBR_CWND_GAIN;
  } else {
    bbr.pacingGain = BBR_UNIT;
    bbr.cwndGain = BBR_UNIT;
  }
}

// --- The model ------------------------------------------------------------------------------------------------

/** Draft §4.1.1: counts round trips, takes the sample of the bandwidth. What is app-limited counts only if it is more. */
function bbrUpdateBw(sk: TcpSock, bbr: Bbr, rs: RateSample): void {
  bbr.roundStart = false;
  if (rs.delivered < 0 || rs.intervalUs <= 0) return;
  if (!before(rs.priorDelivered, bbr.nextRttDelivered)) {
    bbr.nextRttDelivered = sk.delivered;
    bbr.rttCnt++;
    bbr.roundStart = true;
    bbr.packetConservation = false;
  }
  if (bbrLtBwSampling(sk, bbr, rs.isAppLimited, rs.losses)) bbrResetProbeBwMode(sk, bbr);
  const bw = Math.floor((rs.delivered * BW_UNIT) / rs.intervalUs);
  if (!rs.isAppLimited || bw >= bbr.bw0) bbrBwRunningMax(bbr, bw);
}

/** How much more than the bandwidth says do ACKs acknowledge at once? The maximum of five to ten rounds. */
function bbrUpdateAckAggregation(sk: TcpSock, bbr: Bbr, rs: RateSample): void {
  if (rs.ackedSacked <= 0 || rs.delivered < 0 || rs.intervalUs <= 0) return;
  if (bbr.roundStart) {
    bbr.extraAckedWinRtts++;
    if (bbr.extraAckedWinRtts >= BBR_EXTRA_ACKED_WIN_RTTS) {
      bbr.extraAckedWinRtts = 0;
      bbr.extraAckedWinIdx ^= 1;
      if (bbr.extraAckedWinIdx === 0) bbr.extraAcked0 = 0;
      else bbr.extraAcked1 = 0;
    }
  }
  const epochUs = stampUsDelta(sk.deliveredMstamp, bbr.ackEpochMstamp);
  let expected = Math.floor((bbrBw(bbr) * epochUs) / BW_UNIT);
  if (bbr.ackEpochAcked <= expected || bbr.ackEpochAcked + rs.ackedSacked >= BBR_ACK_EPOCH_ACKED_RESET_THRESH) {
    bbr.ackEpochAcked = 0;
    bbr.ackEpochMstamp = sk.deliveredMstamp;
    expected = 0;
  }
  bbr.ackEpochAcked = Math.min(bbr.ackEpochAcked + rs.ackedSacked, BBR_ACK_EPOCH_ACKED_RESET_THRESH - 1);
  const extra = Math.min(bbr.ackEpochAcked - expected, sk.sndCwnd);
  if (bbr.extraAckedWinIdx === 0) bbr.extraAcked0 = Math.max(bbr.extraAcked0, extra);
  else bbr.extraAcked1 = Math.max(bbr.extraAcked1, extra);
}

/** Draft §4.3.4.1: a phase lasts a least RTT; probing goes on until it fills the pipe, draining ends when that is drained. */
function bbrIsNextCyclePhase(sk: TcpSock, bbr: Bbr, rs: RateSample): boolean {
  const full = stampUsDelta(sk.deliveredMstamp, bbr.cycleMstamp) > bbr.minRttUs;
  if (bbr.pacingGain === BBR_UNIT) return full;
  const inflight = bbrPacketsInNetAtEdt(sk, rs.priorInFlight);
  if (bbr.pacingGain > BBR_UNIT) return full && (rs.losses !== 0 || inflight >= bbrInflight(sk, bbr.bw0, bbr.pacingGain));
  return full || inflight <= bbrInflight(sk, bbr.bw0, BBR_UNIT);
}

/** Draft §4.3.2.2: has the bandwidth stopped growing? */
function bbrCheckFullBwReached(bbr: Bbr, rs: RateSample): void {
  if (bbr.fullBwReached || !bbr.roundStart || rs.isAppLimited) return;
  if (bbr.bw0 >= Math.floor((bbr.fullBw * BBR_FULL_BW_THRESH) / BBR_UNIT)) {
    bbr.fullBw = bbr.bw0;
    bbr.fullBwCnt = 0;
    return;
  }
  bbr.fullBwCnt++;
  bbr.fullBwReached = bbr.fullBwCnt >= BBR_FULL_BW_CNT;
}

/** Draft §4.3.3: from startup to draining, and from there, when no queue is left, to cruising. */
function bbrCheckDrain(sk: TcpSock, bbr: Bbr): void {
  if (bbr.mode === BBR_STARTUP && bbr.fullBwReached) {
    bbr.mode = BBR_DRAIN;
    sk.sndSsthresh = bbrInflight(sk, bbr.bw0, BBR_UNIT);
  }
  if (bbr.mode !== BBR_DRAIN) return;
  if (bbrPacketsInNetAtEdt(sk, tcpPacketsInFlight(sk)) <= bbrInflight(sk, bbr.bw0, BBR_UNIT)) bbrResetProbeBwMode(sk, bbr);
}

/** PROBE_RTT ends when both its time and a round trip have passed. */
function bbrCheckProbeRttDone(sk: TcpSock, bbr: Bbr): void {
  const now = sk.skNet.world.jiffies;
  if (bbr.probeRttDoneStamp === 0 || !after(now, bbr.probeRttDoneStamp)) return;
  bbr.minRttStamp = now;
  sk.sndCwnd = Math.max(sk.sndCwnd, bbr.priorCwnd);
  bbrResetMode(sk, bbr);
}

/** An ACK in PROBE_RTT. */
function bbrProbeRtt(sk: TcpSock, bbr: Bbr): void {
  const inFlight = tcpPacketsInFlight(sk);
  // What is sent now says nothing of the bandwidth.
  const until = (sk.delivered + inFlight) | 0;
  sk.appLimited = until === 0 ? 1 : until;
  if (bbr.probeRttDoneStamp === 0) {
    if (inFlight > BBR_CWND_MIN_TARGET) return;
    const done = (sk.skNet.world.jiffies + msecsToJiffies(BBR_PROBE_RTT_MODE_MS)) | 0;
    bbr.probeRttDoneStamp = done === 0 ? 1 : done;
    bbr.probeRttRoundDone = false;
    bbr.nextRttDelivered = sk.delivered;
    return;
  }
  if (bbr.roundStart) bbr.probeRttRoundDone = true;
  if (bbr.probeRttRoundDone) bbrCheckProbeRttDone(sk, bbr);
}

/** Draft §4.1.2, §4.3.5: the least RTT of ten seconds; where none as small was seen for so long, it is looked for. */
function bbrUpdateMinRtt(sk: TcpSock, bbr: Bbr, rs: RateSample): void {
  const now = sk.skNet.world.jiffies;
  const expired = after(now, (bbr.minRttStamp + BBR_MIN_RTT_WIN) | 0);
  if (rs.rttUs >= 0 && (rs.rttUs < bbr.minRttUs || (expired && !rs.isAckDelayed))) {
    bbr.minRttUs = rs.rttUs;
    bbr.minRttStamp = now;
  }
  if (expired && !bbr.idleRestart && bbr.mode !== BBR_PROBE_RTT) {
    bbrSaveCwnd(sk);
    bbr.mode = BBR_PROBE_RTT;
    bbr.probeRttDoneStamp = 0;
  }
  if (bbr.mode === BBR_PROBE_RTT) bbrProbeRtt(sk, bbr);
  if (rs.delivered > 0) bbr.idleRestart = false;
}

// --- Window ---------------------------------------------------------------------------------------------------

/**
 * Draft §4.2.3.4: in a recovery's first round as much is sent as arrives; after it, the window is what it was.
 * @returns whether that is what the window is now
 */
function bbrSetCwndToRecoverOrRestore(sk: TcpSock, bbr: Bbr, rs: RateSample, acked: number): boolean {
  const state = sk.icskCaState;
  if (rs.losses > 0) sk.sndCwnd = Math.max(sk.sndCwnd - rs.losses, 1);
  if (state === TCP_CA_Recovery && bbr.prevCaState !== TCP_CA_Recovery) {
    bbr.packetConservation = true;
    bbr.nextRttDelivered = sk.delivered;
    sk.sndCwnd = tcpPacketsInFlight(sk) + acked;
  } else if (bbr.prevCaState >= TCP_CA_Recovery && state < TCP_CA_Recovery) {
    sk.sndCwnd = Math.max(sk.sndCwnd, bbr.priorCwnd);
    bbr.packetConservation = false;
  }
  bbr.prevCaState = state;
  if (bbr.packetConservation) sk.sndCwnd = Math.max(sk.sndCwnd, tcpPacketsInFlight(sk) + acked);
  return bbr.packetConservation;
}

/** The window: towards the target by what was acknowledged; in startup it does not fall to it. */
function bbrSetCwnd(sk: TcpSock, bbr: Bbr, rs: RateSample): void {
  const acked = rs.ackedSacked;
  if (acked > 0 && !bbrSetCwndToRecoverOrRestore(sk, bbr, rs, acked)) {
    const target = bbrQuantizationBudget(sk, bbrBdp(bbr, bbrBw(bbr), bbr.cwndGain) + bbrAckAggregationCwnd(bbr));
    let cwnd = sk.sndCwnd;
    if (bbr.fullBwReached) cwnd = Math.min(cwnd + acked, target);
    else if (cwnd < target || sk.delivered >>> 0 < TCP_INIT_CWND) cwnd += acked;
    sk.sndCwnd = Math.max(cwnd, BBR_CWND_MIN_TARGET);
  }
  sk.sndCwnd = Math.min(sk.sndCwnd, sk.sndCwndClamp);
  if (bbr.mode === BBR_PROBE_RTT) sk.sndCwnd = Math.min(sk.sndCwnd, BBR_CWND_MIN_TARGET);
}

// --- TcpCongestionOps -----------------------------------------------------------------------------------------

function bbrMain(sk: TcpSock, _ack: number, _flag: number, rs: RateSample): void {
  const bbr = bbrOf(sk);
  bbrUpdateBw(sk, bbr, rs);
  bbrUpdateAckAggregation(sk, bbr, rs);
  if (bbr.mode === BBR_PROBE_BW && bbrIsNextCyclePhase(sk, bbr, rs)) bbrAdvanceCyclePhase(sk, bbr);
  bbrCheckFullBwReached(bbr, rs);
  bbrCheckDrain(sk, bbr);
  bbrUpdateMinRtt(sk, bbr, rs);
  bbrUpdateGains(bbr);
  bbrSetPacingRate(sk, bbrBw(bbr), bbr.pacingGain);
  bbrSetCwnd(sk, bbr, rs);
}

function bbrInit(sk: TcpSock): void {
  const bbr = bbrOf(sk);
  const rtt = tcpMinRtt(sk);
  sk.sndSsthresh = TCP_INFINITE_SSTHRESH;
  bbr.nextRttDelivered = sk.delivered;
  bbr.minRttUs = rtt === TCP_RTT_MIN_NONE ? BBR_NO_RTT : rtt;
  bbr.minRttStamp = sk.skNet.world.jiffies;
  bbrBwReset(bbr, bbr.rttCnt, 0);
  bbrInitPacingRateFromRtt(sk);
  bbrResetLtBwSampling(sk, bbr);
  bbr.mode = BBR_STARTUP;
  bbr.ackEpochMstamp = sk.tcpMstamp;
  if (sk.skPacingStatus === SK_PACING_NONE) sk.skPacingStatus = SK_PACING_NEEDED;
}

/** First data after silence: at the bandwidth, no faster, since nothing is queued that could be drained (draft §4.3.6). */
function bbrCwndEvent(sk: TcpSock, event: number): void {
  if (event !== CA_EVENT_TX_START || sk.appLimited === 0) return;
  const bbr = bbrOf(sk);
  bbr.idleRestart = true;
  bbr.ackEpochMstamp = sk.tcpMstamp;
  bbr.ackEpochAcked = 0;
  if (bbr.mode === BBR_PROBE_BW) bbrSetPacingRate(sk, bbrBw(bbr), BBR_UNIT);
  else if (bbr.mode === BBR_PROBE_RTT) bbrCheckProbeRttDone(sk, bbr);
}

/** A recovery begins: the window after it is that before it; the threshold says nothing. */
function bbrSsthresh(sk: TcpSock): number {
  bbrSaveCwnd(sk);
  return sk.sndSsthresh;
}

/** The losses were none: what they seemed to say of a full pipe or a policer is forgotten. */
function bbrUndoCwnd(sk: TcpSock): number {
  const bbr = bbrOf(sk);
  bbr.fullBw = 0;
  bbr.fullBwCnt = 0;
  bbrResetLtBwSampling(sk, bbr);
  return sk.sndCwnd;
}

/** A timeout ends a round. */
function bbrSetState(sk: TcpSock, newState: number): void {
  if (newState !== TCP_CA_Loss) return;
  const bbr = bbrOf(sk);
  bbr.prevCaState = TCP_CA_Loss;
  bbr.fullBw = 0;
  bbr.roundStart = true;
  if (bbrLtBwSampling(sk, bbr, false, 1)) bbrResetProbeBwMode(sk, bbr);
}

/** BBR holds three windows in the send buffer: it grows by a high gain. */
function bbrSndbufExpand(): number {
  return 3;
}

/** What TCP_CC_INFO says (struct tcp_bbr_info). */
export interface TcpBbrInfo {
  /** Octets per second, low and high 32 bits. */
  bbrBwLo: number;
  bbrBwHi: number;
  /** µs */
  bbrMinRtt: number;
  /** 1/256 */
  bbrPacingGain: number;
  bbrCwndGain: number;
}

function bbrGetInfo(sk: TcpSock): TcpBbrInfo {
  const bbr = bbrOf(sk);
  const bw = Math.floor((bbrBw(bbr) * sk.mssCache * 1e6) / BW_UNIT);
  return {
    bbrBwLo: bw % 2 ** 32, bbrBwHi: Math.floor(bw / 2 ** 32), bbrMinRtt: bbr.minRttUs, bbrPacingGain: bbr.pacingGain, bbrCwndGain: bbr.cwndGain,
  };
}

/** BBR, version 1. */
export const tcpBbr: TcpCongestionOps = {
  name: 'bbr',
  flags: TCP_CONG_NON_RESTRICTED,
  makePriv: () => new Bbr(),
  init: bbrInit,
  release: null,
  ssthresh: bbrSsthresh,
  congAvoid: null,
  undoCwnd: bbrUndoCwnd,
  setState: bbrSetState,
  cwndEvent: bbrCwndEvent,
  inAckEvent: null,
  pktsAcked: null,
  congControl: bbrMain,
  minTsoSegs: bbrMinTsoSegs,
  sndbufExpand: bbrSndbufExpand,
  getInfo: bbrGetInfo,
};
