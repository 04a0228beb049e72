import { allocSkb, kfreeSkb } from '@stack/skbuff';
import { TCP_CLOSE, sysClose } from '@stack/socket';
import { expect, test } from 'vitest';
import { TSQF_THROTTLED, tcpSkbSetOwnerW } from './tcp-output-tsq.ts';
import { scriptServer } from './testing/script.ts';

test('a throttled sock that is gone but for its packets below goes with the last of them, and does not come back', async () => {
  const s = await scriptServer();
  const { sk } = s;
  const below = [1, 2].map(() => allocSkb(s.host.net, 100)!);
  for (const skb of below) tcpSkbSetOwnerW(skb, sk);
  sk.tsqFlags |= TSQF_THROTTLED;
  s.give('R 1');
  await sysClose(s.host.task, s.fd);
  expect([sk.skState, sk.skRefcnt]).toEqual([TCP_CLOSE, 0]);
  expect(sk.skWmemAlloc).toBeGreaterThan(0);
  kfreeSkb(below[0]!);
  expect(sk.skRefcnt).toBe(0);
  kfreeSkb(below[1]!);
  expect([sk.skRefcnt, sk.skWmemAlloc]).toEqual([0, 0]);
  s.end();
});
