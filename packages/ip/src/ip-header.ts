/*
 * The IPv4 header (RFC 791 §3.1): field offsets, and accessors on the data area of an sk_buff.
 *
 * Accessors read at skb.networkHeader. Addresses are int32, 16-bit fields unsigned numbers.
 */
import type { SkBuff } from '@stack/skbuff';
import { ipFastCsum } from '@stack/skbuff';

export const IPVERSION = 4;
/** Octets of a header without options, and the most there can be. */
export const IP_HDR_LEN = 20;
export const IP_MAX_HDR_LEN = 60;
/** The greatest total length, and the MTU that every host must take (RFC 791 §3.2). */
export const IP_MAX_MTU = 0xffff;
export const IPV4_MIN_MTU = 68;

/** Field offsets from the start of the header. */
export const IPH_VERSION_IHL = 0;
export const IPH_TOS = 1;
export const IPH_TOT_LEN = 2;
export const IPH_ID = 4;
export const IPH_FRAG_OFF = 6;
export const IPH_TTL = 8;
export const IPH_PROTOCOL = 9;
export const IPH_CHECK = 10;
export const IPH_SADDR = 12;
export const IPH_DADDR = 16;
export const IPH_OPTIONS = 20;

/** Bits of frag_off. */
export const IP_CE = 0x8000;
export const IP_DF = 0x4000;
export const IP_MF = 0x2000;
export const IP_OFFSET = 0x1fff;

/** Bits of tos (RFC 1349), and the ECN field (RFC 3168 §5). */
export const IPTOS_LOWDELAY = 0x10;
export const IPTOS_RT_MASK = 0x1c;
export const IPTOS_TOS_MASK = 0x1e;
export const IPTOS_PREC_MASK = 0xe0;
export const IPTOS_PREC_INTERNETCONTROL = 0xc0;
export const INET_ECN_MASK = 3;
export const INET_ECN_NOT_ECT = 0;
export const INET_ECN_ECT_1 = 1;
export const INET_ECN_ECT_0 = 2;
export const INET_ECN_CE = 3;

export const IPPROTO_IP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IGMP = 2;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_RAW = 255;
export const MAX_INET_PROTOS = 256;

export const IPDEFTTL = 64;

/** Octets of the header, options included (the kernel's ip_hdrlen). */
export function ipHdrlen(skb: SkBuff): number {
  return (skb.view.getUint8(skb.networkHeader) & 0x0f) << 2;
}

export function ipHdrTos(skb: SkBuff): number {
  return skb.view.getUint8(skb.networkHeader + IPH_TOS);
}

export function ipHdrTotLen(skb: SkBuff): number {
  return skb.view.getUint16(skb.networkHeader + IPH_TOT_LEN);
}

export function ipHdrFragOff(skb: SkBuff): number {
  return skb.view.getUint16(skb.networkHeader + IPH_FRAG_OFF);
}

export function ipHdrTtl(skb: SkBuff): number {
  return skb.view.getUint8(skb.networkHeader + IPH_TTL);
}

export function ipHdrProtocol(skb: SkBuff): number {
  return skb.view.getUint8(skb.networkHeader + IPH_PROTOCOL);
}

export function ipHdrSaddr(skb: SkBuff): number {
  return skb.view.getInt32(skb.networkHeader + IPH_SADDR);
}

export function ipHdrDaddr(skb: SkBuff): number {
  return skb.view.getInt32(skb.networkHeader + IPH_DADDR);
}

/** Whether the packet is part of a datagram, not a whole one. */
export function ipIsFragment(skb: SkBuff): boolean {
  return (ipHdrFragOff(skb) & (IP_MF | IP_OFFSET)) !== 0;
}

/** Fills in the header checksum of the header at offset `at`, of ihl 32-bit words. */
export function ipSendCheck(skb: SkBuff, at: number, ihl: number): void {
  skb.view.setUint16(at + IPH_CHECK, 0);
  skb.view.setUint16(at + IPH_CHECK, ipFastCsum(skb.view, at, ihl));
}

/** Takes one from the TTL and adjusts the checksum (RFC 1624 §3). The TTL must be at least 1. */
export function ipDecreaseTtl(skb: SkBuff): void {
  const at = skb.networkHeader;
  skb.view.setUint8(at + IPH_TTL, skb.view.getUint8(at + IPH_TTL) - 1);
  const sum = skb.view.getUint16(at + IPH_CHECK) + 0x0100;
  skb.view.setUint16(at + IPH_CHECK, sum + (sum >= 0xffff ? 1 : 0));
}
