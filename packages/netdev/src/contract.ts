// The contract of NetDeviceOps: what the stack above expects of every driver, run on each implementation.
//
// A test runner goes over netDeviceContract and calls run(make) of each; a rule that is broken throws. `make` builds two
// hosts of one World whose devices reach each other (a loopback reaches itself: both ends are one), not up yet.
//
//   for (const { name, run } of netDeviceContract) test(name, () => run(make));
//
// A packet has arrived when the entry of the stack that sent it ends; a device whose packets take their way outside says how to wait.
// The contracts of QdiscOps (contract-qdisc.ts) and of HeaderOps (contract-header.ts) come through here.

import { destroyNet, worldEnter, worldLeave, type Net } from '@stack/kernel';
import { CHECKSUM_NONE, allocSkb, consumeSkb, leakReport, skbPut, skbReserve, type SkBuff } from '@stack/skbuff';
import { devClose, devOpen, unregisterNetdevice } from './dev.ts';
import { devSetMtu } from './dev-config.ts';
import { devQueueXmit } from './dev-xmit.ts';
import { ETH_P_ALL, ETH_P_IP } from './if-ether.ts';
import { PACKET_HOST, PACKET_OUTGOING } from './if-packet.ts';
import { IFF_UP } from './if.ts';
import type { NetDevice, PacketType } from './netdevice.ts';
import { devAddPack, devRemovePack } from './ptype.ts';
import { devHardHeader } from './skb-dev.ts';

export { headerContract, type HeaderRule } from './contract-header.ts';
export { qdiscContract, type QdiscRig, type QdiscRule } from './contract-qdisc.ts';

/** Two devices that reach each other. */
export interface DevicePair {
  readonly a: NetDevice;
  readonly b: NetDevice;
  /** Waits, blocking, until b has received what a sent. For devices with a real kernel between them (TAP). */
  readonly settle?: () => void;
}

/** One rule of the contract. */
export interface NetDeviceRule {
  readonly name: string;
  /** Throws if a device that `make` makes breaks the rule. */
  readonly run: (make: () => DevicePair) => void;
}

/** What a test's protocol received. */
interface Seen {
  readonly len: number;
  readonly bytes: Uint8Array;
  readonly pktType: number;
  readonly protocol: number;
  readonly macSet: boolean;
  readonly device: NetDevice;
}

function check(what: boolean, message: string): void {
  if (!what) throw new Error(`NetDeviceOps contract: ${message}`);
}

function equal(actual: number, expected: number, what: string): void {
  check(actual === expected, `${what} is ${actual}, not ${expected}`);
}

/** A packet_type that notes what it gets. */
function recorder(seen: Seen[], type: number): PacketType {
  return {
    type,
    dev: null,
    func: (skb, dev) => {
      seen.push({
        len: skb.len,
        bytes: skb.buf.slice(skb.data, skb.tail),
        pktType: skb.pktType,
        protocol: skb.protocol,
        macSet: skb.macHeader >= 0,
        device: dev,
      });
      consumeSkb(skb);
      return 0;
    },
    afPacketPriv: null,
  };
}

/** Octet `i` of a packet of `len`: the first is IP's, by which a device without a header knows what it carries. */
function octetAt(i: number, len: number): number {
  return i === 0 ? 0x45 : (i * 7 + len) & 0xff;
}

/** A packet for `to` of `len` payload octets, link-layer header pushed. */
function makePacket(dev: NetDevice, to: Uint8Array | null, len: number): SkBuff {
  const skb = allocSkb(dev.net, 64 + len);
  if (skb === null) throw new Error('no memory');
  skbReserve(skb, 64);
  const at = skbPut(skb, len);
  for (let i = 0; i < len; i++) skb.buf[at + i] = octetAt(i, len);
  skb.networkHeader = skb.data;
  skb.protocol = ETH_P_IP;
  skb.ipSummed = CHECKSUM_NONE;
  skb.dev = dev;
  devHardHeader(skb, dev, ETH_P_IP, to, null, len);
  return skb;
}

function inWorld(dev: NetDevice, fn: () => void): void {
  const { world } = dev.net;
  worldEnter(world);
  try {
    fn();
  } finally {
    worldLeave(world);
  }
}

