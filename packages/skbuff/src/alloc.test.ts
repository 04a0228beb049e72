import type { PanicReport, TraceRecord } from '@stack/kernel';
import {
  SKB_DROP_REASON_NO_SOCKET, SKB_DROP_REASON_NOT_SPECIFIED, createNet, createWorld, formatOpen, idle, netPanic, openReport, traceNet,
} from '@stack/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import type { DstOps, SkBuff } from './index.ts';
import {
  DstEntry, NfConntrack, SKB_OVERHEAD, SKB_TRUESIZE, SkBuffHead, UbufInfo, allocPage, allocSkb, allocSkbWithFrags,
  buildSkb, consumeSkb, consumeSkbList, getPage, installSkbuff, kfreeSkb, kfreeSkbListReason, kfreeSkbReason,
  leakReport, nfReset, putPage, skbClone, skbDstSet, skbGet, skbOrphan, skbPut, skbQueueTail, skbShared, skbStoreBits,
} from './index.ts';
import { addFrag, changedFields, expectNoLeak, flatten, makeNet, must } from './test-support.ts';

let net: Net;
beforeEach(() => {
  net = makeNet();
});
afterEach(() => expectNoLeak(net));

const noop = (): number => 0;
const dstOps: DstOps = {
  family: 2,
  check: (dst) => dst,
  negativeAdvice: noop,
  linkFailure: noop,
  updatePmtu: noop,
  redirect: noop,
  mtu: () => 1500,
  defaultAdvmss: () => 1460,
  destroy: (dst) => {
    dst.flags = -1;
  },
};

describe('alloc_skb', () => {
  it('chapter §1: head, data and tail at the start, end at the end, one reference', () => {
    const skb = must(allocSkb(net, 1500));
    expect([skb.data, skb.tail, skb.len, skb.dataLen, skb.users]).toEqual([skb.head, skb.head, 0, 0, 1]);
    expect(skb.end - skb.head).toBe(1536);
    expect([skb.macHeader, skb.networkHeader, skb.transportHeader]).toEqual([-1, -1, -1]);
    expect(skb.shinfo.dataref).toBe(1);
    kfreeSkb(skb);
  });

  it.each([1, 2048, 2049, 4096, 4097, 8192, 16384, 16385, 66560, 70000, 300000])('gives room for %i bytes', (size) => {
    const skb = must(allocSkb(net, size));
    expect(skb.end - skb.head).toBeGreaterThanOrEqual(size);
    expect(skb.end).toBeLessThanOrEqual(skb.buf.length);
    expect(skb.truesize).toBeGreaterThanOrEqual(SKB_TRUESIZE(size) - 63);
    kfreeSkb(skb);
  });

  it('areas in use never overlap', () => {
    const skbs = Array.from({ length: 3000 }, (_, i) => must(allocSkb(net, i % 3 === 0 ? 9000 : 2048)));
    const seen = new Map<ArrayBufferLike, Set<number>>();
    for (const skb of skbs) {
      const heads = seen.get(skb.buf.buffer) ?? new Set();
      seen.set(skb.buf.buffer, heads.add(skb.head));
      expect(skb.head % (skb.end - skb.head > 2048 ? 16384 : 2048)).toBe(0);
    }
    expect([...seen.values()].reduce((n, heads) => n + heads.size, 0)).toBe(3000);
    skbs.forEach(kfreeSkb);
  });

  it('numbers packets by World, and each allocation anew', () => {
    const a = must(allocSkb(net, 10));
    const first = a.id;
    kfreeSkb(a);
    const b = must(allocSkb(net, 10));
    expect(b.id).toBeGreaterThan(first);
    kfreeSkb(b);
    const other = makeNet();
    const c = must(allocSkb(other, 10));
    expect(c.id).toBe(first);
    kfreeSkb(c);
  });

  it('returns null at the limit, with nothing lost', () => {
    const small = makeNet(256 << 10);
    const kept = [must(allocSkb(small, 60000)), must(allocSkb(small, 60000))];
    expect(allocSkb(small, 10)).toBeNull();
    expect(allocSkb(small, 6 << 20)).toBeNull();
    expect(allocPage(small, 9000)).toBeNull();
    kfreeSkb(kept.pop()!);
    expect(allocSkbWithFrags(small, 60000, 70000)).toBeNull();
    expect(leakReport(small.world).length).toBe(1);
    kfreeSkb(kept.pop()!);
    expect(leakReport(small.world).length).toBe(0);
  });
});

