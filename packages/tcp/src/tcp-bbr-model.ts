/*
 * What BBR knows of a path, and what follows from it: the state of one sock, the windowed maximum of the bandwidth, and
 * the arithmetic of rates and windows.
 *
 * Bandwidths are segments per µs times 2^24 (BW_UNIT), gains are 1/256 (BBR_UNIT), windows segments, delays µs. All are
 * integers, or doubles that are rounded exactly: the same result on every machine.
 * Order of calls: tcp-bbr.ts → all that is here, for each ACK with a sample.
 * Read first: draft-cardwell-iccrg-bbr-congestion-control-00 §3, §4.1, §4.2.3.
 */
import { TCP_INIT_CWND } from './tcp-consts.ts';
import { GSO_LEGACY_MAX_SIZE, MAX_TCP_HEADER } from './tcp-consts.ts';
import type { TcpSock } from './tcp-sock.ts';

export const BW_UNIT = 1 << 24;
export const BBR_SCALE = 8;
export const BBR_UNIT = 1 << BBR_SCALE;

/** What BBR is doing (draft §3.4): filling the pipe, draining the queue that this made, cruising, measuring the least RTT. */
export const BBR_STARTUP = 0;
export const BBR_DRAIN = 1;
export const BBR_PROBE_BW = 2;
export const BBR_PROBE_RTT = 3;

/** Phases of the gain cycle. */
export const CYCLE_LEN = 8;
/** Rounds that the maximum of the bandwidth is taken over: a cycle and two. */
const BBR_BW_RTTS = CYCLE_LEN + 2;
/** 2/ln 2: the least gain that doubles the rate each round. */
export const BBR_HIGH_GAIN = Math.floor((BBR_UNIT * 2885) / 1000) + 1;
/** Its inverse: what startup queued is drained in one round. */
export const BBR_DRAIN_GAIN = Math.floor((BBR_UNIT * 1000) / 2885);
export const BBR_CWND_GAIN = 2 * BBR_UNIT;
/** Probe for more, drain what that queued, cruise for six phases. */
export const BBR_PACING_GAIN: readonly number[] = [
  (BBR_UNIT * 5) / 4, (BBR_UNIT * 3) / 4, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT,
];
/** The least window: two sk_buffs of two segments, so that delayed ACKs do not stop it. */
export const BBR_CWND_MIN_TARGET = 4;
/** Below 1.2 Mbit/s (in octets) an sk_buff has one segment. */
const BBR_MIN_TSO_RATE = 1_200_000 / 8;
/** Pace so much below the bandwidth, so that no queue stays. */
const BBR_PACING_MARGIN_PERCENT = 1;
/** An ACK aggregate counts for no more than this, µs. */
const BBR_EXTRA_ACKED_MAX_US = 100_000;

/** minRttUs: none was measured yet. */
export const BBR_NO_RTT = 0xffffffff;

/** What BBR keeps of one sock. */
export class Bbr {
  mode: number;
  minRttUs: number;
  /** Jiffies when minRttUs was measured, and when PROBE_RTT may end (0: it has not begun to count). */
  minRttStamp: number;
  probeRttDoneStamp: number;
  probeRttRoundDone: boolean;
  /** The three best bandwidths of the last rounds, and the rounds: a windowed maximum. */
  bw0: number;
  bw1: number;
  bw2: number;
  round0: number;
  round1: number;
  round2: number;
  /** Round trips by packets: how many, and the count of deliveries that ends this one. */
  rttCnt: number;
  nextRttDelivered: number;
  roundStart: boolean;
  /** µs, when this phase of the gain cycle began. */
  cycleMstamp: number;
  cycleIdx: number;
  /** 0 until the first ACK. */
  pacingGain: number;
  cwndGain: number;
  prevCaState: number;
  /** The first round of a recovery: as many are sent as were delivered. */
  packetConservation: boolean;
  /** The flow was idle: its silence has drained the queue. */
  idleRestart: boolean;
  hasSeenRtt: boolean;
  /** The window before a recovery or PROBE_RTT. */
  priorCwnd: number;
  /** Bandwidth that startup reached last, rounds without a quarter more, and whether those were enough. */
  fullBw: number;
  fullBwCnt: number;
  fullBwReached: boolean;
  /** A policer (tcp-bbr-lt.ts): one interval is being measured, the rate was found, it is used. */
  ltIsSampling: boolean;
  ltUseBw: boolean;
  ltRttCnt: number;
  ltBw: number;
  ltLastDelivered: number;
  ltLastStamp: number;
  ltLastLost: number;
  /** ACK aggregation: the epoch's begin (µs), what it acknowledged; the most beyond the bandwidth, in two windows. */
  ackEpochMstamp: number;
  ackEpochAcked: number;
  extraAcked0: number;
  extraAcked1: number;
  extraAckedWinRtts: number;
  extraAckedWinIdx: number;

