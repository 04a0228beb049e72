/*
 * Is the congestion window in use? It may only grow if it is; and it shrinks when it was not for long.
 *
 * Order of calls: tcpWriteXmit → tcpCwndValidate; tcpSlowStartAfterIdleCheck before sending after idleness.
 * Read first: RFC 7661, RFC 2861, RFC 5681 §4.1, RFC 6928.
 */
import { RTAX_INITCWND, dstMetric } from '@stack/skbuff';
import { TCP_CHRONO_SNDBUF_LIMITED, tcpChronoStart } from './tcp-chrono.ts';
import { CA_EVENT_CWND_RESTART, tcpCaEvent, tcpIsCwndLimited } from './tcp-cong.ts';
import { TCP_INIT_CWND } from './tcp-consts.ts';
import { tcpCurrentSsthresh } from './tcp-input-cwnd.ts';
import { tcpWriteQueueEmpty } from './tcp-rtx-queue.ts';
import { before } from './tcp-skb-cb.ts';
import { TCP_CA_Open } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** The initial window of the route, or 10 segments. */
export function tcpInitCwnd(sk: TcpSock): number {
  const dst = sk.skDstCache;
  const cwnd = dst !== null ? dstMetric(dst, RTAX_INITCWND) : 0;
  return Math.min(cwnd !== 0 ? cwnd : TCP_INIT_CWND, sk.sndCwndClamp);
}

/** RFC 2861 §3.1: after idleness, half a window per RTO, down to the initial one. @param delta idle time in jiffies */
function tcpCwndRestart(sk: TcpSock, delta: number): void {
  let cwnd = sk.sndCwnd;
  tcpCaEvent(sk, CA_EVENT_CWND_RESTART);
  sk.sndSsthresh = tcpCurrentSsthresh(sk);
  const restart = Math.min(tcpInitCwnd(sk), cwnd);
  for (let left = delta - sk.icskRto; left > 0 && cwnd > restart; left -= sk.icskRto) cwnd >>= 1;
  sk.sndCwnd = Math.max(cwnd, restart);
  sk.sndCwndStamp = sk.skNet.world.jiffies;
  sk.sndCwndUsed = 0;
}

/** Before the first data after idleness: is the window still good (net.ipv4.tcp_slow_start_after_idle)? */
export function tcpSlowStartAfterIdleCheck(sk: TcpSock): void {
  if (sk.packetsOut !== 0 || sk.skNet.tcp.sysctlTcpSlowStartAfterIdle === 0) return;
  if (sk.icskCaOps.congControl !== null) return;
  const delta = (sk.skNet.world.jiffies - sk.lsndtime) | 0;
  if (delta > sk.icskRto) tcpCwndRestart(sk, delta);
}

/** RFC 2861 §3.2: a window that the application did not fill for an RTO falls halfway to what it used. */
function tcpCwndApplicationLimited(sk: TcpSock): void {
  if (sk.icskCaState === TCP_CA_Open && !sk.noSpace) {
    const used = Math.max(sk.sndCwndUsed, tcpInitCwnd(sk));
    if (used < sk.sndCwnd) {
      sk.sndSsthresh = tcpCurrentSsthresh(sk);
      sk.sndCwnd = (sk.sndCwnd + used) >> 1;
    }
    sk.sndCwndUsed = 0;
  }
  sk.sndCwndStamp = sk.skNet.world.jiffies;
}

/** After a round of sending: was it the congestion window that ended it? Remembered for one flight. */
export function tcpCwndValidate(sk: TcpSock, isCwndLimited: boolean): void {
  if (
    !before(sk.sndUna, sk.cwndUsageSeq) || isCwndLimited ||
    (sk.isCwndLimited === 0 && sk.packetsOut > sk.maxPacketsOut)
  ) {
    sk.isCwndLimited = isCwndLimited ? 1 : 0;
    sk.maxPacketsOut = sk.packetsOut;
    sk.cwndUsageSeq = sk.sndNxt;
  }
  const now = sk.skNet.world.jiffies;
  if (tcpIsCwndLimited(sk)) {
    sk.sndCwndUsed = 0;
    sk.sndCwndStamp = now;
    return;
  }
  if (sk.packetsOut > sk.sndCwndUsed) sk.sndCwndUsed = sk.packetsOut;
  if (
    sk.skNet.tcp.sysctlTcpSlowStartAfterIdle !== 0 && ((now - sk.sndCwndStamp) | 0) >= sk.icskRto &&
    sk.icskCaOps.congControl === null
  ) {
    tcpCwndApplicationLimited(sk);
  }
  // All was sent, the window is open, and a writer waits for room: it is the send buffer that is too small.
  if (sk.noSpace && tcpWriteQueueEmpty(sk)) tcpChronoStart(sk, TCP_CHRONO_SNDBUF_LIMITED);
}
