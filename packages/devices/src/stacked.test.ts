// VLAN, veth, TUN and wrappers, beyond what every device must do (contract.test.ts).
import { SKB_DROP_REASON_PKT_TOO_SMALL, destroyNet, idle, type World } from '@stack/kernel';
import {
  ETH_P_ALL, ETH_P_IP, IFF_PROMISC, IFF_UP, PACKET_OTHERHOST, devAddPack, devClose, devGetByName, devMcAdd, devMcDel, devMcHas, devOpen, devQueueXmit,
  devSetMacAddress, devSetMtu, netifCarrierOk, unregisterNetdevice, type NetDevice,
} from '@stack/netdev';
import { consumeSkb, leakReport, skbClone, type SkBuff } from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BROADCAST, inside, listenOn, loopbackOf, mac, makeFrame, makeNet, makeWorld } from './test-support.ts';
import { createTun, tunListen, tunRead, tunWrite } from './tun.ts';
import { VETH_RING_SIZE, createVeth, createVethPair, vethConnect } from './veth.ts';
import { vlanAdd, vlanDevSetEgressPriority, vlanDevSetIngressPriority } from './vlan.ts';
import { createFaultInjector, faultStats } from './wrap-fault.ts';
import { createTapWrapper } from './wrap-tap.ts';

let world: World;
let a: NetDevice;
let b: NetDevice;

beforeEach(() => {
  world = makeWorld();
  [a, b] = createVethPair(makeNet(world, 'a'), makeNet(world, 'b'), { mac: mac(1) }, { mac: mac(2) });
  inside(world, () => [a, b].forEach(devOpen));
});

afterEach(() => {
  for (const net of [...world.nets]) {
    expect(net.panicked).toBe(null);
    destroyNet(net);
  }
  expect(leakReport(world)).toEqual([]);
});

const up = (...devs: NetDevice[]): void => inside(world, () => devs.forEach((dev) => expect(devOpen(dev)).toBe(0)));
function send(from: NetDevice, to: Uint8Array, payload: number[] = [1], type = ETH_P_IP, priority = 0): void {
  const skb = makeFrame(from, to, from.devAddr, payload, type);
  skb.priority = priority;
  inside(world, () => devQueueXmit(skb));
}

/** Frames as a tap on `dev` sees them, from the Ethernet header on. */
function tapOn(dev: NetDevice): Uint8Array[] {
  const frames: Uint8Array[] = [];
  devAddPack(dev.net, {
    type: ETH_P_ALL, dev, afPacketPriv: null,
    func: (skb) => {
      frames.push(skb.buf.slice(skb.macHeader, skb.tail));
      consumeSkb(skb);
      return 0;
    },
  });
  return frames;
}

