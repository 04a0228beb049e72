/** Passive opens: SYN queue, accept queue, what a request answers, SYN cookies. */
import { EAGAIN } from '@stack/kernel';
import { F_SETFL, O_NONBLOCK, SOL_TCP, TCP_ESTABLISHED, sysAccept, sysClose, sysFcntl, sysGetsockopt, sysListen, sysRead, sysSetsockopt } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { tcpDiag } from './tcp-diag.ts';
import {
  LINUX_MIB_EMBRYONICRSTS, LINUX_MIB_LISTENDROPS, LINUX_MIB_LISTENOVERFLOWS, LINUX_MIB_SYNCOOKIESFAILED, LINUX_MIB_SYNCOOKIESRECV,
  LINUX_MIB_SYNCOOKIESSENT, LINUX_MIB_TCPDEFERACCEPTDROP, TCP_MIB_ATTEMPTFAILS, TCP_MIB_PASSIVEOPENS,
} from './tcp-mib.ts';
import { scriptListening } from './testing/script.ts';
import type { Script, ScriptOptions } from './testing/script.ts';
import { TCP_DEFER_ACCEPT, TCP_SAVED_SYN, TCP_SAVE_SYN } from './tcp-uapi.ts';

const SYN = 'S 0 win 65535 <mss 1000,nop,nop,sackOK,nop,wscale 7>';

let s: Script;

afterEach(() => s.end());

function listening(options: ScriptOptions = {}, backlog = 16): void {
  s = scriptListening(options, backlog);
  sysFcntl(s.host.task, s.lfd, F_SETFL, O_NONBLOCK);
}

const ext = (mib: number): number => s.host.net.tcp.linuxMib.values[mib] ?? 0;
const mib = (nr: number): number => s.host.net.tcp.tcpMib.values[nr] ?? 0;
const states = (): string[] => tcpDiag(s.host.net).map((row) => row.state);

function accept(): number {
  const fd = sysAccept(s.host.task, s.lfd);
  if (typeof fd !== 'number') throw new Error('it sleeps');
  return fd;
}

/** A SYN from `port`: what the host answered. */
function syn(port: number): string[] {
  s.peerPort = port;
  s.give(SYN);
  return s.takeBare();
}

test('RFC 9293 §3.10.7.2: a SYN is answered with SYN-ACK, what it offered taken up', () => {
  listening();
  s.give(SYN);
  expect(s.take()).toEqual(['S. 0:0(0) ack 1 win 64768 <mss 1472,nop,nop,sackOK,nop,wscale 10>']);
  expect(states()).toEqual(['LISTEN', 'SYN-RECV']);
  expect(accept()).toBe(-EAGAIN);
  s.give('. 1 ack 1');
  expect(states()).toEqual(['LISTEN', 'ESTAB']);
  expect(mib(TCP_MIB_PASSIVEOPENS)).toBe(1);
  s.fd = accept();
  expect(s.fd).toBeGreaterThanOrEqual(0);
  expect(s.sk.skState).toBe(TCP_ESTABLISHED);
  expect(s.sk.rxOpt).toMatchObject({ mssClamp: 1000, wscaleOk: true, sndWscale: 7, rcvWscale: 10, tstampOk: false });
});

test('RFC 9293 §3.7.1: without an MSS option 536 is assumed', () => {
  listening();
  s.give('S 0 win 1000');
  expect(s.takeBare()).toEqual(['S. 0:0(0) ack 1 <mss 1472>']);
  s.give('. 1 ack 1 win 65535');
  s.fd = accept();
  expect(s.sk.rxOpt.mssClamp).toBe(536);
  expect(s.sk.mssCache).toBe(536);
});

test('data that comes with the last ACK of the handshake is there at accept', () => {
  listening();
  syn(40000);
  s.give('P. 1:11(10) ack 1');
  s.fd = accept();
  expect(sysRead(s.host.task, s.fd, new Uint8Array(100))).toBe(10);
});

test('a SYN that comes again is answered again, at most every 500 ms', async () => {
  listening();
  expect(syn(40000)).toHaveLength(1);
  s.give(SYN);
  expect(s.takeBare()).toHaveLength(1);
  s.give(SYN);
  expect(s.take()).toEqual([]);
  await s.wait(501);
  s.give(SYN);
  expect(s.takeBare()).toHaveLength(1);
});

test('a SYN-ACK is sent again after 1, 3, 7, 15, 31 s, then the request is forgotten', async () => {
  listening();
  syn(40000);
  await s.wait(62_000);
  expect(s.takeTimed().map((line) => Number(line.split(' ')[0]))).toEqual([1000, 3000, 7000, 15000, 31000]);
  expect(states()).toEqual(['LISTEN', 'SYN-RECV']);
  await s.wait(2000);
  expect(states()).toEqual(['LISTEN']);
});

