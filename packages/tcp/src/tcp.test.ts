/** Disconnect, errors on connect, the end of a host. */
import { ECONNREFUSED, EISCONN, ETIMEDOUT, destroyNet, openReport } from '@stack/kernel';
import { leakReport } from '@stack/skbuff';
import {
  AF_UNSPEC, SOCK_STREAM, SockAddr, TCP_CLOSE, TCP_ESTABLISHED, sysConnect, sysSocket, sysWrite,
} from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { tcpDiag } from './tcp-diag.ts';
import { TCP_MIB_ACTIVEOPENS, TCP_MIB_ATTEMPTFAILS, TCP_MIB_CURRESTAB, TCP_MIB_ESTABRESETS } from './tcp-mib.ts';
import { AF_CHANNEL, SockAddrChannel } from './tcp-channel.ts';
import { scriptClient, scriptConnecting, scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';

let s: Script;

afterEach(() => s.end());

const mib = (nr: number): number => s.host.net.tcp.tcpMib.values[nr] ?? 0;

test('RFC 9293 §3.10.7.3: a reset that acknowledges our SYN refuses the connection', async () => {
  const connecting = scriptConnecting();
  s = connecting.s;
  s.take();
  s.give('R. 0 ack 1');
  expect(await connecting.connected).toBe(-ECONNREFUSED);
  expect(mib(TCP_MIB_ACTIVEOPENS)).toBe(1);
  expect(mib(TCP_MIB_ATTEMPTFAILS)).toBe(1);
});

test('RFC 9293 §3.10.7.3: a reset that acknowledges something else is ignored, an ACK of it gets a reset', async () => {
  const connecting = scriptConnecting();
  s = connecting.s;
  s.take();
  s.give('R. 0 ack 2');
  expect(s.take()).toEqual([]);
  s.give('S. 0 ack 2 win 1000');
  expect(s.takeBare()).toEqual(['R 2:2(0)']);
  s.give('S. 0 ack 1 win 1000');
  expect(await connecting.connected).toBe(0);
});

test('a SYN that nobody answers: again after 1, 2, 3, 4, 5, 7, … s, then -ETIMEDOUT', async () => {
  const connecting = scriptConnecting({ sysctl: { sysctlTcpSynRetries: 2, sysctlTcpSynLinearTimeouts: 0 } });
  s = connecting.s;
  expect(await connecting.connected).toBe(-ETIMEDOUT);
  expect(s.takeTimed().map((line) => Number(line.split(' ')[0]))).toEqual([0, 1000, 3000]);
  expect(s.now()).toBe(7000);
});

test('RFC 9293 §3.5, figure 8: simultaneous open', async () => {
  const connecting = scriptConnecting();
  s = connecting.s;
  s.take();
  s.give('S 0 win 65535 <mss 1000>');
  expect(s.takeBare()[0]).toMatch(/^S\. 0:0\(0\) ack 1 <mss 1472,/);
  s.give('. 1 ack 1');
  expect(await connecting.connected).toBe(0);
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
});

test('connect(2) to AF_UNSPEC resets the connection; the socket may be used again', async () => {
  s = await scriptClient();
  await s.write(10);
  s.take();
  expect(mib(TCP_MIB_CURRESTAB)).toBe(1);
  expect(sysConnect(s.host.task, s.fd, new SockAddr(AF_UNSPEC))).toBe(0);
  expect(s.takeBare()).toEqual(['R. 11:11(0) ack 1']);
  expect(s.sk.skState).toBe(TCP_CLOSE);
  expect(mib(TCP_MIB_CURRESTAB)).toBe(0);
  expect(mib(TCP_MIB_ESTABRESETS)).toBe(1);
  const last = s.isn;
  const again = sysConnect(s.host.task, s.fd, new SockAddrChannel(1, s.peerPort));
  expect(s.takeBare()[0]).toMatch(/^S 0:0\(0\) <mss 1472/);
  // The new numbers are beyond all that the old window allowed.
  expect((s.isn - last) | 0).toBe(11 + 65535 + 2);
  s.give('S. 0 ack 1 win 65535 <mss 1000>');
  expect(await again).toBe(0);
  expect(sysWrite(s.host.task, s.fd, new Uint8Array(3))).toBe(3);
});

test('a connected socket cannot connect again', async () => {
  s = await scriptClient();
  expect(sysConnect(s.host.task, s.fd, new SockAddrChannel(1, 9))).toBe(-EISCONN);
});

test('a host that goes takes every sock with it: connections, orphans, requests, TIME_WAIT', async () => {
  s = await scriptServer();
  await s.write(100);
  s.peerPort = 50_000;
  s.give('S 0 win 1000 <mss 1000>');
  s.take();
  sysSocket(s.host.task, AF_CHANNEL, SOCK_STREAM, 0);
  const { world, host } = s;
  expect(tcpDiag(host.net).map((row) => row.state)).toEqual(['LISTEN', 'ESTAB', 'SYN-RECV']);
  destroyNet(host.net);
  expect(openReport(world)).toEqual([]);
  expect(leakReport(world)).toEqual([]);
  expect(host.net.tcp.hashinfo).toMatchObject({ ehashCount: 0, orphanCount: 0, twCount: 0 });
  expect(host.net.tcp.mem).toMatchObject({ memoryAllocated: 0, socketsAllocated: 0 });
});
