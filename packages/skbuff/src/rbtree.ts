// A red-black tree of sk_buffs (lib/rbtree.c as far as sockets want it): order that survives an adversary, in O(log n).
//
//   rbLinkNode at the place that the caller found, then rbInsertColor ... rbFirst, rbNext, rbPrev, rbLast ... rbErase
//
// The links are the sk_buff's own (left, right, parent, red); the caller knows the order, the tree only keeps it. An
// sk_buff is on one tree at a time, and on no tree its links are null. Read first: Cormen et al., "Introduction to
// Algorithms", chapter 13. (null stands for their black leaf.)

import { consumeSkb } from './alloc.ts';
import type { SkBuff } from './sk-buff.ts';

/** Where a tree begins; null when it is empty. */
export class RbRoot {
  rbNode: SkBuff | null;

  constructor() {
    this.rbNode = null;
  }
}

export function RB_EMPTY_ROOT(root: RbRoot): boolean {
  return root.rbNode === null;
}

/** First in order; null when empty. */
export function rbFirst(root: RbRoot): SkBuff | null {
  let node = root.rbNode;
  if (node !== null) while (node.left !== null) node = node.left;
  return node;
}

/** Last in order; null when empty. */
export function rbLast(root: RbRoot): SkBuff | null {
  let node = root.rbNode;
  if (node !== null) while (node.right !== null) node = node.right;
  return node;
}

/** The one after skb, which is on a tree; null at the end. */
export function rbNext(skb: SkBuff): SkBuff | null {
  let node = skb;
  if (node.right !== null) {
    node = node.right;
    while (node.left !== null) node = node.left;
    return node;
  }
  let up = node.parent;
  while (up !== null && up.right === node) {
    node = up;
    up = up.parent;
  }
  return up;
}

/** The one before skb, which is on a tree; null at the front. */
export function rbPrev(skb: SkBuff): SkBuff | null {
  let node = skb;
  if (node.left !== null) {
    node = node.left;
    while (node.right !== null) node = node.right;
    return node;
  }
  let up = node.parent;
  while (up !== null && up.left === node) {
    node = up;
    up = up.parent;
  }
  return up;
}

/** Hangs skb, which is on no tree, below parent on the side that is free (null: skb is the first). The tree takes it. rbInsertColor must follow. */
export function rbLinkNode(root: RbRoot, skb: SkBuff, parent: SkBuff | null, right: boolean): void {
  skb.left = null;
  skb.right = null;
  skb.parent = parent;
  skb.red = true;
  if (parent === null) root.rbNode = skb;
  else if (right) parent.right = skb;
  else parent.left = skb;
}

/** Puts `by` where `node` hangs: below its parent. */
function rbReplaceChild(root: RbRoot, node: SkBuff, by: SkBuff | null): void {
  const up = node.parent;
  if (up === null) root.rbNode = by;
  else if (up.left === node) up.left = by;
  else up.right = by;
  if (by !== null) by.parent = up;
}

/** The right child of node takes its place; node becomes its left child. */
function rbRotateLeft(root: RbRoot, node: SkBuff): void {
  const top = node.right!;
  rbReplaceChild(root, node, top);
  node.right = top.left;
  if (top.left !== null) top.left.parent = node;
  top.left = node;
  node.parent = top;
}

/** The left child of node takes its place; node becomes its right child. */
function rbRotateRight(root: RbRoot, node: SkBuff): void {
  const top = node.left!;
  rbReplaceChild(root, node, top);
  node.left = top.right;
  if (top.right !== null) top.right.parent = node;
  top.right = node;
  node.parent = top;
}

/** After rbLinkNode: no red sk_buff has a red parent, all ways down have as many black ones. */
export function rbInsertColor(root: RbRoot, skb: SkBuff): void {
  let node = skb;
  for (let up = node.parent; up?.red === true; up = node.parent) {
    // A red one is not the root: it has a parent.
    const top = up.parent!;
    const onLeft = top.left === up;
    const uncle = onLeft ? top.right : top.left;
    if (uncle?.red === true) {
      up.red = false;
      uncle.red = false;
      top.red = true;
      node = top;
      continue;
    }
    if (onLeft) {
      if (up.right === node) {
        rbRotateLeft(root, up);
        up = node;
      }
      up.red = false;
      top.red = true;
      rbRotateRight(root, top);
    } else {
      if (up.left === node) {
        rbRotateRight(root, up);
        up = node;
      }
      up.red = false;
      top.red = true;
      rbRotateLeft(root, top);
    }
    break;
  }
  root.rbNode!.red = false;
}

