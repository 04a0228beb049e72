/*
 * The timers of a connection: retransmission, window probe, loss probe and reordering on one; delayed ACK; keepalive.
 *
 * Order of calls: the wheel → tcpWriteTimer → tcpWriteTimerHandler → tcpRetransmitTimer, tcpProbeTimer …; a timer that
 * finds the sock in a system call leaves a flag for tcpReleaseCb.
 * Read first: RFC 6298 §5; RFC 9293 §3.8.3 (retries), §3.8.4 (keepalive), §3.8.6.1 (probes); RFC 5482 (user timeout).
 */
import {
  ICSK_ACK_TIMER, ICSK_TIME_LOSS_PROBE, ICSK_TIME_PROBE0, ICSK_TIME_REO_TIMEOUT, ICSK_TIME_RETRANS, TCPF_CLOSE,
  TCPF_LISTEN, TCPF_SYN_RECV, TCPF_SYN_SENT, inetCskAckScheduled, inetCskArmDelack, inetCskArmRetransmit,
  inetCskClearXmitTimers, inetCskExitPingpongMode, inetCskInPingpongMode, inetCskRtoBackoff,
} from '@stack/inet-sock';
import type { IcskTimerOps } from '@stack/inet-sock';
import { ETIMEDOUT, msecsToJiffies, timeAfter } from '@stack/kernel';
import type { TimerList } from '@stack/kernel';
import { dstNegativeAdvice } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  SOCK_DEAD, TCP_ESTABLISHED, TCP_SYN_SENT, skDstReset, sockFlag, sockOwnedByUser,
} from '@stack/socket';
import { tcpClockMs, tcpMstampRefresh, tcpSkbTimestampTs } from './tcp-clock.ts';
import {
  TCP_ATO_MIN, TCP_RESOURCE_PROBE_INTERVAL, TCP_RTO_MIN, TCP_TIMEOUT_INIT, TCP_TIMEWAIT_LEN,
} from './tcp-consts.ts';
import { tcpFastopenRsk, tcpFastopenSynackTimer } from './tcp-fastopen.ts';
import { tcpFastopenActiveDetectBlackhole } from './tcp-fastopen-blackhole.ts';
import { tcpEnterLoss } from './tcp-input-recovery.ts';
import { tcpRtoMax, tcpSetRto } from './tcp-input-rtt.ts';
import { tcpKeepaliveTimer } from './tcp-keepalive.ts';
import {
  LINUX_MIB_DELAYEDACKLOCKED, LINUX_MIB_DELAYEDACKS, LINUX_MIB_TCPABORTONMEMORY, LINUX_MIB_TCPABORTONTIMEOUT,
  LINUX_MIB_TCPLOSSFAILURES, LINUX_MIB_TCPRENOFAILURES, LINUX_MIB_TCPRENORECOVERYFAIL, LINUX_MIB_TCPSACKFAILURES,
  LINUX_MIB_TCPSACKRECOVERYFAIL, LINUX_MIB_TCPTIMEOUTREHASH, LINUX_MIB_TCPTIMEOUTS,
} from './tcp-mib.ts';
import { tcpMtuProbing } from './tcp-mtu-probe.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpSendAck, tcpSendActiveReset, tcpSendProbe0 } from './tcp-output-ctrl.ts';
import { tcpSackCompressSendAck, tcpSackCompressStop } from './tcp-input-sackcomp.ts';
import { tcpPacingStop } from './tcp-output-pacing.ts';
import { tcpRetransmitSkb } from './tcp-output-retransmit.ts';
import { tcpResetXmitTimer } from './tcp-output-timer.ts';
import { tcpSendLossProbe } from './tcp-output-tlp.ts';
import { tcpRackReoTimeout } from './tcp-recovery.ts';
import { tcpIsSack, tcpRtxQueueHead, tcpSendHead } from './tcp-rtx-queue.ts';
import {
  TCPF_DELACK_TIMER_DEFERRED, TCPF_WRITE_TIMER_DEFERRED, TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Recovery, tcpRtoStats,
} from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { skRethinkTxhash } from './tcp-txhash.ts';
import { tcpCheckOom, tcpDone, tcpDoneWithError } from './tcp.ts';

