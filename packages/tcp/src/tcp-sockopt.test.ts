import { EINVAL, ENOENT, ENOPROTOOPT, sysctlList, sysctlRead, sysctlWrite } from '@stack/kernel';
import {
  OptInt, SOL_SOCKET, SOL_TCP, SO_KEEPALIVE, SO_RCVLOWAT, TCP_LISTEN, sysAccept, sysGetsockopt, sysRead, sysSetsockopt,
} from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import { tcpDiag } from './tcp-diag.ts';
import type { TcpInfo } from './tcp-info.ts';
import { TCPI_OPT_SACK, TCPI_OPT_TIMESTAMPS, TCPI_OPT_WSCALE } from './tcp-info.ts';
import { scriptClient, scriptServer } from './testing/script.ts';
import type { Script } from './testing/script.ts';
import * as opt from './tcp-uapi.ts';

let s: Script;

afterEach(() => s.end());

const set = (name: number, value: number | string): number => sysSetsockopt(s.host.task, s.fd, SOL_TCP, name, value);
const get = (name: number): number | object => sysGetsockopt(s.host.task, s.fd, SOL_TCP, name);
const info = (): TcpInfo => get(opt.TCP_INFO) as TcpInfo;

test.each<[string, number, number, number[], number[]]>([
  ['TCP_NODELAY', opt.TCP_NODELAY, 0, [1, 0], []],
  ['TCP_CORK', opt.TCP_CORK, 0, [1, 0], []],
  ['TCP_KEEPIDLE', opt.TCP_KEEPIDLE, 7200, [1, 32767], [0, -1, 32768]],
  ['TCP_KEEPINTVL', opt.TCP_KEEPINTVL, 75, [1, 32767], [0, 32768]],
  ['TCP_KEEPCNT', opt.TCP_KEEPCNT, 9, [1, 127], [0, 128]],
  ['TCP_SYNCNT', opt.TCP_SYNCNT, 6, [1, 127], [0, 128]],
  ['TCP_USER_TIMEOUT', opt.TCP_USER_TIMEOUT, 0, [0, 5000], [-1]],
  ['TCP_INQ', opt.TCP_INQ, 0, [1, 0], [2]],
  ['TCP_SAVE_SYN', opt.TCP_SAVE_SYN, 0, [1, 2, 0], [3]],
  ['TCP_LINGER2', opt.TCP_LINGER2, 60, [1, 120], []],
  ['TCP_NOTSENT_LOWAT', opt.TCP_NOTSENT_LOWAT, 0, [1, 16384], []],
  ['TCP_RTO_MAX_MS', opt.TCP_RTO_MAX_MS, 120_000, [1000, 60_000], [999, 120_001]],
  ['TCP_RTO_MIN_US', opt.TCP_RTO_MIN_US, 200_000, [5000], [0]],
  ['TCP_DELACK_MAX_US', opt.TCP_DELACK_MAX_US, 200_000, [40_000], [0, 2_000_000]],
  ['TCP_THIN_LINEAR_TIMEOUTS', opt.TCP_THIN_LINEAR_TIMEOUTS, 0, [1, 0], [2]],
])('%s: default, what it takes, what it refuses', async (_name, option, initial, good, bad) => {
  s = await scriptServer();
  expect(get(option)).toBe(initial);
  for (const value of good) {
    expect(set(option, value)).toBe(0);
    expect(get(option)).toBe(value);
  }
  for (const value of bad) expect(set(option, value)).toBe(-EINVAL);
});

test('TCP_LINGER2: more than two minutes is two, negative is none at all', async () => {
  s = await scriptServer();
  set(opt.TCP_LINGER2, 1000);
  expect(get(opt.TCP_LINGER2)).toBe(120);
  set(opt.TCP_LINGER2, -5);
  expect(get(opt.TCP_LINGER2)).toEqual(new OptInt(-1));
});

