// BBR's states, each driven by what tcp_ack tells of a path that delivers so many segments a round trip.
import { createNet, createWorld } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { SK_PACING_NEEDED, installSocket } from '@stack/socket';
import { beforeEach, expect, test } from 'vitest';
import {
  BBR_CWND_GAIN, BBR_DRAIN, BBR_DRAIN_GAIN, BBR_HIGH_GAIN, BBR_PROBE_BW, BBR_PROBE_RTT, BBR_STARTUP, BBR_UNIT, BW_UNIT, type Bbr,
  bbrBdp, bbrBwRunningMax, bbrOf,
} from './tcp-bbr-model.ts';
import { tcpBbr } from './tcp-bbr.ts';
import { AF_CHANNEL } from './tcp-channel.ts';
import { channelProt } from './tcp-channel-family.ts';
import { CA_EVENT_TX_START, tcpSetCongestionControl } from './tcp-cong.ts';
import { installTcp } from './install.ts';
import { TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery, tcpSk, type TcpSock } from './tcp-sock.ts';
import { tcpInitSock } from './tcp.ts';

const RTT = 40_000;
const MSS = 1000;
let sk: TcpSock;
let bbr: Bbr;

beforeEach(() => {
  const world = createWorld({ seed: 7 });
  installSkbuff(world);
  const net = createNet(world, { name: 'host' });
  installSocket(net);
  installTcp(net);
  sk = tcpSk(channelProt.objCreate(net, AF_CHANNEL, channelProt));
  tcpInitSock(sk);
  sk.mssCache = MSS;
  sk.sndCwnd = 10;
  sk.srttUs = 8 * RTT;
  sk.rttMin.v0 = RTT;
  expect(tcpSetCongestionControl(sk, 'bbr')).toBe(0);
  tcpBbr.init?.(sk);
  bbr = bbrOf(sk);
});

interface Sample {
  readonly delivered: number;
  /** µs that they were delivered in, and that pass. */
  readonly us?: number;
  readonly rttUs?: number;
  readonly losses?: number;
  readonly inFlight?: number;
  readonly appLimited?: boolean;
  readonly state?: number;
  /** The ACK is one of a round that began before. */
  readonly sameRound?: boolean;
}

/** One ACK. */
function ack({ delivered, us = RTT, rttUs = RTT, losses = 0, inFlight = sk.sndCwnd, appLimited = false, state = TCP_CA_Open, sameRound = false }: Sample): void {
  const { world } = sk.skNet;
  world.now += us * 1000;
  world.jiffies = (world.jiffies + Math.round(us / 1000)) | 0;
  sk.tcpMstamp = (sk.tcpMstamp + us) | 0;
  const prior = sk.delivered;
  sk.delivered += delivered;
  sk.lost += losses;
  sk.deliveredMstamp = sk.tcpMstamp;
  sk.packetsOut = inFlight;
  sk.icskCaState = state;
  const rs = sk.skNet.tcp.sacktagState.rate;
  Object.assign(rs, {
    delivered, intervalUs: us, rttUs, losses, ackedSacked: delivered, priorInFlight: inFlight, isAppLimited: appLimited,
    priorDelivered: sameRound ? bbr.nextRttDelivered - 1 : prior, isAckDelayed: false,
  });
  tcpBbr.congControl?.(sk, 0, 0, rs);
}

/** Rounds of a path of 100 segments a round trip, until it cruises. */
function cruise(): void {
  for (let i = 0; i < 20 && bbr.mode !== BBR_PROBE_BW; i++) ack({ delivered: 100, inFlight: bbr.mode === BBR_DRAIN ? 50 : sk.sndCwnd });
  expect(bbr.mode).toBe(BBR_PROBE_BW);
}

