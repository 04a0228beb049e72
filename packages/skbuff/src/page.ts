// Pages: the packet memory of a World. (Stands for the page allocator and the page fragments of the kernel.)
//
// A page is one slot of a fixed slab: a slab never grows, more slabs are added. Slots come in classes of one size.
// Each page has a number in the pool's page table, so (number, offset into page.buf) is an address that a descriptor
// ring can hold. A user's buffer can be registered as a page too. Pages are reference counted: allocPage gives one
// reference, getPage adds one, putPage drops one, and the last drop returns the slot.
//
//   installSkbuff(world) -> allocPage -> getPage ... putPage -> (last) the class's free list

import type { Net, World } from '@stack/kernel';
import { registerReporter } from '@stack/kernel';
import { PoolDebug, debugPageAlloc, debugPageCheck, debugPoison, reportSkbs } from './debug.ts';
import type { SkbSharedInfo, SkBuff } from './sk-buff.ts';

declare module '@stack/kernel' {
  interface WorldLinks {
    pool: SkbPool;
  }
}

/** Slots of the classes, in bytes: a frame of MTU 1500 with its headroom; 2 KiB; a page of most machines; frames up to 16 KiB; a datagram or GSO packet with its headers. */
export const PAGE_CLASS_SIZES: readonly number[] = [1600, 2048, 4096, 8192, 16384, 66560];
/** Size in bytes of the pages that hold bulk data as fragments. */
export const PAGE_SIZE = 65536;

/** Class of a page with a buffer of its own (larger than any slot). */
const PAGE_CLASS_SINGLE = -1;
/** Class of a registered user buffer. */
const PAGE_CLASS_USER = -2;

/** Bytes of the first slab of a class; each further one is twice as large, up to 4 MiB. */
const SLAB_MIN = 256 << 10;
const SLAB_MAX_SHIFT = 4;

/** A reference counted piece of packet memory. */
export class Page {
  /** Number in the pool's page table. */
  no: number;
  /** References; 0 while free. */
  refs: number;
  /** The memory that the page is in, as bytes, from its very start. */
  buf: Uint8Array;
  /** The same memory as a DataView: same offsets. */
  view: DataView;
  /** Where the page begins in buf. */
  base: number;
  /** Bytes of the page. */
  size: number;
  /** Index of its PageClass, or negative for memory that is not a slot. */
  pageClass: number;
  /** Shared info of the sk_buff whose linear area this page is; made at first use and kept. */
  shinfo: SkbSharedInfo | null;
  pool: SkbPool;
  /** Free list of the class. */
  next: Page | null;

  constructor(pool: SkbPool, no: number, buf: Uint8Array, view: DataView, base: number, size: number, pageClass: number) {
    this.no = no;
    this.refs = 0;
    this.buf = buf;
    this.view = view;
    this.base = base;
    this.size = size;
    this.pageClass = pageClass;
    this.shinfo = null;
    this.pool = pool;
    this.next = null;
  }
}

/** All slots of one size. */
export class PageClass {
  size: number;
  free: Page | null;
  nrFree: number;
  nrPages: number;
  nrSlabs: number;

  constructor(size: number) {
    this.size = size;
    this.free = null;
    this.nrFree = 0;
    this.nrPages = 0;
    this.nrSlabs = 0;
  }
}

/** The packet memory of a World, and its pool of sk_buff objects. */
export class SkbPool {
  world: World;
  /** Page table: page number -> page; null where a number is free. */
  pages: (Page | null)[];
  /** Numbers of the page table that are free again. */
  freeNumbers: number[];
  classes: PageClass[];
  /** Free sk_buff objects, linked by next. */
  freeSkbs: SkBuff | null;
  /** sk_buffs in use. */
  nrSkbs: number;
  /** Pages in use. */
  nrPages: number;
  /** Bytes of slabs and single pages. */
  bytes: number;
  /** Most bytes of slabs and single pages; past it allocations fail with null. */
  limit: number;
  /** Owners and checks; null unless world.debug. */
  debug: PoolDebug | null;
  /** Who tells the sender of a packet where it is (tx-timestamp.ts); null without a socket layer. */
  tstampTx: ((skb: SkBuff, flag: number) => void) | null;

  constructor(world: World, limit: number) {
    this.world = world;
    this.pages = [];
    this.freeNumbers = [];
    this.classes = PAGE_CLASS_SIZES.map((size) => new PageClass(size));
    this.freeSkbs = null;
    this.nrSkbs = 0;
    this.nrPages = 0;
    this.bytes = 0;
    this.limit = limit;
    this.debug = world.debug ? new PoolDebug() : null;
    this.tstampTx = null;
  }
}

/**
 * Gives the World its packet pool. Call once per World before any layer allocates; a second call returns the same pool.
 * `limit`: most bytes of packet memory (default 1 GiB).
 */
