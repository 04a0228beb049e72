/*
 * News of a path for transports: an ICMP "fragmentation needed" (RFC 1191) or redirect that a
 * transport found credible, for a socket or for a packet whose socket is unknown.
 */
import { ipv4IsMulticast } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { dstRelease } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { Net } from '@stack/kernel';
import { RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import { IPH_DADDR, IPH_PROTOCOL, IPH_SADDR, IPH_TOS, IPTOS_RT_MASK } from './ip-header.ts';
import { ipRouteOutputFlow } from './route-output.ts';
import type { Rtable } from './rtable.ts';
import { skDstSet } from './sk-route.ts';

/** The path of the packet quoted at skb.data (lent) takes packets of at most mtu octets. */
export function ipv4UpdatePmtu(skb: SkBuff, mtu: number): void {
  const at = skb.data;
  const view = skb.view;
  updatePmtu(
    skb.net, view.getInt32(at + IPH_DADDR), view.getInt32(at + IPH_SADDR), view.getUint8(at + IPH_TOS), view.getUint8(at + IPH_PROTOCOL), 0, mtu,
  );
}

/** As ipv4UpdatePmtu(), for a datagram socket: one that is connected has the new route at once, so that IP_MTU tells. */
export function ipv4SkUpdatePmtu(skb: SkBuff, sk: InetSock, mtu: number): void {
  const daddr = skb.view.getInt32(skb.data + IPH_DADDR);
  const saddr = skb.view.getInt32(skb.data + IPH_SADDR);
  updatePmtu(sk.skNet, daddr, saddr, sk.tos, sk.skProtocol, sk.skBoundDevIf, mtu);
  if (sk.skDstCache === null || sk.inetDaddr !== daddr) return;
  const rt = quotedRoute(sk.skNet, daddr, saddr, sk.tos, sk.skProtocol, sk.skBoundDevIf);
  if (rt !== null) skDstSet(sk, rt);
}

/** The redirect skb (lent), data at the quoted IP header, is about a packet whose route is asked for here. */
export function ipv4Redirect(skb: SkBuff): void {
  const at = skb.data;
  const view = skb.view;
  const rt = quotedRoute(
    skb.net, view.getInt32(at + IPH_DADDR), view.getInt32(at + IPH_SADDR), view.getUint8(at + IPH_TOS), view.getUint8(at + IPH_PROTOCOL), 0,
  );
  if (rt === null) return;
  rt.ops.redirect(rt, null, skb);
  dstRelease(rt);
}

/** As ipv4Redirect(), for a packet of sk. */
export function ipv4SkRedirect(skb: SkBuff, sk: InetSock): void {
  const at = skb.data;
  const rt = quotedRoute(
    sk.skNet, skb.view.getInt32(at + IPH_DADDR), skb.view.getInt32(at + IPH_SADDR), sk.tos, sk.skProtocol, sk.skBoundDevIf,
  );
  if (rt === null) return;
  rt.ops.redirect(rt, null, skb);
  dstRelease(rt);
}

/** The route of a packet of ours that was quoted, with a reference; null if there is none (any more). */
function quotedRoute(net: Net, daddr: number, saddr: number, tos: number, protocol: number, oif: number): Rtable | null {
  if (ipv4IsMulticast(daddr)) return null;
  const fl = net.ipv4.flow;
  flowi4InitOutput(fl, oif, 0, tos & IPTOS_RT_MASK, RT_SCOPE_UNIVERSE, protocol, 0, daddr, saddr, 0, 0);
  const rt = ipRouteOutputFlow(net, fl, null);
  return typeof rt === 'number' ? null : rt;
}

function updatePmtu(net: Net, daddr: number, saddr: number, tos: number, protocol: number, oif: number, mtu: number): void {
  const rt = quotedRoute(net, daddr, saddr, tos, protocol, oif);
  if (rt === null) return;
  rt.ops.updatePmtu(rt, null, null, mtu);
  dstRelease(rt);
}
