/*
 * setsockopt and getsockopt at level SOL_TCP. Other levels are the carrier's: its Proto asks this first.
 *
 * Order of calls: sys_setsockopt, sys_getsockopt → the carrier's Proto → tcpSetsockopt, tcpGetsockopt → one function for each kind of option.
 * Read first: RFC 9293 §3.9.1 (user interface), §3.7.4 (Nagle), §3.8.4 (keepalive), RFC 5482 (user timeout); tcp(7).
 */
import {
  ICSK_ACK_PUSHED, TCPF_CLOSE, TCPF_CLOSE_WAIT, TCPF_ESTABLISHED, TCPF_LISTEN, inetCskAcceptQueue, inetCskAckScheduled,
  inetCskEnterPingpongMode, inetCskExitPingpongMode, inetCskInPingpongMode, inetCskResetKeepaliveTimer,
} from '@stack/inet-sock';
import { EINVAL, ENOPROTOOPT, EOPNOTSUPP, HZ } from '@stack/kernel';
import { OptInt, SOCK_KEEPOPEN, SOL_TCP, TCP_CLOSE, lockSock, releaseSock, sockFlag } from '@stack/socket';
import type { Sock, SockOptValue } from '@stack/socket';
import { tcpClockMs } from './tcp-clock.ts';
import { tcpSetCongestionControl } from './tcp-cong.ts';
import { MAX_TCP_WINDOW, TCP_DELACK_MAX, TCP_FIN_TIMEOUT_MAX, TCP_MIN_MSS, TCP_RTO_MAX, TCP_TIMEOUT_INIT, TFO_CLIENT_ENABLE } from './tcp-consts.ts';
import { tcpFastopenGetCipher, tcpFastopenResetCipher } from './tcp-fastopen.ts';
import { tcpSetWindowClamp } from './tcp-input-rcvbuf.ts';
import { tcpRtoMax, tcpRtoMin } from './tcp-input-rtt.ts';
import { tcpGetInfo } from './tcp-info.ts';
import { tcpPushPendingFrames } from './tcp-output-xmit.ts';
import { tcpCleanupRbuf } from './tcp-recvmsg.ts';
import { TCP_NAGLE_CORK, TCP_NAGLE_OFF, TCP_NAGLE_PUSH, tcpOwnOpts, tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpKeepaliveIntvlWhen, tcpKeepaliveProbes, tcpKeepaliveTimeElapsed, tcpKeepaliveTimeWhen } from './tcp-space.ts';
import * as opt from './tcp-uapi.ts';

/** How many SYN-ACK timeouts make up `seconds`, the first after a second, each twice as long as the last. */
function secsToRetrans(seconds: number): number {
  if (seconds <= 0) return 0;
  let timeout = TCP_TIMEOUT_INIT / HZ;
  let period = timeout;
  let retrans = 1;
  while (seconds > period && retrans < 255) {
    retrans++;
    timeout = Math.min(timeout * 2, TCP_RTO_MAX / HZ);
    period += timeout;
  }
  return retrans;
}

/** The seconds that `retrans` SYN-ACK timeouts make up. */
function retransToSecs(retrans: number): number {
  let timeout = TCP_TIMEOUT_INIT / HZ;
  let period = 0;
  for (let i = 0; i < retrans; i++) {
    period += timeout;
    timeout = Math.min(timeout * 2, TCP_RTO_MAX / HZ);
  }
  return period;
}

/** TCP_NODELAY: off it is Nagle's algorithm; on, what waits goes out now, cork or not. */
export function tcpSockSetNodelay(sk: TcpSock, on: boolean): void {
  if (!on) {
    sk.nonagle &= ~TCP_NAGLE_OFF;
    return;
  }
  sk.nonagle |= TCP_NAGLE_OFF | TCP_NAGLE_PUSH;
  tcpPushPendingFrames(sk);
}

/** TCP_CORK: only full segments leave, until it is taken off. */
export function tcpSockSetCork(sk: TcpSock, on: boolean): void {
  if (on) {
    sk.nonagle |= TCP_NAGLE_CORK;
    return;
  }
  sk.nonagle &= ~TCP_NAGLE_CORK;
  if ((sk.nonagle & TCP_NAGLE_OFF) !== 0) sk.nonagle |= TCP_NAGLE_PUSH;
  tcpPushPendingFrames(sk);
}

