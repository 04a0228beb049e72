import { EFAULT, EINVAL, createNet, createWorld } from '@stack/kernel';
import { allocPage, allocSkb, consumeSkb, csumFold, csumPartial, installSkbuff, skbFillPageDesc, skbPut } from '@stack/skbuff';
import { expect, test } from 'vitest';
import {
  copyFromIter, copyToIter, csumAndCopyFromIter, iovIterAdvance, iovIterRevert, skbCopyDatagramMsg, skbDoCopyDataNocache,
} from './iov-iter.ts';
import { makeMsgHdr, msgInit } from './msghdr.ts';
import { bytes, text } from './test-rig.ts';

function makeNet() {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  return createNet(world);
}

test('copyFromIter gathers over iovecs, empty ones included, and stops at the end', () => {
  const msg = makeMsgHdr([bytes('ab'), bytes(''), bytes('cdef'), bytes('g')]);
  expect(msgInit(msg)).toBe(7);
  const out = new Uint8Array(10);
  expect(copyFromIter(out, 0, 3, msg)).toBe(3);
  expect(copyFromIter(out, 3, 9, msg)).toBe(4);
  expect(copyFromIter(out, 0, 1, msg)).toBe(0);
  expect(text(out, 7)).toBe('abcdefg');
});

test('copyToIter scatters likewise', () => {
  const parts = [new Uint8Array(2), new Uint8Array(0), new Uint8Array(3)];
  const msg = makeMsgHdr(parts);
  msgInit(msg);
  expect(copyToIter(bytes('12345678'), 1, 3, msg)).toBe(3);
  expect(copyToIter(bytes('abcdef'), 0, 6, msg)).toBe(2);
  expect(parts.map((p) => text(p)).join('|')).toBe('23||4ab');
});

test('iovIterRevert takes back across iovecs what iovIterAdvance skipped', () => {
  const msg = makeMsgHdr([bytes('ab'), bytes(''), bytes('cdef'), bytes('g')]);
  msgInit(msg);
  for (const [on, back] of [[7, 6], [3, 4], [5, 5], [2, 2], [6, 1]] as const) {
    iovIterAdvance(msg, on);
    iovIterRevert(msg, back);
  }
  // 1, 0, 0, 0, 5 bytes in.
  expect(msg.msgIterCount).toBe(2);
  const out = new Uint8Array(2);
  copyFromIter(out, 0, 2, msg);
  expect(text(out)).toBe('fg');
});

test('csumAndCopyFromIter sums what it copies', () => {
  const net = makeNet();
  const skb = allocSkb(net, 64)!;
  const msg = makeMsgHdr([bytes('abc'), bytes('defg')]);
  msgInit(msg);
  const off = skbPut(skb, 7);
  const sum = csumAndCopyFromIter(skb.buf, skb.view, off, 7, msg, 0x1234);
  expect(csumFold(sum)).toBe(csumFold(csumPartial(skb.buf, skb.view, off, 7, 0x1234)));
  expect(text(skb.buf.subarray(off), 7)).toBe('abcdefg');
  consumeSkb(skb);
});

test('skbDoCopyDataNocache joins the sum at an odd offset', () => {
  const net = makeNet();
  const skb = allocSkb(net, 64)!;
  const msg = makeMsgHdr([bytes('abc'), bytes('defg')]);
  msgInit(msg);
  const at = skbPut(skb, 3);
  expect(skbDoCopyDataNocache(skb, msg, at, 3, 0, true)).toBe(0);
  expect(skbDoCopyDataNocache(skb, msg, skbPut(skb, 4), 4, 3, true)).toBe(0);
  expect(csumFold(skb.csum)).toBe(csumFold(csumPartial(skb.buf, skb.view, at, 7, 0)));
  expect(skbDoCopyDataNocache(skb, msg, at, 1, 0, false)).toBe(-EFAULT);
  consumeSkb(skb);
});

test('skbCopyDatagramMsg reads linear part, fragments and fragment list, from any offset', () => {
  const net = makeNet();
  const skb = allocSkb(net, 64)!;
  skb.buf.set(bytes('01234'), skbPut(skb, 5));
  for (const [i, part] of ['567', '89ab'].entries()) {
    const page = allocPage(net, 2048)!;
    page.buf.set(bytes(part), page.base + 100);
    skbFillPageDesc(skb, i, page, page.base + 100, part.length);
    skb.len += part.length;
    skb.dataLen += part.length;
  }
  const child = allocSkb(net, 64)!;
  child.buf.set(bytes('cdef'), skbPut(child, 4));
  skb.shinfo.fragList = child;
  skb.len += 4;
  skb.dataLen += 4;
  const whole = '0123456789abcdef';
  for (let from = 0; from <= 16; from++) {
    for (let to = from; to <= 16; to++) {
      const out = new Uint8Array(16);
      const msg = makeMsgHdr([out]);
      msgInit(msg);
      expect(skbCopyDatagramMsg(skb, from, msg, to - from)).toBe(0);
      expect(text(out, to - from)).toBe(whole.slice(from, to));
    }
  }
  const msg = makeMsgHdr([new Uint8Array(32)]);
  msgInit(msg);
  expect(skbCopyDatagramMsg(skb, 10, msg, 7)).toBe(-EFAULT);
  consumeSkb(skb);
});

test('msgInit refuses lengths that are none', () => {
  const msg = makeMsgHdr([bytes('ab')]);
  msg.msgIov[0]!.iovLen = 3;
  expect(msgInit(msg)).toBe(-EINVAL);
  msg.msgIovlen = 2;
  expect(msgInit(msg)).toBe(-EINVAL);
});

test('msgInit: a buffer that is none is -EFAULT', () => {
  const msg = makeMsgHdr([bytes('ab'), bytes('')]);
  msg.msgIov[1]!.iovBase = null as unknown as Uint8Array;
  expect(msgInit(msg)).toBe(-EFAULT);
});
