import { expect, test } from 'vitest';
import { frame, ip4Frame, lineOf, octets } from './test-packets.ts';

const ARP = '0001 0800 06 04 0001 020000000001 c0000201 000000000000 c0000202';

test('RFC 826: a request, a reply, who is asked for in the frame', () => {
  expect(lineOf(frame(0x0806, octets(ARP)))).toBe('ARP, Request who-has 192.0.2.2 tell 192.0.2.1, length 28');
  expect(lineOf(frame(0x0806, octets('0001 0800 06 04 0002 020000000001 c0000201 020000000002 c0000202'))))
    .toBe('ARP, Reply 192.0.2.1 is-at 02:00:00:00:00:01, length 28');
  expect(lineOf(frame(0x0806, octets('0001 0800 06 04 0001 020000000001 c0000201 020000000009 c0000202'))))
    .toBe('ARP, Request who-has 192.0.2.2 (02:00:00:00:00:09) tell 192.0.2.1, length 28');
});

test('ARP: -v says hardware and protocol; other protocols are said always; cut, nothing', () => {
  expect(lineOf(frame(0x0806, octets(ARP)), { verbose: 1 })).toBe('ARP, Ethernet (len 6), IPv4 (len 4), Request who-has 192.0.2.2 tell 192.0.2.1, length 28');
  expect(lineOf(frame(0x0806, octets(ARP.replace('0800', '0801'))))).toBe('ARP, Ethernet (len 6), Unknown Protocol (0x0801) (len 4), length 28');
  expect(lineOf(frame(0x0806, octets(ARP).subarray(0, 20)))).toBe(' [|arp]');
});

test('-e: the link header; VLAN tags; -q without numbers', () => {
  const packet = ip4Frame(99, octets('aabb'));
  expect(lineOf(packet, { link: true })).toBe('02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800), length 36: 1.2.3.4 > 5.6.7.8:  ip-proto-99 2');
  expect(lineOf(packet, { link: true, quiet: true })).toBe('02:00:00:00:00:01 > 02:00:00:00:00:02, IPv4, length 36: 1.2.3.4 > 5.6.7.8:  ip-proto-99 2');
  const tagged = octets(packet.subarray(0, 12), '8100 6005', packet.subarray(12));
  expect(lineOf(tagged, { link: true }))
    .toBe('02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype 802.1Q (0x8100), length 40: vlan 5, p 3, ethertype IPv4 (0x0800), 1.2.3.4 > 5.6.7.8:  ip-proto-99 2');
  expect(lineOf(tagged)).toBe('IP 1.2.3.4 > 5.6.7.8:  ip-proto-99 2');
});

test('a protocol nobody knows: the link header and the octets', () => {
  expect(lineOf(frame(0x1234, octets('6869 00'))))
    .toBe('02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0x1234), length 17: \n\t0x0000:  6869 00                                  hi.');
});

test('-x without the link header, -xx with it; -A as text', () => {
  const packet = ip4Frame(99, octets('6869'));
  expect(lineOf(packet, { hex: 1 })).toBe('IP 1.2.3.4 > 5.6.7.8:  ip-proto-99 2\n\t0x0000:  4500 0016 0001 0000 4063 0000 0102 0304\n\t0x0010:  0506 0708 6869');
  expect(lineOf(packet, { hex: 2 }).split('\n')[1]).toBe('\t0x0000:  0200 0000 0002 0200 0000 0001 0800 4500');
  expect(lineOf(packet, { hexAscii: 1 }).split('\n')[2]).toBe('\t0x0010:  0506 0708 6869                           ....hi');
  expect(lineOf(packet, { ascii: 1 })).toBe('IP 1.2.3.4 > 5.6.7.8:  ip-proto-99 2\nE.......@c..........hi');
});

test('bare IP has no link header; a frame too short says so; of lengths that cannot be, nothing else', () => {
  expect(lineOf(ip4Frame(99, octets('')).subarray(14), {}, 101)).toBe('IP 1.2.3.4 > 5.6.7.8:  ip-proto-99 0');
  expect(lineOf(octets('0200 0000'))).toBe(' [|ether]');
  expect(lineOf(octets(''))).toBe('[Invalid header: caplen==0, len==0]');
});
