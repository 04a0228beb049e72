import { describe, expect, test } from 'vitest';
import { addWaitQueue, addWaitQueueExclusive, EPOLLIN, EPOLLOUT, removeWaitQueue, WaitQueueEntry, WaitQueueHead, waitqueueActive, wakeUp, wakeUpAll } from './wait.ts';
import { createWorld } from './world.ts';

interface Rig {
  head: WaitQueueHead;
  log: string[];
  entry: (name: string, mask?: number) => WaitQueueEntry;
}

function rig(): Rig {
  const world = createWorld();
  const head = new WaitQueueHead();
  const log: string[] = [];
  const entry = (name: string, mask = 0): WaitQueueEntry =>
    new WaitQueueEntry(world, (e, key) => {
      if (mask !== 0 && key !== 0 && (key & mask) === 0) return 0;
      log.push(e.data as string);
      return 1;
    }, name);
  return { head, log, entry };
}

describe('wait queues', () => {
  test('a wake-up calls all that are not exclusive, and of the exclusive ones the one that waits longest', () => {
    const { head, log, entry } = rig();
    addWaitQueueExclusive(head, entry('x1'));
    addWaitQueue(head, entry('a'));
    addWaitQueueExclusive(head, entry('x2'));
    addWaitQueue(head, entry('b'));
    expect(wakeUp(head)).toBe(3);
    expect(log).toEqual(['b', 'a', 'x1']);
    expect(wakeUpAll(head)).toBe(4);
  });

  test('an exclusive entry that the key is not for does not use the wake-up up', () => {
    const { head, log, entry } = rig();
    addWaitQueueExclusive(head, entry('reader', EPOLLIN));
    addWaitQueueExclusive(head, entry('writer', EPOLLOUT));
    expect(wakeUp(head, EPOLLOUT)).toBe(1);
    expect(log).toEqual(['writer']);
  });

  test('an entry may remove itself; it records when it was woken', () => {
    const { head } = rig();
    const world = createWorld();
    const once = new WaitQueueEntry(world, (e) => {
      removeWaitQueue(e);
      return 1;
    }, null);
    const other = new WaitQueueEntry(world, () => 1, null);
    addWaitQueue(head, other);
    addWaitQueue(head, once);
    expect(once.wokenAt).toBe(-1);
    expect([wakeUp(head), wakeUp(head)]).toEqual([2, 1]);
    expect([once.wokenAt, once.head, waitqueueActive(head)]).toEqual([0, null, true]);
    removeWaitQueue(once);
    removeWaitQueue(other);
    expect(waitqueueActive(head)).toBe(false);
    expect([head.first, head.last]).toEqual([null, null]);
  });

  test('a negative answer ends the wake-up', () => {
    const { head, log, entry } = rig();
    addWaitQueue(head, entry('behind'));
    addWaitQueue(head, new WaitQueueEntry(createWorld(), () => -1, null));
    expect(wakeUp(head)).toBe(0);
    expect(log).toEqual([]);
  });

  test('removing the next entry from within a wake-up is a broken invariant, and so is queueing one twice', () => {
    const { head, entry } = rig();
    const victim = entry('victim');
    addWaitQueue(head, victim);
    expect(() => addWaitQueue(head, victim)).toThrow('on a queue');
    expect(() => addWaitQueueExclusive(head, victim)).toThrow('on a queue');
    addWaitQueue(head, new WaitQueueEntry(createWorld(), () => (removeWaitQueue(victim), 1), null));
    expect(() => wakeUp(head)).toThrow('removed by another');
  });
});
