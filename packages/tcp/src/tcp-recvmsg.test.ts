import { EAGAIN, ECONNRESET, EINVAL, ENOTCONN } from '@stack/kernel';
import {
  EPOLLIN, EPOLLPRI, FIONREAD, MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, SIOCATMARK, SOL_SOCKET, SOL_TCP,
  SO_OOBINLINE, SO_RCVBUF, SO_RCVLOWAT, makeMsgHdr, sysIoctl, sysRead, sysRecv, sysRecvmsg, sysSetsockopt,
} from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { tcpPollEvents } from './tcp-poll.ts';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';
import { TCP_CM_INQ, TCP_INQ } from './tcp-uapi.ts';

let s: Script;

afterEach(() => s.end());

function recv(len: number, flags = 0): number | Promise<number> {
  return sysRecv(s.host.task, s.fd, new Uint8Array(len), flags);
}

function take(len: number, flags = 0): number {
  const n = recv(len, flags | MSG_DONTWAIT);
  if (typeof n !== 'number') throw new Error('it sleeps');
  return n;
}

function set(level: number, name: number, value: number): void {
  expect(sysSetsockopt(s.host.task, s.fd, level, name, value)).toBe(0);
}

test('a read gives what is there, in pieces or whole, and frees it', async () => {
  s = await scriptServer();
  s.give('P. 1:101(100) ack 1');
  s.give('P. 101:151(50) ack 1');
  expect(sysIoctl(s.host.task, s.fd, FIONREAD)).toBe(150);
  expect(take(70)).toBe(70);
  expect(take(1000)).toBe(80);
  expect(take(1)).toBe(-EAGAIN);
  expect(s.sk.skReceiveQueue.qlen).toBe(0);
  expect(s.sk.skRmemAlloc).toBe(0);
});

test('a blocking read sleeps until something comes', async () => {
  s = await scriptServer();
  const reading = recv(100);
  expect(typeof reading).toBe('object');
  await s.wait(10);
  s.give('P. 1:11(10) ack 1');
  expect(await reading).toBe(10);
});

test('MSG_WAITALL sleeps until all of it came, or the end', async () => {
  s = await scriptServer();
  const reading = recv(30, MSG_WAITALL);
  s.give('P. 1:11(10) ack 1');
  await s.wait(1);
  s.give('P. 11:41(30) ack 1');
  expect(await reading).toBe(30);
  const rest = recv(30, MSG_WAITALL);
  s.give('F. 41 ack 1');
  expect(await rest).toBe(10);
});

test('SO_RCVLOWAT: fewer bytes do not wake a reader, nor poll', async () => {
  s = await scriptServer();
  set(SOL_SOCKET, SO_RCVLOWAT, 20);
  let result = -1;
  const reading = Promise.resolve(recv(100)).then((n) => {
    result = n;
  });
  s.give('P. 1:11(10) ack 1');
  await s.wait(1);
  expect(result).toBe(-1);
  expect(tcpPollEvents(s.sk) & EPOLLIN).toBe(0);
  s.give('P. 11:21(10) ack 1');
  await reading;
  expect(result).toBe(20);
});

test('MSG_PEEK leaves the data; a second one sees the same', async () => {
  s = await scriptServer();
  s.give('P. 1:11(10) ack 1');
  s.give('P. 11:21(10) ack 1');
  expect(take(15, MSG_PEEK)).toBe(15);
  expect(take(15, MSG_PEEK)).toBe(15);
  expect(take(100)).toBe(20);
});

test('sk_peek_off: a peek goes on where the last one stopped, a read takes the offset back', async () => {
  s = await scriptServer();
  s.give('P. 1:21(20) ack 1');
  s.sk.skPeekOff = 0;
  expect(take(8, MSG_PEEK)).toBe(8);
  expect(take(100, MSG_PEEK)).toBe(12);
  expect(take(100, MSG_PEEK)).toBe(-EAGAIN);
  expect(take(5)).toBe(5);
  expect(s.sk.skPeekOff).toBe(15);
});

test('MSG_TRUNC throws the data away', async () => {
  s = await scriptServer();
  s.give('P. 1:11(10) ack 1');
  const buf = new Uint8Array(10).fill(1);
  expect(sysRecv(s.host.task, s.fd, buf, MSG_TRUNC | MSG_DONTWAIT)).toBe(10);
  expect([...buf]).toEqual(new Array(10).fill(1));
  expect(take(1)).toBe(-EAGAIN);
});

