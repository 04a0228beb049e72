import { SKB_DROP_REASON_BRIDGE_INGRESS_STP_STATE, SKB_DROP_REASON_MAC_INVALID_SOURCE, SKB_DROP_REASON_NO_TX_TARGET, createNet, destroyNet, idle, sleep, type World } from '@stack/kernel';
import {
  IFF_LOWER_UP, IFF_PROMISC, PACKET_BROADCAST, PACKET_HOST, devClose, devGetFlags, devOpen, devQueueXmit, devSetMacAddress, devSetMtu, installNetdev,
  unregisterNetdevice, type NetDevice,
} from '@stack/netdev';
import { leakReport } from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { brAddBridge, brAddIf, brDelIf, brSetPortFlags, netifIsBridgePort } from './br-if.ts';
import { brFdbShow } from './br-fdb.ts';
import { BR_FLOOD, BR_HAIRPIN_MODE, BR_ISOLATED, BR_LEARNING, netdevPriv } from './br-private.ts';
import { BROADCAST, inside, listenOn, loopbackOf, mac, makeBridge, makeFrame, makeNet, makeWorld } from './test-support.ts';
import { createTun } from './tun.ts';
import { createVeth } from './veth.ts';

let world: World;

beforeEach(() => {
  world = makeWorld();
});

afterEach(() => {
  for (const net of [...world.nets]) {
    expect(net.panicked).toBe(null);
    destroyNet(net);
  }
  expect(leakReport(world)).toEqual([]);
});

function send(from: NetDevice, to: Uint8Array, source = from.devAddr): void {
  inside(world, () => devQueueXmit(makeFrame(from, to, source)));
}

const learned = (br: NetDevice): string[] => brFdbShow(netdevPriv(br)).filter(({ state }) => state === '').map(({ mac: m, ifname }) => `${m} ${ifname}`);

describe('IEEE 802.1Q §8.7: learning', () => {
  test('a station is known by its first frame, and frames for it leave by its port alone', () => {
    const { br, stations: [s1, s2, s3] } = makeBridge(world, 3);
    const [at1, at3] = [listenOn(s1!), listenOn(s3!)];
    send(s1!, mac(2)); // unknown: flooded, and not for s3
    expect(at3.pktTypes).toEqual([3]);
    send(s2!, mac(1));
    expect(at1.frames.length).toBe(1);
    expect(at3.frames.length).toBe(1);
    expect(learned(br)).toEqual(['02:00:00:00:00:01 p1', '02:00:00:00:00:02 p2']);
  });

  test('a station that speaks from another port has moved', () => {
    const { br, stations: [s1, s2] } = makeBridge(world, 2);
    send(s1!, BROADCAST, mac(9));
    expect(learned(br)).toEqual(['02:00:00:00:00:09 p1']);
    send(s2!, BROADCAST, mac(9));
    expect(learned(br)).toEqual(['02:00:00:00:00:09 p2']);
  });

  test('§8.8.3: a station that is silent for 300 s is forgotten, one that speaks is not', async () => {
    const { br, stations: [s1, s2] } = makeBridge(world, 2);
    send(s1!, BROADCAST);
    send(s2!, BROADCAST);
    await sleep(world, 200_000);
    send(s2!, BROADCAST);
    await sleep(world, 101_000);
    expect(learned(br)).toEqual(['02:00:00:00:00:02 p2']);
    await sleep(world, 200_000);
    expect(learned(br)).toEqual([]);
  });

  test('a group address as sender is thrown away with its reason; so is none', () => {
    const { net, br, stations: [s1, s2] } = makeBridge(world, 2);
    const ear = listenOn(s2!);
    send(s1!, mac(2), new Uint8Array([1, 0, 0x5e, 0, 0, 1]));
    send(s1!, mac(2), new Uint8Array(6));
    expect(net.dropReasons[SKB_DROP_REASON_MAC_INVALID_SOURCE]).toBe(2);
    expect(learned(br)).toEqual([]);
    expect(ear.frames.length).toBe(0);
  });

  test('who sends from our own address does not take it', () => {
    const { br, ports: [p1], stations: [, s2] } = makeBridge(world, 2);
    send(s2!, BROADCAST, p1!.devAddr);
    expect(brFdbShow(netdevPriv(br)).find(({ mac: m }) => m === '02:00:00:00:00:80')).toMatchObject({ state: 'permanent', ifname: 'p1' });
  });

  test('the table has a bound: what is above it is flooded, and forwarded all the same', async () => {
    const { br, stations: [s1, s2, s3] } = makeBridge(world, 3, { fdbMaxLearned: 100 });
    for (let i = 0; i < 1000; i++) send(s1!, BROADCAST, new Uint8Array([2, 1, 1, 1, i >> 8, i & 255]));
    await idle(world);
    expect(netdevPriv(br).fdbLearned).toBe(100);
    const ear = listenOn(s3!);
    send(s2!, new Uint8Array([2, 1, 1, 1, 3, 0xe7])); // the last of the thousand
    await idle(world);
    expect(ear.frames.length).toBe(1);
  });
});

