import { traceNet } from '@stack/kernel';
import { allocSkb, consumeSkb, leakReport, skbReserve } from '@stack/skbuff';
import { describe, expect, test } from 'vitest';
import { devAddrSet } from './dev-addr.ts';
import {
  ethHeader, ethHeaderCache, ethHeaderCacheUpdate, ethHeaderParse, ethMacAddr, ethRandomAddr, ethTypeTrans, isValidEtherAddr,
} from './eth.ts';
import { ETH_P_802_2, ETH_P_802_3, ETH_P_ARP, ETH_P_IP } from './if-ether.ts';
import { PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST, PACKET_OTHERHOST } from './if-packet.ts';
import { makeDev, makeFrame, makeNet } from './test-support.ts';

const dev = makeDev(makeNet());
const net = dev.net;

function typeTrans(to: readonly number[], type = ETH_P_IP, payload: readonly number[] = []) {
  const skb = makeFrame(dev, 0, 46, to, type);
  skb.buf.set(payload, skb.data + 14);
  skb.networkHeader = -1;
  const mac = skb.data;
  const protocol = ethTypeTrans(skb, dev);
  const result = { protocol, pktType: skb.pktType, mac: skb.macHeader === mac, pulled: skb.data - mac, len: skb.len };
  consumeSkb(skb);
  return result;
}

describe('eth_type_trans', () => {
  test('sets mac, pulls 14 octets and returns the type', () => {
    expect(typeTrans([2, 0, 0, 0, 0, 1])).toEqual({ protocol: ETH_P_IP, pktType: PACKET_HOST, mac: true, pulled: 14, len: 46 });
    expect(typeTrans([2, 0, 0, 0, 0, 1], ETH_P_ARP).protocol).toBe(ETH_P_ARP);
  });

  test.each([
    [[2, 0, 0, 0, 0, 1], PACKET_HOST],
    [[2, 0, 0, 0, 0, 3], PACKET_OTHERHOST],
    [[2, 0, 0, 1, 0, 1], PACKET_OTHERHOST],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff], PACKET_BROADCAST],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], PACKET_MULTICAST],
    [[1, 0, 0x5e, 0, 0, 1], PACKET_MULTICAST],
  ])('tells for whom %j is', (to, pktType) => {
    expect(typeTrans(to).pktType).toBe(pktType);
  });

  test('IEEE 802.3 §3.2.6: a type field below 0x0600 is a length: LLC, or raw 802.3 if it begins with 0xffff', () => {
    expect(typeTrans([2, 0, 0, 0, 0, 1], 46, [0xaa, 0xaa]).protocol).toBe(ETH_P_802_2);
    expect(typeTrans([2, 0, 0, 0, 0, 1], 46, [0xff, 0xff]).protocol).toBe(ETH_P_802_3);
    expect(typeTrans([2, 0, 0, 0, 0, 1], 0x05ff).protocol).toBe(ETH_P_802_2);
    expect(typeTrans([2, 0, 0, 0, 0, 1], 0x0600).protocol).toBe(0x0600);
  });

  test('is traced at its entry: data at the Ethernet header, mac not yet set', () => {
    const skb = makeFrame(dev);
    skb.macHeader = -1;
    const hits: string[] = [];
    const stop = traceNet(net, (r) => hits.push(`${r.function} data=${r.data} mac=${r.mac}`));
    ethTypeTrans(skb, dev);
    stop();
    consumeSkb(skb);
    expect(hits).toEqual(['eth_type_trans data=64 mac=-1']);
  });
});

