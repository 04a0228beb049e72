import { ENETDOWN, destroyNet, idle } from '@stack/kernel';
import { leakReport } from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { devMcAdd, devMcDel, devMcHas } from './dev-addr.ts';
import { devChangeFlags, devChangeName, devSetAllmulti, devSetMacAddress, devSetMtu, devSetPromiscuity } from './dev-config.ts';
import { allocNetdev, devClose, devGetByIndex, devGetByName, devOpen, registerNetdevice, unregisterNetdevice } from './dev.ts';
import { ethMacAddr, etherSetup } from './eth.ts';
import { netdevSetFeatures } from './features.ts';
import { IFF_LOWER_UP, IFF_NOARP, IFF_PROMISC, IFF_RUNNING, IFF_UP, IF_OPER_DOWN, IF_OPER_UNKNOWN, IF_OPER_UP } from './if.ts';
import { devGetFlags, netifCarrierOff, netifCarrierOn } from './link-watch.ts';
import { NETIF_F_GRO, NETIF_F_GSO, NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_TSO } from './netdev-features.ts';
import { TestCard, cardOf, inside, makeDev, makeFrame, makeNet, testOps } from './test-support.ts';
import {
  NETDEV_CHANGE, NETDEV_CHANGEADDR, NETDEV_CHANGEMTU, NETDEV_CHANGENAME, NETDEV_DOWN, NETDEV_FEAT_CHANGE, NETDEV_GOING_DOWN,
  NETDEV_PRECHANGEMTU, NETDEV_PRE_UP, NETDEV_REGISTER, NETDEV_UNREGISTER, NETDEV_UP, registerNetdeviceNotifier,
  unregisterNetdeviceNotifier,
} from './notifier.ts';
import { devQueueXmit } from './dev-xmit.ts';
import type { Net } from '@stack/kernel';
import { installNetdev } from './install.ts';

let net: Net;

beforeEach(() => {
  net = makeNet();
  return () => {
    destroyNet(net);
    expect(leakReport(net.world)).toEqual([]);
  };
});

/** Notes events about devices; refuses those given. */
function listen(...refused: number[]): number[] {
  const events: number[] = [];
  registerNetdeviceNotifier(net, {
    notifierCall: (event, dev) => {
      if (dev.name === 'lo') return 0;
      events.push(event);
      return refused.includes(event) ? -ENETDOWN : 0;
    },
  });
  return events;
}

describe('registering', () => {
  test('lo is there, number 1, up', () => {
    const lo = devGetByName(net, 'lo')!;
    expect([lo.ifindex, lo.mtu, lo.flags & IFF_UP]).toEqual([1, 65536, IFF_UP]);
    expect(devGetByIndex(net, 1)).toBe(lo);
  });

  test('%d becomes the least free number, ifindex is never used again', () => {
    const [a, b] = [makeDev(net), makeDev(net)];
    expect([a.name, b.name, a.ifindex, b.ifindex]).toEqual(['test0', 'test1', 2, 3]);
    unregisterNetdevice(a);
    const c = makeDev(net);
    expect([c.name, c.ifindex, devGetByIndex(net, 2)]).toEqual(['test0', 4, null]);
  });

  test.each(['', '.', '..', 'a/b', 'a b', 'a:b', 'x'.repeat(16)])('the name %j is refused', (name) => {
    expect(registerNetdevice(allocNetdev(net, name, testOps, etherSetup))).toBeLessThan(0);
  });

  test('a name that is taken is refused, and so is registering twice', () => {
    const dev = makeDev(net);
    expect(registerNetdevice(allocNetdev(net, 'test0', testOps, etherSetup))).toBeLessThan(0);
    expect(registerNetdevice(dev)).toBeLessThan(0);
    expect([unregisterNetdevice(dev), unregisterNetdevice(dev) < 0]).toEqual([0, true]);
  });

  test('ndoInit that fails leaves nothing behind', () => {
    const dev = allocNetdev(net, 'bad', { ...testOps, ndoInit: () => -5 }, etherSetup);
    expect(registerNetdevice(dev)).toBe(-5);
    expect(devGetByName(net, 'bad')).toBeNull();
  });

  test('renaming keeps the number', () => {
    const dev = makeDev(net);
    const events = listen();
    expect(devChangeName(dev, 'wan')).toBe(0);
    expect([devGetByName(net, 'wan'), devGetByName(net, 'test0')]).toEqual([dev, null]);
    expect(devChangeName(dev, 'lo')).toBeLessThan(0);
    expect(events).toContain(NETDEV_CHANGENAME);
  });

  test('a Net without skbuff, or with this layer, says so', () => {
    expect(() => installNetdev(net)).toThrow(/already/);
  });
});

