/*
 * Fast Open, the client: data in the SYN.
 *
 * Order of calls: tcpSendmsg(MSG_FASTOPEN) → tcpSendmsgFastopen → connect → tcpConnect → tcpSendSynData; or
 * TCP_FASTOPEN_CONNECT: connect → tcpFastopenDeferConnect, and the first write goes as above. The SYN-ACK:
 * tcpRcvSynsentStateProcess → tcpRcvFastopenSynack. Read first: RFC 7413 §4.2.1, §4.2.2.
 */
import { INET_FLAGS_DEFER_CONNECT } from '@stack/inet-sock';
import { EAGAIN, EALREADY, ECONNABORTED, EINPROGRESS, EOPNOTSUPP } from '@stack/kernel';
import { __skbHeaderRelease, __skbPut, __skbQueueTail, kfreeSkb } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { AF_UNSPEC, MSG_DONTWAIT, SS_CONNECTING, TCP_CLOSE, TCP_SYN_RECV, TCP_SYN_SENT, copyFromIter, msgFaults, skMemCharge, sockError } from '@stack/socket';
import type { MsgHdr, Socket } from '@stack/socket';
import { MAX_TCP_OPTION_SPACE, TFO_CLIENT_ENABLE, TFO_CLIENT_NO_COOKIE } from './tcp-consts.ts';
import { tcpFastopenActiveShouldDisable } from './tcp-fastopen-blackhole.ts';
import { TcpFastopenCookie, tcpFastopenCacheGet, tcpFastopenCacheSet } from './tcp-fastopen-cookie.ts';
import { tcpMarkSkbLost } from './tcp-input-loss.ts';
import { tcpNonCongestionLossRetransmit } from './tcp-input-recovery.ts';
import { LINUX_MIB_TCPFASTOPENACTIVE, LINUX_MIB_TCPFASTOPENACTIVEFAIL, LINUX_MIB_TCPORIGDATASENT } from './tcp-mib.ts';
import { netIncStats } from './netns-tcp.ts';
import { tcpMssClamp, tcpMtuToMssNoOptions, tcpSyncMss } from './tcp-output-mss.ts';
import { tcpConnect } from './tcp-output-connect.ts';
import { tcpTransmitSkb } from './tcp-output.ts';
import { tcpRtxQueueHead } from './tcp-rtx-queue.ts';
import { tcpStreamAllocSkb } from './tcp-sendmsg.ts';
import {
  TCPHDR_ACK, TCPHDR_PSH, tcbEndSeq, tcbSeq, tcbSetEndSeq, tcbSetSeq, tcbSetTcpFlags, tcbTcpFlags, tcpSkbPcount, tcpSkbPcountSet,
  tcpSkbSetTimestampUs, tcpSkbTimestampUs,
} from './tcp-skb-cb.ts';
import { tcpRare, tcpTfo, tcpTfoOf } from './tcp-sock.ts';
import { TFO_COOKIE_UNAVAILABLE, TFO_DATA_NOT_ACKED, TFO_SYN_RETRANSMITTED } from './tcp-sock-rare.ts';
import type { TcpSock } from './tcp-sock.ts';
import type { TcpFastopenReq } from './tcp-sock-rare.ts';
import { tcpConnectDeferred } from './tcp-space.ts';
import { tcpSetState } from './tcp.ts';

function newFastopenReq(): TcpFastopenReq {
  return { cookie: new TcpFastopenCookie(), msg: null, size: 0, copied: 0 };
}

/** Forgets the request of a SYN that has been sent. */
export function tcpFreeFastopenReq(sk: TcpSock): void {
  const tfo = tcpTfoOf(sk);
  if (tfo !== null) tfo.fastopenReq = null;
}

/**
 * May data go in the SYN? Fills the request's cookie and the MSS clamp from what is known of the peer.
 * With TCP_FASTOPEN_NO_COOKIE or net.ipv4.tcp_fastopen bit 2 it may without a cookie.
 */
function tcpFastopenCookieCheck(sk: TcpSock, foc: TcpFastopenCookie): boolean {
  const mss = tcpFastopenCacheGet(sk, foc);
  if (mss !== 0) sk.rxOpt.mssClamp = mss;
  if (tcpFastopenActiveShouldDisable(sk)) {
    foc.val = null;
    return false;
  }
  if (sk.opts.fastopenNoCookie || (sk.skNet.tcp.sysctlTcpFastopen & TFO_CLIENT_NO_COOKIE) !== 0) {
    foc.val = null;
    return true;
  }
  foc.val ??= new Uint8Array(0);
  if (foc.val.length > 0) return true;
  tcpTfo(sk).fastopenClientFail = TFO_COOKIE_UNAVAILABLE;
  return false;
}