describe('eth_header', () => {
  const to = new Uint8Array([2, 0, 0, 0, 0, 7]);

  function header(type: number, daddr: Uint8Array | null, saddr: Uint8Array | null, len: number) {
    const skb = allocSkb(net, 64)!;
    skbReserve(skb, 32);
    const rc = ethHeader(skb, dev, type, daddr, saddr, len);
    const bytes = [...skb.buf.subarray(skb.data, skb.tail)];
    consumeSkb(skb);
    return { rc, bytes };
  }

  test('pushes destination, source and type', () => {
    expect(header(ETH_P_IP, to, null, 0)).toEqual({ rc: 14, bytes: [2, 0, 0, 0, 0, 7, 2, 0, 0, 0, 0, 1, 8, 0] });
    expect(header(ETH_P_ARP, to, new Uint8Array([2, 9, 9, 9, 9, 9]), 0).bytes.slice(6)).toEqual([2, 9, 9, 9, 9, 9, 8, 6]);
  });

  test('the type field of an 802.2 frame is its length', () => {
    expect(header(ETH_P_802_2, to, null, 77).bytes.slice(12)).toEqual([0, 77]);
  });

  test('without destination the header is there, but not complete', () => {
    expect(header(ETH_P_IP, null, null, 0)).toEqual({ rc: -14, bytes: [0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 8, 0] });
  });

  test('the cached header equals the one made anew, and follows a new address', () => {
    const hh = { hhLen: 0, hhData: new Uint8Array(32) };
    expect(ethHeaderCache(hh, dev, ETH_P_IP, to)).toBe(0);
    expect([...hh.hhData.subarray(0, hh.hhLen)]).toEqual(header(ETH_P_IP, to, null, 0).bytes);
    const other = new Uint8Array([2, 0, 0, 0, 0, 8]);
    ethHeaderCacheUpdate(hh, dev, other);
    expect([...hh.hhData.subarray(0, hh.hhLen)]).toEqual(header(ETH_P_IP, other, null, 0).bytes);
    expect(ethHeaderCache(hh, dev, ETH_P_802_3, to)).toBe(-1);
  });

  test('parse finds the sender', () => {
    const skb = makeFrame(dev);
    ethTypeTrans(skb, dev);
    const haddr = new Uint8Array(8);
    expect(ethHeaderParse(skb, haddr)).toBe(6);
    consumeSkb(skb);
    expect([...haddr]).toEqual([2, 0, 0, 0, 0, 9, 0, 0]);
  });
});

describe('addresses', () => {
  test('a random one is local, unicast, and another each time', () => {
    const all = new Set<string>();
    for (let i = 0; i < 50; i++) {
      const addr = ethRandomAddr(net.world.random);
      expect(addr[0]! & 3).toBe(2);
      all.add(addr.join());
    }
    expect(all.size).toBe(50);
  });

  test('a station has neither a group address nor zeros', () => {
    expect(isValidEtherAddr(new Uint8Array([2, 0, 0, 0, 0, 1]))).toBe(true);
    expect(isValidEtherAddr(new Uint8Array([1, 0, 0, 0, 0, 1]))).toBe(false);
    expect(isValidEtherAddr(new Uint8Array(6))).toBe(false);
    expect(isValidEtherAddr(new Uint8Array(5).fill(2))).toBe(false);
  });

  test('cannot be changed while the device is up', () => {
    const other = makeDev(net, {}, true);
    expect(ethMacAddr(dev, new Uint8Array([2, 0, 0, 0, 0, 5]))).toBeLessThan(0);
    expect(ethMacAddr(other, new Uint8Array([1, 0, 0, 0, 0, 5]))).toBeLessThan(0);
    expect(ethMacAddr(other, new Uint8Array([2, 0, 0, 0, 0, 5]))).toBe(0);
    expect([other.devAddrHi, other.devAddrLo]).toEqual([0x02000000, 5]);
  });

  test('the address of a device is a copy', () => {
    const other = makeDev(net, {}, true);
    const addr = new Uint8Array([0xfe, 1, 2, 3, 4, 5]);
    devAddrSet(other, addr);
    addr[0] = 0;
    expect(other.devAddr[0]).toBe(0xfe);
    expect(other.devAddrHi).toBe(0xfe010203 | 0);
  });
});

test('nothing is left', () => {
  expect(leakReport(net.world)).toEqual([]);
});
