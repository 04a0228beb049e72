/*
 * The life of a TcpSock around its system calls: init, states, done, disconnect, destroy, and the limits on orphans and
 * memory. sendmsg, recvmsg, close, poll and the options have files of their own beside this one.
 *
 * Order of calls: tcpInitSock → (connect or listen) → tcpSetState … → tcpDone → tcpDestroySock.
 * Read first: RFC 9293 §3.3.2 (states), §3.10.4–3.10.5 (CLOSE, ABORT).
 */
import {
  TCPF_CLOSE_WAIT, TCPF_CLOSING, TCPF_ESTABLISHED, TCPF_FIN_WAIT1, TCPF_FIN_WAIT2, TCPF_LAST_ACK, TCPF_SYN_RECV,
  inetCskDelackInit, inetCskDestroySock, inetCskListenStop, inetPutPort,
} from '@stack/inet-sock';
import { ECONNRESET } from '@stack/kernel';
import { dstRelease, skbQueuePurge, skbRbtreePurge } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  SHUTDOWN_MASK, SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK, SOCK_DEAD, SOCK_DONE, SOCK_MIN_SNDBUF, SOCK_USE_WRITE_QUEUE, TCP_CLOSE, TCP_CLOSE_WAIT,
  TCP_ESTABLISHED, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT, skDstReset, skSocketsAllocatedDec, skSocketsAllocatedInc, skStreamWriteSpace,
  skWmemFreeSkb, sockFlag, sockResetFlag, sockSetFlag,
} from '@stack/socket';
import type { Sock } from '@stack/socket';
import { TCP_CHRONO_BUSY, tcpChronoStop } from './tcp-chrono.ts';
import { TCP_INFINITE_SSTHRESH, tcpAssignCongestionControl, tcpCleanupCongestionControl, tcpSetCaState } from './tcp-cong.ts';
import { TCP_INIT_CWND, TCP_MIN_MSS, TCP_MSS_DEFAULT, TCP_TIMEOUT_INIT } from './tcp-consts.ts';
import { reqskFastopenRemove, tcpFastopenRsk } from './tcp-fastopen.ts';
import { tcpFastopenActiveDisableOfoCheck } from './tcp-fastopen-blackhole.ts';
import { tcpClearRetrans } from './tcp-input-loss.ts';
import {
  LINUX_MIB_TCPMEMORYPRESSURES, LINUX_MIB_TCPMEMORYPRESSURESCHRONO, TCP_MIB_ATTEMPTFAILS, TCP_MIB_CURRESTAB,
  TCP_MIB_ESTABRESETS,
} from './tcp-mib.ts';
import { netAddStats, netIncStats, tcpDecStats, tcpIncStats } from './netns-tcp.ts';
import { tcpSendActiveReset } from './tcp-output-ctrl.ts';

import { TCP_CA_Open, tcpSk, tcpTfoOf } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { TCP_DEFAULT_SCALING_RATIO } from './tcp-space.ts';
import { tcpClearXmitTimers } from './tcp-timer.ts';
import { minmaxReset } from './win-minmax.ts';
import { tcpTstampOps } from './tcp-tx-timestamp.ts';

/** RTT minimum while none was measured. */
const RTT_MIN_NONE = 0x7fffffff;

/** Gives a new TcpSock its starting values. Called by the carrier's Proto.init. Always 0. */
export function tcpInitSock(sock: Sock): number {
  const sk = tcpSk(sock);
  const tcp = sk.skNet.tcp;
  sk.icskRto = TCP_TIMEOUT_INIT;
  sk.mdevUs = TCP_TIMEOUT_INIT * 1000;
  minmaxReset(sk.rttMin, sk.skNet.world.jiffies, RTT_MIN_NONE);
  sk.sndCwnd = TCP_INIT_CWND;
  // Until the application proves otherwise, samples of its rate are its own limit.
  sk.appLimited = -1;
  sk.rateAppLimited = 1;
  sk.sndSsthresh = TCP_INFINITE_SSTHRESH;
  sk.sndCwndClamp = 0x7fffffff;
  sk.mssCache = TCP_MSS_DEFAULT;
  sk.reordering = tcp.sysctlTcpReordering;
  tcpAssignCongestionControl(sk);
  sk.skState = TCP_CLOSE;
  sk.skWriteSpace = skStreamWriteSpace;
  sk.skTstampOps = tcpTstampOps;
  sockSetFlag(sk, SOCK_USE_WRITE_QUEUE);
  sk.skSndbuf = tcp.mem.sysctlWmem[1] ?? 0;
  sk.skRcvbuf = tcp.mem.sysctlRmem[1] ?? 0;
  sk.scalingRatio = TCP_DEFAULT_SCALING_RATIO;
  skSocketsAllocatedInc(sk);
  return 0;
}