test('recvmsg scatters over several buffers', async () => {
  s = await scriptServer();
  s.give('P. 1:11(10) ack 1');
  const buffers = [new Uint8Array(3), new Uint8Array(4), new Uint8Array(9)];
  expect(sysRecvmsg(s.host.task, s.fd, makeMsgHdr(buffers), 0)).toBe(10);
  expect(buffers.map((b) => b.filter((byte) => byte === 120).length)).toEqual([3, 4, 3]);
});

test('the end of the stream is 0, again and again, after what came before it', async () => {
  s = await scriptServer();
  s.give('FP. 1:11(10) ack 1');
  expect(take(100)).toBe(10);
  expect(take(100)).toBe(0);
  expect(take(100)).toBe(0);
  expect(sysIoctl(s.host.task, s.fd, FIONREAD)).toBe(0);
});

test('a reset is -ECONNRESET once, then 0; what came before it is lost', async () => {
  s = await scriptServer();
  s.give('R 1');
  expect(take(100)).toBe(-ECONNRESET);
  expect(take(100)).toBe(0);
});

test('a listener and a fresh socket have nothing to read: -ENOTCONN', async () => {
  s = await scriptServer();
  expect(sysRead(s.host.task, s.lfd, new Uint8Array(1))).toBe(-ENOTCONN);
});

test('RFC 9293 §3.8.5: urgent data is read by MSG_OOB, and a read stops at the mark', async () => {
  s = await scriptServer();
  s.give('PU. 1:11(10) ack 1 win 1000 urg 5');
  expect(tcpPollEvents(s.sk) & EPOLLPRI).toBe(EPOLLPRI);
  expect(take(100)).toBe(4);
  expect(sysIoctl(s.host.task, s.fd, SIOCATMARK)).toBe(1);
  expect(take(1, MSG_OOB)).toBe(1);
  expect(take(1, MSG_OOB)).toBe(-EINVAL);
  expect(tcpPollEvents(s.sk) & EPOLLPRI).toBe(0);
  // The urgent byte is not part of what ordinary reads give.
  expect(take(100)).toBe(5);
  expect(sysIoctl(s.host.task, s.fd, SIOCATMARK)).toBe(0);
});

test('SO_OOBINLINE: the urgent byte stays in the stream, behind the mark', async () => {
  s = await scriptServer();
  set(SOL_SOCKET, SO_OOBINLINE, 1);
  s.give('PU. 1:11(10) ack 1 win 1000 urg 5');
  expect(take(1, MSG_OOB)).toBe(-EINVAL);
  expect(take(100)).toBe(4);
  expect(sysIoctl(s.host.task, s.fd, SIOCATMARK)).toBe(1);
  expect(take(100)).toBe(6);
});

test('MSG_OOB never sleeps: -EAGAIN while the urgent byte is announced and not yet here, -EINVAL without one', async () => {
  s = await scriptServer();
  expect(await recv(1, MSG_OOB)).toBe(-EINVAL);
  s.give('U. 1:11(10) ack 1 win 1000 urg 50');
  expect(await recv(1, MSG_OOB)).toBe(-EAGAIN);
});

test('FIONREAD counts up to the urgent mark', async () => {
  s = await scriptServer();
  s.give('PU. 1:11(10) ack 1 win 1000 urg 5');
  expect(sysIoctl(s.host.task, s.fd, FIONREAD)).toBe(4);
});

test('RFC 9293 §3.8.6.2.2: reading announces a window that has opened, and only then', async () => {
  s = await scriptServer();
  set(SOL_SOCKET, SO_RCVBUF, 20_000);
  let seq = 1;
  for (let i = 0; i < 60 && s.sk.rcvWnd > 0; i++) {
    s.give(`P. ${seq}:${seq + 1000}(1000) ack 1`);
    if (((s.sk.rcvNxt + 500) | 0) !== seq + 1000) break;
    seq += 1000;
    await s.wait(50);
  }
  expect(seq).toBeGreaterThan(5000);
  s.take();
  expect(take(200)).toBe(200);
  expect(s.take()).toEqual([]);
  expect(take(100_000)).toBeGreaterThan(4000);
  expect(s.takeBare()).toEqual([`. 1:1(0) ack ${(s.sk.rcvNxt + 500) | 0}`]);
});

test('TCP_INQ: recvmsg tells how much is left', async () => {
  s = await scriptServer();
  set(SOL_TCP, TCP_INQ, 1);
  s.give('P. 1:101(100) ack 1');
  const msg = makeMsgHdr([new Uint8Array(30)]);
  msg.msgControl = [];
  msg.msgControllen = 1;
  expect(sysRecvmsg(s.host.task, s.fd, msg, 0)).toBe(30);
  expect(msg.msgControl).toMatchObject([{ cmsgLevel: SOL_TCP, cmsgType: TCP_CM_INQ, cmsgData: 70 }]);
});
