// The way back of a queued packet (nf_reinject in net/netfilter/nf_queue.c): on with the next hook function, or again
// with the one that queued it (NF_REPEAT).

import { SKB_DROP_REASON_NETFILTER_DROP } from '@stack/kernel';
import { kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { nfHookSlow } from './core.ts';
import { NF_ACCEPT, NF_QUEUE, NF_REPEAT, NF_STOLEN, NF_VERDICT_MASK } from './hook.ts';
import type { NfHookOps, NfHookState, NfQueueEntry } from './hook.ts';
import { nfQueue } from './nf-queue.ts';

/**
 * Ends the wait of a queued packet; the entry must not be used again. NF_ACCEPT: on with the next hook function, and with
 * okfn; NF_REPEAT: with the same one; NF_QUEUE: waits again; NF_STOLEN: the handler has kept the packet; else it is dropped.
 */
export function nfReinject(entry: NfQueueEntry, verdict: number): void {
  const { skb, state } = entry;
  const hooks = state.net.nf.hooks[(state.pf << 3) | state.hook] ?? [];
  switch (verdict & NF_VERDICT_MASK) {
    case NF_ACCEPT:
      resume(skb, state, hooks, entry.hookIndex + 1);
      return;
    case NF_REPEAT:
      resume(skb, state, hooks, entry.hookIndex);
      return;
    case NF_QUEUE:
      if (nfQueue(skb, state, entry.hookIndex, verdict) === 1) resume(skb, state, hooks, entry.hookIndex + 1);
      return;
    case NF_STOLEN:
      return;
    default:
      kfreeSkbReason(skb, SKB_DROP_REASON_NETFILTER_DROP);
  }
}

function resume(skb: SkBuff, state: NfHookState, hooks: readonly NfHookOps[], index: number): void {
  if (nfHookSlow(skb, state, hooks, index) === 1) state.okfn(skb);
}
