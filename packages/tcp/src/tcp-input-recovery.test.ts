/** Loss: found by duplicate ACKs, SACK or time; repaired; and taken back if it was none. */
import { afterEach, expect, test } from 'vitest';
import {
  TCP_CA_CWR, TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery, TCP_ECN_DEMAND_CWR, TCP_ECN_OK,
} from './tcp-sock.ts';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

const NO_SACK = 'mss 1000,nop,wscale 7';

/** Segment i of 1000 bytes, from 0. */
function seg(i: number): string {
  return `. ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1`;
}

function rtx(): string[] {
  return s.takeBare();
}

test('RFC 5681 §3.2: the third duplicate ACK starts a fast retransmission; the window is reduced', async () => {
  s = await scriptServer({ syn: NO_SACK });
  s.write(10000);
  s.take();
  await s.wait(50);
  s.give('. 1 ack 1 win 1000');
  s.give('. 1 ack 1 win 1000');
  expect(s.sk.icskCaState).toBe(TCP_CA_Disorder);
  expect(rtx()).toEqual([]);
  s.give('. 1 ack 1 win 1000');
  expect(rtx()).toEqual([seg(0)]);
  expect(s.sk.icskCaState).toBe(TCP_CA_Recovery);
  expect(s.sk.sndSsthresh).toBe(7);
});

test('RFC 3042: the first two duplicate ACKs let a new segment out each', async () => {
  s = await scriptServer({ syn: NO_SACK });
  s.write(20000);
  s.take();
  s.give('. 1 ack 1 win 1000');
  expect(rtx()).toEqual([seg(10)]);
  s.give('. 1 ack 1 win 1000');
  expect(rtx()).toEqual([seg(11)]);
});

test('RFC 6582 §3.2: a partial ACK retransmits the next hole; recovery ends beyond the recovery point', async () => {
  s = await scriptServer({ syn: NO_SACK });
  s.write(10000);
  await s.wait(50);
  for (let i = 0; i < 3; i++) s.give('. 1 ack 1 win 1000');
  s.take();
  s.give('. 1 ack 2001 win 1000');
  expect(rtx()).toEqual([seg(2)]);
  expect(s.sk.icskCaState).toBe(TCP_CA_Recovery);
  s.give('. 1 ack 10001 win 1000');
  // Without SACK the state is held until something above is acknowledged.
  expect(s.sk.icskCaState).toBe(TCP_CA_Recovery);
  s.write(1000);
  s.give('. 1 ack 11001 win 1000');
  expect(s.sk.icskCaState).toBe(TCP_CA_Open);
  expect(s.sk.sndCwnd).toBe(7);
});

test('RFC 6675, RFC 8985: with SACK three segments above a hole make it lost, and nothing else', async () => {
  s = await scriptServer();
  s.write(10000);
  s.take();
  await s.wait(100);
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 1001:2001>');
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 1001:3001>');
  expect(rtx()).toEqual([]);
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 1001:4001>');
  expect(rtx()).toEqual([seg(0)]);
  expect(s.sk.sackedOut).toBe(3);
  expect(s.sk.lostOut).toBe(1);
  s.give('. 1 ack 4001 win 1000');
  expect(s.sk.lostOut).toBe(0);
  expect(s.sk.sackedOut).toBe(0);
  s.give('. 1 ack 10001 win 1000');
  expect(s.sk.icskCaState).toBe(TCP_CA_Open);
  expect(s.sk.sndCwnd).toBe(7);
});

test('RFC 6675 (net.ipv4.tcp_recovery=0): the scoreboard alone finds two holes', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpRecovery: 0 } });
  s.write(10000);
  s.take();
  await s.wait(50);
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 1001:2001>');
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 3001:4001 1001:2001>');
  expect(rtx()).toEqual([]);
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 3001:5001 1001:2001>');
  expect(rtx()).toEqual([seg(0)]);
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 3001:6001 1001:2001>');
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 3001:7001 1001:2001>');
  expect(rtx()).toContain(seg(2));
});

