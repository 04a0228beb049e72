/*
 * tcp_recvmsg: what the peer sent goes from sk_receive_queue to the user's buffers, copied once, in order, around the
 * urgent byte; and the window that this frees is offered to the peer again.
 *
 * Order of calls: tcpRecvmsg → tcpRecvmsgLocked → (tcpRecvSkb, tcpRecvCopy for each sk_buff) → tcpCleanupRbuf.
 * Read first: RFC 9293 §3.8.6 (window), §3.8.5 (urgent), §3.10.3 (RECEIVE); RFC 6093.
 */
import { ICSK_ACK_PUSHED, ICSK_ACK_PUSHED2, inetCskAckScheduled, inetCskInPingpongMode } from '@stack/inet-sock';
import { EAGAIN, EINVAL, ENOTCONN } from '@stack/kernel';
import { __skbUnlink, consumeSkb } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import {
  MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB, MSG_PEEK, MSG_SPLICE_READ, MSG_TRUNC, MSG_WAITALL, RCV_SHUTDOWN, SOCK_DONE, SOCK_URGINLINE, SOL_TCP, TCP_CLOSE,
  TCP_LISTEN, copyToIter, lockSock, putCmsg, releaseSock, skFlushBacklog, skbCopyDatagramMsg, sockError, sockRecvTimestampOf, sockFlag, sockRcvlowat,
} from '@stack/socket';
import type { MsgHdr, Sock } from '@stack/socket';
import { tcpFastPathCheck } from './tcp-input-fast.ts';
import { tcpRcvSpaceAdjust } from './tcp-input-rcvbuf.ts';
import { __tcpSelectWindow } from './tcp-output-window.ts';
import { tcpSendAck } from './tcp-output-ctrl.ts';
import { TCPHDR_FIN, TCPHDR_SYN, after, tcbSeq, tcbTcpFlags } from './tcp-skb-cb.ts';
import { TCP_URG_READ, TCP_URG_VALID, tcpSk } from './tcp-sock.ts';
import type { TcpSock } from './tcp-sock.ts';
import { tcpReceiveWindow } from './tcp-space.ts';
import { TCP_CM_INQ } from './tcp-uapi.ts';

/** tcpRecvNothing: look at the queue again. */
const RECV_AGAIN = 1;

/**
 * Proto.recvmsg. Bytes given, 0 at the end of the stream, or -errno; -EAGAIN from a blocking call means: call again
 * when readable (msg says how far it came).
 */
export function tcpRecvmsg(sock: Sock, msg: MsgHdr, len: number, flags: number): number {
  const net = sock.skNet;
  if (net.trace !== null && !msg.msgRestarted) net.trace.hit(net, 'tcp_recvmsg', null);
  const sk = tcpSk(sock);
  if ((flags & MSG_ERRQUEUE) !== 0) return sk.afSpecific.recvError(sk, msg, len);
  lockSock(sk);
  const tcp = net.tcp;
  tcp.recvTstamp = 0;
  const ret = tcpRecvmsgLocked(sk, msg, len, flags);
  releaseSock(sk);
  if (ret >= 0 && tcp.recvTstamp !== 0) sockRecvTimestampOf(msg, sk, tcp.recvTstamp);
  if (sk.opts.recvmsgInq && ret >= 0) putCmsg(msg, SOL_TCP, TCP_CM_INQ, tcpInqHint(sk));
  return ret;
}

/** tcpRecvmsg for a caller who owns the sock. */
export function tcpRecvmsgLocked(sk: TcpSock, msg: MsgHdr, len: number, flags: number): number {
  if (sk.skState === TCP_LISTEN) return -ENOTCONN;
  if ((flags & MSG_OOB) !== 0) return tcpRecvUrg(sk, msg, len, flags);
  const peek = (flags & MSG_PEEK) !== 0;
  const target = sockRcvlowat(sk, (flags & MSG_WAITALL) !== 0, len);
  let seq = peek ? (sk.copiedSeq + tcpPeekOffset(sk, msg)) | 0 : sk.copiedSeq;
  let ret = 0;
  // (A read of nothing looks for data too.)
  do {
    // A read stops in front of the urgent byte, so that the mark shows (RFC 9293 §3.8.5).
    if (sk.urgData !== 0 && sk.urgSeq === seq && (msg.msgCopied > 0 || (flags & MSG_SPLICE_READ) !== 0)) break;
    const skb = tcpRecvSkb(sk, seq);
    if (skb === null) {
      ret = tcpRecvNothing(sk, msg.msgCopied, target, flags);
      if (ret === RECV_AGAIN) continue;
      break;
    }
    const next = tcpRecvCopy(sk, skb, seq, msg, len, flags);
    const finished = tcpRecvIsFinished(skb, next);
    seq = finished && tcpSkbIsFin(skb) ? (next + 1) | 0 : next;
    if (!peek) {
      sk.copiedSeq = seq;
      if (finished) tcpEatRecvSkb(sk, skb);
    }
    if (finished && seq !== next) break;
  } while (msg.msgCopied < len);
  tcpCleanupRbuf(sk, msg.msgCopied);
  return ret < 0 ? ret : msg.msgCopied;
}

