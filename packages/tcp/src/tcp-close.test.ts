import { EAGAIN, ENOTCONN } from '@stack/kernel';
import {
  EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, Linger, SHUT_RD, SHUT_RDWR, SHUT_WR, SOL_SOCKET, SOL_TCP, SO_LINGER, TCP_CLOSE,
  TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_LAST_ACK, sysClose, sysRead, sysSetsockopt, sysShutdown, sysWrite,
} from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { LINUX_MIB_TCPABORTONCLOSE, LINUX_MIB_TCPABORTONDATA, LINUX_MIB_TCPABORTONLINGER, LINUX_MIB_TCPABORTONMEMORY } from './tcp-mib.ts';
import { tcpDiag } from './tcp-diag.ts';
import { tcpPollEvents } from './tcp-poll.ts';
import { scriptConnecting, scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';
import { TCP_LINGER2 } from './tcp-uapi.ts';

let s: Script;

afterEach(() => s.end());

const close = (): number | Promise<number> => sysClose(s.host.task, s.fd);
const shutdown = (how: number): number => sysShutdown(s.host.task, s.fd, how);
const rows = (): string[] => tcpDiag(s.host.net).filter((row) => row.state !== 'LISTEN').map((row) => row.state);
const count = (mib: number): number => s.host.net.tcp.linuxMib.values[mib] ?? 0;
const orphans = (): number => s.host.net.tcp.hashinfo.orphanCount;

test('RFC 9293 §3.6, figure 12: close first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT for 60 s', async () => {
  s = await scriptServer();
  const { sk } = s;
  expect(shutdown(SHUT_WR)).toBe(0);
  expect(sk.skState).toBe(TCP_FIN_WAIT1);
  expect(s.takeBare()).toEqual(['F. 1:1(0) ack 1']);
  s.give('. 1 ack 2');
  expect(sk.skState).toBe(TCP_FIN_WAIT2);
  s.give('F. 1 ack 2');
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 2']);
  expect(rows()).toEqual(['TIME-WAIT']);
  expect(sk.skState).toBe(TCP_CLOSE);
  await s.wait(59_000);
  expect(rows()).toEqual(['TIME-WAIT']);
  await s.wait(2000);
  expect(rows()).toEqual([]);
});

test('RFC 9293 §3.6: the peer closes first: CLOSE-WAIT, LAST-ACK, CLOSED', async () => {
  s = await scriptServer();
  const { sk } = s;
  s.give('F. 1 ack 1');
  expect(sk.skState).toBe(TCP_CLOSE_WAIT);
  // Who has heard the last word is likely to answer: the ACK waits for that a while.
  expect(s.take()).toEqual([]);
  await s.wait(41);
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 2']);
  expect(tcpPollEvents(sk) & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)).toBe(EPOLLIN | EPOLLRDHUP);
  expect(sysWrite(s.host.task, s.fd, new Uint8Array(3))).toBe(3);
  expect(close()).toBe(0);
  expect(s.takeBare()).toEqual(['P. 1:4(3) ack 2', 'F. 4:4(0) ack 2']);
  expect(sk.skState).toBe(TCP_LAST_ACK);
  expect(orphans()).toBe(1);
  s.give('. 2 ack 5');
  expect(sk.skState).toBe(TCP_CLOSE);
  expect(orphans()).toBe(0);
  expect(rows()).toEqual([]);
});

test('RFC 9293 §3.6, figure 13: both close at once: CLOSING, TIME-WAIT', async () => {
  s = await scriptServer();
  const { sk } = s;
  expect(close()).toBe(0);
  expect(s.takeBare()).toEqual(['F. 1:1(0) ack 1']);
  s.give('F. 1 ack 1');
  expect(sk.skState).toBe(TCP_CLOSING);
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 2']);
  s.give('. 2 ack 2');
  expect(rows()).toEqual(['TIME-WAIT']);
});

test('a FIN that acknowledges ours goes straight to TIME-WAIT', async () => {
  s = await scriptServer();
  close();
  s.take();
  s.give('F. 1 ack 2');
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 2']);
  expect(rows()).toEqual(['TIME-WAIT']);
});

test('RFC 1122 §4.2.2.13: half-closed, we still receive', async () => {
  s = await scriptServer();
  shutdown(SHUT_WR);
  s.give('. 1 ack 2');
  s.give('P. 1:11(10) ack 2');
  expect(sysRead(s.host.task, s.fd, new Uint8Array(100))).toBe(10);
  s.take();
  s.give('F. 11 ack 2');
  expect(sysRead(s.host.task, s.fd, new Uint8Array(100))).toBe(0);
});

test('shutdown(SHUT_RD) sends nothing, and reads are at the end', async () => {
  s = await scriptServer();
  expect(shutdown(SHUT_RD)).toBe(0);
  expect(s.take()).toEqual([]);
  expect(sysRead(s.host.task, s.fd, new Uint8Array(1))).toBe(0);
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
});

test('shutdown without a connection is -ENOTCONN', async () => {
  s = await scriptServer();
  s.give('R 1');
  expect(shutdown(SHUT_RDWR)).toBe(-ENOTCONN);
});

test('RFC 2525 §2.17: close with unread data resets', async () => {
  s = await scriptServer();
  s.give('P. 1:11(10) ack 1');
  s.take();
  close();
  expect(s.takeBare()).toEqual(['R. 1:1(0) ack 11']);
  expect(count(LINUX_MIB_TCPABORTONCLOSE)).toBe(1);
  expect(rows()).toEqual([]);
});

