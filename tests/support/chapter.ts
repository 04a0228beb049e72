// Every identifier that the chapter names and this stack has: docs/kernel-map.md must have a row for each.
// Functions and tables first, then structs, then their fields (as the kernel writes them, `struct.field`), then constants.

/** Functions and tables. */
export const chapterFunctions: readonly string[] = [
  'alloc_skb', 'kfree_skb', '__kfree_skb', 'kfree_skbmem', 'skb_reserve', 'skb_push', 'skb_pull', 'skb_put', 'skb_trim', 'skb_copy', 'skb_clone',
  'pskb_expand_head', 'gethostbyname', 'htons', 'sys_socket', 'sys_connect', 'sys_close',
  'sys_write', 'sys_send', 'sys_sendto', 'sys_sendmsg', 'sys_read', 'sys_recv', 'sys_recvfrom', 'sys_recvmsg',
  'do_sync_write', 'sock_aio_write', 'sock_aio_read', 'sock_sendmsg', '__sock_sendmsg', 'sock_recvmsg', '__sock_recvmsg',
  'inet_sendmsg', 'sock_common_recvmsg', 'tcp_sendmsg', 'tcp_recvmsg', 'tcp_transmit_skb', 'tcp_v4_rcv',
  'ip_queue_xmit', 'ip_route_output_flow', 'dst_output', 'ip_output', 'ip_finish_output', 'ip_finish_output2',
  'ip_rcv', 'ip_rcv_finish', 'ip_route_input', 'dst_input', 'ip_forward', 'ip_forward_finish', 'ip_local_deliver', 'ip_local_deliver_finish',
  'neigh_resolve_output', 'neigh_connected_output', 'dev_queue_xmit', 'net_rx_action', 'process_backlog', 'netif_receive_skb', 'netif_rx',
  'eth_type_trans', 'ptype_base', 'inet_protos',
];

/** Structs. */
export const chapterStructs: readonly string[] = [
  'sk_buff', 'sk_buff_head', 'msghdr', 'iovec', 'hostent', 'sockaddr_in', 'dst_entry', 'rtable', 'packet_type', 'inet_protocol',
];

/** Fields, and function pointers in tables. */
export const chapterFields: readonly string[] = [
  'sk_buff.next', 'sk_buff.prev', 'sk_buff.list', 'sk_buff.head', 'sk_buff.data', 'sk_buff.tail', 'sk_buff.end', 'sk_buff.len', 'sk_buff.truesize',
  'sk_buff.users', 'sk_buff.mac', 'sk_buff.nh', 'sk_buff.h', 'sk_buff.sk', 'sk_buff.dst', 'sk_buff.nfmark', 'sk_buff.nfct', 'skb_shared_info.dataref',
  'sk_buff_head.next', 'sk_buff_head.prev', 'sk_buff_head.qlen',
  'msghdr.msg_name', 'msghdr.msg_namelen', 'msghdr.msg_iov', 'msghdr.msg_iovlen', 'msghdr.msg_control', 'msghdr.msg_controllen', 'msghdr.msg_flags',
  'iovec.iov_base', 'iovec.iov_len', 'hostent.h_addr', 'hostent.h_length', 'sockaddr_in.sin_family', 'sockaddr_in.sin_port', 'sockaddr_in.sin_addr',
  'file->f_op', 'file_operations.write', 'file_operations.read', 'proto_ops.sendmsg', 'proto_ops.recvmsg', 'sock.sk_prot', 'proto.sendmsg', 'proto.recvmsg',
  'sock.sk_receive_queue', 'sock.sk_dst_cache', 'tcp_sock.af_specific', 'inet_connection_sock_af_ops.queue_xmit',
  'dst_entry.next', 'dst_entry.input', 'dst_entry.output', 'dst_entry.hh', 'dst_entry.neighbour', 'hh_cache.hh_output', 'rtable.rt_next',
  'neighbour.output', 'neigh_ops.queue_xmit', 'net_device.hard_header', 'net_device.poll', 'packet_type.type', 'packet_type.func', 'inet_protocol.handler',
];

/** Constants. */
export const chapterConstants: readonly string[] = [
  'PF_INET', 'AF_INET', 'SOCK_STREAM', 'SOCK_DGRAM', 'SOCK_RAW', 'MSG_OOB', 'SO_RCVLOWAT', 'MSG_WAITALL', 'EAGAIN', 'ETH_P_IP', 'INET_P_TCP', 'MAX_TCP_HEADER',
  'NF_IP_LOCAL_OUT', 'NF_IP_POST_ROUTING', 'NF_IP_PRE_ROUTING', 'NF_IP_LOCAL_IN', 'NF_IP_FORWARD', 'NET_XMIT_BYPASS',
];
