import { expect, test } from 'vitest';
import {
  SockAddrIn, inAton, inNtoa, inetMakeMask, inetMaskLen, inetPton4, ipv4IsLbcast, ipv4IsLinklocal, ipv4IsLocalMulticast, ipv4IsLoopback,
  ipv4IsMulticast, ipv4IsZeronet,
} from './inet-addr.ts';

test('an address is an int32, and text both ways', () => {
  expect(inAton('10.0.0.1')).toBe(0x0a000001);
  expect(inAton('255.255.255.255')).toBe(-1);
  expect(inAton('192.168.0.1')).toBe(0xc0a80001 | 0);
  for (const text of ['0.0.0.0', '10.1.2.3', '192.168.255.254', '255.255.255.255']) expect(inNtoa(inAton(text))).toBe(text);
});

test('text that is no dotted quad is refused', () => {
  for (const text of ['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1.2.3.04', '1.2.3.', ' 1.2.3.4', '1.2.3.4 ', 'a.b.c.d', '-1.2.3.4']) {
    expect(inetPton4(text), text).toBeNull();
  }
  expect(() => inAton('nowhere')).toThrow('not an IPv4 address: "nowhere"');
});

test('RFC 5735 §3: the classes of addresses', () => {
  expect(ipv4IsLoopback(inAton('127.255.0.1'))).toBe(true);
  expect(ipv4IsLoopback(inAton('128.0.0.1'))).toBe(false);
  expect(ipv4IsMulticast(inAton('224.0.0.1'))).toBe(true);
  expect(ipv4IsMulticast(inAton('239.255.255.255'))).toBe(true);
  expect(ipv4IsMulticast(inAton('240.0.0.1'))).toBe(false);
  expect(ipv4IsLocalMulticast(inAton('224.0.0.251'))).toBe(true);
  expect(ipv4IsLocalMulticast(inAton('224.0.1.1'))).toBe(false);
  expect(ipv4IsLbcast(inAton('255.255.255.255'))).toBe(true);
  expect(ipv4IsZeronet(inAton('0.1.2.3'))).toBe(true);
  expect(ipv4IsLinklocal(inAton('169.254.7.7'))).toBe(true);
  expect(ipv4IsLinklocal(inAton('169.253.7.7'))).toBe(false);
});

test('a mask and its prefix length', () => {
  expect(inetMakeMask(0)).toBe(0);
  expect(inNtoa(inetMakeMask(20))).toBe('255.255.240.0');
  expect(inetMakeMask(32)).toBe(-1);
  for (let n = 0; n <= 32; n++) expect(inetMaskLen(inetMakeMask(n))).toBe(n);
});

test('a SockAddrIn is of family AF_INET', () => {
  const addr = new SockAddrIn(inAton('10.0.0.1'), 80);
  expect(addr).toMatchObject({ saFamily: 2, sinPort: 80, sinAddr: 0x0a000001 });
});
