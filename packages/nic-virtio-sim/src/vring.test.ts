// The two halves of a virtqueue against each other, and against hand-made memory.
import { createNet, createWorld } from '@stack/kernel';
import { allocPage, installSkbuff, putPage, type Page } from '@stack/skbuff';
import { describe, expect, test } from 'vitest';
import { VHOST_BAD, VHOST_EMPTY, VhostVirtqueue, vhostAddUsed, vhostDisableNotify, vhostDiscardVqDesc, vhostEnableNotify, vhostGetVqDesc, vhostPublishUsed, vhostVringStart } from './vhost-vring.ts';
import { VirtioBus } from './virtio-bus.ts';
import {
  VIRTQUEUE_IN, VIRTQUEUE_OUT, virtqueueAddDesc, virtqueueBegin, virtqueueDetachUnused, virtqueueDisableCb, virtqueueEnableCb,
  virtqueueEnableCbDelayed, virtqueueEnd, virtqueueGetBuf, virtqueueKickPrepare, vringCreateVirtqueue, vringDelVirtqueue, type Virtqueue,
} from './virtio-ring.ts';
import { vringAvailOffset, vringNeedEvent, vringSize, vringUsedOffset } from './vring.ts';

function makePair(num: number, eventIdx: boolean) {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const net = createNet(world);
  const bus = new VirtioBus(net, { read32: () => 0, write32: () => undefined, readConfig8: () => 0 }, null);
  const driver = vringCreateVirtqueue<number>(net, 0, num, bus, eventIdx)!;
  const device = new VhostVirtqueue(world.pool, 0, num);
  device.num = num;
  device.descPage = device.availPage = device.usedPage = driver.page.no;
  device.descOff = 0;
  device.availOff = vringAvailOffset(num);
  device.usedOff = vringUsedOffset(num);
  expect(vhostVringStart(device, eventIdx)).toBe(true);
  const page = allocPage(net, 2048)!;
  return { net, driver, device, page };
}

function add(vq: Virtqueue<number>, page: Page, id: number, pieces = 1, flags = VIRTQUEUE_OUT): void {
  virtqueueBegin(vq);
  for (let i = 0; i < pieces; i++) virtqueueAddDesc(vq, page, page.base + id + i, 1, flags);
  virtqueueEnd(vq, id);
}

describe('VIRTIO 1.2 §2.7: layout', () => {
  test('the parts of a queue of 256 are where the specification has them', () => {
    expect([vringAvailOffset(256), vringUsedOffset(256), vringSize(256)]).toEqual([4096, 4096 + 518 + 2, 4616 + 6 + 2048]);
    expect(vringUsedOffset(64) % 4).toBe(0);
  });

  test('descriptors and the available ring are little-endian: addr, len, flags, next; flags, idx, ring', () => {
    const { driver, page } = makePair(4, true);
    virtqueueBegin(driver);
    virtqueueAddDesc(driver, page, page.base + 0x123, 0x456, VIRTQUEUE_OUT);
    virtqueueAddDesc(driver, page, page.base, 7, VIRTQUEUE_IN);
    virtqueueEnd(driver, 1);
    const bytes = (from: number, n: number): number[] => [...driver.page.buf.subarray(driver.page.base + from, driver.page.base + from + n)];
    const no = [page.no & 0xff, page.no >> 8, 0, 0];
    expect(bytes(0, 16)).toEqual([0x23, 0x01, 0, 0, ...no, 0x56, 0x04, 0, 0, 1, 0, 1, 0]);
    expect(bytes(16, 14)).toEqual([0, 0, 0, 0, ...no, 7, 0, 0, 0, 2, 0]);
    expect(bytes(64, 6)).toEqual([0, 0, 1, 0, 0, 0]);
  });
});

