import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Random, SKB_DROP_REASON_DUP_FRAG, SKB_DROP_REASON_FRAG_REASM_TIMEOUT, randomBelow, sleep, snmpSnapshot, sysctlWrite } from '@stack/kernel';
import { consumeSkb } from '@stack/skbuff';
import { NFPROTO_IPV4, NF_ACCEPT, NF_INET_PRE_ROUTING, NF_STOLEN, nfRegisterNetHook } from '@stack/netfilter';
import type { NfHookOps } from '@stack/netfilter';
import { IP_DEFRAG_CONNTRACK_IN } from './inet-fragment.ts';
import { ipDefrag } from './ip-fragment.ts';
import { IP_DF, IP_MF, ipIsFragment } from './ip-header.ts';
import { inetAddProtocol } from './protocol.ts';
import { bytesOf, checksum, finish, icmpOf, ipFrame, makePair, receive, sendIp, wireOf } from './test-host.ts';
import type { Pair } from './test-host.ts';

let pair: Pair;
let got: Uint8Array[];

beforeEach(() => {
  pair = makePair();
  got = [];
  inetAddProtocol(pair.b, {
    handler: (skb) => {
      got.push(bytesOf(skb));
      consumeSkb(skb);
      return 0;
    },
    errHandler: null,
    flags: 0,
  }, 253);
});
afterEach(() => finish(pair.world));

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_v, i) => (i * 7) ^ (i >> 8));
const counter = (name: string): number => snmpSnapshot(pair.b)[name];

/** A fragment of payload as b receives it: octets [at, at + len). */
function fragment(payload: Uint8Array, at: number, len: number, id = 1, more = at + len < payload.length, tos = 0): Uint8Array {
  return ipFrame(pair.ethB, {
    saddr: '10.0.0.1', daddr: '10.0.0.2', id, tos, fragOff: (at >> 3) | (more ? IP_MF : 0), payload: payload.slice(at, at + len),
  });
}

describe('RFC 791 §3.2: cutting', () => {
  test('pieces are multiples of 8 octets, the header is copied, and the whole arrives', () => {
    const payload = pattern(5000);
    expect(sendIp(pair.a, '10.0.0.2', 253, payload)).toBe(0);
    const frames = wireOf(pair.ethA).sent.filter((f) => f[12] === 8 && f[13] === 0);
    expect(frames.map((f) => f.length - 34)).toEqual([1480, 1480, 1480, 560]);
    expect(frames.map((f) => (f[20] << 8) | f[21])).toEqual([IP_MF, IP_MF | 185, IP_MF | 370, 555]);
    expect(new Set(frames.map((f) => (f[18] << 8) | f[19])).size).toBe(1);
    expect(frames.every((f) => checksum(f.subarray(14, 34)) === 0)).toBe(true);
    expect(got).toEqual([payload]);
    const sent = snmpSnapshot(pair.a);
    expect([sent['IpFragOKs'], sent['IpFragCreates'], sent['IpOutRequests']]).toEqual([1, 4, 1]);
    expect([counter('IpReasmReqds'), counter('IpReasmOKs'), counter('IpInDelivers')]).toEqual([4, 1, 1]);
  });

  test('the largest datagram there can be', async () => {
    const payload = pattern(65515);
    expect(sendIp(pair.a, '10.0.0.2', 253, payload)).toBe(0);
    await sleep(pair.world, 0.001);
    expect(got.length).toBe(1);
    expect(got[0]).toEqual(payload);
  });

  test('DF: not cut, dropped and counted, and our own sender told of the MTU', async () => {
    expect(sendIp(pair.a, '10.0.0.2', 253, pattern(1600), IP_DF)).toBeLessThan(0);
    await sleep(pair.world, 1);
    expect(got).toEqual([]);
    expect(snmpSnapshot(pair.a)['IpFragFails']).toBe(1);
    expect(snmpSnapshot(pair.a)['IcmpInDestUnreachs']).toBe(1);
  });
});

