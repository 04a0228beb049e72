/*
 * The same commands were given to a real kernel (6.18, iproute2 6.1); what `ip -j` said there is
 * what is expected here, IPv6 and the veth's "link" left out.
 */
import { beforeEach, expect, test } from 'vitest';
import { ENETUNREACH, EEXIST, EINVAL, ENODEV, ESRCH, sleep } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import { NETDEV_TX_OK, allocNetdev, devAddrSet, devGetByName, devClose, devOpen, etherSetup, netifCarrierOff, registerNetdevice } from '@stack/netdev';
import type { NetDevice } from '@stack/netdev';
import { consumeSkb } from '@stack/skbuff';
import { ipAddrAdd, ipAddrDel } from './ip-addr.ts';
import { ipNeighAdd, ipNeighDel } from './ip-neigh.ts';
import { ipRouteAdd, ipRouteDel } from './ip-route.ts';
import { ipAddrShow, ipRouteGet, ipRouteShow, neighShow } from './show.ts';
import { finish, inside, makeHost, makeWorld, sendIp } from './test-host.ts';
import { RTPROT_STATIC } from './fib.ts';
import { RT_SCOPE_HOST } from './flow.ts';

let world: World;
let net: Net;
let v0: NetDevice;

function card(name: string, last: number): NetDevice {
  const dev = allocNetdev(net, name, {
    ndoInit: null, ndoUninit: null, ndoOpen: null, ndoStop: null, ndoSetRxMode: null, ndoChangeMtu: null, ndoSetMacAddress: null,
    ndoFixFeatures: null, ndoSetFeatures: null, ndoFeaturesCheck: null,
    ndoStartXmit: (skb) => {
      consumeSkb(skb);
      return NETDEV_TX_OK;
    },
  }, etherSetup);
  devAddrSet(dev, Uint8Array.of(0x9e, 0x4b, 0x23, 0x9e, 0x29, last));
  registerNetdevice(dev);
  return dev;
}

beforeEach(() => {
  world = makeWorld();
  net = makeHost(world, 'h');
  const v1 = card('v1', 1);
  v0 = card('v0', 0x6a);
  expect(ipAddrAdd(v0, '10.0.0.1/24', { broadcast: '+' })).toBe(0);
  expect(ipAddrAdd(v0, '10.0.0.2/24')).toBe(0);
  expect(ipAddrAdd(v1, '192.168.7.1/30')).toBe(0);
  inside(net, () => {
    devOpen(v0);
    devOpen(v1);
  });
});

const forever = { valid_life_time: 4294967295, preferred_life_time: 4294967295 };

test('ip -j addr', async () => {
  const rows = ipAddrShow(net);
  expect(rows[0]).toEqual({
    ifindex: 1, ifname: 'lo', flags: ['LOOPBACK', 'UP', 'LOWER_UP'], mtu: 65536, qdisc: 'noqueue', operstate: 'UNKNOWN', group: 'default',
    link_type: 'loopback', address: '00:00:00:00:00:00', broadcast: '00:00:00:00:00:00', txqlen: 1000,
    addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host', label: 'lo', ...forever }],
  });
  expect(rows[2]).toEqual({
    ifindex: 3, ifname: 'v0', flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'], mtu: 1500, qdisc: 'pfifo_fast', operstate: rows[2].operstate,
    group: 'default', txqlen: 1000, link_type: 'ether', address: '9e:4b:23:9e:29:6a', broadcast: 'ff:ff:ff:ff:ff:ff',
    addr_info: [
      { family: 'inet', local: '10.0.0.1', prefixlen: 24, broadcast: '10.0.0.255', scope: 'global', label: 'v0', ...forever },
      { family: 'inet', local: '10.0.0.2', prefixlen: 24, scope: 'global', secondary: true, label: 'v0', ...forever },
    ],
  });
  expect(ipAddrAdd(v0, '10.0.0.3/32', { peer: '10.0.0.44' })).toBe(0);
  expect(ipAddrAdd(v0, '10.7.0.3/32')).toBe(0);
  expect(ipAddrShow(net)[2].addr_info.slice(1)).toEqual([
    { family: 'inet', local: '10.0.0.3', address: '10.0.0.44', prefixlen: 32, scope: 'global', label: 'v0', ...forever },
    { family: 'inet', local: '10.7.0.3', prefixlen: 32, scope: 'global', label: 'v0', ...forever },
    { family: 'inet', local: '10.0.0.2', prefixlen: 24, scope: 'global', secondary: true, label: 'v0', ...forever },
  ]);
  await finish(world);
});

