import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import {
  PAGE_CLASS_SIZES, allocPage, allocSkb, getPage, installSkbuff, kfreeSkb, pageOf, putPage, registerPage,
  skbAddRxFrag, skbCopyBits,
} from './index.ts';
import { expectNoLeak, makeNet, must } from './test-support.ts';

let net: Net;
beforeEach(() => {
  net = makeNet();
});
afterEach(() => expectNoLeak(net));

describe('pages', () => {
  it('(number, offset) is an address of a byte', () => {
    const page = must(allocPage(net, 100));
    page.buf[page.base + 5] = 9;
    expect(pageOf(net.world.pool, page.no).buf[page.base + 5]).toBe(9);
    expect(page.view.getUint8(page.base + 5)).toBe(9);
    putPage(page);
  });

  it('return to the pool with the last reference, and no later', () => {
    const page = must(allocPage(net, 100));
    getPage(page);
    putPage(page);
    expect(must(allocPage(net, 100))).not.toBe(page);
    putPage(page);
    const again = must(allocPage(net, 100));
    expect(again).toBe(page);
    putPage(again);
    expect(() => putPage(page)).toThrow('is free already');
    page.refs = 0;
    putPage(pageOf(net.world.pool, page.no + 1));
  });

  it.each(PAGE_CLASS_SIZES.map((size, i) => [size, i] as const))('of %i bytes come from class %i', (size, pageClass) => {
    const page = must(allocPage(net, size));
    expect([page.size, page.pageClass]).toEqual([size, pageClass]);
    putPage(page);
  });

  it('larger than any slot have memory of their own, and give back number and bytes', () => {
    const bytes = net.world.pool.bytes;
    const page = must(allocPage(net, 100000));
    expect(net.world.pool.bytes).toBe(bytes + 100000);
    const no = page.no;
    putPage(page);
    expect(net.world.pool.bytes).toBe(bytes);
    expect(() => pageOf(net.world.pool, no)).toThrow('no page');
    const next = must(allocPage(net, 100001));
    expect(next.no).toBe(no);
    putPage(next);
  });

  it('a slab is added when all slots are in use, the old ones staying valid', () => {
    const first = must(allocPage(net, 66560));
    first.buf[first.base] = 1;
    const perSlab = net.world.pool.classes[first.pageClass]!.nrPages;
    const rest = Array.from({ length: perSlab }, () => must(allocPage(net, 66560)));
    expect(rest.at(-1)!.buf).not.toBe(first.buf);
    expect(first.buf[first.base]).toBe(1);
    [first, ...rest].forEach(putPage);
  });

  it('slabs are added as long as the limit allows, none larger than 4 MiB', () => {
    const pool = net.world.pool;
    const largest = PAGE_CLASS_SIZES.at(-1)!;
    const pageClass = pool.classes.at(-1)!;
    const pages = Array.from({ length: Math.ceil((64 << 20) / largest) }, () => must(allocPage(net, largest)));
    expect(pageClass.nrSlabs).toBeGreaterThan(16);
    expect(Math.max(...pages.map((page) => page.buf.length))).toBeLessThanOrEqual(4 << 20);
    pages.forEach(putPage);
    expect(pageClass.nrFree).toBe(pageClass.nrPages);
  });
});

describe('registered user memory', () => {
  it('is a page at its own offset, and never goes to a free list', () => {
    const user = new Uint8Array(new ArrayBuffer(100), 10, 50).fill(7);
    const page = registerPage(net, user);
    expect([page.base, page.size, page.buf[10], page.buf.length]).toEqual([10, 50, 7, 100]);
    const skb = must(allocSkb(net, 10));
    skbAddRxFrag(skb, 0, page, page.base + 2, 5, 5);
    user[2] = 99;
    const out = new Uint8Array(5);
    skbCopyBits(skb, 0, out, 0, 5);
    expect([...out]).toEqual([99, 7, 7, 7, 7]);
    net.world.pool.debug!.pages.delete(page);
    kfreeSkb(skb);
    expect([page.refs, net.world.pool.pages[page.no]]).toEqual([0, null]);
  });
});

describe('installSkbuff', () => {
  it('called again returns the same pool', () => {
    expect(installSkbuff(net.world)).toBe(net.world.pool);
  });
});
