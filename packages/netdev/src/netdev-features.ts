// NETIF_F_*: what a device does by itself, so that the stack need not.
//
// A feature is one bit of an int32. `hwFeatures` are those a user may switch, `wantedFeatures` those asked for,
// `features` those in force; netdevFixFeatures() drops what lacks its precondition.

import { NETIF_F_CSUM_MASK, NETIF_F_HW_CSUM, NETIF_F_IPV6_CSUM, NETIF_F_IP_CSUM, NETIF_F_SG } from '@stack/skbuff';

// Bits 0 to 4 are those that skbuff looks at itself.
export { NETIF_F_CSUM_MASK, NETIF_F_HW_CSUM, NETIF_F_IPV6_CSUM, NETIF_F_IP_CSUM, NETIF_F_SG };

export const NETIF_F_HIGHDMA = 1 << 5;
/** Takes sk_buffs with a list of sk_buffs behind them. */
export const NETIF_F_FRAGLIST = 1 << 6;
export const NETIF_F_HW_VLAN_CTAG_TX = 1 << 7;
export const NETIF_F_HW_VLAN_CTAG_RX = 1 << 8;
export const NETIF_F_HW_VLAN_CTAG_FILTER = 1 << 9;
/** The stack may give this device packets of many segments, and cuts them late. */
export const NETIF_F_GSO = 1 << 11;
/** Merge received segments (GRO). */
export const NETIF_F_GRO = 1 << 14;
/** Verifies checksums of received packets. */
export const NETIF_F_RXCSUM = 1 << 15;
/** Cuts TCP over IPv4 itself. */
export const NETIF_F_TSO = 1 << 16;
/** Cuts packets whose gsoType has SKB_GSO_DODGY (from an untrusted source). */
export const NETIF_F_GSO_ROBUST = 1 << 17;
/** Cuts TCP with ECN (CWR only in the first segment). */
export const NETIF_F_TSO_ECN = 1 << 18;
/** Cuts TCP over IPv4 giving all segments one IP id. */
export const NETIF_F_TSO_MANGLEID = 1 << 19;
/** Cuts TCP over IPv6 itself. */
export const NETIF_F_TSO6 = 1 << 20;
/** Cuts UDP into datagrams. */
export const NETIF_F_GSO_UDP_L4 = 1 << 21;
export const NETIF_F_LOOPBACK = 1 << 24;
export const NETIF_F_RXALL = 1 << 25;
export const NETIF_F_RXFCS = 1 << 26;

export const NETIF_F_ALL_TSO = NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | NETIF_F_TSO_MANGLEID;
export const NETIF_F_GSO_SOFTWARE = NETIF_F_ALL_TSO | NETIF_F_GSO_UDP_L4;
export const NETIF_F_GSO_MASK = NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ROBUST;

/** Names as `ethtool -k` spells them, with the bits each switches. */
export const netdevFeatureNames: readonly (readonly [name: string, bits: number])[] = [
  ['rx-checksumming', NETIF_F_RXCSUM],
  ['tx-checksumming', NETIF_F_CSUM_MASK],
  ['scatter-gather', NETIF_F_SG],
  ['tcp-segmentation-offload', NETIF_F_ALL_TSO],
  ['generic-segmentation-offload', NETIF_F_GSO],
  ['generic-receive-offload', NETIF_F_GRO],
  ['tx-udp-segmentation', NETIF_F_GSO_UDP_L4],
];
