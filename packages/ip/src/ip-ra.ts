/*
 * Router alert (RFC 2113): packets with that option which only pass through here are shown to the
 * raw sockets that asked for them (ip(7): IP_ROUTER_ALERT), which then own them.
 *
 * ipRaControl() puts a raw socket on the chain, ipForward() asks ipCallRaChain().
 */
import { EADDRINUSE, EINVAL, ENOENT } from '@stack/kernel';
import type { InetSock } from '@stack/inet-sock';
import { skbClone } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { SOCK_RAW } from '@stack/socket';
import { IP_DEFRAG_CALL_RA_CHAIN } from './inet-fragment.ts';
import { ipDefrag } from './ip-fragment.ts';
import { IPPROTO_RAW, ipHdrProtocol, ipIsFragment } from './ip-header.ts';

/** A raw socket that wants packets with router alert. */
export class IpRaChain {
  next: IpRaChain | null;
  sk: InetSock;

  constructor(sk: InetSock, next: IpRaChain | null) {
    this.sk = sk;
    this.next = next;
  }
}

/** Whether sk is asking for packets with router alert. */
export function ipRaWanted(sk: InetSock): boolean {
  for (let ra = sk.skNet.ipv4.raChain; ra !== null; ra = ra.next) {
    if (ra.sk === sk) return true;
  }
  return false;
}

/**
 * setsockopt(IP_ROUTER_ALERT), and (on false) the close of a raw socket. Returns 0, -EINVAL for a
 * socket that is not raw or has no protocol of its own, -EADDRINUSE if it is on the chain already,
 * -ENOENT if it is not.
 */
export function ipRaControl(sk: InetSock, on: boolean): number {
  if (sk.skType !== SOCK_RAW || sk.inetNum === IPPROTO_RAW) return -EINVAL;
  const ipv4 = sk.skNet.ipv4;
  let prev: IpRaChain | null = null;
  for (let ra = ipv4.raChain; ra !== null; prev = ra, ra = ra.next) {
    if (ra.sk !== sk) continue;
    if (on) return -EADDRINUSE;
    if (prev === null) ipv4.raChain = ra.next;
    else prev.next = ra.next;
    return 0;
  }
  if (!on) return -ENOENT;
  ipv4.raChain = new IpRaChain(sk, ipv4.raChain);
  return 0;
}

/**
 * Gives skb, data at the IP header and with router alert, to every raw socket that asked for its
 * protocol; fragments as the datagram they make. Returns whether it was taken; if not, it stays the caller's.
 */
export function ipCallRaChain(skb: SkBuff): boolean {
  const ipv4 = skb.net.ipv4;
  const raw = ipv4.rawOps;
  const dev = skb.dev;
  if (raw === null || dev === null) return false;
  const protocol = ipHdrProtocol(skb);
  let whole = skb;
  let last: InetSock | null = null;
  for (let ra = ipv4.raChain; ra !== null; ra = ra.next) {
    const sk = ra.sk;
    if (sk.inetNum !== protocol || (sk.skBoundDevIf !== 0 && sk.skBoundDevIf !== dev.ifindex)) continue;
    if (last === null && ipIsFragment(whole)) {
      const made = ipDefrag(skb.net, whole, IP_DEFRAG_CALL_RA_CHAIN);
      if (made === null) return true;
      whole = made;
    }
    if (last !== null) {
      const copy = skbClone(whole);
      if (copy !== null) raw.rcv(last, copy);
    }
    last = sk;
  }
  if (last === null) return false;
  raw.rcv(last, whole);
  return true;
}