/** Puts newsk, on no tree, in the place of old, which becomes the caller's. */
export function rbReplaceNode(root: RbRoot, old: SkBuff, newsk: SkBuff): void {
  newsk.red = old.red;
  newsk.left = old.left;
  newsk.right = old.right;
  rbReplaceChild(root, old, newsk);
  if (newsk.left !== null) newsk.left.parent = newsk;
  if (newsk.right !== null) newsk.right.parent = newsk;
  rbClearNode(old);
}

function rbClearNode(skb: SkBuff): void {
  skb.left = null;
  skb.right = null;
  skb.parent = null;
  skb.red = false;
}

/** Takes skb off its tree; it becomes the caller's. */
export function rbErase(root: RbRoot, skb: SkBuff): void {
  if (skb.left !== null && skb.right !== null) {
    // The next in order has one child at most: it changes places with skb first.
    rbSwapWithNext(root, skb);
  }
  const child = skb.left ?? skb.right;
  const up = skb.parent;
  const wasLeft = up !== null && up.left === skb;
  rbReplaceChild(root, skb, child);
  if (!skb.red) {
    if (child?.red === true) child.red = false;
    else if (up !== null) rbEraseColor(root, up, wasLeft);
  }
  rbClearNode(skb);
}

/** skb, which has two children, and the next in order change places and colours. */
function rbSwapWithNext(root: RbRoot, skb: SkBuff): void {
  let next = skb.right!;
  while (next.left !== null) next = next.left;
  const red = next.red;
  const right = next.right;
  const up = next.parent === skb ? next : next.parent!;
  rbReplaceChild(root, skb, next);
  next.red = skb.red;
  next.left = skb.left;
  next.left!.parent = next;
  if (up === next) {
    next.right = skb;
  } else {
    next.right = skb.right;
    next.right!.parent = next;
    up.left = skb;
  }
  skb.parent = up;
  skb.red = red;
  skb.left = null;
  skb.right = right;
  if (right !== null) right.parent = skb;
}

/** Below `parent`, on one side, all ways have one black too few. */
function rbEraseColor(root: RbRoot, parent: SkBuff, left: boolean): void {
  let up: SkBuff | null = parent;
  let onLeft = left;
  while (up !== null) {
    let sibling: SkBuff = (onLeft ? up.right : up.left)!;
    if (sibling.red) {
      sibling.red = false;
      up.red = true;
      if (onLeft) rbRotateLeft(root, up);
      else rbRotateRight(root, up);
      sibling = (onLeft ? up.right : up.left)!;
    }
    const near = onLeft ? sibling.left : sibling.right;
    const far = onLeft ? sibling.right : sibling.left;
    if (near?.red === true || far?.red === true) {
      rbEraseRotate(root, up, sibling, onLeft);
      return;
    }
    sibling.red = true;
    const node: SkBuff = up;
    if (node.red) {
      node.red = false;
      return;
    }
    up = node.parent;
    onLeft = up !== null && up.left === node;
  }
}

/** The sibling, black, has a red child: rotations make up for the missing black one. */
function rbEraseRotate(root: RbRoot, up: SkBuff, sibling: SkBuff, onLeft: boolean): void {
  let top = sibling;
  const far = onLeft ? sibling.right : sibling.left;
  if (far?.red !== true) {
    top = (onLeft ? sibling.left : sibling.right)!;
    top.red = false;
    sibling.red = true;
    if (onLeft) rbRotateRight(root, sibling);
    else rbRotateLeft(root, sibling);
  }
  top.red = up.red;
  up.red = false;
  const outer = onLeft ? top.right : top.left;
  outer!.red = false;
  if (onLeft) rbRotateLeft(root, up);
  else rbRotateRight(root, up);
}

/** Frees all sk_buffs of the tree. */
export function skbRbtreePurge(root: RbRoot): void {
  for (let skb = rbFirst(root); skb !== null; skb = rbFirst(root)) {
    rbErase(root, skb);
    consumeSkb(skb);
  }
}
