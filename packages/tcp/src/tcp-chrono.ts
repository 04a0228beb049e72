/*
 * What the sender waits for (tcp_chrono_start, tcp_chrono_stop): a connection with data is busy; while it is, the peer's window or
 * the own send buffer may hold it back. One clock runs at a time, for the highest of these that is true; TCP_INFO sums them up.
 *
 * Order of calls: tcpSkbEntail, tcpWriteXmit, tcpCwndValidate → tcpChronoStart; tcpWriteXmit, tcpCleanRtxQueue, tcpCheckSpace → tcpChronoStop.
 * Read first: RFC 7661 §4.1 (when it is the application that limits).
 */
import { jiffiesToUsecs } from '@stack/kernel';
import { tcpRtxAndWriteQueuesEmpty } from './tcp-rtx-queue.ts';
import type { TcpSock } from './tcp-sock.ts';

/* TcpChrono.type, in rising priority. */
const TCP_CHRONO_UNSPEC = 0;
export const TCP_CHRONO_BUSY = 1;
export const TCP_CHRONO_RWND_LIMITED = 2;
export const TCP_CHRONO_SNDBUF_LIMITED = 3;

/** The clocks, in jiffies: which one runs, since when, and the sums. */
export class TcpChrono {
  type: number;
  start: number;
  busy: number;
  rwnd: number;
  sndbuf: number;

  constructor() {
    this.type = TCP_CHRONO_UNSPEC;
    this.start = 0;
    this.busy = 0;
    this.rwnd = 0;
    this.sndbuf = 0;
  }
}

function tcpChronoSet(sk: TcpSock, chrono: TcpChrono, type: number): void {
  const now = sk.skNet.world.jiffies;
  const run = (now - chrono.start) | 0;
  if (chrono.type === TCP_CHRONO_BUSY) chrono.busy += run;
  else if (chrono.type === TCP_CHRONO_RWND_LIMITED) chrono.rwnd += run;
  else if (chrono.type === TCP_CHRONO_SNDBUF_LIMITED) chrono.sndbuf += run;
  chrono.start = now;
  chrono.type = type;
}

/** `type` begins to be true; a clock of higher priority goes on. */
export function tcpChronoStart(sk: TcpSock, type: number): void {
  sk.chrono ??= new TcpChrono();
  if (type > sk.chrono.type) tcpChronoSet(sk, sk.chrono, type);
}

/** `type` is no longer true: while there is data the connection is still busy. */
export function tcpChronoStop(sk: TcpSock, type: number): void {
  const { chrono } = sk;
  if (chrono === null) return;
  if (tcpRtxAndWriteQueuesEmpty(sk)) tcpChronoSet(sk, chrono, TCP_CHRONO_UNSPEC);
  else if (type === chrono.type) tcpChronoSet(sk, chrono, TCP_CHRONO_BUSY);
}

/** The clocks in µs, the running one up to now; busy is the sum of all. */
export interface TcpChronoStats {
  tcpiBusyTime: number;
  tcpiRwndLimited: number;
  tcpiSndbufLimited: number;
}

export function tcpGetInfoChronoStats(sk: TcpSock): TcpChronoStats {
  const { chrono } = sk;
  if (chrono === null) return { tcpiBusyTime: 0, tcpiRwndLimited: 0, tcpiSndbufLimited: 0 };
  const run = (sk.skNet.world.jiffies - chrono.start) | 0;
  const of = (type: number, sum: number): number => jiffiesToUsecs(sum + (chrono.type === type ? run : 0));
  const rwnd = of(TCP_CHRONO_RWND_LIMITED, chrono.rwnd);
  const sndbuf = of(TCP_CHRONO_SNDBUF_LIMITED, chrono.sndbuf);
  return { tcpiBusyTime: of(TCP_CHRONO_BUSY, chrono.busy) + rwnd + sndbuf, tcpiRwndLimited: rwnd, tcpiSndbufLimited: sndbuf };
}
