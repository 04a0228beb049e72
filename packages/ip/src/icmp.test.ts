import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SKB_DROP_REASON_ICMP_CSUM, SKB_DROP_REASON_INVALID_PROTO, sleep, snmpSnapshot, sysctlWrite } from '@stack/kernel';
import { inAton } from '@stack/inet-sock';
import { dstRelease } from '@stack/skbuff';
import { icmpErrCode, icmpErrType } from './icmp.ts';
import { icmpErrConvert, icmpErrFatal } from './icmp-err.ts';
import { ipv4UpdatePmtu } from './ip-pmtu.ts';
import { Flowi4, flowi4InitOutput } from './flow.ts';
import { ipRouteAdd } from './ip-route.ts';
import { INET_PROTO_ICMP_STRICT, inetAddProtocol, inetDelProtocol } from './protocol.ts';
import type { InetProtocol } from './protocol.ts';
import { ipMtuLocked } from './route.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import { checksum, echoRequest, finish, icmpOf, inside, ipFrame, makePair, receive, sendIp, wireOf } from './test-host.ts';
import type { Pair } from './test-host.ts';

let pair: Pair;
beforeEach(() => {
  pair = makePair();
});
afterEach(() => finish(pair.world));

const counter = (name: string, net = pair.b): number => snmpSnapshot(net)[name];
const answers = (): { type: number; code: number; info: number }[] => wireOf(pair.ethB).sent.map(icmpOf).filter((m) => m !== null);
const data = (length: number): Uint8Array => Uint8Array.from({ length }, (_v, i) => i);

/** An ICMP message with a right checksum. */
function message(type: number, code: number, word: number, rest: Uint8Array): Uint8Array {
  const icmp = new Uint8Array(8 + rest.length);
  icmp.set([type, code]);
  new DataView(icmp.buffer).setInt32(4, word);
  icmp.set(rest, 8);
  const sum = checksum(icmp);
  icmp[2] = sum >> 8;
  icmp[3] = sum;
  return icmp;
}

/** Has b receive an ICMP message from a. */
function deliver(icmp: Uint8Array, daddr = '10.0.0.2', saddr = '10.0.0.1'): void {
  receive(pair.ethB, ipFrame(pair.ethB, { saddr, daddr, protocol: 1, payload: icmp }));
}

describe('RFC 1122 §3.2.2.6: echo', () => {
  test.each([0, 1, 56, 1472, 4000, 65507])('%i octets of data come back', async (length) => {
    const sent = data(length);
    sendIp(pair.a, '10.0.0.2', 1, echoRequest(sent), 0, '0.0.0.0', 0x10);
    await sleep(pair.world, 5);
    const frames = wireOf(pair.ethB).sent.filter((f) => f[12] === 8 && f[13] === 0);
    const back: number[] = [];
    for (const f of frames) back.push(...f.slice(34, 14 + ((f[16] << 8) | f[17])));
    expect(back.length).toBe(8 + length);
    expect(back[0]).toBe(0);
    expect(back.slice(4, 8)).toEqual([0x12, 0x34, 0, 1]);
    expect(checksum(Uint8Array.from(back))).toBe(0);
    expect(Uint8Array.from(back.slice(8))).toEqual(sent);
    expect(frames[0][15]).toBe(0x10);
    expect(counter('IcmpOutEchoReps')).toBe(1);
    expect(counter('IcmpInEchoReps', pair.a)).toBe(1);
  });

  test('to a broadcast: not answered, unless told', async () => {
    deliver(echoRequest(data(8)), '10.0.0.255');
    await sleep(pair.world, 1);
    expect(answers()).toEqual([]);
    expect(pair.b.dropReasons[SKB_DROP_REASON_INVALID_PROTO]).toBe(1);
    pair.b.ipv4.sysctlIcmpEchoIgnoreBroadcasts = 0;
    deliver(echoRequest(data(8)), '10.0.0.255');
    await sleep(pair.world, 1);
    expect(answers().map((m) => m.type)).toEqual([0]);
    expect([...wireOf(pair.ethB).sent.slice(-1)[0].slice(26, 30)]).toEqual([10, 0, 0, 2]);
  });

  test('icmp_echo_ignore_all', async () => {
    pair.b.ipv4.sysctlIcmpEchoIgnoreAll = 1;
    deliver(echoRequest(data(8)));
    await sleep(pair.world, 1);
    expect(answers()).toEqual([]);
    expect(counter('IcmpInEchos')).toBe(1);
  });

  test('record route and time stamp come back filled in (RFC 1122 §3.2.2.6)', async () => {
    const options = new Uint8Array(24);
    options.set([7, 11, 4]);
    options.set([0x44, 12, 5, 0], 11);
    receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', protocol: 1, options, payload: echoRequest(data(4)) }));
    await sleep(pair.world, 1);
    const frame = wireOf(pair.ethB).sent.find((f) => icmpOf(f) !== null) ?? new Uint8Array(0);
    expect([...frame.slice(34, 46)]).toEqual([7, 11, 12, 10, 0, 0, 2, 10, 0, 0, 2, 0x44]);
    expect([frame[46], frame[47]]).toEqual([12, 13]);
    expect(checksum(frame.subarray(14, 58))).toBe(0);
  });
});

