/*
 * The receive buffer: how it starts, how window and buffer grow with the flow (autotuning), how they shrink.
 *
 * Order of calls: tcpInitBufferSpace (established) → per segment tcpRcvRttMeasure…, tcpGrowWindow → per read
 * tcpRcvSpaceAdjust; tcpClampWindow when memory runs out. Times in µs.
 * Read first: RFC 9293 §3.8.6; Fisk and Feng, "Dynamic right-sizing in TCP".
 */
import { TCP_CLOSE, SOCK_MIN_RCVBUF, SOCK_RCVBUF_LOCK, SOCK_SNDBUF_LOCK, skUnderMemoryPressure } from '@stack/socket';
import { EINVAL } from '@stack/kernel';
import { SKB_TRUESIZE } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { tcpMstampRefresh } from './tcp-clock.ts';
import { TCP_INIT_CWND, TCP_MIN_MSS, TCP_MSS_DEFAULT } from './tcp-consts.ts';
import { tcpRttTsoptUs } from './tcp-input-rtt.ts';
import { tcpSndbufExpand } from './tcp-input-sndbuf.ts';
import { tcpAdjustRcvSsthresh } from './tcp-output-window.ts';
import { before, tcbEndSeq } from './tcp-skb-cb.ts';
import { tcbLen } from './tcp-rtx-queue.ts';
import type { TcpSock } from './tcp-sock.ts';
import { TCP_RMEM_TO_WIN_SCALE, tcpFullSpace, tcpSpace, tcpSpaceFromWin, tcpWinFromSpace } from './tcp-space.ts';

/** Longer than this no window takes to fill: the flow was idle (and the µs clock may have wrapped). */
const RCV_RTT_MAX_US = 100_000_000;

// --- Start ----------------------------------------------------------------------------------------------------

/** First estimate of the peer's MSS. */
export function tcpInitializeRcvMss(sk: TcpSock): void {
  let hint = Math.min(sk.advmss, sk.mssCache);
  hint = Math.min(hint, sk.rcvWnd >> 1, TCP_MSS_DEFAULT);
  sk.icskAckRcvMss = Math.max(hint, TCP_MIN_MSS);
}

/** The connection is established: buffers and window limits get their values. */
export function tcpInitBufferSpace(sk: TcpSock): void {
  if ((sk.skUserlocks & SOCK_SNDBUF_LOCK) === 0) tcpSndbufExpand(sk);
  tcpMstampRefresh(sk);
  sk.rcvqSpaceTime = sk.tcpMstamp;
  sk.rcvqSpaceSeq = sk.copiedSeq;
  const appWin = sk.skNet.tcp.sysctlTcpAppWin;
  const maxwin = tcpFullSpace(sk);
  if (sk.windowClamp >= maxwin) {
    sk.windowClamp = maxwin;
    if (appWin !== 0 && maxwin > 4 * sk.advmss) {
      sk.windowClamp = Math.max(maxwin - (maxwin >> appWin), 4 * sk.advmss);
    }
  }
  // Room for one segment beyond the window.
  if (appWin !== 0 && sk.windowClamp > 2 * sk.advmss && sk.windowClamp + sk.advmss > maxwin) {
    sk.windowClamp = Math.max(2 * sk.advmss, maxwin - sk.advmss);
  }
  sk.rcvSsthresh = Math.min(sk.rcvSsthresh, sk.windowClamp);
  sk.sndCwndStamp = sk.skNet.world.jiffies;
  sk.rcvqSpaceSpace = Math.min(sk.rcvSsthresh, sk.rcvWnd, TCP_INIT_CWND * sk.advmss);
}

/**
 * TCP_WINDOW_CLAMP: the window's upper bound, bytes.
 * @returns 0, or -EINVAL: 0 (no bound) is for closed sockets only
 */
