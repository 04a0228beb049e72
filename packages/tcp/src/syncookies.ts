/*
 * SYN cookies: when the SYN queue is full, a listener keeps nothing of a request; its initial sequence number says what
 * is needed, and the timestamp option the rest.
 *
 * Order of calls: tcpSynqOverflow, cookieInitSequence, cookieInitTimestamp (SYN) → tcpCookieCheck (the ACK) →
 * tcpGetCookieSock. Read first: RFC 4987 §3.6; RFC 7323 §3 for the timestamp.
 *
 *   sequence number = H(4-tuple) + the peer's + (minute << 24) + ((H(4-tuple, minute) + index of MSS) mod 2²⁴)
 */
import type { RequestSockOps } from '@stack/inet-sock';
import { HZ, randomU32, siphash4u32 } from '@stack/kernel';
import type { Net, SiphashKey } from '@stack/kernel';
import type { SkBuff } from '@stack/skbuff';
import { secureTcpTsOff } from './secure-seq.ts';
import { TCP_MSS_DEFAULT } from './tcp-consts.ts';
import { thDest, thSource } from './tcp-hdr.ts';
import { tcpParseOptions } from './tcp-input-opt.ts';
import { LINUX_MIB_SYNCOOKIESFAILED, LINUX_MIB_SYNCOOKIESRECV, LINUX_MIB_SYNCOOKIESSENT } from './tcp-mib.ts';
import { tcpGetCookieSock, tcpSelectReqWindow } from './tcp-minisocks.ts';
import { netIncStats } from './netns-tcp.ts';
import { TcpRequestSock } from './tcp-request-sock.ts';
import type { TcpRequestSockOps } from './tcp-request-sock.ts';
import { TCPHDR_ACK, TCPHDR_RST, TCPHDR_SYN, tcbAckSeq, tcbIpDsfield, tcbSeq, tcbTcpFlags } from './tcp-skb-cb.ts';
import { TCP_SACK_SEEN } from './tcp-sock.ts';
import type { TcpOptionsReceived, TcpSock } from './tcp-sock.ts';

const COOKIEBITS = 24;
const COOKIEMASK = (1 << COOKIEBITS) - 1;
/** A cookie is good for the minute it was made in and the next. */
const MAX_SYNCOOKIE_AGE = 2;
const TCP_SYNCOOKIE_PERIOD = 60 * HZ;
const TCP_SYNCOOKIE_VALID = MAX_SYNCOOKIE_AGE * TCP_SYNCOOKIE_PERIOD;

/** The low bits of the timestamp: window scale (15: none), SACK, ECN. */
const TSBITS = 6;
const TSMASK = (1 << TSBITS) - 1;
const TS_OPT_WSCALE_MASK = 0xf;
const TS_OPT_SACK = 1 << 4;
const TS_OPT_ECN = 1 << 5;

/** The MSS that IPv4's cookies can say, ascending. */
export const msstab: readonly number[] = [536, 1300, 1440, 1460];

/** The index of the largest entry that is not above mss. */
export function cookieMssIndex(mss: number): number {
  let index = msstab.length - 1;
  while (index > 0 && mss < (msstab[index] ?? 0)) index--;
  return index;
}

/** Minutes on the clock of cookies. */
function tcpCookieTime(net: Net): number {
  return Math.floor(net.world.now / (TCP_SYNCOOKIE_PERIOD * 1_000_000)) | 0;
}

function cookieHash(key: SiphashKey, saddr: number, daddr: number, ports: number, count: number, which: number): number {
  return siphash4u32(saddr, daddr, ports, (count << 1) | which, key);
}

/** The initial sequence number for a SYN from saddr, sequence number sseq; data: 24 bits that checkTcpSynCookie gives back. */
export function secureTcpSynCookie(
  net: Net, saddr: number, daddr: number, sport: number, dport: number, sseq: number, data: number,
): number {
  const key = net.tcp.syncookieSecret;
  const ports = (sport << 16) | dport;
  const count = tcpCookieTime(net);
  const low = (cookieHash(key, saddr, daddr, ports, count, 1) + data) & COOKIEMASK;
  return (cookieHash(key, saddr, daddr, ports, 0, 0) + sseq + (count << COOKIEBITS) + low) | 0;
}