test('RFC 6937 §3.1: in recovery as much is sent as was delivered, proportionally', async () => {
  s = await scriptServer();
  s.write(40000);
  s.take();
  await s.wait(100);
  for (let i = 2; i <= 4; i++) s.give(`. 1 ack 1 win 1000 <nop,nop,sack 1001:${1 + i * 1000}>`);
  s.take();
  const sent: number[] = [];
  for (let i = 5; i <= 10; i++) {
    s.give(`. 1 ack 1 win 1000 <nop,nop,sack 1001:${1 + i * 1000}>`);
    sent.push(s.take().length);
  }
  // ssthresh is 0.7 of the window: seven segments for ten that were delivered.
  expect(sent.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(5);
  expect(sent.reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(2);
});

test('RFC 6298 §5: the timer retransmits the oldest segment, and doubles', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpEarlyRetrans: 0 } });
  s.write(1000);
  s.take();
  const start = s.now();
  await s.wait(5000);
  // RTT 100 ms of the handshake: RTO = 100 + 4 · 50 = 300 ms.
  expect(s.takeTimed(start).map((line) => Number(line.split(' ')[0]))).toEqual([300, 900, 2100, 4500]);
  expect(s.sk.icskCaState).toBe(TCP_CA_Loss);
  expect(s.sk.sndCwnd).toBe(1);
});

test('RFC 6298 §3 (Karn): a retransmitted segment does not measure; a new one ends the backoff', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpEarlyRetrans: 0 } });
  s.write(1000);
  await s.wait(1000);
  const { srttUs } = s.sk;
  expect(s.sk.icskBackoff).toBe(2);
  s.give('. 1 ack 1001 win 1000');
  expect(s.sk.srttUs).toBe(srttUs);
  expect(s.sk.icskBackoff).toBe(2);
  s.write(1000);
  await s.wait(100);
  s.give('. 1 ack 2001 win 1000');
  expect(s.sk.icskBackoff).toBe(0);
});

test('RFC 5681 §3.1 (4): a timeout leaves one segment of window, and half (CUBIC: 0.7) as threshold', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpEarlyRetrans: 0 } });
  s.write(10000);
  await s.wait(301);
  expect(s.sk.sndCwnd).toBe(1);
  expect(s.sk.sndSsthresh).toBe(7);
  expect(s.sk.lostOut).toBe(10);
  s.take();
  s.give('. 1 ack 1001 win 1000');
  expect(rtx()).toEqual([seg(1), seg(2)]);
});

test('RFC 5682 §3.1: new data instead of retransmissions; original data acknowledged: the timeout was spurious', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpEarlyRetrans: 0 } });
  s.write(20000);
  await s.wait(301);
  s.take();
  const sent = s.sk.sndCwnd;
  expect(sent).toBe(1);
  s.give('. 1 ack 1001 win 1000');
  // Step 2.b: two new segments.
  expect(rtx()).toEqual([seg(10), seg(11)]);
  s.give('. 1 ack 2001 win 1000');
  expect(s.sk.icskCaState).toBe(TCP_CA_Open);
  expect(s.sk.sndSsthresh).toBe(0x7fffffff);
  expect(s.sk.sndCwnd).toBeGreaterThanOrEqual(10);
});

test('RFC 8985 §7: a tail that is lost is probed after two round trips', async () => {
  s = await scriptServer();
  s.write(4000);
  s.take();
  const start = s.now();
  await s.wait(310);
  // 2 · SRTT + 2 ms.
  expect(s.takeTimed(start).map((line) => line.replace(/ win .*/, ''))).toEqual(['202 P. 3001:4001(1000) ack 1']);
  // The probe arrived: SACK shows the hole.
  s.give('. 1 ack 2001 win 1000 <nop,nop,sack 3001:4001>');
  await s.wait(100);
  expect(rtx()).toEqual([seg(2)]);
});

test('RFC 8985 §7.4: a probe that repaired the only loss reduces the window once', async () => {
  s = await scriptServer();
  s.write(4000);
  s.take();
  await s.wait(250);
  s.take();
  s.give('. 1 ack 3001 win 1000');
  s.give('. 1 ack 4001 win 1000');
  s.write(1000);
  s.give('. 1 ack 5001 win 1000');
  expect(s.sk.sndSsthresh).toBe(7);
  expect(s.sk.icskCaState).toBe(TCP_CA_Open);
});

test('RFC 8985 §6: a retransmission that is lost is found by what was sent after it', async () => {
  s = await scriptServer();
  s.write(30000);
  s.take();
  await s.wait(100);
  for (let i = 2; i <= 4; i++) s.give(`. 1 ack 1 win 1000 <nop,nop,sack 1001:${1 + i * 1000}>`);
  expect(rtx()).toContain(seg(0));
  for (let i = 5; i <= 10; i++) s.give(`. 1 ack 1 win 1000 <nop,nop,sack 1001:${1 + i * 1000}>`);
  expect(rtx()).toContain(seg(12));
  await s.wait(100);
  // What was sent before it says nothing, what was sent after it does.
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 1001:12001>');
  expect(rtx()).not.toContain(seg(0));
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 1001:13001>');
  expect(rtx()).toContain(seg(0));
});

