// What @stack/netfilter exports.

// Setting up
export { installNetfilter } from './core.ts';

// The hooks
export { nfHook, nfRegisterNetHook, nfRegisterNetHooks, nfUnregisterNetHook, nfUnregisterNetHooks } from './core.ts';
export {
  NF_INET_FORWARD, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_NUMHOOKS, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING,
  NF_ARP_FORWARD, NF_ARP_IN, NF_ARP_OUT, NFPROTO_ARP, NFPROTO_BRIDGE, NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_NUMPROTO,
  NFPROTO_UNSPEC, NetnsNf, NfHookState, nfHookName,
} from './hook.ts';
export type { NfHookOps, NfHookfn, NfOkfn } from './hook.ts';

// Verdicts and priorities
export {
  NF_ACCEPT, NF_DROP, NF_DROP_ERR, NF_QUEUE, NF_QUEUE_NR, NF_REPEAT, NF_STOLEN, NF_VERDICT_FLAG_QUEUE_BYPASS,
  NF_VERDICT_MASK, NF_IP_PRI_CONNTRACK, NF_IP_PRI_CONNTRACK_CONFIRM, NF_IP_PRI_CONNTRACK_DEFRAG,
  NF_IP_PRI_CONNTRACK_HELPER, NF_IP_PRI_FILTER, NF_IP_PRI_FIRST, NF_IP_PRI_LAST, NF_IP_PRI_MANGLE,
  NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC, NF_IP_PRI_RAW, NF_IP_PRI_RAW_BEFORE_DEFRAG, NF_IP_PRI_SECURITY,
  NF_IP_PRI_SELINUX_FIRST, NF_IP_PRI_SELINUX_LAST,
} from './hook.ts';

// Queueing
export { nfRegisterQueueHandler, nfUnregisterQueueHandler } from './nf-queue.ts';
export { nfReinject } from './reinject.ts';
export { NfQueueEntry } from './hook.ts';
export type { NfQueueHandler } from './hook.ts';

// Connection tracking's part
export { nfCtAttach, nfSetCtHook } from './core.ts';
export type { NfCtHook } from './hook.ts';
