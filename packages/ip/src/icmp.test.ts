import { expect, test } from 'vitest';
import { sleep } from '@stack/kernel';
import { echoRequest, finish, icmpOf, makePair, sendIp, wireOf } from './test-host.ts';

test('RFC 1122 §3.2.2.6: an echo request is answered with its own data', async () => {
  const { world, a, ethB } = makePair();
  const data = Uint8Array.from({ length: 56 }, (_v, i) => i);
  expect(sendIp(a, '10.0.0.2', 1, echoRequest(data))).toBe(0);
  await sleep(world, 1);
  const reply = wireOf(ethB).sent.find((frame) => icmpOf(frame) !== null);
  expect(reply).toBeDefined();
  if (reply === undefined) return;
  expect(icmpOf(reply)?.type).toBe(0);
  expect([...reply.slice(42, 98)]).toEqual([...data]);
  await finish(world);
});
