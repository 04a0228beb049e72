import { beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import type { DstOps, SkBuff } from './index.ts';
import {
  DST_OBSOLETE_DEAD, DstEntry, NET_XMIT_BYPASS, NET_XMIT_CN, NET_XMIT_SUCCESS, RTAX_ADVMSS, RTAX_LOCK, RTAX_MTU, allocSkb,
  consumeSkb, dstCheck, dstClone, dstDiscard, dstHold, dstInitMetrics, dstInput, dstLinkFailure, dstMetric, dstMetricAdvmss,
  dstMetricLocked, dstMetricSet, dstMtu, dstNegativeAdvice, dstOutput, dstRelease, skbDstCopy, skbDstDrop, skbDstSet,
} from './index.ts';
import { expectNoLeak, makeNet, must } from './test-support.ts';

let net: Net;
let calls: string[];
let ops: DstOps;
beforeEach(() => {
  net = makeNet();
  calls = [];
  ops = {
    family: 2,
    check: (dst, cookie) => (cookie === 1 ? dst : null),
    negativeAdvice: () => calls.push('negativeAdvice'),
    linkFailure: () => calls.push('linkFailure'),
    updatePmtu: () => undefined,
    redirect: () => undefined,
    mtu: (dst) => dstMetric(dst, RTAX_MTU) || 1500,
    defaultAdvmss: () => 1460,
    destroy: () => calls.push('destroy'),
  };
});

describe('dst_output, dst_input', () => {
  it('chapter §3.4: output is called again and again while NET_XMIT_BYPASS, each link moving skb.dst on', () => {
    const ipOutput = new DstEntry(ops, 0);
    ipOutput.output = (skb: SkBuff) => {
      calls.push('ip_output');
      consumeSkb(skb);
      return NET_XMIT_CN;
    };
    const chain = (name: string, child: DstEntry): DstEntry => {
      const dst = new DstEntry(ops, 0);
      dst.child = child;
      dst.output = dst.input = (skb: SkBuff) => {
        calls.push(name);
        skbDstDrop(skb);
        skbDstSet(skb, dstClone(child));
        return NET_XMIT_BYPASS;
      };
      return dst;
    };
    const ah = chain('ah_output', ipOutput);
    const esp = chain('esp_output', ah);
    const skb = must(allocSkb(net, 10));
    skbDstSet(skb, dstClone(esp));
    expect(dstOutput(skb)).toBe(NET_XMIT_CN);
    expect(calls).toEqual(['esp_output', 'ah_output', 'ip_output']);
    expect([esp, ah, ipOutput].map((dst) => dst.refcnt)).toEqual([1, 1, 1]);
    expectNoLeak(net);
  });

  it('dst_input loops likewise', () => {
    const local = new DstEntry(ops, 0);
    local.input = (skb: SkBuff) => {
      consumeSkb(skb);
      return 0;
    };
    const outer = new DstEntry(ops, 0);
    outer.input = (skb: SkBuff) => {
      skb.dst = local;
      return NET_XMIT_BYPASS;
    };
    const skb = must(allocSkb(net, 10));
    skbDstSet(skb, outer);
    expect(dstInput(skb)).toBe(NET_XMIT_SUCCESS);
    expectNoLeak(net);
  });

  it('an entry without input or output drops the packet', () => {
    const dst = new DstEntry(ops, 0);
    const skb = must(allocSkb(net, 10));
    skbDstSet(skb, dstClone(dst));
    expect([dstInput(skb), dst.input, dst.output]).toEqual([0, dstDiscard, dstDiscard]);
    expectNoLeak(net);
  });
});

describe('references', () => {
  it('the last one has the family destroy the entry', () => {
    const dst = new DstEntry(ops, 0);
    dstHold(dst);
    const [a, b] = [must(allocSkb(net, 1)), must(allocSkb(net, 1))];
    skbDstSet(a, dst);
    skbDstCopy(b, a);
    skbDstCopy(a, must(allocSkb(net, 1)));
    expect([dst.refcnt, b.dst, a.dst]).toEqual([3, dst, null]);
    skbDstDrop(b);
    skbDstDrop(b);
    dstRelease(null);
    dstRelease(dst);
    expect(calls).toEqual([]);
    dstRelease(dst);
    expect(calls).toEqual(['destroy']);
    expect(() => dstRelease(dst)).toThrow('is free already');
  });
});

describe('metrics', () => {
  it('are shared until set', () => {
    const [a, b] = [new DstEntry(ops, 0), new DstEntry(ops, 0)];
    expect([dstMtu(a), dstMetricAdvmss(a)]).toEqual([1500, 1460]);
    dstMetricSet(a, RTAX_MTU, 9000);
    dstMetricSet(a, RTAX_ADVMSS, 536);
    expect([dstMtu(a), dstMetricAdvmss(a), dstMtu(b)]).toEqual([9000, 536, 1500]);
  });

  it('copied from a route belong to the entry alone', () => {
    const dst = new DstEntry(ops, 0);
    const metrics = new Int32Array(18);
    metrics[RTAX_LOCK] = 1 << RTAX_MTU;
    dstInitMetrics(dst, metrics);
    metrics[RTAX_LOCK] = 0;
    expect([dstMetricLocked(dst, RTAX_MTU), dstMetricLocked(dst, RTAX_ADVMSS)]).toEqual([true, false]);
  });
});

describe('dst_check and advice', () => {
  it('an entry that is not obsolete is not checked', () => {
    const dst = new DstEntry(ops, 0);
    expect(dstCheck(dst, 0)).toBe(dst);
    dst.obsolete = DST_OBSOLETE_DEAD;
    expect([dstCheck(dst, 1), dstCheck(dst, 0)]).toEqual([dst, null]);
  });

  it('goes to the family', () => {
    const dst = new DstEntry(ops, 0);
    const skb = must(allocSkb(net, 1));
    dstLinkFailure(skb);
    skbDstSet(skb, dst);
    dstLinkFailure(skb);
    dstNegativeAdvice(dst, null);
    expect(calls).toEqual(['linkFailure', 'negativeAdvice']);
  });
});