function bringUp(pair: DevicePair): void {
  inWorld(pair.a, () => {
    equal(devOpen(pair.a), 0, 'devOpen');
    equal(devOpen(pair.b), 0, 'devOpen');
  });
}

/** Sends `count` packets of `len` octets from a to b in one entry of the stack. Returns what b's protocol saw. */
function send(pair: DevicePair, count: number, len: number): Seen[] {
  const seen: Seen[] = [];
  const type = recorder(seen, ETH_P_IP);
  devAddPack(pair.b.net, type);
  inWorld(pair.a, () => {
    for (let i = 0; i < count; i++) devQueueXmit(makePacket(pair.a, pair.b.devAddr, len));
  });
  pair.settle?.();
  devRemovePack(pair.b.net, type);
  return seen;
}

/** Destroys the hosts; nothing may be left. */
function finish(pair: DevicePair): void {
  const nets: Net[] = pair.a.net === pair.b.net ? [pair.a.net] : [pair.a.net, pair.b.net];
  const { world } = pair.a.net;
  for (const net of nets) destroyNet(net);
  const leaks = leakReport(world);
  check(leaks.length === 0, `${leaks.length} sk_buffs or pages are left: ${JSON.stringify(leaks[0])}`);
}

function delivers(make: () => DevicePair): void {
  const pair = make();
  bringUp(pair);
  const seen = send(pair, 1, 100);
  equal(seen.length, 1, 'packets that arrive');
  const packet = seen[0]!;
  equal(packet.len, 100, 'len at the protocol');
  equal(packet.protocol, ETH_P_IP, 'skb.protocol');
  equal(packet.pktType, PACKET_HOST, 'skb.pktType');
  check(packet.macSet, 'macHeader is set');
  check(packet.device === pair.b, 'skb.dev is the receiving device');
  for (let i = 0; i < 100; i++) equal(packet.bytes[i]!, octetAt(i, 100), `octet ${i}`);
  finish(pair);
}

function deliversAllSizes(make: () => DevicePair): void {
  const pair = make();
  bringUp(pair);
  const { mtu } = pair.a;
  for (const len of [46, 47, 63, 64, 512, Math.min(mtu, 1500) - 1, Math.min(mtu, 1500)]) {
    const seen = send(pair, 1, len);
    equal(seen.length, 1, `packets of ${len} octets that arrive`);
    check(seen[0]!.len >= len, `a packet of ${len} octets is not cut short`);
    for (let i = 0; i < len; i++) equal(seen[0]!.bytes[i]!, octetAt(i, len), `octet ${i} of ${len}`);
  }
  finish(pair);
}

function keepsOrderInBursts(make: () => DevicePair): void {
  const pair = make();
  bringUp(pair);
  const seen: Seen[] = [];
  const type = recorder(seen, ETH_P_IP);
  devAddPack(pair.b.net, type);
  inWorld(pair.a, () => {
    for (let i = 0; i < 300; i++) {
      const skb = makePacket(pair.a, pair.b.devAddr, 60);
      skb.view.setInt32(skb.networkHeader + 4, i);
      devQueueXmit(skb);
    }
  });
  pair.settle?.();
  devRemovePack(pair.b.net, type);
  equal(seen.length, 300, 'packets of a burst that arrive');
  seen.forEach((packet, i) => equal(new DataView(packet.bytes.buffer).getInt32(4), i, `place ${i} of a burst`));
  finish(pair);
}

function countsBothEnds(make: () => DevicePair): void {
  const pair = make();
  bringUp(pair);
  const { a, b } = pair;
  const before = { tx: a.stats.txPackets, txBytes: a.stats.txBytes, rx: b.stats.rxPackets, rxBytes: b.stats.rxBytes };
  const seen = send(pair, 5, 200);
  equal(seen.length, 5, 'packets that arrive');
  equal(a.stats.txPackets - before.tx, 5, 'txPackets');
  equal(b.stats.rxPackets - before.rx, 5, 'rxPackets');
  const frame = 200 + a.hardHeaderLen;
  equal(a.stats.txBytes - before.txBytes, 5 * frame, 'txBytes');
  equal(b.stats.rxBytes - before.rxBytes, 5 * frame, 'rxBytes');
  finish(pair);
}

