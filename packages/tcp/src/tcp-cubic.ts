/*
 * CUBIC, the default congestion control: RFC 9438, with HyStart's two exits from slow start.
 *
 * Order of calls: cubictcpInit → per ACK cubictcpAcked (delay, HyStart), then cubictcpCongAvoid → bictcpUpdate;
 * on a loss event cubictcpRecalcSsthresh. Windows are in segments, times in 1/1024 s (BICTCP_HZ) where the cubic is
 * computed, jiffies where epochs are kept, µs for delays.
 * Only integers and exactly rounded arithmetic on doubles below 2^53 are used: the same result on every machine.
 * Read first: RFC 9438 §4; Ha and Rhee, "Taming the elephants: new TCP slow start" (HyStart).
 */
import { HZ } from '@stack/kernel';
import {
  CA_EVENT_TX_START, TCP_CONG_NON_RESTRICTED, tcpCongAvoidAi, tcpInSlowStart, tcpIsCwndLimited, tcpRenoUndoCwnd,
  tcpSlowStart,
} from './tcp-cong.ts';
import { SK_PACING_NONE } from '@stack/socket';
import type { AckSample, TcpCongestionOps } from './tcp-cong.ts';
import { HYSTART_PLUSPLUS, HystartPlusPlus, hystartppAcked, hystartppGrowth } from './tcp-hystartpp.ts';
import { netAddStats, netIncStats } from './netns-tcp.ts';
import { after } from './tcp-skb-cb.ts';
import { TCP_CA_Loss } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import {
  LINUX_MIB_TCPHYSTARTDELAYCWND, LINUX_MIB_TCPHYSTARTDELAYDETECT, LINUX_MIB_TCPHYSTARTTRAINCWND,
  LINUX_MIB_TCPHYSTARTTRAINDETECT,
} from './tcp-mib.ts';

/** Scale of BETA: 717 / 1024 = 0.7 (RFC 9438 §4.6). */
const BICTCP_BETA_SCALE = 1024;
const BETA = 717;
/** One second of the cubic is 2^10 units. */
const BICTCP_HZ = 10;
/** C = 0.4 (RFC 9438 §4.1) as 41 / 1024, times 10. */
const CUBE_RTT_SCALE = 410;
/** 2^40 = 1024 (of C) · 1024^3 (of the time unit). */
const CUBE_UNIT = 2 ** (10 + 3 * BICTCP_HZ);
/** 1 / C in units of the cube of the time. */
const CUBE_FACTOR = Math.floor(CUBE_UNIT / CUBE_RTT_SCALE);
/** 8 · (1 + beta) / 3 / (1 - beta): the inverse of alpha_cubic of RFC 9438 §4.3, times 8. */
const BETA_SCALE = Math.floor(Math.floor((8 * (BICTCP_BETA_SCALE + BETA)) / 3) / (BICTCP_BETA_SCALE - BETA));

const HYSTART_ACK_TRAIN = 1;
const HYSTART_DELAY = 2;
/** Delay samples of a round before its minimum counts. */
const HYSTART_MIN_SAMPLES = 8;
/** HyStart only counts rounds below this window. */
const HYSTART_LOW_WINDOW = 16;
/** Bounds of the rise of delay that ends slow start, µs. */
const HYSTART_DELAY_MIN = 4000;
const HYSTART_DELAY_MAX = 16000;
/** ACKs closer than this belong to one train, µs. */
const HYSTART_ACK_DELTA_US = 2000;

/** What CUBIC keeps of one socket. */
export class Bictcp {
  /** ACKed segments that grow the window by one. */
  cnt: number;
  /** W_max: the window before the last reduction. */
  lastMaxCwnd: number;
  lastCwnd: number;
  /** Jiffies when the cubic was last computed. */
  lastTime: number;
  /** Where the plateau lies. */
  bicOriginPoint: number;
  /** K of RFC 9438 §4.2: time from the epoch's start to the plateau, in 1/1024 s. */
  bicK: number;
  /** Least RTT seen, µs; 0 = none. */
  delayMin: number;
  /** Jiffies when this congestion-avoidance epoch began; 0 = not begun. */
  epochStart: number;
  ackCnt: number;
  /** W_est: what Reno would have reached. */
  tcpCwnd: number;
  sampleCnt: number;
  /** HyStart has ended slow start. */
  found: boolean;
  /** µs; a round lasts from here until endSeq is acknowledged. */
  roundStart: number;
  endSeq: number;
  lastAck: number;
  /** Least RTT of this round, µs; -1 = none. */
  currRtt: number;
  /** HyStart++, where it is chosen. */
  plusplus: HystartPlusPlus | null;

