/** What of the write queue leaves, and when. */
import { MSG_DONTWAIT, MSG_MORE, MSG_OOB, SOL_TCP, sysSend, sysSetsockopt } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { TCP_CORK, TCP_NODELAY } from './tcp-uapi.ts';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

test('RFC 6928: the initial window is ten segments', async () => {
  s = await scriptServer();
  s.write(20000);
  expect(s.takeBare()).toEqual(Array.from({ length: 10 }, (_, i) => `. ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1`));
});

test('RFC 5681 §3.1: in slow start each ACK lets out what it acknowledges, and one segment more for each', async () => {
  s = await scriptServer();
  s.write(100000);
  s.take();
  s.give('. 1 ack 2001 win 1000');
  expect(s.takeBare()).toEqual([10, 11, 12, 13].map((i) => `. ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1`));
  expect(s.sk.sndCwnd).toBe(12);
});

test('RFC 7661: a window that is not used does not grow', async () => {
  s = await scriptServer();
  for (let i = 0; i < 12; i++) {
    s.write(1000);
    s.give(`. 1 ack ${1 + (i + 1) * 1000} win 1000`);
  }
  expect(s.sk.sndCwnd).toBe(10);
});

test('RFC 9293 §3.8.6: nothing beyond the peer’s window', async () => {
  s = await scriptServer({ win: 20 });
  s.write(5000);
  expect(s.takeBare()).toEqual(['. 1:1001(1000) ack 1', 'P. 1001:2001(1000) ack 1']);
  s.give('. 1 ack 2001 win 20');
  expect(s.takeBare()).toEqual(['. 2001:3001(1000) ack 1', 'P. 3001:4001(1000) ack 1']);
});

test('RFC 9293 §3.7.4 (Nagle, Minshall): a second small segment waits for the ACK of the first', async () => {
  s = await scriptServer();
  s.write(10);
  s.write(20);
  s.write(30);
  expect(s.takeBare()).toEqual(['P. 1:11(10) ack 1']);
  s.give('. 1 ack 11 win 1000');
  expect(s.takeBare()).toEqual(['P. 11:61(50) ack 1']);
});

test('Minshall: full segments in flight do not hold a small one back', async () => {
  s = await scriptServer();
  s.write(2000);
  s.write(10);
  expect(s.takeBare()).toEqual(['. 1:1001(1000) ack 1', 'P. 1001:2001(1000) ack 1', 'P. 2001:2011(10) ack 1']);
});

test('TCP_NODELAY: small segments do not wait', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_NODELAY, 1);
  s.write(10);
  s.write(20);
  expect(s.takeBare()).toEqual(['P. 1:11(10) ack 1', 'P. 11:31(20) ack 1']);
});

test('TCP_CORK: only full segments leave, until the cork is drawn', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_CORK, 1);
  s.write(700);
  expect(s.take()).toEqual([]);
  s.write(700);
  expect(s.takeBare()).toEqual(['. 1:1001(1000) ack 1']);
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_CORK, 0);
  expect(s.takeBare()).toEqual(['P. 1001:1401(400) ack 1']);
});

test('TCP_CORK: what was corked leaves after an RTO at the latest', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_CORK, 1);
  s.write(700);
  const start = s.now();
  await s.wait(400);
  expect(s.takeTimed(start).map((line) => line.replace(/ win .*/, ''))).toEqual(['300 P. 1:701(700) ack 1']);
});

test('MSG_MORE: as TCP_CORK, for one call', async () => {
  s = await scriptServer();
  sysSend(s.host.task, s.fd, new Uint8Array(100), MSG_MORE | MSG_DONTWAIT);
  expect(s.take()).toEqual([]);
  s.write(100);
  expect(s.takeBare()).toEqual(['P. 1:201(200) ack 1']);
});

test('RFC 9293 §3.8.6.2.1: the sender waits for half a window, or a segment, not a few bytes', async () => {
  s = await scriptServer({ win: 20 });
  s.write(10000);
  s.take();
  // 2560 bytes of window, 2000 in flight: 560 more are not worth a segment.
  expect(s.sk.sndWnd).toBe(2560);
  s.give('. 1 ack 1001 win 13');
  expect(s.take()).toEqual([]);
  s.give('. 1 ack 1001 win 16');
  expect(s.takeBare()).toEqual(['. 2001:3001(1000) ack 1']);
});

test('RFC 9293 §3.8.5: urgent data is sent with a pointer behind its last byte', async () => {
  s = await scriptServer();
  sysSend(s.host.task, s.fd, new Uint8Array(5), MSG_OOB);
  expect(s.takeBare()).toEqual(['PU. 1:6(5) ack 1 urg 5'].map((line) => line.replace('PU.', 'P.U')));
});

test('RFC 5681 §4.1: after an idle RTO the window is the initial one again', async () => {
  s = await scriptServer();
  s.write(40000);
  for (let i = 1; i <= 40; i++) s.give(`. 1 ack ${1 + i * 1000} win 1000`);
  expect(s.sk.sndCwnd).toBeGreaterThan(20);
  await s.wait(3000);
  s.take();
  s.write(20000);
  expect(s.take()).toHaveLength(10);
});