describe('a packet without debug mode', () => {
  it('comes out of the pool as new, whatever the last owner left', () => {
    const world = createWorld({ seed: 1 });
    installSkbuff(world);
    const host = createNet(world);
    const fresh = must(allocSkb(host, 100));
    const reference = { ...fresh };
    for (const key of Object.keys(fresh) as (keyof SkBuff)[]) {
      if (typeof fresh[key] === 'number' && key !== 'users') Object.assign(fresh, { [key]: 77 });
      if (typeof fresh[key] === 'boolean' && key !== 'cloned') Object.assign(fresh, { [key]: true });
    }
    fresh.sk = fresh.dev = fresh.left = fresh.right = fresh.parent = fresh.prev = fresh as never;
    Object.assign(fresh.shinfo, { gsoSize: 9, gsoSegs: 9, gsoType: 9, txFlags: 9, tskey: 9 });
    kfreeSkb(fresh);
    const again = must(allocSkb(host, 100));
    expect(again).toBe(fresh);
    expect(changedFields(reference, again)).toEqual(['id']);
    expect([again.shinfo.gsoSize, again.shinfo.gsoSegs, again.shinfo.gsoType, again.shinfo.txFlags]).toEqual([0, 0, 0, 0]);
    kfreeSkb(again);
    expect(() => kfreeSkb(again)).toThrow('is free already');
  });

  it('is counted, though its owner is not known', () => {
    const world = createWorld({ seed: 1 });
    installSkbuff(world);
    const skb = must(allocSkb(createNet(world), 100));
    expect(leakReport(world)).toMatchObject([{ owner: 'unknown', detail: expect.stringContaining('1 sk_buffs, 1 pages') as string }]);
    kfreeSkb(skb);
    expect(leakReport(world)).toEqual([]);
  });
});

describe('kfree_skb', () => {
  it('chapter §1: drops one reference; the last one gives back dst, conntrack and the destructor\'s account', () => {
    const skb = must(allocSkb(net, 100));
    const dst = new DstEntry(dstOps, 0);
    const calls: string[] = [];
    const nfct = new NfConntrack({ destroy: () => calls.push('nfct') });
    skbDstSet(skb, dst);
    skb.nfct = nfct;
    skb.destructor = (freed) => calls.push(`destructor ${freed === skb}`);
    expect(skbShared(skbGet(skb))).toBe(true);
    kfreeSkb(skb);
    expect([calls.length, dst.refcnt, skb.users]).toEqual([0, 1, 1]);
    kfreeSkb(skb);
    expect(calls).toEqual(['destructor true', 'nfct']);
    expect([dst.refcnt, dst.flags]).toEqual([0, -1]);
  });

  it('counts a drop by its reason and traces it; consume_skb does neither', () => {
    const hits: TraceRecord[] = [];
    const stop = traceNet(net, (record) => hits.push(record));
    kfreeSkb(must(allocSkb(net, 1)));
    kfreeSkbReason(must(allocSkb(net, 1)), SKB_DROP_REASON_NO_SOCKET);
    consumeSkb(must(allocSkb(net, 1)));
    stop();
    expect(net.dropReasons[SKB_DROP_REASON_NOT_SPECIFIED]).toBe(1);
    expect(net.dropReasons[SKB_DROP_REASON_NO_SOCKET]).toBe(1);
    expect(hits.map((hit) => hit.function)).toEqual(['kfree_skb', 'kfree_skb']);
  });

  it('of a shared object is no drop', () => {
    const skb = skbGet(must(allocSkb(net, 1)));
    kfreeSkb(skb);
    expect(net.dropReasons[SKB_DROP_REASON_NOT_SPECIFIED]).toBe(0);
    consumeSkb(skb);
  });

  it('takes null', () => {
    kfreeSkb(null);
    consumeSkb(null);
  });

  it('frees fragments, fragList and zero-copy notification with the last clone', () => {
    const skb = must(allocSkb(net, 100));
    addFrag(skb, new Uint8Array(5), 0);
    skb.shinfo.fragList = must(allocSkb(net, 1));
    let completed = 0;
    skb.shinfo.uarg = new UbufInfo({ complete: () => completed++ }, null);
    const clone = must(skbClone(skb));
    kfreeSkb(skb);
    expect([completed, net.world.pool.nrPages]).toEqual([0, 3]);
    kfreeSkb(clone);
    expect([completed, net.world.pool.nrPages]).toEqual([1, 0]);
  });

  it('frees lists', () => {
    const list = (): SkBuff => {
      const [a, b] = [must(allocSkb(net, 1)), must(allocSkb(net, 1))];
      a.next = b;
      return a;
    };
    consumeSkbList(list());
    kfreeSkbListReason(list(), SKB_DROP_REASON_NO_SOCKET);
    expect(net.dropReasons[SKB_DROP_REASON_NO_SOCKET]).toBe(2);
  });
});

describe('skb_orphan, nf_reset', () => {
  it('run once, and not again when the packet is freed', () => {
    const skb = must(allocSkb(net, 1));
    let calls = 0;
    skb.destructor = () => calls++;
    skb.nfct = new NfConntrack({ destroy: () => calls++ });
    skbOrphan(skb);
    nfReset(skb);
    nfReset(skb);
    expect([calls, skb.nfctinfo]).toEqual([2, 0]);
    kfreeSkb(skb);
    expect(calls).toBe(2);
  });
});

