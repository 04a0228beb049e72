/*
 * Header prediction (Van Jacobson): the next segment of a one-way flow differs from the last only in its numbers.
 *
 * predFlags is word 3 of the header that is expected: length, ACK, and the window that the peer offered last; 0 sends
 * every segment down the slow path.
 * Order of calls: what changes the window or a queue → tcpFastPathCheck → tcpFastPathOn; tcpRcvEstablished compares.
 * Read first: RFC 7323 appendix E.
 */
import { RB_EMPTY_ROOT } from '@stack/skbuff';
import { TCPHDR_ACK } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';

/** All bits of word 3 but the reserved ones and PSH. */
export const TCP_HP_BITS = ~(0x0f000000 | 0x00080000);

/** Predicts segments with this window field. */
export function __tcpFastPathOn(sk: TcpSock, window: number): void {
  sk.predFlags = (sk.tcpHeaderLen << 26) | (TCPHDR_ACK << 16) | window;
}

/** Predicts segments with the window as it is. */
export function tcpFastPathOn(sk: TcpSock): void {
  __tcpFastPathOn(sk, sk.sndWnd >> sk.rxOpt.sndWscale);
}

/** Turns prediction on if nothing needs the slow path: no hole, a window, room, no urgent data. */
export function tcpFastPathCheck(sk: TcpSock): void {
  if (RB_EMPTY_ROOT(sk.outOfOrderQueue) && sk.rcvWnd !== 0 && sk.skRmemAlloc < sk.skRcvbuf && sk.urgData === 0) {
    tcpFastPathOn(sk);
  }
}