test('ip -j route, with metrics, types, scopes and several routes of one prefix', async () => {
  expect(ipRouteAdd(net, { dst: 'default', gateway: '10.0.0.254' })).toBe(0);
  expect(ipRouteAdd(net, { dst: '172.16.0.0/12', gateway: '10.0.0.253', metric: 100, src: '10.0.0.2', mtu: 1400 })).toBe(0);
  expect(ipRouteAdd(net, { dst: '172.31.0.0/16', type: 'unreachable' })).toBe(0);
  expect(ipRouteAdd(net, { dst: '172.30.0.0/16', type: 'blackhole' })).toBe(0);
  expect(ipRouteAdd(net, { dst: '10.0.0.0/8', gateway: '10.0.0.3' })).toBe(0);
  expect(ipRouteAdd(net, { dst: '10.0.0.0/16', gateway: '10.0.0.3', metric: 5 })).toBe(0);
  expect(ipRouteAdd(net, { dst: '10.0.0.0/16', gateway: '10.0.0.4', metric: 3 })).toBe(0);
  expect(ipRouteAdd(net, { dst: 'default', gateway: '10.0.0.4', metric: 3, dev: 'v0', onlink: true })).toBe(0);
  expect(ipRouteAdd(net, { dst: '8.0.0.0/8', dev: 'v0' })).toBe(0);
  expect(ipRouteAdd(net, { dst: '8.1.0.0/16', dev: 'v0', scope: RT_SCOPE_HOST, src: '10.0.0.1', protocol: RTPROT_STATIC })).toBe(0);
  expect(ipRouteAdd(net, { dst: '8.2.0.0/16', type: 'prohibit' })).toBe(0);
  expect(ipRouteAdd(net, { dst: '8.3.0.0/16', type: 'throw' })).toBe(0);
  expect(ipRouteAdd(net, {
    dst: '9.0.0.0/8', dev: 'v0', mtu: 1300, mtuLock: true, advmss: 1200, initcwnd: 20, window: 3000, hoplimit: 3, rtoMin: 50,
  })).toBe(0);
  expect(ipAddrAdd(v0, '10.0.0.3/32', { peer: '10.0.0.44' })).toBe(0);
  expect(ipRouteShow(net)).toEqual([
    { dst: 'default', gateway: '10.0.0.254', dev: 'v0', flags: [] },
    { dst: 'default', gateway: '10.0.0.4', dev: 'v0', metric: 3, flags: ['onlink'] },
    { dst: '8.0.0.0/8', dev: 'v0', scope: 'link', flags: [] },
    { dst: '8.1.0.0/16', dev: 'v0', protocol: 'static', scope: 'host', prefsrc: '10.0.0.1', flags: [] },
    { type: 'prohibit', dst: '8.2.0.0/16', flags: [] },
    { type: 'throw', dst: '8.3.0.0/16', flags: [] },
    {
      dst: '9.0.0.0/8', dev: 'v0', scope: 'link', flags: [],
      metrics: [{ mtu: 1300, window: 3000, advmss: 1200, hoplimit: 3, initcwnd: 20, rto_min: 50 }],
    },
    { dst: '10.0.0.0/24', dev: 'v0', protocol: 'kernel', scope: 'link', prefsrc: '10.0.0.1', flags: [] },
    { dst: '10.0.0.0/16', gateway: '10.0.0.4', dev: 'v0', metric: 3, flags: [] },
    { dst: '10.0.0.0/16', gateway: '10.0.0.3', dev: 'v0', metric: 5, flags: [] },
    { dst: '10.0.0.0/8', gateway: '10.0.0.3', dev: 'v0', flags: [] },
    { dst: '10.0.0.44', dev: 'v0', protocol: 'kernel', scope: 'link', prefsrc: '10.0.0.3', flags: [] },
    { dst: '172.16.0.0/12', gateway: '10.0.0.253', dev: 'v0', prefsrc: '10.0.0.2', metric: 100, flags: [], metrics: [{ mtu: 1400 }] },
    { type: 'blackhole', dst: '172.30.0.0/16', flags: [] },
    { type: 'unreachable', dst: '172.31.0.0/16', flags: [] },
    { dst: '192.168.7.0/30', dev: 'v1', protocol: 'kernel', scope: 'link', prefsrc: '192.168.7.1', flags: [] },
  ]);
  await finish(world);
});

