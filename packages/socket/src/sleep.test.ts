import { EAGAIN, EBADF, EINTR, EPIPE, modTimer, sleep, timerSetup, traceNet, worldEnter, worldLeave } from '@stack/kernel';
import { expect, test } from 'vitest';
import { sockSetRef } from './net-ref.ts';
import { exitTask } from './exit.ts';
import { Linger, Timeval } from './msghdr.ts';
import { sysRead, sysWrite } from './read-write.ts';
import { sysClose, sysFcntl } from './sys-file.ts';
import { sysRecv, sysSend } from './sys-message.ts';
import { sysSetsockopt, sysShutdown } from './sys-socket.ts';
import { abort, bytes, now, testHost, testPair, TestSignal, testSock, text } from './test-rig.ts';
import { F_SETFL, O_NONBLOCK } from './uapi-fs.ts';
import {
  MSG_DONTWAIT, MSG_WAITALL, SHUT_WR, SO_LINGER, SO_RCVBUF, SO_RCVLOWAT, SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET,
} from './uapi-socket.ts';

test('recv(2): MSG_WAITALL sleeps until the buffer is full', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const buf = new Uint8Array(6);
  const reading = sysRecv(host.task, b, buf, MSG_WAITALL);
  now(sysWrite(host.task, a, bytes('abc')));
  await sleep(host.world, 5);
  now(sysWrite(host.task, a, bytes('defg')));
  expect(await reading).toBe(6);
  expect(text(buf)).toBe('abcdef');
  expect(host.world.now).toBe(5e6);
});

test('recv(2): MSG_WAITALL returns less at the end of the stream', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const reading = sysRecv(host.task, b, new Uint8Array(6), MSG_WAITALL);
  now(sysWrite(host.task, a, bytes('abc')));
  sysShutdown(host.task, a, SHUT_WR);
  expect(await reading).toBe(3);
  expect(now(sysRead(host.task, b, new Uint8Array(1)))).toBe(0);
});

test('socket(7): SO_RCVLOWAT is the number of bytes for which a receive wakes', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  sysSetsockopt(host.task, b, SOL_SOCKET, SO_RCVLOWAT, 3);
  const reading = sysRead(host.task, b, new Uint8Array(10));
  let result = 0;
  void Promise.resolve(reading).then((n) => (result = n));
  now(sysWrite(host.task, a, bytes('ab')));
  await sleep(host.world, 1);
  expect(result).toBe(0);
  now(sysWrite(host.task, a, bytes('c')));
  expect(await reading).toBe(3);
});

test('socket(7): SO_RCVTIMEO with MSG_WAITALL returns what has come', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  sysSetsockopt(host.task, b, SOL_SOCKET, SO_RCVTIMEO, new Timeval(0, 10000));
  const reading = sysRecv(host.task, b, new Uint8Array(6), MSG_WAITALL);
  now(sysWrite(host.task, a, bytes('abc')));
  expect(await reading).toBe(3);
  expect(host.world.now).toBe(10e6);
});

/** Fills the way from a to b; returns the bytes. */
function fill(host: ReturnType<typeof testHost>, a: number, b: number): number {
  sysSetsockopt(host.task, b, SOL_SOCKET, SO_RCVBUF, 4096);
  return now(sysSend(host.task, a, new Uint8Array(100000), MSG_DONTWAIT));
}

test('a blocking write sleeps until all of it is queued', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  sysSetsockopt(host.task, b, SOL_SOCKET, SO_RCVBUF, 4096);
  const data = Uint8Array.from({ length: 50000 }, (_, i) => i);
  const writing = sysWrite(host.task, a, data);
  const got: number[] = [];
  const buf = new Uint8Array(700);
  while (got.length < data.length) got.push(...buf.subarray(0, await sysRead(host.task, b, buf)));
  expect(await writing).toBe(50000);
  expect(Uint8Array.from(got)).toEqual(data);
});

test('a non-blocking write returns what fitted, then -EAGAIN', () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const n = fill(host, a, b);
  expect(n).toBeGreaterThan(0);
  expect(n).toBeLessThan(100000);
  expect(sysSend(host.task, a, bytes('x'), MSG_DONTWAIT)).toBe(-EAGAIN);
  sysFcntl(host.task, a, F_SETFL, O_NONBLOCK);
  expect(sysWrite(host.task, a, bytes('x'))).toBe(-EAGAIN);
});

test('socket(7): SO_SNDTIMEO ends a write with its partial count, or -EAGAIN', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  sysSetsockopt(host.task, b, SOL_SOCKET, SO_RCVBUF, 4096);
  sysSetsockopt(host.task, a, SOL_SOCKET, SO_SNDTIMEO, new Timeval(1, 0));
  const n = await sysWrite(host.task, a, new Uint8Array(100000));
  expect(n).toBeGreaterThan(0);
  expect(n).toBeLessThan(100000);
  expect(await sysWrite(host.task, a, bytes('x'))).toBe(-EAGAIN);
  expect(host.world.now).toBe(2e9);
});

test('an aborted write returns what it has queued', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  sysSetsockopt(host.task, b, SOL_SOCKET, SO_RCVBUF, 4096);
  const signal = new TestSignal();
  const writing = sysWrite(host.task, a, new Uint8Array(100000), { signal });
  const queued = testSock(host, b).skReceiveQueue;
  let bytesQueued = 0;
  for (let skb = queued.next; skb !== null; skb = skb.next) bytesQueued += skb.len;
  abort(signal);
  expect(await writing).toBe(bytesQueued);
});