describe('notifiers', () => {
  test('hear of the whole life of a device, in order', () => {
    const events = listen();
    const dev = makeDev(net, {}, true);
    devOpen(dev);
    devClose(dev);
    unregisterNetdevice(dev);
    expect(events.filter((event) => event !== NETDEV_FEAT_CHANGE)).toEqual([
      NETDEV_REGISTER, NETDEV_PRE_UP, NETDEV_UP, NETDEV_GOING_DOWN, NETDEV_DOWN, NETDEV_UNREGISTER,
    ]);
  });

  test('one that comes late hears what is there; one that goes, that all goes', () => {
    makeDev(net);
    const events: number[] = [];
    const nb = { notifierCall: (event: number, dev: { name: string }) => (dev.name === 'lo' ? 0 : events.push(event), 0) };
    expect(registerNetdeviceNotifier(net, nb)).toBe(0);
    expect(registerNetdeviceNotifier(net, nb)).toBeLessThan(0);
    expect(events).toEqual([NETDEV_REGISTER, NETDEV_UP]);
    expect(unregisterNetdeviceNotifier(net, nb)).toBe(0);
    expect(events.slice(2)).toEqual([NETDEV_GOING_DOWN, NETDEV_DOWN, NETDEV_UNREGISTER]);
    expect(unregisterNetdeviceNotifier(net, nb)).toBeLessThan(0);
  });

  test('may refuse that a device goes up, or a new MTU', () => {
    const dev = makeDev(net, {}, true);
    listen(NETDEV_PRE_UP, NETDEV_PRECHANGEMTU);
    expect(devOpen(dev)).toBe(-ENETDOWN);
    expect(dev.flags & IFF_UP).toBe(0);
    expect(devSetMtu(dev, 1400)).toBe(-ENETDOWN);
    expect(dev.mtu).toBe(1500);
  });
});

describe('up and down', () => {
  test('ndoOpen that fails leaves the device down', () => {
    const dev = makeDev(net, { ndoOpen: () => -12 }, true);
    expect(devOpen(dev)).toBe(-12);
    expect(dev.flags & IFF_UP).toBe(0);
  });

  test('opening and closing twice is calling the driver once', () => {
    const calls: string[] = [];
    const dev = makeDev(net, { ndoOpen: () => calls.push('open') - 1, ndoStop: () => (calls.push('stop'), 0) }, true);
    devOpen(dev);
    devOpen(dev);
    devClose(dev);
    devClose(dev);
    expect(calls).toEqual(['open', 'stop']);
  });

  test('devChangeFlags opens, closes, and stores', () => {
    const dev = makeDev(net, {}, true);
    expect(devChangeFlags(dev, dev.flags | IFF_UP | IFF_NOARP | IFF_PROMISC)).toBe(0);
    expect(dev.flags & (IFF_UP | IFF_NOARP | IFF_PROMISC)).toBe(IFF_UP | IFF_NOARP | IFF_PROMISC);
    devChangeFlags(dev, dev.flags & ~(IFF_UP | IFF_PROMISC));
    expect(dev.flags & (IFF_UP | IFF_NOARP | IFF_PROMISC)).toBe(IFF_NOARP);
    expect(dev.promiscuity).toBe(0);
  });
});

