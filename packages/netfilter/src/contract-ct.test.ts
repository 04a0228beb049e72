import { createNet, createWorld } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { NfConntrack, allocSkb, installSkbuff } from '@stack/skbuff';
import { describe, test } from 'vitest';
import { nfCtHookContract, nfQueueHandlerContract } from './contract-ct.ts';
import { NF_DROP, installNetfilter, nfReinject, nfSetCtHook } from './index.ts';
import type { NfCtHook, NfQueueEntry, NfQueueHandler } from './index.ts';

function makeNet(): Net {
  const world = createWorld({ seed: 1, debug: true });
  installSkbuff(world);
  const net = createNet(world, { name: 'a' });
  installNetfilter(net);
  return net;
}

/** The least that connection tracking can be. */
const hook: NfCtHook = {
  attach: (nskb, skb) => {
    if (skb.nfct === null) return;
    skb.nfct.use++;
    nskb.nfct = skb.nfct;
    nskb.nfctinfo = skb.nfctinfo + 1;
  },
};

describe('NfCtHook', () => {
  for (const { name, run } of nfCtHookContract) {
    test(name, () => run(() => {
      const net = makeNet();
      nfSetCtHook(net, hook);
      return {
        net,
        tracked: () => {
          const skb = allocSkb(net, 100)!;
          skb.nfct = new NfConntrack({ destroy: () => undefined });
          return skb;
        },
      };
    }));
  }
});

/** Keeps what it gets, of any number of hosts. */
function keeper(): NfQueueHandler {
  let entries: NfQueueEntry[] = [];
  return {
    outfn: (entry) => {
      entries.push(entry);
      return 0;
    },
    nfHookDrop: (net) => {
      const mine = entries.filter(({ state }) => state.net === net);
      entries = entries.filter(({ state }) => state.net !== net);
      for (const entry of mine) nfReinject(entry, NF_DROP);
    },
  };
}

describe('NfQueueHandler', () => {
  for (const { name, run } of nfQueueHandlerContract) test(name, () => run(() => ({ net: makeNet(), handler: keeper() })));
});
