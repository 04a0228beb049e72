import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EACCES, EEXIST, EHOSTUNREACH, EINVAL, ENETUNREACH, ENOENT, sysctlWrite } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import { inAton, inNtoa } from '@stack/inet-sock';
import { dstRelease } from '@stack/skbuff';
import { flowi4InitOutput, Flowi4 } from './flow.ts';
import { ipRouteAdd, ipRouteDel } from './ip-route.ts';
import { ipRuleAdd, ipRuleDel, ipRuleShow } from './ip-rule.ts';
import type { IpRuleSpec } from './ip-rule.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { ipRouteShow } from './show.ts';
import { finish, icmpOf, inside, ipFrame, makeCard, makeHost, makeWorld, receive, wireOf } from './test-host.ts';

let world: World;
let net: Net;

/** Default routes by 10.0.0.254 (main) and 10.1.0.254 (table 100). */
beforeEach(() => {
  world = makeWorld();
  net = makeHost(world, 'h');
  makeCard(net, '10.0.0.1/24');
  makeCard(net, '10.1.0.1/24');
  expect(ipRouteAdd(net, { dst: 'default', gateway: '10.0.0.254' })).toBe(0);
  expect(ipRouteAdd(net, { dst: 'default', gateway: '10.1.0.254', table: 100 })).toBe(0);
});
afterEach(() => finish(world));

interface Ask { saddr?: string; oif?: number; mark?: number; tos?: number }

/** The gateway of a packet to daddr, or the error. */
function via(daddr: string, { saddr = '0.0.0.0', oif = 0, mark = 0, tos = 0 }: Ask = {}): string | number {
  const fl = new Flowi4();
  flowi4InitOutput(fl, oif, mark, tos, 0, 17, 0, inAton(daddr), inAton(saddr), 53, 1024);
  const rt = inside(net, () => ipRouteOutputFlow(net, fl, null));
  if (typeof rt === 'number') return rt;
  const gateway = inNtoa(rt.rtGateway);
  dstRelease(rt);
  return gateway;
}

const MAIN = '10.0.0.254';
const OTHER = '10.1.0.254';

test('a Net begins with the tables local, main and default, in this order', () => {
  expect(ipRuleShow(net)).toEqual([
    { priority: 0, src: 'all', table: 'local' }, { priority: 32766, src: 'all', table: 'main' }, { priority: 32767, src: 'all', table: 'default' },
  ]);
  expect(via('192.0.2.1')).toBe(MAIN);
  ipRouteDel(net, { dst: 'default' });
  expect(via('192.0.2.1')).toBe(-ENETUNREACH);
  ipRouteAdd(net, { dst: 'default', gateway: OTHER, table: 253 });
  expect(via('192.0.2.1')).toBe(OTHER);
});

describe('a rule is for the flows that it matches', () => {
  const cases: readonly (readonly [string, IpRuleSpec, Ask, Ask])[] = [
    ['from', { from: '10.1.0.0/24' }, { saddr: '10.1.0.1' }, { saddr: '10.0.0.1' }],
    ['from one address', { from: '10.1.0.1' }, { saddr: '10.1.0.1' }, {}],
    ['tos', { tos: 0x10 }, { tos: 0x10 }, { tos: 0x08 }],
    ['oif', { oif: 'eth1' }, { oif: 3 }, {}],
    ['fwmark', { fwmark: 7 }, { mark: 7 }, { mark: 6 }],
    ['fwmark and mask', { fwmark: 0x10, fwmask: 0xf0 }, { mark: 0x1f }, { mark: 0x20 }],
    ['not', { not: true, fwmark: 7 }, { mark: 6 }, { mark: 7 }],
    ['iif lo: made here', { iif: 'lo', fwmark: 1 }, { mark: 1 }, {}],
  ];
  test.each(cases)('%s', (_name, spec, yes, no) => {
    expect(via('192.0.2.1', no)).toBe(MAIN);
    expect(ipRuleAdd(net, { ...spec, table: 100 })).toBe(0);
    expect(via('192.0.2.1', yes)).toBe(OTHER);
    expect(via('192.0.2.1', no)).toBe(MAIN);
    expect(ipRuleDel(net, { ...spec, table: 100 })).toBe(0);
    expect(via('192.0.2.1', { ...yes, oif: 0 })).toBe(MAIN);
  });

  test('to', () => {
    ipRuleAdd(net, { to: '192.0.2.0/24', table: 100 });
    expect([via('192.0.2.9'), via('192.0.3.9')]).toEqual([OTHER, MAIN]);
  });

  test('iif: a packet that came in by a device, and not one that is made here', () => {
    sysctlWrite(net, 'net.ipv4.ip_forward', 1);
    ipRuleAdd(net, { iif: 'eth0', table: 100 });
    expect(via('192.0.2.1')).toBe(MAIN);
    const [, eth0, eth1] = net.netdev.devList;
    receive(eth0, ipFrame(eth0, { saddr: '10.0.0.2', daddr: '192.0.2.1' }));
    const arp = wireOf(eth1).sent[0];
    expect(inNtoa(new DataView(arp.buffer).getInt32(38))).toBe(OTHER);
  });
});