test('RFC 1122 §3.2.2.8: a time stamp is answered with milliseconds since midnight UT', async () => {
  await sleep(pair.world, 5000);
  deliver(message(13, 0, 0x00070001, Uint8Array.of(0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0)));
  await sleep(pair.world, 1);
  const frame = wireOf(pair.ethB).sent.find((f) => icmpOf(f)?.type === 14) ?? new Uint8Array(0);
  const view = new DataView(frame.buffer);
  expect([view.getInt32(38), view.getInt32(42), view.getInt32(46), view.getInt32(50)]).toEqual([0x00070001, 99, 5000, 5000]);
  expect(checksum(frame.subarray(34))).toBe(0);
});

test('a wrong checksum is dropped and counted', () => {
  const icmp = echoRequest(data(8));
  icmp[9] ^= 1;
  deliver(icmp);
  expect(pair.b.dropReasons[SKB_DROP_REASON_ICMP_CSUM]).toBe(1);
  expect([counter('IcmpInMsgs'), counter('IcmpInErrors'), counter('IcmpInCsumErrors')]).toEqual([1, 1, 1]);
});

test('RFC 1122 §3.2.2: an unknown type is dropped in silence', async () => {
  deliver(message(77, 0, 0, data(8)));
  await sleep(pair.world, 1);
  expect(answers()).toEqual([]);
  expect([counter('IcmpInErrors'), counter('IcmpMsgInType77')]).toEqual([1, 1]);
});

describe('RFC 1122 §3.2.2: no error is sent', () => {
  const never = async (): Promise<void> => {
    await sleep(pair.world, 1);
    expect(answers()).toEqual([]);
  };
  const quoted = (): Uint8Array => ipFrame(pair.ethB, { saddr: '10.0.0.2', daddr: '10.0.0.1', payload: data(8) }).slice(14);

  test('about an error; about an echo request there is', async () => {
    sysctlWrite(pair.b, 'net.ipv4.ip_forward', 1);
    const to = (icmp: Uint8Array): void => receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '9.9.9.9', protocol: 1, payload: icmp }));
    to(message(3, 1, 0, quoted()));
    to(message(11, 0, 0, quoted()));
    await never();
    to(echoRequest(data(4)));
    await sleep(pair.world, 1);
    expect(answers().map((m) => m.type)).toEqual([3]);
  });
  test('about a fragment that is not the first', async () => {
    sysctlWrite(pair.b, 'net.ipv4.ip_forward', 1);
    receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '9.9.9.9', fragOff: 5, payload: data(8) }));
    await never();
  });
  test('about a packet to a broadcast or a group', async () => {
    receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.255', protocol: 200 }));
    receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '224.0.0.1', protocol: 200 }));
    await never();
  });
  test('about a packet in a link-layer broadcast', async () => {
    receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', protocol: 200 }, Uint8Array.of(255, 255, 255, 255, 255, 255)));
    await never();
  });
});

test('RFC 1812 §4.3.2.3: an error quotes as much as fits 576 octets, from the address that was spoken to', async () => {
  const big = data(1400);
  receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', protocol: 200, tos: 0x10, payload: big }));
  await sleep(pair.world, 1);
  const frame = wireOf(pair.ethB).sent.find((f) => icmpOf(f) !== null) ?? new Uint8Array(0);
  expect(frame.length - 14).toBe(576);
  expect([...frame.slice(26, 34)]).toEqual([10, 0, 0, 2, 10, 0, 0, 1]);
  expect(frame[15]).toBe(0xd0);
  expect([...frame.slice(42, 46)]).toEqual([0x45, 0x10, 5, 140]);
  expect(checksum(frame.subarray(34))).toBe(0);
});

