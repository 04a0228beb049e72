/*
 * Routes with several next hops: each gets a share of the flows in proportion to its weight
 * (RFC 2992: a flow keeps its next hop while the set of them does not change).
 *
 * fibRebalance() when next hops come, go, die or revive; fibSelectPath() after a lookup that found
 * such a route, with the flow's hash from fibMultipathHash() (fib_multipath_hash_policy).
 */
import type { Net } from '@stack/kernel';
import { NUD_VALID, neighLookup, neighRelease } from '@stack/neigh';
import { pskbMayPull } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { FibInfo, FibNh, FibResult } from './fib.ts';
import { fibNhUsable } from './fib-trie.ts';
import type { Flowi4 } from './flow.ts';
import { ICMP_DEST_UNREACH, ICMP_HDR_LEN, ICMP_PARAMETERPROB, ICMP_REDIRECT, ICMP_SOURCE_QUENCH, ICMP_TIME_EXCEEDED } from './icmp-types.ts';
import {
  IPH_DADDR, IPH_SADDR, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IP_HDR_LEN, ipHdrProtocol, ipHdrlen, ipIsFragment,
} from './ip-header.ts';

/** A hash has 31 bits. */
const HASH_SPACE = 2 ** 31;

/** Divides the space of hashes among the next hops of info that are usable, by weight. */
export function fibRebalance(info: FibInfo): void {
  let total = 0;
  for (const nh of info.nhs) {
    if (fibNhUsable(nh)) total += nh.weight;
  }
  let sum = 0;
  for (const nh of info.nhs) {
    if (!fibNhUsable(nh)) {
      nh.upperBound = -1;
      continue;
    }
    sum += nh.weight;
    nh.upperBound = Math.round((sum * HASH_SPACE) / total) - 1;
  }
}

/** Whether ARP knows nothing bad of the gateway. */
function fibGoodNh(net: Net, nh: FibNh): boolean {
  if (nh.dev === null) return true;
  const neigh = neighLookup(net.ipv4.arpTbl, nh.gw, 0, 0, 0, nh.dev);
  if (neigh === null) return true;
  const good = (neigh.nudState & NUD_VALID) !== 0;
  neighRelease(neigh);
  return good;
}

/** Takes into res the next hop whose part of the space hash is in. With fib_multipath_use_neigh, one whose gateway does not answer only if there is no other. */
function fibSelectMultipath(net: Net, res: FibResult, info: FibInfo, hash: number): void {
  const askNeigh = net.ipv4.sysctlFibMultipathUseNeigh !== 0;
  let fallback: FibNh | null = null;
  for (const nh of info.nhs) {
    if (nh.upperBound < 0 || (askNeigh && !fibGoodNh(net, nh))) continue;
    if (fallback === null) fallback = nh;
    if (hash > nh.upperBound) continue;
    res.nh = nh;
    return;
  }
  if (fallback !== null) res.nh = fallback;
}

/**
 * A lookup for fl has filled in res: if its route has several next hops and the flow names no
 * device, chooses one. skb (lent, data at the IP header) is the packet that came in, null for one made here.
 */
export function fibSelectPath(net: Net, res: FibResult, fl: Flowi4, skb: SkBuff | null): void {
  const info = res.info;
  if (info === null || info.nhs.length === 1 || fl.flowi4Oif !== 0) return;
  fibSelectMultipath(net, res, info, fibMultipathHash(net, fl, skb));
}

/** Whether skb (null: a packet made here) may take another next hop than others of its addresses: then the route found is for it only. */
export function fibPathIsPerFlow(net: Net, skb: SkBuff | null): boolean {
  return net.ipv4.sysctlFibMultipathHashPolicy === 1 || (skb !== null && quotedHeader(skb) >= 0);
}

/** The hash of a flow, 31 bits: of its addresses (policy 0), or of protocol and ports too (policy 1). */
function fibMultipathHash(net: Net, fl: Flowi4, skb: SkBuff | null): number {
  const seed = net.ipv4.fibMultipathSeed;
  if (net.ipv4.sysctlFibMultipathHashPolicy === 1) {
    const proto = skb === null ? fl.flowi4Proto : ipHdrProtocol(skb);
    return mix(seed, fl.saddr, fl.daddr, skb === null ? (fl.fl4Sport << 16) | fl.fl4Dport : portsOf(skb), proto);
  }
  const quoted = skb === null ? -1 : quotedHeader(skb);
  if (skb === null || quoted < 0) return mix(seed, fl.saddr, fl.daddr, 0, 0);
  return mix(seed, skb.view.getInt32(quoted + IPH_SADDR), skb.view.getInt32(quoted + IPH_DADDR), 0, 0);
}

function mix(seed: number, a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a ^ seed, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15) ^ b, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ c, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16) ^ d, 0x27d4eb2f);
  return (h ^ (h >>> 15)) >>> 1;
}

/** Both ports of skb; 0 where there are none to see. */
function portsOf(skb: SkBuff): number {
  const proto = ipHdrProtocol(skb);
  const hlen = ipHdrlen(skb);
  if ((proto !== IPPROTO_TCP && proto !== IPPROTO_UDP) || ipIsFragment(skb) || !pskbMayPull(skb, hlen + 4)) return 0;
  return skb.view.getInt32(skb.networkHeader + hlen);
}

/** Where the header that an ICMP error quotes begins; -1 if skb is none. The error follows the way of the packets that it is about. */
function quotedHeader(skb: SkBuff): number {
  const hlen = ipHdrlen(skb);
  if (ipHdrProtocol(skb) !== IPPROTO_ICMP || ipIsFragment(skb) || !pskbMayPull(skb, hlen + ICMP_HDR_LEN + IP_HDR_LEN)) return -1;
  switch (skb.view.getUint8(skb.networkHeader + hlen)) {
    case ICMP_DEST_UNREACH:
    case ICMP_SOURCE_QUENCH:
    case ICMP_REDIRECT:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETERPROB:
      return skb.networkHeader + hlen + ICMP_HDR_LEN;
    default:
      return -1;
  }
}