test('TCP_MAXSEG: 88 to 32767; it is told as asked for before the connection, as it is during it', async () => {
  s = await scriptServer();
  expect(set(opt.TCP_MAXSEG, 87)).toBe(-EINVAL);
  expect(set(opt.TCP_MAXSEG, 32768)).toBe(-EINVAL);
  expect(set(opt.TCP_MAXSEG, 500)).toBe(0);
  expect(get(opt.TCP_MAXSEG)).toBe(1000);
  s.fd = s.lfd;
  expect(set(opt.TCP_MAXSEG, 500)).toBe(0);
  expect(get(opt.TCP_MAXSEG)).toBe(500);
});

test('TCP_CONGESTION by name', async () => {
  s = await scriptServer();
  expect(get(opt.TCP_CONGESTION)).toEqual({ name: 'cubic' });
  expect(set(opt.TCP_CONGESTION, 'reno')).toBe(0);
  expect(get(opt.TCP_CONGESTION)).toEqual({ name: 'reno' });
  expect(set(opt.TCP_CONGESTION, 'vegas')).toBe(-ENOENT);
  expect(set(opt.TCP_CONGESTION, 5)).toBe(-EINVAL);
  expect(set(opt.TCP_NODELAY, 'yes')).toBe(-EINVAL);
});

test('an option that there is not', async () => {
  s = await scriptServer();
  expect(set(999, 1)).toBe(-ENOPROTOOPT);
  expect(get(999)).toBe(-ENOPROTOOPT);
});

test('a child has the options of its listener', async () => {
  s = await scriptServer({ sysctl: { sysctlTcpKeepaliveTime: 1000 } });
  const child = s.fd;
  s.fd = s.lfd;
  set(opt.TCP_NODELAY, 1);
  set(opt.TCP_KEEPIDLE, 77);
  set(opt.TCP_CONGESTION, 'reno');
  set(opt.TCP_USER_TIMEOUT, 123);
  sysSetsockopt(s.host.task, s.lfd, SOL_SOCKET, SO_KEEPALIVE, 1);
  s.peerPort = 50_000;
  s.give('S 0 win 65535 <mss 1000>');
  s.take();
  s.give('. 1 ack 1');
  const { sk } = s;
  expect(sk.opts).toMatchObject({ keepaliveTime: 77_000, userTimeout: 123 });
  expect(sk.icskCaOps.name).toBe('reno');
  expect(sk.nonagle & 1).toBe(1);
  expect(tcpDiag(s.host.net).find((row) => row.peerPort === 50_000)?.timer?.name).toBe('keepalive');
  // From here on each has its own.
  set(opt.TCP_KEEPIDLE, 88);
  s.fd = (await sysAccept(s.host.task, s.lfd)) as number;
  expect(get(opt.TCP_KEEPIDLE)).toBe(77);
  set(opt.TCP_KEEPIDLE, 99);
  expect(get(opt.TCP_KEEPIDLE)).toBe(99);
  s.fd = child;
});

test('TCP_WINDOW_CLAMP bounds what is offered; it cannot be taken off again', async () => {
  s = await scriptServer();
  expect(set(opt.TCP_WINDOW_CLAMP, 20_000)).toBe(0);
  expect(get(opt.TCP_WINDOW_CLAMP)).toBe(20_000);
  expect(set(opt.TCP_WINDOW_CLAMP, 1)).toBe(0);
  expect(get(opt.TCP_WINDOW_CLAMP)).toBe(1152);
  expect(set(opt.TCP_WINDOW_CLAMP, 0)).toBe(-EINVAL);
});

test('TCP_QUICKACK: 1 answers at once, 0 waits', async () => {
  s = await scriptServer();
  set(opt.TCP_QUICKACK, 0);
  s.give('P. 1:11(10) ack 1');
  expect(sysRead(s.host.task, s.fd, new Uint8Array(10))).toBe(10);
  expect(s.take()).toEqual([]);
  set(opt.TCP_QUICKACK, 1);
  expect(s.takeBare()).toEqual(['. 1:1(0) ack 11']);
});

