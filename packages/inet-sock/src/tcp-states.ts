/*
 * The states of a connection-oriented socket, as numbers and as bits (the kernel's tcp_states.h).
 * RFC 9293 §3.3.2 has eleven; TCP_NEW_SYN_RECV is what a request sock is in.
 */
import {
  TCP_ESTABLISHED, TCP_SYN_SENT, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT,
  TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_LISTEN, TCP_CLOSING, TCP_NEW_SYN_RECV,
} from '@stack/socket';

export const TCP_MAX_STATES = 13;
export const TCP_STATE_MASK = 0xf;
/** Set in the state table for states whose entry by close() sends a FIN. */
export const TCP_ACTION_FIN = 1 << 7;

export const TCPF_ESTABLISHED = 1 << TCP_ESTABLISHED;
export const TCPF_SYN_SENT = 1 << TCP_SYN_SENT;
export const TCPF_SYN_RECV = 1 << TCP_SYN_RECV;
export const TCPF_FIN_WAIT1 = 1 << TCP_FIN_WAIT1;
export const TCPF_FIN_WAIT2 = 1 << TCP_FIN_WAIT2;
export const TCPF_TIME_WAIT = 1 << TCP_TIME_WAIT;
export const TCPF_CLOSE = 1 << TCP_CLOSE;
export const TCPF_CLOSE_WAIT = 1 << TCP_CLOSE_WAIT;
export const TCPF_LAST_ACK = 1 << TCP_LAST_ACK;
export const TCPF_LISTEN = 1 << TCP_LISTEN;
export const TCPF_CLOSING = 1 << TCP_CLOSING;
export const TCPF_NEW_SYN_RECV = 1 << TCP_NEW_SYN_RECV;

/** State names as `ss` and /proc/net/tcp's readers write them. */
export const tcpStateNames: readonly string[] = [
  'UNKNOWN', 'ESTAB', 'SYN-SENT', 'SYN-RECV', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT',
  'UNCONN', 'CLOSE-WAIT', 'LAST-ACK', 'LISTEN', 'CLOSING', 'SYN-RECV',
];