test('RFC 9293 §3.10.7.4: an ACK of something else than our SYN gets a reset; the request stays', () => {
  listening();
  syn(40000);
  s.give('. 1 ack 77');
  expect(s.takeBare()).toEqual(['R 77:77(0)']);
  expect(mib(TCP_MIB_PASSIVEOPENS)).toBe(0);
  s.give('. 1 ack 1');
  expect(states()).toEqual(['LISTEN', 'ESTAB']);
});

test('RFC 9293 §3.10.7.4: a reset in the window ends the request', () => {
  listening();
  syn(40000);
  s.give('R 1');
  expect(s.take()).toEqual([]);
  expect(states()).toEqual(['LISTEN']);
  expect(ext(LINUX_MIB_EMBRYONICRSTS)).toBe(1);
  expect(mib(TCP_MIB_ATTEMPTFAILS)).toBe(1);
});

test('RFC 9293 §3.10.7.4: a segment out of the window gets an ACK', () => {
  listening();
  syn(40000);
  s.give('. 100000 ack 1');
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 1']);
  expect(states()).toEqual(['LISTEN', 'SYN-RECV']);
});

test('a SYN in the window ends the request with a reset', () => {
  listening();
  syn(40000);
  s.give('S 5 win 1000');
  expect(s.takeBare()[0]).toMatch(/^R\. .* ack 6$/);
  expect(states()).toEqual(['LISTEN']);
});

test('an ACK for a listener that no request or cookie explains gets a reset', () => {
  listening();
  s.give('. 1 ack 1');
  expect(s.takeBare()).toEqual(['R 1:1(0)']);
});

test('a reset or a bare FIN for a listener is not answered', () => {
  listening();
  s.give('R 1');
  s.give('F 1');
  expect(s.take()).toEqual([]);
});

test('a full accept queue: SYNs are dropped, and the last ACK leaves the request waiting', async () => {
  listening({ sysctl: { sysctlTcpSyncookies: 0 } }, 1);
  for (let port = 40000; port < 40002; port++) {
    syn(port);
    s.give('. 1 ack 1');
  }
  expect(states()).toEqual(['LISTEN', 'ESTAB', 'ESTAB']);
  expect(syn(40002)).toEqual([]);
  expect(ext(LINUX_MIB_LISTENOVERFLOWS)).toBe(1);
  expect(ext(LINUX_MIB_LISTENDROPS)).toBe(1);
  sysClose(s.host.task, accept());
  s.take();
  expect(syn(40002)).toHaveLength(1);
  // Somebody else was faster.
  s.peerPort = 40003;
  expect(ext(LINUX_MIB_LISTENOVERFLOWS)).toBe(1);
});

test('the last ACK with a full accept queue: dropped, so that the next segment tries again', () => {
  listening({ sysctl: { sysctlTcpSyncookies: 0 } }, 4);
  for (let port = 40000; port < 40003; port++) syn(port);
  sysListen(s.host.task, s.lfd, 0);
  s.peerPort = 40000;
  s.isn = s.channel.log?.[0]?.seq ?? 0;
  s.give('. 1 ack 1');
  s.peerPort = 40001;
  s.isn = s.channel.log?.[1]?.seq ?? 0;
  s.give('. 1 ack 1');
  expect(s.take()).toEqual([]);
  expect(states().sort()).toEqual(['ESTAB', 'LISTEN', 'SYN-RECV', 'SYN-RECV']);
  sysClose(s.host.task, accept());
  s.give('P. 1:2(1) ack 1');
  expect(states().filter((state) => state === 'ESTAB')).toHaveLength(1);
});

test('net.ipv4.tcp_abort_on_overflow: then it is a reset', () => {
  listening({ sysctl: { sysctlTcpSyncookies: 0, sysctlTcpAbortOnOverflow: 1 } }, 4);
  for (let port = 40000; port < 40002; port++) syn(port);
  sysListen(s.host.task, s.lfd, 0);
  s.give('. 1 ack 1');
  s.peerPort = 40000;
  s.isn = s.channel.log?.[0]?.seq ?? 0;
  s.give('. 1 ack 1');
  expect(s.takeBare()).toEqual(['R 1:1(0)']);
});