describe('VLAN', () => {
  test('IEEE 802.1Q §9.6: the tag on the wire is 0x8100, priority, number; within, nobody sees it', () => {
    const [va, vb] = [vlanAdd(a, 10), vlanAdd(b, 10)];
    up(va, vb);
    vlanDevSetEgressPriority(va, 6, 5);
    vlanDevSetIngressPriority(vb, 5, 3);
    const wire = tapOn(b);
    const within = tapOn(vb);
    const priorities: number[] = [];
    devAddPack(b.net, { type: ETH_P_IP, dev: vb, afPacketPriv: null, func: (skb) => { priorities.push(skb.priority); consumeSkb(skb); return 0; } });
    send(va, mac(2), [7], ETH_P_IP, 6);
    expect([...wire[0]!]).toEqual([...mac(2), ...mac(1), 0x81, 0x00, 0xa0, 0x0a, 0x08, 0x00, 7]);
    expect([...within[0]!]).toEqual([...mac(2), ...mac(1), 0x08, 0x00, 7]);
    expect(priorities).toEqual([3]);
    expect([va.stats.txPackets, vb.stats.rxPackets]).toEqual([1, 1]);
  });

  test('a tap that keeps a tagged packet keeps it as it was on the wire', () => {
    const vb = vlanAdd(b, 10);
    up(vb);
    const kept: SkBuff[] = [];
    devAddPack(b.net, { type: ETH_P_ALL, dev: b, afPacketPriv: null, func: (skb) => { kept.push(skb); return 0; } });
    const ear = listenOn(vb);
    send(a, mac(2), [0, 10, 8, 0, 5], 0x8100);
    expect(ear.frames.map((frame) => [...frame])).toEqual([[...mac(2), ...mac(1), 8, 0, 5]]);
    const [skb] = kept;
    expect([...skb!.buf.subarray(skb!.macHeader, skb!.tail)]).toEqual([...mac(2), ...mac(1), 0x81, 0, 0, 10, 8, 0, 5]);
    consumeSkb(skb!);
  });

  test('two tags, 802.1ad without and 802.1Q within', () => {
    const stack = (dev: NetDevice): NetDevice => {
      const outer = vlanAdd(dev, 100, { protocol: 0x88a8 });
      up(outer);
      return vlanAdd(outer, 10);
    };
    const [va, vb] = [stack(a), stack(b)];
    up(va, vb);
    const [wire, ear] = [tapOn(b), listenOn(vb)];
    send(va, mac(2), [9]);
    expect([...wire[0]!.subarray(12)]).toEqual([0x88, 0xa8, 0, 100, 0x81, 0x00, 0, 10, 8, 0, 9]);
    expect(ear.frames.map((frame) => [...frame.subarray(12)])).toEqual([[8, 0, 9]]);
    expect([va.mtu, va.name]).toEqual([1496, 'veth0.100.10']);
  });

  test('a frame of a VLAN that nobody has is for another; priority 0 is for us; a tag cut short is a drop', () => {
    const ear = listenOn(b);
    send(a, mac(2), [0, 20, 8, 0, 1], 0x8100);
    send(a, mac(2), [0, 0, 8, 0, 2], 0x8100);
    send(a, mac(2), [0, 20], 0x8100);
    expect(ear.pktTypes).toEqual([PACKET_OTHERHOST, 0]);
    expect(b.net.dropReasons[SKB_DROP_REASON_PKT_TOO_SMALL]).toBe(1);
  });

  test('it has room for its tag, and follows the real device down, up, in MTU and in carrier', () => {
    const va = vlanAdd(a, 10);
    up(va);
    expect(va.neededHeadroom).toBe(4);
    devSetMtu(a, 1400);
    expect(va.mtu).toBe(1400);
    expect(devSetMtu(va, 1450)).toBe(-34);
    inside(world, () => devClose(b));
    expect(netifCarrierOk(va)).toBe(false);
    inside(world, () => devOpen(b));
    expect(netifCarrierOk(va)).toBe(true);
    inside(world, () => devClose(a));
    expect(va.flags & IFF_UP).toBe(0);
    expect(devOpen(va)).toBe(-100);
    inside(world, () => devOpen(a));
    expect(va.flags & IFF_UP).not.toBe(0);
    inside(world, () => unregisterNetdevice(a));
    expect(devGetByName(va.net, 'veth0.10')).toBe(null);
    expect(a.vlanInfo).toBe(null);
  });

  test('an address of its own makes the real device hear everything; groups are passed down', () => {
    const va = vlanAdd(a, 10, { mac: mac(0x33) });
    const group = new Uint8Array([1, 0, 0x5e, 0, 0, 5]);
    up(va);
    expect(a.flags & IFF_PROMISC).not.toBe(0);
    devMcAdd(va, group);
    expect(devMcHas(a, group)).toBe(true);
    devMcDel(va, group);
    expect(devMcHas(a, group)).toBe(false);
    devMcAdd(va, group);
    devSetMacAddress(va, mac(1));
    expect(a.flags & IFF_PROMISC).toBe(0);
    inside(world, () => devClose(va));
    expect(devMcHas(a, group)).toBe(false);
  });

  test('what is refused: a number, a second one, no Ethernet, too large an MTU', () => {
    const code = (fn: () => unknown): string => {
      try {
        fn();
      } catch (error) {
        return (error as { code: string }).code;
      }
      return '';
    };
    expect([-1, 4095, 1.5].map((id) => code(() => vlanAdd(a, id)))).toEqual(['ERANGE', 'ERANGE', 'ERANGE']);
    expect(code(() => vlanAdd(a, 10))).toBe('');
    expect(code(() => vlanAdd(a, 10))).toBe('EEXIST');
    expect(code(() => vlanAdd(loopbackOf(a.net), 10))).toBe('EOPNOTSUPP');
    expect(code(() => vlanAdd(createTun(a.net), 10))).toBe('EOPNOTSUPP');
    expect(code(() => vlanAdd(a, 11, { mtu: 1501 }))).toBe('EINVAL');
    expect(code(() => vlanAdd(a, 11, { protocol: 0x800 }))).toBe('EINVAL');
  });
});

describe('veth', () => {
  test('a full ring holds the sender back, and loses nothing', async () => {
    const ear = listenOn(b);
    inside(world, () => {
      for (let i = 0; i < VETH_RING_SIZE + 500; i++) devQueueXmit(makeFrame(a, b.devAddr, a.devAddr, [i & 255]));
      expect(a.qdisc.qlen).toBe(500);
    });
    await idle(world);
    expect(ear.frames.length).toBe(VETH_RING_SIZE + 500);
    expect(ear.frames.every((frame, i) => frame[14] === (i & 255))).toBe(true);
    expect(a.stats.txDropped).toBe(0);
  });

  test('what the other end has no MTU for is its loss', () => {
    devSetMtu(b, 500);
    const ear = listenOn(b);
    send(a, mac(2), new Array<number>(600).fill(0));
    send(a, mac(2), new Array<number>(500).fill(0));
    expect(ear.frames.length).toBe(1);
    expect(b.stats.rxDropped).toBe(1);
  });

  test('an end has one cable, of one World', () => {
    const third = createVeth(a.net);
    expect(vethConnect(a, third)).toBe(-16);
    expect(vethConnect(third, third)).toBe(-16);
    const elsewhere = makeWorld();
    const far = createVeth(makeNet(elsewhere, 'far'));
    expect(vethConnect(third, far)).toBe(-18);
    expect(() => createVethPair(a.net, far.net)).toThrow(expect.objectContaining({ code: 'EXDEV' }));
    expect(() => createVethPair(a.net, b.net, {}, { name: 'lo' })).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(devGetByName(a.net, 'veth2')).toBe(null);
    destroyNet(far.net);
  });
});