test('ip -j route show table local, and all', async () => {
  const kernel = (type: string, dst: string, dev: string, scope: string, prefsrc: string): object =>
    ({ type, dst, dev, protocol: 'kernel', scope, prefsrc, flags: [] });
  const local = [
    kernel('local', '10.0.0.1', 'v0', 'host', '10.0.0.1'),
    kernel('local', '10.0.0.2', 'v0', 'host', '10.0.0.1'),
    kernel('broadcast', '10.0.0.255', 'v0', 'link', '10.0.0.1'),
    kernel('local', '127.0.0.0/8', 'lo', 'host', '127.0.0.1'),
    kernel('local', '127.0.0.1', 'lo', 'host', '127.0.0.1'),
    kernel('broadcast', '127.255.255.255', 'lo', 'link', '127.0.0.1'),
    kernel('local', '192.168.7.1', 'v1', 'host', '192.168.7.1'),
    kernel('broadcast', '192.168.7.3', 'v1', 'link', '192.168.7.1'),
  ];
  expect(ipRouteShow(net, 'local')).toEqual(local);
  expect(ipRouteShow(net, 'all')).toEqual([...ipRouteShow(net), ...local.map((row) => ({ ...row, table: 'local' }))]);
  await finish(world);
});

test('ip -j route get', async () => {
  expect(ipRouteGet(net, '10.0.0.7')).toEqual({ dst: '10.0.0.7', dev: 'v0', prefsrc: '10.0.0.1', flags: [], uid: 0, cache: [] });
  expect(ipRouteGet(net, '10.0.0.1')).toEqual({
    type: 'local', dst: '10.0.0.1', dev: 'lo', prefsrc: '10.0.0.1', flags: [], uid: 0, cache: ['local'],
  });
  expect(ipRouteGet(net, '9.9.9.9')).toBe(-ENETUNREACH);
  await finish(world);
});

test('ip -j neigh: PERMANENT, INCOMPLETE, FAILED', async () => {
  expect(ipNeighAdd(net, { dst: '10.0.0.9', lladdr: '02:00:00:00:00:09', dev: 'v0' })).toBe(0);
  sendIp(net, '10.0.0.77', 253, new Uint8Array(4));
  const permanent = { dst: '10.0.0.9', dev: 'v0', lladdr: '02:00:00:00:00:09', state: ['PERMANENT'] };
  expect(neighShow(net)).toEqual([{ dst: '10.0.0.77', dev: 'v0', state: ['INCOMPLETE'] }, permanent]);
  await sleep(world, 4000);
  expect(neighShow(net)).toEqual([{ dst: '10.0.0.77', dev: 'v0', state: ['FAILED'] }, permanent]);
  expect(ipNeighDel(net, { dst: '10.0.0.9', dev: 'v0' })).toBe(0);
  expect(neighShow(net)).toEqual([{ dst: '10.0.0.77', dev: 'v0', state: ['FAILED'] }]);
  await finish(world);
});

test('a device without carrier: NO-CARRIER, and linkdown on its routes but those to ourselves', async () => {
  inside(net, () => netifCarrierOff(v0));
  await sleep(world, 1);
  const row = ipAddrShow(net)[2];
  expect([row.flags, row.operstate]).toEqual([['NO-CARRIER', 'BROADCAST', 'MULTICAST', 'UP'], 'DOWN']);
  expect(ipRouteShow(net)[0]).toEqual({
    dst: '10.0.0.0/24', dev: 'v0', protocol: 'kernel', scope: 'link', prefsrc: '10.0.0.1', flags: ['linkdown'],
  });
  expect(ipRouteShow(net, 'local').map((r) => r.flags.length)).toEqual([0, 0, 1, 0, 0, 0, 0, 0]);
  await finish(world);
});