/** Moves sk to `state`, keeping the gauges; TCP_CLOSE takes it out of the tables and gives up a port that bind() did not choose. */
export function tcpSetState(sk: TcpSock, state: number): void {
  const old = sk.skState;
  const net = sk.skNet;
  const wasOpen = old === TCP_ESTABLISHED || old === TCP_CLOSE_WAIT;
  if (state === TCP_ESTABLISHED) {
    if (old !== TCP_ESTABLISHED) tcpIncStats(net, TCP_MIB_CURRESTAB);
  } else if (state === TCP_CLOSE_WAIT) {
    if (old === TCP_SYN_RECV) tcpIncStats(net, TCP_MIB_CURRESTAB);
  } else {
    if (state === TCP_CLOSE) {
      if (wasOpen) tcpIncStats(net, TCP_MIB_ESTABRESETS);
      const unhash = sk.skProt.unhash;
      if (unhash !== null) unhash(sk);
      if (sk.icskBindHash !== null && (sk.skUserlocks & SOCK_BINDPORT_LOCK) === 0) inetPutPort(sk);
    }
    if (wasOpen) tcpDecStats(net, TCP_MIB_CURRESTAB);
  }
  sk.skState = state;
}

/** The connection is over: TCP_CLOSE, timers off; the user hears of it, or, when there is none, the sock is destroyed. */
export function tcpDone(sk: TcpSock): void {
  if (sk.skState === TCP_SYN_SENT || sk.skState === TCP_SYN_RECV) tcpIncStats(sk.skNet, TCP_MIB_ATTEMPTFAILS);
  tcpSetState(sk, TCP_CLOSE);
  tcpClearXmitTimers(sk);
  sk.skShutdown = SHUTDOWN_MASK;
  if (!sockFlag(sk, SOCK_DEAD)) sk.skStateChange(sk);
  else inetCskDestroySock(sk);
}

/** The connection ends with an error (errno, positive) that the user is to hear: queues emptied, then tcpDone. */
export function tcpDoneWithError(sk: TcpSock, err: number): void {
  sk.skErr = err;
  tcpWriteQueuePurge(sk);
  tcpDone(sk);
  if (!sockFlag(sk, SOCK_DEAD)) sk.skErrorReport(sk);
}

/** Forgets all that was written: sent or not, it will never be acknowledged. */
export function tcpWriteQueuePurge(sk: TcpSock): void {
  purgeAccounted(sk, sk.skWriteQueue.next);
  sk.skWriteQueue.next = null;
  sk.skWriteQueue.prev = null;
  sk.skWriteQueue.qlen = 0;
  purgeAccounted(sk, sk.tcpRtxQueue.next);
  sk.tcpRtxQueue.next = null;
  sk.tcpRtxQueue.prev = null;
  sk.tcpRtxQueue.qlen = 0;
  sk.tsortedFirst = null;
  sk.tsortedLast = null;
  sk.highestSack = null;
  sk.retransmitSkbHint = null;
  sk.packetsOut = 0;
  sk.icskBackoff = 0;
  tcpChronoStop(sk, TCP_CHRONO_BUSY);
}

function purgeAccounted(sk: TcpSock, first: SkBuff | null): void {
  let skb = first;
  while (skb !== null) {
    const next = skb.next;
    skb.next = null;
    skb.prev = null;
    skb.list = null;
    skb.left = null;
    skb.right = null;
    skWmemFreeSkb(sk, skb);
    skb = next;
  }
}

