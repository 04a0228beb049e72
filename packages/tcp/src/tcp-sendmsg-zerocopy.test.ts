import { EAGAIN, ENOBUFS, EINVAL } from '@stack/kernel';
import { consumeSkb } from '@stack/skbuff';
import {
  MSG_DONTWAIT, MSG_ZEROCOPY, SOL_SOCKET, SOL_TCP, SO_EE_CODE_ZEROCOPY_COPIED, SO_EE_ORIGIN_ZEROCOPY, SO_SNDBUF, SO_SNDTIMEO, SO_ZEROCOPY,
  Timeval, makeMsgHdr,
  skbExterr, sockDequeueErrSkb, sysClose, sysGetsockopt, sysSend, sysSendmsg, sysSetsockopt,
} from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';
import { TCP_CORK, TCP_NODELAY } from './tcp-uapi.ts';

let s: Script;

afterEach(() => s.end());

async function open(): Promise<void> {
  s = await scriptServer();
  expect(sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_ZEROCOPY, 1)).toBe(0);
}

function send(n: number, flags = MSG_DONTWAIT): number | Promise<number> {
  return sysSend(s.host.task, s.fd, new Uint8Array(n), flags | MSG_ZEROCOPY);
}

/** The next notification, [from, to]; null if there is none. */
function notified(): [number, number] | null {
  const skb = sockDequeueErrSkb(s.sk);
  if (skb === null) return null;
  const err = skbExterr(skb, 0);
  consumeSkb(skb);
  expect(err).toMatchObject({ eeErrno: 0, eeOrigin: SO_EE_ORIGIN_ZEROCOPY, eeCode: SO_EE_CODE_ZEROCOPY_COPIED });
  return [err.eeInfo, err.eeData];
}

test('a notification comes when all data of the call is acknowledged, not before', async () => {
  await open();
  await send(1000);
  s.give('. 1 ack 501');
  expect(notified()).toBeNull();
  s.give('. 1 ack 1001');
  expect(notified()).toEqual([0, 0]);
  expect(notified()).toBeNull();
  expect(s.sk.skOmemAlloc).toBe(0);
});

test('numbers that follow one another share a notification; what was read does not come again', async () => {
  await open();
  await send(100);
  s.give('. 1 ack 101');
  await send(100);
  s.give('. 1 ack 201');
  expect(notified()).toEqual([0, 1]);
  await send(100);
  s.give('. 1 ack 301');
  expect(notified()).toEqual([2, 2]);
});

test('calls whose data joins one sk_buff share its notification from the start', async () => {
  await open();
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_CORK, 1);
  await send(10);
  await send(10);
  expect(s.sk.skWriteQueue.qlen).toBe(1);
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_CORK, 0);
  s.give('. 1 ack 21');
  expect(notified()).toEqual([0, 1]);
});

test('each buffer is a fragment: one more than an sk_buff has goes to the next, and the full one is pushed', async () => {
  await open();
  sysSetsockopt(s.host.task, s.fd, SOL_TCP, TCP_NODELAY, 1);
  const msg = makeMsgHdr(Array.from({ length: 18 }, () => new Uint8Array(1)));
  expect(sysSendmsg(s.host.task, s.fd, msg, MSG_ZEROCOPY)).toBe(18);
  expect(s.takeBare()).toEqual(['P. 1:18(17) ack 1', 'P. 18:19(1) ack 1']);
  s.give('. 1 ack 19');
  expect(notified()).toEqual([0, 0]);
});

test('a call that sends nothing has no number', async () => {
  await open();
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_SNDBUF, 1);
  expect(sysSendmsg(s.host.task, s.fd, makeMsgHdr([new Uint8Array(0)]), MSG_ZEROCOPY)).toBe(0);
  s.give('. 1 ack 1 win 0');
  await send(100_000);
  expect(send(1)).toBe(-EAGAIN);
  expect(s.sk.skZckey).toBe(1);
});

test('a call that sleeps for room has one number; one that ends before its first byte gives it back', async () => {
  await open();
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_SNDBUF, 1);
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_SNDTIMEO, new Timeval(0, 20_000));
  s.give('. 1 ack 1 win 0');
  const slow = send(6000, 0);
  const none = sysSend(s.host.task, s.fd, new Uint8Array(9), MSG_ZEROCOPY);
  expect(s.sk.skZckey).toBe(2);
  s.give('. 1 ack 1 win 60000');
  s.give(`. 1 ack ${s.sk.bytesSent + 1} win 0`);
  await s.wait(1);
  expect(s.sk.skZckey).toBe(2);
  await s.wait(30);
  expect([await slow, await none].map((n) => n > 0)).toEqual([true, false]);
  expect(s.sk.skZckey).toBe(1);
});

test('net.core.optmem_max limits what waits unread', async () => {
  await open();
  s.host.net.socket.sysctlOptmemMax = 1;
  expect(send(10)).toBe(-ENOBUFS);
  expect(s.sk.skZckey).toBe(0);
});

test('without SO_ZEROCOPY the flag says nothing; the option is 0 or 1', async () => {
  s = await scriptServer();
  await send(10);
  s.give('. 1 ack 11');
  expect(notified()).toBeNull();
  expect(sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_ZEROCOPY, 2)).toBe(-EINVAL);
  expect(sysGetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_ZEROCOPY)).toBe(0);
});

test('a socket that is closed is told nothing, and keeps nothing', async () => {
  await open();
  await send(1000);
  sysClose(s.host.task, s.fd);
  s.give('R 1:1(0)');
});