  constructor() {
    this.cnt = 0;
    this.lastMaxCwnd = 0;
    this.lastCwnd = 0;
    this.lastTime = 0;
    this.bicOriginPoint = 0;
    this.bicK = 0;
    this.delayMin = 0;
    this.epochStart = 0;
    this.ackCnt = 0;
    this.tcpCwnd = 0;
    this.sampleCnt = 0;
    this.found = false;
    this.roundStart = 0;
    this.endSeq = 0;
    this.lastAck = 0;
    this.currRtt = -1;
    this.plusplus = null;
  }
}

function inetCskCa(sk: TcpSock): Bictcp {
  return sk.icskCaPriv as Bictcp;
}

/**
 * The integer cube root: the largest x with x³ ≤ a.
 * @param a an integer, 0 ≤ a < 2^53
 */
export function cubicRoot(a: number): number {
  let x = 0;
  for (let bit = 1 << 17; bit !== 0; bit >>= 1) {
    const y = x | bit;
    if (y * y * y <= a) x = y;
  }
  return x;
}

function bictcpReset(ca: Bictcp): void {
  ca.cnt = 0;
  ca.lastMaxCwnd = 0;
  ca.lastCwnd = 0;
  ca.lastTime = 0;
  ca.bicOriginPoint = 0;
  ca.bicK = 0;
  ca.delayMin = 0;
  ca.epochStart = 0;
  ca.ackCnt = 0;
  ca.tcpCwnd = 0;
  ca.found = false;
}

function bictcpHystartReset(sk: TcpSock): void {
  const ca = inetCskCa(sk);
  ca.roundStart = sk.tcpMstamp;
  ca.lastAck = sk.tcpMstamp;
  ca.endSeq = sk.sndNxt;
  ca.currRtt = -1;
  ca.sampleCnt = 0;
}

function cubictcpInit(sk: TcpSock): void {
  const ca = inetCskCa(sk);
  bictcpReset(ca);
  bictcpHystartReset(sk);
  if ((sk.skNet.tcp.sysctlTcpCubicHystartDetect & HYSTART_PLUSPLUS) !== 0) ca.plusplus = new HystartPlusPlus(sk);
}

/** After an idle time the epoch is moved by that time, so that the window does not jump (RFC 9438 §5.8). */
function cubictcpCwndEvent(sk: TcpSock, event: number): void {
  if (event !== CA_EVENT_TX_START) return;
  const ca = inetCskCa(sk);
  const now = sk.skNet.world.jiffies;
  const delta = (now - sk.lsndtime) | 0;
  if (ca.epochStart === 0 || delta <= 0) return;
  ca.epochStart = (ca.epochStart + delta) | 0;
  if (after(ca.epochStart, now)) ca.epochStart = now;
}

/** Starts a congestion-avoidance epoch: RFC 9438 §4.2, K = cubic root of (W_max - cwnd) / C. */
function bictcpStartEpoch(ca: Bictcp, cwnd: number, acked: number, now: number): void {
  ca.epochStart = now === 0 ? 1 : now;
  ca.ackCnt = acked;
  ca.tcpCwnd = cwnd;
  if (ca.lastMaxCwnd <= cwnd) {
    ca.bicK = 0;
    ca.bicOriginPoint = cwnd;
  } else {
    ca.bicK = cubicRoot(CUBE_FACTOR * (ca.lastMaxCwnd - cwnd));
    ca.bicOriginPoint = ca.lastMaxCwnd;
  }
}

