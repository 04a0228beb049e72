/*
 * Fragments are put together before they are tracked (net/ipv4/netfilter/nf_defrag_ipv4.c): only the first of a datagram says
 * which connection it belongs to. What goes on is cut again behind POST_ROUTING, no larger than it came.
 */
import { IP_DEFRAG_CONNTRACK_IN, IP_DEFRAG_CONNTRACK_OUT, ipDefrag, ipIsFragment } from '@stack/ip';
import {
  NFPROTO_IPV4, NF_ACCEPT, NF_INET_LOCAL_OUT, NF_INET_PRE_ROUTING, NF_IP_PRI_CONNTRACK_DEFRAG, NF_STOLEN, NfQueueEntry, nfReinject,
} from '@stack/netfilter';
import type { NfHookOps, NfHookState } from '@stack/netfilter';
import type { SkBuff } from '@stack/skbuff';

/**
 * Keeps a fragment; the last one missing is answered by the whole datagram, which goes on with the next hook function in its place.
 * Deviation: Linux makes the fragment in hand the head of the datagram (skb_morph); here the first fragment is its head, so it is
 * brought back as a packet that was queued, and whoever sent the last fragment is told 0.
 */
function ipv4ConntrackDefrag(_priv: unknown, skb: SkBuff, state: NfHookState): number {
  if (!ipIsFragment(skb)) return NF_ACCEPT;
  const { net } = state;
  const incoming = state.hook === NF_INET_PRE_ROUTING;
  const hooks = net.nf.hooks[(state.pf << 3) | state.hook] ?? [];
  const index = hooks.indexOf(incoming ? defragIn : defragOut);
  const whole = ipDefrag(net, skb, incoming ? IP_DEFRAG_CONNTRACK_IN : IP_DEFRAG_CONNTRACK_OUT);
  if (whole !== null) nfReinject(new NfQueueEntry(whole, 0, state, index), NF_ACCEPT);
  return NF_STOLEN;
}

const defragIn: NfHookOps = { hook: ipv4ConntrackDefrag, pf: NFPROTO_IPV4, hooknum: NF_INET_PRE_ROUTING, priority: NF_IP_PRI_CONNTRACK_DEFRAG };
const defragOut: NfHookOps = { ...defragIn, hooknum: NF_INET_LOCAL_OUT };

/** The hook functions, for nfRegisterNetHooks. */
export const nfDefragIpv4Ops: readonly NfHookOps[] = [defragIn, defragOut];