function takesTheSkb(make: () => DevicePair): void {
  const pair = make();
  bringUp(pair);
  const freed: number[] = [];
  inWorld(pair.a, () => {
    const skb = makePacket(pair.a, pair.b.devAddr, 64);
    skb.destructor = (gone) => freed.push(gone.id);
    devQueueXmit(skb);
  });
  equal(freed.length, 1, 'destructor calls once the packet has been sent');
  finish(pair);
}

function dropsWhileDown(make: () => DevicePair): void {
  const pair = make();
  bringUp(pair);
  inWorld(pair.a, () => {
    equal(devClose(pair.a), 0, 'devClose');
    if (pair.b !== pair.a) equal(devClose(pair.b), 0, 'devClose');
  });
  check((pair.a.flags & IFF_UP) === 0, 'IFF_UP is clear after devClose');
  const before = pair.a.stats.txDropped;
  equal(send(pair, 3, 64).length, 0, 'packets that arrive on a device that is down');
  equal(pair.a.stats.txDropped - before, 3, 'txDropped of a device that is down');
  finish(pair);
}

function comesUpAgain(make: () => DevicePair): void {
  const pair = make();
  for (let round = 0; round < 3; round++) {
    bringUp(pair);
    equal(send(pair, 10, 64).length, 10, `packets that arrive in round ${round}`);
    inWorld(pair.a, () => {
      devClose(pair.a);
      devClose(pair.b);
    });
  }
  const leaks = leakReport(pair.a.net.world);
  check(leaks.length === 0, `a device that is down holds ${leaks.length} sk_buffs or pages`);
  finish(pair);
}

function obeysTheMtu(make: () => DevicePair): void {
  const pair = make();
  bringUp(pair);
  inWorld(pair.a, () => {
    check(devSetMtu(pair.a, pair.a.minMtu - 1) < 0, 'an MTU below minMtu is refused');
    const same = pair.a.mtu;
    equal(devSetMtu(pair.a, same), 0, 'devSetMtu to what it is');
    equal(pair.a.mtu, same, 'mtu');
  });
  finish(pair);
}

function showsTaps(make: () => DevicePair): void {
  const pair = make();
  bringUp(pair);
  const sent: Seen[] = [];
  const tap = recorder(sent, ETH_P_ALL);
  devAddPack(pair.a.net, tap);
  const got = send(pair, 2, 80);
  devRemovePack(pair.a.net, tap);
  equal(got.length, 2, 'packets that arrive');
  equal(sent.filter((packet) => packet.device === pair.a && packet.pktType === PACKET_OUTGOING).length, 2, 'packets sent that a tap sees');
  finish(pair);
}

function unregisterWhileBusy(make: () => DevicePair): void {
  const pair = make();
  bringUp(pair);
  inWorld(pair.a, () => {
    for (let i = 0; i < 50; i++) devQueueXmit(makePacket(pair.a, pair.b.devAddr, 64));
    equal(unregisterNetdevice(pair.b), 0, 'unregisterNetdevice');
  });
  finish(pair);
}

/** The rules, in the order in which a driver is best brought up. */
export const netDeviceContract: readonly NetDeviceRule[] = [
  { name: 'a packet arrives with protocol, pktType, macHeader and dev set, its octets unharmed', run: delivers },
  { name: 'packets of every size up to the MTU arrive whole', run: deliversAllSizes },
  { name: 'a burst longer than any ring arrives complete and in order', run: keepsOrderInBursts },
  { name: 'packets and octets are counted at both ends', run: countsBothEnds },
  { name: 'NETDEV_TX_OK: the driver frees the sk_buff, once', run: takesTheSkb },
  { name: 'a device that is down drops and counts', run: dropsWhileDown },
  { name: 'down gives back all memory, and up works again', run: comesUpAgain },
  { name: 'an MTU out of bounds is refused', run: obeysTheMtu },
  { name: 'taps see what is sent, and nothing is lost to them', run: showsTaps },
  { name: 'unregistering with packets in flight frees them', run: unregisterWhileBusy },
];
