/** The state machine: RFC 9293 §3.3.2, figure 5, cell by cell. */
import { ECONNRESET } from '@stack/kernel';
import {
  MSG_OOB, SHUT_WR, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_LAST_ACK,
  TCP_SYN_RECV, sysClose, sysRead, sysRecv, sysShutdown,
} from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { scriptClient, scriptConnecting, scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

test('active open: SYN, SYN-ACK, ACK', async () => {
  s = await scriptClient();
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
  expect(s.sk.rxOpt.sndWscale).toBe(7);
  expect(s.sk.mssCache).toBe(1000);
});

test('RFC 7323 §3.2: a server that sends timestamps measures its receive buffer in segments without them, as a client does', async () => {
  s = await scriptServer({ syn: 'mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 7' });
  expect([s.sk.advmss, s.sk.rcvqSpaceSpace]).toEqual([1472 - 12, 10 * (1472 - 12)]);
});

test('RFC 7323 §2.2: without the peer’s window scale neither side scales', async () => {
  s = await scriptClient({ syn: 'mss 1000' });
  s.give('. 1:1001(1000) ack 1 win 500');
  expect(s.sk.sndWnd).toBe(500);
  expect(s.take()[0]).toMatch(/ win 6\d{4}$/);
  expect(s.sk.rxOpt.sackOk).toBe(0);
});

test('RFC 9293 §3.10.7.3: an ACK of something else in SYN-SENT is answered with a reset; the SYN follows', async () => {
  const c = scriptConnecting();
  s = c.s;
  s.take();
  s.give('. 7 ack 77 win 1000');
  expect(s.takeBare()).toEqual(['R 77:77(0)']);
  await s.wait(10);
  expect(s.take()[0]).toMatch(/^S 0:0/);
  s.give('S. 0 ack 1 win 1000 <mss 1000>');
  expect(await c.connected).toBe(0);
});

test('RFC 9293 §3.5, figure 8: simultaneous open', async () => {
  const c = scriptConnecting();
  s = c.s;
  s.take();
  s.give('S 0 win 65535 <mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 7>');
  expect(s.sk.skState).toBe(TCP_SYN_RECV);
  expect(s.take()[0]).toMatch(/^S\. 0:0\(0\) ack 1 win \d+ <mss 1472,sackOK,TS val \d+ ecr 1,nop,wscale 10>$/);
  s.give('S. 0 ack 1 win 65535 <mss 1000,sackOK,TS val 2 ecr 0,nop,wscale 7>');
  expect(await c.connected).toBe(0);
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
  s.give('P. 1:11(10) ack 1 win 1000 <nop,nop,TS val 3 ecr 0>');
  expect(sysRead(s.host.task, s.fd, new Uint8Array(100))).toBe(10);
});

test('the peer closes first: CLOSE_WAIT, LAST_ACK, CLOSED', async () => {
  s = await scriptServer();
  const { sk } = s;
  s.give('F. 1 ack 1 win 1000');
  expect(sk.skState).toBe(TCP_CLOSE_WAIT);
  expect(sysRead(s.host.task, s.fd, new Uint8Array(1))).toBe(0);
  s.take();
  sysClose(s.host.task, s.fd);
  expect(sk.skState).toBe(TCP_LAST_ACK);
  expect(s.takeBare()).toEqual(['F. 1:1(0) ack 2']);
  s.give('. 2 ack 2 win 1000');
  expect(sk.skState).toBe(TCP_CLOSE);
});

test('we close first: FIN_WAIT1, FIN_WAIT2, TIME_WAIT', async () => {
  s = await scriptServer();
  const { sk } = s;
  sysShutdown(s.host.task, s.fd, SHUT_WR);
  expect(sk.skState).toBe(TCP_FIN_WAIT1);
  expect(s.takeBare()).toEqual(['F. 1:1(0) ack 1']);
  s.give('. 1 ack 2 win 1000');
  expect(sk.skState).toBe(TCP_FIN_WAIT2);
  // The other direction goes on.
  s.give('P. 1:11(10) ack 2 win 1000');
  expect(sysRead(s.host.task, s.fd, new Uint8Array(100))).toBe(10);
  s.take();
  s.give('F. 11 ack 2 win 1000');
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 12']);
  expect(sk.skState).toBe(TCP_CLOSE);
  // TIME_WAIT answers for it.
  s.give('F. 11 ack 2 win 1000');
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 12']);
});

test('RFC 9293 §3.6, figure 13: simultaneous close', async () => {
  s = await scriptServer();
  const { sk } = s;
  sysShutdown(s.host.task, s.fd, SHUT_WR);
  s.take();
  s.give('F. 1 ack 1 win 1000');
  expect(sk.skState).toBe(TCP_CLOSING);
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 2']);
  s.give('. 2 ack 2 win 1000');
  expect(sk.skState).toBe(TCP_CLOSE);
});

test('FIN and ACK of ours in one segment: FIN_WAIT1 to TIME_WAIT at once', async () => {
  s = await scriptServer();
  const { sk } = s;
  sysShutdown(s.host.task, s.fd, SHUT_WR);
  s.take();
  s.give('F. 1 ack 2 win 1000');
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 2']);
  expect(sk.skState).toBe(TCP_CLOSE);
});

test('RFC 1122 §4.2.2.13: data for a closed reader is answered with a reset', async () => {
  s = await scriptServer();
  sysClose(s.host.task, s.fd);
  s.take();
  s.give('P. 1:11(10) ack 2 win 1000');
  expect(s.takeBare()).toEqual(['R 2:2(0)']);
});

test('RFC 2525 §2.17: closing with unread data resets', async () => {
  s = await scriptServer();
  s.give('P. 1:11(10) ack 1 win 1000');
  s.take();
  sysClose(s.host.task, s.fd);
  expect(s.takeBare()).toEqual(['R. 1:1(0) ack 11']);
});

test('RFC 9293 §3.10.7.4: a FIN out of order waits for the hole', async () => {
  s = await scriptServer();
  s.give('F. 11 ack 1 win 1000');
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1 <nop,nop,sack 11:12>']);
  s.give('P. 1:11(10) ack 1 win 1000');
  expect(s.sk.skState).toBe(TCP_CLOSE_WAIT);
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 12']);
});

test('a listener answers an ACK with a reset, and ignores a reset', async () => {
  s = await scriptServer();
  s.port = 8080;
  const { isn } = s;
  s.give('R 5000000 win 0');
  expect(s.take()).toEqual([]);
  expect(isn).toBe(s.isn);
});

test('RFC 9293 §3.8.5: the urgent byte is read out of band, and is not in the stream', async () => {
  s = await scriptServer();
  s.give('P.U 1:11(10) ack 1 win 1000 urg 5');
  const buf = new Uint8Array(100);
  expect(sysRecv(s.host.task, s.fd, buf, MSG_OOB)).toBe(1);
  expect(sysRead(s.host.task, s.fd, buf)).toBe(4);
  expect(sysRead(s.host.task, s.fd, buf)).toBe(5);
});

test('a reset while data waits: the data is lost, the reader hears of it', async () => {
  s = await scriptServer();
  s.give('P. 1:11(10) ack 1 win 1000');
  s.give('R 11 win 0');
  expect(sysRead(s.host.task, s.fd, new Uint8Array(100))).toBe(10);
  expect(sysRead(s.host.task, s.fd, new Uint8Array(100))).toBe(-ECONNRESET);
});
