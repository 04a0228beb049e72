/** Which segments are acceptable, and what answers those that are not. */
import { ECONNRESET, EPIPE } from '@stack/kernel';
import { TCP_CLOSE, TCP_ESTABLISHED, sysRead } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

test('RFC 5961 §3.2: a reset at exactly RCV.NXT ends the connection', async () => {
  s = await scriptServer();
  const { sk } = s;
  s.give('R 1 win 0');
  expect(sk.skState).toBe(TCP_CLOSE);
  expect(sysRead(s.host.task, s.fd, new Uint8Array(1))).toBe(-ECONNRESET);
  expect(s.take()).toEqual([]);
});

test('RFC 5961 §3.2: a reset elsewhere in the window gets a challenge ACK', async () => {
  s = await scriptServer();
  s.give('R 2 win 0');
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1']);
});

test('RFC 9293 §3.10.7.4: a reset outside the window is ignored', async () => {
  s = await scriptServer();
  s.give('R 100000 win 0');
  s.give('R -100 win 0');
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
  expect(s.take()).toEqual([]);
});

test('RFC 5961 §4.2: a SYN in ESTABLISHED gets a challenge ACK, wherever it lies', async () => {
  s = await scriptServer();
  s.give('S 1 win 1000 <mss 1000>');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1']);
  await s.wait(600);
  s.give('S 70000 win 1000 <mss 1000>');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1']);
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
});

test('RFC 5961 §7: challenge ACKs of one connection are 500 ms apart (tcp_invalid_ratelimit)', async () => {
  s = await scriptServer();
  for (let i = 0; i < 5; i++) s.give('R 2 win 0');
  expect(s.take()).toHaveLength(1);
  await s.wait(501);
  for (let i = 0; i < 5; i++) s.give('R 2 win 0');
  expect(s.take()).toHaveLength(1);
});

test('RFC 5961 §7, CVE-2016-5696: the host answers a bounded, random number a second (tcp_challenge_ack_limit)', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpChallengeAckLimit: 10, sysctlTcpInvalidRatelimit: 0 } });
  for (let i = 0; i < 100; i++) s.give('R 2 win 0');
  const sent = s.take().length;
  expect(sent).toBeGreaterThanOrEqual(5);
  expect(sent).toBeLessThan(15);
});

test('RFC 5961 §5.2: an ACK below all that we ever sent gets a challenge ACK, its data is dropped', async () => {
  s = await scriptServer();
  s.give('. 1:11(10) ack -100000 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1']);
  expect(s.sk.rcvNxt).toBe(s.sk.copiedSeq);
});

test('RFC 9293 §3.10.7.4: an ACK of what was never sent is answered by an ACK, and its data is not taken', async () => {
  s = await scriptServer();
  s.give('. 1:11(10) ack 5000 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1']);
  expect(s.sk.rcvNxt).toBe(s.sk.copiedSeq);
});

test('RFC 9293 §3.10.7.4: an unacceptable segment is answered with an ACK of RCV.NXT', async () => {
  s = await scriptServer();
  s.give('. 100001:100011(10) ack 1 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1']);
});

test('RFC 2883 §4: a retransmission of what was received is answered with a DSACK', async () => {
  s = await scriptServer();
  s.give('. 1:1001(1000) ack 1 win 1000');
  s.take();
  s.give('. 1:1001(1000) ack 1 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1001 <nop,nop,sack 1:1001>']);
  // The DSACK is reported once.
  s.give('. 1001:2001(1000) ack 1 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 2001']);
});

test('RFC 9293 §3.10.7.4: a segment without ACK is dropped', async () => {
  s = await scriptServer();
  s.give('P 1:11(10) win 1000');
  expect(s.take()).toEqual([]);
  expect(s.sk.rcvNxt).toBe(s.sk.copiedSeq);
});

test('a reset after the peer has closed is EPIPE, not ECONNRESET', async () => {
  s = await scriptServer();
  s.give('F. 1:2(0) ack 1 win 1000');
  s.give('R 2 win 0');
  expect(s.sk.skErr).toBe(EPIPE);
});

test('RFC 7323 §5.3: a segment with an older timestamp is dropped and acknowledged; a reset is believed all the same', async () => {
  s = await scriptServer({ syn: 'mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7' });
  s.give('. 1:1001(1000) ack 1 win 1000 <nop,nop,TS val 2000 ecr 100>');
  s.take();
  s.give('. 1001:2001(1000) ack 1 win 1000 <nop,nop,TS val 1500 ecr 100>');
  expect(s.take()[0]).toMatch(/^\. 1:1\(0\) ack 1001 .* ecr 2000>$/);
  s.give('R 1001 win 0 <nop,nop,TS val 1400 ecr 100>');
  expect(s.sk.skState).toBe(TCP_CLOSE);
});

test('RFC 7323 §4.3: TSecr echoes the segment that moved the window last, not one beyond a hole', async () => {
  s = await scriptServer({ syn: 'mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7' });
  s.give('. 1001:2001(1000) ack 1 win 1000 <nop,nop,TS val 3000 ecr 100>');
  expect(s.take()[0]).toMatch(/ecr 1000,nop,nop,sack 1001:2001>$/);
  s.give('. 1:1001(1000) ack 1 win 1000 <nop,nop,TS val 2500 ecr 100>');
  expect(s.take()[0]).toMatch(/ack 2001 .* ecr 2500>$/);
});

test('RFC 5961 §3.2, as Linux: a reset at the end of what was SACKed is exact too', async () => {
  s = await scriptServer();
  for (const at of [5001, 1001, 3001]) s.give(`. ${at}:${at + 1000}(1000) ack 1 win 1000`);
  s.take();
  s.give('R 4001 win 0');
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
  const { sk } = s;
  s.give('R 6001 win 0');
  expect(sk.skState).toBe(TCP_CLOSE);
});

test('RFC 7323 §5.3, as Linux: an old pure ACK with an old timestamp is dropped without a word', async () => {
  s = await scriptServer({ syn: 'mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7' });
  s.give('. 1:1001(1000) ack 1 win 1000 <nop,nop,TS val 2000 ecr 100>');
  s.take();
  s.give('. 1 ack 1 win 1000 <nop,nop,TS val 1500 ecr 100>');
  expect(s.take()).toEqual([]);
});

test('header prediction: predicted and unpredicted segments do the same', async () => {
  s = await scriptServer();
  for (let i = 0; i < 5; i++) s.give(`. ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1 win 1000`);
  const { values, names } = s.host.net.tcp.linuxMib;
  const hits = names.indexOf('TCPHPHits');
  expect(values[hits]).toBeGreaterThan(1);
  const before = values[hits] ?? 0;
  // Another window: the slow path, once.
  s.give('. 5001:6001(1000) ack 1 win 999');
  expect(values[hits]).toBe(before);
  // (And the slow path again where memory is to be got first.)
  for (const at of [6001, 7001, 8001]) s.give(`. ${at}:${at + 1000}(1000) ack 1 win 999`);
  expect(values[hits]).toBeGreaterThan(before);
  expect((s.sk.rcvNxt - s.sk.copiedSeq) | 0).toBe(9000);
});
