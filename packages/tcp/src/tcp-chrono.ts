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

/* TcpSock.chronoType, in rising priority. */
const TCP_CHRONO_UNSPEC = 0;
export const TCP_CHRONO_BUSY = 1;
export const TCP_CHRONO_RWND_LIMITED = 2;
export const TCP_CHRONO_SNDBUF_LIMITED = 3;

function tcpChronoSet(sk: TcpSock, type: number): void {
  const now = sk.skNet.world.jiffies;
  const run = (now - sk.chronoStart) | 0;
  if (sk.chronoType === TCP_CHRONO_BUSY) sk.chronoBusy += run;
  else if (sk.chronoType === TCP_CHRONO_RWND_LIMITED) sk.chronoRwnd += run;
  else if (sk.chronoType === TCP_CHRONO_SNDBUF_LIMITED) sk.chronoSndbuf += run;
  sk.chronoStart = now;
  sk.chronoType = type;
}

/** `type` begins to be true; a clock of higher priority goes on. */
export function tcpChronoStart(sk: TcpSock, type: number): void {
  if (type > sk.chronoType) tcpChronoSet(sk, type);
}

/** `type` is no longer true: while there is data the connection is still busy. */
export function tcpChronoStop(sk: TcpSock, type: number): void {
  if (tcpRtxAndWriteQueuesEmpty(sk)) tcpChronoSet(sk, TCP_CHRONO_UNSPEC);
  else if (type === sk.chronoType) tcpChronoSet(sk, TCP_CHRONO_BUSY);
}

/** The clocks in µs, the running one up to now; busy is the sum of all. */
export interface TcpChronoStats {
  tcpiBusyTime: number;
  tcpiRwndLimited: number;
  tcpiSndbufLimited: number;
}

export function tcpGetInfoChronoStats(sk: TcpSock): TcpChronoStats {
  const run = (sk.skNet.world.jiffies - sk.chronoStart) | 0;
  const of = (type: number, sum: number): number => jiffiesToUsecs(sum + (sk.chronoType === type ? run : 0));
  const rwnd = of(TCP_CHRONO_RWND_LIMITED, sk.chronoRwnd);
  const sndbuf = of(TCP_CHRONO_SNDBUF_LIMITED, sk.chronoSndbuf);
  return { tcpiBusyTime: of(TCP_CHRONO_BUSY, sk.chronoBusy) + rwnd + sndbuf, tcpiRwndLimited: rwnd, tcpiSndbufLimited: sndbuf };
}
