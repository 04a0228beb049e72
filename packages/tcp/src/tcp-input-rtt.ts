/*
 * Round-trip time and the retransmission timeout.
 *
 * Order of calls: tcpCleanRtxQueue → tcpAckUpdateRtt → tcpUpdateRttMin, tcpRttEstimator, tcpSetRto;
 * tcpSynackRttMeas at the end of a passive handshake. Times in µs; srttUs is 8 times, mdevUs 4 times the value.
 * Read first: RFC 6298 (with Karn's rule in §3), RFC 7323 §4.
 */
import { HZ, jiffiesToUsecs, usecsToJiffies } from '@stack/kernel';
import type { TcpSacktagState } from './tcp-ack-state.ts';
import { tcpClockMs, tcpMstampRefresh, tcpStampUsDelta } from './tcp-clock.ts';
import { FLAG_ACKED, FLAG_ACK_MAYBE_DELAYED, FLAG_SYN_ACKED } from './tcp-consts.ts';
import type { TcpRequestSock } from './tcp-request-sock.ts';
import { after } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { minmaxRunningMin } from './win-minmax.ts';

/** "No minimum yet". */
export const TCP_RTT_MIN_NONE = 0x7fffffff;

/** The longest RTT that the estimators hold in int32: 268 s. */
const MAX_RTT_US = 0x0fffffff;

/** Least RTO of the socket, jiffies. */
export function tcpRtoMin(sk: TcpSock): number {
  return sk.opts.rtoMin !== 0 ? sk.opts.rtoMin : Math.ceil(sk.skNet.tcp.sysctlTcpRtoMinUs / 1000);
}

/** Least RTO of the socket, µs. */
export function tcpRtoMinUs(sk: TcpSock): number {
  return jiffiesToUsecs(tcpRtoMin(sk));
}

/** Greatest RTO of the socket, jiffies. */
export function tcpRtoMax(sk: TcpSock): number {
  return sk.opts.rtoMax !== 0 ? sk.opts.rtoMax : sk.skNet.tcp.sysctlTcpRtoMaxMs;
}

/**
 * RFC 6298 §2: SRTT and RTTVAR from one measurement.
 * As Linux: the variance follows a falling RTT slowly (1/32), is the largest of the last round trip, decays once a
 * round trip, and is never less than the minimum RTO.
 */
export function tcpRttEstimator(sk: TcpSock, mrttUs: number): void {
  const rtt = Math.min(mrttUs, MAX_RTT_US);
  let srtt = sk.srttUs;
  if (srtt === 0) {
    srtt = rtt << 3;
    sk.mdevUs = rtt << 1;
    sk.rttvarUs = Math.max(sk.mdevUs, tcpRtoMinUs(sk));
    sk.mdevMaxUs = sk.rttvarUs;
    sk.rttSeq = sk.sndNxt;
  } else {
    let m = rtt - (srtt >> 3);
    srtt += m;
    if (m < 0) {
      m = -m - (sk.mdevUs >> 2);
      if (m > 0) m >>= 3;
    } else {
      m -= sk.mdevUs >> 2;
    }
    sk.mdevUs += m;
    if (sk.mdevUs > sk.mdevMaxUs) {
      sk.mdevMaxUs = sk.mdevUs;
      if (sk.mdevMaxUs > sk.rttvarUs) sk.rttvarUs = sk.mdevMaxUs;
    }
    if (after(sk.sndUna, sk.rttSeq)) {
      if (sk.mdevMaxUs < sk.rttvarUs) sk.rttvarUs -= (sk.rttvarUs - sk.mdevMaxUs) >> 2;
      sk.rttSeq = sk.sndNxt;
      sk.mdevMaxUs = tcpRtoMinUs(sk);
    }
  }
  sk.srttUs = srtt > 1 ? srtt : 1;
}

/** RTO = SRTT + 4 · RTTVAR (RFC 6298 §2.3), in jiffies, bounded. */
export function tcpSetRto(sk: TcpSock): void {
  const rto = usecsToJiffies((sk.srttUs >> 3) + sk.rttvarUs);
  const max = tcpRtoMax(sk);
  sk.icskRto = rto > max ? max : rto;
}

