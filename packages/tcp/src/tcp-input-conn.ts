/*
 * A SYN for a listener: it becomes a request in the table, or a SYN cookie when there are too many.
 *
 * Order of calls: afSpecific.connRequest → tcpConnRequest → afSpecific (TcpRequestSockOps).sendSynack. The ACK is
 * tcpCheckReq's.
 * Read first: RFC 9293 §3.10.7.2; RFC 4987; RFC 6528.
 */
import {
  inetCskReqskQueueAdd, inetCskReqskQueueHashAdd, inetCskReqskQueueIsFull, inetCskReqskQueueLen, reqskFree, skAcceptqIsFull,
} from '@stack/inet-sock';
import type { RequestSockOps } from '@stack/inet-sock';
import { randomU32 } from '@stack/kernel';
import { dstRelease } from '@stack/skbuff';
import type { DstEntry, SkBuff } from '@stack/skbuff';
import { sockPut } from '@stack/socket';
import { TCP_TIMEOUT_INIT } from './tcp-consts.ts';
import { tcpEcnCreateRequest } from './tcp-ecn.ts';
import { thDest, thHdrLen, thSource } from './tcp-hdr.ts';
import { tcpTryFastopen } from './tcp-fastopen.ts';
import { tcpParseOptions } from './tcp-input-opt.ts';
import {
  LINUX_MIB_LISTENDROPS, LINUX_MIB_LISTENOVERFLOWS, LINUX_MIB_TCPREQQFULLDOCOOKIES, LINUX_MIB_TCPREQQFULLDROP,
} from './tcp-mib.ts';
import { tcpOpenreqInitRwin } from './tcp-minisocks.ts';
import { netIncStats } from './netns-tcp.ts';
import { TCP_SYNACK_COOKIE, TCP_SYNACK_FASTOPEN, TCP_SYNACK_NORMAL, TcpRequestSock } from './tcp-request-sock.ts';
import type { TcpRequestSockOps } from './tcp-request-sock.ts';
import { tcbIpDsfield, tcbSeq, tcbTcpTwIsn } from './tcp-skb-cb.ts';
import type { TcpOptionsReceived, TcpSock } from './tcp-sock.ts';
import { tcpSynqOverflow } from './syncookies.ts';

function tcpListendrop(sk: TcpSock): number {
  sk.skDrops++;
  netIncStats(sk.skNet, LINUX_MIB_LISTENDROPS);
  return 0;
}

/** The SYN queue is full: by cookie, if that is allowed (net.ipv4.tcp_syncookies). */
function tcpSynFloodAction(sk: TcpSock): boolean {
  const cookies = sk.skNet.tcp.sysctlTcpSyncookies !== 0;
  netIncStats(sk.skNet, cookies ? LINUX_MIB_TCPREQQFULLDOCOOKIES : LINUX_MIB_TCPREQQFULLDROP);
  if (cookies) tcpSynqOverflow(sk);
  return cookies;
}

/** Options of the SYN, in net.tcp.tmpOpt. A cookie has no room for them but in a timestamp. */
function tcpConnOptions(sk: TcpSock, skb: SkBuff, mssClamp: number, wantCookie: boolean): TcpOptionsReceived {
  const opt = sk.skNet.tcp.tmpOpt;
  tcpClearOptions(opt);
  opt.mssClamp = mssClamp;
  opt.userMss = sk.rxOpt.userMss;
  tcpParseOptions(sk.skNet, skb, opt, false);
  if (wantCookie && !opt.sawTstamp) tcpClearOptions(opt);
  opt.tstampOk = opt.sawTstamp;
  return opt;
}

function tcpClearOptions(opt: TcpOptionsReceived): void {
  opt.tstampOk = false;
  opt.sackOk = 0;
  opt.wscaleOk = false;
  opt.sndWscale = 0;
}

/** Fills a request with what the SYN says. */
function tcpOpenreqInit(req: TcpRequestSock, opt: TcpOptionsReceived, skb: SkBuff, sk: TcpSock): void {
  const seq = tcbSeq(skb);
  req.rcvIsn = seq;
  req.rcvNxt = (seq + 1) | 0;
  req.mss = opt.mssClamp;
  req.tsRecent = opt.sawTstamp ? opt.rcvTsval : 0;
  req.tstampOk = opt.tstampOk;
  req.sackOk = opt.sackOk !== 0;
  req.sndWscale = opt.sndWscale;
  req.wscaleOk = opt.wscaleOk;
  req.inetDport = thSource(skb);
  req.inetNum = thDest(skb);
  req.irMark = sk.skMark;
  req.irIif = sk.skBoundDevIf;
  req.synTos = tcbIpDsfield(skb);
}