test('a device that goes down takes its routes along, not its addresses; they come back with it', async () => {
  expect(ipRouteAdd(net, { dst: 'default', gateway: '10.0.0.254' })).toBe(0);
  const before = ipRouteShow(net, 'all');
  inside(net, () => devClose(v0));
  expect(ipRouteShow(net).map((r) => r.dst)).toEqual(['192.168.7.0/30']);
  expect(ipRouteShow(net, 'local').map((r) => r.dst)).toContain('10.0.0.1');
  inside(net, () => devOpen(v0));
  expect(ipRouteShow(net, 'all')).toEqual(before.filter((r) => r.dst !== 'default'));
  await finish(world);
});

test('an address that goes takes its routes along, and with a primary one go its secondaries', async () => {
  expect(ipRouteAdd(net, { dst: '172.16.0.0/12', gateway: '10.0.0.253', src: '10.0.0.2' })).toBe(0);
  expect(ipAddrDel(v0, '10.0.0.2/24')).toBe(0);
  expect(ipRouteShow(net).map((r) => r.dst)).toEqual(['10.0.0.0/24', '192.168.7.0/30']);
  expect(ipAddrAdd(v0, '10.0.0.2/24')).toBe(0);
  expect(ipAddrDel(v0, '10.0.0.1')).toBe(0);
  expect(ipAddrShow(net)[2].addr_info).toEqual([]);
  expect(ipRouteShow(net, 'all').map((r) => r.dev)).not.toContain('v0');
  await finish(world);
});

test('promote_secondaries: the next address of the subnet takes over', async () => {
  net.ipv4.devconfAll.promoteSecondaries = 1;
  expect(ipAddrDel(v0, '10.0.0.1/24')).toBe(0);
  expect(ipAddrShow(net)[2].addr_info.map((a) => [a.local, a.secondary])).toEqual([['10.0.0.2', undefined]]);
  expect(ipRouteShow(net)[0].prefsrc).toBe('10.0.0.2');
  expect(ipRouteShow(net, 'local').filter((r) => r.dev === 'v0').map((r) => r.dst)).toEqual(['10.0.0.2', '10.0.0.255']);
  await finish(world);
});

test('what cannot be is refused with an errno', async () => {
  expect(ipAddrAdd(v0, '10.0.0.1/24')).toBe(-EEXIST);
  expect(ipAddrAdd(v0, '10.0.0.1/33')).toBe(-EINVAL);
  expect(ipAddrAdd(v0, 'ten')).toBe(-EINVAL);
  expect(ipRouteAdd(net, { dst: 'default', gateway: '11.0.0.1' })).toBe(-ENETUNREACH);
  // (Linux: an address of our own is a gateway that means its device.)
  expect(ipRouteAdd(net, { dst: '12.0.0.0/8', gateway: '10.0.0.1' })).toBe(0);
  expect(ipRouteDel(net, { dst: '12.0.0.0/8', gateway: '10.0.0.1' })).toBe(0);
  expect(ipRouteAdd(net, { dst: '10.1.2.3/8', dev: 'v0' })).toBe(-EINVAL);
  expect(ipRouteAdd(net, { dst: '11.0.0.0/8', dev: 'eth9' })).toBe(-ENODEV);
  expect(ipRouteAdd(net, { dst: '11.0.0.0/8', dev: 'v0', src: '11.0.0.1' })).toBe(-EINVAL);
  expect(ipRouteAdd(net, { dst: '11.0.0.0/8', dev: 'v0' })).toBe(0);
  expect(ipRouteAdd(net, { dst: '11.0.0.0/8', gateway: '10.0.0.9' })).toBe(-EEXIST);
  expect(ipRouteDel(net, { dst: '11.0.0.0/8', gateway: '10.0.0.9' })).toBe(-ESRCH);
  expect(ipRouteDel(net, { dst: '11.0.0.0/8' })).toBe(0);
  expect(ipRouteDel(net, { dst: '11.0.0.0/8' })).toBe(-ESRCH);
  expect(devGetByName(net, 'v0')).toBe(v0);
  await finish(world);
});
