/** Segment text: order, overlap, holes, windows. */
import { MSG_DONTWAIT, SOL_SOCKET, SO_RCVBUF, sysRead, sysRecv, sysSetsockopt } from '@stack/socket';
import { rbFirst, rbLast } from '@stack/skbuff';
import { afterEach, expect, test } from 'vitest';
import { scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

test('RFC 2018 §4: the first SACK block is the latest, then the ones before it, at most four', async () => {
  s = await scriptServer();
  s.sk.skNet.tcp.sysctlTcpCompSackNr = 0;
  for (const at of [1001, 3001, 5001, 7001, 9001]) s.give(`. ${at}:${at + 1000}(1000) ack 1 win 1000`);
  expect(s.takeBare().pop()).toBe('. 1:1(0) ack 1 <nop,nop,sack 9001:10001 7001:8001 5001:6001 3001:4001>');
  s.give('. 4001:5001(1000) ack 1 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1 <nop,nop,sack 3001:6001 9001:10001 7001:8001>']);
});

test('RFC 5681 §4.2: a segment out of order is answered at once; so is one that closes the hole', async () => {
  s = await scriptServer();
  s.sk.icskAckQuick = 0;
  s.give('. 1001:2001(1000) ack 1 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1 <nop,nop,sack 1001:2001>']);
  s.sk.icskAckQuick = 0;
  s.give('. 1:1001(1000) ack 1 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 2001']);
});

test('RFC 2883 §4.1: what lies in the out-of-order queue and comes again is a DSACK, with its block behind', async () => {
  s = await scriptServer();
  s.give('. 1001:2001(1000) ack 1 win 1000');
  s.take();
  s.give('. 1001:2001(1000) ack 1 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1 <nop,nop,sack 1001:2001 1001:2001>']);
});

test('RFC 2883 §4: duplicates that touch are one DSACK', async () => {
  s = await scriptServer();
  s.give('. 1001:1501(500) ack 1 win 1000');
  s.give('. 1501:2001(500) ack 1 win 1000');
  s.take();
  s.give('. 1001:3001(2000) ack 1 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1 <nop,nop,sack 1001:2001 1001:3001>']);
});

test('overlapping segments: each byte once, and the bytes of the first to come', async () => {
  s = await scriptServer();
  s.give('. 501:1501(1000) ack 1 win 1000');
  s.give('. 1001:2001(1000) ack 1 win 1000');
  s.give('. 401:601(200) ack 1 win 1000');
  s.give('. 1:501(500) ack 1 win 1000');
  expect(sysRead(s.host.task, s.fd, new Uint8Array(5000))).toBe(2000);
  expect(s.takeBare().pop()).toMatch(/ack 2001/);
});

test('a segment that covers others takes their place', async () => {
  s = await scriptServer();
  s.give('. 501:701(200) ack 1 win 1000');
  s.give('. 901:1001(100) ack 1 win 1000');
  s.give('. 401:1201(800) ack 1 win 1000');
  expect(rbFirst(s.sk.outOfOrderQueue)).toBe(rbLast(s.sk.outOfOrderQueue));
  s.give('. 1:401(400) ack 1 win 1000');
  expect(sysRead(s.host.task, s.fd, new Uint8Array(5000))).toBe(1200);
});

test('a segment that begins before RCV.NXT gives its new part, and a DSACK', async () => {
  s = await scriptServer();
  s.give('. 1:1001(1000) ack 1 win 1000');
  s.take();
  s.give('. 501:1501(1000) ack 1 win 1000');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1501 <nop,nop,sack 501:1001>']);
  expect(sysRead(s.host.task, s.fd, new Uint8Array(5000))).toBe(1500);
});

test('RFC 9293 §3.8.6: the window closes as the buffer fills, never moves left, and opens by a segment at least', async () => {
  s = await scriptServer();
  let at = 1;
  let edge = 1401;
  for (let i = 0; i < 200 && at < edge; i++) {
    const len = Math.min(1400, edge - at);
    s.give(`. ${at}:${at + len}(${len}) ack 1 win 1000`);
    at += len;
    for (const line of s.take()) {
      const [, ack = '0', win = '0'] = / ack (\d+) win (\d+)/.exec(line) ?? [];
      const right = Number(ack) + Number(win) * 1024;
      expect(right).toBeGreaterThanOrEqual(edge);
      edge = right;
    }
    await s.wait(40);
  }
  s.take();
  expect(s.sk.rcvWnd).toBe(0);
  // A zero window: the peer's probe is answered, not taken.
  s.give(`. ${at}:${at + 1}(1) ack 1 win 1000`);
  expect(s.take()[0]).toMatch(/ win 0/);
  sysRecv(s.host.task, s.fd, new Uint8Array(100), MSG_DONTWAIT);
  expect(s.take()).toEqual([]);
  sysRecv(s.host.task, s.fd, new Uint8Array(65536), MSG_DONTWAIT);
  expect(s.take()[0]).toMatch(/ win [1-9]/);
});

