/*
 * Keepalive: is a silent peer still there? And the end of an orphan in FIN_WAIT2.
 *
 * Order of calls: tcpSetKeepalive (SO_KEEPALIVE) → the wheel → tcpKeepaliveTimer. Read first: RFC 9293 §3.8.4.
 */
import {
  TCPF_CLOSE, TCPF_LISTEN, TCPF_SYN_SENT, inetCskDeleteKeepaliveTimer, inetCskResetKeepaliveTimer,
} from '@stack/inet-sock';
import { HZ, msecsToJiffies } from '@stack/kernel';
import type { TimerList } from '@stack/kernel';
import { SOCK_DEAD, SOCK_KEEPOPEN, TCP_FIN_WAIT2, TCP_LISTEN, sockFlag, sockOwnedByUser } from '@stack/socket';
import { tcpMstampRefresh } from './tcp-clock.ts';
import { TCP_RESOURCE_PROBE_INTERVAL, TCP_TIMEWAIT_LEN } from './tcp-consts.ts';
import { LINUX_MIB_TCPKEEPALIVE } from './tcp-mib.ts';
import { tcpSendActiveReset, tcpWriteWakeup } from './tcp-output-ctrl.ts';
import { tcpWriteQueueEmpty } from './tcp-rtx-queue.ts';
import type { TcpSock } from './tcp-sock.ts';
import {
  tcpFinTime, tcpKeepaliveIntvlWhen, tcpKeepaliveProbes, tcpKeepaliveTimeElapsed, tcpKeepaliveTimeWhen,
} from './tcp-space.ts';
import { tcpTimeWait } from './tcp-timewait.ts';
import { tcpWriteErr } from './tcp-timer.ts';
import { tcpDone } from './tcp.ts';

/** SO_KEEPALIVE is switched on or off. */
export function tcpSetKeepalive(sk: TcpSock, on: boolean): void {
  if (((1 << sk.skState) & (TCPF_CLOSE | TCPF_LISTEN)) !== 0) return;
  if (!on) inetCskDeleteKeepaliveTimer(sk);
  else if (!sockFlag(sk, SOCK_KEEPOPEN)) inetCskResetKeepaliveTimer(sk, tcpKeepaliveTimeWhen(sk));
}

/** An orphan has waited long enough for the peer's FIN. */
function tcpFinWait2Timeout(sk: TcpSock): void {
  if (sk.opts.linger2 >= 0) {
    const left = tcpFinTime(sk) - TCP_TIMEWAIT_LEN;
    if (left > 0) {
      tcpTimeWait(sk, TCP_FIN_WAIT2, left);
      return;
    }
  }
  tcpSendActiveReset(sk);
  tcpDone(sk);
}

/** The peer has been silent for the keepalive time: probes it, or gives it up. @returns jiffies until the next look, 0 = gone */
function tcpKeepaliveProbe(sk: TcpSock, elapsed: number): number {
  const user = sk.opts.userTimeout;
  const over = user !== 0
    ? elapsed >= msecsToJiffies(user) && sk.icskProbesOut > 0
    : sk.icskProbesOut >= tcpKeepaliveProbes(sk);
  if (over) {
    tcpSendActiveReset(sk);
    tcpWriteErr(sk);
    return 0;
  }
  if (tcpWriteWakeup(sk, LINUX_MIB_TCPKEEPALIVE) > 0) return TCP_RESOURCE_PROBE_INTERVAL;
  sk.icskProbesOut++;
  return tcpKeepaliveIntvlWhen(sk);
}

/** The wheel's call for skTimer. */
export function tcpKeepaliveTimer(timer: TimerList): void {
  const sk = timer.data as TcpSock;
  if (sockOwnedByUser(sk)) {
    inetCskResetKeepaliveTimer(sk, HZ / 20);
    return;
  }
  if (sk.skState === TCP_LISTEN) return;
  tcpMstampRefresh(sk);
  if (sk.skState === TCP_FIN_WAIT2 && sockFlag(sk, SOCK_DEAD)) {
    tcpFinWait2Timeout(sk);
    return;
  }
  if (!sockFlag(sk, SOCK_KEEPOPEN) || ((1 << sk.skState) & (TCPF_CLOSE | TCPF_SYN_SENT)) !== 0) return;

  let next = tcpKeepaliveTimeWhen(sk);
  // Data in flight shows soon enough whether it is there.
  if (sk.packetsOut === 0 && tcpWriteQueueEmpty(sk)) {
    const elapsed = tcpKeepaliveTimeElapsed(sk);
    next = elapsed >= next ? tcpKeepaliveProbe(sk, elapsed) : next - elapsed;
  }
  if (next !== 0) inetCskResetKeepaliveTimer(sk, next);
}
