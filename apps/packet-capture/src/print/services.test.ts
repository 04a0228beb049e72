import { expect, test } from 'vitest';
import { ascii, lineOf, octets, udpFrame } from './test-packets.ts';

/** The text of a DNS message with id 7, behind the ports. */
function dns(message: string, verbose = 0, port = 53): string {
  const line = lineOf(udpFrame(1000, port, octets('0007', message)), { verbose });
  return line.slice(line.indexOf(`.${port}: `) + `.${port}: `.length).replace('[no cksum] ', '');
}

const QUESTION = '01 61 00 0001 0001';
const ANSWER = 'c00c 0001 0001 00000e10 0004 c0000201';

test.each([
  [`0100 0001 0000 0000 0000 ${QUESTION}`, '7+ A? a. (19)'],
  [`0110 0001 0000 0000 0001 ${QUESTION}`, '7+% [1au] A? a. (19)'],
  [`2800 0001 0000 0000 0000 ${QUESTION}`, '7 update A? a. (19)'],
  [`0040 0001 0000 0000 0000 ${QUESTION}`, '7 [b2&3=0x40] A? a. (19)'],
  ['0100 0001 0000 0000 0000 00 00ff 0003', '7+ ANY CHAOS? . (17)'],
  [`8180 0001 0001 0000 0000 ${QUESTION} ${ANSWER}`, '7 1/0/0 A 192.0.2.1 (35)'],
  [`8583 0001 0000 0000 0000 ${QUESTION} 00`, '7 NXDomain* 0/0/0 (20)'],
  [`8200 0001 0000 0000 0000 ${QUESTION} 00`, '7-| 0/0/0 (20)'],
  [`8180 0001 0002 0000 0000 ${QUESTION} c00c 0005 0001 00000e10 0004 01 62 c00c c00c 000f 0001 00000e10 0004 000a c00c`, '7 2/0/0 CNAME b.a., MX a. 10 (51)'],
])('RFC 1035 §4.1: %s is %s', (message, text) => {
  expect(dns(message)).toBe(text);
});

test('-v says whose records they are, -vv the other sections, -vvv how long they may be kept', () => {
  const message = `8180 0001 0001 0000 0001 ${QUESTION} ${ANSWER} 00 0029 04d0 00008000 0000`;
  expect(dns(message, 1)).toBe('7 1/0/1 a. A 192.0.2.1 (46)');
  expect(dns(message, 2)).toBe('7 q: A? a. 1/0/1 a. A 192.0.2.1 ar: . OPT UDPsize=1232 DO (46)');
  expect(dns(message, 3)).toContain('a. [1h] A 192.0.2.1');
});

test('names that end nowhere, or point ahead', () => {
  expect(dns('0100 0001 0000 0000 0000 c00c 0001 0001')).toBe('7+ A? <BAD PTR> [|domain]');
  expect(dns('0100 0001 0000 0000 0000 3f 6161')).toBe('7+ [|domain]');
  expect(dns('01')).toBe('domain [length 3 < 12] (invalid)');
});

test('RFC 6762: who is to answer', () => {
  expect(dns('0000 0001 0000 0000 0000 01 61 00 0001 8001', 0, 5353)).toBe('7 A (QU)? a. (19)');
});

const BOOTP = `01 01 06 00 00001234 0000 8000 00000000 00000000 00000000 00000000 020000000001 ${'00'.repeat(10 + 64 + 128)} 63825363`;

test('RFC 2131: one line; the fields and options below it under -v', () => {
  const packet = udpFrame(68, 67, octets(BOOTP, '350101 3204c0000205 370301032a 0c03', ascii('pc1'), 'ff'));
  expect(lineOf(packet)).toBe('IP 1.2.3.4.68 > 5.6.7.8.67: BOOTP/DHCP, Request from 02:00:00:00:00:01, length 260');
  expect(lineOf(packet, { verbose: 1 }).split('\n').slice(1)).toEqual([
    '    1.2.3.4.68 > 5.6.7.8.67: BOOTP/DHCP, Request from 02:00:00:00:00:01, length 260, xid 0x1234, Flags [Broadcast]',
    '\t  Client-Ethernet-Address 02:00:00:00:00:01', '\t  Vendor-rfc1048 Extensions', '\t    Magic Cookie 0x63825363',
    '\t    DHCP-Message (53), length 1: Discover', '\t    Requested-IP (50), length 4: 192.0.2.5', '\t    Parameter-Request (55), length 3: ',
    '\t      Subnet-Mask (1), Default-Gateway (3), NTP (42)', '\t    Hostname (12), length 3: "pc1"',
  ]);
});

test.each([
  ['3d 07 01 020000000001', 'Client-ID (61), length 7: ether 02:00:00:00:00:01'],
  ['33 04 00000e10', 'Lease-Time (51), length 4: 3600'],
  ['02 04 ffffffff', 'Time-Zone (2), length 4: -1'],
  ['13 02 0001', 'IPF (19), length 2: N,Y'],
  ['21 08 01020304 05060708', 'Static-Route (33), length 8: (1.2.3.4:5.6.7.8)'],
  ['79 08 18 c0a801 01020304', 'Classless-Static-Route (121), length 8: (192.168.1.0/24:1.2.3.4)'],
  ['51 07 000000 686f7374', 'FQDN (81), length 7: "host"'],
  ['52 06 01 04 61626364', 'Agent-Information (82), length 6: \n\t      Circuit-ID SubOption 1, length 4: abcd'],
  ['03 05 01020304 05', 'Default-Gateway (3), length 5: 1.2.3.4\n\t  trailing data length 1'],
  ['fe 02 0102', 'Unknown (254), length 2: 258'],
])('RFC 2132: option %s is %s', (option, text) => {
  const line = lineOf(udpFrame(68, 67, octets(BOOTP, option, 'ff')), { verbose: 1 });
  expect(line.slice(line.indexOf('0x63825363') + '0x63825363\n\t    '.length)).toBe(text);
});
