import { createNet, createWorld } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { allocSkb, consumeSkb, installSkbuff, skbPut, skbReserve } from '@stack/skbuff';
import { expect, test } from 'vitest';
import { ESP_HDR_LEN, ESP_MAX_TRAILER, espInnerLen, espMaxInner, espWrap } from './esp.ts';

function makeNet(): Net {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  return createNet(world, { name: 'h' });
}

/** The frame around an inner packet of `length` octets 0x45, after `change`; what espInnerLen() says of it. */
function inner(net: Net, length: number, change: (frame: Uint8Array) => void = () => undefined): { size: number; inner: number } {
  const skb = allocSkb(net, ESP_HDR_LEN + length + ESP_MAX_TRAILER);
  if (skb === null) throw new Error('no memory');
  skbReserve(skb, ESP_HDR_LEN);
  skb.buf.fill(0x45, skbPut(skb, length), skb.tail);
  espWrap(skb, 7, 1);
  change(skb.buf.subarray(skb.data, skb.tail));
  const result = { size: skb.len, inner: espInnerLen(skb) };
  consumeSkb(skb);
  return result;
}

test('RFC 4303 §2.4: the frame is a multiple of 4 octets, and the inner packet is found in it again', () => {
  const net = makeNet();
  for (let length = 20; length < 64; length++) {
    const { size, inner: found } = inner(net, length);
    expect([size % 4, found]).toEqual([0, length]);
    expect(espMaxInner(size)).toBeGreaterThanOrEqual(length);
    expect(espMaxInner(size - 1)).toBeLessThan(length);
  }
});

test('a frame that is broken is refused', () => {
  const net = makeNet();
  const refused: readonly ((frame: Uint8Array) => void)[] = [
    (frame) => { frame[frame.length - 1] = 6; },
    (frame) => { frame[frame.length - 2] = 255; },
    (frame) => { frame[frame.length - 3] = 9; },
  ];
  expect(inner(net, 21, () => undefined).inner).toBe(21);
  for (const change of refused) expect(inner(net, 21, change).inner).toBeLessThanOrEqual(0);
});
