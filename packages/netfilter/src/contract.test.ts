import { createNet, createWorld } from '@stack/kernel';
import { allocSkb, consumeSkb, installSkbuff, kfreeSkb, skbPut, type SkBuff } from '@stack/skbuff';
import { describe, expect, test } from 'vitest';
import { nfHookContract, type NfHookRig } from './contract.ts';
import { installNetfilter } from './core.ts';
import { NFPROTO_IPV4, NF_ACCEPT, NF_DROP, NF_DROP_ERR, NF_INET_LOCAL_IN, NF_REPEAT, NF_STOLEN, type NfHookfn } from './hook.ts';

function make(hook: NfHookfn): NfHookRig {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const net = createNet(world);
  installNetfilter(net);
  const packet = (i: number): SkBuff => {
    const skb = allocSkb(net, 64)!;
    skb.networkHeader = skb.data;
    skb.buf.fill(i, skbPut(skb, 20 + i), skb.tail);
    return skb;
  };
  return { net, ops: { hook, pf: NFPROTO_IPV4, hooknum: NF_INET_LOCAL_IN, priority: 0 }, packet };
}

const good: Record<string, NfHookfn> = {
  'one that accepts': () => NF_ACCEPT,
  'one that drops': () => NF_DROP,
  'one that chooses': (_priv, skb) => (skb.len % 2 === 0 ? NF_ACCEPT : NF_DROP_ERR(13)),
  'one that takes packets over': (_priv, skb) => {
    consumeSkb(skb);
    return NF_STOLEN;
  },
};

describe.each(Object.entries(good))('the contract on %s', (_what, hook) => {
  for (const { name, run } of nfHookContract) test(name, () => run(() => make(hook)));
});

const broken: [string, NfHookfn][] = [
  ['gives verdicts', () => 77],
  ['gives verdicts', () => NF_REPEAT],
  ['reaches okfn once, or is freed', () => NF_STOLEN],
  ['owns a packet only by NF_STOLEN', (_priv, skb) => {
    kfreeSkb(skb);
    return NF_ACCEPT;
  }],
];

test.each(broken)('the contract finds what is broken: %s', (name, hook) => {
  const rule = nfHookContract.find((one) => one.name.includes(name));
  expect(() => rule?.run(() => make(hook))).toThrow();
});