test('draft-00 §4.2.1: before the first sample, the initial window a round trip at 2/ln2, less a hundredth', () => {
  expect([bbr.mode, bbr.pacingGain, bbr.cwndGain]).toEqual([BBR_STARTUP, 0, 0]);
  ack({ delivered: 0 });
  expect([bbr.pacingGain, bbr.cwndGain]).toEqual([BBR_HIGH_GAIN, BBR_HIGH_GAIN]);
  expect(BBR_HIGH_GAIN).toBe(739);
  expect(sk.skPacingRate / (10 * MSS / 0.04)).toBeCloseTo((739 / 256) * 0.99, 3);
  expect(sk.skPacingStatus).toBe(SK_PACING_NEEDED);
});

test('draft-00 §4.3.2: startup goes on while the bandwidth grows by a quarter, and ends after three rounds without', () => {
  for (const delivered of [10, 28, 80, 100]) ack({ delivered });
  expect([bbr.mode, bbr.fullBwReached]).toEqual([BBR_STARTUP, false]);
  ack({ delivered: 100 });
  ack({ delivered: 100 });
  expect(bbr.mode).toBe(BBR_STARTUP);
  ack({ delivered: 100, inFlight: 500 });
  expect([bbr.mode, bbr.fullBwReached, bbr.pacingGain, bbr.cwndGain]).toEqual([BBR_DRAIN, true, BBR_DRAIN_GAIN, BBR_HIGH_GAIN]);
  expect(sk.sndSsthresh).toBeGreaterThanOrEqual(100);
  expect(sk.sndSsthresh).toBeLessThan(120);
});

test('draft-00 §4.3.2.2: rounds in which the application had too little to send do not count', () => {
  ack({ delivered: 100 });
  for (let i = 0; i < 10; i++) ack({ delivered: 50, appLimited: true });
  expect([bbr.mode, bbr.fullBwCnt, bbr.bw0]).toEqual([BBR_STARTUP, 0, Math.floor((100 * BW_UNIT) / RTT)]);
});

test('draft-00 §4.3.3: draining ends when no more is in flight than the path holds', () => {
  for (let i = 0; i < 4; i++) ack({ delivered: 100, inFlight: 280 });
  expect(bbr.mode).toBe(BBR_DRAIN);
  ack({ delivered: 100, inFlight: 200 });
  expect(bbr.mode).toBe(BBR_DRAIN);
  ack({ delivered: 100, inFlight: 100 });
  expect([bbr.mode, bbr.cwndGain]).toEqual([BBR_PROBE_BW, BBR_CWND_GAIN]);
});

test('draft-00 §4.3.4: the gains go round 5/4, 3/4 and six times 1, from any phase but the draining one', () => {
  cruise();
  expect(bbr.cycleIdx).not.toBe(1);
  const seen: number[] = [];
  for (let i = 0; i < 16; i++) {
    // A phase of 5/4 ends when so much is in flight.
    ack({ delivered: 100, us: RTT + 1000, inFlight: 140 });
    seen.push(bbr.pacingGain / BBR_UNIT);
  }
  const at = seen.indexOf(1.25);
  expect(seen.slice(at, at + 8)).toEqual([1.25, 0.75, 1, 1, 1, 1, 1, 1]);
});

test('draft-00 §4.3.4.1: probing goes on until it has filled the path, or lost; draining ends as soon as it is drained', () => {
  cruise();
  while (bbr.cycleIdx !== 0) ack({ delivered: 100, us: RTT + 1000, inFlight: 100 });
  for (let i = 0; i < 3; i++) ack({ delivered: 100, us: RTT + 1000, inFlight: 100 });
  expect(bbr.pacingGain).toBe(320);
  ack({ delivered: 100, us: RTT + 1000, inFlight: 100, losses: 1 });
  expect(bbr.pacingGain).toBe(192);
  ack({ delivered: 10, us: RTT / 10, inFlight: 90, sameRound: true });
  expect(bbr.pacingGain).toBe(BBR_UNIT);
});