describe('a buffer', () => {
  test('goes to the device and comes back, with how much was written', () => {
    const { driver, device, page } = makePair(8, true);
    add(driver, page, 42, 3, VIRTQUEUE_IN);
    expect(driver.numFree).toBe(5);
    const head = vhostGetVqDesc(device);
    expect([head, device.iov.nr, device.nrOut, device.iov.off[1]! - page.base]).toEqual([0, 3, 0, 43]);
    expect(virtqueueGetBuf(driver)).toBeNull();
    vhostAddUsed(device, head, 2);
    expect(virtqueueGetBuf(driver)).toBeNull();
    vhostPublishUsed(device);
    expect([virtqueueGetBuf(driver), driver.usedLen, driver.numFree]).toEqual([42, 2, 8]);
  });

  test('after 200,000 in random order nothing is lost (indices wrap three times)', () => {
    const { driver, device, page } = makePair(16, true);
    const held: number[] = [];
    let random = 1;
    let next = 0;
    const back = new Set<number>();
    for (let i = 0; i < 200_000; i++) {
      random = Math.imul(random, 1103515245) + 12345;
      const what = (random >>> 16) % 3;
      if (what === 0 && driver.numFree >= 2) add(driver, page, next++ & 0x3ff, 1 + ((random >>> 20) & 1));
      else if (what === 1) {
        const head = vhostGetVqDesc(device);
        if (head >= 0) held.push(head);
      } else if (held.length > 0) {
        vhostAddUsed(device, held.splice((random >>> 20) % held.length, 1)[0]!, 0);
        vhostPublishUsed(device);
        const got = virtqueueGetBuf(driver);
        if (got === null) throw new Error(`buffer ${i} is lost`);
        back.add(got);
      }
    }
    for (const head of held) vhostAddUsed(device, head, 0);
    while (vhostGetVqDesc(device) >= 0) vhostAddUsed(device, device.head, 0);
    vhostPublishUsed(device);
    while (virtqueueGetBuf(driver) !== null);
    expect([driver.numFree, driver.broken, back.size > 500]).toEqual([16, false, true]);
  });

  test('that the device gives back unused is got again', () => {
    const { driver, device, page } = makePair(8, true);
    add(driver, page, 1);
    add(driver, page, 2);
    const first = vhostGetVqDesc(device);
    vhostGetVqDesc(device);
    vhostDiscardVqDesc(device, 2);
    expect(vhostGetVqDesc(device)).toBe(first);
  });

  test('is taken back by the driver after a reset', () => {
    const { driver, page } = makePair(8, true);
    for (const id of [5, 6, 7]) add(driver, page, id, 2);
    const got = [virtqueueDetachUnused(driver), virtqueueDetachUnused(driver), virtqueueDetachUnused(driver), virtqueueDetachUnused(driver)];
    expect(got).toEqual([5, 6, 7, null]);
    expect(driver.numFree).toBe(8);
    vringDelVirtqueue(driver);
    putPage(page);
  });
});

describe('VIRTIO 1.2 §2.7.7 and §2.7.10: suppression', () => {
  test.each([
    [10, 11, 10, true], [10, 10, 9, false], [10, 12, 11, false], [10, 12, 9, true],
    [0xffff, 0, 0xffff, true], [0xffff, 1, 0xfffe, true], [0, 0xffff, 0xfffe, false], [5, 5, 4, false],
  ])('event %i is crossed from new %i, old %i: %s', (event, now, old, expected) => {
    expect(vringNeedEvent(event, now, old)).toBe(expected);
  });

  test.each([true, false])('one kick for a device that waits, none while it looks by itself (event index: %s)', (eventIdx) => {
    const { driver, device, page } = makePair(8, eventIdx);
    vhostDisableNotify(device);
    expect(vhostEnableNotify(device)).toBe(false);
    add(driver, page, 1);
    expect(virtqueueKickPrepare(driver)).toBe(true);
    vhostDisableNotify(device);
    vhostGetVqDesc(device);
    add(driver, page, 2);
    expect(virtqueueKickPrepare(driver)).toBe(false);
    vhostGetVqDesc(device);
    expect([vhostGetVqDesc(device), vhostEnableNotify(device)]).toEqual([VHOST_EMPTY, false]);
    add(driver, page, 3);
    expect(virtqueueKickPrepare(driver)).toBe(true);
  });

  test('a device that waits for more than it has seen is kicked for the next, not for those', () => {
    const { driver, device, page } = makePair(8, true);
    add(driver, page, 1);
    virtqueueKickPrepare(driver);
    vhostGetVqDesc(device);
    vhostDiscardVqDesc(device, 1);
    expect(vhostEnableNotify(device)).toBe(false);
    add(driver, page, 2);
    expect(virtqueueKickPrepare(driver)).toBe(true);
  });

  test('enabling finds what came meanwhile', () => {
    const { driver, device, page } = makePair(8, true);
    vhostDisableNotify(device);
    vhostGetVqDesc(device);
    add(driver, page, 1);
    expect(vhostEnableNotify(device)).toBe(true);
  });

  test.each([true, false])('interrupts: wanted, not wanted, wanted again (event index: %s)', (eventIdx) => {
    const { driver, device, page } = makePair(8, eventIdx);
    const use = (id: number): boolean => {
      add(driver, page, id);
      vhostAddUsed(device, vhostGetVqDesc(device), 0);
      return vhostPublishUsed(device);
    };
    expect(use(1)).toBe(true);
    virtqueueDisableCb(driver);
    expect([use(2), use(3)]).toEqual([false, false]);
    expect(virtqueueEnableCb(driver)).toBe(false);
    while (virtqueueGetBuf(driver) !== null);
    expect(virtqueueEnableCb(driver)).toBe(true);
    expect(use(4)).toBe(true);
  });

  test('delayed: one interrupt when three quarters have been used', () => {
    const { driver, device, page } = makePair(16, true);
    for (let id = 0; id < 8; id++) add(driver, page, id);
    expect(virtqueueEnableCbDelayed(driver)).toBe(true);
    const signals: number[] = [];
    for (let n = 1; n <= 8; n++) {
      vhostAddUsed(device, vhostGetVqDesc(device), 0);
      if (vhostPublishUsed(device)) signals.push(n);
    }
    expect(signals).toEqual([7]);
    expect(virtqueueEnableCbDelayed(driver)).toBe(false);
  });
});

