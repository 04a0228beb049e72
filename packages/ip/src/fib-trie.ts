/*
 * The trie of a routing table: longest-prefix match over int32 keys.
 *
 * Path-compressed and binary: a node stands for a prefix that has routes, or at which two longer
 * ones part. A lookup walks down at most 33 nodes, and from the deepest that has routes up again
 * until one of them fits. No allocation in a lookup.
 * Deviation: Linux compresses levels too (LC-trie); results are the same.
 */
import { EACCES, EAGAIN, EEXIST, EHOSTUNREACH, EINVAL, ESRCH } from '@stack/kernel';
import {
  FibNode, RTN_BLACKHOLE, RTN_PROHIBIT, RTN_THROW, RTN_UNREACHABLE, RTNH_F_DEAD, RTNH_F_LINKDOWN,
} from './fib.ts';
import type { FibAlias, FibNh, FibResult, FibTable } from './fib.ts';
import type { Flowi4 } from './flow.ts';

/** The netmask of a prefix length. */
function mask(plen: number): number {
  return plen === 0 ? 0 : -1 << (32 - plen);
}

/** Bit `at` of key, counted from the left. */
function bit(key: number, at: number): number {
  return (key >>> (31 - at)) & 1;
}

/**
 * The error that a route of this type stands for: 0 for those that lead somewhere, -EAGAIN for
 * one that sends the search on to the next table.
 */
export function fibTypeError(type: number): number {
  switch (type) {
    case RTN_BLACKHOLE: return -EINVAL;
    case RTN_UNREACHABLE: return -EHOSTUNREACH;
    case RTN_PROHIBIT: return -EACCES;
    case RTN_THROW: return -EAGAIN;
    default: return 0;
  }
}

/** Whether packets may be sent by nh: its device is up and, if ignore_routes_with_linkdown, has a carrier. */
export function fibNhUsable(nh: FibNh): boolean {
  if ((nh.flags & RTNH_F_DEAD) !== 0) return false;
  const inDev = nh.dev === null ? null : nh.dev.ipPtr;
  return (nh.flags & RTNH_F_LINKDOWN) === 0 || inDev === null || inDev.cnf.ignoreRoutesWithLinkdown === 0;
}

/** The first next hop of the route that may serve this flow, or null. */
function fibAliasMatch(fa: FibAlias, fl: Flowi4): FibNh | null {
  const info = fa.info;
  if (fa.tos !== 0 && fa.tos !== fl.flowi4Tos) return null;
  if (info.scope < fl.flowi4Scope) return null;
  for (const nh of info.nhs) {
    if (!fibNhUsable(nh)) continue;
    if (nh.dev === null || fl.flowi4Oif === 0 || fl.flowi4Oif === nh.dev.ifindex) return nh;
  }
  return null;
}

/**
 * Finds the route of the longest prefix for fl.daddr that serves fl. Returns 0 with res filled in,
 * -EAGAIN if this table has none, or the error of a route that forbids.
 */
export function fibTableLookup(table: FibTable, fl: Flowi4, res: FibResult): number {
  const key = fl.daddr;
  let best: FibNode | null = null;
  for (let n = table.root; n !== null && ((n.key ^ key) & mask(n.plen)) === 0; ) {
    best = n;
    if (n.plen === 32) break;
    n = bit(key, n.plen) === 0 ? n.left : n.right;
  }
  for (; best !== null; best = best.parent) {
    for (let fa = best.aliases; fa !== null; fa = fa.next) {
      const nh = fibAliasMatch(fa, fl);
      if (nh === null) continue;
      const error = fibTypeError(fa.type);
      if (error !== 0) return error;
      res.prefix = fa.prefix;
      res.prefixlen = fa.plen;
      res.type = fa.type;
      res.scope = fa.info.scope;
      res.table = table;
      res.info = fa.info;
      res.nh = nh;
      return 0;
    }
  }
  return -EAGAIN;
}

/** The node of exactly this prefix, or null. */
function fibFindNode(table: FibTable, key: number, plen: number): FibNode | null {
  let n = table.root;
  while (n !== null && n.plen < plen && ((n.key ^ key) & mask(n.plen)) === 0) {
    n = bit(key, n.plen) === 0 ? n.left : n.right;
  }
  return n !== null && n.plen === plen && n.key === key ? n : null;
}

function replaceChild(table: FibTable, parent: FibNode | null, old: FibNode | null, by: FibNode | null, key: number): void {
  if (parent === null) table.root = by;
  else if (old !== null ? parent.left === old : bit(key, parent.plen) === 0) parent.left = by;
  else parent.right = by;
  if (by !== null) by.parent = parent;
}