describe('RFC 815: putting together', () => {
  test('in whatever order they come', async () => {
    const random = new Random(3);
    for (let round = 0; round < 50; round++) {
      const payload = pattern(8 + randomBelow(random, 3000));
      const parts: number[] = [];
      const step = 8 * (1 + randomBelow(random, 40));
      for (let at = 0; at < payload.length; at += step) parts.push(at);
      while (parts.length > 0) {
        const [at] = parts.splice(randomBelow(random, parts.length), 1);
        receive(pair.ethB, fragment(payload, at, Math.min(step, payload.length - at), round));
      }
      // Many packets may take more than one turn of softirqs.
      await sleep(pair.world, 0.001);
      expect(got.length).toBe(round + 1);
      expect(got[round]).toEqual(payload);
    }
    expect(pair.b.ipv4.frags.mem).toBe(0);
    expect(pair.b.ipv4.frags.nqueues).toBe(0);
  });

  test('datagrams are told apart by source, destination, protocol and identification', () => {
    const one = pattern(64);
    const two = pattern(64).reverse();
    receive(pair.ethB, fragment(one, 0, 32, 1));
    receive(pair.ethB, fragment(two, 0, 32, 2));
    receive(pair.ethB, fragment(two, 32, 32, 2));
    receive(pair.ethB, fragment(one, 32, 32, 1));
    expect(got).toEqual([two, one]);
  });

  test('an exact duplicate is dropped, the datagram lives', () => {
    const payload = pattern(64);
    receive(pair.ethB, fragment(payload, 0, 32));
    receive(pair.ethB, fragment(payload, 0, 32));
    receive(pair.ethB, fragment(payload, 32, 32));
    expect(got).toEqual([payload]);
    expect(pair.b.dropReasons[SKB_DROP_REASON_DUP_FRAG]).toBe(1);
  });

  test('a fragment that fragments in order have wholly is dropped, cut otherwise as it may be', () => {
    const payload = pattern(96);
    receive(pair.ethB, fragment(payload, 0, 32));
    receive(pair.ethB, fragment(payload, 32, 32));
    receive(pair.ethB, fragment(payload, 8, 48, 1, true));
    receive(pair.ethB, fragment(payload, 0, 64, 1, true));
    expect(pair.b.dropReasons[SKB_DROP_REASON_DUP_FRAG]).toBe(2);
    receive(pair.ethB, fragment(payload, 64, 32));
    expect(got).toEqual([payload]);
  });

  test('one that fragments have wholly which did not come in order condemns the datagram, as in Linux', () => {
    const payload = pattern(96);
    receive(pair.ethB, fragment(payload, 32, 32));
    receive(pair.ethB, fragment(payload, 0, 32));
    receive(pair.ethB, fragment(payload, 0, 64, 1, true));
    expect([counter('IpExtReasmOverlaps'), pair.b.ipv4.frags.nqueues]).toEqual([1, 0]);
  });

  test('an overlap condemns the datagram (RFC 5722 §3)', () => {
    const payload = pattern(96);
    receive(pair.ethB, fragment(payload, 0, 40));
    receive(pair.ethB, fragment(payload, 32, 64, 1, false));
    expect(counter('IpExtReasmOverlaps')).toBe(1);
    expect(pair.b.ipv4.frags.nqueues).toBe(0);
    receive(pair.ethB, fragment(payload, 40, 56, 1, false));
    expect(got).toEqual([]);
  });

  test('an end that contradicts one that is known condemns it too', () => {
    const payload = pattern(96);
    receive(pair.ethB, fragment(payload, 64, 32, 1, false));
    receive(pair.ethB, fragment(payload, 32, 32, 1, false));
    expect(pair.b.ipv4.frags.nqueues).toBe(0);
    expect(counter('IpReasmFails')).toBe(1);
    expect(got).toEqual([]);
  });

  test('a datagram longer than there can be is refused (ping of death)', async () => {
    const tail = ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', id: 9, fragOff: 0x1fff, payload: pattern(64) });
    receive(pair.ethB, tail);
    for (let at = 0; at < 65528; at += 1448) {
      const len = Math.min(1448, 65528 - at);
      receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', id: 9, fragOff: (at >> 3) | IP_MF, payload: pattern(len) }));
    }
    await sleep(pair.world, 0.001);
    expect(got).toEqual([]);
    expect(pair.b.ipv4.frags.nqueues).toBe(0);
  });

  test('RFC 3168 §5.3: CE of one is CE of all; CE beside not-ECT is refused', () => {
    const payload = pattern(64);
    const seen: number[] = [];
    inetAddProtocol(pair.b, { handler: (skb) => { seen.push(skb.view.getUint8(skb.networkHeader + 1)); consumeSkb(skb); return 0; }, errHandler: null, flags: 0 }, 254);
    const part = (at: number, tos: number, id: number): Uint8Array => ipFrame(pair.ethB, {
      saddr: '10.0.0.1', daddr: '10.0.0.2', protocol: 254, id, tos, fragOff: (at >> 3) | (at === 0 ? IP_MF : 0), payload: payload.slice(at, at + 32),
    });
    receive(pair.ethB, part(0, 2, 1));
    receive(pair.ethB, part(32, 3, 1));
    expect(seen).toEqual([3]);
    receive(pair.ethB, part(0, 0, 2));
    receive(pair.ethB, part(32, 3, 2));
    expect(seen).toEqual([3]);
  });
});