/** How far behind copiedSeq a MSG_PEEK begins: SO_PEEK_OFF, or what this call peeked at before it slept. */
function tcpPeekOffset(sk: TcpSock, msg: MsgHdr): number {
  return sk.skPeekOff >= 0 ? sk.skPeekOff : msg.msgCopied;
}

function tcpSkbIsFin(skb: SkBuff): boolean {
  return (tcbTcpFlags(skb) & TCPHDR_FIN) !== 0;
}

/** Where sequence number seq is in skb's data. */
function tcpSkbOffset(skb: SkBuff, seq: number): number {
  const offset = (seq - tcbSeq(skb)) | 0;
  return (tcbTcpFlags(skb) & TCPHDR_SYN) !== 0 ? offset - 1 : offset;
}

/** All data of skb lies before seq. */
function tcpRecvIsFinished(skb: SkBuff, seq: number): boolean {
  return tcpSkbOffset(skb, seq) >= skb.len;
}

/** The queued sk_buff that has the byte seq, or the FIN there; or null. */
export function tcpRecvSkb(sk: TcpSock, seq: number): SkBuff | null {
  for (let skb = sk.skReceiveQueue.next; skb !== null; skb = skb.next) {
    if (tcpSkbOffset(skb, seq) < skb.len || tcpSkbIsFin(skb)) return skb;
  }
  return null;
}

/**
 * The queue has nothing (more). RECV_AGAIN when segments came meanwhile; 0 when the call is over with what it has; -EAGAIN
 * when it should sleep, or would have to; or another -errno.
 */
function tcpRecvNothing(sk: TcpSock, copied: number, target: number, flags: number): number {
  if (skFlushBacklog(sk)) return RECV_AGAIN;
  if (copied >= target) return 0;
  const noblock = (flags & MSG_DONTWAIT) !== 0;
  const closed = sk.skState === TCP_CLOSE;
  const eof = (sk.skShutdown & RCV_SHUTDOWN) !== 0;
  if (copied > 0) return noblock || sk.skErr !== 0 || closed || eof ? 0 : -EAGAIN;
  if (sockFlag(sk, SOCK_DONE)) return 0;
  if (sk.skErr !== 0) return sockError(sk);
  if (eof) return 0;
  // A sock that was never connected; one that was would have SOCK_DONE.
  return closed ? -ENOTCONN : -EAGAIN;
}

/** Copies what the user wants of skb from seq on; returns the sequence number behind it. */
function tcpRecvCopy(sk: TcpSock, skb: SkBuff, from: number, msg: MsgHdr, len: number, flags: number): number {
  let seq = from;
  let offset = tcpSkbOffset(skb, seq);
  let used = Math.min(skb.len - offset, len - msg.msgCopied);
  if (used <= 0) return seq;
  if (sk.urgData !== 0) {
    const urgOffset = (sk.urgSeq - seq) >>> 0;
    if (urgOffset === 0 && !sockFlag(sk, SOCK_URGINLINE)) {
      // The urgent byte is not part of the stream.
      seq = (seq + 1) | 0;
      offset++;
      used--;
    } else if (urgOffset > 0 && urgOffset < used) {
      used = urgOffset;
    }
  }
  if (used > 0) {
    if ((flags & MSG_TRUNC) === 0) skbCopyDatagramMsg(skb, offset, msg, used);
    seq = (seq + used) | 0;
    msg.msgCopied += used;
    if (skb.tstamp !== 0) sk.skNet.tcp.recvTstamp = skb.tstamp;
    tcpRecvProgress(sk, seq, used, flags);
  }
  if (sk.urgData !== 0 && after(sk.copiedSeq, sk.urgSeq)) {
    sk.urgData = 0;
    tcpFastPathCheck(sk);
  }
  return seq;
}

