import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  RB_EMPTY_ROOT, RbRoot, allocSkb, consumeSkb, rbErase, rbFirst, rbInsertColor, rbLast, rbLinkNode, rbNext, rbPrev, rbReplaceNode, skbRbtreePurge,
} from './index.ts';
import type { SkBuff } from './index.ts';
import { expectNoLeak, makeNet, must } from './test-support.ts';

/** Black sk_buffs on each way down; throws where the tree is not red and black. */
function blackHeight(node: SkBuff | null, parent: SkBuff | null): number {
  if (node === null) return 1;
  if (node.parent !== parent) throw new Error('broken link');
  if (node.red && (node.left?.red === true || node.right?.red === true)) throw new Error('red below red');
  const left = blackHeight(node.left, node);
  if (left !== blackHeight(node.right, node)) throw new Error('unequal black heights');
  return left + (node.red ? 0 : 1);
}

function contents(root: RbRoot): number[] {
  if (root.rbNode?.red === true) throw new Error('red root');
  blackHeight(root.rbNode, null);
  const forward: number[] = [];
  for (let skb = rbFirst(root); skb !== null; skb = rbNext(skb)) forward.push(skb.cb0);
  const back: number[] = [];
  for (let skb = rbLast(root); skb !== null; skb = rbPrev(skb)) back.unshift(skb.cb0);
  expect(back).toEqual(forward);
  return forward;
}

function insert(root: RbRoot, skb: SkBuff): void {
  let parent: SkBuff | null = null;
  let right = false;
  for (let node = root.rbNode; node !== null; node = right ? node.right : node.left) {
    parent = node;
    right = skb.cb0 >= node.cb0;
  }
  rbLinkNode(root, skb, parent, right);
  rbInsertColor(root, skb);
}

test('a tree of sk_buffs is in order, red and black, whatever comes and goes', () => {
  const step = fc.record({ what: fc.nat(9), key: fc.nat(500) });
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const net = makeNet();
    const root = new RbRoot();
    const model: SkBuff[] = [];
    for (const { what, key } of steps) {
      const at = key % Math.max(1, model.length);
      const old = model[at];
      if (what < 6 || old === undefined) {
        const skb = must(allocSkb(net, 64));
        skb.cb0 = key;
        insert(root, skb);
        model.push(skb);
      } else if (what < 9) {
        rbErase(root, old);
        expect([old.left, old.right, old.parent, old.red]).toEqual([null, null, null, false]);
        consumeSkb(old);
        model.splice(at, 1);
      } else {
        const skb = must(allocSkb(net, 64));
        skb.cb0 = old.cb0;
        rbReplaceNode(root, old, skb);
        consumeSkb(old);
        model[at] = skb;
      }
      expect(contents(root)).toEqual(model.map((skb) => skb.cb0).sort((a, b) => a - b));
    }
    skbRbtreePurge(root);
    expect(RB_EMPTY_ROOT(root)).toBe(true);
    expectNoLeak(net);
  }), { numRuns: 60 });
});

test('a thousand sk_buffs in ascending order are at most 2 log2(n + 1) deep', () => {
  const net = makeNet();
  const root = new RbRoot();
  for (let i = 0; i < 1000; i++) {
    const skb = must(allocSkb(net, 64));
    skb.cb0 = i;
    insert(root, skb);
  }
  const depth = (node: SkBuff | null): number => node === null ? 0 : 1 + Math.max(depth(node.left), depth(node.right));
  expect(depth(root.rbNode)).toBeLessThanOrEqual(20);
  skbRbtreePurge(root);
  expectNoLeak(net);
});
