/** Timers: retries, probes of a closed window, delayed ACKs, keepalive, user timeout. All times in ms. */
import { ECONNREFUSED, ETIMEDOUT } from '@stack/kernel';
import {
  MSG_OOB, SOL_SOCKET, SOL_TCP, SO_KEEPALIVE, TCP_CLOSE, TCP_ESTABLISHED, sysClose, sysRead, sysSend, sysSetsockopt,
} from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_USER_TIMEOUT } from './tcp-uapi.ts';
import { scriptConnecting, scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

/** When, after `since`, segments were sent. */
function times(since: number): number[] {
  return s.takeTimed(since).map((line) => Math.round(Number(line.split(' ')[0])));
}

test('RFC 9293 §3.8.1, tcp_syn_retries and tcp_syn_linear_timeouts: SYNs at 1, 2, 3, 4, 5, then doubled; ETIMEDOUT', async () => {
  const c = scriptConnecting({ sysctl: { sysctlTcpSynRetries: 3 } });
  s = c.s;
  expect(await c.connected).toBe(-ETIMEDOUT);
  expect(times(0)).toEqual([0, 1000, 2000, 3000, 4000, 5000, 7000, 11000]);
  expect(s.now()).toBe(19000);
});

test('RFC 9293 §3.10.7.3: a reset in SYN-SENT is ECONNREFUSED if it acknowledges the SYN, else nothing', async () => {
  const c = scriptConnecting();
  s = c.s;
  s.take();
  s.give('R. 0 ack 500 win 0');
  s.give('R 0 win 0');
  s.give('R. 0 ack 1 win 0');
  expect(await c.connected).toBe(-ECONNREFUSED);
});

test('RFC 9293 §3.8.3 (R2): after tcp_retries2 retransmissions’ time the connection is given up', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpRetries2: 3, sysctlTcpEarlyRetrans: 0 } });
  const start = s.now();
  s.write(1000);
  const n = sysRead(s.host.task, s.fd, new Uint8Array(1));
  expect(await n).toBe(-ETIMEDOUT);
  // 300, 900, 2100; at 4500 more has passed than 200 + 400 + 800 + 1600.
  expect(times(start)).toEqual([0, 300, 900, 2100]);
  expect(s.now() - start).toBe(4500);
});

test('RFC 5482: TCP_USER_TIMEOUT ends it earlier, exactly then', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpEarlyRetrans: 0 } });
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_USER_TIMEOUT, 2500);
  const start = s.now();
  s.write(1000);
  expect(await sysRead(s.host.task, s.fd, new Uint8Array(1))).toBe(-ETIMEDOUT);
  expect(s.now() - start).toBe(2800);
});

test('RFC 9293 §3.8.6.1: a closed window is probed below SND.UNA, by backoff, for as long as it is answered', async () => {
  s = await scriptServer({ win: 0 });
  const start = s.now();
  s.write(1000);
  expect(s.take()).toEqual([]);
  await s.wait(2200);
  expect(s.takeTimed(start).map((line) => line.replace(/ win .*/, ''))).toEqual([
    '300 . 0:0(0) ack 1', '900 . 0:0(0) ack 1', '2100 . 0:0(0) ack 1',
  ]);
  s.give('. 1 ack 1 win 0');
  expect(s.sk.icskProbesOut).toBe(0);
  s.give('. 1 ack 1 win 1000');
  expect(s.takeBare()).toEqual(['P. 1:1001(1000) ack 1']);
});

test('RFC 1122 §4.2.3.2: an ACK waits 40 ms for data, once quick ACKs are spent', async () => {
  s = await scriptServer();
  s.sk.icskAckQuick = 0;
  const start = s.now();
  s.give('P. 1:101(100) ack 1 win 1000');
  s.sk.icskAckQuick = 0;
  s.take();
  await s.wait(10);
  s.give('P. 101:201(100) ack 1 win 1000');
  await s.wait(100);
  expect(s.takeTimed(start).map((line) => line.replace(/ win .*/, ''))).toEqual(['50 . 1:1(0) ack 201']);
});

