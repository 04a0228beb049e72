/*
 * HyStart++ (RFC 9406): when delay rises, slow start is slowed down first (conservative slow start, CSS), and ends only if
 * the delay stays for five rounds: jitter does not end it.
 *
 * Order of calls: cubictcpAcked → hystartppAcked for each RTT sample in slow start; cubictcpCongAvoid → hystartppGrowth.
 * Deviation: Linux has no such mode. It is chosen by net.ipv4.tcp_cubic_hystart_detect = 4 (after tcp_cubic's module
 * parameter hystart_detect), and off by default.
 */
import { after } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/** net.ipv4.tcp_cubic_hystart_detect: HyStart++ instead of HyStart's two tests. */
export const HYSTART_PLUSPLUS = 4;

const MIN_RTT_THRESH = 4000;
const MAX_RTT_THRESH = 16000;
const MIN_RTT_DIVISOR = 8;
const N_RTT_SAMPLE = 8;
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;

/** What HyStart++ keeps of one socket; RTTs in µs, -1 = none. */
export class HystartPlusPlus {
  lastRoundMinRtt: number;
  currRoundMinRtt: number;
  rttSampleCount: number;
  windowEnd: number;
  /** Least RTT of the round in which CSS began; -1 = not in CSS. */
  cssBaselineMinRtt: number;
  cssRounds: number;
  /** Acknowledged segments that have not grown the window yet. */
  cssAcked: number;

  constructor(sk: TcpSock) {
    this.lastRoundMinRtt = -1;
    this.currRoundMinRtt = -1;
    this.rttSampleCount = 0;
    this.windowEnd = sk.sndNxt;
    this.cssBaselineMinRtt = -1;
    this.cssRounds = 0;
    this.cssAcked = 0;
  }
}

/** A round is over (RFC 9406 §4.2). */
function hystartppRound(sk: TcpSock, hs: HystartPlusPlus): void {
  hs.windowEnd = sk.sndNxt;
  hs.lastRoundMinRtt = hs.currRoundMinRtt;
  hs.currRoundMinRtt = -1;
  hs.rttSampleCount = 0;
  if (hs.cssBaselineMinRtt >= 0) hs.cssRounds++;
}

/** An RTT sample in slow start. @returns true if slow start is to end at this window */
export function hystartppAcked(sk: TcpSock, hs: HystartPlusPlus, rttUs: number): boolean {
  // (The ACK of windowEnd itself measures the round before.)
  if (after(sk.sndUna, hs.windowEnd)) hystartppRound(sk, hs);
  if (hs.cssRounds >= CSS_ROUNDS) return true;
  if (hs.currRoundMinRtt < 0 || rttUs < hs.currRoundMinRtt) hs.currRoundMinRtt = rttUs;
  hs.rttSampleCount++;
  if (hs.rttSampleCount < N_RTT_SAMPLE) return false;
  if (hs.cssBaselineMinRtt >= 0) {
    // It was jitter: on with slow start.
    if (hs.currRoundMinRtt < hs.cssBaselineMinRtt) {
      hs.cssBaselineMinRtt = -1;
      hs.cssRounds = 0;
    }
  } else if (hs.lastRoundMinRtt >= 0) {
    const thresh = Math.min(Math.max(Math.floor(hs.lastRoundMinRtt / MIN_RTT_DIVISOR), MIN_RTT_THRESH), MAX_RTT_THRESH);
    if (hs.currRoundMinRtt >= hs.lastRoundMinRtt + thresh) hs.cssBaselineMinRtt = hs.currRoundMinRtt;
  }
  return false;
}

/** How much of `acked` segments grows the window: all in slow start, a quarter in CSS. */
export function hystartppGrowth(hs: HystartPlusPlus, acked: number): number {
  if (hs.cssBaselineMinRtt < 0) return acked;
  hs.cssAcked += acked;
  const grown = Math.floor(hs.cssAcked / CSS_GROWTH_DIVISOR);
  hs.cssAcked -= grown * CSS_GROWTH_DIVISOR;
  return grown;
}