describe('a broken driver', () => {
  test.each<[string, (driver: Virtqueue<number>, view: DataView, page: Page) => void]>([
    ['an index further ahead than the ring is long', (driver, view) => view.setUint16(driver.avail + 2, 9, true)],
    ['a head beyond the table', (driver, view) => view.setUint16(driver.avail + 4, 8, true)],
    ['a chain that runs in a circle', (driver, view) => {
      view.setUint16(driver.desc + 12, 1, true);
      view.setUint16(driver.desc + 14, 0, true);
    }],
    ['a chain that leaves the table', (driver, view) => {
      view.setUint16(driver.desc + 12, 1, true);
      view.setUint16(driver.desc + 14, 77, true);
    }],
    ['a page that is none', (driver, view) => view.setUint32(driver.desc + 4, 0xffffff, true)],
    ['a page number that is negative', (driver, view) => view.setInt32(driver.desc + 4, -1, true)],
    ['an offset outside the page', (driver, view) => view.setUint32(driver.desc, 4096, true)],
    ['a length beyond the page', (driver, view) => view.setUint32(driver.desc + 8, 0x7fffffff, true)],
    ['an empty piece', (driver, view) => view.setUint32(driver.desc + 8, 0, true)],
  ])('is found out: %s', (_what, spoil) => {
    const { driver, device, page } = makePair(8, true);
    add(driver, page, 1);
    spoil(driver, driver.view, page);
    expect(vhostGetVqDesc(device)).toBe(VHOST_BAD);
  });

  test('is found out: a piece to read behind one to write', () => {
    const { driver, device, page } = makePair(8, true);
    virtqueueBegin(driver);
    virtqueueAddDesc(driver, page, page.base, 1, VIRTQUEUE_IN);
    virtqueueAddDesc(driver, page, page.base, 1, VIRTQUEUE_OUT);
    virtqueueEnd(driver, 1);
    expect(vhostGetVqDesc(device)).toBe(VHOST_BAD);
  });

  test.each([0, 3, 16])('a queue of %i descriptors does not start', (num) => {
    const { device } = makePair(8, true);
    device.num = num;
    expect(vhostVringStart(device, true)).toBe(false);
  });
});

describe('a broken device', () => {
  test.each([9, 3])('that returns id %i, which is none of ours, breaks the queue, not the driver', (id) => {
    const { driver, device, page } = makePair(8, true);
    add(driver, page, 1);
    vhostAddUsed(device, id, 0);
    vhostPublishUsed(device);
    expect([virtqueueGetBuf(driver), driver.broken, virtqueueGetBuf(driver)]).toEqual([null, true, null]);
  });
});