test('a call ends with -EPIPE when the peer is gone', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  fill(host, a, b);
  const writing = sysWrite(host.task, a, bytes('x'));
  now(sysClose(host.task, b));
  expect(await writing).toBe(-EPIPE);
});

test('a call that slept is traced once, not once for each restart', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const hits: string[] = [];
  traceNet(host.net, (r) => hits.push(r.function));
  const reading = sysRead(host.task, b, new Uint8Array(4));
  now(sysWrite(host.task, a, bytes('abcd')));
  await reading;
  // Each function once, although the read was done again.
  expect(hits).toEqual([
    'sys_read', 'sock_aio_read', '__sock_recvmsg', 'sock_common_recvmsg', 'pair_recvmsg',
    'sys_write', 'sock_aio_write', '__sock_sendmsg', 'pair_sendmsg', 'sk_receive_queue',
  ]);
});

test('exitTask ends what sleeps with -EINTR and closes every descriptor', async () => {
  const host = testHost();
  const [, b] = testPair(host);
  const reading = sysRead(host.task, b, new Uint8Array(1));
  exitTask(host.task);
  expect(await reading).toBe(-EINTR);
  expect(host.net.socket.socksInUse).toBe(0);
  expect(host.world.refs).toBe(0);
  expect(sysRead(host.task, b, new Uint8Array(1))).toBe(-EBADF);
});

test('socket(7): close with SO_LINGER waits until the peer has everything', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  sysSetsockopt(host.task, a, SOL_SOCKET, SO_LINGER, new Linger(1, 10));
  now(sysWrite(host.task, a, bytes('abc')));
  const sock = testSock(host, a);
  const closing = sysClose(host.task, a);
  expect(typeof closing).not.toBe('number');
  expect(sysRead(host.task, a, new Uint8Array(1))).toBe(-EBADF);
  await sleep(host.world, 1000);
  expect(now(sysRead(host.task, b, new Uint8Array(3)))).toBe(3);
  expect(await closing).toBe(0);
  expect(host.world.now).toBe(1e9);
  expect(sock.closes).toBe(2);
  expect(host.net.socket.socksInUse).toBe(1);
});

test('socket(7): SO_LINGER gives up when its time is over', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  sysSetsockopt(host.task, a, SOL_SOCKET, SO_LINGER, new Linger(1, 3));
  now(sysWrite(host.task, a, bytes('abc')));
  expect(await sysClose(host.task, a)).toBe(0);
  expect(host.world.now).toBe(3e9);
  expect(host.net.socket.socksInUse).toBe(1);
  expect(now(sysRead(host.task, b, new Uint8Array(3)))).toBe(3);
});

test('a task that ends does not wait for SO_LINGER', () => {
  const host = testHost();
  const [a] = testPair(host);
  sysSetsockopt(host.task, a, SOL_SOCKET, SO_LINGER, new Linger(1, 3));
  now(sysWrite(host.task, a, bytes('abc')));
  exitTask(host.task);
  expect(host.net.socket.socksInUse).toBe(0);
});

test('kiocbs and sleepers are used again: a thousand reads leave one of each', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const buf = new Uint8Array(4);
  for (let i = 0; i < 1000; i++) {
    const reading = sysRead(host.task, b, buf);
    now(sysWrite(host.task, a, bytes('abcd')));
    await reading;
  }
  expect(host.task.sleeperFree?.next).toBeNull();
  expect(host.task.iocbFree?.kiNext?.kiNext).toBeNull();
});

test('a wake-up that an aborted reader can no longer use goes to the next', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  const signal = new TestSignal();
  const first = sysRead(host.task, b, new Uint8Array(1), { signal });
  const second = sysRead(host.task, b, new Uint8Array(1));
  // The data arrives and wakes the first; the abort comes before it has run.
  worldEnter(host.world);
  now(sysWrite(host.task, a, bytes('x')));
  abort(signal);
  worldLeave(host.world);
  expect(await first).toBe(-EINTR);
  expect(await second).toBe(1);
});

test('a throw in a protocol panics the host, and the call returns -EIO', async () => {
  const host = testHost();
  const panics: string[] = [];
  host.world.onPanic = (report) => panics.push(report.error.message);
  const [a] = testPair(host);
  testSock(host, a).skRcvlowat = 1;
  const sk = testSock(host, a);
  Object.defineProperty(sk, 'peer', { get() { throw new Error('broken'); }, set() {} });
  const result = sysWrite(host.task, a, bytes('x'));
  expect(result).toBe(-5);
  await Promise.resolve();
  expect(panics).toEqual(['broken']);
  expect(host.net.panicked).not.toBeNull();
});

test('open sockets and sleeping calls keep the process alive, unless the host is told not to', async () => {
  const host = testHost();
  const [, b] = testPair(host);
  expect(host.world.refs).toBe(2);
  const reading = sysRead(host.task, b, new Uint8Array(1));
  expect(host.world.refs).toBe(3);
  sockSetRef(host.net, false);
  expect(host.world.refs).toBe(0);
  now(sysClose(host.task, b));
  await reading;
  sockSetRef(host.net, true);
  expect(host.world.refs).toBe(1);
});

test('what arrives in the tick in which the time is up still counts', async () => {
  const host = testHost();
  const [a, b] = testPair(host);
  sysSetsockopt(host.task, b, SOL_SOCKET, SO_RCVTIMEO, new Timeval(0, 5000));
  const reading = sysRead(host.task, b, new Uint8Array(1));
  const timer = timerSetup(host.net, () => now(sysWrite(host.task, a, bytes('x'))), null);
  modTimer(timer, (host.world.jiffies + 5) | 0);
  expect(await reading).toBe(1);
});