/** States that a reset ends in the middle: RFC 9293 §3.10.5. */
function tcpNeedReset(state: number): boolean {
  return ((1 << state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_SYN_RECV)) !== 0;
}

/** Ends the connection's old life on the wire. */
function tcpDisconnectState(sk: TcpSock, old: number): void {
  if (old === TCP_LISTEN) {
    inetCskListenStop(sk);
  } else if (tcpNeedReset(old)) {
    tcpSendActiveReset(sk);
    sk.skErr = ECONNRESET;
  } else if (sk.sndNxt !== sk.writeSeq && ((1 << old) & (TCPF_CLOSING | TCPF_LAST_ACK)) !== 0) {
    // Not all was sent when the FIN was queued: the peer must not take what it has for the whole.
    tcpSendActiveReset(sk);
    sk.skErr = ECONNRESET;
  } else if (old === TCP_SYN_SENT) {
    sk.skErr = ECONNRESET;
  }
}

/** Proto.disconnect (connect() to AF_UNSPEC, SO_LINGER 0): resets the connection; the sock may be used anew. Always 0. */
export function tcpDisconnect(sock: Sock, _flags: number): number {
  const sk = tcpSk(sock);
  const old = sk.skState;
  if (old !== TCP_CLOSE) tcpSetState(sk, TCP_CLOSE);
  tcpDisconnectState(sk, old);
  const req = tcpFastopenRsk(sk);
  if (req !== null) reqskFastopenRemove(sk, req, false);
  tcpClearXmitTimers(sk);
  skbQueuePurge(sk.skReceiveQueue);
  sk.copiedSeq = sk.rcvNxt;
  sk.urgData = 0;
  tcpWriteQueuePurge(sk);
  skbRbtreePurge(sk.outOfOrderQueue);
  sk.oooLastSkb = null;
  sk.inetDport = 0;
  if ((sk.skUserlocks & SOCK_BINDADDR_LOCK) === 0) sk.afSpecific.resetSaddr(sk);
  sk.skShutdown = 0;
  sockResetFlag(sk, SOCK_DONE);
  tcpForgetPath(sk);
  tcpForgetPeer(sk);
  skDstReset(sk);
  if (sk.skRxDst !== null) {
    dstRelease(sk.skRxDst);
    sk.skRxDst = null;
  }
  sk.skErrorReport(sk);
  return 0;
}

/** What was learnt of the path: round-trip times, congestion. */
function tcpForgetPath(sk: TcpSock): void {
  sk.srttUs = 0;
  sk.mdevUs = TCP_TIMEOUT_INIT * 1000;
  minmaxReset(sk.rttMin, sk.skNet.world.jiffies, RTT_MIN_NONE);
  sk.rttvarUs = 0;
  sk.mdevMaxUs = 0;
  // The next connection's numbers must not fit this one's window.
  const seq = (sk.writeSeq + sk.maxWindow + 2) | 0;
  sk.writeSeq = seq === 0 ? 1 : seq;
  sk.icskBackoff = 0;
  sk.icskProbesOut = 0;
  sk.icskProbesTstamp = 0;
  sk.icskRto = TCP_TIMEOUT_INIT;
  sk.sndSsthresh = TCP_INFINITE_SSTHRESH;
  sk.sndCwnd = TCP_INIT_CWND;
  sk.sndCwndCnt = 0;
  sk.isCwndLimited = 0;
  sk.maxPacketsOut = 0;
  sk.windowClamp = 0;
  sk.delivered = 0;
  sk.deliveredCe = 0;
  tcpCleanupCongestionControl(sk);
  if (sk.icskCaOps.makePriv !== null) sk.icskCaPriv = sk.icskCaOps.makePriv();
  tcpSetCaState(sk, TCP_CA_Open);
  sk.isSackReneg = false;
  tcpClearRetrans(sk);
  sk.totalRetrans = 0;
  if (sk.rare !== null) sk.rare.rtoStats = null;
  sk.appLimited = -1;
  sk.rateAppLimited = 1;
  sk.rateDelivered = 0;
  sk.rateIntervalUs = 0;
  sk.lost = 0;
  sk.priorCwnd = 0;
  sk.rack = null;
}