  constructor() {
    this.mode = BBR_STARTUP;
    this.minRttUs = BBR_NO_RTT;
    this.minRttStamp = 0;
    this.probeRttDoneStamp = 0;
    this.probeRttRoundDone = false;
    this.bw0 = 0;
    this.bw1 = 0;
    this.bw2 = 0;
    this.round0 = 0;
    this.round1 = 0;
    this.round2 = 0;
    this.rttCnt = 0;
    this.nextRttDelivered = 0;
    this.roundStart = false;
    this.cycleMstamp = 0;
    this.cycleIdx = 0;
    this.pacingGain = 0;
    this.cwndGain = 0;
    this.prevCaState = 0;
    this.packetConservation = false;
    this.idleRestart = false;
    this.hasSeenRtt = false;
    this.priorCwnd = 0;
    this.fullBw = 0;
    this.fullBwCnt = 0;
    this.fullBwReached = false;
    this.ltIsSampling = false;
    this.ltUseBw = false;
    this.ltRttCnt = 0;
    this.ltBw = 0;
    this.ltLastDelivered = 0;
    this.ltLastStamp = 0;
    this.ltLastLost = 0;
    this.ackEpochMstamp = 0;
    this.ackEpochAcked = 0;
    this.extraAcked0 = 0;
    this.extraAcked1 = 0;
    this.extraAckedWinRtts = 0;
    this.extraAckedWinIdx = 0;
  }
}

export function bbrOf(sk: TcpSock): Bbr {
  return sk.icskCaPriv as Bbr;
}

// --- Windowed maximum (Kathleen Nichols' algorithm, as the kernel's win_minmax has it) -------------------------

/** Starts over with one sample. */
export function bbrBwReset(bbr: Bbr, round: number, bw: number): void {
  bbr.bw0 = bbr.bw1 = bbr.bw2 = bw;
  bbr.round0 = bbr.round1 = bbr.round2 = round;
}

/** A sample of this round. */
export function bbrBwRunningMax(bbr: Bbr, bw: number): void {
  const round = bbr.rttCnt;
  if (bw >= bbr.bw0 || round - bbr.round2 > BBR_BW_RTTS) {
    bbrBwReset(bbr, round, bw);
    return;
  }
  if (bw >= bbr.bw1) {
    bbr.bw1 = bbr.bw2 = bw;
    bbr.round1 = bbr.round2 = round;
  } else if (bw >= bbr.bw2) {
    bbr.bw2 = bw;
    bbr.round2 = round;
  }
  bbrBwExpire(bbr, round, bw);
}

/** The second best takes the place of the best. */
function bbrBwShift(bbr: Bbr, round: number, bw: number): void {
  bbr.bw0 = bbr.bw1;
  bbr.round0 = bbr.round1;
  bbr.bw1 = bbr.bw2;
  bbr.round1 = bbr.round2;
  bbr.bw2 = bw;
  bbr.round2 = round;
}

/** The best is too old; or a quarter, or half, of the window has passed without a second or third one. */
function bbrBwExpire(bbr: Bbr, round: number, bw: number): void {
  const age = round - bbr.round0;
  if (age > BBR_BW_RTTS) {
    bbrBwShift(bbr, round, bw);
    if (round - bbr.round0 > BBR_BW_RTTS) bbrBwShift(bbr, round, bw);
  } else if (bbr.round1 === bbr.round0 && age > BBR_BW_RTTS >> 2) {
    bbr.bw1 = bbr.bw2 = bw;
    bbr.round1 = bbr.round2 = round;
  } else if (bbr.round2 === bbr.round1 && age > BBR_BW_RTTS >> 1) {
    bbr.bw2 = bw;
    bbr.round2 = round;
  }
}

/** The bandwidth of the path: the maximum, or a policer's rate. */
export function bbrBw(bbr: Bbr): number {
  return bbr.ltUseBw ? bbr.ltBw : bbr.bw0;
}

// --- Rates ----------------------------------------------------------------------------------------------------