/** TCP_FASTOPEN_CONNECT: true if the SYN waits for the first write, to carry it. Else the SYN asks for a cookie. */
export function tcpFastopenDeferConnect(sk: TcpSock): boolean {
  if (!sk.opts.fastopenConnect || (sk.rare?.tfo?.fastopenReq ?? null) !== null) return false;
  const tfo = tcpTfo(sk);
  const req = newFastopenReq();
  if (tcpFastopenCookieCheck(sk, req.cookie)) {
    sk.inetFlags |= INET_FLAGS_DEFER_CONNECT;
    return true;
  }
  tfo.fastopenReq = req;
  return false;
}

/** Takes a SYN's data off the message: an sk_buff of its own, not queued; null if there is none, or no memory. */
function tcpSynDataSkb(sk: TcpSock, syn: SkBuff, req: TcpFastopenReq): SkBuff | null {
  const space = Math.min(tcpMtuToMssNoOptions(sk, sk.icskPmtuCookie) - MAX_TCP_OPTION_SPACE, req.size);
  const skb = tcpStreamAllocSkb(sk, Math.max(space, 0), false);
  if (skb === null) return null;
  if (space > 0 && req.msg !== null) {
    if (msgFaults(req.msg)) {
      kfreeSkb(skb);
      return null;
    }
    copyFromIter(skb.buf, __skbPut(skb, space), space, req.msg);
    skb.truesize += space;
  }
  req.copied = skb.len;
  tcbSetSeq(skb, tcbSeq(syn));
  tcbSetEndSeq(skb, tcbEndSeq(syn) + skb.len);
  tcbSetTcpFlags(skb, tcbTcpFlags(syn));
  tcpSkbPcountSet(skb, 1);
  return skb;
}

/**
 * Sends the SYN with what the message has, if the peer is known to take it; else the SYN, asking for a cookie. The data is
 * queued behind the SYN, as a segment of its own: if it is not acknowledged it goes out again as one.
 */
export function tcpSendSynData(sk: TcpSock, syn: SkBuff): number {
  const tfo = tcpTfo(sk);
  const req = tfo.fastopenReq;
  if (req === null) return tcpTransmitSkb(sk, syn, true);
  sk.rxOpt.mssClamp = sk.advmss;
  const allowed = tcpFastopenCookieCheck(sk, req.cookie) && req.msg !== null;
  if (allowed) {
    sk.rxOpt.mssClamp = tcpMssClamp(sk, sk.rxOpt.mssClamp);
    tcpSyncMss(sk, sk.icskPmtuCookie);
  }
  const data = allowed ? tcpSynDataSkb(sk, syn, req) : null;
  if (data === null) return tcpSendSynPlain(sk, syn, req);
  __skbHeaderRelease(data);
  sk.skWmemQueued += data.truesize;
  skMemCharge(sk, data.truesize);
  sk.writeSeq = tcbEndSeq(data);
  sk.packetsOut += tcpSkbPcount(data);
  noteSynOption(sk, req);
  const err = tcpTransmitSkb(sk, data, true);
  tcpSkbSetTimestampUs(syn, tcpSkbTimestampUs(data));
  // From here on the SYN and the data are two segments.
  tcbSetSeq(data, tcbSeq(data) + 1);
  tcbSetTcpFlags(data, TCPHDR_ACK | TCPHDR_PSH);
  if (err === 0) {
    tfo.synData = req.copied > 0;
    __skbQueueTail(sk.tcpRtxQueue, data);
    netIncStats(sk.skNet, LINUX_MIB_TCPORIGDATASENT);
    req.cookie.val = null;
    return 0;
  }
  __skbQueueTail(sk.skWriteQueue, data);
  sk.packetsOut -= tcpSkbPcount(data);
  return tcpSendSynPlain(sk, syn, req);
}

/** The SYN without data: with the option if a cookie is to be asked for. A SYN that is sent again has none. */
function tcpSendSynPlain(sk: TcpSock, syn: SkBuff, req: TcpFastopenReq): number {
  if (req.cookie.val !== null && req.cookie.val.length > 0) req.cookie.val = new Uint8Array(0);
  noteSynOption(sk, req);
  const err = tcpTransmitSkb(sk, syn, true);
  if (err !== 0) tcpTfo(sk).synFastopen = false;
  req.cookie.val = null;
  return err;
}

function noteSynOption(sk: TcpSock, req: TcpFastopenReq): void {
  const tfo = tcpTfo(sk);
  tfo.synFastopen = req.cookie.val !== null;
  tfo.synFastopenExp = tfo.synFastopen && req.cookie.exp;
}

