/*
 * The contract of TcpCongestionOps: what the engine expects of every congestion control, run on each of ours, and by
 * users on theirs:
 *   for (const rule of tcpCongestionContract) test(rule.name, () => rule.run(make));
 * `make` gives the operations and a fresh sock to try them on; nothing is sent. A rule that is broken throws.
 *
 * Order of calls: as the engine makes them: init, cwndEvent, ssthresh, congAvoid or congControl, pktsAcked, undoCwnd, release.
 * Read first: RFC 5681 §3.1; tcp-cong.ts, where the interface is.
 */
import { EEXIST } from '@stack/kernel';
import {
  CA_EVENT_COMPLETE_CWR, CA_EVENT_CWND_RESTART, CA_EVENT_ECN_IS_CE, CA_EVENT_ECN_NO_CE, CA_EVENT_LOSS,
  CA_EVENT_TX_START, TCP_INFINITE_SSTHRESH, tcpCaFind, tcpRegisterCongestionControl,
} from './tcp-cong.ts';
import type { NetnsTcp } from './netns-tcp.ts';
import type { TcpCongestionOps } from './tcp-cong.ts';
import { FLAG_DATA_ACKED } from './tcp-consts.ts';
import { TCP_CA_CWR, TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** A congestion control, and a sock of a Net that has TCP: made by the Proto's objCreate and tcpInitSock, no more. */
export interface CongestionRig {
  readonly ops: TcpCongestionOps;
  readonly sk: TcpSock;
}

/** One rule of the contract. */
export interface CongestionRule {
  readonly name: string;
  /** Throws if what `make` makes breaks the rule. */
  readonly run: (make: () => CongestionRig) => void;
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Has the sock use the operations, as an established connection with a window of `cwnd` that is in use. */
function begin(rig: CongestionRig, cwnd: number, ssthresh: number): TcpSock {
  const { ops, sk } = rig;
  sk.icskCaOps = ops;
  sk.icskCaPriv = ops.makePriv === null ? null : ops.makePriv();
  sk.mssCache = 1460;
  sk.srttUs = 8 * 50_000;
  sk.rttMin.v0 = 50_000;
  sk.sndCwnd = cwnd;
  sk.sndSsthresh = ssthresh;
  sk.isCwndLimited = 1;
  sk.maxPacketsOut = cwnd;
  sk.packetsOut = cwnd;
  if (ops.init !== null) ops.init(sk);
  return sk;
}

/** An ACK of `acked` segments, `us` µs after the one before, as tcp_ack tells of it. */
function ack(rig: CongestionRig, acked: number, us: number, rttUs: number): void {
  const { ops, sk } = rig;
  const { world } = sk.skNet;
  world.now += us * 1000;
  world.jiffies = (world.jiffies + Math.floor(us / 1000)) | 0;
  sk.tcpMstamp = (sk.tcpMstamp + us) | 0;
  sk.delivered = (sk.delivered + acked) | 0;
  sk.sndNxt = (sk.sndNxt + acked * 1460) | 0;
  sk.sndUna = (sk.sndUna + acked * 1460) | 0;
  const tcp: NetnsTcp = sk.skNet.tcp;
  const { ack: sample, rate } = tcp.sacktagState;
  sample.pktsAcked = acked;
  sample.rttUs = rttUs;
  sample.inFlight = sk.sndCwnd;
  if (ops.pktsAcked !== null) ops.pktsAcked(sk, sample);
  rate.rttUs = rttUs;
  rate.ackedSacked = acked;
  rate.delivered = acked;
  rate.intervalUs = us;
  rate.priorDelivered = (sk.delivered - acked) | 0;
  rate.priorInFlight = sk.packetsOut;
  sk.deliveredMstamp = sk.tcpMstamp;
  // The sender has filled the window that it has.
  sk.packetsOut = sk.sndCwnd;
  if (ops.congControl !== null) ops.congControl(sk, sk.sndUna, FLAG_DATA_ACKED, rate);
  else if (ops.congAvoid !== null) ops.congAvoid(sk, sk.sndUna, acked);
}

function sane(sk: TcpSock): void {
  check((sk.sndCwnd | 0) === sk.sndCwnd && sk.sndCwnd >= 1, `sndCwnd is ${sk.sndCwnd}`);
  check((sk.sndSsthresh | 0) === sk.sndSsthresh && sk.sndSsthresh >= 2, `sndSsthresh is ${sk.sndSsthresh}`);
}

function ruleRegisters(make: () => CongestionRig): void {
  const { ops, sk } = make();
  const net = sk.skNet;
  if (tcpCaFind(net, ops.name) === null) check(tcpRegisterCongestionControl(net, ops) === 0, 'it is not accepted');
  check(tcpCaFind(net, ops.name) === ops, 'its name leads to another one');
  check(tcpRegisterCongestionControl(net, ops) === -EEXIST, 'it can be registered twice');
}

function rulePrivate(make: () => CongestionRig): void {
  const { ops } = make();
  if (ops.makePriv === null) return;
  const a = ops.makePriv();
  const b = ops.makePriv();
  check(a !== b, 'two socks share their state');
  check(Object.keys(a).join() === Object.keys(b).join(), 'the state has more than one shape');
}

function ruleSsthresh(make: () => CongestionRig): void {
  for (const cwnd of [1, 2, 3, 10, 100, 12345]) {
    const rig = make();
    const sk = begin(rig, cwnd, TCP_INFINITE_SSTHRESH);
    const ssthresh = rig.ops.ssthresh(sk);
    check((ssthresh | 0) === ssthresh, `ssthresh(${cwnd}) is ${ssthresh}: not an integer`);
    check(ssthresh >= 2, `ssthresh(${cwnd}) is ${ssthresh}: less than two segments (RFC 5681 §3.1)`);
    if (rig.ops.congControl === null) {
      check(cwnd <= 2 || ssthresh < cwnd, `ssthresh(${cwnd}) is ${ssthresh}: no reduction (RFC 5033 §2)`);
      check(sk.sndCwnd === cwnd, 'ssthresh() changed the window');
    }
  }
}

function ruleUndo(make: () => CongestionRig): void {
  const rig = make();
  const sk = begin(rig, 100, TCP_INFINITE_SSTHRESH);
  sk.priorCwnd = 100;
  sk.sndSsthresh = rig.ops.ssthresh(sk);
  sk.sndCwnd = 50;
  const undo = rig.ops.undoCwnd(sk);
  check(undo >= 50 && (undo | 0) === undo, `undoCwnd() is ${undo}: below the window`);
}

function ruleGrowth(make: () => CongestionRig): void {
  const rig = make();
  if (rig.ops.congControl !== null) return;
  const sk = begin(rig, 10, 40);
  for (let i = 0; i < 2000; i++) {
    const before = sk.sndCwnd;
    const acked = 1 + (i % 3);
    ack(rig, acked, 5000, 50_000);
    sane(sk);
    check(sk.sndCwnd >= before, 'an ACK shrank the window');
    check(sk.sndCwnd <= before + acked, `${acked} acknowledged segments grew the window from ${before} to ${sk.sndCwnd}`);
  }
  check(sk.sndCwnd > 40, 'the window stays at the threshold for ever');
}

function ruleLimited(make: () => CongestionRig): void {
  const rig = make();
  if (rig.ops.congControl !== null) return;
  const sk = begin(rig, 20, 10);
  sk.isCwndLimited = 0;
  sk.maxPacketsOut = 3;
  for (let i = 0; i < 500; i++) ack(rig, 1, 5000, 50_000);
  check(sk.sndCwnd === 20, 'a window that is not used grew (RFC 7661 §4.2)');
}

function ruleClamp(make: () => CongestionRig): void {
  const rig = make();
  const sk = begin(rig, 10, TCP_INFINITE_SSTHRESH);
  sk.sndCwndClamp = 30;
  for (let i = 0; i < 500; i++) ack(rig, 2, 5000, 50_000);
  check(sk.sndCwnd <= 30, `the window passed its bound: ${sk.sndCwnd}`);
}

function ruleEvents(make: () => CongestionRig): void {
  const rig = make();
  const { ops } = rig;
  const sk = begin(rig, 50, 20);
  const events = [
    CA_EVENT_TX_START, CA_EVENT_CWND_RESTART, CA_EVENT_COMPLETE_CWR, CA_EVENT_LOSS, CA_EVENT_ECN_NO_CE, CA_EVENT_ECN_IS_CE,
  ];
  const states = [TCP_CA_Disorder, TCP_CA_CWR, TCP_CA_Recovery, TCP_CA_Loss, TCP_CA_Open];
  for (let round = 0; round < 3; round++) {
    for (const event of events) if (ops.cwndEvent !== null) ops.cwndEvent(sk, event);
    for (const state of states) {
      if (ops.setState !== null) ops.setState(sk, state);
      sk.icskCaState = state;
      // No RTT, none at all, and one of a minute.
      for (const rttUs of [-1, 0, 60_000_000]) {
        ack(rig, 1, 1000, rttUs);
        sane(sk);
      }
    }
    // A day later, past the wrap of jiffies.
    ack(rig, 1, 86_400_000_000, 50_000);
    sane(sk);
  }
  if (ops.release !== null) ops.release(sk);
}

function ruleDeterministic(make: () => CongestionRig): void {
  const trace = (): string => {
    const rig = make();
    const sk = begin(rig, 10, 60);
    const windows: number[] = [];
    for (let i = 0; i < 400; i++) {
      if (i === 200) {
        sk.sndSsthresh = rig.ops.ssthresh(sk);
        sk.sndCwnd = sk.sndSsthresh;
      }
      ack(rig, 1 + (i % 2), 4000, 40_000 + (i % 7) * 1000);
      windows.push(sk.sndCwnd);
    }
    return windows.join();
  };
  check(trace() === trace(), 'the same ACKs gave another window');
}

function ruleRecovers(make: () => CongestionRig): void {
  const rig = make();
  const sk = begin(rig, 100, TCP_INFINITE_SSTHRESH);
  sk.priorCwnd = 100;
  sk.sndSsthresh = rig.ops.ssthresh(sk);
  sk.sndCwnd = Math.min(sk.sndCwnd, sk.sndSsthresh);
  // Ten minutes of a path of 50 ms on which nothing is lost.
  let best = 0;
  for (let i = 0; i < 12_000; i++) {
    ack(rig, Math.min(sk.sndCwnd, 64), 50_000, 50_000);
    // It may be small for a moment, to measure the path: what counts is the last second.
    if (i >= 11_980) best = Math.max(best, sk.sndCwnd);
  }
  check(best >= 90, `ten minutes after a loss the window is ${best}, it was 100`);
}

/** The rules that every TcpCongestionOps keeps. */
export const tcpCongestionContract: readonly CongestionRule[] = [
  { name: 'it registers under its name, once', run: ruleRegisters },
  { name: 'each sock has a private state of one shape', run: rulePrivate },
  { name: 'RFC 5681 §3.1: ssthresh is less than the window, two segments at least', run: ruleSsthresh },
  { name: 'RFC 4015 §3: undo returns to no less than the window', run: ruleUndo },
  { name: 'RFC 5681 §3.1: an ACK grows the window by no more than it acknowledges, and never shrinks it', run: ruleGrowth },
  { name: 'RFC 7661 §4.2: a window that is not used does not grow', run: ruleLimited },
  { name: 'the window never passes sndCwndClamp', run: ruleClamp },
  { name: 'it survives every event and state, odd round-trip times, and the wrap of the clock', run: ruleEvents },
  { name: 'the same ACKs give the same window', run: ruleDeterministic },
  { name: 'RFC 5033 §3: after a loss the window comes back', run: ruleRecovers },
];