/** The node of this prefix, made if it is not there. */
function fibMakeNode(table: FibTable, key: number, plen: number): FibNode {
  let parent: FibNode | null = null;
  let n = table.root;
  while (n !== null) {
    const common = Math.min(Math.clz32(n.key ^ key), n.plen, plen);
    if (common < n.plen) return fibSplit(table, parent, n, key, plen, common);
    if (n.plen === plen) return n;
    parent = n;
    n = bit(key, n.plen) === 0 ? n.left : n.right;
  }
  const leaf = new FibNode(key, plen);
  replaceChild(table, parent, null, leaf, key);
  return leaf;
}

/** Puts a node for key above n, from which it parts (or ends) after `common` bits. */
function fibSplit(table: FibTable, parent: FibNode | null, n: FibNode, key: number, plen: number, common: number): FibNode {
  const node = new FibNode(key, plen);
  const top = common === plen ? node : new FibNode(key & mask(common), common);
  replaceChild(table, parent, n, top, key);
  n.parent = top;
  if (bit(n.key, common) === 0) top.left = n;
  else top.right = n;
  if (top !== node) replaceChild(table, top, null, node, key);
  return node;
}

/** Whether a goes before b in the list of one prefix. */
function aliasBefore(a: FibAlias, b: FibAlias): boolean {
  if (a.tos !== b.tos) return a.tos > b.tos;
  return a.info.priority < b.info.priority;
}

/** Whether two routes of one prefix would be in each other's way. */
function aliasSame(a: FibAlias, b: FibAlias): boolean {
  return a.tos === b.tos && a.info.priority === b.info.priority;
}

function nhEqual(a: FibNh, b: FibNh): boolean {
  return a.dev === b.dev && a.gw === b.gw && a.weight === b.weight;
}

/** Whether two routes are the same in everything that a user can say of them. */
function aliasEqual(a: FibAlias, b: FibAlias): boolean {
  const x = a.info;
  const y = b.info;
  return a.type === b.type && x.protocol === y.protocol && x.scope === y.scope && x.prefsrc === y.prefsrc &&
    x.nhs.length === y.nhs.length && x.nhs.every((nh, i) => nhEqual(nh, y.nhs[i]));
}

/**
 * Puts a route in. With append, one of the same prefix, TOS and metric may stand before it, unless
 * it is just the same; without, it may not (-EEXIST). Returns 0 or -EEXIST.
 */
export function fibTableInsert(table: FibTable, fa: FibAlias, append: boolean): number {
  const node = fibMakeNode(table, fa.prefix, fa.plen);
  let prev: FibAlias | null = null;
  for (let at = node.aliases; at !== null && !aliasBefore(fa, at); at = at.next) {
    if (aliasSame(at, fa) && (!append || aliasEqual(at, fa))) return -EEXIST;
    prev = at;
  }
  if (prev === null) {
    fa.next = node.aliases;
    node.aliases = fa;
  } else {
    fa.next = prev.next;
    prev.next = fa;
  }
  table.numAliases++;
  return 0;
}

/** Takes a route out. Returns 0, or -ESRCH if it is not there. */
export function fibTableRemove(table: FibTable, fa: FibAlias): number {
  const node = fibFindNode(table, fa.prefix, fa.plen);
  if (node === null) return -ESRCH;
  if (node.aliases === fa) {
    node.aliases = fa.next;
  } else {
    let prev = node.aliases;
    while (prev !== null && prev.next !== fa) prev = prev.next;
    if (prev === null) return -ESRCH;
    prev.next = fa.next;
  }
  fa.next = null;
  table.numAliases--;
  if (node.aliases === null) fibPruneNode(table, node);
  return 0;
}

/** Takes a node without routes out if it does not part two others, and then its parent if that is left with one. */
function fibPruneNode(table: FibTable, node: FibNode): void {
  if (node.aliases !== null || (node.left !== null && node.right !== null)) return;
  const parent = node.parent;
  replaceChild(table, parent, node, node.left ?? node.right, node.key);
  if (parent !== null) fibPruneNode(table, parent);
}

/** The first route of exactly this prefix, or null; the others follow by `next`. */
export function fibTableFind(table: FibTable, prefix: number, plen: number): FibAlias | null {
  return fibFindNode(table, prefix, plen)?.aliases ?? null;
}

/** All routes, in order of prefix, the longer of two first, as the kernel dumps them. Not for the packet path. */
export function fibTableDump(table: FibTable): FibAlias[] {
  const all: FibAlias[] = [];
  fibCollect(table.root, all);
  return all.sort((a, b) => (a.prefix >>> 0) - (b.prefix >>> 0) || b.plen - a.plen);
}

function fibCollect(node: FibNode | null, all: FibAlias[]): void {
  if (node === null) return;
  for (let fa = node.aliases; fa !== null; fa = fa.next) all.push(fa);
  fibCollect(node.left, all);
  fibCollect(node.right, all);
}