/** Octets per second of a bandwidth, with a gain, a little below. */
export function bbrRateBytesPerSec(sk: TcpSock, bw: number, gain: number): number {
  const rate = Math.floor((bw * sk.mssCache * gain) / BBR_UNIT);
  return Math.floor((rate * (10_000 * (100 - BBR_PACING_MARGIN_PERCENT))) / BW_UNIT);
}

/** That, within what the user allows. */
export function bbrBwToPacingRate(sk: TcpSock, bw: number, gain: number): number {
  return Math.min(bbrRateBytesPerSec(sk, bw, gain), sk.skMaxPacingRate);
}

/** Before the first sample: the initial window in one round trip, in 1 ms if none was measured. */
export function bbrInitPacingRateFromRtt(sk: TcpSock): void {
  const bbr = bbrOf(sk);
  let rttUs = 1000;
  if (sk.srttUs !== 0) {
    rttUs = Math.max(sk.srttUs >> 3, 1);
    bbr.hasSeenRtt = true;
  }
  sk.skPacingRate = bbrBwToPacingRate(sk, Math.floor((sk.sndCwnd * BW_UNIT) / rttUs), BBR_HIGH_GAIN);
}

/** Paces at the bandwidth with a gain. While the pipe is not full the rate does not fall. */
export function bbrSetPacingRate(sk: TcpSock, bw: number, gain: number): void {
  const bbr = bbrOf(sk);
  const rate = bbrBwToPacingRate(sk, bw, gain);
  if (!bbr.hasSeenRtt && sk.srttUs !== 0) bbrInitPacingRateFromRtt(sk);
  if (bbr.fullBwReached || rate > sk.skPacingRate) sk.skPacingRate = rate;
}

// --- Windows --------------------------------------------------------------------------------------------------

/** TcpCongestionOps.minTsoSegs. */
export function bbrMinTsoSegs(sk: TcpSock): number {
  return sk.skPacingRate < BBR_MIN_TSO_RATE ? 1 : 2;
}

/** Segments of an sk_buff at this rate. */
function bbrTsoSegsGoal(sk: TcpSock): number {
  const bytes = Math.min(Math.floor(sk.skPacingRate / 2 ** sk.skPacingShift), GSO_LEGACY_MAX_SIZE - 1 - MAX_TCP_HEADER);
  return Math.min(Math.max(Math.floor(bytes / sk.mssCache), bbrMinTsoSegs(sk)), 0x7f);
}

/** Bandwidth times delay times gain, in segments, rounded up; the initial window while no RTT is known. */
export function bbrBdp(bbr: Bbr, bw: number, gain: number): number {
  if (bbr.minRttUs === BBR_NO_RTT) return TCP_INIT_CWND;
  return Math.ceil(Math.floor((bw * bbr.minRttUs * gain) / BBR_UNIT) / BW_UNIT);
}

/** A window with room for what offload and delayed ACKs make of it: three sk_buffs more, even, and two when probing. */
export function bbrQuantizationBudget(sk: TcpSock, window: number): number {
  const bbr = bbrOf(sk);
  const cwnd = (window + 3 * bbrTsoSegsGoal(sk) + 1) & ~1;
  return bbr.mode === BBR_PROBE_BW && bbr.cycleIdx === 0 ? cwnd + 2 : cwnd;
}

/** Segments in flight that a gain means. */
export function bbrInflight(sk: TcpSock, bw: number, gain: number): number {
  return bbrQuantizationBudget(sk, bbrBdp(bbrOf(sk), bw, gain));
}

/** What will be in flight when the next segment leaves: pacing may hold it for a while, and until then ACKs come in. */
export function bbrPacketsInNetAtEdt(sk: TcpSock, inflightNow: number): number {
  const bbr = bbrOf(sk);
  const { now } = sk.skNet.world;
  const pacing = sk.rare === null ? null : sk.rare.pacing;
  const edt = pacing === null ? now : Math.max(pacing.wstampNs, now);
  const delivered = Math.floor((bbrBw(bbr) * Math.floor((edt - now) / 1000)) / BW_UNIT);
  const inflight = bbr.pacingGain > BBR_UNIT ? inflightNow + bbrTsoSegsGoal(sk) : inflightNow;
  return Math.max(inflight - delivered, 0);
}

/** Segments that ACKs which come in bursts need on top. */
export function bbrAckAggregationCwnd(bbr: Bbr): number {
  if (!bbr.fullBwReached) return 0;
  const most = Math.floor((bbrBw(bbr) * BBR_EXTRA_ACKED_MAX_US) / BW_UNIT);
  return Math.min(Math.max(bbr.extraAcked0, bbr.extraAcked1), most);
}
