// The chapter's figures of level 3 for packets that take another branch than those of an echo, cut so that a test composes what it
// expects: [...ARRIVES, ...FORWARDED, ...LEAVES].

/** A packet made here, as far as dst.output. */
export const MADE_HERE = ['NF_INET_LOCAL_OUT', 'dst_output'] as const;

/** dst.output of a unicast route, to the hook behind which it is cut or handed to the neighbour. */
export const OUTPUT = ['ip_output', 'ip_finish_output', 'NF_INET_POST_ROUTING'] as const;

/** Behind the last hook: the Ethernet header is in the cache. */
export const LINK = ['ip_finish_output2', 'hh_output', 'dev_queue_xmit'] as const;

/** From a card as far as dst.input; what turned round inside the host brings its route along. */
const IP_RCV = ['netif_receive_skb', 'ip_rcv', 'NF_INET_PRE_ROUTING', 'ip_rcv_finish'] as const;
export const ARRIVES = ['eth_type_trans', ...IP_RCV, 'ip_route_input', 'dst_input'] as const;
export const COMES_BACK = [...IP_RCV, 'dst_input'] as const;

/** dst.input of a packet for others, as far as dst.output. */
export const FORWARDED = ['ip_forward', 'NF_INET_FORWARD', 'ip_forward_finish', 'dst_output'] as const;

/** dst.input of a packet for us, to the transport. */
export const DELIVERED = ['ip_local_deliver', 'NF_INET_LOCAL_IN', 'ip_local_deliver_finish', 'udp_rcv'] as const;

/** The loopback device turns it round. */
export const LOOPED = ['eth_type_trans', 'netif_rx'] as const;

/** dst.output of a broadcast, or of a group that we are in: a copy turns round before the packet leaves. */
export const OUTPUT_TO_MANY = [
  'ip_mc_output', 'NF_INET_POST_ROUTING', 'dev_loopback_xmit', 'netif_rx', 'ip_finish_output', 'NF_INET_POST_ROUTING',
] as const;
