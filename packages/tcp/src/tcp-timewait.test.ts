/** TIME-WAIT: what segments mean to it, and how a new connection takes its place. */
import { EADDRNOTAVAIL, sysctlWrite } from '@stack/kernel';
import { SOCK_STREAM, sysAccept, sysBind, sysClose, sysConnect, sysSocket } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { tcpDiag } from './tcp-diag.ts';
import {
  LINUX_MIB_PAWS_TW_REJECTED, LINUX_MIB_TCPACKSKIPPEDTIMEWAIT, LINUX_MIB_TCPTIMEWAITOVERFLOW, LINUX_MIB_TIMEWAITED, LINUX_MIB_TIMEWAITRECYCLED,
} from './tcp-mib.ts';
import { AF_CHANNEL, SockAddrChannel } from './tcp-channel.ts';
import { scriptClient, scriptServer } from './testing/script.ts';
import type { Script, ScriptOptions } from './testing/script.ts';

const TS_SYN = 'mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7';

let s: Script;

afterEach(() => s.end());

const ext = (mib: number): number => s.host.net.tcp.linuxMib.values[mib] ?? 0;
const rows = (): string[] => tcpDiag(s.host.net).filter((row) => row.state !== 'LISTEN').map((row) => row.state);

/** A connection that the host, a server, has closed first: in TIME-WAIT; its peer's next number is 2, its own 2. */
async function resting(options: ScriptOptions = {}): Promise<void> {
  s = await scriptServer(options);
  const ts = options.syn === TS_SYN ? ' <nop,nop,TS val 1001 ecr 0>' : '';
  sysClose(s.host.task, s.fd);
  s.give(`. 1 ack 2 win 1000${ts}`);
  s.give(`F. 1 ack 2 win 1000${ts}`);
  s.take();
  expect(rows()).toEqual(['TIME-WAIT']);
}

test('a FIN that comes again is acknowledged again, and the rest starts anew', async () => {
  await resting();
  await s.wait(50_000);
  s.give('F. 1 ack 2');
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 2']);
  await s.wait(50_000);
  expect(rows()).toEqual(['TIME-WAIT']);
  await s.wait(11_000);
  expect(rows()).toEqual([]);
  expect(ext(LINUX_MIB_TIMEWAITED)).toBe(1);
});

test('a bare ACK in place starts the rest anew, unanswered', async () => {
  await resting();
  await s.wait(50_000);
  s.give('. 2 ack 2');
  expect(s.take()).toEqual([]);
  await s.wait(50_000);
  expect(rows()).toEqual(['TIME-WAIT']);
});

test('segments out of place are answered every 500 ms at most', async () => {
  await resting();
  s.give('F. 1 ack 2');
  s.give('. 100 ack 2');
  expect(s.takeBare()).toHaveLength(2);
  s.give('. 100 ack 2');
  expect(s.take()).toEqual([]);
  expect(ext(LINUX_MIB_TCPACKSKIPPEDTIMEWAIT)).toBe(1);
  await s.wait(501);
  s.give('. 100 ack 2');
  expect(s.takeBare()).toHaveLength(1);
});

test('a reset at exactly the next number ends TIME-WAIT; with tcp_rfc1337 it does not (RFC 1337)', async () => {
  await resting();
  s.give('R 77');
  expect(rows()).toEqual(['TIME-WAIT']);
  s.give('R 2');
  expect(rows()).toEqual([]);
});

test('RFC 1337: tcp_rfc1337 keeps TIME-WAIT through resets', async () => {
  await resting({ sysctl: { sysctlTcpRfc1337: 1 } });
  s.give('R 2');
  expect(rows()).toEqual(['TIME-WAIT']);
});

test('RFC 9293 §3.10.7.4: a SYN beyond the old numbers opens a new connection, our numbers beyond the old ones', async () => {
  await resting();
  const old = s.isn;
  s.give('S 10 win 1000 <mss 1000>');
  const [line] = s.takeBare();
  expect(line).toBe('S. 0:0(0) ack 11 <mss 1472>');
  expect((s.isn - old) | 0).toBe(2 + 65535 + 2);
  expect(rows()).toEqual(['SYN-RECV']);
  s.give('. 11 ack 1');
  expect(rows()).toEqual(['ESTAB']);
});

test('a SYN among the old numbers is acknowledged; its sender will reset us', async () => {
  await resting();
  s.give('S -5 win 1000 <mss 1000>');
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 2']);
  expect(rows()).toEqual(['TIME-WAIT']);
});

test('RFC 6191: a SYN among the old numbers with a newer timestamp opens a new connection', async () => {
  await resting({ syn: TS_SYN });
  s.give('S -5 win 1000 <mss 1000,sackOK,TS val 2000 ecr 0,nop,wscale 7>');
  expect(s.takeBare()[0]).toMatch(/^S\. 0:0\(0\) ack -4/);
});

