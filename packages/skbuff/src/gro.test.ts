import { E2BIG } from '@stack/kernel';
import { describe, expect, test } from 'vitest';
import { allocSkb, consumeSkb } from './alloc.ts';
import { skbCopyBits } from './bits.ts';
import { skbClone } from './copy.ts';
import { skbPut, skbReserve } from './data.ts';
import { groCbCount, groCbFlush, groCbInit, groCbLen, groCbMss, groCbSameFlow, groCbSetFlush, groCbSetPayload, skbGroReceive } from './gro.ts';
import { MAX_SKB_FRAGS, type SkBuff } from './sk-buff.ts';
import { makeNet } from './test-support.ts';

const HEADERS = 10;

/** A packet of HEADERS octets and `payload` more, each `tag`. */
function packet(net: ReturnType<typeof makeNet>, tag: number, payload: number): SkBuff {
  const skb = allocSkb(net, 64 + HEADERS + payload)!;
  skbReserve(skb, 64);
  const at = skbPut(skb, HEADERS + payload);
  skb.buf.fill(tag, at, at + HEADERS + payload);
  groCbInit(skb);
  return skb;
}

function bytes(skb: SkBuff): number[] {
  const out = new Uint8Array(skb.len);
  skbCopyBits(skb, 0, out, 0, skb.len);
  return [...out];
}

describe('skb_gro_receive', () => {
  test('appends the payload without a copy; the one appended can be freed', () => {
    const net = makeNet();
    const p = packet(net, 1, 5);
    groCbSetPayload(p, 5);
    const skb = packet(net, 2, 5);
    const { page } = skb.shinfo;
    expect(skbGroReceive(p, skb, HEADERS)).toBe(0);
    expect([groCbSameFlow(skb), groCbSameFlow(p)]).toEqual([true, false]);
    consumeSkb(skb);
    expect(page.refs).toBe(1);
    expect([p.len, p.dataLen, p.shinfo.nrFrags, groCbCount(p), groCbMss(p), groCbLen(p)]).toEqual([20, 5, 1, 2, 5, 10]);
    expect(bytes(p)).toEqual([...new Array<number>(15).fill(1), ...new Array<number>(5).fill(2)]);
    consumeSkb(p);
    expect(page.refs).toBe(0);
  });

  test('counts the memory that it takes over', () => {
    const net = makeNet();
    const p = packet(net, 1, 5);
    const before = p.truesize;
    const skb = packet(net, 2, 5);
    skbGroReceive(p, skb, HEADERS);
    expect(p.truesize - before).toBe(skb.shinfo.page.size);
    consumeSkb(skb);
    consumeSkb(p);
  });

  test('has room for MAX_SKB_FRAGS, then says -E2BIG and changes nothing', () => {
    const net = makeNet();
    const p = packet(net, 1, 5);
    for (let i = 0; i < MAX_SKB_FRAGS; i++) {
      const skb = packet(net, 2, 5);
      expect(skbGroReceive(p, skb, HEADERS)).toBe(0);
      consumeSkb(skb);
    }
    const last = packet(net, 3, 5);
    const len = p.len;
    expect([skbGroReceive(p, last, HEADERS), p.len, groCbSameFlow(last)]).toEqual([-E2BIG, len, false]);
    consumeSkb(last);
    consumeSkb(p);
  });

  test('takes no clone, and nothing beyond what IPv4 can tell the length of', () => {
    const net = makeNet();
    const p = packet(net, 1, 60_000);
    const skb = packet(net, 2, 5600);
    expect(skbGroReceive(p, skb, HEADERS)).toBe(-E2BIG);
    const small = packet(net, 3, 5);
    const clone = skbClone(small)!;
    expect(skbGroReceive(p, small, HEADERS)).toBe(-E2BIG);
    for (const each of [p, skb, small, clone]) consumeSkb(each);
  });

  test('a packet is held unless something says no', () => {
    const net = makeNet();
    const skb = packet(net, 1, 5);
    expect(groCbFlush(skb)).toBe(false);
    groCbSetFlush(skb);
    expect(groCbFlush(skb)).toBe(true);
    consumeSkb(skb);
  });
});