export function tcpSetWindowClamp(sk: TcpSock, val: number): number {
  if (val === 0) {
    if (sk.skState !== TCP_CLOSE) return -EINVAL;
    sk.windowClamp = 0;
    return 0;
  }
  const old = sk.windowClamp;
  const clamp = Math.max(val, SOCK_MIN_RCVBUF >> 1);
  if (clamp === old) return 0;
  sk.windowClamp = clamp;
  if (clamp < old) sk.rcvSsthresh = Math.min(sk.rcvSsthresh, clamp);
  else sk.rcvSsthresh = Math.max(Math.min(sk.rcvWnd, clamp), sk.rcvSsthresh);
  return 0;
}

// --- Growing with what comes ----------------------------------------------------------------------------------

/** A segment larger than any before tells how much of its memory is payload: the window follows. */
export function tcpRescale(sk: TcpSock, skb: SkBuff): void {
  const old = sk.scalingRatio;
  const ratio = Math.floor((skb.len * (1 << TCP_RMEM_TO_WIN_SCALE)) / skb.truesize);
  sk.scalingRatio = Math.min(Math.max(ratio, 1), 255);
  if (old === sk.scalingRatio) return;
  tcpSetWindowClamp(sk, tcpWinFromSpace(sk, sk.skRcvbuf));
  if (sk.windowClamp < sk.rcvqSpaceSpace) sk.rcvqSpaceSpace = sk.windowClamp;
}

/** Memory of a segment that a larger buffer would still hold well? @returns how far the window may grow, 0 = not */
function __tcpGrowWindow(sk: TcpSock, skb: SkBuff, skbTruesize: number): number {
  let truesize = tcpWinFromSpace(sk, skbTruesize) >> 1;
  let window = tcpWinFromSpace(sk, sk.skNet.tcp.mem.sysctlRmem[2]!) >> 1;
  while (sk.rcvSsthresh <= window) {
    if (truesize <= skb.len) return 2 * sk.icskAckRcvMss;
    truesize >>= 1;
    window >>= 1;
  }
  return 0;
}

/** The window opens by twice what came, as fast as a sender in slow start, while memory allows. */
export function tcpGrowWindow(sk: TcpSock, skb: SkBuff): void {
  const room = Math.min(sk.windowClamp, tcpSpace(sk)) - sk.rcvSsthresh;
  if (room <= 0) return;
  if (skUnderMemoryPressure(sk)) {
    tcpAdjustRcvSsthresh(sk);
    return;
  }
  const truesize = tcpTruesizeAdjust(skb);
  let incr = tcpWinFromSpace(sk, truesize) <= skb.len ? 2 * sk.advmss : __tcpGrowWindow(sk, skb, truesize);
  if (incr === 0) return;
  incr = Math.max(incr, 2 * skb.len);
  sk.rcvSsthresh += Math.min(room, incr);
  sk.icskAckQuick |= 1;
}

/** An sk_buff whose payload is all in pages will give up its empty head when it is merged. */
function tcpTruesizeAdjust(skb: SkBuff): number {
  if (skb.len !== skb.dataLen) return skb.truesize;
  const truesize = skb.truesize - SKB_TRUESIZE(skb.end - skb.head);
  return truesize < skb.len ? skb.truesize : truesize;
}

/** Takes a sample into the receiver's RTT estimate: the least counts. @param winDep measured by windows: an upper bound */
function tcpRcvRttUpdate(sk: TcpSock, sample: number, winDep: boolean): void {
  const old = sk.rcvRttEstUs;
  const m = sample << 3;
  if (old === 0 || m < old) {
    sk.rcvRttEstUs = m;
    return;
  }
  // A reader that is behind holds the sender up: what is measured then is not the path.
  if (winDep || sk.rcvNxt !== sk.copiedSeq) return;
  sk.rcvRttEstUs = old - (old >> 3) + sample;
}

