/*
 * Another route for a packet that is on its way out and has changed: address or mark (ip_route_me_harder in
 * net/ipv4/netfilter.c).
 */
import { EHOSTUNREACH, ENOMEM } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import {
  FLOWI_FLAG_ANYSRC, IPTOS_RT_MASK, RTN_LOCAL, RTN_UNICAST, RT_SCOPE_UNIVERSE, flowi4InitOutput, inetAddrType, ipHdrDaddr, ipHdrProtocol, ipHdrSaddr,
  ipHdrTos, ipRouteOutputFlow,
} from '@stack/ip';
import { pskbExpandHead, skbDstDrop, skbHeadroom } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';

/** Routes skb, data at its IP header, by what its header says now; it keeps its source. Returns 0, or -errno: the packet cannot go. */
export function ipRouteMeHarder(net: Net, skb: SkBuff): number {
  const fl = net.ipv4.flow;
  const saddr = ipHdrSaddr(skb);
  const type = inetAddrType(net, saddr);
  const keep = type === RTN_LOCAL || type === RTN_UNICAST;
  flowi4InitOutput(
    fl, 0, skb.mark, ipHdrTos(skb) & IPTOS_RT_MASK, RT_SCOPE_UNIVERSE, ipHdrProtocol(skb), keep ? FLOWI_FLAG_ANYSRC : 0, ipHdrDaddr(skb),
    keep ? saddr : 0, 0, 0,
  );
  const rt = ipRouteOutputFlow(net, fl, null);
  if (typeof rt === 'number') return rt;
  skbDstDrop(skb);
  skb.dst = rt;
  if (rt.error !== 0) return -EHOSTUNREACH;
  const room = rt.dev === null ? 0 : rt.dev.hardHeaderLen;
  return skbHeadroom(skb) < room && pskbExpandHead(skb, room - skbHeadroom(skb), 0) !== 0 ? -ENOMEM : 0;
}
