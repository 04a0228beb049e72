/*
 * The ARP packet for IPv4 (RFC 826): field offsets. The addresses' length (hln) is the device's.
 */

export const ARPOP_REQUEST = 1;
export const ARPOP_REPLY = 2;

export const ARPH_HRD = 0;
export const ARPH_PRO = 2;
export const ARPH_HLN = 4;
export const ARPH_PLN = 5;
export const ARPH_OP = 6;
/** Sender's hardware address; then sender's IP, target's hardware address, target's IP. */
export const ARPH_SHA = 8;

/** Octets of a packet with hardware addresses of hln octets. */
export function arpHdrLen(hln: number): number {
  return ARPH_SHA + 2 * (hln + 4);
}

/** Offset of the sender's IP address. */
export function arphSip(hln: number): number {
  return ARPH_SHA + hln;
}

/** Offset of the target's hardware address. */
export function arphTha(hln: number): number {
  return ARPH_SHA + hln + 4;
}

/** Offset of the target's IP address. */
export function arphTip(hln: number): number {
  return ARPH_SHA + 2 * hln + 4;
}

/** Points of netfilter's ARP family. */
export const NF_ARP_IN = 0;
export const NF_ARP_OUT = 1;
