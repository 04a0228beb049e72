// The pool's debug mode (world.debug): who allocated what, and that nothing is used after it was freed.
//
// In this mode a freed sk_buff is never handed out again: it has no data area any more, so that access through it
// throws, and freeing it twice throws and says who allocated it. Free slots hold a pattern, which is checked when the
// slot is handed out: a write after the free is found there. In both modes what is in use is in the kernel's openReport.

import type { Net, OpenItem, World } from '@stack/kernel';
import type { Page } from './page.ts';
import type { SkBuff } from './sk-buff.ts';

/** What the debug mode remembers of an allocation. */
class Allocation {
  net: Net;
  /** Where: its stack is formatted only when a report asks for it. Null when it was not noted. */
  site: Error | null;

  constructor(net: Net, noted: boolean) {
    this.net = net;
    this.site = noted ? new Error('allocated') : null;
  }
}

/** To note a stack costs microseconds: so many allocations of a World are noted each, of those after them one in OWNERS_EVERY. */
const OWNERS_ALL = 32768;
const OWNERS_EVERY = 16;

/** State of the debug mode of one pool. */
export class PoolDebug {
  skbs: Map<SkBuff, Allocation>;
  /** Pages that are not (or not yet) the linear area of a sk_buff. */
  pages: Map<Page, Allocation>;
  /** Allocations of freed sk_buffs, for the message of a double free. */
  freed: WeakMap<SkBuff, Allocation>;
  /** Allocations so far. */
  count: number;

  constructor() {
    this.skbs = new Map();
    this.pages = new Map();
    this.freed = new WeakMap();
    this.count = 0;
  }
}

function note(debug: PoolDebug, net: Net): Allocation {
  const count = debug.count++;
  return new Allocation(net, count < OWNERS_ALL || count % OWNERS_EVERY === 0);
}

const POISON = 0x6b;
const POISON_WORD = 0x6b6b6b6b;
/** Bytes of a slot that the check looks at. */
const POISON_CHECKED = 2048;
const poisonBuf = new Uint8Array(0);
const poisonView = new DataView(poisonBuf.buffer);

/** Notes the owner of a new sk_buff. */
export function debugSkbAlloc(skb: SkBuff, debug: PoolDebug): void {
  debug.skbs.set(skb, note(debug, skb.net));
}

/** Takes a freed sk_buff's data area away. The object is not to be used again. */
export function debugSkbFree(skb: SkBuff, debug: PoolDebug): void {
  const allocation = debug.skbs.get(skb);
  if (allocation !== undefined) debug.freed.set(skb, allocation);
  debug.skbs.delete(skb);
  skb.buf = poisonBuf;
  skb.view = poisonView;
  skb.head = skb.data = skb.tail = skb.end = POISON_WORD;
  skb.len = skb.dataLen = POISON_WORD;
}

/** Notes the owner of a page. */
export function debugPageAlloc(page: Page, net: Net): void {
  const debug = page.pool.debug;
  if (debug !== null) debug.pages.set(page, note(debug, net));
}

/** The page becomes part of a sk_buff, whose owner answers for it from now on. */
export function debugPageAdopt(page: Page): void {
  page.pool.debug?.pages.delete(page);
}

/** Fills a freed page, or the whole of a new slab, with the pattern. */
export function debugPoison(buf: Uint8Array, base: number, size: number): void {
  buf.fill(POISON, base, base + size);
}

/** Checks that nobody has written to a free page. Throws when somebody has. */
export function debugPageCheck(page: Page): void {
  const { base, view } = page;
  const end = base + Math.min(page.size, POISON_CHECKED);
  for (let off = base; off < end; off += 4) {
    if (view.getInt32(off) === POISON_WORD) continue;
    throw new Error(`page ${page.no}: written to at byte ${off - base} after it was freed`);
  }
}

/** Throws the error of a sk_buff that is used by `fn` while nobody has a reference on it. */
export function skbUseAfterFree(skb: SkBuff, fn: string): never {
  const allocation = skb.net.world.pool.debug?.freed.get(skb);
  const owner = allocation === undefined ? '' : `, allocated by ${ownerOf(allocation.site)}`;
  throw new Error(`${fn}: sk_buff ${skb.id} of ${skb.net.name} is free already${owner}`);
}

/** All sk_buffs and pages of the World's pool that are in use, oldest first. Owners are known in debug mode only. */
export function leakReport(world: World): OpenItem[] {
  const out: OpenItem[] = [];
  reportSkbs(world, null, out);
  return out;
}

/**
 * The kernel's Reporter for this package: adds what `net` (null: all) has of the pool to `out`. What a host had in hand when it
 * panicked is lost with it: its panic's report has it, but not that of all.
 */
export function reportSkbs(world: World, net: Net | null, out: OpenItem[]): void {
  const { debug, nrSkbs, nrPages } = world.pool;
  if (debug === null) {
    if (net === null && nrSkbs + nrPages !== 0) {
      out.push({ kind: 'skb', host: '', owner: 'unknown', detail: `${nrSkbs} sk_buffs, ${nrPages} pages; owners are known in debug mode` });
    }
    return;
  }
  const wanted = (owner: Net): boolean => (net === null ? owner.panicked === null : owner === net);
  for (const [skb, allocation] of debug.skbs) {
    if (!wanted(skb.net)) continue;
    out.push({ kind: 'skb', host: skb.net.name, owner: ownerOf(allocation.site), detail: `id ${skb.id}, ${skb.len} bytes` });
  }
  for (const [page, allocation] of debug.pages) {
    if (!wanted(allocation.net)) continue;
    out.push({ kind: 'page', host: allocation.net.name, owner: ownerOf(allocation.site), detail: `no ${page.no}, ${page.size} bytes` });
  }
}

/** Functions that allocate for somebody else: the owner is their caller. */
const ALLOCATORS: ReadonlySet<string> = new Set([
  'Allocation', 'note', 'debugSkbAlloc', 'debugPageAlloc', 'takeSkbObject', 'takeSkb', 'allocSkb', 'allocSkbWithFrags', 'buildSkb',
  'allocPage', 'registerPage', 'skbClone', 'skbCopy', 'skbCopyExpand', 'pskbCopy', 'skbReallocHeadroom', 'skbShareCheck',
  'skbUnshare', 'devAllocSkb', 'netdevAllocSkb', '__netdevAllocSkb', 'napiAllocSkb',
]);

/** First caller that is not an allocator: "function (place)". */
function ownerOf(site: Error | null): string {
  if (site === null) return `unknown (one in ${OWNERS_EVERY} is noted)`;
  return stackFrames(site).find((frame) => !ALLOCATORS.has(functionOf(frame))) ?? 'unknown';
}

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
