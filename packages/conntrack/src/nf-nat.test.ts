import { inAton, inNtoa } from '@stack/inet-sock';
import { Random, destroyNet, randomBelow } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING, NF_ACCEPT, NF_DROP, nfHook, NFPROTO_IPV4 } from '@stack/netfilter';
import type { NfHookState } from '@stack/netfilter';
import { CHECKSUM_PARTIAL, consumeSkb, csumTcpudpMagic, leakReport, skbChecksumHelp, skbClone } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IPS_DST_NAT, IPS_SRC_NAT, NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED, NfNatRange, conntrackShow, nfCtGet, nfNatSetupInfo } from './index.ts';
import { HOOK2MANIP } from './nf-nat.ts';
import { nfNatNetInit } from './nf-nat-install.ts';
import { A, B, checksumsRight, forward, ipBytes, packetOf, trackingNet } from './test-packets.ts';
import type { Fields, Passed } from './test-packets.ts';

const WAN = '198.51.100.1';
const SEED = 7;

let net: Net;
let snat: NfNatRange | null;
let dnat: NfNatRange | null;

/** The rules of these tests: every new connection gets these. */
function lookup(skb: SkBuff, state: NfHookState): number {
  const range = state.hook === NF_INET_POST_ROUTING ? snat : state.hook === NF_INET_PRE_ROUTING ? dnat : null;
  return range === null ? NF_ACCEPT : nfNatSetupInfo(nfCtGet(skb)!, range, HOOK2MANIP(state.hook));
}

function rangeOf(first: string, last = first, minProto = 0, maxProto = 0): NfNatRange {
  const range = new NfNatRange();
  range.flags = NF_NAT_RANGE_MAP_IPS | (maxProto === 0 ? 0 : NF_NAT_RANGE_PROTO_SPECIFIED);
  Object.assign(range, { minAddr: inAton(first), maxAddr: inAton(last), minProto, maxProto });
  return range;
}

beforeEach(() => {
  net = trackingNet();
  nfNatNetInit(net);
  net.nat.lookup = lookup;
  snat = rangeOf(WAN);
  dnat = null;
});
afterEach(() => {
  destroyNet(net);
  expect(net.ct.count).toBe(0);
  expect(net.nat.bysource.every((ct) => ct === null)).toBe(true);
  expect(leakReport(net.world)).toEqual([]);
});

const send = (protocol: number, fields: Fields): Passed => forward(packetOf(net, ipBytes(protocol, fields)));

/** Source, destination, and the first four octets of the transport: ports, or an ICMP type, code and checksum. */
function ends({ bytes }: Passed): [src: string, dst: string, sport: number, dport: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [inNtoa(view.getInt32(12)), inNtoa(view.getInt32(16)), view.getUint16(20), view.getUint16(22)];
}