/** TCP_QUICKACK: 1 now and for a while, 0 back to delayed ACKs; an even value pays what is owed and then delays again. */
export function tcpSockSetQuickack(sk: TcpSock, val: number): void {
  if (val === 0) {
    inetCskEnterPingpongMode(sk);
    return;
  }
  inetCskExitPingpongMode(sk);
  if (((1 << sk.skState) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) === 0 || !inetCskAckScheduled(sk)) return;
  sk.icskAckPending |= ICSK_ACK_PUSHED;
  tcpCleanupRbuf(sk, 1);
  if ((val & 1) === 0) inetCskEnterPingpongMode(sk);
}

/** TCP_KEEPIDLE, in seconds; a timer that runs starts anew. */
function tcpSockSetKeepidle(sk: TcpSock, val: number): number {
  if (val < 1 || val > opt.MAX_TCP_KEEPIDLE) return -EINVAL;
  tcpOwnOpts(sk).keepaliveTime = val * HZ;
  if (sockFlag(sk, SOCK_KEEPOPEN) && ((1 << sk.skState) & (TCPF_CLOSE | TCPF_LISTEN)) === 0) {
    inetCskResetKeepaliveTimer(sk, Math.max(sk.opts.keepaliveTime - tcpKeepaliveTimeElapsed(sk), 0));
  }
  return 0;
}

/** TCP_LINGER2, in seconds: how long an orphan stays in FIN_WAIT2; negative: not at all. */
function tcpSockSetLinger2(sk: TcpSock, val: number): number {
  if (val < 0) tcpOwnOpts(sk).linger2 = -1;
  else tcpOwnOpts(sk).linger2 = Math.min(val * HZ, TCP_FIN_TIMEOUT_MAX);
  return 0;
}

/** Stores val if it lies in [min, max]. */
function inRange(val: number, min: number, max: number): boolean {
  return val >= min && val <= max;
}

/** Options that only set a field. */
function tcpSetsockoptField(sk: TcpSock, name: number, val: number): number {
  switch (name) {
    case opt.TCP_MAXSEG:
      if (val !== 0 && !inRange(val, TCP_MIN_MSS, MAX_TCP_WINDOW)) return -EINVAL;
      sk.rxOpt.userMss = val;
      return 0;
    case opt.TCP_KEEPINTVL:
      if (!inRange(val, 1, opt.MAX_TCP_KEEPINTVL)) return -EINVAL;
      tcpOwnOpts(sk).keepaliveIntvl = val * HZ;
      return 0;
    case opt.TCP_KEEPCNT:
      if (!inRange(val, 1, opt.MAX_TCP_KEEPCNT)) return -EINVAL;
      tcpOwnOpts(sk).keepaliveProbes = val;
      return 0;
    case opt.TCP_SYNCNT:
      if (!inRange(val, 1, opt.MAX_TCP_SYNCNT)) return -EINVAL;
      tcpOwnOpts(sk).synRetries = val;
      return 0;
    case opt.TCP_DEFER_ACCEPT:
      inetCskAcceptQueue(sk).rskqDeferAccept = secsToRetrans(val);
      return 0;
    case opt.TCP_USER_TIMEOUT:
      if (val < 0) return -EINVAL;
      tcpOwnOpts(sk).userTimeout = val;
      return 0;
    case opt.TCP_INQ:
      if (!inRange(val, 0, 1)) return -EINVAL;
      tcpOwnOpts(sk).recvmsgInq = val !== 0;
      return 0;
    default:
      return tcpSetsockoptRare(sk, name, val);
  }
}

