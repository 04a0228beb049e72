import { afterEach, beforeEach, expect, test } from 'vitest';
import { EINVAL, ENETUNREACH, ENODEV, ESRCH, sysctlWrite } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import { inAton, inNtoa } from '@stack/inet-sock';
import { devClose, devOpen, netifCarrierOff, netifCarrierOn, unregisterNetdevice } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { dstRelease } from '@stack/skbuff';
import { Flowi4, flowi4InitOutput } from './flow.ts';
import { ipNeighAdd } from './ip-neigh.ts';
import { ipRouteAdd, ipRouteDel } from './ip-route.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { ipRouteShow } from './show.ts';
import { finish, inside, ipFrame, makeCard, makeHost, makeWorld, receive, wireOf } from './test-host.ts';

let world: World;
let net: Net;
let eth0: NetDevice;
let eth1: NetDevice;

/** 192.0.2.0/24 by 10.0.0.254 (weight 3) and by 10.1.0.254 (weight 1). */
beforeEach(() => {
  world = makeWorld();
  net = makeHost(world, 'h');
  eth0 = makeCard(net, '10.0.0.1/24');
  eth1 = makeCard(net, '10.1.0.1/24');
  expect(ipRouteAdd(net, { dst: '192.0.2.0/24', nexthops: [{ gateway: '10.0.0.254', weight: 3 }, { gateway: '10.1.0.254', dev: 'eth1' }] })).toBe(0);
});
afterEach(() => finish(world));

function via(daddr: number, sport = 1024, proto = 17): string | number {
  const fl = new Flowi4();
  flowi4InitOutput(fl, 0, 0, 0, 0, proto, 0, daddr, inAton('10.0.0.1'), 53, sport);
  const rt = inside(net, () => ipRouteOutputFlow(net, fl, null));
  if (typeof rt === 'number') return rt;
  const gateway = inNtoa(rt.rtGateway);
  dstRelease(rt);
  return gateway;
}

/** Of 256 destinations, how many each gateway has. */
function shares(): Record<string, number> {
  const count: Record<string, number> = {};
  for (let i = 0; i < 256; i++) {
    const gateway = via(inAton('192.0.2.0') + i);
    count[gateway] = (count[gateway] ?? 0) + 1;
  }
  return count;
}

test('flows are shared by weight', () => {
  const { '10.0.0.254': first, '10.1.0.254': second } = shares();
  expect(first + second).toBe(256);
  // 3 to 1: 192 and 64, within four standard deviations (7 each).
  expect(Math.abs(first - 192)).toBeLessThan(28);
});

test('RFC 2992: a flow keeps its next hop', () => {
  const first = Array.from({ length: 64 }, (_, i) => via(inAton('192.0.2.0') + i));
  sysctlWrite(net, 'net.ipv4.route.flush', 1);
  expect(Array.from({ length: 64 }, (_, i) => via(inAton('192.0.2.0') + i))).toEqual(first);
});

test('fib_multipath_hash_policy 0: all flows between two addresses go one way; 1: each its own', () => {
  const to = inAton('192.0.2.1');
  const ways = (): number => new Set(Array.from({ length: 64 }, (_, i) => via(to, 1024 + i))).size;
  expect(ways()).toBe(1);
  expect(sysctlWrite(net, 'net.ipv4.fib_multipath_hash_policy', 1)).toBe(0);
  expect(ways()).toBe(2);
  expect(via(to, 1024)).toBe(via(to, 1024));
});

test('a next hop whose device goes down has no flows; they come back with it', () => {
  const before = shares();
  inside(net, () => devClose(eth1));
  expect(shares()).toEqual({ '10.0.0.254': 256 });
  expect(ipRouteShow(net).find((row) => row.nexthops !== undefined)?.nexthops?.map((nh) => nh.flags)).toEqual([[], ['dead']]);
  inside(net, () => devOpen(eth1));
  expect(shares()).toEqual(before);
});

test('the route goes with its last next hop, and with a device that goes for good', () => {
  inside(net, () => devClose(eth1));
  inside(net, () => devClose(eth0));
  expect(ipRouteShow(net)).toEqual([]);
  inside(net, () => devOpen(eth0));
  inside(net, () => devOpen(eth1));
  expect(ipRouteAdd(net, { dst: '192.0.2.0/24', nexthops: [{ gateway: '10.0.0.254' }, { gateway: '10.1.0.254' }] })).toBe(0);
  inside(net, () => unregisterNetdevice(eth1));
  expect(via(inAton('192.0.2.1'))).toBe(-ENETUNREACH);
});