/** The user got `used` bytes up to seq. */
function tcpRecvProgress(sk: TcpSock, seq: number, used: number, flags: number): void {
  if ((flags & MSG_PEEK) !== 0) {
    if (sk.skPeekOff >= 0) sk.skPeekOff += used;
    return;
  }
  if (sk.skPeekOff >= 0) sk.skPeekOff = Math.max(sk.skPeekOff - used, 0);
  sk.copiedSeq = seq;
  tcpRcvSpaceAdjust(sk);
}

/** Takes a segment that was read to its end off the queue. */
export function tcpEatRecvSkb(sk: TcpSock, skb: SkBuff): void {
  const net = sk.skNet;
  if (net.trace !== null) net.trace.hit(net, 'tcp_recvmsg', skb);
  __skbUnlink(skb, sk.skReceiveQueue);
  consumeSkb(skb);
}

/** MSG_OOB: the urgent byte. Never sleeps (RFC 6093; BSD). */
function tcpRecvUrg(sk: TcpSock, msg: MsgHdr, len: number, flags: number): number {
  if (sockFlag(sk, SOCK_URGINLINE) || sk.urgData === 0 || sk.urgData === TCP_URG_READ) return -EINVAL;
  if (sk.skState === TCP_CLOSE && !sockFlag(sk, SOCK_DONE)) return -ENOTCONN;
  if ((sk.urgData & TCP_URG_VALID) !== 0) return tcpRecvUrgByte(sk, msg, len, flags);
  if (sk.skState === TCP_CLOSE || (sk.skShutdown & RCV_SHUTDOWN) !== 0) return 0;
  return -EAGAIN;
}

function tcpRecvUrgByte(sk: TcpSock, msg: MsgHdr, len: number, flags: number): number {
  const byte = sk.urgData & 0xff;
  if ((flags & MSG_PEEK) === 0) sk.urgData = TCP_URG_READ;
  msg.msgFlags |= MSG_OOB;
  if (len === 0) {
    msg.msgFlags |= MSG_TRUNC;
    return 0;
  }
  if ((flags & MSG_TRUNC) === 0) copyToIter(Uint8Array.of(byte), 0, 1, msg);
  return 1;
}

/** Whether reading has made an ACK due that was held back. */
function tcpReadMakesAckDue(sk: TcpSock, copied: number): boolean {
  if (!inetCskAckScheduled(sk)) return false;
  // More than a full segment came since the last ACK.
  if (((sk.rcvNxt - sk.rcvWup) | 0) > sk.icskAckRcvMss) return true;
  if (copied <= 0 || sk.skRmemAlloc !== 0) return false;
  // The reader emptied the buffer: it will have nothing to say soon, unless it talks back and forth.
  const pending = sk.icskAckPending;
  return (pending & ICSK_ACK_PUSHED2) !== 0 || ((pending & ICSK_ACK_PUSHED) !== 0 && !inetCskInPingpongMode(sk));
}

/** Whether reading has made the window worth announcing: it has at least doubled (RFC 9293 §3.8.6.2.2). */
function tcpReadOpensWindow(sk: TcpSock): boolean {
  const now = tcpReceiveWindow(sk);
  if (2 * now > sk.windowClamp) return false;
  const next = __tcpSelectWindow(sk);
  return next !== 0 && next >= 2 * now;
}

/** After the user has read `copied` bytes: sends an ACK when one is due, or when the window has opened. */
export function tcpCleanupRbuf(sk: TcpSock, copied: number): void {
  let due = tcpReadMakesAckDue(sk, copied);
  if (!due && copied > 0 && (sk.skShutdown & RCV_SHUTDOWN) === 0) due = tcpReadOpensWindow(sk);
  if (due) tcpSendAck(sk);
}

/** TCP_CM_INQ: sequence numbers that wait, a FIN's too; 1 at the end of the stream, so that the reader comes for the 0. */
function tcpInqHint(sk: TcpSock): number {
  const inq = (sk.rcvNxt - sk.copiedSeq) | 0;
  return inq === 0 && sockFlag(sk, SOCK_DONE) ? 1 : inq;
}