test('RFC 9293 §3.6.1: data after close is answered with a reset', async () => {
  s = await scriptServer();
  close();
  s.give('. 1 ack 2');
  s.take();
  s.give('P. 1:11(10) ack 2');
  expect(s.takeBare()).toEqual(['R 2:2(0)']);
  expect(rows()).toEqual([]);
});

test('data while our FIN is not acknowledged and nobody reads: reset', async () => {
  s = await scriptServer();
  close();
  s.take();
  s.give('P. 1:11(10) ack 1');
  expect(s.takeBare()).toEqual(['R 1:1(0)']);
  expect(count(LINUX_MIB_TCPABORTONDATA)).toBe(1);
  expect(rows()).toEqual([]);
});

test('SO_LINGER with 0 s: close resets and forgets what was not sent', async () => {
  s = await scriptServer();
  expect(sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_LINGER, new Linger(1, 0))).toBe(0);
  await s.write(5);
  s.take();
  close();
  expect(s.takeBare()).toEqual(['R. 6:6(0) ack 1']);
  expect(count(LINUX_MIB_TCPABORTONDATA)).toBe(1);
  expect(rows()).toEqual([]);
});

test('SO_LINGER: close sleeps until the FIN is acknowledged', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_LINGER, new Linger(1, 10));
  let closed = false;
  const closing = Promise.resolve(close()).then((n) => {
    closed = true;
    return n;
  });
  expect(s.takeBare()).toEqual(['F. 1:1(0) ack 1']);
  await s.wait(100);
  expect(closed).toBe(false);
  s.give('. 1 ack 2');
  expect(await closing).toBe(0);
  expect(rows()).toEqual(['FIN-WAIT-2']);
});

test('SO_LINGER: close gives up after its time; the connection goes on as an orphan', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_LINGER, new Linger(1, 2));
  const start = s.now();
  expect(await close()).toBe(0);
  expect(s.now() - start).toBe(2000);
  expect(rows()).toEqual(['FIN-WAIT-1']);
  expect(orphans()).toBe(1);
});

test('an orphan in FIN_WAIT2 waits tcp_fin_timeout for the peer, as a small sock', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpFinTimeout: 30_000 } });
  close();
  s.give('. 1 ack 2');
  expect(rows()).toEqual(['FIN-WAIT-2']);
  expect(orphans()).toBe(0);
  await s.wait(29_000);
  expect(rows()).toEqual(['FIN-WAIT-2']);
  await s.wait(2000);
  expect(rows()).toEqual([]);
});

test('TCP_LINGER2 < 0: an orphan does not wait in FIN_WAIT2', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_LINGER2, -1);
  shutdown(SHUT_WR);
  s.give('. 1 ack 2');
  s.take();
  close();
  expect(s.takeBare()).toEqual(['R. 2:2(0) ack 1']);
  expect(count(LINUX_MIB_TCPABORTONLINGER)).toBe(1);
  expect(rows()).toEqual([]);
});

test('more orphans than tcp_max_orphans: the next is reset', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpMaxOrphans: 0 } });
  close();
  expect(s.takeBare()).toEqual(['F. 1:1(0) ack 1', 'R. 2:2(0) ack 1']);
  expect(count(LINUX_MIB_TCPABORTONMEMORY)).toBe(1);
  expect(rows()).toEqual([]);
});

test('an orphan whose peer is gone gives up: its FIN is sent tcp_orphan_retries times', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpOrphanRetries: 2, sysctlTcpEarlyRetrans: 0 } });
  close();
  await s.wait(60_000);
  expect(s.takeBare().filter((line) => line.startsWith('F')).length).toBe(3);
  expect(rows()).toEqual([]);
  expect(orphans()).toBe(0);
});

test('close in SYN-SENT forgets the connection; a SYN-ACK that comes is answered with a reset', async () => {
  const connecting = scriptConnecting();
  s = connecting.s;
  s.take();
  close();
  await connecting.connected;
  expect(rows()).toEqual([]);
  s.give('S. 0 ack 1 win 1000');
  expect(s.takeBare()).toEqual(['R 1:1(0)']);
});

test('a connection that was reset is EPOLLHUP, EPOLLIN, EPOLLERR; EPOLLOUT too', async () => {
  s = await scriptServer();
  expect(tcpPollEvents(s.sk)).toBe(EPOLLOUT | 0x100);
  s.give('R 1');
  const events = tcpPollEvents(s.sk);
  for (const bit of [EPOLLHUP, EPOLLIN, EPOLLERR, EPOLLOUT, EPOLLRDHUP]) expect(events & bit).toBe(bit);
});

test('a full send buffer is not EPOLLOUT until a third of it is free', async () => {
  s = await scriptServer({ win: 65535 });
  s.sk.skSndbuf = 20_000;
  s.sk.skUserlocks |= 1;
  let n = 0;
  while (n >= 0) {
    const wrote = sysWrite(s.host.task, s.fd, new Uint8Array(1000));
    if (typeof wrote !== 'number') break;
    n = wrote === -EAGAIN ? -1 : 1;
  }
  expect(tcpPollEvents(s.sk) & EPOLLOUT).toBe(0);
  s.give(`. 1 ack ${(s.sk.sndNxt - s.isn) | 0} win 65535`);
  await s.wait(1);
  s.give(`. 1 ack ${(s.sk.sndNxt - s.isn) | 0} win 65535`);
  expect(tcpPollEvents(s.sk) & EPOLLOUT).toBe(EPOLLOUT);
});