test('the smallest priority is asked first, and one of the same priority after those that are there', () => {
  ipRouteAdd(net, { dst: 'default', gateway: '10.0.0.253', table: 300 });
  ipRuleAdd(net, { to: '192.0.2.0/24', table: 100, priority: 10 });
  ipRuleAdd(net, { to: '192.0.2.1', table: 300, priority: 10 });
  expect(via('192.0.2.1')).toBe(OTHER);
  ipRuleAdd(net, { to: '192.0.2.1', table: 300, priority: 9 });
  expect(via('192.0.2.1')).toBe('10.0.0.253');
});

test('without a priority a rule goes before the first one behind that of table local', () => {
  ipRuleAdd(net, { fwmark: 1, table: 100 });
  ipRuleAdd(net, { fwmark: 2, table: 100 });
  expect(ipRuleShow(net).map((row) => row.priority)).toEqual([0, 32764, 32765, 32766, 32767]);
});

test('actions: blackhole, unreachable and prohibit end the search', () => {
  ipRuleAdd(net, { to: '192.0.2.1', action: 'blackhole' });
  ipRuleAdd(net, { to: '192.0.2.2', action: 'unreachable' });
  ipRuleAdd(net, { to: '192.0.2.3', action: 'prohibit' });
  expect(['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'].map((to) => via(to))).toEqual([-EINVAL, -ENETUNREACH, -EACCES, MAIN]);
});

test('routes of type blackhole, unreachable and prohibit end the search, throw sends it on to the next rule', () => {
  ipRuleAdd(net, { table: 100 });
  ['blackhole', 'unreachable', 'prohibit', 'throw'].forEach((type, i) => expect(ipRouteAdd(net, { dst: `192.0.2.${i}`, type, table: 100 })).toBe(0));
  expect([0, 1, 2, 3, 4].map((i) => via(`192.0.2.${i}`))).toEqual([-EINVAL, -EHOSTUNREACH, -EACCES, MAIN, OTHER]);
});

test('a table without an answer, or without routes, sends the search on', () => {
  ipRouteDel(net, { dst: 'default', table: 100 });
  ipRouteAdd(net, { dst: '192.0.2.0/24', gateway: OTHER, table: 100 });
  ipRuleAdd(net, { table: 100 });
  ipRuleAdd(net, { table: 77 });
  expect([via('192.0.2.1'), via('192.0.3.1')]).toEqual([OTHER, MAIN]);
});

test('suppress_prefixlength 0: a table is asked without its default route', () => {
  ipRouteAdd(net, { dst: '192.0.2.0/24', gateway: '10.0.0.253' });
  ipRuleAdd(net, { table: 254, suppressPrefixlength: 0, priority: 1 });
  ipRuleAdd(net, { table: 100, priority: 2 });
  expect([via('192.0.2.1'), via('192.0.3.1')]).toEqual(['10.0.0.253', OTHER]);
});