/** Starts the connection for a first write: by the deferred SYN, or as connect would. */
function tcpFastopenConnect(sk: TcpSock, msg: MsgHdr): number {
  if (tcpConnectDeferred(sk)) {
    sk.inetFlags &= ~INET_FLAGS_DEFER_CONNECT;
    const err = tcpConnect(sk);
    if (err !== 0) tcpSetState(sk, TCP_CLOSE);
    return err;
  }
  if (msg.msgName === null || sk.skProt.connect === null) return -EOPNOTSUPP;
  const socket = sk.skSocket as Socket | null;
  const err = sk.skProt.connect(sk, msg.msgName);
  if (err === 0 && socket !== null) socket.state = SS_CONNECTING;
  return err;
}

/**
 * sendmsg with MSG_FASTOPEN, or the first write after TCP_FASTOPEN_CONNECT, on a sock that is not connected.
 * @returns 0: connected already, or nothing to connect (the caller goes on); octets that went with the SYN of a call that must not
 * wait; -EAGAIN: it waits for the handshake; -EINPROGRESS: nothing went, the handshake goes on; or another error
 */
export function tcpSendmsgFastopen(sk: TcpSock, msg: MsgHdr): number {
  const deferred = tcpConnectDeferred(sk);
  if ((sk.skNet.tcp.sysctlTcpFastopen & TFO_CLIENT_ENABLE) === 0 && !deferred) return -EOPNOTSUPP;
  if (msg.msgName !== null && msg.msgName.saFamily === AF_UNSPEC) return -EOPNOTSUPP;
  if ((sk.rare?.tfo?.fastopenReq ?? null) !== null) return -EALREADY;
  if (sk.skState !== TCP_CLOSE && !deferred) return 0;
  const req = newFastopenReq();
  req.msg = msg;
  req.size = msg.msgIterCount;
  tcpTfo(sk).fastopenReq = req;
  const err = tcpFastopenConnect(sk, msg);
  msg.msgCopied += req.copied;
  tcpFreeFastopenReq(sk);
  if (err !== 0) return err;
  if (sk.skState !== TCP_SYN_SENT && sk.skState !== TCP_SYN_RECV) return sk.skErr === 0 ? 0 : sockError(sk);
  if ((msg.msgFlags & MSG_DONTWAIT) === 0) {
    tcpTfo(sk).fastopenWait = true;
    tcpRare(sk).writePending = msg.msgIterCount > 0;
    return -EAGAIN;
  }
  return req.copied > 0 ? req.copied : -EINPROGRESS;
}

/**
 * A sendmsg that waited for the handshake goes on. @returns 0: connected; -EAGAIN: it waits; or why the connection failed, whatever
 * went with the SYN
 */
export function tcpFastopenResume(sk: TcpSock): number {
  const tfo = tcpTfo(sk);
  if (sk.skState === TCP_SYN_SENT || sk.skState === TCP_SYN_RECV) return -EAGAIN;
  tfo.fastopenWait = false;
  tcpRare(sk).writePending = false;
  if (sk.skState !== TCP_CLOSE) return 0;
  const err = sockError(sk);
  return err !== 0 ? err : -ECONNABORTED;
}

/**
 * The SYN-ACK of a connection whose SYN had the option: what it says is remembered; data that it does not acknowledge goes out
 * again. `foc` is its own option.
 * @returns whether data went out again: then the ACK is in it
 */
export function tcpRcvFastopenSynack(sk: TcpSock, foc: TcpFastopenCookie): boolean {
  const tfo = tcpTfoOf(sk);
  if (tfo === null || (!tfo.synFastopen && !tfo.synData)) return false;
  const data = tfo.synData ? tcpRtxQueueHead(sk) : null;
  let synDrop = false;
  let tryExp = 0;
  if (!tfo.synFastopen) foc.val = null; // nobody asked for it
  else if (sk.totalRetrans !== 0) synDrop = foc.val === null && data !== null;
  else if (foc.val === null && !tfo.synData) tryExp = tfo.synFastopenExp ? 2 : 1;
  tcpFastopenCacheSet(sk, sk.rxOpt.mssClamp, foc, synDrop, tryExp);
  if (data !== null) {
    tfo.fastopenClientFail = sk.totalRetrans !== 0 ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED;
    for (let skb: SkBuff | null = data; skb !== null; skb = skb.next) tcpMarkSkbLost(sk, skb);
    tcpNonCongestionLossRetransmit(sk);
    netIncStats(sk.skNet, LINUX_MIB_TCPFASTOPENACTIVEFAIL);
    return true;
  }
  tfo.synDataAcked = tfo.synData;
  if (tfo.synDataAcked) {
    netIncStats(sk.skNet, LINUX_MIB_TCPFASTOPENACTIVE);
    // tcpAck counted the SYN and its data as two segments.
    if (sk.delivered > 1) sk.delivered--;
  }
  return false;
}
