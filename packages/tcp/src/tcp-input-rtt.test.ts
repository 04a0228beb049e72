/** RFC 6298 on bare numbers, and the windowed minimum. */
import { afterEach, expect, test } from 'vitest';
import { TCP_RTT_MIN_NONE, tcpMinRtt, tcpRttEstimator, tcpSetRto, tcpUpdateRttMin } from './tcp-input-rtt.ts';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';
import type { TcpSock } from './tcp-sock.ts';
import { minmaxReset } from './win-minmax.ts';

let s: Script;

afterEach(() => s.end());

async function fresh(): Promise<TcpSock> {
  s = await scriptServer();
  const { sk } = s;
  sk.srttUs = 0;
  sk.mdevUs = 0;
  sk.rttvarUs = 0;
  sk.mdevMaxUs = 0;
  return sk;
}

test('RFC 6298 §2.2: the first measurement R gives SRTT = R, RTTVAR = R/2, RTO = 3 R', async () => {
  const sk = await fresh();
  tcpRttEstimator(sk, 400_000);
  tcpSetRto(sk);
  expect(sk.srttUs).toBe(8 * 400_000);
  expect(sk.rttvarUs).toBe(4 * 200_000);
  expect(sk.icskRto).toBe(1200);
});

test('RFC 6298 §2.3: SRTT moves by an eighth of the difference', async () => {
  const sk = await fresh();
  tcpRttEstimator(sk, 100_000);
  tcpRttEstimator(sk, 180_000);
  expect(sk.srttUs >> 3).toBe(110_000);
});

test('RFC 6298 §2.4, as Linux: the variance part is 200 ms at least, the maximum 120 s', async () => {
  const sk = await fresh();
  for (let i = 0; i < 100; i++) tcpRttEstimator(sk, 1000);
  tcpSetRto(sk);
  expect(sk.icskRto).toBe(201);
  for (let i = 0; i < 100; i++) tcpRttEstimator(sk, 200_000_000);
  tcpSetRto(sk);
  expect(sk.icskRto).toBe(120_000);
});

test('a falling RTT raises the variance by a thirty-second only', async () => {
  const sk = await fresh();
  for (let i = 0; i < 50; i++) tcpRttEstimator(sk, 1_000_000);
  const { mdevUs } = sk;
  tcpRttEstimator(sk, 500_000);
  expect(sk.mdevUs - mdevUs).toBeLessThan(500_000 / 4);
});

test('the least RTT of a window of time: a better one at once, the second best when it ages', async () => {
  const sk = await fresh();
  minmaxReset(sk.rttMin, s.world.jiffies, TCP_RTT_MIN_NONE);
  tcpUpdateRttMin(sk, 50_000, 0);
  expect(tcpMinRtt(sk)).toBe(50_000);
  tcpUpdateRttMin(sk, 40_000, 0);
  expect(tcpMinRtt(sk)).toBe(40_000);
  await s.wait(200_000);
  tcpUpdateRttMin(sk, 60_000, 0);
  expect(tcpMinRtt(sk)).toBe(40_000);
  await s.wait(101_000);
  tcpUpdateRttMin(sk, 70_000, 0);
  expect(tcpMinRtt(sk)).toBe(60_000);
});

test('RFC 7323 §4.1: where Karn’s rule forbids it, the echoed timestamp measures: 1 ms at least', async () => {
  s = await scriptServer({ syn: 'mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7', sysctl: { sysctlTcpEarlyRetrans: 0 } });
  s.write(900);
  await s.wait(301);
  const sent = s.now() - 1;
  expect(s.sk.totalRetrans).toBe(1);
  await s.wait(49);
  s.sk.srttUs = 0;
  s.give(`. 1 ack 901 win 1000 <nop,nop,TS val 1350 ecr ${Math.floor(sent)}>`);
  expect(s.sk.srttUs).toBe(8 * 50_000);
  expect(s.sk.icskBackoff).toBe(0);
});
