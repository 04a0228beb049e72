/*
 * TIME_WAIT: tcpTimeWait makes the small sock that takes a connection's place, tcpTimewaitStateProcess says what a
 * segment means to it, tcpTwskUnique whether connect() may use its four-tuple again. (Part of the kernel's
 * tcp_minisocks.c and tcp_ipv4.c.)
 *
 * Order of calls: tcpFin, tcpRcvStateProcess, tcpClose → tcpTimeWait; then tcpRcvTimewait → tcpTimewaitStateProcess, until its timer.
 * Read first: RFC 9293 §3.6.1, §3.10.7.4; RFC 6191 (reuse by timestamps); RFC 1337 (resets); RFC 7323 §5.
 */
import {
  inetTwskAllowed, inetTwskDeschedulePut, inetTwskHashdance, inetTwskInit, inetTwskReschedule, inetTwskSchedule,
} from '@stack/inet-sock';
import type { InetConnectionSock, InetTimewaitSock, InetTwskOps } from '@stack/inet-sock';
import type { Net } from '@stack/kernel';
import type { SkBuff } from '@stack/skbuff';
import { TCP_FIN_WAIT2, TCP_TIME_WAIT } from '@stack/socket';
import { tcpClockMs, tcpClockSeconds } from './tcp-clock.ts';
import { TCP_TIMEWAIT_LEN } from './tcp-consts.ts';
import { TCP_HDR_LEN, thHdrLen } from './tcp-hdr.ts';
import { tcpParseOptions, tcpPawsReject } from './tcp-input-opt.ts';
import {
  LINUX_MIB_PAWS_TW_REJECTED, LINUX_MIB_TCPACKSKIPPEDFINWAIT2, LINUX_MIB_TCPACKSKIPPEDTIMEWAIT, LINUX_MIB_TCPTIMEWAITOVERFLOW,
  LINUX_MIB_TIMEWAITED, LINUX_MIB_TIMEWAITKILLED, LINUX_MIB_TIMEWAITRECYCLED,
} from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpOowRateLimited, tcpOowStamp } from './tcp-oow.ts';
import { TcpTimewaitSock, tcpTwsk } from './tcp-request-sock.ts';
import { TCPHDR_ACK, TCPHDR_FIN, TCPHDR_RST, TCPHDR_SYN, after, before, tcbEndSeq, tcbSeq, tcbTcpFlags } from './tcp-skb-cb.ts';
import { tcpMd5KeyCopy } from './tcp-md5.ts';
import { tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpReceiveWindow } from './tcp-space.ts';
import { tcpDone } from './tcp.ts';

/** What tcpTimewaitStateProcess wants done with the segment: nothing, a reset, an ACK, a new connection. */
export const TCP_TW_SUCCESS = 0;
export const TCP_TW_RST = 1;
export const TCP_TW_ACK = 2;
export const TCP_TW_SYN = 3;

/**
 * Ends sk and leaves a time-wait sock in its place. `state`: TCP_TIME_WAIT, or TCP_FIN_WAIT2 for an orphan whose peer has
 * not closed yet, which rests `timeo` jiffies.
 */
export function tcpTimeWait(sk: TcpSock, state: number, timeo: number): void {
  const hashinfo = sk.skNet.tcp.hashinfo;
  if (inetTwskAllowed(hashinfo)) {
    const tw = new TcpTimewaitSock(sk.skNet, sk.skProt, sk.afSpecific);
    inetTwskInit(tw, sk, state);
    tcpTwskFill(tw, sk);
    // Long enough for the peer to retransmit what it has not heard an ACK for.
    const rto = (sk.icskRto << 2) - (sk.icskRto >> 1);
    const rest = state === TCP_TIME_WAIT ? TCP_TIMEWAIT_LEN : Math.max(timeo, rto);
    inetTwskHashdance(tw, sk);
    inetTwskSchedule(tw, rest);
  } else {
    // Too many rest already: closed at once, at the risk of old segments.
    netIncStats(sk.skNet, LINUX_MIB_TCPTIMEWAITOVERFLOW);
  }
  tcpDone(sk);
}

function tcpTwskFill(tw: TcpTimewaitSock, sk: TcpSock): void {
  tw.twRcvWscale = sk.rxOpt.rcvWscale;
  tw.twRcvNxt = sk.rcvNxt;
  tw.twSndNxt = sk.sndNxt;
  tw.twRcvWnd = tcpReceiveWindow(sk);
  tw.twTsRecent = sk.rxOpt.tsRecent;
  tw.twTsRecentStamp = sk.rxOpt.tstampOk ? sk.rxOpt.tsRecentStamp : 0;
  tw.twTsOffset = sk.tsoffset;
  tw.twMd5 = tcpMd5KeyCopy(sk, sk, null, sk.inetDaddr);
  tw.twEntryStamp = tcpClockMs(sk.skNet);
}