/** A stream with fewer packets in flight is thin, and its timeouts may be linear, so often. */
const TCP_THIN_PACKETS = 4;
const TCP_THIN_LINEAR_RETRIES = 6;

/** What the timers of a TcpSock do. */
export const tcpTimerOps: IcskTimerOps = {
  writeTimer: tcpWriteTimer,
  delackTimer: tcpDelackTimer,
  keepaliveTimer: tcpKeepaliveTimer,
};

/** Stops all timers. */
export function tcpClearXmitTimers(sk: TcpSock): void {
  inetCskClearXmitTimers(sk);
  tcpPacingStop(sk);
  tcpSackCompressStop(sk);
}

// --- How long to go on ----------------------------------------------------------------------------------------

/** RFC 9293 §3.8.3: gives up on the connection; the user hears of what ICMP said, else of a timeout. */
export function tcpWriteErr(sk: TcpSock): void {
  tcpDoneWithError(sk, sk.skErrSoft !== 0 ? sk.skErrSoft : ETIMEDOUT);
  netIncStats(sk.skNet, LINUX_MIB_TCPABORTONTIMEOUT);
}

/** Retries of an orphan. @param alive its timeout has not reached the maximum yet */
function tcpOrphanRetries(sk: TcpSock, alive: boolean): number {
  let retries = sk.skNet.tcp.sysctlTcpOrphanRetries;
  if (sk.skErrSoft !== 0 && !alive) retries = 0;
  if (retries === 0 && alive) retries = 8;
  return retries;
}

/** An orphan goes when there are too many, or memory is short. @returns whether it is gone */
function tcpOutOfResources(sk: TcpSock, doReset: boolean): boolean {
  const idle = (sk.skNet.world.jiffies - sk.lsndtime) | 0;
  let shift = 0;
  if (idle > 2 * tcpRtoMax(sk) || !doReset) shift++;
  if (sk.skErrSoft !== 0) shift++;
  if (!tcpCheckOom(sk, shift)) return false;
  const tellPeer = doReset || idle <= TCP_TIMEWAIT_LEN || (sk.sndWnd === 0 && sk.packetsOut === 0);
  if (tellPeer) tcpSendActiveReset(sk);
  tcpDone(sk);
  netIncStats(sk.skNet, LINUX_MIB_TCPABORTONMEMORY);
  return true;
}

/** How long `boundary` retransmissions with exponential backoff from rtoBase take, jiffies. */
function tcpModelTimeout(sk: TcpSock, boundary: number, rtoBase: number): number {
  const rtoMax = tcpRtoMax(sk);
  const thresh = 31 - Math.clz32((rtoMax / rtoBase) | 0);
  if (boundary <= thresh) return (2 * 2 ** boundary - 1) * rtoBase;
  return (2 * 2 ** thresh - 1) * rtoBase + (boundary - thresh) * rtoMax;
}

/**
 * Is it as long since the first retransmission as `boundary` of them would take?
 * @param timeout ms that count instead, 0 = none
 */