test('RFC 3708: DSACKs for all retransmissions undo the reduction', async () => {
  s = await scriptServer();
  s.write(10000);
  s.take();
  await s.wait(100);
  for (let i = 2; i <= 4; i++) s.give(`. 1 ack 1 win 1000 <nop,nop,sack 1001:${1 + i * 1000}>`);
  expect(rtx()).toEqual([seg(0)]);
  expect(s.sk.sndSsthresh).toBe(7);
  s.give('. 1 ack 4001 win 1000');
  s.give('. 1 ack 4001 win 1000 <nop,nop,sack 1:1001>');
  expect(s.sk.icskCaState).toBe(TCP_CA_Open);
  expect(s.sk.sndCwnd).toBeGreaterThanOrEqual(10);
  expect(s.sk.sndSsthresh).toBe(0x7fffffff);
});

test('RFC 4015 (Eifel): an echo older than the retransmission undoes it', async () => {
  s = await scriptServer({ syn: 'mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7' });
  const t0 = Math.floor(s.now());
  s.write(9880);
  s.take();
  await s.wait(100);
  for (let i = 2; i <= 4; i++) s.give(`. 1 ack 1 win 1000 <nop,nop,TS val 1100 ecr ${t0},nop,nop,sack 989:${1 + i * 988}>`);
  expect(s.take()).toHaveLength(1);
  expect(s.sk.icskCaState).toBe(TCP_CA_Recovery);
  await s.wait(10);
  s.give(`. 1 ack 9881 win 1000 <nop,nop,TS val 1110 ecr ${t0}>`);
  expect(s.sk.icskCaState).toBe(TCP_CA_Open);
  expect(s.sk.sndSsthresh).toBe(0x7fffffff);
});

test('RFC 2018 §8: a peer that forgets what it SACKed is caught, everything is sent again', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpEarlyRetrans: 0 } });
  s.write(5000);
  s.take();
  await s.wait(100);
  s.give('. 1 ack 1 win 1000 <nop,nop,sack 1001:3001>');
  s.give('. 1 ack 1001 win 1000');
  await s.wait(50);
  expect(s.sk.isSackReneg).toBe(true);
  expect(rtx()).toContain(seg(1));
});

test('RFC 3168 §6.1.2: ECE reduces the window once a round trip', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpEcn: 1 } });
  s.sk.ecnFlags = 1;
  s.write(10000);
  s.take();
  s.give('.E 1 ack 1001 win 1000');
  expect(s.sk.icskCaState).toBe(TCP_CA_CWR);
  expect(s.sk.sndSsthresh).toBe(7);
  s.give('.E 1 ack 2001 win 1000');
  expect(s.sk.sndSsthresh).toBe(7);
});

test('RFC 3168 §6.1.3: CE is echoed in every ACK until the peer’s CWR; §6.1.2: our reduction is told once', async () => {
  s = await scriptServer();
  const { sk } = s;
  sk.ecnFlags = TCP_ECN_OK;
  sk.ecnFlags |= TCP_ECN_DEMAND_CWR;
  s.give('. 1:1001(1000) ack 1 win 1000');
  s.give('. 1001:2001(1000) ack 1 win 1000');
  expect(s.take().every((line) => line.startsWith('.E '))).toBe(true);
  s.give('.W 2001:3001(1000) ack 1 win 1000');
  expect(s.take()[0]).toMatch(/^\. 1:1/);
  s.write(3000);
  s.give('.E 3001 ack 1001 win 1000');
  s.take();
  s.write(2000);
  expect(s.take().map((line) => line.split(' ')[0])).toEqual(['.W', 'P.']);
});

test('RFC 8985 §6 after a timeout: a retransmission that is lost again is found without another timeout', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpEarlyRetrans: 0, sysctlTcpFrto: 0 } });
  s.write(10000);
  await s.wait(301);
  expect(s.sk.icskCaState).toBe(TCP_CA_Loss);
  s.take();
  s.give('. 1 ack 1001 win 1000');
  expect(rtx()).toEqual([seg(1), seg(2)]);
  await s.wait(100);
  // The first of the two was lost again, the second arrived.
  s.give('. 1 ack 1001 win 1000 <nop,nop,sack 2001:3001>');
  expect(rtx()).toContain(seg(1));
});
