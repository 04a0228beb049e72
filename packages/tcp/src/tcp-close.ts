/*
 * close(2) and shutdown(2) on a connection: the FIN, or a reset when data is thrown away, lingering, and what becomes of a
 * sock that nobody holds any more.
 *
 * Order of calls: tcpClose → tcpCloseState → tcpSendFin → (linger) → tcpOrphanSock → tcpTimeWait or inetCskDestroySock.
 * Read first: RFC 9293 §3.6 (closing), §3.10.4 (CLOSE), RFC 2525 §2.17 (unread data), RFC 1122 §4.2.2.13 (half-close).
 */
import {
  TCPF_CLOSE_WAIT, TCPF_CLOSING, TCPF_ESTABLISHED, TCPF_FIN_WAIT1, TCPF_LAST_ACK, TCPF_SYN_SENT, TCP_ACTION_FIN, TCP_STATE_MASK,
  inetCskDestroySock, inetCskListenStop, inetCskResetKeepaliveTimer,
} from '@stack/inet-sock';
import { EAGAIN, SKB_CONSUMED, SKB_DROP_REASON_SOCKET_CLOSE } from '@stack/kernel';
import { skbDequeue, kfreeSkbReason } from '@stack/skbuff';
import {
  SEND_SHUTDOWN, SHUTDOWN_MASK, SOCK_LINGER, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2,
  TCP_LAST_ACK, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_SYN_RECV, TCP_SYN_SENT, TCP_TIME_WAIT, lockSock, releaseSock, skFlushBacklog,
  sockFlag, sockHold, sockOrphan, sockPut,
} from '@stack/socket';
import type { Sock } from '@stack/socket';
import { TCP_TIMEWAIT_LEN } from './tcp-consts.ts';
import {
  LINUX_MIB_TCPABORTONCLOSE, LINUX_MIB_TCPABORTONDATA, LINUX_MIB_TCPABORTONLINGER, LINUX_MIB_TCPABORTONMEMORY,
} from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpSendActiveReset, tcpSendFin } from './tcp-output-ctrl.ts';
import { TCPHDR_FIN, after, tcbEndSeq, tcbTcpFlags } from './tcp-skb-cb.ts';
import { tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpFinTime } from './tcp-space.ts';
import { tcpTimeWait } from './tcp-timewait.ts';
import { tcpCheckOom, tcpDisconnect, tcpSetState } from './tcp.ts';

/** Where close() takes a state, and whether a FIN is due (RFC 9293 §3.3.2, figure 5). */
function closeTransition(state: number): number {
  switch (state) {
    case TCP_ESTABLISHED:
    case TCP_SYN_RECV:
      return TCP_FIN_WAIT1 | TCP_ACTION_FIN;
    case TCP_CLOSE_WAIT:
      return TCP_LAST_ACK | TCP_ACTION_FIN;
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_LAST_ACK:
    case TCP_CLOSING:
      return state;
    case TCP_SYN_SENT:
    case TCP_TIME_WAIT:
    case TCP_CLOSE:
    case TCP_LISTEN:
    case TCP_NEW_SYN_RECV:
    default:
      return TCP_CLOSE;
  }
}

/** Moves sk on as close() does; whether a FIN must be sent. */
export function tcpCloseState(sk: TcpSock): boolean {
  const next = closeTransition(sk.skState);
  tcpSetState(sk, next & TCP_STATE_MASK);
  return (next & TCP_ACTION_FIN) !== 0;
}

/** Proto.shutdown: sends the FIN when `how` ends sending. */
export function tcpShutdown(sock: Sock, how: number): void {
  const sk = tcpSk(sock);
  if ((how & SEND_SHUTDOWN) === 0) return;
  if (((1 << sk.skState) & (TCPF_ESTABLISHED | TCPF_SYN_SENT | TCPF_CLOSE_WAIT)) === 0) return;
  if (tcpCloseState(sk)) tcpSendFin(sk);
}

