import { NET_XMIT_SUCCESS, kfreeSkb, skbDequeue, type SkBuff, type SkBuffHead } from '@stack/skbuff';
import { describe, expect, test } from 'vitest';
import { qdiscContract } from './contract-qdisc.ts';
import type { Qdisc, QdiscOps } from './netdevice.ts';
import { pfifoFastOps, pfifoOps } from './sch-fifo.ts';
import { fqOps } from './sch-fq.ts';
import { makeDev, makeNet } from './test-support.ts';

describe.each([pfifoFastOps, pfifoOps, fqOps].map((ops) => [ops.id, ops] as const))('the contract on %s', (_id, ops) => {
  for (const { name, run } of qdiscContract) test(name, () => run(() => ({ ops, dev: makeDev(makeNet()) })));
});

/** Loses every seventh packet. */
function loseSome(skb: SkBuff, q: Qdisc): number {
  if (q.qlen % 7 !== 6) return pfifoOps.enqueue!(skb, q);
  kfreeSkb(skb);
  return NET_XMIT_SUCCESS;
}

function takeAll(skb: SkBuff, q: Qdisc): number {
  q.limit = Infinity;
  return pfifoOps.enqueue!(skb, q);
}

describe('the contract finds what is broken', () => {
  const broken: [string, Partial<QdiscOps>][] = [
    ['comes out once', { dequeue: () => null }],
    ['that dequeue gives next', { peek: (q) => (q.priv as SkBuffHead).prev }],
    ['lost without being counted', { enqueue: loseSome }],
    ['a full one drops', { enqueue: takeAll }],
    ['reset frees all', { reset: (q) => kfreeSkb(skbDequeue(q.priv as SkBuffHead)!) }],
  ];
  test.each(broken)('%s', (name, change) => {
    const rule = qdiscContract.find((one) => one.name.includes(name));
    expect(() => rule?.run(() => ({ ops: { ...pfifoOps, id: 'broken', ...change }, dev: makeDev(makeNet()) }))).toThrow();
  });
});
