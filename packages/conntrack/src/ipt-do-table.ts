/*
 * A packet goes through a table (ipt_do_table in net/ipv4/netfilter/ip_tables.c): from the chain of its hook, entry by entry, until
 * one gives a verdict; the chain's policy if none does.
 */
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, ipHdrDaddr, ipHdrProtocol, ipHdrSaddr, ipHdrlen } from '@stack/ip';
import type { NetDevice } from '@stack/netdev';
import { NF_ACCEPT } from '@stack/netfilter';
import type { NfHookState } from '@stack/netfilter';
import { pskbMayPull } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { IPS_DST_NAT, IPS_SRC_NAT, nfCtGet } from './nf-conn.ts';
import { IP_CT_IS_REPLY } from './nf-conntrack-tuple.ts';
import {
  XT_CONNTRACK_STATE_DNAT, XT_CONNTRACK_STATE_INVALID, XT_CONNTRACK_STATE_SNAT, XT_CONTINUE, XT_RETURN,
} from './x-tables.ts';
import type { XtChain, XtEntry, XtTable } from './x-tables.ts';

function deviceMatch(dev: NetDevice | null, name: string, prefix: boolean): boolean {
  if (dev === null) return false;
  return prefix ? dev.name.startsWith(name) : dev.name === name;
}

/** XT_CONNTRACK_STATE_* of a packet. */
function ctStateOf(skb: SkBuff): number {
  const ct = nfCtGet(skb);
  if (ct === null) return XT_CONNTRACK_STATE_INVALID;
  let state = 2 << (skb.nfctinfo % IP_CT_IS_REPLY);
  if ((ct.status & IPS_SRC_NAT) !== 0) state |= XT_CONNTRACK_STATE_SNAT;
  if ((ct.status & IPS_DST_NAT) !== 0) state |= XT_CONNTRACK_STATE_DNAT;
  return state;
}

/** The transport's part: ports, ICMP type and code. */
function transportMatch(entry: XtEntry, skb: SkBuff, protocol: number): boolean {
  if (!entry.ports && entry.icmpType < 0) return true;
  const hlen = ipHdrlen(skb);
  if (!pskbMayPull(skb, hlen + 4)) return false;
  const at = skb.data + hlen;
  const { view } = skb;
  if (entry.icmpType >= 0) {
    return protocol === IPPROTO_ICMP && view.getUint8(at) === entry.icmpType && (entry.icmpCode < 0 || view.getUint8(at + 1) === entry.icmpCode);
  }
  if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return false;
  const sport = view.getUint16(at);
  const dport = view.getUint16(at + 2);
  return sport >= entry.sportMin && sport <= entry.sportMax && dport >= entry.dportMin && dport <= entry.dportMax;
}

/** Whether an entry is about this packet, data at its IP header. */
function entryMatch(entry: XtEntry, skb: SkBuff, state: NfHookState): boolean {
  if (((ipHdrSaddr(skb) & entry.srcMask) === entry.src) === entry.srcNot) return false;
  if (((ipHdrDaddr(skb) & entry.dstMask) === entry.dst) === entry.dstNot) return false;
  if (entry.iif !== null && deviceMatch(state.indev, entry.iif, entry.iifPrefix) === entry.iifNot) return false;
  if (entry.oif !== null && deviceMatch(state.outdev, entry.oif, entry.oifPrefix) === entry.oifNot) return false;
  const protocol = ipHdrProtocol(skb);
  if (entry.protocol >= 0 && entry.protocol !== protocol) return false;
  if ((skb.mark & entry.markMask) !== entry.mark) return false;
  if (entry.ctState !== 0 && (ctStateOf(skb) & entry.ctState) === 0) return false;
  return transportMatch(entry, skb, protocol);
}

/** The verdict of a chain, or XT_CONTINUE. Chains do not jump in circles: that was seen to when they were made. */
function runChain(chain: XtChain, skb: SkBuff, state: NfHookState): number {
  const { entries } = chain;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    if (!entryMatch(entry, skb, state)) continue;
    entry.packets++;
    entry.bytes += skb.len;
    const verdict = entry.jump === null ? entry.target.target(entry, skb, state) : runChain(entry.jump, skb, state);
    if (verdict === XT_RETURN) return XT_CONTINUE;
    if (verdict !== XT_CONTINUE) return verdict;
  }
  return XT_CONTINUE;
}

/** Takes a packet, data at its IP header, through `table`. Returns a verdict; the packet is the caller's. */
export function iptDoTable(table: XtTable, skb: SkBuff, state: NfHookState): number {
  const { net } = state;
  if (net.trace !== null) net.trace.hit(net, 'ipt_do_table', skb);
  const chain = table.hooks[state.hook] ?? null;
  if (chain === null) return NF_ACCEPT;
  const verdict = runChain(chain, skb, state);
  if (verdict !== XT_CONTINUE) return verdict;
  chain.packets++;
  chain.bytes += skb.len;
  return chain.policy;
}