/** Empties the receive queue; whether some of it was never read. */
function tcpDiscardUnread(sk: TcpSock): boolean {
  let unread = false;
  for (let skb = skbDequeue(sk.skReceiveQueue); skb !== null; skb = skbDequeue(sk.skReceiveQueue)) {
    const fin = (tcbTcpFlags(skb) & TCPHDR_FIN) !== 0 ? 1 : 0;
    const lost = after((tcbEndSeq(skb) - fin) | 0, sk.copiedSeq);
    if (lost) unread = true;
    kfreeSkbReason(skb, lost ? SKB_DROP_REASON_SOCKET_CLOSE : SKB_CONSUMED);
  }
  return unread;
}

/** The first half of close(): what the peer hears. */
function tcpCloseWire(sk: TcpSock): void {
  const unread = tcpDiscardUnread(sk);
  if (sk.skState === TCP_CLOSE) return;
  if (unread) {
    // RFC 2525 §2.17: the peer must learn that its data was lost.
    netIncStats(sk.skNet, LINUX_MIB_TCPABORTONCLOSE);
    tcpSendActiveReset(sk);
    tcpSetState(sk, TCP_CLOSE);
  } else if (sockFlag(sk, SOCK_LINGER) && sk.skLingertime === 0) {
    tcpDisconnect(sk, 0);
    netIncStats(sk.skNet, LINUX_MIB_TCPABORTONDATA);
  } else if (tcpCloseState(sk)) {
    tcpSendFin(sk);
  }
}

/** Whether our FIN is still not acknowledged. */
function tcpStreamClosing(sk: TcpSock): boolean {
  return ((1 << sk.skState) & (TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_LAST_ACK)) !== 0;
}

/**
 * Proto.close. `timeout` (jiffies) is how long to linger: while that is not 0 and the FIN is not acknowledged, returns
 * -EAGAIN, and wants to be called again when something happened, or with 0. Else 0, and the user's reference is gone.
 */
export function tcpClose(sock: Sock, timeout: number): number {
  const sk = tcpSk(sock);
  lockSock(sk);
  sk.skShutdown = SHUTDOWN_MASK;
  if (sk.skState === TCP_LISTEN) {
    tcpSetState(sk, TCP_CLOSE);
    inetCskListenStop(sk);
  } else {
    tcpCloseWire(sk);
    if (timeout > 0 && tcpStreamClosing(sk)) {
      releaseSock(sk);
      return -EAGAIN;
    }
  }
  // One reference for the rest of this call; the user's goes with inetCskDestroySock, now or later.
  sockHold(sk);
  const state = sk.skState;
  sockOrphan(sk);
  sk.skNet.tcp.hashinfo.orphanCount++;
  skFlushBacklog(sk);
  // A segment from the backlog may have ended the connection, and destroyed the orphan.
  if (state === TCP_CLOSE || stateOf(sk) !== TCP_CLOSE) tcpOrphanSock(sk);
  releaseSock(sk);
  sockPut(sk);
  return 0;
}

/** The state as it is now (the backlog may have changed it). */
function stateOf(sk: TcpSock): number {
  return sk.skState;
}

/** What becomes of a sock without a user: it goes on for a while, rests in TIME_WAIT, or is destroyed. */
function tcpOrphanSock(sk: TcpSock): void {
  if (sk.skState === TCP_FIN_WAIT2 && tcpOrphanFinWait2(sk)) return;
  if (sk.skState !== TCP_CLOSE && tcpCheckOom(sk, 0)) {
    tcpSetState(sk, TCP_CLOSE);
    tcpSendActiveReset(sk);
    netIncStats(sk.skNet, LINUX_MIB_TCPABORTONMEMORY);
  }
  if (sk.skState === TCP_CLOSE) inetCskDestroySock(sk);
}

/** The peer has our FIN; its own is awaited for a limited time only. True: a time-wait sock does that. */
function tcpOrphanFinWait2(sk: TcpSock): boolean {
  if (sk.opts.linger2 < 0) {
    tcpSetState(sk, TCP_CLOSE);
    tcpSendActiveReset(sk);
    netIncStats(sk.skNet, LINUX_MIB_TCPABORTONLINGER);
    return false;
  }
  const timeo = tcpFinTime(sk);
  if (timeo > TCP_TIMEWAIT_LEN) {
    inetCskResetKeepaliveTimer(sk, timeo - TCP_TIMEWAIT_LEN);
    return false;
  }
  tcpTimeWait(sk, TCP_FIN_WAIT2, timeo);
  return true;
}