describe('RFC 1122 §3.3.2: fragments do not wait for ever', () => {
  test('after ipfrag_time they go; the sender is told if the first is among them', async () => {
    receive(pair.ethB, fragment(pattern(64), 0, 32));
    await sleep(pair.world, 29_900);
    expect(pair.b.ipv4.frags.nqueues).toBe(1);
    await sleep(pair.world, 200);
    expect(pair.b.ipv4.frags.nqueues).toBe(0);
    expect(pair.b.dropReasons[SKB_DROP_REASON_FRAG_REASM_TIMEOUT]).toBe(1);
    expect([counter('IpReasmTimeout'), counter('IpReasmFails')]).toEqual([1, 1]);
    expect(wireOf(pair.ethB).sent.map(icmpOf)).toContainEqual({ type: 11, code: 1, info: 0 });
  });

  test('a router that reassembled for its firewall says nothing; the addressee that did does', async () => {
    const { b, ethB } = pair;
    sysctlWrite(b, 'net.ipv4.ip_forward', 1);
    const reassemble: NfHookOps = {
      hook: (_priv, skb) => ipIsFragment(skb) && ipDefrag(b, skb, IP_DEFRAG_CONNTRACK_IN) === null ? NF_STOLEN : NF_ACCEPT,
      pf: NFPROTO_IPV4, hooknum: NF_INET_PRE_ROUTING, priority: -400, priv: null,
    };
    expect(nfRegisterNetHook(b, reassemble)).toBe(0);
    receive(ethB, ipFrame(ethB, { saddr: '10.0.0.1', daddr: '192.0.2.1', id: 1, fragOff: IP_MF, payload: pattern(32) }));
    await sleep(pair.world, 31_000);
    expect(wireOf(ethB).sent.map(icmpOf).filter((m) => m !== null)).toEqual([]);
    receive(ethB, fragment(pattern(64), 0, 32));
    await sleep(pair.world, 31_000);
    expect(wireOf(ethB).sent.map(icmpOf).filter((m) => m !== null)).toEqual([{ type: 11, code: 1, info: 0 }]);
  });

  test('without the first nothing is said', async () => {
    receive(pair.ethB, fragment(pattern(64), 32, 32));
    await sleep(pair.world, 31_000);
    expect(pair.b.ipv4.frags.nqueues).toBe(0);
    expect(wireOf(pair.ethB).sent.map(icmpOf).filter((m) => m !== null)).toEqual([]);
  });
});

describe('ipfrag_high_thresh', () => {
  const lone = (id: number): void => receive(pair.ethB, fragment(pattern(64), 0, 32, id));

  test('beyond it the datagrams that waited longest for a fragment are given up, until low_thresh is reached', () => {
    const { frags } = pair.b.ipv4;
    lone(1);
    const each = frags.mem;
    frags.sysctlIpfragHighThresh = 8 * each;
    frags.sysctlIpfragLowThresh = 4 * each;
    for (let id = 2; id <= 8; id++) lone(id);
    receive(pair.ethB, fragment(pattern(96), 32, 32, 1));
    expect([frags.nqueues, counter('IpReasmFails')]).toEqual([8, 0]);
    lone(9);
    // 2 to 6 went, so that four fragments were left: two of 1, and those of 7 and 8.
    expect([frags.mem, frags.nqueues, counter('IpReasmFails')]).toEqual([5 * each, 4, 5]);
    receive(pair.ethB, fragment(pattern(96), 64, 32, 1));
    expect(got).toEqual([pattern(96)]);
  });

  test('memory stays within one fragment of it, however many fragments one datagram has', () => {
    const { frags } = pair.b.ipv4;
    frags.sysctlIpfragHighThresh = 100_000;
    frags.sysctlIpfragLowThresh = 80_000;
    let most = 0;
    for (let at = 0; at < 65000; at += 16) {
      receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', id: 1, fragOff: (at >> 3) | IP_MF, payload: pattern(8) }));
      most = Math.max(most, frags.mem);
    }
    expect(most).toBeLessThan(100_000 + 4096);
  });

  test('0: nothing is put together', () => {
    pair.b.ipv4.frags.sysctlIpfragHighThresh = 0;
    lone(1);
    expect([pair.b.ipv4.frags.nqueues, counter('IpReasmFails')]).toEqual([0, 1]);
  });
});

test('ipfrag_max_dist: a datagram whose sender has moved on by more is given up', () => {
  pair.b.ipv4.frags.sysctlIpfragMaxDist = 4;
  const payload = pattern(64);
  receive(pair.ethB, fragment(payload, 0, 32, 1));
  for (let id = 10; id < 16; id++) receive(pair.ethB, fragment(payload, 0, 32, id));
  receive(pair.ethB, fragment(payload, 32, 32, 1));
  expect(got).toEqual([]);
});