/** Without timestamps: a window's worth of data takes a round trip. */
export function tcpRcvRttMeasure(sk: TcpSock): void {
  if (sk.rcvRttEstTime !== 0) {
    if (before(sk.rcvNxt, sk.rcvRttEstSeq)) return;
    const delta = (sk.tcpMstamp - sk.rcvRttEstTime) | 0;
    if (delta >= 0 && delta < RCV_RTT_MAX_US) tcpRcvRttUpdate(sk, delta === 0 ? 1 : delta, true);
  }
  sk.rcvRttEstSeq = (sk.rcvNxt + sk.rcvWnd) | 0;
  sk.rcvRttEstTime = sk.tcpMstamp;
}

/** With timestamps: the echo on a full segment of data. */
export function tcpRcvRttMeasureTs(sk: TcpSock, skb: SkBuff): void {
  const tsecr = sk.rxOpt.rcvTsecr;
  if (tsecr === sk.rcvRttLastTsecr) return;
  sk.rcvRttLastTsecr = tsecr;
  if (!sk.rxOpt.sawTstamp || tcbLen(skb) < sk.icskAckRcvMss) return;
  // (0: less than a tick of the peer's echo. Windows tell more.)
  const delta = tcpRttTsoptUs(sk, 0);
  if (delta > 0) tcpRcvRttUpdate(sk, delta, false);
}

/**
 * The reader takes `newval` bytes in a round trip: the buffer is made to hold twice that, and more while the rate grows
 * and for what waits beyond a hole (net.ipv4.tcp_moderate_rcvbuf).
 */
export function tcpRcvbufGrow(sk: TcpSock, newval: number): void {
  const old = sk.rcvqSpaceSpace;
  sk.rcvqSpaceSpace = newval;
  if (sk.skNet.tcp.sysctlTcpModerateRcvbuf === 0 || (sk.skUserlocks & SOCK_RCVBUF_LOCK) !== 0) return;
  let rcvwin = newval * 2;
  rcvwin += Math.floor((rcvwin * (newval - old)) / Math.max(old, 1)) * 2;
  const last = sk.oooLastSkb;
  if (last !== null) rcvwin += (tcbEndSeq(last) - sk.rcvNxt) | 0;
  const rcvbuf = Math.min(tcpSpaceFromWin(sk, rcvwin), sk.skNet.tcp.mem.sysctlRmem[2]!);
  if (rcvbuf <= sk.skRcvbuf) return;
  sk.skRcvbuf = rcvbuf;
  sk.windowClamp = tcpWinFromSpace(sk, rcvbuf);
}

/** Called after each read: once per round trip, has the reader taken more than ever? What waits in the queue does not count. */
export function tcpRcvSpaceAdjust(sk: TcpSock): void {
  tcpMstampRefresh(sk);
  const time = (sk.tcpMstamp - sk.rcvqSpaceTime) >>> 0;
  if (sk.rcvRttEstUs === 0 || time < sk.rcvRttEstUs >> 3) return;
  const inq = (sk.rcvNxt - sk.copiedSeq) | 0;
  const copied = ((sk.copiedSeq - sk.rcvqSpaceSeq) | 0) - inq;
  if (copied > sk.rcvqSpaceSpace) tcpRcvbufGrow(sk, copied);
  sk.rcvqSpaceSeq = sk.copiedSeq;
  sk.rcvqSpaceTime = sk.tcpMstamp;
}

// --- Shrinking ------------------------------------------------------------------------------------------------

/** More is queued than the buffer may hold: the buffer grows if it may, else the window shrinks to two segments. */
export function tcpClampWindow(sk: TcpSock): void {
  const mem = sk.skNet.tcp.mem;
  const rmem2 = mem.sysctlRmem[2]!;
  sk.icskAckQuick = 0;
  if (
    sk.skRcvbuf < rmem2 && (sk.skUserlocks & SOCK_RCVBUF_LOCK) === 0 && !skUnderMemoryPressure(sk) &&
    mem.memoryAllocated < mem.sysctlMem[0]!
  ) {
    sk.skRcvbuf = Math.min(sk.skRmemAlloc, rmem2);
  }
  if (sk.skRmemAlloc > sk.skRcvbuf) sk.rcvSsthresh = Math.min(sk.windowClamp, 2 * sk.advmss);
}
