/*
 * Receive buffer and window (inline functions of include/net/tcp.h): how much of a buffer's memory is payload, what is
 * free of it, and what the peer was last offered; and the times of keepalive and FIN_WAIT2.
 *
 * Order of calls: none of its own; tcp-output-window.ts and tcp-input-rcvbuf.ts ask. Read first: RFC 9293 §3.8.6.2.2 (the receiver's window).
 */
import { INET_FLAGS_DEFER_CONNECT } from '@stack/inet-sock';
import { skUnderMemoryPressure } from '@stack/socket';
import type { TcpSock } from './tcp-sock.ts';

/** scalingRatio counts 2⁻⁸ths. */
export const TCP_RMEM_TO_WIN_SCALE = 8;
/** Half of a receive buffer's memory is payload until real packets say more. */
export const TCP_DEFAULT_SCALING_RATIO = 1 << (TCP_RMEM_TO_WIN_SCALE - 1);

/** Payload bytes that `space` bytes of receive memory hold. */
export function tcpWinFromSpace(sk: TcpSock, space: number): number {
  // The product may exceed int32: floor division keeps it exact and rounds as an arithmetic shift does.
  return Math.floor((space * sk.scalingRatio) / 256);
}

/** Receive memory that `win` payload bytes need. */
export function tcpSpaceFromWin(sk: TcpSock, win: number): number {
  return Math.min(Math.floor((win * 256) / sk.scalingRatio), 0x7fffffff);
}

/** Payload that still fits into the receive buffer. */
export function tcpSpace(sk: TcpSock): number {
  return tcpWinFromSpace(sk, sk.skRcvbuf - sk.skBacklogLen - sk.skRmemAlloc);
}

/** Payload that the whole receive buffer holds. */
export function tcpFullSpace(sk: TcpSock): number {
  return tcpWinFromSpace(sk, sk.skRcvbuf);
}

/** What is left of the window that the peer was last offered. */
export function tcpReceiveWindow(sk: TcpSock): number {
  const win = (sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0;
  return win < 0 ? 0 : win;
}

/** Receive memory is short: less than an eighth of the buffer is left, or the host has none. */
export function tcpRmemPressure(sk: TcpSock): boolean {
  if (skUnderMemoryPressure(sk)) return true;
  const rcvbuf = sk.skRcvbuf;
  return sk.skRmemAlloc > rcvbuf - (rcvbuf >> 3);
}

/** Whether poll says "readable" for a reader that wants `target` bytes. */
export function tcpEpollinReady(sk: TcpSock, target: number): boolean {
  const avail = (sk.rcvNxt - sk.copiedSeq) | 0;
  if (avail <= 0) return false;
  return avail >= target || tcpRmemPressure(sk) || tcpReceiveWindow(sk) <= sk.icskAckRcvMss;
}

/** The connect of Fast Open that waits for the first write. */
export function tcpConnectDeferred(sk: TcpSock): boolean {
  return (sk.inetFlags & INET_FLAGS_DEFER_CONNECT) !== 0;
}

/** Bytes that may wait unsent before writers are held (TCP_NOTSENT_LOWAT). */
export function tcpNotsentLowat(sk: TcpSock): number {
  return sk.opts.notsentLowat !== 0 ? sk.opts.notsentLowat : sk.skNet.tcp.sysctlTcpNotsentLowat;
}

/** Whether so little is unsent that a writer may go on; on a wake-up, half as little. */
export function tcpStreamMemoryFree(sk: TcpSock, wake: number): boolean {
  const notsent = (sk.writeSeq - sk.sndNxt) | 0;
  return notsent * 2 ** wake < tcpNotsentLowat(sk);
}

/** Jiffies of idleness before the first keepalive probe. */
export function tcpKeepaliveTimeWhen(sk: TcpSock): number {
  return sk.opts.keepaliveTime !== 0 ? sk.opts.keepaliveTime : sk.skNet.tcp.sysctlTcpKeepaliveTime;
}

/** Jiffies between keepalive probes. */
export function tcpKeepaliveIntvlWhen(sk: TcpSock): number {
  return sk.opts.keepaliveIntvl !== 0 ? sk.opts.keepaliveIntvl : sk.skNet.tcp.sysctlTcpKeepaliveIntvl;
}

/** Unanswered keepalive probes that end the connection. */
export function tcpKeepaliveProbes(sk: TcpSock): number {
  return sk.opts.keepaliveProbes !== 0 ? sk.opts.keepaliveProbes : sk.skNet.tcp.sysctlTcpKeepaliveProbes;
}

/** Jiffies since the peer was last heard. */
export function tcpKeepaliveTimeElapsed(sk: TcpSock): number {
  const now = sk.skNet.world.jiffies;
  return Math.min((now - sk.icskAckLrcvtime) | 0, (now - sk.rcvTstamp) | 0);
}

/** Jiffies that an orphan stays in FIN_WAIT2: at least three and a half times the retransmission timeout. */
export function tcpFinTime(sk: TcpSock): number {
  const finTimeout = sk.opts.linger2 !== 0 ? sk.opts.linger2 : sk.skNet.tcp.sysctlTcpFinTimeout;
  const rto = sk.icskRto;
  return Math.max(finTimeout, (rto << 2) - (rto >> 1));
}