test('RFC 7323 §5.3: a SYN with an older timestamp is refused', async () => {
  await resting({ syn: TS_SYN });
  s.give('S 10 win 1000 <mss 1000,sackOK,TS val 500 ecr 0,nop,wscale 7>');
  expect(s.takeBare()[0]).toMatch(/^\. 2:2\(0\) ack 2/);
  expect(ext(LINUX_MIB_PAWS_TW_REJECTED)).toBe(1);
});

test('an orphan in FIN_WAIT2: the FIN moves it to TIME-WAIT, data resets it, a reset ends it', async () => {
  s = await scriptServer();
  sysClose(s.host.task, s.fd);
  s.give('. 1 ack 2');
  s.take();
  expect(rows()).toEqual(['FIN-WAIT-2']);
  s.give('F. 1 ack 2');
  expect(s.takeBare()).toEqual(['. 2:2(0) ack 2']);
  expect(rows()).toEqual(['TIME-WAIT']);
});

test('an orphan in FIN_WAIT2 ends by a reset in the window', async () => {
  s = await scriptServer();
  sysClose(s.host.task, s.fd);
  s.give('. 1 ack 2');
  s.give('R 1');
  expect(rows()).toEqual([]);
});

test('an orphan in FIN_WAIT2 answers a new SYN with a reset', async () => {
  s = await scriptServer();
  sysClose(s.host.task, s.fd);
  s.give('. 1 ack 2');
  s.take();
  s.give('S 1 win 1000');
  expect(s.takeBare()[0]).toMatch(/^R\. .* ack 2$/);
  expect(rows()).toEqual([]);
});

test('net.ipv4.tcp_max_tw_buckets: beyond it connections close without rest', async () => {
  s = await scriptServer();
  expect(sysctlWrite(s.host.net, 'net.ipv4.tcp_max_tw_buckets', 0)).toBe(0);
  sysClose(s.host.task, s.fd);
  s.give('F. 1 ack 2');
  expect(rows()).toEqual([]);
  expect(ext(LINUX_MIB_TCPTIMEWAITOVERFLOW)).toBe(1);
});

/** A client's connection in TIME-WAIT, local port chosen by bind(2) or not, and the result of connecting again. */
async function reconnect(options: ScriptOptions, after: number): Promise<number> {
  s = await scriptClient(options);
  sysClose(s.host.task, s.fd);
  const ts = options.syn === TS_SYN ? ' <nop,nop,TS val 1001 ecr 0>' : '';
  s.give(`F. 1 ack 2 win 1000${ts}`);
  expect(rows()).toEqual(['TIME-WAIT']);
  await s.wait(after);
  // Only that one port is left to choose.
  sysctlWrite(s.host.net, 'net.ipv4.ip_local_port_range', [s.port, s.port]);
  s.fd = sysSocket(s.host.task, AF_CHANNEL, SOCK_STREAM, 0);
  s.take();
  const err = sysConnect(s.host.task, s.fd, new SockAddrChannel(1, s.peerPort));
  return typeof err === 'number' ? err : 0;
}

test('connect(2) does not take a four-tuple in TIME-WAIT', async () => {
  expect(await reconnect({ syn: TS_SYN }, 5000)).toBe(-EADDRNOTAVAIL);
});

test('net.ipv4.tcp_tw_reuse: with timestamps connect(2) takes it after a second, numbers going on', async () => {
  expect(await reconnect({ syn: TS_SYN, sysctl: { sysctlTcpTwReuse: 1 } }, 999)).toBe(-EADDRNOTAVAIL);
  s.end();
  expect(await reconnect({ syn: TS_SYN, sysctl: { sysctlTcpTwReuse: 1 } }, 1000)).toBe(0);
  expect(ext(LINUX_MIB_TIMEWAITRECYCLED)).toBe(1);
  expect(rows()).toEqual(['SYN-SENT']);
});

test('net.ipv4.tcp_tw_reuse: not without timestamps', async () => {
  expect(await reconnect({ sysctl: { sysctlTcpTwReuse: 1 } }, 5000)).toBe(-EADDRNOTAVAIL);
});

test('a listener may be opened anew while old connections rest', async () => {
  await resting();
  sysClose(s.host.task, s.lfd);
  const fd = sysSocket(s.host.task, AF_CHANNEL, SOCK_STREAM, 0);
  expect(sysBind(s.host.task, fd, new SockAddrChannel(0, 8080))).toBe(-98);
  expect(sysAccept(s.host.task, fd)).toBe(-22);
});
