import { consumeSkb, leakReport, NET_XMIT_CN, NET_XMIT_DROP, NET_XMIT_SUCCESS } from '@stack/skbuff';
import { beforeEach, describe, expect, test } from 'vitest';
import { devClose, unregisterNetdevice } from './dev.ts';
import { devChangeTxQueueLen, devReplaceQdisc } from './dev-config.ts';
import { devQueueXmit } from './dev-xmit.ts';
import type { NetDevice } from './netdevice.ts';
import { pfifoFastOps, pfifoOps, prio2band, registerQdisc } from './sch-fifo.ts';
import { netifStopQueue, netifWakeQueue } from './sch-generic.ts';
import { cardOf, inside, makeDev, makeFrame, makeNet } from './test-support.ts';

let dev: NetDevice;

beforeEach(() => {
  dev = makeDev(makeNet());
  return () => {
    unregisterNetdevice(dev);
    expect(leakReport(dev.net.world)).toEqual([]);
  };
});

function xmit(tag: number, priority = 0): number {
  const skb = makeFrame(dev, tag);
  skb.priority = priority;
  return devQueueXmit(skb);
}

function wake(): void {
  inside(dev.net, () => netifWakeQueue(dev));
}

describe('pfifo_fast', () => {
  test('an idle empty queue is bypassed: the driver has the packet when dev_queue_xmit returns', () => {
    expect(xmit(1)).toBe(NET_XMIT_SUCCESS);
    expect(cardOf(dev).sent).toEqual(['1']);
    expect(dev.qdisc.packets).toBe(1);
  });

  test('tc-pfifo_fast(8): band 0 goes first, each band in order', () => {
    netifStopQueue(dev);
    const priorities = [0, 2, 6, 0, 7, 1, 6];
    priorities.forEach((priority, tag) => xmit(tag, priority));
    expect(dev.qdisc.qlen).toBe(7);
    wake();
    const order = priorities.map((priority, tag) => ({ tag, band: prio2band[priority]! })).sort((a, b) => a.band - b.band);
    expect(cardOf(dev).sent.map((sent) => parseInt(sent))).toEqual(order.map(({ tag }) => tag));
    expect([dev.qdisc.qlen, dev.qdisc.backlog]).toEqual([0, 0]);
  });

  test('the map of priorities is the documented one', () => {
    expect(prio2band).toEqual([1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test('a full band drops, counts, and says NET_XMIT_DROP; the others have room', () => {
    devChangeTxQueueLen(dev, 2);
    netifStopQueue(dev);
    expect([xmit(1), xmit(2), xmit(3), xmit(4, 6)]).toEqual([NET_XMIT_SUCCESS, NET_XMIT_SUCCESS, NET_XMIT_DROP, NET_XMIT_SUCCESS]);
    expect([dev.qdisc.drops, dev.stats.txDropped, dev.qdisc.qlen]).toEqual([1, 1, 3]);
    wake();
    expect(cardOf(dev).sent.map((sent) => parseInt(sent))).toEqual([4, 1, 2]);
  });

  test('peek shows what dequeue would give', () => {
    netifStopQueue(dev);
    xmit(1);
    xmit(2, 6);
    const q = dev.qdisc;
    const peeked = q.ops.peek(q);
    expect(peeked).not.toBeNull();
    expect(q.qlen).toBe(2);
    wake();
    expect(cardOf(dev).sent.map((sent) => parseInt(sent))).toEqual([2, 1]);
  });
});

describe('back-pressure', () => {
  test('NETDEV_TX_BUSY: the packet is requeued and goes first when the queue is woken', () => {
    const card = cardOf(dev);
    card.room = 2;
    for (const tag of [1, 2, 3, 4, 5]) expect(xmit(tag)).toBe(NET_XMIT_SUCCESS);
    expect(card.sent).toEqual(['1', '2']);
    expect([dev.qdisc.requeues, dev.qdisc.qlen]).toEqual([1, 3]);
    card.room = Infinity;
    xmit(6, 6);
    wake();
    expect(card.sent.map((sent) => parseInt(sent))).toEqual([1, 2, 3, 6, 4, 5]);
  });

  test('a batch that the driver takes half of keeps its order', () => {
    const card = cardOf(dev);
    netifStopQueue(dev);
    for (let tag = 0; tag < 12; tag++) xmit(tag);
    card.room = 3;
    wake();
    expect(card.sent.map((sent) => parseInt(sent))).toEqual([0, 1, 2]);
    expect(dev.qdisc.qlen).toBe(9);
    card.room = 2;
    wake();
    expect(dev.qdisc.qlen).toBe(7);
    card.room = Infinity;
    wake();
    expect(card.sent.map((sent) => parseInt(sent))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect([dev.qdisc.qlen, dev.qdisc.backlog]).toEqual([0, 0]);
  });

  test('within a batch the driver knows that more comes, and that the last is the last', () => {
    netifStopQueue(dev);
    for (let tag = 0; tag < 3; tag++) xmit(tag);
    wake();
    expect(cardOf(dev).sent).toEqual(['0+', '1+', '2']);
  });

  test('waking never transmits in the stack of who wakes', () => {
    netifStopQueue(dev);
    xmit(1);
    inside(dev.net, () => {
      netifWakeQueue(dev);
      expect(cardOf(dev).sent).toEqual([]);
    });
    expect(cardOf(dev).sent).toEqual(['1']);
  });

  test('a driver that is woken while it transmits is not entered again', () => {
    let depth = 0;
    let deepest = 0;
    const greedy = makeDev(dev.net, {
      ndoStartXmit: (skb, self) => {
        depth++;
        deepest = Math.max(deepest, depth);
        if (cardOf(self).sent.length < 4) devQueueXmit(makeFrame(self, 0));
        depth--;
        cardOf(self).sent.push('x');
        consumeSkb(skb);
        return 0;
      },
    });
    inside(dev.net, () => devQueueXmit(makeFrame(greedy, 0)));
    expect(deepest).toBe(1);
    expect(cardOf(greedy).sent.length).toBe(5);
  });
});

describe('qdiscs of a device', () => {
  test('a device that is down has noop: NET_XMIT_CN, counted', () => {
    devClose(dev);
    expect(xmit(1)).toBe(NET_XMIT_CN);
    expect(dev.stats.txDropped).toBe(1);
  });

  test('going down frees what is queued', () => {
    netifStopQueue(dev);
    xmit(1);
    xmit(2);
    const q = dev.qdisc;
    devClose(dev);
    expect([q.qlen, q.backlog]).toEqual([0, 0]);
    expect(leakReport(dev.net.world)).toEqual([]);
  });

  test('another discipline can take its place', () => {
    netifStopQueue(dev);
    xmit(1);
    const q = devReplaceQdisc(dev, pfifoOps)!;
    expect(dev.qdisc).toBe(q);
    xmit(2);
    xmit(3, 6);
    wake();
    expect(cardOf(dev).sent.map((sent) => parseInt(sent))).toEqual([2, 3]);
  });

  test('an id can be registered once', () => {
    expect(registerQdisc(dev.net, { ...pfifoFastOps, id: 'mine' })).toBe(0);
    expect(registerQdisc(dev.net, { ...pfifoFastOps, id: 'mine' })).toBeLessThan(0);
  });
});
