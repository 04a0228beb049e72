/**
 * Congestion control as a table: TcpCongestionOps, the per-Net registry, and Reno, which is always there.
 *
 * Order of calls: tcpRegisterCongestionControl (install) → tcpAssignCongestionControl (a socket is made) →
 * tcpInitCongestionControl (it becomes established) → ops.… from tcp-input*.ts → tcpCleanupCongestionControl.
 * Read first: RFC 5681 (slow start, congestion avoidance), RFC 3465 (byte counting), RFC 5033.
 */
import { EBUSY, EEXIST, EINVAL, ENOENT } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import type { AckSample, RateSample } from './tcp-ack-state.ts';
import { tcpOwnOpts } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

export type { AckSample, RateSample };

// --- What a congestion control is told (tcp_ca_event, tcp_ca_ack_event_flags) ---------------------------------

/** First transmission with nothing in flight. */
export const CA_EVENT_TX_START = 0;
/** The congestion window was restarted after idleness. */
export const CA_EVENT_CWND_RESTART = 1;
/** The end of a congestion-window reduction. */
export const CA_EVENT_COMPLETE_CWR = 2;
/** A retransmission timeout declared everything lost. */
export const CA_EVENT_LOSS = 3;
/** An ECN-capable segment arrived without CE. */
export const CA_EVENT_ECN_NO_CE = 4;
/** An ECN-capable segment arrived with CE. */
export const CA_EVENT_ECN_IS_CE = 5;

/** inAckEvent: the ACK took the slow path. */
export const CA_ACK_SLOWPATH = 1;
/** inAckEvent: the ACK moved the window. */
export const CA_ACK_WIN_UPDATE = 2;
/** inAckEvent: ECE was set. */
export const CA_ACK_ECE = 4;

/** Flag: a user without privilege may choose it. */
export const TCP_CONG_NON_RESTRICTED = 1;
/** Flag: needs ECN on its packets. */
export const TCP_CONG_NEEDS_ECN = 2;

/** Longest name of a congestion control, with its final NUL (TCP_CA_NAME_MAX). */
export const TCP_CA_NAME_MAX = 16;
/** "No threshold yet": slow start has no upper end. */
export const TCP_INFINITE_SSTHRESH = 0x7fffffff;

/**
 * A congestion control. Made once at module level; a field that is not wanted is null. All functions run in softirq
 * or in a system call of the socket's owner, and must not send.
 */
export interface TcpCongestionOps {
  /** Its name, at most 15 characters (TCP_CONGESTION, net.ipv4.tcp_congestion_control). */
  readonly name: string;
  /** TCP_CONG_*. */
  readonly flags: number;
  /** The private state of one socket (icskCaPriv): one fixed shape, or null when it has none. */
  readonly makePriv: (() => object) | null;
  /** A socket starts to use it: established, or switched over. */
  readonly init: ((sk: TcpSock) => void) | null;
  /** A socket leaves it. */
  readonly release: ((sk: TcpSock) => void) | null;
  /** New slow start threshold in segments, on a loss event. */
  readonly ssthresh: (sk: TcpSock) => number;
  /** Grow sndCwnd for `acked` segments that `ack` acknowledged. Either this or congControl. */
  readonly congAvoid: ((sk: TcpSock, ack: number, acked: number) => void) | null;
  /** The congestion window to return to when a reduction proves spurious. */
  readonly undoCwnd: (sk: TcpSock) => number;
  /** sk.icskCaState is about to become newState (TCP_CA_*). */
  readonly setState: ((sk: TcpSock, newState: number) => void) | null;
  /** CA_EVENT_*. */
  readonly cwndEvent: ((sk: TcpSock, event: number) => void) | null;
  /** CA_ACK_* of each ACK, before anything else looks at it. */
  readonly inAckEvent: ((sk: TcpSock, flags: number) => void) | null;
  /** Segments left the network. The sample belongs to the Net: read it, do not keep it. */
  readonly pktsAcked: ((sk: TcpSock, sample: AckSample) => void) | null;
  /** Replaces the window reduction and growth altogether: set sndCwnd and skPacingRate. */
  readonly congControl: ((sk: TcpSock, ack: number, flag: number, rs: RateSample) => void) | null;
  /** Least segments of one large sk_buff, replacing sysctl_tcp_min_tso_segs. */
  readonly minTsoSegs: ((sk: TcpSock) => number) | null;
  /** How many congestion windows the send buffer should hold (2 when null). */
  readonly sndbufExpand: ((sk: TcpSock) => number) | null;
  /** Plain data for TCP_CC_INFO. */
  readonly getInfo: ((sk: TcpSock) => object | null) | null;
}