/** Whether a segment [seq, endSeq) touches the window [win, endWin) (RFC 9293 §3.4, table 6). */
export function tcpInWindow(seq: number, endSeq: number, win: number, endWin: number): boolean {
  if (seq === win) return true;
  if (after(endSeq, win) && before(seq, endWin)) return true;
  return seq === endWin && seq === endSeq;
}

/** The segment is out of place: an ACK, unless one went out just now. */
function tcpTimewaitOow(tw: TcpTimewaitSock, skb: SkBuff, mib: number): number {
  if (tcpOowRateLimited(tw.skNet, skb, mib, tw.twLastOowAckTime)) return TCP_TW_SUCCESS;
  tw.twLastOowAckTime = tcpOowStamp(tw.skNet, skb, tw.twLastOowAckTime);
  return TCP_TW_ACK;
}

/** PAWS for a time-wait sock; reads the segment's timestamp into net.tcp.tmpOpt. */
function tcpTimewaitPaws(tw: TcpTimewaitSock, skb: SkBuff): boolean {
  const opt = tw.skNet.tcp.tmpOpt;
  opt.sawTstamp = false;
  if (thHdrLen(skb) === TCP_HDR_LEN || tw.twTsRecentStamp === 0) return false;
  tcpParseOptions(tw.skNet, skb, opt, false);
  if (!opt.sawTstamp) return false;
  opt.tsRecent = tw.twTsRecent;
  opt.tsRecentStamp = tw.twTsRecentStamp;
  return tcpPawsReject(tw.skNet, opt, (tcbTcpFlags(skb) & TCPHDR_RST) !== 0);
}

function tcpTimewaitStoreTs(tw: TcpTimewaitSock): void {
  const opt = tw.skNet.tcp.tmpOpt;
  if (!opt.sawTstamp) return;
  tw.twTsRecent = opt.rcvTsval;
  tw.twTsRecentStamp = tcpClockSeconds(tw.skNet);
}

/** The orphan in FIN_WAIT2: the checks of tcp_rcv_state_process again, and what ends it. */
function tcpTimewaitFinWait2(tw: TcpTimewaitSock, skb: SkBuff, pawsReject: boolean): number {
  const seq = tcbSeq(skb);
  const endSeq = tcbEndSeq(skb);
  const flags = tcbTcpFlags(skb);
  if (pawsReject || !tcpInWindow(seq, endSeq, tw.twRcvNxt, (tw.twRcvNxt + tw.twRcvWnd) | 0)) {
    return tcpTimewaitOow(tw, skb, LINUX_MIB_TCPACKSKIPPEDFINWAIT2);
  }
  if ((flags & TCPHDR_RST) !== 0) {
    inetTwskDeschedulePut(tw);
    return TCP_TW_SUCCESS;
  }
  if ((flags & TCPHDR_SYN) !== 0 && !before(seq, tw.twRcvNxt)) return TCP_TW_RST;
  if ((flags & TCPHDR_ACK) === 0 || !after(endSeq, tw.twRcvNxt) || endSeq === seq) return TCP_TW_SUCCESS;
  // Data for a reader that is gone (RFC 9293 §3.6.1, RFC 2525 §2.17).
  if ((flags & TCPHDR_FIN) === 0 || endSeq !== ((tw.twRcvNxt + 1) | 0)) return TCP_TW_RST;
  tw.twSubstate = TCP_TIME_WAIT;
  tw.twRcvNxt = endSeq;
  tcpTimewaitStoreTs(tw);
  inetTwskReschedule(tw, TCP_TIMEWAIT_LEN);
  return TCP_TW_ACK;
}

/** RFC 6191, RFC 9293 §3.10.7.4: a SYN that is surely new, by sequence number or timestamp. */
function tcpTimewaitSynIsNew(tw: TcpTimewaitSock, skb: SkBuff, pawsReject: boolean): boolean {
  const flags = tcbTcpFlags(skb);
  if ((flags & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_ACK)) !== TCPHDR_SYN || pawsReject) return false;
  const opt = tw.skNet.tcp.tmpOpt;
  return after(tcbSeq(skb), tw.twRcvNxt) || (opt.sawTstamp && ((tw.twTsRecent - opt.rcvTsval) | 0) < 0);
}

