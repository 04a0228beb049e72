import fc from 'fast-check';
import { SKB_DROP_REASON_SOCKET_CLOSE } from '@stack/kernel';
import { describe, expect, it } from 'vitest';
import type { SkBuff } from './index.ts';
import {
  SkBuffHead, __skbDequeue, __skbDequeueTail, __skbQueueHead, __skbQueueTail, allocSkb, consumeSkb, skbAppend,
  skbDequeue, skbDequeueTail, skbPeek, skbPeekNext, skbPeekTail, skbQueueAfter, skbQueueBefore, skbQueueEmpty,
  skbQueueHead, skbQueueHeadInit, skbQueueIsFirst, skbQueueIsLast, skbQueueLen, skbQueuePurge, skbQueuePurgeReason,
  skbQueueSpliceInit, skbQueueSpliceTailInit, skbQueueTail, skbUnlink,
} from './index.ts';
import { expectNoLeak, makeNet, must } from './test-support.ts';

/** What is on the queue, read forward; throws when backward links, owners or qlen disagree. */
function contents(list: SkBuffHead): SkBuff[] {
  const out: SkBuff[] = [];
  let prev: SkBuff | null = null;
  for (let skb = list.next; skb !== null; skb = skb.next) {
    if (skb.prev !== prev || skb.list !== list) throw new Error('broken link');
    out.push(skb);
    prev = skb;
  }
  if (list.prev !== prev || list.qlen !== out.length) throw new Error('broken head');
  return out;
}

const operation = fc.record({ what: fc.nat(13), at: fc.nat(100), side: fc.nat(1) });

describe('sk_buff queues', () => {
  it('behave as arrays under any sequence of operations', () => {
    fc.assert(fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const net = makeNet();
      const lists = [new SkBuffHead(), new SkBuffHead()];
      const models: SkBuff[][] = [[], []];
      for (const { what, at, side } of operations) {
        const list = lists[side]!;
        const model = models[side]!;
        const some = model.length === 0 ? null : model[at % model.length]!;
        const index = some === null ? 0 : model.indexOf(some);
        const fresh = (): SkBuff => must(allocSkb(net, 1));
        const removed = (skb: SkBuff | null, expected: SkBuff | undefined): void => {
          expect(skb).toBe(expected ?? null);
          consumeSkb(skb);
        };
        const insert = (position: number, put: (skb: SkBuff) => void): void => {
          const skb = fresh();
          put(skb);
          model.splice(position, 0, skb);
        };
        const steps: (() => void)[] = [
          () => insert(0, (skb) => skbQueueHead(list, skb)),
          () => insert(model.length, (skb) => skbQueueTail(list, skb)),
          () => insert(0, (skb) => __skbQueueHead(list, skb)),
          () => insert(model.length, (skb) => __skbQueueTail(list, skb)),
          () => insert(some === null ? 0 : index + 1, (skb) => skbQueueAfter(list, some, skb)),
          () => insert(some === null ? model.length : index, (skb) => skbQueueBefore(list, some, skb)),
          () => some !== null && insert(index + 1, (skb) => skbAppend(some, skb, list)),
          () => removed(skbDequeue(list), model.shift()),
          () => removed(skbDequeueTail(list), model.pop()),
          () => removed(__skbDequeue(list), model.shift()),
          () => removed(__skbDequeueTail(list), model.pop()),
          () => {
            if (some === null) return;
            skbUnlink(some, list);
            removed(some, model.splice(index, 1)[0]);
          },
          () => {
            skbQueueSpliceInit(list, lists[1 - side]!);
            models[1 - side]!.unshift(...model.splice(0));
          },
          () => {
            skbQueueSpliceTailInit(list, lists[1 - side]!);
            models[1 - side]!.push(...model.splice(0));
          },
        ];
        steps[what]!();
        for (const i of [0, 1]) expect(contents(lists[i]!)).toEqual(models[i]);
      }
      lists.forEach(skbQueuePurge);
      expectNoLeak(net);
    }), { numRuns: 200 });
  });

  it('peeks leave the packets where they are', () => {
    const net = makeNet();
    const list = new SkBuffHead();
    expect([skbPeek(list), skbPeekTail(list), skbQueueEmpty(list), skbQueueLen(list)]).toEqual([null, null, true, 0]);
    const [a, b] = [must(allocSkb(net, 1)), must(allocSkb(net, 1))];
    skbQueueTail(list, a);
    skbQueueTail(list, b);
    expect([skbPeek(list), skbPeekTail(list), skbPeekNext(a), skbPeekNext(b)]).toEqual([a, b, b, null]);
    expect([skbQueueIsFirst(list, a), skbQueueIsLast(list, a), skbQueueIsLast(list, b)]).toEqual([true, false, true]);
    expect([skbQueueEmpty(list), skbQueueLen(list)]).toEqual([false, 2]);
    skbQueuePurge(list);
    skbQueueHeadInit(list);
    expectNoLeak(net);
  });

  it('purging for a reason counts drops', () => {
    const net = makeNet();
    const list = new SkBuffHead();
    skbQueueTail(list, must(allocSkb(net, 1)));
    skbQueueTail(list, must(allocSkb(net, 1)));
    skbQueuePurgeReason(list, SKB_DROP_REASON_SOCKET_CLOSE);
    expect([net.dropReasons[SKB_DROP_REASON_SOCKET_CLOSE], list.qlen]).toEqual([2, 0]);
    expectNoLeak(net);
  });

  it('a packet is on one queue at a time, and taken only from that', () => {
    const net = makeNet();
    const [a, b] = [new SkBuffHead(), new SkBuffHead()];
    const skb = must(allocSkb(net, 1));
    skbQueueTail(a, skb);
    expect(() => skbQueueTail(b, skb)).toThrow('is on a queue already');
    expect(() => skbQueueHead(a, skb)).toThrow('is on a queue already');
    expect(() => skbUnlink(skb, b)).toThrow('is not on this queue');
    skbQueuePurge(a);
    expectNoLeak(net);
  });
});
