/**
 * Why a packet was thrown away: the kernel's names (enum skb_drop_reason), given to `kfreeSkbReason` and counted per Net in
 * `net.dropReasons`. The numbers are ours (Linux does not promise its own); the names are what tools show.
 */

/** Not dropped: the answer of a check that passed. */
export const SKB_NOT_DROPPED_YET = 0;
/** Freed after use; not counted as a drop. */
export const SKB_CONSUMED = 1;
export const SKB_DROP_REASON_NOT_SPECIFIED = 2;
export const SKB_DROP_REASON_NO_SOCKET = 3;
export const SKB_DROP_REASON_SOCKET_CLOSE = 4;
export const SKB_DROP_REASON_SOCKET_FILTER = 5;
export const SKB_DROP_REASON_SOCKET_RCVBUFF = 6;
export const SKB_DROP_REASON_PKT_TOO_SMALL = 7;
export const SKB_DROP_REASON_TCP_CSUM = 8;
export const SKB_DROP_REASON_UDP_CSUM = 9;
export const SKB_DROP_REASON_NETFILTER_DROP = 10;
export const SKB_DROP_REASON_OTHERHOST = 11;
export const SKB_DROP_REASON_IP_CSUM = 12;
export const SKB_DROP_REASON_IP_INHDR = 13;
export const SKB_DROP_REASON_IP_RPFILTER = 14;
export const SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST = 15;
export const SKB_DROP_REASON_XFRM_POLICY = 16;
export const SKB_DROP_REASON_IP_NOPROTO = 17;
export const SKB_DROP_REASON_PROTO_MEM = 18;
export const SKB_DROP_REASON_TCP_AUTH_HDR = 19;
export const SKB_DROP_REASON_TCP_MD5NOTFOUND = 20;
export const SKB_DROP_REASON_TCP_MD5UNEXPECTED = 21;
export const SKB_DROP_REASON_TCP_MD5FAILURE = 22;
export const SKB_DROP_REASON_TCP_AONOTFOUND = 23;
export const SKB_DROP_REASON_TCP_AOUNEXPECTED = 24;
export const SKB_DROP_REASON_TCP_AOKEYNOTFOUND = 25;
export const SKB_DROP_REASON_TCP_AOFAILURE = 26;
export const SKB_DROP_REASON_SOCKET_BACKLOG = 27;
export const SKB_DROP_REASON_TCP_FLAGS = 28;
export const SKB_DROP_REASON_TCP_ABORT_ON_DATA = 29;
export const SKB_DROP_REASON_TCP_ZEROWINDOW = 30;
export const SKB_DROP_REASON_TCP_OLD_DATA = 31;
export const SKB_DROP_REASON_TCP_OVERWINDOW = 32;
export const SKB_DROP_REASON_TCP_OFOMERGE = 33;
export const SKB_DROP_REASON_TCP_RFC7323_PAWS = 34;
export const SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK = 35;
export const SKB_DROP_REASON_TCP_OLD_SEQUENCE = 36;
export const SKB_DROP_REASON_TCP_INVALID_SEQUENCE = 37;
export const SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE = 38;
export const SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE = 39;
export const SKB_DROP_REASON_TCP_RESET = 40;
export const SKB_DROP_REASON_TCP_INVALID_SYN = 41;
export const SKB_DROP_REASON_TCP_CLOSE = 42;
export const SKB_DROP_REASON_TCP_FASTOPEN = 43;
export const SKB_DROP_REASON_TCP_OLD_ACK = 44;
export const SKB_DROP_REASON_TCP_TOO_OLD_ACK = 45;
export const SKB_DROP_REASON_TCP_ACK_UNSENT_DATA = 46;
export const SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE = 47;
export const SKB_DROP_REASON_TCP_OFO_DROP = 48;
export const SKB_DROP_REASON_IP_OUTNOROUTES = 49;
export const SKB_DROP_REASON_BPF_CGROUP_EGRESS = 50;
export const SKB_DROP_REASON_IPV6DISABLED = 51;
export const SKB_DROP_REASON_NEIGH_CREATEFAIL = 52;
export const SKB_DROP_REASON_NEIGH_FAILED = 53;
export const SKB_DROP_REASON_NEIGH_QUEUEFULL = 54;
export const SKB_DROP_REASON_NEIGH_DEAD = 55;
export const SKB_DROP_REASON_NEIGH_HH_FILLFAIL = 56;
export const SKB_DROP_REASON_TC_EGRESS = 57;
export const SKB_DROP_REASON_SECURITY_HOOK = 58;
export const SKB_DROP_REASON_QDISC_DROP = 59;
export const SKB_DROP_REASON_QDISC_OVERLIMIT = 60;
export const SKB_DROP_REASON_QDISC_CONGESTED = 61;
export const SKB_DROP_REASON_CPU_BACKLOG = 62;
export const SKB_DROP_REASON_XDP = 63;
export const SKB_DROP_REASON_TC_INGRESS = 64;
export const SKB_DROP_REASON_UNHANDLED_PROTO = 65;
export const SKB_DROP_REASON_SKB_CSUM = 66;
export const SKB_DROP_REASON_SKB_GSO_SEG = 67;
export const SKB_DROP_REASON_SKB_UCOPY_FAULT = 68;
export const SKB_DROP_REASON_DEV_HDR = 69;
export const SKB_DROP_REASON_DEV_READY = 70;
export const SKB_DROP_REASON_FULL_RING = 71;
export const SKB_DROP_REASON_NOMEM = 72;
export const SKB_DROP_REASON_HDR_TRUNC = 73;
export const SKB_DROP_REASON_TAP_FILTER = 74;
export const SKB_DROP_REASON_TAP_TXFILTER = 75;
export const SKB_DROP_REASON_ICMP_CSUM = 76;
export const SKB_DROP_REASON_INVALID_PROTO = 77;
export const SKB_DROP_REASON_IP_INADDRERRORS = 78;
export const SKB_DROP_REASON_IP_INNOROUTES = 79;
export const SKB_DROP_REASON_IP_LOCAL_SOURCE = 80;
export const SKB_DROP_REASON_IP_INVALID_SOURCE = 81;
export const SKB_DROP_REASON_IP_LOCALNET = 82;
export const SKB_DROP_REASON_IP_INVALID_DEST = 83;
export const SKB_DROP_REASON_PKT_TOO_BIG = 84;
export const SKB_DROP_REASON_DUP_FRAG = 85;
export const SKB_DROP_REASON_FRAG_REASM_TIMEOUT = 86;
export const SKB_DROP_REASON_FRAG_TOO_FAR = 87;
export const SKB_DROP_REASON_TCP_MINTTL = 88;
export const SKB_DROP_REASON_IPV6_BAD_EXTHDR = 89;
export const SKB_DROP_REASON_QUEUE_PURGE = 90;
export const SKB_DROP_REASON_PACKET_SOCK_ERROR = 91;
export const SKB_DROP_REASON_MAC_INVALID_SOURCE = 92;
export const SKB_DROP_REASON_LOCAL_MAC = 93;
export const SKB_DROP_REASON_BRIDGE_INGRESS_STP_STATE = 94;
export const SKB_DROP_REASON_VLAN_FILTER = 95;
export const SKB_DROP_REASON_NO_TX_TARGET = 96;
export const SKB_DROP_REASON_TCP_RFC7323_TW_PAWS = 97;
export const SKB_DROP_REASON_TCP_LISTEN_OVERFLOW = 98;
export const SKB_DROP_REASON_MAC_IEEE_MAC_CONTROL = 99;

