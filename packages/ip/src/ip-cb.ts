/*
 * IPCB: what IP keeps in an sk_buff's control block while the packet is in this layer.
 *
 * ipRcv and the functions that make packets clear it; cb0 … cb6 are IP's then. The fields of
 * struct ip_options (where in the header which option stands) are in cb3 … cb6.
 */
import type { SkBuff } from '@stack/skbuff';

/** IPCB flags. */
export const IPSKB_FORWARDED = 1 << 0;
export const IPSKB_XFRM_TUNNEL_SIZE = 1 << 1;
export const IPSKB_FRAG_COMPLETE = 1 << 3;
export const IPSKB_REROUTED = 1 << 4;
export const IPSKB_DOREDIRECT = 1 << 5;
export const IPSKB_FRAG_PMTU = 1 << 6;
/** May be fragmented although DF is set (the kernel's skb.ignore_df). */
export const IPSKB_IGNORE_DF = 1 << 16;

/** Bits of IPCB's option flags. */
export const IPOPT_F_STRICTROUTE = 1 << 0;
export const IPOPT_F_SRR_IS_HIT = 1 << 1;
export const IPOPT_F_IS_CHANGED = 1 << 2;
export const IPOPT_F_RR_NEEDADDR = 1 << 3;
export const IPOPT_F_TS_NEEDTIME = 1 << 4;
export const IPOPT_F_TS_NEEDADDR = 1 << 5;
export const IPOPT_F_ROUTER_ALERT = 1 << 6;

/** Clears it. */
export function ipcbInit(skb: SkBuff): void {
  skb.cb0 = 0;
  skb.cb1 = 0;
  skb.cb2 = 0;
  skb.cb3 = 0;
  skb.cb4 = 0;
  skb.cb5 = 0;
  skb.cb6 = 0;
}

/** IPSKB_* */
export function ipcbFlags(skb: SkBuff): number {
  return skb.cb0;
}

export function ipcbSetFlag(skb: SkBuff, flag: number): void {
  skb.cb0 |= flag;
}

/** The ifindex that the packet came in on. */
export function ipcbIif(skb: SkBuff): number {
  return skb.cb1;
}

export function ipcbSetIif(skb: SkBuff, iif: number): void {
  skb.cb1 = iif;
}

/** The largest fragment that the datagram came in, 0 if it came in one piece: what goes on may not be larger. */
export function ipcbFragMaxSize(skb: SkBuff): number {
  return skb.cb2;
}

export function ipcbSetFragMaxSize(skb: SkBuff, size: number): void {
  skb.cb2 = size;
}

/** Octets of options. */
export function ipcbOptlen(skb: SkBuff): number {
  return skb.cb3;
}

export function ipcbSetOptlen(skb: SkBuff, optlen: number): void {
  skb.cb3 = optlen;
}

/** Offset from the header's start of the source route, record route and time stamp option, 0 for none. */
export function ipcbSrr(skb: SkBuff): number {
  return skb.cb4 & 0xff;
}

export function ipcbRr(skb: SkBuff): number {
  return (skb.cb4 >>> 8) & 0xff;
}

export function ipcbTs(skb: SkBuff): number {
  return (skb.cb4 >>> 16) & 0xff;
}

export function ipcbSetOpts(skb: SkBuff, srr: number, rr: number, ts: number): void {
  skb.cb4 = srr | (rr << 8) | (ts << 16);
}

/** IPOPT_F_* */
export function ipcbOptFlags(skb: SkBuff): number {
  return skb.cb5;
}

export function ipcbSetOptFlags(skb: SkBuff, flags: number): void {
  skb.cb5 = flags;
}

/** The next hop that a source route names. */
export function ipcbNexthop(skb: SkBuff): number {
  return skb.cb6;
}

export function ipcbSetNexthop(skb: SkBuff, addr: number): void {
  skb.cb6 = addr;
}
