import { expect, test } from 'vitest';
import { linuxSettings } from './freebsd.ts';
import { runScript } from './house.ts';
import { parseScript } from './parse.ts';

test.each([
  ['net.inet.tcp.rfc1323', '2', 'tcp_window_scaling=1 tcp_timestamps=0'],
  ['net.inet.tcp.sack.enable', '1', 'tcp_sack=1'],
  ['net.inet.tcp.cc.algorithm', 'newreno', 'tcp_congestion_control=reno'],
  ['net.inet.tcp.ecn.enable', '3', 'tcp_ecn=2'],
  ['net.inet.tcp.keepidle', '75000', 'tcp_keepalive_time=75'],
  ['net.inet.tcp.path_mtu_discovery', '0', 'ip_no_pmtu_disc=1'],
])('%s=%s', (name, value, settings) => {
  const notes: string[] = [];
  expect(linuxSettings(name, value, notes).map((one) => one.join('=')).join(' ')).toBe(settings.replace(/(^| )/g, '$1net.ipv4.'));
  expect(notes).toEqual([]);
});

test('what Linux has is left as it is', () => {
  expect(linuxSettings('net.ipv4.tcp_sack', '0', [])).toEqual([['net.ipv4.tcp_sack', '0']]);
});

test('a script for FreeBSD runs; what is passed over stands in the log', async () => {
  const { failure, log } = await runScript(parseScript(`
--persistent_tun_dev
\`kldload -n tcp_rack && sysctl -w kern.timecounter.alloweddeviation=0
sysctl -w net.inet.tcp.rfc1323=0; sysctl -w net.inet.tcp.hostcache.purgenow=1; sysctl -w net.inet.tcp.syncache.rexmtlimit=3
sysctl net.inet.tcp.keepintvl=1000 net.inet.tcp.keepcnt=3 net.inet.tcp.finwait2_timeout=2000 net.inet.tcp.rexmit_min=300
sysctl net.inet.tcp.path_mtu_discovery=1 net.inet.tcp.pmtud_blackhole_detection=0 net.inet.tcp.syncookies=1 net.inet.tcp.syncookies_only=0\`
  0.00 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0.00 setsockopt(3, SOL_SOCKET, SO_DEBUG, [1], 4) = 0
 +0.00 setsockopt(3, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name="rack", pcbcnt=0}, 36) = 0
 +0.00 setsockopt(3, IPPROTO_TCP, TCP_LOG, [TCP_LOG_STATE_CONTINUOUS], 4) = 0
 +0.00 bind(3, ..., ...) = 0
 +0.00 listen(3, 1) = 0
 +0.00 < S 0:0(0) win 65535 <mss 1460,sackOK,eol,eol>
 +0.00 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>
 +0.01 %{ print('state', tcpi_state) }%
`));
  expect(failure).toBeNull();
  expect(log.filter((line) => !/ [<>] /.test(line))).toEqual([
    '# kldload -n tcp_rack: passed over',
    '# sysctl kern.timecounter.alloweddeviation=0: Linux has nothing of the kind; passed over',
    '# sysctl net.inet.tcp.hostcache.purgenow=1: Linux has nothing of the kind; passed over',
    '0.000000 # +0.00 setsockopt(3, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name="rack", pcbcnt=0}, 36) = 0: passed over',
    '0.000000 # +0.00 setsockopt(3, IPPROTO_TCP, TCP_LOG, [TCP_LOG_STATE_CONTINUOUS], 4) = 0: passed over',
    'state 10',
  ]);
});
