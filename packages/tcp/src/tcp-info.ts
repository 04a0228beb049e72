/*
 * TCP_INFO: what getsockopt and `ss -i` say of a connection (linux/tcp.h, struct tcp_info), as plain data with the
 * kernel's names in camelCase and the kernel's units: times in µs but where the name ends in Last… (ms).
 *
 * Order of calls: tcpGetsockopt → tcpGetInfo. Read first: tcp(7), TCP_INFO; RFC 9293 §3.10.6 (STATUS).
 */
import { jiffiesToMsecs, jiffiesToUsecs } from '@stack/kernel';
import { TCP_LISTEN } from '@stack/socket';
import { tcpGetInfoChronoStats } from './tcp-chrono.ts';
import type { TcpChronoStats } from './tcp-chrono.ts';
import { tcpClockMs } from './tcp-clock.ts';
import { TCP_INFINITE_SSTHRESH } from './tcp-cong.ts';
import { TCP_RTT_MIN_NONE, tcpMinRtt } from './tcp-input-rtt.ts';
import { TCP_ECN_OK, TCP_ECN_SEEN } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** TcpInfo.tcpiOptions */
export const TCPI_OPT_TIMESTAMPS = 1;
export const TCPI_OPT_SACK = 2;
export const TCPI_OPT_WSCALE = 4;
export const TCPI_OPT_ECN = 8;
export const TCPI_OPT_ECN_SEEN = 16;
export const TCPI_OPT_SYN_DATA = 32;
export const TCPI_OPT_TFO_CHILD = 128;

/** What struct tcp_info counts: segments and bytes since the connection began. */
export interface TcpInfoCounters {
  tcpiTotalRetrans: number;
  tcpiBytesAcked: number;
  tcpiBytesReceived: number;
  tcpiSegsOut: number;
  tcpiSegsIn: number;
  tcpiDataSegsIn: number;
  tcpiDataSegsOut: number;
  tcpiDelivered: number;
  tcpiDeliveredCe: number;
  tcpiBytesSent: number;
  tcpiBytesRetrans: number;
  tcpiDsackDups: number;
  tcpiReordSeen: number;
  tcpiRcvOoopack: number;
  /** Times that the flow got another hash (TcpTimeoutRehash). */
  tcpiRehash: number;
  tcpiTotalRto: number;
  tcpiTotalRtoRecoveries: number;
  /** ms */
  tcpiTotalRtoTime: number;
}

/** struct tcp_info. */
export interface TcpInfo extends TcpInfoCounters, TcpChronoStats {
  tcpiState: number;
  tcpiCaState: number;
  tcpiRetransmits: number;
  tcpiProbes: number;
  tcpiBackoff: number;
  tcpiOptions: number;
  tcpiSndWscale: number;
  tcpiRcvWscale: number;
  tcpiDeliveryRateAppLimited: number;
  /** What became of the client's Fast Open (TFO_*). */
  tcpiFastopenClientFail: number;
  tcpiRto: number;
  tcpiAto: number;
  tcpiSndMss: number;
  tcpiRcvMss: number;
  tcpiUnacked: number;
  tcpiSacked: number;
  tcpiLost: number;
  tcpiRetrans: number;
  tcpiFackets: number;
  tcpiLastDataSent: number;
  tcpiLastAckSent: number;
  tcpiLastDataRecv: number;
  tcpiLastAckRecv: number;
  tcpiPmtu: number;
  tcpiRcvSsthresh: number;
  tcpiRtt: number;
  tcpiRttvar: number;
  tcpiSndSsthresh: number;
  tcpiSndCwnd: number;
  tcpiAdvmss: number;
  tcpiReordering: number;
  tcpiRcvRtt: number;
  tcpiRcvSpace: number;
  tcpiPacingRate: number;
  tcpiMaxPacingRate: number;
  tcpiNotsentBytes: number;
  tcpiMinRtt: number;
  tcpiDeliveryRate: number;
  tcpiSndWnd: number;
  tcpiRcvWnd: number;
}

function tcpInfoOptions(sk: TcpSock): number {
  const rx = sk.rxOpt;
  let options = 0;
  if (rx.tstampOk) options |= TCPI_OPT_TIMESTAMPS;
  if (rx.sackOk !== 0) options |= TCPI_OPT_SACK;
  if (rx.wscaleOk) options |= TCPI_OPT_WSCALE;
  if ((sk.ecnFlags & TCP_ECN_OK) !== 0) options |= TCPI_OPT_ECN;
  if ((sk.ecnFlags & TCP_ECN_SEEN) !== 0) options |= TCPI_OPT_ECN_SEEN;
  if (sk.rare?.tfo?.synDataAcked === true) options |= TCPI_OPT_SYN_DATA;
  if (sk.rare?.tfo?.synFastopenChild === true) options |= TCPI_OPT_TFO_CHILD;
  return options;
}

/** Delivery rate of the last sample in bytes per second, 0 for none. */
export function tcpComputeDeliveryRate(sk: TcpSock): number {
  if (sk.rateDelivered === 0 || sk.rateIntervalUs <= 0) return 0;
  return Math.floor((sk.rateDelivered * sk.mssCache * 1_000_000) / sk.rateIntervalUs);
}

