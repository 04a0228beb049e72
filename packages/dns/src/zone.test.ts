// Zone files as data: what they become, and what is refused in them.
import { MxData, nsCanonical, SoaData, SrvData, T_A, T_AAAA, T_MX, T_NS, T_SOA, T_SRV, T_TXT } from '@stack/resolver';
import { describe, expect, test } from 'vitest';
import { inetPton6 } from './inet-pton6.ts';
import { nameAbove, nameWithin, parseZone, type ZoneFile } from './zone.ts';

describe('RFC 1035 §5: zone files', () => {
  test('names are relative unless they end with a dot; each type becomes its data', () => {
    const zone = parseZone('Example.test.', {
      '@': { MX: { preference: 10, exchange: 'mail' }, TXT: ['a', 'ü'], ttl: 60 },
      'a.b': { A: ['10.0.0.1', '10.0.0.2'], AAAA: '2001:db8::1' },
      'c.example.test.': { SRV: { priority: 1, weight: 2, port: 3, target: 'other.test.' } },
    });
    const data = (name: string, type: number): unknown => zone.nodes.get(name)?.get(type)?.map((record) => record.data);
    expect(data('example.test', T_MX)).toEqual([new MxData(10, 'mail.example.test')]);
    expect(data('example.test', T_TXT)).toEqual([['a'], ['\xc3\xbc']]);
    expect(data('a.b.example.test', T_A)).toEqual([0x0a000001, 0x0a000002]);
    expect(data('a.b.example.test', T_AAAA)).toEqual([Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)]);
    expect(data('c.example.test', T_SRV)).toEqual([new SrvData(1, 2, 3, 'other.test')]);
    expect(zone.nodes.get('b.example.test')).toEqual(new Map());
    expect(zone.nodes.get('example.test')?.get(T_MX)?.[0]?.ttl).toBe(60);
  });

  test('SOA and NS are made up where they are not given', () => {
    const zone = parseZone('test', {});
    expect(zone.soa.data).toEqual(new SoaData('ns.test', 'hostmaster.test', 1, 3600, 600, 86400, 60));
    expect(zone.nodes.get('test')?.get(T_NS)?.[0]?.data).toBe('ns.test');
    const given = parseZone('test', { '@': { SOA: { serial: 7, mname: 'a' }, NS: ['a', 'b'] } });
    expect(given.soa.data).toMatchObject({ serial: 7, mname: 'a.test' });
    expect(given.nodes.get('test')?.get(T_NS)?.map((record) => record.data)).toEqual(['a.test', 'b.test']);
    expect(given.nodes.get('test')?.get(T_SOA)?.length).toBe(1);
  });

  test('text longer than 255 octets becomes several strings', () => {
    const strings = parseZone('test', { t: { TXT: 'x'.repeat(600) } }).nodes.get('t.test')?.get(T_TXT)?.[0]?.data;
    expect((strings as string[]).map((text) => text.length)).toEqual([255, 255, 90]);
  });

  const wrong: readonly (readonly [string, ZoneFile])[] = [
    ['zone test: a A "10.0.0" is not an address', { a: { A: '10.0.0' } }],
    ['zone test: a AAAA "::1::" is not an address', { a: { AAAA: '::1::' } }],
    ['zone test: "a..b" is not a domain name', { 'a..b': { A: '10.0.0.1' } }],
    ['zone test: other. is not in the zone', { 'other.': { A: '10.0.0.1' } }],
    ['zone test: a has a CNAME and other records', { a: { CNAME: 'b', A: '10.0.0.1' } }],
    ['zone test: @ has a CNAME', { '@': { CNAME: 'b' } }],
    ['zone test: a has an SOA', { a: { SOA: {} } }],
    ['zone test: a ttl is -1', { a: { A: '10.0.0.1', ttl: -1 } }],
    ['zone test: a SRV port is 65536', { a: { SRV: { priority: 0, weight: 0, port: 65536, target: 'b' } } }],
    ['zone test: SOA serial is 0.5', { '@': { SOA: { serial: 0.5 } } }],
  ];
  test.each(wrong)('%s', (message, file) => {
    expect(() => parseZone('test', file)).toThrow(message);
  });
});

test('RFC 4291 §2.2: IPv6 addresses as text', () => {
  const hex = (text: string): string | undefined => inetPton6(text)?.reduce((all, octet) => all + octet.toString(16).padStart(2, '0'), '');
  expect(hex('::')).toBe('0'.repeat(32));
  expect(hex('1:2:3:4:5:6:7:8')).toBe('00010002000300040005000600070008');
  expect(hex('fe80::1:0')).toBe('fe800000000000000000000000010000');
  expect(hex('::ffff:192.0.2.1')).toBe('00000000000000000000ffffc0000201');
  for (const text of ['', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', ':1', '12345::', '1:2:3:4:5:6:7::8', '192.0.2.1::']) expect(inetPton6(text), text).toBeNull();
});

test('a name above, and a name within; an escaped dot is neither', () => {
  expect(nameAbove('a.b.test')).toBe('b.test');
  expect(nameAbove('test')).toBe('');
  expect(nameAbove(nsCanonical('a\\.b.test') ?? '')).toBe('test');
  expect(nameWithin('a.test', 'test')).toBe(true);
  expect(nameWithin('atest', 'test')).toBe(false);
});
