// For this package's tests: packets of any shape, and a second, naive reading of them to compare with.

import type { Net } from '@stack/kernel';
import { createNet, createWorld } from '@stack/kernel';
import fc from 'fast-check';
import type { SkBuff } from './index.ts';
import {
  allocPage, allocSkb, installSkbuff, leakReport, skbAddRxFrag, skbPut, skbReserve,
} from './index.ts';

/** How a packet lies in memory: bytes in the linear area, in each page fragment, and packets of the fragList. */
export interface Shape {
  headroom: number;
  linear: Uint8Array;
  frags: Uint8Array[];
  list: Uint8Array[];
}

/** A host in a World in debug mode, without any layer above. */
export function makeNet(limit?: number): Net {
  const world = createWorld({ seed: 1, debug: true });
  installSkbuff(world, limit);
  return createNet(world, { name: 'a' });
}

/** Throws when a packet of the Net's World has not been freed. */
export function expectNoLeak(net: Net): void {
  const leaks = leakReport(net.world);
  if (leaks.length !== 0) throw new Error(`leak: ${JSON.stringify(leaks)}`);
}

/** Names of the fields of a packet that are not what they were in a `{ ...skb }` taken before. */
export function changedFields(before: SkBuff, skb: SkBuff): string[] {
  return Object.keys(before).filter((key) => before[key as keyof SkBuff] !== skb[key as keyof SkBuff]);
}

/** The value, or an error where there is none. */
export function must<T>(value: T | null): T {
  if (value === null) throw new Error('null');
  return value;
}

/** A packet of this shape. */
export function makePacket(net: Net, shape: Shape, tailroom: number = 0): SkBuff {
  const skb = makeLinear(net, shape.headroom, shape.linear, tailroom);
  for (const [i, bytes] of shape.frags.entries()) addFrag(skb, bytes, 3 * i + 1);
  let last: SkBuff | null = null;
  for (const bytes of shape.list) {
    const half = bytes.length >> 1;
    const entry = makeLinear(net, 0, bytes.subarray(0, half), 0);
    if (half < bytes.length) addFrag(entry, bytes.subarray(half), 5);
    if (last === null) skb.shinfo.fragList = entry;
    else last.next = entry;
    last = entry;
    skb.len += bytes.length;
    skb.dataLen += bytes.length;
  }
  return skb;
}

function makeLinear(net: Net, headroom: number, bytes: Uint8Array, tailroom: number): SkBuff {
  const skb = must(allocSkb(net, headroom + bytes.length + tailroom));
  skbReserve(skb, headroom);
  skb.buf.set(bytes, skbPut(skb, bytes.length));
  return skb;
}

/** Adds a fragment with these bytes, `offset` bytes into a page of its own. */
export function addFrag(skb: SkBuff, bytes: Uint8Array, offset: number): void {
  const page = must(allocPage(skb.net, 2048));
  page.pool.debug?.pages.delete(page);
  page.buf.set(bytes, page.base + offset);
  skbAddRxFrag(skb, skb.shinfo.nrFrags, page, page.base + offset, bytes.length, page.size);
}

/** All bytes of the packet, in order. */
export function flatten(skb: SkBuff): number[] {
  const out = [...skb.buf.subarray(skb.data, skb.tail)];
  for (let i = 0; i < skb.shinfo.nrFrags; i++) {
    const { page, offset, size } = skb.shinfo.frags[i]!;
    out.push(...must(page).buf.subarray(offset, offset + size));
  }
  for (let entry = skb.shinfo.fragList; entry !== null; entry = entry.next) out.push(...flatten(entry));
  return out;
}

/** The bytes that a packet of this shape has. */
export function bytesOf(shape: Shape): number[] {
  return [shape.linear, ...shape.frags, ...shape.list].flatMap((bytes) => [...bytes]);
}

/** Throws unless the lengths and offsets of the packet agree with each other. */
export function checkShape(skb: SkBuff): void {
  const ok =
    skb.head <= skb.data && skb.data <= skb.tail && skb.tail <= skb.end &&
    skb.tail - skb.data === skb.len - skb.dataLen && flatten(skb).length === skb.len;
  if (!ok) throw new Error(`head ${skb.head} data ${skb.data} tail ${skb.tail} end ${skb.end} len ${skb.len} dataLen ${skb.dataLen}`);
}

/** Sum of big-endian words, RFC 1071 §1 taken literally; an odd byte is padded with zero. */
export function naiveSum(bytes: readonly number[], start: number = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

/** Two partial sums stand for the same checksum. */
export function sameSum(a: number, b: number): boolean {
  return a % 0xffff === b % 0xffff;
}

const someBytes = (min: number, max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: min, maxLength: max });

/** Shapes of all kinds. */
export const shapes: fc.Arbitrary<Shape> = fc.record({
  headroom: fc.nat(64),
  linear: someBytes(0, 90),
  frags: fc.array(someBytes(1, 60), { maxLength: 5 }),
  list: fc.array(someBytes(1, 50), { maxLength: 3 }),
});

/** Shapes without a fragList. */
export const fragShapes: fc.Arbitrary<Shape> = shapes.map((shape) => ({ ...shape, list: [] }));