export function installSkbuff(world: World, limit: number = 1 << 30): SkbPool {
  const installed: SkbPool | null = world.pool;
  if (installed !== null && installed !== undefined) return installed;
  const pool = new SkbPool(world, limit);
  world.pool = pool;
  registerReporter(world, reportSkbs);
  return pool;
}

/** A page of at least `size` bytes with one reference, the caller's; null when the pool's limit is reached. */
export function allocPage(net: Net, size: number = PAGE_SIZE): Page | null {
  const page = __allocPage(net.world.pool, size);
  if (page !== null && page.pool.debug !== null) debugPageAlloc(page, net);
  return page;
}

/** allocPage without a record of its owner, for sk_buffs: they have one of their own. */
export function __allocPage(pool: SkbPool, size: number): Page | null {
  const classes = pool.classes;
  let i = 0;
  while (i < classes.length && classes[i]!.size < size) i++;
  if (i === classes.length) return allocSinglePage(pool, size);
  const pageClass = classes[i]!;
  if (pageClass.free === null && !addSlab(pool, i)) return null;
  const page = pageClass.free!;
  pageClass.free = page.next;
  pageClass.nrFree--;
  page.next = null;
  page.refs = 1;
  pool.nrPages++;
  if (pool.debug !== null) debugPageCheck(page);
  return page;
}

/** One more reference. */
export function getPage(page: Page): void {
  page.refs++;
}

/** Drops a reference; the last one returns the page to the pool. Throws when there was none. */
export function putPage(page: Page): void {
  if (--page.refs > 0) return;
  if (page.refs < 0) throw new Error(`putPage: page ${page.no} is free already`);
  freePage(page);
}

/**
 * Makes a user's buffer a page, so that fragments and descriptors can point into it without a copy. The caller has one
 * reference and leaves the bytes alone until it has dropped that and all packets have gone; then the number is free again.
 */
export function registerPage(net: Net, buffer: Uint8Array): Page {
  const pool = net.world.pool;
  const memory = new Uint8Array(buffer.buffer);
  const page = newPage(pool, memory, new DataView(buffer.buffer), buffer.byteOffset, buffer.byteLength, PAGE_CLASS_USER);
  page.refs = 1;
  pool.nrPages++;
  if (pool.debug !== null) debugPageAlloc(page, net);
  return page;
}

/** The page with this number; throws when there is none: an address that nobody gave out. */
export function pageOf(pool: SkbPool, no: number): Page {
  const page = pool.pages[no];
  if (page === undefined || page === null) throw new Error(`pageOf: no page ${no}`);
  return page;
}

function freePage(page: Page): void {
  const pool = page.pool;
  if (pool.debug !== null) {
    pool.debug.pages.delete(page);
    if (page.pageClass >= 0) debugPoison(page.buf, page.base, page.size);
  }
  pool.nrPages--;
  if (page.pageClass < 0) {
    pool.pages[page.no] = null;
    pool.freeNumbers.push(page.no);
    if (page.pageClass === PAGE_CLASS_SINGLE) pool.bytes -= page.size;
    return;
  }
  const pageClass = pool.classes[page.pageClass]!;
  page.next = pageClass.free;
  pageClass.free = page;
  pageClass.nrFree++;
}

function allocSinglePage(pool: SkbPool, size: number): Page | null {
  if (pool.bytes + size > pool.limit) return null;
  const memory = new ArrayBuffer(size);
  const page = newPage(pool, new Uint8Array(memory), new DataView(memory), 0, size, PAGE_CLASS_SINGLE);
  pool.bytes += size;
  pool.nrPages++;
  page.refs = 1;
  return page;
}

function newPage(pool: SkbPool, buf: Uint8Array, view: DataView, base: number, size: number, pageClass: number): Page {
  const no = pool.freeNumbers.pop() ?? pool.pages.length;
  const page = new Page(pool, no, buf, view, base, size, pageClass);
  pool.pages[no] = page;
  return page;
}

/** One more slab of the class, its slots on the free list in ascending order. */
function addSlab(pool: SkbPool, index: number): boolean {
  const pageClass = pool.classes[index]!;
  const count = Math.floor((SLAB_MIN << Math.min(pageClass.nrSlabs, SLAB_MAX_SHIFT)) / pageClass.size);
  const bytes = count * pageClass.size;
  if (pool.bytes + bytes > pool.limit) return false;
  pool.bytes += bytes;
  pageClass.nrSlabs++;
  const memory = new ArrayBuffer(bytes);
  const buf = new Uint8Array(memory);
  const view = new DataView(memory);
  if (pool.debug !== null) debugPoison(buf, 0, bytes);
  const first = pool.pages.length;
  for (let i = 0; i < count; i++) {
    pool.pages.push(new Page(pool, first + i, buf, view, i * pageClass.size, pageClass.size, index));
  }
  for (let i = count - 1; i >= 0; i--) {
    const page = pool.pages[first + i]!;
    page.next = pageClass.free;
    pageClass.free = page;
  }
  pageClass.nrFree += count;
  pageClass.nrPages += count;
  return true;
}