test('TCP_DEFER_ACCEPT: a bare ACK is not yet a connection, data is', async () => {
  listening();
  expect(sysSetsockopt(s.host.task, s.lfd, SOL_TCP, TCP_DEFER_ACCEPT, 5)).toBe(0);
  expect(sysGetsockopt(s.host.task, s.lfd, SOL_TCP, TCP_DEFER_ACCEPT)).toBe(7);
  syn(40000);
  s.give('. 1 ack 1');
  expect(ext(LINUX_MIB_TCPDEFERACCEPTDROP)).toBe(1);
  expect(accept()).toBe(-EAGAIN);
  await s.wait(2500);
  expect(s.take()).toEqual([]);
  s.give('P. 1:11(10) ack 1');
  expect(accept()).toBeGreaterThanOrEqual(0);
});

test('TCP_SAVE_SYN keeps the SYN for the child, once', () => {
  listening();
  sysSetsockopt(s.host.task, s.lfd, SOL_TCP, TCP_SAVE_SYN, 1);
  syn(40000);
  s.give('. 1 ack 1');
  s.fd = accept();
  const saved = sysGetsockopt(s.host.task, s.fd, SOL_TCP, TCP_SAVED_SYN) as Uint8Array;
  expect(saved.length).toBeGreaterThanOrEqual(20);
  expect(sysGetsockopt(s.host.task, s.fd, SOL_TCP, TCP_SAVED_SYN)).toHaveLength(0);
});

test('close of a listener resets who was not accepted, and forgets the rest', () => {
  listening();
  syn(40000);
  s.give('. 1 ack 1');
  syn(40001);
  s.take();
  sysClose(s.host.task, s.lfd);
  expect(s.takeBare().map((line) => line.slice(0, 2))).toEqual(['R.']);
  expect(states()).toEqual([]);
});

test('RFC 4987 §3.6: SYN cookies: with the queue full, an ACK alone makes the connection', () => {
  listening({ sysctl: { sysctlTcpTimestamps: 0 } }, 1);
  syn(40000);
  syn(40001);
  expect(states()).toEqual(['LISTEN', 'SYN-RECV', 'SYN-RECV']);
  expect(syn(40002)).toEqual(['S. 0:0(0) ack 1 <mss 1472>']);
  expect(ext(LINUX_MIB_SYNCOOKIESSENT)).toBe(1);
  expect(states()).toEqual(['LISTEN', 'SYN-RECV', 'SYN-RECV']);
  s.give('P. 1:11(10) ack 1');
  expect(ext(LINUX_MIB_SYNCOOKIESRECV)).toBe(1);
  s.fd = accept();
  expect(sysRead(s.host.task, s.fd, new Uint8Array(100))).toBe(10);
  // What the SYN offered is lost, but for the MSS, rounded down.
  expect(s.sk.rxOpt).toMatchObject({ mssClamp: 536, sackOk: 0, wscaleOk: false });
});

test('SYN cookies: timestamps carry window scale and SACK', async () => {
  listening({}, 0);
  await s.wait(1000);
  syn(39999);
  s.peerPort = 40002;
  s.give('S 0 win 65535 <mss 1460,sackOK,TS val 77 ecr 0,nop,wscale 9>');
  const [line] = s.take();
  const tsval = /TS val (-?\d+)/.exec(line ?? '')?.[1] ?? '0';
  s.give(`. 1 ack 1 win 1000 <nop,nop,TS val 78 ecr ${tsval}>`);
  s.fd = accept();
  expect(s.sk.rxOpt).toMatchObject({ mssClamp: 1460, wscaleOk: true, sndWscale: 9, tstampOk: true, tsRecent: 78 });
  expect(s.sk.rxOpt.sackOk).not.toBe(0);
});

test('SYN cookies: a made-up ACK, or one too late, gets a reset', async () => {
  listening({ sysctl: { sysctlTcpTimestamps: 0, sysctlTcpSyncookies: 2 } }, 2);
  syn(40000);
  s.give('. 1 ack 5000');
  expect(s.takeBare()).toEqual(['R 5000:5000(0)']);
  expect(ext(LINUX_MIB_SYNCOOKIESFAILED)).toBe(1);
  await s.wait(180_000);
  s.give('. 1 ack 1');
  expect(s.takeBare()).toEqual(['R 1:1(0)']);
  expect(accept()).toBe(-EAGAIN);
});

test('SYN cookies: a flood of a thousand SYNs leaves room for who answers', () => {
  listening({ sysctl: { sysctlTcpTimestamps: 0 } }, 8);
  for (let port = 1; port <= 1000; port++) syn(port);
  expect(states().filter((state) => state === 'SYN-RECV')).toHaveLength(9);
  syn(40000);
  s.give('. 1 ack 1');
  expect(accept()).toBeGreaterThanOrEqual(0);
});
