/*
 * ICMP redirects: believed (ip_do_redirect) and sent (ip_rt_send_redirect).
 *
 * Read first: RFC 1122 §3.2.2.2 and §3.3.1.2 (a host takes them), RFC 1812 §5.2.7.2 (a router
 * sends them, and when it must not).
 */
import { HZ } from '@stack/kernel';
import { ipv4IsLbcast, ipv4IsMulticast, ipv4IsZeronet } from '@stack/inet-sock';
import { NUD_VALID, neighCreate, neighEventSend, neighRelease } from '@stack/neigh';
import type { NetDevice } from '@stack/netdev';
import type { SkBuff } from '@stack/skbuff';
import { RTN_UNICAST } from './fib.ts';
import { fibTableFind } from './fib-trie.ts';
import { inetAddrType } from './fib-lookup.ts';
import { ICMPH_CODE, ICMPH_GATEWAY, ICMP_REDIRECT, ICMP_REDIR_HOST, ICMP_REDIR_HOSTTOS } from './icmp-types.ts';
import { icmpPeer } from './icmp-ratelimit.ts';
import { icmpSend } from './icmp-send.ts';
import { inetAddrOnlink } from './ifaddr.ts';
import { inDevRxRedirects, inDevSecRedirects, inDevSharedMedia, inDevTxRedirects } from './inetdevice.ts';
import type { InDevice } from './inetdevice.ts';
import { ipHdrSaddr } from './ip-header.ts';
import { rtRedirectException } from './route-pmtu.ts';
import type { Rtable } from './rtable.ts';

/** Redirects to a host that does not listen, before we are silent; jiffies between the first two; jiffies of silence. */
const REDIRECT_NUMBER = 9;
const REDIRECT_LOAD = HZ / 50;
const REDIRECT_SILENCE = REDIRECT_LOAD << (REDIRECT_NUMBER + 1);

/** Whether a gateway is one of those of the default route on dev. */
function ipFibCheckDefault(gw: number, dev: NetDevice): boolean {
  for (let fa = fibTableFind(dev.net.ipv4.fibMain, 0, 0); fa !== null; fa = fa.next) {
    for (const nh of fa.info.nhs) {
      if (nh.dev === dev && nh.gw === gw) return true;
    }
  }
  return false;
}

/** Whether the gateway that a redirect names may be believed. */
function redirectCredible(inDev: InDevice, newGw: number, oldGw: number): boolean {
  if (newGw === oldGw || !inDevRxRedirects(inDev)) return false;
  if (ipv4IsMulticast(newGw) || ipv4IsLbcast(newGw) || ipv4IsZeronet(newGw)) return false;
  if (inDevSharedMedia(inDev)) return inetAddrType(inDev.net, newGw) === RTN_UNICAST;
  if (!inetAddrOnlink(inDev, newGw, oldGw)) return false;
  return !inDevSecRedirects(inDev) || ipFibCheckDefault(newGw, inDev.dev);
}

/**
 * DstOps.redirect: the gateway of rt says that there is a better one. skb (lent) is its message,
 * transportHeader at the ICMP header. Routes to that destination are made anew with the better one
 * once it is known to be there.
 */
export function ipDoRedirect(rt: Rtable, skb: SkBuff): void {
  if (rt.net.trace !== null) rt.net.trace.hit(rt.net, 'ip_do_redirect', skb);
  const dev = rt.dev;
  const inDev = dev === null ? null : dev.ipPtr;
  if (dev === null || inDev === null || skb.view.getUint8(skb.transportHeader + ICMPH_CODE) > ICMP_REDIR_HOSTTOS) return;
  const newGw = skb.view.getInt32(skb.transportHeader + ICMPH_GATEWAY);
  const oldGw = ipHdrSaddr(skb);
  if (rt.rtGateway !== oldGw || !redirectCredible(inDev, newGw, oldGw)) return;
  const neigh = neighCreate(rt.net.ipv4.arpTbl, newGw, 0, 0, 0, dev);
  if (typeof neigh === 'number') return;
  if ((neigh.nudState & NUD_VALID) === 0) neighEventSend(neigh, null);
  else rtRedirectException(rt.net, rt.rtDst, newGw, dev);
  neighRelease(neigh);
}

/** Whether a packet that came in by inDev from saddr and goes back out there should have gone to gw itself. */
export function redirectWanted(inDev: InDevice, saddr: number, gw: number): boolean {
  return inDevTxRedirects(inDev) && (inDevSharedMedia(inDev) || inetAddrOnlink(inDev, saddr, gw));
}

/** Tells the sender of skb (lent), which is being forwarded back to the link it came from, of the better gateway; less and less often if he does not listen. */
export function ipRtSendRedirect(skb: SkBuff, rt: Rtable): void {
  const net = skb.net;
  if (net.trace !== null) net.trace.hit(net, 'ip_rt_send_redirect', skb);
  const now = net.world.jiffies;
  const peer = icmpPeer(net, ipHdrSaddr(skb), now, net.ipv4.sysctlIcmpRatelimit);
  if (((now - peer.redirectLast) | 0) > REDIRECT_SILENCE) peer.redirects = 0;
  if (peer.redirects >= REDIRECT_NUMBER) {
    peer.redirectLast = now;
    return;
  }
  const wait = REDIRECT_LOAD << peer.redirects;
  if (peer.redirects !== 0 && ((now - peer.redirectLast) | 0) <= wait) return;
  icmpSend(skb, ICMP_REDIRECT, ICMP_REDIR_HOST, rt.rtGateway);
  peer.redirectLast = now;
  peer.redirects++;
}