function retransmitsTimedOut(sk: TcpSock, boundary: number, timeout: number): boolean {
  if (sk.icskRetransmits === 0) return false;
  let limit = timeout;
  if (limit === 0) {
    const syn = ((1 << sk.skState) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0;
    limit = tcpModelTimeout(sk, boundary, syn ? TCP_TIMEOUT_INIT : TCP_RTO_MIN);
  }
  return ((tcpClockMs(sk.skNet) - sk.retransStamp - limit) | 0) >= 0;
}

function tcpNegativeAdvice(sk: TcpSock): void {
  const dst = sk.skDstCache;
  if (dst !== null) dstNegativeAdvice(dst, sk);
}

/** A retransmission timeout: has it gone on too long? @returns whether the connection is gone */
function tcpWriteTimeout(sk: TcpSock): boolean {
  const tcp = sk.skNet.tcp;
  let retryUntil: number;
  let expired = false;
  if (((1 << sk.skState) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0) {
    if (sk.icskRetransmits !== 0) tcpNegativeAdvice(sk);
    retryUntil = sk.opts.synRetries !== 0 ? sk.opts.synRetries : tcp.sysctlTcpSynRetries;
    const linear = sk.skState === TCP_SYN_SENT ? tcp.sysctlTcpSynLinearTimeouts : 0;
    expired = sk.icskRetransmits >= retryUntil + linear;
  } else {
    // R1 of RFC 9293 §3.8.3: the route is in doubt. R2: the connection is.
    if (retransmitsTimedOut(sk, tcp.sysctlTcpRetries1, 0)) {
      tcpMtuProbing(sk);
      tcpNegativeAdvice(sk);
    }
    retryUntil = tcp.sysctlTcpRetries2;
    if (sockFlag(sk, SOCK_DEAD)) {
      const alive = sk.icskRto < tcpRtoMax(sk);
      retryUntil = tcpOrphanRetries(sk, alive);
      if (tcpOutOfResources(sk, alive || !retransmitsTimedOut(sk, retryUntil, 0))) return true;
    }
  }
  if (!expired) expired = retransmitsTimedOut(sk, retryUntil, sk.opts.userTimeout);
  if (sk.rare !== null) tcpFastopenActiveDetectBlackhole(sk, expired);
  if (expired) {
    tcpWriteErr(sk);
    return true;
  }
  if (skRethinkTxhash(sk)) {
    tcpRtoStats(sk).timeoutRehash++;
    netIncStats(sk.skNet, LINUX_MIB_TCPTIMEOUTREHASH);
  }
  return false;
}

// --- Retransmission -------------------------------------------------------------------------------------------

/** The RTO, but not beyond TCP_USER_TIMEOUT. */
function tcpClampRtoToUserTimeout(sk: TcpSock): number {
  if (sk.opts.userTimeout === 0) return sk.icskRto;
  const elapsed = (tcpClockMs(sk.skNet) - sk.retransStamp) | 0;
  const remaining = sk.opts.userTimeout - elapsed;
  return remaining <= 0 ? 1 : Math.min(sk.icskRto, msecsToJiffies(remaining));
}

/** The peer has closed the window on what is in flight, and says nothing: are retransmissions as probes to end? */
function tcpRtxProbe0TimedOut(sk: TcpSock, skb: SkBuff): boolean {
  const since = sk.retransStamp !== 0 ? sk.retransStamp : tcpSkbTimestampTs(sk, skb);
  const rtxDelta = (tcpClockMs(sk.skNet) - since) | 0;
  const user = sk.opts.userTimeout;
  let timeout = tcpRtoMax(sk) * 2;
  if (user !== 0) {
    if (rtxDelta > user) return true;
    timeout = Math.min(timeout, msecsToJiffies(user));
  }
  if (((sk.icskTimeout - sk.rcvTstamp) | 0) <= timeout) return false;
  return msecsToJiffies(rtxDelta) > timeout;
}

/** Counts the first timeout of a recovery by what it says of that recovery. */
function tcpCountTimeout(sk: TcpSock): void {
  if (sk.icskRetransmits !== 0) return;
  const sack = tcpIsSack(sk);
  if (sk.icskCaState === TCP_CA_Recovery) {
    netIncStats(sk.skNet, sack ? LINUX_MIB_TCPSACKRECOVERYFAIL : LINUX_MIB_TCPRENORECOVERYFAIL);
  } else if (sk.icskCaState === TCP_CA_Loss) {
    netIncStats(sk.skNet, LINUX_MIB_TCPLOSSFAILURES);
  } else if (sk.icskCaState === TCP_CA_Disorder || sk.sackedOut !== 0) {
    netIncStats(sk.skNet, sack ? LINUX_MIB_TCPSACKFAILURES : LINUX_MIB_TCPRENOFAILURES);
  }
}

/** RFC 6298 §5.5: backs off, and arms the timer again. */
function tcpRetransmitBackoff(sk: TcpSock): void {
  const tcp = sk.skNet.tcp;
  const thin = sk.skState === TCP_ESTABLISHED && sk.packetsOut < TCP_THIN_PACKETS &&
    (tcp.sysctlTcpThinLinearTimeouts !== 0 || sk.opts.thinLto);
  if (thin && sk.icskRetransmits <= TCP_THIN_LINEAR_RETRIES) {
    sk.icskBackoff = 0;
    tcpSetRto(sk);
  } else if (sk.skState !== TCP_SYN_SENT || sk.icskRetransmits > tcp.sysctlTcpSynLinearTimeouts) {
    sk.icskBackoff++;
    sk.icskRto = Math.min(sk.icskRto * 2, tcpRtoMax(sk));
  }
  tcpResetXmitTimer(sk, ICSK_TIME_RETRANS, tcpClampRtoToUserTimeout(sk));
  if (retransmitsTimedOut(sk, tcp.sysctlTcpRetries1 + 1, 0)) skDstReset(sk);
}

/** Counts a timeout, for TCP_INFO too. */
function tcpUpdateRtoStats(sk: TcpSock): void {
  const stats = tcpRtoStats(sk);
  if (sk.icskRetransmits === 0) {
    stats.totalRtoRecoveries++;
    stats.rtoStamp = tcpClockMs(sk.skNet);
  }
  sk.icskRetransmits++;
  stats.totalRto++;
}

/** RFC 6298 §5.4–5.7: the oldest segment goes again. Also when ICMP proved a timeout's backoff wrong (RFC 6069). */
export function tcpRetransmitTimer(sk: TcpSock): void {
  const req = tcpFastopenRsk(sk);
  if (req !== null) {
    // Before the SYN-ACK is acknowledged nothing else goes again.
    if (!tcpFastopenSynackTimer(sk, req)) tcpWriteErr(sk);
    return;
  }
  const skb = tcpRtxQueueHead(sk);
  if (sk.packetsOut === 0 || skb === null) return;
  const syn = ((1 << sk.skState) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0;
  if (sk.sndWnd === 0 && !sockFlag(sk, SOCK_DEAD) && !syn) {
    if (tcpRtxProbe0TimedOut(sk, skb)) {
      tcpWriteErr(sk);
      return;
    }
    tcpEnterLoss(sk);
    tcpRetransmitSkb(sk, skb, 1);
    skDstReset(sk);
    tcpRetransmitBackoff(sk);
    return;
  }
  netIncStats(sk.skNet, LINUX_MIB_TCPTIMEOUTS);
  if (tcpWriteTimeout(sk)) return;
  tcpCountTimeout(sk);
  tcpEnterLoss(sk);
  tcpUpdateRtoStats(sk);
  const head = tcpRtxQueueHead(sk);
  if (head !== null && tcpRetransmitSkb(sk, head, 1) > 0) {
    tcpResetXmitTimer(sk, ICSK_TIME_RETRANS, TCP_RESOURCE_PROBE_INTERVAL);
    return;
  }
  tcpRetransmitBackoff(sk);
}

/** A closed window is to be probed. RFC 9293 §3.8.6.1: for ever, while the peer answers; orphans not. */
function tcpProbeTimer(sk: TcpSock): void {
  if (sk.packetsOut !== 0 || tcpSendHead(sk) === null) {
    sk.icskProbesOut = 0;
    sk.icskProbesTstamp = 0;
    return;
  }
  const now = sk.skNet.world.jiffies;
  if (sk.icskProbesTstamp === 0) {
    sk.icskProbesTstamp = now === 0 ? 1 : now;
  } else {
    const user = sk.opts.userTimeout;
    if (user !== 0 && ((now - sk.icskProbesTstamp) | 0) >= msecsToJiffies(user)) {
      tcpWriteErr(sk);
      return;
    }
  }
  let maxProbes = sk.skNet.tcp.sysctlTcpRetries2;
  if (sockFlag(sk, SOCK_DEAD)) {
    const rtoMax = tcpRtoMax(sk);
    const alive = inetCskRtoBackoff(sk, rtoMax) < rtoMax;
    maxProbes = tcpOrphanRetries(sk, alive);
    if (!alive && sk.icskBackoff >= maxProbes) {
      tcpWriteErr(sk);
      return;
    }
    if (tcpOutOfResources(sk, true)) return;
  }
  if (sk.icskProbesOut >= maxProbes) tcpWriteErr(sk);
  else tcpSendProbe0(sk);
}

/** What icskRetransmitTimer was armed for is due. The sock is free. */
export function tcpWriteTimerHandler(sk: TcpSock): void {
  if (((1 << sk.skState) & (TCPF_CLOSE | TCPF_LISTEN)) !== 0 || sk.icskPending === 0) return;
  if (timeAfter(sk.icskTimeout, sk.skNet.world.jiffies)) {
    inetCskArmRetransmit(sk, sk.icskTimeout);
    return;
  }
  tcpMstampRefresh(sk);
  switch (sk.icskPending) {
    case ICSK_TIME_REO_TIMEOUT:
      tcpRackReoTimeout(sk);
      break;
    case ICSK_TIME_LOSS_PROBE:
      tcpSendLossProbe(sk);
      break;
    case ICSK_TIME_RETRANS:
      sk.icskPending = 0;
      tcpRetransmitTimer(sk);
      break;
    case ICSK_TIME_PROBE0:
      sk.icskPending = 0;
      tcpProbeTimer(sk);
      break;
    default:
      break;
  }
}

/** The wheel's call for icskRetransmitTimer. */
function tcpWriteTimer(timer: TimerList): void {
  const sk = timer.data as TcpSock;
  if (sockOwnedByUser(sk)) sk.tsqFlags |= TCPF_WRITE_TIMER_DEFERRED;
  else tcpWriteTimerHandler(sk);
}

// --- Delayed ACK ----------------------------------------------------------------------------------------------

/** The delayed ACK is due: it goes; and the next one waits longer, or not at all. */
export function tcpDelackTimerHandler(sk: TcpSock): void {
  if (((1 << sk.skState) & (TCPF_CLOSE | TCPF_LISTEN)) !== 0) return;
  if (tcpSackCompressSendAck(sk)) return;
  if ((sk.icskAckPending & ICSK_ACK_TIMER) === 0) return;
  if (timeAfter(sk.icskAckTimeout, sk.skNet.world.jiffies)) {
    inetCskArmDelack(sk, sk.icskAckTimeout);
    return;
  }
  sk.icskAckPending &= ~ICSK_ACK_TIMER;
  if (!inetCskAckScheduled(sk)) return;
  if (inetCskInPingpongMode(sk)) {
    // The answer did not come in time: not interactive after all.
    inetCskExitPingpongMode(sk);
    sk.icskAckAto = TCP_ATO_MIN;
  } else {
    sk.icskAckAto = Math.min(sk.icskAckAto * 2, sk.icskRto);
  }
  tcpMstampRefresh(sk);
  tcpSendAck(sk);
  netIncStats(sk.skNet, LINUX_MIB_DELAYEDACKS);
}

/** The wheel's call for icskDelackTimer. */
function tcpDelackTimer(timer: TimerList): void {
  const sk = timer.data as TcpSock;
  if (sockOwnedByUser(sk)) {
    netIncStats(sk.skNet, LINUX_MIB_DELAYEDACKLOCKED);
    sk.tsqFlags |= TCPF_DELACK_TIMER_DEFERRED;
  } else {
    tcpDelackTimerHandler(sk);
  }
}
