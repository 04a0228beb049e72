/** CUBIC against RFC 9438's formulas, Reno against RFC 5681's. */
import { afterEach, expect, test } from 'vitest';
import { tcpCongAvoidAi, tcpReno, tcpSlowStart } from './tcp-cong.ts';
import { Bictcp, bictcpUpdate, cubicRoot, cubictcp } from './tcp-cubic.ts';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script | null = null;

afterEach(() => {
  s?.end();
  s = null;
});

test('cubicRoot: the largest x with x³ ≤ a, exactly', () => {
  for (let x = 0; x < 2000; x++) {
    const cube = x ** 3;
    expect(cubicRoot(cube)).toBe(x);
    if (x > 1) expect(cubicRoot(cube - 1)).toBe(x - 1);
  }
  expect(cubicRoot(2 ** 53 - 1)).toBe(208063);
});

/** The window after `seconds` of congestion avoidance in full windows of `rtt` ms, from `from` after a loss at `wMax`. */
function grow(from: number, wMax: number, rtt: number, seconds: number): number {
  const ca = new Bictcp();
  ca.lastMaxCwnd = wMax;
  ca.delayMin = rtt * 1000;
  let cwnd = from;
  let count = 0;
  let now = 1;
  while (now < seconds * 1000) {
    for (let acked = 0; acked < cwnd; acked++) {
      bictcpUpdate(ca, cwnd, 1, now);
      if (++count >= ca.cnt) {
        cwnd++;
        count = 0;
      }
    }
    now += rtt;
  }
  return cwnd;
}

test('RFC 9438 §4.2: W_cubic(t) = C (t - K)³ + W_max: the plateau is reached after K, and left again', () => {
  const wMax = 1000;
  const from = 700;
  const k = Math.cbrt((wMax - from) / 0.4);
  const w = (t: number): number => 0.4 * (t - k) ** 3 + wMax;
  for (const t of [2, 4, k, k + 3]) expect(Math.abs(grow(from, wMax, 100, t) - w(t + 0.1))).toBeLessThan(0.03 * w(t));
});

test('RFC 9438 §4.3: on a short path it grows no slower than Reno would', () => {
  // alpha = 3 (1 - 0.7) / (1 + 0.7) segments a round trip.
  const rounds = 2000 / 2;
  expect(grow(14, 20, 2, 2)).toBeGreaterThan(14 + 0.4 * rounds);
});

test('RFC 9438 §4.6: a loss leaves 0.7 of the window; §4.7: less room is claimed when W_max falls', async () => {
  s = await scriptServer();
  const { sk } = s;
  sk.sndCwnd = 100;
  expect(cubictcp.ssthresh(sk)).toBe(70);
  const ca = sk.icskCaPriv as Bictcp;
  expect(ca.lastMaxCwnd).toBe(100);
  sk.sndCwnd = 80;
  expect(cubictcp.ssthresh(sk)).toBe(56);
  expect(ca.lastMaxCwnd).toBe(68);
});

test('HyStart: a delay that rises within a round ends slow start', async () => {
  s = await scriptServer();
  const { sk } = s;
  sk.sndCwnd = 50;
  sk.isCwndLimited = 1;
  sk.sndUna = sk.sndNxt;
  const sample = s.host.net.tcp.sacktagState.ack;
  const acked = cubictcp.pktsAcked;
  if (acked === null) throw new Error('cubic looks at samples');
  const ca = sk.icskCaPriv as Bictcp;
  ca.delayMin = 0;
  for (let i = 0; i < 20; i++) {
    await s.wait(5);
    sk.tcpMstamp = (sk.tcpMstamp + 5000) | 0;
    sample.rttUs = 50_000;
    acked(sk, sample);
  }
  expect(sk.sndSsthresh).toBe(0x7fffffff);
  ca.endSeq = (sk.sndNxt - 1) | 0;
  for (let i = 0; i < 20; i++) {
    sk.tcpMstamp = (sk.tcpMstamp + 5000) | 0;
    sample.rttUs = 60_000;
    acked(sk, sample);
    ca.endSeq = sk.sndNxt;
  }
  expect(sk.sndSsthresh).toBe(50);
});

test('RFC 5681 §3.1: slow start stops at ssthresh, what is left goes to congestion avoidance', async () => {
  s = await scriptServer();
  const { sk } = s;
  sk.sndCwnd = 10;
  sk.sndSsthresh = 14;
  expect(tcpSlowStart(sk, 10)).toBe(6);
  expect(sk.sndCwnd).toBe(14);
});

test('RFC 5681 §3.1 (3): in congestion avoidance one segment a window', async () => {
  s = await scriptServer();
  const { sk } = s;
  sk.sndCwnd = 20;
  sk.sndCwndCnt = 0;
  for (let i = 0; i < 20; i++) tcpCongAvoidAi(sk, 20, 1);
  expect(sk.sndCwnd).toBe(21);
});

test('RFC 5681 §3.1 (4): Reno halves, down to two segments', async () => {
  s = await scriptServer();
  s.sk.sndCwnd = 21;
  expect(tcpReno.ssthresh(s.sk)).toBe(10);
  s.sk.sndCwnd = 1;
  expect(tcpReno.ssthresh(s.sk)).toBe(2);
});

test('samples reach the congestion control: the least delay is the path’s', async () => {
  s = await scriptServer();
  s.write(1000);
  await s.wait(70);
  s.give('. 1 ack 1001 win 1000');
  expect((s.sk.icskCaPriv as Bictcp).delayMin).toBe(70_000);
});