/** TCP_SAVE_SYN: keeps the SYN's header. */
function tcpReqskRecordSyn(sk: TcpSock, req: TcpRequestSock, skb: SkBuff): void {
  if (sk.opts.saveSyn === 0) return;
  const start = skb.networkHeader >= 0 ? skb.networkHeader : skb.transportHeader;
  req.savedSyn = skb.buf.slice(start, skb.transportHeader + thHdrLen(skb));
}

/** Without cookies the last quarter of the queue is kept free of strangers. */
function tcpSynBacklogTight(sk: TcpSock): boolean {
  const tcp = sk.skNet.tcp;
  const max = tcp.sysctlTcpMaxSynBacklog;
  return tcp.sysctlTcpSyncookies === 0 && max - inetCskReqskQueueLen(sk) < max >> 2;
}

/**
 * A SYN for listener sk; skb stays the caller's.
 * @param rskOps what the request is a request of @param afOps what its carrier does
 * @returns 0: never a reset
 */
export function tcpConnRequest(rskOps: RequestSockOps, afOps: TcpRequestSockOps, sk: TcpSock, skb: SkBuff): number {
  const net = sk.skNet;
  let wantCookie = false;
  // A TIME-WAIT sock has given a sequence number: the peer is real.
  const isn = tcbTcpTwIsn(skb);
  if ((net.tcp.sysctlTcpSyncookies === 2 || inetCskReqskQueueIsFull(sk)) && isn === 0) {
    wantCookie = tcpSynFloodAction(sk);
    if (!wantCookie) return tcpListendrop(sk);
  }
  if (skAcceptqIsFull(sk)) {
    netIncStats(net, LINUX_MIB_LISTENOVERFLOWS);
    return tcpListendrop(sk);
  }
  const req = new TcpRequestSock(net, rskOps, afOps);
  req.rskListener = sk;
  req.syncookie = wantCookie;
  tcpOpenreqInit(req, tcpConnOptions(sk, skb, afOps.mssClamp, wantCookie), skb, sk);
  const dst = afOps.routeReq(sk, skb, req);
  if (dst === null && afOps.hasRoutes) {
    reqskFree(req);
    return tcpListendrop(sk);
  }
  if (!wantCookie && isn === 0 && tcpSynBacklogTight(sk)) {
    dstRelease(dst);
    reqskFree(req);
    return tcpListendrop(sk);
  }
  if (req.tstampOk) req.tsOff = afOps.initTsOff(net, skb);
  tcpEcnCreateRequest(req, skb, sk, (tcbIpDsfield(skb) & 3) !== 0);
  if (wantCookie) {
    req.sntIsn = afOps.cookieInitSeq(skb, req);
    if (!req.tstampOk) req.ecnOk = false;
  } else {
    req.sntIsn = isn !== 0 ? isn : afOps.initSeq(skb);
  }
  req.txhash = randomU32(net.world.random) | 1;
  tcpOpenreqInitRwin(req, sk, dst);
  tcpConnAnswer(sk, req, dst, skb);
  dstRelease(dst);
  return 0;
}

/** Sends the SYN-ACK; unless it is a cookie, the request waits in the table for its ACK. */
function tcpConnAnswer(sk: TcpSock, req: TcpRequestSock, dst: DstEntry | null, skb: SkBuff): void {
  const afOps = req.afSpecific;
  const foc = sk.skNet.tcp.fastopenCookie;
  if (req.syncookie) {
    afOps.sendSynack(sk, dst, req, TCP_SYNACK_COOKIE, skb);
    reqskFree(req);
    return;
  }
  tcpReqskRecordSyn(sk, req, skb);
  const child = tcpTryFastopen(sk, skb, req, foc, dst);
  req.fastopenCookie = foc.val === null ? null : foc;
  if (child !== null) {
    afOps.sendSynack(child, dst, req, TCP_SYNACK_FASTOPEN, skb);
    req.fastopenCookie = null;
    if (inetCskReqskQueueAdd(sk, req, child) !== null) sk.skDataReady(sk);
    sockPut(child);
    return;
  }
  if (!inetCskReqskQueueHashAdd(sk, req, TCP_TIMEOUT_INIT)) {
    // The four-tuple is in use already.
    reqskFree(req);
    return;
  }
  afOps.sendSynack(sk, dst, req, TCP_SYNACK_NORMAL, skb);
  req.fastopenCookie = null;
}