describe('mangling', () => {
  it('source there, destination back; checksums right', () => {
    for (const protocol of [6, 17]) {
      const there = send(protocol, { sport: 1000, dport: 80, flags: 'S', payload: Uint8Array.of(1, 2, 3) });
      expect([ends(there), checksumsRight(there.bytes)]).toEqual([[WAN, B, 1000, 80], true]);
      const back = send(protocol, { saddr: B, daddr: WAN, sport: 80, dport: 1000, flags: 'SA', ack: 1, payload: Uint8Array.of(9) });
      expect([ends(back), checksumsRight(back.bytes)]).toEqual([[B, A, 80, 1000], true]);
    }
  });

  it('destination and its port, and the answer comes from where it was asked', () => {
    snat = null;
    dnat = rangeOf('10.0.0.9', '10.0.0.9', 8080, 8080);
    const there = send(6, { saddr: B, daddr: WAN, sport: 1000, dport: 80, flags: 'S' });
    expect([ends(there), checksumsRight(there.bytes)]).toEqual([[B, '10.0.0.9', 1000, 8080], true]);
    const back = send(6, { saddr: '10.0.0.9', daddr: B, sport: 8080, dport: 1000, flags: 'SA', ack: 1 });
    expect([ends(back), checksumsRight(back.bytes)]).toEqual([[WAN, B, 80, 1000], true]);
  });

  it('both at once', () => {
    dnat = rangeOf('10.0.0.9');
    const there = send(17, { saddr: A, daddr: B, sport: 1, dport: 2 });
    expect(ends(there).slice(0, 2)).toEqual([WAN, '10.0.0.9']);
    const back = send(17, { saddr: '10.0.0.9', daddr: WAN, sport: 2, dport: 1 });
    expect([ends(back), checksumsRight(back.bytes)]).toEqual([[B, A, 2, 1], true]);
    expect(conntrackShow(net)).toHaveLength(1);
  });

  it('an ICMP id, where another has it', () => {
    const first = send(1, { id: 7, payload: Uint8Array.of(1) });
    const second = send(1, { saddr: '10.0.0.2', id: 7, payload: Uint8Array.of(2) });
    const id = new DataView(second.bytes.buffer).getUint16(24);
    expect(new DataView(first.bytes.buffer).getUint16(24)).toBe(7);
    expect(id).not.toBe(7);
    expect([checksumsRight(first.bytes), checksumsRight(second.bytes)]).toEqual([true, true]);
    const back = send(1, { saddr: B, daddr: WAN, type: 0, id });
    expect([ends(back).slice(0, 2), new DataView(back.bytes.buffer).getUint16(24), checksumsRight(back.bytes)]).toEqual([[B, '10.0.0.2'], 7, true]);
  });

  it(`RFC 1624: whatever the addresses and ports, the checksum follows (seed ${SEED})`, () => {
    const random = new Random(SEED);
    const address = (): string => inNtoa((randomBelow(random, 0x7fffffff) * 2) | 0);
    for (let i = 0; i < 300; i++) {
      snat = rangeOf(address(), undefined, 1, 65535);
      dnat = rangeOf(address(), undefined, 1 + randomBelow(random, 65535), 65535);
      const fields = { saddr: address(), daddr: address(), sport: 1 + randomBelow(random, 65535), dport: randomBelow(random, 65535), flags: 'S' };
      const left = send(i % 2 === 0 ? 6 : 17, { ...fields, payload: new Uint8Array(randomBelow(random, 9)).map(() => randomBelow(random, 256)) });
      expect(checksumsRight(left.bytes), JSON.stringify([i, fields])).toBe(true);
    }
  });

  it('RFC 768: a UDP checksum of 0 stays 0, and one that comes out as 0 is written as ffff', () => {
    const none = ipBytes(17, { payload: Uint8Array.of(1) });
    none.fill(0, 26, 28);
    expect(forward(packetOf(net, none)).bytes.slice(26, 28)).toEqual(Uint8Array.of(0, 0));
    let zero = 0;
    for (let x = 0; x < 0x10000 && zero === 0; x++) {
      const word = Uint8Array.of(x >> 8, x & 255);
      if (new DataView(ipBytes(17, { saddr: WAN, sport: 5, payload: word }).buffer).getUint16(26) === 0) zero = x;
    }
    const left = send(17, { sport: 5, payload: Uint8Array.of(zero >> 8, zero & 255) });
    expect([ends(left)[0], left.bytes.slice(26, 28)]).toEqual([WAN, Uint8Array.of(255, 255)]);
  });

  it.each([6, 17])('protocol %i with a checksum that is still to be summed: what sums it gets it right', (protocol) => {
    snat = rangeOf(WAN, WAN, 7000, 7000);
    const bytes = ipBytes(protocol, { flags: 'S', payload: Uint8Array.of(1, 2, 3) });
    const check = 20 + (protocol === 6 ? 16 : 6);
    const view = new DataView(bytes.buffer);
    view.setUint16(check, ~csumTcpudpMagic(view.getInt32(12), view.getInt32(16), bytes.length - 20, protocol, 0));
    const skb = packetOf(net, bytes);
    skb.ipSummed = CHECKSUM_PARTIAL;
    skb.csumStart = skb.transportHeader - skb.head;
    skb.csumOffset = check - 20;
    let right = false;
    nfHook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, skb, null, null, (at) => nfHook(NFPROTO_IPV4, NF_INET_POST_ROUTING, at, null, null, (left) => {
      expect(skbChecksumHelp(left)).toBe(0);
      right = checksumsRight(left.buf.slice(left.data, left.tail));
      consumeSkb(left);
      return 0;
    }));
    expect(right).toBe(true);
  });

  it('a clone that somebody else reads is copied first', () => {
    const skb = packetOf(net, ipBytes(17, {}));
    const clone = skbClone(skb)!;
    expect(ends(forward(skb))[0]).toBe(WAN);
    expect(inNtoa(clone.view.getInt32(clone.data + 12))).toBe(A);
    consumeSkb(clone);
  });

  it('what is no part of a connection is not changed', () => {
    expect(ends(send(6, { saddr: A, flags: 'RA' }))[0]).toBe(A);
  });
});

