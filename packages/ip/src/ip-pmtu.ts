/*
 * Path MTU news for transports (RFC 1191): an ICMP "fragmentation needed" that a transport found
 * credible, for a socket or for a packet whose socket is unknown.
 */
import { ipv4IsMulticast } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { dstRelease } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { Net } from '@stack/kernel';
import { RT_SCOPE_UNIVERSE, flowi4InitOutput } from './flow.ts';
import { IPH_DADDR, IPH_PROTOCOL, IPH_SADDR, IPH_TOS, IPTOS_RT_MASK } from './ip-header.ts';
import { ipRouteOutputFlow } from './route-output.ts';

/** The path of the packet quoted at skb.data (lent) takes packets of at most mtu octets. */
export function ipv4UpdatePmtu(skb: SkBuff, mtu: number): void {
  const at = skb.data;
  const view = skb.view;
  updatePmtu(
    skb.net, view.getInt32(at + IPH_DADDR), view.getInt32(at + IPH_SADDR), view.getUint8(at + IPH_TOS), view.getUint8(at + IPH_PROTOCOL), 0, mtu,
  );
}

/** As ipv4UpdatePmtu(), for a datagram socket: its cached route is found invalid by its next packet. */
export function ipv4SkUpdatePmtu(skb: SkBuff, sk: InetSock, mtu: number): void {
  const daddr = skb.view.getInt32(skb.data + IPH_DADDR);
  const saddr = skb.view.getInt32(skb.data + IPH_SADDR);
  updatePmtu(sk.skNet, daddr, saddr, sk.tos, sk.skProtocol, sk.skBoundDevIf, mtu);
}

function updatePmtu(net: Net, daddr: number, saddr: number, tos: number, protocol: number, oif: number, mtu: number): void {
  if (ipv4IsMulticast(daddr)) return;
  const fl = net.ipv4.flow;
  flowi4InitOutput(fl, oif, 0, tos & IPTOS_RT_MASK, RT_SCOPE_UNIVERSE, protocol, 0, daddr, saddr, 0, 0);
  const rt = ipRouteOutputFlow(net, fl, null);
  if (typeof rt === 'number') return;
  rt.ops.updatePmtu(rt, null, null, mtu);
  dstRelease(rt);
}
