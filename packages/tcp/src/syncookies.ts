/*
 * SYN cookies: when the SYN queue is full, a listener keeps nothing of a request; its initial sequence number says what
 * is needed, and the timestamp option the rest.
 *
 * Order of calls: tcpSynqOverflow and secureTcpSynCookie (SYN) → tcpSynqNoRecentOverflow, checkTcpSynCookie,
 * cookieTimestampDecode (the ACK). Read first: RFC 4987 §3.6; RFC 7323 §3 for the timestamp.
 *
 *   sequence number = H(4-tuple) + the peer's + (minute << 24) + ((H(4-tuple, minute) + index of MSS) mod 2²⁴)
 */
import { HZ, siphash4u32 } from '@stack/kernel';
import type { Net, SiphashKey } from '@stack/kernel';
import { TCP_SACK_SEEN } from './tcp-sock.ts';
import type { TcpOptionsReceived, TcpSock } from './tcp-sock.ts';
import type { TcpRequestSock } from './tcp-request-sock.ts';

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