// --- The registry of a Net ------------------------------------------------------------------------------------

/** The congestion control of that name, or null. */
export function tcpCaFind(net: Net, name: string): TcpCongestionOps | null {
  for (const ca of net.tcp.congestionOps) if (ca.name === name) return ca;
  return null;
}

/**
 * Offers a congestion control to the sockets of a Net.
 * @returns 0, -EINVAL when a required function is missing or the name too long, -EEXIST when the name is taken
 */
export function tcpRegisterCongestionControl(net: Net, ca: TcpCongestionOps): number {
  if (ca.congAvoid === null && ca.congControl === null) return -EINVAL;
  if (ca.name.length === 0 || ca.name.length >= TCP_CA_NAME_MAX) return -EINVAL;
  if (tcpCaFind(net, ca.name) !== null) return -EEXIST;
  net.tcp.congestionOps.push(ca);
  return 0;
}

/**
 * Takes it back. Sockets that use it keep it.
 * @returns 0, -ENOENT when it is not registered, -EBUSY when it is the default
 */
export function tcpUnregisterCongestionControl(net: Net, ca: TcpCongestionOps): number {
  const at = net.tcp.congestionOps.indexOf(ca);
  if (at < 0) return -ENOENT;
  if (net.tcp.congestionDefault === ca) return -EBUSY;
  net.tcp.congestionOps.splice(at, 1);
  return 0;
}

/** Chooses what new sockets start with (net.ipv4.tcp_congestion_control). @returns 0 or -ENOENT */
export function tcpSetDefaultCongestionControl(net: Net, name: string): number {
  const ca = tcpCaFind(net, name);
  if (ca === null) return -ENOENT;
  net.tcp.congestionDefault = ca;
  return 0;
}

/** Names of all, the default first (net.ipv4.tcp_available_congestion_control). */
export function tcpGetAvailableCongestionControl(net: Net): string {
  const first = net.tcp.congestionDefault;
  return [first, ...net.tcp.congestionOps.filter((ca) => ca !== first)].map((ca) => ca.name).join(' ');
}

// --- One socket -----------------------------------------------------------------------------------------------

/** A new socket gets the Net's default. Its init runs only when the connection is established. */
export function tcpAssignCongestionControl(sk: TcpSock): void {
  const ca = sk.skNet.tcp.congestionDefault;
  sk.icskCaOps = ca;
  sk.icskCaPriv = ca.makePriv === null ? null : ca.makePriv();
}

/** Called when the connection is established: the congestion control starts from clean state. */
export function tcpInitCongestionControl(sk: TcpSock): void {
  const ca = sk.icskCaOps;
  sk.priorSsthresh = 0;
  if (ca.init !== null) ca.init(sk);
  sk.icskCaInitialized = 1;
}

/** The socket goes, or changes its congestion control. */
export function tcpCleanupCongestionControl(sk: TcpSock): void {
  const ca = sk.icskCaOps;
  if (sk.icskCaInitialized !== 0 && ca.release !== null) ca.release(sk);
  sk.icskCaInitialized = 0;
}

/**
 * TCP_CONGESTION.
 * @returns 0 or -ENOENT
 */
export function tcpSetCongestionControl(sk: TcpSock, name: string): number {
  const ca = tcpCaFind(sk.skNet, name);
  if (ca === null) return -ENOENT;
  tcpOwnOpts(sk).caSetsockopt = true;
  if (ca === sk.icskCaOps) return 0;
  const running = sk.icskCaInitialized !== 0;
  tcpCleanupCongestionControl(sk);
  sk.icskCaOps = ca;
  sk.icskCaPriv = ca.makePriv === null ? null : ca.makePriv();
  if (running) tcpInitCongestionControl(sk);
  return 0;
}