describe('forwarding', () => {
  test('a broadcast reaches every port but its own, and the bridge', () => {
    const { br, stations } = makeBridge(world, 3);
    const ears = stations.map((station) => listenOn(station));
    const own = listenOn(br);
    send(stations[0]!, BROADCAST);
    expect(ears.map(({ frames }) => frames.length)).toEqual([0, 1, 1]);
    expect(own.pktTypes).toEqual([PACKET_BROADCAST]);
    expect(br.stats.multicast).toBe(1);
  });

  test('a frame for a port\'s address, or for the bridge\'s, is for this host and leaves by no port', () => {
    const { br, ports, stations } = makeBridge(world, 3, { mac: mac(0x77) });
    const [own, other] = [listenOn(br), listenOn(stations[2]!)];
    send(stations[0]!, ports[1]!.devAddr);
    send(stations[0]!, mac(0x77));
    expect(own.pktTypes).toEqual([PACKET_HOST, PACKET_HOST]);
    expect(own.devs).toEqual(['br0', 'br0']);
    expect(other.frames.length).toBe(0);
  });

  test('the host\'s own frames: to a station by its port, to all by all', () => {
    const { br, stations } = makeBridge(world, 2);
    const ears = stations.map((station) => listenOn(station));
    send(stations[0]!, BROADCAST);
    send(br, mac(1));
    send(br, BROADCAST);
    expect(ears.map(({ frames }) => frames.length)).toEqual([2, 2]);
  });

  test('§8.6.3: flow control is not passed on, spanning tree\'s is, other link-local groups stay here', () => {
    const { br, ports: [p1], stations: [s1, s2] } = makeBridge(world, 2);
    const [far, near, port] = [listenOn(s2!), listenOn(br), listenOn(p1!)];
    for (const last of [0, 1, 2, 0x0e]) send(s1!, new Uint8Array([1, 0x80, 0xc2, 0, 0, last]));
    expect(far.frames.map((frame) => frame[5])).toEqual([0]);
    expect(near.frames.map((frame) => frame[5])).toEqual([0]);
    expect(port.frames.map((frame) => frame[5])).toEqual([2, 0x0e]);
  });

  test('hairpin, isolation, flooding and learning are switched by port', () => {
    const { br, ports: [p1, p2, p3], stations: [s1, s2, s3] } = makeBridge(world, 3);
    const ears = [s1!, s2!, s3!].map((station) => listenOn(station));
    const counts = (): number[] => ears.map(({ frames }) => frames.splice(0).length);
    brSetPortFlags(p1!, BR_HAIRPIN_MODE, 0);
    send(s1!, mac(1));
    expect(counts()).toEqual([1, 0, 0]); // back to itself, since it is known there by now
    brSetPortFlags(p1!, BR_ISOLATED, BR_HAIRPIN_MODE);
    brSetPortFlags(p2!, BR_ISOLATED, 0);
    send(s1!, BROADCAST);
    expect(counts()).toEqual([0, 0, 1]);
    brSetPortFlags(p3!, 0, BR_FLOOD | BR_LEARNING);
    send(s1!, mac(0x42));
    expect(counts()).toEqual([0, 0, 0]);
    send(s3!, BROADCAST);
    expect(learned(br)).toEqual(['02:00:00:00:00:01 p1']);
    expect(brSetPortFlags(br, BR_ISOLATED, 0)).toBeLessThan(0);
  });

  test('a frame that nobody can have is a drop with its reason', () => {
    const { net, stations: [s1] } = makeBridge(world, 1);
    send(s1!, mac(0x42));
    expect(net.dropReasons[SKB_DROP_REASON_NO_TX_TARGET]).toBe(1);
  });
});