// This stack's own, where Linux drops without a name: every drop on a packet's path has one, so that what is NOT_SPECIFIED is a fault.

/** Came by a device that has no IP, or by none. */
export const SKB_DROP_REASON_NO_IN_DEVICE = 100;
/** Not Ethernet and IPv4, neither request nor reply, or not whole (RFC 826). */
export const SKB_DROP_REASON_ARP_INVALID_HEADER = 101;
/** About a group or a loopback address. */
export const SKB_DROP_REASON_ARP_INVALID_ADDR = 102;
/** net.ipv4.conf.*.drop_gratuitous_arp. */
export const SKB_DROP_REASON_ARP_GRATUITOUS = 103;
export const SKB_DROP_REASON_IGMP_CSUM = 104;
/** A packet that a socket has is not sent on. */
export const SKB_DROP_REASON_IP_NOT_FORWARDED = 105;
/** Sent out by the route it came in by. */
export const SKB_DROP_REASON_IP_RT_BUG = 106;
/** Its lengths contradict those of the fragments before it, or it is empty. */
export const SKB_DROP_REASON_FRAG_INVALID = 107;
/** RFC 5722 §4. */
export const SKB_DROP_REASON_FRAG_OVERLAP = 108;
/** CE and not-ECT in one datagram (RFC 3168 §5.3). */
export const SKB_DROP_REASON_FRAG_ECN = 109;
/** A segment in a link-layer broadcast, or to a group (RFC 9293 §3.9.2.3). */
export const SKB_DROP_REASON_TCP_NOT_UNICAST = 110;
/** The bare ACK that TCP_DEFER_ACCEPT lets pass by. */
export const SKB_DROP_REASON_TCP_DEFER_ACCEPT = 111;
/** A good cookie, but no sock could be made of it. */
export const SKB_DROP_REASON_TCP_SYNCOOKIE = 112;
/** A time-wait sock has taken note of it, and has nothing to say. */
export const SKB_DROP_REASON_TCP_TIME_WAIT = 113;
/** Text after the end of the text (RFC 9293 §3.10.7.4, seventh). */
export const SKB_DROP_REASON_TCP_AFTER_FIN = 114;
/** The headers of what GRO put together cannot be put right. */
export const SKB_DROP_REASON_GRO_HEADER = 115;
/** A route that is no more, or leads nowhere. */
export const SKB_DROP_REASON_DST_DISCARD = 116;
/** Lost by a device that is there to lose. */
export const SKB_DROP_REASON_FAULT_INJECTED = 117;