/** An initial sequence number beyond all that the old connection may still have on its way; never 0. */
function tcpTwNextIsn(tw: TcpTimewaitSock): number {
  const isn = (tw.twSndNxt + 65535 + 2) | 0;
  return isn === 0 ? 1 : isn;
}

/**
 * A segment for a time-wait sock; skb stays the caller's. Returns TCP_TW_*. For TCP_TW_SYN, tcpTimewaitIsn says the
 * initial sequence number of the new connection.
 */
export function tcpTimewaitStateProcess(tw: TcpTimewaitSock, skb: SkBuff): number {
  const pawsReject = tcpTimewaitPaws(tw, skb);
  if (tw.twSubstate === TCP_FIN_WAIT2) return tcpTimewaitFinWait2(tw, skb, pawsReject);
  const flags = tcbTcpFlags(skb);
  const rst = (flags & TCPHDR_RST) !== 0;
  const seq = tcbSeq(skb);
  if (!pawsReject && seq === tw.twRcvNxt && (seq === tcbEndSeq(skb) || rst)) {
    // In the window there can only be a bare ACK, or a reset, which RFC 1337 would have us ignore.
    if (rst && tw.skNet.tcp.sysctlTcpRfc1337 === 0) {
      inetTwskDeschedulePut(tw);
      return TCP_TW_SUCCESS;
    }
    if (!rst) inetTwskReschedule(tw, TCP_TIMEWAIT_LEN);
    tcpTimewaitStoreTs(tw);
    return TCP_TW_SUCCESS;
  }
  if (tcpTimewaitSynIsNew(tw, skb, pawsReject)) return TCP_TW_SYN;
  if (pawsReject) netIncStats(tw.skNet, LINUX_MIB_PAWS_TW_REJECTED);
  if (rst) return TCP_TW_SUCCESS;
  // A SYN without ACK may be old, or new with an unlucky number: it does not prolong the rest.
  if (pawsReject || (flags & TCPHDR_ACK) !== 0) inetTwskReschedule(tw, TCP_TIMEWAIT_LEN);
  return tcpTimewaitOow(tw, skb, LINUX_MIB_TCPACKSKIPPEDTIMEWAIT);
}

/** The initial sequence number of a connection that takes tw's place. */
export function tcpTimewaitIsn(tw: TcpTimewaitSock): number {
  return tcpTwNextIsn(tw);
}

/** Whether net.ipv4.tcp_tw_reuse lets an active open take the four-tuple: 1 always, 2 on this host's own addresses. */
function tcpTwReuseAllowed(net: Net, sk: InetConnectionSock, tw: TcpTimewaitSock): boolean {
  const reuse = net.tcp.sysctlTcpTwReuse;
  if (tw.twSubstate === TCP_FIN_WAIT2) return false;
  if (reuse === 0 || (reuse === 2 && !sk.afSpecific.isLoopback(tw))) return false;
  return ((tcpClockMs(net) - tw.twEntryStamp) | 0) >= net.tcp.sysctlTcpTwReuseDelay;
}

/**
 * InetTwskOps.twskUnique: an active open takes over a four-tuple in TIME_WAIT when timestamps protect it from old
 * segments (RFC 6191 §2, RFC 7323 §5): sk's numbers go on where tw's ended.
 */
function tcpTwskUnique(sock: InetConnectionSock, rest: InetTimewaitSock, bound: boolean): boolean {
  const sk = tcpSk(sock);
  const tw = tcpTwsk(rest);
  if (tw.twTsRecentStamp === 0) return false;
  if (!bound && !tcpTwReuseAllowed(sk.skNet, sk, tw)) return false;
  sk.writeSeq = tcpTwNextIsn(tw);
  sk.rxOpt.tsRecent = tw.twTsRecent;
  sk.rxOpt.tsRecentStamp = tw.twTsRecentStamp;
  return true;
}

function tcpTwskExpired(tw: InetTimewaitSock): void {
  netIncStats(tw.skNet, tw.twKill ? LINUX_MIB_TIMEWAITKILLED : LINUX_MIB_TIMEWAITED);
}

function tcpTwskRecycled(tw: InetTimewaitSock): void {
  netIncStats(tw.skNet, LINUX_MIB_TIMEWAITRECYCLED);
}

/** What the four-tuple tables ask TCP about its time-wait socks. */
export const tcpTwskOps: InetTwskOps = {
  twskUnique: tcpTwskUnique,
  twskExpired: tcpTwskExpired,
  twskRecycled: tcpTwskRecycled,
};
