// The pool's debug mode (world.debug): who allocated what, and that nothing is used after it was freed.
//
// In this mode a freed sk_buff is never handed out again: it keeps no data area, so that any access through it throws,
// and freeing it twice throws and says who allocated it. Freed slots are filled with a pattern which is checked when
// the slot is handed out again: a write after the free is found there.

import type { Net, World } from '@stack/kernel';
import type { Page } from './page.ts';
import type { SkBuff } from './sk-buff.ts';

/** One sk_buff or page that has not been given back. */
export interface LeakRecord {
  kind: 'sk_buff' | 'page';
  /** The sk_buff's id, the page's number. */
  id: number;
  /** Name of the host that allocated it. */
  net: string;
  /** Function that allocated it, with its place in the source. */
  owner: string;
  /** The sk_buff's len, the page's size. */
  bytes: number;
}

/** What the debug mode remembers of an allocation. */
class Allocation {
  net: Net;
  /** Where: its stack is formatted only when a report asks for it. */
  site: Error;

  constructor(net: Net) {
    this.net = net;
    this.site = new Error('allocated');
  }
}

/** State of the debug mode of one pool. */
export class PoolDebug {
  skbs: Map<SkBuff, Allocation>;
  pages: Map<Page, Allocation>;
  /** Numbers of the sk_buffs freed, by object, for the message of a double free. */
  freed: WeakMap<SkBuff, Allocation>;

  constructor() {
    this.skbs = new Map();
    this.pages = new Map();
    this.freed = new WeakMap();
  }
}

const POISON = 0x6b;
/** Bytes of a slot that the check looks at. */
const POISON_CHECKED = 2048;
const POISON_OFFSET = 0x6b6b6b6b;
const poisonBuf = new Uint8Array(0);
const poisonView = new DataView(new ArrayBuffer(0));

/** Notes the owner of a new sk_buff. */
export function debugSkbAlloc(skb: SkBuff, debug: PoolDebug): void {
  debug.skbs.set(skb, new Allocation(skb.net));
}

/** Takes a freed sk_buff's data area away. The object is not to be used again. */
export function debugSkbFree(skb: SkBuff, debug: PoolDebug): void {
  const allocation = debug.skbs.get(skb);
  if (allocation !== undefined) debug.freed.set(skb, allocation);
  debug.skbs.delete(skb);
  skb.buf = poisonBuf;
  skb.view = poisonView;
  skb.head = skb.data = skb.tail = skb.end = POISON_OFFSET;
  skb.len = skb.dataLen = POISON_OFFSET;
}

/** Notes the owner of a page that is not a sk_buff's linear area. */
export function debugPageAlloc(page: Page, net: Net): void {
  page.pool.debug?.pages.set(page, new Allocation(net));
}

/** Fills a freed page with the pattern. */
export function debugPageFree(page: Page): void {
  page.pool.debug?.pages.delete(page);
  if (page.pageClass >= 0) page.buf.fill(POISON, page.base, page.base + page.size);
}

/** Checks that nobody has written to a free page. Throws when somebody has. `fresh` pages have never been freed. */
export function debugPageCheck(page: Page): void {
  const { buf, base } = page;
  if (buf[base] === 0 && buf[base + 1] === 0) return;
  const end = base + Math.min(page.size, POISON_CHECKED);
  for (let i = base; i < end; i++) {
    if (buf[i] !== POISON) throw new Error(`page ${page.no}: byte ${i - base} was written after the page was freed`);
  }
}

/** Throws the error of a sk_buff that is freed while nobody has a reference on it. */
export function skbDoubleFree(skb: SkBuff): never {
  const allocation = skb.net.world.pool.debug?.freed.get(skb);
  const owner = allocation === undefined ? '' : `, allocated by ${ownerOf(allocation.site)}`;
  throw new Error(`kfree_skb: sk_buff ${skb.id} of ${skb.net.name} is free already${owner}`);
}

/** All sk_buffs and pages of the World's pool that are in use, oldest first; owners are known in debug mode only. */
export function leakReport(world: World): LeakRecord[] {
  const pool = world.pool;
  const debug = pool.debug;
  const records: LeakRecord[] = [];
  if (debug === null) {
    if (pool.nrSkbs !== 0) records.push({ kind: 'sk_buff', id: -1, net: '?', owner: `${pool.nrSkbs} sk_buffs; owners are known in debug mode`, bytes: 0 });
    if (pool.nrPages !== 0) records.push({ kind: 'page', id: -1, net: '?', owner: `${pool.nrPages} pages; owners are known in debug mode`, bytes: 0 });
    return records;
  }
  for (const [skb, allocation] of debug.skbs) {
    records.push({ kind: 'sk_buff', id: skb.id, net: allocation.net.name, owner: ownerOf(allocation.site), bytes: skb.len });
  }
  for (const [page, allocation] of debug.pages) {
    records.push({ kind: 'page', id: page.no, net: allocation.net.name, owner: ownerOf(allocation.site), bytes: page.size });
  }
  return records;
}

/** The report as text, one line each; empty when there is no leak. */
export function formatLeakReport(records: readonly LeakRecord[]): string {
  return records.map((r) => `${r.kind} ${r.id} of ${r.net}: ${r.bytes} bytes, allocated by ${r.owner}`).join('\n');
}

/** First caller outside this package's allocation functions. */
function ownerOf(site: Error): string {
  const frames = stackFrames(site).filter((frame) => !ALLOCATORS.has(functionOf(frame)));
  return frames[0] ?? 'unknown';
}

const ALLOCATORS: ReadonlySet<string> = new Set([
  'Allocation', 'debugSkbAlloc', 'debugPageAlloc', 'allocPage', 'registerPage', 'takeSkb', 'allocSkb', 'allocSkbWithFrags',
  'buildSkb', 'skbClone', 'skbCopy', 'pskbCopy', 'skbCopyExpand', 'netdevAllocSkb', '__netdevAllocSkb', 'devAllocSkb', 'napiAllocSkb',
]);

/** Name of the function that called `callee` (for a panic's text). */
export function callerName(callee: string): string {
  const names = stackFrames(new Error()).map(functionOf);
  return names[names.indexOf(callee) + 1] ?? 'unknown';
}

/** Frames of an error's stack as "function (place)", in V8's form and in that of Firefox and Safari. */
function stackFrames(error: Error): string[] {
  const lines = (error.stack ?? '').split('\n');
  return lines.filter((line) => /^\s+at |@/.test(line)).map((line) => line.trim().replace(/^at (new )?/, ''));
}

function functionOf(frame: string): string {
  return frame.split(/[ @]/, 1)[0] ?? frame;
}
