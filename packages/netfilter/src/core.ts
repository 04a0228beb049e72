// The hook core (net/netfilter/core.c).
//
//   installNetfilter(net) -> nfRegisterNetHook ... nfHook -> (hooks there) nfHookSlow -> okfn
//                                                             '-> NF_QUEUE: nfQueue, later nfReinject (reinject.ts)
//
// A point without hook functions costs one test. Lists are replaced when one is registered, so a walk under way is not disturbed.

import { EBUSY, EINVAL, ENOENT, EPERM, SKB_DROP_REASON_NETFILTER_DROP, netAtExit, requireNoNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { kfreeSkbReason } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  NFPROTO_NUMPROTO, NF_ACCEPT, NF_DROP, NF_QUEUE, NF_REPEAT, NF_STOLEN, NF_VERDICT_MASK, NetnsNf, NfHookState, nfHookName,
} from './hook.ts';
import type { NfCtHook, NfHookOps, NfOkfn } from './hook.ts';
import { nfQueue } from './nf-queue.ts';

declare module '@stack/kernel' {
  interface NetLinks {
    nf: NetnsNf;
  }
}

/** Gives the host its hooks, all empty. */
export function installNetfilter(net: Net): void {
  requireNoNet(net, 'installNetfilter', 'nf');
  net.nf = new NetnsNf();
  netAtExit(net, exitNetfilter);
}

function exitNetfilter(net: Net): void {
  const nf = net.nf;
  if (nf.queueHandler !== null) nf.queueHandler.nfHookDrop(net);
  nf.queueHandler = null;
  nf.ctHook = null;
  nf.hooks.fill(null);
}

/** Adds a hook function. 0, -EINVAL for a point that does not exist, -EBUSY when these very ops are registered already. */
export function nfRegisterNetHook(net: Net, ops: NfHookOps): number {
  if (ops.pf <= 0 || ops.pf >= NFPROTO_NUMPROTO || ops.hooknum < 0 || ops.hooknum > 7) return -EINVAL;
  const nf = net.nf;
  const at = (ops.pf << 3) | ops.hooknum;
  const old = nf.hooks[at] ?? [];
  if (old.includes(ops)) return -EBUSY;
  const before = old.filter((o) => o.priority <= ops.priority);
  nf.hooks[at] = [...before, ops, ...old.filter((o) => o.priority > ops.priority)];
  return 0;
}

/** Removes a hook function; packets that wait in a queue of this host are dropped. 0 or -ENOENT. */
export function nfUnregisterNetHook(net: Net, ops: NfHookOps): number {
  const nf = net.nf;
  const at = (ops.pf << 3) | ops.hooknum;
  const old = nf.hooks[at] ?? null;
  if (old === null || !old.includes(ops)) return -ENOENT;
  nf.hooks[at] = old.length === 1 ? null : old.filter((o) => o !== ops);
  if (nf.queueHandler !== null) nf.queueHandler.nfHookDrop(net);
  return 0;
}

/** Adds several hook functions, or none. 0, or the errno of the first that failed. */
export function nfRegisterNetHooks(net: Net, list: readonly NfHookOps[]): number {
  for (let i = 0; i < list.length; i++) {
    const err = nfRegisterNetHook(net, list[i]!);
    if (err === 0) continue;
    nfUnregisterNetHooks(net, list.slice(0, i));
    return err;
  }
  return 0;
}

/** Removes several hook functions, last first. */
export function nfUnregisterNetHooks(net: Net, list: readonly NfHookOps[]): void {
  for (let i = list.length - 1; i >= 0; i--) nfUnregisterNetHook(net, list[i]!);
}

/** Sets connection tracking's part, null to remove it. 0, or -EBUSY when another is there. */
export function nfSetCtHook(net: Net, hook: NfCtHook | null): number {
  if (hook !== null && net.nf.ctHook !== null) return -EBUSY;
  net.nf.ctHook = hook;
  return 0;
}

/** Gives `nskb`, made in answer to `skb`, the same tracked connection, when there is tracking (nf_ct_attach). */
export function nfCtAttach(nskb: SkBuff, skb: SkBuff): void {
  if (skb.nfct === null) return;
  const hook = skb.net.nf.ctHook;
  if (hook !== null) hook.attach(nskb, skb);
}

/**
 * Passes a packet through the hook functions of (pf, hook) in skb.net, and on to okfn when all accept it (the chapter's
 * NF_HOOK). Takes the packet. Returns what okfn does; -EPERM or the verdict's errno when dropped; 0 when stolen or queued.
 */
export function nfHook(
  pf: number, hook: number, skb: SkBuff, indev: NetDevice | null, outdev: NetDevice | null, okfn: NfOkfn,
): number {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, nfHookName(pf, hook), skb);
  const hooks = net.nf.hooks[(pf << 3) | hook]!;
  if (hooks === null) return okfn(skb);
  return nfHookEnter(net, pf, hook, skb, indev, outdev, okfn, hooks);
}

/** The slow half of nfHook: fills in the state for this depth. */
function nfHookEnter(
  net: Net, pf: number, hook: number, skb: SkBuff, indev: NetDevice | null, outdev: NetDevice | null, okfn: NfOkfn,
  hooks: readonly NfHookOps[],
): number {
  const nf = net.nf;
  const depth = nf.depth++;
  if (depth === nf.states.length) nf.states.push(new NfHookState(net, okfn));
  const state = nf.states[depth]!;
  state.pf = pf;
  state.hook = hook;
  state.indev = indev;
  state.outdev = outdev;
  state.okfn = okfn;
  let ret: number;
  try {
    ret = nfHookSlow(skb, state, hooks, 0);
  } finally {
    nf.depth = depth;
  }
  return ret === 1 ? okfn(skb) : ret;
}

/**
 * Calls the hook functions from `index` on. 1 when all accept: the packet is the caller's still. Else it is gone:
 * 0, or the negative errno of a drop.
 */
export function nfHookSlow(skb: SkBuff, state: NfHookState, hooks: readonly NfHookOps[], index: number): number {
  for (let i = index; i < hooks.length; i++) {
    const ops = hooks[i]!;
    let verdict = ops.hook(ops.priv, skb, state);
    while ((verdict & NF_VERDICT_MASK) === NF_REPEAT) verdict = ops.hook(ops.priv, skb, state);
    switch (verdict & NF_VERDICT_MASK) {
      case NF_ACCEPT:
        break;
      case NF_QUEUE: {
        const ret = nfQueue(skb, state, i, verdict);
        if (ret !== 1) return ret;
        break;
      }
      case NF_STOLEN:
        return 0;
      default:
        return nfDrop(skb, verdict);
    }
  }
  return 1;
}

/** Frees a packet that a verdict drops; the errno for the caller. */
function nfDrop(skb: SkBuff, verdict: number): number {
  kfreeSkbReason(skb, SKB_DROP_REASON_NETFILTER_DROP);
  const err = (verdict & NF_VERDICT_MASK) === NF_DROP ? verdict >> 16 : 0;
  return err === 0 ? -EPERM : -err;
}