describe('settings', () => {
  test('promiscuity counts users, and tells the driver of the first and the last', () => {
    let calls = 0;
    const dev = makeDev(net, { ndoSetRxMode: () => calls++ });
    calls = 0;
    devSetPromiscuity(dev, 1);
    devSetPromiscuity(dev, 1);
    devSetPromiscuity(dev, -1);
    expect([dev.flags & IFF_PROMISC, calls]).toEqual([IFF_PROMISC, 1]);
    devSetPromiscuity(dev, -1);
    expect([dev.flags & IFF_PROMISC, calls]).toEqual([0, 2]);
    expect(devSetPromiscuity(dev, -1)).toBeLessThan(0);
    expect(devSetAllmulti(dev, -1)).toBeLessThan(0);
  });

  test('MTU: bounds, driver, notifiers', () => {
    const dev = makeDev(net, { ndoChangeMtu: (_dev, mtu) => mtu === 1000 ? -22 : 0 });
    const events = listen();
    expect([devSetMtu(dev, 67), devSetMtu(dev, 65536), devSetMtu(dev, 1400.5)].every((rc) => rc < 0)).toBe(true);
    expect([devSetMtu(dev, 1000), dev.mtu]).toEqual([-22, 1500]);
    expect([devSetMtu(dev, 9000), dev.mtu]).toEqual([0, 9000]);
    expect(events.filter((event) => event === NETDEV_CHANGEMTU).length).toBe(1);
  });

  test('address: only where the driver can, of the right length, and known to all', () => {
    const fixed = makeDev(net);
    expect(devSetMacAddress(fixed, new Uint8Array(6).fill(2))).toBeLessThan(0);
    const dev = makeDev(net, { ndoSetMacAddress: ethMacAddr }, true);
    const events = listen();
    expect(devSetMacAddress(dev, new Uint8Array(5).fill(2))).toBeLessThan(0);
    expect(devSetMacAddress(dev, new Uint8Array(6).fill(2))).toBe(0);
    expect(events).toContain(NETDEV_CHANGEADDR);
  });

  test('multicast groups are counted by their users', () => {
    const dev = makeDev(net);
    const group = new Uint8Array([1, 0, 0x5e, 0, 0, 1]);
    expect([devMcAdd(dev, group), devMcAdd(dev, group), devMcDel(dev, group), devMcHas(dev, group)]).toEqual([0, 0, 0, true]);
    expect([devMcDel(dev, group), devMcHas(dev, group), devMcDel(dev, group) < 0]).toEqual([0, false, true]);
    expect(devMcAdd(dev, new Uint8Array(3))).toBeLessThan(0);
  });

  test('features: what lacks its precondition is dropped, what is fixed stays', () => {
    const dev = allocNetdev(net, 'f', testOps, etherSetup, new TestCard());
    dev.hwFeatures = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO;
    dev.features = dev.hwFeatures;
    registerNetdevice(dev);
    expect(dev.features).toBe(NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_GSO | NETIF_F_GRO);
    const events = listen();
    expect(netdevSetFeatures(dev, NETIF_F_HW_CSUM, 0)).toBe(0);
    expect(dev.features & (NETIF_F_HW_CSUM | NETIF_F_TSO)).toBe(0);
    expect(events).toContain(NETDEV_FEAT_CHANGE);
    netdevSetFeatures(dev, NETIF_F_HW_CSUM, NETIF_F_HW_CSUM);
    expect(dev.features & NETIF_F_TSO).toBe(NETIF_F_TSO);
  });
});

describe('carrier', () => {
  test('RFC 2863: unknown at first, then up and down as the driver says; the qdisc with it', () => {
    const dev = makeDev(net);
    expect(dev.operstate).toBe(IF_OPER_UNKNOWN);
    const events = listen();
    events.length = 0;
    inside(net, () => netifCarrierOff(dev));
    expect([dev.operstate, devGetFlags(dev) & (IFF_RUNNING | IFF_LOWER_UP)]).toEqual([IF_OPER_DOWN, 0]);
    inside(net, () => devQueueXmit(makeFrame(dev)));
    expect([cardOf(dev).sent, dev.stats.txDropped]).toEqual([[], 1]);
    inside(net, () => netifCarrierOn(dev));
    expect([dev.operstate, devGetFlags(dev) & (IFF_RUNNING | IFF_LOWER_UP)]).toEqual([IF_OPER_UP, IFF_RUNNING | IFF_LOWER_UP]);
    inside(net, () => devQueueXmit(makeFrame(dev)));
    expect(cardOf(dev).sent).toEqual(['0']);
    expect(events).toEqual([NETDEV_CHANGE, NETDEV_CHANGE]);
    expect(dev.carrierChanges).toBe(2);
  });

  test('a flap before anyone looked is no event', () => {
    const dev = makeDev(net);
    inside(net, () => netifCarrierOff(dev));
    const events = listen();
    events.length = 0;
    inside(net, () => {
      netifCarrierOn(dev);
      netifCarrierOff(dev);
    });
    expect(events).toEqual([]);
  });

  test('works from outside the stack too, a turn later', async () => {
    const dev = makeDev(net);
    netifCarrierOff(dev);
    await idle(net.world);
    expect(dev.operstate).toBe(IF_OPER_DOWN);
  });
});