test('RFC 5681 §4.2: every second full segment is acknowledged at once', async () => {
  s = await scriptServer();
  let at = 1;
  const segment = (): void => {
    s.give(`. ${at}:${at + 1400}(1400) ack 1 win 1000`);
    at += 1400;
  };
  for (let i = 0; i < 60; i++) {
    segment();
    sysRead(s.host.task, s.fd, new Uint8Array(65536));
  }
  s.sk.icskAckQuick = 0;
  await s.wait(100);
  s.take();
  segment();
  s.sk.icskAckQuick = 0;
  s.take();
  sysRead(s.host.task, s.fd, new Uint8Array(65536));
  expect(s.take()).toEqual([]);
  segment();
  expect(s.takeBare()).toEqual([`. 1:1(0) ack ${at}`]);
});

test('RFC 9293 §3.8.4: keepalive probes an idle peer, and gives it up when it is silent', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_KEEPIDLE, 10);
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_KEEPINTVL, 2);
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_KEEPCNT, 3);
  const start = s.now();
  await s.wait(11000);
  expect(s.takeTimed(start).map((line) => line.replace(/ win .*/, ''))).toEqual(['10000 . 0:0(0) ack 1']);
  s.give('. 1 ack 1 win 1000');
  const answered = s.now();
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
  const { sk } = s;
  await s.wait(20000);
  const sent = s.takeTimed(answered);
  expect(sent).toHaveLength(4);
  expect(sent[3]).toMatch(/R\. 1:1\(0\)/);
  expect(sk.skState).toBe(TCP_CLOSE);
  expect(sk.skErr).toBe(ETIMEDOUT);
});

test('tcp_orphan_retries: an orphan whose peer is silent is dropped after eight retries’ time', async () => {
  s = await scriptServer();
  const { sk } = s;
  s.write(1000);
  sysClose(s.host.task, s.fd);
  await s.wait(60_000);
  expect(sk.skState).not.toBe(TCP_CLOSE);
  await s.wait(120_000);
  expect(sk.skState).toBe(TCP_CLOSE);
});

test('an orphan’s FIN that is acknowledged rests in FIN_WAIT2 for a minute, then is gone', async () => {
  s = await scriptServer();
  sysClose(s.host.task, s.fd);
  expect(s.takeBare()).toEqual(['F. 1:1(0) ack 1']);
  s.give('. 1 ack 2 win 1000');
  await s.wait(61_000);
  s.give('F. 1 ack 2 win 1000');
  expect(s.takeBare()).toEqual(['R 2:2(0)']);
});

test('RFC 6298 §5.2–5.3: an ACK of new data starts the timer anew; with nothing in flight it is off', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpEarlyRetrans: 0 } });
  s.write(2000);
  const { sk } = s;
  const start = s.now();
  await s.wait(250);
  s.give('. 1 ack 1001 win 1000');
  s.take();
  await s.wait(300);
  // Not 300 ms after the sending, but an RTO after the ACK.
  expect(s.take()).toEqual([]);
  await s.wait(2000);
  const [first = 0] = times(start);
  expect(first).toBeGreaterThan(600);
  s.give('. 1 ack 2001 win 1000');
  expect(sk.icskPending).toBe(0);
  await s.wait(5000);
  expect(s.take()).toEqual([]);
});

test('RFC 9293 §3.8.5: a probe of a closed window carries the urgent pointer too', async () => {
  s = await scriptServer({ win: 0 });
  sysSend(s.host.task, s.fd, new Uint8Array(5), MSG_OOB);
  s.take();
  await s.wait(350);
  expect(s.takeBare()).toEqual(['.U 1:1(0) ack 1 urg 5', '.U 0:0(0) ack 1 urg 6']);
});