describe('ports', () => {
  test('the bridge has the least MTU and the least address of its ports, until the user says otherwise', () => {
    const { br, ports: [p1, p2] } = makeBridge(world, 2);
    expect([...br.devAddr]).toEqual([...mac(0x80)]);
    devSetMtu(p2!, 1400);
    expect(br.mtu).toBe(1400);
    brDelIf(netdevPriv(br), p2!);
    expect(br.mtu).toBe(1500);
    brDelIf(netdevPriv(br), p1!);
    devSetMtu(br, 1300);
    devSetMacAddress(br, mac(0x55));
    brAddIf(netdevPriv(br), p2!);
    expect(br.mtu).toBe(1300);
    expect([...br.devAddr]).toEqual([...mac(0x55)]);
  });

  test('the bridge has carrier while a port forwards; a port that goes down is forgotten', () => {
    const { net, br, ports, stations } = makeBridge(world, 2);
    send(stations[0]!, BROADCAST);
    expect(devGetFlags(br) & IFF_LOWER_UP).not.toBe(0);
    inside(world, () => devClose(ports[0]!));
    expect(learned(br)).toEqual([]);
    expect(devGetFlags(br) & IFF_LOWER_UP).not.toBe(0);
    inside(world, () => devClose(stations[1]!)); // the other's cable
    expect(devGetFlags(br) & IFF_LOWER_UP).toBe(0);
    inside(world, () => devOpen(stations[1]!));
    expect(devGetFlags(br) & IFF_LOWER_UP).not.toBe(0);
    inside(world, () => devClose(br));
    send(stations[1]!, BROADCAST);
    expect(net.dropReasons[SKB_DROP_REASON_BRIDGE_INGRESS_STP_STATE]).toBe(1);
  });

  test('what cannot be a port: loopback, a tunnel, a bridge, another\'s port, another host\'s device', () => {
    const { net, br, ports: [p1] } = makeBridge(world, 1);
    const bridge = netdevPriv(br);
    expect(brAddIf(bridge, loopbackOf(net))).toBe(-22);
    expect(brAddIf(bridge, createTun(net))).toBe(-22);
    expect(brAddIf(bridge, brAddBridge(net))).toBe(-40);
    expect(brAddIf(netdevPriv(brAddBridge(net)), p1!)).toBe(-16);
    expect(brAddIf(bridge, createVeth(makeNet(world, 'other')))).toBe(-18);
    expect(brDelIf(bridge, br)).toBe(-22);
  });

  test('a port that is unregistered, and a bridge that is, leave ordinary devices behind', () => {
    const { br, ports: [p1, p2] } = makeBridge(world, 2);
    inside(world, () => unregisterNetdevice(p1!));
    expect(netdevPriv(br).portList.map(({ dev }) => dev.name)).toEqual(['p2']);
    expect(p2!.flags & IFF_PROMISC).not.toBe(0);
    inside(world, () => unregisterNetdevice(br));
    expect(netifIsBridgePort(p2!)).toBe(false);
    expect(p2!.flags & IFF_PROMISC).toBe(0);
    expect(p2!.master).toBe(null);
  });

  test('a bridge that cannot be registered says so', () => {
    const net = createNet(world, { name: 'n' });
    installNetdev(net);
    brAddBridge(net, { name: 'br7' });
    expect(() => brAddBridge(net, { name: 'br7' })).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  });
});
