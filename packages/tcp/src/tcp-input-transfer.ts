/*
 * A connection becomes established: windows, congestion control, buffers get their first values.
 *
 * Order of calls: tcpFinishConnect (active open) or tcpRcvStateProcess (passive) → tcpInitTransfer.
 * Read first: RFC 6928; RFC 6298 §5.7; RFC 5681 §3.1.
 */
import { inetCskResetKeepaliveTimer } from '@stack/inet-sock';
import { SOCK_KEEPOPEN, TCP_ESTABLISHED, sockFlag } from '@stack/socket';
import { tcpInitCongestionControl } from './tcp-cong.ts';
import { __tcpFastPathOn } from './tcp-input-fast.ts';
import { tcpInitBufferSpace } from './tcp-input-rcvbuf.ts';
import { tcpInitMetrics } from './tcp-metrics.ts';
import { tcpMtupInit } from './tcp-mtu-probe.ts';
import { tcpInitCwnd } from './tcp-output-cwnd.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpKeepaliveTimeWhen } from './tcp-space.ts';
import { tcpSetState } from './tcp.ts';

/** The SYN or SYN-ACK was sent again, but the answer is to the first: that was no loss. */
export function tcpTryUndoSpuriousSyn(sk: TcpSock): void {
  const stamp = sk.retransStamp;
  if (sk.undoMarker !== 0 && stamp !== 0 && sk.rxOpt.sawTstamp && stamp === sk.rxOpt.rcvTsecr) sk.undoMarker = 0;
}

/** All that begins with the first data. */
export function tcpInitTransfer(sk: TcpSock): void {
  tcpMtupInit(sk);
  sk.afSpecific.rebuildHeader(sk);
  tcpInitMetrics(sk);
  // RFC 5681 §3.1: a SYN that was really lost starts with one segment; the first loss is forgiven.
  sk.sndCwnd = sk.totalRetrans > 1 && sk.undoMarker !== 0 ? 1 : tcpInitCwnd(sk);
  sk.sndCwndStamp = sk.skNet.world.jiffies;
  if (sk.icskCaInitialized === 0) tcpInitCongestionControl(sk);
  tcpInitBufferSpace(sk);
}

/** Our SYN was acknowledged. */
export function tcpFinishConnect(sk: TcpSock): void {
  const now = sk.skNet.world.jiffies;
  tcpSetState(sk, TCP_ESTABLISHED);
  sk.icskAckLrcvtime = now;
  tcpInitTransfer(sk);
  sk.lsndtime = now;
  if (sockFlag(sk, SOCK_KEEPOPEN)) inetCskResetKeepaliveTimer(sk, tcpKeepaliveTimeWhen(sk));
  if (sk.rxOpt.sndWscale === 0) __tcpFastPathOn(sk, sk.sndWnd);
  else sk.predFlags = 0;
}