function tcpSetsockoptRare(sk: TcpSock, name: number, val: number): number {
  switch (name) {
    case opt.TCP_SAVE_SYN:
      if (!inRange(val, 0, 2)) return -EINVAL;
      tcpOwnOpts(sk).saveSyn = val;
      return 0;
    case opt.TCP_FASTOPEN_CONNECT:
      if (!inRange(val, 0, 1)) return -EINVAL;
      if ((sk.skNet.tcp.sysctlTcpFastopen & TFO_CLIENT_ENABLE) === 0) return -EOPNOTSUPP;
      if (sk.skState !== TCP_CLOSE) return -EINVAL;
      tcpOwnOpts(sk).fastopenConnect = val !== 0;
      return 0;
    case opt.TCP_FASTOPEN_NO_COOKIE:
      if (!inRange(val, 0, 1)) return -EINVAL;
      if (((1 << sk.skState) & (TCPF_CLOSE | TCPF_LISTEN)) === 0) return -EINVAL;
      tcpOwnOpts(sk).fastopenNoCookie = val !== 0;
      return 0;
    case opt.TCP_FASTOPEN:
      if (val < 0 || ((1 << sk.skState) & (TCPF_CLOSE | TCPF_LISTEN)) === 0) return -EINVAL;
      inetCskAcceptQueue(sk).fastopenMaxQlen = Math.min(val, sk.skNet.socket.sysctlSomaxconn);
      return 0;
    case opt.TCP_THIN_LINEAR_TIMEOUTS:
      if (!inRange(val, 0, 1)) return -EINVAL;
      tcpOwnOpts(sk).thinLto = val !== 0;
      return 0;
    case opt.TCP_RTO_MAX_MS:
      if (!inRange(val, 1000, TCP_RTO_MAX)) return -EINVAL;
      tcpOwnOpts(sk).rtoMax = val;
      return 0;
    case opt.TCP_RTO_MIN_US:
      if (val <= 0 || Math.ceil(val / 1000) > TCP_RTO_MAX) return -EINVAL;
      tcpOwnOpts(sk).rtoMin = Math.ceil(val / 1000);
      return 0;
    case opt.TCP_DELACK_MAX_US:
      if (val <= 0 || Math.ceil(val / 1000) > HZ) return -EINVAL;
      tcpOwnOpts(sk).delackMax = Math.ceil(val / 1000);
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** Options that do something now; the sock is owned. */
function doTcpSetsockopt(sk: TcpSock, name: number, val: number): number {
  switch (name) {
    case opt.TCP_NODELAY:
      tcpSockSetNodelay(sk, val !== 0);
      return 0;
    case opt.TCP_CORK:
      tcpSockSetCork(sk, val !== 0);
      return 0;
    case opt.TCP_KEEPIDLE:
      return tcpSockSetKeepidle(sk, val);
    case opt.TCP_LINGER2:
      return tcpSockSetLinger2(sk, val);
    case opt.TCP_WINDOW_CLAMP:
      return tcpSetWindowClamp(sk, val);
    case opt.TCP_QUICKACK:
      tcpSockSetQuickack(sk, val);
      return 0;
    case opt.TCP_NOTSENT_LOWAT:
      tcpOwnOpts(sk).notsentLowat = val < 0 || val > 0x7fffffff ? 0x7fffffff : val;
      sk.skWriteSpace(sk);
      return 0;
    default:
      return tcpSetsockoptField(sk, name, val);
  }
}

/** Proto.setsockopt at SOL_TCP: 0 or -errno; -ENOPROTOOPT also for other levels. TCP_CONGESTION takes a name. */
export function tcpSetsockopt(sock: Sock, level: number, name: number, value: SockOptValue): number {
  const sk = tcpSk(sock);
  if (level !== SOL_TCP) return -ENOPROTOOPT;
  const val = typeof value === 'boolean' ? Number(value) : value;
  if (name === opt.TCP_FASTOPEN_KEY) return val instanceof Uint8Array ? tcpFastopenResetCipher(sk, val) : -EINVAL;
  const isName = name === opt.TCP_CONGESTION;
  if (isName ? typeof val !== 'string' : typeof val !== 'number' || !Number.isInteger(val)) return -EINVAL;
  lockSock(sk);
  const err = isName ? tcpSetCongestionControl(sk, String(val)) : doTcpSetsockopt(sk, name, Number(val));
  releaseSock(sk);
  return err;
}

/** Integer options. -ENOPROTOOPT for others. */
function tcpGetsockoptInt(sk: TcpSock, name: number): number {
  const unconnected = ((1 << sk.skState) & (TCPF_CLOSE | TCPF_LISTEN)) !== 0;
  switch (name) {
    case opt.TCP_MAXSEG:
      return sk.rxOpt.userMss !== 0 && unconnected ? sk.rxOpt.userMss : sk.mssCache;
    case opt.TCP_NODELAY:
      return (sk.nonagle & TCP_NAGLE_OFF) !== 0 ? 1 : 0;
    case opt.TCP_CORK:
      return (sk.nonagle & TCP_NAGLE_CORK) !== 0 ? 1 : 0;
    case opt.TCP_KEEPIDLE:
      return Math.trunc(tcpKeepaliveTimeWhen(sk) / HZ);
    case opt.TCP_KEEPINTVL:
      return Math.trunc(tcpKeepaliveIntvlWhen(sk) / HZ);
    case opt.TCP_KEEPCNT:
      return tcpKeepaliveProbes(sk);
    case opt.TCP_SYNCNT:
      return sk.opts.synRetries !== 0 ? sk.opts.synRetries : sk.skNet.tcp.sysctlTcpSynRetries;
    case opt.TCP_DEFER_ACCEPT:
      return sk.icskAcceptQueue === null ? 0 : retransToSecs(sk.icskAcceptQueue.rskqDeferAccept);
    case opt.TCP_WINDOW_CLAMP:
      return sk.windowClamp;
    case opt.TCP_QUICKACK:
      return inetCskInPingpongMode(sk) ? 0 : 1;
    case opt.TCP_USER_TIMEOUT:
      return sk.opts.userTimeout;
    case opt.TCP_NOTSENT_LOWAT:
      return sk.opts.notsentLowat;
    case opt.TCP_INQ:
      return sk.opts.recvmsgInq ? 1 : 0;
    default:
      return tcpGetsockoptRare(sk, name);
  }
}

function tcpGetsockoptRare(sk: TcpSock, name: number): number {
  switch (name) {
    case opt.TCP_SAVE_SYN:
      return sk.opts.saveSyn;
    case opt.TCP_FASTOPEN_CONNECT:
      return sk.opts.fastopenConnect ? 1 : 0;
    case opt.TCP_FASTOPEN_NO_COOKIE:
      return sk.opts.fastopenNoCookie ? 1 : 0;
    case opt.TCP_FASTOPEN:
      return sk.icskAcceptQueue === null ? 0 : Math.max(sk.icskAcceptQueue.fastopenMaxQlen, 0);
    case opt.TCP_THIN_LINEAR_TIMEOUTS:
      return sk.opts.thinLto ? 1 : 0;
    case opt.TCP_TIMESTAMP:
      return (tcpClockMs(sk.skNet) + sk.tsoffset) | 0;
    case opt.TCP_RTO_MAX_MS:
      return tcpRtoMax(sk);
    case opt.TCP_RTO_MIN_US:
      return tcpRtoMin(sk) * 1000;
    case opt.TCP_DELACK_MAX_US:
      return (sk.opts.delackMax !== 0 ? sk.opts.delackMax : TCP_DELACK_MAX) * 1000;
    default:
      return -ENOPROTOOPT;
  }
}

/** TCP_LINGER2 in seconds; negative when an orphan does not wait at all. */
function tcpGetLinger2(sk: TcpSock): number | OptInt {
  if (sk.opts.linger2 < 0) return new OptInt(sk.opts.linger2);
  return Math.trunc((sk.opts.linger2 !== 0 ? sk.opts.linger2 : sk.skNet.tcp.sysctlTcpFinTimeout) / HZ);
}

/** Proto.getsockopt at SOL_TCP: the value (TCP_INFO: a TcpInfo; TCP_CONGESTION: {name}), or -errno. */
export function tcpGetsockopt(sock: Sock, level: number, name: number): number | object {
  const sk = tcpSk(sock);
  if (level !== SOL_TCP) return -ENOPROTOOPT;
  switch (name) {
    case opt.TCP_INFO:
      return tcpGetInfo(sk);
    case opt.TCP_CC_INFO:
      return sk.icskCaOps.getInfo === null ? {} : (sk.icskCaOps.getInfo(sk) ?? {});
    case opt.TCP_CONGESTION:
      return { name: sk.icskCaOps.name };
    case opt.TCP_LINGER2:
      return tcpGetLinger2(sk);
    case opt.TCP_FASTOPEN_KEY:
      return tcpFastopenGetCipher(sk);
    case opt.TCP_SAVED_SYN:
      return tcpTakeSavedSyn(sk);
    default:
      return tcpGetsockoptInt(sk, name);
  }
}

/** TCP_SAVED_SYN gives the SYN once; then, or without one, nothing. */
function tcpTakeSavedSyn(sk: TcpSock): Uint8Array {
  const rare = sk.rare;
  if (rare === null || rare.savedSyn === null) return new Uint8Array(0);
  const syn = rare.savedSyn;
  rare.savedSyn = null;
  return syn;
}
