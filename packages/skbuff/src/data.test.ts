import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import type { SkBuff } from './index.ts';
import {
  __skbPull, __skbPush, __skbPut, __skbReserve, __skbTrim, allocSkb, consumeSkb, skbHeadlen, skbHeadroom,
  skbIsNonlinear, skbMacHeaderWasSet, skbMacOffset, skbNetworkHeaderLen, skbNetworkOffset, skbPull, skbPush, skbPut,
  skbReserve, skbResetMacHeader, skbResetMacLen, skbResetNetworkHeader, skbResetTailPointer, skbResetTransportHeader,
  skbSetMacHeader, skbSetNetworkHeader, skbSetTransportHeader, skbTailroom, skbTransportHeaderWasSet,
  skbTransportOffset, skbTrim,
} from './index.ts';
import { addFrag, expectNoLeak, makeNet, must } from './test-support.ts';

let net: Net;
let skb: SkBuff;
beforeEach(() => {
  net = makeNet();
  skb = must(allocSkb(net, 256));
});
afterEach(() => {
  consumeSkb(skb);
  expectNoLeak(net);
});

/** head, data, tail, end as distances from head. */
const pointers = (): number[] => [skb.data - skb.head, skb.tail - skb.head, skb.end - skb.head, skb.len];

describe('chapter §1, figures of the data area', () => {
  it('reserve, put, push, pull, trim move only data and tail', () => {
    const { head, end } = skb;
    skbReserve(skb, 54);
    expect(pointers()).toEqual([54, 54, 256, 0]);
    expect(skbPut(skb, 13)).toBe(head + 54);
    expect(pointers()).toEqual([54, 67, 256, 13]);
    expect(skbPush(skb, 20)).toBe(head + 34);
    expect(pointers()).toEqual([34, 67, 256, 33]);
    expect(skbPull(skb, 20)).toBe(head + 54);
    expect(pointers()).toEqual([54, 67, 256, 13]);
    skbTrim(skb, 5);
    expect(pointers()).toEqual([54, 59, 256, 5]);
    expect([skb.head, skb.end]).toEqual([head, end]);
    expect([skbHeadroom(skb), skbTailroom(skb), skbHeadlen(skb), skbIsNonlinear(skb)]).toEqual([54, 197, 5, false]);
  });

  it('the unchecked forms do the same work', () => {
    __skbReserve(skb, 54);
    expect(__skbPut(skb, 13)).toBe(skb.head + 54);
    expect(__skbPush(skb, 20)).toBe(skb.head + 34);
    expect(__skbPull(skb, 20)).toBe(skb.head + 54);
    __skbTrim(skb, 5);
    expect(pointers()).toEqual([54, 59, 256, 5]);
  });

  it('header fields stay where the header is while data moves on', () => {
    skbPut(skb, 100);
    skbResetMacHeader(skb);
    skbPull(skb, 14);
    skbResetNetworkHeader(skb);
    skbResetMacLen(skb);
    skbPull(skb, 20);
    skbResetTransportHeader(skb);
    skbPull(skb, 20);
    expect([skb.macHeader, skb.networkHeader, skb.transportHeader].map((at) => at - skb.head)).toEqual([0, 14, 34]);
    expect([skbMacOffset(skb), skbNetworkOffset(skb), skbTransportOffset(skb)]).toEqual([-54, -40, -20]);
    expect([skb.macLen, skbNetworkHeaderLen(skb)]).toEqual([14, 20]);
  });

  it('header fields can be set ahead of data', () => {
    skbPut(skb, 100);
    expect([skbMacHeaderWasSet(skb), skbTransportHeaderWasSet(skb)]).toEqual([false, false]);
    skbSetMacHeader(skb, 0);
    skbSetNetworkHeader(skb, 14);
    skbSetTransportHeader(skb, 34);
    expect([skbMacOffset(skb), skbNetworkOffset(skb), skbTransportOffset(skb)]).toEqual([0, 14, 34]);
    expect([skbMacHeaderWasSet(skb), skbTransportHeaderWasSet(skb)]).toEqual([true, true]);
  });
});

describe('the checked forms', () => {
  it('skb_put past the end panics with skb_over_panic\'s text and changes nothing', () => {
    function ipBuildHeader(): void {
      skbPut(skb, 250);
    }
    skbReserve(skb, 10);
    const { head, data } = skb;
    expect(ipBuildHeader).toThrow(
      `skbuff: skb_over_panic: text:ipBuildHeader len:250 put:250 head:${head} data:${data} tail:0x104 end:0x100 dev:<NULL>`,
    );
    expect(pointers()).toEqual([10, 10, 256, 0]);
  });

  it('let head and end be reached, and not one byte more', () => {
    skbReserve(skb, 100);
    expect(skbPush(skb, 100)).toBe(skb.head);
    skbPull(skb, 100);
    expect(skbPut(skb, 156)).toBe(skb.end - 156);
    expect(() => skbPut(skb, 1)).toThrow('skb_over_panic');
    expect(() => skbPush(skb, 101)).toThrow('skb_under_panic');
  });

  it('skb_push past the head panics with skb_under_panic\'s text and the device\'s name', () => {
    skb.dev = { name: 'eth0' } as never;
    skbReserve(skb, 10);
    const { head } = skb;
    expect(() => skbPush(skb, 14)).toThrow(`skb_under_panic: text:`);
    expect(() => skbPush(skb, 14)).toThrow(`len:14 put:14 head:${head} data:${head - 4} tail:0xa end:0x100 dev:eth0`);
    expect(pointers()).toEqual([10, 10, 256, 0]);
  });

  it('skb_pull of more than there is returns -1', () => {
    skbPut(skb, 10);
    expect(skbPull(skb, 11)).toBe(-1);
    expect(pointers()).toEqual([0, 10, 256, 10]);
    expect(skbPull(skb, 10)).toBe(skb.head + 10);
  });

  it('skb_reserve panics when the packet is not empty or has not the room', () => {
    expect(() => skbReserve(skb, 257)).toThrow('skb_reserve');
    skbPut(skb, 1);
    expect(() => skbReserve(skb, 1)).toThrow('skb_reserve');
  });

  it('skb_trim to more than there is does nothing', () => {
    skbPut(skb, 10);
    skbTrim(skb, 20);
    expect(skb.len).toBe(10);
  });

  it('refuse what would reach into fragments', () => {
    skbPut(skb, 10);
    addFrag(skb, new Uint8Array(20), 0);
    expect(() => skbPut(skb, 1)).toThrow('skb_put');
    expect(() => skbPull(skb, 11)).toThrow('skb_pull');
    expect(() => skbTrim(skb, 11)).toThrow('skb_trim');
    expect([skb.len, skbHeadlen(skb), skbTailroom(skb)]).toEqual([30, 10, 0]);
    expect(skbPull(skb, 10)).toBe(skb.head + 10);
  });

  it('skb_reset_tail_pointer', () => {
    skbReserve(skb, 10);
    skb.data += 5;
    skbResetTailPointer(skb);
    expect(skb.tail).toBe(skb.data);
  });
});
