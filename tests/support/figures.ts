// The chapter's figures as data: the functions that a call and its packets pass, in the kernel's spelling, in order.
//
// A name stands for one tracepoint. Each figure is cut where the chapter cuts it, so that a test composes what it expects:
// [...SEND.write, ...DOWN.routeCached, ...LINK.cached].

/** Level 5: from the system call to the protocol's sendmsg (§3, first figure). */
export const SEND = {
  write: ['sys_write', 'sock_aio_write', '__sock_sendmsg', 'inet_sendmsg', 'tcp_sendmsg'],
  send: ['sys_send', 'sys_sendto', 'sock_sendmsg', '__sock_sendmsg', 'inet_sendmsg', 'tcp_sendmsg'],
  sendto: ['sys_sendto', 'sock_sendmsg', '__sock_sendmsg', 'inet_sendmsg', 'tcp_sendmsg'],
  sendmsg: ['sys_sendmsg', 'sock_sendmsg', '__sock_sendmsg', 'inet_sendmsg', 'tcp_sendmsg'],
} as const;

/** Level 5, the other way (§4): from the system call to the protocol's recvmsg. */
export const RECEIVE = {
  read: ['sys_read', 'sock_aio_read', '__sock_recvmsg', 'sock_common_recvmsg', 'tcp_recvmsg'],
  recv: ['sys_recv', 'sys_recvfrom', 'sock_recvmsg', '__sock_recvmsg', 'sock_common_recvmsg', 'tcp_recvmsg'],
  recvfrom: ['sys_recvfrom', 'sock_recvmsg', '__sock_recvmsg', 'sock_common_recvmsg', 'tcp_recvmsg'],
  recvmsg: ['sys_recvmsg', 'sock_recvmsg', '__sock_recvmsg', 'sock_common_recvmsg', 'tcp_recvmsg'],
} as const;

/** Levels 4 and 3, down: from tcp_transmit_skb to ip_finish_output2, the route at hand or looked up. */
const OUTPUT = ['NF_INET_LOCAL_OUT', 'dst_output', 'ip_output', 'ip_finish_output', 'NF_INET_POST_ROUTING', 'ip_finish_output2'];
export const DOWN = {
  routeCached: ['tcp_transmit_skb', 'ip_queue_xmit', ...OUTPUT],
  routeLookedUp: ['tcp_transmit_skb', 'ip_queue_xmit', 'ip_route_output_flow', ...OUTPUT],
} as const;

/** Level 2 and the door to level 1, down. */
export const LINK = {
  /** The Ethernet header is in the cache. */
  cached: ['hh_output', 'dev_queue_xmit'],
  /** The address is known, the device keeps no header cache. */
  connected: ['neigh_connected_output', 'dev_queue_xmit'],
  /** The address is known, the header not cached yet. */
  resolved: ['neigh_resolve_output', 'dev_queue_xmit'],
} as const;

/** Levels 1 to 4, up: a NAPI driver, or one without. */
const INPUT = [
  'netif_receive_skb', 'ip_rcv', 'NF_INET_PRE_ROUTING', 'ip_rcv_finish', 'ip_route_input', 'dst_input', 'ip_local_deliver', 'NF_INET_LOCAL_IN',
  'ip_local_deliver_finish', 'tcp_v4_rcv',
];
export const UP = {
  napi: ['net_rx_action', 'virtnet_poll', 'eth_type_trans', ...INPUT],
  plain: ['eth_type_trans', 'netif_rx', 'net_rx_action', 'process_backlog', ...INPUT],
} as const;

/** Where tcp_v4_rcv leaves what the user will read. */
export const QUEUED = 'sk_receive_queue';

/** What the user's read finds once it has been woken: tcp_recvmsg takes the sk_buff from the queue. */
export const DEQUEUED = 'tcp_recvmsg';

/** An offset that the picture does not show: not meaningful yet. */
export const ANY = null;

/** Where the pointers stand at the entry of a function: octets from `data`, and `len`, for a payload of `n` octets. */
export interface Picture {
  readonly mac: number | null;
  readonly network: number | null;
  readonly transport: number | null;
  readonly headers: number;
}

/** Octets of the headers: Ethernet, IP without options, TCP with timestamps. */
export const ETH = 14;
export const IP = 20;
export const TCP = 32;

/** §1, item 3, right half: the sk_buff on its way down. A pointer not yet set is absent in the trace (-1). */
export const PICTURES_DOWN: Readonly<Record<string, Picture>> = {
  tcp_transmit_skb: { mac: -1, network: -1, transport: -1, headers: 0 },
  ip_queue_xmit: { mac: -1, network: -1, transport: 0, headers: TCP },
  NF_INET_LOCAL_OUT: { mac: -1, network: 0, transport: IP, headers: IP + TCP },
  dst_output: { mac: -1, network: 0, transport: IP, headers: IP + TCP },
  ip_output: { mac: -1, network: 0, transport: IP, headers: IP + TCP },
  ip_finish_output: { mac: -1, network: 0, transport: IP, headers: IP + TCP },
  NF_INET_POST_ROUTING: { mac: -1, network: 0, transport: IP, headers: IP + TCP },
  ip_finish_output2: { mac: -1, network: 0, transport: IP, headers: IP + TCP },
  dev_queue_xmit: { mac: 0, network: ETH, transport: ETH + IP, headers: ETH + IP + TCP },
};

/** §1, item 3, left half: the sk_buff on its way up. */
export const PICTURES_UP: Readonly<Record<string, Picture>> = {
  eth_type_trans: { mac: -1, network: -1, transport: ANY, headers: ETH + IP + TCP },
  netif_receive_skb: { mac: -ETH, network: ANY, transport: ANY, headers: IP + TCP },
  ip_rcv: { mac: -ETH, network: ANY, transport: ANY, headers: IP + TCP },
  NF_INET_PRE_ROUTING: { mac: -ETH, network: 0, transport: ANY, headers: IP + TCP },
  ip_rcv_finish: { mac: -ETH, network: 0, transport: ANY, headers: IP + TCP },
  ip_route_input: { mac: -ETH, network: 0, transport: ANY, headers: IP + TCP },
  dst_input: { mac: -ETH, network: 0, transport: ANY, headers: IP + TCP },
  ip_local_deliver: { mac: -ETH, network: 0, transport: ANY, headers: IP + TCP },
  NF_INET_LOCAL_IN: { mac: -ETH, network: 0, transport: ANY, headers: IP + TCP },
  ip_local_deliver_finish: { mac: -ETH, network: 0, transport: ANY, headers: IP + TCP },
  tcp_v4_rcv: { mac: -ETH - IP, network: -IP, transport: ANY, headers: TCP },
  sk_receive_queue: { mac: -ETH - IP - TCP, network: -IP - TCP, transport: -TCP, headers: 0 },
  tcp_recvmsg: { mac: -ETH - IP - TCP, network: -IP - TCP, transport: -TCP, headers: 0 },
};
