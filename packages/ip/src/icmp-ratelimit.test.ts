import { afterEach, beforeEach, expect, test } from 'vitest';
import { sleep, snmpSnapshot } from '@stack/kernel';
import { finish, icmpOf, ipFrame, makePair, receive, wireOf } from './test-host.ts';
import type { Pair } from './test-host.ts';
import { ipNeighAdd } from './ip-neigh.ts';

let pair: Pair;
beforeEach(() => {
  pair = makePair();
});
afterEach(() => finish(pair.world));

/** A packet of a protocol that b does not have, from saddr. */
function provoke(saddr: string): void {
  receive(pair.ethB, ipFrame(pair.ethB, { saddr, daddr: '10.0.0.2', protocol: 200, payload: new Uint8Array(8) }));
}
const errors = (): number => wireOf(pair.ethB).sent.map(icmpOf).filter((m) => m !== null && m.type === 3).length;
const counter = (name: string): number => snmpSnapshot(pair.b)[name];

test('RFC 1812 §4.3.2.8: six errors at once to one host, then one a second (icmp_ratelimit)', async () => {
  ipNeighAdd(pair.b, { dst: '10.0.0.1', dev: 'eth0', lladdr: '02:00:00:00:00:01' });
  for (let i = 0; i < 20; i++) provoke('10.0.0.1');
  await sleep(pair.world, 1);
  expect(errors()).toBe(6);
  expect(counter('IcmpOutRateLimitHost')).toBeGreaterThan(0);
  await sleep(pair.world, 1000);
  provoke('10.0.0.1');
  provoke('10.0.0.1');
  await sleep(pair.world, 1);
  expect(errors()).toBe(7);
});

test('icmp_msgs_per_sec and icmp_msgs_burst limit errors to all hosts together', async () => {
  for (let i = 3; i < 103; i++) {
    ipNeighAdd(pair.b, { dst: `10.0.0.${i}`, dev: 'eth0', lladdr: '02:00:00:00:00:01' });
    provoke(`10.0.0.${i}`);
  }
  await sleep(pair.world, 1);
  expect(errors()).toBeLessThanOrEqual(50);
  expect(errors()).toBeGreaterThan(20);
  expect(counter('IcmpOutRateLimitGlobal')).toBeGreaterThan(0);
});

test('icmp_ratemask: types that are not in it are not limited', async () => {
  ipNeighAdd(pair.b, { dst: '10.0.0.1', dev: 'eth0', lladdr: '02:00:00:00:00:01' });
  pair.b.ipv4.sysctlIcmpRatemask = 0;
  for (let i = 0; i < 20; i++) provoke('10.0.0.1');
  await sleep(pair.world, 1);
  expect(errors()).toBe(20);
});