describe('TUN', () => {
  const packet = (n: number): number[] => [0x45, n];
  function sendOn(tun: NetDevice, octets: number[]): void {
    const skb = makeFrame(tun, BROADCAST, BROADCAST, octets);
    skb.data += 14;
    skb.len -= 14;
    inside(world, () => devQueueXmit(skb));
  }

  test('what nobody reads is held: first in its queue, then in the qdisc; a read lets the next in', () => {
    const tun = createTun(a.net);
    up(tun);
    for (let i = 0; i < 510; i++) sendOn(tun, packet(i & 255));
    expect(tun.qdisc.qlen).toBe(10);
    expect([...tunRead(tun)!]).toEqual([0x45, 0]);
    expect(tun.qdisc.qlen).toBe(9);
    for (let i = 1; i < 510; i++) expect(tunRead(tun)?.[1]).toBe(i & 255);
    expect(tunRead(tun)).toBe(null);
  });

  test('tunListen: every packet, until it is stopped; what the callback throws is its own', async () => {
    const tun = createTun(a.net);
    up(tun);
    const seen: number[] = [];
    const listener = tunListen(tun, (octets) => seen.push(octets[1]!));
    sendOn(tun, packet(1));
    sendOn(tun, packet(2));
    await idle(world);
    expect(seen).toEqual([1, 2]);
    listener.stop();
    await listener.done;
    const failing = tunListen(tun, () => {
      throw new Error('mine');
    });
    sendOn(tun, packet(3));
    await expect(failing.done).rejects.toThrow('mine');
    expect(a.net.panicked).toBe(null);
    const ended = tunListen(tun, () => undefined);
    inside(world, () => unregisterNetdevice(tun));
    await ended.done;
  });

  test('tunWrite refuses what is no IP packet, and says so', () => {
    const tun = createTun(a.net);
    expect(tunWrite(tun, new Uint8Array([0x45]))).toBe(-5);
    up(tun);
    expect(tunWrite(tun, new Uint8Array(0))).toBe(-22);
    expect(tunWrite(tun, new Uint8Array([0x35, 0]))).toBe(-22);
    expect(tunWrite(tun, new Uint8Array(65536).fill(0x45))).toBe(-90);
    expect([tun.stats.rxErrors, tun.stats.rxFrameErrors]).toEqual([3, 3]);
    expect(() => createTun(a.net, { mtu: 10 })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

describe('wrappers', () => {
  test('rates of 0 and 1 are exact, each way', () => {
    const faulty = createFaultInjector(a, { transmit: { drop: 1 }, receive: { duplicate: 1 } });
    up(faulty);
    const [there, here] = [listenOn(b), listenOn(faulty)];
    for (let i = 0; i < 20; i++) send(faulty, mac(2), [i]);
    for (let i = 0; i < 20; i++) send(b, mac(1), [i]);
    expect(there.frames.length).toBe(0);
    expect(here.frames.map((frame) => frame[14])).toEqual(Array.from({ length: 40 }, (_, i) => i >> 1));
    expect(faultStats(faulty)).toMatchObject({ dropped: 20, duplicated: 20, corrupted: 0 });
  });

  test('damage is one bit, behind the header, in a copy', () => {
    const faulty = createFaultInjector(a, { transmit: { corrupt: 1 } });
    up(faulty);
    const there = listenOn(b);
    const skb = makeFrame(faulty, mac(2), mac(1), [0, 0, 0, 0, 0, 0, 0, 0]);
    const kept = skbClone(skb)!; // as a sender does that may have to send it again
    inside(world, () => devQueueXmit(skb));
    expect([...there.frames[0]!.subarray(0, 14)]).toEqual([...mac(2), ...mac(1), 8, 0]);
    const bits = [...there.frames[0]!.subarray(14)].reduce((sum, octet) => sum + octet.toString(2).replaceAll('0', '').length, 0);
    expect(bits).toBe(1);
    expect([...kept.buf.subarray(kept.data + 14, kept.tail)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    consumeSkb(kept);
  });

  test('one wrapper to a device; the second goes on the first; a bad rate is refused', () => {
    const tap = createTapWrapper(a, () => undefined);
    expect(() => createTapWrapper(a, () => undefined)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    expect(() => createFaultInjector(tap, { transmit: { drop: 1.5 } })).toThrow(RangeError);
    up(createFaultInjector(tap));
    expect(a.flags & IFF_UP).not.toBe(0);
  });

  test('it goes with its lower device, and gives that back when it goes first', () => {
    const tap = createTapWrapper(a, () => undefined);
    inside(world, () => unregisterNetdevice(tap));
    expect(a.rxHandler).toBe(null);
    const again = createTapWrapper(a, () => undefined);
    up(again);
    inside(world, () => unregisterNetdevice(a));
    expect(devGetByName(again.net, again.name)).toBe(null);
  });
});
