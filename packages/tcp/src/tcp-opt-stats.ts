/*
 * What SOF_TIMESTAMPING_OPT_STATS adds to a stamp (SCM_TIMESTAMPING_OPT_STATS; tcp_get_timestamping_opt_stats): the connection at that
 * moment, as netlink attributes, TCP_NLA_… (linux/tcp.h; all but EDT, TTL and the rehash counts). In the stack's byte order, which is the
 * network's; tcpOptStatsRead takes them apart.
 *
 * Order of calls: a stamp is queued (tcpAckTstamp, the device) → tcpGetTimestampingOptStats. Read first: socket(7); the kernel's networking/timestamping document.
 */
import { __skbPut, allocSkb } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import type { Sock } from '@stack/socket';
import { tcpGetInfo } from './tcp-info.ts';
import { tcpSk } from './tcp-sock.ts';

/* Types of the attributes; times are µs, rates octets per second. */
export const TCP_NLA_BUSY = 1;
export const TCP_NLA_RWND_LIMITED = 2;
export const TCP_NLA_SNDBUF_LIMITED = 3;
export const TCP_NLA_DATA_SEGS_OUT = 4;
export const TCP_NLA_TOTAL_RETRANS = 5;
export const TCP_NLA_PACING_RATE = 6;
export const TCP_NLA_DELIVERY_RATE = 7;
export const TCP_NLA_SND_CWND = 8;
export const TCP_NLA_REORDERING = 9;
export const TCP_NLA_MIN_RTT = 10;
export const TCP_NLA_RECUR_RETRANS = 11;
export const TCP_NLA_DELIVERY_RATE_APP_LMT = 12;
export const TCP_NLA_SNDQ_SIZE = 13;
export const TCP_NLA_CA_STATE = 14;
export const TCP_NLA_SND_SSTHRESH = 15;
export const TCP_NLA_DELIVERED = 16;
export const TCP_NLA_DELIVERED_CE = 17;
export const TCP_NLA_BYTES_SENT = 18;
export const TCP_NLA_BYTES_RETRANS = 19;
export const TCP_NLA_DSACK_DUPS = 20;
export const TCP_NLA_REORD_SEEN = 21;
export const TCP_NLA_SRTT = 22;
export const TCP_NLA_BYTES_NOTSENT = 24;

const NLA_HDRLEN = 4;

/** [type, octets of the value, value]. */
type Attribute = readonly [type: number, size: 1 | 4 | 8, value: number];

function optStats(sock: Sock): Attribute[] {
  const sk = tcpSk(sock);
  const info = tcpGetInfo(sk);
  return [
    [TCP_NLA_BUSY, 8, info.tcpiBusyTime], [TCP_NLA_RWND_LIMITED, 8, info.tcpiRwndLimited], [TCP_NLA_SNDBUF_LIMITED, 8, info.tcpiSndbufLimited],
    [TCP_NLA_DATA_SEGS_OUT, 8, info.tcpiDataSegsOut], [TCP_NLA_TOTAL_RETRANS, 8, info.tcpiTotalRetrans],
    [TCP_NLA_PACING_RATE, 8, info.tcpiPacingRate], [TCP_NLA_DELIVERY_RATE, 8, info.tcpiDeliveryRate], [TCP_NLA_SND_CWND, 4, info.tcpiSndCwnd],
    [TCP_NLA_REORDERING, 4, info.tcpiReordering], [TCP_NLA_MIN_RTT, 4, info.tcpiMinRtt], [TCP_NLA_RECUR_RETRANS, 1, info.tcpiRetransmits],
    [TCP_NLA_DELIVERY_RATE_APP_LMT, 1, info.tcpiDeliveryRateAppLimited], [TCP_NLA_SND_SSTHRESH, 4, info.tcpiSndSsthresh],
    [TCP_NLA_DELIVERED, 4, info.tcpiDelivered], [TCP_NLA_DELIVERED_CE, 4, info.tcpiDeliveredCe],
    [TCP_NLA_SNDQ_SIZE, 4, Math.max((sk.writeSeq - sk.sndUna) | 0, 0)], [TCP_NLA_CA_STATE, 1, info.tcpiCaState],
    [TCP_NLA_BYTES_SENT, 8, info.tcpiBytesSent], [TCP_NLA_BYTES_RETRANS, 8, info.tcpiBytesRetrans], [TCP_NLA_DSACK_DUPS, 4, info.tcpiDsackDups],
    [TCP_NLA_REORD_SEEN, 4, info.tcpiReordSeen], [TCP_NLA_SRTT, 4, sk.srttUs >> 3], [TCP_NLA_BYTES_NOTSENT, 4, info.tcpiNotsentBytes],
  ];
}

function attributeSize(size: number): number {
  return (NLA_HDRLEN + size + 3) & ~3;
}

/** An sk_buff whose payload is the statistics of the moment; null without memory. */
export function tcpGetTimestampingOptStats(sock: Sock): SkBuff | null {
  const stats = optStats(sock);
  let total = 0;
  for (const [, size] of stats) total += attributeSize(size);
  const skb = allocSkb(sock.skNet, total);
  if (skb === null) return null;
  let at = __skbPut(skb, total);
  const { view } = skb;
  for (const [type, size, value] of stats) {
    view.setUint16(at, NLA_HDRLEN + size);
    view.setUint16(at + 2, type);
    view.setInt32(at + NLA_HDRLEN, 0);
    if (size === 8) view.setBigUint64(at + NLA_HDRLEN, BigInt(Math.trunc(value)));
    else if (size === 4) view.setInt32(at + NLA_HDRLEN, value);
    else view.setUint8(at + NLA_HDRLEN, value);
    at += attributeSize(size);
  }
  return skb;
}

/** The attributes of an SCM_TIMESTAMPING_OPT_STATS control message, by TCP_NLA_…. */
export function tcpOptStatsRead(octets: Uint8Array): Map<number, number> {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const stats = new Map<number, number>();
  for (let at = 0; at + NLA_HDRLEN < octets.length;) {
    const size = view.getUint16(at) - NLA_HDRLEN;
    const value = at + NLA_HDRLEN;
    const number = size === 8 ? Number(view.getBigUint64(value)) : size === 4 ? view.getUint32(value) : view.getUint8(value);
    stats.set(view.getUint16(at + 2), number);
    at += attributeSize(size);
  }
  return stats;
}
