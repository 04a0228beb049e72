import { expect, test } from 'vitest';
import type { TcpSock } from './tcp-sock.ts';
import { skRethinkTxhash, skSetTxhash } from './tcp-txhash.ts';

test('sk_rethink_txhash: each time another hash, never none; a sock without one stays so', () => {
  const sk = { skTxhash: 0 } as TcpSock;
  expect([skRethinkTxhash(sk), sk.skTxhash]).toEqual([false, 0]);
  skSetTxhash(sk, 0);
  const seen = new Set<number>([0, sk.skTxhash]);
  for (let i = 0; i < 100; i++) {
    expect(skRethinkTxhash(sk)).toBe(true);
    seen.add(sk.skTxhash);
  }
  expect(seen.size).toBe(102);
});