/** Rate at which fq or the engine would pace: twice the window per RTT in slow start, 1.2 times later; bytes/s. */
export function tcpUpdatePacingRate(sk: TcpSock): void {
  const tcp = sk.skNet.tcp;
  const slow = sk.sndCwnd < sk.sndSsthresh >> 1;
  const ratio = slow ? tcp.sysctlTcpPacingSsRatio : tcp.sysctlTcpPacingCaRatio;
  const packets = Math.max(sk.sndCwnd, sk.packetsOut);
  let rate = (sk.mssCache * 8_000_000 * ratio * packets) / 100;
  if (sk.srttUs !== 0) rate /= sk.srttUs;
  sk.skPacingRate = Math.min(Math.floor(rate), sk.skMaxPacingRate);
}

// --- Windowed minimum ------------------------------------------------------------------------------------------

/** Least RTT of the last net.ipv4.tcp_min_rtt_wlen seconds, µs; TCP_RTT_MIN_NONE before the first. */
export function tcpMinRtt(sk: TcpSock): number {
  return sk.rttMin.v0;
}

/** Takes one RTT into the windowed minimum. */
export function tcpUpdateRttMin(sk: TcpSock, rtt: number, flag: number): void {
  const { rttMin } = sk;
  if ((flag & FLAG_ACK_MAYBE_DELAYED) !== 0 && rtt > rttMin.v0) return;
  const win = sk.skNet.tcp.sysctlTcpMinRttWlen * HZ;
  minmaxRunningMin(rttMin, win, sk.skNet.world.jiffies, rtt !== 0 ? rtt : jiffiesToUsecs(1));
}

// --- Measurements ---------------------------------------------------------------------------------------------

/** RTT in µs by the echoed timestamp (RFC 7323 §4.1), at least `minDelta` ms; -1 if it makes no sense. */
export function tcpRttTsoptUs(sk: TcpSock, minDelta: number): number {
  const delta = (tcpClockMs(sk.skNet) - sk.rxOpt.rcvTsecr) | 0;
  if (delta < 0 || delta >= 0x7fffffff / 1000) return -1;
  return (delta === 0 ? minDelta : delta) * 1000;
}

/**
 * An ACK took segments off the queue: its RTT enters the estimators.
 * @param seqRttUs RTT of the first segment that was cumulatively acknowledged and sent once, -1 if there is none (Karn)
 * @param sackRttUs the same for SACKed segments @param caRttUs RTT of the last one, for congestion control
 * @returns whether there was a measurement
 */
export function tcpAckUpdateRtt(
  sk: TcpSock, st: TcpSacktagState, flag: number, seqRttUs: number, sackRttUs: number, caRttUs: number,
): boolean {
  let seqRtt = seqRttUs < 0 ? sackRttUs : seqRttUs;
  let caRtt = caRttUs;
  // RFC 7323 §4.1: only a segment that acknowledges new data measures.
  if (seqRtt < 0 && sk.rxOpt.sawTstamp && sk.rxOpt.rcvTsecr !== 0 && (flag & FLAG_ACKED) !== 0) {
    seqRtt = tcpRttTsoptUs(sk, 1);
    caRtt = seqRtt;
  }
  st.rate.rttUs = caRtt;
  if (seqRtt < 0) return false;
  tcpUpdateRttMin(sk, caRtt, flag);
  tcpRttEstimator(sk, seqRtt);
  tcpSetRto(sk);
  // RFC 6298 §5.7: a new measurement ends the backoff.
  sk.icskBackoff = 0;
  return true;
}

/**
 * The RTT of a passive handshake, unless the SYN-ACK was sent twice, or never noted (SYN cookie): then by timestamps.
 * @param req the request, if it is still known
 */
export function tcpSynackRttMeas(sk: TcpSock, req: TcpRequestSock | null): void {
  const st = sk.skNet.tcp.sacktagState;
  let rtt = -1;
  if (req !== null && req.numRetrans === 0 && req.sntSynack !== 0) {
    tcpMstampRefresh(sk);
    rtt = tcpStampUsDelta(sk.tcpMstamp, req.sntSynack);
  }
  tcpAckUpdateRtt(sk, st, FLAG_SYN_ACKED, rtt, -1, rtt);
}
