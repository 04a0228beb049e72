/*
 * What earlier connections learnt of a peer: round-trip time, reordering, and if net.ipv4.tcp_no_ssthresh_metrics_save
 * is 0 the slow start threshold. It seeds the next connection's first timeout, no more.
 *
 * Order of calls: tcpInitMetrics (established) … tcpUpdateMetrics (TIME-WAIT, LAST-ACK). Read first: RFC 9040.
 */
import { HZ } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { TCP_INFINITE_SSTHRESH, tcpInSlowStart } from './tcp-cong.ts';
import { TCP_TIMEOUT_FALLBACK } from './tcp-consts.ts';
import type { TcpFastopenCookie } from './tcp-fastopen-cookie.ts';
import { tcpRtoMin } from './tcp-input-rtt.ts';
import { TCP_CA_Open } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Peers remembered at most, and how long (jiffies). */
const TCP_METRICS_MAX = 1024;
const TCP_METRICS_TIMEOUT = 3600 * HZ;

/** What is known of a server's Fast Open (struct tcp_fastopen_metrics). */
export interface TcpFastopenMetrics {
  /** The MSS of its SYN-ACK. */
  mss: number;
  /** SYNs with data that were lost in a row. */
  synLoss: number;
  /** 1: it did not answer the standard option; 2: nor the experimental one. */
  tryExp: number;
  cookie: TcpFastopenCookie;
}

/** What is known of one peer. Zero: nothing. RTT as srttUs (8 times, µs), rttvar as mdevUs (4 times, µs). */
export class TcpMetricsBlock {
  stamp: number;
  rtt: number;
  rttvar: number;
  ssthresh: number;
  cwnd: number;
  reordering: number;
  /** Fast Open, made on use. */
  fastopen: TcpFastopenMetrics | null;

  constructor(stamp: number) {
    this.stamp = stamp;
    this.rtt = 0;
    this.rttvar = 0;
    this.ssthresh = 0;
    this.cwnd = 0;
    this.reordering = 0;
    this.fastopen = null;
  }
}

/** The block of sk's peer; made if `create`; null if there is none, or an old one. */
export function tcpGetMetrics(sk: TcpSock, create: boolean): TcpMetricsBlock | null {
  const blocks = sk.skNet.tcp.metrics;
  const key = sk.afSpecific.metricsKey(sk);
  const now = sk.skNet.world.jiffies;
  const found = blocks.get(key);
  if (found !== undefined && ((now - found.stamp) | 0) < TCP_METRICS_TIMEOUT) return found;
  if (found !== undefined) blocks.delete(key);
  if (!create) return null;
  if (blocks.size >= TCP_METRICS_MAX) {
    // The one that was made first goes.
    for (const oldest of blocks.keys()) {
      blocks.delete(oldest);
      break;
    }
  }
  const block = new TcpMetricsBlock(now);
  blocks.set(key, block);
  return block;
}

/** Forgets all peers (`ip tcp_metrics flush`). */
export function tcpMetricsFlush(net: Net): void {
  net.tcp.metrics.clear();
}

/** A connection is established: what is known of the peer, and the first RTO. */
export function tcpInitMetrics(sk: TcpSock): void {
  const tcp = sk.skNet.tcp;
  sk.skDstPendingConfirm = true;
  // It may have been reduced in the handshake.
  sk.sndSsthresh = TCP_INFINITE_SSTHRESH;
  const tm = tcpGetMetrics(sk, false);
  let crtt = 0;
  if (tm !== null) {
    if (tcp.sysctlTcpNoSsthreshMetricsSave === 0 && tm.ssthresh !== 0) {
      sk.sndSsthresh = Math.min(tm.ssthresh, sk.sndCwndClamp);
    }
    if (tm.reordering !== 0) sk.reordering = tm.reordering;
    crtt = tm.rtt;
  }
  if (crtt > sk.srttUs) {
    const rtt = Math.floor(crtt / 8000);
    sk.icskRto = rtt + Math.max(2 * rtt, tcpRtoMin(sk));
  } else if (sk.srttUs === 0) {
    // RFC 6298 §5.7: the handshake gave no RTT.
    sk.rttvarUs = TCP_TIMEOUT_FALLBACK * 1000;
    sk.mdevUs = sk.rttvarUs;
    sk.mdevMaxUs = sk.rttvarUs;
    sk.icskRto = TCP_TIMEOUT_FALLBACK;
  }
}

/** RTT: a greater one at once, a smaller one by and by. */
function tcpUpdateMetricsRtt(sk: TcpSock, tm: TcpMetricsBlock): void {
  const m = tm.rtt - sk.srttUs;
  if (m <= 0) tm.rtt = sk.srttUs;
  else tm.rtt -= m >> 3;
  const dev = Math.max((m < 0 ? -m : m) >> 1, sk.mdevUs);
  if (dev >= tm.rttvar) tm.rttvar = dev;
  else tm.rttvar -= (tm.rttvar - dev) >> 2;
}

/** Window and threshold, as far as the state in which the connection ends makes them worth something. */
function tcpUpdateMetricsCwnd(sk: TcpSock, tm: TcpMetricsBlock): void {
  const saveSsthresh = sk.skNet.tcp.sysctlTcpNoSsthreshMetricsSave === 0;
  const cwnd = sk.sndCwnd;
  if (sk.sndSsthresh >= TCP_INFINITE_SSTHRESH) {
    if (saveSsthresh && tm.ssthresh !== 0 && cwnd >> 1 > tm.ssthresh) tm.ssthresh = cwnd >> 1;
    if (cwnd > tm.cwnd) tm.cwnd = cwnd;
  } else if (!tcpInSlowStart(sk) && sk.icskCaState === TCP_CA_Open) {
    if (saveSsthresh) tm.ssthresh = Math.max(cwnd >> 1, sk.sndSsthresh);
    tm.cwnd = (tm.cwnd + cwnd) >> 1;
  } else {
    tm.cwnd = (tm.cwnd + sk.sndSsthresh) >> 1;
    if (saveSsthresh && tm.ssthresh !== 0 && sk.sndSsthresh > tm.ssthresh) tm.ssthresh = sk.sndSsthresh;
  }
}

/** A connection ends: what it has learnt is kept (net.ipv4.tcp_no_metrics_save). */
export function tcpUpdateMetrics(sk: TcpSock): void {
  const tcp = sk.skNet.tcp;
  sk.skDstPendingConfirm = true;
  if (tcp.sysctlTcpNometricsSave !== 0) return;
  if (sk.icskBackoff !== 0 || sk.srttUs === 0) {
    // It ended without an answer: what was known is in doubt.
    const tm = tcpGetMetrics(sk, false);
    if (tm !== null) tm.rtt = 0;
    return;
  }
  const tm = tcpGetMetrics(sk, true);
  if (tm === null) return;
  tm.stamp = sk.skNet.world.jiffies;
  tcpUpdateMetricsRtt(sk, tm);
  tcpUpdateMetricsCwnd(sk, tm);
  if (tm.reordering < sk.reordering && sk.reordering !== tcp.sysctlTcpReordering) tm.reordering = sk.reordering;
}
