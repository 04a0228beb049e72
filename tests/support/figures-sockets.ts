// The chapter's figures for the sockets that are not SOCK_STREAM ("SOCK_DGRAM, SOCK_RAW: their own"; "another family: its own"):
// the functions that sendmsg and recvmsg and their packets pass, in the kernel's spelling, in order.
import { ETH, IP, type Picture } from './figures.ts';

/** Octets of the headers of UDP and of ICMP's echo. */
const UDP = 8;
const ICMP = 8;

const OUTPUT = ['NF_INET_LOCAL_OUT', 'dst_output', 'ip_output', 'ip_finish_output', 'NF_INET_POST_ROUTING', 'ip_finish_output2'];
const LINK = ['hh_output', 'dev_queue_xmit'];
const SENDMSG = ['sys_sendmsg', 'sock_sendmsg', '__sock_sendmsg'];
const RECVMSG = ['sys_recvmsg', 'sock_recvmsg', '__sock_recvmsg'];
const CARD = ['net_rx_action', 'virtnet_poll', 'eth_type_trans', 'netif_receive_skb'];
const INPUT = [
  'ip_rcv', 'NF_INET_PRE_ROUTING', 'ip_rcv_finish', 'ip_route_input', 'dst_input', 'ip_local_deliver', 'NF_INET_LOCAL_IN', 'ip_local_deliver_finish',
];

/** The way of one kind of socket. */
export interface SocketFigure {
  /** Level 5 to the device, the link-layer header in the cache; the route is asked for, for the sockets are not connected. */
  readonly send: readonly string[];
  /** Level 5 to the protocol, which finds nothing. */
  readonly recv: readonly string[];
  /** The device to the socket's receive queue. */
  readonly up: readonly string[];
  /** The protocol's recvmsg, called again with what it found. */
  readonly dequeued: string;
  /** Where the pointers stand at the entry of the last of these functions; `headers` counts what precedes the payload. */
  readonly pictures: Readonly<Record<string, Picture>>;
}

const inet = (send: string, recv: string, up: readonly string[], pictures: Readonly<Record<string, Picture>>): SocketFigure => ({
  send: [...SENDMSG, 'inet_sendmsg', send, 'ip_route_output_flow', ...OUTPUT, ...LINK],
  recv: [...RECVMSG, 'sock_common_recvmsg', recv],
  up: [...CARD, ...INPUT, ...up],
  dequeued: recv,
  pictures,
});

/** `headers`, `mac`, `network`: as the reader finds them. */
const packet = (headers: number, mac: number, network: number): SocketFigure => ({
  send: [...SENDMSG, 'packet_sendmsg', 'dev_queue_xmit'],
  recv: [...RECVMSG, 'packet_recvmsg'],
  up: [...CARD, 'packet_rcv', 'sk_receive_queue'],
  dequeued: 'packet_recvmsg',
  pictures: {
    packet_rcv: { mac: -ETH, network: 0, transport: null, headers: 0 },
    sk_receive_queue: { mac, network, transport: null, headers },
    packet_recvmsg: { mac, network, transport: null, headers },
  },
});


/** By kind of socket. */
export const SOCKETS = {
  'PF_INET, SOCK_DGRAM': inet('udp_sendmsg', 'udp_recvmsg', ['udp_rcv', 'sk_receive_queue'], {
    udp_rcv: { mac: -ETH - IP, network: -IP, transport: 0, headers: UDP },
    sk_receive_queue: { mac: -ETH - IP - UDP, network: -IP - UDP, transport: -UDP, headers: 0 },
    udp_recvmsg: { mac: -ETH - IP - UDP, network: -IP - UDP, transport: -UDP, headers: 0 },
  }),
  'PF_INET, SOCK_RAW': inet('raw_sendmsg', 'raw_recvmsg', ['raw_local_deliver', 'raw_rcv', 'sk_receive_queue'], {
    raw_local_deliver: { mac: -ETH - IP, network: -IP, transport: 0, headers: 0 },
    raw_rcv: { mac: -ETH - IP, network: -IP, transport: 0, headers: 0 },
    sk_receive_queue: { mac: -ETH, network: 0, transport: IP, headers: IP },
    raw_recvmsg: { mac: -ETH, network: 0, transport: IP, headers: IP },
  }),
  'PF_INET, SOCK_DGRAM, IPPROTO_ICMP': inet('ping_v4_sendmsg', 'ping_recvmsg', ['icmp_rcv', 'ping_rcv', 'sk_receive_queue'], {
    icmp_rcv: { mac: -ETH - IP, network: -IP, transport: 0, headers: ICMP },
    ping_rcv: { mac: -ETH - IP - ICMP, network: -IP - ICMP, transport: -ICMP, headers: 0 },
    sk_receive_queue: { mac: -ETH - IP, network: -IP, transport: 0, headers: ICMP },
    ping_recvmsg: { mac: -ETH - IP, network: -IP, transport: 0, headers: ICMP },
  }),
  'PF_PACKET, SOCK_DGRAM': packet(0, -ETH, 0),
  'PF_PACKET, SOCK_RAW': packet(ETH, 0, ETH),
} as const;
