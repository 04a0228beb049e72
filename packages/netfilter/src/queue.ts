// Queued packets (net/netfilter/nf_queue.c): a hook function's NF_QUEUE hands the packet to the host's queue handler,
// whose nfReinject brings it back: on with the next hook function, or again with the same one (NF_REPEAT).

import { EBUSY, ESRCH, SKB_DROP_REASON_NETFILTER_DROP } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  NF_ACCEPT, NF_QUEUE, NF_REPEAT, NF_STOLEN, NF_VERDICT_FLAG_QUEUE_BYPASS, NF_VERDICT_MASK, NfHookState, NfQueueEntry,
} from './hook.ts';
import type { NfHookOps, NfQueueHandler } from './hook.ts';

/** Makes `handler` the one who takes queued packets of this host. 0, or -EBUSY when there is one. */
export function nfRegisterQueueHandler(net: Net, handler: NfQueueHandler): number {
  if (net.nf.queueHandler !== null) return -EBUSY;
  net.nf.queueHandler = handler;
  return 0;
}

/** Removes the queue handler, which gives back what it holds. */
export function nfUnregisterQueueHandler(net: Net): void {
  const handler = net.nf.queueHandler;
  net.nf.queueHandler = null;
  if (handler !== null) handler.nfHookDrop(net);
}

/**
 * Hands a packet to the queue handler. 1: nobody handles it, and the verdict says to go on without (NF_VERDICT_FLAG_QUEUE_BYPASS);
 * else the packet is gone: 0, or the negative errno of a drop.
 */
export function nfQueue(skb: SkBuff, state: NfHookState, hookIndex: number, verdict: number): number {
  const nf = state.net.nf;
  const handler = nf.queueHandler;
  const bypass = (verdict & NF_VERDICT_FLAG_QUEUE_BYPASS) !== 0;
  if (handler === null) {
    if (bypass) return 1;
    kfreeSkbReason(skb, SKB_DROP_REASON_NETFILTER_DROP);
    return -ESRCH;
  }
  const entry = new NfQueueEntry(skb, nf.nextQueueId, copyState(state), hookIndex);
  nf.nextQueueId = (nf.nextQueueId + 1) | 0;
  const err = handler.outfn(entry, (verdict >> 16) & 0xffff);
  if (err >= 0) return 0;
  if (err === -ESRCH && bypass) return 1;
  kfreeSkbReason(skb, SKB_DROP_REASON_NETFILTER_DROP);
  return err;
}

function copyState(state: NfHookState): NfHookState {
  const copy = new NfHookState(state.net, state.okfn);
  copy.pf = state.pf;
  copy.hook = state.hook;
  copy.indev = state.indev;
  copy.outdev = state.outdev;
  return copy;
}

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