/** W_cubic(t + RTT) of RFC 9438 §4.2 (1). */
function bictcpTarget(ca: Bictcp, now: number): number {
  const elapsed = ((now - ca.epochStart) | 0) + Math.ceil((ca.delayMin * HZ) / 1000000);
  const t = Math.floor((elapsed * 2 ** BICTCP_HZ) / HZ);
  const offs = t < ca.bicK ? ca.bicK - t : t - ca.bicK;
  const delta = Math.floor((CUBE_RTT_SCALE * offs * offs * offs) / CUBE_UNIT);
  return t < ca.bicK ? ca.bicOriginPoint - delta : ca.bicOriginPoint + delta;
}

/** The Reno-friendly region, RFC 9438 §4.3: never slower than Reno would be. */
function bictcpFriendliness(ca: Bictcp, cwnd: number): void {
  const delta = Math.max((cwnd * BETA_SCALE) >> 3, 1);
  if (ca.ackCnt > delta) {
    const grown = Math.floor((ca.ackCnt - 1) / delta);
    ca.ackCnt -= grown * delta;
    ca.tcpCwnd += grown;
  }
  if (ca.tcpCwnd > cwnd) {
    const maxCnt = (cwnd / (ca.tcpCwnd - cwnd)) | 0;
    if (ca.cnt > maxCnt) ca.cnt = maxCnt;
  }
}

/**
 * Computes ca.cnt, how many ACKed segments grow the window by one (RFC 9438 §4.2–4.4).
 * @param cwnd segments @param acked newly acknowledged segments @param now jiffies
 */
export function bictcpUpdate(ca: Bictcp, cwnd: number, acked: number, now: number): void {
  ca.ackCnt += acked;
  if (ca.lastCwnd === cwnd && ((now - ca.lastTime) | 0) <= HZ / 32) return;
  // The cubic moves only with the clock; Reno's estimate with every ACK.
  if (ca.epochStart === 0 || now !== ca.lastTime) {
    ca.lastCwnd = cwnd;
    ca.lastTime = now;
    if (ca.epochStart === 0) bictcpStartEpoch(ca, cwnd, acked, now);
    const target = bictcpTarget(ca, now);
    ca.cnt = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd;
    // No loss yet to aim at: grow by at most 5 % a round trip.
    if (ca.lastMaxCwnd === 0 && ca.cnt > 20) ca.cnt = 20;
  }
  bictcpFriendliness(ca, cwnd);
  ca.cnt = Math.max(ca.cnt, 2);
}

/** Slow start, then the cubic. */
function cubictcpCongAvoid(sk: TcpSock, _ack: number, acked: number): void {
  if (!tcpIsCwndLimited(sk)) return;
  let left = acked;
  const ca = inetCskCa(sk);
  if (tcpInSlowStart(sk)) {
    if (ca.plusplus !== null) left = hystartppGrowth(ca.plusplus, left);
    left = tcpSlowStart(sk, left);
    if (left === 0) return;
  }
  bictcpUpdate(ca, sk.sndCwnd, left, sk.skNet.world.jiffies);
  tcpCongAvoidAi(sk, ca.cnt, left);
}

/** RFC 9438 §4.6 multiplicative decrease, §4.7 fast convergence. */
function cubictcpRecalcSsthresh(sk: TcpSock): number {
  const ca = inetCskCa(sk);
  const cwnd = sk.sndCwnd;
  ca.epochStart = 0;
  ca.lastMaxCwnd = cwnd < ca.lastMaxCwnd
    ? Math.floor((cwnd * (BICTCP_BETA_SCALE + BETA)) / (2 * BICTCP_BETA_SCALE))
    : cwnd;
  return Math.max(Math.floor((cwnd * BETA) / BICTCP_BETA_SCALE), 2);
}

function cubictcpState(sk: TcpSock, newState: number): void {
  if (newState !== TCP_CA_Loss) return;
  bictcpReset(inetCskCa(sk));
  bictcpHystartReset(sk);
}

function hystartDelayThresh(delay: number): number {
  return Math.min(Math.max(delay, HYSTART_DELAY_MIN), HYSTART_DELAY_MAX);
}

