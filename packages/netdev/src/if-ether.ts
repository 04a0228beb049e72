// Ethernet: sizes, field offsets and protocol numbers.
//
// Field offsets are relative to the MAC header, all fields big-endian.
// Read first: IEEE 802.3 §3.1 (frame format), RFC 894 (IP over Ethernet), RFC 9542 §2 and §3 (numbers).

/** Octets in an Ethernet address. */
export const ETH_ALEN = 6;
/** Octets in the Ethernet header: destination, source, type. */
export const ETH_HLEN = 14;
/** Shortest frame without the frame check sequence. */
export const ETH_ZLEN = 60;
/** Largest payload of a standard frame. */
export const ETH_DATA_LEN = 1500;
/** Longest standard frame without the frame check sequence. */
export const ETH_FRAME_LEN = 1514;
/** Octets of the frame check sequence, which no sk_buff carries. */
export const ETH_FCS_LEN = 4;
/** Least MTU of an Ethernet device (RFC 791 §3.1). */
export const ETH_MIN_MTU = 68;
/** Greatest MTU that fits IPv4's total length. */
export const ETH_MAX_MTU = 65535;

/** Offset of the destination address. */
export const ETH_DEST = 0;
/** Offset of the source address. */
export const ETH_SOURCE = 6;
/** Offset of the type (or IEEE 802.3 length) field. */
export const ETH_TYPE = 12;

export const ETH_P_LOOP = 0x0060;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_RARP = 0x8035;
export const ETH_P_TEB = 0x6558;
export const ETH_P_8021Q = 0x8100;
export const ETH_P_8021AD = 0x88a8;
export const ETH_P_IPV6 = 0x86dd;
export const ETH_P_LOOPBACK = 0x9000;
/** The least value of the type field that is a type; below it is an IEEE 802.3 length. */
export const ETH_P_802_3_MIN = 0x0600;
/** Not on the wire: raw 802.3 frames (Novell). */
export const ETH_P_802_3 = 0x0001;
/** Not on the wire: every protocol; a packet_type of this type is a tap. */
export const ETH_P_ALL = 0x0003;
/** Not on the wire: 802.2 LLC frames. */
export const ETH_P_802_2 = 0x0004;
