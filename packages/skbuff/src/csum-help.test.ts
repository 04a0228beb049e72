import fc from 'fast-check';
import { EINVAL } from '@stack/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Net } from '@stack/kernel';
import {
  CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, consumeSkb, skbChecksum,
  skbChecksumComplete, skbChecksumHelp, skbChecksumStartOffset, skbClone, skbCsumUnnecessary, skbEnsureWritable, skbGet,
  skbPartialCsumSet,
} from './index.ts';
import { expectNoLeak, flatten, makeNet, makePacket, must, naiveSum, sameSum, shapes } from './test-support.ts';

let net: Net;
beforeEach(() => {
  net = makeNet();
});
afterEach(() => expectNoLeak(net));

describe('skb_checksum_help', () => {
  it('completes the checksum of a packet of any shape, a clone\'s data untouched', () => {
    fc.assert(fc.property(shapes, fc.nat(50), fc.nat(20), (shape, start, off) => {
      const skb = makePacket(net, shape);
      const fits = start + off + 2 <= skb.len;
      const set = skbPartialCsumSet(skb, start, off);
      expect(set).toBe(fits);
      if (set) {
        expect([skbChecksumStartOffset(skb), skb.transportHeader - skb.data]).toEqual([start, start]);
        skb.view.setUint16(skb.data + start + off, 0);
        const clone = must(skbClone(skb));
        const before = flatten(clone);
        expect(skbChecksumHelp(skb)).toBe(0);
        expect(skb.ipSummed).toBe(CHECKSUM_NONE);
        expect(flatten(clone)).toEqual(before);
        const bytes = flatten(skb).slice(start);
        if (off % 2 === 0) expect(sameSum(naiveSum(bytes), 0)).toBe(true);
        consumeSkb(clone);
      }
      consumeSkb(skb);
      expectNoLeak(net);
    }), { numRuns: 300 });
  });

  it('RFC 768: a UDP checksum that comes out as 0 is sent as ffff, one of another protocol as 0', () => {
    for (const [offset, written] of [[6, 0xff], [2, 0]] as const) {
      const linear = new Uint8Array(8).fill(0xff, 0, 2);
      const skb = makePacket(net, { headroom: 0, linear, frags: [], list: [] });
      skbPartialCsumSet(skb, 0, offset);
      skbChecksumHelp(skb);
      expect(flatten(skb).slice(offset, offset + 2)).toEqual([written, written]);
      consumeSkb(skb);
    }
  });

  it('refuses offsets that are not in the packet, and ends what is complete', () => {
    const skb = makePacket(net, { headroom: 0, linear: new Uint8Array(10), frags: [], list: [] });
    expect([skbPartialCsumSet(skb, 5, 4), skbPartialCsumSet(skb, -1, 4)]).toEqual([false, false]);
    for (const [csumStart, csumOffset] of [[10, 0], [5, 4], [-1, 3]]) {
      Object.assign(skb, { ipSummed: CHECKSUM_PARTIAL, csumStart, csumOffset });
      expect(skbChecksumHelp(skb)).toBe(-EINVAL);
    }
    skb.ipSummed = CHECKSUM_COMPLETE;
    expect([skbChecksumHelp(skb), skb.ipSummed]).toEqual([0, CHECKSUM_NONE]);
    consumeSkb(skb);
  });
});

describe('skb_checksum_complete', () => {
  it('sums what nobody has verified, against the pseudo header in skb.csum', () => {
    const skb = makePacket(net, { headroom: 0, linear: Uint8Array.from([1, 2, 3]), frags: [Uint8Array.from([4, 5])], list: [] });
    const sum = skbChecksum(skb, 0, 5, 0);
    skb.csum = 0xffff - sum;
    expect([skbChecksumComplete(skb), skb.ipSummed]).toEqual([0, CHECKSUM_UNNECESSARY]);
    skb.ipSummed = CHECKSUM_NONE;
    skb.csum = 0xfffe - sum;
    expect([skbChecksumComplete(skb), skb.ipSummed, skb.csum]).toEqual([1, CHECKSUM_COMPLETE, sum]);
    consumeSkb(skb);
  });

  it('trusts the device, and packets that never left', () => {
    const skb = makePacket(net, { headroom: 0, linear: Uint8Array.from([1, 2, 3]), frags: [], list: [] });
    for (const ipSummed of [CHECKSUM_UNNECESSARY, CHECKSUM_PARTIAL]) {
      skb.ipSummed = ipSummed;
      expect([skbCsumUnnecessary(skb), skbChecksumComplete(skb)]).toEqual([true, 0]);
    }
    skb.ipSummed = CHECKSUM_COMPLETE;
    expect(skbCsumUnnecessary(skb)).toBe(false);
    consumeSkb(skb);
  });

  it('of a packet that others hold leaves skb.csum as it is', () => {
    const skb = makePacket(net, { headroom: 0, linear: Uint8Array.from([0, 1, 0, 2]), frags: [], list: [] });
    skb.csum = 0xfffc;
    skbGet(skb);
    expect([skbChecksumComplete(skb), skb.csum, skb.ipSummed]).toEqual([0, 0xfffc, CHECKSUM_NONE]);
    consumeSkb(skb);
    consumeSkb(skb);
  });
});

describe('skb_ensure_writable', () => {
  it('pulls, and unclones', () => {
    const skb = makePacket(net, { headroom: 0, linear: new Uint8Array(3), frags: [new Uint8Array(4)], list: [] });
    expect([skbEnsureWritable(skb, 5), skb.len - skb.dataLen]).toEqual([0, 5]);
    const clone = must(skbClone(skb));
    expect(skbEnsureWritable(skb, 5)).toBe(0);
    expect(skb.shinfo).not.toBe(clone.shinfo);
    expect(skbEnsureWritable(skb, 8)).toBeLessThan(0);
    [skb, clone].forEach(consumeSkb);
  });
});