test('a router says "unreachable" or "prohibited" to the sender of what a rule forbids, and nothing of a blackhole', () => {
  sysctlWrite(net, 'net.ipv4.ip_forward', 1);
  const eth0 = net.netdev.devList[1];
  ipRuleAdd(net, { to: '192.0.2.1', action: 'blackhole' });
  ipRuleAdd(net, { to: '192.0.2.2', action: 'unreachable' });
  ipRuleAdd(net, { to: '192.0.2.3', action: 'prohibit' });
  // So that answers need no ARP: the sender's own request teaches us where it is.
  const arp = new Uint8Array(42);
  arp.set([255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 0xee, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 0xee, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
  receive(eth0, arp);
  const said: unknown[] = [];
  for (const daddr of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
    const before = wireOf(eth0).sent.length;
    receive(eth0, ipFrame(eth0, { saddr: '10.0.0.2', daddr, payload: new Uint8Array(8) }));
    said.push(wireOf(eth0).sent.slice(before).map((frame) => icmpOf(frame)).map((icmp) => icmp === null ? null : [icmp.type, icmp.code]));
  }
  expect(said).toEqual([[], [[3, 0]], [[3, 13]]]);
});

test('what ip -j rule says (iproute2 6.1 on the same rules)', () => {
  ipRuleAdd(net, { from: '10.0.0.0/24', table: 100, priority: 100 });
  ipRuleAdd(net, { to: '10.9.9.9', fwmark: 1, fwmask: 0xff, iif: 'd0', table: 200, priority: 50 });
  ipRuleAdd(net, { not: true, oif: 'eth1', tos: 0x10, action: 'blackhole', priority: 60 });
  ipRuleAdd(net, { from: '10.4.0.0/16', action: 'prohibit', priority: 70 });
  ipRuleAdd(net, { suppressPrefixlength: 0, priority: 80 });
  expect(ipRuleShow(net).slice(1, -2)).toEqual([
    { priority: 50, src: 'all', dst: '10.9.9.9', fwmark: '0x1', fwmask: '0xff', iif: 'd0', iif_detached: null, table: '200' },
    { priority: 60, not: null, src: 'all', tos: '0x10', oif: 'eth1', action: 'blackhole' },
    { priority: 70, src: '10.4.0.0', srclen: 16, action: 'prohibit' },
    { priority: 80, src: 'all', table: 'main', suppress_prefixlen: 0 },
    { priority: 100, src: '10.0.0.0', srclen: 24, table: '100' },
  ]);
});

test('what ip -j route says of other tables and types', () => {
  ipRouteAdd(net, { dst: '10.8.1.0/24', type: 'unreachable', metric: 5, table: 100 });
  ipRouteAdd(net, { dst: '10.8.2.0/24', type: 'throw', table: 100 });
  expect(ipRouteShow(net, 100).slice(1)).toEqual([
    { type: 'unreachable', dst: '10.8.1.0/24', metric: 5, flags: [] }, { type: 'throw', dst: '10.8.2.0/24', flags: [] },
  ]);
  expect(ipRouteShow(net, 'all')[1]).toEqual({ type: 'unreachable', dst: '10.8.1.0/24', table: '100', metric: 5, flags: [] });
  expect(ipRouteShow(net, 'default')).toEqual([]);
});

test('bad rules are refused and lose nothing', () => {
  expect(ipRuleAdd(net, { from: '10.0.0', table: 100 })).toBe(-EINVAL);
  expect(ipRuleAdd(net, { to: '10.0.0.0/33', table: 100 })).toBe(-EINVAL);
  expect(ipRuleAdd(net, { table: 0 })).toBe(-EINVAL);
  expect(ipRuleAdd(net, { table: 100, action: 'prohibit' })).toBe(-EINVAL);
  expect(ipRuleAdd(net, { table: 100, priority: 5 })).toBe(0);
  expect(ipRuleAdd(net, { table: 100, priority: 5 })).toBe(-EEXIST);
  expect(ipRuleDel(net, { table: 101 })).toBe(-ENOENT);
  expect(ipRouteAdd(net, { dst: 'default', gateway: MAIN, table: -1 })).toBe(-EINVAL);
  expect(ipRuleShow(net)).toHaveLength(4);
});

test('the rules of the beginning can be taken away: without that of main no route of main counts', () => {
  expect(ipRuleDel(net, { priority: 32766 })).toBe(0);
  expect(via('192.0.2.1')).toBe(-ENETUNREACH);
});
