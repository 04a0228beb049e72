// The bits of a device's features (NETIF_F_*) that skbuff itself looks at, with Linux's numbers; netdev has them all.

/** Scatter/gather: the device takes sk_buffs whose data lies in fragments. */
export const NETIF_F_SG = 1 << 0;
/** Completes TCP and UDP checksums over IPv4 only. */
export const NETIF_F_IP_CSUM = 1 << 1;
/** Completes any 16-bit ones' complement checksum, from csumStart on. */
export const NETIF_F_HW_CSUM = 1 << 3;
/** Completes TCP and UDP checksums over IPv6 only. */
export const NETIF_F_IPV6_CSUM = 1 << 4;
/** Completes checksums of some kind. */
export const NETIF_F_CSUM_MASK = NETIF_F_IP_CSUM | NETIF_F_HW_CSUM | NETIF_F_IPV6_CSUM;