/** What a cookie says; -1 when it is none of ours, or too old. May be garbage when the cookie is: the caller checks the range. */
export function checkTcpSynCookie(
  net: Net, cookie: number, saddr: number, daddr: number, sport: number, dport: number, sseq: number,
): number {
  const key = net.tcp.syncookieSecret;
  const ports = (sport << 16) | dport;
  const count = tcpCookieTime(net);
  const rest = (cookie - cookieHash(key, saddr, daddr, ports, 0, 0) - sseq) | 0;
  const age = (count - (rest >>> COOKIEBITS)) & 0xff;
  if (age >= MAX_SYNCOOKIE_AGE) return -1;
  return (rest - cookieHash(key, saddr, daddr, ports, (count - age) | 0, 1)) & COOKIEMASK;
}

/** The listener's SYN queue overflowed now: for a while its ACKs may be answers to cookies. A listener has no other use for the field. */
export function tcpSynqOverflow(sk: TcpSock): void {
  const now = sk.skNet.world.jiffies;
  sk.rxOpt.tsRecentStamp = now === 0 ? 1 : now;
}

/** No cookie that this listener sent can still be good. */
export function tcpSynqNoRecentOverflow(sk: TcpSock): boolean {
  const last = sk.rxOpt.tsRecentStamp;
  if (last === 0) return true;
  const elapsed = (sk.skNet.world.jiffies - last) | 0;
  return elapsed < 0 || elapsed > TCP_SYNCOOKIE_VALID;
}

/** The timestamp (ms, without offset) that a cookie's SYN-ACK carries at `now`: its low bits say what was negotiated. */
export function cookieInitTimestamp(req: TcpRequestSock, now: number): number {
  let options = req.wscaleOk ? req.sndWscale & TS_OPT_WSCALE_MASK : TS_OPT_WSCALE_MASK;
  if (req.sackOk) options |= TS_OPT_SACK;
  if (req.ecnOk) options |= TS_OPT_ECN;
  const ts = (now & ~TSMASK) | options;
  // It must not run ahead of the clock.
  return ((ts - now) | 0) > 0 ? (ts - (1 << TSBITS)) | 0 : ts;
}

/** Sets opt to what the echoed timestamp (offset taken off) says. False when it cannot be from one of our cookies. */
export function cookieTimestampDecode(net: Net, opt: TcpOptionsReceived): boolean {
  opt.sackOk = 0;
  opt.wscaleOk = false;
  opt.sndWscale = 0;
  if (!opt.sawTstamp) return true;
  if (net.tcp.sysctlTcpTimestamps === 0) return false;
  const options = opt.rcvTsecr;
  if ((options & TS_OPT_SACK) !== 0) {
    if (net.tcp.sysctlTcpSack === 0) return false;
    opt.sackOk = TCP_SACK_SEEN;
  }
  if ((options & TS_OPT_WSCALE_MASK) === TS_OPT_WSCALE_MASK) return true;
  opt.wscaleOk = true;
  opt.sndWscale = options & TS_OPT_WSCALE_MASK;
  return net.tcp.sysctlTcpWindowScaling !== 0;
}

/** Whether the echoed timestamp says that the SYN offered ECN. */
export function cookieEcnOk(net: Net, opt: TcpOptionsReceived): boolean {
  return opt.sawTstamp && (opt.rcvTsecr & TS_OPT_ECN) !== 0 && net.tcp.sysctlTcpEcn !== 0;
}

/** The cookie for a SYN from saddr to daddr; rounds req.mss down to what a cookie can say. */
export function cookieInitSequence(skb: SkBuff, saddr: number, daddr: number, req: TcpRequestSock): number {
  const index = cookieMssIndex(req.mss);
  req.mss = msstab[index] ?? TCP_MSS_DEFAULT;
  netIncStats(skb.net, LINUX_MIB_SYNCOOKIESSENT);
  return secureTcpSynCookie(skb.net, saddr, daddr, thSource(skb), thDest(skb), tcbSeq(skb), index);
}

