// For whom a packet is, seen from the link (`skb.pktType`): set by eth_type_trans on the way up.

/** To us. */
export const PACKET_HOST = 0;
/** To all. */
export const PACKET_BROADCAST = 1;
/** To a group. */
export const PACKET_MULTICAST = 2;
/** To someone else: seen because the device is promiscuous or the link is shared. */
export const PACKET_OTHERHOST = 3;
/** Sent by this host, as its own taps see it. */
export const PACKET_OUTGOING = 4;
/** Looped back by the IP layer (multicast to ourselves). */
export const PACKET_LOOPBACK = 5;