test('small segments are copied behind one another while there is room: a slot for several', async () => {
  s = await scriptServer();
  for (let i = 0; i < 100; i++) s.give(`P. ${1 + i * 10}:${11 + i * 10}(10) ack 1 win 1000`);
  expect(s.sk.skReceiveQueue.qlen).toBeLessThan(50);
  expect(sysRead(s.host.task, s.fd, new Uint8Array(5000))).toBe(1000);
});

test('dynamic right-sizing: a fast reader’s buffer grows with the flow', async () => {
  s = await scriptServer();
  const before = s.sk.skRcvbuf;
  let at = 1;
  const buf = new Uint8Array(65536);
  for (let round = 0; round < 8; round++) {
    const burst = 10 * 2 ** Math.min(round, 4);
    for (let i = 0; i < burst; i++) {
      if (((at + 1000 - 1 - (s.sk.rcvNxt + 500)) | 0) > s.sk.rcvWnd - 2000) break;
      s.give(`. ${at}:${at + 1000}(1000) ack 1 win 1000`);
      at += 1000;
      sysRecv(s.host.task, s.fd, buf, MSG_DONTWAIT);
    }
    await s.wait(100);
  }
  expect(s.sk.skRcvbuf).toBeGreaterThan(before);
});

test('SO_RCVBUF holds against a peer that ignores windows: what is too much is dropped, out of order first', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_RCVBUF, 10000);
  const limit = s.sk.skRcvbuf + 3000;
  for (let i = 59; i > 0; i--) s.give(`. ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1 win 1000`);
  expect(s.sk.skRmemAlloc).toBeLessThan(limit);
  for (let i = 0; i < 60; i++) s.give(`. ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1 win 1000`);
  expect(s.sk.skRmemAlloc).toBeLessThan(limit);
  expect(s.sk.skReceiveQueue.next).not.toBeNull();
  const { values, names } = s.host.net.tcp.linuxMib;
  expect(values[names.indexOf('OfoPruned')]).toBeGreaterThan(0);
});

/** A counter of TcpExt. */
function counter(name: string): number {
  const { values, names } = s.host.net.tcp.linuxMib;
  return values[names.indexOf(name)]!;
}

test('collapse: a full buffer of small segments is copied together; nothing that was acknowledged is lost', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_RCVBUF, 20000);
  let at = 1;
  for (let i = 0; i < 40; i++) {
    s.give(`. ${at}:${at + 500}(500) ack 1 win 1000`);
    at = s.sk.rcvNxt + 500;
  }
  const got = (s.sk.rcvNxt + 500 - 1) | 0;
  expect(counter('PruneCalled')).toBeGreaterThan(0);
  expect(counter('TCPRcvCollapsed')).toBeGreaterThan(0);
  expect(s.sk.skRmemAlloc).toBeLessThanOrEqual(s.sk.skRcvbuf);
  expect(sysRead(s.host.task, s.fd, new Uint8Array(50000))).toBe(got);
});

test('collapse beyond a hole: overlaps are copied once, gaps stay, and the stream is whole', async () => {
  s = await scriptServer();
  sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_RCVBUF, 20000);
  for (let i = 0; i < 12; i++) s.give(`. ${1001 + i * 700}:${2001 + i * 700}(1000) ack 1 win 1000`);
  for (let i = 0; i < 12; i++) s.give(`. ${20001 + i * 700}:${21001 + i * 700}(1000) ack 1 win 1000`);
  expect(counter('TCPRcvCollapsed')).toBeGreaterThan(0);
  expect(s.sk.oooLastSkb).toBe(rbLast(s.sk.outOfOrderQueue));
  s.give('. 1:1001(1000) ack 1 win 1000');
  const got = (s.sk.rcvNxt + 500 - 1) | 0;
  expect(got).toBeGreaterThan(5000);
  expect(sysRead(s.host.task, s.fd, new Uint8Array(50000))).toBe(got);
});

test('CVE-2018-5390: two thousand tiny segments out of order make a tree, not a list', async () => {
  s = await scriptServer();
  s.sk.skRcvbuf = 1 << 26;
  s.sk.rcvWnd = 1 << 24;
  const step = (i: number): number => 2 + ((i * 997) % 2003) * 2;
  for (let i = 0; i < 2003; i++) s.give(`. ${step(i)}:${step(i) + 1}(1) ack 1 win 1000`);
  s.take();
  let depth = 0;
  for (let node = s.sk.outOfOrderQueue.rbNode; node !== null; node = node.left) depth++;
  expect(depth).toBeLessThan(23);
});
