/*
 * NAT on the hooks (net/netfilter/nf_nat_proto.c, nf_nat_core.c).
 *
 *   PRE_ROUTING -100, LOCAL_OUT -100 the destination; POST_ROUTING 100, LOCAL_IN 100 the source: nfNatInetFn -> the rules, for the
 *   first packet -> nfNatPacket
 *
 * A packet whose destination has changed loses the route that it had: before routing it is found anew anyway, behind LOCAL_OUT by
 * ipRouteMeHarder(). Read first: RFC 3022, RFC 4787.
 */
import { SiphashKey, netAtExit, randomU32, requireNet, requireNoNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { IPPROTO_ICMP, ipHdrDaddr, ipHdrProtocol } from '@stack/ip';
import { NETDEV_DOWN, registerNetdeviceNotifier, unregisterNetdeviceNotifier } from '@stack/netdev';
import type { NetDevice, NotifierBlock } from '@stack/netdev';
import {
  NFPROTO_IPV4, NF_ACCEPT, NF_DROP, NF_DROP_ERR, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING,
  NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC, NF_VERDICT_MASK, nfRegisterNetHooks,
} from '@stack/netfilter';
import type { NfHookOps, NfHookState } from '@stack/netfilter';
import { skbDstDrop } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { nfCtGet } from './nf-conn.ts';
import type { NfConn } from './nf-conn.ts';
import { nfConntrackList, nfCtDelete } from './nf-conntrack-hash.ts';
import { CTINFO2DIR, IP_CT_DIR_ORIGINAL, IP_CT_NEW, IP_CT_RELATED, IP_CT_RELATED_REPLY } from './nf-conntrack-tuple.ts';
import { HOOK2MANIP, NetnsNat } from './nf-nat.ts';
import { nfNatAllocNullBinding, nfNatCleanupConntrack, nfNatInitialized } from './nf-nat-core.ts';
import { nfNatIcmpReplyTranslation, nfNatPacket } from './nf-nat-manip.ts';
import { ipRouteMeHarder } from './ip-route-me-harder.ts';

/** A masqueraded connection now leaves by another interface, where its address is a stranger's: it must begin anew. */
function nfNatOifChanged(ct: NfConn, skb: SkBuff, state: NfHookState): boolean {
  return ct.masqIndex !== 0 && state.hook === NF_INET_POST_ROUTING && CTINFO2DIR(skb.nfctinfo) === IP_CT_DIR_ORIGINAL &&
    state.outdev !== null && state.outdev.ifindex !== ct.masqIndex;
}

/** Asks the rules what becomes of a new connection's source or destination, and binds it. Returns a verdict. */
function nfNatBind(ct: NfConn, skb: SkBuff, state: NfHookState, manip: number): number {
  const { lookup } = state.net.nat;
  if (lookup !== null) {
    const verdict = lookup(skb, state);
    if ((verdict & NF_VERDICT_MASK) !== NF_ACCEPT || nfNatInitialized(ct, manip)) return verdict;
  }
  return nfNatAllocNullBinding(ct, manip);
}

/** Changes a packet as its connection asks; a new connection is bound first. Returns a verdict. */
function nfNatInetFn(skb: SkBuff, state: NfHookState): number {
  const ct = nfCtGet(skb);
  // What is not tracked is not changed: no rule is even asked.
  if (ct === null) return NF_ACCEPT;
  const manip = HOOK2MANIP(state.hook);
  const ctinfo = skb.nfctinfo;
  if ((ctinfo === IP_CT_RELATED || ctinfo === IP_CT_RELATED_REPLY) && ipHdrProtocol(skb) === IPPROTO_ICMP) {
    return nfNatIcmpReplyTranslation(ct, skb, state.hook) ? NF_ACCEPT : NF_DROP;
  }
  if (ctinfo === IP_CT_NEW && !nfNatInitialized(ct, manip)) {
    const verdict = nfNatBind(ct, skb, state, manip);
    if ((verdict & NF_VERDICT_MASK) !== NF_ACCEPT) return verdict;
  } else if (nfNatOifChanged(ct, skb, state)) {
    nfCtDelete(ct);
    return NF_DROP;
  }
  return nfNatPacket(ct, skb, state.hook) ? NF_ACCEPT : NF_DROP;
}

function nfNatIpv4PreRouting(_priv: unknown, skb: SkBuff, state: NfHookState): number {
  const { net } = state;
  if (net.trace !== null) net.trace.hit(net, 'nf_nat_ipv4_pre_routing', skb);
  const daddr = ipHdrDaddr(skb);
  const verdict = nfNatInetFn(skb, state);
  if (verdict === NF_ACCEPT && ipHdrDaddr(skb) !== daddr) skbDstDrop(skb);
  return verdict;
}

function nfNatIpv4LocalFn(_priv: unknown, skb: SkBuff, state: NfHookState): number {
  const { net } = state;
  if (net.trace !== null) net.trace.hit(net, 'nf_nat_ipv4_local_fn', skb);
  const daddr = ipHdrDaddr(skb);
  const verdict = nfNatInetFn(skb, state);
  if (verdict !== NF_ACCEPT || ipHdrDaddr(skb) === daddr) return verdict;
  const error = ipRouteMeHarder(net, skb);
  return error === 0 ? verdict : NF_DROP_ERR(-error);
}

function nfNatIpv4Out(_priv: unknown, skb: SkBuff, state: NfHookState): number {
  const { net } = state;
  if (net.trace !== null) net.trace.hit(net, 'nf_nat_ipv4_out', skb);
  return nfNatInetFn(skb, state);
}

function nfNatIpv4LocalIn(_priv: unknown, skb: SkBuff, state: NfHookState): number {
  const { net } = state;
  if (net.trace !== null) net.trace.hit(net, 'nf_nat_ipv4_local_in', skb);
  return nfNatInetFn(skb, state);
}

const at = (hook: NfHookOps['hook'], hooknum: number, priority: number): NfHookOps => ({ hook, pf: NFPROTO_IPV4, hooknum, priority });

const natOps: readonly NfHookOps[] = [
  at(nfNatIpv4PreRouting, NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST),
  at(nfNatIpv4Out, NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC),
  at(nfNatIpv4LocalFn, NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST),
  at(nfNatIpv4LocalIn, NF_INET_LOCAL_IN, NF_IP_PRI_NAT_SRC),
];

/**
 * Masqueraded connections end with the interface that they leave by: its address may be another when it comes back.
 * Deviation: in Linux they end with the address too (`ip addr del`); here nobody is told of addresses, so they end by their timeout.
 */
function masqDeviceEvent(event: number, dev: NetDevice): number {
  if (event !== NETDEV_DOWN) return 0;
  for (const ct of nfConntrackList(dev.net.ct)) if (ct.masqIndex === dev.ifindex) nfCtDelete(ct);
  return 0;
}

const masqNotifier: NotifierBlock = { notifierCall: masqDeviceEvent };

/** NAT's part of a host that tracks connections, and its hook functions: all but what has to do with devices. */
export function nfNatNetInit(net: Net): void {
  const { random } = net.world;
  net.nat = new NetnsNat(net, new SiphashKey(randomU32(random), randomU32(random), randomU32(random), randomU32(random)));
  net.ct.natCleanup = nfNatCleanupConntrack;
  nfRegisterNetHooks(net, natOps);
}

/** Has a host change addresses, by the rules of table nat (installIpTables). Needs tracking and IPv4; throws if one is not there. */
export function installNat(net: Net): void {
  requireNet(net, 'installNat', 'ct', 'ipv4');
  requireNoNet(net, 'installNat', 'nat');
  nfNatNetInit(net);
  registerNetdeviceNotifier(net, masqNotifier);
  netAtExit(net, exitNat);
}

function exitNat(net: Net): void {
  unregisterNetdeviceNotifier(net, masqNotifier);
}