describe('build_skb, alloc_skb_with_frags', () => {
  it('build_skb takes over the reference on the page', () => {
    const page = must(allocPage(net, 2048));
    page.buf[page.base] = 42;
    const skb = buildSkb(net, page);
    expect([skb.head, skb.end, skb.buf[skb.data]]).toEqual([page.base, page.base + 2048, 42]);
    expect(skb.truesize).toBe(2048 + SKB_OVERHEAD);
    kfreeSkb(skb);
    expect(page.refs).toBe(0);
  });

  it('build_skb refuses a page that is a data area already', () => {
    const page = must(allocPage(net, 2048));
    const skb = buildSkb(net, page);
    getPage(page);
    expect(() => buildSkb(net, page)).toThrow('data area of a sk_buff already');
    putPage(page);
    kfreeSkb(skb);
  });

  it('alloc_skb_with_frags counts its fragments in len', () => {
    const skb = must(allocSkbWithFrags(net, 100, 150000));
    expect([skb.len, skb.dataLen, skb.shinfo.nrFrags]).toEqual([150000, 150000, 3]);
    expect(skb.truesize).toBeGreaterThan(150000);
    const bytes = Uint8Array.from({ length: 150000 }, (_, i) => i % 251);
    expect(skbStoreBits(skb, 0, bytes, 0, bytes.length)).toBe(0);
    expect(flatten(skb).every((byte, i) => byte === i % 251)).toBe(true);
    kfreeSkb(skb);
  });
});

describe('debug mode', () => {
  it('what a host had in hand when it panicked is in its report, and no leak of the World', async () => {
    const { world } = net;
    const reports: PanicReport[] = [];
    world.onPanic = (report) => reports.push(report);
    const sick = createNet(world, { name: 'sick' });
    allocSkb(sick, 100);
    allocPage(sick, 100);
    const skb = must(allocSkb(net, 100));
    netPanic(sick, new Error('boom'));
    await idle(world);
    expect(reports.map(({ open }) => open.map(({ kind, host }) => `${kind} of ${host}`))).toEqual([['skb of sick', 'page of sick']]);
    expect(leakReport(world).map(({ host }) => host)).toEqual([net.name]);
    kfreeSkb(skb);
  });

  it('names the function that allocated what is left, and the host', () => {
    function tcpSendmsg(): SkBuff {
      return must(allocSkb(net, 100));
    }
    const skb = tcpSendmsg();
    const clone = must(skbClone(skb));
    const page = must(allocPage(net));
    const text = formatOpen(openReport(net.world, net));
    expect(text).toContain(`skb a tcpSendmsg`);
    expect(text.split('\n').length).toBe(3);
    expect(openReport(net.world, createNet(net.world, { name: 'b' })).length).toBe(0);
    [skb, clone].forEach(kfreeSkb);
    putPage(page);
  });

  it('notes one owner in 16 when there were many allocations', () => {
    for (let i = 0; i < 32768; i++) consumeSkb(must(allocSkb(net, 1)));
    const skbs = Array.from({ length: 32 }, () => must(allocSkb(net, 1)));
    const owners = leakReport(net.world).map((item) => item.owner);
    expect([owners.length, owners.filter((owner) => owner.startsWith('unknown')).length]).toEqual([32, 30]);
    skbs.forEach(consumeSkb);
  });

  it('throws on a double free, and says who allocated the packet', () => {
    function ipBuild(): SkBuff {
      return must(allocSkb(net, 100));
    }
    const skb = ipBuild();
    kfreeSkb(skb);
    expect(() => kfreeSkb(skb)).toThrow(/kfree_skb: sk_buff \d+ of a is free already, allocated by ipBuild/);
    expect(() => consumeSkb(skb)).toThrow('is free already');
  });

  it('throws on access through a freed packet, even when its slot is in use again', () => {
    const skb = must(allocSkb(net, 100));
    const data = skb.data;
    kfreeSkb(skb);
    const next = must(allocSkb(net, 100));
    expect(next).not.toBe(skb);
    expect(() => skb.view.getUint16(data)).toThrow(RangeError);
    expect(() => skbPut(skb, 1)).toThrow('skb_put');
    expect(() => skbClone(skb)).toThrow('skb_clone: sk_buff');
    expect(() => skbQueueTail(new SkBuffHead(), skb)).toThrow('skb_queue_tail: sk_buff');
    kfreeSkb(next);
  });

  it('finds a write to freed memory when the slot is handed out again', () => {
    const skb = must(allocSkb(net, 100));
    const { buf, head } = skb;
    kfreeSkb(skb);
    buf[head + 17] = 1;
    expect(() => allocSkb(net, 100)).toThrow(/page \d+: written to at byte 16 after it was freed/);
    net.world.pool.nrPages--;
  });
});
