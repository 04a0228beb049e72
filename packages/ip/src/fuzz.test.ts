/*
 * Bytes of any kind: nothing that comes off a wire may panic a host, leak, or get past a check.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Random, randomBelow, randomU32, sleep } from '@stack/kernel';
import { consumeSkb } from '@stack/skbuff';
import { IpOptions, ipOptionsCompile, optionLength } from './ip-options.ts';
import { inetAddProtocol } from './protocol.ts';
import { echoRequest, finish, fixChecksum, ipFrame, makeCard, makePair, receive } from './test-host.ts';
import type { Pair } from './test-host.ts';

let pair: Pair;
beforeEach(() => {
  pair = makePair();
  pair.b.ipv4.devconfAll.forwarding = 1;
  if (pair.ethB.ipPtr !== null) pair.ethB.ipPtr.cnf.forwarding = 1;
  pair.b.ipv4.devconfAll.acceptSourceRoute = 1;
  makeCard(pair.b, '10.1.0.254/24');
});
afterEach(() => finish(pair.world));

const KINDS = [1, 1, 1, 6, 17, 253];
const ADDRS = ['10.0.0.1', '10.0.0.2', '10.0.0.255', '10.1.0.9', '10.1.0.254', '224.0.0.1', '255.255.255.255', '127.0.0.1', '0.0.0.0', '9.9.9.9'];

function bytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => randomU32(random));
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[randomBelow(random, from.length)];
}

/** A frame that is right in most things, so that it gets far. */
function nearlyRight(random: Random): Uint8Array {
  const optlen = randomBelow(random, 3) === 0 ? randomBelow(random, 11) * 4 : 0;
  const options = bytes(random, optlen);
  if (optlen >= 4 && randomBelow(random, 2) === 0) options.set([pick(random, [7, 0x44, 0x83, 0x89, 0x94]), 1 + randomBelow(random, optlen), randomBelow(random, 12)]);
  const frame = ipFrame(pair.ethB, {
    saddr: pick(random, ADDRS), daddr: pick(random, ADDRS), protocol: pick(random, KINDS), ttl: randomBelow(random, 4), tos: randomU32(random) & 255,
    id: randomBelow(random, 3), fragOff: randomBelow(random, 3) === 0 ? (randomBelow(random, 4) << 13) | randomBelow(random, 9) : 0, options,
    payload: randomBelow(random, 2) === 0 ? echoRequest(bytes(random, randomBelow(random, 80))) : bytes(random, randomBelow(random, 1400)),
  });
  for (let flips = randomBelow(random, 3); flips > 0; flips--) frame[14 + randomBelow(random, frame.length - 14)] ^= 1 << randomBelow(random, 8);
  if (randomBelow(random, 4) > 0 && (frame[14] & 15) >= 5 && frame.length >= 14 + ((frame[14] & 15) << 2)) fixChecksum(frame);
  return randomBelow(random, 8) === 0 ? frame.slice(0, 14 + randomBelow(random, frame.length - 13)) : frame;
}

function garbage(random: Random): Uint8Array {
  const frame = bytes(random, 14 + randomBelow(random, 120));
  frame.set(pair.ethB.devAddr);
  frame[12] = 8;
  frame[13] = pick(random, [0, 6]);
  return frame;
}

test.each([1, 2, 3])('seed %i: thousands of broken packets', async (seed) => {
  const random = new Random(seed);
  inetAddProtocol(pair.b, { handler: (skb) => { consumeSkb(skb); return 0; }, errHandler: () => 0, flags: 0 }, 253);
  for (let i = 0; i < 1500; i++) {
    receive(pair.ethB, randomBelow(random, 4) === 0 ? garbage(random) : nearlyRight(random));
    if (i % 100 === 0) await sleep(pair.world, randomBelow(random, 2000));
  }
  await sleep(pair.world, 40_000);
  expect(pair.world.panics).toEqual([]);
  expect(pair.b.ipv4.frags.nqueues).toBe(0);
  expect(pair.b.ipv4.frags.mem).toBe(0);
});

test('options of any kind: an error points into them, and nothing is written outside', () => {
  const random = new Random(9);
  const opt = new IpOptions();
  for (let i = 0; i < 4000; i++) {
    const optlen = randomBelow(random, 11) * 4;
    const header = bytes(random, 20 + optlen + 8);
    if (optlen > 0) header.set([pick(random, [7, 0x44, 0x83, 0x89, 0x94, 1, 0]), randomBelow(random, optlen + 2), randomBelow(random, optlen + 4)], 20);
    const before = header.slice();
    const result = ipOptionsCompile(pair.b, new DataView(header.buffer), 0, optlen, 0x0a000002, opt);
    expect([...header.slice(0, 20), ...header.slice(20 + optlen)]).toEqual([...before.slice(0, 20), ...before.slice(20 + optlen)]);
    if (result !== 0) {
      expect(opt.error).toBeGreaterThanOrEqual(20);
      expect(opt.error).toBeLessThan(20 + optlen + 3);
    }
  }
  expect(optionLength(new DataView(new ArrayBuffer(4)), 0, 1)).toBe(1);
});