/** Tells the congestion control of an event. */
export function tcpCaEvent(sk: TcpSock, event: number): void {
  const ca = sk.icskCaOps;
  if (ca.cwndEvent !== null) ca.cwndEvent(sk, event);
}

/** Moves to another TCP_CA_* state; the congestion control hears of it first. */
export function tcpSetCaState(sk: TcpSock, state: number): void {
  const ca = sk.icskCaOps;
  if (ca.setState !== null) ca.setState(sk, state);
  sk.icskCaState = state;
}

/** The congestion control wants ECN on all that it sends. */
export function tcpCaNeedsEcn(sk: TcpSock): boolean {
  return (sk.icskCaOps.flags & TCP_CONG_NEEDS_ECN) !== 0;
}

// --- What controls build on -----------------------------------------------------------------------------------

/** cwnd < ssthresh. */
export function tcpInSlowStart(sk: TcpSock): boolean {
  return sk.sndCwnd < sk.sndSsthresh;
}

/**
 * Is the window what limits us? Only then may it grow (RFC 7661). In slow start it may become twice what the last
 * flight used.
 */
export function tcpIsCwndLimited(sk: TcpSock): boolean {
  if (sk.isCwndLimited !== 0) return true;
  return tcpInSlowStart(sk) && sk.sndCwnd < 2 * sk.maxPacketsOut;
}

/** RFC 5681 §3.1: the window grows by what was acknowledged, up to ssthresh. @returns what is left of `acked` */
export function tcpSlowStart(sk: TcpSock, acked: number): number {
  const cwnd = Math.min(sk.sndCwnd + acked, sk.sndSsthresh);
  const left = acked - (cwnd - sk.sndCwnd);
  sk.sndCwnd = Math.min(cwnd, sk.sndCwndClamp);
  return left;
}

/** Additive increase: one segment for each `w` acknowledged (w = cwnd: RFC 5681's 1 MSS per round trip). */
export function tcpCongAvoidAi(sk: TcpSock, w: number, acked: number): void {
  if (sk.sndCwndCnt >= w) {
    sk.sndCwndCnt = 0;
    sk.sndCwnd = sk.sndCwnd + 1;
  }
  sk.sndCwndCnt = sk.sndCwndCnt + acked;
  if (sk.sndCwndCnt >= w) {
    const delta = (sk.sndCwndCnt / w) | 0;
    sk.sndCwndCnt = sk.sndCwndCnt - delta * w;
    sk.sndCwnd = sk.sndCwnd + delta;
  }
  sk.sndCwnd = Math.min(sk.sndCwnd, sk.sndCwndClamp);
}

// --- Reno -----------------------------------------------------------------------------------------------------

/** RFC 5681 §3.1 in segments: slow start below ssthresh, then one segment per window. */
export function tcpRenoCongAvoid(sk: TcpSock, _ack: number, acked: number): void {
  if (!tcpIsCwndLimited(sk)) return;
  let left = acked;
  if (tcpInSlowStart(sk)) {
    left = tcpSlowStart(sk, left);
    if (left === 0) return;
  }
  tcpCongAvoidAi(sk, sk.sndCwnd, left);
}

/** RFC 5681 §3.1 (4): half of the window, at least two segments. */
export function tcpRenoSsthresh(sk: TcpSock): number {
  return Math.max(sk.sndCwnd >> 1, 2);
}

/** The window before the reduction, if it was larger. */
export function tcpRenoUndoCwnd(sk: TcpSock): number {
  return Math.max(sk.sndCwnd, sk.priorCwnd);
}

/** NewReno's window arithmetic (RFC 5681). */
export const tcpReno: TcpCongestionOps = {
  name: 'reno',
  flags: TCP_CONG_NON_RESTRICTED,
  makePriv: null,
  init: null,
  release: null,
  ssthresh: tcpRenoSsthresh,
  congAvoid: tcpRenoCongAvoid,
  undoCwnd: tcpRenoUndoCwnd,
  setState: null,
  cwndEvent: null,
  inAckEvent: null,
  pktsAcked: null,
  congControl: null,
  minTsoSegs: null,
  sndbufExpand: null,
  getInfo: null,
};
