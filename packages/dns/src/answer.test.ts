// Answers from zones, without a socket.
import { DnsMessage, NS_AA, nsRcode, NXDOMAIN, T_A, T_AAAA, T_CNAME, T_MX, T_NS, T_PTR, T_SOA } from '@stack/resolver';
import { describe, expect, test } from 'vitest';
import { answerFromZones, ZoneStore, zoneOf } from './answer.ts';
import { parseZone } from './zone.ts';
import type { NamedHost } from './zone-hosts.ts';

const host = (name: string, ...addresses: string[]): NamedHost => ({
  name,
  show: { addr: () => [{ addr_info: addresses.map((local) => ({ local, scope: local.startsWith('127.') ? 'host' : 'global' })) }] },
});

const store = new ZoneStore([
  parseZone('test', {
    '@': { NS: 'ns', MX: { preference: 1, exchange: 'mail' } },
    ns: { A: '10.0.0.53' },
    mail: { A: '10.0.0.25', AAAA: '2001:db8::25' },
    www: { CNAME: 'alias' },
    alias: { CNAME: 'mail' },
    away: { CNAME: 'far.example.' },
    round: { CNAME: 'turn' },
    turn: { CNAME: 'round' },
    '*.wild': { A: '10.0.0.99' },
    'known.wild': { AAAA: '::1' },
    sub: { NS: 'ns.sub' },
    'ns.sub': { A: '10.0.0.54' },
    'deep.down': { A: '10.0.0.7' },
  }),
  parseZone('inner.test', { x: { A: '10.0.0.8' } }),
  parseZone('sim', {}),
  parseZone('in-addr.arpa', {}),
], [host('Left', '127.0.0.1', '10.0.0.1'), host('right', '10.0.0.2', '10.1.0.2')], 'sim');

function ask(name: string, type = T_A): { msg: DnsMessage; rest: string | null } {
  const msg = new DnsMessage(1, 0);
  return { rest: answerFromZones(store, msg, name, type), msg };
}

const short = (msg: DnsMessage): string[] => msg.answer.map(({ name, type, data }) => `${name} ${type} ${String(data)}`);
const types = (records: readonly { type: number }[]): number[] => records.map((record) => record.type);

describe('RFC 1034 §4.3.2', () => {
  test('a record, under the name as it was spelled; the answer is authoritative', () => {
    const { msg } = ask('MAIL.test');
    expect(short(msg)).toEqual([`MAIL.test ${T_A} ${0x0a000019}`]);
    expect(msg.flags).toBe(NS_AA);
  });

  test('additional: the addresses that will be asked for next', () => {
    expect(types(ask('test', T_MX).msg.additional)).toEqual([T_A, T_AAAA]);
    expect(types(ask('test', T_NS).msg.additional)).toEqual([T_A]);
  });

  test('aliases are followed; out of the zones, and in a circle, not for ever', () => {
    expect(types(ask('www.test').msg.answer)).toEqual([T_CNAME, T_CNAME, T_A]);
    expect(types(ask('www.test', T_CNAME).msg.answer)).toEqual([T_CNAME]);
    expect(ask('away.test').rest).toBe('far.example');
    expect(ask('round.test').msg.answer.length).toBe(17);
  });

  test('the closest zone answers; a name outside all has none', () => {
    expect(zoneOf(store, 'x.inner.test')?.origin).toBe('inner.test');
    expect(short(ask('x.inner.test').msg).length).toBe(1);
    expect(nsRcode(ask('mail.inner.test').msg)).toBe(NXDOMAIN);
    expect(zoneOf(store, 'example')).toBeNull();
  });

  test('§4.2.1: a name below a cut is another server\'s: a referral with glue, not authoritative', () => {
    const { msg } = ask('a.b.sub.test');
    expect([msg.answer.length, types(msg.authority), types(msg.additional), msg.flags]).toEqual([0, [T_NS], [T_A], 0]);
  });
});

describe('RFC 2308', () => {
  test('§2.1: a name that is not there is NXDOMAIN, §2.2: one without this type is not; each with the SOA, its TTL the minimum', () => {
    const none = ask('nobody.test').msg;
    const empty = ask('ns.test', T_AAAA).msg;
    expect([nsRcode(none), nsRcode(empty)]).toEqual([NXDOMAIN, 0]);
    for (const msg of [none, empty]) expect(msg.authority.map(({ type, ttl }) => [type, ttl])).toEqual([[T_SOA, 60]]);
  });

  test('RFC 8020: a name that has names below it is there', () => {
    expect(nsRcode(ask('down.test').msg)).toBe(0);
    expect(nsRcode(ask('x.down.test').msg)).toBe(NXDOMAIN);
  });
});

test('RFC 4592: a wildcard covers the names that are not there, and no other', () => {
  expect(short(ask('Any.thing.wild.test').msg)).toEqual([`Any.thing.wild.test ${T_A} ${0x0a000063}`]);
  expect(ask('known.wild.test').msg.answer).toEqual([]);
  expect(nsRcode(ask('known.wild.test').msg)).toBe(0);
  expect(ask('below.known.wild.test').msg.answer).toEqual([]);
});

describe('names of hosts', () => {
  test('have the addresses that others can reach', () => {
    expect(short(ask('left.sim').msg)).toEqual([`left.sim ${T_A} ${0x0a000001}`]);
    expect(ask('right.sim').msg.answer.map((record) => record.data)).toEqual([0x0a000002, 0x0a010002]);
    expect(nsRcode(ask('right.sim', T_AAAA).msg)).toBe(0);
    expect(nsRcode(ask('nobody.sim').msg)).toBe(NXDOMAIN);
  });

  test('and each address its PTR record', () => {
    expect(short(ask('2.0.1.10.in-addr.arpa', T_PTR).msg)).toEqual([`2.0.1.10.in-addr.arpa ${T_PTR} right.sim`]);
    expect(nsRcode(ask('0.10.in-addr.arpa', T_PTR).msg)).toBe(0);
    expect(nsRcode(ask('9.9.9.9.in-addr.arpa', T_PTR).msg)).toBe(NXDOMAIN);
    expect(nsRcode(ask('1.0.0.127.in-addr.arpa', T_PTR).msg)).toBe(NXDOMAIN);
  });
});