describe('errors about our packets', () => {
  test('reach the errHandler of the transport that sent them, with type, code and info', () => {
    const heard: number[][] = [];
    inetAddProtocol(pair.b, {
      handler: () => 0, flags: 0,
      errHandler: (skb, info) => {
        heard.push([icmpErrType(skb), icmpErrCode(skb), info, skb.view.getUint8(skb.data + 9), skb.view.getUint8(skb.data + 20)]);
        return 0;
      },
    }, 253);
    const quoted = ipFrame(pair.ethB, { saddr: '10.0.0.2', daddr: '10.0.0.9', payload: Uint8Array.of(0xab, 1, 2, 3, 4, 5, 6, 7) }).slice(14);
    deliver(message(3, 3, 0, quoted));
    deliver(message(3, 4, 1300, quoted));
    deliver(message(12, 0, 0x14000000, quoted));
    deliver(message(11, 0, 0, quoted));
    expect(heard).toEqual([[3, 3, 0, 253, 0xab], [3, 4, 1300, 253, 0xab], [12, 0, 20, 253, 0xab], [11, 0, 0, 253, 0xab]]);
    deliver(message(11, 1, 0, quoted));
    deliver(message(3, 0, 0, quoted.slice(0, 27)));
    expect(heard.length).toBe(4);
    expect(counter('IcmpInErrors')).toBe(1);
  });

  describe('fragmentation needed', () => {
    let heard: number[];
    const quoted = (length: number): Uint8Array => {
      const packet = ipFrame(pair.ethB, { saddr: '10.0.0.2', daddr: '10.0.0.9', payload: data(8) }).slice(14);
      packet[2] = length >> 8;
      packet[3] = length & 255;
      return packet;
    };
    const transport = (flags: number): number => inetAddProtocol(pair.b, { handler: () => 0, flags, errHandler: (_skb, info) => { heard.push(info); return 0; } }, 253);
    beforeEach(() => {
      heard = [];
    });

    test('RFC 1191 §5: a router that names no MTU means the next plateau below the packet', () => {
      transport(0);
      for (const length of [65535, 4353, 4352, 1500, 1492, 68]) deliver(message(3, 4, 0, quoted(length)));
      expect(heard).toEqual([32000, 4352, 2002, 1492, 1006, 68]);
    });

    test('ip_no_pmtu_disc: 1 names no MTU, 2 says nothing, 3 tells only transports that know forgeries', () => {
      transport(0);
      sysctlWrite(pair.b, 'net.ipv4.ip_no_pmtu_disc', 1);
      deliver(message(3, 4, 1300, quoted(1500)));
      expect(heard).toEqual([0]);
      sysctlWrite(pair.b, 'net.ipv4.ip_no_pmtu_disc', 2);
      deliver(message(3, 4, 1300, quoted(1500)));
      sysctlWrite(pair.b, 'net.ipv4.ip_no_pmtu_disc', 3);
      deliver(message(3, 4, 1300, quoted(1500)));
      expect(heard).toEqual([0]);
      expect(inetDelProtocol(pair.b, pair.b.ipv4.inetProtos[253] as InetProtocol, 253)).toBe(0);
      transport(INET_PROTO_ICMP_STRICT);
      deliver(message(3, 4, 1300, quoted(1500)));
      expect(heard).toEqual([0, 1300]);
    });
  });

  test('a locked mtu of the route stays, whatever the network says', async () => {
    inetAddProtocol(pair.b, { handler: () => 0, flags: 0, errHandler: (skb, info) => { ipv4UpdatePmtu(skb, info); return 0; } }, 253);
    expect(ipRouteAdd(pair.b, { dst: '192.0.2.0/24', gateway: '10.0.0.1', mtu: 1400, mtuLock: true })).toBe(0);
    const fl = new Flowi4();
    flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, inAton('192.0.2.1'), 0, 0, 0);
    deliver(message(3, 4, 600, ipFrame(pair.ethB, { saddr: '10.0.0.2', daddr: '192.0.2.1', payload: data(8) }).slice(14)));
    const rt = inside(pair.b, () => ipRouteOutputFlow(pair.b, fl, null));
    if (typeof rt === 'number') throw new Error('no route');
    expect([rt.ops.mtu(rt), ipMtuLocked(rt)]).toEqual([1400, true]);
    dstRelease(rt);
  });

  test('RFC 1191: a credible MTU makes new routes narrower, for mtu_expires; a greater one changes nothing', async () => {
    const mtu = (): number => {
      const fl = new Flowi4();
      flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, inAton('10.0.0.1'), 0, 0, 0);
      const rt = inside(pair.b, () => ipRouteOutputFlow(pair.b, fl, null));
      if (typeof rt === 'number') throw new Error('no route');
      const value = rt.ops.mtu(rt);
      dstRelease(rt);
      return value;
    };
    inetAddProtocol(pair.b, { handler: () => 0, flags: 0, errHandler: (skb, info) => { ipv4UpdatePmtu(skb, info); return 0; } }, 253);
    const quoted = ipFrame(pair.ethB, { saddr: '10.0.0.2', daddr: '10.0.0.1', payload: data(8) }).slice(14);
    expect(mtu()).toBe(1500);
    deliver(message(3, 4, 1300, quoted));
    expect(mtu()).toBe(1300);
    deliver(message(3, 4, 1400, quoted));
    expect(mtu()).toBe(1300);
    deliver(message(3, 4, 300, quoted));
    expect(mtu()).toBe(552);
    await sleep(pair.world, 601_000);
    expect(mtu()).toBe(1500);
  });
});

test('RFC 1122 §4.2.3.9: what codes mean to a socket', () => {
  expect([0, 1, 2, 3, 4, 13].map(icmpErrConvert)).toEqual([101, 113, 92, 111, 90, 113]);
  expect([0, 1, 2, 3, 4, 13].map(icmpErrFatal)).toEqual([false, false, true, true, false, true]);
  expect([icmpErrConvert(16), icmpErrFatal(16)]).toEqual([0, false]);
});
