import { describe, expect, test } from 'vitest';
import { headerContract } from './contract-header.ts';
import { ethHeader, ethHeaderCache, ethHeaderOps, ethHeaderOpsNoCache } from './eth.ts';
import type { HeaderOps, NetDevice } from './netdevice.ts';
import { makeDev, makeNet } from './test-support.ts';

function makeWith(ops: HeaderOps): () => NetDevice {
  return () => {
    const dev = makeDev(makeNet());
    dev.headerOps = ops;
    return dev;
  };
}

describe.each([['Ethernet', ethHeaderOps], ['Ethernet without a cache', ethHeaderOpsNoCache]])('the contract on %s', (_what, ops) => {
  for (const { name, run } of headerContract) test(name, () => run(makeWith(ops)));
});

describe('the contract finds what is broken', () => {
  const broken: [string, Partial<HeaderOps>][] = [
    ['create returns', { create: (...args) => ethHeader(...args) - 1 }],
    ['without destination', { create: (...args) => Math.abs(ethHeader(...args)) }],
    ['a source of null', { create: (skb, dev, type, daddr, saddr, len) => ethHeader(skb, dev, type, daddr, saddr ?? new Uint8Array(6), len) }],
    ['another sender', { parse: () => 6 }],
    ['both null', { cacheUpdate: null }],
    ['the cached header', { cache: (hh, dev, type, daddr) => ethHeaderCache(hh, dev, type + 1, daddr) }],
    ['after cacheUpdate', { cacheUpdate: () => undefined }],
  ];
  test.each(broken)('%s', (message, change) => {
    const runAll = () => headerContract.forEach(({ run }) => run(makeWith({ ...ethHeaderOps, ...change })));
    expect(runAll).toThrow(message);
  });
});
