import { addWaitQueue, ECONNRESET, EPIPE, WaitQueueEntry } from '@stack/kernel';
import { getPage, leakReport, putPage } from '@stack/skbuff';
import { expect, test } from 'vitest';
import { exitTask } from './exit.ts';
import { skPageFrag, skPageFragRefill, skStreamError, skStreamIsWriteable, skStreamMemoryFree, skStreamWriteSpace } from './stream.ts';
import { testHost, testPair, testSock } from './test-rig.ts';

test('a stream may queue until skSndbuf is full, and wakes writers when a third of what is in use is free', () => {
  const host = testHost();
  const [fd] = testPair(host);
  const sk = testSock(host, fd);
  let woken = 0;
  addWaitQueue(sk.skWq!, new WaitQueueEntry(host.world, () => ++woken, null));
  sk.skSndbuf = 3000;
  sk.skWmemQueued = 2999;
  expect([skStreamMemoryFree(sk), skStreamIsWriteable(sk)]).toEqual([true, false]);
  sk.skWmemQueued = 3000;
  expect(skStreamMemoryFree(sk)).toBe(false);
  sk.skWmemQueued = 2001;
  skStreamWriteSpace(sk);
  expect([skStreamIsWriteable(sk), woken]).toEqual([false, 0]);
  sk.skWmemQueued = 2000;
  skStreamWriteSpace(sk);
  expect([skStreamIsWriteable(sk), woken]).toEqual([true, 1]);
});

test('-EPIPE gives way to the error that caused it', () => {
  const host = testHost();
  const sk = testSock(host, testPair(host)[0]);
  expect(skStreamError(sk, -EPIPE)).toBe(-EPIPE);
  sk.skErr = ECONNRESET;
  expect(skStreamError(sk, -EPIPE)).toBe(-ECONNRESET);
  expect(skStreamError(sk, -EPIPE)).toBe(-EPIPE);
});

test('the page that sendmsg copies into is used up, then another taken; one that only we hold is used from its start again', () => {
  const host = testHost();
  const sk = testSock(host, testPair(host)[0]);
  const frag = skPageFrag(sk);
  expect(skPageFragRefill(sk, frag)).toBe(true);
  const page = frag.page!;
  expect([frag.offset, frag.size]).toEqual([page.base, page.base + page.size]);
  getPage(page); // as a fragment does
  frag.offset += 100;
  skPageFragRefill(sk, frag);
  expect([frag.page, frag.offset]).toEqual([page, page.base + 100]);
  frag.offset = frag.size - 31;
  skPageFragRefill(sk, frag);
  expect(frag.page).not.toBe(page);
  putPage(page);
  frag.offset += 5000;
  skPageFragRefill(sk, frag);
  expect(frag.offset).toBe(frag.page!.base);
  exitTask(host.task);
  host.net.exits.at(0)?.(host.net);
  expect(leakReport(host.world)).toEqual([]);
});