/** What was learnt of the peer: its options, SACK, delayed ACKs, counters. */
function tcpForgetPeer(sk: TcpSock): void {
  const rx = sk.rxOpt;
  inetCskDelackInit(sk);
  sk.icskAckRcvMss = TCP_MIN_MSS;
  rx.tsRecentStamp = 0;
  rx.tsRecent = 0;
  rx.sawTstamp = false;
  rx.tstampOk = false;
  rx.dsack = false;
  rx.wscaleOk = false;
  rx.sackOk = 0;
  rx.sndWscale = 0;
  rx.rcvWscale = 0;
  rx.numSacks = 0;
  rx.userMss = 0;
  rx.mssClamp = 0;
  sk.selectiveAcks = null;
  sk.recvSackCache = null;
  sk.duplicateSackStart = 0;
  sk.duplicateSackEnd = 0;
  sk.reordSeen = 0;
  sk.retransmitSkbHint = null;
  sk.rcvRttEstUs = 0;
  sk.segsIn = 0;
  sk.segsOut = 0;
  sk.dataSegsIn = 0;
  sk.dataSegsOut = 0;
  sk.bytesSent = -0;
  sk.bytesAcked = -0;
  sk.bytesReceived = -0;
  sk.bytesRetrans = -0;
  sk.dsackDups = 0;
  sk.rcvOoopack = 0;
  const tfo = tcpTfoOf(sk);
  if (tfo === null) return;
  tfo.synFastopen = false;
  tfo.synFastopenChild = false;
  tfo.synData = false;
  tfo.synDataAcked = false;
  tfo.fastopenClientFail = 0;
}

/** Proto.destroy: gives back what the connection holds besides its queue of received data. */
export function tcpDestroySock(sock: Sock): void {
  const sk = tcpSk(sock);
  tcpClearXmitTimers(sk);
  const req = tcpFastopenRsk(sk);
  if (req !== null) reqskFastopenRemove(sk, req, false);
  tcpFastopenActiveDisableOfoCheck(sk);
  tcpCleanupCongestionControl(sk);
  tcpWriteQueuePurge(sk);
  skbRbtreePurge(sk.outOfOrderQueue);
  sk.oooLastSkb = null;
  if (sk.icskBindHash !== null) inetPutPort(sk);
  skSocketsAllocatedDec(sk);
}

/** Proto.enterMemoryPressure: counts it. */
export function tcpEnterMemoryPressure(sk: Sock): void {
  netIncStats(sk.skNet, LINUX_MIB_TCPMEMORYPRESSURES);
}

/** Proto.leaveMemoryPressure: counts how long it was, milliseconds. */
export function tcpLeaveMemoryPressure(sk: Sock): void {
  const net = sk.skNet;
  netAddStats(net, LINUX_MIB_TCPMEMORYPRESSURESCHRONO, (net.world.jiffies - net.tcp.mem.pressureStamp) | 0);
}

/** Orphans above the limit; `shift` makes this one weigh more. */
function tcpTooManyOrphans(sk: TcpSock, shift: number): boolean {
  return sk.skNet.tcp.hashinfo.orphanCount << shift > sk.skNet.tcp.sysctlTcpMaxOrphans;
}

function tcpOutOfMemory(sk: TcpSock): boolean {
  const mem = sk.skNet.tcp.mem;
  return sk.skWmemQueued > SOCK_MIN_SNDBUF && mem.memoryAllocated > (mem.sysctlMem[2] ?? 0);
}

/** Whether an orphan must go because there are too many, or memory is short. `shift` counts against one that behaves badly. */
export function tcpCheckOom(sk: TcpSock, shift: number): boolean {
  return tcpTooManyOrphans(sk, shift) || tcpOutOfMemory(sk);
}