test('draft-00 §4.3.5: ten seconds without so small an RTT: 4 segments for 200 ms and a round, then the window is back', () => {
  cruise();
  for (let i = 0; i < 260 && bbr.mode === BBR_PROBE_BW; i++) ack({ delivered: 100, rttUs: RTT + 5000, inFlight: 140 });
  expect([bbr.mode, bbr.pacingGain, sk.sndCwnd]).toEqual([BBR_PROBE_RTT, BBR_UNIT, 4]);
  const before = bbr.priorCwnd;
  expect(before).toBeGreaterThan(100);
  // Until 4 are in flight its time has not begun.
  ack({ delivered: 90, inFlight: 10, rttUs: RTT + 5000 });
  expect(bbr.probeRttDoneStamp).toBe(0);
  for (let i = 0; i < 5; i++) {
    ack({ delivered: 4, inFlight: 4, rttUs: RTT + 2000 });
    expect([bbr.mode, sk.sndCwnd]).toEqual([BBR_PROBE_RTT, 4]);
  }
  expect(sk.appLimited).not.toBe(0);
  ack({ delivered: 4, inFlight: 4, rttUs: RTT + 2000 });
  ack({ delivered: 4, inFlight: 4, rttUs: RTT + 2000 });
  expect([bbr.mode, bbr.minRttUs]).toEqual([BBR_PROBE_BW, RTT + 2000]);
  expect(sk.sndCwnd).toBeGreaterThanOrEqual(before);
});

test('draft-00 §4.1.1: the bandwidth is the maximum of ten rounds', () => {
  bbr.rttCnt = 100;
  bbrBwRunningMax(bbr, 500);
  for (let i = 1; i <= 10; i++) {
    bbr.rttCnt = 100 + i;
    bbrBwRunningMax(bbr, 300 + i);
    expect(bbr.bw0).toBe(500);
  }
  bbr.rttCnt = 111;
  bbrBwRunningMax(bbr, 200);
  expect(bbr.bw0).toBeLessThanOrEqual(310);
  expect(bbr.bw0).toBeGreaterThanOrEqual(305);
});

test('draft-00 §4.2.3.4: the first round of a recovery sends what is delivered, then the window comes back', () => {
  cruise();
  ack({ delivered: 100, inFlight: 150 });
  const before = sk.sndCwnd;
  tcpBbr.ssthresh(sk);
  ack({ delivered: 2, us: 1000, inFlight: 120, losses: 20, state: TCP_CA_Recovery, sameRound: true });
  expect([bbr.packetConservation, sk.sndCwnd]).toEqual([true, 122]);
  ack({ delivered: 3, us: 1000, inFlight: 118, state: TCP_CA_Recovery, sameRound: true });
  expect(sk.sndCwnd).toBe(122);
  ack({ delivered: 100, inFlight: 100, state: TCP_CA_Recovery });
  expect(bbr.packetConservation).toBe(false);
  ack({ delivered: 1, us: 1000, inFlight: 100, sameRound: true });
  expect(sk.sndCwnd).toBeGreaterThanOrEqual(Math.min(before, 200));
});

test('a timeout forgets how full the pipe was, and ends a round; an undo forgets what the losses seemed to say', () => {
  ack({ delivered: 100 });
  expect(bbr.fullBw).toBeGreaterThan(0);
  tcpBbr.setState?.(sk, TCP_CA_Loss);
  expect([bbr.fullBw, bbr.roundStart, bbr.prevCaState, bbr.ltIsSampling]).toEqual([0, true, TCP_CA_Loss, true]);
  expect(tcpBbr.undoCwnd(sk)).toBe(sk.sndCwnd);
  expect(bbr.ltIsSampling).toBe(false);
});

test('a policer: two intervals with a fifth lost at one rate, and that is the rate for 48 rounds', () => {
  cruise();
  for (let i = 0; i < 12 && !bbr.ltUseBw; i++) ack({ delivered: 50, losses: 15, inFlight: 120 });
  expect([bbr.ltUseBw, bbr.pacingGain]).toEqual([true, BBR_UNIT]);
  // ms are the clock of these intervals.
  expect(bbr.ltBw).toBe(Math.floor((50 * BW_UNIT) / RTT));
  for (let i = 0; i < 47; i++) ack({ delivered: 50, losses: 0, inFlight: 60 });
  expect(bbr.ltUseBw).toBe(true);
  ack({ delivered: 50, losses: 0, inFlight: 60 });
  expect([bbr.ltUseBw, bbr.mode]).toEqual([false, BBR_PROBE_BW]);
});

