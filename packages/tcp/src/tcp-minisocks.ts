/*
 * From a connection request to a full sock: what a segment means to a request in SYN-RECEIVED, the child it becomes, and
 * the child's first segment. (The other small sock, TIME_WAIT, is in tcp-timewait.ts.)
 *
 * Order of calls: tcpOpenreqInitRwin (SYN) → tcpCheckReq (ACK) → tcpCreateOpenreqChild (by synRecvSock) →
 * tcpChildProcess. Read first: RFC 9293 §3.10.7.4 for SYN-RECEIVED; RFC 7323 §5; RFC 5961 §4.
 */
import {
  __inetInheritPort, inetCskAcceptQueue, inetCskCloneLock, inetCskPrepareForcedClose, inetCskReqskQueueAdd, inetCskReqskQueueDrop,
  inetCskReqskQueueRemoved, inetCskResetKeepaliveTimer, inetEhashNolisten, inetPutPort, reqskFree, inetRtxSynAck, reqskTimeout,
} from '@stack/inet-sock';
import type { RequestSock } from '@stack/inet-sock';
import {
  HZ, modTimer, SKB_DROP_REASON_SOCKET_CLOSE, SKB_DROP_REASON_TCP_DEFER_ACCEPT, SKB_DROP_REASON_TCP_FLAGS,
  SKB_DROP_REASON_TCP_INVALID_SYN, SKB_DROP_REASON_TCP_LISTEN_OVERFLOW, SKB_DROP_REASON_TCP_OVERWINDOW,
  SKB_DROP_REASON_TCP_RESET, SKB_DROP_REASON_TCP_RFC7323_PAWS, SKB_CONSUMED,
} from '@stack/kernel';
import { RTAX_INITRWND, RTAX_WINDOW, dstMetric } from '@stack/skbuff';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import { SOCK_KEEPOPEN, SOCK_RCVBUF_LOCK, TCP_SYN_RECV, skAddBacklog, sockFlag, sockOwnedByUser, sockPut } from '@stack/socket';
import { tcpClockMs, tcpClockMsBefore, tcpClockSeconds, tcpClockUs, tcpStampUsDelta } from './tcp-clock.ts';
import { TCPOLEN_MD5SIG_ALIGNED, TCPOLEN_TSTAMP_ALIGNED, TCP_HDR_LEN, thHdrLen, thWindow } from './tcp-hdr.ts';
import { TCP_MSS_DEFAULT, TCP_RTO_MAX } from './tcp-consts.ts';
import { tcpEcnOpenreqChild } from './tcp-ecn.ts';
import { tcpParseOptions, tcpPawsReject } from './tcp-input-opt.ts';
import { tcpSynackRttMeas } from './tcp-input-rtt.ts';
import { tcpRcvStateProcess } from './tcp-input-state.ts';
import {
  LINUX_MIB_EMBRYONICRSTS, LINUX_MIB_PAWSESTABREJECTED, LINUX_MIB_TCPACKSKIPPEDCHALLENGE, LINUX_MIB_TCPACKSKIPPEDSYNRECV, LINUX_MIB_TSECRREJECTED,
  LINUX_MIB_TCPCHALLENGEACK, LINUX_MIB_TCPDEFERACCEPTDROP,
  TCP_MIB_ATTEMPTFAILS, TCP_MIB_PASSIVEOPENS,
} from './tcp-mib.ts';
import { netIncStats, tcpIncStats } from './netns-tcp.ts';
import { __tcpOowRateLimited, tcpOowRateLimited, tcpOowStamp } from './tcp-oow.ts';
import { reqskFastopenRemove } from './tcp-fastopen.ts';
import { tcpReset } from './tcp-input.ts';
import { tcpDstAdvmss, tcpMssClamp } from './tcp-output-mss.ts';
import { tcpSelectInitialWindow } from './tcp-output-window.ts';
import type { TcpRequestSock } from './tcp-request-sock.ts';
import { TCPHDR_ACK, TCPHDR_RST, TCPHDR_SYN, after, between, tcbAckSeq, tcbEndSeq, tcbSeq, tcbTcpFlags } from './tcp-skb-cb.ts';
import { tcpSegsIn } from './tcp-segs-in.ts';
import { tcpIsMd5, tcpMd5KeyCopy } from './tcp-md5.ts';
import { TCP_NAGLE_PUSH, TCP_SACK_SEEN, tcpRare, tcpRtoStats, tcpShareOpts, tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { skSetTxhash } from './tcp-txhash.ts';
import { tcpFullSpace, tcpKeepaliveTimeWhen } from './tcp-space.ts';
import { tcpInWindow } from './tcp-timewait.ts';
import { tcpDone, tcpInitSock } from './tcp.ts';

/** The first window and the window scale for a request: what its child will offer (RFC 7323 §2.2). */
export function tcpOpenreqInitRwin(req: TcpRequestSock, sk: TcpSock, dst: DstEntry | null): void {
  const mss = tcpMssClamp(sk, tcpDstAdvmss(sk, dst));
  tcpSelectReqWindow(req, sk, dst, mss - (req.tstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0));
}

/** The same, in whole segments of `payload` bytes. */
export function tcpSelectReqWindow(req: TcpRequestSock, sk: TcpSock, dst: DstEntry | null, payload: number): void {
  const fullSpace = tcpFullSpace(sk);
  let clamp = sk.windowClamp;
  if (clamp === 0 && dst !== null) clamp = dstMetric(dst, RTAX_WINDOW);
  // A receive buffer that the user has made small is the limit.
  if ((sk.skUserlocks & SOCK_RCVBUF_LOCK) !== 0 && (clamp > fullSpace || clamp === 0)) clamp = fullSpace;
  const initRcvWnd = dst === null ? 0 : dstMetric(dst, RTAX_INITRWND);
  const chosen = tcpSelectInitialWindow(sk, fullSpace, payload, clamp, req.wscaleOk, initRcvWnd);
  req.rskRcvWnd = chosen.rcvWnd;
  req.rskWindowClamp = chosen.windowClamp;
  req.rcvWscale = chosen.rcvWscale;
}

/** The window that the SYN-ACK could offer: its field is not scaled. */
function tcpSynackWindow(req: TcpRequestSock): number {
  return Math.min(req.rskRcvWnd, 65535);
}

/** A timestamp that echoes none of the SYN-ACK's (RFC 7323 §3.2 has them echoed): a guess, as of a blind ACK. */
function tcpCheckReqTsecr(req: TcpRequestSock): boolean {
  const opt = req.skNet.tcp.tmpOpt;
  return opt.sawTstamp && opt.rcvTsecr !== 0 && req.tstampOk && !between((opt.rcvTsecr + req.tsOff) | 0, req.sntTsvalFirst, req.sntTsvalLast);
}

/** PAWS for a request; reads the segment's options into net.tcp.tmpOpt. */
function tcpCheckReqPaws(req: TcpRequestSock, skb: SkBuff): boolean {
  const net = req.skNet;
  const opt = net.tcp.tmpOpt;
  opt.sawTstamp = false;
  if (thHdrLen(skb) === TCP_HDR_LEN) return false;
  tcpParseOptions(net, skb, opt, false);
  if (!opt.sawTstamp) return false;
  if (opt.rcvTsecr !== 0) opt.rcvTsecr = (opt.rcvTsecr - req.tsOff) | 0;
  opt.tsRecent = req.tsRecent;
  // When the SYN came is not kept: the SYN-ACK's timer says it well enough.
  opt.tsRecentStamp = tcpClockSeconds(net) - Math.floor(reqskTimeout(req, TCP_RTO_MAX) / HZ);
  return tcpPawsReject(net, opt, (tcbTcpFlags(skb) & TCPHDR_RST) !== 0);
}

/** The SYN came again: so does the SYN-ACK, and its timer starts anew. */
function tcpCheckReqRetransmittedSyn(sk: TcpSock, skb: SkBuff, req: TcpRequestSock): void {
  const net = sk.skNet;
  if (tcpOowRateLimited(net, skb, LINUX_MIB_TCPACKSKIPPEDSYNRECV, req.lastOowAckTime)) return;
  req.lastOowAckTime = tcpOowStamp(net, skb, req.lastOowAckTime);
  if (inetRtxSynAck(sk, req) !== 0 || req.rskTimer === null) return;
  modTimer(req.rskTimer, (net.world.jiffies + reqskTimeout(req, TCP_RTO_MAX)) | 0);
}

/** Out of window, or refused by its timestamp: an ACK, unless it is a reset (RFC 9293 §3.10.7.4, first). */
function tcpCheckReqOutOfWindow(sk: TcpSock, skb: SkBuff, req: TcpRequestSock, pawsReject: boolean, tsecrReject: boolean): void {
  const net = sk.skNet;
  if (pawsReject) netIncStats(net, LINUX_MIB_PAWSESTABREJECTED);
  else if (tsecrReject) netIncStats(net, LINUX_MIB_TSECRREJECTED);
  if ((tcbTcpFlags(skb) & TCPHDR_RST) !== 0) return;
  if (tcpOowRateLimited(net, skb, LINUX_MIB_TCPACKSKIPPEDSYNRECV, req.lastOowAckTime)) return;
  req.lastOowAckTime = tcpOowStamp(net, skb, req.lastOowAckTime);
  req.rskOps.sendAck(sk, skb, req);
}

/** RFC 5961 §3.2: a reset in the window that is not at its edge gets a challenge ACK. True: it is one. */
function tcpCheckReqResetChallenge(sk: TcpSock, skb: SkBuff, req: TcpRequestSock): boolean {
  if ((tcbTcpFlags(skb) & TCPHDR_RST) === 0 || tcbSeq(skb) === req.rcvNxt) return false;
  const net = sk.skNet;
  if (__tcpOowRateLimited(net, LINUX_MIB_TCPACKSKIPPEDCHALLENGE, req.lastOowAckTime)) return true;
  req.lastOowAckTime = net.world.jiffies;
  netIncStats(net, LINUX_MIB_TCPCHALLENGEACK);
  req.rskOps.sendAck(sk, skb, req);
  return true;
}

/** The request ends; the peer hears why unless it ended it itself. */
function tcpEmbryonicReset(sk: TcpSock, skb: SkBuff, req: TcpRequestSock): void {
  if ((tcbTcpFlags(skb) & TCPHDR_RST) === 0) req.rskOps.sendReset(sk, skb);
  if (inetCskReqskQueueDrop(sk, req)) netIncStats(sk.skNet, LINUX_MIB_EMBRYONICRSTS);
}

/**
 * A segment for a request of listener sk (RFC 9293 §3.10.7.4, SYN-RECEIVED STATE); skb stays the caller's. Returns the
 * child that the request became, sk when the listener shall answer (a bad ACK: a reset), or why nothing is left to do: SKB_DROP_REASON_*, SKB_CONSUMED when it was answered.
 */
export function tcpCheckReq(sk: TcpSock, skb: SkBuff, req: TcpRequestSock): TcpSock | number {
  const pawsReject = tcpCheckReqPaws(req, skb);
  const seq = tcbSeq(skb);
  let flags = tcbTcpFlags(skb) & (TCPHDR_RST | TCPHDR_SYN | TCPHDR_ACK);
  if (seq === req.rcvIsn && flags === TCPHDR_SYN && !pawsReject) {
    tcpCheckReqRetransmittedSyn(sk, skb, req);
    return SKB_CONSUMED;
  }
  const tsecrReject = tcpCheckReqTsecr(req);
  const acceptable = !pawsReject && !tsecrReject && tcpInWindow(seq, tcbEndSeq(skb), req.rcvNxt, (req.rcvNxt + tcpSynackWindow(req)) | 0);
  if (acceptable && tcpCheckReqResetChallenge(sk, skb, req)) return SKB_DROP_REASON_TCP_RESET;
  // A reset that is exact is believed whatever it acknowledges.
  const reset = acceptable && (flags & TCPHDR_RST) !== 0;
  if (!reset && (flags & TCPHDR_ACK) !== 0 && tcbAckSeq(skb) !== ((req.sntIsn + 1) | 0)) return sk;
  if (!acceptable) {
    tcpCheckReqOutOfWindow(sk, skb, req, pawsReject, tsecrReject);
    return pawsReject || tsecrReject ? SKB_DROP_REASON_TCP_RFC7323_PAWS : SKB_DROP_REASON_TCP_OVERWINDOW;
  }
  // The SYN itself lies before the window.
  if (seq === req.rcvIsn) flags &= ~TCPHDR_SYN;
  if ((flags & (TCPHDR_RST | TCPHDR_SYN)) !== 0) {
    tcpIncStats(sk.skNet, TCP_MIB_ATTEMPTFAILS);
    tcpEmbryonicReset(sk, skb, req);
    return (flags & TCPHDR_RST) !== 0 ? SKB_DROP_REASON_TCP_RESET : SKB_DROP_REASON_TCP_INVALID_SYN;
  }
  if ((flags & TCPHDR_ACK) === 0) return SKB_DROP_REASON_TCP_FLAGS;
  return tcpCheckReqAck(sk, skb, req);
}

/**
 * A segment for a child whose handshake is not complete (Fast Open). Whether it goes on to the child; else it is dropped, and an
 * answer was sent if one is due. A reset at the next number ends the child.
 */
export function tcpFastopenCheckReq(child: TcpSock, skb: SkBuff, req: TcpRequestSock): boolean {
  const pawsReject = tcpCheckReqPaws(req, skb);
  const seq = tcbSeq(skb);
  let flags = tcbTcpFlags(skb) & (TCPHDR_RST | TCPHDR_SYN | TCPHDR_ACK);
  if (seq === req.rcvIsn && flags === TCPHDR_SYN && !pawsReject) {
    tcpCheckReqRetransmittedSyn(child, skb, req);
    return false;
  }
  if (pawsReject || !tcpInWindow(seq, tcbEndSeq(skb), req.rcvNxt, (req.rcvNxt + tcpSynackWindow(req)) | 0)) {
    tcpCheckReqOutOfWindow(child, skb, req, pawsReject, false);
    return false;
  }
  if (tcpCheckReqResetChallenge(child, skb, req)) return false;
  if (seq === req.rcvIsn) flags &= ~TCPHDR_SYN;
  if ((flags & TCPHDR_RST) !== 0) {
    reqskFastopenRemove(child, req, true);
    tcpReset(child);
    return false;
  }
  if ((flags & TCPHDR_SYN) !== 0) {
    req.rskOps.sendReset(child, skb);
    return false;
  }
  return (flags & TCPHDR_ACK) !== 0;
}

/** The ACK of the handshake is good: the request becomes a child. */
function tcpCheckReqAck(sk: TcpSock, skb: SkBuff, req: TcpRequestSock): TcpSock | number {
  const queue = inetCskAcceptQueue(sk);
  if (req.numTimeout < queue.rskqDeferAccept && tcbEndSeq(skb) === ((req.rcvIsn + 1) | 0)) {
    req.acked = true;
    netIncStats(sk.skNet, LINUX_MIB_TCPDEFERACCEPTDROP);
    return SKB_DROP_REASON_TCP_DEFER_ACCEPT;
  }
  const { sawTstamp, rcvTsval } = sk.skNet.tcp.tmpOpt;
  const sock = sk.afSpecific.synRecvSock(sk, skb, req, null, req);
  if (sock === null) {
    // The accept queue is full: the peer's next segment tries again, or is told to go.
    if (sk.skNet.tcp.sysctlTcpAbortOnOverflow !== 0) tcpEmbryonicReset(sk, skb, req);
    else req.acked = true;
    return SKB_DROP_REASON_TCP_LISTEN_OVERFLOW;
  }
  const child = tcpSk(sock);
  if (sawTstamp && !after(tcbSeq(skb), req.rcvNxt)) child.rxOpt.tsRecent = rcvTsval;
  tcpSynackRttMeas(child, req);
  inetCskReqskQueueRemoved(sk, req);
  return inetCskReqskQueueAdd(sk, req, child) === null ? SKB_DROP_REASON_SOCKET_CLOSE : child;
}

/** The sequence space of a child (RFC 9293 §3.10.7.2). */
function tcpChildSequences(child: TcpSock, req: TcpRequestSock): void {
  const rcv = (req.rcvIsn + 1) | 0;
  const snd = (req.sntIsn + 1) | 0;
  child.rcvWup = rcv;
  child.copiedSeq = rcv;
  child.rcvNxt = rcv;
  child.sndSml = snd;
  child.sndUna = snd;
  child.sndNxt = snd;
  child.sndUp = snd;
  child.writeSeq = snd;
  child.pushedSeq = snd;
  child.sndWl1 = req.rcvIsn;
  child.totalRetrans = req.numRetrans;
  child.tsoffset = req.tsOff;
  skSetTxhash(child, req.sntIsn);
}

/** SYN-ACKs timed out: the child begins as after timeouts of its own, which an echo of the first SYN-ACK's time may undo. */
function tcpChildTimeouts(child: TcpSock, req: TcpRequestSock): void {
  const us = tcpStampUsDelta(tcpClockUs(child.skNet), req.sntSynack);
  child.undoMarker = req.sntIsn;
  child.retransStamp = tcpClockMsBefore(child.skNet, us);
  const stats = tcpRtoStats(child);
  stats.totalRto = req.numTimeout;
  stats.totalRtoRecoveries = 1;
  stats.totalRtoTime = (tcpClockMs(child.skNet) - child.retransStamp) | 0;
}

/** What the SYN negotiated. */
function tcpChildOptions(child: TcpSock, req: TcpRequestSock, skb: SkBuff): void {
  const rx = child.rxOpt;
  rx.tstampOk = req.tstampOk;
  rx.sackOk = req.sackOk ? TCP_SACK_SEEN : 0;
  rx.wscaleOk = req.wscaleOk;
  rx.mssClamp = req.mss;
  child.windowClamp = req.rskWindowClamp;
  child.rcvSsthresh = req.rskRcvWnd;
  child.rcvWnd = req.rskRcvWnd;
  if (rx.wscaleOk) {
    rx.sndWscale = req.sndWscale;
    rx.rcvWscale = req.rcvWscale;
  } else {
    child.windowClamp = Math.min(child.windowClamp, 65535);
  }
  child.sndWnd = thWindow(skb) << rx.sndWscale;
  child.maxWindow = child.sndWnd;
  child.tcpHeaderLen = TCP_HDR_LEN;
  if (rx.tstampOk) {
    rx.tsRecentStamp = tcpClockSeconds(child.skNet);
    rx.tsRecent = req.tsRecent;
    child.tcpHeaderLen += TCPOLEN_TSTAMP_ALIGNED;
  }
  if (tcpIsMd5(child)) child.tcpHeaderLen += TCPOLEN_MD5SIG_ALIGNED;
  const payload = skb.len - child.tcpHeaderLen;
  if (payload >= TCP_MSS_DEFAULT) child.icskAckLastSegSize = payload;
}

/** What setsockopt told the listener's engine. */
function tcpInheritOptions(sk: TcpSock, child: TcpSock): void {
  tcpShareOpts(sk, child);
  child.nonagle = sk.nonagle & ~TCP_NAGLE_PUSH;
  child.rxOpt.userMss = sk.rxOpt.userMss;
  child.scalingRatio = sk.scalingRatio;
}

/** The child of listener sk for req, whose handshake skb completes: in no table yet, two references. */
export function tcpCreateOpenreqChild(sk: TcpSock, req: TcpRequestSock, skb: SkBuff): TcpSock {
  const child = tcpSk(inetCskCloneLock(sk, req));
  const caOps = sk.icskCaOps;
  const sndbuf = sk.skSndbuf;
  const rcvbuf = sk.skRcvbuf;
  tcpInitSock(child);
  child.skState = TCP_SYN_RECV;
  child.skSndbuf = sndbuf;
  child.skRcvbuf = rcvbuf;
  child.skWriteSpace = sk.skWriteSpace;
  if (sk.opts.caSetsockopt && caOps !== child.icskCaOps) {
    child.icskCaOps = caOps;
    child.icskCaPriv = caOps.makePriv === null ? null : caOps.makePriv();
  }
  tcpInheritOptions(sk, child);
  const md5 = tcpMd5KeyCopy(sk, req, null, req.inetDaddr);
  if (md5 !== null) tcpRare(child).md5sigInfo = md5;
  tcpChildSequences(child, req);
  if (req.numTimeout !== 0) tcpChildTimeouts(child, req);
  tcpChildOptions(child, req, skb);
  child.segsIn = 1;
  child.lsndtime = child.skNet.world.jiffies;
  child.icskAckLrcvtime = child.lsndtime;
  tcpEcnOpenreqChild(child, req);
  if (req.savedSyn !== null) {
    tcpRare(child).savedSyn = req.savedSyn;
    req.savedSyn = null;
  }
  if (sockFlag(child, SOCK_KEEPOPEN)) inetCskResetKeepaliveTimer(child, tcpKeepaliveTimeWhen(child));
  tcpIncStats(child.skNet, TCP_MIB_PASSIVEOPENS);
  return child;
}

/**
 * Gives a child its listener's port and its place in ehash, the request's where that is given. False, and the child is
 * gone, when the request has lost its place.
 */
export function tcpHashChild(sk: TcpSock, child: TcpSock, reqUnhash: RequestSock | null): boolean {
  __inetInheritPort(sk, child);
  if (inetEhashNolisten(child, reqUnhash)) return true;
  tcpForgetChild(child);
  return false;
}

/** A child that failed before anybody heard of it: both references go. */
export function tcpForgetChild(child: TcpSock): void {
  inetPutPort(child);
  inetCskPrepareForcedClose(child);
  // tcpDone destroys it, for it has no user.
  tcpDone(child);
  sockPut(child);
}

/** The child of a request that was never in the SYN queue (a SYN cookie's), on the accept queue; or null. Takes the reference on dst. */
export function tcpGetCookieSock(sk: TcpSock, skb: SkBuff, req: TcpRequestSock, dst: DstEntry | null): TcpSock | null {
  const sock = sk.afSpecific.synRecvSock(sk, skb, req, dst, null);
  if (sock === null) {
    reqskFree(req);
    return null;
  }
  const child = tcpSk(sock);
  return inetCskReqskQueueAdd(sk, req, child) === null ? null : child;
}

/**
 * The segment that made a child is its first; takes skb and the maker's reference on the child. Returns 0, or a drop
 * reason when a reset is due (then skb was not taken).
 */
export function tcpChildProcess(parent: TcpSock, child: TcpSock, skb: SkBuff): number {
  const state = child.skState;
  let reason = 0;
  tcpSegsIn(child, skb);
  if (!sockOwnedByUser(child)) {
    reason = tcpRcvStateProcess(child, skb);
    if (state === TCP_SYN_RECV && child.skState !== state) parent.skDataReady(parent);
  } else {
    skAddBacklog(child, skb, 0x7fffffff);
  }
  sockPut(child);
  return reason;
}
