/*
 * The SYN-ACK of a listener: built from a request, not from a socket.
 *
 * Order of calls: tcpConnRequest → afSpecific.sendSynack (carrier) → tcpMakeSynack; tcpRtxSynack from the request's
 * timer and for a repeated SYN. Read first: RFC 9293 §3.10.7.2; RFC 7323 §2.2, §3.2.
 */
import {
  CHECKSUM_PARTIAL, __skbPush, __skbReserve, allocSkb, dstClone, skbDstSet, skbResetTransportHeader,
} from '@stack/skbuff';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import { skbSetOwnerW } from '@stack/socket';
import { tcpClockMs, tcpClockUs } from './tcp-clock.ts';
import { MAX_TCP_HEADER } from './tcp-consts.ts';
import { tcpFastopenCookieCopy } from './tcp-fastopen-cookie.ts';
import { TCP_HDR_LEN, TH_OFF_FLAGS } from './tcp-hdr.ts';
import { LINUX_MIB_TCPSYNRETRANS, TCP_MIB_OUTSEGS, TCP_MIB_RETRANSSEGS } from './tcp-mib.ts';
import { netIncStats, tcpIncStats } from './netns-tcp.ts';
import { tcpMd5Lookup, tcpMd5SignSkb } from './tcp-md5.ts';
import { tcpDstAdvmss, tcpMssClamp } from './tcp-output-mss.ts';
import { tcpOutOptionsSize, tcpOutOptionsWrite } from './tcp-output-options.ts';
import type { TcpOutOptions } from './tcp-output-options.ts';
import { TCP_SYNACK_COOKIE, TCP_SYNACK_NORMAL } from './tcp-request-sock.ts';
import type { TcpRequestSock } from './tcp-request-sock.ts';
import { TCPHDR_ACK, TCPHDR_ECE, TCPHDR_SYN } from './tcp-skb-cb.ts';
import type { TcpSock } from './tcp-sock.ts';
import { cookieInitTimestamp } from './syncookies.ts';

/** What the SYN-ACK agrees to: of the SYN's offer, what this side wants too. */
function tcpSynackOptions(sk: TcpSock, req: TcpRequestSock, mss: number, type: number): TcpOutOptions {
  const opts = sk.skNet.tcp.outOptions;
  const ms = tcpClockMs(sk.skNet);
  opts.mss = mss;
  opts.ws = req.wscaleOk ? req.rcvWscale : -1;
  opts.md5 = tcpMd5Lookup(sk, req) !== null;
  // With a signature and timestamps SACK blocks would have no room: SACK is worth more.
  if (opts.md5 && type !== TCP_SYNACK_COOKIE && req.sackOk) req.tstampOk = false;
  opts.tstampOk = req.tstampOk;
  opts.tsval = ((type === TCP_SYNACK_COOKIE ? cookieInitTimestamp(req, ms) : ms) + req.tsOff) | 0;
  opts.tsecr = req.tsRecent;
  opts.sackOk = req.sackOk;
  if (req.fastopenCookie === null) opts.fastopen.val = null;
  else tcpFastopenCookieCopy(opts.fastopen, req.fastopenCookie);
  if (req.tstampOk) {
    if (req.sntTsvalFirst === 0) req.sntTsvalFirst = opts.tsval;
    req.sntTsvalLast = opts.tsval;
  }
  return opts;
}

/**
 * The SYN-ACK of a request: TCP header and options, checksum left to the carrier; its ports are the request's.
 * @param dst route, or null; the sk_buff gets a reference of its own
 * @param type TCP_SYNACK_*
 * @returns the caller's sk_buff, or null without memory
 */
export function tcpMakeSynack(sk: TcpSock, dst: DstEntry | null, req: TcpRequestSock, type: number): SkBuff | null {
  const skb = allocSkb(sk.skNet, MAX_TCP_HEADER);
  if (skb === null) return null;
  __skbReserve(skb, MAX_TCP_HEADER);
  // A flood must not use up the listener's send buffer.
  if (type !== TCP_SYNACK_COOKIE) skbSetOwnerW(skb, sk);
  if (dst !== null) skbDstSet(skb, dstClone(dst));

  const opts = tcpSynackOptions(sk, req, tcpMssClamp(sk, tcpDstAdvmss(sk, dst)), type);
  const headerSize = TCP_HDR_LEN + tcpOutOptionsSize(opts);
  const at = __skbPush(skb, headerSize);
  skbResetTransportHeader(skb);
  skb.mark = req.irMark;
  skb.ipSummed = CHECKSUM_PARTIAL;
  if (req.sntSynack === 0) {
    const us = tcpClockUs(sk.skNet);
    req.sntSynack = us === 0 ? 1 : us;
  }
  const flags = TCPHDR_SYN | TCPHDR_ACK | (req.ecnOk ? TCPHDR_ECE : 0);
  const window = Math.min(req.rskRcvWnd, 0xffff);
  const view = skb.view;
  view.setInt32(at, (req.inetNum << 16) | req.inetDport);
  view.setInt32(at + 4, req.sntIsn);
  view.setInt32(at + 8, req.rcvNxt);
  view.setInt32(at + TH_OFF_FLAGS, (headerSize << 26) | (flags << 16) | window);
  view.setInt32(at + 16, 0);
  tcpOutOptionsWrite(opts, view, at + TCP_HDR_LEN);
  if (opts.md5) tcpMd5SignSkb(sk, req, skb);
  tcpIncStats(sk.skNet, TCP_MIB_OUTSEGS);
  return skb;
}

/** Sends the SYN-ACK of a request again. @returns 0 or -errno */
export function tcpRtxSynack(sk: TcpSock, req: TcpRequestSock): number {
  const err = req.afSpecific.sendSynack(sk, null, req, TCP_SYNACK_NORMAL, null);
  if (err !== 0) return err;
  tcpIncStats(sk.skNet, TCP_MIB_RETRANSSEGS);
  netIncStats(sk.skNet, LINUX_MIB_TCPSYNRETRANS);
  sk.totalRetrans = (sk.totalRetrans + 1) | 0;
  return 0;
}