test('TCP_INFO of a connection', async () => {
  s = await scriptClient({ syn: 'mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7' });
  await s.write(3000);
  s.take();
  await s.wait(100);
  s.give(`. 1 ack 3001 win 1000 <nop,nop,TS val 1100 ecr ${Math.floor(s.now() - 100)}>`);
  s.give('P. 1:101(100) ack 3001 win 1000 <nop,nop,TS val 1100 ecr 0>');
  const got = info();
  expect(got).toMatchObject({
    tcpiState: 1, tcpiCaState: 0, tcpiSndWscale: 7, tcpiRcvWscale: 10, tcpiSndMss: 988, tcpiPmtu: 1500, tcpiAdvmss: 1460,
    tcpiUnacked: 0, tcpiRetrans: 0, tcpiBytesAcked: 3001, tcpiBytesReceived: 100, tcpiBytesSent: 3000, tcpiDataSegsOut: 4,
    tcpiDataSegsIn: 1, tcpiRtt: 100_000, tcpiSndWnd: 128_000, tcpiTotalRetrans: 0, tcpiNotsentBytes: 0,
  });
  expect(got.tcpiOptions).toBe(TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
  expect(got.tcpiSndCwnd).toBeGreaterThanOrEqual(10);
});

test('TCP_INFO of a listener tells its queue and backlog', async () => {
  s = await scriptServer();
  s.peerPort = 50_000;
  s.give('S 0 win 65535 <mss 1000>');
  s.take();
  s.give('. 1 ack 1');
  s.fd = s.lfd;
  expect(info()).toMatchObject({ tcpiState: TCP_LISTEN, tcpiUnacked: 1, tcpiSacked: 16 });
});

test('what ss shows: listeners first, queues and timers', async () => {
  s = await scriptServer();
  await s.write(10);
  s.give('P. 1:6(5) ack 1');
  expect(tcpDiag(s.host.net)).toMatchObject([
    { netid: 'tcp', state: 'LISTEN', recvQ: 0, sendQ: 16, localAddress: '0', localPort: 8080, peerPort: 0, timer: null },
    {
      netid: 'tcp', state: 'ESTAB', recvQ: 5, sendQ: 10, localAddress: '2', localPort: 8080, peerAddress: '1', peerPort: 40000,
      congestion: 'cubic', timer: { name: 'on', retrans: 0 },
    },
  ]);
});

test('SO_RCVLOWAT grows the receive buffer, so that so much can come', async () => {
  s = await scriptServer();
  const before = s.sk.skRcvbuf;
  expect(sysSetsockopt(s.host.task, s.fd, SOL_SOCKET, SO_RCVLOWAT, 300_000)).toBe(0);
  expect(s.sk.skRcvbuf).toBeGreaterThan(before);
  expect(s.sk.windowClamp).toBeGreaterThanOrEqual(300_000);
});

test('sysctls have Linux names and defaults', async () => {
  s = await scriptServer();
  const { net } = s.host;
  const value = (name: string): unknown => sysctlRead(net, `net.ipv4.${name}`);
  expect(value('tcp_sack')).toBe(1);
  expect(value('tcp_fin_timeout')).toBe(60);
  expect(value('tcp_keepalive_time')).toBe(7200);
  expect(value('tcp_rmem')).toEqual([4096, 131072, 33554432]);
  expect(value('tcp_notsent_lowat')).toBe(4294967295);
  expect(value('tcp_congestion_control')).toBe('cubic');
  expect(value('tcp_available_congestion_control')).toBe('cubic reno bbr');
  expect(sysctlWrite(net, 'net.ipv4.tcp_congestion_control', 'reno')).toBe(0);
  expect(value('tcp_congestion_control')).toBe('reno');
  expect(sysctlWrite(net, 'net.ipv4.tcp_congestion_control', 'nobody')).toBe(-ENOENT);
  expect(sysctlWrite(net, 'net.ipv4.tcp_keepalive_time', 10)).toBe(0);
  expect(net.tcp.sysctlTcpKeepaliveTime).toBe(10_000);
  expect(sysctlWrite(net, 'net.ipv4.tcp_syncookies', 7)).toBe(-EINVAL);
  expect(sysctlList(net).filter((row) => row.name.startsWith('net.ipv4.tcp_')).length).toBeGreaterThan(60);
});
