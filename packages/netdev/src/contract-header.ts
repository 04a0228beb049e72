// The contract of HeaderOps: what the neighbour layer and PF_PACKET expect of a kind of link's header. `make` builds a device
// whose headerOps are on trial, with an address of its own; the rules run on it one by one.

import { allocSkb, consumeSkb, skbPut, skbReserve, type SkBuff } from '@stack/skbuff';
import { IFF_LOOPBACK, IFF_NOARP } from './if.ts';
import { ETH_P_IP } from './if-ether.ts';
import { HH_DATA_MAX, type HardwareHeader, type HeaderOps, type NetDevice } from './netdevice.ts';

/** One rule of the contract. */
export interface HeaderRule {
  readonly name: string;
  /** Throws if the headerOps of a device that `make` makes break the rule. */
  readonly run: (make: () => NetDevice) => void;
}

const PAYLOAD = 46;

function check(what: boolean, message: string): void {
  if (!what) throw new Error(`HeaderOps contract: ${message}`);
}

function opsOf(dev: NetDevice): HeaderOps {
  if (dev.headerOps === null) throw new Error(`HeaderOps contract: ${dev.name} has none`);
  return dev.headerOps;
}

/** A station's address on such a link, different for each `n`, no group's. */
function station(dev: NetDevice, n: number): Uint8Array {
  return Uint8Array.from({ length: dev.addrLen }, (_, i) => (i === 0 ? 2 : n + i));
}

/** A packet with room for a header, data at its payload, which is all ones. */
function packet(dev: NetDevice): SkBuff {
  const skb = allocSkb(dev.net, 64 + PAYLOAD);
  if (skb === null) throw new Error('no memory');
  skbReserve(skb, 64);
  const at = skbPut(skb, PAYLOAD);
  skb.buf.fill(0xff, at, at + PAYLOAD);
  skb.protocol = ETH_P_IP;
  skb.dev = dev;
  return skb;
}

/** The header that create makes, as octets. */
function header(dev: NetDevice, daddr: Uint8Array, saddr: Uint8Array | null): Uint8Array {
  const skb = packet(dev);
  opsOf(dev).create(skb, dev, ETH_P_IP, daddr, saddr, PAYLOAD);
  const made = skb.buf.slice(skb.data, skb.tail - PAYLOAD);
  consumeSkb(skb);
  return made;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

function createPushes(make: () => NetDevice): void {
  const dev = make();
  const skb = packet(dev);
  const before = skb.data;
  const pushed = opsOf(dev).create(skb, dev, ETH_P_IP, station(dev, 1), null, PAYLOAD);
  check(pushed === dev.hardHeaderLen, `create returns ${pushed}, hardHeaderLen is ${dev.hardHeaderLen}`);
  check(before - skb.data === pushed, `create pushes ${before - skb.data} octets and returns ${pushed}`);
  check(skb.buf.subarray(before, skb.tail).every((octet) => octet === 0xff), 'create changes the payload');
  consumeSkb(skb);
}

function createWithoutDestination(make: () => NetDevice): void {
  const dev = make();
  const skb = packet(dev);
  const pushed = opsOf(dev).create(skb, dev, ETH_P_IP, null, null, PAYLOAD);
  const needless = (dev.flags & (IFF_LOOPBACK | IFF_NOARP)) !== 0;
  const expected = needless ? dev.hardHeaderLen : -dev.hardHeaderLen;
  check(pushed === expected, `create without destination returns ${pushed}, not ${expected}`);
  check(skb.len === PAYLOAD + dev.hardHeaderLen, 'create without destination leaves no room for the header');
  consumeSkb(skb);
}

function ownAddress(make: () => NetDevice): void {
  const dev = make();
  const to = station(dev, 1);
  check(same(header(dev, to, null), header(dev, to, dev.devAddr.slice(0, dev.addrLen))), 'a source of null is not the address of the device');
}

function parseFindsTheSender(make: () => NetDevice): void {
  const dev = make();
  const { create, parse } = opsOf(dev);
  if (parse === null) return;
  const skb = packet(dev);
  create(skb, dev, ETH_P_IP, station(dev, 1), station(dev, 9), PAYLOAD);
  skb.macHeader = skb.data;
  const found = new Uint8Array(HH_DATA_MAX);
  const length = parse(skb, found);
  consumeSkb(skb);
  check(length === dev.addrLen, `parse returns ${length}, addrLen is ${dev.addrLen}`);
  check(same(found.subarray(0, length), station(dev, 9)), 'parse finds another sender than create was given');
}

function cachesWhatItCreates(make: () => NetDevice): void {
  const dev = make();
  const { cache, cacheUpdate } = opsOf(dev);
  check((cache === null) === (cacheUpdate === null), 'cache and cacheUpdate are not both there, or both null');
  if (cache === null || cacheUpdate === null) return;
  const hh: HardwareHeader = { hhLen: 0, hhData: new Uint8Array(HH_DATA_MAX) };
  check(cache(hh, dev, ETH_P_IP, station(dev, 1)) === 0, 'IP\'s header cannot be cached');
  check(same(hh.hhData.subarray(0, hh.hhLen), header(dev, station(dev, 1), null)), 'the cached header is not what create makes');
  cacheUpdate(hh, dev, station(dev, 7));
  check(same(hh.hhData.subarray(0, hh.hhLen), header(dev, station(dev, 7), null)), 'after cacheUpdate, the header is not what create makes');
}

/** The rules. */
export const headerContract: readonly HeaderRule[] = [
  { name: 'create pushes hardHeaderLen octets and leaves the payload alone', run: createPushes },
  { name: 'create without a destination pushes, and says that something lacks', run: createWithoutDestination },
  { name: 'a source of null is the address of the device', run: ownAddress },
  { name: 'parse finds the sender', run: parseFindsTheSender },
  { name: 'the cached header is the one that create makes, after an update too', run: cachesWhatItCreates },
];
