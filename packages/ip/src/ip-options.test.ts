import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sleep } from '@stack/kernel';
import { inAton, inNtoa } from '@stack/inet-sock';
import { consumeSkb } from '@stack/skbuff';
import { ipOptionsEcho, ipOptionsFirstHop } from './ip-options-path.ts';
import { inetAddProtocol } from './protocol.ts';
import { devSetMtu } from '@stack/netdev';
import { finish, icmpOf, inside, ipFrame, makePacket, makePair, receive, wireOf } from './test-host.ts';
import { flowi4InitOutput } from './flow.ts';
import { ipPushHeader } from './ip-output.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import type { Pair } from './test-host.ts';

let pair: Pair;
let seen: { options: number[]; echo: number[] | null; first: string }[];

beforeEach(() => {
  pair = makePair();
  seen = [];
  inetAddProtocol(pair.b, {
    flags: 0, errHandler: null,
    handler: (skb) => {
      const echo = ipOptionsEcho(skb);
      seen.push({
        options: [...skb.buf.slice(skb.networkHeader + 20, skb.data)], echo: echo === null ? null : [...echo], first: inNtoa(ipOptionsFirstHop(skb)),
      });
      consumeSkb(skb);
      return 0;
    },
  }, 253);
});
afterEach(() => finish(pair.world));

function hear(...options: number[]): void {
  receive(pair.ethB, ipFrame(pair.ethB, { saddr: '10.0.0.1', daddr: '10.0.0.2', options: Uint8Array.from(options), payload: new Uint8Array(8) }));
}

describe('RFC 791 §3.1: record route', () => {
  test('our address goes where the pointer is, and the pointer moves on', () => {
    hear(7, 11, 8, 1, 1, 1, 1, 0, 0, 0, 0, 0);
    expect(seen[0].options).toEqual([7, 11, 12, 1, 1, 1, 1, 10, 0, 0, 2, 0]);
  });
  test('a full list stays as it is', () => {
    hear(7, 7, 8, 1, 1, 1, 1, 0);
    expect(seen[0].options).toEqual([7, 7, 8, 1, 1, 1, 1, 0]);
  });
});

describe('RFC 791 §3.1: time stamps', () => {
  test('of our own time alone', async () => {
    await sleep(pair.world, 1234);
    hear(0x44, 8, 5, 0, 0, 0, 0, 0);
    expect(seen[0].options).toEqual([0x44, 8, 9, 0, 0, 0, 4, 0xd2]);
  });
  test('a full list counts those that found no room', () => {
    hear(0x44, 8, 9, 0x20, 0, 0, 0, 1);
    expect(seen[0].options).toEqual([0x44, 8, 9, 0x30, 0, 0, 0, 1]);
  });
  test('of named hosts: only if we are the next', async () => {
    await sleep(pair.world, 7);
    hear(0x44, 12, 5, 3, 10, 0, 0, 9, 0, 0, 0, 0);
    hear(0x44, 12, 5, 3, 10, 0, 0, 2, 0, 0, 0, 0);
    expect(seen.map((s) => s.options.slice(2))).toEqual([[5, 3, 10, 0, 0, 9, 0, 0, 0, 0], [13, 3, 10, 0, 0, 2, 0, 0, 0, 7]]);
  });
});

describe('RFC 1122 §3.2.1.8, RFC 1812 §4.2.2.1: what is wrong is answered with a pointer to it', () => {
  test.each([
    ['a length beyond the header', [7, 40, 4, 0], 20], ['a length below 2', [7, 1, 4, 0], 20], ['a record route without pointer', [7, 2, 1, 1], 21],
    ['a pointer below 4', [7, 7, 3, 0, 0, 0, 0, 0], 22], ['a pointer into the last address', [7, 7, 5, 0, 0, 0, 0, 0], 22],
    ['a second record route', [7, 3, 4, 7, 3, 4, 0, 0], 23], ['a time stamp overflow of 15', [0x44, 4, 5, 0xf0], 23],
  ])('%s', async (_name, options, pointer) => {
    hear(...options);
    await sleep(pair.world, 1);
    expect(seen).toEqual([]);
    expect(wireOf(pair.ethB).sent.map(icmpOf)).toContainEqual({ type: 12, code: 0, info: pointer << 24 });
  });
  test('an unknown option is passed over', () => {
    hear(0x99, 4, 1, 2);
    expect(seen[0].options).toEqual([0x99, 4, 1, 2]);
  });
});

test('RFC 1122 §3.2.2.6: the answer to a source route goes back the same way', () => {
  pair.b.ipv4.devconfAll.acceptSourceRoute = 1;
  hear(0x83, 11, 12, 10, 0, 0, 7, 10, 0, 0, 8, 0);
  expect(seen[0].first).toBe('10.0.0.8');
  expect(seen[0].echo).toEqual([0x83, 11, 4, 10, 0, 0, 7, 10, 0, 0, 1, 0]);
});

test('RFC 791 §3.1: fragments after the first carry only options with the copied bit', async () => {
  inside(pair.a, () => devSetMtu(pair.ethA, 600));
  inside(pair.a, () => {
    const fl = pair.a.ipv4.flow;
    flowi4InitOutput(fl, 0, 0, 0, 0, 253, 0, inAton('10.0.0.2'), 0, 0, 0);
    const rt = ipRouteOutputFlow(pair.a, fl, null);
    if (typeof rt === 'number') throw new Error('no route');
    const skb = makePacket(pair.a, new Uint8Array(1000));
    skb.dst = rt;
    ipPushHeader(pair.a, skb, rt, fl.saddr, fl.daddr, 253, 0, 0, Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0, 0));
  });
  await sleep(pair.world, 1);
  const frames = wireOf(pair.ethA).sent.filter((f) => f[12] === 8 && f[13] === 0);
  expect(frames.map((f) => [...f.slice(34, 46)])).toEqual([
    [7, 7, 8, 10, 0, 0, 1, 0x94, 4, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 0x94, 4, 0, 0, 0],
  ]);
  expect(seen.length).toBe(1);
});