describe('choosing', () => {
  it('keeps the port where it is free, else takes one of its kind (RFC 4787 §4.2.1)', () => {
    const left = (saddr: string, sport: number): number => ends(send(17, { saddr, sport, dport: 9 }))[2];
    for (const [sport, low, high] of [[5000, 1024, 65535], [700, 600, 1023], [100, 1, 511]] as const) {
      expect(left(A, sport)).toBe(sport);
      const other = left('10.0.0.2', sport);
      expect(other).not.toBe(sport);
      expect(other >= low && other <= high, `${sport}: ${other}`).toBe(true);
    }
  });

  it('one source keeps its mapping to another destination (RFC 4787 §4.1)', () => {
    send(17, { saddr: '10.0.0.2', sport: 5000, dport: 9 });
    const first = ends(send(17, { sport: 5000, dport: 9 }))[2];
    expect(first).not.toBe(5000);
    expect(ends(send(17, { sport: 5000, dport: 10 }))[2]).toBe(first);
    expect(ends(send(17, { sport: 5000, daddr: '203.0.113.5' }))[2]).toBe(first);
  });

  it('spreads over a range of addresses, the same two ends always on the same', () => {
    snat = rangeOf('198.51.100.0', '198.51.100.15');
    const used = new Set<string>();
    for (let host = 1; host < 60; host++) {
      const addresses = [1, 2].map((sport) => ends(send(17, { saddr: `10.0.1.${host}`, sport }))[0]);
      expect(addresses[0]).toBe(addresses[1]);
      used.add(addresses[0]!);
    }
    expect(used.size).toBeGreaterThan(8);
  });

  it('a connection that no rule is about moves when another has been given its tuple', () => {
    expect(ends(send(17, { sport: 5000 }))[0]).toBe(WAN);
    snat = null;
    const own = ends(send(17, { saddr: WAN, sport: 5000 }));
    expect(own[0]).toBe(WAN);
    expect(own[2]).not.toBe(5000);
  });

  it('a range of ports that is used up: not confirmed, dropped; nothing is taken from others', () => {
    snat = rangeOf(WAN, WAN, 7000, 7001);
    const sent = [1, 2, 3].map((sport) => send(17, { sport }));
    expect(sent.map(({ accepted }) => accepted)).toEqual([true, true, false]);
    expect(new Set(sent.slice(0, 2).map((left) => ends(left)[2]))).toEqual(new Set([7000, 7001]));
  });

  it('is settled once: other rules do not move a connection that stands', () => {
    send(17, {});
    snat = rangeOf('198.51.100.77');
    expect(ends(send(17, {}))[0]).toBe(WAN);
    const [h] = net.ct.buckets.filter((at) => at !== null);
    expect(h!.ct.status & (IPS_SRC_NAT | IPS_DST_NAT)).toBe(IPS_SRC_NAT);
  });

  it('a rule that drops, drops', () => {
    net.nat.lookup = () => NF_DROP;
    expect(send(17, {}).accepted).toBe(false);
  });
});

describe('ICMP errors (RFC 5508 §4.2)', () => {
  /** The packet that an error brings back. */
  const inner = ({ bytes }: Passed): Uint8Array => bytes.slice(28);

  it.each([[6, 40], [6, 8], [17, 40], [17, 8]])('protocol %i, %i octets of its transport: outside and inside are translated', (protocol, octets) => {
    const there = send(protocol, { sport: 1000, dport: 80, flags: 'S', payload: new Uint8Array(20) });
    const quoted = there.bytes.slice(0, 20 + octets);
    const error = send(1, { saddr: '203.0.113.9', daddr: WAN, type: 3, code: 3, payload: quoted });
    expect([ends(error).slice(0, 2), checksumsRight(error.bytes)]).toEqual([['203.0.113.9', A], true]);
    expect(inner(error)).toEqual(ipBytes(protocol, { sport: 1000, dport: 80, flags: 'S', payload: new Uint8Array(20) }).slice(0, 20 + octets));
  });

  it('about an answer: it comes from the address that was asked', () => {
    snat = null;
    dnat = rangeOf('10.0.0.9', '10.0.0.9', 8080, 8080);
    send(6, { saddr: B, daddr: WAN, sport: 1000, dport: 80, flags: 'S' });
    const there = send(6, { saddr: B, daddr: WAN, sport: 1000, dport: 80, flags: 'S' });
    const error = send(1, { saddr: '10.0.0.9', daddr: B, type: 3, code: 4, payload: there.bytes });
    expect([ends(error).slice(0, 2), checksumsRight(error.bytes)]).toEqual([[WAN, B], true]);
    expect(inner(error)).toEqual(ipBytes(6, { saddr: B, daddr: WAN, sport: 1000, dport: 80, flags: 'S' }));
  });

  it('a redirect of a connection that is changed is dropped: it would name a router of the other side', () => {
    const there = send(17, {});
    expect(send(1, { saddr: '203.0.113.9', daddr: WAN, type: 5, code: 1, payload: there.bytes }).accepted).toBe(false);
  });

  it('one whose checksum is wrong is not translated', () => {
    const there = send(17, {});
    const bytes = ipBytes(1, { saddr: B, daddr: WAN, type: 3, payload: there.bytes });
    bytes[25]! ^= 1;
    expect(ends(forward(packetOf(net, bytes)))[1]).toBe(WAN);
  });
});