test('losses at two rates are no policer; nor is an interval in which the application had too little', () => {
  cruise();
  for (let i = 0; i < 10; i++) ack({ delivered: i < 5 ? 20 : 90, losses: 30, inFlight: 120 });
  expect([bbr.ltUseBw, bbr.ltIsSampling]).toEqual([false, true]);
  expect(bbr.ltBw).toBeGreaterThan(0);
  for (let i = 0; i < 30; i++) ack({ delivered: 50, losses: 15, inFlight: 120, appLimited: i % 4 === 0 });
  expect(bbr.ltUseBw).toBe(false);
});

test('ACKs that come in bursts: the window has room for the largest of the last rounds', () => {
  cruise();
  for (let i = 0; i < 3; i++) ack({ delivered: 100, inFlight: 120 });
  const before = sk.sndCwnd;
  // Half a round trip in silence, then all at once, and again as much.
  ack({ delivered: 50, us: RTT / 2, inFlight: 150, sameRound: true });
  ack({ delivered: 50, us: 100, inFlight: 150, sameRound: true });
  expect(Math.max(bbr.extraAcked0, bbr.extraAcked1)).toBeGreaterThanOrEqual(40);
  for (let i = 0; i < 3; i++) ack({ delivered: 100, inFlight: 150 });
  expect(sk.sndCwnd).toBeGreaterThan(before + 30);
});

test('draft-00 §4.3.6: first data after silence goes at the bandwidth, whatever the phase', () => {
  cruise();
  while (bbr.cycleIdx !== 0) ack({ delivered: 100, us: RTT + 1000, inFlight: 100 });
  const probing = sk.skPacingRate;
  sk.appLimited = 1;
  tcpBbr.cwndEvent?.(sk, CA_EVENT_TX_START);
  expect(bbr.idleRestart).toBe(true);
  expect(sk.skPacingRate / probing).toBeCloseTo(0.8, 3);
});

test('draft-00 §4.2.3.1: the bandwidth-delay product in whole segments, rounded up', () => {
  bbr.minRttUs = 40_000;
  expect(bbrBdp(bbr, Math.floor((100 * BW_UNIT) / 40_000), BBR_UNIT)).toBe(100);
  expect(bbrBdp(bbr, Math.floor((100 * BW_UNIT) / 40_000), 320)).toBe(125);
  bbr.minRttUs = 40_001;
  expect(bbrBdp(bbr, Math.floor((100 * BW_UNIT) / 40_000), BBR_UNIT)).toBe(101);
});

test('below 1.2 Mbit/s each sk_buff has one segment, so that they are spread', () => {
  sk.skPacingRate = 149_999;
  expect(tcpBbr.minTsoSegs?.(sk)).toBe(1);
  sk.skPacingRate = 150_000;
  expect(tcpBbr.minTsoSegs?.(sk)).toBe(2);
  expect(tcpBbr.sndbufExpand?.(sk)).toBe(3);
});

test('SO_MAX_PACING_RATE bounds the rate', () => {
  sk.skMaxPacingRate = 1_000_000;
  for (let i = 0; i < 4; i++) ack({ delivered: 1000 });
  expect(sk.skPacingRate).toBe(1_000_000);
});

test('TCP_CC_INFO: bandwidth in octets per second, least RTT, gains', () => {
  ack({ delivered: 100 });
  const bytes = Math.floor((Math.floor((100 * BW_UNIT) / RTT) * MSS * 1e6) / BW_UNIT);
  expect(tcpBbr.getInfo?.(sk)).toEqual({ bbrBwLo: bytes, bbrBwHi: 0, bbrMinRtt: RTT, bbrPacingGain: 739, bbrCwndGain: 739 });
});
