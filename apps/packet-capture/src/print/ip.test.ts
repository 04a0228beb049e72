import { expect, test } from 'vitest';
import { ascii, frame, ip4Frame, lineOf, octets, udpFrame } from './test-packets.ts';

test('-v: type of service with ECN, time to live, flags, protocol, length, a wrong checksum', () => {
  expect(lineOf(ip4Frame(99, octets(''), { tos: 2, fragment: 0x4000 }), { verbose: 1 }))
    .toBe('IP (tos 0x2,ECT(0), ttl 64, id 1, offset 0, flags [DF], proto unknown (99), length 20, bad cksum 0 (->2a71)!)\n    1.2.3.4 > 5.6.7.8:  ip-proto-99 0');
  expect(lineOf(ip4Frame(99, octets(''), { ttl: 0, fragment: 0xe000 }), { verbose: 1 })).toMatch(/^IP \(tos 0x0, id 1, offset 0, flags \[\+, DF, rsvd\], /);
});

test.each([
  ['07070401020304 00', 'RR 1.2.3.4,EOL'],
  ['070b04 01020304 05060708 00', 'RR 1.2.3.4 5.6.7.8,EOL'],
  ['830b08 01020304 05060708 00', 'LSRR 1.2.3.4, 5.6.7.8,EOL'],
  ['440c0500 00000001 00000002', 'timestamp TS{TSONLY ^ 1@ 2@}'],
  ['440c0501 01020304 00000005', 'timestamp TS{TS+ADDR ^ 5@1.2.3.4}'],
  ['94040000', 'RA'],
  ['94040005', 'RA value 5'],
  ['01010100', 'NOP,NOP,NOP,EOL'],
  ['07010000', 'RR [bad length 1]'],
  ['88040102', 'unknown 136'],
])('RFC 791 §3.1: option %s is %s', (options, text) => {
  const line = lineOf(ip4Frame(99, octets(''), { options }), { verbose: 1 });
  expect(/options \((.*)\), bad cksum/.exec(line)?.[1]).toBe(text);
});

test('a fragment: the first has its header, others their protocol', () => {
  expect(lineOf(ip4Frame(17, octets('0001 0002 0040 0000 61626364'), { fragment: 0x2000 }))).toBe('IP 1.2.3.4.1 > 5.6.7.8.2: UDP, length 56');
  expect(lineOf(ip4Frame(17, ascii('abcdefgh'), { fragment: 1 }))).toBe('IP 1.2.3.4 > 5.6.7.8: ip-proto-17');
});

test('lengths that are wrong', () => {
  expect(lineOf(ip4Frame(99, octets(''), { total: 40 }))).toBe('IP truncated-ip - 20 bytes missing! 1.2.3.4 > 5.6.7.8:  ip-proto-99 20');
  expect(lineOf(ip4Frame(99, octets(''), { total: 10 }))).toBe('IP bad-len 10');
  expect(lineOf(frame(0x0800, octets('55')))).toBe('IP5 (invalid)');
  expect(lineOf(frame(0x0800, octets('45')))).toBe('IP  [|ip]');
});

const quoted = octets('4500 001c 0001 0000 4011 0000 01020304 05060708 03e8 0035 0008 0000');

test.each([
  ['0800 0000 0001 0002', 'echo request, id 1, seq 2, length 36'],
  ['0000 0000 0001 0002', 'echo reply, id 1, seq 2, length 36'],
  ['0300 0000 0000 0000', 'net 5.6.7.8 unreachable, length 36'],
  ['0301 0000 0000 0000', 'host 5.6.7.8 unreachable, length 36'],
  ['0302 0000 0000 0000', '5.6.7.8 protocol 17 unreachable, length 36'],
  ['0303 0000 0000 0000', '5.6.7.8 udp port 53 unreachable, length 36'],
  ['0304 0000 0000 0578', '5.6.7.8 unreachable - need to frag (mtu 1400), length 36'],
  ['030d 0000 0000 0000', 'host 5.6.7.8 unreachable - admin prohibited filter, length 36'],
  ['0501 0000 0a000001', 'redirect 5.6.7.8 to host 10.0.0.1, length 36'],
  ['0900 0000 0101 0708', 'router advertisement lifetime 30:00 1: [size 1], length 36'],
  ['0b00 0000 0000 0000', 'time exceeded in-transit, length 36'],
  ['0b01 0000 0000 0000', 'ip reassembly time exceeded, length 36'],
  ['0c00 0000 0500 0000', 'parameter problem - octet 5, length 36'],
  ['2800 0000 0000 0000', 'type-#40, length 36'],
])('RFC 792: %s is ICMP %s', (header, text) => {
  expect(lineOf(ip4Frame(1, octets(header, quoted)))).toBe(`IP 1.2.3.4 > 5.6.7.8: ICMP ${text}`);
});

test('-v: an ICMP error shows the datagram that it is about', () => {
  expect(lineOf(ip4Frame(1, octets('0303 fef7 0000 0000', quoted)), { verbose: 1 })).toMatch(/: ICMP 5\.6\.7\.8 udp port 53 unreachable, length 36.*\n\tIP \(tos 0x0, .*\)\n {4}1\.2\.3\.4\.1000 > 5\.6\.7\.8\.53: {2}domain|\[length 0 < 12\]/);
});

test.each([
  ['1105 0000 ef010101', 'igmp query v2 [max resp time 5] [gaddr 239.1.1.1]'],
  ['1100 0000 00000000', 'igmp query v1'],
  ['1180 0000 00000000 00000000', 'igmp query v3 [max resp time 12.8s]'],
  ['1200 0000 ef010101', 'igmp v1 report 239.1.1.1'],
  ['1600 0000 ef010101', 'igmp v2 report 239.1.1.1'],
  ['1700 0000 ef010101', 'igmp leave 239.1.1.1'],
  ['2200 0000 0000 0001 0400 0000 ef010101', 'igmp v3 report, 1 group record(s)'],
])('RFC 3376: %s is %s', (message, text) => {
  expect(lineOf(ip4Frame(2, octets(message)))).toBe(`IP 1.2.3.4 > 5.6.7.8: ${text}`);
});

test('RFC 3376 §4.2: -v lists the groups, -vv their sources', () => {
  const report = ip4Frame(2, octets('2200 0000 0000 0001 0600 0002 ef010101 0a000001 0a000002'));
  expect(lineOf(report, { verbose: 1 })).toContain('[gaddr 239.1.1.1 block, 2 source(s)]');
  expect(lineOf(report, { verbose: 2 })).toContain('[gaddr 239.1.1.1 block { 10.0.0.1 10.0.0.2 }]');
});

test('RFC 768: lengths, and checksums under -vv', () => {
  expect(lineOf(udpFrame(1, 2, ascii('abcd')))).toBe('IP 1.2.3.4.1 > 5.6.7.8.2: UDP, length 4');
  expect(lineOf(ip4Frame(17, octets('0001 0002 000c 0000 6162')))).toBe('IP 1.2.3.4.1 > 5.6.7.8.2: UDP, bad length 4 > 2');
  expect(lineOf(ip4Frame(17, octets('0001 0002 0007 0000')))).toBe('IP 1.2.3.4.1 > 5.6.7.8.2: truncated-udplength 7');
  expect(lineOf(ip4Frame(17, octets('0001 00')))).toBe('IP 1.2.3.4 > 5.6.7.8:  [|udp]');
  expect(lineOf(udpFrame(1, 2, ascii('abcd')), { verbose: 2 })).toMatch(/: \[no cksum\] UDP, length 4$/);
  expect(lineOf(ip4Frame(17, octets('0001 0002 0008 1234')), { verbose: 2 })).toMatch(/: \[bad udp cksum 0x1234 -> 0xefc7!\] UDP, length 0$/);
});

test('RFC 8200: TCP and UDP as over IPv4; RFC 4861: neighbours', () => {
  const header = (next: string, length: string): string => `60000000 ${length} ${next} 40 fe800000000000000000000000000001 20010db8000000000000000000000002`;
  expect(lineOf(frame(0x86dd, octets(header('11', '000c'), '0001 0002 000c 0000 61626364')))).toBe('IP6 fe80::1.1 > 2001:db8::2.2: UDP, length 4');
  expect(lineOf(frame(0x86dd, octets(header('3a', '0018'), '8700 0000 0000 0000 fe800000000000000000000000000001'))))
    .toBe('IP6 fe80::1 > 2001:db8::2: ICMP6, neighbor solicitation, who has fe80::1, length 24');
});
