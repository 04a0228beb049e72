/*
 * The send buffer grows with the congestion window, and its room is announced.
 *
 * Order of calls: tcpDataSndCheck → tcpCheckSpace → tcpNewSpace → tcpSndbufExpand.
 * Read first: RFC 9293 §3.8.6.2.1 (the sender's side).
 */
import { waitqueueActive } from '@stack/kernel';
import { SOCK_SNDBUF_LOCK, skStreamIsWriteable, skUnderMemoryPressure } from '@stack/socket';
import { TCP_CHRONO_SNDBUF_LIMITED, tcpChronoStop } from './tcp-chrono.ts';
import { SKB_STRUCT_TRUESIZE, TCP_INIT_CWND, TCP_SKB_HEAD_TRUESIZE } from './tcp-consts.ts';
import { tcpPacketsInFlight } from './tcp-rtx-queue.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Room for two congestion windows: one in flight, one to be retransmitted or written meanwhile. */
export function tcpSndbufExpand(sk: TcpSock): void {
  const perMss = Math.max(sk.rxOpt.mssClamp, sk.mssCache) + TCP_SKB_HEAD_TRUESIZE - SKB_STRUCT_TRUESIZE;
  const size = (1 << (32 - Math.clz32(perMss - 1))) + SKB_STRUCT_TRUESIZE;
  const segs = Math.max(TCP_INIT_CWND, sk.sndCwnd, sk.reordering + 1);
  const expand = sk.icskCaOps.sndbufExpand;
  const sndmem = (expand !== null ? expand(sk) : 2) * segs * size;
  if (sk.skSndbuf < sndmem) sk.skSndbuf = Math.min(sndmem, sk.skNet.tcp.mem.sysctlWmem[2]!);
}

function tcpShouldExpandSndbuf(sk: TcpSock): boolean {
  if ((sk.skUserlocks & SOCK_SNDBUF_LOCK) !== 0 || skUnderMemoryPressure(sk)) return false;
  const mem = sk.skNet.tcp.mem;
  if (mem.memoryAllocated >= mem.sysctlMem[0]!) return false;
  // A window that is full would not be fuller with more data.
  return tcpPacketsInFlight(sk) < sk.sndCwnd;
}

/** If somebody waits for the sock: is there room in the send buffer now? */
export function tcpCheckSpace(sk: TcpSock): void {
  const wq = sk.skWq;
  if (wq !== null && waitqueueActive(wq)) {
    if (tcpShouldExpandSndbuf(sk)) {
      tcpSndbufExpand(sk);
      sk.sndCwndStamp = sk.skNet.world.jiffies;
    }
    sk.skWriteSpace(sk);
  }
  if (!sk.noSpace || !skStreamIsWriteable(sk)) return;
  sk.noSpace = false;
  tcpChronoStop(sk, TCP_CHRONO_SNDBUF_LIMITED);
}
