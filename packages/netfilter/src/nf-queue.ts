// Queued packets (net/netfilter/nf_queue.c): a hook function's NF_QUEUE hands the packet to the host's queue handler,
// which brings it back with nfReinject (reinject.ts).

import { EBUSY, ESRCH, SKB_DROP_REASON_NETFILTER_DROP } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { NF_VERDICT_FLAG_QUEUE_BYPASS, NfHookState, NfQueueEntry } from './hook.ts';
import type { NfQueueHandler } from './hook.ts';

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