test('ignore_routes_with_linkdown: one without a carrier has no flows', () => {
  inside(net, () => netifCarrierOff(eth1));
  expect(Object.keys(shares())).toHaveLength(2);
  inside(net, () => netifCarrierOn(eth1));
  sysctlWrite(net, 'net.ipv4.conf.eth1.ignore_routes_with_linkdown', 1);
  inside(net, () => netifCarrierOff(eth1));
  expect(shares()).toEqual({ '10.0.0.254': 256 });
});

test('fib_multipath_use_neigh: one whose gateway does not answer has no flows', () => {
  sysctlWrite(net, 'net.ipv4.fib_multipath_use_neigh', 1);
  ipNeighAdd(net, { dst: '10.0.0.254', dev: 'eth0', lladdr: '02:00:00:00:00:aa' });
  const { '10.0.0.254': first } = shares();
  // eth1's gateway was asked for by the first flow that took it, and has not answered.
  expect(first).toBeGreaterThan(250);
});

test('packets that are forwarded are shared too, and an ICMP error follows the packets that it is about', () => {
  sysctlWrite(net, 'net.ipv4.ip_forward', 1);
  for (const last of ['10.0.0.254', '10.1.0.254']) ipNeighAdd(net, { dst: last, dev: last === '10.0.0.254' ? 'eth0' : 'eth1', lladdr: '02:00:00:00:00:aa' });
  const eth2 = makeCard(net, '10.2.0.1/24');
  /** Sends a packet in by eth2 and says by which device it went out. */
  const way = (daddr: string, protocol: number, payload: Uint8Array): string => {
    const before = [eth0, eth1].map((dev) => wireOf(dev).sent.length);
    receive(eth2, ipFrame(eth2, { saddr: '10.2.0.2', daddr, protocol, payload }));
    return [eth0, eth1].filter((dev, i) => wireOf(dev).sent.length > before[i]).map((dev) => dev.name).join();
  };
  const ways = Array.from({ length: 32 }, (_, i) => way(`192.0.2.${i}`, 253, new Uint8Array(8)));
  expect(new Set(ways)).toEqual(new Set(['eth0', 'eth1']));
  // Errors to one and the same host, about packets to each of those: the quoted header decides.
  const errors = Array.from({ length: 32 }, (_, i) => {
    const quoted = ipFrame(eth2, { saddr: '10.2.0.2', daddr: `192.0.2.${i}`, payload: new Uint8Array(8) }).subarray(14);
    const icmp = new Uint8Array(8 + quoted.length);
    icmp[0] = 3;
    icmp.set(quoted, 8);
    return way('192.0.2.1', 1, icmp);
  });
  expect(errors).toEqual(ways);
});

test('what ip -j route says of it; ip route del knows it by its next hops', () => {
  expect(ipRouteShow(net).find((row) => row.nexthops !== undefined)).toEqual({
    dst: '192.0.2.0/24', flags: [], nexthops: [
      { gateway: '10.0.0.254', dev: 'eth0', weight: 3, flags: [] }, { gateway: '10.1.0.254', dev: 'eth1', weight: 1, flags: [] },
    ],
  });
  expect(ipRouteDel(net, { dst: '192.0.2.0/24', nexthops: [{ gateway: '10.0.0.254' }] })).toBe(-ESRCH);
  expect(ipRouteDel(net, { dst: '192.0.2.0/24', nexthops: [{ gateway: '10.0.0.254' }, { gateway: '10.1.0.254' }] })).toBe(0);
});

test('bad next hops are refused', () => {
  const add = (...nexthops: { gateway?: string; dev?: string; weight?: number }[]): number => ipRouteAdd(net, { dst: '198.51.100.0/24', nexthops });
  expect(add()).toBe(-EINVAL);
  expect(add({ gateway: '10.0.0.254', weight: 0 })).toBe(-EINVAL);
  expect(add({ gateway: '10.0.0.254', weight: 257 })).toBe(-EINVAL);
  expect(add({ gateway: '10.0.0' })).toBe(-EINVAL);
  expect(add({ gateway: '10.0.0.254' }, { gateway: '172.16.0.1' })).toBe(-ENETUNREACH);
  expect(add({ dev: 'nope' })).toBe(-ENODEV);
  expect(ipRouteAdd(net, { dst: '198.51.100.0/24', type: 'blackhole', nexthops: [{ dev: 'eth0' }] })).toBe(-EINVAL);
});
