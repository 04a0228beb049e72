/*
 * The window that we offer: at the start, and with each segment.
 *
 * Order of calls: tcpSelectInitialWindow (handshake); tcpSelectWindow → __tcpSelectWindow (each segment).
 * The right edge never moves left (RFC 9293 §3.8.6 SHLD-14), and moves only by what is worth an ACK: the receiver's
 * side of silly-window avoidance (§3.8.6.2.2). Read first: RFC 7323 §2.
 */
import { ICSK_ACK_NOMEM } from '@stack/inet-sock';
import { skUnderMemoryPressure } from '@stack/socket';
import { MAX_TCP_WINDOW, TCP_MAX_WSCALE } from './tcp-consts.ts';
import {
  LINUX_MIB_TCPFROMZEROWINDOWADV, LINUX_MIB_TCPTOZEROWINDOWADV, LINUX_MIB_TCPWANTZEROWINDOWADV,
} from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpFullSpace, tcpReceiveWindow, tcpSpace } from './tcp-space.ts';

/** Result of tcpSelectInitialWindow. One per Net, valid until the next call. */
export class TcpInitialWindow {
  /** Window to offer first, bytes. */
  rcvWnd: number;
  /** The largest that can ever be offered, bytes. */
  windowClamp: number;
  rcvWscale: number;

  constructor() {
    this.rcvWnd = 0;
    this.windowClamp = 0;
    this.rcvWscale = 0;
  }
}

/** Largest n with 2^n ≤ value. */
function ilog2(value: number): number {
  return 31 - Math.clz32(value);
}

/**
 * The first window, and the window scale.
 * @param space payload that the receive buffer holds @param clamp upper bound, 0 = none
 * @param initRcvWnd first window in segments, 0 = as much as there is room
 */
export function tcpSelectInitialWindow(
  sk: TcpSock, space: number, mss: number, clamp: number, wscaleOk: boolean, initRcvWnd: number,
): TcpInitialWindow {
  const net = sk.skNet;
  const window = net.tcp.initialWindow;
  const max = clamp === 0 ? 0xffff << TCP_MAX_WSCALE : clamp;
  let room = Math.min(Math.max(space, 0), max);
  if (room > mss) room -= room % mss;
  window.rcvWnd = net.tcp.sysctlTcpWorkaroundSignedWindows !== 0 ? Math.min(room, MAX_TCP_WINDOW) : room;
  if (initRcvWnd !== 0) window.rcvWnd = Math.min(window.rcvWnd, initRcvWnd * mss);
  window.rcvWscale = 0;
  if (wscaleOk) {
    // As large as autotuning may ever make the buffer.
    const most = Math.max(room, net.tcp.mem.sysctlRmem[2]!, net.socket.sysctlRmemMax);
    window.rcvWscale = Math.min(Math.max(ilog2(Math.min(most, max)) - 15, 0), TCP_MAX_WSCALE);
  }
  window.windowClamp = Math.min(0xffff << window.rcvWscale, max);
  return window;
}

/** Under memory pressure the window may not grow beyond a few segments. */
export function tcpAdjustRcvSsthresh(sk: TcpSock): void {
  const limit = 4 * sk.advmss;
  sk.rcvSsthresh = Math.min(sk.rcvSsthresh, limit);
}

/** The window field of a segment to be sent now: scaled. What it offers is noted in rcvWnd and rcvWup. */
export function tcpSelectWindow(sk: TcpSock): number {
  const tcp = sk.skNet.tcp;
  const rcvWscale = sk.rxOpt.rcvWscale;
  const oldWin = sk.rcvWnd;
  // What arrived could not be kept for lack of memory.
  if ((sk.icskAckPending & ICSK_ACK_NOMEM) !== 0) {
    sk.predFlags = 0;
    sk.rcvWnd = 0;
    sk.rcvWup = sk.rcvNxt;
    return 0;
  }
  const curWin = tcpReceiveWindow(sk);
  let newWin = __tcpSelectWindow(sk);
  if (newWin < curWin && (tcp.sysctlTcpShrinkWindow === 0 || rcvWscale === 0)) {
    if (newWin === 0) netIncStats(sk.skNet, LINUX_MIB_TCPWANTZEROWINDOWADV);
    newWin = alignUp(curWin, rcvWscale);
  }
  sk.rcvWnd = newWin;
  sk.rcvWup = sk.rcvNxt;
  const max = rcvWscale === 0 && tcp.sysctlTcpWorkaroundSignedWindows !== 0 ? MAX_TCP_WINDOW : 0xffff << rcvWscale;
  const field = Math.min(newWin, max) >> rcvWscale;
  if (field === 0) {
    sk.predFlags = 0;
    if (oldWin !== 0) netIncStats(sk.skNet, LINUX_MIB_TCPTOZEROWINDOWADV);
  } else if (oldWin === 0) {
    netIncStats(sk.skNet, LINUX_MIB_TCPFROMZEROWINDOWADV);
  }
  return field;
}

function alignUp(value: number, shift: number): number {
  const unit = 1 << shift;
  return (value + unit - 1) & -unit;
}

function alignDown(value: number, shift: number): number {
  return value & -(1 << shift);
}

/** The window that we would like to offer, bytes; before the rule that it must not shrink. */
export function __tcpSelectWindow(sk: TcpSock): number {
  const rcvWscale = sk.rxOpt.rcvWscale;
  const allowedSpace = tcpFullSpace(sk);
  const fullSpace = Math.min(sk.windowClamp, allowedSpace);
  let freeSpace = tcpSpace(sk);
  let mss = sk.icskAckRcvMss;
  if (mss > fullSpace) {
    mss = fullSpace;
    if (mss <= 0) return 0;
  }
  const mayShrink = rcvWscale !== 0 && sk.skNet.tcp.sysctlTcpShrinkWindow !== 0;
  if (mayShrink) freeSpace = alignDown(freeSpace, rcvWscale);
  if (freeSpace < fullSpace >> 1) {
    sk.icskAckQuick = 0;
    if (skUnderMemoryPressure(sk)) tcpAdjustRcvSsthresh(sk);
    freeSpace = alignDown(freeSpace, rcvWscale);
    // Close the window in time: below a segment or a sixteenth of the buffer it is not worth offering.
    if (freeSpace < allowedSpace >> 4 || freeSpace < mss) return 0;
  }
  if (freeSpace > sk.rcvSsthresh) freeSpace = sk.rcvSsthresh;
  if (rcvWscale !== 0) return alignUp(freeSpace, rcvWscale);

  // Whole segments; and the old window while it is within a segment of the free space.
  const window = sk.rcvWnd;
  if (window <= freeSpace - mss || window > freeSpace) return freeSpace - (freeSpace % mss);
  if (mss === fullSpace && freeSpace > window + (fullSpace >> 1)) return freeSpace;
  return window;
}