/** Whether an ACK can be the answer to a cookie of this listener at all. */
function cookieMayBe(sk: TcpSock, skb: SkBuff): boolean {
  if (sk.skNet.tcp.sysctlTcpSyncookies === 0) return false;
  if ((tcbTcpFlags(skb) & (TCPHDR_SYN | TCPHDR_ACK | TCPHDR_RST)) !== TCPHDR_ACK) return false;
  return !tcpSynqNoRecentOverflow(sk);
}

/** The options that the cookie's SYN had, from the echoed timestamp, into net.tcp.tmpOpt. */
function cookieOptions(net: Net, skb: SkBuff, tsOff: number): boolean {
  const opt = net.tcp.tmpOpt;
  opt.sawTstamp = false;
  tcpParseOptions(net, skb, opt, false);
  if (opt.sawTstamp && opt.rcvTsecr !== 0) opt.rcvTsecr = (opt.rcvTsecr - tsOff) | 0;
  return cookieTimestampDecode(net, opt);
}

/** Fills req with what the cookie stands for. */
function cookieFillRequest(req: TcpRequestSock, sk: TcpSock, skb: SkBuff, mss: number, tsOff: number): void {
  const net = sk.skNet;
  const opt = net.tcp.tmpOpt;
  req.rskListener = sk;
  req.rcvIsn = (tcbSeq(skb) - 1) | 0;
  req.rcvNxt = tcbSeq(skb);
  req.sntIsn = (tcbAckSeq(skb) - 1) | 0;
  req.tsOff = tsOff;
  req.txhash = randomU32(net.world.random) | 1;
  req.mss = mss;
  req.inetNum = thDest(skb);
  req.inetDport = thSource(skb);
  req.irMark = sk.skMark;
  req.irIif = sk.skBoundDevIf;
  req.skBoundDevIf = sk.skBoundDevIf;
  req.synTos = tcbIpDsfield(skb);
  req.sndWscale = opt.sndWscale;
  req.sackOk = opt.sackOk !== 0;
  req.wscaleOk = opt.wscaleOk;
  req.tstampOk = opt.sawTstamp;
  req.tsRecent = opt.sawTstamp ? opt.rcvTsval : 0;
  req.ecnOk = cookieEcnOk(net, opt);
}

/**
 * An ACK from saddr to daddr for a listener: is it the answer to a cookie? Then the child that the cookie stands for; sk
 * when it is not; null when it was, and nothing came of it. skb stays the caller's.
 */
export function tcpCookieCheck(
  sk: TcpSock, skb: SkBuff, saddr: number, daddr: number, rskOps: RequestSockOps, afOps: TcpRequestSockOps,
): TcpSock | null {
  const net = sk.skNet;
  if (!cookieMayBe(sk, skb)) return sk;
  const cookie = (tcbAckSeq(skb) - 1) | 0;
  const isn = (tcbSeq(skb) - 1) | 0;
  const mss = msstab[checkTcpSynCookie(net, cookie, saddr, daddr, thSource(skb), thDest(skb), isn)];
  if (mss === undefined) {
    netIncStats(net, LINUX_MIB_SYNCOOKIESFAILED);
    return sk;
  }
  netIncStats(net, LINUX_MIB_SYNCOOKIESRECV);
  const tsOff = secureTcpTsOff(net, daddr, saddr);
  if (!cookieOptions(net, skb, tsOff)) return sk;
  const req = new TcpRequestSock(net, rskOps, afOps);
  cookieFillRequest(req, sk, skb, mss, tsOff);
  const dst = afOps.routeReq(sk, skb, req);
  if (dst === null && afOps.hasRoutes) return null;
  // Not what the SYN-ACK has offered, but whole segments of the peer's.
  tcpSelectReqWindow(req, sk, dst, req.mss);
  return tcpGetCookieSock(sk, skb, req, dst);
}