/** Time that one burst of large segments takes at the pacing rate, µs, at most 1 ms. */
function hystartAckDelay(sk: TcpSock): number {
  const rate = sk.skPacingRate;
  if (rate <= 0) return 0;
  return Math.min(1000, Math.floor((sk.skGsoMaxSize * 4 * 1000000) / rate));
}

/** The window is what it is: slow start ends here. */
function hystartFound(sk: TcpSock, ca: Bictcp, detect: number, cwnd: number): void {
  ca.found = true;
  netIncStats(sk.skNet, detect);
  netAddStats(sk.skNet, cwnd, sk.sndCwnd);
  sk.sndSsthresh = sk.sndCwnd;
}

/** HyStart's two tests: a train of ACKs half a round trip long, or a round whose least delay rose. */
function hystartUpdate(sk: TcpSock, delay: number): void {
  const ca = inetCskCa(sk);
  if (after(sk.sndUna, ca.endSeq)) bictcpHystartReset(sk);
  if (sk.sndCwnd < HYSTART_LOW_WINDOW) return;

  const detect = sk.skNet.tcp.sysctlTcpCubicHystartDetect;
  if ((detect & HYSTART_ACK_TRAIN) !== 0) {
    const now = sk.tcpMstamp;
    if (((now - ca.lastAck) | 0) <= HYSTART_ACK_DELTA_US) {
      ca.lastAck = now;
      // What is not paced comes back as fast as the bottleneck sends: then half a round trip is enough.
      const whole = ca.delayMin + hystartAckDelay(sk);
      const threshold = sk.skPacingStatus === SK_PACING_NONE ? whole >> 1 : whole;
      if (((now - ca.roundStart) | 0) > threshold) {
        hystartFound(sk, ca, LINUX_MIB_TCPHYSTARTTRAINDETECT, LINUX_MIB_TCPHYSTARTTRAINCWND);
      }
    }
  }
  if ((detect & HYSTART_DELAY) !== 0) {
    if (ca.currRtt < 0 || ca.currRtt > delay) ca.currRtt = delay;
    if (ca.sampleCnt < HYSTART_MIN_SAMPLES) {
      ca.sampleCnt++;
    } else if (ca.currRtt > ca.delayMin + hystartDelayThresh(ca.delayMin >> 3)) {
      hystartFound(sk, ca, LINUX_MIB_TCPHYSTARTDELAYDETECT, LINUX_MIB_TCPHYSTARTDELAYCWND);
    }
  }
}

/** Each ACK with an RTT: the least delay, and HyStart while in slow start. */
function cubictcpAcked(sk: TcpSock, sample: AckSample): void {
  if (sample.rttUs < 0) return;
  const ca = inetCskCa(sk);
  // The first second after a reduction measures the queue that caused it.
  if (ca.epochStart !== 0 && ((sk.skNet.world.jiffies - ca.epochStart) | 0) < HZ) return;
  const delay = Math.max(sample.rttUs, 1);
  if (ca.delayMin === 0 || ca.delayMin > delay) ca.delayMin = delay;
  if (ca.found || !tcpInSlowStart(sk)) return;
  if (ca.plusplus === null) {
    hystartUpdate(sk, delay);
  } else if (hystartppAcked(sk, ca.plusplus, delay)) {
    hystartFound(sk, ca, LINUX_MIB_TCPHYSTARTDELAYDETECT, LINUX_MIB_TCPHYSTARTDELAYCWND);
  }
}

/** CUBIC (RFC 9438). */
export const cubictcp: TcpCongestionOps = {
  name: 'cubic',
  flags: TCP_CONG_NON_RESTRICTED,
  makePriv: () => new Bictcp(),
  init: cubictcpInit,
  release: null,
  ssthresh: cubictcpRecalcSsthresh,
  congAvoid: cubictcpCongAvoid,
  undoCwnd: tcpRenoUndoCwnd,
  setState: cubictcpState,
  cwndEvent: cubictcpCwndEvent,
  inAckEvent: null,
  pktsAcked: cubictcpAcked,
  congControl: null,
  minTsoSegs: null,
  sndbufExpand: null,
  getInfo: null,
};