/** One more than the largest reason: the length of `net.dropReasons`. */
export const SKB_DROP_REASON_MAX = 118;

/** The name of each reason without its prefix, by number. */
export const dropReasonNames: readonly string[] = [
  'NOT_DROPPED_YET', 'CONSUMED', 'NOT_SPECIFIED', 'NO_SOCKET', 'SOCKET_CLOSE', 'SOCKET_FILTER', 'SOCKET_RCVBUFF',
  'PKT_TOO_SMALL', 'TCP_CSUM', 'UDP_CSUM', 'NETFILTER_DROP', 'OTHERHOST', 'IP_CSUM', 'IP_INHDR', 'IP_RPFILTER',
  'UNICAST_IN_L2_MULTICAST', 'XFRM_POLICY', 'IP_NOPROTO', 'PROTO_MEM', 'TCP_AUTH_HDR', 'TCP_MD5NOTFOUND',
  'TCP_MD5UNEXPECTED', 'TCP_MD5FAILURE', 'TCP_AONOTFOUND', 'TCP_AOUNEXPECTED', 'TCP_AOKEYNOTFOUND', 'TCP_AOFAILURE',
  'SOCKET_BACKLOG', 'TCP_FLAGS', 'TCP_ABORT_ON_DATA', 'TCP_ZEROWINDOW', 'TCP_OLD_DATA', 'TCP_OVERWINDOW',
  'TCP_OFOMERGE', 'TCP_RFC7323_PAWS', 'TCP_RFC7323_PAWS_ACK', 'TCP_OLD_SEQUENCE', 'TCP_INVALID_SEQUENCE',
  'TCP_INVALID_END_SEQUENCE', 'TCP_INVALID_ACK_SEQUENCE', 'TCP_RESET', 'TCP_INVALID_SYN', 'TCP_CLOSE', 'TCP_FASTOPEN',
  'TCP_OLD_ACK', 'TCP_TOO_OLD_ACK', 'TCP_ACK_UNSENT_DATA', 'TCP_OFO_QUEUE_PRUNE', 'TCP_OFO_DROP', 'IP_OUTNOROUTES',
  'BPF_CGROUP_EGRESS', 'IPV6DISABLED', 'NEIGH_CREATEFAIL', 'NEIGH_FAILED', 'NEIGH_QUEUEFULL', 'NEIGH_DEAD',
  'NEIGH_HH_FILLFAIL', 'TC_EGRESS', 'SECURITY_HOOK', 'QDISC_DROP', 'QDISC_OVERLIMIT', 'QDISC_CONGESTED', 'CPU_BACKLOG',
  'XDP', 'TC_INGRESS', 'UNHANDLED_PROTO', 'SKB_CSUM', 'SKB_GSO_SEG', 'SKB_UCOPY_FAULT', 'DEV_HDR', 'DEV_READY',
  'FULL_RING', 'NOMEM', 'HDR_TRUNC', 'TAP_FILTER', 'TAP_TXFILTER', 'ICMP_CSUM', 'INVALID_PROTO', 'IP_INADDRERRORS',
  'IP_INNOROUTES', 'IP_LOCAL_SOURCE', 'IP_INVALID_SOURCE', 'IP_LOCALNET', 'IP_INVALID_DEST', 'PKT_TOO_BIG', 'DUP_FRAG',
  'FRAG_REASM_TIMEOUT', 'FRAG_TOO_FAR', 'TCP_MINTTL', 'IPV6_BAD_EXTHDR', 'QUEUE_PURGE', 'PACKET_SOCK_ERROR',
  'MAC_INVALID_SOURCE', 'LOCAL_MAC', 'BRIDGE_INGRESS_STP_STATE',
  'VLAN_FILTER', 'NO_TX_TARGET', 'TCP_RFC7323_TW_PAWS', 'TCP_LISTEN_OVERFLOW', 'MAC_IEEE_MAC_CONTROL', 'NO_IN_DEVICE',
  'ARP_INVALID_HEADER', 'ARP_INVALID_ADDR', 'ARP_GRATUITOUS', 'IGMP_CSUM', 'IP_NOT_FORWARDED', 'IP_RT_BUG',
  'FRAG_INVALID', 'FRAG_OVERLAP', 'FRAG_ECN', 'TCP_NOT_UNICAST', 'TCP_DEFER_ACCEPT', 'TCP_SYNCOOKIE', 'TCP_TIME_WAIT',
  'TCP_AFTER_FIN', 'GRO_HEADER', 'DST_DISCARD', 'FAULT_INJECTED',
];

/** `'TCP_CSUM'` for SKB_DROP_REASON_TCP_CSUM; a number without a name is shown as `'REASON_<n>'`. */
export function dropReasonName(reason: number): string {
  return dropReasonNames[reason] ?? `REASON_${reason}`;
}