function tcpInfoCounters(sk: TcpSock): TcpInfoCounters {
  const stats = sk.rare?.rtoStats ?? null;
  return {
    tcpiTotalRetrans: sk.totalRetrans,
    tcpiBytesAcked: sk.bytesAcked + 0,
    tcpiBytesReceived: sk.bytesReceived + 0,
    tcpiSegsOut: sk.segsOut,
    tcpiSegsIn: sk.segsIn,
    tcpiDataSegsIn: sk.dataSegsIn,
    tcpiDataSegsOut: sk.dataSegsOut,
    tcpiDelivered: sk.delivered,
    tcpiDeliveredCe: sk.deliveredCe,
    tcpiBytesSent: sk.bytesSent + 0,
    tcpiBytesRetrans: sk.bytesRetrans + 0,
    tcpiDsackDups: sk.dsackDups,
    tcpiReordSeen: sk.reordSeen,
    tcpiRcvOoopack: sk.rcvOoopack,
    tcpiRehash: stats === null ? 0 : stats.timeoutRehash,
    tcpiTotalRto: stats === null ? 0 : stats.totalRto,
    tcpiTotalRtoRecoveries: stats === null ? 0 : stats.totalRtoRecoveries,
    tcpiTotalRtoTime: stats === null ? 0 : stats.totalRtoTime + (stats.rtoStamp === 0 ? 0 : (tcpClockMs(sk.skNet) - stats.rtoStamp) | 0),
  };
}

/** What a listener fills; all else is 0. */
const LISTENER_FIELDS: ReadonlySet<string> = new Set(['tcpiState', 'tcpiPacingRate', 'tcpiMaxPacingRate', 'tcpiReordering', 'tcpiSndCwnd']);

/** A listener has no connection to tell of: its queues stand in two fields of segments. */
function tcpInfoListener(sk: TcpSock, info: TcpInfo): void {
  for (const name of Object.keys(info)) if (!LISTENER_FIELDS.has(name)) Reflect.set(info, name, 0);
  info.tcpiUnacked = sk.skAckBacklog;
  info.tcpiSacked = sk.skMaxAckBacklog;
}

/** TCP_INFO of a sock. */
export function tcpGetInfo(sk: TcpSock): TcpInfo {
  const rx = sk.rxOpt;
  const now = sk.skNet.world.jiffies;
  const listens = sk.skState === TCP_LISTEN;
  const minRtt = tcpMinRtt(sk);
  const info: TcpInfo = {
    tcpiState: sk.skState,
    tcpiCaState: sk.icskCaState,
    tcpiRetransmits: sk.icskRetransmits,
    tcpiProbes: sk.icskProbesOut,
    tcpiBackoff: sk.icskBackoff,
    tcpiOptions: tcpInfoOptions(sk),
    tcpiSndWscale: rx.wscaleOk ? rx.sndWscale : 0,
    tcpiRcvWscale: rx.wscaleOk ? rx.rcvWscale : 0,
    tcpiDeliveryRateAppLimited: sk.rateAppLimited !== 0 ? 1 : 0,
    tcpiFastopenClientFail: sk.rare?.tfo?.fastopenClientFail ?? 0,
    tcpiRto: jiffiesToUsecs(sk.icskRto),
    tcpiAto: jiffiesToUsecs(sk.icskAckAto),
    tcpiSndMss: sk.mssCache,
    tcpiRcvMss: sk.icskAckRcvMss,
    tcpiUnacked: sk.packetsOut,
    tcpiSacked: sk.sackedOut,
    tcpiLost: sk.lostOut,
    tcpiRetrans: sk.retransOut,
    tcpiFackets: 0,
    tcpiLastDataSent: jiffiesToMsecs((now - sk.lsndtime) >>> 0),
    tcpiLastAckSent: 0,
    tcpiLastDataRecv: jiffiesToMsecs((now - sk.icskAckLrcvtime) >>> 0),
    tcpiLastAckRecv: jiffiesToMsecs((now - sk.rcvTstamp) >>> 0),
    tcpiPmtu: sk.icskPmtuCookie,
    tcpiRcvSsthresh: sk.rcvSsthresh,
    tcpiRtt: sk.srttUs >> 3,
    tcpiRttvar: sk.mdevUs >> 2,
    tcpiSndSsthresh: sk.sndSsthresh >= TCP_INFINITE_SSTHRESH ? TCP_INFINITE_SSTHRESH : sk.sndSsthresh,
    tcpiSndCwnd: sk.sndCwnd,
    tcpiAdvmss: sk.advmss,
    tcpiReordering: sk.reordering,
    tcpiRcvRtt: sk.rcvRttEstUs >> 3,
    tcpiRcvSpace: sk.rcvqSpaceSpace,
    tcpiPacingRate: sk.skPacingRate,
    tcpiMaxPacingRate: sk.skMaxPacingRate,
    tcpiNotsentBytes: Math.max((sk.writeSeq - sk.sndNxt) | 0, 0),
    tcpiMinRtt: minRtt === TCP_RTT_MIN_NONE ? 0xffffffff : minRtt,
    tcpiDeliveryRate: tcpComputeDeliveryRate(sk),
    tcpiSndWnd: sk.sndWnd,
    tcpiRcvWnd: sk.rcvWnd,
    ...tcpInfoCounters(sk),
    ...tcpGetInfoChronoStats(sk),
  };
  if (listens) tcpInfoListener(sk, info);
  return info;
}
